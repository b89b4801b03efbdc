internal import Foundation
import Testing
@testable import Tokenward

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

@Suite struct Redaction {
    private static let canary = "canary-7f3a"

    /// Everything that a value can be printed as.
    private func shown(_ value: Any) -> String {
        var dumped = ""
        dump(value, to: &dumped)
        return "\(value) \(String(describing: value)) \(String(reflecting: value)) \(dumped) \([value]) "
            + "\(String(reflecting: Optional(value)))"
    }

    @Test func no_value_that_holds_a_secret_shows_it() async throws {
        let canary = Self.canary
        let data = Data(canary.utf8)
        let url = URL(string: "https://api.acme.example/v1")!
        let provider = TokenProvider(name: "acme", baseUrl: "https://login.acme.example", tokenPath: "/token") {
            $0.exposure = .appAllowed
            $0.anyHttpsOrigin = true
        }
        let storage = MemoryTokenStorage()
        let manager = try TokenManager(
            provider: provider, source: .fixed { IssuedToken(accessToken: canary) }, storage: storage)
        let authorization = try await manager.authorize(method: "GET", url: url)
        #expect(authorization.header == "Bearer \(canary)")
        let request = try await manager.authorize(URLRequest(url: url))
        #expect(request.request.value(forHTTPHeaderField: "Authorization") == "Bearer \(canary)")
        let key = Data(canary.utf8) + Data(repeating: 0x21, count: 32 - canary.utf8.count)
        let values: [Any] = [
            Credentials(clientId: canary, clientSecret: canary, username: canary, password: canary),
            IssuedToken(accessToken: canary, refreshToken: canary), IssuedToken.json(data),
            TokenSource.fixed { [canary] in IssuedToken(accessToken: canary) },
            TokenSource.credentials { [canary] in Credentials(clientSecret: canary) }, TokenSource.parent(manager),
            TransportRequest(
                method: "POST", url: url, headers: [("Authorization", canary)], body: data, timeout: 1),
            TransportResponse(status: 200, headers: [("Set-Cookie", canary)], body: data),
            authorization, request, manager, storage, provider,
            try FileTokenStorage(path: URL(fileURLWithPath: "/tmp/x"), sealKey: key),
            try await manager.status(), TokenEvent.refreshed(generation: 1),
            TokenEvent.refreshFailed(
                code: "refused", answer: ServiceAnswer(status: 400, error: canary), retryAfter: nil),
            RetryDecision.surface(reason: .revoked),
        ]
        let bytes = Array(canary.utf8).map(String.init).joined(separator: ", ")
        for value in values {
            let text = shown(value)
            #expect(!text.contains(canary) && !text.contains(bytes), "\(type(of: value))")
        }
    }

    @Test func no_error_shows_what_lies_under_it() {
        struct Leaky: Error { let secret = Redaction.canary }
        let errors: [TokenwardError] = [
            .temporarilyUnavailable(
                retryAfter: nil, answer: ServiceAnswer(status: 400, error: Self.canary), underlying: Leaky()),
            .transport(underlying: Leaky()), .storage(code: "storage_failed", underlying: Leaky()),
            .signInRequired(reason: "revoked", answer: ServiceAnswer(status: 400, error: Self.canary)),
            .configuration(code: "invalid_client"),
        ]
        for error in errors {
            #expect(!(shown(error) + error.localizedDescription).contains(Self.canary))
        }
    }

    @Test func a_service_that_echoes_the_secret_puts_it_into_no_error() async throws {
        let demo = try Demo("flute")
        try await demo.order(
            "fault", #"{"fault":"status","status":400,"body":{"error":"invalid_request","error_description":"canary-7f3a"}}"#)
        let manager = try fluteManager(demo)
        do {
            _ = try await manager.authorize(method: "GET", url: demo.url("/v2/transactions"))
            Issue.record("a token came")
        } catch {
            #expect((error as? TokenwardError)?.code == "invalid_request")
            #expect(!(shown(error) + error.localizedDescription).contains(Self.canary))
        }
    }
}
