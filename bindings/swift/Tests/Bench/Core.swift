internal import Tokenward

/// A call over the bridge alone.
func core(_ token: String) throws -> @Sendable () throws -> Void {
    var provider = customProvider(name: "acme")
    provider.apiOrigins = ["https://api.acme.example"]
    let manager = try CoreManager(
        now: 0, provider: provider, identity: TokenIdentity(), accessCapacity: 4096, refreshCapacity: 0, seed: 0,
        allowServerOnly: true)
    _ = try manager.install(now: 0, wall: nil, accessToken: token, tokenType: nil, expiresIn: 3600, refreshToken: nil)
    return { _ = try manager.authorize(now: 1, method: "GET", url: "https://api.acme.example/v1/sites/1/devices") }
}
