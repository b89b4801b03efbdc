public import Foundation

/// The code that a person enters on another device, and where (RFC 8628).
public struct DeviceCode: Sendable, Hashable {
    public let userCode: String
    public let verificationURI: String
    /// The same with the code in it, for a QR code.
    public let verificationURIComplete: String?
    /// How long the code is valid, in seconds.
    public let expiresIn: TimeInterval?
}

/// What a person is asked in a browser (RFC 6749 section 4.1.1).
public struct AuthorizationRequest: Sendable {
    /// What to open.
    public let url: URL
    fileprivate let signIn: BrowserSignIn

    /// Whether a callback answers this request. Anyone can forge one: if not, go on waiting for the right one.
    public func isAnswered(by callback: URL) -> Bool { (try? signIn.answer(callback)) != nil }
}

extension AuthorizationRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "AuthorizationRequest(\(redacted))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, showing: [:]) }
}

/// A sign-in of the core's, and what it was answered.
private final class BrowserSignIn: Sendable {
    let core: CoreSignIn
    private let manager: CoreManager
    /// An error ends the sign-in: it is read once.
    private let read = Locked<(callback: URL, answer: CallbackRecord)?>(nil)

    init(_ core: CoreSignIn, _ manager: CoreManager) {
        (self.core, self.manager) = (core, manager)
    }

    func answer(_ callback: URL) throws -> CallbackRecord {
        try read.with { read in
            if let read, read.callback == callback { return read.answer }
            let answer = try core.callback(manager: manager, url: callback.absoluteString)
            if case .error = answer { read = (callback, answer) }
            return answer
        }
    }
}

extension TokenManager {
    /// Has a person sign in in a browser (RFC 6749 section 4.1, with PKCE), and keeps the token. The provider names
    /// ``TokenProvider/authorizationUrl``; the source provides the client id.
    ///
    /// ```swift
    /// try await manager.signIn(redirectURI: "com.example.app:/callback") { request in
    ///     try await myBrowser.open(request.url) // the URL that it comes back with
    /// }
    /// ```
    ///
    /// Cancelling the caller keeps what is `pending`; a request in flight is completed.
    ///
    /// - Parameters:
    ///   - redirectURI: A scheme of the app's own, `https`, or `http` to the loopback interface.
    ///   - pending: A storage of its own that keeps the sign-in for ten minutes, so that it survives a restart between browser
    ///     and callback: ``resumeSignIn(callback:pending:)``. It is as secret as a token.
    ///   - browser: Opens a URL and returns the one that leads back to the app.
    /// - Throws: What `browser` throws; ``TokenwardError/signInRequired(reason:answer:)`` with the service's code if the
    ///   person or the service says no, or with `signed_out` if somebody signs out meanwhile;
    ///   ``TokenwardError/notAllowed(code:)`` for a callback that does not belong to this sign-in, or with `stale_request` if
    ///   somebody else signs in meanwhile.
    public func signIn(
        redirectURI: String, pending: (any TokenStorage)? = nil,
        browser: @Sendable (AuthorizationRequest) async throws -> URL
    ) async throws {
        try await vault.claimed()
        let ready = try await prepare()
        let signIn = BrowserSignIn(try bridged { try CoreSignIn(random: randomKey(), redirectUri: redirectURI) }, core)
        let address = try bridged { try signIn.core.url(manager: core, clientId: ready.credentials.clientId) }
        guard let url = URL(string: address) else { throw TokenwardError.configuration(code: "bad_url") }
        try await toItsEnd { [core, clock] in
            try await kept(pending) { access, key in
                try access.write(bridged { try signIn.core.seal(manager: core, wall: clock.wall(), key: key) })
            }
        }
        let callback: URL
        do {
            callback = try await browser(AuthorizationRequest(url: url, signIn: signIn))
        } catch let error as CancellationError {
            // The callback may come to the next process.
            throw error
        } catch {
            try await toItsEnd { try await kept(pending) { access, _ in try access.write(Data()) } }
            throw error
        }
        try await toItsEnd { try await self.present(signIn, callback, ready, pending) }
    }

