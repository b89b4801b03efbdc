public import Foundation

/// Keeps the state in a file that only its owner reads (0600).
///
/// A change is written to a new file beside it, flushed, and renamed over it; a lock file beside it (`flock`) keeps
/// other processes out meanwhile. Both names are `path` with an ending: leave them alone. Links are not followed.
/// Before each refresh a write proves that there is room for its answer: a full disk spends no refresh token.
public final class FileTokenStorage: TokenStorage, PlacedStorage {
    public let isShared: Bool
    let place: String
    private let path: String
    private let key: Data
    private let queue = DispatchQueue(label: "tokenward.file-storage")

    /// - Parameters:
    ///   - path: The file, in a folder that exists.
    ///   - sealKey: 32 random bytes, kept apart from the file.
    ///   - shared: Another process uses the same file.
    /// - Throws: ``TokenwardError/configuration(code:fact:answer:)``, `invalid_argument` with the fact `seal_key`: it has not
    ///   32 bytes, or they are all zero.
    ///   ``TokenwardError/storage(code:underlying:)``, `storage_failed`: there is no such folder.
    public init(path: URL, sealKey: Data, shared: Bool = false) throws(TokenwardError) {
        guard sealKey.count == 32, sealKey.contains(where: { $0 != 0 }) else {
            throw .configuration(code: "invalid_argument", fact: "seal_key")
        }
        guard let folder = realpath(folder(of: path.path), nil) else { throw failure() }
        defer { free(folder) }
        place = String(cString: folder) + "/" + path.lastPathComponent
        self.path = path.path
        key = sealKey
        isShared = shared
    }

    public func sealKey() -> Data { key }

    public func locked(_ body: @escaping @Sendable (StorageAccess) -> Void) async throws {
        // Locks and flushes block: not on a thread of Swift's own pool.
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            queue.async { [path] in
                done.resume(
                    with: Result {
                        try FileLock.hold(path + ".lock") {
                            body(
                                StorageAccess(
                                    read: { try Tokenward.read(path) }, write: { try replace(path, with: $0) }))
                        }
                    })
            }
        }
    }
}

extension FileTokenStorage: CustomReflectable {
    public var customMirror: Mirror { Mirror(self, showing: ["path": path, "isShared": isShared]) }
}

/// An exclusive lock over threads and processes. It ends with the process.
enum FileLock {
    /// A transaction takes milliseconds: whoever holds the lock for so long has been stopped.
    private static let patience: TimeInterval = 5

    static func hold<T>(_ path: String, _ body: () throws -> T) throws -> T {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw failure() }
        // Closing gives the lock back. The file stays: a new one would be another lock.
        defer { close(file) }
        let deadline = ProcessInfo.processInfo.systemUptime + patience
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw failure() }
            guard ProcessInfo.processInfo.systemUptime < deadline else {
                throw TokenwardError.storage(code: "storage_locked", underlying: nil)
            }
            usleep(2000)
        }
        return try body()
    }
}

private func failure() -> TokenwardError {
    let code = POSIXErrorCode(rawValue: errno) ?? .EIO
    return .storage(code: "storage_failed", underlying: POSIXError(code))
}

private func read(_ path: String) throws -> Data? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    if file < 0 && errno == ENOENT { return nil }
    guard file >= 0 else { throw failure() }
    defer { close(file) }
    var bytes = Data()
    var buffer = [UInt8](repeating: 0, count: 16 * 1024)
    while true {
        let count = read(file, &buffer, buffer.count)
        guard count >= 0 else { throw failure() }
        if count == 0 { return bytes }
        bytes.append(contentsOf: buffer[..<count])
    }
}

private func replace(_ path: String, with bytes: Data) throws {
    let (new, file) = try fresh(path)
    do {
        defer { close(file) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            guard count > 0 else { throw failure() }
            rest = rest.dropFirst(count)
        }
        guard flush(file), rename(new, path) == 0 else { throw failure() }
    } catch {
        // Half a token is of no use, and on a full disk in the way.
        unlink(new)
        throw error
    }
    try flushFolder(of: path)
}

/// A file beside `path` that this call has made: never one that lies there, nor what a link there points to.
private func fresh(_ path: String) throws -> (name: String, file: Int32) {
    let usual = path + ".new"
    // A process that was killed left it. What cannot be removed is somebody else's, and left alone.
    unlink(usual)
    for name in [usual, usual + "-" + UUID().uuidString] {
        let file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if file >= 0 { return (name, file) }
    }
    throw failure()
}

private func flushFolder(of path: String) throws {
    let folder = open(folder(of: path), O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { throw failure() }
    defer { close(folder) }
    guard flush(folder) else { throw failure() }
}

private func folder(of path: String) -> String { URL(fileURLWithPath: path).deletingLastPathComponent().path }

private func flush(_ file: Int32) -> Bool {
    #if canImport(Darwin)
        // `fsync` leaves it in the drive's cache there; not every volume knows more.
        if fcntl(file, F_FULLFSYNC) == 0 { return true }
    #endif
    return fsync(file) == 0
}
