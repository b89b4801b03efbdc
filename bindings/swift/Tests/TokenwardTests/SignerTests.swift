internal import Foundation
import Testing
@testable import Tokenward
import TokenwardTesting

/// A client signs its requests by a key of its own.
@Suite struct Signing {
    private struct KeyIsLocked: Error {}

    /// A service that answers from a list, with a token where that is empty, and remembers the bodies that it was sent.
    private final class Service: TokenTransport {
        let state: Locked<(answers: [(Int, String)], bodies: [String])>

        init(_ answers: (Int, String)...) { state = Locked((answers, [])) }

        var bodies: [String] { state.current.bodies }

        func send(_ request: TransportRequest) async throws -> TransportResponse {
            let (status, body) = state.with { state in
                state.bodies.append(String(decoding: request.body ?? Data(), as: UTF8.self))
                let token = #"{"access_token":"a\#(state.bodies.count)","token_type":"Bearer","expires_in":3600}"#
                return state.answers.isEmpty ? (200, token) : state.answers.removeFirst()
            }
            return TransportResponse(status: status, headers: [], body: Data(body.utf8))
        }
    }

    /// A key, and what it was given to sign.
    private final class Key: Sendable {
        let inputs = Locked<[String]>([])
        /// What it does in place of signing.
        let instead = Locked<(@Sendable () throws -> Data)?>(nil)
        /// The numbers 1 and 2.
        static let der = Data([0x30, 6, 2, 1, 1, 2, 1, 2])

        func sign(_ data: Data) throws -> Data {
            inputs.with { $0.append(String(decoding: data, as: UTF8.self)) }
            return try instead.current?() ?? Self.der
        }

        func breaks() { instead.current = { throw KeyIsLocked() } }
    }

    private let key = Key()
    private let clock = HandClock()
    private let redirectURI = "com.example.app:/callback"

    private func manager(
        _ service: Service, _ change: (inout TokenProvider) -> Void = { _ in }
    ) throws -> TokenManager {
        let acme = TokenProvider(name: "acme", baseUrl: "https://login.acme.example", tokenPath: "/token") {
            $0.authorizationUrl = "https://login.acme.example/authorize"
            $0.devicePath = "/device"
            $0.revocationPath = "/revoke"
            $0.authentication = .privateKeyJwt
            $0.primaryGrant = .clientCredentials
            $0.refreshGrant = true
            $0.exposure = .appAllowed
            change(&$0)
        }
        let source = TokenSource.credentials { [key] in
            let signer = ClientSigner(.es256, certificateThumbprint: "thumbprint") { try key.sign($0) }
            return Credentials(clientId: "app", keyId: "k1", signer: signer)
        }
        return try TokenManager(
            provider: acme, source: source, transport: service, options: TokenManagerOptions().at(clock))
    }

    private func authorize(_ manager: TokenManager) async throws {
        _ = try await manager.authorize(method: "GET", url: URL(string: "https://login.acme.example/me")!)
    }

    /// The three parts of the assertion of a request.
    private func assertion(_ body: String) -> [String] {
        let value = body.components(separatedBy: "&client_assertion=").last ?? ""
        return (value.split(separator: "&").first.map(String.init) ?? "").components(separatedBy: ".")
    }

    private func decoded(_ part: String) -> Data {
        let text = part.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        return Data(base64Encoded: text + String(repeating: "=", count: (4 - text.count % 4) % 4)) ?? Data()
    }

    private func refused(_ call: () async throws -> Void) async -> TokenwardError? {
        do {
            try await call()
            return nil
        } catch {
            return error as? TokenwardError
        }
    }

    private func isTransport(_ error: TokenwardError?) -> Bool {
        if case .transport(let underlying) = error { underlying is KeyIsLocked } else { false }
    }

    @Test func is_done_anew_for_each_request_and_a_signature_in_der_becomes_two_numbers() async throws {
        let service = Service()
        let manager = try manager(service)
        try await authorize(manager)
        let parts = assertion(service.bodies[0])
        #expect(
            String(decoding: decoded(parts[0]), as: UTF8.self)
                == #"{"typ":"JWT","alg":"ES256","kid":"k1","x5t#S256":"thumbprint"}"#)
        #expect(String(decoding: decoded(parts[1]), as: UTF8.self).contains(#""aud":"https://login.acme.example/token""#))
        #expect(key.inputs.current == ["\(parts[0]).\(parts[1])"])
        var numbers = [UInt8](repeating: 0, count: 64)
        (numbers[31], numbers[63]) = (1, 2)
        #expect(decoded(parts[2]) == Data(numbers))
        try await manager.renew()
        clock.advance(seconds: 2)
        try await authorize(manager)
        try await eventually { key.inputs.current.count == 2 }
        #expect(Set(key.inputs.current).count == 2)
    }

