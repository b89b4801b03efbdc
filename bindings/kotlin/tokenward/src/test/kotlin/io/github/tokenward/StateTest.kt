package io.github.tokenward

import io.github.tokenward.bridge.reasonName
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.advanceTimeBy
import kotlinx.coroutines.test.runCurrent
import kotlinx.coroutines.test.runTest
import org.junit.jupiter.api.io.TempDir
import org.slf4j.Logger
import java.io.IOException
import java.lang.reflect.Proxy
import java.nio.file.Path
import java.time.Instant
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertTrue
import kotlin.time.Duration
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes
import kotlin.time.Duration.Companion.seconds

@OptIn(ExperimentalCoroutinesApi::class)
class StateTest {
    private fun <T> TestScope.seen(flow: Flow<T>): ArrayList<T> = ArrayList<T>().also { seen ->
        backgroundScope.launch(UnconfinedTestDispatcher(testScheduler)) { flow.collect(seen::add) }
    }

    /** With a token of an hour, whose refresh the service refuses. */
    private suspend fun TestScope.refusing(
        test: suspend (manager: TokenManager, states: List<TokenState>, events: List<TokenEvent>) -> Unit,
    ) {
        val service = MemoryService()
        manager(service, provider = ACME.copy { primaryGrant = null }).use { manager ->
            manager.install(IssuedToken("a", 1.hours, "r"))
            val (states, events) = seen(manager.state) to seen(manager.events)
            runCurrent()
            service.answers += MemoryService.answer(400, """{"error":"invalid_grant"}""")
            test(manager, states, events)
        }
    }

    @Test
    fun `who watches the state sees the present one and each that follows`() = runTest {
        manager(MemoryService()).use { manager ->
            val seen = seen(manager.state)
            manager.authorize("GET", API)
            advanceTimeBy(1.seconds)
            manager.renew()
            advanceTimeBy(1.seconds)
            manager.signOut()
            manager.signIn()
            val expected = listOf(
                TokenState.NoToken,
                TokenState.Refreshing(false),
                TokenState.SignedIn,
                TokenState.Refreshing(true),
                TokenState.SignedIn,
                TokenState.SignedOut,
                TokenState.Refreshing(false),
                TokenState.SignedIn,
            )
            assertEquals(expected, seen)
        }
    }

    @Test
    fun `who watches the state after a restart has storage read and sees what is in it`() = runTest {
        val storage = MemoryTokenStorage()
        manager(MemoryService(), storage = storage).use { it.authorize("GET", API) }
        runCurrent()
        val service = MemoryService()
        manager(service, storage = Elsewhere(storage)).use { manager ->
            val seen = seen(manager.state)
            runCurrent()
            assertEquals(listOf(TokenState.NoToken, TokenState.SignedIn), seen)
            manager.signOut()
        }
        manager(service, storage = Elsewhere(storage)).use { manager ->
            val seen = seen(manager.state)
            runCurrent()
            assertEquals(listOf(TokenState.NoToken, TokenState.SignedOut), seen)
        }
        assertEquals(emptyList<String>(), service.requests)
    }

    @Test
    fun `a refused refresh is told as it was refused and then needs a sign-in`() = runTest {
        refusing { manager, states, events ->
            advanceTimeBy(2.hours)
            val refused = assertFailsWith<TokenwardException.SignInRequired> { manager.authorize("GET", API) }
            val answer = ServiceAnswer(400, "invalid_grant")
            assertEquals(answer, refused.answer)
            assertEquals(TokenState.NeedsSignIn(TokenReason.REFRESH_TOKEN_REJECTED, isUsable = false), states.last())
            val told = listOf(
                TokenEvent.RefreshFailed("refused", answer, null),
                TokenEvent.NeedsSignIn(TokenReason.REFRESH_TOKEN_REJECTED),
            )
            assertEquals(told, events)
        }
    }

    @Test
    fun `a sign-in that is needed while the token lasts says by when`() = runTest {
        refusing { manager, states, events ->
            val end = checkNotNull(manager.clock.wall()) + 3600
            advanceTimeBy(55.minutes)
            manager.authorize("GET", API)
            advanceTimeBy(1.minutes)
            val state = assertIs<TokenState.NeedsSignIn>(states.last())
            assertEquals(TokenReason.REFRESH_TOKEN_REJECTED to true, state.reason to state.isUsable)
            assertTrue(end - checkNotNull(state.signInBy).epochSecond in 0..60, "$state")
            assertEquals(TokenEvent.NeedsSignIn(TokenReason.REFRESH_TOKEN_REJECTED, state.signInBy), events.last())
            assertEquals(state, states.filterIsInstance<TokenState.NeedsSignIn>().single())
        }
    }

