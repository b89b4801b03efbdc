internal import Foundation
@testable import Tokenward

/// What a script says is not what came of it, or no driver knows it.
struct Differs: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A value of a script.
enum Json: Decodable, Sendable, Equatable {
    case object([String: Json]), list([Json]), text(String), number(UInt64), flag(Bool)

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        self =
            if let flag = try? value.decode(Bool.self) {
                .flag(flag)
            } else if let number = try? value.decode(UInt64.self) {
                .number(number)
            } else if let text = try? value.decode(String.self) {
                .text(text)
            } else if let list = try? value.decode([Json].self) {
                .list(list)
            } else {
                .object(try value.decode([String: Json].self))
            }
    }

    var text: String? { if case .text(let text) = self { text } else { nil } }
    var number: UInt64? { if case .number(let number) = self { number } else { nil } }
    var flag: Bool? { if case .flag(let flag) = self { flag } else { nil } }
    var texts: [String]? { list.flatMap { list in list.map(\.text) as? [String] } }
    var list: [Json]? { if case .list(let list) = self { list } else { nil } }
}

/// The members of an object of a script: each has to be taken, and as what it is.
struct Members {
    private(set) var rest: [String: Json]

    init(_ json: Json?) throws {
        guard case .object(let members)? = json else { throw Differs("no object: \(String(describing: json))") }
        rest = members
    }

    mutating func take<T>(_ name: String, _ what: (Json) -> T?) throws -> T? {
        guard let value = rest.removeValue(forKey: name) else { return nil }
        guard let value = what(value) else { throw Differs("`\(name)` is of another kind") }
        return value
    }

    mutating func text(_ name: String) throws -> String? { try take(name, \.text) }
    mutating func number(_ name: String) throws -> UInt64? { try take(name, \.number) }
    mutating func flag(_ name: String) throws -> Bool? { try take(name, \.flag) }

    func end() throws {
        guard rest.isEmpty else { throw Differs("unknown: \(rest.keys.sorted())") }
    }
}

/// The token service of a script, and what its app's closure brings.
final class ScriptedService: Sendable {
    struct Answer: Sendable {
        var response = TransportResponse(status: 200, headers: [], body: Data())
        var isCut = false
        var after: UInt64 = 0
        var hold: String?

        init(_ json: Json) throws {
            var members = try Members(json)
            var body: [String: Any] = [:]
            if let token = try members.text("token") { body = ["access_token": token, "token_type": "Bearer"] }
            for name in ["refresh_token", "error"] { body[name] = try members.text(name) }
            body["expires_in"] = try members.number("expires_in")
            let text = try members.text("body").map { Data($0.utf8) } ?? JSONSerialization.data(withJSONObject: body)
            let fields = [("Retry-After", try members.text("retry_after")), ("Location", try members.text("location"))]
            response = TransportResponse(
                status: Int(try members.number("status") ?? 200),
                headers: fields.compactMap { name, value in value.map { (name, $0) } }, body: text)
            for name in ["cut", "cut_body"] where try members.flag(name) == true { isCut = true }
            after = try members.number("after_ms") ?? 0
            hold = try members.text("hold")
            try members.end()
        }
    }

    struct Supply: Sendable {
        let token: String?
        let hold: String?

        init(_ json: Json) throws {
            var members = try Members(json)
            (token, hold) = (try members.text("token"), try members.text("hold"))
            guard (token == nil) == (try members.flag("fails") == true) else { throw Differs("a token, or none") }
            try members.end()
        }
    }

    struct State: Sendable {
        var answers: [Answer] = []
        var otherwise: Answer
        var requests: [String] = []
        var supplies: [Supply] = []
        var asked: UInt64 = 0
        /// What the closure that brings the credentials waits for.
        var person: String?
        var released: Set<String> = []
        var isOver = false
    }

    let state: Locked<State>

    init() throws { state = Locked(State(otherwise: try Answer(.object(["status": .number(500)])))) }

