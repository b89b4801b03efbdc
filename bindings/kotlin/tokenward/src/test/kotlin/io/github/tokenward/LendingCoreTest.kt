package io.github.tokenward

import io.github.tokenward.bridge.CoreException
import java.nio.charset.MalformedInputException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import java.util.concurrent.Future
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotNull
import kotlin.test.assertNull

class LendingCoreTest {
    private fun core(token: String) = core(accessCapacity = MIB).also { it.install(0uL, null, token, null, 3600uL, null) }

    @Test
    fun `what is lent is what the bridge authorizes`() {
        // The longest header that takes one plain call has 4096 bytes.
        for (length in listOf(1, 40, 4088, 4089, 4090, MIB)) {
            core("t".repeat(length)).use { core ->
                assertEquals(length <= 4089, core.direct(1uL, "GET".encodeToByteArray(), API.encodeToByteArray()) != null)
                for (url in listOf(API, "$API/%C3%BC?q=1", "$API/" + "p".repeat(5000))) {
                    val lent = core.lend(1uL, "GET", url)
                    assertEquals(core.authorize(1uL, "GET", url), "${lent.generation} ${lent.header}")
                }
            }
        }
    }

    @Test
    fun `a refusal is the bridge's`() {
        core("token").use { core ->
            fun lent(url: String) = outcome { core.lend(1uL, "GET", url) }
            fun bridged(url: String) = outcome { core.authorize(1uL, "GET", url) }
            val expected = mapOf(
                API to "a header",
                "" to "bad_url",
                "https://evil.example/" to "origin_not_allowed",
                "https://bücher.example/" to "bad_url",
                "$API/\u0000" to "bad_url",
                "$API/\uD83D" to MalformedInputException::class.java,
            )
            for ((url, outcome) in expected) assertEquals(listOf(outcome, outcome), listOf(lent(url), bridged(url)), url)
            for (url in listOf("$API/ü", "$API/\uD83D\uDE00")) assertEquals(bridged(url), lent(url), url)
            core.clear()
            assertEquals(listOf<Any>("not_usable", "not_usable"), listOf(lent(API), bridged(API)))
        }
    }

    /** A header, the code of a refusal, or another exception's class. */
    private fun outcome(call: () -> Any): Any = try {
        call()
        "a header"
    } catch (refused: CoreException) {
        refused.code
    } catch (other: Exception) {
        other.javaClass
    }

    @Test
    fun `a header is wiped once it was lent`() {
        core("canary").use { core ->
            assertNotNull(core.direct(1uL, "GET".encodeToByteArray(), API.encodeToByteArray()))
            assertContentEquals(ByteArray(32), core.header.getByteArray(0, 32))
        }
    }

    @Test
    fun `a core that is closed while it lends gives whole headers and then none`() {
        val threads = Executors.newFixedThreadPool(8)
        repeat(20) {
            val core = core("token")
            val lending = CountDownLatch(8)
            val lenders: List<Future<*>> = List(8) {
                threads.submit {
                    assertFailsWith<IllegalStateException> {
                        while (true) {
                            assertEquals("Bearer token", core.lend(1uL, "GET", API).header)
                            lending.countDown()
                        }
                    }
                }
            }
            lending.await()
            core.close()
            lenders.forEach { assertNull(it.get()) }
            assertNull(core.direct(1uL, "GET".encodeToByteArray(), API.encodeToByteArray()))
        }
        threads.shutdown()
    }

    private companion object {
        const val MIB = 1 shl 20
    }
}
