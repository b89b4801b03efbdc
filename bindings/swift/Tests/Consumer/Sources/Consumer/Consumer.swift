import Foundation
import Tokenward

@main struct Consumer {
    static func main() async throws {
        var acme = try Provider(name: "acme", tokenURL: "https://login.acme.example/token")
        acme.apiOrigins = .listed(["https://api.acme.example"])
        acme.exposure = .appAllowed
        let manager = try TokenManager(provider: acme, source: .backend { IssuedToken(accessToken: "from-somewhere-else") })
        let header = try await manager.authorize(method: "GET", url: URL(string: "https://api.acme.example/v1/me")!)
        print("Authorization: \(header.value)")
    }
}
