package io.github.tokenward

import kotlin.time.Duration

/** What a token request needs of its client or user. Only what the provider's grant asks for is used; nothing is kept. */
public class Credentials private constructor(
    internal val clientId: String?,
    internal val clientSecret: String?,
    internal val username: String?,
    internal val password: String?,
    internal val bearer: String?,
    internal val keyId: String?,
    internal val signer: ClientSigner?,
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
     * @param signer the client's own key, where the provider authenticates by [ClientAuthentication.PRIVATE_KEY_JWT].
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
        signer: ClientSigner? = null,
    ) : this(clientId, clientSecret, username, password, null, keyId, signer, listed(values), listed(parameters))

    override fun toString(): String = "Credentials([redacted])"

    internal companion object {
        val NONE = Credentials(null)

        fun bearer(token: String) = Credentials(null, null, null, null, token, null, null, emptyList(), emptyList())

        /** Name, value, name, value, in the order of the names. */
        private fun listed(values: Map<String, String>) = values.toSortedMap().flatMap { listOf(it.key, it.value) }
    }
}

/**
 * A key of the client's, which signs its requests where it lies: in Android's keystore, a smart card, a server.
 *
 * ```kotlin
 * val key = KeyStore.getInstance("AndroidKeyStore").apply { load(null) }.getKey("client", null) as PrivateKey
 * val signer = ClientSigner(SignatureAlgorithm.ES256) { data ->
 *     Signature.getInstance("SHA256withECDSA").run { initSign(key); update(data); sign() }
 * }
 * ```
 *
 * @param algorithm how the key signs.
 * @param certificateThumbprint the SHA-256 of its certificate in base64url without padding, for a service that wants to be told
 * (RFC 7515 section 4.1.8).
 * @param sign signs the data; the hash is its part. What it throws reaches the caller as [TokenwardException.Transport], and
 * nothing is sent.
 */
public class ClientSigner @JvmOverloads constructor(
    internal val algorithm: SignatureAlgorithm,
    internal val certificateThumbprint: String? = null,
    internal val sign: suspend (data: ByteArray) -> ByteArray,
) {
    override fun toString(): String = "ClientSigner($algorithm)"
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