    func answer(_ request: TransportRequest) async throws -> TransportResponse {
        let end = Date().addingTimeInterval(request.timeout)
        let answer = state.with { state in
            state.requests.append(text(of: request))
            return state.answers.isEmpty ? state.otherwise : state.answers.removeFirst()
        }
        let start = Date().addingTimeInterval(TimeInterval(answer.after) / 1000)
        try await until(end) { Date() >= start && self.isReleased(answer.hold) }
        guard !answer.isCut else { throw URLError(.networkConnectionLost) }
        return answer.response
    }

    func supply() async throws -> IssuedToken {
        let supply = state.with { state in
            state.asked += 1
            return state.supplies.isEmpty ? nil : state.supplies.removeFirst()
        }
        guard let supply, let token = supply.token else { throw URLError(.cannotConnectToHost) }
        // A closure that is deaf to its cancellation.
        await Task.detached { try? await self.until(.distantFuture) { self.isReleased(supply.hold) } }.value
        return IssuedToken(accessToken: token)
    }

    func person() async throws {
        try await until(.distantFuture) { self.isReleased(self.state.current.person) }
    }

    private func isReleased(_ hold: String?) -> Bool {
        state.with { state in hold.map { state.isOver || state.released.contains($0) } ?? true }
    }

    private func until(_ end: Date, _ condition: () -> Bool) async throws {
        while !condition() {
            guard Date() < end else { throw URLError(.timedOut) }
            try await Task.sleep(nanoseconds: 2_000_000)
        }
    }

    /// The grant, and the refresh token that is presented.
    private func text(of request: TransportRequest) -> String {
        let form = String(decoding: request.body ?? Data(), as: UTF8.self).split(separator: "&")
        return ["grant_type=", "refresh_token="].compactMap { name in
            form.first { $0.hasPrefix(name) }.map { "\($0.dropFirst(name.count))" }
        }.joined(separator: " ")
    }
}

/// What outlives a process.
final class ScriptedDisk: Sendable {
    enum State: String { case works, unreadable, unwritable, held, held_write, silent }

    struct Content: Sendable {
        var bytes: Data?
        var key = Data(repeating: 7, count: 32)
        var state = State.works
        var holder: ObjectIdentifier?
    }

    let content = Locked(Content())

    func damage(_ kind: String) throws {
        try content.with { content in
            if kind == "key" {
                content.key = Data(repeating: 0x5a, count: 32)
                return
            }
            guard var bytes = content.bytes else { throw Differs("nothing is stored") }
            bytes[40] ^= 1
            switch kind {
            case "torn": content.bytes = content.bytes?.prefix(bytes.count / 2)
            case "bit": content.bytes = bytes
            case "emptied": content.bytes = Data()
            case "deleted": content.bytes = nil
            default: throw Differs("an unknown damage")
            }
        }
    }
}

/// A process as its storage and its network see it: what it does after its end reaches neither.
final class ScriptedProcess: TokenStorage, TokenTransport {
    let isShared: Bool
    private let disk: ScriptedDisk
    private let service: ScriptedService
    private let alive = Locked(true)

    init(_ disk: ScriptedDisk, _ service: ScriptedService, shared: Bool) {
        (self.disk, self.service, isShared) = (disk, service, shared)
    }

    var isAlive: Bool { alive.current }

    func kill() {
        alive.current = false
        letGo()
    }

    func sealKey() -> Data { disk.content.current.key }

    func locked(_ body: @escaping @Sendable (StorageAccess) -> Void) async throws {
        let end = Date().addingTimeInterval(5)
        while !isTaken() {
            guard Date() < end else { throw TokenwardError.storage(code: "storage_locked", underlying: nil) }
            try? await Task.sleep(nanoseconds: 2_000_000)
        }
        // What blocks does so on a thread of its own.
        await withCheckedContinuation { done in
            Thread.detachNewThread {
                if self.disk.content.current.state != .silent { body(StorageAccess(read: self.read, write: self.write)) }
                self.letGo()
                done.resume()
            }
        }
    }

