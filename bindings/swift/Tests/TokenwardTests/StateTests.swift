internal import Foundation
import Testing
@testable import Tokenward
import TokenwardTesting

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

@Suite struct States {
    /// The values of a stream so far.
    private final class Seen<Value: Sendable & Equatable>: Sendable {
        private let values = Locked<[Value]>([])

        init(_ stream: AsyncStream<Value>) {
            Task { [values] in for await value in stream { values.with { $0.append(value) } } }
        }

        var current: [Value] { values.current }

        func become(_ expected: [Value]) async throws {
            for _ in 0..<4000 where values.current.count < expected.count { try await Task.sleep(nanoseconds: 5_000_000) }
            #expect(values.current == expected)
        }
    }

    private func generation(_ manager: TokenManager, _ demo: Demo) async throws -> UInt64 {
        try await manager.authorize(method: "GET", url: demo.url("/v2/transactions")).generation
    }

    @Test func who_watches_the_state_sees_the_present_one_and_each_that_follows() async throws {
        let (demo, clock) = (try Demo("flute"), HandClock())
        let manager = try fluteManager(demo, clock: clock)
        let seen = Seen(manager.states)
        #expect(try await generation(manager, demo) == 1)
        clock.advance(seconds: 1)
        try await manager.renew()
        try await eventually { try await generation(manager, demo) == 2 }
        try await eventually { seen.current.last == .signedIn }
        try await manager.signOut()
        try await manager.signIn()
        try await seen.become([
            .noToken, .refreshing(isUsable: false), .signedIn, .refreshing(isUsable: true), .signedIn, .signedOut,
            .refreshing(isUsable: false), .signedIn,
        ])
    }

