internal import Foundation

/// The core's manager and its copy in storage: every change of the first that outlives the process goes through
/// here.
struct Vault: Sendable {
    let core: CoreManager
    let storage: any TokenStorage
    let clock: any TokenClock
    private let claim: StorageClaim
    private let state = Locked(State())
    private let signing = Locked(Signing())

    /// Held while storage and the core are compared and while they are cleared: no step stands on both sides of a
    /// sign-out.
    private struct Signing: Sendable {
        /// Grows with each sign-out and the sign-in after it: what began before leaves nothing behind.
        var session = 0
        /// Signed out, here or by another process, and nobody has signed in since.
        var isOut = false
    }

    private struct State: Sendable {
        var key: Data?
        /// Storage was read, whatever was in it.
        var wasRead = false
        /// The bytes in storage are ours: read or written.
        var wasStored = false
        /// The revision that was last read or written. The manager's own may be ahead: a 401 raises it unwritten.
        var known: UInt64 = 0
        /// A token or an announcement is yet to be written.
        var isOwed = false
        /// How often someone signed in or out, and how much of that is in storage. What is not yet wins over whatever is
        /// found there.
        var decisions = (taken: 0, stored: 0)
        var isDecided: Bool { decisions.taken > decisions.stored }
        /// The bytes in storage are another manager's, and its own to keep.
        var isForeign = false
    }

    /// What became of a transaction.
    struct Report<Result: Sendable>: Sendable {
        let result: Swift.Result<Result, any Error>
        /// Nothing was read or written; the manager goes on from memory.
        var failure: TokenwardError?
        /// Another process emptied the storage that both share.
        var signedOutElsewhere = false
    }

    init(core: CoreManager, storage: any TokenStorage, clock: any TokenClock) {
        self.core = core
        self.storage = storage
        self.clock = clock
        claim = StorageClaim(storage)
    }

    /// Storage was read at least once: what the manager knows is all there is.
    var wasRead: Bool { state.current.wasRead }

    /// Whether something is to be written. A 401 or `renew` alone is not worth it where storage is shared: it would
    /// stand over what another process has announced there, or even stored.
    var owes: Bool {
        get throws { try storage.isShared ? state.current.isOwed : core.unpersisted(all: true) != nil }
    }

    func owe() { state.with { $0.isOwed = true } }

    var session: Int { signing.current.session }

    var isSignedOut: Bool { signing.current.isOut }

    /// Takes what storage has that is newer, and writes what storage has not; `owing`: a token that must get there.
    func sync(in session: Int, owing: Bool = false) async -> Report<Void> {
        if owing { owe() }
        return await transact(in: session) {}
    }

