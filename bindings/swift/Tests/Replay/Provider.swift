internal import TokenwardBridge

/// A scenario's provider: a preset by its name, or an object. `step` is a `restart`, whose members win.
func provider(of scenario: Object, _ step: Object) throws(Fault) -> ProviderRecord {
    func member(_ name: Text) throws(Fault) -> String {
        if let own = try step.string(name) { return own }
        return try scenario.required(name)
    }
    var provider: ProviderRecord
    switch scenario["provider"] {
    case .string(let name):
        var arguments: (environment: String?, baseURL: String?, issuer: String?)
        switch name {
        case "flip_utility", "flip_utility_api_key", "flute": arguments.environment = try member("environment")
        case "flip_energy_client", "flume", "opower": arguments.baseURL = try member("base_url")
        case "flip_energy_site":
            arguments.baseURL = try member("base_url")
            arguments.issuer = try member("issued_by")
        default: throw Fault("no preset \"\(name.string)\"")
        }
        provider = try bridged("no provider") {
            try preset(
                name: name.string, environment: arguments.environment, baseUrl: arguments.baseURL,
                issuedBy: arguments.issuer)
        }
    case .object(let object):
        provider = try custom(object)
        if let environment = try step.string("environment") { provider.environment = environment }
        if let baseURL = try step.string("base_url") { provider.baseUrl = baseURL }
    default: throw Fault("`provider` is a preset's name or an object")
    }
    provider.allowLoopbackHttp = scenario["allow_loopback_http"] == .bool(true)
    provider.policy.jitterPermille = 0
    for policy in [scenario["provider"]?.object?["policy"], scenario["policy"]] {
        guard let policy else { continue }
        guard let numbers = policy.object else { throw Fault("`policy` is an object") }
        try change(&provider.policy, numbers)
    }
    return provider
}

/// A call that the scenario does not test.
func bridged<T>(_ what: String, _ call: () throws -> T) throws(Fault) -> T {
    do {
        return try call()
    } catch let error as CoreError {
        throw Fault("\(what): \(error.code)")
    } catch {
        throw Fault("\(what): \(error)")
    }
}

extension CoreError {
    var code: String {
        switch self {
        case .Input(let code, _), .Capacity(let code, _), .State(let code, _), .NotAllowed(let code, _),
            .Internal(let code, _):
            code
        }
    }
}

private func change(_ policy: inout PolicyRecord, _ numbers: Object) throws(Fault) {
    for (name, value) in numbers.members {
        func wide() throws(Fault) -> UInt64 { try value.integer(name) }
        func narrow() throws(Fault) -> UInt32 {
            guard let number = UInt32(exactly: try wide()) else { throw Fault("policy \(name.string) is too large") }
            return number
        }
        switch name {
        case "fraction_permille": policy.fractionPermille = try narrow()
        case "margin_ms": policy.marginMs = try wide()
        case "min_interval_ms": policy.minIntervalMs = try wide()
        case "jitter_permille": policy.jitterPermille = try narrow()
        case "startup_spread_ms": policy.startupSpreadMs = try wide()
        case "response_timeout_ms": policy.responseTimeoutMs = try wide()
        case "first_backoff_ms": policy.firstBackoffMs = try wide()
        case "max_backoff_ms": policy.maxBackoffMs = try wide()
        case "max_lifetime_s": policy.maxLifetimeS = try wide()
        case "refresh_attempts": policy.refreshAttempts = try narrow()
        case "shared_storage":
            guard case .bool(let shared) = value else { throw Fault("`shared_storage` is a boolean") }
            policy.sharedStorage = shared
        default: throw Fault("no policy number \"\(name.string)\"")
        }
    }
}

private let known: Set<Text> = [
    "name", "environment", "token_url", "api_origins", "grants", "authentication", "body", "scope", "member_path",
    "error_path", "error_codes", "token_type_required", "token_type_aliases", "token_alphabet", "missing_lifetime",
    "zero_lifetime", "routes", "exposure", "policy", "comment",
]

/// A provider object; what it leaves out has the default of a custom provider.
private func custom(_ object: Object) throws(Fault) -> ProviderRecord {
    if let unknown = object.members.first(where: { !known.contains($0.name) }) {
        throw Fault("a provider has no \"\(unknown.name.string)\"")
    }
    var provider = try bridged("no provider", customProvider)
    provider.name = try object.string("name") ?? ""
    provider.environment = try object.string("environment") ?? ""
    provider.baseUrl = try object.string("token_url") ?? ""
    provider.apiOrigins = try object.strings("api_origins")
    provider.anyHttps = provider.apiOrigins.isEmpty
    provider.baseUrlOrigin = false
    for grant in try object.strings("grants") {
        guard ["client_credentials", "password", "refresh_token", "site_token"].contains(grant) else {
            throw Fault("no grant \"\(grant)\"")
        }
        provider.grants.append(grant)
    }
    if let word = try object.word("authentication", of: "basic", "basic_raw", "post", "bearer", "none") {
        provider.authentication = word
    }
    if let word = try object.word("body", of: "form", "json") { provider.body = word }
    provider.scope = try object.string("scope") ?? ""
    provider.memberPath = try object.string("member_path") ?? ""
    provider.errorPath = try object.string("error_path") ?? ""
    if let codes = object["error_codes"] {
        guard let codes = codes.object else { throw Fault("`error_codes` is an object") }
        for (own, standard) in codes.members {
            provider.errorCodes.append(
                ErrorCodeRecord(service: own.string, standard: try standard.string("error_codes")))
        }
    }
    provider.tokenTypeRequired = object["token_type_required"] == .bool(true)
    provider.tokenTypeAliases = try object.strings("token_type_aliases")
    if let word = try object.word("token_alphabet", of: "b64token", "visible") { provider.tokenAlphabet = word }
    switch object["missing_lifetime"] {
    case nil: break
    case .string("never"): (provider.missingLifetime, provider.missingLifetimeSeconds) = ("never", 0)
    case .string("refuse"): (provider.missingLifetime, provider.missingLifetimeSeconds) = ("refuse", 0)
    case .object(let policy):
        if let seconds = try policy.integer("jwt_expiry_else") {
            (provider.missingLifetime, provider.missingLifetimeSeconds) = ("jwt_expiry_else", seconds)
        } else {
            (provider.missingLifetime, provider.missingLifetimeSeconds) =
                ("assume", try policy.requiredInteger("assume"))
        }
    default: throw Fault("no such missing_lifetime")
    }
    if let word = try object.word("zero_lifetime", of: "expired", "never") { provider.zeroLifetime = word }
    for route in try object.list("routes") {
        guard let route = route.object else { throw Fault("a route is an object") }
        let (method, path) = (try route.required("method"), try route.required("path"))
        guard let token = try route.word("token", of: "client", "site") else { throw Fault("`token` is missing") }
        provider.routes.append(RouteRecord(method: method, path: path, token: token))
    }
    if let word = try object.word("exposure", of: "server_only", "app_allowed") { provider.exposure = word }
    return provider
}
