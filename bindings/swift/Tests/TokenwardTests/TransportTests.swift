internal import Foundation
import Testing
@testable import Tokenward
import TokenwardTesting

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

@Suite struct Transports {
    private func send(_ url: URL, timeout: TimeInterval = 5) async throws -> TransportResponse {
        try await URLSessionTransport().send(
            TransportRequest(
                method: "POST", url: url, headers: [("Content-Type", "application/json")], body: Data("{}".utf8),
                timeout: timeout))
    }

    private func fault(_ demo: Demo, _ body: String) async throws { try await demo.order("fault", body) }

    @Test func a_redirect_is_an_answer() async throws {
        let (demo, other) = (try Demo("flute"), try Demo("flute"))
        let fault = #"{"fault":"status","status":307,"body":"","headers":[["location","\#(other.base)/oauth2/token"]]}"#
        try await self.fault(demo, fault)
        #expect(try await send(demo.url("/oauth2/token")).status == 307)
        #expect(try await other.log().isEmpty)
    }

    @Test func a_challenge_for_passwords_is_an_answer() async throws {
        let demo = try Demo("flute")
        let response = try await send(demo.url("/oauth2/token"))
        #expect(response.status >= 400 && !response.body.isEmpty)
        let manager = try TokenManager(
            provider: demo.provider(.fluteSandbox),
            source: .credentials { Credentials(clientId: "nobody", clientSecret: "nothing") }, options: serverOptions)
        #expect(
            await code { try await manager.authorize(method: "GET", url: demo.url("/v2/transactions")) }
                == "invalid_client")
    }

    @Test func a_body_beyond_the_bound_is_no_answer() async throws {
        let demo = try Demo("flute")
        let body = String(repeating: "a", count: URLSessionTransport.maximumBody)
        try await fault(demo, #"{"fault":"status","status":200,"body":"\#(body)"}"#)
        #expect(try await send(demo.url("/oauth2/token")).body.count == URLSessionTransport.maximumBody)
        try await fault(demo, #"{"fault":"status","status":200,"body":"\#(body)a"}"#)
        await #expect(throws: URLError.self) { try await send(demo.url("/oauth2/token")) }
    }

    @Test func an_answer_that_does_not_come_ends_in_time() async throws {
        let demo = try Demo("flute")
        let manager = try fluteManager(demo, timeout: 0.3)
        try await fault(demo, #"{"fault":"slow","milliseconds":20000}"#)
        let start = Date()
        #expect(
            await cause { try await manager.authorize(method: "GET", url: demo.url("/v2/transactions")) } == "URLError")
        #expect(Date().timeIntervalSince(start) < 5)
    }

    @Test func a_token_request_takes_as_long_as_the_policy_lets_it() async throws {
        let server = try Server { _, _ in
            usleep(2_500_000)
            return .token(1)
        }
        let hasty = URLSessionConfiguration.ephemeral
        (hasty.timeoutIntervalForRequest, hasty.timeoutIntervalForResource) = (1, 1)
        let request = TransportRequest(
            method: "POST", url: server.url("/token"), headers: [], body: Data(), timeout: 30)
        #expect(try await URLSessionTransport(configuration: hasty).send(request).status == 200)
    }

    @Test func what_came_in_place_of_an_answer_is_told_to_who_does_not_wait() async throws {
        let demo = try Demo("flute")
        let url = demo.url("/v2/transactions")
        let cases = [
            (#"{"fault":"disconnect"}"#, "URLError"), (#"{"fault":"drop_answer"}"#, "URLError"),
            (#"{"fault":"truncated"}"#, "truncated"), (#"{"fault":"html"}"#, "not_json"),
            (#"{"fault":"too_long","bytes":4097}"#, "too_long"),
            (#"{"fault":"status503"}"#, "http_status"),
        ]
        for (order, expected) in cases {
            let manager = try fluteManager(demo, patience: 0)
            try await fault(demo, order)
            #expect(await cause { try await manager.authorize(method: "GET", url: url) } == expected, "\(order)")
        }
    }

    @Test func an_api_redirect_takes_no_token_where_it_does_not_belong() async throws {
        let (demo, other) = (try Demo("flute"), try Demo("flute"))
        // The token endpoint stands in for an API that redirects: it is of the same origin.
        let manager = try fluteManager(demo)
        _ = try await manager.authorize(method: "GET", url: demo.url("/v2/transactions"))
        func send(_ target: String) async throws -> Int? {
            try await fault(
                demo, #"{"fault":"status","status":307,"body":"","headers":[["location","\#(target)"]]}"#)
            var request = URLRequest(url: demo.url("/oauth2/token"))
            request.httpMethod = "POST"
            return (try await URLSession.shared.data(for: request, authorizedBy: manager).1 as? HTTPURLResponse)?
                .statusCode
        }
        #expect(try await send("\(other.base)/v2/transactions") == 307)
        #expect(try await other.log().isEmpty)
        // Within the origin the token goes along; `POST` is more than the API takes there.
        #expect(try await send("\(demo.base)/v2/transactions") == 405)
        #expect(try await demo.log().last?.path == "/v2/transactions")
    }

    // MARK: - Every hop, every body, every request once

    private func status(_ path: String, _ server: Server, _ manager: TokenManager) async throws -> Int? {
        let request = URLRequest(url: server.url(path))
        return (try await URLSession.shared.data(for: request, authorizedBy: manager).1 as? HTTPURLResponse)?.statusCode
    }

    @Test func an_api_redirect_takes_no_token_past_the_route_table() async throws {
        let server = try Server { request, count in
            switch request.path {
            case "/token": .token(count)
            case "/v1/open": .redirect(302, "/v1/next")
            case "/v1/next": .redirect(307, "/v1/last")
            case "/v1/last": Server.Answer()
            case "/v1/astray": .redirect(302, "/v1/inside")
            case "/v1/inside": .redirect(307, "/v1/not/in/the/table")
            default: Server.Answer(status: 418)
            }
        }
        let paths = ["/v1/open", "/v1/next", "/v1/last", "/v1/astray", "/v1/inside"]
        let manager = try server.manager(paths.map { TokenRoute(method: "GET", path: $0) })
        #expect(try await status("/v1/open", server, manager) == 200)
        // The hop that leaves the table is the answer.
        #expect(try await status("/v1/astray", server, manager) == 307)
        #expect(await code { try await status("/v1/not/in/the/table", server, manager) } == "unknown_route")
        #expect(server.requests.map(\.path) == ["/token"] + paths)
        #expect(server.requests.dropFirst().allSatisfy { $0.authorization == "Bearer t1" })
    }

    @Test func a_streamed_body_is_sent_once() async throws {
        let server = try Server { request, count in
            switch request.path {
            case "/token": .token(count)
            case "/v1/refuse": Server.Answer(status: 401)
            case "/v1/same": .redirect(307, "/v1/other")
            case "/v1/see": .redirect(303, "/v1/other")
            default: Server.Answer()
            }
        }
        let manager = try server.manager()
        func post(_ path: String, _ body: (inout URLRequest) -> Void) async throws -> Int? {
            var request = URLRequest(url: server.url(path))
            request.httpMethod = "POST"
            body(&request)
            return (try await URLSession.shared.data(for: request, authorizedBy: manager).1 as? HTTPURLResponse)?
                .statusCode
        }
        func stream(_ request: inout URLRequest) {
            request.httpBodyStream = InputStream(data: Data("payload".utf8))
        }
        #expect(try await post("/v1/refuse", stream) == 401)
        #expect(try await post("/v1/same", stream) == 307)
        #expect(try await post("/v1/see", stream) == 200)
        // What can be read twice is, but not by Foundation on Linux.
        let isLinux = Server.isLinux
        #expect(try await post("/v1/same") { $0.httpBody = Data("payload".utf8) } == (isLinux ? 307 : 200))
        let seen = server.requests.filter { $0.path != "/token" }.map { "\($0.method) \($0.path) \($0.body)" }
        #expect(
            seen == [
                "POST /v1/refuse payload", "POST /v1/same payload", "POST /v1/see payload", "GET /v1/other ",
                "POST /v1/same payload",
            ] + (isLinux ? [] : ["POST /v1/other payload"]))
    }

    @Test func an_upload_is_sent_once_more_with_the_next_token() async throws {
        let server = try Server { request, count in
            request.path == "/token" ? .token(count) : Server.Answer(status: request.authorization == "Bearer t1" ? 401 : 200)
        }
        var request = URLRequest(url: server.url("/v1"))
        request.httpMethod = "PUT"
        let (_, response) = try await URLSession.shared.upload(
            for: request, from: Data("twelve litres".utf8), authorizedBy: try server.manager())
        #expect((response as? HTTPURLResponse)?.statusCode == 200)
        let sent = server.requests.filter { $0.path == "/v1" }
        #expect(sent.map(\.body) == ["twelve litres", "twelve litres"])
        #expect(sent.map(\.method) == ["PUT", "PUT"])
    }

    @Test func a_token_request_is_never_sent_twice() async throws {
        // It reads every second request whole, as a service that has rotated, and closes without an answer.
        let server = try Server { _, count in count.isMultiple(of: 2) ? nil : .token(count) }
        let transport = URLSessionTransport()
        func send(_ body: String) async throws -> Int {
            try await transport.send(
                TransportRequest(
                    method: "POST", url: server.url("/token"), headers: [], body: Data(body.utf8), timeout: 5)
            ).status
        }
        #expect(try await send("one") == 200)
        await #expect(throws: URLError.self) { try await send("two") }
        #expect(try await send("three") == 200)
        #expect(server.requests.map(\.body) == ["one", "two", "three"])
    }

    @Test func a_refresh_that_fails_is_thrown_and_no_bare_401() async throws {
        let server = try Server { request, count in
            switch (request.path, count) {
            case ("/token", 1): .token(1)
            case ("/token", _): Server.Answer(status: 503, body: "down")
            default: Server.Answer(status: 401)
            }
        }
        let manager = try server.manager(patience: 2)
        #expect(await code { try await status("/v1", server, manager) } == "temporarily_unavailable")
        #expect(server.requests.map(\.path).prefix(3) == ["/token", "/v1", "/token"])
    }

    @Test func a_thousand_calls_with_an_expired_token_are_all_done_after_one_refresh() async throws {
        let demo = try Demo("flute")
        let clock = HandClock()
        let manager = try fluteManager(demo, clock: clock)
        let url = demo.url("/v2/transactions")
        _ = try await manager.authorize(method: "GET", url: url)
        clock.advance(seconds: 3600)
        try await withThrowingTaskGroup(of: Int?.self) { group in
            for _ in 0..<1000 {
                group.addTask {
                    let answer = try await URLSession.shared.data(for: URLRequest(url: url), authorizedBy: manager)
                    return (answer.1 as? HTTPURLResponse)?.statusCode
                }
            }
            for try await status in group { #expect(status == 200) }
        }
        #expect(try await demo.tokenRequests().map(\.grant_type) == ["client_credentials", "refresh_token"])
    }

    @Test func plain_http_to_this_machine_however_it_is_spelled() async throws {
        let server = try Server { _, count in .token(count) }
        for scheme in ["http", "HTTP", "hTTp"] {
            let base = server.base.replacingOccurrences(of: "http", with: scheme)
            let manager = try TokenManager(
                provider: server.provider { $0.baseUrl = base },
                source: .credentials { Credentials(clientId: "id", clientSecret: "secret") })
            #expect(try await status("/v1", server, manager) == 200, "\(scheme)")
        }
    }

    #if os(Linux)
        @Test func plain_http_to_this_machine_goes_through_no_proxy() async throws {
            let (demo, proxy, folder) = (try Demo("flute"), try Server { _, _ in Server.Answer() }, try Folder())
            let program = try #require(
                ProcessInfo.processInfo.environment["TOKENWARD_PROBE"], "started by bindings/swift/test.sh")
            func lines(_ name: String, _ environment: [String: String]) throws -> [String] {
                let quiet = environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
                let child = try Child(program, [demo.base, folder.file(name).path, "alone", "1"], environment: quiet)
                var lines: [String] = []
                while let line = child.line() { lines.append(line) }
                return lines
            }
            for variable in ["http_proxy", "all_proxy", "ALL_PROXY"] {
                #expect(try lines(variable, [variable: proxy.base]) == [], "\(variable)")
                #expect(try lines(variable, [variable: proxy.base, "no_proxy": "a.example,127.0.0.1"]).last == "done")
            }
            #expect(proxy.requests.isEmpty)
        }
    #endif
}