    /// `sync` with a step in between. Where storage fails the step runs all the same, in memory; where someone has
    /// signed out since the session began it does not. `isSignIn`: it counts whatever storage holds.
    func transact<Result: Sendable>(
        in session: Int, isSignIn: Bool = false, _ step: @escaping @Sendable () throws -> Result
    ) async -> Report<Result> {
        let outcome = Locked<Report<Result>?>(nil)
        let written = Locked<(revision: UInt64, stored: UInt64)?>(nil)
        let settled = Locked(0)

        @Sendable func run(_ signing: inout Signing, _ reading: Reading) -> Report<Result> {
            let isOver = signing.session != session
            if reading.isRestored { signing.isOut = false }
            if reading.signedOutElsewhere { signing = Signing(session: signing.session + 1, isOut: true) }
            let result = Swift.Result {
                guard !isOver, isSignIn || !reading.signedOutElsewhere else { throw TokenwardError.signedOut }
                return try step()
            }
            if isSignIn, case .success = result {
                signing.isOut = false
                state.with { $0.decisions.taken += 1 }
            }
            return Report(result: result, failure: reading.fault, signedOutElsewhere: reading.signedOutElsewhere)
        }

        guard await claim.isTaken() else {
            return Report(result: .failure(TokenwardError.configuration(code: "storage_in_use", fact: nil)))
        }
        do {
            let key = try await sealKey()
            try await storage.transact { current in
                signing.with { signing in
                    outcome.current = run(&signing, reconcile(current, key))
                    let decided = state.current.decisions.taken
                    guard !state.current.isForeign, (try? owes) == true, let revision = try? core.unpersisted(all: true),
                        let bytes = try? core.snapshot(now: clock.now(), wall: clock.wall(), all: true, key: key),
                        // A `renew` in between may have made the snapshot newer than what was asked for.
                        let stored = try? snapshotRevision(key: key, snapshot: bytes)
                    else {
                        guard signing.isOut, state.current.isDecided, !state.current.isForeign else { return .keep }
                        settled.current = decided
                        return .delete
                    }
                    (written.current, settled.current) = ((revision, stored), decided)
                    return .replace(bytes)
                }
            }
            if try core.unpersisted(all: true) == nil { state.with { $0.isOwed = false } }
            if let written = written.current {
                try core.persisted(all: true, revision: written.revision)
                state.with { ($0.wasStored, $0.known, $0.isOwed) = (true, written.stored, false) }
            }
            state.with {
                $0.decisions.stored = max($0.decisions.stored, settled.current)
                if settled.current > 0 && written.current == nil { $0.wasStored = false }
            }
        } catch {
            var report = outcome.current ?? signing.with { run(&$0, Reading()) }
            report.failure = error as? TokenwardError ?? .storage(code: "storage_failed", underlying: error)
            return report
        }
        return outcome.current ?? Report(result: .failure(TokenwardError.internal), failure: .internal)
    }

    /// Wipes memory, and has what is stored deleted by the next transaction. An answer that comes later finds nothing
    /// that it could write.
    func signOut() throws {
        try signing.with {
            $0 = Signing(session: $0.session + 1, isOut: true)
            try forget()
            state.with {
                ($0.wasStored, $0.isOwed) = (false, false)
                $0.decisions.taken += 1
            }
        }
    }

    /// Ends the signed-out state.
    func signIn() {
        signing.with { if $0.isOut { $0 = Signing(session: $0.session + 1) } }
    }

    private func forget() throws {
        try core.clear()
        if let revision = try core.unpersisted(all: true) { try core.persisted(all: true, revision: revision) }
    }

    private func sealKey() async throws -> Data {
        if let key = state.current.key { return key }
        let key = try await storage.sealKey()
        state.with { $0.key = key }
        return key
    }

    private struct Reading {
        var fault: TokenwardError?
        var isRestored = false
        var signedOutElsewhere = false
    }

    /// Restores what is newer than what we have; answers a `Reload`.
    private func reconcile(_ current: Data?, _ key: Data) -> Reading {
        var reading = Reading()
        do {
            let wasStored = state.with { state in
                defer { (state.wasRead, state.wasStored) = (true, current != nil) }
                return state.wasStored
            }
            if state.current.isDecided {
                try answerReload()
                return reading
            }
            guard let current else {
                state.with { $0.isForeign = false }
                if wasStored && storage.isShared {
                    reading.signedOutElsewhere = true
                    try forget()
                } else {
                    try answerReload()
                }
                return reading
            }
            let revision = try snapshotRevision(key: key, snapshot: current)
            if revision > state.current.known {
                try core.restore(now: clock.now(), wall: clock.wall(), floor: 0, key: key, snapshot: current)
                // What was owed is of an earlier state: it must not stand over what was just read.
                state.with { ($0.known, $0.isOwed) = (revision, false) }
                reading.isRestored = true
            } else {
                try answerReload()
            }
        } catch CoreError.Input(let code, _, _), CoreError.Capacity(let code, _) {
            // Damaged or of another key: as good as nothing, and written over.
            reading.fault = .storage(code: code, underlying: nil)
            state.with { $0.isForeign = code == "foreign_snapshot" }
            try? answerReload()
        } catch {
            reading.fault = .internal
        }
        return reading
    }

    /// Storage holds nothing newer. A wait for another process's request goes on.
    private func answerReload() throws {
        if case .reload = try core.poll(now: clock.now()).next { try core.reloaded() }
    }
}
