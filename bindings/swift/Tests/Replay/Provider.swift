internal import Foundation
internal import Tokenward

/// A scenario's provider, a preset by its name or an object, and whose token it is. The members of `step`, a `make`, win.
func described(_ scenario: Object, _ step: Object) -> (TokenProvider, TokenIdentity) {
    func member(_ name: String) -> String? { step.string(name) ?? scenario.string(name) }
    var identity = TokenIdentity(site: member("site"), baseUrl: member("base_url"), account: member("account"))
    let object = scenario.object("provider")
    var provider: TokenProvider
    if let object {
        provider = custom(object)
        identity.environment = member("environment")
    } else {
        let preset = scenario.string("provider")!
        let value = ["flip_energy_site": "issued_by"][preset] ?? "environment"
        provider = TokenProvider((presets[preset]![member(value) ?? ""] ?? presets[preset]![""])!)
    }
    provider.loopbackHttp = scenario.isTrue("allow_loopback_http")
    let numbers = [object?.object("policy"), scenario.object("policy")].compactMap { $0 }
    provider.policy = RefreshPolicy {
        $0.jitterPermille = 0
        for numbers in numbers { change(&$0, numbers) }
    }
    return (provider, identity)
}

/// What the managers have beside their slots.
func options(_ scenario: Object, _ step: Object) -> OptionsRecord {
    let sources: [String: SourceRecord] = ["none": .none, "person": .person, "program": .program]
    let storage = scenario.object("storage").map {
        StorageRecord(
            shared: ["own": false, "shared": true][$0.string("kind")!]!,
            all: ["all": true, "refresh_token": false][$0.string("stored") ?? "all"]!,
            slots: UInt8($0.integer("slots") ?? 1), floor: step.integer("floor") ?? $0.integer("floor") ?? 0,
            proveRoom: $0.isTrue("prove_room"))
    }
    return OptionsRecord(storage: storage, source: sources[scenario.string("source") ?? "none"]!)
}

/// By name, then by environment or issuer.
private let presets: [String: [String: TokenPreset]] = [
    "flip_utility": ["sandbox": .flipUtilitySandbox, "production": .flipUtilityProduction],
    "flip_utility_api_key": ["sandbox": .flipUtilityApiKeySandbox, "production": .flipUtilityApiKeyProduction],
    "flip_energy_client": ["": .flipEnergyClient],
    "flip_energy_site": ["client_token": .flipEnergySite, "backend": .flipEnergySiteByBackend],
    "flume": ["": .flume],
    "opower": ["": .opower],
    "flute": ["sandbox": .fluteSandbox, "production": .fluteProduction],
]

private func change(_ policy: inout RefreshPolicy, _ numbers: Object) {
    func wide(_ name: String, _ number: inout UInt64) { number = numbers.integer(name) ?? number }
    func narrow(_ name: String, _ number: inout UInt32) { number = numbers.integer(name).map { UInt32($0) } ?? number }
    narrow("fraction_permille", &policy.fractionPermille)
    wide("margin_ms", &policy.marginMs)
    wide("min_interval_ms", &policy.minIntervalMs)
    narrow("jitter_permille", &policy.jitterPermille)
    wide("startup_spread_ms", &policy.startupSpreadMs)
    wide("response_timeout_ms", &policy.responseTimeoutMs)
    wide("first_backoff_ms", &policy.firstBackoffMs)
    wide("max_backoff_ms", &policy.maxBackoffMs)
    wide("max_lifetime_s", &policy.maxLifetimeS)
    narrow("refresh_attempts", &policy.refreshAttempts)
    policy.recheck = numbers["recheck"] as? Bool ?? policy.recheck
}

