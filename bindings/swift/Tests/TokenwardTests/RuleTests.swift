internal import Foundation
import Testing
@testable import Tokenward

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

/// What is refused before anything is sent, and what errors say.
@Suite struct Rules {
    @Test func credentials_for_servers_do_not_make_a_manager_in_an_app() async throws {
        let (base, source) = ("https://a.example", TokenSource.credentials { Credentials() })
        func refusal(_ provider: TokenProvider, _ options: TokenManagerOptions) async -> String? {
            let site = provider.tokenPath?.contains("{site}") == true ? "1" : nil
            let identity = TokenIdentity(site: site, baseUrl: provider.baseUrl ?? base)
            return await code {
                try TokenManager(provider: provider, identity: identity, source: source, options: options)
            }
        }
        for preset in TokenPreset.allCases {
            let isForApps = [.flume, .flipEnergySiteByBackend].contains(preset)
            let refusal = await refusal(TokenProvider(preset), TokenManagerOptions())
            #expect(refusal == (isForApps ? nil : "server_only"), "\(preset)")
        }
        let own = TokenProvider(name: "own")
        #expect(await refusal(own, TokenManagerOptions()) == "server_only")
        #expect(await refusal(own, serverOptions) == nil)
    }

    @Test func a_description_that_cannot_work_is_refused_with_the_name_of_the_fact() {
        func refused(_ provider: TokenProvider, _ identity: TokenIdentity = TokenIdentity()) -> TokenwardError? {
            do {
                _ = try TokenManager(
                    provider: provider, identity: identity, source: .credentials { Credentials() },
                    options: serverOptions)
                return nil
            } catch {
                return error
            }
        }
        let bad = TokenProvider(name: "acme", baseUrl: "login.acme.example")
        for (fact, refused) in [
            ("base_url", refused(bad)), ("site", refused(TokenProvider(.flipEnergySite), TokenIdentity(baseUrl: "https://a.example"))),
            ("base_url", refused(TokenProvider(.opower), TokenIdentity(baseUrl: "tier.example"))),
        ] {
            guard case .configuration("invalid_provider", let named, nil) = refused else {
                Issue.record("\(String(describing: refused))")
                continue
            }
            #expect(named == fact)
            #expect(refused?.localizedDescription.hasSuffix("(\(fact))") == true)
        }
    }

    @Test func a_custom_providers_token_goes_to_the_origin_of_its_base_url_alone_unless_that_is_said() async throws {
        let elsewhere = URL(string: "https://b.example/v1")!
        for isEverywhere in [false, true] {
            let provider = TokenProvider(name: "acme", baseUrl: "https://a.example", tokenPath: "/token") {
                $0.anyHttpsOrigin = isEverywhere
                $0.exposure = .appAllowed
            }
            let manager = try TokenManager(provider: provider, source: .fixed { IssuedToken(accessToken: "t") })
            #expect(try await manager.authorize(method: "GET", url: URL(string: "https://a.example/v1")!).header == "Bearer t")
            let refusal = await code { try await manager.authorize(method: "GET", url: elsewhere) }
            #expect(refusal == (isEverywhere ? nil : "origin_not_allowed"))
        }
    }

