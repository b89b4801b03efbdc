// Generated from `ffi/uniffi` by `cargo run -p tokenward-uniffi-bindgen`.

package io.github.tokenward




/**
 * A name and its value.
 */
public data class NamedValue (
    /**
     * The name.
     */
    public var `name`: kotlin.String
    ,
    /**
     * Its value.
     */
    public var `value`: kotlin.String

){





    public companion object
}



/**
 * When tokens are refreshed and how failures are spaced. `Ms` are milliseconds, `S` seconds, `permille` thousandths of
 * the lifetime.
 */
public class RefreshPolicy internal constructor(
    /**
     * A refresh is due after this part of the lifetime.
     */
    public var `fractionPermille`: kotlin.UInt
    ,
    /**
     * A token is not sent in the last part of its life: this much, at most a tenth of the lifetime.
     */
    public var `marginMs`: kotlin.ULong
    ,
    /**
     * No refresh sooner than this after a token was asked for; so long a 401 is not the token's fault.
     */
    public var `minIntervalMs`: kotlin.ULong
    ,
    /**
     * A refresh comes up to this part of the lifetime earlier, by a draw; 0 turns every draw off.
     */
    public var `jitterPermille`: kotlin.UInt
    ,
    /**
     * The first request waits up to this long after the manager was made, by a draw.
     */
    public var `startupSpreadMs`: kotlin.ULong
    ,
    /**
     * A request without an answer has failed after this time.
     */
    public var `responseTimeoutMs`: kotlin.ULong
    ,
    /**
     * The wait after the first failure without a usable token; it doubles with each further failure.
     */
    public var `firstBackoffMs`: kotlin.ULong
    ,
    /**
     * The longest wait after a failure.
     */
    public var `maxBackoffMs`: kotlin.ULong
    ,
    /**
     * A server's lifetime counts up to this.
     */
    public var `maxLifetimeS`: kotlin.ULong
    ,
    /**
     * After this many refusals without a code of RFC 6749 the primary grant has its turn or, if there is none, the
     * refresh token is given up.
     */
    public var `refreshAttempts`: kotlin.UInt
    ,
    /**
     * Ask again after an hour when the service refuses the client, the scope or the request; never with a password. Turn
     * it off where the credentials come from somebody who would be asked each time.
     */
    public var `recheck`: kotlin.Boolean

){





    public companion object
}



/**
 * An error code of a service and the standard one that it stands for.
 */
public data class TokenErrorCode (
    /**
     * The service's own.
     */
    public var `service`: kotlin.String
    ,
    /**
     * The one of RFC 6749 section 5.2.
     */
    public var `standard`: kotlin.String

){





    public companion object
}



/**
 * A member of an answer that says when the access token ends: a time since 1970.
 */
public data class TokenExpiresAt (
    /**
     * Its name.
     */
    public var `member`: kotlin.String
    ,
    /**
     * It is in milliseconds; else it is in seconds.
     */
    public var `milliseconds`: kotlin.Boolean = false

){





    public companion object
}



/**
 * The header field that carries a service's tokens to its API.
 */
public data class TokenHeader (
    /**
     * The field's name.
     */
    public var `name`: kotlin.String = "Authorization"
    ,
    /**
     * What stands in front of the token, before a space; empty: the value is the token alone.
     */
    public var `scheme`: kotlin.String = "Bearer"

){





    public companion object
}



/**
 * Whose token it is, as far as that is known only at run time. What is given here wins over the provider's.
 */
public class TokenIdentity internal constructor(
    /**
     * The site that the token stands for; none: the client itself.
     */
    public var `site`: kotlin.String? = null
    ,
    /**
     * Scheme and authority of the token endpoint; a path may follow.
     */
    public var `baseUrl`: kotlin.String? = null
    ,
    /**
     * The environment.
     */
    public var `environment`: kotlin.String? = null
    ,
    /**
     * A name of the app's own, such as a user or a client id: two people at one service must not restore each other's
     * state.
     */
    public var `account`: kotlin.String? = null

){





    public companion object
}



/**
 * A member of an answer: its name in RFC 6749 and the service's own.
 */
public data class TokenMember (
    /**
     * The one of RFC 6749 sections 5.1 and 5.2.
     */
    public var `standard`: kotlin.String
    ,
    /**
     * The service's own.
     */
    public var `service`: kotlin.String

){





    public companion object
}