/// A provider object; what it leaves out has the default of a custom provider.
private func custom(_ object: Object) -> TokenProvider {
    func string(_ name: String) -> String? { object.string(name).flatMap { $0.isEmpty ? nil : $0 } }
    func strings(_ name: String) -> [String]? {
        let list = object.strings(name)
        return list.isEmpty ? nil : list
    }
    /// The case that a word names: `basic_raw` is `basicRaw`.
    func named<Case: CaseIterable>(_ name: String, _ words: [String: Case] = [:]) -> Case? {
        object.string(name).map { word in
            let plain = word.replacingOccurrences(of: "_", with: "")
            return words[word] ?? Case.allCases.first { "\($0)".lowercased() == plain }!
        }
    }
    var provider = TokenProvider(name: object.string("name") ?? "")
    provider.environment = string("environment")
    if let url = string("token_url") { (provider.baseUrl, provider.tokenPath) = divided(url) }
    provider.apiOrigins = strings("api_origins")
    provider.anyHttpsOrigin = object.isTrue("any_https_origin")
    let grants = object.strings("grants").map { word in TokenGrant.allCases.first { grantName(grant: $0) == word }! }
    provider.primaryGrant = grants.first { $0 != .refreshToken }
    provider.refreshGrant = grants.contains(.refreshToken)
    provider.authentication = named("authentication", ["none": .publicClient]) ?? provider.authentication
    provider.body = named("body")
    provider.answer = named("answer")
    provider.scope = string("scope")
    (provider.memberPath, provider.errorPath) = (string("member_path"), string("error_path"))
    provider.members = (object["members"] as? [String: String])?.map(TokenMember.init(standard:service:))
    provider.expiresAt = object.object("expires_at").map {
        TokenExpiresAt(member: $0.string("member")!, milliseconds: $0.string("unit") == "ms")
    }
    provider.refreshExpiresIn = object["refresh_expires_in"] as? [String]
    provider.refreshIdleS = object.integer("refresh_idle_s").flatMap { $0 == 0 ? nil : $0 }
    provider.errorCodes = (object["error_codes"] as? [String: String])?.map(TokenErrorCode.init(service:standard:))
    provider.tokenTypeAliases = strings("token_type_aliases")
    (provider.authorizationUrl, provider.issuer) = (string("authorization_url"), string("issuer"))
    provider.devicePath = string("device_path")
    provider.devicePkce = object.isTrue("device_pkce")
    provider.revocationPath = string("revocation_path")
    provider.tokenAlphabet = named("token_alphabet") ?? provider.tokenAlphabet
    if let word = object["missing_lifetime"] as? String {
        provider.missingLifetime = word == "never" ? .never : .refuse
    } else if let policy = object.object("missing_lifetime") {
        provider.missingLifetime =
            policy.integer("assume").map { .assume(seconds: $0) }
            ?? .jwtExpiry(elseSeconds: policy.integer("jwt_expiry_else")!)
    }
    provider.zeroLifetime = named("zero_lifetime") ?? provider.zeroLifetime
    provider.routes = (object["routes"] as? [Object]).flatMap { rows in
        rows.isEmpty ? nil : rows.map {
            TokenRoute(method: $0.string("method")!, path: $0.string("path")!, ofSite: $0.string("token") == "site")
        }
    }
    provider.exposure = named("exposure") ?? provider.exposure
    provider.refreshPath = string("refresh_path")
    provider.scopeOnRefresh = object.isTrue("scope_on_refresh")
    provider.extensionGrant = string("extension_grant")
    provider.requestNames = (object["request_names"] as? [String: String])?.map(NamedValue.init(name:value:))
    let parameters = (object["parameters"] as? [Object] ?? []).map { parameter in
        TokenParameter(
            name: parameter.string("name")!, value: parameter.string("value")!,
            target: parameter.string("on").flatMap { word in
                ParameterTarget.allCases.first { "\($0)" == word }
            })
    }
    provider.parameters = parameters.isEmpty ? nil : parameters
    let headers = object.pairs("headers").map { NamedValue(name: $0[0], value: $0[1]) }
    provider.headers = headers.isEmpty ? nil : headers
    provider.header = object.object("header").map {
        TokenHeader(name: $0.string("name") ?? "Authorization", scheme: $0.string("scheme") ?? "Bearer")
    }
    provider.expiredStatus = (object["expired_status"] as? [NSNumber])?.map(\.uint16Value)
    return provider
}

/// A token URL as base URL and path.
private func divided(_ url: String) -> (baseUrl: String, tokenPath: String?) {
    let authority = url.range(of: "://")?.upperBound ?? url.startIndex
    guard let end = url[authority...].firstIndex(where: { "/?#".contains($0) }), url[end] == "/" else { return (url, nil) }
    return (String(url[..<end]), String(url[end...]))
}
