internal import Foundation
internal import Tokenward

/// One of several programs that keep one session in one file. usage: tokenward-probe BASE FILE JOURNAL NAME SECONDS
///
/// Its clock is SECONDS ahead. Reads a command a line and answers each with a line: what came of it, or an error's code.
struct Neighbour {
    private let manager: TokenManager
    private let fuse = Fuse("")
    private let me: URL

    private struct OffClock: TokenClock {
        let seconds: Int
        let system = SystemClock()

        func now() -> UInt64 { system.now() }
        func wall() -> UInt64 { UInt64(Int(system.wall()) + seconds) }
        func sleep(milliseconds: UInt64) async { await system.sleep(milliseconds: milliseconds) }
    }

    init(_ arguments: [String]) throws {
        let (base, file, journal) = (arguments[0], arguments[1], Journal(arguments[2], arguments[3]))
        let provider = TokenProvider(name: "oidc-provider", baseUrl: base, tokenPath: "/token") {
            ($0.loopbackHttp, $0.exposure, $0.refreshGrant) = (true, .appAllowed, true)
            $0.policy = RefreshPolicy {
                ($0.jitterPermille, $0.minIntervalMs) = (0, 0)
                // Who is killed leaves an announcement behind, which the others wait for.
                $0.responseTimeoutMs = 4000
            }
        }
        let storage = try FileTokenStorage(
            path: URL(fileURLWithPath: file), sealKey: Data(repeating: 7, count: 32), shared: true)
        me = URL(string: base + "/me")!
        var options = TokenManagerOptions()
        options.clock = OffClock(seconds: Int(arguments[4])!)
        manager = try TokenManager(
            provider: provider, source: .credentials { Credentials(clientId: "app", clientSecret: "s3cret+/=%") },
            storage: FusedStorage(storage: storage, fuse: fuse, journal: journal),
            transport: FusedTransport(fuse: fuse, journal: journal), options: options)
    }

    func live() async throws -> Never {
        while let line = readLine() {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            do {
                print(try await answer(words[0], words.last!))
            } catch let error as TokenwardError {
                print(error.code)
            }
            fflush(nil)
        }
        exit(0)
    }

    private func answer(_ command: String, _ argument: String) async throws -> String {
        switch command {
        case "install": try await manager.install(.json(Data(argument.utf8)))
        case "sign-out": try await manager.signOut()
        case "kill-at": fuse.set(argument)
        case "reload":
            try await manager.reload()
            _ = try await manager.status()
        case "use": return try await manager.authorize(method: "GET", url: me).header
        case "renew": return try await renew()
        case "renew-always":
            Task.detached {
                while true {
                    _ = try? await renew()
                    try await Task.sleep(nanoseconds: 50_000_000)
                }
            }
        default: exit(64)
        }
        return "done"
    }

    /// Until there is another token, of whichever process.
    private func renew() async throws -> String {
        let generation = try await manager.authorize(method: "GET", url: me).generation
        try await manager.renew()
        while try await manager.authorize(method: "GET", url: me).generation == generation {
            let status = try await manager.status()
            if status.isUsable, case .supply(_, let reason) = status.next { return reason.code }
            try await Task.sleep(nanoseconds: 20_000_000)
        }
        return "done"
    }
}
