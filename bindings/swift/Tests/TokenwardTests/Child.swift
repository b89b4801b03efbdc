internal import Foundation
import Testing
@testable import Tokenward

/// A process with its standard input and output in our hands. (`Process` of Foundation on Linux may wait for ever for
/// one that has ended, and hands its signal mask on.)
final class Child: Sendable {
    let id: pid_t
    private let input: Int32
    private let output: Int32
    private let status = Locked<Int32?>(nil)
    /// One starts at a time: a child would keep the ends of another's pipes that are open meanwhile.
    private static let starting = NSLock()

    init(_ program: String, _ arguments: [String], environment more: [String: String] = [:]) throws {
        Self.starting.lock()
        defer { Self.starting.unlock() }
        var (stdin, stdout): ([Int32], [Int32]) = ([0, 0], [0, 0])
        try #require(pipe(&stdin) == 0 && pipe(&stdout) == 0)
        // What stays here is not for children that start later.
        for end in [stdin[1], stdout[0]] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, stdin[0], 0)
        posix_spawn_file_actions_adddup2(&actions, stdout[1], 1)
        var nothing = sigset_t()
        sigemptyset(&nothing)
        posix_spawnattr_init(&attributes)
        posix_spawnattr_setsigmask(&attributes, &nothing)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        let environment = ProcessInfo.processInfo.environment.merging(more) { $1 }
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0)=\($1)") } + [nil]
        var id: pid_t = 0
        let result = posix_spawn(&id, program, &actions, &attributes, &words, &variables)
        for word in words + variables { free(word) }
        posix_spawn_file_actions_destroy(&actions)
        posix_spawnattr_destroy(&attributes)
        close(stdin[0])
        close(stdout[1])
        (self.id, input, output) = (id, stdin[1], stdout[0])
        try #require(result == 0, "\(program) does not start")
    }

    deinit {
        end()
        close(input)
        close(output)
    }

    /// All that it still writes, and its status as `waitpid` tells it. Many may be waited for, each on a thread of its own.
    func rest() async -> (lines: [String], status: Int32) {
        await apart {
            var lines: [String] = []
            while let line = self.line() { lines.append(line) }
            return (lines, self.wait())
        }
    }

    /// What it answers to a line.
    func answer(_ line: String) async -> String? {
        await apart {
            let line = Array((line + "\n").utf8)
            return write(self.input, line, line.count) == line.count ? self.line() : nil
        }
    }

    private func apart<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        await withCheckedContinuation { done in Thread.detachNewThread { done.resume(returning: body()) } }
    }

    /// The next line of its output; `nil` where it has ended.
    func line() -> String? {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(output, &byte, 1) == 1 {
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
        return nil
    }

    /// Kills it, if it has not ended by itself; its status as `waitpid` tells it.
    @discardableResult
    func end() -> Int32 {
        if status.current == nil { kill(id, SIGKILL) }
        return wait()
    }

    /// Waits for its end; its status as `waitpid` tells it.
    func wait() -> Int32 {
        status.with { known in
            if let known { return known }
            var status: Int32 = 0
            while waitpid(id, &status, 0) < 0 && errno == EINTR {}
            known = status
            return status
        }
    }
}
