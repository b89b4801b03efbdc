internal import Foundation
import Testing
@testable import Tokenward

#if canImport(FoundationNetworking)
    internal import FoundationNetworking
#endif

/// One of the five services, over real HTTP on loopback; ends with the value.
final class Demo: Sendable {
    let base: String
    let credentials: Credentials
    let bearer: String
    private let process: Child

    struct Exchange: Decodable {
        let path: String
        let grant_type: String?
        let outcome: String
        let status: Int?
        /// The request as it came, where the service was started with `--raw-log`.
        let raw_base64: String?
    }

    /// - Parameter kind: `flip_utility`, `flip_energy`, `flume`, `opower` or `flute`.
    init(_ kind: String, port: UInt16 = 0, lifetime: Int? = nil) throws {
        let program = try #require(
            ProcessInfo.processInfo.environment["TOKENWARD_DEMO_SERVICE"], "started by bindings/swift/test.sh")
        var arguments = ["--kind", kind, "--port", "\(port)", "--print-json", "--raw-log"]
        if let lifetime { arguments += ["--lifetime", "\(lifetime)"] }
        process = try Child(program, arguments)
        struct Told: Decodable {
            struct Service: Decodable {
                let base_url: String
                let credentials: [String: String]
            }
            let services: [Service]
        }
        let line = Data(try #require(process.line(), "the demo service ended").utf8)
        let service = try JSONDecoder().decode(Told.self, from: line).services[0]
        base = service.base_url
        bearer = service.credentials["bearer"] ?? ""
        credentials = Credentials(
            clientId: service.credentials["client_id"], clientSecret: service.credentials["client_secret"],
            username: service.credentials["username"], password: service.credentials["password"])
    }

    func stop() { process.end() }

    func url(_ path: String) -> URL { URL(string: base + path)! }

    /// The preset, its hosts replaced by this service's.
    func provider(_ preset: TokenPreset, _ change: (inout RefreshPolicy) -> Void = { _ in }) -> TokenProvider {
        var provider = TokenProvider(preset)
        (provider.baseUrl, provider.apiOrigins, provider.loopbackHttp) = (base, nil, true)
        provider.policy = RefreshPolicy {
            $0.jitterPermille = 0
            change(&$0)
        }
        return provider
    }

    func order(_ name: String, _ body: String) async throws {
        var request = URLRequest(url: url("/_demo/\(name)"))
        request.httpMethod = "POST"
        request.httpBody = Data(body.utf8)
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        let (data, response) = try await URLSession.shared.data(for: request)
        try #require((response as? HTTPURLResponse)?.statusCode == 200, "\(String(decoding: data, as: UTF8.self))")
    }

    func log() async throws -> [Exchange] {
        struct Log: Decodable { let exchanges: [Exchange] }
        let (data, _) = try await URLSession.shared.data(from: url("/_demo/log?raw=true"))
        return try JSONDecoder().decode(Log.self, from: data).exchanges
    }

    /// Requests to the token endpoint.
    func tokenRequests() async throws -> [Exchange] { try await log().filter { $0.grant_type != nil } }

    /// How often the refresh token that was presented most often was presented.
    func mostUsesOfARefreshToken() async throws -> Int {
        var uses: [Substring: Int] = [:]
        for exchange in try await log() {
            let raw = String(decoding: Data(base64Encoded: exchange.raw_base64 ?? "") ?? Data(), as: UTF8.self)
            guard let start = raw.range(of: "&refresh_token=") else { continue }
            uses[raw[start.upperBound...].prefix { $0 != "&" }, default: 0] += 1
        }
        return uses.values.max() ?? 0
    }

    /// A site token from the client token, as an app's backend asks for it.
    func siteToken(_ site: String) async throws -> IssuedToken {
        var request = URLRequest(url: url("/v1/auth/site/\(site)"))
        request.httpMethod = "POST"
        request.setValue("Bearer \(bearer)", forHTTPHeaderField: "Authorization")
        return .json(try await URLSession.shared.data(for: request).0)
    }
}