    /// Completes a sign-in that was begun before a restart, with the URL that the browser came back with. Its code is sent
    /// once: what is `pending` is deleted first.
    ///
    /// - Throws: ``TokenwardError/notAllowed(code:)`` for a callback that does not belong to this sign-in, `stale_request` if
    ///   none is pending; ``TokenwardError/signInRequired(reason:answer:)`` if what is pending cannot be used, such as
    ///   `sign_in_expired`, or the service says no.
    public func resumeSignIn(callback: URL, pending: any TokenStorage) async throws {
        try await vault.claimed()
        try await toItsEnd {
            let signIn = try await kept(pending) { [core = self.core, clock = self.clock] access, key in
                let stored = try found(access)
                do {
                    let resumed = try CoreSignIn.resumed(manager: core, wall: clock.wall(), key: key, stored: stored)
                    return BrowserSignIn(resumed, core)
                } catch {
                    try access.write(Data())
                    throw TokenwardError.signInRequired(reason: TokenwardError(error).code)
                }
            }
            guard let signIn else { return }
            try await self.present(signIn, callback, self.prepare(), pending)
        }
    }

    /// Sends the code of a callback, once: whoever deletes what is stored does.
    private func present(
        _ signIn: BrowserSignIn, _ callback: URL, _ ready: Prepared, _ pending: (any TokenStorage)?
    ) async throws {
        let answer: CallbackRecord
        do {
            answer = try signIn.answer(callback)
        } catch {
            throw TokenwardError.notAllowed(code: TokenwardError(error).code)
        }
        let delete = { @Sendable in
            try await kept(pending) { access, _ in
                _ = try found(access)
                try access.write(Data())
            }
        }
        if case .error(let code, _, _) = answer {
            _ = try await delete()
            throw TokenwardError.signInRequired(reason: code)
        }
        // A key that does not sign leaves the code to another try.
        let ready = try await signed(ready)
        _ = try await delete()
        try bridged { try signIn.core.deleted() }
        let (request, now) = try bridgedNow { now in
            let request = try signIn.core.begin(
                now: now, manager: core, clientId: ready.credentials.clientId,
                clientSecret: ready.credentials.clientSecret, bearer: ready.bearer?.token,
                assertion: ready.assertion, values: listed(ready.credentials.values),
                url: callback.absoluteString)
            return (request, now)
        }
        let response = try await exchange(request, now)
        try await signedIn {
            try generation(
                of: signIn.core.answer(
                    now: clock.now(), manager: core, status: UInt32(clamping: response.status), body: response.body,
                    wall: clock.wall()), response.status)
        }
    }

