internal import Foundation
import Testing
@testable import Tokenward

/// The scripts of `core/conformance/executors`, whose README says what their members mean.
@Suite struct Executors {
    @Test(arguments: try Script.all()) func do_what_poll_says(_ script: Script) async throws {
        let stage = try Stage(script)
        for (number, step) in script.steps.enumerated() {
            do {
                try await stage.step(step)
            } catch {
                Issue.record("step \(number + 1), \(step): \(error)")
                break
            }
        }
        await stage.end()
    }
}

struct Script: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let service: String
    let storage: String
    let patience: TimeInterval
    let steps: [Json]

    static func all() throws -> [Script] {
        let folder = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../../core/conformance/executors")
        let files = try FileManager.default.contentsOfDirectory(
            at: folder.standardizedFileURL, includingPropertiesForKeys: nil)
        return try files.filter { $0.pathExtension == "json" }.compactMap(Script.init)
    }

    private init?(_ file: URL) throws {
        testDescription = file.deletingPathExtension().lastPathComponent
        var members = try Members(JSONDecoder().decode(Json.self, from: Data(contentsOf: file)))
        _ = try members.text("rule")
        service = try members.text("service") ?? ""
        storage = try members.text("storage") ?? ""
        patience = TimeInterval(try members.number("patience_ms") ?? 5000) / 1000
        steps = try members.take("steps", \.list) ?? []
        let drivers = try members.take("runs_on", \.list) ?? []
        try members.end()
        guard drivers.contains(.text("swift")) else { return nil }
    }
}

/// One manager, and what is around it.
private final class Stage {
    private let script: Script
    private let provider: TokenProvider
    private let service: ScriptedService
    private let disk = ScriptedDisk()
    private var process: ScriptedProcess
    private var manager: TokenManager?
    private var callers: [String: [Caller]] = [:]
    private var leaving: Outcome?
    private let lent = Locked<[String: Tokenward.Authorization]>([:])
    private let events = Locked<[String]>([])
    /// What who watches the manager sees; `nil`: nobody does.
    private var state: Locked<String>?

    /// How a call ended; `nil`: it has not.
    private typealias Outcome = Locked<String?>

    private struct Caller {
        let outcome: Outcome
        let task: Task<Void, Never>
    }

    init(_ script: Script) throws {
        self.script = script
        provider = TokenProvider(name: "scripted", baseUrl: "https://service.example", tokenPath: "/token") {
            let grants: [String: TokenGrant] = [
                "client": .clientCredentials, "both": .clientCredentials, "password": .password,
            ]
            $0.primaryGrant = grants[script.service]
            $0.refreshGrant = ["both", "refresh", "password"].contains(script.service)
            $0.authentication = .post
            $0.policy = RefreshPolicy {
                ($0.jitterPermille, $0.marginMs, $0.minIntervalMs) = (0, 0, 0)
                ($0.firstBackoffMs, $0.maxBackoffMs, $0.responseTimeoutMs) = (100, 400, 2000)
            }
        }
        service = try ScriptedService()
        process = ScriptedProcess(disk, service, shared: false)
        try start()
    }

    private func made(account: String? = nil) throws -> TokenManager {
        let source: TokenSource
        switch script.service {
        case "client", "both", "refresh":
            source = .credentials { [service] in
                try await service.person()
                return Credentials(clientId: "id", clientSecret: "secret")
            }
        case "password":
            source = .credentials { [service] in
                try await service.person()
                return Credentials(clientId: "id", clientSecret: "secret", username: "user", password: "word")
            }
        case "fixed": source = .fixed { IssuedToken(accessToken: "key") }
        case "backend": source = .backend { [service] in try await service.supply() }
        default: throw Differs("an unknown service")
        }
        guard ["shared", "own", "none"].contains(script.storage) else { throw Differs("an unknown storage") }
        var options = TokenManagerOptions()
        options.requestTimeout = script.patience
        options.dangerouslyAllowServerOnlyCredentials = true
        return try TokenManager(
            provider: provider, identity: TokenIdentity(account: account), source: source,
            storage: script.storage == "none" ? MemoryTokenStorage() : process, transport: process, options: options)
    }

    private func start(account: String? = nil) throws {
        process = ScriptedProcess(disk, service, shared: script.storage == "shared")
        let manager = try made(account: account)
        self.manager = manager
        state = nil
        Task { [events, process, stream = manager.events] in
            for await event in stream where process.isAlive { events.with { $0.append(text(of: event)) } }
        }
    }

    private func watched() throws -> Locked<String> {
        let state = Locked("")
        Task { [states = try listen().states] in for await next in states { state.current = text(of: next) } }
        return state
    }

