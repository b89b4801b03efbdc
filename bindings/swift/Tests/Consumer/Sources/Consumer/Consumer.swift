import Foundation
import InSwift5
import Tokenward

@main struct Consumer {
    static func main() async throws {
        let acme = TokenProvider(name: "acme", baseUrl: "https://login.acme.example", tokenPath: "/token") {
            $0.apiOrigins = ["https://api.acme.example"]
            $0.exposure = .appAllowed
        }
        let manager = try TokenManager(provider: acme, source: .backend { IssuedToken(accessToken: "from-somewhere-else") })
        let feed = Feed(manager)
        try await feed.load(URL(string: "https://api.acme.example/v1/me")!)
        print("Authorization: \(feed.shown)")
    }
}