/// Two ports in a row that are nobody else's, so that a service may listen on them, end and come back: connections that
/// came through them stay open.
final class HeldPorts: Sendable {
    let first: UInt16
    private let open: [Int32]

    init() throws {
        for _ in 0..<100 {
            guard let (first, ends) = Self.hold(0) else { continue }
            if first < .max, let (_, more) = Self.hold(first + 1) {
                (self.first, open) = (first, ends + more)
                return
            }
            for end in ends { close(end) }
        }
        throw POSIXError(.EADDRINUSE)
    }

    deinit { for end in open { close(end) } }

    /// A connection through a port, 0 being any: the port and both ends. No child may inherit what listens.
    private static func hold(_ port: UInt16) -> (UInt16, [Int32])? {
        #if canImport(Darwin)
            let type = SOCK_STREAM
        #else
            let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        #endif
        let (listener, out) = (socket(AF_INET, type, 0), socket(AF_INET, type, 0))
        defer { close(listener) }
        _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
        var (yes, size) = (Int32(1), socklen_t(MemoryLayout<sockaddr_in>.size))
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let back = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
                guard bind(listener, address, size) == 0, listen(listener, 1) == 0,
                    getsockname(listener, address, &size) == 0, connect(out, address, size) == 0
                else { return -1 }
                return accept(listener, nil, nil)
            }
        }
        guard back >= 0 else {
            close(out)
            return nil
        }
        return (UInt16(bigEndian: address.sin_port), [out, back])
    }
}

/// A manager of Flute's client, which has refresh tokens that rotate.
func fluteManager(
    _ demo: Demo, storage: any TokenStorage = MemoryTokenStorage(), transport: any TokenTransport = URLSessionTransport(),
    clock: any TokenClock = SystemClock(), timeout: TimeInterval = 10, patience: TimeInterval? = nil,
    change: (inout TokenProvider) -> Void = { _ in }
) throws -> TokenManager {
    var provider = demo.provider(.fluteSandbox)
    provider.policy?.responseTimeoutMs = UInt64(timeout * 1000)
    change(&provider)
    let credentials = demo.credentials
    var options = serverOptions
    options.requestTimeout = patience ?? timeout
    return try TokenManager(
        provider: provider, source: .credentials { credentials }, storage: storage,
        transport: transport, options: options.at(clock))
}

extension TokenManagerOptions {
    func at(_ clock: any TokenClock) -> TokenManagerOptions {
        var options = self
        options.clock = clock
        return options
    }
}

var serverOptions: TokenManagerOptions {
    var options = TokenManagerOptions()
    options.dangerouslyAllowServerOnlyCredentials = true
    return options
}

/// The system's clock, for a device that sleeps when a test says so.
final class SleepyClock: TokenClock {
    private let system = SystemClock()
    private let slept = Locked<UInt64>(0)
    private let naps = Locked<[(milliseconds: UInt64, isTime: @Sendable (UInt64) -> Bool)]>([])

    func sleepsOnce(_ milliseconds: UInt64, when isTime: @escaping @Sendable (UInt64) -> Bool) {
        naps.with { $0.append((milliseconds, isTime)) }
    }

    func now() -> UInt64 {
        let now = system.now() + slept.current
        if let next = naps.current.first, next.isTime(now) {
            naps.with { _ = $0.removeFirst() }
            slept.with { $0 += next.milliseconds }
        }
        return system.now() + slept.current
    }

    func wall() -> UInt64 { system.wall() + slept.current / 1000 }
    func sleep(milliseconds: UInt64) async { await system.sleep(milliseconds: milliseconds) }
}

/// The real transport, which a test can watch and hold.
final class WatchedTransport: TokenTransport {
    private let real = URLSessionTransport()
    private let state = Locked((sent: 0, held: false))

    var sent: Int { state.current.sent }
    var isHeld: Bool {
        get { state.current.held }
        set { state.with { $0.held = newValue } }
    }

