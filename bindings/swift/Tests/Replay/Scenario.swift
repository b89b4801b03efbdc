internal import Foundation
internal import Tokenward

/// Executes one scenario over the generated bridge.
struct Scenario {
    private let scenario: Object
    private var manager: CoreManager
    /// Unix seconds at `epoch` milliseconds.
    private var wall: UInt64?
    private var epoch: UInt64 = 0
    private var requests: [String: UInt64] = [:]
    private var lastRequest = Self.never
    private var snapshot: (bytes: Data, all: Bool, revision: UInt64)?

    /// The sealing key of every scenario: what it proves does not depend on it.
    private static let key = Data(repeating: 0x5C, count: 32)
    /// An id that was never given out, for a request that another process sent.
    private static let never = UInt64.max

    init(_ scenario: Object) throws {
        self.scenario = scenario
        manager = try Self.manager(scenario, [:], at: 0)
        wall = scenario.integer("wall")
    }

    private static func manager(_ scenario: Object, _ step: Object, at: UInt64) throws -> CoreManager {
        let capacity = scenario.object("capacity")
        let (provider, identity, sharedStorage) = described(scenario, step)
        return try CoreManager(
            now: at, provider: provider, identity: identity, accessCapacity: UInt32(capacity?.integer("access") ?? 2048),
            refreshCapacity: UInt32(capacity?.integer("refresh") ?? 2048), seed: scenario.integer("seed") ?? 0,
            sharedStorage: sharedStorage, allowServerOnly: true)
    }

    /// What came of each step: all that its `expect` may name.
    mutating func results() throws -> [Object] {
        try (scenario["steps"] as! [Object]).map { step in
            var actual: Object
            do {
                actual = try self.step(step, at: step.integer("at")!)
            } catch let error as CoreError {
                actual = ["error": error.code]
            }
            actual["unpersisted"] = try manager.unpersisted(all: true) != nil
            actual["unpersisted_refresh_token"] = try manager.unpersisted(all: false) != nil
            return actual
        }
    }

    /// The time of day at a step, which counts on from the scenario's or the last restart's.
    private func wall(_ at: UInt64) -> UInt64? {
        let since = (at > epoch ? at - epoch : 0) / 1000
        return wall.map { $0.addingReportingOverflow(since).overflow ? .max : $0 + since }
    }

    // MARK: - Steps

    private mutating func step(_ step: Object, at: UInt64) throws -> Object {
        switch step.string("do")! {
        case "poll": return try poll(at)
        case "begin": return try begin(step, at)
        case "answer": return try answer(step, at)
        case "failed": try manager.failed(now: at, requestId: request(step))
        case "rejected": return try rejected(step, at)
        case "authorize": return try authorize(step, at)
        case "install":
            return ["generation": try install(step["token"]!, at)]
        case "snapshot":
            let all = step.string("scope") != "refresh_token"
            let bytes = try manager.snapshot(now: at, wall: wall(at), all: all, key: Self.key)
            snapshot = (bytes, all, try manager.revision())
        case "persisted": try manager.persisted(all: snapshot!.all, revision: snapshot!.revision)
        case "reloaded": try manager.reloaded()
        case "retry": try manager.retry()
        case "renew": try manager.renew()
        case "clear": try manager.clear()
        case "restore": try restore(step, at)
        case "restart":
            manager = try Self.manager(scenario, step, at: at)
            wall = step.integer("wall")
            epoch = at
            requests = [:]
            lastRequest = Self.never
            if step["restore"] as? Bool != false && snapshot != nil { try restore(step, at) }
        case let other: fatalError("nothing is called \"\(other)\"")
        }
        return [:]
    }

    private func poll(_ at: UInt64) throws -> Object {
        let poll = try manager.poll(now: at)
        var actual: Object = ["usable": poll.usable, "poll_at": poll.pollAt ?? NSNull()]
        switch poll.next {
        case .nothing: actual["next"] = "nothing"
        case .request(let grant): (actual["next"], actual["grant"]) = ("request", grantName(grant: grant))
        case .awaitAnswer: actual["next"] = "await"
        case .wait: actual["next"] = "wait"
        case .reload: actual["next"] = "reload"
        case .supply(let reason): (actual["next"], actual["reason"]) = ("supply", reason.code)
        }
        return actual
    }

