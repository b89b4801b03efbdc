internal import Foundation
import Testing
@testable import Tokenward

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

/// A person signs in, in a browser or on another device.
@Suite struct SigningIn {
    /// A service that answers from a list, and remembers the bodies that it was sent.
    private final class Service: TokenTransport {
        let state: Locked<(answers: [(Int, String)], bodies: [String])>

        init(_ answers: [(Int, String)]) { state = Locked((answers, [])) }

        func send(_ request: TransportRequest) async throws -> TransportResponse {
            let (status, body) = state.with { state in
                state.bodies.append(String(decoding: request.body ?? Data(), as: UTF8.self))
                return state.answers.removeFirst()
            }
            return TransportResponse(status: status, headers: [], body: Data(body.utf8))
        }
    }

    private static let token = #"{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"r"}"#

    private func manager(_ service: Service) throws -> TokenManager {
        let acme = TokenProvider(name: "acme", baseUrl: "https://login.acme.example", tokenPath: "/token") {
            $0.authorizationUrl = "https://login.acme.example/authorize"
            $0.devicePath = "/device"
            $0.authentication = .publicClient
            $0.refreshGrant = true
            $0.exposure = .appAllowed
        }
        return try TokenManager(
            provider: acme, source: .credentials { Credentials(clientId: "app") }, transport: service)
    }

    private func header(_ manager: TokenManager) async throws -> String {
        try await manager.authorize(method: "GET", url: URL(string: "https://login.acme.example/me")!).header
    }

    /// What the browser comes back with.
    private func callback(_ url: URL, _ query: String) -> URL {
        let items = URLComponents(url: url, resolvingAgainstBaseURL: false)?.queryItems ?? []
        let state = items.first { $0.name == "state" }?.value ?? ""
        return URL(string: "com.example.app:/callback?\(query)&state=\(state)")!
    }

    @Test func in_a_browser_ends_in_a_token() async throws {
        let service = Service([(200, Self.token)])
        let manager = try manager(service)
        try await manager.signIn(redirectURI: "com.example.app:/callback") { callback($0, "code=c") }
        #expect(try await header(manager) == "Bearer a")
        let body = service.state.current.bodies[0]
        #expect(body.hasPrefix("grant_type=authorization_code&code=c&redirect_uri=com.example.app%3A%2Fcallback&code_verifier="))
        #expect(body.hasSuffix("&client_id=app"))
    }

    @Test func that_is_denied_or_is_not_ours_sends_nothing() async throws {
        let service = Service([])
        let manager = try manager(service)
        #expect(await code {
            try await manager.signIn(redirectURI: "com.example.app:/callback") { callback($0, "error=access_denied") }
        } == "access_denied")
        #expect(await code {
            try await manager.signIn(redirectURI: "com.example.app:/callback") { _ in
                URL(string: "com.example.app:/callback?code=c&state=forged")!
            }
        } == "other_state")
        #expect(service.state.current.bodies.isEmpty)
    }

    @Test func on_another_device_shows_a_code_and_ends_in_a_token() async throws {
        let codes = #"{"device_code":"d","user_code":"WDJB","verification_uri":"https://acme.example/d","expires_in":900,"interval":1}"#
        let service = Service([(200, codes), (400, #"{"error":"authorization_pending"}"#), (200, Self.token)])
        let manager = try manager(service)
        let shown = Locked<[String]>([])
        try await manager.signInOnAnotherDevice { code in shown.with { $0.append(code.userCode + " " + code.verificationURI) } }
        #expect(shown.current == ["WDJB https://acme.example/d"])
        #expect(try await header(manager) == "Bearer a")
        #expect(service.state.current.bodies.count == 3)
    }

    @Test func on_another_device_that_is_denied_says_so() async throws {
        let codes = #"{"device_code":"d","user_code":"WDJB","verification_uri":"https://acme.example/d","expires_in":900,"interval":1}"#
        let manager = try manager(Service([(200, codes), (400, #"{"error":"access_denied"}"#)]))
        #expect(await code { try await manager.signInOnAnotherDevice { _ in } } == "access_denied")
    }
}
