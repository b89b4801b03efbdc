public import Foundation

/// What happened to a manager's token. Contains no token.
public enum TokenEvent: Sendable, Hashable {
    /// There is a new one.
    case refreshed(generation: UInt64)
    /// A token request, or the app's own closure in place of one, has failed. `code`: `refused`, see `answer`; what is
    /// wrong with the answer, such as `http_status` or `not_json`; `no_answer`: none came. It is tried again in
    /// `retryAfter` seconds; `nil`: not by itself, or at once.
    case refreshFailed(code: String, answer: ServiceAnswer?, retryAfter: TimeInterval?)
    /// There will be no new token without a sign-in, another token or fixed configuration. Reported once for each
    /// reason until there is a token. `signInBy` as in ``TokenState``.
    case needsSignIn(reason: TokenReason, signInBy: Date? = nil)
    /// A resource server refused a token, and asking again would not help.
    case rejected(reason: TokenReason)
    /// The state could not be stored; it is tried again.
    case storageFailed(code: String)
    /// You are signed out here, but the service may not have revoked the token. `code`: `refused`, see `answer`;
    /// `temporarily_unavailable`; `no_answer`: none came; or why nothing was asked.
    case revocationFailed(code: String, answer: ServiceAnswer?)
    case signedOut
}

extension TokenEvent {
    /// Whether something is wrong: an error, for a log.
    public var isProblem: Bool {
        switch self {
        case .refreshed, .signedOut: false
        case .refreshFailed, .needsSignIn, .rejected, .storageFailed, .revocationFailed: true
        }
    }

    /// One line for a log, in the words of every language: without a secret, and without the service's own words.
    public var logLine: String {
        switch self {
        case .refreshed(let generation): "token refreshed: generation \(generation)"
        case .refreshFailed(let code, let answer, let retryAfter):
            "token request failed: \(code)" + (answer.map { ", status \($0.status)" } ?? "")
                + (retryAfter.map { ", again in \(Int(min($0, 1e9))) s" } ?? "")
        case .needsSignIn(let reason, let by):
            "sign-in needed: \(reason.code)" + (by.map { ", by \(ISO8601DateFormatter().string(from: $0))" } ?? "")
        case .rejected(let reason): "token rejected: \(reason.code)"
        case .storageFailed(let code): "token storage failed: \(code)"
        case .revocationFailed(let code, let answer):
            "token not revoked: \(code)" + (answer.map { ", status \($0.status)" } ?? "")
        case .signedOut: "signed out"
        }
    }
}

#if canImport(os)
    public import os

    extension TokenKeeper {
        /// Writes what happens to `logger`, an error where something is wrong, until the task is cancelled or the manager ends.
        public func log(to logger: Logger) async {
            for await event in events {
                logger.log(level: event.isProblem ? .error : .info, "\(event.logLine, privacy: .public)")
            }
        }
    }
#endif

/// Whether to send a refused request again.
public enum RetryDecision: Sendable, Hashable {
    /// Once, authorized again.
    case retry
    /// Pass the refusal on. The same one would lead to a retry after `retryAfter` seconds; `nil`: it will not by itself.
    case surface(reason: TokenReason, retryAfter: TimeInterval? = nil)
}

/// What a manager is doing.
public struct TokenStatus: Sendable, Hashable {
    /// Whether the token may be sent now.
    public let isUsable: Bool
    public let next: TokenNext
    /// Seconds until this changes by itself; `nil`: never.
    public let changesIn: TimeInterval?
    /// Seconds within which somebody must sign in again, if the service says how long a refresh token lives.
    public let signInWithin: TimeInterval?
}

/// The streams of one manager's readers.
package final class Announcements<Value: Sendable & Equatable>: Sendable {
    private struct State {
        var readers: [UUID: AsyncStream<Value>.Continuation] = [:]
        /// What a new reader is told first, if values are states and no events.
        var present: Value?
    }

    private let state: Locked<State>

    package init(present: Value? = nil) {
        state = Locked(State(present: present))
    }

    package func stream() -> AsyncStream<Value> {
        let (stream, continuation) = AsyncStream.makeStream(of: Value.self, bufferingPolicy: .bufferingNewest(64))
        let id = UUID()
        continuation.onTermination = { [state] _ in state.with { _ = $0.readers.removeValue(forKey: id) } }
        state.with { state in
            if let present = state.present { continuation.yield(present) }
            state.readers[id] = continuation
        }
        return stream
    }

    package func send(_ value: Value) {
        state.with { state in
            if let present = state.present {
                guard present != value else { return }
                state.present = value
            }
            for reader in state.readers.values { reader.yield(value) }
        }
    }

    package func finish() {
        for reader in state.current.readers.values { reader.finish() }
    }
}
