public import Foundation

/// Where a manager's sealed state outlives the process. One storage serves one manager: two live ones in one process would
/// undo each other's changes, so the second one fails with `storage_in_use` if the storage is an object, a file or an item
/// of the Keychain.
///
/// The bytes contain the tokens: sealed against change, not encrypted. Keep them where nobody else can read them.
public protocol TokenStorage: Sendable {
    /// Whether another process uses the same bytes: an app and its extension, two daemons. Then no refresh token
    /// is presented twice: a refresh is announced in storage before it is sent.
    var isShared: Bool { get }

    /// The 32 bytes under which the state is sealed: random, the same for as long as the state is kept.
    func sealKey() async throws -> Data

    /// Calls `body` once, which reads and writes as it likes. No other thread and no other process does meanwhile.
    ///
    /// - Throws: If `body` was not called: ``TokenwardError/storage(code:underlying:)``, with `storage_locked` if
    ///   trying again later helps.
    func locked(_ body: @escaping @Sendable (StorageAccess) -> Void) async throws
}

/// The bytes in a storage, while nobody else reads or writes them.
public struct StorageAccess {
    /// What is stored; `nil` if there is nothing. If it cannot be read, throw instead.
    public let read: () throws -> Data?
    /// Stores all of the bytes, or none of them; once this returns they survive a power cut.
    public let write: (Data) throws -> Void

    public init(read: @escaping () throws -> Data?, write: @escaping (Data) throws -> Void) {
        self.read = read
        self.write = write
    }
}

/// Keeps the state for the life of the process.
public final class MemoryTokenStorage: TokenStorage {
    private let lock = NSLock()
    private let state = Locked<Data?>(nil)
    private let key = randomKey()

    public init() {}

    public var isShared: Bool { false }

    public func sealKey() -> Data { key }

    public func locked(_ body: @escaping @Sendable (StorageAccess) -> Void) {
        lock.withLock { body(StorageAccess(read: { self.state.current }, write: { self.state.current = $0 })) }
    }
}

extension MemoryTokenStorage: CustomReflectable {
    public var customMirror: Mirror { Mirror(self, showing: [:]) }
}

/// A storage that may have several objects in one process.
protocol PlacedStorage {
    /// The same for all that keep the same bytes.
    var place: String { get }
}

/// The right of one manager to its storage, from its first use for as long as it lives.
final class StorageClaim: Sendable {
    private static let places = Locked<Set<String>>([])
    /// `nil`: the storage is a value, and who else keeps its bytes is not to be seen.
    private let place: String?
    private let isOurs = Locked(false)

    init(_ storage: any TokenStorage) {
        place =
            if let storage = storage as? any PlacedStorage {
                storage.place
            } else if type(of: storage) is AnyObject.Type {
                "\(ObjectIdentifier(storage as AnyObject))"
            } else {
                nil
            }
    }

    /// Whether it is ours, now or in a moment: an actor that was let go of lives until the thread of its last call has
    /// something else to do.
    func isTaken() async -> Bool {
        guard let place else { return true }
        for _ in 0..<50 {
            let isOurs = isOurs.with { isOurs in
                if !isOurs { isOurs = Self.places.with { $0.insert(place).inserted } }
                return isOurs
            }
            if isOurs { return true }
            try? await Task.sleep(nanoseconds: 5_000_000)
        }
        return false
    }

    deinit {
        if let place, isOurs.current { Self.places.with { _ = $0.remove(place) } }
    }
}

/// 32 bytes of the system's random generator.
func randomKey() -> Data { randomBytes(32) }

/// Bytes of the system's random generator.
func randomBytes(_ count: Int) -> Data {
    var generator = SystemRandomNumberGenerator()
    return Data((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
}
