package io.github.tokenward.test

import io.github.tokenward.IssuedToken
import io.github.tokenward.RetryDecision
import io.github.tokenward.TokenEvent
import io.github.tokenward.TokenKeeper
import io.github.tokenward.TokenReason
import io.github.tokenward.TokenState
import io.github.tokenward.TokenwardException
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.currentTime
import kotlinx.coroutines.test.runTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.time.Duration.Companion.hours
import kotlin.time.Duration.Companion.seconds

@OptIn(ExperimentalCoroutinesApi::class)
class FakeTokenManagerTest {
    // view model
    /** An app's own code: it knows the interface alone. */
    class Devices(private val tokens: TokenKeeper) {
        val needsSignIn = tokens.state.map { it is TokenState.NeedsSignIn || it == TokenState.SignedOut }

        suspend fun load(): String = try {
            tokens.authorize("GET", "https://api.example/devices").header
        } catch (refused: TokenwardException) {
            if (refused.isRetryable) "Try again." else "Please sign in."
        }
    }

    @Test
    fun `a view model asks for a sign-in`() = runTest {
        val tokens = FakeTokenManager()
        tokens.lends("t1")
        tokens.fails(TokenwardException.TemporarilyUnavailable(retryAfter = 30.seconds))
        tokens.fails(TokenwardException.SignInRequired("refresh_token_rejected"))
        val devices = Devices(tokens)
        assertEquals(listOf("Bearer t1", "Try again.", "Please sign in."), List(3) { devices.load() })
    }
    // end

    @Test
    fun `a view model sees each state`() = runTest {
        val tokens = FakeTokenManager(token = "t")
        val seen = ArrayList<Boolean>()
        backgroundScope.launch(UnconfinedTestDispatcher(testScheduler)) { Devices(tokens).needsSignIn.toList(seen) }
        tokens.becomes(TokenState.NeedsSignIn(TokenReason.REFRESH_TOKEN_REJECTED, isUsable = false))
        tokens.install(IssuedToken("t2"))
        tokens.signOut()
        assertEquals("signed_out", assertFailsWith<TokenwardException> { tokens.authorize("GET", "https://api.example") }.code)
        tokens.signIn()
        assertEquals(listOf(false, true, false, true, false), seen)
        assertEquals(listOf("install", "signOut", "authorize GET https://api.example", "signIn"), tokens.calls)
    }

    @Test
    fun `a fake that is asked for what its script has not says so`() = runTest {
        val tokens = FakeTokenManager()
        for ((call, ask) in mapOf<String, suspend () -> Unit>(
            "authorize GET https://api.example" to { tokens.authorize("GET", "https://api.example") },
            "rejected 1 401" to { tokens.rejected(1, 401) },
        )) {
            val message = "The script has nothing for `$call`: say what comes of it first."
            assertEquals(message, assertFailsWith<AssertionError> { ask() }.message)
        }
    }

    @Test
    fun `what is scripted comes in order and as late as it says`() = runTest {
        val tokens = FakeTokenManager()
        val told = ArrayList<TokenEvent>()
        backgroundScope.launch(UnconfinedTestDispatcher(testScheduler)) { tokens.events.toList(told) }
        tokens.lends("t1", after = 3.seconds)
        tokens.decides(RetryDecision.Surface(TokenReason.FORBIDDEN))
        tokens.decides(RetryDecision.Retry)
        val lent = tokens.authorize("GET", "https://api.example")
        assertEquals(3000, currentTime)
        assertEquals(RetryDecision.Surface(TokenReason.FORBIDDEN), tokens.rejected(lent.generation, 403))
        assertEquals(RetryDecision.Retry, tokens.rejected(lent.generation, 401))
        tokens.happens(TokenEvent.StorageFailed("storage_locked"))
        assertEquals(listOf<TokenEvent>(TokenEvent.StorageFailed("storage_locked")), told)
    }

    @Test
    fun `a hand clock moves by hand`() {
        val clock = HandClock()
        val (now, wall) = clock.now() to clock.wall()
        clock.advance(1.hours)
        assertEquals(3_600_000, clock.now() - now)
        assertEquals(3600, clock.wall() - wall)
    }
}
