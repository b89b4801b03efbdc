internal import Foundation
import Testing
@testable import Tokenward
internal import TokenwardBridge

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

/// What is refused before anything is sent, and what errors say.
@Suite struct Rules {
    @Test func credentials_for_servers_do_not_make_a_manager_in_an_app() async throws {
        let providers = try [
            Provider.flipUtility(.production), .flipUtilityAPIKey(.production), .flute(.sandbox),
            .flipEnergyClient(baseURL: "https://flip.example"), .opower(baseURL: "https://opower.example"),
            .flipEnergySite(baseURL: "https://flip.example", issuedBy: .clientToken),
            Provider(name: "own", tokenURL: "https://own.example/token"),
        ]
        for provider in providers {
            let site: Subject = provider.tokenPath.contains("{site}") ? .site("1") : .client
            let source = TokenSource.credentials { Credentials() }
            #expect(
                await code { try TokenManager(provider: provider, subject: site, source: source) } == "server_only",
                "\(provider.name)")
            #expect(
                await code {
                    try TokenManager(provider: provider, subject: site, source: source, options: serverOptions)
                } == nil)
        }
        for provider in try [
            Provider.flume(), .flipEnergySite(baseURL: "https://flip.example", issuedBy: .backend),
        ] {
            #expect(
                await code {
                    try TokenManager(
                        provider: provider, subject: provider.name == "flume" ? .client : .site("1"),
                        source: .credentials { Credentials() })
                } == nil)
        }
    }

    @Test func a_site_provider_without_a_site_is_refused() async throws {
        let provider = try Provider.flipEnergySite(baseURL: "https://flip.example", issuedBy: .backend)
        #expect(
            await code { try TokenManager(provider: provider, source: .backend { IssuedToken(accessToken: "t") }) }
                == "invalid_provider")
    }

    @Test func a_token_goes_nowhere_it_does_not_belong_and_nobody_is_asked() async throws {
        let provider = try Provider.flipEnergySite(baseURL: "https://flip.example", issuedBy: .backend)
        let manager = try TokenManager(
            provider: provider, subject: .site("site-1"),
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

    @Test func every_preset_survives_the_way_to_swift_and_back() throws {
        for name in ["flip_utility", "flip_utility_api_key", "flute"] {
            let record = try preset(name: name, environment: "sandbox", baseUrl: nil, issuedBy: nil)
            #expect(try Tokenward.Provider(record: record).record(sharedStorage: false) == record)
        }
        for name in ["flip_energy_client", "flume", "opower"] {
            let record = try preset(name: name, environment: nil, baseUrl: "https://a.example", issuedBy: nil)
            #expect(try Tokenward.Provider(record: record).record(sharedStorage: false) == record)
        }
        let record = try customProvider()
        #expect(try Tokenward.Provider(record: record).record(sharedStorage: false) == record)
    }

    @Test func every_error_has_a_code_and_a_sentence() {
        let errors: [(TokenwardError, String, Bool)] = [
            (.signInRequired(reason: "refresh_token_rejected"), "refresh_token_rejected", false),
            (.configuration(code: "server_only"), "server_only", false),
            (.notAllowed(code: "origin_not_allowed"), "origin_not_allowed", false),
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
            #expect(sentence.hasSuffix(".") && sentence.contains(" "), "\(code): \(sentence)")
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
            try await manager?.rejected(generation: 1, status: 403, challenge: nil) == .surface(reason: "forbidden"))
        try await manager?.signOut()
        manager = nil
        var seen: [TokenEvent] = []
        for await event in events { seen.append(event) }
        #expect(seen == [.refreshed(generation: 1), .rejected(reason: "forbidden"), .signedOut])
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
        #expect(try await manager.authorize(method: "GET", url: url).value == "Bearer good")
    }
}
