package io.github.tokenward

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import java.io.IOException
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertTrue
import kotlin.time.Duration
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

@OptIn(ExperimentalCoroutinesApi::class)
class SingleFlightTest {
    @Test
    fun `a hundred callers cause one token request`() = runTest {
        val service = MemoryService()
        manager(service).use { manager ->
            val headers = List(100) { async { manager.authorize("GET", API).header } }.awaitAll()
            assertEquals(setOf("Bearer access-1"), headers.toSet())
            assertEquals(listOf("client_credentials"), service.grants)
        }
    }

    @Test
    fun `a thousand callers of an expired token cause one refresh and leave nothing behind`() = runBlocking(Dispatchers.Default) {
        val service = MemoryService()
        val clock = object : TokenClock {
            @Volatile var at = 0L

            override fun now() = at

            override fun wall() = VirtualClock.START + at / 1000
        }
        TokenManager(ACME, TokenIdentity {}, CREDENTIALS, service, options = TokenManagerOptions(clock = clock)).use { manager ->
            manager.authorize("GET", API)
            List(100) { async(Dispatchers.IO) { manager.authorize("GET", API) } }.awaitAll()
            val threads = Thread.activeCount()
            clock.at = 3600_000
            val headers = List(1000) { async { manager.authorize("GET", API).header } }.awaitAll()
            assertEquals(setOf("Bearer access-2"), headers.toSet())
            assertEquals(listOf("client_credentials", "refresh_token"), service.grants)
            repeat(100) { if (manager.children > 0) delay(10) }
            assertEquals(0, manager.children)
            assertTrue(Thread.activeCount() <= threads + Runtime.getRuntime().availableProcessors(), "threads were left behind")
        }
    }

    @Test
    fun `a first caller that is cancelled only stops waiting`() = runTest {
        val service = MemoryService()
        manager(service).use { manager ->
            val first = launch { manager.authorize("GET", API) }
            runCurrent()
            val second = async { manager.authorize("GET", API) }
            runCurrent()
            first.cancelAndJoin()
            assertEquals("Bearer access-1", second.await().header)
            assertEquals(1, service.requests.size)
        }
    }

    @Test
    fun `the request goes on to its end when the last caller is cancelled`() = runTest {
        val service = MemoryService()
        manager(service).use { manager ->
            launch { manager.authorize("GET", API) }.also { runCurrent() }.cancelAndJoin()
            advanceTimeBy(1.seconds)
            runCurrent()
            assertTrue(manager.status().isUsable)
            assertEquals(1, service.requests.size)
        }
    }

    @Test
    fun `nothing waits for the next try when the last caller is cancelled`() = runTest {
        val service = MemoryService()
        service.answers += MemoryService.answer(429, "", "Retry-After" to "20")
        manager(service).use { manager ->
            val caller = launch { manager.authorize("GET", API) }
            advanceTimeBy(1.seconds)
            assertEquals(1, manager.children)
            caller.cancelAndJoin()
            runCurrent()
            assertEquals(0, manager.children)
        }
    }

    @Test
    fun `a refresh that is due runs while the old token is used`() = runTest {
        val service = MemoryService()
        manager(service).use { manager ->
            manager.authorize("GET", API)
            advanceTimeBy(48.minutes)
            assertEquals("Bearer access-1", manager.authorize("GET", API).header)
            advanceTimeBy(1.seconds)
            assertEquals("Bearer access-2", manager.authorize("GET", API).header)
            assertEquals(listOf("client_credentials", "refresh_token"), service.grants)
        }
    }

    @Test
    fun `ten 401s at once cause one refresh`() = runTest {
        val service = MemoryService()
        manager(service).use { manager ->
            val used = manager.authorize("GET", API)
            advanceTimeBy(1.minutes)
            val decisions = List(10) { async { manager.rejected(used.generation, 401) } }.awaitAll()
            assertEquals(setOf<RetryDecision>(RetryDecision.Retry), decisions.toSet())
            assertEquals("Bearer access-2", manager.authorize("GET", API).header)
            assertEquals(listOf("client_credentials", "refresh_token"), service.grants)
        }
    }

