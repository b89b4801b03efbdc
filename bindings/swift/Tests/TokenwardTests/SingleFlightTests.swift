internal import Foundation
import Testing
@testable import Tokenward
import TokenwardTesting

@Suite struct SingleFlight {
    private func crowd(_ count: Int, _ manager: TokenManager, _ url: URL) async throws -> Set<UInt64> {
        try await withThrowingTaskGroup(of: UInt64.self) { group in
            for _ in 0..<count {
                group.addTask { try await manager.authorize(method: "GET", url: url).generation }
            }
            return try await group.reduce(into: []) { $0.insert($1) }
        }
    }

    @Test func a_hundred_callers_cause_one_token_request() async throws {
        let demo = try Demo("flute")
        let manager = try fluteManager(demo)
        #expect(try await crowd(100, manager, demo.url("/v2/transactions")) == [1])
        #expect(try await demo.tokenRequests().map(\.grant_type) == ["client_credentials"])
    }

    @Test func a_thousand_callers_with_an_expired_token_cause_one_refresh() async throws {
        let demo = try Demo("flute")
        let clock = HandClock()
        let manager = try fluteManager(demo, clock: clock)
        _ = try await manager.authorize(method: "GET", url: demo.url("/v2/transactions"))
        clock.advance(seconds: 3600)
        #expect(try await crowd(1000, manager, demo.url("/v2/transactions")) == [2])
        #expect(try await demo.tokenRequests().map(\.grant_type) == ["client_credentials", "refresh_token"])
    }

