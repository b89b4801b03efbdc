internal import TokenwardBridge

/// Which of a service's environments. There is no default: the tokens of one are worth nothing in the other, and
/// production may cost real money.
public enum Environment: String, Sendable, Hashable, CaseIterable {
    case sandbox, production
}

/// Who issues Flip Energy's site tokens.
public enum SiteTokenIssuer: String, Sendable, Hashable {
    /// This program, with the client token: servers and gateways only.
    case clientToken = "client_token"
    /// The app's own server, which hands the app a site token.
    case backend
}

/// Whom a token stands for: a part of its identity.
public enum Subject: Sendable, Hashable {
    /// The client itself.
    case client
    /// One site, by its id.
    case site(String)

    var site: String? {
        if case .site(let id) = self { id } else { nil }
    }
}

/// A token service as a value: all that tells one from another, and no secret.
///
/// Take a preset, or describe a service of your own, and change any member of the copy:
///
/// ```swift
/// var acme = try Provider(name: "acme", tokenURL: "https://login.acme.example/oauth2/token")
/// acme.apiOrigins = .listed(["https://api.acme.example"])
/// acme.grants = [.refreshToken]
/// acme.authentication = .publicClient
/// acme.exposure = .appAllowed
/// ```
public struct Provider: Sendable, Hashable {
    /// Its name: with `environment`, `baseURL` and `tokenPath` the identity of its tokens.
    public var name: String
    public var environment: String
    /// Scheme and authority of the token endpoint; a path may follow.
    public var baseURL: String
    /// Follows `baseURL`; `{site}` stands for the subject's site.
    public var tokenPath: String
    /// Where its tokens may be sent.
    public var apiOrigins: APIOrigins
    /// Plain `http` to the loopback interface is allowed: for tests.
    public var allowLoopbackHTTP: Bool
    /// The grants it knows; the first that is not `.refreshToken` is the primary one.
    public var grants: [Grant]
    /// How the client authenticates to the token endpoint.
    public var authentication: ClientAuthentication
    /// How a request's parameters are written.
    public var body: BodyFormat
    /// The scope to ask for; empty for none.
    public var scope: String
    /// Where the token's members stand in an answer, such as `data[0]`; empty for the top object.
    public var memberPath: String
    /// Where an error code stands if there is no top-level `error`; empty for nowhere.
    public var errorPath: String
    /// The service's own error codes, and the codes of RFC 6749 section 5.2 that they stand for.
    public var errorCodes: [ErrorCode]
    /// An answer without `token_type` is refused.
    public var tokenTypeRequired: Bool
    /// Values of `token_type` that mean Bearer.
    public var tokenTypeAliases: [String]
    /// The bytes that an access token may have.
    public var tokenAlphabet: TokenAlphabet
    /// What an answer without `expires_in` means.
    public var missingLifetime: MissingLifetime
    /// What `expires_in` 0 means.
    public var zeroLifetime: ZeroLifetime
    /// Which token opens which endpoint; empty: every path of the origins.
    public var routes: [Route]
    /// Who may hold its credentials.
    public var exposure: Exposure
    /// When its tokens are refreshed.
    public var policy: RefreshPolicy

    /// A service of your own, with the defaults of RFC 6749: Basic authentication, a form body, tokens to every
    /// `https` origin, credentials for servers only.
    ///
    /// - Parameters:
    ///   - name: With `environment` and `tokenURL` the identity of its tokens.
    ///   - environment: Such as `sandbox`, where there are several.
    ///   - tokenURL: The token endpoint; `{site}` in it stands for the subject's site.
    /// - Throws: ``TokenwardError/incompatibleLibrary(expected:found:)``.
    public init(name: String, environment: String = "", tokenURL: String) throws(TokenwardError) {
        try self.init(record: bridged(customProvider))
        self.name = name
        self.environment = environment
        baseURL = tokenURL
    }
}

// MARK: - The five

extension Provider {
    /// Flip Utility with an OAuth client: client_credentials. Server only.
    public static func flipUtility(_ environment: Environment) throws(TokenwardError) -> Provider {
        try .preset("flip_utility", environment: environment)
    }

    /// Flip Utility with its static API key. Server only.
    public static func flipUtilityAPIKey(_ environment: Environment) throws(TokenwardError) -> Provider {
        try .preset("flip_utility_api_key", environment: environment)
    }

    /// Flip Energy's client token, which never expires and opens every site. Server only.
    public static func flipEnergyClient(baseURL: String) throws(TokenwardError) -> Provider {
        try .preset("flip_energy_client", baseURL: baseURL)
    }

    /// Flip Energy's site token, good for one site and one hour. Issued by the app's backend it may live on a
    /// phone.
    public static func flipEnergySite(
        baseURL: String, issuedBy: SiteTokenIssuer
    ) throws(TokenwardError) -> Provider {
        try .preset("flip_energy_site", baseURL: baseURL, issuedBy: issuedBy)
    }