    @Test
    fun `a refresh that fails after a 401 throws what failed`() = runTest {
        val service = MemoryService()
        manager(service, patience = Duration.ZERO).use { manager ->
            val used = manager.authorize("GET", API)
            suspend fun failed() =
                assertFailsWith<TokenwardException.TemporarilyUnavailable> { manager.rejected(used.generation, 401) }
            advanceTimeBy(1.minutes)
            service.isDown = true
            assertIs<IOException>(failed().cause)
            service.isDown = false
            service.answers += MemoryService.answer(503, "busy", "Retry-After" to "120")
            advanceTimeBy(1.minutes)
            assertEquals(503, failed().answer?.status)
        }
    }

    @Test
    fun `a 403 is the caller's and causes no request`() = runTest {
        val service = MemoryService()
        manager(service).use { manager ->
            val events = ArrayList<TokenEvent>()
            backgroundScope.launch(UnconfinedTestDispatcher(testScheduler)) { manager.events.toList(events) }
            val used = manager.authorize("GET", API)
            assertEquals(RetryDecision.Surface(TokenReason.FORBIDDEN), manager.rejected(used.generation, 403))
            assertEquals(listOf(TokenEvent.Refreshed(1), TokenEvent.Rejected(TokenReason.FORBIDDEN)), events)
            assertEquals(1, service.requests.size)
        }
    }

    @Test
    fun `a server that is down is asked again as long as a caller has patience`() = runTest {
        val service = MemoryService().apply { isDown = true }
        manager(service).use { manager ->
            assertIs<IOException>(manager.trouble())
            assertTrue(testScheduler.currentTime <= 30_000)
            assertEquals(5, service.requests.size)
            advanceTimeBy(10.seconds)
            service.isDown = false
            assertEquals("Bearer access-6", manager.authorize("GET", API).header)
        }
    }

    @Test
    fun `without patience a server that is down is told at once`() = runTest {
        val service = MemoryService().apply { isDown = true }
        manager(service, patience = Duration.ZERO).use { manager ->
            repeat(2) { manager.trouble() }
            assertEquals(1, service.requests.size)
            assertEquals(0, testScheduler.currentTime)
        }
    }

    @Test
    fun `a Retry-After longer than a caller waits is told`() = runTest {
        val service = MemoryService()
        service.answers += MemoryService.answer(503, "busy", "Retry-After" to "120")
        manager(service).use { manager ->
            val first = assertFailsWith<TokenwardException.TemporarilyUnavailable> { manager.authorize("GET", API) }
            assertEquals(listOf(120.seconds, 503, null), listOf(first.retryAfter, first.answer?.status, first.answer?.error))
            assertFailsWith<TokenwardException.TemporarilyUnavailable> { manager.authorize("GET", API) }
            assertEquals(1, service.requests.size)
            advanceTimeBy(120.seconds)
            assertEquals("Bearer access-2", manager.authorize("GET", API).header)
        }
    }

    @Test
    fun `a refusal with a code of the service's own is configuration, and trouble is not`() = runTest {
        val service = MemoryService()
        manager(service, patience = Duration.ZERO).use { manager ->
            service.answers += MemoryService.answer(403, """{"error":"access_denied"}""")
            val refused = assertFailsWith<TokenwardException.Configuration> { manager.authorize("GET", API) }
            assertEquals(ServiceAnswer(403, "access_denied"), refused.answer)
            assertEquals("refused" to false, refused.code to refused.isRetryable)
        }
        for ((status, error) in listOf(429 to "quota_exceeded", 503 to "access_denied", 400 to "slow_down")) {
            manager(service, patience = Duration.ZERO).use { manager ->
                service.answers += MemoryService.answer(status, """{"error":"$error"}""")
                val trouble = assertFailsWith<TokenwardException.TemporarilyUnavailable> { manager.authorize("GET", API) }
                assertEquals(ServiceAnswer(status, error), trouble.answer)
            }
        }
    }

