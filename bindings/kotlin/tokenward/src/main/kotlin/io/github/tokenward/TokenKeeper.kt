package io.github.tokenward

import kotlinx.coroutines.flow.SharedFlow
import kotlinx.coroutines.flow.StateFlow
import java.time.Instant
import kotlin.time.Duration

/**
 * What an app's code needs of a [TokenManager]: depend on this, and a test gives it the `FakeTokenManager` of
 * tokenward-test.
 */
public interface TokenKeeper {
    /** How things stand, for a view to show; the present state first. Who watches it has storage read. */
    public val state: StateFlow<TokenState>

    /** What happens from now on; a slow collector loses the oldest. */
    public val events: SharedFlow<TokenEvent>

    /**
     * The header for a request of [method] to the absolute [url], after it was checked that the token may be sent there.
     * Waits for a token only if there is none that may be sent; a refresh that is merely due runs meanwhile.
     *
     * @throws TokenwardException there is no token, or none for this URL.
     */
    public suspend fun authorize(method: String, url: String): Authorization

    /**
     * Whether [rejected] is to be told of a [status] of the API: one that speaks of the token. 401 and 403 do, and what the
     * provider lists.
     */
    public fun isRefusal(status: Int): Boolean

    /**
     * A resource server answered [status] to a request that carried the token [generation]. Of a 401 it may come that
     * there is a new token: then authorize anew and send the request once more, once at most.
     *
     * @param challenge the `WWW-Authenticate` field; several lines of it with a line feed between them.
     * @throws TokenwardException why there is no new token, where one was needed.
     */
    public suspend fun rejected(generation: Long, status: Int, challenge: String? = null): RetryDecision

    /**
     * Takes a token that someone else obtained: a sign-in. It replaces what there was, and is stored before this returns;
     * where it cannot be stored it is used from memory, and [events] say so.
     *
     * @throws TokenwardException.BadAnswer it cannot be used; what there was stays.
     */
    public suspend fun install(token: IssuedToken)

    /**
     * Ends the signed-out state and obtains a token, as the source has it: after [signOut] only this and [install] do.
     *
     * @throws TokenwardException why there is no token.
     */
    public suspend fun signIn()

    /**
     * Wipes the token in memory, and overwrites what is stored. A token request that is out changes nothing any more, and no
     * other is sent until [install] or [signIn]; whoever waits for a token is told `signed_out`.
     *
     * @param revoking has the service end the token, too (RFC 7009): the provider names `revocationPath`. That is asked for last,
     *   with the credentials of this moment; if it fails it is signed out all the same, and [events] say so.
     * @throws TokenwardException.Storage what is stored cannot be overwritten now; the token in memory is gone all the same,
     *   and a later call tries again.
     */
    public suspend fun signOut(revoking: Boolean = false)

    /** A new token is wanted now, in the background; the present one stays usable. */
    public fun renew()

    /** Configuration or credentials were mended: what the token service refused for good may be asked again. */
    public fun retry()

    /**
     * Reads storage again, in the background: call it when the app comes to the foreground. That somebody has signed out in
     * another process is noticed at once only so, and otherwise when a refresh is due.
     */
    public fun reload()
}

/**
 * A header field with a token, which its text does not show.
 *
 * @property header the field's value: `Bearer` and the token, if the provider has no other scheme.
 * @property generation which token it is, for [TokenKeeper.rejected].
 * @property name the field's name: `Authorization`, if the provider has no other.
 */
public class Authorization @JvmOverloads constructor(
    public val header: String,
    public val generation: Long,
    public val name: String = "Authorization",
) {
    override fun toString(): String = "Authorization([redacted], generation=$generation)"
}

/** What to do with a request that a resource server refused. */
public sealed interface RetryDecision {
    /** Authorize it anew and send it once more. */
    public data object Retry : RetryDecision

    /**
     * Hand the refusal to the user or the log.
     *
     * @property retryAfter When the same refusal will be answered otherwise; null: not by itself.
     */
    public data class Surface(val reason: TokenReason, val retryAfter: Duration? = null) : RetryDecision
}