    func send(_ request: TransportRequest) async throws -> TransportResponse {
        state.with { $0.sent += 1 }
        let response = try await real.send(request)
        while isHeld { try await Task.sleep(nanoseconds: 1_000_000) }
        return response
    }
}

/// A storage that fails as it is told.
final class FailingStorage: TokenStorage {
    enum Failure: Sendable { case none, locked, full }

    private let memory = MemoryTokenStorage()
    private let state = Locked(Failure.none)
    private let held = Locked(false)
    /// How often somebody has looked whether it is still held.
    let looks = Locked(0)
    let isShared: Bool

    /// A write that takes its time.
    var isHeld: Bool {
        get { held.current }
        set { held.current = newValue }
    }

    init(shared: Bool = false) { isShared = shared }

    var failure: Failure {
        get { state.current }
        set { state.current = newValue }
    }

    func sealKey() async throws -> Data { key }
    var key: Data { memory.sealKey() }

    func locked(_ body: @escaping @Sendable (StorageAccess) -> Void) async throws {
        if failure == .locked { throw TokenwardError.storage(code: "storage_locked", underlying: nil) }
        while isHeld {
            looks.with { $0 += 1 }
            try await Task.sleep(nanoseconds: 1_000_000)
        }
        memory.locked { [self] access in
            body(
                StorageAccess(
                    read: access.read,
                    write: { bytes in
                        if self.failure == .full { throw POSIXError(.ENOSPC) }
                        try access.write(bytes)
                    }))
        }
    }

    var bytes: Data? {
        let found = Locked<Data?>(nil)
        memory.locked { access in found.current = try? access.read() }
        return found.current
    }
}

/// Whether these bytes say that somebody has signed out: they hold no token.
func isTombstone(_ bytes: Data?, key: Data, _ provider: TokenProvider, _ identity: TokenIdentity = .init()) throws -> Bool {
    let core = try CoreManager(
        now: 0, provider: provider, identity: identity, accessCapacity: 4096, refreshCapacity: 4096, seed: 1,
        allowServerOnly: true,
        options: OptionsRecord(
            storage: StorageRecord(shared: false, all: true, slots: 1, floor: 0, proveRoom: false), source: .none))
    guard case .load(let id) = try core.poll(now: 0).next else { return false }
    return try core.loaded(now: 0, wall: nil, id: id, key: key, slots: [bytes]) == .signedOut
}

/// A storage as another process has it: nothing shows that a manager of this one keeps it too.
struct Elsewhere: TokenStorage {
    private let storage: any TokenStorage

    init(_ storage: any TokenStorage) { self.storage = storage }

    var isShared: Bool { storage.isShared }
    func sealKey() async throws -> Data { try await storage.sealKey() }
    func locked(_ body: @escaping @Sendable (StorageAccess) -> Void) async throws { try await storage.locked(body) }
}

/// A folder that goes with the value.
final class Folder: Sendable {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("tokenward-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: url) }

    func file(_ name: String) -> URL { url.appendingPathComponent(name) }
}

let testKey = Data(repeating: 7, count: 32)

/// Waits for what comes soon.
func eventually(_ seconds: Double = 60, _ condition: () async throws -> Bool) async throws {
    let deadline = Date().addingTimeInterval(seconds)
    while try await !condition() {
        try #require(Date() < deadline, "did not come")
        try await Task.sleep(nanoseconds: 5_000_000)
    }
}

/// What came in place of a token while the caller waited: what lies under `temporarily_unavailable`.
func cause(_ body: () async throws -> some Any) async -> String? {
    do {
        _ = try await body()
    } catch TokenwardError.temporarilyUnavailable(_, let answer, let underlying) {
        return (underlying as? TokenwardError)?.code ?? underlying.map { "\(type(of: $0))" } ?? answer?.error
            ?? answer.map { "\($0.status)" }
    } catch {
        Issue.record(error)
    }
    return nil
}

/// The code of the error that `body` throws.
func code(_ body: () async throws -> some Any) async -> String? {
    do {
        _ = try await body()
        return nil
    } catch let error as TokenwardError {
        return error.code
    } catch {
        return "\(error)"
    }
}