    private mutating func begin(_ step: Object, _ at: UInt64) throws -> Object {
        let credentials = step.object("credentials") ?? scenario.object("credentials") ?? [:]
        let request = try manager.begin(
            now: at, clientId: credentials.string("client_id"), clientSecret: credentials.string("client_secret"),
            username: credentials.string("username"), password: credentials.string("password"),
            bearer: credentials.string("bearer"))
        lastRequest = try request.id()
        if let name = step.string("as") { requests[name] = lastRequest }
        let fields = try request.headers()
        return [
            "method": try request.method(), "url": try request.url(),
            "headers": stride(from: 0, to: fields.count - 1, by: 2).map { [fields[$0], fields[$0 + 1]] },
            "body": String(decoding: try request.body() ?? Data(), as: UTF8.self),
        ]
    }

    private func request(_ step: Object) -> UInt64 {
        guard let name = step.string("request") else { return lastRequest }
        return requests[name] ?? Self.never
    }

    private func answer(_ step: Object, _ at: UInt64) throws -> Object {
        let body = step.string("body_hex").map(bytes(hex:)) ?? Data((step.string("body") ?? "").utf8)
        let outcome = try manager.answer(
            now: at, requestId: request(step), status: UInt32(step.integer("status")!),
            headers: step.headers.flatMap { $0 }, body: body, wall: wall(at))
        return switch outcome {
        case .token(let generation): ["outcome": "token", "generation": generation]
        case .error(let code, _, _): ["outcome": "error", "error_code": code]
        }
    }

    private func install(_ token: Any, _ at: UInt64) throws -> UInt64 {
        if let members = token as? Object, (members["access_token"] ?? NSNull()) is NSNull {
            return try manager.install(
                now: at, wall: wall(at), accessToken: "", tokenType: members.string("token_type"), expiresIn: nil,
                refreshToken: members.string("refresh_token"))
        }
        let json = try JSONSerialization.data(withJSONObject: token, options: .fragmentsAllowed)
        return try manager.installJson(now: at, wall: wall(at), token: json)
    }

    private func rejected(_ step: Object, _ at: UInt64) throws -> Object {
        let generation = try step.integer("generation") ?? manager.generation()
        let challenges = step.headers.filter { $0[0].lowercased() == "www-authenticate" }.map { $0[1] }
        let retry = try manager.rejected(
            now: at, generation: generation, status: UInt32(step.integer("status")!),
            challenge: challenges.isEmpty ? nil : challenges.joined(separator: "\n"))
        return switch retry {
        case .now: ["retry": "now"]
        case .afterRefresh: ["retry": "after_refresh"]
        case .surface(let reason, let retryAt):
            ["retry": "surface", "reason": reason.code, "retry_at": retryAt ?? NSNull() as Any]
        }
    }

    private func authorize(_ step: Object, _ at: UInt64) throws -> Object {
        let line = try manager.authorize(now: at, method: step.string("method")!, url: step.string("url")!)
        let space = line.firstIndex(of: " ")!
        return ["header": String(line[line.index(after: space)...]), "generation": UInt64(line[..<space])!]
    }

    private func restore(_ step: Object, _ at: UInt64) throws {
        var bytes = snapshot!.bytes
        if let bit = step.integer("flip") {
            let place = bytes.startIndex + Int(bit / 8 % UInt64(bytes.count))
            bytes[place] ^= 1 << UInt8(bit % 8)
        }
        if let kept = step.integer("cut") { bytes = bytes.prefix(Int(min(kept, UInt64(bytes.count)))) }
        try manager.restore(
            now: at, wall: wall(at), floor: step.integer("floor") ?? 0, key: Self.key, snapshot: bytes)
    }
}

private func bytes(hex: String) -> Data {
    let digits = hex.map { UInt8($0.hexDigitValue!) }
    return Data(stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
}

extension CoreError {
    fileprivate var code: String {
        switch self {
        case .Input(let code, _, _), .Capacity(let code, _), .State(let code, _), .NotAllowed(let code, _),
            .Internal(let code, _):
            code
        }
    }
}
