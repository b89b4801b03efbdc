internal import Foundation

/// The two clocks that tokens live by, and the wait between two looks at them. Tests set one by hand: `HandClock` of the
/// product `TokenwardTesting`.
public protocol TokenClock: Sendable {
    /// Milliseconds of a clock that never steps back and counts while the device sleeps.
    func now() -> UInt64
    /// Unix seconds: for what outlives the process.
    func wall() -> UInt64
    func sleep(milliseconds: UInt64) async
}

extension TokenClock {
    /// Ends early with its task.
    func sleep(until instant: UInt64) async {
        while !Task.isCancelled, case let now = now(), now < instant { await sleep(milliseconds: instant - now) }
    }
}

package struct SystemClock: TokenClock {
    package init() {}

    package func now() -> UInt64 {
        #if canImport(Darwin)
            // `ContinuousClock` needs iOS 16.
            return clock_gettime_nsec_np(CLOCK_MONOTONIC_RAW) / 1_000_000
        #else
            var time = timespec()
            clock_gettime(CLOCK_BOOTTIME, &time)
            return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
        #endif
    }

    package func wall() -> UInt64 { UInt64(max(0, Date().timeIntervalSince1970)) }

    package func sleep(milliseconds: UInt64) async {
        try? await Task.sleep(nanoseconds: min(milliseconds, 3_600_000) * 1_000_000)
    }
}
