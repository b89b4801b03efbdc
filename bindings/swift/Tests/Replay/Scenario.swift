internal import Foundation
internal import Tokenward

/// Executes one scenario over the generated bridge.
struct Scenario {
    private let scenario: Object
    /// The managers that share the storage, by name.
    private var hands: [String: Hand]
    private var turn = Self.first
    private var made: UInt64 = 0
    /// What is in storage.
    private var slots: [Data?]
    /// What is stored of a sign-in.
    private var storedSignIn: Data?

    /// The sealing key of every scenario: what it proves does not depend on it.
    private static let key = Data(repeating: 0x5C, count: 32)
    /// An id that was never given out, for a request that another process sent.
    private static let never = UInt64.max
    /// The manager that is made at 0.
    private static let first = "a"

    /// A manager, and what is in the hands of the process that it lives in.
    private struct Hand {
        let manager: CoreManager
        /// Unix seconds at `epoch` milliseconds.
        let wall: UInt64?
        let epoch: UInt64
        var requests: [String: UInt64] = [:]
        var lastRequest = Scenario.never
        /// What `poll` last said of a load, a store and a supply.
        var load: UInt64 = 0
        var store: (id: UInt64, slot: UInt8) = (0, 0)
        var supply: UInt64 = 0
        /// The slots as they were read.
        var read: [Data?]?
        var signIn: CoreSignIn?
        /// The callback that brought a code.
        var callback = ""
        let device: CoreDevice
        var deviceRequests: [String: UInt64] = [:]
        var lastDeviceRequest = Scenario.never

        init(_ manager: CoreManager, _ device: CoreDevice, wall: UInt64?, at epoch: UInt64) {
            (self.manager, self.device, self.wall, self.epoch) = (manager, device, wall, epoch)
        }
    }

    private var hand: Hand {
        get { hands[turn]! }
        set { hands[turn] = newValue }
    }
    private var manager: CoreManager { hand.manager }

    init(_ scenario: Object) throws {
        self.scenario = scenario
        let manager = try Self.manager(scenario, [:], at: 0, seed: scenario.integer("seed") ?? 0)
        hands = [Self.first: Hand(manager, try Self.device(scenario), wall: scenario.integer("wall"), at: 0)]
        let slots = scenario.object("storage").map { $0.integer("slots") ?? 1 } ?? 0
        self.slots = Array(repeating: nil, count: Int(slots))
    }

    private static func manager(_ scenario: Object, _ step: Object, at: UInt64, seed: UInt64) throws -> CoreManager {
        let capacity = step.object("capacity") ?? scenario.object("capacity")
        let (provider, identity) = described(scenario, step)
        return try CoreManager(
            now: at, provider: provider, identity: identity, accessCapacity: UInt32(capacity?.integer("access") ?? 2048),
            refreshCapacity: UInt32(capacity?.integer("refresh") ?? 2048), seed: seed,
            allowServerOnly: true, options: options(scenario, step))
    }

    private static func device(_ scenario: Object) throws -> CoreDevice {
        try CoreDevice(memory: UInt32(scenario.object("capacity")?.integer("device") ?? 1024))
    }

    /// What came of each step: all that its `expect` may name.
    mutating func results() throws -> [Object] {
        try (scenario["steps"] as! [Object]).map { step in
            // A step that is about storage, or makes a manager, is nobody's.
            if !["make", "tamper"].contains(step.string("do")) { turn = step.string("manager") ?? Self.first }
            do {
                return try self.step(step, at: step.integer("at")!)
            } catch let error as CoreError {
                return ["error": error.code]
            }
        }
    }

