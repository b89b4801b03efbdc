internal import Foundation

/// Does what `poll` says of storage: every load and every store of a manager goes through here.
struct Vault: Sendable {
    let core: CoreManager
    let storage: any TokenStorage
    let clock: any TokenClock
    let announcements: Announcements<TokenEvent>
    /// Signed out, here or by another process, and nobody has signed in since. Held while the core hears of either.
    let isSignedOut = Locked(false)
    private let claim: StorageClaim

    private enum Step: Sendable {
        case load(UInt64)
        case store(UInt64)
    }

    init(core: CoreManager, storage: any TokenStorage, clock: any TokenClock, announcements: Announcements<TokenEvent>) {
        self.core = core
        self.storage = storage
        self.clock = clock
        self.announcements = announcements
        claim = StorageClaim(storage)
    }

    /// The storage is this manager's, as it must be before anything changes.
    func claimed() async throws(TokenwardError) {
        guard await claim.isTaken() else { throw .configuration(code: "storage_in_use") }
    }

    /// `poll` says load or store.
    var isDue: Bool { step != nil }

    private var step: Step? {
        switch try? core.poll(now: clock.now()).next {
        case .load(let id): .load(id)
        case .store(let id, _): .store(id)
        default: nil
        }
    }

    /// Loads and stores under one lock until `poll` says neither; why that failed.
    func settle() async -> TokenwardError? {
        let (failure, isLent) = (Locked<TokenwardError?>(nil), Locked(false))
        do {
            let key = try await storage.sealKey()
            try await storage.locked { access in
                isLent.current = true
                while failure.current == nil, let step {
                    do { try take(step, access, key) } catch { failure.current = failed(step, error) }
                }
            }
            guard isLent.current else { throw TokenwardError.storage(code: "storage_failed", underlying: nil) }
        } catch {
            // The lock was not to be had.
            if let step { failure.current = failed(step, error) }
        }
        return failure.current
    }

    private func take(_ step: Step, _ access: StorageAccess, _ key: Data) throws {
        do {
            switch step {
            case .load(let id):
                let bytes = try access.read()
                try isSignedOut.with { isSignedOut in
                    switch try core.loaded(now: clock.now(), wall: clock.wall(), id: id, key: key, slots: [bytes]) {
                    case .signedOut:
                        if !isSignedOut { announcements.send(.signedOut) }
                        isSignedOut = true
                    case .taken: isSignedOut = false
                    case .empty, .known, .kept: break
                    }
                }
            case .store(let id):
                try access.write(core.snapshot(now: clock.now(), wall: clock.wall(), id: id, key: key))
                try core.stored(now: clock.now(), id: id)
            }
        } catch CoreError.State {
            // Something has changed: `poll` knows.
        } catch CoreError.Input(let code, _, _) where code != "invalid_argument" {
            announcements.send(.storageFailed(code: code))
        } catch CoreError.Capacity(let code, _) {
            announcements.send(.storageFailed(code: code))
        }
    }

    private func failed(_ step: Step, _ error: any Error) -> TokenwardError {
        switch step {
        case .load(let id): try? core.loadFailed(now: clock.now(), id: id)
        case .store(let id): try? core.storeFailed(now: clock.now(), id: id)
        }
        let failure =
            switch error {
            case let error as TokenwardError: error
            case let error as CoreError: TokenwardError(error)
            default: TokenwardError.storage(code: "storage_failed", underlying: error)
            }
        announcements.send(.storageFailed(code: failure.code))
        return failure
    }
}
