internal import Foundation
import Testing
@testable import Tokenward
import TokenwardTesting

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

private let redirectURI = "com.example.app:/callback"
private let issued = #"{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"r"}"#
private let codes =
    #"{"device_code":"d","user_code":"WDJB","verification_uri":"https://acme.example/d","expires_in":900,"interval":1}"#

private func refused(_ error: String) -> (Int, String) { (400, #"{"error":"\#(error)"}"#) }

/// A service that answers from a list, and remembers the bodies and the keys that it was sent.
private final class Service: TokenTransport {
    let state: Locked<(answers: [(Int, String)], bodies: [String])>
    let keys = Locked<[String?]>([])
    /// No answer comes before.
    let isOpen = Locked(true)

    init(_ answers: (Int, String)...) { state = Locked((answers, [])) }

    var bodies: [String] { state.current.bodies }

    func send(_ request: TransportRequest) async throws -> TransportResponse {
        keys.with { keys in keys.append(request.headers.first { $0.name == "x-api-key" }?.value) }
        let answer = state.with { state in
            state.bodies.append(String(decoding: request.body ?? Data(), as: UTF8.self))
            return state.answers.isEmpty ? nil : state.answers.removeFirst()
        }
        while !isOpen.current { try await Task.sleep(nanoseconds: 1_000_000) }
        guard let (status, body) = answer else { throw URLError(.networkConnectionLost) }
        return TransportResponse(status: status, headers: [], body: Data(body.utf8))
    }
}

/// One that cannot be written any more, once that is said.
private struct Breaking: TokenStorage {
    let memory = MemoryTokenStorage()
    let isBroken = Locked(false)

    var isShared: Bool { false }
    func sealKey() -> Data { memory.sealKey() }
    func locked(_ body: @escaping @Sendable (StorageAccess) -> Void) throws {
        if isBroken.current { throw TokenwardError.storage(code: "storage_locked", underlying: nil) }
        memory.locked(body)
    }
}

extension MemoryTokenStorage {
    fileprivate var item: Data? {
        get {
            let item = Locked<Data?>(nil)
            locked { item.current = try? $0.read() }
            return item.current
        }
        set { locked { [newValue] in try? $0.write(newValue ?? Data()) } }
    }
}

/// A person signs in, in a browser or on another device.
@Suite struct SigningIn {
    private let clock = HandClock()

    private func manager(
        _ service: Service, name: String = "acme", source: TokenSource = .credentials { Credentials(clientId: "app") },
        headers: [NamedValue]? = nil, parameters: [TokenParameter]? = nil
    ) throws -> TokenManager {
        let acme = TokenProvider(name: name, baseUrl: "https://login.acme.example", tokenPath: "/token") {
            $0.authorizationUrl = "https://login.acme.example/authorize"
            $0.devicePath = "/device"
            $0.authentication = .publicClient
            $0.headers = headers
            $0.parameters = parameters
            $0.refreshGrant = true
            $0.exposure = .appAllowed
        }
        return try TokenManager(
            provider: acme, source: source, transport: service, options: TokenManagerOptions().at(clock))
    }

    private func header(_ manager: TokenManager) async throws -> String {
        try await manager.authorize(method: "GET", url: URL(string: "https://login.acme.example/me")!).header
    }

    /// What the browser comes back with.
    private func callback(_ url: URL, _ query: String, to redirectURI: String = redirectURI) -> URL {
        URL(string: "\(redirectURI)?\(query)&state=\(parameter("state", of: url))")!
    }

    private func parameter(_ name: String, of url: URL) -> String {
        let items = URLComponents(url: url, resolvingAgainstBaseURL: false)?.queryItems ?? []
        return items.first { $0.name == name }?.value ?? ""
    }

    private func visit(_ url: URL) async throws -> (Int?, String) {
        let (page, response) = try await URLSession.shared.data(from: url)
        return ((response as? HTTPURLResponse)?.statusCode, String(decoding: page, as: UTF8.self))
    }

    /// Somebody goes to the browser, and the process ends there: the URL that was open.
    private func killedInTheBrowser(_ pending: any TokenStorage) async throws -> URL {
        let opened = Locked<URL?>(nil)
        let manager = try manager(Service())
        let process = Task {
            try await manager.signIn(redirectURI: redirectURI, pending: pending) { request in
                opened.current = request.url
                while true { try await Task.sleep(nanoseconds: 1_000_000_000) }
            }
        }
        try await eventually { opened.current != nil }
        process.cancel()
        _ = await process.result
        return try #require(opened.current)
    }

    @Test func in_a_browser_ends_in_a_token() async throws {
        let service = Service((200, issued))
        let manager = try manager(service)
        try await manager.signIn(redirectURI: redirectURI) { callback($0.url, "code=c") }
        #expect(try await header(manager) == "Bearer a")
        let body = service.bodies[0]
        #expect(body.hasPrefix("grant_type=authorization_code&code=c&redirect_uri=com.example.app%3A%2Fcallback&code_verifier="))
        #expect(body.hasSuffix("&client_id=app"))
    }

    @Test func with_a_callback_that_is_not_of_it_is_refused_and_sends_nothing() async throws {
        let (service, pending) = (Service(), MemoryTokenStorage())
        let manager = try manager(service)
        let forged: [(String, @Sendable (URL) -> URL)] = [
            ("other_state", { _ in URL(string: redirectURI + "?code=c&state=forged")! }),
            ("other_redirect_uri", { callback($0, "code=c", to: "com.example.app:/elsewhere") }),
            ("duplicate_parameter", { callback($0, "code=c&code=d") }),
            ("invalid_callback", { callback($0, "nothing=c") }),
        ]
        for (name, forge) in forged {
            #expect(await code {
                try await manager.signIn(redirectURI: redirectURI, pending: pending) { forge($0.url) }
            } == name)
            #expect(pending.item?.isEmpty == false)
        }
        #expect(service.bodies.isEmpty)
    }

    @Test func waits_for_the_right_callback_if_whoever_shows_the_browser_does() async throws {
        let service = Service((200, issued))
        try await manager(service).signIn(redirectURI: redirectURI) { request in
            let denied = callback(request.url, "error=access_denied").absoluteString
            let urls = [
                URL(string: redirectURI + "?code=c&state=forged")!,
                URL(string: denied.replacingOccurrences(of: "&state=", with: "&state=x"))!, callback(request.url, "code=c"),
            ]
            #expect(urls.map(request.isAnswered(by:)) == [false, false, true])
            return urls[2]
        }
        #expect(service.bodies.count == 1)
    }

    @Test func that_a_person_declines_says_so_and_so_hears_whoever_shows_the_browser() async throws {
        let (service, pending) = (Service(), MemoryTokenStorage())
        let (manager, isAnswered) = (try manager(service), Locked(false))
        #expect(await code {
            try await manager.signIn(redirectURI: redirectURI, pending: pending) { request in
                let denied = callback(request.url, "error=access_denied")
                isAnswered.current = request.isAnswered(by: denied)
                return denied
            }
        } == "access_denied")
        #expect(isAnswered.current)
        #expect(pending.item == Data())
        #expect(service.bodies.isEmpty)
    }

    @Test func whose_code_the_service_refuses_leaves_the_token_that_there_was() async throws {
        let manager = try manager(Service(refused("invalid_grant")))
        try await manager.install(IssuedToken(accessToken: "installed", expiresIn: 3600))
        do {
            try await manager.signIn(redirectURI: redirectURI) { callback($0.url, "code=replayed") }
            Issue.record("accepted")
        } catch TokenwardError.signInRequired(let reason, let answer) {
            #expect(reason == "invalid_grant" && answer?.status == 400)
        }
        #expect(try await header(manager) == "Bearer installed")
    }

    @Test func whose_browser_is_closed_leaves_nothing_that_could_be_resumed() async throws {
        let pending = MemoryTokenStorage()
        let manager = try manager(Service())
        await #expect(throws: URLError.self) {
            try await manager.signIn(redirectURI: redirectURI, pending: pending) { _ in
                throw URLError(.userCancelledAuthentication)
            }
        }
        #expect(pending.item == Data())
        let late = URL(string: redirectURI + "?code=c&state=s")!
        #expect(await code { try await manager.resumeSignIn(callback: late, pending: pending) } == "stale_request")
    }

    @Test func that_is_killed_between_browser_and_callback_resumes_in_the_next_process_once() async throws {
        let pending = MemoryTokenStorage()
        let url = try await killedInTheBrowser(pending)
        let service = Service((200, issued))
        let next = try manager(service)
        let forged = URL(string: redirectURI + "?code=forged&state=forged")!
        #expect(await code { try await next.resumeSignIn(callback: forged, pending: pending) } == "other_state")
        try await next.resumeSignIn(callback: callback(url, "code=c"), pending: pending)
        #expect(try await header(next) == "Bearer a")
        #expect(pending.item == Data())
        #expect(await code { try await next.resumeSignIn(callback: callback(url, "code=c"), pending: pending) } == "stale_request")
        #expect(service.bodies.count == 1)
    }

    @Test func that_is_resumed_twice_at_once_sends_its_code_once() async throws {
        let pending = MemoryTokenStorage()
        let url = try await killedInTheBrowser(pending)
        let (service, asked) = (Service((200, issued)), Locked(0))
        let next = try manager(service, source: .credentials {
            asked.with { $0 += 1 }
            try await eventually { asked.current == 2 }
            return Credentials(clientId: "app")
        })
        let both = (0..<2).map { _ in
            Task { await code { try await next.resumeSignIn(callback: callback(url, "code=c"), pending: pending) } }
        }
        let ends = [await both[0].value, await both[1].value]
        #expect(Set(ends) == [nil, "stale_request"])
        #expect(service.bodies.count == 1)
    }

    @Test func deletes_what_is_pending_before_its_code_is_sent() async throws {
        let pending = MemoryTokenStorage()
        let url = try await killedInTheBrowser(pending)
        let next = try manager(Service())
        #expect(await cause {
            try await next.resumeSignIn(callback: callback(url, "code=c"), pending: pending)
        } == "\(URLError.self)")
        #expect(pending.item == Data())
    }

    @Test func sends_no_code_while_what_is_pending_cannot_be_deleted() async throws {
        let (service, pending) = (Service(), Breaking())
        let manager = try manager(service)
        let signIn = {
            try await manager.signIn(redirectURI: redirectURI, pending: pending) { request in
                pending.isBroken.current = true
                return callback(request.url, "code=c")
            }
        }
        #expect(await code(signIn) == "storage_locked")
        #expect(await code(signIn) == "storage_locked", "and opens no browser")
        #expect(service.bodies.isEmpty)
    }

    @Test func that_is_pending_is_good_for_ten_minutes_for_its_own_provider_and_under_its_own_key() async throws {
        let pending = MemoryTokenStorage()
        let next = try manager(Service())
        let late = try await callback(killedInTheBrowser(pending), "code=c")
        clock.advance(seconds: 600)
        #expect(await code { try await next.resumeSignIn(callback: late, pending: pending) } == "sign_in_expired")
        #expect(await code { try await next.resumeSignIn(callback: late, pending: pending) } == "stale_request")
        let callback = try await callback(killedInTheBrowser(pending), "code=c")
        let other = MemoryTokenStorage()
        other.item = pending.item
        #expect(await code { try await next.resumeSignIn(callback: callback, pending: other) } == "other_snapshot_key")
        let foreign = try manager(Service(), name: "other")
        #expect(await code { try await foreign.resumeSignIn(callback: callback, pending: pending) } == "foreign_snapshot")
    }

    @Test func that_is_cancelled_while_its_code_is_out_brings_its_token() async throws {
        let service = Service((200, issued))
        service.isOpen.current = false
        let manager = try manager(service)
        let signingIn = Task { try await manager.signIn(redirectURI: redirectURI) { callback($0.url, "code=c") } }
        try await eventually { service.bodies.count == 1 }
        signingIn.cancel()
        await #expect(throws: CancellationError.self) { try await signingIn.value }
        service.isOpen.current = true
        try await eventually { try await manager.status().isUsable }
        #expect(try await header(manager) == "Bearer a")
    }

    @Test func during_which_somebody_signs_out_says_so() async throws {
        let service = Service((200, issued))
        service.isOpen.current = false
        let manager = try manager(service)
        let signingIn = Task {
            await code { try await manager.signIn(redirectURI: redirectURI) { callback($0.url, "code=c") } }
        }
        try await eventually { service.bodies.count == 1 }
        try await manager.signOut()
        service.isOpen.current = true
        #expect(await signingIn.value == "signed_out")
        #expect(await code { try await header(manager) } == "signed_out")
    }

    @Test func during_which_somebody_else_signs_in_is_refused_and_leaves_their_token() async throws {
        let service = Service((200, issued))
        service.isOpen.current = false
        let manager = try manager(service)
        let signingIn = Task { try await manager.signIn(redirectURI: redirectURI) { callback($0.url, "code=c") } }
        try await eventually { service.bodies.count == 1 }
        try await manager.install(IssuedToken(accessToken: "theirs", expiresIn: 3600))
        service.isOpen.current = true
        do {
            try await signingIn.value
            Issue.record("accepted")
        } catch TokenwardError.notAllowed(let code) {
            #expect(code == "stale_request")
        }
        #expect(try await header(manager) == "Bearer theirs")
    }

    @Test func by_loopback_takes_the_right_callback_alone_and_ends_with_whoever_waits() async throws {
        let manager = try manager(Service((200, issued)))
        try await manager.signInByLoopback { url in
            let back = parameter("redirect_uri", of: url)
            let forged = try await visit(URL(string: back + "?code=c&state=forged")!)
            let elsewhere = try await visit(callback(url, "code=c", to: back + "/elsewhere"))
            let right = try await visit(callback(url, "code=c", to: back))
            #expect([forged.0, elsewhere.0, right.0] == [404, 404, 200])
            #expect(right.1.contains("You may close this window."))
        }
        #expect(try await header(manager) == "Bearer a")

        let opened = Locked<URL?>(nil)
        let signingIn = Task { try await manager.signInByLoopback { opened.current = $0 } }
        try await eventually { opened.current != nil }
        let back = URL(string: parameter("redirect_uri", of: try #require(opened.current)))!
        #expect(try await visit(back).0 == 404)
        signingIn.cancel()
        await #expect(throws: CancellationError.self) { try await signingIn.value }
        try await eventually {
            do { return try await visit(back).0 == nil } catch { return true }
        }
    }

    @Test func without_a_client_is_wrong_credentials() async throws {
        let manager = try manager(Service(), source: .backend { IssuedToken(accessToken: "a") })
        #expect(await code {
            try await manager.signIn(redirectURI: redirectURI) { callback($0.url, "code=c") }
        } == "wrong_credentials")
        #expect(await code { try await manager.signInOnAnotherDevice { _ in } } == "wrong_credentials")
    }

    @Test func on_another_device_shows_a_code_and_ends_in_a_token() async throws {
        let service = Service((200, codes), refused("authorization_pending"), (200, issued))
        let manager = try manager(service)
        let shown = Locked<[String]>([])
        try await manager.signInOnAnotherDevice { code in shown.with { $0.append(code.userCode + " " + code.verificationURI) } }
        #expect(shown.current == ["WDJB https://acme.example/d"])
        #expect(try await header(manager) == "Bearer a")
        #expect(service.bodies.count == 3)
    }

    @Test func gives_the_values_of_a_client_to_each_request() async throws {
        let service = Service((200, codes), (200, issued), (200, issued))
        let targets: [ParameterTarget] = [.device, .code]
        let manager = try manager(
            service,
            source: .credentials { Credentials(clientId: "app", values: ["key": "k-1", "tenant": "t 1"]) },
            headers: [NamedValue(name: "x-api-key", value: "{key}")],
            parameters: targets.map { TokenParameter(name: "tenant", value: "{tenant}", target: $0) })
        try await manager.signInOnAnotherDevice { _ in }
        try await manager.signIn(redirectURI: redirectURI) { callback($0.url, "code=c") }
        #expect(service.keys.current == ["k-1", "k-1", "k-1"])
        let tenants = service.bodies.flatMap { $0.split(separator: "&") }.filter { $0.contains("tenant") }
        #expect(tenants == ["tenant=t+1", "tenant=t+1", "tenant=t+1"])
    }

    @Test func on_another_device_outlives_a_connection_that_breaks() async throws {
        let service = Service((200, codes))
        let manager = try manager(service)
        let signingIn = Task { try await manager.signInOnAnotherDevice { _ in } }
        try await eventually { service.bodies.count == 2 }
        service.state.with { $0.answers = [(200, issued)] }
        clock.advance(seconds: 60)
        try await signingIn.value
        #expect(try await header(manager) == "Bearer a")
    }

    @Test func on_another_device_that_is_denied_says_so() async throws {
        let manager = try manager(Service((200, codes), refused("access_denied")))
        do {
            try await manager.signInOnAnotherDevice { _ in }
            Issue.record("accepted")
        } catch TokenwardError.signInRequired(let reason, let answer) {
            #expect(reason == "access_denied" && answer?.status == 400)
        }
    }

    @Test func on_another_device_that_shows_nothing_says_why_at_once() async throws {
        let manager = try manager(Service(refused("unauthorized_client"), (200, "{}")))
        #expect(await code { try await manager.signInOnAnotherDevice { _ in } } == "unauthorized_client")
        #expect(await code { try await manager.signInOnAnotherDevice { _ in } } == "invalid_device_authorization")
        #expect(await code { try await manager.signInOnAnotherDevice { _ in } } == "temporarily_unavailable")
    }

    @Test func on_another_device_during_which_somebody_signs_out_or_in_says_so() async throws {
        let changes: [(String, @Sendable (TokenManager) async throws -> Void)] = [
            ("signed_out", { try await $0.signOut() }),
            ("stale_request", { try await $0.install(IssuedToken(accessToken: "theirs", expiresIn: 3600)) }),
        ]
        for (said, change) in changes {
            let service = Service((200, codes), (200, issued))
            let manager = try manager(service)
            let signingIn = Task {
                await code { try await manager.signInOnAnotherDevice { _ in service.isOpen.current = false } }
            }
            try await eventually { service.bodies.count == 2 }
            try await change(manager)
            service.isOpen.current = true
            #expect(await signingIn.value == said)
        }
    }

    @Test func shows_no_secret_in_any_text() async throws {
        try await manager(Service((200, issued))).signIn(redirectURI: redirectURI) { request in
            var dumped = ""
            dump(request, to: &dumped)
            let texts = ["\(request)", String(reflecting: request), dumped]
            #expect(texts.allSatisfy { $0.contains("AuthorizationRequest") && !$0.contains("state") }, "\(texts)")
            return callback(request.url, "code=c")
        }
    }
}