    /// The time of day at a step, which counts on from the scenario's or from when the manager was made.
    private func wall(_ at: UInt64) -> UInt64? {
        let since = (at > hand.epoch ? at - hand.epoch : 0) / 1000
        return hand.wall.map { $0.addingReportingOverflow(since).overflow ? .max : $0 + since }
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
            return ["generation": try install(step["token"]!, at, supply: nil)]
        case "retry": try manager.retry()
        case "renew": try manager.renew()
        case "clear": try manager.clear()
        case "revoke":
            let credentials = credentials(step)
            let request = try manager.revoke(
                clientId: credentials.string("client_id"), clientSecret: credentials.string("client_secret"),
                bearer: credentials.string("bearer"), assertion: assertion(credentials),
                values: added(step, "values"))
            return try request.map(written) ?? [:]
        case "signing_input":
            let credentials = credentials(step)
            let input = try manager.signingInput(
                clientId: credentials.string("client_id"), assertion: assertion(credentials))
            guard let input else { return ["error": "invalid_provider"] }
            return ["signing_input": String(decoding: input, as: UTF8.self)]
        case "answer_revocation":
            switch try manager.revoked(status: UInt32(step.integer("status")!), body: body(step)) {
            case .done: return ["outcome": "revoked"]
            case .later: return ["outcome": "later"]
            case .refused(let code): return ["outcome": "refused", "error_code": code ?? NSNull() as Any]
            }
        case "make":
            made += 1
            turn = step.string("manager") ?? Self.first
            let seed = step.integer("seed") ?? (scenario.integer("seed") ?? 0) &+ made
            hand = Hand(
                try Self.manager(scenario, step, at: at, seed: seed), try Self.device(scenario),
                wall: step.integer("wall"), at: at)
        case "tamper": tamper(step)
        case "read": hand.read = slots
        case "loaded":
            let read = hand.read ?? slots
            hand.read = nil
            return ["found": foundName(
                found: try manager.loaded(now: at, wall: wall(at), id: hand.load, key: Self.key, slots: read))]
        case "load_failed": try manager.loadFailed(now: at, id: hand.load)
        case "write":
            let bytes = try manager.snapshot(now: at, wall: wall(at), id: hand.store.id, key: Self.key)
            if !step.isTrue("lost") {
                slots[Int(hand.store.slot)] = bytes.prefix(Int(min(step.integer("torn") ?? .max, UInt64(bytes.count))))
            }
        case "stored": try manager.stored(now: at, id: hand.store.id)
        case "store_failed": try manager.storeFailed(now: at, id: hand.store.id)
        case "took":
            let ids = ["load": hand.load, "store": hand.store.id, "supply": hand.supply]
            try manager.took(now: at, id: ids[step.string("what")!]!)
        case "supplied": return ["generation": try install(step["token"]!, at, supply: hand.supply)]
        case "supply_failed":
            try manager.supplyFailed(now: at, id: hand.supply, retryable: step.isTrue("retryable"))
        case "reload": try manager.reload()
        case let other: return try signIn(other, step, at)
        }
        return [:]
    }

    /// What a step of a sign-in or of a device authorization does.
    private mutating func signIn(_ action: String, _ step: Object, _ at: UInt64) throws -> Object {
        let (credentials, wall) = (credentials(step), wall(at))
        switch action {
        case "sign_in":
            hand.signIn = try CoreSignIn(
                random: bytes(hex: step.string("random_hex")!), redirectUri: step.string("redirect_uri")!)
        case "sign_in_resumed":
            hand.signIn = try CoreSignIn.resumed(
                manager: manager, wall: wall, key: Self.key, stored: changed(storedSignIn!, step))
        case "sign_in_url":
            return ["url": try hand.signIn!.url(manager: manager, clientId: credentials.string("client_id"))]
        case "sign_in_stored": storedSignIn = try hand.signIn!.seal(manager: manager, wall: wall, key: Self.key)
        case "sign_in_deleted":
            try hand.signIn!.deleted()
            storedSignIn = nil
        case "callback":
            let url = step.string("url")!
            switch try hand.signIn!.callback(manager: manager, url: url) {
            case .code(let code):
                hand.callback = url
                return ["callback": "code", "code": code]
            case .error(let code, _, _): return ["callback": "error", "error_code": code]
            }
        case "begin_sign_in":
            return try written(hand.signIn!.begin(
                now: at, manager: manager, clientId: credentials.string("client_id"),
                clientSecret: credentials.string("client_secret"), bearer: credentials.string("bearer"),
                assertion: assertion(credentials), values: added(step, "values"), url: hand.callback))
        case "answer_sign_in":
            return said(try hand.signIn!.answer(
                now: at, manager: manager, status: UInt32(step.integer("status")!), body: body(step), wall: wall))
        default: return try device(action, step, at)
        }
        return [:]
    }

    private mutating func device(_ action: String, _ step: Object, _ at: UInt64) throws -> Object {
        let device = hand.device
        let id = step.string("request").map { hand.deviceRequests[$0] ?? Self.never } ?? hand.lastDeviceRequest
        switch action {
        case "start_device": try device.start(now: at, random: step.string("random_hex").map(bytes(hex:)) ?? Data(count: 32))
        case "cancel_device": try device.cancel()
        case "shown_device": try device.shown(now: at, manager: manager)
        case "poll_device":
            let poll = try device.poll(now: at, manager: manager)
            return [
                "next": deviceNextName(next: poll.next), "poll_at": poll.pollAt ?? NSNull() as Any,
                "user_code": poll.userCode, "verification_uri": poll.verificationUri,
                "verification_uri_complete": poll.verificationUriComplete ?? NSNull() as Any,
                "expires_at": poll.expiresAt ?? NSNull() as Any,
            ]
        case "begin_device":
            let credentials = credentials(step)
            let request = try device.begin(
                now: at, manager: manager, clientId: credentials.string("client_id"),
                clientSecret: credentials.string("client_secret"), bearer: credentials.string("bearer"),
                assertion: assertion(credentials), values: added(step, "values"))
            hand.lastDeviceRequest = try request.id()
            if let name = step.string("as") { hand.deviceRequests[name] = hand.lastDeviceRequest }
            return try written(request)
        case "answer_device":
            let outcome = try device.answer(
                now: at, manager: manager, requestId: id, status: UInt32(step.integer("status")!),
                headers: step.headers.flatMap { $0 }, body: body(step), wall: wall(at))
            switch outcome {
            case .code: return ["outcome": "code"]
            case .outcome(let outcome): return said(outcome)
            }
        case "failed_device": try device.failed(now: at, manager: manager, requestId: id)
        case let other: fatalError("nothing is called \"\(other)\"")
        }
        return [:]
    }

    /// Somebody changes what is in a slot.
    private mutating func tamper(_ step: Object) {
        let slot = Int(step.integer("slot") ?? 0)
        if let from = step.integer("from") { slots[slot] = slots[Int(from)] }
        slots[slot] = slots[slot].map { changed($0, step) }
        if step.isTrue("erase") { slots[slot] = nil }
    }

    /// The bytes with the bit flipped and cut as the step says.
    private func changed(_ bytes: Data, _ step: Object) -> Data {
        var bytes = bytes
        if let bit = step.integer("flip"), !bytes.isEmpty {
            let place = bytes.startIndex + Int(bit / 8 % UInt64(bytes.count))
            bytes[place] ^= 1 << UInt8(bit % 8)
        }
        return bytes.prefix(Int(min(step.integer("cut") ?? .max, UInt64(bytes.count))))
    }

    private mutating func poll(_ at: UInt64) throws -> Object {
        let poll = try manager.poll(now: at)
        var actual: Object = ["usable": poll.usable, "poll_at": poll.pollAt ?? NSNull(), "sign_in_by": poll.signInBy ?? NSNull()]
        switch poll.next {
        case .nothing: actual["next"] = "nothing"
        case .request(let grant): (actual["next"], actual["grant"]) = ("request", grantName(grant: grant))
        case .awaitAnswer: actual["next"] = "await"
        case .wait: actual["next"] = "wait"
        case .load(let id): (actual["next"], hand.load) = ("load", id)
        case .store(let id, let slot):
            (actual["next"], actual["slot"]) = ("store", slot)
            hand.store = (id, slot)
        case .supply(let id, let reason):
            (actual["next"], actual["reason"]) = ("supply", reason.code)
            hand.supply = id
        }
        return actual
    }

    private mutating func begin(_ step: Object, _ at: UInt64) throws -> Object {
        let credentials = credentials(step)
        let request = try manager.begin(
            now: at, clientId: credentials.string("client_id"), clientSecret: credentials.string("client_secret"),
            username: credentials.string("username"), password: credentials.string("password"),
            bearer: credentials.string("bearer"), assertion: assertion(credentials), values: added(step, "values"),
            parameters: added(step, "parameters"))
        hand.lastRequest = try request.id()
        if let name = step.string("as") { hand.requests[name] = hand.lastRequest }
        return try written(request)
    }

    /// What the caller adds to a request.
    private func added(_ step: Object, _ name: String) -> [String] {
        (step.object("additions") ?? scenario.object("additions") ?? [:]).pairs(name).flatMap { $0 }
    }

    private func credentials(_ step: Object) -> Object {
        step.object("credentials") ?? scenario.object("credentials") ?? [:]
    }

    private static let algorithms: [String: SignatureAlgorithm] = [
        "ES256": .es256, "RS256": .rs256, "PS256": .ps256, "EdDSA": .edDsa,
    ]

    private func assertion(_ credentials: Object) -> AssertionRecord? {
        credentials.object("assertion").map {
            AssertionRecord(
                random: bytes(hex: $0.string("random_hex")!), wall: $0.integer("wall"), keyId: $0.string("key_id"),
                certificateThumbprint: $0.string("certificate_thumbprint"),
                algorithm: $0.string("algorithm").map { Self.algorithms[$0]! },
                signature: $0.string("signature_hex").map { bytes(hex: $0) })
        }
    }

    private func written(_ request: CoreRequest) throws -> Object {
        let fields = try request.headers()
        return [
            "method": try request.method(), "url": try request.url(),
            "headers": stride(from: 0, to: fields.count - 1, by: 2).map { [fields[$0], fields[$0 + 1]] },
            "body": String(decoding: try request.body() ?? Data(), as: UTF8.self),
        ]
    }

    private func request(_ step: Object) -> UInt64 {
        guard let name = step.string("request") else { return hand.lastRequest }
        return hand.requests[name] ?? Self.never
    }

    private func answer(_ step: Object, _ at: UInt64) throws -> Object {
        said(try manager.answer(
            now: at, requestId: request(step), status: UInt32(step.integer("status")!),
            headers: step.headers.flatMap { $0 }, body: body(step), wall: wall(at)))
    }

    private func said(_ outcome: OutcomeRecord) -> Object {
        switch outcome {
        case .token(let generation): ["outcome": "token", "generation": generation]
        case .error(let code, _, _): ["outcome": "error", "error_code": code]
        }
    }

    private func body(_ step: Object) -> Data {
        step.string("body_hex").map(bytes(hex:)) ?? Data((step.string("body") ?? "").utf8)
    }

    /// Hands a token over, as that which a supply brought or as one that nobody asked for.
    private func install(_ token: Any, _ at: UInt64, supply: UInt64?) throws -> UInt64 {
        if let members = token as? Object, (members["access_token"] ?? NSNull()) is NSNull {
            let (type, refresh) = (members.string("token_type"), members.string("refresh_token"))
            let life = members.integer("refresh_expires_in")
            guard let supply else {
                return try manager.install(
                    now: at, wall: wall(at), accessToken: "", tokenType: type, expiresIn: nil, refreshToken: refresh,
                    refreshExpiresIn: life)
            }
            return try manager.supplied(
                now: at, wall: wall(at), id: supply, accessToken: "", tokenType: type, expiresIn: nil,
                refreshToken: refresh, refreshExpiresIn: life)
        }
        let json = try JSONSerialization.data(withJSONObject: token, options: .fragmentsAllowed)
        return try supply.map { try manager.suppliedJson(now: at, wall: wall(at), id: $0, token: json) }
            ?? manager.installJson(now: at, wall: wall(at), token: json)
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
        return [
            "header": String(line[line.index(after: space)...]), "generation": UInt64(line[..<space])!,
            "name": try manager.headerName(),
        ]
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
