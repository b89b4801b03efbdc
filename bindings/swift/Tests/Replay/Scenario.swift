internal import Foundation
internal import TokenwardBridge

/// Runs one scenario over the generated bridge; stops at the first difference.
struct Scenario {
    private let scenario: Object
    private var manager: CoreManager
    /// Unix seconds at `epoch` milliseconds.
    private var wall: UInt64?
    private var epoch: UInt64 = 0
    private var requests: [Text: UInt64] = [:]
    private var lastRequest = Self.never
    private var snapshot: (bytes: Data, all: Bool, revision: UInt64)?

    /// The sealing key of every scenario: what it proves does not depend on it.
    private static let key = Data(repeating: 0x5C, count: 32)
    /// An id that was never given out, for a request that another process sent.
    private static let never = UInt64.max

    /// - Returns: The first difference; `nil` if there is none.
    static func difference(in bytes: [UInt8]) throws(Fault) -> String? {
        guard let scenario = try JSON(parsing: bytes).object else { throw Fault("a scenario is an object") }
        var run = try Scenario(scenario)
        return try run.difference()
    }

    private init(_ scenario: Object) throws(Fault) {
        self.scenario = scenario
        manager = try Self.manager(scenario, Object(), at: 0)
        wall = try scenario.integer("wall")
    }

    private static func manager(_ scenario: Object, _ step: Object, at: UInt64) throws(Fault) -> CoreManager {
        let provider = try provider(of: scenario, step)
        var site = try step.string("site")
        if site == nil { site = try scenario.string("site") }
        let capacity = scenario["capacity"]?.object
        func slot(_ name: Text) throws(Fault) -> UInt32 {
            guard let bytes = UInt32(exactly: try capacity?.integer(name) ?? 2048) else {
                throw Fault("a slot is too large")
            }
            return bytes
        }
        let (access, refresh, seed) = (try slot("access"), try slot("refresh"), try scenario.integer("seed") ?? 0)
        return try bridged("no manager") {
            try CoreManager(
                now: at, provider: provider, site: site, accessCapacity: access, refreshCapacity: refresh, seed: seed,
                allowServerOnly: true)
        }
    }

    private mutating func difference() throws(Fault) -> String? {
        _ = try scenario.string("name")
        guard case .array(let steps) = scenario["steps"] else { throw Fault("`steps` is an array") }
        for (index, step) in steps.enumerated() {
            do throws(Fault) {
                guard let step = step.object else { throw Fault("a step is an object") }
                let at = try step.requiredInteger("at")
                let action = try step.required("do")
                let actual = try run(step, action, at)
                var expect = Object()
                if let given = step["expect"] {
                    guard let given = given.object else { throw Fault("`expect` is an object") }
                    expect = given
                }
                if let difference = actual.difference(from: expect) {
                    return "step \(index) (\(action) at \(at)): \(difference)"
                }
            } catch {
                throw Fault("step \(index): \(error.text)")
            }
        }
        return nil
    }

    /// What a step came to: the members of an `expect`.
    private mutating func run(_ step: Object, _ action: String, _ at: UInt64) throws(Fault) -> Object {
        var actual: Object
        do {
            actual = try self.step(step, action, at)
        } catch let error as CoreError {
            actual = Object()
            actual["error"] = .string(Text(error.code))
        } catch let fault as Fault {
            throw fault
        } catch {
            throw Fault("\(error)")
        }
        let manager = manager
        actual["unpersisted"] = .bool(try bridged("unpersisted") { try manager.unpersisted(all: true) } != nil)
        actual["unpersisted_refresh_token"] = .bool(
            try bridged("unpersisted") { try manager.unpersisted(all: false) } != nil)
        return actual
    }

    /// The time of day at a step, which counts on from the scenario's or the last restart's.
    private func wall(_ at: UInt64) -> UInt64? {
        let since = (at > epoch ? at - epoch : 0) / 1000
        return wall.map { $0.addingReportingOverflow(since).overflow ? .max : $0 + since }
    }

    // MARK: - Steps. A refusal is a `CoreError`, what is no scenario a `Fault`.

