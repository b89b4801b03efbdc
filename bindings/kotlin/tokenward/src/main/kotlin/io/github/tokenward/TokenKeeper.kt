package io.github.tokenward

import kotlinx.coroutines.flow.SharedFlow
import kotlinx.coroutines.flow.StateFlow
import java.time.Instant
import kotlin.time.Duration

/**
 * What an app's code needs of a [TokenManager]: depend on this interface, and tests can pass the `FakeTokenManager` of
 * tokenward-test instead.
 */
public interface TokenKeeper {
    /** The state for a view to show, the current one first. Collecting it reads storage. */
    public val state: StateFlow<TokenState>

    /** What happens from now on; a slow collector misses the oldest events. */
    public val events: SharedFlow<TokenEvent>

    /**
     * The header for a request with [method] to the absolute [url], after checking that the token may be sent there.
     * Waits for a token only if there is none that may be sent; a refresh that is merely due runs in the background.
     *
     * @throws TokenwardException if there is no token, or none for this URL.
     */
    public suspend fun authorize(method: String, url: String): Authorization

    /**
     * Whether a [status] of the API is about the token, so that [rejected] should be called: 401, 403 and what the provider
     * lists.
     */
    public fun isRefusal(status: Int): Boolean

    /**
     * Reports that a resource server answered [status] to a request with the token [generation], and says whether to retry.
     * A 401 may lead to a new token: then authorize the request again, and send it once more, but only once.
     *
     * @param challenge the `WWW-Authenticate` field; separate several lines of it by a line feed.
     * @throws TokenwardException why there is no new token, if one was needed.
     */
    public suspend fun rejected(generation: Long, status: Int, challenge: String? = null): RetryDecision

    /**
     * Signs in with a token that was obtained elsewhere. It replaces the current one, and is stored before this returns; if it
     * cannot be stored, it is used from memory and [events] reports that.
     *
     * @throws TokenwardException.BadAnswer if it cannot be used; the current token stays.
     */
    public suspend fun install(token: IssuedToken)

    /**
     * Ends the signed-out state and obtains a token from the source. After [signOut] only this and [install] do that.
     *
     * @throws TokenwardException why there is no token.
     */
    public suspend fun signIn()

    /**
     * Wipes the token from memory and overwrites what is stored. The answer to a token request in flight is ignored, and no
     * other is sent until [install] or [signIn]; callers that are waiting for a token get `signed_out`.
     *
     * @param revoking also has the service revoke the token (RFC 7009), if the provider names `revocationPath`. That request
     *   comes last and uses the current credentials; if it fails, you are signed out all the same, and [events] reports it.
     * @throws TokenwardException.Storage if what is stored cannot be overwritten now; the token is gone from memory all the
     *   same, and a later call tries again.
     */
    public suspend fun signOut(revoking: Boolean = false)

    /** Refreshes the token now, in the background; the current one stays usable. */
    public fun renew()

    /** Configuration or credentials have been fixed: what the token service refused for good may be tried again. */
    public fun retry()

    /**
     * Reads storage again, in the background: call this when the app comes to the foreground. Without it, a sign-out in another
     * process is noticed only when a refresh is due.
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
    /** Authorize it again and send it once more. */
    public data object Retry : RetryDecision

    /**
     * Hand the refusal to the user or the log.
     *
     * @property retryAfter After which time the same refusal would lead to a retry; null: it will not by itself.
     */
    public data class Surface(val reason: TokenReason, val retryAfter: Duration? = null) : RetryDecision
}

/** The state for a view to show, updated whenever something happens; contains no token. */
public sealed interface TokenState {
    /** There is no token that may be sent: nobody has asked for one yet, or none is available now. Callers are told why. */
    public data object NoToken : TokenState

    /** There is a token that may be sent. */
    public data object SignedIn : TokenState

    /**
     * A new token is being obtained.
     *
     * @property isUsable Whether the previous one may be sent meanwhile.
     */
    public data class Refreshing(val isUsable: Boolean) : TokenState

    /**
     * Without a person or the app there will be no new token.
     *
     * @property isUsable Whether the current one may still be sent for a while.
     * @property signInBy When callers will be left without a token; null: now, or never by itself.
     */
    public data class NeedsSignIn @JvmOverloads constructor(
        val reason: TokenReason,
        val isUsable: Boolean,
        val signInBy: Instant? = null,
    ) : TokenState

    /** Somebody has signed out. */
    public data object SignedOut : TokenState
}

/** What has happened. Contains no token. */
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
     * A token request, or the app's own function in place of one, has failed.
     *
     * @property code `refused`: see [answer]; what is wrong with the answer, such as `http_status` or `not_json`; `no_answer`:
     *   none came.
     * @property answer What the service answered; null: nothing.
     * @property retryAfter In how long it is tried again; null: not by itself, or at once.
     */
    public data class RefreshFailed(val code: String, val answer: ServiceAnswer?, val retryAfter: Duration?) : TokenEvent

    /**
     * Without a person or the app there will be no new token: see [TokenwardException.SignInRequired] and [TokenwardException.Configuration].
     *
     * @property signInBy As in [TokenState.NeedsSignIn].
     */
    public data class NeedsSignIn @JvmOverloads constructor(val reason: TokenReason, val signInBy: Instant? = null) : TokenEvent

    /** A resource server refused a request, and a new token would not help. */
    public data class Rejected(val reason: TokenReason) : TokenEvent

    /** Storage cannot be read or written, or its content cannot be used; it is tried again later. */
    public data class StorageFailed(val code: String) : TokenEvent

    /**
     * You are signed out here, but the service may not have revoked the token.
     *
     * @property code `refused`: see [answer]; `temporarily_unavailable`; `no_answer`: none came; or why nothing was asked.
     * @property answer What the service answered; null: nothing.
     */
    public data class RevocationFailed(val code: String, val answer: ServiceAnswer?) : TokenEvent

    /** The token was wiped, here or by another process of the same storage. */
    public data object SignedOut : TokenEvent
}

/**
 * What the token service answered instead of a token.
 *
 * @property status The HTTP status.
 * @property error The service's code in its own words, such as `access_denied`; null if none could be read.
 */
public data class ServiceAnswer(val status: Int, val error: String? = null) {
    /** Without the service's own words, which may hold anything. */
    override fun toString(): String = "ServiceAnswer($status)"
}