    /// Flume: the user's own client and password, then refresh tokens that rotate.
    public static func flume(
        baseURL: String = "https://api.flumewater.com"
    ) throws(TokenwardError) -> Provider {
        try .preset("flume", baseURL: baseURL)
    }

    /// Oracle Utilities Opower: client_credentials with Basic. Server only.
    public static func opower(baseURL: String) throws(TokenwardError) -> Provider {
        try .preset("opower", baseURL: baseURL)
    }

    /// Flute: client_credentials, then refresh tokens. Server only.
    public static func flute(_ environment: Environment) throws(TokenwardError) -> Provider {
        try .preset("flute", environment: environment)
    }

    private static func preset(
        _ name: String, environment: Environment? = nil, baseURL: String? = nil, issuedBy: SiteTokenIssuer? = nil
    ) throws(TokenwardError) -> Provider {
        try Provider(record: bridged {
            try TokenwardBridge.preset(
                name: name, environment: environment?.rawValue, baseUrl: baseURL, issuedBy: issuedBy?.rawValue)
        })
    }
}

// MARK: - What its members may be

extension Provider {
    /// Where tokens may be sent: `https` only, but for loopback where that is allowed.
    public enum APIOrigins: Sendable, Hashable {
        /// Every `https` origin.
        case anyHTTPS
        /// The origin of ``Provider/baseURL``.
        case baseURL
        /// These origins.
        case listed([String])
    }

    /// How a token is obtained (RFC 6749 sections 4 and 6).
    public enum Grant: String, Sendable, Hashable {
        case clientCredentials = "client_credentials"
        /// RFC 9700 section 2.4 forbids it: only for a service that has no other.
        case password
        /// A `POST` with a client token as Bearer that answers a token for one site.
        case siteToken = "site_token"
        case refreshToken = "refresh_token"
    }

    /// How the client authenticates to the token endpoint (RFC 6749 section 2.3).
    public enum ClientAuthentication: String, Sendable, Hashable {
        /// `client_secret_basic`, id and secret form-encoded first (section 2.3.1).
        case basic
        /// Basic as `curl -u` sends it, for the services that document that.
        case rawBasic = "basic_raw"
        /// `client_secret_post`.
        case post
        /// A token that another manager keeps.
        case bearer
        /// `none`: a public client sends `client_id` alone.
        case publicClient = "none"
    }

    public enum BodyFormat: String, Sendable, Hashable {
        case form, json
    }

    /// The bytes that an access token may have.
    public enum TokenAlphabet: String, Sendable, Hashable {
        /// `b64token` of RFC 6750 section 2.1.
        case b64token
        /// 0x21–0x7E.
        case visible
    }

    public enum MissingLifetime: Sendable, Hashable {
        /// Until the `exp` of a JWT, else so many seconds.
        case jwtExpiry(elseSeconds: UInt64)
        /// So many seconds.
        case assume(seconds: UInt64)
        /// The token has no end.
        case never
        /// The answer is refused.
        case refuse
    }

    public enum ZeroLifetime: String, Sendable, Hashable {
        /// The token is over: a failed refresh.
        case expired
        /// The token has no end.
        case never
    }

    /// Who may hold a provider's credentials.
    public enum Exposure: String, Sendable, Hashable {
        /// Servers and gateways with protected storage.
        case serverOnly = "server_only"
        /// Apps too.
        case appAllowed = "app_allowed"
    }

    public struct ErrorCode: Sendable, Hashable {
        public var service: String
        public var standard: String

        public init(service: String, standard: String) {
            self.service = service
            self.standard = standard
        }
    }

    /// An endpoint and the kind of token that opens it.
    public struct Route: Sendable, Hashable {
        public enum Token: String, Sendable, Hashable {
            case client, site
        }

        /// The method, compared with case.
        public var method: String
        /// `{site}` is the subject's own site, any other `{name}` one segment.
        public var path: String
        public var token: Token

        public init(method: String, path: String, token: Token) {
            self.method = method
            self.path = path
            self.token = token
        }
    }
}

/// When tokens are refreshed. `m`: milliseconds, `s`: seconds, `permille`: thousandths of the lifetime.
///
/// The defaults are the preset's. Whether storage is shared is asked of the ``TokenStorage``.
public struct RefreshPolicy: Sendable, Hashable {
    /// A refresh is due after this part of the lifetime.
    public var fractionPermille: UInt32
    /// The last part of a life in which the token is not sent, at most a tenth of it.
    public var marginMilliseconds: UInt64
    /// No refresh sooner than this after a token was asked for; how long a 401 is not the token's fault.
    public var minIntervalMilliseconds: UInt64
    /// How much of the lifetime a refresh may come early, by a draw.
    public var jitterPermille: UInt32
    /// The first request waits up to this from the making of the manager, by a draw.
    public var startupSpreadMilliseconds: UInt64
    /// After this a request without an answer has failed.
    public var responseTimeoutMilliseconds: UInt64
    /// The first wait after a failure once the token is unusable; it doubles up to the maximum.
    public var firstBackoffMilliseconds: UInt64
    public var maxBackoffMilliseconds: UInt64
    /// No lifetime counts as longer.
    public var maxLifetimeSeconds: UInt64
    /// So many refusals with unlisted codes end a refresh token.
    public var refreshAttempts: UInt32
}