    private mutating func step(_ step: Object, _ action: String, _ at: UInt64) throws -> Object {
        var actual = Object()
        switch action {
        case "poll": try poll(at, &actual)
        case "begin": try begin(step, at, &actual)
        case "answer": try answer(step, at, &actual)
        case "failed": try manager.failed(now: at, requestId: try request(step))
        case "rejected": try rejected(step, at, &actual)
        case "authorize": try authorize(step, at, &actual)
        case "install":
            guard let token = step["token"] else { throw Fault("`token` is missing") }
            actual["generation"] = .unsigned(try manager.installJson(now: at, wall: nil, token: Data(token.text)))
        case "snapshot":
            let all = try step.word("scope", of: "all", "refresh_token") != "refresh_token"
            let bytes = try manager.snapshot(now: at, wall: wall(at), all: all, key: Self.key)
            snapshot = (bytes, all, try manager.revision())
        case "persisted":
            guard let snapshot else { throw Fault("`persisted` without a snapshot") }
            try manager.persisted(all: snapshot.all, revision: snapshot.revision)
        case "reloaded": try manager.reloaded()
        case "retry": try manager.retry()
        case "renew": try manager.renew()
        case "clear": try manager.clear()
        case "restore": try restore(step, at)
        case "restart":
            manager = try Self.manager(scenario, step, at: at)
            wall = try step.integer("wall")
            epoch = at
            requests = [:]
            lastRequest = Self.never
            if step["restore"] != .bool(false) && snapshot != nil { try restore(step, at) }
        default: throw Fault("nothing is called \"\(action)\"")
        }
        return actual
    }

    private func poll(_ at: UInt64, _ actual: inout Object) throws {
        let poll = try manager.poll(now: at)
        actual["usable"] = .bool(poll.usable)
        actual["poll_at"] = poll.pollAt.map(JSON.unsigned) ?? .null
        switch poll.next {
        case .nothing: actual["next"] = .string("nothing")
        case .request(let grant):
            actual["next"] = .string("request")
            actual["grant"] = .string(Text(grant))
        case .awaitAnswer: actual["next"] = .string("await")
        case .wait: actual["next"] = .string("wait")
        case .reload: actual["next"] = .string("reload")
        case .supply(let reason):
            actual["next"] = .string("supply")
            actual["reason"] = .string(Text(reason))
        }
    }

    private mutating func begin(_ step: Object, _ at: UInt64, _ actual: inout Object) throws {
        var credentials = Object()
        if let given = step["credentials"] ?? scenario["credentials"] {
            guard let given = given.object else { throw Fault("`credentials` is an object") }
            credentials = given
        }
        let request = try manager.begin(
            now: at, clientId: try credentials.string("client_id"),
            clientSecret: try credentials.string("client_secret"), username: try credentials.string("username"),
            password: try credentials.string("password"), bearer: try credentials.string("bearer"))
        lastRequest = try request.id()
        if let name = try step.text("as") { requests[name] = lastRequest }
        let fields = try request.headers()
        actual["method"] = .string(Text(try request.method()))
        actual["url"] = .string(Text(try request.url()))
        actual["headers"] = .array(
            stride(from: 0, to: fields.count - 1, by: 2).map {
                .array([.string(Text(fields[$0])), .string(Text(fields[$0 + 1]))])
            })
        actual["body"] = .string(Text(Array(try request.body() ?? Data())))
    }

    private func request(_ step: Object) throws(Fault) -> UInt64 {
        guard let name = try step.text("request") else { return lastRequest }
        return requests[name] ?? Self.never
    }

    private func answer(_ step: Object, _ at: UInt64, _ actual: inout Object) throws {
        let id = try request(step)
        let status = try status(step)
        let headers = try step.pairs().flatMap { [$0.name.string, $0.value] }
        let body: [UInt8]
        switch (step["body"], step["body_hex"]) {
        case (.string(let text), nil): body = text.bytes
        case (nil, .string(let hex)): body = try bytes(hex: hex)
        case (nil, nil): body = []
        default: throw Fault("one of `body` and `body_hex`, a string")
        }
        let outcome = try manager.answer(
            now: at, requestId: id, status: status, headers: headers, body: Data(body), wall: wall(at))
        switch outcome {
        case .token(let generation):
            actual["outcome"] = .string("token")
            actual["generation"] = .unsigned(generation)
        case .error(let code, _, _):
            actual["outcome"] = .string("error")
            actual["error_code"] = .string(Text(code))
        }
    }

