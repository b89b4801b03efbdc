public import Foundation

/// The code that a person enters on another device, and where (RFC 8628).
public struct DeviceCode: Sendable, Hashable {
    public let userCode: String
    public let verificationURI: String
    /// The same with the code in it, for a QR code.
    public let verificationURIComplete: String?
    /// Seconds that the code is good.
    public let expiresIn: TimeInterval?
}

extension TokenManager {
    /// Has a person sign in in a browser (RFC 6749 section 4.1, with PKCE), and keeps the token. The provider names
    /// ``TokenProvider/authorizationUrl``; the source brings the client id.
    ///
    /// ```swift
    /// try await manager.signIn(redirectURI: "com.example.app:/callback") { url in
    ///     try await myBrowser.open(url) // the URL that it comes back with
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - redirectURI: A scheme of the app's own, `https`, or `http` to the loopback interface.
    ///   - browser: Opens a URL, and brings the one that leads back to the app.
    /// - Throws: What `browser` throws; ``TokenwardError/signInRequired(reason:answer:)`` with the service's code, where the
    ///   person or the service says no; ``TokenwardError/notAllowed(code:)`` for a callback that is not of this sign-in.
    public func signIn(redirectURI: String, browser: @Sendable (URL) async throws -> URL) async throws {
        try await vault.claimed()
        let client = try await client()
        let random = Data((0..<32).map { _ in UInt8.random(in: .min ... .max) })
        let signIn = try bridged { try CoreSignIn(random: random, redirectUri: redirectURI) }
        let address = try bridged { try signIn.url(manager: core, clientId: client.clientId) }
        guard let url = URL(string: address) else { throw TokenwardError.configuration(code: "bad_url") }
        let callback = try await browser(url).absoluteString
        do {
            if case .error(let code, _, _) = try signIn.callback(manager: core, url: callback) {
                throw TokenwardError.signInRequired(reason: code)
            }
        } catch let error as CoreError {
            throw TokenwardError.notAllowed(code: TokenwardError(error).code)
        }
        let request = try bridgedNow { now in
            try signIn.begin(
                now: now, manager: core, clientId: client.clientId, clientSecret: client.clientSecret, bearer: nil,
                url: callback)
        }
        let response = try await answer(to: request)
        try await signedIn {
            try generation(
                of: signIn.answer(
                    now: clock.now(), manager: core, status: UInt32(clamping: response.status), body: response.body,
                    wall: clock.wall()), response.status)
        }
    }

    /// Has a person sign in on another device (RFC 8628), and keeps the token. The provider names
    /// ``TokenProvider/devicePath``; the source brings the client id.
    ///
    /// - Parameter show: Shows the code, once.
    /// - Throws: What `show` throws; ``TokenwardError/signInRequired(reason:answer:)`` with `expired_token`, or with the
    ///   service's code where the person or the service says no.
    public func signInOnAnotherDevice(show: @Sendable (DeviceCode) async throws -> Void) async throws {
        try await vault.claimed()
        let client = try await client()
        let device = try bridged { try CoreDevice(memory: 8192) }
        try bridgedNow { try device.start(now: $0) }
        var refused = "expired_token"
        while true {
            try Task.checkCancellation()
            let poll = try bridgedNow { try device.poll(now: $0, manager: core) }
            switch poll.next {
            case .show:
                try await show(
                    DeviceCode(
                        userCode: poll.userCode, verificationURI: poll.verificationUri,
                        verificationURIComplete: poll.verificationUriComplete,
                        expiresIn: seconds(until: poll.expiresAt)))
                try bridgedNow { try device.shown(now: $0, manager: core) }
            case .request:
                let request = try bridgedNow { now in
                    try device.begin(
                        now: now, manager: core, clientId: client.clientId, clientSecret: client.clientSecret, bearer: nil)
                }
                let id = try bridged { try request.id() }
                let response: TransportResponse
                do {
                    response = try await answer(to: request)
                } catch {
                    // Nobody has seen a code yet: whoever waits is told.
                    if poll.userCode.isEmpty { throw error }
                    try? device.failed(now: clock.now(), manager: core, requestId: id)
                    continue
                }
                do {
                    try await signedIn {
                        let outcome = try device.answer(
                            now: clock.now(), manager: core, requestId: id, status: UInt32(clamping: response.status),
                            headers: response.headers.flatMap { [$0.name, $0.value] }, body: response.body,
                            wall: clock.wall())
                        guard case .outcome(let outcome) = outcome else { return nil }
                        if case .error(let code, _, _) = outcome { refused = code }
                        return try generation(of: outcome, response.status)
                    }
                } catch {
                    // `poll` says whether that was the end.
                    if poll.userCode.isEmpty { throw error }
                }
            case .wait, .await: await clock.sleep(until: poll.pollAt ?? .max)
            case .done: return
            case .off: throw TokenwardError.signedOut
            case .expired: throw TokenwardError.signInRequired(reason: "expired_token")
            case .denied: throw TokenwardError.signInRequired(reason: refused)
            }
        }
    }

