// A service of one's own: five calls, a token that is refused, a restart, a sign-out.

import Foundation
import Tokenward

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

let arguments = CommandLine.arguments
let (base, id, secret, state) = (arguments[1], arguments[2], arguments[3], arguments[4])
let acme = TokenProvider(name: "acme", baseUrl: base, tokenPath: "/oauth2/token") {
    $0.parameters = [TokenParameter(name: "audience", value: "https://api.acme.example")]
    $0.authentication = .basicRaw
    $0.primaryGrant = .clientCredentials
    $0.refreshGrant = true
    $0.loopbackHttp = true
    $0.policy = RefreshPolicy { $0.minIntervalMs = 0 }
}
let url = URL(string: "\(base)/v2/transactions")!
let key = Data(repeating: 7, count: 32)  // An app uses KeychainTokenStorage, which has its own.

func manager() throws -> TokenManager {
    var server = TokenManagerOptions()
    server.dangerouslyAllowServerOnlyCredentials = true
    return try TokenManager(
        provider: acme, source: .credentials { Credentials(clientId: id, clientSecret: secret) },
        storage: FileTokenStorage(path: URL(fileURLWithPath: state), sealKey: key), options: server)
}

func call(_ tokens: TokenManager, _ url: URL = url) async throws -> Int {
    let (_, response) = try await URLSession.shared.data(
        for: URLRequest(url: url), authorizedBy: tokens)
    return (response as? HTTPURLResponse)?.statusCode ?? 0
}

func live() async throws {
    let tokens = try manager()
    for _ in 1...5 { print("called: \(try await call(tokens))") }
    var revoke = URLRequest(url: URL(string: "\(base)/_demo/revoke")!)
    (revoke.httpMethod, revoke.httpBody) = ("POST", Data(#"{"what":"access_tokens"}"#.utf8))
    revoke.setValue("application/json", forHTTPHeaderField: "Content-Type")
    _ = try await URLSession.shared.data(for: revoke)
    let replaced = try await call(tokens)
    let generation = try await tokens.authorize(method: "GET", url: url).generation
    print("refused and replaced: \(replaced), generation \(generation)")
}
try await live()  // The manager ends with its last reference.

let tokens = try manager()
let again = try await call(tokens)
let generation = try await tokens.authorize(method: "GET", url: url).generation
print("restarted: \(again), generation \(generation)")
try await tokens.signOut()
do {
    _ = try await call(tokens)
} catch let error as TokenwardError {
    print("signed out: \(error.code). \(error.localizedDescription)")
}
