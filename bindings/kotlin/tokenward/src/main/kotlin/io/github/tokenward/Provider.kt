package io.github.tokenward

import kotlin.time.Duration

/**
 * A token service as data: all that tells one from another. The functions of the companion are five services; a sixth
 * is one more value, and every member can be changed on a [copy].
 *
 * ```
 * val acme = Provider(
 *     name = "acme",
 *     baseUrl = "https://login.acme.example",
 *     tokenPath = "/oauth2/token",
 *     apiOrigins = ApiOrigins.Listed("https://api.acme.example"),
 *     grants = listOf(Grant.CLIENT_CREDENTIALS, Grant.REFRESH_TOKEN),
 *     authentication = ClientAuthentication.POST,
 * )
 * ```
 *
 * @property name Its name, a part of a token's identity.
 * @property environment `sandbox`, `production`: a part of a token's identity.
 * @property baseUrl Scheme and authority of the token endpoint; a path may follow. A part of a token's identity.
 * @property tokenPath Follows [baseUrl]; `{site}` stands for the subject's site. A part of a token's identity.
 * @property apiOrigins Where its tokens may be sent.
 * @property allowLoopbackHttp Plain `http` to the loopback interface is allowed, for tests.
 * @property grants The grants it knows; the first that is not [Grant.REFRESH_TOKEN] is the primary one.
 * @property authentication How the client authenticates to the token endpoint (RFC 6749 section 2.3).
 * @property body How a request's parameters are written.
 * @property scope The scope to ask for; empty for none.
 * @property memberPath Where the token's members stand in an answer, such as `data[0]`; empty for the top object.
 * @property errorPath Where an error code stands if there is no top-level `error`; empty for nowhere.
 * @property errorCodes The service's own error codes and the standard ones (RFC 6749 section 5.2) that they stand for.
 * @property tokenTypeRequired An answer without `token_type` is refused.
 * @property tokenTypeAliases Values of `token_type` that mean Bearer.
 * @property tokenAlphabet The bytes that an access token may have.
 * @property missingLifetime What an answer without `expires_in` means.
 * @property zeroLifetime What `expires_in` 0 means.
 * @property routes Which token opens which endpoint; empty: every path of the origins.
 * @property exposure Who may hold its credentials.
 * @property policy When its tokens are refreshed.
 */
public data class Provider(
    val name: String,
    val baseUrl: String,
    val tokenPath: String = "",
    val environment: String = "",
    val apiOrigins: ApiOrigins = CUSTOM.apiOrigins,
    val allowLoopbackHttp: Boolean = CUSTOM.allowLoopbackHttp,
    val grants: List<Grant> = CUSTOM.grants,
    val authentication: ClientAuthentication = CUSTOM.authentication,
    val body: BodyFormat = CUSTOM.body,
    val scope: String = CUSTOM.scope,
    val memberPath: String = CUSTOM.memberPath,
    val errorPath: String = CUSTOM.errorPath,
    val errorCodes: Map<String, String> = CUSTOM.errorCodes,
    val tokenTypeRequired: Boolean = CUSTOM.tokenTypeRequired,
    val tokenTypeAliases: List<String> = CUSTOM.tokenTypeAliases,
    val tokenAlphabet: TokenAlphabet = CUSTOM.tokenAlphabet,
    val missingLifetime: MissingLifetime = CUSTOM.missingLifetime,
    val zeroLifetime: ZeroLifetime = CUSTOM.zeroLifetime,
    val routes: List<Route> = CUSTOM.routes,
    val exposure: Exposure = CUSTOM.exposure,
    val policy: RefreshPolicy = CUSTOM.policy,
) {
    public companion object {
        /** The API of Flume, as its public clients have it. */
        public const val FLUME_BASE_URL: String = "https://api.flumewater.com"

        /** Flip Utility with an OAuth client. */
        public fun flipUtility(environment: Environment): Provider = preset("flip_utility", environment)

        /** Flip Utility with a static API key `fl_…`: [TokenSource.fixed]. */
        public fun flipUtilityApiKey(environment: Environment): Provider = preset("flip_utility_api_key", environment)

        /** Flip Energy with a client token, for servers: [TokenSource.fixed]. */
        public fun flipEnergyClient(baseUrl: String): Provider = preset("flip_energy_client", baseUrl = baseUrl)

        /**
         * Flip Energy with a token for one site, which lives an hour: on a phone issued by the app's backend
         * ([TokenSource.backend]), on a server by the client token of another manager ([TokenSource.parent]).
         */
        public fun flipEnergySite(baseUrl: String, issuedBy: IssuedBy): Provider =
            preset("flip_energy_site", baseUrl = baseUrl, issuedBy = issuedBy)

        /** Flume with the user's own client: the password grant, then refresh tokens. */
        public fun flume(baseUrl: String = FLUME_BASE_URL): Provider = preset("flume", baseUrl = baseUrl)

        /** Oracle Utilities Opower; Oracle names the base URL of each tier. */
        public fun opower(baseUrl: String): Provider = preset("opower", baseUrl = baseUrl)

        /** Flute: refresh tokens, and two environments that share one API key but no token. */
        public fun flute(environment: Environment): Provider = preset("flute", environment)
    }
}