// MARK: - The bridge's records

extension Provider {
    init(record: ProviderRecord) throws(TokenwardError) {
        func known<T: RawRepresentable>(_ word: String) throws(TokenwardError) -> T where T.RawValue == String {
            guard let value = T(rawValue: word) else { throw .internal }
            return value
        }
        name = record.name
        environment = record.environment
        baseURL = record.baseUrl
        tokenPath = record.tokenPath
        apiOrigins =
            record.anyHttps ? .anyHTTPS : record.baseUrlOrigin ? .baseURL : .listed(record.apiOrigins)
        allowLoopbackHTTP = record.allowLoopbackHttp
        grants = []
        for grant in record.grants { grants.append(try known(grant)) }
        authentication = try known(record.authentication)
        body = try known(record.body)
        scope = record.scope
        memberPath = record.memberPath
        errorPath = record.errorPath
        errorCodes = record.errorCodes.map { ErrorCode(service: $0.service, standard: $0.standard) }
        tokenTypeRequired = record.tokenTypeRequired
        tokenTypeAliases = record.tokenTypeAliases
        tokenAlphabet = try known(record.tokenAlphabet)
        missingLifetime =
            switch record.missingLifetime {
            case "jwt_expiry_else": .jwtExpiry(elseSeconds: record.missingLifetimeSeconds)
            case "assume": .assume(seconds: record.missingLifetimeSeconds)
            case "never": .never
            case "refuse": .refuse
            default: throw .internal
            }
        zeroLifetime = try known(record.zeroLifetime)
        routes = []
        for route in record.routes {
            routes.append(Route(method: route.method, path: route.path, token: try known(route.token)))
        }
        exposure = try known(record.exposure)
        policy = RefreshPolicy(record: record.policy)
    }

    func record(sharedStorage: Bool) -> ProviderRecord {
        let (lifetime, seconds): (String, UInt64) =
            switch missingLifetime {
            case .jwtExpiry(let seconds): ("jwt_expiry_else", seconds)
            case .assume(let seconds): ("assume", seconds)
            case .never: ("never", 0)
            case .refuse: ("refuse", 0)
            }
        let origins: [String] = if case .listed(let origins) = apiOrigins { origins } else { [] }
        return ProviderRecord(
            name: name, environment: environment, baseUrl: baseURL, tokenPath: tokenPath,
            anyHttps: apiOrigins == .anyHTTPS, baseUrlOrigin: apiOrigins == .baseURL, apiOrigins: origins,
            allowLoopbackHttp: allowLoopbackHTTP, grants: grants.map(\.rawValue),
            authentication: authentication.rawValue, body: body.rawValue, scope: scope, memberPath: memberPath,
            errorPath: errorPath,
            errorCodes: errorCodes.map { ErrorCodeRecord(service: $0.service, standard: $0.standard) },
            tokenTypeRequired: tokenTypeRequired, tokenTypeAliases: tokenTypeAliases,
            tokenAlphabet: tokenAlphabet.rawValue, missingLifetime: lifetime, missingLifetimeSeconds: seconds,
            zeroLifetime: zeroLifetime.rawValue,
            routes: routes.map { RouteRecord(method: $0.method, path: $0.path, token: $0.token.rawValue) },
            exposure: exposure.rawValue, policy: policy.record(sharedStorage: sharedStorage))
    }
}

extension RefreshPolicy {
    init(record: PolicyRecord) {
        fractionPermille = record.fractionPermille
        marginMilliseconds = record.marginMs
        minIntervalMilliseconds = record.minIntervalMs
        jitterPermille = record.jitterPermille
        startupSpreadMilliseconds = record.startupSpreadMs
        responseTimeoutMilliseconds = record.responseTimeoutMs
        firstBackoffMilliseconds = record.firstBackoffMs
        maxBackoffMilliseconds = record.maxBackoffMs
        maxLifetimeSeconds = record.maxLifetimeS
        refreshAttempts = record.refreshAttempts
    }

    func record(sharedStorage: Bool) -> PolicyRecord {
        PolicyRecord(
            fractionPermille: fractionPermille, marginMs: marginMilliseconds,
            minIntervalMs: minIntervalMilliseconds, jitterPermille: jitterPermille,
            startupSpreadMs: startupSpreadMilliseconds, responseTimeoutMs: responseTimeoutMilliseconds,
            firstBackoffMs: firstBackoffMilliseconds, maxBackoffMs: maxBackoffMilliseconds,
            maxLifetimeS: maxLifetimeSeconds, refreshAttempts: refreshAttempts, sharedStorage: sharedStorage)
    }
}
