public import Foundation

/// Why there is no token or no header, named by what the caller should do. Contains no token and no body.
///
/// A cancelled caller gets Swift's own `CancellationError`.
public enum TokenwardError: Error, Sendable {
    /// The user, or whoever supplies tokens, has to act: `no_token`, `refresh_token_rejected`, `grant_rejected`,
    /// `revoked`, `damaged`, `stored_too_long`, `signed_out`. `answer` is what the service said, if that is the reason.
    case signInRequired(reason: String, answer: ServiceAnswer? = nil)
    /// Provider, credentials or their registration are wrong: `server_only`, `invalid_provider` with the fact that
    /// cannot work, `invalid_argument` likewise, `wrong_credentials`, `invalid_client`, `storage_in_use` … `answer` is what the
    /// service said, if that is the reason.
    case configuration(code: String, fact: String? = nil, answer: ServiceAnswer? = nil)
    /// The token may not be sent there: `origin_not_allowed`, `unknown_route`, `route_needs_other_token`,
    /// `other_site`, `bad_url`.
    case notAllowed(code: String)
    /// No token came while the caller waited (``TokenManagerOptions/requestTimeout``). The next attempt is in
    /// `retryAfter` seconds, if that is known. `answer` is the service's last one; `underlying` is what the network, the app's
    /// backend or storage threw instead.
    case temporarilyUnavailable(
        retryAfter: TimeInterval?, answer: ServiceAnswer? = nil, underlying: (any Error)? = nil)
    /// The closure that asks for credentials failed.
    case transport(underlying: any Error)
    /// The token could not be stored: `storage_locked`, `storage_failed`, `foreign_snapshot` …
    case storage(code: String, underlying: (any Error)?)
    /// The token endpoint's answer was refused: `not_json`, `invalid_access_token`, `too_long` …
    case badAnswer(code: String)
    /// The native library is of another version than this package.
    case incompatibleLibrary(expected: String, found: String)
    /// A bug in tokenward.
    case `internal`
}

extension TokenwardError {
    /// The rule in snake_case, the same in every language.
    public var code: String {
        switch self {
        case .signInRequired(let reason, _): reason
        case .configuration(let code, _, _), .notAllowed(let code), .storage(let code, _), .badAnswer(let code): code
        case .temporarilyUnavailable: "temporarily_unavailable"
        case .transport: "transport"
        case .incompatibleLibrary: "incompatible_library"
        case .internal: "internal"
        }
    }

    /// What the token service answered instead of a token, if that is the reason.
    public var answer: ServiceAnswer? {
        switch self {
        case .signInRequired(_, let answer), .configuration(_, _, let answer), .temporarilyUnavailable(_, let answer, _): answer
        default: nil
        }
    }

    /// Whether the same call may succeed later without anyone doing anything.
    public var isRetryable: Bool {
        switch self {
        case .temporarilyUnavailable, .transport, .storage, .badAnswer: true
        case .signInRequired, .configuration, .notAllowed, .incompatibleLibrary, .internal: false
        }
    }
}

extension TokenwardError: LocalizedError {
    /// One sentence that says what to do.
    public var errorDescription: String? {
        switch self {
        case .signInRequired("signed_out", _): "Sign in: you signed out."
        case .configuration("storage_in_use", _, _):
            "Use the manager that keeps this storage, or let go of it first: one storage serves one manager."
        case .configuration("refused", _, let answer?):
            "Ask the service's operator: it answers \(answer.status) and gives no token."
        case .temporarilyUnavailable(_, let answer?, _): "Try again later: the token service answered \(answer.status)."
        case .temporarilyUnavailable: "Try again later: the token service is not to be reached."
        case .transport: "Try again: there are no credentials."
        case .storage("storage_locked", _): "Try again when the device is unlocked or the other process is done."
        case .storage("storage_failed", _): "Check the storage: the token could not be kept."
        case .incompatibleLibrary(let expected, let found):
            "Link the tokenward library \(expected): this one is \(found)."
        case .configuration(let code, let fact?, _):
            "\((try? errorSentence(code: code)) ?? code) (\(fact))"
        default: (try? errorSentence(code: code)) ?? code
        }
    }
}

extension TokenwardError: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { code }
    public var debugDescription: String { "TokenwardError(\(code))" }
    /// The underlying error is not shown: it may be an app's own and hold anything.
    public var customMirror: Mirror { Mirror(self, showing: ["code": code]) }
}

/// A call over the bridge, after a look at the library's version. What it throws is a ``TokenwardError``.
func bridged<T>(_ call: () throws -> T) throws(TokenwardError) -> T {
    try Library.check()
    do {
        return try call()
    } catch {
        throw TokenwardError(error)
    }
}

extension TokenwardError {
    /// What the bridge refused, outside of reading an answer or writing a header.
    init(_ error: any Error) {
        self =
            switch error {
            case let error as TokenwardError: error
            case CoreError.Input(let code, _, let fact): .configuration(code: code, fact: fact)
            case CoreError.NotAllowed(let code, _), CoreError.Capacity(let code, _), CoreError.State(let code, _):
                .configuration(code: code, fact: nil)
            default: .internal
            }
    }

    /// What the bridge refused of a token that someone handed over.
    init(refused error: any Error) {
        switch error {
        case CoreError.Input(let code, _, _), CoreError.Capacity(let code, _): self = .badAnswer(code: code)
        default: self.init(error)
        }
    }

    static let signedOut = Self.signInRequired(reason: "signed_out")

    /// Why `poll` wants something supplied.
    init(supply reason: TokenReason, _ answer: ServiceAnswer? = nil) {
        switch reason {
        case .noToken, .refreshTokenRejected, .grantRejected, .revoked, .damaged, .tooLong:
            self = .signInRequired(reason: reason.code, answer: answer)
        default: self = .configuration(code: reason.code, answer: answer)
        }
    }
}

/// The native library under this package.
enum Library {
    /// This package's version: that of the Rust workspace.
    static let version = "0.1.0"

    private static let found = Tokenward.version()

    static func check(expected: String = version) throws(TokenwardError) {
        guard found == expected else { throw .incompatibleLibrary(expected: expected, found: found) }
    }
}
