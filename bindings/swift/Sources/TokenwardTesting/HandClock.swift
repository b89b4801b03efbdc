internal import Foundation
public import Tokenward

/// A clock that is set by hand: for a real manager in a test, as its `options.clock`. Who waits on it takes a real millisecond.
public final class HandClock: TokenClock, @unchecked Sendable {
    private let system = SystemClock()
    private let lock = NSLock()
    private var skipped: UInt64 = 0

    public init() {}

    /// Time passes.
    public func advance(seconds: UInt64) { lock.withLock { skipped += seconds * 1000 } }

    public func now() -> UInt64 { system.now() + lock.withLock { skipped } }
    public func wall() -> UInt64 { system.wall() + lock.withLock { skipped } / 1000 }
    public func sleep(milliseconds: UInt64) async { await system.sleep(milliseconds: min(milliseconds, 1)) }
}
