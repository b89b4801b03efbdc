public import Foundation

#if canImport(FoundationNetworking)
    public import FoundationNetworking
#endif

/// What an app's code needs of a ``TokenManager``: depend on this protocol, and tests can pass the `FakeTokenManager` of
/// `TokenwardTesting` instead.
public protocol TokenKeeper: Sendable {
    /// The state for a view to show: each reader gets a stream of its own, the current state first. Iterating over it reads
    /// storage.
    var states: AsyncStream<TokenState> { get }

    /// What happens from now on: each reader gets a stream of its own, which ends with the manager.
    var events: AsyncStream<TokenEvent> { get }

    /// The `Authorization` field for one request. Waits for a token if there is none that may be sent; a refresh
    /// that is merely due runs in the background.
    ///
    /// - Throws: ``TokenwardError/notAllowed(code:)`` before anything is sent, if the token may not go there;
    ///   otherwise why there is no token.
    func authorize(method: String, url: URL) async throws -> Authorization

    /// Whether a status of the API is about the token, so that ``rejected(generation:status:challenge:)`` should be called:
    /// 401, 403 and what the provider lists.
    func isRefusal(status: Int) -> Bool

    /// Reports a resource server's refusal, and says whether to authorize the request again and send it once more.
    ///
    /// - Parameters:
    ///   - generation: Which token the request carried.
    ///   - status: The answer's status.
    ///   - challenge: Its `WWW-Authenticate` field; separate several of them by a line feed.
    /// - Throws: Why there is no new token, if one was needed.
    func rejected(generation: UInt64, status: Int, challenge: String?) async throws -> RetryDecision

    /// Signs in with a token that was obtained elsewhere; it replaces the current one.
    ///
    /// - Throws: ``TokenwardError/badAnswer(code:)`` if it cannot be used; the current token stays.
    func install(_ token: IssuedToken) async throws

    /// Ends the signed-out state and obtains a token from the source. After ``signOut()`` only this and ``install(_:)`` do
    /// that.
    ///
    /// - Throws: Why there is no token.
    func signIn() async throws

    /// Wipes the token from memory and overwrites what is stored. The answer to a token request in flight is ignored, and
    /// no other is sent until ``signIn()`` or ``install(_:)``; callers that are waiting for a token get `signed_out`.
    ///
    /// - Parameter revoking: Also has the service revoke the token (RFC 7009), if the provider names
    ///   ``TokenProvider/revocationPath``. That request comes last and uses the current credentials; if it fails, you are
    ///   signed out all the same, and ``events`` reports it.
    /// - Throws: ``TokenwardError/storage(code:underlying:)`` if what is stored cannot be overwritten now; the token is gone
    ///   from memory all the same, and a later call tries again.
    func signOut(revoking: Bool) async throws

    /// Refreshes the token now, in the background; the current one stays usable.
    func renew() async throws

    /// Configuration or credentials have been fixed: what the token service refused for good may be tried again.
    func retry() async throws

    /// Reads storage now: call this when the app comes to the foreground. Without it, a sign-in or a sign-out in another process
    /// is noticed only when a refresh is due or a token is rejected. It is done when ``TokenManager/status()`` returns.
    func reload() async throws
}

extension TokenKeeper {
    /// ``signOut(revoking:)`` without telling the service.
    public func signOut() async throws { try await signOut(revoking: false) }

    /// The request with its `Authorization` field, and the generation of the token for
    /// ``rejected(generation:status:challenge:)``.
    public func authorize(_ request: URLRequest) async throws -> AuthorizedRequest {
        guard let url = request.url else { throw TokenwardError.notAllowed(code: "bad_url") }
        let authorization = try await authorize(method: request.httpMethod ?? "GET", url: url)
        var authorized = request
        authorized.setValue(authorization.header, forHTTPHeaderField: authorization.name)
        return AuthorizedRequest(request: authorized, generation: authorization.generation)
    }
}

/// The state for a view to show, updated whenever something happens; contains no token.
public enum TokenState: Sendable, Hashable {
    /// There is no token that may be sent: nobody has asked for one yet, or none is available now. Callers are told why.
    case noToken
    /// There is a token that may be sent.
    case signedIn
    /// A new token is being obtained; `isUsable`: the previous one may be sent meanwhile.
    case refreshing(isUsable: Bool)
    /// Without a person or the app there will be no new token; `isUsable`: the current one may still be sent for a while. From
    /// `signInBy` on callers are left without a token; `nil`: from now on, or never by itself.
    case needsSignIn(reason: TokenReason, isUsable: Bool, signInBy: Date? = nil)
    /// Somebody has signed out.
    case signedOut
}

/// What the token service answered instead of a token.
public struct ServiceAnswer: Sendable, Hashable {
    /// The HTTP status.
    public let status: Int
    /// The service's code in its own words, such as `access_denied`; `nil` if none could be read.
    public let error: String?

    public init(status: Int, error: String? = nil) {
        self.status = status
        self.error = error
    }
}

/// Without the service's own words, which may hold anything.
extension ServiceAnswer: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "ServiceAnswer(\(status))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, showing: ["status": status]) }
}