    @Test func a_site_provider_without_a_site_is_refused() async throws {
        let provider = TokenProvider(.flipEnergySiteByBackend)
        #expect(
            await code { try TokenManager(provider: provider, source: .backend { IssuedToken(accessToken: "t") }) }
                == "invalid_provider")
    }

    @Test func a_token_goes_nowhere_it_does_not_belong_and_nobody_is_asked() async throws {
        let manager = try TokenManager(
            provider: TokenProvider(.flipEnergySiteByBackend),
            identity: TokenIdentity(site: "site-1", baseUrl: "https://flip.example"),
            source: .backend {
                Issue.record("the backend was asked")
                throw URLError(.badURL)
            })
        let refused = [
            ("GET", "https://evil.example/v1/site/site-1/devices", "origin_not_allowed"),
            ("GET", "http://flip.example/v1/site/site-1/devices", "origin_not_allowed"),
            ("GET", "https://flip.example/v1/nothing", "unknown_route"),
            ("GET", "https://flip.example/v1/sites", "route_needs_other_token"),
            ("GET", "https://flip.example/v1/site/site-2/devices", "other_site"),
            ("GET", "https://user@flip.example/v1/site/site-1/devices", "bad_url"),
        ]
        for (method, url, rule) in refused {
            #expect(await code { try await manager.authorize(method: method, url: URL(string: url)!) } == rule)
        }
    }

    @Test func what_leaves_a_fact_open_has_the_cores_defaults() {
        #expect(TokenProvider(name: "acme").policy == nil)
        #expect(RefreshPolicy() == defaultPolicy() && RefreshPolicy().fractionPermille == 800)
        #expect(RefreshPolicy { $0.marginMs = 1 }.marginMs == 1)
        #expect(TokenReason.allCases.map(\.code).contains("refresh_token_rejected"))
    }

    @Test func every_error_has_a_code_and_a_sentence() {
        let errors: [(TokenwardError, String, Bool)] = [
            (.signInRequired(reason: "refresh_token_rejected"), "refresh_token_rejected", false),
            (.configuration(code: "server_only"), "server_only", false),
            (.notAllowed(code: "origin_not_allowed"), "origin_not_allowed", false),
            (.configuration(code: "invalid_argument", fact: "seal_key"), "invalid_argument", false),
            (.temporarilyUnavailable(retryAfter: 1), "temporarily_unavailable", true),
            (.transport(underlying: URLError(.timedOut)), "transport", true),
            (.storage(code: "storage_locked", underlying: nil), "storage_locked", true),
            (.storage(code: "storage_failed", underlying: nil), "storage_failed", true),
            (.storage(code: "foreign_snapshot", underlying: nil), "foreign_snapshot", true),
            (.badAnswer(code: "not_json"), "not_json", true),
            (.incompatibleLibrary(expected: "1", found: "2"), "incompatible_library", false),
            (.internal, "internal", false),
        ]
        for (error, code, isRetryable) in errors {
            #expect(error.code == code && error.isRetryable == isRetryable && "\(error)" == code)
            let sentence = error.localizedDescription
            #expect(sentence.hasSuffix(".") || sentence.hasSuffix("(seal_key)"), "\(code): \(sentence)")
            #expect(sentence.contains(" "), "\(code): \(sentence)")
        }
    }

    @Test func a_library_of_another_version_is_refused() async {
        #expect(await code { try Library.check() } == nil)
        #expect(await code { try Library.check(expected: "0.0.0") } == "incompatible_library")
    }

    @Test func events_tell_what_happened_and_end_with_the_manager() async throws {
        let demo = try Demo("flute")
        var manager: TokenManager? = try fluteManager(demo)
        let events = try #require(manager?.events)
        _ = try await manager?.authorize(method: "GET", url: demo.url("/v2/transactions"))
        #expect(
            try await manager?.rejected(generation: 1, status: 403, challenge: nil) == .surface(reason: .forbidden))
        try await manager?.signOut()
        manager = nil
        var seen: [TokenEvent] = []
        for await event in events { seen.append(event) }
        #expect(seen == [.refreshed(generation: 1), .rejected(reason: .forbidden), .signedOut])
    }

    @Test func who_must_sign_in_is_told_once_for_each_reason_until_there_is_a_token() async throws {
        let demo = try Demo("flute")
        let manager = try fluteManager(demo) { $0.primaryGrant = nil }
        let events = manager.events
        for _ in 0..<2 {
            for _ in 0..<3 { #expect(await code { try await manager.signIn() } == "no_token") }
            try await manager.install(IssuedToken(accessToken: "installed", expiresIn: 3600))
            try await manager.signOut()
        }
        var (seen, all) = ([] as [TokenEvent], events.makeAsyncIterator())
        while seen.count < 6, let event = await all.next() { seen.append(event) }
        #expect(
            seen == [
                .needsSignIn(reason: .noToken), .refreshed(generation: 1), .signedOut,
                .needsSignIn(reason: .noToken), .refreshed(generation: 2), .signedOut,
            ])
    }

    @Test func a_token_that_is_refused_leaves_the_good_one() async throws {
        let demo = try Demo("flute")
        let manager = try fluteManager(demo)
        let url = demo.url("/v2/transactions")
        try await manager.install(IssuedToken(accessToken: "good", expiresIn: 3600))
        #expect(await code { try await manager.install(.json(Data("<html>".utf8))) } == "not_json")
        #expect(await code { try await manager.install(IssuedToken(accessToken: "")) } == "invalid_access_token")
        let long = String(repeating: "a", count: 4097)
        #expect(await code { try await manager.install(IssuedToken(accessToken: long)) } == "too_long")
        #expect(try await manager.authorize(method: "GET", url: url).header == "Bearer good")
    }
}
