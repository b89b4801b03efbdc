internal import Foundation
import Testing
@testable import Tokenward

/// Signing out at the service, too.
@Suite struct Revocation {
    private struct Vault: Error {}

    /// A service that answers from a list, and remembers the bodies that it was sent.
    private final class Service: TokenTransport {
        let state: Locked<(answers: [(Int, String)], bodies: [String])>

        init(_ answers: [(Int, String)]) { state = Locked((answers, [])) }

        func send(_ request: TransportRequest) async throws -> TransportResponse {
            #expect(request.url.path == "/oauth2/revoke")
            let (status, body) = try state.with { state in
                state.bodies.append(String(decoding: request.body ?? Data(), as: UTF8.self))
                guard !state.answers.isEmpty else { throw URLError(.notConnectedToInternet) }
                return state.answers.removeFirst()
            }
            return TransportResponse(status: status, headers: [], body: Data(body.utf8))
        }
    }

    private static let credentials = TokenSource.credentials { Credentials(clientId: "id", clientSecret: "secret") }

    /// Signs out with a service that is told; what it was told, and what is said of it.
    private func leaving(
        _ answers: [(Int, String)], path: String? = "/oauth2/revoke", source: TokenSource = credentials,
        parameters: [TokenParameter]? = nil
    ) async throws -> (bodies: [String], failed: [TokenEvent]) {
        let acme = TokenProvider(name: "acme", baseUrl: "https://login.acme.example", tokenPath: "/oauth2/token") {
            $0.revocationPath = path
            $0.authentication = .post
            $0.parameters = parameters
            $0.refreshGrant = true
            $0.exposure = .appAllowed
        }
        let service = Service(answers)
        let manager = try TokenManager(provider: acme, source: source, transport: service)
        try await manager.install(IssuedToken(accessToken: "a", expiresIn: 3600, refreshToken: "r"))
        let events = manager.events
        try await manager.signOut(revoking: true)
        let denied = await code {
            try await manager.authorize(method: "GET", url: URL(string: "https://login.acme.example/me")!)
        }
        #expect(denied == "signed_out")
        // What the stream holds by now; another sign-out ends it.
        try await manager.signOut()
        var (failed, departures) = ([TokenEvent](), 0)
        for await event in events {
            if case .revocationFailed = event { failed.append(event) }
            if case .signedOut = event { departures += 1 }
            if departures == 2 { break }
        }
        return (service.state.current.bodies, failed)
    }

    @Test func tells_the_service_with_the_refresh_token_and_the_clients_credentials() async throws {
        let (bodies, failed) = try await leaving([(200, "")])
        #expect(bodies == ["token=r&token_type_hint=refresh_token&client_id=id&client_secret=secret"])
        #expect(failed.isEmpty)
    }

    @Test func gives_the_values_of_a_client_to_what_the_service_is_told() async throws {
        let (bodies, failed) = try await leaving(
            [(200, "")],
            source: .credentials { Credentials(clientId: "id", clientSecret: "secret", values: ["tenant": "t 1"]) },
            parameters: [TokenParameter(name: "tenant", value: "{tenant}", target: .revocation)])
        #expect(bodies.first?.split(separator: "&").contains("tenant=t+1") == true)
        #expect(failed.isEmpty)
    }

    @Test func that_the_service_says_no_to_is_told_and_undoes_nothing() async throws {
        let (_, failed) = try await leaving([(400, #"{"error":"unsupported_token_type"}"#)])
        let answer = ServiceAnswer(status: 400, error: "unsupported_token_type")
        #expect(failed == [.revocationFailed(code: "refused", answer: answer)])
        #expect(failed.first?.logLine == "token not revoked: refused, status 400")
        #expect(failed.first?.isProblem == true)
    }

    @Test func that_a_service_in_trouble_or_out_of_reach_does_not_answer_undoes_nothing() async throws {
        let trouble = try await leaving([(503, "")]).failed
        #expect(trouble == [.revocationFailed(code: "temporarily_unavailable", answer: ServiceAnswer(status: 503))])
        #expect(try await leaving([]).failed == [.revocationFailed(code: "no_answer", answer: nil)])
    }

    @Test func without_a_revocation_path_or_credentials_sends_nothing_and_signs_out_all_the_same() async throws {
        let pathless = try await leaving([], path: nil)
        #expect(pathless.bodies.isEmpty && pathless.failed == [.revocationFailed(code: "invalid_provider", answer: nil)])
        let closed = try await leaving([], source: .credentials { throw Vault() })
        #expect(closed.bodies.isEmpty && closed.failed == [.revocationFailed(code: "no_answer", answer: nil)])
        let half = try await leaving([], source: .credentials { Credentials(clientId: "id") })
        #expect(half.bodies.isEmpty && half.failed == [.revocationFailed(code: "wrong_credentials", answer: nil)])
    }
}