    private func isTaken() -> Bool {
        disk.content.with { content in
            guard content.holder == nil, content.state != .held, isAlive else { return false }
            content.holder = ObjectIdentifier(self)
            return true
        }
    }

    private func letGo() {
        disk.content.with { content in if content.holder == ObjectIdentifier(self) { content.holder = nil } }
    }

    private func read() throws -> Data? {
        try disk.content.with { content in
            guard isAlive, content.state != .unreadable else { throw POSIXError(.EIO) }
            return content.bytes
        }
    }

    private func write(_ bytes: Data) throws {
        while isAlive && disk.content.current.state == .held_write { usleep(2000) }
        try disk.content.with { content in
            guard isAlive, content.state != .unwritable else { throw POSIXError(.ENOSPC) }
            content.bytes = bytes
        }
    }

    func send(_ request: TransportRequest) async throws -> TransportResponse {
        guard isAlive else { throw URLError(.cancelled) }
        return try await service.answer(request)
    }
}

/// Another process on the same storage, which has the core and no executor.
struct ScriptedOther: Sendable {
    private let core: CoreManager
    private let process: ScriptedProcess
    private let clock = SystemClock()

    init(_ provider: TokenProvider, _ process: ScriptedProcess) throws {
        self.process = process
        core = try CoreManager(
            now: clock.now(), provider: provider, identity: TokenIdentity(), accessCapacity: 4096, refreshCapacity: 4096,
            seed: .random(in: 0 ... .max), allowServerOnly: true,
            options: OptionsRecord(
                storage: StorageRecord(shared: process.isShared, all: true, slots: 1, floor: 0, proveRoom: false),
                source: .person))
    }

    func act(_ json: Json) async throws {
        try await settle()
        if json == .text("sign_out") {
            try core.clear()
            return try await settle()
        }
        var act = try Members(json)
        var token = try Members(act.take("install") { $0 } ?? act.take("refresh") { $0 })
        let (access, refresh) = (try token.text("token") ?? "", try token.text("refresh_token"))
        let seconds = try token.number("expires_in")
        try token.end()
        if let presented = try act.text("presents") {
            try core.renew()
            try await settle()
            let request = try core.begin(
                now: clock.now(), clientId: "id", clientSecret: "secret", username: nil, password: nil, bearer: nil,
                assertion: nil, values: [], parameters: [])
            guard String(decoding: try request.body() ?? Data(), as: UTF8.self).contains("&refresh_token=\(presented)&")
            else { throw Differs("the other process presents something else") }
            let members: [String: Any?] = [
                "access_token": access, "token_type": "Bearer", "expires_in": seconds, "refresh_token": refresh,
            ]
            _ = try core.answer(
                now: clock.now(), requestId: request.id(), status: 200, headers: [],
                body: JSONSerialization.data(withJSONObject: members.compactMapValues { $0 }), wall: clock.wall())
        } else {
            _ = try core.install(
                now: clock.now(), wall: clock.wall(), accessToken: access, tokenType: nil, expiresIn: seconds,
                refreshToken: refresh)
        }
        try act.end()
        try await settle()
    }

    private func settle() async throws {
        let failure = Locked<(any Error)?>(nil)
        try await process.locked { access in
            do { while try isDone(access) {} } catch { failure.current = error }
        }
        if let failure = failure.current { throw failure }
    }

    /// Does what `poll` says of storage; `false`: that is nothing.
    private func isDone(_ access: StorageAccess) throws -> Bool {
        let (now, wall, key) = (clock.now(), clock.wall(), process.sealKey())
        switch try core.poll(now: now).next {
        case .load(let id):
            _ = try core.loaded(now: now, wall: wall, id: id, key: key, slots: [try access.read()])
        case .store(let id, _):
            try access.write(try core.snapshot(now: now, wall: wall, id: id, key: key))
            try core.stored(now: now, id: id)
        default: return false
        }
        return true
    }
}