/** Where a service runs. Its tokens never cross to the other environment. There is no default: production may charge real money. */
public enum class Environment { SANDBOX, PRODUCTION }

/** Who asks for a site token of Flip Energy: a server that keeps the client token too, or the app's own backend. */
public enum class IssuedBy { CLIENT_TOKEN, BACKEND }

/** How a token is obtained (RFC 6749 sections 4 and 6). RFC 9700 forbids [PASSWORD] where a service has another. */
public enum class Grant { CLIENT_CREDENTIALS, PASSWORD, SITE_TOKEN, REFRESH_TOKEN }

/**
 * How the client authenticates to the token endpoint. [BASIC] form-encodes id and secret first (RFC 6749 section
 * 2.3.1), [BASIC_RAW] does not; [BEARER] sends the token of another manager; [NONE] is a public client.
 */
public enum class ClientAuthentication { BASIC, BASIC_RAW, POST, BEARER, NONE }

/** How a request's parameters are written. */
public enum class BodyFormat { FORM, JSON }

/** The bytes that an access token may have: `b64token` of RFC 6750 section 2.1, or 0x21–0x7E. */
public enum class TokenAlphabet { B64TOKEN, VISIBLE }

/** What `expires_in` 0 means. */
public enum class ZeroLifetime { EXPIRED, NEVER }

/** The kind of token that opens a [Route]. */
public enum class TokenKind { CLIENT, SITE }

/** Who may hold credentials: servers only, or apps too. */
public enum class Exposure { SERVER_ONLY, APP_ALLOWED }

/** An endpoint and the kind of token that opens it. `{site}` in [path] is the subject's own site, any other `{name}` one segment. */
public data class Route(val method: String, val path: String, val token: TokenKind)

/** Where tokens may be sent. `https` only, but for loopback where [Provider.allowLoopbackHttp] says so. */
public sealed interface ApiOrigins {
    /** Every `https` origin. */
    public data object AnyHttps : ApiOrigins

    /** The origin of [Provider.baseUrl]. */
    public data object BaseUrl : ApiOrigins

    /** These origins, such as `https://api.example`. */
    public data class Listed(val origins: List<String>) : ApiOrigins {
        public constructor(vararg origins: String) : this(origins.toList())
    }
}

/** What an answer without `expires_in` means. Durations are whole seconds. */
public sealed interface MissingLifetime {
    /** Until the `exp` of a JWT, else [orElse]. */
    public data class JwtExpiry(val orElse: Duration) : MissingLifetime

    /** This long. */
    public data class Assume(val lifetime: Duration) : MissingLifetime

    /** The token has no end. */
    public data object Never : MissingLifetime

    /** The answer is refused. */
    public data object Refuse : MissingLifetime
}

/**
 * When tokens are refreshed. Durations are whole milliseconds, [maxLifetime] whole seconds.
 *
 * @property fractionPermille A refresh is due when this much of the lifetime is over, in thousandths.
 * @property margin A token is not sent in the last part of its life: this, or a tenth of it where that is less.
 * @property minInterval No refresh sooner than this after the last.
 * @property jitterPermille A refresh is due earlier by at most this much of the lifetime, in thousandths; 0: no draw at all.
 * @property startupSpread The first request waits for a random part of this.
 * @property responseTimeout A request without an answer counts as failed after this.
 * @property firstBackoff The pause after the first failure; it doubles.
 * @property maxBackoff The longest pause.
 * @property maxLifetime No token lives longer, whatever the service says.
 * @property refreshAttempts So many refusals without a listed code end a refresh token.
 */
public data class RefreshPolicy(
    val fractionPermille: Int = CUSTOM.policy.fractionPermille,
    val margin: Duration = CUSTOM.policy.margin,
    val minInterval: Duration = CUSTOM.policy.minInterval,
    val jitterPermille: Int = CUSTOM.policy.jitterPermille,
    val startupSpread: Duration = CUSTOM.policy.startupSpread,
    val responseTimeout: Duration = CUSTOM.policy.responseTimeout,
    val firstBackoff: Duration = CUSTOM.policy.firstBackoff,
    val maxBackoff: Duration = CUSTOM.policy.maxBackoff,
    val maxLifetime: Duration = CUSTOM.policy.maxLifetime,
    val refreshAttempts: Int = CUSTOM.policy.refreshAttempts,
)

/** Whose token it is. */
public sealed interface Subject {
    /** The client itself. */
    public data object Client : Subject

    /** One site of the client. */
    public data class Site(val id: String) : Subject
}