    @Test
    fun `who must sign in is told once for each reason until there is a token`() = runTest {
        manager(MemoryService(), provider = ACME.copy { primaryGrant = null }).use { manager ->
            val events = ArrayList<TokenEvent>()
            backgroundScope.launch(UnconfinedTestDispatcher(testScheduler)) { manager.events.toList(events) }
            repeat(2) {
                repeat(3) { assertFailsWith<TokenwardException.SignInRequired> { manager.signIn() } }
                manager.install(IssuedToken("installed", 3600.seconds))
                manager.signOut()
            }
            val told = listOf(1L, 2L).flatMap { generation ->
                listOf(TokenEvent.NeedsSignIn(TokenReason.NO_TOKEN), TokenEvent.Refreshed(generation), TokenEvent.SignedOut)
            }
            assertEquals(told, events)
        }
    }

    @Test
    fun `a refused refresh token is followed by the primary grant in the same flight`() = runTest {
        val service = MemoryService()
        manager(service).use { manager ->
            manager.authorize("GET", API)
            service.answers += MemoryService.answer(400, """{"error":"invalid_grant"}""")
            advanceTimeBy(1.seconds * 3600)
            assertEquals("Bearer access-3", manager.authorize("GET", API).header)
            assertEquals(listOf("client_credentials", "refresh_token", "client_credentials"), service.grants)
        }
    }

    @Test
    fun `a refused client is told and not asked again until retry`() = runTest {
        val service = MemoryService()
        service.answers += MemoryService.answer(401, """{"error":"invalid_client"}""")
        manager(service).use { manager ->
            repeat(2) {
                val refused = assertFailsWith<TokenwardException.Configuration> { manager.authorize("GET", API) }
                assertEquals("invalid_client", refused.code)
                assertEquals("The token service refuses the client id or secret: check them.", refused.message)
            }
            assertEquals(1, service.requests.size)
            manager.retry()
            assertEquals("Bearer access-2", manager.authorize("GET", API).header)
        }
    }

    @Test
    fun `an answer after the sign-out is nobody's`() = runTest {
        val gate = CompletableDeferred<Unit>()
        val service = MemoryService()
        val storage = MemoryTokenStorage()
        manager(service, storage = storage).use { manager ->
            service.gate = gate
            val waiting = async { runCatching { manager.authorize("GET", API) } }
            advanceTimeBy(1.seconds)
            manager.signOut()
            // Nobody waits for the answer any more.
            val error = waiting.await().exceptionOrNull()
            assertEquals("signed_out", (error as TokenwardException.SignInRequired).code)
            gate.complete(Unit)
            advanceTimeBy(1.seconds)
            assertTrue(storage.isTombstone())
            assertTrue(!manager.status().isUsable)
        }
    }

    @Test
    fun `close waits for the answer that is out and refuses what comes later`() = runTest {
        val service = MemoryService()
        val storage = MemoryTokenStorage()
        val manager = manager(service, storage = storage)
        val waiting = async { runCatching { manager.authorize("GET", API) } }
        runCurrent()
        manager.close()
        assertEquals("manager_closed", assertFailsWith<TokenwardException> { manager.authorize("GET", API) }.code)
        advanceTimeBy(1.seconds)
        runCurrent()
        assertTrue(storage.item() != null, "the answer was lost")
        assertIs<TokenwardException.Configuration>(waiting.await().exceptionOrNull())
    }

    @Test
    fun `renew obtains another token while the old one is used`() = runTest {
        val service = MemoryService()
        manager(service).use { manager ->
            manager.authorize("GET", API)
            // No refresh follows a request within a second.
            advanceTimeBy(1.seconds)
            manager.renew()
            assertEquals("Bearer access-1", manager.authorize("GET", API).header)
            advanceTimeBy(1.seconds)
            assertEquals("Bearer access-2", manager.authorize("GET", API).header)
        }
    }
}
