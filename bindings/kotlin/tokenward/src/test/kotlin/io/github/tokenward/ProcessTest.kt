package io.github.tokenward

import org.junit.jupiter.api.Timeout
import org.junit.jupiter.api.io.TempDir
import java.nio.file.Path
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

@Timeout(180)
class ProcessTest {
    @TempDir
    lateinit var folder: Path

    private fun start(service: RotatingService, shared: Boolean, point: String, aheadSeconds: Int, goOnMillis: Int = 0) =
        startProgram("ProcessKt", service.baseUrl, "${folder.resolve("token")}", "$shared", point, "$aheadSeconds", "$goOnMillis")

    private fun run(service: RotatingService, shared: Boolean, point: String, aheadSeconds: Int): Pair<Int, String> {
        val process = start(service, shared, point, aheadSeconds)
        val printed = process.inputStream.bufferedReader().readText().trim()
        return process.waitFor() to printed
    }

    /** Obtains a token; is killed in the middle of its refresh; starts again. */
    private fun kill(shared: Boolean, point: String) = RotatingService(forgives = true, lifetimeSeconds = 3600).use { service ->
        assertEquals(0 to "Bearer access-1", run(service, shared, NEVER, 0))
        assertEquals(KILLED to "", run(service, shared, point, 2 * HOUR))
        val (status, header) = run(service, shared, NEVER, 4 * HOUR)
        assertEquals(0, status)
        assertEquals("Bearer access-${service.grants.size}", header)
        assertEquals(emptyList<String>(), service.refused)
        assertEquals(listOf("client_credentials"), service.grants.filter { it != "refresh_token" })
        assertTrue("refresh_token" in service.grants)
    }

    @Test
    fun `a kill before the request loses nothing`() = kill(shared = false, "before-send-1")

    @Test
    fun `a kill between answer and persist loses nothing that the server allows`() = kill(shared = false, "before-write-1")

    @Test
    fun `a kill between persist and use loses nothing`() = kill(shared = false, "after-write-1")

    @Test
    fun `a kill between begin and persist of shared storage loses nothing`() = kill(shared = true, "before-write-1")

    @Test
    fun `a kill between persist and send of shared storage loses nothing`() = kill(shared = true, "after-write-1")

    @Test
    fun `a kill between answer and persist of shared storage loses nothing that the server allows`() =
        kill(shared = true, "before-write-2")

    @Test
    fun `a kill between persist and use of shared storage loses nothing`() = kill(shared = true, "after-write-2")

    @Test
    fun `two processes on one file never present one refresh token twice`() =
        // Who sees the other's announcement looks again when its own token has ended.
        RotatingService(forgives = false, lifetimeSeconds = 3).use { service ->
            val processes = List(2) { start(service, shared = true, NEVER, 0, goOnMillis = 15_000) }
            val headers = processes.map { it.inputStream.bufferedReader().readLines() }
            assertEquals(listOf(0, 0), processes.map { it.waitFor() })
            assertTrue(headers.all { it.toSet().size > 3 && it.size > 50 }, "${headers.map { it.size }}")
            assertEquals(emptyList<String>(), service.refused)
            assertEquals(service.presented.distinct(), service.presented)
            assertTrue(service.presented.size > 3, "${service.presented}")
        }

    private companion object {
        const val HOUR = 3600

        /** No point has this name. */
        const val NEVER = "never"

        /** 128 + SIGKILL. */
        const val KILLED = 137
    }
}