    private func rejected(_ step: Object, _ at: UInt64, _ actual: inout Object) throws {
        let generation = try step.integer("generation") ?? manager.generation()
        let status = try status(step)
        let challenges = try step.pairs().filter { $0.name.lowercased == "www-authenticate" }.map(\.value)
        let challenge = challenges.isEmpty ? nil : challenges.joined(separator: ", ")
        switch try manager.rejected(now: at, generation: generation, status: status, challenge: challenge) {
        case .now: actual["retry"] = .string("now")
        case .afterRefresh: actual["retry"] = .string("after_refresh")
        case .surface(let reason):
            actual["retry"] = .string("surface")
            actual["reason"] = .string(Text(reason))
        }
    }

    private func authorize(_ step: Object, _ at: UInt64, _ actual: inout Object) throws {
        let (method, url) = (try step.required("method"), try step.required("url"))
        let line = try manager.authorize(now: at, method: method, url: url)
        guard let space = line.utf8.firstIndex(of: UInt8(ascii: " ")), let generation = UInt64(line[..<space]) else {
            throw Fault("no generation stands before the header")
        }
        actual["header"] = .string(Text(String(line[line.utf8.index(after: space)...])))
        actual["generation"] = .unsigned(generation)
    }

    private func restore(_ step: Object, _ at: UInt64) throws {
        guard var bytes = snapshot?.bytes else { throw Fault("`restore` without a snapshot") }
        if let bit = try step.integer("flip") {
            let place = bytes.startIndex + Int(bit / 8 % UInt64(bytes.count))
            bytes[place] ^= 1 << UInt8(bit % 8)
        }
        if let kept = try step.integer("cut") { bytes = bytes.prefix(Int(min(kept, UInt64(bytes.count)))) }
        let floor = try step.integer("floor") ?? 0
        try manager.restore(now: at, wall: wall(at), floor: floor, key: Self.key, snapshot: bytes)
    }

    private func status(_ step: Object) throws(Fault) -> UInt32 {
        guard let status = UInt16(exactly: try step.requiredInteger("status")) else {
            throw Fault("`status` is a status code")
        }
        return UInt32(status)
    }

    private func bytes(hex: Text) throws(Fault) -> [UInt8] {
        let digits = hex.bytes.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count % 2 == 0, !digits.contains(nil) else {
            throw Fault("`body_hex` is pairs of hexadecimal digits")
        }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0]! << 4 | digits[$0 + 1]!) }
    }
}

// MARK: - Expectations

extension Object {
    /// The first member of `expect` that this has not, in one line.
    fileprivate func difference(from expect: Object) -> String? {
        let wanted = expect["error"]
        if let refused = self["error"] {
            guard wanted == .bool(true) || wanted == refused else {
                return "refused as \(refused.line), expected \(wanted?.line ?? "\"success\"")"
            }
        } else if let wanted {
            return "succeeded, expected the refusal \(wanted.line)"
        }
        for (name, expected) in expect.members where name != "error" {
            let found = self[name] ?? .null
            let isSame =
                switch name {
                case "headers": hasHeaders(found, expected)
                case "body": isSameBody(found, expected)
                default: isSameValue(found, expected)
                }
            if !isSame { return "\(name.string) is \(found.line), expected \(expected.line)" }
        }
        return nil
    }
}

extension JSON {
    fileprivate var line: String { String(decoding: text, as: UTF8.self) }
}

/// Integers beyond 2⁵³ stand as strings in a scenario.
private func isSameValue(_ found: JSON, _ expected: JSON) -> Bool {
    if case (.unsigned(let number), .string(let text)) = (found, expected) { return Text("\(number)") == text }
    return found == expected
}

/// All that are listed must be there, in any order; names compare without case.
private func hasHeaders(_ found: JSON, _ expected: JSON) -> Bool {
    func pairs(_ value: JSON) -> [[Text]?] {
        guard case .array(let list) = value else { return [] }
        return list.map { pair in
            guard case .array(let pair) = pair, pair.count >= 2, case .string(let name) = pair[0],
                case .string(let value) = pair[1]
            else { return nil }
            return [name.lowercased, value]
        }
    }
    guard case .array = expected else { return false }
    let found = pairs(found)
    return pairs(expected).allSatisfy { $0 != nil && found.contains($0) }
}

/// JSON bodies compare as values.
private func isSameBody(_ found: JSON, _ expected: JSON) -> Bool {
    func parsed(_ value: JSON) -> JSON? {
        guard case .string(let text) = value else { return value }
        return try? JSON(parsing: text.bytes)
    }
    if found == expected { return true }
    guard let found = parsed(found), let expected = parsed(expected) else { return false }
    return found == expected
}
