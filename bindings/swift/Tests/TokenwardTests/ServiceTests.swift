internal import Foundation
import Testing
@testable import Tokenward
import TokenwardTesting

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

/// The five services, and a certified one, over `URLSession`.
@Suite struct Services {
    private func status(_ url: URL, _ manager: TokenManager, method: String = "GET") async throws -> Int? {
        var request = URLRequest(url: url)
        request.httpMethod = method
        return (try await URLSession.shared.data(for: request, authorizedBy: manager).1 as? HTTPURLResponse)?.statusCode
    }

    // MARK: - Flip Energy

    @Test func a_phone_gets_its_site_tokens_from_the_apps_backend_and_asks_again_in_time() async throws {
        let demo = try Demo("flip_energy")
        let (clock, asked) = (HandClock(), Locked(0))
        let provider = demo.provider(.flipEnergySiteByBackend)
        let manager = try TokenManager(
            provider: provider, identity: TokenIdentity(site: "site-1"),
            source: .backend {
                asked.with { $0 += 1 }
                return try await demo.siteToken("site-1")
            }, storage: MemoryTokenStorage(), transport: URLSessionTransport(), options: TokenManagerOptions().at(clock))
        let devices = demo.url("/v1/site/site-1/devices")
        #expect(try await status(devices, manager) == 200)
        // Within the hour nobody is asked.
        clock.advance(seconds: 2879)
        #expect(try await status(devices, manager) == 200)
        #expect(asked.current == 1)
        // Before it is over the next token is there, and nobody waited for it.
        clock.advance(seconds: 2)
        #expect(try await manager.authorize(method: "GET", url: devices).generation == 1)
        try await eventually { try await manager.authorize(method: "GET", url: devices).generation == 2 }
        #expect(asked.current == 2)
        // A token that the service revoked is replaced, and the request sent again.
        clock.advance(seconds: 60)
        try await demo.order("clock", #"{"advance_s":3601}"#)
        #expect(try await status(devices, manager) == 200)
        #expect(asked.current == 3)
        // Another site is not even asked for.
        #expect(await code { try await status(demo.url("/v1/site/site-2/devices"), manager) } == "other_site")
        try await manager.signOut()
        #expect(await code { try await status(devices, manager) } == "signed_out")
        try await manager.signIn()
        #expect(try await status(devices, manager) == 200)
        #expect(asked.current == 4)
    }

    @Test func a_backend_that_is_down_is_asked_seldom_and_never_ends_a_good_token() async throws {
        let demo = try Demo("flip_energy")
        let (clock, asked, isDown) = (HandClock(), Locked(0), Locked(false))
        var options = TokenManagerOptions()
        options.requestTimeout = 0
        let manager = try TokenManager(
            provider: demo.provider(.flipEnergySiteByBackend),
            identity: TokenIdentity(site: "site-1"),
            source: .backend {
                asked.with { $0 += 1 }
                if isDown.current { throw URLError(.cannotConnectToHost) }
                return try await demo.siteToken("site-1")
            }, storage: MemoryTokenStorage(), transport: URLSessionTransport(), options: options.at(clock))
        let devices = demo.url("/v1/site/site-1/devices")
        #expect(try await manager.authorize(method: "GET", url: devices).generation == 1)
        isDown.current = true
        clock.advance(seconds: 2881)
        for _ in 0..<50 { #expect(try await manager.authorize(method: "GET", url: devices).generation == 1) }
        try await eventually { asked.current == 2 }
        for _ in 0..<50 { #expect(try await manager.authorize(method: "GET", url: devices).generation == 1) }
        #expect(asked.current == 2)
        clock.advance(seconds: 720)
        #expect(await cause { try await manager.authorize(method: "GET", url: devices) } == "URLError")
        isDown.current = false
        clock.advance(seconds: 300)
        #expect(try await manager.authorize(method: "GET", url: devices).generation == 2)
    }

    @Test func a_backend_that_gives_no_answer_in_time_has_failed_and_its_late_answer_counts_no_more() async throws {
        let (clock, asked, isOpen) = (HandClock(), Locked(0), Locked(false))
        var options = TokenManagerOptions()
        options.requestTimeout = 0
        let provider = TokenProvider(.flipEnergySiteByBackend)
        let manager = try TokenManager(
            provider: provider, identity: TokenIdentity(site: "site-1", baseUrl: "https://flip.example"),
            source: .backend {
                guard asked.with({ $0 += 1; return $0 }) == 1 else { return IssuedToken(accessToken: "next") }
                // Deaf to its cancellation.
                await Task.detached {
                    while !isOpen.current { try? await Task.sleep(nanoseconds: 1_000_000) }
                }.value
                return IssuedToken(accessToken: "late")
            }, storage: MemoryTokenStorage(), transport: URLSessionTransport(), options: options.at(clock))
        let devices = URL(string: "https://flip.example/v1/site/site-1/devices")!
        let caller = Task { try await manager.authorize(method: "GET", url: devices) }
        try await eventually { asked.current == 1 }
        clock.advance(seconds: 31)
        #expect(await cause { try await caller.value } == "URLError")
        isOpen.current = true
        try await Task.sleep(nanoseconds: 50_000_000)
        #expect(try await manager.status().isUsable == false)
        clock.advance(seconds: 300)
        #expect(try await manager.authorize(method: "GET", url: devices).header == "Bearer next")
    }

    @Test func a_gateway_asks_for_site_tokens_with_its_client_token() async throws {
        let demo = try Demo("flip_energy")
        let (bearer, clock) = (Locked(demo.bearer), HandClock())
        func made(_ preset: TokenPreset, _ source: TokenSource, _ site: String? = nil) throws -> TokenManager {
            try TokenManager(
                provider: demo.provider(preset), identity: TokenIdentity(site: site), source: source,
                storage: MemoryTokenStorage(), transport: URLSessionTransport(), options: serverOptions.at(clock))
        }
        let client = try made(.flipEnergyClient, .fixed { IssuedToken(accessToken: bearer.current) })
        let sites = try ["site-1", "site-2"].map { try made(.flipEnergySite, .parent(client), $0) }
        #expect(try await status(demo.url("/v1/sites"), client) == 200)
        #expect(try await status(demo.url("/v1/site/site-1/devices"), sites[0]) == 200)
        #expect(try await status(demo.url("/v1/site/site-2/devices"), sites[1]) == 200)
        #expect(await code { try await status(demo.url("/v1/sites"), sites[0]) } == "route_needs_other_token")

        // The portal makes a new client token, which revokes the old one: the app is asked for it, and the site token that
        // needs it is asked for with it.
        try await demo.order("rotate", #"{"bearer":"fct_new"}"#)
        #expect(try await status(demo.url("/v1/sites"), client) == 401, "the app has nothing else yet")
        bearer.current = "fct_new"
        clock.advance(seconds: 3600)
        #expect(try await status(demo.url("/v1/site/site-1/devices"), sites[0]) == 200)
        #expect(try await status(demo.url("/v1/sites"), client) == 200)
        // It never installs what it is not asked for.
        #expect(try await client.authorize(method: "GET", url: demo.url("/v1/sites")).header == "Bearer fct_new")
    }

    // MARK: - The other four

    @Test func flip_utility_by_client_and_by_api_key() async throws {
        let demo = try Demo("flip_utility")
        let (credentials, bearer) = (demo.credentials, demo.bearer)
        let client = try TokenManager(
            provider: demo.provider(.flipUtilitySandbox), source: .credentials { credentials },
            options: serverOptions)
        #expect(try await status(demo.url("/v1/programs"), client) == 200)
        let key = try TokenManager(
            provider: demo.provider(.flipUtilityApiKeySandbox),
            source: .fixed { IssuedToken(accessToken: bearer) }, options: serverOptions)
        #expect(try await status(demo.url("/v1/programs"), key) == 200)
    }

    @Test func flume_by_password_then_by_refresh_token() async throws {
        let demo = try Demo("flume")
        let credentials = demo.credentials
        let manager = try TokenManager(
            provider: demo.provider(.flume), source: .credentials { credentials })
        #expect(try await status(demo.url("/me"), manager) == 200)
        try await manager.renew()
        try await eventually { try await manager.authorize(method: "GET", url: demo.url("/me")).generation == 2 }
        #expect(try await status(demo.url("/me"), manager) == 200)
        #expect(try await demo.tokenRequests().map(\.grant_type) == ["password", "refresh_token"])
    }

    @Test func opower_by_basic() async throws {
        let demo = try Demo("opower")
        let credentials = demo.credentials
        let manager = try TokenManager(
            provider: demo.provider(.opower), source: .credentials { credentials },
            options: serverOptions)
        let accounts = demo.url("/apis/customer-data-v2/UTIL/customers/1/utility_accounts")
        #expect(try await status(accounts, manager) == 200)
    }

    @Test func flute_with_rotation_401_and_a_secret_that_changes() async throws {
        let demo = try Demo("flute")
        let secret = Locked(demo.credentials)
        let clock = HandClock()
        let manager = try TokenManager(
            provider: demo.provider(.fluteSandbox), source: .credentials { secret.current },
            storage: MemoryTokenStorage(), transport: URLSessionTransport(), options: serverOptions.at(clock))
        let transactions = demo.url("/v2/transactions")
        #expect(try await status(transactions, manager) == 200)
        clock.advance(seconds: 60)
        try await demo.order("revoke", #"{"what":"all"}"#)
        #expect(try await status(transactions, manager) == 200)
        #expect(
            try await demo.tokenRequests().map(\.grant_type) == [
                "client_credentials", "refresh_token", "client_credentials",
            ])
        try await demo.order("rotate", #"{"client_secret":"next"}"#)
        clock.advance(seconds: 3600)
        #expect(await code { try await status(transactions, manager) } == "invalid_client")
        #expect(await code { try await status(transactions, manager) } == "invalid_client")
        secret.with { $0.clientSecret = "next" }
        try await manager.retry()
        #expect(try await status(transactions, manager) == 200)
    }

    // MARK: - A certified server

    /// Each way to sign requests, and the client of it.
    @Test(.serialized, arguments: [(ClientAuthentication.clientSecretJwt, "signer"), (.privateKeyJwt, "keyed")])
    func oidc_provider_takes_a_signed_request_where_the_clocks_agree(way: ClientAuthentication, client: String) async throws {
        let base = ProcessInfo.processInfo.environment["TOKENWARD_OIDC_SIGNED"] ?? ""
        try #require(!base.isEmpty, "started by bindings/swift/test.sh")
        let provider = TokenProvider(name: "oidc-provider", baseUrl: base, tokenPath: "/token") {
            ($0.loopbackHttp, $0.primaryGrant, $0.authentication) = (true, .clientCredentials, way)
            $0.issuer = base
        }
        let me = URL(string: base + "/me")!
        // A service that keeps keys.
        let key = ClientSigner(.es256) { data in
            var request = URLRequest(url: URL(string: base + "/sign?ES256")!)
            (request.httpMethod, request.httpBody) = ("POST", data)
            return try await URLSession.shared.data(for: request).0
        }
        let secret = "a secret of 32 bytes, or of more."
        func made(_ clock: HandClock) throws -> TokenManager {
            try TokenManager(
                provider: provider,
                source: .credentials { Credentials(clientId: client, clientSecret: secret, signer: key) },
                storage: MemoryTokenStorage(), transport: URLSessionTransport(), options: serverOptions.at(clock))
        }
        #expect(try await made(HandClock()).authorize(method: "GET", url: me).generation == 1)
        // Our clock is an hour slow until somebody sets it right.
        _ = try await URLSession.shared.data(from: URL(string: base + "/ahead?3600")!)
        let clock = HandClock()
        let manager = try made(clock)
        #expect(await code { try await manager.authorize(method: "GET", url: me) } == "invalid_client")
        clock.advance(seconds: 3600)
        #expect(try await manager.authorize(method: "GET", url: me).generation == 1)
        _ = try await URLSession.shared.data(from: URL(string: base + "/ahead?0")!)
    }

    @Test func oidc_provider_with_first_token_rotation_and_401() async throws {
        let base = ProcessInfo.processInfo.environment["TOKENWARD_OIDC"] ?? ""
        try #require(!base.isEmpty, "started by bindings/swift/test.sh")
        let provider = TokenProvider(name: "oidc-provider", baseUrl: base, tokenPath: "/token") {
            ($0.loopbackHttp, $0.exposure) = (true, .appAllowed)
            ($0.primaryGrant, $0.refreshGrant) = (.password, true)
            $0.scope = "openid offline_access"
            $0.policy = RefreshPolicy { $0.minIntervalMs = 0 }
        }
        let manager = try TokenManager(
            provider: provider,
            source: .credentials {
                Credentials(
                    clientId: "app", clientSecret: "s3cret+/=%", username: "user-1", password: "correct horse")
            })
        let me = URL(string: base + "/me")!
        let first = try await manager.authorize(method: "GET", url: me)
        #expect(try await status(me, manager) == 200)
        try await manager.renew()
        try await eventually { try await manager.authorize(method: "GET", url: me).generation == 2 }
        #expect(try await status(me, manager) == 200)
        // The first token's refresh token was used up: with it a third would be refused.
        try await manager.renew()
        try await eventually { try await manager.authorize(method: "GET", url: me).generation == 3 }

        // Revoked at the server: a 401, a refresh, and the request again.
        let third = try await manager.authorize(method: "GET", url: me)
        #expect(third.header != first.header)
        var revocation = URLRequest(url: URL(string: base + "/token/revocation")!)
        revocation.httpMethod = "POST"
        let client = Data("app:s3cret%2B%2F%3D%25".utf8).base64EncodedString()
        revocation.setValue("Basic \(client)", forHTTPHeaderField: "Authorization")
        revocation.httpBody = Data("token=\(third.header.dropFirst(7))".utf8)
        revocation.setValue("application/x-www-form-urlencoded", forHTTPHeaderField: "Content-Type")
        let (_, answer) = try await URLSession.shared.data(for: revocation)
        #expect((answer as? HTTPURLResponse)?.statusCode == 200)
        #expect(try await status(me, manager) == 200)
        #expect(try await manager.authorize(method: "GET", url: me).generation == 4)
    }
}
