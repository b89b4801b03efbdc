internal import Foundation
import Testing
@testable import Tokenward
import TokenwardTesting

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

/// Who is signed in: a sign-out leaves nothing behind, and only a sign-in ends it.
@Suite struct SignOut {
    private func generation(_ manager: TokenManager, _ demo: Demo) async throws -> UInt64 {
        try await manager.authorize(method: "GET", url: demo.url("/v2/transactions")).generation
    }

    private func lent(_ manager: TokenManager, _ demo: Demo) async throws -> String {
        try await manager.authorize(method: "GET", url: demo.url("/v2/transactions")).header
    }

    /// A closure of the app's that takes its time: Face ID, a prompt, a slow vault.
    private final class Slow: Sendable {
        private let state = Locked((asked: 0, open: false))
        var asked: Int { state.current.asked }

        func open() { state.with { $0.open = true } }

        func answer<T>(_ value: T) async throws -> T {
            state.with { $0.asked += 1 }
            while !state.current.open { try await Task.sleep(nanoseconds: 1_000_000) }
            return value
        }
    }

    @Test func while_the_app_is_asked_for_credentials_leaves_nothing_behind() async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        let (slow, credentials, file) = (Slow(), demo.credentials, folder.file("token"))
        let manager = try TokenManager(
            provider: demo.provider(.fluteSandbox), source: .credentials { try await slow.answer(credentials) },
            storage: FileTokenStorage(path: file, sealKey: testKey), options: serverOptions)
        let caller = Task { try await generation(manager, demo) }
        try await eventually { slow.asked == 1 }
        try await manager.signOut()
        // Nobody waits for an answer that counts no more.
        #expect(await code { try await caller.value } == "signed_out")
        slow.open()
        try await Task.sleep(nanoseconds: 200_000_000)
        #expect(try await demo.log().isEmpty)
        #expect(try await manager.status().isUsable == false)
        #expect(try isTombstone(Data(contentsOf: file), key: testKey, manager.provider))
        try await manager.signIn()
        #expect(try await generation(manager, demo) == 1)
    }

    @Test func while_the_backend_is_asked_for_a_token_leaves_nothing_behind() async throws {
        let (demo, folder) = (try Demo("flip_energy"), try Folder())
        let (slow, file) = (Slow(), folder.file("token"))
        let manager = try TokenManager(
            provider: demo.provider(.flipEnergySiteByBackend), identity: TokenIdentity(site: "site-1"),
            source: .backend { try await slow.answer(IssuedToken(accessToken: "late", expiresIn: 3600)) },
            storage: FileTokenStorage(path: file, sealKey: testKey))
        let devices = demo.url("/v1/site/site-1/devices")
        let caller = Task { try await manager.authorize(method: "GET", url: devices) }
        try await eventually { slow.asked == 1 }
        try await manager.signOut()
        #expect(await code { try await caller.value } == "signed_out")
        slow.open()
        try await Task.sleep(nanoseconds: 200_000_000)
        #expect(try await manager.status().isUsable == false)
        #expect(try isTombstone(Data(contentsOf: file), key: testKey, manager.provider, manager.identity))
    }

    @Test func while_a_token_is_installed_wins() async throws {
        let demo = try Demo("flute")
        let storage = FailingStorage()
        let manager = try fluteManager(demo, storage: storage)
        storage.isHeld = true
        let installing = Task { try await manager.install(IssuedToken(accessToken: "late", expiresIn: 3600)) }
        try await eventually { try await manager.core.generation() == 1 }
        let leaving = Task { try await manager.signOut() }
        try await eventually { await manager.isSignedOut }
        storage.isHeld = false
        #expect(await code { try await installing.value } == "signed_out")
        try await leaving.value
        #expect(try isTombstone(storage.bytes, key: storage.key, manager.provider))
        #expect(await code { try await generation(manager, demo) } == "signed_out")
    }

    @Test(arguments: [false, true])
    func is_ended_by_a_sign_in_alone(isInstalled: Bool) async throws {
        let demo = try Demo("flute")
        let storage = FailingStorage()
        let manager = try fluteManager(demo, storage: storage)
        #expect(try await generation(manager, demo) == 1)
        var events = manager.events.makeAsyncIterator()
        try await manager.signOut()
        #expect(await events.next() == .signedOut)
        // The credentials are there, and nobody has asked for them to be used.
        for _ in 0..<3 { #expect(await code { try await generation(manager, demo) } == "signed_out") }
        #expect(await code { try await manager.rejected(generation: 1, status: 401, challenge: nil) } == "signed_out")
        try await manager.renew()
        try await manager.retry()
        let request = URLRequest(url: demo.url("/v2/transactions"))
        #expect(await code { try await URLSession.shared.data(for: request, authorizedBy: manager) } == "signed_out")
        let status = try await manager.status()
        #expect(status == TokenStatus(isUsable: false, next: .supply(id: 0, reason: .noToken), changesIn: nil, signInWithin: nil))
        #expect(try await demo.tokenRequests().count == 1)
        #expect(try isTombstone(storage.bytes, key: storage.key, manager.provider))
        if isInstalled {
            try await manager.install(IssuedToken(accessToken: "installed", expiresIn: 3600))
            #expect(try await lent(manager, demo) == "Bearer installed")
        } else {
            try await manager.signIn()
        }
        #expect(try await generation(manager, demo) == 2)
        #expect(try await manager.status().isUsable)
        #expect(try !isTombstone(storage.bytes, key: storage.key, manager.provider))
    }

    @Test func a_sign_in_of_another_process_is_one_here_too() async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        let managers = try (0..<2).map { _ in
            try fluteManager(
                demo,
                storage: Elsewhere(FileTokenStorage(path: folder.file("token"), sealKey: testKey, shared: true)))
        }
        for manager in managers { #expect(try await generation(manager, demo) == 1) }
        try await managers[0].signOut()
        // An app that comes to the foreground.
        try await managers[1].reload()
        #expect(try await managers[1].status().isUsable == false)
        #expect(await code { try await generation(managers[1], demo) } == "signed_out")
        try await managers[0].install(IssuedToken(accessToken: "theirs", expiresIn: 3600))
        #expect(try await lent(managers[1], demo) == "Bearer theirs")
        #expect(try await demo.tokenRequests().count == 1)
    }

    // MARK: - While storage cannot be read

    private func kept(
        _ storage: FailingStorage, _ demo: Demo, _ clock: any TokenClock = SystemClock()
    ) throws -> TokenManager {
        try fluteManager(demo, storage: Elsewhere(storage), clock: clock)
    }

    @Test(arguments: [false, true])
    func an_install_while_storage_is_locked_outlives_what_is_in_it(isShared: Bool) async throws {
        let (demo, storage, clock) = (try Demo("flute"), FailingStorage(shared: isShared), HandClock())
        let before = try kept(storage, demo, clock)
        for _ in 0..<3 {
            try await before.install(IssuedToken(accessToken: "of-a", expiresIn: 3600, refreshToken: "refresh-a"))
        }
        let manager = try kept(storage, demo, clock)
        storage.failure = .locked
        try await manager.install(IssuedToken(accessToken: "of-b", expiresIn: 3600, refreshToken: "refresh-b"))
        #expect(try await lent(manager, demo) == "Bearer of-b")
        storage.failure = .none
        clock.advance(seconds: 400)
        #expect(try await manager.status().isUsable)
        #expect(try await lent(manager, demo) == "Bearer of-b")
        try await eventually { try await lent(try kept(storage, demo, clock), demo) == "Bearer of-b" }
    }

    @Test func a_sign_out_while_storage_is_locked_outlives_what_is_in_it() async throws {
        let (demo, storage, clock) = (try Demo("flute"), FailingStorage(), HandClock())
        let before = try kept(storage, demo, clock)
        try await before.install(IssuedToken(accessToken: "of-a", expiresIn: 3600, refreshToken: "refresh-a"))
        let manager = try kept(storage, demo, clock)
        storage.failure = .locked
        #expect(await code { try await manager.signOut() } == "storage_locked")
        storage.failure = .none
        clock.advance(seconds: 10)
        #expect(await code { try await lent(manager, demo) } == "signed_out")
        #expect(try isTombstone(storage.bytes, key: storage.key, manager.provider), "a later call writes what it could not")
        // Nor does a sign-in bring the other user back.
        let again = try kept(storage, demo, clock)
        try await again.install(IssuedToken(accessToken: "of-a", expiresIn: 3600, refreshToken: "refresh-a"))
        storage.failure = .locked
        #expect(await code { try await again.signOut() } == "storage_locked")
        storage.failure = .none
        try await again.signIn()
        #expect(try await lent(again, demo) != "Bearer of-a")
        #expect(try await lent(try kept(storage, demo, clock), demo) == lent(again, demo))
    }

    @Test func a_status_after_a_restart_is_that_of_storage() async throws {
        let (demo, storage) = (try Demo("flute"), FailingStorage())
        try await kept(storage, demo).install(IssuedToken(accessToken: "of-a", expiresIn: 3600))
        let status = try await kept(storage, demo).status()
        #expect(status.isUsable && status.next == .nothing)
        storage.failure = .locked
        #expect(try await kept(storage, demo).status().isUsable == false)
        #expect(try await demo.log().isEmpty)
    }
}
