// The life of Flip Energy's site token on a phone, in a terminal. See README.md.

import Foundation
import Tokenward

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

@main struct Lifecycle {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4 else {
            FileHandle.standardError.write(Data("usage: tokenward-swift BASE_URL CLIENT_TOKEN FILE\n".utf8))
            exit(64)
        }
        try await Phone(
            base: arguments[1], backend: Backend(base: arguments[1], clientToken: arguments[2]),
            file: URL(fileURLWithPath: arguments[3])
        ).live()
    }
}

/// The app's own server. It alone holds the client token; here it lives in the same process.
actor Backend {
    private let base: String
    private let clientToken: String
    private(set) var asked = 0

    init(base: String, clientToken: String) {
        self.base = base
        self.clientToken = clientToken
    }

    /// The answer of the token service, passed on as it is.
    func siteToken(_ site: String) async throws -> IssuedToken {
        asked += 1
        var request = URLRequest(url: URL(string: "\(base)/v1/auth/site/\(site)")!)
        request.httpMethod = "POST"
        request.setValue("Bearer \(clientToken)", forHTTPHeaderField: "Authorization")
        return .json(try await URLSession.shared.data(for: request).0)
    }
}

struct Phone {
    let base: String
    let backend: Backend
    let file: URL

    func live() async throws {
        try await firstRun()
        try await secondRun()
    }

    private func firstRun() async throws {
        let manager = try manager()
        print("first use: \(try await get("/v1/site/site-1/devices", manager)), ", terminator: "")
        print("the backend was asked \(await backend.asked) time")

        let crowd = try await withThrowingTaskGroup(of: UInt64.self) { group in
            for _ in 0..<100 { group.addTask { try await manager.authorize(devices).generation } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        print("100 callers: one token, generation \(crowd.first!)")

        do {
            _ = try await get("/v1/site/site-2/devices", manager)
        } catch let error as TokenwardError {
            print("another site: \(error.code). \(error.localizedDescription)")
        }
        do {
            _ = try TokenManager(
                provider: TokenProvider(.flipEnergyClient), identity: TokenIdentity(baseUrl: base),
                source: .fixed { IssuedToken(accessToken: "client token") })
        } catch {
            print("the client token on a phone: \(error.code). \(error.localizedDescription)")
        }
    }

    private func secondRun() async throws {
        let manager = try manager()
        print("restarted: \(try await get("/v1/site/site-1/devices", manager)), ", terminator: "")
        print("the backend was asked \(await backend.asked) time")

        try await manager.renew()
        while try await manager.authorize(devices).generation == 1 { try await Task.sleep(nanoseconds: 5_000_000) }
        print("renewed: \(try await get("/v1/site/site-1/devices", manager)), ", terminator: "")
        print("the backend was asked \(await backend.asked) times")

        let token = try await manager.authorize(devices).request.value(forHTTPHeaderField: "Authorization") ?? ""
        try await manager.signOut()
        let isUsable = try await manager.status().isUsable
        // What is stored from now on says that somebody has signed out, and holds no token.
        let isStored = try Data(contentsOf: file).range(of: Data(token.dropFirst("Bearer ".count).utf8)) != nil
        print("signed out: usable \(isUsable), stored \(isStored)")
    }

    private func manager() throws -> TokenManager {
        var provider = TokenProvider(.flipEnergySiteByBackend)
        provider.loopbackHttp = true
        return try TokenManager(
            provider: provider, identity: TokenIdentity(site: "site-1", baseUrl: base),
            source: .backend { [backend] in try await backend.siteToken("site-1") },
            // An app uses KeychainTokenStorage, which keeps a key of its own.
            storage: FileTokenStorage(path: file, sealKey: Data(repeating: 7, count: 32)))
    }

    private var devices: URLRequest { URLRequest(url: URL(string: "\(base)/v1/site/site-1/devices")!) }

    private func get(_ path: String, _ manager: TokenManager) async throws -> Int {
        let request = URLRequest(url: URL(string: base + path)!)
        let (_, response) = try await URLSession.shared.data(for: request, authorizedBy: manager)
        return (response as? HTTPURLResponse)?.statusCode ?? 0
    }
}
