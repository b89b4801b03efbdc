public import Foundation

/// What a client proves itself with. Asked for at each request, never kept.
///
/// The memory of Swift's strings cannot be wiped.
public struct Credentials: Sendable {
    public var clientId: String?
    public var clientSecret: String?
    public var username: String?
    public var password: String?
    /// Which of its keys the client signs its assertions with, if it has several (RFC 7515 section 4.1.4).
    public var keyId: String?
    /// The client's own key, where the provider authenticates by ``ClientAuthentication/privateKeyJwt``.
    public var signer: ClientSigner?
    /// What stands for `{name}` in the provider's parameters and header fields, by name.
    public var values: [String: String]
    /// Parameters beside those of the provider, such as `audience`.
    public var parameters: [String: String]

    public init(
        clientId: String? = nil, clientSecret: String? = nil, username: String? = nil, password: String? = nil,
        keyId: String? = nil, signer: ClientSigner? = nil, values: [String: String] = [:],
        parameters: [String: String] = [:]
    ) {
        self.clientId = clientId
        self.clientSecret = clientSecret
        self.username = username
        self.password = password
        self.keyId = keyId
        self.signer = signer
        self.values = values
        self.parameters = parameters
    }
}

extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "Credentials(\(redacted))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, showing: [:]) }
}

/// A key of the client's, which signs its requests where it lies: in the Secure Enclave, a keychain, a server.
///
/// ```swift
/// let signer = ClientSigner(.es256) { data in try await myServer.sign(data) }
/// ```
public struct ClientSigner: Sendable {
    let algorithm: SignatureAlgorithm
    let certificateThumbprint: String?
    let sign: @Sendable (Data) async throws -> Data

    /// - Parameters:
    ///   - algorithm: How the key signs.
    ///   - certificateThumbprint: The SHA-256 of its certificate in base64url without padding, for a service that wants to be
    ///     told (RFC 7515 section 4.1.8).
    ///   - sign: Signs the data; the hash is its part. What it throws reaches the caller as
    ///     ``TokenwardError/transport(underlying:)``, and nothing is sent.
    public init(
        _ algorithm: SignatureAlgorithm, certificateThumbprint: String? = nil,
        sign: @escaping @Sendable (Data) async throws -> Data
    ) {
        self.algorithm = algorithm
        self.certificateThumbprint = certificateThumbprint
        self.sign = sign
    }
}

/// A token that someone else obtained: the app's backend, a portal.
public struct IssuedToken: Sendable {
    enum Content: Sendable {
        case members(
            accessToken: String, tokenType: String?, expiresIn: UInt64?, refreshToken: String?,
            refreshExpiresIn: UInt64?)
        case json(Data)
    }

    let content: Content

    /// - Parameters:
    ///   - accessToken: The token.
    ///   - tokenType: Bearer where absent.
    ///   - expiresIn: Seconds from now; where absent the provider's ``TokenProvider/missingLifetime`` says.
    ///   - refreshToken: Kept where the provider has the refresh grant.
    ///   - refreshExpiresIn: Seconds that the refresh token lives; they count where the provider has
    ///     ``TokenProvider/refreshExpiresIn`` or ``TokenProvider/refreshIdleS``.
    public init(
        accessToken: String, tokenType: String? = nil, expiresIn: UInt64? = nil, refreshToken: String? = nil,
        refreshExpiresIn: UInt64? = nil
    ) {
        content = .members(
            accessToken: accessToken, tokenType: tokenType, expiresIn: expiresIn, refreshToken: refreshToken,
            refreshExpiresIn: refreshExpiresIn)
    }

    /// A JSON object with the members of RFC 6749 section 5.1, as a backend passes them on. Read as strictly as
    /// an answer of the token endpoint.
    public static func json(_ object: Data) -> IssuedToken {
        IssuedToken(content: .json(object))
    }

    private init(content: Content) {
        self.content = content
    }
}

extension IssuedToken: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "IssuedToken(\(redacted))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, showing: [:]) }
}

/// Where a manager's tokens come from.
public enum TokenSource: Sendable {
    /// A static token: an API key, a client token. Asked for at first use, and again where the service refuses what it
    /// gave. It is not stored, so that a key that the app was given anew wins over the one of the last run.
    case fixed(@Sendable () async throws -> IssuedToken)
    /// The client's own credentials, asked for at each request.
    case credentials(@Sendable () async throws -> Credentials)
    /// Site tokens for which another manager's token is the bearer.
    case parent(TokenManager)
    /// The app's own server, which hands out tokens: asked whenever one is due, for as long as a token request may take.
    case backend(@Sendable () async throws -> IssuedToken)

    /// What can be asked without a person; nothing where it is the configuration that someone has to mend.
    func program(for reason: TokenReason) -> (@Sendable () async throws -> IssuedToken)? {
        switch (self, TokenwardError(supply: reason)) {
        case (.fixed(let ask), .signInRequired), (.backend(let ask), .signInRequired): ask
        default: nil
        }
    }
}

extension TokenSource: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String {
        switch self {
        case .fixed: "TokenSource.fixed"
        case .credentials: "TokenSource.credentials"
        case .parent: "TokenSource.parent"
        case .backend: "TokenSource.backend"
        }
    }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, showing: [:]) }
}
