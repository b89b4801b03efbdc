// What an `Authorization` field costs: asked of the core, through the actor, and as a string in a dictionary.

internal import Foundation
internal import Tokenward

func measure(_ name: String, _ body: @Sendable () async throws -> Void) async rethrows {
    var times: [Double] = []
    for round in 0..<110_000 {
        let start = DispatchTime.now().uptimeNanoseconds
        try await body()
        let time = DispatchTime.now().uptimeNanoseconds - start
        if round >= 10_000 { times.append(Double(time) / 1000) }
    }
    times.sort()
    let (median, late) = (times[times.count / 2], times[times.count / 100 * 99])
    print(String(format: "bench: %@: median %.2f µs, p99 %.2f µs", name, median, late))
}

@main struct Bench {
    nonisolated static func main() async throws {
        let provider = TokenProvider(name: "acme", baseUrl: "https://login.acme.example", tokenPath: "/token") {
            $0.apiOrigins = ["https://api.acme.example"]
            $0.exposure = .appAllowed
        }
        let token = String(repeating: "a", count: 1000)
        let manager = try TokenManager(provider: provider, source: .backend { IssuedToken(accessToken: token) })
        let url = URL(string: "https://api.acme.example/v1/sites/1/devices")!
        let headers = ["https://api.acme.example": "Bearer \(token)"]

        await measure("a string in a dictionary") { precondition(headers["https://api.acme.example"] != nil) }
        try await measure("CoreManager.authorize, a token of 1,000 bytes", try core(token))
        try await measure("TokenManager.authorize, the same") { _ = try await manager.authorize(method: "GET", url: url) }
    }
}