    @Test func ten_concurrent_401s_cause_one_refresh() async throws {
        let demo = try Demo("flute")
        let manager = try fluteManager(demo) { $0.policy?.minIntervalMs = 0 }
        let url = demo.url("/v2/transactions")
        #expect(try await crowd(1, manager, url) == [1])
        try await demo.order("revoke", #"{"what":"access_tokens"}"#)
        let decisions = try await withThrowingTaskGroup(of: RetryDecision.self) { group in
            for _ in 0..<10 {
                group.addTask { try await manager.rejected(generation: 1, status: 401, challenge: "Bearer") }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(decisions == Array(repeating: .retry, count: 10))
        #expect(try await demo.tokenRequests().map(\.grant_type) == ["client_credentials", "refresh_token"])
    }

    @Test func a_cancelled_first_caller_stops_waiting_and_nobody_else_does() async throws {
        let demo = try Demo("flute")
        let transport = WatchedTransport()
        transport.isHeld = true
        let manager = try fluteManager(demo, transport: transport)
        let url = demo.url("/v2/transactions")
        let first = Task { try await manager.authorize(method: "GET", url: url) }
        try await eventually { transport.sent == 1 }
        let second = Task { try await manager.authorize(method: "GET", url: url) }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        transport.isHeld = false
        #expect(try await second.value.generation == 1)
        #expect(transport.sent == 1)
    }

    @Test func a_cancelled_caller_ends_no_load_and_no_store() async throws {
        let demo = try Demo("flute")
        let storage = FailingStorage()
        let manager = try fluteManager(demo, storage: storage)
        var events = manager.events.makeAsyncIterator()
        storage.isHeld = true
        let caller = Task { try await manager.install(IssuedToken(accessToken: "installed", expiresIn: 3600)) }
        try await eventually { storage.looks.current > 0 }
        caller.cancel()
        storage.isHeld = false
        try await caller.value
        #expect(await events.next() == .refreshed(generation: 1))
        #expect(storage.bytes != nil)
    }

    @Test func a_flight_without_callers_goes_on_to_its_end() async throws {
        let demo = try Demo("flute")
        let transport = WatchedTransport()
        transport.isHeld = true
        let manager = try fluteManager(demo, transport: transport)
        let url = demo.url("/v2/transactions")
        let only = Task { try await manager.authorize(method: "GET", url: url) }
        try await eventually { transport.sent == 1 }
        only.cancel()
        await #expect(throws: CancellationError.self) { try await only.value }
        transport.isHeld = false
        try await eventually { try await manager.status().isUsable }
        #expect(transport.sent == 1)
    }

    @Test func a_refresh_that_is_merely_due_keeps_nobody_waiting() async throws {
        let demo = try Demo("flute")
        let clock = HandClock()
        let transport = WatchedTransport()
        let manager = try fluteManager(demo, transport: transport, clock: clock)
        let url = demo.url("/v2/transactions")
        #expect(try await crowd(1, manager, url) == [1])
        clock.advance(seconds: 2881)
        transport.isHeld = true
        #expect(try await crowd(100, manager, url) == [1])
        transport.isHeld = false
        try await eventually { try await crowd(1, manager, url) == [2] }
        #expect(transport.sent == 2)
    }

    @Test func a_failure_that_passes_is_waited_for() async throws {
        let server = try Server { _, count in
            switch count {
            case 1: nil
            case 2: Server.Answer(status: 503)
            case 3: Server.Answer(body: "moonlight")
            default: .token(count)
            }
        }
        let manager = try server.manager { $0.policy?.firstBackoffMs = 50 }
        #expect(try await crowd(10, manager, server.url("/v1")) == [1])
        #expect(server.requests.count == 4)
    }

    @Test func a_server_that_is_down_is_told_at_once_to_who_does_not_wait_and_is_found_again() async throws {
        let ports = try HeldPorts()
        let gone = try Demo("flute", port: ports.first)
        let url = gone.url("/v2/transactions")
        let clock = HandClock()
        let manager = try fluteManager(gone, clock: clock, patience: 0)
        gone.stop()
        #expect(await cause { try await manager.authorize(method: "GET", url: url) } == "URLError")
        let back = try Demo("flute", port: ports.first)
        clock.advance(seconds: 10)
        #expect(try await manager.authorize(method: "GET", url: url).generation == 1)
        // Down once more: the token is good for its hour, and not longer.
        back.stop()
        clock.advance(seconds: 2881)
        #expect(try await manager.authorize(method: "GET", url: url).generation == 1)
        clock.advance(seconds: 720)
        #expect(await cause { try await manager.authorize(method: "GET", url: url) } == "URLError")
    }

    @Test func a_token_that_is_good_outlives_a_service_in_trouble() async throws {
        let demo = try Demo("flute")
        let clock = HandClock()
        let manager = try fluteManager(demo, clock: clock)
        let url = demo.url("/v2/transactions")
        #expect(try await crowd(1, manager, url) == [1])
        clock.advance(seconds: 2881)
        try await demo.order("fault", #"{"fault":"status503","retry_after":"120"}"#)
        for _ in 0..<20 { #expect(try await crowd(1, manager, url) == [1]) }
        try await eventually { try await manager.status().next == .wait }
        // Not asked again before the time that the service named.
        for _ in 0..<20 { #expect(try await crowd(1, manager, url) == [1]) }
        #expect(try await demo.log().filter { $0.path == "/oauth2/token" }.count == 2)
        clock.advance(seconds: 121)
        try await eventually { try await crowd(1, manager, url) == [2] }
    }

    @Test func a_patience_without_end_is_one() async throws {
        let demo = try Demo("flute")
        try await demo.order("fault", #"{"fault":"status503","retry_after":"600"}"#)
        let (clock, credentials) = (HandClock(), demo.credentials)
        var options = serverOptions
        options.requestTimeout = .infinity
        let manager = try TokenManager(
            provider: demo.provider(.fluteSandbox), source: .credentials { credentials },
            storage: MemoryTokenStorage(), transport: URLSessionTransport(), options: options.at(clock))
        let url = demo.url("/v2/transactions")
        let caller = Task { try await manager.authorize(method: "GET", url: url).generation }
        try await eventually { try await demo.log().count == 1 }
        clock.advance(seconds: 700)
        #expect(try await caller.value == 1)
    }

    @Test(arguments: [
        (403, "access_denied", "refused"), (429, "quota_exceeded", "temporarily_unavailable"),
        (503, "access_denied", "temporarily_unavailable"), (400, "slow_down", "temporarily_unavailable"),
    ])
    func a_refusal_with_a_code_of_the_services_own_is_configuration_and_trouble_is_not(
        status: Int, code: String, told: String
    ) async throws {
        let demo = try Demo("flute")
        let manager = try fluteManager(demo, patience: 0)
        try await demo.order("fault", #"{"fault":"status","status":\#(status),"body":{"error":"\#(code)"}}"#)
        do {
            _ = try await manager.authorize(method: "GET", url: demo.url("/v2/transactions"))
            Issue.record("a token came")
        } catch let error as TokenwardError {
            #expect(error.code == told && error.isRetryable == (told != "refused"))
            #expect(error.answer == ServiceAnswer(status: status, error: code))
        }
    }

    @Test func a_request_is_not_sent_that_was_begun_too_long_ago() async throws {
        let demo = try Demo("flute")
        let (clock, transport) = (SleepyClock(), WatchedTransport())
        let manager = try fluteManager(demo, transport: transport, clock: clock, timeout: 20) {
            $0.policy?.firstBackoffMs = 60_000
        }
        let url = demo.url("/v2/transactions")
        let core = await manager.core
        let isBegun = { @Sendable (now: UInt64) in
            if case .awaitAnswer = try? core.poll(now: now).next { true } else { false }
        }
        clock.sleepsOnce(5001, when: isBegun)
        #expect(await code { try await manager.authorize(method: "GET", url: url) } == "temporarily_unavailable")
        #expect(transport.sent == 0)
        clock.sleepsOnce(60_000) { _ in true }
        clock.sleepsOnce(4900, when: isBegun)
        #expect(try await manager.authorize(method: "GET", url: url).generation == 1)
        #expect(transport.sent == 1)
    }

    @Test func a_wait_beyond_the_callers_patience_says_when_to_come_back() async throws {
        let demo = try Demo("flute")
        let manager = try fluteManager(demo, timeout: 5)
        try await demo.order("fault", #"{"fault":"status503","retry_after":"600"}"#)
        let url = demo.url("/v2/transactions")
        for answer in [503, nil] {
            do {
                _ = try await manager.authorize(method: "GET", url: url)
                Issue.record("a token came")
            } catch TokenwardError.temporarilyUnavailable(let retryAfter, let said, _) {
                let seconds = try #require(retryAfter)
                #expect((590...660).contains(seconds) && said?.status == answer && said?.error == nil)
            }
        }
        #expect(try await demo.log().count == 1)
    }
}