    private func listen() throws -> TokenManager {
        guard let manager else { throw Differs("there is no manager") }
        return manager
    }

    func end() async {
        disk.content.with { $0.state = .works }
        service.state.with { $0.isOver = true }
        for caller in callers.values.joined() { caller.task.cancel() }
        process.kill()
    }

    // MARK: - Steps

    func step(_ json: Json) async throws {
        var step = try Members(json)
        let within = TimeInterval(try step.number("within_ms") ?? 10_000) / 1000
        if let answers = try step.take("answers", \.list) {
            let answers = try answers.map(ScriptedService.Answer.init)
            service.state.with { $0.answers += answers }
        } else if let answer = try step.take("otherwise", { $0 }) {
            let answer = try ScriptedService.Answer(answer)
            service.state.with { $0.otherwise = answer }
        } else if let supplies = try step.take("supply", \.list) {
            let supplies = try supplies.map(ScriptedService.Supply.init)
            service.state.with { $0.supplies += supplies }
        } else if let name = try step.text("credentials") {
            service.state.with { $0.person = name }
        } else if let name = try step.text("release") {
            service.state.with { _ = $0.released.insert(name) }
        } else if let name = try step.text("ask") {
            let (count, status) = (try step.number("callers"), try step.number("after"))
            let manager = try listen()
            // Callers of one name are told apart: each reports what it got itself.
            callers[name] = (0..<(count ?? 1)).map { ask(manager, "\(name) \($0)", status.map(Int.init)) }
        } else if let name = try step.text("got") {
            let (token, error, reason) = (try step.text("token"), try step.text("error"), try step.text("reason"))
            let wanted = [token.map { "token \($0)" } ?? error ?? "", reason].compactMap { $0 }.joined(separator: " ")
            for caller in callers[name] ?? [] { try same(await ended(caller.outcome, within), wanted) }
        } else if let name = try step.text("waits") {
            try await pause(300)
            for caller in callers[name] ?? [] { try same(caller.outcome.current ?? "waits", "waits") }
        } else if let name = try step.text("cancel") {
            for caller in callers[name] ?? [] { caller.task.cancel() }
        } else if let requests = try step.take("requests", \.texts) {
            try await settled(within) { [service] in service.state.current.requests.count >= requests.count }
            let found = service.state.with { state in
                defer { state.requests = [] }
                return state.requests
            }
            try same(found, requests)
        } else if try step.flag("forget_requests") == true {
            service.state.with { $0.requests = [] }
        } else if let count = try step.number("supplies") {
            try await settled(within) { [service] in service.state.current.asked >= count }
            try same(service.state.current.asked, count)
        } else if let wanted = try step.take("events", \.texts) {
            try await settled(within) { [events] in events.current.count >= wanted.count }
            let found = events.with { events in
                defer { events = [] }
                return events
            }
            try same(found, wanted)
        } else if let wanted = try step.text("state") {
            let state = try self.state ?? watched()
            self.state = state
            let end = Date().addingTimeInterval(within)
            while state.current != wanted && Date() < end { try await pause(5) }
            try same(state.current, wanted)
        } else if let milliseconds = try step.number("sleep_ms") {
            try await pause(milliseconds)
        } else {
            try await act(&step, within)
        }
        try step.end()
    }

    /// What changes the manager, its process and its storage.
    private func act(_ step: inout Members, _ within: TimeInterval) async throws {
        if let token = try step.take("install", { $0 }) {
            let (manager, token) = (try listen(), try issued(token))
            let outcome = outcome { try await manager.install(token) }
            if try step.flag("pending") != true { try same(await ended(outcome, within), "ok") }
        } else if let wanted = try step.text("sign_out") {
            let manager = try listen()
            let outcome = outcome { try await manager.signOut() }
            leaving = outcome
            if wanted != "pending" { try same(await ended(outcome, within), wanted) }
        } else if let wanted = try step.text("sign_out_ends"), let leaving {
            try same(await ended(leaving, within), wanted)
        } else if try step.flag("reload") == true {
            try await listen().reload()
        } else if try step.flag("renew") == true {
            try await listen().renew()
        } else if try step.flag("retry") == true {
            try await listen().retry()
        } else if try step.flag("restart") == true {
            try await stop(within)
            try start()
        } else if try step.flag("stop") == true {
            try await stop(within)
        } else if try step.flag("start") == true {
            try start(account: try step.text("account"))
        } else if try step.flag("kill") == true {
            for caller in callers.values.joined() { caller.task.cancel() }
            process.kill()
            try start()
        } else if let state = try step.text("storage") {
            guard let state = ScriptedDisk.State(rawValue: state) else { throw Differs("an unknown state of storage") }
            disk.content.with { $0.state = state }
        } else if let kind = try step.text("damage") {
            try disk.damage(kind)
        } else if let act = try step.take("other", { $0 }) {
            try await ScriptedOther(provider, ScriptedProcess(disk, service, shared: true)).act(act)
        } else if let code = try step.text("second") {
            let second = try made()
            try same(await ended(outcome { _ = try await second.status() }, within), code)
        } else if var status = try step.take("status", { try? Members($0) }) {
            let (manager, usable) = (try listen(), try status.flag("usable"))
            try status.end()
            let found = Locked<Bool?>(nil)
            try same(await ended(outcome { found.current = try await manager.status().isUsable }, within), "ok")
            try same(found.current, usable)
        }
    }