    @Test
    fun `each failure of a request is told with what was answered and when there is another try`() = runTest {
        val cases = mapOf(
            MemoryService.answer(503, "", "Retry-After" to "60") to ("http_status" to ServiceAnswer(503)),
            MemoryService.answer(200, "<html>") to ("not_json" to ServiceAnswer(200)),
            MemoryService.answer(403, """{"error":"access_denied"}""") to ("refused" to ServiceAnswer(403, "access_denied")),
            MemoryService.answer(401, """{"error":"invalid_client"}""") to ("refused" to ServiceAnswer(401, "invalid_client")),
            null to ("no_answer" to null),
        )
        for ((answer, failure) in cases) {
            val service = MemoryService(latency = 1.milliseconds)
            if (answer == null) service.isDown = true else service.answers += answer
            manager(service, patience = Duration.ZERO).use { manager ->
                val events = seen(manager.events)
                val refused = assertFailsWith<TokenwardException> { manager.authorize("GET", API) }
                val told = events.filterIsInstance<TokenEvent.RefreshFailed>().single()
                assertEquals(failure, told.code to told.answer)
                assertEquals(failure.second, refused.answer)
                assertTrue(told.retryAfter != null, failure.first)
            }
        }
    }

    @Test
    fun `a sign-out is told under the lock under which it happens`() = runTest {
        manager(MemoryService()).use { manager ->
            var isLocked = false
            backgroundScope.launch(UnconfinedTestDispatcher(testScheduler)) {
                manager.events.collect { isLocked = Thread.holdsLock(manager.vault.lock) }
            }
            manager.signOut()
            assertEquals(true, isLocked)
        }
    }

    @Test
    fun `an event is one line for a log without the service's own words`() {
        val by = Instant.ofEpochSecond(1_800_000_000)
        val lines = mapOf(
            TokenEvent.Refreshed(3) to "token refreshed: generation 3",
            TokenEvent.RefreshFailed("refused", ServiceAnswer(403, "s3cret"), 60.seconds) to
                "! token request failed: refused, status 403, again in 60 s",
            TokenEvent.RefreshFailed("no_answer", null, null) to "! token request failed: no_answer",
            TokenEvent.NeedsSignIn(TokenReason.REVOKED, by) to "! sign-in needed: revoked, by 2027-01-15T08:00:00Z",
            TokenEvent.NeedsSignIn(TokenReason.NO_TOKEN) to "! sign-in needed: no_token",
            TokenEvent.Rejected(TokenReason.REVOKED) to "! token rejected: revoked",
            TokenEvent.StorageFailed("storage_locked") to "! token storage failed: storage_locked",
            TokenEvent.SignedOut to "signed out",
        )
        for ((event, line) in lines) assertEquals(line, (if (event.isProblem) "! " else "") + event.logLine)
    }

    @Test
    fun `a log is told what happens and how bad that is`() = runTest {
        val said = mutableListOf<String>()
        val logger = Proxy.newProxyInstance(javaClass.classLoader, arrayOf(Logger::class.java)) { _, method, arguments ->
            said += "${method.name} ${arguments.single()}"
        } as Logger
        manager(MemoryService()).use { manager ->
            val log = backgroundScope.launch(UnconfinedTestDispatcher(testScheduler)) { manager.logTo(logger) }
            manager.authorize("GET", API)
            manager.signOut()
            log.cancel()
        }
        assertEquals(listOf("info token refreshed: generation 1", "info signed out"), said)
    }

    @Test
    fun `a reason has the word of every language`() {
        for (reason in TokenReason.entries) assertEquals(reasonName(reason), reason.code)
    }

    @Test
    fun `a file storage that cannot work is refused when it is made`(@TempDir folder: Path) {
        val missing = assertFailsWith<TokenwardException.Storage> {
            FileTokenStorage(folder.resolve("none").resolve("token"), ByteArray(32) { 1 })
        }
        assertEquals("storage_failed", missing.code)
        assertEquals(true, missing.cause is IOException)
        for (key in listOf(ByteArray(16) { 1 }, ByteArray(32))) {
            val short = assertFailsWith<TokenwardException.Configuration> { FileTokenStorage(folder.resolve("token"), key) }
            assertEquals("invalid_argument" to "seal_key", short.code to short.fact)
            assertEquals(true, short.message.orEmpty().endsWith("(seal_key)"))
        }
    }
}
