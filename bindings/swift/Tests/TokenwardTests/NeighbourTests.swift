internal import Foundation
import Testing
@testable import Tokenward

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

/// Two apps and an extension, real processes (`Tests/Probe`) whose clocks are three seconds apart, on one file and one
/// session of a server that takes a refresh token once.
@Suite struct Neighbours {
    private static let clocks = ["app": -3, "other-app": 3, "extension": 0]
    private static let names = clocks.keys.sorted()
    /// A refresh is a transaction that announces it, a request, and a transaction that stores its answer.
    private static let points =
        (1...2).flatMap { number in
            ["before-transaction", "before-write", "after-write", "after-transaction"].map { "\($0)-\(number)" }
        } + ["before-send-1", "after-send-1"]

    @Test(arguments: Array(points.enumerated()))
    func who_is_killed_at_a_point_of_a_refresh_takes_nobodys_session_along(_ step: (offset: Int, element: String)) async throws {
        let (world, victim) = (try World(), Self.names[step.offset % 3])
        try await world.signIn("user-a", "app")
        #expect(await world.ask(victim, "kill-at \(step.element)") == "done")
        #expect(await world.ask(victim, "renew") == nil)
        try await world.restart(victim)
        try await world.goOn()
    }

    @Test(arguments: 0..<2)
    func who_is_killed_at_any_time_takes_nobodys_session_along(_: Int) async throws {
        let world = try World()
        try await world.signIn("user-a", "app")
        for name in Self.names { #expect(await world.ask(name, "renew-always") == "done") }
        for _ in 0..<10 {
            try await Task.sleep(nanoseconds: .random(in: 200_000_000...1_200_000_000))
            let name = try #require(Self.names.randomElement())
            try await world.restart(name)
            #expect(await world.ask(name, "renew-always") == "done")
        }
        for name in Self.names { try await world.restart(name) }
        try await world.goOn()
    }

    private final class World: Sendable {
        private let base: String
        private let folder: Folder
        private let processes = Locked<[String: Child]>([:])

        init() throws {
            base = ProcessInfo.processInfo.environment["TOKENWARD_OIDC"] ?? ""
            try #require(!base.isEmpty, "started by bindings/swift/test.sh")
            folder = try Folder()
            for name in names { try start(name) }
        }

        private func start(_ name: String) throws {
            let program = try #require(
                ProcessInfo.processInfo.environment["TOKENWARD_PROBE"], "started by bindings/swift/test.sh")
            let (file, journal) = (folder.file("token").path, folder.file("journal").path)
            let child = try Child(program, [base, file, journal, name, "\(clocks[name]!)"])
            processes.with { $0[name] = child }
        }

        /// Kills it, if it has not ended by itself.
        func restart(_ name: String) async throws {
            processes.current[name]?.end()
            let journal = open(folder.file("journal").path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
            let line = Array("\(name) killed\n".utf8)
            #expect(write(journal, line, line.count) == line.count)
            close(journal)
            try start(name)
        }

        func ask(_ name: String, _ command: String) async -> String? { await processes.current[name]?.answer(command) }

        // MARK: - What a user does

        /// Signs in in one process; the others come to the foreground.
        func signIn(_ user: String, _ name: String) async throws {
            try await install(user, name)
            for other in names where other != name { #expect(await ask(other, "reload") == "done") }
            for name in names { #expect(try await self.user(name) == user) }
        }

        private func install(_ user: String, _ name: String) async throws {
            var request = URLRequest(url: URL(string: base + "/token")!)
            request.httpMethod = "POST"
            let client = Data("app:s3cret%2B%2F%3D%25".utf8).base64EncodedString()
            request.setValue("Basic \(client)", forHTTPHeaderField: "Authorization")
            request.setValue("application/x-www-form-urlencoded", forHTTPHeaderField: "Content-Type")
            request.httpBody = Data(
                "grant_type=password&username=\(user)&password=correct%20horse&scope=openid%20offline_access".utf8)
            let (token, _) = try await URLSession.shared.data(for: request)
            #expect(await ask(name, "install \(String(decoding: token, as: UTF8.self))") == "done")
        }

        /// Whose token a process lends, in the service's own words.
        private func user(_ name: String) async throws -> String? {
            let header = await ask(name, "use")
            guard let header, header.hasPrefix("Bearer ") else { return header }
            var request = URLRequest(url: URL(string: base + "/me")!)
            request.setValue(header, forHTTPHeaderField: "Authorization")
            return try JSONDecoder().decode([String: String].self, from: try await URLSession.shared.data(for: request).0)["sub"]
        }

        /// The rest of the story, whoever was killed in the first part of it.
        func goOn() async throws {
            try await renewAtOnce()
            // Somebody signs out while another process renews.
            async let renewed = ask("app", "renew")
            #expect(await ask("extension", "sign-out") == "done")
            #expect(["done", "signed_out"].contains(await renewed))
            for name in names {
                #expect(await ask(name, "reload") == "done")
                #expect(await ask(name, "use") == "signed_out")
            }
            // Somebody else signs in, and each of the three has a session that lives.
            try await signIn("user-b", "other-app")
            try await restart("app")
            for name in names {
                #expect(await ask(name, "reload") == "done")
                #expect(await ask(name, "renew") == "done")
                #expect(try await user(name) == "user-b")
            }
            let presented = try journal().filter { $0.what == "sent" }.map(\.token)
            #expect(presented.count > 3)
            let twice = Set(presented).filter { token in presented.filter { $0 == token }.count > 1 }
            #expect(twice.isSubset(of: try lost()))
        }

        /// With a lost answer the session is lost: the service takes no token twice. Somebody signs in again.
        private func renewAtOnce() async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for name in names {
                    group.addTask {
                        guard let answer = await self.ask(name, "renew"), answer != "done" else { return }
                        #expect(answer == "refresh_token_rejected")
                        #expect(try !self.lost().isEmpty)
                        try await self.install("user-a", name)
                    }
                }
                try await group.waitForAll()
            }
        }

        // MARK: - What the processes presented

        private func journal() throws -> [(name: Substring, what: Substring, token: Substring)] {
            try String(contentsOf: folder.file("journal"), encoding: .utf8).split(separator: "\n").map { line in
                let words = line.split(separator: " ")
                return (words[0], words[1], words.count > 2 ? words[2] : "")
            }
        }

        /// The refresh tokens whose answers came to nobody: the process was killed before it had stored one.
        private func lost() throws -> Set<Substring> {
            let lines = try journal()
            return Set(
                lines.enumerated().filter { index, line in
                    let next = lines[(index + 1)...].first { $0.name == line.name }
                    return line.what == "sent" && ["killed", "failed"].contains(next?.what)
                }.map(\.element.token))
        }
    }
}
