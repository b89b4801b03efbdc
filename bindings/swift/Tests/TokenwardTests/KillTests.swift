internal import Foundation
import Testing
@testable import Tokenward

/// A real process (`Tests/Probe`) that is killed, and started again. Side by side: who is killed while a refresh is
/// announced leaves the next one waiting for 25 seconds.
@Suite struct Kill {
    /// A first token takes a transaction that reads, a request, and one that writes its answer; a refresh a request and
    /// one more. In shared storage a transaction before it announces it.
    private static let points: [(sharing: String, point: String)] =
        ["alone", "shared"].flatMap { sharing in
            let transactions = sharing == "shared" ? 4 : 3
            let steps =
                (1...transactions).flatMap { ["before-transaction-\($0)", "after-transaction-\($0)"] }
                + (1..<transactions).flatMap { ["before-write-\($0)", "after-write-\($0)"] }
                + ["before-send-1", "after-send-1", "before-send-2", "after-send-2"]
            return steps.map { (sharing, $0) }
        }

    private func probe(_ demo: Demo, _ file: URL, _ sharing: String, _ point: String) throws -> Child {
        let program = try #require(
            ProcessInfo.processInfo.environment["TOKENWARD_PROBE"], "started by bindings/swift/test.sh")
        return try Child(program, [demo.base, file.path, sharing, point])
    }

    @Test(arguments: points)
    func between_any_two_steps_loses_nothing_that_the_server_allows(_ step: (sharing: String, point: String)) async throws {
        let (sharing, point) = step
        let (demo, folder) = (try Demo("flute"), try Folder())
        let killed = try probe(demo, folder.file("token"), sharing, point)
        let end = await killed.rest()
        #expect(!end.lines.contains("done"))
        #expect(end.status == SIGKILL, "\(point) is never reached")
        let again = try await probe(demo, folder.file("token"), sharing, "1").rest()
        #expect(again.lines.last == "done")
        #expect(again.status == 0)

        // Between the server's rotation and the write nothing can be done; nor for a first token.
        let last = sharing == "shared" ? 4 : 3
        let isLost = ["after-send-2", "before-transaction-\(last)", "before-write-\(last - 1)"].contains(point)
        let isFirst = ["after-send-1", "before-transaction-2", "before-write-1"].contains(point)
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
            let end = await child.rest()
            #expect(end.lines.last == "done")
            #expect(end.status == 0)
        }
        #expect(try await demo.mostUsesOfARefreshToken() == 1)
        // The first token, and another for each of twenty renewals. Both may have asked for a first one.
        #expect(try await demo.tokenRequests().filter { $0.outcome == "token" }.count > 20)
    }
}