    @Test func who_watches_the_state_after_a_restart_has_storage_read() async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        func storage() throws -> any TokenStorage {
            Elsewhere(try FileTokenStorage(path: folder.file("token"), sealKey: testKey))
        }
        #expect(try await generation(try fluteManager(demo, storage: try storage()), demo) == 1)
        let manager = try fluteManager(demo, storage: try storage())
        try await Seen(manager.states).become([.noToken, .signedIn])
        try await manager.signOut()
        let next = try fluteManager(demo, storage: try storage())
        try await Seen(next.states).become([.noToken, .signedOut])
        #expect(try await demo.tokenRequests().count == 1)
    }

    @Test func a_refused_refresh_is_told_as_it_was_refused_and_then_needs_a_sign_in() async throws {
        let (demo, clock) = (try Demo("flute"), HandClock())
        let manager = try fluteManager(demo, clock: clock) { $0.primaryGrant = nil }
        try await manager.install(IssuedToken(accessToken: "a", expiresIn: 3600, refreshToken: "unknown"))
        let (states, events) = (Seen(manager.states), Seen(manager.events))
        try await eventually { states.current.last == .signedIn }
        clock.advance(seconds: 7200)
        do {
            _ = try await generation(manager, demo)
            Issue.record("a token came")
        } catch let error as TokenwardError {
            let answer = ServiceAnswer(status: 400, error: "invalid_grant")
            #expect(error.code == "refresh_token_rejected" && error.answer == answer)
            try await events.become([
                .refreshFailed(code: "refused", answer: answer, retryAfter: nil), .needsSignIn(reason: .refreshTokenRejected),
            ])
        }
        try await eventually { states.current.last == .needsSignIn(reason: .refreshTokenRejected, isUsable: false) }
    }

    @Test func a_sign_in_that_is_needed_while_the_token_lasts_says_by_when() async throws {
        let (demo, clock) = (try Demo("flute"), HandClock())
        let manager = try fluteManager(demo, clock: clock) { $0.primaryGrant = nil }
        try await manager.install(IssuedToken(accessToken: "a", expiresIn: 3600, refreshToken: "unknown"))
        let (states, end) = (Seen(manager.states), TimeInterval(clock.wall() + 3600))
        clock.advance(seconds: 3300)
        _ = try await generation(manager, demo)
        try await eventually {
            guard case .needsSignIn(.refreshTokenRejected, true, let by?) = states.current.last else { return false }
            return (0...60).contains(end - by.timeIntervalSince1970)
        }
    }

    @Test func an_event_is_one_line_for_a_log_without_the_services_own_words() {
        let answer = ServiceAnswer(status: 403, error: "s3cret")
        let by = Date(timeIntervalSince1970: 1_800_000_000)
        let lines: [(TokenEvent, String)] = [
            (.refreshed(generation: 3), "token refreshed: generation 3"),
            (
                .refreshFailed(code: "refused", answer: answer, retryAfter: 60),
                "! token request failed: refused, status 403, again in 60 s"
            ),
            (.refreshFailed(code: "no_answer", answer: nil, retryAfter: nil), "! token request failed: no_answer"),
            (.needsSignIn(reason: .revoked, signInBy: by), "! sign-in needed: revoked, by 2027-01-15T08:00:00Z"),
            (.needsSignIn(reason: .noToken), "! sign-in needed: no_token"),
            (.rejected(reason: .revoked), "! token rejected: revoked"),
            (.storageFailed(code: "storage_locked"), "! token storage failed: storage_locked"),
            (.signedOut, "signed out"),
        ]
        for (event, line) in lines { #expect((event.isProblem ? "! " : "") + event.logLine == line) }
    }

    @Test func each_failure_of_a_request_is_told_with_what_was_answered_and_when_there_is_another_try() async throws {
        let cases: [(Server.Answer?, String, ServiceAnswer?)] = [
            (Server.Answer(status: 503, fields: ["Retry-After: 60"]), "http_status", ServiceAnswer(status: 503)),
            (Server.Answer(body: "<html>"), "not_json", ServiceAnswer(status: 200)),
            (
                Server.Answer(status: 403, body: #"{"error":"access_denied"}"#), "refused",
                ServiceAnswer(status: 403, error: "access_denied")
            ),
            (
                Server.Answer(status: 401, body: #"{"error":"invalid_client"}"#), "refused",
                ServiceAnswer(status: 401, error: "invalid_client")
            ),
            (nil, "no_answer", nil),
        ]
        for (answer, code, said) in cases {
            let server = try Server { _, _ in answer }
            let manager = try server.manager(patience: 0)
            let events = Seen(manager.events)
            await #expect(throws: TokenwardError.self) {
                try await manager.authorize(method: "GET", url: server.url("/v1"))
            }
            try await eventually { !events.current.isEmpty }
            guard case .refreshFailed(code, said, let retryAfter) = events.current[0] else {
                Issue.record("\(code): \(events.current)")
                continue
            }
            #expect(retryAfter != nil)
        }
    }

    @Test func a_storage_with_a_key_that_cannot_be_is_refused_with_the_name_of_the_fact() throws {
        let file = URL(fileURLWithPath: "/tmp/token")
        for key in [Data(repeating: 1, count: 16), Data(count: 32)] {
            do {
                _ = try FileTokenStorage(path: file, sealKey: key)
                Issue.record("it is taken")
            } catch {
                guard case .configuration("invalid_argument", "seal_key", nil) = error else {
                    Issue.record(error)
                    continue
                }
            }
        }
    }
}

@Suite struct Fakes {
    // view model
    /// An app's own code: it knows the protocol alone.
    struct Devices {
        let tokens: any TokenKeeper

        func load() async -> String {
            do {
                return try await tokens.authorize(method: "GET", url: URL(string: "https://api.example/devices")!).header
            } catch let error as TokenwardError {
                return error.isRetryable ? "Try again." : "Please sign in."
            } catch {
                return "\(error)"
            }
        }
    }

    @Test func a_view_model_asks_for_a_sign_in() async {
        let tokens = FakeTokenManager()
        await tokens.lends("t1")
        await tokens.fails(TokenwardError.temporarilyUnavailable(retryAfter: 30))
        await tokens.fails(TokenwardError.signInRequired(reason: "refresh_token_rejected"))
        let devices = Devices(tokens: tokens)
        #expect(await devices.load() == "Bearer t1")
        #expect(await devices.load() == "Try again.")
        #expect(await devices.load() == "Please sign in.")
    }
    // end

    @Test func a_fake_that_is_asked_for_what_its_script_has_not_says_so() async throws {
        let tokens = FakeTokenManager()
        let url = URL(string: "https://api.example")!
        func said(_ ask: () async throws -> some Any) async -> String {
            do {
                _ = try await ask()
                return "it answers"
            } catch {
                return "\(error)"
            }
        }
        func missing(_ call: String) -> String { "The script has nothing for `\(call)`: say what comes of it first." }
        #expect(
            await said { try await tokens.authorize(method: "GET", url: url) }
                == missing("authorize GET https://api.example"))
        #expect(
            await said { try await tokens.rejected(generation: 1, status: 401, challenge: nil) } == missing("rejected 1 401"))
    }

    @Test func a_fake_is_signed_out_until_somebody_signs_in() async throws {
        let tokens: any TokenKeeper = FakeTokenManager(token: "t")
        let url = URL(string: "https://api.example")!
        let states = tokens.states
        #expect(try await tokens.authorize(URLRequest(url: url)).generation == 0)
        try await tokens.signOut()
        #expect(await code { try await tokens.authorize(method: "GET", url: url) } == "signed_out")
        try await tokens.signIn()
        #expect(try await tokens.authorize(method: "GET", url: url).header == "Bearer t")
        var seen: [TokenState] = []
        for await state in states {
            seen.append(state)
            if seen.count == 3 { break }
        }
        #expect(seen == [.signedIn, .signedOut, .signedIn])
    }

    @Test func what_is_scripted_comes_in_order() async throws {
        let tokens = FakeTokenManager()
        await tokens.decides(.surface(reason: .forbidden))
        await tokens.decides(.retry)
        #expect(try await tokens.rejected(generation: 1, status: 403, challenge: nil) == .surface(reason: .forbidden))
        #expect(try await tokens.rejected(generation: 1, status: 401, challenge: nil) == .retry)
        await tokens.renew()
        #expect(await tokens.calls == ["rejected 1 403", "rejected 1 401", "renew"])
    }
}