    @Test func by_a_key_that_does_not_is_told_and_nothing_is_sent_until_it_does() async throws {
        let service = Service()
        let manager = try manager(service)
        key.breaks()
        #expect(isTransport(await refused { try await authorize(manager) }))
        key.instead.current = { Data(count: 63) }
        #expect(await refused { try await authorize(manager) }?.code == "invalid_signature")
        #expect(service.bodies.isEmpty)
        key.instead.current = nil
        try await authorize(manager)
        #expect(service.bodies.count == 1)
    }

    @Test func is_not_asked_of_a_key_where_the_service_wants_no_signature() async throws {
        let service = Service()
        key.breaks()
        try await authorize(try manager(service) { $0.authentication = .publicClient })
        #expect(key.inputs.current.isEmpty)
        #expect(service.bodies[0].hasSuffix("&client_id=app"))
    }

    @Test func by_a_key_that_does_not_leaves_the_code_of_a_sign_in_to_another_try() async throws {
        let (service, pending, opened) = (Service(), MemoryTokenStorage(), Locked<URL?>(nil))
        let manager = try manager(service) { $0.primaryGrant = nil }
        key.breaks()
        let error = await refused {
            try await manager.signIn(redirectURI: redirectURI, pending: pending) { [redirectURI] request in
                let items = URLComponents(url: request.url, resolvingAgainstBaseURL: false)?.queryItems ?? []
                let state = items.first { $0.name == "state" }?.value ?? ""
                opened.current = URL(string: "\(redirectURI)?code=c&state=\(state)")
                return opened.current!
            }
        }
        #expect(isTransport(error))
        #expect(service.bodies.isEmpty)
        key.instead.current = nil
        try await manager.resumeSignIn(callback: try #require(opened.current), pending: pending)
        #expect(service.bodies[0].hasPrefix("grant_type=authorization_code&code=c&"))
        #expect(assertion(service.bodies[0]).dropLast().joined(separator: ".") == key.inputs.current.last)
    }

    @Test func by_a_key_that_breaks_while_a_device_waits_ends_its_sign_in() async throws {
        let codes =
            #"{"device_code":"d","user_code":"WDJB","verification_uri":"https://acme.example/d","expires_in":900,"interval":1}"#
        let service = Service((200, codes), (200, codes))
        let manager = try manager(service) { $0.primaryGrant = nil }
        let time = Task { [clock] in
            while !Task.isCancelled {
                try await Task.sleep(nanoseconds: 5_000_000)
                clock.advance(seconds: 1)
            }
        }
        defer { time.cancel() }
        #expect(isTransport(await refused { try await manager.signInOnAnotherDevice { [key] _ in key.breaks() } }))
        key.instead.current = nil
        let error = await refused {
            try await manager.signInOnAnotherDevice { [key] _ in key.instead.current = { Data(count: 1) } }
        }
        #expect(error?.code == "invalid_signature")
        #expect(service.bodies.count == 2)
    }

    @Test func of_a_sign_out_is_told_where_the_key_does_not() async throws {
        let service = Service((200, ""))
        let manager = try manager(service)
        let events = manager.events
        for breaks in [false, true] {
            try await manager.install(IssuedToken(accessToken: "a", expiresIn: 3600, refreshToken: "r"))
            if breaks { key.breaks() }
            try await manager.signOut(revoking: true)
            #expect(await refused { try await authorize(manager) }?.code == "signed_out")
        }
        #expect(service.bodies.count == 1)
        #expect(
            service.bodies[0].hasPrefix("token=r&token_type_hint=refresh_token&client_id=app&client_assertion_type="))
        // What the stream holds by now; another sign-out ends it.
        try await manager.signOut()
        var (failed, departures) = (0, 0)
        for await event in events {
            if case .revocationFailed = event { failed += 1 }
            if case .signedOut = event { departures += 1 }
            if departures == 3 { break }
        }
        #expect(failed == 1)
    }
}