    /// Has a person sign in on another device (RFC 8628), and keeps the token. The provider names
    /// ``TokenProvider/devicePath``; the source provides the client id.
    ///
    /// - Parameter show: Shows the code, once.
    /// - Throws: What `show` throws; ``TokenwardError/signInRequired(reason:answer:)`` with `expired_token`, or with the
    ///   service's code if the person or the service says no; otherwise as
    ///   ``signIn(redirectURI:pending:browser:)``.
    public func signInOnAnotherDevice(show: @Sendable (DeviceCode) async throws -> Void) async throws {
        try await vault.claimed()
        let ready = try await prepare()
        let device = try bridged { try CoreDevice(memory: 8192) }
        try bridgedNow { try device.start(now: $0, random: randomKey()) }
        var refused = TokenwardError.signInRequired(reason: "expired_token")
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
                guard let (request, now) = try begin(device, try await signed(ready)) else { continue }
                do {
                    try await toItsEnd { try await self.ask(device, request, now) }
                } catch let error as TokenwardError {
                    // Nobody has seen a code yet: whoever waits is told. Otherwise `poll` says whether that was the end.
                    if poll.userCode.isEmpty { throw error }
                    if case .signInRequired = error { refused = error }
                }
            case .wait, .await: await clock.sleep(until: poll.pollAt ?? .max)
            case .done: return
            case .off: throw superseded
            case .expired: throw TokenwardError.signInRequired(reason: "expired_token")
            case .denied: throw refused
            }
        }
    }

    /// One request of a device authorization: for a code, or for what became of it; `nil` where `poll` has something else to
    /// say by now.
    private func begin(_ device: CoreDevice, _ ready: Signed) throws -> (CoreRequest, UInt64)? {
        try bridgedNow { now in
            do {
                let request = try device.begin(
                    now: now, manager: core, clientId: ready.credentials.clientId,
                    clientSecret: ready.credentials.clientSecret, bearer: ready.bearer?.token,
                    assertion: ready.assertion, values: listed(ready.credentials.values))
                return (request, now)
            } catch CoreError.State("not_due", _) {
                return nil
            }
        }
    }

    private func ask(_ device: CoreDevice, _ request: CoreRequest, _ now: UInt64) async throws {
        let id = try bridged { try request.id() }
        let response: TransportResponse
        do {
            response = try await exchange(request, now)
        } catch {
            try? device.failed(now: clock.now(), manager: core, requestId: id)
            throw error
        }
        try await signedIn {
            let outcome = try device.answer(
                now: clock.now(), manager: core, requestId: id, status: UInt32(clamping: response.status),
                headers: response.headers.flatMap { [$0.name, $0.value] }, body: response.body, wall: clock.wall())
            guard case .outcome(let outcome) = outcome else { return nil }
            return try generation(of: outcome, response.status)
        }
    }

    private func exchange(_ request: CoreRequest, _ now: UInt64) async throws -> TransportResponse {
        do {
            return try await send(request, begunAt: now)
        } catch {
            throw error as? TokenwardError ?? .temporarilyUnavailable(retryAfter: nil, underlying: error)
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

/// Does something to its end, whoever is cancelled meanwhile: an answer may carry the only refresh token.
private func toItsEnd<T: Sendable>(_ act: @escaping @Sendable () async throws -> T) async throws -> T {
    let (ends, end) = AsyncThrowingStream.makeStream(of: T.self)
    Task {
        do {
            end.yield(try await act())
            end.finish()
        } catch {
            end.finish(throwing: error)
        }
    }
    for try await value in ends { return value }
    throw CancellationError()
}

/// Does something with what is kept of a sign-in over a restart; `nil` where nothing is to be kept.
private func kept<T: Sendable>(
    _ pending: (any TokenStorage)?, _ act: @escaping @Sendable (StorageAccess, _ key: Data) throws -> T
) async throws -> T? {
    guard let pending else { return nil }
    let done = Locked<Result<T, any Error>>(.failure(TokenwardError.storage(code: "storage_failed", underlying: nil)))
    do {
        let key = try await pending.sealKey()
        try await pending.locked { access in done.current = Result { try act(access, key) } }
        return try done.current.get()
    } catch {
        throw error as? TokenwardError ?? .storage(code: "storage_failed", underlying: error)
    }
}

/// A sign-in that is stored.
private func found(_ access: StorageAccess) throws -> Data {
    guard let stored = try access.read(), !stored.isEmpty else { throw TokenwardError.notAllowed(code: "stale_request") }
    return stored
}

#if canImport(AuthenticationServices) && (os(iOS) || os(macOS) || os(visionOS))
    public import AuthenticationServices

    extension TokenManager {
        /// The same in the system's own sheet, above `anchor`.
        public nonisolated func signIn(redirectURI: String, above anchor: ASPresentationAnchor) async throws {
            let sheet = await Sheet(anchor, scheme: redirectURI.split(separator: ":").first.map(String.init))
            try await signIn(redirectURI: redirectURI) { try await sheet.show($0.url) }
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