/**
 * A parameter of a service's own, such as `audience` and `resource`.
 */
public data class TokenParameter (
    /**
     * Its name.
     */
    public var `name`: kotlin.String
    ,
    /**
     * Its value; `{name}` in it stands for one of the values of `Credentials`, `{access_token}` for the access token
     * that is held, whether it has ended or not: without one the parameter is left out.
     */
    public var `value`: kotlin.String
    ,
    /**
     * What it is sent with.
     */
    public var `target`: ParameterTarget? = null

){





    public companion object
}



/**
 * A token service: all that tells one from another, and no secret. What may be absent has the default that is named
 * at the member.
 */
public class TokenProvider internal constructor(
    /**
     * Its name, a part of a token's identity.
     */
    public var `name`: kotlin.String
    ,
    /**
     * Its environment (`sandbox`, `production`), a part of a token's identity. The one of `TokenIdentity` wins.
     */
    public var `environment`: kotlin.String?
    ,
    /**
     * Scheme and authority of the token endpoint; a path may follow. Its origin is a part of a token's identity. The
     * one of `TokenIdentity` wins.
     */
    public var `baseUrl`: kotlin.String?
    ,
    /**
     * Follows the base URL; `{site}` stands for the site of `TokenIdentity`.
     */
    public var `tokenPath`: kotlin.String?
    ,
    /**
     * Where its tokens may be sent; none: to the origin of the base URL. `https` only, but for loopback if that is
     * allowed.
     */
    public var `apiOrigins`: List<kotlin.String>?
    ,
    /**
     * Its tokens may be sent to **every** `https` origin: whoever can name a host gets the token.
     */
    public var `anyHttpsOrigin`: kotlin.Boolean
    ,
    /**
     * Which token opens which endpoint; none: every path of the origins.
     */
    public var `routes`: List<TokenRoute>?
    ,
    /**
     * Plain `http` to the loopback interface is allowed, for tests.
     */
    public var `loopbackHttp`: kotlin.Boolean
    ,
    /**
     * The grant that obtains a token without a refresh token; none: the app installs tokens.
     */
    public var `primaryGrant`: TokenGrant?
    ,
    /**
     * It has the refresh grant (RFC 6749 section 6). Without it no refresh token is read.
     */
    public var `refreshGrant`: kotlin.Boolean
    ,
    /**
     * The scope to ask for.
     */
    public var `scope`: kotlin.String?
    ,
    /**
     * How the client authenticates to the token endpoint. A service with a grant names it.
     */
    public var `authentication`: ClientAuthentication?
    ,
    /**
     * How a request's parameters are written; none: as a form.
     */
    public var `body`: BodyFormat?
    ,
    /**
     * How it answers; none: in JSON. What is an object of JSON is read all the same, and a form cannot be nested.
     */
    public var `answer`: BodyFormat?
    ,
    /**
     * Where the token's members stand in an answer, such as `data[0]`; none: in the top object.
     */
    public var `memberPath`: kotlin.String?
    ,
    /**
     * Where an error code stands if there is no top-level `error`, such as `detailed[0]`.
     */
    public var `errorPath`: kotlin.String?
    ,
    /**
     * What the service calls the members of an answer that it does not call as RFC 6749 does.
     */
    public var `members`: List<TokenMember>?
    ,
    /**
     * The member that says when the access token ends, if there is one. It counts in an answer without `expires_in`
     * that comes with the time of day.
     */
    public var `expiresAt`: TokenExpiresAt?
    ,
    /**
     * Members that say how many seconds the refresh token lives; of several the least counts, and 0 says nothing.
     */
    public var `refreshExpiresIn`: List<kotlin.String>?
    ,
    /**
     * Seconds after which a refresh token ends that is not used, as the service's page tells.
     */
    public var `refreshIdleS`: kotlin.ULong?
    ,
    /**
     * The service's own error codes and the standard ones that they stand for.
     */
    public var `errorCodes`: List<TokenErrorCode>?
    ,
    /**
     * Values of `token_type` that mean Bearer.
     */
    public var `tokenTypeAliases`: List<kotlin.String>?
    ,
    /**
     * Where somebody signs in in a browser: an absolute URL, with or without a query.
     */
    public var `authorizationUrl`: kotlin.String?
    ,
    /**
     * Where a device asks for a code to show: follows the base URL.
     */
    public var `devicePath`: kotlin.String?
    ,
    /**
     * The requests of a device authorization are bound to each other (RFC 7636).
     */
    public var `devicePkce`: kotlin.Boolean
    ,
    /**
     * Where a token is revoked when somebody signs out (RFC 7009): follows the base URL.
     */
    public var `revocationPath`: kotlin.String?
    ,
    /**
     * Who answers a sign-in: what `iss` of a callback must be (RFC 9207); none: it is not read.
     */
    public var `issuer`: kotlin.String?
    ,
    /**
     * The bytes that an access token may have.
     */
    public var `tokenAlphabet`: TokenAlphabet
    ,
    /**
     * What an answer without `expires_in` means.
     */
    public var `missingLifetime`: MissingLifetime
    ,
    /**
     * What `expires_in` 0 means.
     */
    public var `zeroLifetime`: ZeroLifetime
    ,
    /**
     * Who may hold its credentials.
     */
    public var `exposure`: Exposure
    ,
    /**
     * When its tokens are refreshed; none: by the default policy.
     */
    public var `policy`: RefreshPolicy?
    ,
    /**
     * In place of the token path for the refresh grant.
     */
    public var `refreshPath`: kotlin.String?
    ,
    /**
     * The scope is sent with a refresh too.
     */
    public var `scopeOnRefresh`: kotlin.Boolean
    ,
    /**
     * The `grant_type` of the extension grant.
     */
    public var `extensionGrant`: kotlin.String?
    ,
    /**
     * `client_id`, `client_secret`, `username`, `password` or `refresh_token`, and the name that the service has in its
     * place.
     */
    public var `requestNames`: List<NamedValue>?
    ,
    /**
     * Parameters of its own, in the order in which they are sent.
     */
    public var `parameters`: List<TokenParameter>?
    ,
    /**
     * Header fields of its own that its token requests carry. `{name}` in a value stands for one of the values of
     * `Credentials`, `{access_token}` for the access token that is held, whether it has ended or not: without one the
     * field is left out.
     */
    public var `headers`: List<NamedValue>?
    ,
    /**
     * The field that carries its tokens to the API; none: `Authorization: Bearer`.
     */
    public var `header`: TokenHeader?
    ,
    /**
     * Statuses of the API that mean what 401 means.
     */
    public var `expiredStatus`: List<kotlin.UShort>?

){





    public companion object
}



