/// Why a file is no scenario.
struct Fault: Error {
    let text: String

    init(_ text: String) { self.text = text }
}

// Members as scenarios spell them: `null` counts as absent, integers beyond 2⁵³ stand as strings.
extension Object {
    func text(_ name: Text) throws(Fault) -> Text? {
        switch self[name] {
        case nil, .null: return nil
        case .string(let text): return text
        default: throw Fault("`\(name.string)` is no string")
        }
    }

    func string(_ name: Text) throws(Fault) -> String? { try text(name)?.string }

    func required(_ name: Text) throws(Fault) -> String {
        guard let value = try string(name) else { throw Fault("`\(name.string)` is missing") }
        return value
    }

    func integer(_ name: Text) throws(Fault) -> UInt64? {
        switch self[name] {
        case nil, .null: return nil
        case let value?: return try value.integer(name)
        }
    }

    func requiredInteger(_ name: Text) throws(Fault) -> UInt64 {
        guard let value = try integer(name) else { throw Fault("`\(name.string)` is missing") }
        return value
    }

    func list(_ name: Text) throws(Fault) -> [JSON] {
        switch self[name] {
        case nil: return []
        case .array(let values): return values
        default: throw Fault("`\(name.string)` is no list")
        }
    }

    func strings(_ name: Text) throws(Fault) -> [String] {
        var strings: [String] = []
        for value in try list(name) { strings.append(try value.string(name)) }
        return strings
    }

    /// The header fields: pairs of name and value.
    func pairs() throws(Fault) -> [(name: Text, value: String)] {
        var pairs: [(Text, String)] = []
        for value in try list("headers") {
            guard case .array(let pair) = value, pair.count == 2, case .string(let name) = pair[0],
                case .string(let value) = pair[1]
            else { throw Fault("a header field is a pair") }
            pairs.append((name, value.string))
        }
        return pairs
    }

    /// One of `words`; `nil` where the member is absent.
    func word(_ name: Text, of words: String...) throws(Fault) -> String? {
        guard let word = try string(name) else { return nil }
        guard words.contains(word) else { throw Fault("no \(name.string) \"\(word)\"") }
        return word
    }
}

extension JSON {
    var object: Object? { if case .object(let object) = self { object } else { nil } }

    func string(_ name: Text) throws(Fault) -> String {
        guard case .string(let text) = self else { throw Fault("`\(name.string)` is no string") }
        return text.string
    }

    func integer(_ name: Text) throws(Fault) -> UInt64 {
        switch self {
        case .unsigned(let value): return value
        case .string(let digits):
            // A `+` is what Rust's own parser takes, too; `-0` is not.
            if digits.bytes.first != UInt8(ascii: "-"), let value = UInt64(digits.string) { return value }
        default: break
        }
        throw Fault("`\(name.string)` is no whole number")
    }
}
