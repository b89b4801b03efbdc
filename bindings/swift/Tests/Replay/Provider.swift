internal import TokenwardBridge

/// A scenario's provider: a preset by its name, or an object. `step` is a `restart`, whose members win.
func provider(of scenario: Object, _ step: Object) throws -> ProviderRecord {
    func member(_ name: String) -> String? { step.string(name) ?? scenario.string(name) }
    let described = scenario.object("provider")
    var provider: ProviderRecord
    if let described {
        provider = try custom(described)
        provider.environment = step.string("environment") ?? provider.environment
        provider.baseUrl = step.string("base_url") ?? provider.baseUrl
    } else {
        let name = scenario.string("provider")!
        let takesEnvironment = ["flip_utility", "flip_utility_api_key", "flute"].contains(name)
        provider = try preset(
            name: name, environment: takesEnvironment ? member("environment") : nil,
            baseUrl: takesEnvironment ? nil : member("base_url"),
            issuedBy: name == "flip_energy_site" ? member("issued_by") : nil)
    }
    provider.allowLoopbackHttp = scenario.isTrue("allow_loopback_http")
    provider.policy.jitterPermille = 0
    for numbers in [described?.object("policy"), scenario.object("policy")] {
        change(&provider.policy, numbers ?? [:])
    }
    return provider
}

private func change(_ policy: inout PolicyRecord, _ numbers: Object) {
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
    if numbers.has("shared_storage") { policy.sharedStorage = numbers.isTrue("shared_storage") }
}

/// A provider object; what it leaves out has the default of a custom provider.
private func custom(_ object: Object) throws -> ProviderRecord {
    var provider = try customProvider()
    provider.name = object.string("name") ?? ""
    provider.environment = object.string("environment") ?? ""
    provider.baseUrl = object.string("token_url") ?? ""
    provider.apiOrigins = object.strings("api_origins")
    provider.anyHttps = provider.apiOrigins.isEmpty
    provider.baseUrlOrigin = false
    provider.grants = object.strings("grants")
    provider.authentication = object.string("authentication") ?? provider.authentication
    provider.body = object.string("body") ?? provider.body
    provider.scope = object.string("scope") ?? ""
    provider.memberPath = object.string("member_path") ?? ""
    provider.errorPath = object.string("error_path") ?? ""
    provider.errorCodes = (object["error_codes"] as? [String: String] ?? [:]).map(ErrorCodeRecord.init(service:standard:))
    provider.tokenTypeRequired = object.isTrue("token_type_required")
    provider.tokenTypeAliases = object.strings("token_type_aliases")
    provider.tokenAlphabet = object.string("token_alphabet") ?? provider.tokenAlphabet
    if let word = object["missing_lifetime"] as? String {
        (provider.missingLifetime, provider.missingLifetimeSeconds) = (word, 0)
    } else if let policy = object.object("missing_lifetime") {
        let name = policy.has("jwt_expiry_else") ? "jwt_expiry_else" : "assume"
        (provider.missingLifetime, provider.missingLifetimeSeconds) = (name, policy.integer(name)!)
    }
    provider.zeroLifetime = object.string("zero_lifetime") ?? provider.zeroLifetime
    provider.routes = (object["routes"] as? [Object] ?? []).map {
        RouteRecord(method: $0.string("method")!, path: $0.string("path")!, token: $0.string("token")!)
    }
    provider.exposure = object.string("exposure") ?? provider.exposure
    return provider
}
