internal import Foundation

/// A value behind a lock. (`Mutex` needs iOS 18.)
final class Locked<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) {
        self.value = value
    }

    func with<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        try lock.withLock { try body(&value) }
    }

    var current: Value {
        get { with { $0 } }
        set { with { $0 = newValue } }
    }
}