/**
 * An endpoint and the token that opens it.
 */
public data class TokenRoute (
    /**
     * The method, compared with case.
     */
    public var `method`: kotlin.String
    ,
    /**
     * The path: `{site}` is the identity's own site, any other `{name}` one segment.
     */
    public var `path`: kotlin.String
    ,
    /**
     * A token of a site opens it; else one of the client itself.
     */
    public var `ofSite`: kotlin.Boolean = false

){





    public companion object
}



/**
 * How a request's parameters, or an answer, are written.
 */

public enum class BodyFormat {

    /**
     * `application/x-www-form-urlencoded` (RFC 6749 Appendix B).
     */
    FORM,
    /**
     * One JSON object of strings.
     */
    JSON;




    public companion object
}





/**
 * How the client authenticates to the token endpoint (RFC 6749 section 2.3).
 */

public enum class ClientAuthentication {

    /**
     * `client_secret_basic`: the `Authorization` field, id and secret form-encoded first (section 2.3.1).
     */
    BASIC,
    /**
     * The `Authorization` field with id and secret as they are, for the services that document it.
     */
    BASIC_RAW,
    /**
     * `client_secret_post`: id and secret in the body.
     */
    POST,
    /**
     * A token that another manager keeps, as Bearer.
     */
    BEARER,
    /**
     * `none`: a public client sends its id alone, in the body.
     */
    PUBLIC_CLIENT,
    /**
     * The `Authorization` field with the id, form-encoded first, and an empty secret (section 2.3.1).
     */
    BASIC_ID,
    /**
     * Nobody: neither an id nor a secret is sent.
     */
    NOBODY,
    /**
     * `client_secret_jwt`: an assertion in the body that the secret signs (RFC 7523 section 2.2), by HMAC-SHA-256.
     */
    CLIENT_SECRET_JWT,
    /**
     * `private_key_jwt`: an assertion in the body that a key of the client's signs (RFC 7523 section 2.2): the `signer` of
     * its credentials.
     */
    PRIVATE_KEY_JWT;




    public companion object
}





/**
 * Who may hold a provider's credentials.
 */

