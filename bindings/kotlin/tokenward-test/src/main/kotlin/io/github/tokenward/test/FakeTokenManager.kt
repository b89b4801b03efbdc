package io.github.tokenward.test

import io.github.tokenward.Authorization
import io.github.tokenward.IssuedToken
import io.github.tokenward.RetryDecision
import io.github.tokenward.TokenEvent
import io.github.tokenward.TokenKeeper
import io.github.tokenward.TokenState
import io.github.tokenward.TokenwardException
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.SharedFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asSharedFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlin.time.Duration

/**
 * A token manager that does what a test has told it, without network, storage and native code. It keeps no rule of a real
 * one but that after [signOut] there is no token until [signIn] or [install].
 *
 * ```
 * val tokens = FakeTokenManager()
 * tokens.lends("t1")
 * tokens.fails(TokenwardException.SignInRequired("refresh_token_rejected"))
 * ```
 *
 * @param token lent whenever the script has nothing else to say: for previews, and tests of something else.
 */
public class FakeTokenManager(private val token: String? = null) : TokenKeeper {
    private class Turn(val lent: Authorization?, val failure: Exception?, val after: Duration)

    private val turns = ArrayDeque<Turn>()
    private val decisions = ArrayDeque<RetryDecision>()
    private val made = ArrayList<String>()
    private val states = MutableStateFlow(if (token == null) TokenState.NoToken else TokenState.SignedIn)
    private val happened = MutableSharedFlow<TokenEvent>(extraBufferCapacity = 64)
    private var generation = 0L

    override val state: StateFlow<TokenState> = states.asStateFlow()
    override val events: SharedFlow<TokenEvent> = happened.asSharedFlow()

    /** The calls so far, in order: `authorize GET https://api.example/v1`, `rejected 1 401`, `signOut` … */
    public val calls: List<String> @Synchronized get() = made.toList()

    /** The next [authorize] brings this token, after so long. */
    @Synchronized
    public fun lends(token: String, after: Duration = Duration.ZERO) {
        turns += Turn(Authorization("Bearer $token", ++generation), null, after)
    }

    /** The next [authorize] or [signIn] throws this, after so long. */
    @Synchronized
    public fun fails(failure: Exception, after: Duration = Duration.ZERO) {
        turns += Turn(null, failure, after)
    }

    /** The next [rejected] answers this. */
    @Synchronized
    public fun decides(decision: RetryDecision) {
        decisions += decision
    }

    /** Who watches [state] sees this. */
    public fun becomes(state: TokenState) {
        states.value = state
    }

    /** Who collects [events] is told this. */
    public fun happens(event: TokenEvent) {
        happened.tryEmit(event)
    }

    override suspend fun authorize(method: String, url: String): Authorization {
        val turn = call("authorize $method $url") {
            if (states.value == TokenState.SignedOut) throw TokenwardException.SignInRequired("signed_out")
            turns.removeFirstOrNull() ?: token?.let { Turn(Authorization("Bearer $it", 0), null, Duration.ZERO) }
        }
        delay(turn.after)
        turn.failure?.let { throw it }
        becomes(TokenState.SignedIn)
        return checkNotNull(turn.lent)
    }

    override fun isRefusal(status: Int): Boolean = status == UNAUTHORIZED || status == FORBIDDEN

    override suspend fun rejected(generation: Long, status: Int, challenge: String?): RetryDecision =
        call("rejected $generation $status") { decisions.removeFirstOrNull() }

    override suspend fun install(token: IssuedToken) {
        call("install") { becomes(TokenState.SignedIn) }
        happens(TokenEvent.Refreshed(generation))
    }

    override suspend fun signIn() {
        val turn = call("signIn") {
            turns.firstOrNull { it.failure != null }.also(turns::remove)
                ?: Turn(null, null, Duration.ZERO)
        }
        delay(turn.after)
        turn.failure?.let { throw it }
        becomes(TokenState.SignedIn)
    }

    override suspend fun signOut(revoking: Boolean) {
        call(if (revoking) "signOut revoking" else "signOut") { becomes(TokenState.SignedOut) }
        happens(TokenEvent.SignedOut)
    }

    override fun renew(): Unit = call("renew") {}

    override fun retry(): Unit = call("retry") {}

    override fun reload(): Unit = call("reload") {}

    @Synchronized
    private fun <T : Any> call(what: String, answer: () -> T?): T {
        made += what
        return answer() ?: throw AssertionError("The script has nothing for `$what`: say what comes of it first.")
    }

    private companion object {
        const val UNAUTHORIZED = 401
        const val FORBIDDEN = 403
    }
}