    /// The client's own credentials, which only this source brings.
    private func client() async throws -> Credentials {
        guard case .credentials(let ask) = source else { throw TokenwardError.configuration(code: "wrong_credentials") }
        do {
            return try await ask()
        } catch {
            throw error as? TokenwardError ?? TokenwardError.transport(underlying: error)
        }
    }

    private func answer(to request: CoreRequest) async throws -> TransportResponse {
        let fields = try bridged { try request.headers() }
        let (method, address, body) = try bridged { (try request.method(), try request.url(), try request.body()) }
        guard let url = URL(string: address) else { throw TokenwardError.internal }
        do {
            return try await transport.send(
                TransportRequest(
                    method: method, url: url,
                    headers: stride(from: 0, to: fields.count - 1, by: 2).map { (fields[$0], fields[$0 + 1]) },
                    body: body, timeout: TimeInterval(timeout) / 1000))
        } catch {
            throw TokenwardError.temporarilyUnavailable(retryAfter: nil, underlying: error)
        }
    }

    private func generation(of outcome: OutcomeRecord, _ status: Int) throws -> UInt64 {
        switch outcome {
        case .token(let generation): return generation
        case .error(let code, _, _):
            throw TokenwardError.signInRequired(reason: code, answer: ServiceAnswer(status: status, error: code))
        }
    }
}

#if canImport(AuthenticationServices) && (os(iOS) || os(macOS) || os(visionOS))
    public import AuthenticationServices

    extension TokenManager {
        /// The same in the system's own sheet, above `anchor`.
        public nonisolated func signIn(redirectURI: String, above anchor: ASPresentationAnchor) async throws {
            let sheet = await Sheet(anchor, scheme: redirectURI.split(separator: ":").first.map(String.init))
            try await signIn(redirectURI: redirectURI) { try await sheet.show($0) }
        }
    }

    /// The system's sheet, for one sign-in.
    @MainActor
    private final class Sheet: NSObject, ASWebAuthenticationPresentationContextProviding {
        private let anchor: ASPresentationAnchor
        private let scheme: String?
        private var session: ASWebAuthenticationSession?

        init(_ anchor: ASPresentationAnchor, scheme: String?) {
            (self.anchor, self.scheme) = (anchor, scheme)
        }

        func presentationAnchor(for session: ASWebAuthenticationSession) -> ASPresentationAnchor { anchor }

        func show(_ url: URL) async throws -> URL {
            try await withCheckedThrowingContinuation { continuation in
                let session = ASWebAuthenticationSession(url: url, callbackURLScheme: scheme) { callback, error in
                    switch callback {
                    case let callback?: continuation.resume(returning: callback)
                    case nil: continuation.resume(throwing: error ?? URLError(.userCancelledAuthentication))
                    }
                }
                session.presentationContextProvider = self
                self.session = session
                session.start()
            }
        }
    }
#endif
