package io.github.tokenward

import org.junit.jupiter.api.Timeout
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.nio.file.Path
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import java.lang.Process as OsProcess

@Timeout(180)
class ProcessTest {
    @TempDir
    lateinit var folder: Path

    private fun start(service: RotatingService, shared: Boolean, step: Step, aheadSeconds: Int, goOnMillis: Int = 0): OsProcess {
        val classpath = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
        val arguments = listOf(service.baseUrl, "${folder.resolve("token")}", "$shared", "$step", "$aheadSeconds", "$goOnMillis")
        val command =
            listOf("${File(System.getProperty("java.home"), "bin/java")}", "-cp", classpath, "io.github.tokenward.ProcessKt")
        return ProcessBuilder(command + arguments).redirectError(ProcessBuilder.Redirect.INHERIT).start()
    }

    private fun run(service: RotatingService, shared: Boolean, step: Step, aheadSeconds: Int): Pair<Int, String> {
        val process = start(service, shared, step, aheadSeconds)
        val printed = process.inputStream.bufferedReader().readText().trim()
        return process.waitFor() to printed
    }

    /** Obtains a token; is killed in the middle of its refresh; starts again. */
    private fun kill(shared: Boolean, step: Step) = RotatingService(forgives = true, lifetimeSeconds = 3600).use { service ->
        assertEquals(0 to "Bearer access-1", run(service, shared, Step.NEVER, 0))
        assertEquals(KILLED to "", run(service, shared, step, 2 * HOUR))
        val (status, header) = run(service, shared, Step.NEVER, 4 * HOUR)
        assertEquals(0, status)
        assertEquals("Bearer access-${service.grants.size}", header)
        assertEquals(emptyList<String>(), service.refused)
        assertEquals(listOf("client_credentials"), service.grants.filter { it != "refresh_token" })
        assertTrue("refresh_token" in service.grants)
    }

    @Test
    fun `a kill before the request loses nothing`() = kill(shared = false, Step.BEGUN)

    @Test
    fun `a kill between answer and persist loses nothing that the server allows`() = kill(shared = false, Step.ANSWERED)

    @Test
    fun `a kill between persist and use loses nothing`() = kill(shared = false, Step.PERSISTED)

    @Test
    fun `a kill between begin and persist of shared storage loses nothing`() = kill(shared = true, Step.BEGUN)

    @Test
    fun `a kill between persist and send of shared storage loses nothing`() = kill(shared = true, Step.ANNOUNCED)

    @Test
    fun `a kill between answer and persist of shared storage loses nothing that the server allows`() =
        kill(shared = true, Step.ANSWERED)

    @Test
    fun `a kill between persist and use of shared storage loses nothing`() = kill(shared = true, Step.PERSISTED)

    @Test
    fun `two processes on one file never present one refresh token twice`() =
        // Who sees the other's announcement looks again when its own token has ended.
        RotatingService(forgives = false, lifetimeSeconds = 3).use { service ->
            val processes = List(2) { start(service, shared = true, Step.NEVER, 0, goOnMillis = 15_000) }
            val headers = processes.map { it.inputStream.bufferedReader().readLines() }
            assertEquals(listOf(0, 0), processes.map { it.waitFor() })
            assertTrue(headers.all { it.toSet().size > 3 && it.size > 50 }, "${headers.map { it.size }}")
            assertEquals(emptyList<String>(), service.refused)
            assertEquals(service.presented.distinct(), service.presented)
            assertTrue(service.presented.size > 3, "${service.presented}")
        }

    private companion object {
        const val HOUR = 3600

        /** 128 + SIGKILL. */
        const val KILLED = 137
    }
}
