public import Foundation

#if canImport(FoundationNetworking)
    public import FoundationNetworking
#endif

/// Settings of a ``TokenManager``.
public struct TokenManagerOptions: Sendable {
    /// Bytes that an access token may have at most.
    public var accessCapacity: UInt32 = 4096
    /// Bytes that a refresh token may have at most.
    public var refreshCapacity: UInt32 = 4096
    /// Seconds that a token request may take, and that a caller waits for a backoff.
    public var requestTimeout: TimeInterval = 30
    /// Says that this program runs on a server, or that its users may have the credentials. In an app they
    /// will be found: everybody can read what an app is made of.
    public var dangerouslyAllowServerOnlyCredentials = false

    public init() {}
}

/// Keeps one token of one provider and identity alive, and writes the `Authorization` field.
///
/// ```swift
/// let manager = try TokenManager(
///     provider: TokenProvider(.flipEnergySiteByBackend),
///     identity: TokenIdentity(site: "site-1", baseUrl: "https://api.flip.example"),
///     source: .backend { try await myServer.siteToken() })
/// let (data, response) = try await URLSession.shared.data(for: request, authorizedBy: manager)
/// ```
///
/// Every rule is the Rust core's; this actor adds clock, network, storage, and that any number of callers cause one
/// token request. Errors are ``TokenwardError``, or `CancellationError` for a caller that was cancelled.
public actor TokenManager {
    /// How often shared storage is looked at while another process refreshes, in milliseconds.
    static let glance: UInt64 = 200

    /// The provider that the manager was made with.
    public nonisolated let provider: TokenProvider
    /// Whose token it keeps.
    public nonisolated let identity: TokenIdentity

    let core: CoreManager
    let source: TokenSource
    let vault: Vault
    let transport: any TokenTransport
    let clock: any TokenClock
    let timeout: TimeInterval
    let policy: RefreshPolicy
    let announcements = Announcements()

    /// The session whose token request or supply is under way.
    private var flight: Int?
    private var waiting: [UInt64: CheckedContinuation<Void, any Error>] = [:]
    private var lastWaiter: UInt64 = 0
    /// Tokens that the core has and storage has not yet: nobody gets them before. Persist, then use.
    var persisting = 0
    /// Until then no refresh is due: `authorize` need not ask.
    private var quietUntil: UInt64 = 0
    /// When a source that failed may be asked again, and how often it has failed.
    var supplyAt: UInt64 = 0
    var supplyFailures: UInt64 = 0

    /// - Parameters:
    ///   - provider: The token service.
    ///   - identity: What is known at run time alone: a site, a base URL, an account.
    ///   - source: Where tokens come from.
    ///   - storage: Keeps the state over a restart; by default nothing does.
    ///   - transport: Carries the requests to the token endpoint.
    ///   - options: Sizes and times.
    /// - Throws: ``TokenwardError/configuration(code:fact:)``: `server_only` where the provider's credentials do not
    ///   belong into an app, `invalid_provider` with the fact that cannot work;
    ///   ``TokenwardError/incompatibleLibrary(expected:found:)``.
    public init(
        provider: TokenProvider, identity: TokenIdentity = TokenIdentity(), source: TokenSource,
        storage: any TokenStorage = MemoryTokenStorage(), transport: any TokenTransport = URLSessionTransport(),
        options: TokenManagerOptions = TokenManagerOptions()
    ) throws(TokenwardError) {
        try self.init(
            provider: provider, identity: identity, source: source, storage: storage, transport: transport,
            options: options, clock: SystemClock())
    }

    init(
        provider: TokenProvider, identity: TokenIdentity = TokenIdentity(), source: TokenSource,
        storage: any TokenStorage, transport: any TokenTransport, options: TokenManagerOptions,
        clock: any TokenClock
    ) throws(TokenwardError) {
        let storage = if case .fixed = source { MemoryTokenStorage() as any TokenStorage } else { storage }
        core = try bridged {
            try CoreManager(
                now: clock.now(), provider: provider, identity: identity, accessCapacity: options.accessCapacity,
                refreshCapacity: options.refreshCapacity, seed: .random(in: 0 ... .max),
                sharedStorage: storage.isShared, allowServerOnly: options.dangerouslyAllowServerOnlyCredentials)
        }
        self.provider = provider
        self.identity = identity
        policy = provider.policy ?? RefreshPolicy()
        self.source = source
        self.transport = transport
        self.clock = clock
        timeout = options.requestTimeout
        vault = Vault(core: core, storage: storage, clock: clock)
    }

    deinit {
        announcements.finish()
    }

    // MARK: - Using a token

    /// The `Authorization` field for one request. Waits for a token if there is none that may be sent; a refresh
    /// that is merely due runs in the background.
    ///
    /// - Throws: ``TokenwardError/notAllowed(code:)`` before anything is sent, where the token may not go there;
    ///   otherwise why there is no token.
    public func authorize(method: String, url: URL) async throws -> Authorization {
        // A token that lives shorter than a caller takes to wake is asked for again, but not for ever.
        for _ in 0..<3 {
            if let authorization = try lend(method, url.absoluteString) {
                refreshAhead()
                return authorization
            }
            try await obtain()
        }
        throw TokenwardError.temporarilyUnavailable(retryAfter: nil)
    }

    /// The request with its `Authorization` field, and the generation of the token for
    /// ``rejected(generation:status:challenge:)``.
    public func authorize(_ request: URLRequest) async throws -> AuthorizedRequest {
        guard let url = request.url else { throw TokenwardError.notAllowed(code: "bad_url") }
        let authorization = try await authorize(method: request.httpMethod ?? "GET", url: url)
        var authorized = request
        authorized.setValue(authorization.header, forHTTPHeaderField: "Authorization")
        return AuthorizedRequest(request: authorized, generation: authorization.generation)
    }

    /// Tells of a resource server's refusal, and asks whether to send the request again, once, authorized anew.
    ///
    /// - Parameters:
    ///   - generation: Which token the request carried.
    ///   - status: Of the answer.
    ///   - challenge: Its `WWW-Authenticate` field; several of them with a line feed between them.
    /// - Throws: Why there is no new token, where one was needed.
    public func rejected(generation: UInt64, status: Int, challenge: String?) async throws -> RetryDecision {
        let retry = try bridgedNow {
            try core.rejected(now: $0, generation: generation, status: UInt32(clamping: status), challenge: challenge)
        }
        quietUntil = 0
        switch retry {
        case .now: return .retry
        case .afterRefresh:
            try await obtain()
            return .retry
        case .surface(let reason, let retryAt):
            if case .backend = source, reason == .noToken || reason == .revoked {
                try await obtain()
                return .retry
            }
            // A token that has ended must not come back with the next start.
            if try bridgedNow({ _ in try vault.owes }) { note(await vault.sync(in: vault.session)) }
            announcements.send(.rejected(reason: reason))
            let now = clock.now()
            return .surface(
                reason: reason, retryAfter: retryAt.map { TimeInterval($0 - min($0, now)) / 1000 })
        }
    }

    // MARK: - Changing it

    /// Keeps a token that someone else obtained, in place of what is kept: a sign-in.
    ///
    /// - Throws: ``TokenwardError/badAnswer(code:)``: it is refused, and the token that was good stays good.
    public func install(_ token: IssuedToken) async throws {
        try await keep(token, in: vault.session, isSignIn: true)
    }

    func keep(_ token: IssuedToken, in session: Int, isSignIn: Bool = false) async throws {
        persisting += 1
        defer { wasPersisted() }
        let report = await vault.transact(in: session, isSignIn: isSignIn) { [core, clock, vault] in
            defer { vault.owe() }
            return switch token.content {
            case .members(let access, let type, let seconds, let refresh):
                try core.install(
                    now: clock.now(), wall: clock.wall(), accessToken: access, tokenType: type, expiresIn: seconds,
                    refreshToken: refresh)
            case .json(let object):
                try core.installJson(now: clock.now(), wall: clock.wall(), token: object)
            }
        }
        quietUntil = 0
        note(report)
        do {
            stored(try report.result.get())
        } catch CoreError.Input(let code, _, _), CoreError.Capacity(let code, _) {
            throw TokenwardError.badAnswer(code: code)
        } catch {
            throw TokenwardError(error)
        }
    }

    /// Ends the signed-out state and obtains a token, as the source has it: after ``signOut()`` only this and
    /// ``install(_:)`` do.
    ///
    /// - Throws: Why there is no token.
    public func signIn() async throws {
        vault.signIn()
        (quietUntil, supplyAt, supplyFailures) = (0, 0, 0)
        repeat { try await obtain() } while persisting > 0
    }

    /// Wipes the token from memory and storage. A token request that is out comes to nothing, and no other is sent
    /// until ``signIn()`` or ``install(_:)``; whoever waits for a token is told `signed_out`.
    ///
    /// - Throws: ``TokenwardError/storage(code:underlying:)``: it is gone from memory, but not from storage; the next
    ///   call tries again.
    public func signOut() async throws {
        try bridgedNow { _ in try vault.signOut() }
        (quietUntil, supplyAt, supplyFailures, flight) = (0, 0, 0, nil)
        wake(.failure(TokenwardError.signedOut))
        announcements.send(.signedOut)
        let report = await vault.sync(in: vault.session)
        _ = try bridgedNow { _ in try report.result.get() }
        if let failure = report.failure { throw failure }
    }

    /// A refresh is due now; the token stays usable meanwhile. Starts it.
    public func renew() throws {
        try bridgedNow { _ in try core.renew() }
        quietUntil = 0
        refreshAhead()
    }

    /// Lifts a failure that waits for someone to act: the credentials were mended.
    public func retry() throws {
        try bridgedNow { _ in try core.retry() }
        (quietUntil, supplyAt, supplyFailures) = (0, 0, 0)
    }

    // MARK: - Watching it

    /// What the manager is at. Asks storage, never the token service.
    public func status() async throws -> TokenStatus {
        let report = !vault.wasRead || vault.storage.isShared ? await vault.sync(in: vault.session) : nil
        if let report { note(report) }
        if vault.isSignedOut { return TokenStatus(isUsable: false, next: .supply(id: 0, reason: .noToken), changesIn: nil) }
        try bridgedNow { _ in try report?.result.get() }
        return try bridgedNow { now in
            let poll = try core.poll(now: now)
            return TokenStatus(
                isUsable: poll.usable, next: poll.next,
                changesIn: poll.pollAt.map { TimeInterval($0 - min($0, now)) / 1000 })
        }
    }

    /// What happens from now on: a stream of its own for each reader, which ends with the manager.
    public nonisolated var events: AsyncStream<TokenEvent> { announcements.stream() }

    // MARK: - One flight for all

    private func lend(_ method: String, _ url: String) throws(TokenwardError) -> Authorization? {
        guard persisting == 0 else { return nil }
        do {
            let line = try core.authorize(now: clock.now(), method: method, url: url)
            guard let authorization = Authorization(line: line) else { throw TokenwardError.internal }
            return vault.isSignedOut ? nil : authorization
        } catch CoreError.State("not_usable", _) {
            return nil
        } catch CoreError.NotAllowed(let code, _), CoreError.Input(let code, _, _) {
            throw .notAllowed(code: code)
        } catch {
            throw .internal
        }
    }

    private func refreshAhead() {
        if flight != vault.session && clock.now() >= quietUntil { takeOff() }
    }

    /// Waits for the flight that is under way, or for a new one. Who is cancelled stops waiting; the flight goes on,
    /// for the server may have rotated the refresh token already.
    private func obtain() async throws {
        try Task.checkCancellation()
        if flight != vault.session && persisting == 0 { takeOff() }
        lastWaiter += 1
        let waiter = lastWaiter
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiting[waiter] = $0 }
        } onCancel: {
            Task { await self.leave(waiter) }
        }
    }

    private func leave(_ waiter: UInt64) {
        waiting.removeValue(forKey: waiter)?.resume(throwing: CancellationError())
    }

    private func takeOff() {
        let session = vault.session
        flight = session
        Task { [self] in
            let result: Result<Void, any Error>
            do {
                try await fly(in: session)
                result = .success(())
            } catch {
                result = .failure(error)
            }
            land(result, in: session)
        }
    }

    private func land(_ result: Result<Void, any Error>, in session: Int) {
        // Of an earlier session: whoever waits waits for the next one.
        guard flight == session else { return }
        flight = nil
        quietUntil = nextLook(after: result)
        wake(result)
    }

    func wasPersisted() {
        persisting -= 1
        if flight == nil { wake(.success(())) }
    }

    private func wake(_ result: Result<Void, any Error>) {
        let waiters = waiting.values
        waiting = [:]
        for waiter in waiters { waiter.resume(with: result) }
    }

    /// When a refresh may be due again, or something that failed be tried again.
    private func nextLook(after result: Result<Void, any Error>) -> UInt64 {
        let now = clock.now()
        let soon = now + policy.firstBackoffMs
        do {
            let poll = try core.poll(now: now)
            if try vault.owes { return soon }
            switch (poll.next, result) {
            case (.request, .success): return now
            case (.request, .failure), (.reload, _): return soon
            case (.supply, _) where supplyAt > now: return supplyAt
            // Another process that refreshes is done long before its time is up.
            case (.wait, _) where vault.storage.isShared: return now + Self.glance
            default: return poll.pollAt ?? .max
            }
        } catch {
            return soon
        }
    }

    func bridgedNow<T>(_ call: (UInt64) throws -> T) throws(TokenwardError) -> T {
        do {
            return try call(clock.now())
        } catch {
            throw TokenwardError(error)
        }
    }

    func note<T>(_ report: Vault.Report<T>) {
        if let failure = report.failure { announcements.send(.storageFailed(code: failure.code)) }
        if report.signedOutElsewhere { announcements.send(.signedOut) }
    }

    func stored(_ generation: UInt64) {
        (supplyAt, supplyFailures) = (0, 0)
        announcements.send(.refreshed(generation: generation))
    }
}

extension TokenManager: CustomReflectable {
    public nonisolated var customMirror: Mirror {
        Mirror(self, showing: ["provider": provider.name, "identity": identity])
    }
}
