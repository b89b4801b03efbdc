package io.github.tokenward

import java.io.IOException
import kotlin.time.Duration

/**
 * Why there is no token, named by what to do about it. It is an [IOException], so an HTTP client that gets no token reports it
 * like any failed request. Neither message nor code contains a token, a secret or a body.
 *
 * @property code Which rule, in snake_case: the same word in every language.
 * @property isRetryable Whether the same call may succeed later without anyone doing anything.
 * @property answer What the token service answered instead of a token, if that is the reason.
 */
public sealed class TokenwardException(
    public val code: String,
    public val isRetryable: Boolean,
    message: String,
    cause: Throwable? = null,
    public val answer: ServiceAnswer? = null,
) : IOException(message, cause) {
    /**
     * A person must sign in, or the app must install a token: `no_token`, `refresh_token_rejected`, `grant_rejected`, `revoked`,
     * `signed_out`; `damaged` and `stored_too_long` if nothing that is stored can be used.
     */
    public class SignInRequired(public val reason: String, answer: ServiceAnswer? = null) :
        TokenwardException(
            reason,
            false,
            if (reason == SIGNED_OUT) "Sign in: you signed out." else sentence(reason),
            answer = answer,
        )

    /**
     * Configuration is wrong: `server_only`, `wrong_credentials`, `invalid_client`, `refused` with a code of the service's own,
     * `transport_missing`, `storage_in_use`, `manager_closed` …, and `invalid_provider` and `invalid_argument` with the [fact] that cannot work.
     */
    public class Configuration(code: String, public val fact: String? = null, answer: ServiceAnswer? = null) :
        TokenwardException(
            code,
            false,
            when (code) {
                TRANSPORT_MISSING -> "Give the token manager a transport."
                STORAGE_IN_USE -> "Close the other token manager of this storage first."
                MANAGER_CLOSED -> "Make a new token manager: this one was closed."
                REFUSED -> "Ask the service's operator: it answers ${answer?.status} and gives no token."
                else -> sentence(code)
            } + (if (fact == null) "" else " ($fact)"),
            answer = answer,
        )

    /** The token may not be sent there: `origin_not_allowed`, `unknown_route`, `route_needs_other_token`, `other_site`, `bad_url`. */
    public class NotAllowed(code: String) : TokenwardException(code, false, sentence(code))

    /**
     * No token came while the caller waited ([TokenManagerOptions.requestTimeout]). The next attempt is in [retryAfter], if that is
     * known. [answer] is the service's last one; the cause is what the network, the app's backend or storage threw instead.
     */
    public class TemporarilyUnavailable(
        public val retryAfter: Duration?,
        answer: ServiceAnswer? = null,
        cause: Throwable? = null,
    ) : TokenwardException(
        "temporarily_unavailable",
        true,
        "Try again ${if (retryAfter == null) "later" else "in $retryAfter"}: " +
            if (answer == null) "the token service is not to be reached." else "the token service answered ${answer.status}.",
        cause,
        answer,
    )

    /** The function that provides the credentials failed: see the cause. */
    public class Transport(cause: Throwable) :
        TokenwardException("transport", true, "Try again: there are no credentials.", cause)

    /**
     * What is stored cannot be read, written or used: `storage_failed`, `storage_locked` until the device is unlocked or
     * another process is done. See the cause.
     */
    public class Storage(code: String, cause: Throwable?) :
        TokenwardException(
            code,
            true,
            when (code) {
                STORAGE_LOCKED -> "Try again when the device is unlocked or the other process is done."
                STORAGE_FAILED -> "Make the token storage readable and writable."
                else -> sentence(code)
            },
            cause,
        )

    /** A token or an answer that cannot be used, such as `not_json`, `truncated` or `too_long`. */
    public class BadAnswer(code: String) : TokenwardException(code, true, sentence(code))

    /** The native library is missing ([found] is null) or of another version than this package. */
    public class IncompatibleLibrary internal constructor(
        public val expected: String,
        public val found: String?,
        cause: Throwable?,
    ) : TokenwardException(
        "incompatible_library",
        false,
        "Use version $expected of the native library tokenward_uniffi: ${found ?: "it is missing"}.",
        cause,
    )

    /** A bug in the library. */
    public class Internal internal constructor(code: String) : TokenwardException(code, false, sentence("internal"))
}

/** Thrown by a [TokenStorage] that cannot be opened yet: a keystore before the first unlock, a file that another process holds. */
public class StorageLockedException(message: String, cause: Throwable? = null) : IOException(message, cause)

internal const val SIGNED_OUT = "signed_out"
internal const val STALE_REQUEST = "stale_request"
internal const val TRANSPORT_MISSING = "transport_missing"
internal const val STORAGE_IN_USE = "storage_in_use"
internal const val REFUSED = "refused"
internal const val MANAGER_CLOSED = "manager_closed"
internal const val STORAGE_FAILED = "storage_failed"
internal const val STORAGE_LOCKED = "storage_locked"
