internal import Foundation

/// The core's manager and its copy in storage: every change of the first that outlives the process goes through
/// here.
struct Vault: Sendable {
    let core: CoreManager
    let storage: any TokenStorage
    let clock: any TokenClock
    private let state = Locked(State())

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
    }

    /// Storage was read at least once: what the manager knows is all there is.
    var wasRead: Bool { state.current.wasRead }

    /// Whether something is to be written. A 401 or `renew` alone is not worth it where storage is shared: it would
    /// stand over what another process has announced there, or even stored.
    var owes: Bool {
        get throws { try storage.isShared ? state.current.isOwed : core.unpersisted(all: true) != nil }
    }

    func owe() { state.with { $0.isOwed = true } }

    /// Takes what storage has that is newer, and writes what storage has not; `owing`: a token that must get there.
    func sync(owing: Bool = false) async -> Report<Void> {
        if owing { owe() }
        return await transact {}
    }

    /// `sync` with a step in between. Where storage fails the step runs all the same, in memory.
    func transact<Result: Sendable>(
        _ step: @escaping @Sendable () throws -> Result
    ) async -> Report<Result> {
        let outcome = Locked<Report<Result>?>(nil)
        let written = Locked<(revision: UInt64, stored: UInt64)?>(nil)
        do {
            let key = try await sealKey()
            try await storage.transact { current in
                let reading = reconcile(current, key)
                outcome.current = Report(
                    result: Swift.Result(catching: step), failure: reading.fault,
                    signedOutElsewhere: reading.signedOutElsewhere)
                guard !state.current.isForeign, (try? owes) == true, let revision = try? core.unpersisted(all: true),
                    let bytes = try? core.snapshot(now: clock.now(), wall: clock.wall(), all: true, key: key),
                    // A `renew` in between may have made the snapshot newer than what was asked for.
                    let stored = try? snapshotRevision(key: key, snapshot: bytes)
                else { return .keep }
                written.current = (revision, stored)
                return .replace(bytes)
            }
            if try core.unpersisted(all: true) == nil { state.with { $0.isOwed = false } }
            if let written = written.current {
                try core.persisted(all: true, revision: written.revision)
                state.with { ($0.wasStored, $0.known, $0.isOwed) = (true, written.stored, false) }
            }
        } catch {
            var report = outcome.current ?? Report(result: Swift.Result(catching: step))
            report.failure = error as? TokenwardError ?? .storage(code: "storage_failed", underlying: error)
            return report
        }
        return outcome.current ?? Report(result: .failure(TokenwardError.internal), failure: .internal)
    }

    /// Wipes memory and storage. An answer that comes later finds nothing that it could write.
    func clear() async throws {
        try core.clear()
        try await storage.transact { _ in
            // Another transaction may have restored what is about to be deleted.
            try? core.clear()
            if let revision = try? core.unpersisted(all: true) { try? core.persisted(all: true, revision: revision) }
            state.with { ($0.wasStored, $0.isOwed) = (false, false) }
            return .delete
        }
    }

    private func sealKey() async throws -> Data {
        if let key = state.current.key { return key }
        let key = try await storage.sealKey()
        state.with { $0.key = key }
        return key
    }

    private struct Reading {
        var fault: TokenwardError?
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
            guard let current else {
                if wasStored && storage.isShared {
                    reading.signedOutElsewhere = true
                    try core.clear()
                    if let revision = try core.unpersisted(all: true) {
                        try core.persisted(all: true, revision: revision)
                    }
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
