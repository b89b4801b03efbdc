public import Foundation
public import Tokenward

/// A token manager that does what a test has told it, without network and storage. It keeps no rule of a real one but that
/// after ``signOut(revoking:)`` there is no token until ``signIn()`` or ``install(_:)``.
///
/// ```swift
/// let tokens = FakeTokenManager()
/// await tokens.lends("t1")
/// await tokens.fails(TokenwardError.signInRequired(reason: "refresh_token_rejected"))
/// ```
public actor FakeTokenManager: TokenKeeper {
    /// A test asks for what its script has not.
    public struct ScriptEnded: Error, CustomStringConvertible {
        /// `authorize GET https://api.example/v1`, say.
        public let call: String

        public var description: String { "The script has nothing for `\(call)`: say what comes of it first." }
    }

    private struct Turn {
        var result: Result<Authorization, any Error>
        var after: TimeInterval = 0
    }

    /// The calls so far, in order: `authorize GET https://api.example/v1`, `rejected 1 401`, `signOut` …
    public private(set) var calls: [String] = []
    private let token: String?
    private var turns: [Turn] = []
    private var decisions: [RetryDecision] = []
    private var generation: UInt64 = 0
    private var isSignedOut = false
    private nonisolated let watched: Announcements<TokenState>
    private nonisolated let happened = Announcements<TokenEvent>()

    /// - Parameter token: Lent whenever the script has nothing else to say: for previews, and tests of something else.
    public init(token: String? = nil) {
        self.token = token
        watched = Announcements(present: token == nil ? .noToken : .signedIn)
    }

    // MARK: - The script

    /// The next ``authorize(method:url:)`` brings this token, after so many seconds.
    public func lends(_ token: String, after: TimeInterval = 0) {
        generation += 1
        turns.append(Turn(result: .success(Authorization(header: "Bearer \(token)", generation: generation)), after: after))
    }

    /// The next ``authorize(method:url:)`` or ``signIn()`` throws this, after so many seconds.
    public func fails(_ error: any Error, after: TimeInterval = 0) {
        turns.append(Turn(result: .failure(error), after: after))
    }

    /// The next ``rejected(generation:status:challenge:)`` answers this.
    public func decides(_ decision: RetryDecision) { decisions.append(decision) }

    /// Who watches ``states`` sees this.
    public nonisolated func becomes(_ state: TokenState) { watched.send(state) }

    /// Who reads ``events`` is told this.
    public nonisolated func happens(_ event: TokenEvent) { happened.send(event) }

    // MARK: - What the app's code calls

    public nonisolated var states: AsyncStream<TokenState> { watched.stream() }
    public nonisolated var events: AsyncStream<TokenEvent> { happened.stream() }

    public func authorize(method: String, url: URL) async throws -> Authorization {
        let call = "authorize \(method) \(url)"
        calls.append(call)
        guard !isSignedOut else { throw TokenwardError.signInRequired(reason: "signed_out") }
        let authorization: Authorization
        if turns.isEmpty {
            guard let token else { throw ScriptEnded(call: call) }
            authorization = Authorization(header: "Bearer \(token)", generation: 0)
        } else {
            authorization = try await play(turns.removeFirst())
        }
        becomes(.signedIn)
        return authorization
    }

    public nonisolated func isRefusal(status: Int) -> Bool { [401, 403].contains(status) }

    public func rejected(generation: UInt64, status: Int, challenge: String?) async throws -> RetryDecision {
        let call = "rejected \(generation) \(status)"
        calls.append(call)
        guard !decisions.isEmpty else { throw ScriptEnded(call: call) }
        return decisions.removeFirst()
    }

    public func install(_ token: IssuedToken) {
        calls.append("install")
        isSignedOut = false
        becomes(.signedIn)
        happens(.refreshed(generation: generation))
    }

    public func signIn() async throws {
        calls.append("signIn")
        let failure = turns.firstIndex { if case .failure = $0.result { true } else { false } }
        if let failure { _ = try await play(turns.remove(at: failure)) }
        isSignedOut = false
        becomes(.signedIn)
    }

    public func signOut(revoking: Bool) {
        calls.append(revoking ? "signOut revoking" : "signOut")
        isSignedOut = true
        becomes(.signedOut)
        happens(.signedOut)
    }

    public func renew() { calls.append("renew") }
    public func retry() { calls.append("retry") }
    public func reload() { calls.append("reload") }

    private func play(_ turn: Turn) async throws -> Authorization {
        if turn.after > 0 { try await Task.sleep(nanoseconds: UInt64(turn.after * 1e9)) }
        return try turn.result.get()
    }
}
