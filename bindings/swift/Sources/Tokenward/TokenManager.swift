public import Foundation

/// Settings of a ``TokenManager``.
public struct TokenManagerOptions: Sendable {
    /// The longest access token, in bytes.
    public var accessCapacity: UInt32 = 4096
    /// The longest refresh token, in bytes.
    public var refreshCapacity: UInt32 = 4096
    /// How long, in seconds, a caller waits in total for another attempt or another process; with 0 it is told at once that
    /// there is no token.
    public var requestTimeout: TimeInterval = 30
    /// Says that this program runs on a server, or that its users may have the credentials. In an app they
    /// will be found: anyone can take an app apart.
    public var dangerouslyAllowServerOnlyCredentials = false
    /// A clock in place of the system's.
    public var clock: any TokenClock = SystemClock()

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
/// All rules live in the Rust core; this actor adds the clock, the network and storage, and makes any number of callers share one
/// token request. Errors are ``TokenwardError``, or `CancellationError` for a caller that was cancelled.
public actor TokenManager: TokenKeeper {
    /// The provider that the manager was made with.
    public nonisolated let provider: TokenProvider
    /// Whose token it keeps.
    public nonisolated let identity: TokenIdentity

    let core: CoreManager
    private let headerName: String
    let source: TokenSource
    let vault: Vault
    let transport: any TokenTransport
    let clock: any TokenClock
    /// Milliseconds that a token request or a program that is asked for a token takes at most: the policy's.
    let timeout: UInt64
    private let patience: UInt64
    let announcements = Announcements<TokenEvent>()
    private let looks = Announcements<TokenState>(present: .noToken)

    /// What was told to need a person since a token came.
    var told: Set<TokenReason> = []
    /// Until then `poll` says what it said last: that there is nothing to do.
    private var pollAt: UInt64 = 0
    /// The flight that is under way; what an earlier one brings counts no more.
    private(set) var flight: UInt64?
    private var lastFlight: UInt64 = 0
    /// The flight that has a request out, or asks the app for a token.
    private var busy: UInt64?
    /// An instant of the clock, and which time of day it is.
    private var deadline: (instant: UInt64, date: Date)?
    private var waiting: [UInt64: Waiter] = [:]
    private var lastWaiter: UInt64 = 0
    private var settling: Task<TokenwardError?, Never>?
    private var sleeper: Task<Void, Never>?

    private struct Waiter {
        let until: UInt64
        let continuation: CheckedContinuation<Void, any Error>
    }

    /// - Parameters:
    ///   - provider: The token service.
    ///   - identity: What is known only at run time: a site, a base URL, an account.
    ///   - source: Where tokens come from.
    ///   - storage: Keeps the state across restarts; by default nothing does. If two live managers share one storage, the second
    ///     throws `storage_in_use` at its first use.
    ///   - transport: Carries the requests to the token endpoint.
    ///   - options: Sizes and times.
    /// - Throws: ``TokenwardError/configuration(code:fact:answer:)``: `server_only` if the provider's credentials do not
    ///   belong in an app, `invalid_provider` with the fact that cannot work;
    ///   ``TokenwardError/incompatibleLibrary(expected:found:)``.
    public init(
        provider: TokenProvider, identity: TokenIdentity = TokenIdentity(), source: TokenSource,
        storage: any TokenStorage = MemoryTokenStorage(), transport: any TokenTransport = URLSessionTransport(),
        options: TokenManagerOptions = TokenManagerOptions()
    ) throws(TokenwardError) {
        let clock = options.clock
        let isFixed = if case .fixed = source { true } else { false }
        let storage = isFixed ? MemoryTokenStorage() : storage
        // A full disk is noticed before a refresh token is spent.
        let record = StorageRecord(
            shared: storage.isShared, all: true, slots: 1, floor: 0, proveRoom: storage is FileTokenStorage)
        core = try bridged {
            try CoreManager(
                now: clock.now(), provider: provider, identity: identity, accessCapacity: options.accessCapacity,
                refreshCapacity: options.refreshCapacity, seed: .random(in: 0 ... .max),
                allowServerOnly: options.dangerouslyAllowServerOnlyCredentials,
                options: OptionsRecord(
                    storage: isFixed ? nil : record, source: source.program(for: .noToken) == nil ? .person : .program))
        }
        headerName = try bridged { [core] in try core.headerName() }
        self.provider = provider
        self.identity = identity
        self.source = source
        self.transport = transport
        self.clock = clock
        timeout = (provider.policy ?? RefreshPolicy()).responseTimeoutMs
        // For ever is 30 years.
        patience = UInt64(min(max(options.requestTimeout, 0), 1e9) * 1000)
        vault = Vault(core: core, storage: storage, clock: clock, announcements: announcements)
    }

    deinit {
        announcements.finish()
        looks.finish()
    }

    // MARK: - Using a token

    public func authorize(method: String, url: URL) async throws -> Authorization {
        var now = clock.now()
        let until = now + patience
        // A token that lives shorter than a caller takes to wake is asked for again, but not for ever.
        for _ in 0..<3 {
            if let authorization = try lend(now, method, url.absoluteString) {
                if now >= pollAt { refreshAhead() }
                return authorization
            }
            try await obtain(until: until)
            now = clock.now()
        }
        throw TokenwardError.temporarilyUnavailable(retryAfter: nil)
    }

    public nonisolated func isRefusal(status: Int) -> Bool {
        (try? core.isRefusal(status: UInt32(clamping: status))) == true
    }

    public func rejected(generation: UInt64, status: Int, challenge: String?) async throws -> RetryDecision {
        let until = clock.now() + patience
        guard !isSignedOut else {
            try await obtain(until: until)
            return .retry
        }
        let retry = try bridgedNow {
            try core.rejected(now: $0, generation: generation, status: UInt32(clamping: status), challenge: challenge)
        }
        switch retry {
        case .now: return .retry
        case .afterRefresh:
            try await obtain(until: until)
            return .retry
        case .surface(let reason, let retryAt):
            announcements.send(.rejected(reason: reason))
            return .surface(reason: reason, retryAfter: seconds(until: retryAt))
        }
    }

    // MARK: - Changing it

    public func install(_ token: IssuedToken) async throws {
        try await vault.claimed()
        try await signedIn { try take(token) }
    }

    /// Somebody signs in with what the closure hands to the core: a generation, or nothing yet.
    func signedIn(_ hand: () throws -> UInt64?) async throws {
        let taken: UInt64?
        do {
            taken = try vault.isSignedOut.with { isSignedOut in
                let generation = try hand()
                if generation != nil { isSignedOut = false }
                return generation
            }
        } catch CoreError.State("stale_request", _) {
            throw superseded
        } catch {
            throw TokenwardError(refused: error)
        }
        guard let generation = taken else { return }
        await settle()
        guard !isSignedOut else { throw TokenwardError.signedOut }
        refreshed(generation)
        wake(.success(()))
        changed()
    }

    /// Somebody has signed out, or in, while somebody else was at it.
    var superseded: TokenwardError { isSignedOut ? .signedOut : .notAllowed(code: "stale_request") }

    /// Hands a token to the core, as that which a supply brought or as one that nobody asked for.
    func take(_ token: IssuedToken, supply: UInt64? = nil) throws -> UInt64 {
        let (now, wall) = (clock.now(), clock.wall())
        switch (token.content, supply) {
        case (.members(let access, let type, let seconds, let refresh, let life), let id?):
            return try core.supplied(
                now: now, wall: wall, id: id, accessToken: access, tokenType: type, expiresIn: seconds,
                refreshToken: refresh, refreshExpiresIn: life)
        case (.members(let access, let type, let seconds, let refresh, let life), nil):
            return try core.install(
                now: now, wall: wall, accessToken: access, tokenType: type, expiresIn: seconds, refreshToken: refresh,
                refreshExpiresIn: life)
        case (.json(let object), let id?): return try core.suppliedJson(now: now, wall: wall, id: id, token: object)
        case (.json(let object), nil): return try core.installJson(now: now, wall: wall, token: object)
        }
    }

    public func signIn() async throws {
        vault.isSignedOut.current = false
        try retry()
        try await obtain(until: clock.now() + patience)
    }

    public func signOut(revoking: Bool) async throws {
        try await vault.claimed()
        let credentials = revoking ? await credentialsToRevoke() : nil
        var revocation: CoreRequest?
        try vault.isSignedOut.with { isSignedOut in
            if let credentials {
                revocation = self.revocation(credentials)
            } else {
                try bridgedNow { _ in try core.clear() }
            }
            isSignedOut = true
            announcements.send(.signedOut)
        }
        (flight, busy) = (nil, nil)
        look()
        wake(.failure(TokenwardError.signedOut))
        sleeper?.cancel()
        let failure = await settle()
        // Who is cancelled only stops waiting.
        if let revocation { await Task { await revoke(revocation) }.value }
        if let failure { throw failure }
    }

    public func renew() throws {
        try bridgedNow { _ in try core.renew() }
        changed()
    }

    public func retry() throws {
        try bridgedNow { _ in try core.retry() }
        changed()
    }

    public func reload() throws {
        try bridgedNow { _ in try core.reload() }
        changed()
    }

    // MARK: - Watching it

    /// The current status. Reads storage and never contacts the token service; but if storage is shared and a refresh is due,
    /// that is announced there and the refresh is sent.
    public func status() async throws -> TokenStatus {
        try await vault.claimed()
        try lookForSignIn()
        await settle()
        if isSignedOut {
            return TokenStatus(isUsable: false, next: .supply(id: 0, reason: .noToken), changesIn: nil, signInWithin: nil)
        }
        let poll = try bridgedNow { try core.poll(now: $0) }
        // Others wait for what was announced.
        if vault.storage.isShared, poll.next == .request(grant: .refreshToken) { refreshAhead() }
        return TokenStatus(
            isUsable: poll.usable, next: poll.next, changesIn: seconds(until: poll.pollAt),
            signInWithin: seconds(until: poll.signInBy))
    }

    public nonisolated var events: AsyncStream<TokenEvent> { announcements.stream() }

    public nonisolated var states: AsyncStream<TokenState> {
        Task { [weak self] in _ = try? await self?.status() }
        return looks.stream()
    }

    // MARK: - One flight for all

    private func lend(_ now: UInt64, _ method: String, _ url: String) throws(TokenwardError) -> Authorization? {
        guard !isSignedOut else { return nil }
        do {
            let line = try core.authorize(now: now, method: method, url: url)
            guard let authorization = Authorization(name: headerName, line: line) else { throw TokenwardError.internal }
            return authorization
        } catch CoreError.State("not_usable", _) {
            return nil
        } catch CoreError.NotAllowed(let code, _), CoreError.Input(let code, _, _) {
            throw .notAllowed(code: code)
        } catch {
            throw .internal
        }
    }

    /// Starts a flight where something can be done that nobody has to wait for.
    private func refreshAhead() {
        guard flight == nil, let poll = try? core.poll(now: clock.now()) else { return }
        switch poll.next {
        case .load, .store, .request: takeOff()
        case .supply(_, let reason) where source.program(for: reason) != nil: takeOff()
        default: pollAt = poll.pollAt ?? .max
        }
    }

    /// Something has changed that a flight did not bring.
    private func changed() {
        sleeper?.cancel()
        refreshAhead()
    }

    /// Sleeps for whoever waits, until `poll` may answer otherwise; `false`: that is later than anybody waits.
    func nap(until pollAt: UInt64, orThrow error: TokenwardError) async -> Bool {
        for (waiter, waiting) in waiting where waiting.until < pollAt { leave(waiter, error) }
        guard !waiting.isEmpty else { return false }
        let sleeper = Task { [clock] in await clock.sleep(until: pollAt) }
        self.sleeper = sleeper
        await sleeper.value
        return true
    }

    /// Does what `poll` says of storage, one at a time, to its end or until it fails; why that was.
    @discardableResult func settle() async -> TokenwardError? {
        var failure: TokenwardError?
        while failure == nil, let task = settling ?? (vault.isDue ? Task { [vault] in await vault.settle() } : nil) {
            settling = task
            failure = await task.value
            pollAt = 0
            if settling == task { settling = nil }
            if busy == nil { look() }
        }
        return failure
    }

    /// Tells who watches the state how things stand.
    private func look() {
        guard let poll = try? core.poll(now: clock.now()) else { return }
        let state: TokenState =
            if isSignedOut {
                .signedOut
            } else if busy != nil {
                .refreshing(isUsable: poll.usable)
            } else if case .supply(_, let reason) = poll.next, source.program(for: reason) == nil {
                .needsSignIn(reason: reason, isUsable: poll.usable, signInBy: signInBy(poll))
            } else {
                poll.usable ? .signedIn : .noToken
            }
        looks.send(state)
    }

    /// By when a person is needed: the same time of day however often it is asked for.
    func signInBy(_ poll: PollRecord) -> Date? {
        let ends = [poll.signInBy, poll.usable ? poll.pollAt : nil].compactMap { $0 }
        guard let by = ends.min(), let remaining = seconds(until: by), remaining > 0 else { return nil }
        if deadline?.instant != by { deadline = (by, Date(timeIntervalSince1970: TimeInterval(clock.wall()) + remaining)) }
        return deadline?.date
    }

    /// A flight asks for a token, whoever is asked.
    func asks(_ flight: UInt64) {
        busy = flight
        look()
    }

    func hasAsked(_ flight: UInt64) {
        if busy == flight { busy = nil }
        look()
    }

    var isSignedOut: Bool { vault.isSignedOut.current }

    /// Another process may have signed in since somebody signed out.
    func lookForSignIn() throws {
        if isSignedOut && vault.storage.isShared { try bridgedNow { _ in try core.reload() } }
    }

    /// Waits for the flight that is under way, or for a new one. Who is cancelled stops waiting; the flight goes on,
    /// for the server may have rotated the refresh token already.
    private func obtain(until: UInt64) async throws {
        try Task.checkCancellation()
        if flight == nil { takeOff() }
        lastWaiter += 1
        let waiter = lastWaiter
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiting[waiter] = Waiter(until: until, continuation: $0) }
        } onCancel: {
            Task { await self.leave(waiter, CancellationError()) }
        }
    }

    private func leave(_ waiter: UInt64, _ error: any Error) {
        waiting.removeValue(forKey: waiter)?.continuation.resume(throwing: error)
        // A flight sleeps for whoever waits.
        if waiting.isEmpty { sleeper?.cancel() }
    }

    private func takeOff() {
        lastFlight += 1
        let number = lastFlight
        flight = number
        Task { [self] in
            let result: Result<Void, any Error>
            do {
                try await fly(number)
                result = .success(())
            } catch {
                result = .failure(error)
            }
            // Of before a sign-out: whoever waits waits for the next one.
            guard flight == number else { return }
            (flight, pollAt) = (nil, 0)
            look()
            wake(result)
        }
    }

    private func wake(_ result: Result<Void, any Error>) {
        let waiters = waiting.values
        waiting = [:]
        for waiter in waiters { waiter.continuation.resume(with: result) }
    }

    func seconds(until instant: UInt64?) -> TimeInterval? {
        let now = clock.now()
        return instant.map { TimeInterval($0 - min($0, now)) / 1000 }
    }

    /// A call of the core's, after which `poll` may say something else.
    func bridgedNow<T>(_ call: (UInt64) throws -> T) throws(TokenwardError) -> T {
        pollAt = 0
        do {
            return try call(clock.now())
        } catch {
            throw TokenwardError(error)
        }
    }

    func refreshed(_ generation: UInt64) {
        told = []
        announcements.send(.refreshed(generation: generation))
    }
}

extension TokenManager: CustomReflectable {
    public nonisolated var customMirror: Mirror {
        Mirror(self, showing: ["provider": provider.name, "identity": identity])
    }
}