public enum class Exposure {

    /**
     * Servers and gateways with protected storage.
     */
    SERVER_ONLY,
    /**
     * Apps too.
     */
    APP_ALLOWED;




    public companion object
}





/**
 * What an answer without `expires_in` means. Nothing is for ever unless that is said.
 */
public sealed class MissingLifetime {

    /**
     * Until the `exp` of a JWT (RFC 7519 section 4.1.4); for another token so many seconds.
     */
    public data class JwtExpiry(
        /**
         * 0: an hour.
         */
        public val `elseSeconds`: kotlin.ULong) : MissingLifetime()

    {


        public companion object
    }

    /**
     * So many seconds.
     */
    public data class Assume(
        /**
         * 0: an hour.
         */
        public val `seconds`: kotlin.ULong) : MissingLifetime()

    {


        public companion object
    }

    /**
     * The token has no end.
     */
    public data object Never : MissingLifetime()


    /**
     * The answer is refused.
     */
    public data object Refuse : MissingLifetime()









    public companion object
}





/**
 * A request that a parameter is sent with; none: every request to the token endpoint.
 */

public enum class ParameterTarget {

    /**
     * The request with the primary grant. A site token has no parameters.
     */
    PRIMARY,
    /**
     * The refresh.
     */
    REFRESH,
    /**
     * The authorization URL that a browser opens (RFC 6749 section 4.1.1).
     */
    AUTHORIZATION,
    /**
     * The device authorization request (RFC 8628 section 3.1).
     */
    DEVICE,
    /**
     * The exchange of a code (RFC 6749 section 4.1.3, RFC 8628 section 3.4).
     */
    CODE,
    /**
     * The revocation of a token (RFC 7009 section 2.1).
     */
    REVOCATION;




    public companion object
}





/**
 * How a key signs (RFC 7518 section 3.1, RFC 8037 section 3.1).
 */

public enum class SignatureAlgorithm {

    /**
     * ECDSA on the curve P-256 with SHA-256, as a Secure Enclave and Android's keystore have it: the two numbers in 64
     * bytes, or in DER.
     */
    ES256,
    /**
     * RSASSA-PKCS1-v1_5 with SHA-256, by a key of 2,048 bits or more.
     */
    RS256,
    /**
     * RSASSA-PSS with SHA-256, MGF1 with SHA-256 and 32 bytes of salt, by a key of 2,048 bits or more.
     */
    PS256,
    /**
     * EdDSA by a key of Ed25519 or Ed448.
     */
    ED_DSA;




    public companion object
}





/**
 * The bytes that an access token may have.
 */

public enum class TokenAlphabet {

    /**
     * `b64token` of RFC 6750 section 2.1.
     */
    B64_TOKEN,
    /**
     * 0x21–0x7E, for services whose tokens have more.
     */
    VISIBLE;




    public companion object
}





/**
 * How a token is obtained (RFC 6749 sections 4 and 6).
 */

public enum class TokenGrant {

    /**
     * RFC 6749 section 4.4.
     */
    CLIENT_CREDENTIALS,
    /**
     * RFC 6749 section 4.3. RFC 9700 section 2.4 forbids it: only for a service that has no other.
     */
    PASSWORD,
    /**
     * RFC 6749 section 6.
     */
    REFRESH_TOKEN,
    /**
     * A `POST` with a client token as Bearer that answers a token for one site.
     */
    SITE_TOKEN,
    /**
     * RFC 6749 section 4.5: `extensionGrant` of the provider names it, and what it presents are `parameters`.
     */
    EXTENSION;




    public companion object
}





/**
 * What a manager is at.
 */
public sealed class TokenNext {

    /**
     * The token is fresh.
     */
    public data object Nothing : TokenNext()


    /**
     * A request is due.
     */
    public data class Request(
        /**
         * By which grant.
         */
        public val `grant`: io.github.tokenward.TokenGrant) : TokenNext()

    {


        public companion object
    }

    /**
     * A request is out, or something is being done that [`crate::CoreManager::took`] named.
     */
    public data class AwaitAnswer(
        /**
         * Its id.
         */
        public val `requestId`: kotlin.ULong) : TokenNext()

    {


        public companion object
    }

    /**
     * Backing off, spreading at the start, or another process is refreshing.
     */
    public data object Wait : TokenNext()


