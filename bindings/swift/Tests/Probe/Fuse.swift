internal import Foundation
internal import Tokenward

/// Steps are counted from 1; at the one that is named the process ends as if the power went.
final class Fuse: @unchecked Sendable {
    private let lock = NSLock()
    private var point: String
    private var counts: [String: Int] = [:]

    init(_ point: String) { self.point = point }

    /// Another point, counted from here.
    func set(_ point: String) { lock.withLock { (self.point, counts) = (point, [:]) } }

    func step(_ name: String) {
        let isPoint = lock.withLock {
            counts[name, default: 0] += 1
            return "\(name)-\(counts[name]!)" == point
        }
        if isPoint { kill(getpid(), SIGKILL) }
    }
}

struct FusedStorage: TokenStorage {
    let storage: FileTokenStorage
    let fuse: Fuse
    var journal: Journal?

    var isShared: Bool { storage.isShared }
    func sealKey() async throws -> Data { storage.sealKey() }

    func locked(_ body: @escaping @Sendable (StorageAccess) -> Void) async throws {
        fuse.step("before-transaction")
        try await storage.locked { access in
            body(
                StorageAccess(
                    read: access.read,
                    write: { bytes in
                        fuse.step("before-write")
                        try access.write(bytes)
                        journal?.isKept()
                        fuse.step("after-write")
                    }))
        }
        fuse.step("after-transaction")
    }
}

struct FusedTransport: TokenTransport {
    let transport = URLSessionTransport()
    let fuse: Fuse
    var journal: Journal?

    func send(_ request: TransportRequest) async throws -> TransportResponse {
        fuse.step("before-send")
        journal?.isSent(request.body)
        do {
            let response = try await transport.send(request)
            fuse.step("after-send")
            return response
        } catch {
            journal?.isFailed()
            throw error
        }
    }
}

/// What a process has presented, and what became of the answer: lines that outlive a kill.
final class Journal: @unchecked Sendable {
    private let file: Int32
    private let name: String
    private let lock = NSLock()
    private var isOut = false

    init(_ path: String, _ name: String) {
        file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        self.name = name
    }

    func isSent(_ body: Data?) {
        let fields = String(decoding: body ?? Data(), as: UTF8.self).split(separator: "&")
        guard let token = fields.first(where: { $0.hasPrefix("refresh_token=") }) else { return }
        lock.withLock { isOut = true }
        say("sent \(token.dropFirst("refresh_token=".count))")
    }

    func isKept() { end("kept") }
    func isFailed() { end("failed") }

    private func end(_ what: String) {
        let wasOut = lock.withLock {
            defer { isOut = false }
            return isOut
        }
        if wasOut { say(what) }
    }

    private func say(_ what: String) {
        let line = Array("\(name) \(what)\n".utf8)
        precondition(write(file, line, line.count) == line.count)
    }
}
