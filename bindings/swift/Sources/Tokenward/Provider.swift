// What users describe a token service with is generated from the bridge: `Bridge/tokenward_uniffi.swift`.

extension TokenProvider {
    /// A service that comes with the library.
    ///
    /// ```swift
    /// let manager = try TokenManager(
    ///     provider: TokenProvider(.flume),
    ///     source: .credentials { Credentials(clientId: "id", clientSecret: "secret", username: "u", password: "p") })
    /// ```
    public init(_ preset: TokenPreset) {
        self = presetProvider(preset: preset)
    }

    /// A service of your own, with the defaults of RFC 6749: Basic authentication, a form body, tokens for the origin of
    /// `baseUrl` alone, credentials for servers only.
    ///
    /// ```swift
    /// let acme = TokenProvider(name: "acme", baseUrl: "https://login.acme.example", tokenPath: "/oauth2/token") {
    ///     $0.apiOrigins = ["https://api.acme.example"]
    ///     $0.primaryGrant = .clientCredentials
    ///     $0.refreshGrant = true
    ///     $0.authentication = .post
    ///     $0.policy = RefreshPolicy { $0.fractionPermille = 500 }
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - name: A part of the identity of its tokens.
    ///   - baseUrl: Scheme and authority of the token endpoint; a path may follow.
    ///   - tokenPath: Follows the base URL; `{site}` in it stands for the site of the ``TokenIdentity``.
    ///   - describe: Says what else is true of it.
    public init(
        name: String, baseUrl: String? = nil, tokenPath: String? = nil,
        _ describe: (inout TokenProvider) -> Void = { _ in }
    ) {
        self = customProvider(name: name)
        (self.baseUrl, self.tokenPath) = (baseUrl, tokenPath)
        describe(&self)
    }
}

extension RefreshPolicy {
    /// The policy of a provider that names none, and what is changed of it.
    public init(_ change: (inout RefreshPolicy) -> Void = { _ in }) {
        self = defaultPolicy()
        change(&self)
    }
}

extension TokenReason {
    /// The word in snake_case, the same in every language.
    public var code: String { reasonName(reason: self) }
}
