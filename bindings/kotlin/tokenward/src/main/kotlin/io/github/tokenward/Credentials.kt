package io.github.tokenward

import io.github.tokenward.bridge.AssertionRecord
import java.security.SecureRandom
import kotlin.time.Duration

/** What a token request needs of its client or user. Only what the provider's grant asks for is used; nothing is kept. */
public class Credentials private constructor(
    internal val clientId: String?,
    internal val clientSecret: String?,
    internal val username: String?,
    internal val password: String?,
    internal val bearer: String?,
    internal val keyId: String?,
    internal val values: List<String>,
    internal val parameters: List<String>,
) {
    /**
     * A client's id and secret (RFC 6749 section 2.3.1), and where the password grant is used a user's name and password.
     *
     * @param clientId null where the provider says that nobody authenticates.
     * @param values what stands for `{name}` in the provider's parameters and header fields, by name.
     * @param parameters parameters beside those of the provider, such as `audience`.
     * @param keyId which of its keys the client signs its assertions with, if it has several (RFC 7515 section 4.1.4).
     */
    @JvmOverloads
    public constructor(
        clientId: String?,
        clientSecret: String? = null,
        username: String? = null,
        password: String? = null,
        values: Map<String, String> = emptyMap(),
        parameters: Map<String, String> = emptyMap(),
        keyId: String? = null,
    ) : this(clientId, clientSecret, username, password, null, keyId, listed(values), listed(parameters))

    /** What an assertion is made of, anew for each request: whether the client authenticates by one the provider says. */
    internal fun assertion(clock: TokenClock): AssertionRecord =
        AssertionRecord(ByteArray(ASSERTION_BYTES).also(SecureRandom()::nextBytes), clock.unixTime(), keyId)

    override fun toString(): String = "Credentials([redacted])"

    internal companion object {
        val NONE = Credentials(null)

        fun bearer(token: String) = Credentials(null, null, null, null, token, null, emptyList(), emptyList())

        private const val ASSERTION_BYTES = 16

        /** Name, value, name, value, in the order of the names. */
        private fun listed(values: Map<String, String>) = values.toSortedMap().flatMap { listOf(it.key, it.value) }
    }
}

/** A token that someone else obtained: the app's own backend, a portal. */
public class IssuedToken private constructor(
    internal val accessToken: String,
    internal val tokenType: String?,
    internal val expiresIn: Duration?,
    internal val refreshToken: String?,
    internal val refreshExpiresIn: Duration?,
    internal val json: ByteArray?,
) {
    /**
     * A token by its members (RFC 6749 section 5.1). [expiresIn] counts from when it is installed, and so does
     * [refreshExpiresIn], which is how long the refresh token lives, where the provider has `refreshExpiresIn` or `refreshIdleS`.
     */
    public constructor(
        accessToken: String,
        expiresIn: Duration? = null,
        refreshToken: String? = null,
        tokenType: String? = null,
        refreshExpiresIn: Duration? = null,
    ) : this(accessToken, tokenType, expiresIn, refreshToken, refreshExpiresIn, null)

    override fun toString(): String = "IssuedToken([redacted])"

    public companion object {
        /** The answer of the app's backend as it is: a JSON object with the members of RFC 6749 section 5.1. */
        public fun json(answer: ByteArray): IssuedToken = IssuedToken("", null, null, null, null, answer.copyOf())
    }
}

/** Where tokens come from. */
public class TokenSource private constructor(internal val kind: Kind) {
    internal sealed interface Kind {
        class Fixed(val token: suspend () -> IssuedToken) : Kind

        class Credentials(val credentials: suspend () -> io.github.tokenward.Credentials) : Kind

        class Parent(val manager: TokenManager) : Kind

        class Backend(val token: suspend () -> IssuedToken) : Kind
    }

    override fun toString(): String = "TokenSource.${kind.javaClass.simpleName}"

    public companion object {
        /**
         * A static token, such as an API key. It is asked for at first use in each process, and again when a server has
         * refused it: it may have been replaced. It is never stored.
         */
        public fun fixed(token: suspend () -> IssuedToken): TokenSource = TokenSource(Kind.Fixed(token))

        /**
         * A client's credentials, and a user's: asked for at each token request, never kept. They may change at any time. A
         * person may be asked for them, and is waited for.
         */
        public fun credentials(credentials: suspend () -> Credentials): TokenSource = TokenSource(Kind.Credentials(credentials))

        /** The token of another manager opens the token endpoint, as a client token opens that of a site. */
        public fun parent(manager: TokenManager): TokenSource = TokenSource(Kind.Parent(manager))

        /**
         * The app's own server hands out tokens: asked whenever one is due. What it brings later than the answer to a token
         * request may come counts no more.
         */
        public fun backend(token: suspend () -> IssuedToken): TokenSource = TokenSource(Kind.Backend(token))
    }
}