/** How things stand, for a view to show. Looked at whenever something happens; holds no token. */
public sealed interface TokenState {
    /** There is none that may be sent: nobody has asked for one yet, or none is to be had now. Whoever asks is told why. */
    public data object NoToken : TokenState

    /** There is a token that may be sent. */
    public data object SignedIn : TokenState

    /**
     * A new token is being obtained.
     *
     * @property isUsable The one before it may be sent meanwhile.
     */
    public data class Refreshing(val isUsable: Boolean) : TokenState

    /**
     * No new token comes without a person or the app.
     *
     * @property isUsable The present one may be sent for a while.
     * @property signInBy From when on callers go without a token; null: at once, or never by itself.
     */
    public data class NeedsSignIn @JvmOverloads constructor(
        val reason: TokenReason,
        val isUsable: Boolean,
        val signInBy: Instant? = null,
    ) : TokenState

    /** Somebody has signed out. */
    public data object SignedOut : TokenState
}

/** What has happened. Holds no token. */
public sealed interface TokenEvent {
    /** Whether something is wrong: a warning, for a log. */
    public val isProblem: Boolean get() = this !is Refreshed && this !is SignedOut

    /** One line for a log, in the words of every language: without a secret, and without the service's own words. */
    public val logLine: String
        get() = when (this) {
            is Refreshed -> "token refreshed: generation $generation"
            is RefreshFailed -> {
                val status = answer?.let { ", status ${it.status}" }.orEmpty()
                "token request failed: $code$status" + retryAfter?.let { ", again in ${it.inWholeSeconds} s" }.orEmpty()
            }
            is NeedsSignIn -> "sign-in needed: ${reason.code}" + signInBy?.let { ", by $it" }.orEmpty()
            is Rejected -> "token rejected: ${reason.code}"
            is StorageFailed -> "token storage failed: $code"
            is RevocationFailed -> "token not revoked: $code" + answer?.let { ", status ${it.status}" }.orEmpty()
            SignedOut -> "signed out"
        }

    /** There is a new token. */
    public data class Refreshed(val generation: Long) : TokenEvent

    /**
     * A token request, or the app's own function in place of one, has brought none.
     *
     * @property code `refused`: see [answer]; what is wrong with the answer, such as `http_status` or `not_json`; `no_answer`:
     *   none came.
     * @property answer What the service answered; null: nothing.
     * @property retryAfter When there is another try; null: not by itself, or at once.
     */
    public data class RefreshFailed(val code: String, val answer: ServiceAnswer?, val retryAfter: Duration?) : TokenEvent

    /**
     * No new token comes without a person or the app: see [TokenwardException.SignInRequired] and [TokenwardException.Configuration].
     *
     * @property signInBy As in [TokenState.NeedsSignIn].
     */
    public data class NeedsSignIn @JvmOverloads constructor(val reason: TokenReason, val signInBy: Instant? = null) : TokenEvent

    /** A resource server refused a request, and a new token would not help. */
    public data class Rejected(val reason: TokenReason) : TokenEvent

    /** Storage cannot be read or written, or what is in it cannot be used; it is tried again later. */
    public data class StorageFailed(val code: String) : TokenEvent

    /**
     * It is signed out here, but the service may not have ended the token.
     *
     * @property code `refused`: see [answer]; `temporarily_unavailable`; `no_answer`: none came; or why nothing was asked.
     * @property answer What the service answered; null: nothing.
     */
    public data class RevocationFailed(val code: String, val answer: ServiceAnswer?) : TokenEvent

    /** The token was wiped, here or by another process of the same storage. */
    public data object SignedOut : TokenEvent
}

/**
 * What the token service answered in place of a token.
 *
 * @property status The HTTP status.
 * @property error The service's code in its own words, such as `access_denied`; null where none could be read.
 */
public data class ServiceAnswer(val status: Int, val error: String? = null) {
    /** Without the service's own words, which may hold anything. */
    override fun toString(): String = "ServiceAnswer($status)"
}
