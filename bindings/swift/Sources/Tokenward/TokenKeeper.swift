public import Foundation

#if canImport(FoundationNetworking)
    public import FoundationNetworking
#endif

/// What an app's code needs of a ``TokenManager``: depend on this, and a test gives it the `FakeTokenManager` of the product
/// `TokenwardTesting`.
public protocol TokenKeeper: Sendable {
    /// How things stand, for a view to show: a stream of its own for each reader, the present state first. Who watches it has
    /// storage read.
    var states: AsyncStream<TokenState> { get }

    /// What happens from now on: a stream of its own for each reader, which ends with the manager.
    var events: AsyncStream<TokenEvent> { get }

    /// The `Authorization` field for one request. Waits for a token if there is none that may be sent; a refresh
    /// that is merely due runs in the background.
    ///
    /// - Throws: ``TokenwardError/notAllowed(code:)`` before anything is sent, where the token may not go there;
    ///   otherwise why there is no token.
    func authorize(method: String, url: URL) async throws -> Authorization

    /// Whether ``rejected(generation:status:challenge:)`` is to be told of a status of the API: one that speaks of the
    /// token. 401 and 403 do, and what the provider lists.
    func isRefusal(status: Int) -> Bool

    /// Tells of a resource server's refusal, and asks whether to send the request again, once, authorized anew.
    ///
    /// - Parameters:
    ///   - generation: Which token the request carried.
    ///   - status: Of the answer.
    ///   - challenge: Its `WWW-Authenticate` field; several of them with a line feed between them.
    /// - Throws: Why there is no new token, where one was needed.
    func rejected(generation: UInt64, status: Int, challenge: String?) async throws -> RetryDecision

    /// Keeps a token that someone else obtained, in place of what is kept: a sign-in.
    ///
    /// - Throws: ``TokenwardError/badAnswer(code:)``: it is refused, and the token that was good stays good.
    func install(_ token: IssuedToken) async throws

    /// Ends the signed-out state and obtains a token, as the source has it: after ``signOut()`` only this and
    /// ``install(_:)`` do.
    ///
    /// - Throws: Why there is no token.
    func signIn() async throws

    /// Wipes the token from memory, and what is stored is overwritten. A token request that is out comes to nothing, and
    /// no other is sent until ``signIn()`` or ``install(_:)``; whoever waits for a token is told `signed_out`.
    ///
    /// - Parameter revoking: Has the service end the token, too (RFC 7009): the provider names
    ///   ``TokenProvider/revocationPath``. That is asked for last, with the credentials of this moment; if it fails it is
    ///   signed out all the same, and ``events`` say so.
    /// - Throws: ``TokenwardError/storage(code:underlying:)``: it is gone from memory, but not from storage; a later
    ///   call tries again.
    func signOut(revoking: Bool) async throws

    /// A refresh is due now; the token stays usable meanwhile. Starts it.
    func renew() async throws

    /// Lifts a failure that waits for someone to act: the credentials were mended.
    func retry() async throws

    /// Reads storage now: call it when the app comes to the foreground. Who has signed in or out in another process is
    /// noticed at once only so; otherwise when a refresh is due or a token is refused. It is done when
    /// ``TokenManager/status()`` returns.
    func reload() async throws
}

extension TokenKeeper {
    /// ``signOut(revoking:)`` without a word to the service.
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

/// How things stand, for a view to show. Looked at whenever something happens; holds no token.
public enum TokenState: Sendable, Hashable {
    /// There is none that may be sent: nobody has asked for one yet, or none is to be had now. Whoever asks is told why.
    case noToken
    /// There is a token that may be sent.
    case signedIn
    /// A new token is being obtained; `isUsable`: the one before it may be sent meanwhile.
    case refreshing(isUsable: Bool)
    /// No new token comes without a person or the app; `isUsable`: the present one may be sent for a while. From `signInBy` on
    /// callers go without a token; `nil`: at once, or never by itself.
    case needsSignIn(reason: TokenReason, isUsable: Bool, signInBy: Date? = nil)
    /// Somebody has signed out.
    case signedOut
}

/// What the token service answered in place of a token.
public struct ServiceAnswer: Sendable, Hashable {
    /// The HTTP status.
    public let status: Int
    /// The service's code in its own words, such as `access_denied`; `nil` where none could be read.
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
