internal import Foundation

/// A JSON object. The scenario was checked by whoever sent it (docs/SCENARIOS.md): what cannot be read ends the driver.
typealias Object = [String: Any]

// Members as scenarios spell them: `null` counts as absent, integers beyond 2⁵³ stand as strings.
extension Object {
    func has(_ name: String) -> Bool { self[name].map { !($0 is NSNull) } ?? false }

    func object(_ name: String) -> Object? { self[name] as? Object }

    func string(_ name: String) -> String? { has(name) ? (self[name] as! String) : nil }

    func strings(_ name: String) -> [String] { self[name] as? [String] ?? [] }

    func integer(_ name: String) -> UInt64? {
        guard has(name) else { return nil }
        return (self[name] as? String).map { UInt64($0)! } ?? (self[name] as! NSNumber).uint64Value
    }

    func isTrue(_ name: String) -> Bool { self[name] as? Bool == true }

    /// The header fields: pairs of name and value.
    var headers: [[String]] { pairs("headers") }

    /// Names and values.
    func pairs(_ name: String) -> [[String]] { self[name] as? [[String]] ?? [] }
}
