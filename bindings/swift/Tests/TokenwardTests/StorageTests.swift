internal import Foundation
import Testing
@testable import Tokenward
import TokenwardTesting

@Suite struct Storage {
    private func generation(_ manager: TokenManager, _ demo: Demo) async throws -> UInt64 {
        try await manager.authorize(method: "GET", url: demo.url("/v2/transactions")).generation
    }

    private func read(_ storage: FileTokenStorage) async throws -> Data? {
        let found = Locked<Result<Data?, any Error>>(.success(nil))
        try await storage.locked { access in found.current = Result { try access.read() } }
        return try found.current.get()
    }

    @Test func a_restarted_process_goes_on_with_the_stored_token() async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        let file = folder.file("token")
        for _ in 0..<3 {
            let manager = try fluteManager(demo, storage: FileTokenStorage(path: file, sealKey: testKey))
            #expect(try await generation(manager, demo) == 1)
        }
        #expect(try await demo.tokenRequests().count == 1)
        let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() == ["token", "token.lock"])
    }

    @Test func nobody_gets_a_token_before_it_is_stored() async throws {
        let demo = try Demo("flute")
        let (storage, clock, transport) = (FailingStorage(), HandClock(), WatchedTransport())
        let manager = try fluteManager(demo, storage: storage, transport: transport, clock: clock)
        #expect(try await generation(manager, demo) == 1)
        clock.advance(seconds: 2881)
        transport.isHeld = true
        #expect(try await generation(manager, demo) == 1)
        try await eventually { transport.sent == 2 }
        storage.isHeld = true
        transport.isHeld = false
        try await eventually { try await manager.core.generation() == 2 }
        let caller = Task { try await generation(manager, demo) }
        try await Task.sleep(nanoseconds: 50_000_000)
        let before = storage.bytes
        storage.isHeld = false
        #expect(try await caller.value == 2)
        #expect(storage.bytes != before)
        let installing = Task { try await manager.install(IssuedToken(accessToken: "installed", expiresIn: 3600)) }
        for _ in 0..<100 { _ = try await generation(manager, demo) }
        try await installing.value
        #expect(try await generation(manager, demo) == 3)
    }

    @Test func a_token_that_cannot_be_written_is_used_and_written_later() async throws {
        let demo = try Demo("flute")
        let (storage, clock) = (FailingStorage(), HandClock())
        let manager = try fluteManager(demo, storage: storage, clock: clock)
        var events = manager.events.makeAsyncIterator()
        storage.failure = .full
        #expect(try await generation(manager, demo) == 1)
        #expect(await events.next() == .storageFailed(code: "storage_failed"))
        #expect(storage.bytes == nil)
        storage.failure = .none
        clock.advance(seconds: 400)
        #expect(try await generation(manager, demo) == 1)
        try await eventually { storage.bytes != nil }
        #expect(try await demo.tokenRequests().count == 1)
    }

    @Test func a_storage_that_locks_later_keeps_the_token_in_memory() async throws {
        let demo = try Demo("flute")
        let (storage, clock) = (FailingStorage(), HandClock())
        let manager = try fluteManager(demo, storage: storage, clock: clock)
        #expect(try await generation(manager, demo) == 1)
        storage.failure = .locked
        clock.advance(seconds: 3600)
        #expect(try await generation(manager, demo) == 2)
    }

    @Test func locked_is_not_empty() async throws {
        let demo = try Demo("flute")
        let storage = FailingStorage()
        storage.failure = .locked
        let hasty = try fluteManager(demo, storage: Elsewhere(storage), patience: 0)
        let patient = try fluteManager(demo, storage: storage)
        #expect(await cause { try await generation(hasty, demo) } == "storage_locked")
        let caller = Task { try await generation(patient, demo) }
        try await Task.sleep(nanoseconds: 50_000_000)
        #expect(try await demo.tokenRequests().isEmpty)
        storage.failure = .none
        #expect(try await caller.value == 1)
    }

    @Test func a_refresh_that_shared_storage_does_not_announce_is_not_sent() async throws {
        let demo = try Demo("flute")
        let (storage, clock) = (FailingStorage(shared: true), HandClock())
        let manager = try fluteManager(demo, storage: storage, clock: clock)
        #expect(try await generation(manager, demo) == 1)
        storage.failure = .full
        clock.advance(seconds: 3600)
        // Nor is one needed where the client itself may ask for a token.
        #expect(try await generation(manager, demo) == 2)
        #expect(try await demo.tokenRequests().map(\.grant_type) == ["client_credentials", "client_credentials"])
        storage.failure = .none
        clock.advance(seconds: 3600)
        #expect(try await generation(manager, demo) == 3)
        #expect(
            try await demo.tokenRequests().map(\.grant_type)
                == ["client_credentials", "client_credentials", "refresh_token"])
    }

    @Test func a_refresh_that_a_look_at_the_status_announces_is_sent() async throws {
        let demo = try Demo("flute")
        let (storage, clock) = (FailingStorage(shared: true), HandClock())
        let manager = try fluteManager(demo, storage: storage, clock: clock)
        #expect(try await generation(manager, demo) == 1)
        clock.advance(seconds: 3000)
        _ = try await manager.status()
        try await eventually(5) { try await demo.tokenRequests().map(\.grant_type).last == "refresh_token" }
    }

    @Test func a_refresh_that_nobody_can_replace_waits_for_shared_storage() async throws {
        let demo = try Demo("flute")
        let (storage, clock) = (FailingStorage(shared: true), HandClock())
        let manager = try fluteManager(demo, storage: storage, clock: clock, patience: 0) { $0.primaryGrant = nil }
        try await manager.install(IssuedToken(accessToken: "installed", expiresIn: 3600, refreshToken: "unknown"))
        storage.failure = .full
        clock.advance(seconds: 3600)
        #expect(await cause { try await generation(manager, demo) } == "storage_failed")
        #expect(try await demo.tokenRequests().isEmpty)
        storage.failure = .none
        clock.advance(seconds: 60)
        #expect(await code { try await generation(manager, demo) } == "refresh_token_rejected")
        #expect(try await demo.tokenRequests().map(\.grant_type) == ["refresh_token"])
    }

    @Test func a_sign_out_while_a_request_is_out_leaves_nothing_behind() async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        let (transport, file) = (WatchedTransport(), folder.file("token"))
        transport.isHeld = true
        let manager = try fluteManager(
            demo, storage: FileTokenStorage(path: file, sealKey: testKey), transport: transport)
        let caller = Task { try await generation(manager, demo) }
        try await eventually { transport.sent == 1 }
        try await manager.signOut()
        transport.isHeld = false
        #expect(await code { try await caller.value } == "signed_out")
        #expect(try await manager.status().isUsable == false)
        #expect(try isTombstone(Data(contentsOf: file), key: testKey, manager.provider))
        try await manager.signIn()
        #expect(try await generation(manager, demo) == 1)
    }

    @Test func a_sign_out_that_storage_refuses_is_told_and_memory_is_clear() async throws {
        let demo = try Demo("flute")
        let storage = FailingStorage()
        let manager = try fluteManager(demo, storage: storage)
        #expect(try await generation(manager, demo) == 1)
        storage.failure = .locked
        #expect(await code { try await manager.signOut() } == "storage_locked")
        #expect(try await manager.status().isUsable == false)
        storage.failure = .none
        try await manager.signOut()
        #expect(try isTombstone(storage.bytes, key: storage.key, manager.provider))
    }

    @Test func a_sign_out_in_one_process_is_one_in_the_other() async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        let clock = HandClock()
        let managers = try (0..<2).map { _ in
            try fluteManager(
                demo, storage: Elsewhere(FileTokenStorage(path: folder.file("token"), sealKey: testKey, shared: true)),
                clock: clock)
        }
        for manager in managers { #expect(try await generation(manager, demo) == 1) }
        try await managers[0].signOut()
        clock.advance(seconds: 3600)
        #expect(await code { try await generation(managers[1], demo) } == "signed_out")
        #expect(try await demo.tokenRequests().count == 1)
    }

    @Test func what_another_process_stored_wins_over_an_unwritten_change_of_ones_own() async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        let clock = HandClock()
        let managers = try (0..<2).map { _ in
            try fluteManager(
                demo, storage: Elsewhere(FileTokenStorage(path: folder.file("token"), sealKey: testKey, shared: true)),
                clock: clock)
        }
        for manager in managers { #expect(try await generation(manager, demo) == 1) }
        clock.advance(seconds: 60)
        try await managers[1].install(IssuedToken(accessToken: "theirs", expiresIn: 3600))
        #expect(try await managers[0].rejected(generation: 1, status: 401, challenge: nil) == .retry)
        let authorization = try await managers[0].authorize(method: "GET", url: demo.url("/v2/transactions"))
        #expect(authorization.header == "Bearer theirs")
        #expect(try await demo.tokenRequests().count == 1)
    }

    @Test func damaged_bytes_are_a_signed_out_start() async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        let file = folder.file("token")
        for bytes in [Data(), Data("garbage".utf8), Data(repeating: 0xFF, count: 4096)] {
            try bytes.write(to: file)
            let manager = try fluteManager(demo, storage: FileTokenStorage(path: file, sealKey: testKey))
            var events = manager.events.makeAsyncIterator()
            #expect(try await generation(manager, demo) == 1)
            #expect(await events.next() == .storageFailed(code: "invalid_snapshot"))
        }
        let again = try fluteManager(demo, storage: FileTokenStorage(path: file, sealKey: testKey))
        #expect(try await generation(again, demo) == 1)
        #expect(try await demo.tokenRequests().count == 3)
    }

    @Test func another_managers_bytes_are_not_taken_and_told_of() async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        let file = folder.file("token")
        let sandbox = try fluteManager(demo, storage: FileTokenStorage(path: file, sealKey: testKey))
        #expect(try await generation(sandbox, demo) == 1)
        let other = try fluteManager(demo, storage: Elsewhere(FileTokenStorage(path: file, sealKey: testKey))) {
            $0.environment = "production"
        }
        var events = other.events.makeAsyncIterator()
        #expect(try await generation(other, demo) == 1)
        #expect(await events.next() == .storageFailed(code: "foreign_snapshot"))
        // The same client, but a token of its own.
        #expect(try await demo.tokenRequests().map(\.grant_type) == ["client_credentials", "client_credentials"])
    }

    @Test func a_key_of_another_length_is_refused() async throws {
        let path = URL(fileURLWithPath: "/nowhere/token")
        #expect(await code { try FileTokenStorage(path: path, sealKey: Data([1])) } == "invalid_argument")
    }

    @Test func what_lies_where_it_writes_is_neither_followed_nor_taken_over() async throws {
        let folder = try Folder()
        let (file, new, victim) = (folder.file("token"), folder.file("token.new"), folder.file("victim"))
        let storage = try FileTokenStorage(path: file, sealKey: testKey)
        func write(_ text: String) async throws {
            let failure = Locked<(any Error)?>(nil)
            try await storage.locked { access in
                do { try access.write(Data(text.utf8)) } catch { failure.current = error }
            }
            if let failure = failure.current { throw failure }
        }
        try Data("precious".utf8).write(to: victim)

        try FileManager.default.createSymbolicLink(at: new, withDestinationURL: victim)
        try await write("one")
        #expect(try String(contentsOf: victim, encoding: .utf8) == "precious")
        #expect(try String(contentsOf: file, encoding: .utf8) == "one")

        // A file that others may read, which a reader may hold open.
        try Data().write(to: new)
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: new.path)
        let held = try FileHandle(forReadingFrom: new)
        try await write("two")
        #expect(try held.readToEnd() ?? Data() == Data())
        #expect(try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int == 0o600)

        // What cannot be removed.
        try FileManager.default.createDirectory(at: new, withIntermediateDirectories: false)
        try await write("three")
        #expect(try String(contentsOf: file, encoding: .utf8) == "three")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
                == ["token", "token.lock", "token.new", "victim"])

        // The lock and the state are no links either.
        for name in ["token", "token.lock"] {
            try FileManager.default.removeItem(at: folder.file(name))
            try FileManager.default.createSymbolicLink(at: folder.file(name), withDestinationURL: victim)
            #expect(await code { try await read(storage) } == "storage_failed", "\(name)")
            try FileManager.default.removeItem(at: folder.file(name))
        }
        #expect(try String(contentsOf: victim, encoding: .utf8) == "precious")
    }

    @Test func what_a_killed_process_left_goes_with_the_next_write() async throws {
        let folder = try Folder()
        let storage = try FileTokenStorage(path: folder.file("token"), sealKey: testKey)
        try Data("half a state".utf8).write(to: folder.file("token.new"))
        try await storage.locked { access in try? access.write(Data("state".utf8)) }
        #expect(try await read(storage) == Data("state".utf8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() == ["token", "token.lock"])
    }

    @Test func a_folder_that_is_missing_is_said_before_anything_is_sent() async throws {
        let folder = try Folder()
        let file = folder.file("missing").appendingPathComponent("token")
        let made = Result { () throws -> FileTokenStorage in try FileTokenStorage(path: file, sealKey: testKey) }
        guard case .failure(let refused) = made, case .storage("storage_failed", let cause)? = refused as? TokenwardError
        else {
            Issue.record("\(made)")
            return
        }
        #expect((cause as? POSIXError)?.code == .ENOENT)
        try FileManager.default.createDirectory(at: folder.file("missing"), withIntermediateDirectories: false)
        let storage = try FileTokenStorage(path: file, sealKey: testKey)
        try FileManager.default.removeItem(at: folder.file("missing"))
        #expect(await code { try await read(storage) } == "storage_failed")
    }

    @Test func one_storage_serves_one_live_manager() async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        func kept(_ path: String, shared: Bool = false) throws -> TokenManager {
            try fluteManager(
                demo, storage: FileTokenStorage(path: folder.file(path), sealKey: testKey, shared: shared))
        }
        try FileManager.default.createSymbolicLink(at: folder.file("same"), withDestinationURL: folder.url)
        func refused(_ manager: TokenManager) async -> Set<String?> {
            [
                await code { try await generation(manager, demo) },
                await code { try await manager.install(IssuedToken(accessToken: "another", expiresIn: 3600)) },
                await code { try await manager.status() },
                await code { try await manager.signOut() },
            ]
        }
        var first: TokenManager? = try kept("token")
        #expect(try await generation(try #require(first), demo) == 1)
        for (path, isShared) in [("token", false), ("./token", true), ("same/token", false)] {
            #expect(await refused(try kept(path, shared: isShared)) == ["storage_in_use"], "\(path)")
        }
        let memory = MemoryTokenStorage()
        let second = try fluteManager(demo, storage: memory)
        #expect(try await generation(second, demo) == 1)
        #expect(await refused(try fluteManager(demo, storage: memory)) == ["storage_in_use"])
        #expect(try await generation(second, demo) == 1)
        // Once it is gone the next one goes on with the token, as after a restart.
        for _ in 0..<50 {
            #expect(try await generation(try #require(first), demo) == 1)
            first = nil
            first = try kept("token")
        }
        #expect(try await demo.tokenRequests().count == 2)
    }

    @Test func a_lock_that_another_holds_ends_in_storage_locked() async throws {
        let folder = try Folder()
        let file = open(folder.file("token.lock").path, O_RDWR | O_CREAT, 0o600)
        defer { close(file) }
        #expect(flock(file, LOCK_EX) == 0)
        let storage = try FileTokenStorage(path: folder.file("token"), sealKey: testKey)
        #expect(await code { try await read(storage) } == "storage_locked")
    }
}
