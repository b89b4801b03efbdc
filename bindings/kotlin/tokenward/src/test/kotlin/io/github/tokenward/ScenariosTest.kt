package io.github.tokenward

import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class ScenariosTest {
    private fun differenceOf(scenario: String): String? {
        val file = File.createTempFile("scenario", ".json")
        return try {
            file.writeText(scenario)
            difference(file.path)
        } finally {
            file.delete()
        }
    }

    @Test
    fun `the driver sees a difference`() {
        val step = """{"at":0,"do":"poll","expect":{"usable":true}}"""
        val wrong = """{"provider":"flume","base_url":"https://a.example","steps":[$step]}"""
        assertEquals("step 0 (poll at 0): usable is false, expected true", differenceOf(wrong))
    }

    @Test
    fun `the driver refuses what is no scenario`() {
        assertTrue(differenceOf("{").orEmpty().startsWith("is no JSON: "))
        assertEquals("is no scenario: no preset \"x\"", differenceOf("""{"provider":"x","steps":[]}"""))
    }
}
