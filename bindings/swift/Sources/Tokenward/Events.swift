public import Foundation

/// What happened to a manager's token. Holds no token.
public enum TokenEvent: Sendable, Hashable {
    /// There is a new one.
    case refreshed(generation: UInt64)
    /// No new token comes without a person or the app: a sign-in, another token, mended configuration. Told once for each
    /// reason until there is a token.
    case needsSignIn(reason: TokenReason)
    /// A resource server refused a token, and asking again would not help.
    case rejected(reason: TokenReason)
    /// The state could not be kept; it is tried again.
    case storageFailed(code: String)
    case signedOut
}

/// Whether to send a refused request again.
public enum RetryDecision: Sendable, Hashable {
    /// Once, authorized anew.
    case retry
    /// Hand the refusal on. The same one will be answered otherwise after `retryAfter` seconds, if that comes by itself.
    case surface(reason: TokenReason, retryAfter: TimeInterval? = nil)
}

/// What a manager is at.
public struct TokenStatus: Sendable, Hashable {
    /// Whether the token may be sent now.
    public let isUsable: Bool
    public let next: TokenNext
    /// Seconds until this changes by itself; `nil`: never.
    public let changesIn: TimeInterval?
}

/// The streams of one manager's readers.
final class Announcements: Sendable {
    private let readers = Locked<[UUID: AsyncStream<TokenEvent>.Continuation]>([:])

    func stream() -> AsyncStream<TokenEvent> {
        let (stream, continuation) = AsyncStream.makeStream(of: TokenEvent.self, bufferingPolicy: .bufferingNewest(64))
        let id = UUID()
        continuation.onTermination = { [readers] _ in readers.with { _ = $0.removeValue(forKey: id) } }
        readers.with { $0[id] = continuation }
        return stream
    }

    func send(_ event: TokenEvent) {
        for reader in readers.current.values { reader.yield(event) }
    }

    func finish() {
        for reader in readers.current.values { reader.finish() }
    }
}