    private func ask(_ manager: TokenManager, _ name: String, _ status: Int?) -> Caller {
        let (outcome, lent) = (Outcome(nil), lent)
        let authorize = { @Sendable in
            let lending = try await manager.authorize(method: "GET", url: URL(string: "https://service.example/api")!)
            lent.with { $0[name] = lending }
            return lending
        }
        let task = Task {
            do {
                if let status {
                    var lending = lent.current[name]
                    if lending == nil { lending = try await authorize() }
                    let decision = try await manager.rejected(
                        generation: lending?.generation ?? 0, status: status, challenge: nil)
                    if case .surface(let reason, _) = decision {
                        outcome.current = "surface \(reason.code)"
                        return
                    }
                }
                outcome.current = "token \(try await authorize().header.dropFirst("Bearer ".count))"
            } catch {
                outcome.current = text(of: error)
            }
        }
        return Caller(outcome: outcome, task: task)
    }

    private func outcome(_ call: @escaping @Sendable () async throws -> Void) -> Outcome {
        let outcome = Outcome(nil)
        Task {
            do {
                try await call()
                outcome.current = "ok"
            } catch {
                outcome.current = text(of: error)
            }
        }
        return outcome
    }

    private func stop(_ within: TimeInterval) async throws {
        weak var gone = manager
        manager = nil
        let end = Date().addingTimeInterval(within)
        while gone != nil {
            guard Date() < end else { throw Differs("the manager does not end") }
            try await pause(5)
        }
        process.kill()
    }

    private func issued(_ json: Json) throws -> IssuedToken {
        var token = try Members(json)
        let issued = IssuedToken(
            accessToken: try token.text("token") ?? "", expiresIn: try token.number("expires_in"),
            refreshToken: try token.text("refresh_token"))
        try token.end()
        return issued
    }
}

// MARK: - What came of it

private func same<T: Equatable>(_ found: T, _ wanted: T) throws {
    guard found == wanted else { throw Differs("\(found) instead of \(wanted)") }
}

private func pause(_ milliseconds: UInt64) async throws {
    try await Task.sleep(nanoseconds: milliseconds * 1_000_000)
}

private func ended(_ outcome: Locked<String?>, _ within: TimeInterval) async throws -> String {
    let end = Date().addingTimeInterval(within)
    while Date() < end {
        if let outcome = outcome.current { return outcome }
        try await pause(5)
    }
    return "waits"
}

/// Waits for what is expected, and a while longer for more.
private func settled(_ within: TimeInterval, _ condition: () -> Bool) async throws {
    let end = Date().addingTimeInterval(within)
    while Date() < end && !condition() { try await pause(5) }
    try await pause(300)
}

private func text(of error: any Error) -> String {
    switch error {
    case TokenwardError.signInRequired(let reason, _): "sign_in_required \(reason)"
    case let error as TokenwardError: error.code
    default: "\(error)"
    }
}

private func text(of state: TokenState) -> String {
    func usable(_ isUsable: Bool) -> String { isUsable ? "usable" : "unusable" }
    return switch state {
    case .noToken: "no_token"
    case .signedIn: "signed_in"
    case .refreshing(let isUsable): "refreshing \(usable(isUsable))"
    case .needsSignIn(let reason, let isUsable, _): "needs_sign_in \(reason.code) \(usable(isUsable))"
    case .signedOut: "signed_out"
    }
}

private func text(of event: TokenEvent) -> String {
    switch event {
    case .refreshed: "refreshed"
    case .refreshFailed(let code, _, _): "refresh_failed \(code)"
    case .needsSignIn(let reason, _): "needs_sign_in \(reason.code)"
    case .rejected(let reason): "rejected \(reason.code)"
    case .storageFailed(let code): "storage_failed \(code)"
    case .revocationFailed(let code, _): "revocation_failed \(code)"
    case .signedOut: "signed_out"
    }
}
