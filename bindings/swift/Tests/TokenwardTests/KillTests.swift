internal import Foundation
import Testing
@testable import Tokenward

/// A real process (`Tests/Probe`) that is killed, and started again.
@Suite(.serialized) struct Kill {
    private static let steps = 6
    private static let points =
        (1...steps).flatMap { ["before-transaction-\($0)", "before-write-\($0)", "after-transaction-\($0)"] }
        + ["before-send-1", "after-send-1", "before-send-2", "after-send-2"]

    private func probe(_ demo: Demo, _ file: URL, _ sharing: String, _ point: String) throws -> Child {
        let program = try #require(
            ProcessInfo.processInfo.environment["TOKENWARD_PROBE"], "started by bindings/swift/test.sh")
        return try Child(program, [demo.base, file.path, sharing, point])
    }

    private func lines(_ child: Child) -> [String] {
        var lines: [String] = []
        while let line = child.line() { lines.append(line) }
        return lines
    }

    /// A first token takes the transactions 1 to 3 and the first request, its refresh 4 to 6 and the second:
    /// storage is read, the request begun (and announced, where storage is shared), the answer persisted.
    @Test(arguments: ["alone", "shared"], points)
    func between_any_two_steps_loses_nothing_that_the_server_allows(sharing: String, point: String) async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        let killed = try probe(demo, folder.file("token"), sharing, point)
        #expect(!lines(killed).contains("done"))
        #expect(killed.wait() == SIGKILL, "\(point) is never reached")
        let again = try probe(demo, folder.file("token"), sharing, "1")
        #expect(lines(again).last == "done")
        #expect(again.wait() == 0)

        // Between the server's rotation and the write nothing can be done; nor for a first token.
        let isLost = ["after-send-2", "before-transaction-6", "before-write-6"].contains(point)
        let isFirst = ["after-send-1", "before-transaction-3", "before-write-3"].contains(point)
        let grants = try await demo.tokenRequests().filter { $0.outcome == "token" }.map(\.grant_type)
        #expect(grants.filter { $0 == "client_credentials" }.count == (isLost || isFirst ? 2 : 1))
        #expect(try await demo.mostUsesOfARefreshToken() == (isLost ? 2 : 1))
    }

    @Test func at_any_time_leaves_storage_whole() async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        for round in 0..<30 {
            let child = try probe(demo, folder.file("token"), "alone", "1000")
            #expect(child.line() == "token", "round \(round): no token after a kill")
            try await Task.sleep(nanoseconds: .random(in: 0...20_000_000))
            child.end()
        }
    }

    @Test func no_two_processes_present_one_refresh_token_twice() async throws {
        let (demo, folder) = (try Demo("flute"), try Folder())
        let children = try (0..<2).map { _ in try probe(demo, folder.file("token"), "shared", "20") }
        for child in children {
            #expect(lines(child).last == "done")
            #expect(child.wait() == 0)
        }
        #expect(try await demo.mostUsesOfARefreshToken() == 1)
        // The first token, and another for each of twenty renewals. Both may have asked for a first one.
        #expect(try await demo.tokenRequests().filter { $0.outcome == "token" }.count > 20)
    }
}
