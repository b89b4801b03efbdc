package io.github.tokenward

import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.runTest
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.PrintStream
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlin.time.Duration
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.seconds

@OptIn(ExperimentalCoroutinesApi::class)
class RedactionTest {
    private val canary = "canary0123456789"

    private fun assertRedacted(vararg shown: Any?) {
        for (text in shown) assertTrue(canary !in "$text", "a secret in: $text")
    }

    @Test
    fun `no text of a value holds its secret`() = runTest {
        val request =
            TransportRequest(
                "POST",
                "https://a.example",
                listOf(TransportHeader("Authorization", canary)),
                canary.encodeToByteArray(),
            )
        val response = TransportResponse(200, listOf(TransportHeader("Set-Cookie", canary)), canary.encodeToByteArray())
        assertRedacted(
            Credentials(canary, canary, canary, canary),
            IssuedToken(canary, refreshToken = canary),
            IssuedToken.json(canary.encodeToByteArray()),
            request, request.headers, response, response.headers,
            TokenSource.fixed { IssuedToken(canary) },
            TokenSource.credentials { Credentials(canary) }, TokenSource.backend { IssuedToken(canary) },
        )
        manager(null, TokenSource.fixed { IssuedToken(canary) }, ACME.copy(NO_GRANT)).use { manager ->
            val authorization = manager.authorize("GET", API)
            assertEquals("Bearer $canary", authorization.header)
            assertRedacted(authorization, manager, TokenSource.parent(manager), manager.status())
        }
    }

    @Test
    fun `no error event or log holds a secret`() = runTest {
        val (out, err) = System.out to System.err
        val logged = ByteArrayOutputStream()
        PrintStream(logged, true).let { System.setOut(it).also { _ -> System.setErr(it) } }
        val shown = ArrayList<Any?>()
        try {
            val bodies = listOf(
                200 to """{"access_token":"$canary $canary","expires_in":60}""",
                200 to """{"access_token":"$canary","expires_in":"$canary"}""",
                200 to """{"access_token":"$canary","token_type":"$canary"}""",
                200 to """{"access_token":"$canary","refresh_token":"$canary","expires_in":0}""",
                200 to "<html>$canary",
                200 to """{"access_token":"${canary.repeat(1000)}"}""",
                400 to """{"error":"invalid_grant","error_description":"$canary"}""",
                400 to """{"error":"$canary"}""",
                503 to canary,
            )
            for ((status, body) in bodies) {
                val service = MemoryService()
                service.answers += MemoryService.answer(status, body)
                val source = TokenSource.credentials { Credentials(canary, canary) }
                manager(service, source, patience = Duration.ZERO).use { manager ->
                    val events = ArrayList<TokenEvent>()
                    backgroundScope.launch(UnconfinedTestDispatcher(testScheduler)) { manager.events.toList(events) }
                    val results = List(3) { async { runCatching { manager.authorize("GET", API) } } }.awaitAll()
                    assertTrue(results.all { it.isFailure }, "$status ${body.replace(canary, "…")}")
                    shown.addAll(results.map { it.exceptionOrNull()?.stackTraceToString() } + events)
                    manager.install(IssuedToken(canary, 60.seconds))
                    shown +=
                        runCatching { manager.authorize("GET", "https://evil.example/") }.exceptionOrNull()?.stackTraceToString()
                    advanceTimeBy(1.hours)
                    shown +=
                        runCatching { manager.install(IssuedToken("$canary $canary")) }.exceptionOrNull()?.stackTraceToString()
                    shown += manager
                }
            }
            val failing = Failure { throw IOException("disk full") }
            manager(MemoryService(), TokenSource.credentials { Credentials(canary, canary) }, storage = failing).use { manager ->
                shown += runCatching { manager.authorize("GET", API) }.exceptionOrNull()?.stackTraceToString()
                shown += runCatching { manager.signOut() }.exceptionOrNull()?.stackTraceToString()
            }
        } finally {
            System.setOut(out)
            System.setErr(err)
        }
        assertTrue(shown.size > 40)
        assertRedacted(logged, *shown.toTypedArray())
    }

    private class Failure(private val fail: () -> Unit) : TokenStorage {
        override val isShared = false

        override fun sealKey() = ByteArray(32) { 7 }

        override fun locked(body: (StorageAccess) -> Unit) = fail()
    }
}
