internal import Foundation
import Testing
@testable import Tokenward

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
            await code { try await manager.authorize(method: "GET", url: demo.url("/v2/transactions")) } == "transport")
        #expect(Date().timeIntervalSince(start) < 5)
    }

    @Test func broken_answers_are_transport_failures_or_refused_by_name() async throws {
        let demo = try Demo("flute")
        let url = demo.url("/v2/transactions")
        let cases = [
            (#"{"fault":"disconnect"}"#, "transport"), (#"{"fault":"drop_answer"}"#, "transport"),
            (#"{"fault":"truncated"}"#, "truncated"), (#"{"fault":"html"}"#, "not_json"),
            (#"{"fault":"too_long","bytes":4097}"#, "too_long"),
            (#"{"fault":"status503"}"#, "temporarily_unavailable"),
        ]
        for (order, expected) in cases {
            let manager = try fluteManager(demo)
            try await fault(demo, order)
            #expect(await code { try await manager.authorize(method: "GET", url: url) } == expected, "\(order)")
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
}