    /**
     * Storage is to be read, whose lock is taken first if it is shared.
     */
    public data class Load(
        /**
         * Its id.
         */
        public val `id`: kotlin.ULong) : TokenNext()

    {


        public companion object
    }

    /**
     * Storage is to be written, atomically if it can.
     */
    public data class Store(
        /**
         * Its id.
         */
        public val `id`: kotlin.ULong,
        /**
         * To this place.
         */
        public val `slot`: kotlin.UByte) : TokenNext()

    {


        public companion object
    }

    /**
     * A token must be obtained from where they come, someone must sign in, or the configuration must be mended.
     */
    public data class Supply(
        /**
         * Its id.
         */
        public val `id`: kotlin.ULong,
        /**
         * Why.
         */
        public val `reason`: io.github.tokenward.TokenReason) : TokenNext()

    {


        public companion object
    }








    public companion object
}





/**
 * The providers that come with the library.
 */

public enum class TokenPreset {

    /**
     * Flip Utility with an OAuth client, for development and tests. Servers only.
     */
    FLIP_UTILITY_SANDBOX,
    /**
     * Flip Utility with an OAuth client, for real. Servers only.
     */
    FLIP_UTILITY_PRODUCTION,
    /**
     * Flip Utility with a static API key `fl_…`, for development and tests. Servers only.
     */
    FLIP_UTILITY_API_KEY_SANDBOX,
    /**
     * Flip Utility with a static API key `fl_…`, for real. Servers only.
     */
    FLIP_UTILITY_API_KEY_PRODUCTION,
    /**
     * Flip Energy with a client token that never expires and opens every site. Servers only. It needs a base URL.
     */
    FLIP_ENERGY_CLIENT,
    /**
     * Flip Energy with a token for one site, which lives an hour, on a server that has the client token too. It needs a
     * base URL and a site.
     */
    FLIP_ENERGY_SITE,
    /**
     * Flip Energy with a token for one site, which lives an hour, in an app whose own backend hands it out. It needs a
     * base URL and a site.
     */
    FLIP_ENERGY_SITE_BY_BACKEND,
    /**
     * Flume: the user's own client and password, then refresh tokens.
     */
    FLUME,
    /**
     * Oracle Utilities Opower. Servers only. It needs a base URL, the host of the tier.
     */
    OPOWER,
    /**
     * Flute's sandbox: client credentials, then refresh tokens. Servers only.
     */
    FLUTE_SANDBOX,
    /**
     * Flute, for real. Servers only.
     */
    FLUTE_PRODUCTION;




    public companion object
}





/**
 * Why someone must act, or why a resource server's refusal is the caller's to handle.
 */

public enum class TokenReason {

    /**
     * There is no token, and no grant that would obtain one.
     */
    NO_TOKEN,
    /**
     * The refresh token is refused, and there is no other grant.
     */
    REFRESH_TOKEN_REJECTED,
    /**
     * The primary grant is refused: a wrong or changed password.
     */
    GRANT_REJECTED,
    /**
     * A token without an end was refused by a resource server.
     */
    REVOKED,
    /**
     * The token endpoint answered `invalid_client`.
     */
    INVALID_CLIENT,
    /**
     * The token endpoint answered `unauthorized_client`.
     */
    UNAUTHORIZED_CLIENT,
    /**
     * The token endpoint answered `unsupported_grant_type`.
     */
    UNSUPPORTED_GRANT_TYPE,
    /**
     * The token endpoint answered `invalid_scope`.
     */
    INVALID_SCOPE,
    /**
     * The token endpoint answered `invalid_request`.
     */
    INVALID_REQUEST,
    /**
     * A resource server refused a token that it had just been given.
     */
    REJECTED,
    /**
     * A resource server answered 403.
     */
    FORBIDDEN,
    /**
     * A resource server wants a scope that the token has not.
     */
    INSUFFICIENT_SCOPE,
    /**
     * The status says nothing about the token.
     */
    NOT_AN_AUTHENTICATION_FAILURE,
    /**
     * Storage held something, but nothing that could be read.
     */
    DAMAGED,
    /**
     * Storage holds a token that is longer than its slot.
     */
    TOO_LONG;




    public companion object
}





/**
 * What `expires_in` 0 means.
 */

public enum class ZeroLifetime {

    /**
     * The token has expired: a failed refresh.
     */
    EXPIRED,
    /**
     * The token has no end.
     */
    NEVER;




    public companion object
}
