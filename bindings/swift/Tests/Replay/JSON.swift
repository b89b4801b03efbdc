/// A JSON value as scenarios need it: whole numbers up to 2⁶⁴ exact, text compared byte by byte (Swift's own `==`
/// takes "é" and "e\u{301}" for the same), the last of two members of one name.
enum JSON: Equatable {
    case null
    case bool(Bool)
    case unsigned(UInt64)
    case negative(Int64)
    case float(Double, text: [UInt8])
    case string(Text)
    case array([JSON])
    case object(Object)

    static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.unsigned(let a), .unsigned(let b)): a == b
        case (.negative(let a), .negative(let b)): a == b
        case (.float(let a, _), .float(let b, _)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)): a == b
        default: false
        }
    }
}

/// Text by its bytes.
struct Text: Equatable, Hashable, ExpressibleByStringLiteral {
    var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }
    init(_ string: String) { bytes = Array(string.utf8) }
    init(stringLiteral literal: StaticString) {
        bytes = Array(UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    var string: String { String(decoding: bytes, as: UTF8.self) }
    var lowercased: Text { Text(bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }) }
}

/// Members in the order of their first appearance; equal in any order.
struct Object: Equatable {
    private(set) var members: [(name: Text, value: JSON)] = []
    private var places: [Text: Int] = [:]

    subscript(name: Text) -> JSON? {
        get { places[name].map { members[$0].value } }
        set {
            guard let value = newValue else { return }
            if let place = places[name] {
                members[place].value = value
            } else {
                places[name] = members.count
                members.append((name, value))
            }
        }
    }

    static func == (left: Object, right: Object) -> Bool {
        left.members.count == right.members.count && left.members.allSatisfy { right[$0.name] == $0.value }
    }
}

// MARK: - Writing

extension JSON {
    /// Without white space.
    var text: [UInt8] {
        var out: [UInt8] = []
        write(to: &out)
        return out
    }

    private func write(to out: inout [UInt8]) {
        switch self {
        case .null: out += "null".utf8
        case .bool(let value): out += (value ? "true" : "false").utf8
        case .unsigned(let value): out += "\(value)".utf8
        case .negative(let value): out += "\(value)".utf8
        case .float(_, let text): out += text
        case .string(let text): JSON.write(text, to: &out)
        case .array(let values):
            out.append(UInt8(ascii: "["))
            for (place, value) in values.enumerated() {
                if place > 0 { out.append(UInt8(ascii: ",")) }
                value.write(to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let object):
            out.append(UInt8(ascii: "{"))
            for (place, member) in object.members.enumerated() {
                if place > 0 { out.append(UInt8(ascii: ",")) }
                JSON.write(member.name, to: &out)
                out.append(UInt8(ascii: ":"))
                member.value.write(to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ text: Text, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in text.bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
            case 0..<0x20: out += "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}

// MARK: - Reading

extension JSON {
    /// A whole document (RFC 8259) of valid UTF-8, read as strictly as the driver in Rust does.
    init(parsing bytes: [UInt8]) throws(Fault) {
        var reader = JSONReader(rest: bytes[...])
        self = try reader.value(depth: 0)
        reader.space()
        guard reader.rest.isEmpty else { throw reader.fault("something follows the value") }
    }
}

private struct JSONReader {
    var rest: ArraySlice<UInt8>

    /// Containers that may be open at once.
    private static let maximumDepth = 127

    func fault(_ what: String) -> Fault { Fault("at byte \(rest.startIndex): \(what)") }

    mutating func space() {
        rest = rest.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
    }

    private mutating func take(_ byte: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: byte) else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func word(_ word: String) -> Bool {
        guard rest.starts(with: word.utf8) else { return false }
        rest = rest.dropFirst(word.utf8.count)
        return true
    }

    mutating func value(depth: Int) throws(Fault) -> JSON {
        space()
        switch rest.first {
        case UInt8(ascii: "{"): return try object(depth: depth + 1)
        case UInt8(ascii: "["): return try array(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try string())
        default:
            if word("null") { return .null }
            if word("true") { return .bool(true) }
            if word("false") { return .bool(false) }
            return try number()
        }
    }

    private mutating func object(depth: Int) throws(Fault) -> JSON {
        guard depth <= Self.maximumDepth else { throw fault("nested too deep") }
        rest.removeFirst()
        var object = Object()
        space()
        if take("}") { return .object(object) }
        repeat {
            space()
            guard rest.first == UInt8(ascii: "\"") else { throw fault("a name is missing") }
            let name = try string()
            space()
            guard take(":") else { throw fault("`:` is missing") }
            object[name] = try value(depth: depth)
            space()
        } while take(",")
        guard take("}") else { throw fault("`}` is missing") }
        return .object(object)
    }

    private mutating func array(depth: Int) throws(Fault) -> JSON {
        guard depth <= Self.maximumDepth else { throw fault("nested too deep") }
        rest.removeFirst()
        var values: [JSON] = []
        space()
        if take("]") { return .array(values) }
        repeat {
            values.append(try value(depth: depth))
            space()
        } while take(",")
        guard take("]") else { throw fault("`]` is missing") }
        return .array(values)
    }

    private mutating func number() throws(Fault) -> JSON {
        let start = rest
        let isNegative = take("-")
        let whole = digits()
        guard whole.count == 1 || (!whole.isEmpty && whole.first != UInt8(ascii: "0")) else {
            throw fault("no value")
        }
        var isWhole = true
        if take(".") {
            isWhole = false
            guard !digits().isEmpty else { throw fault("a digit is missing") }
        }
        if take("e") || take("E") {
            isWhole = false
            if !take("+") { _ = take("-") }
            guard !digits().isEmpty else { throw fault("a digit is missing") }
        }
        let text = start[..<rest.startIndex]
        let spelled = String(decoding: text, as: UTF8.self)
        if isWhole {
            if !isNegative, let value = UInt64(spelled) { return .unsigned(value) }
            if isNegative, let value = Int64(spelled), value != 0 { return .negative(value) }
        }
        guard let value = Double(spelled), value.isFinite else { throw fault("a number out of range") }
        return .float(value, text: Array(text))
    }

    private mutating func digits() -> ArraySlice<UInt8> {
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        rest = rest.dropFirst(digits.count)
        return digits
    }

    private mutating func string() throws(Fault) -> Text {
        rest.removeFirst()
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                return Text(bytes)
            case UInt8(ascii: "\\"): try escape(into: &bytes)
            case 0..<0x20: throw fault("a raw control character")
            default: bytes.append(byte)
            }
        }
        throw fault("a string does not end")
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(Fault) {
        switch rest.popFirst() {
        case UInt8(ascii: "\""): bytes.append(UInt8(ascii: "\""))
        case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
        case UInt8(ascii: "/"): bytes.append(UInt8(ascii: "/"))
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hex()
            if (0xD800..<0xDC00).contains(code) {
                guard take("\\"), take("u") else { throw fault("a lone surrogate") }
                let low = try hex()
                guard (0xDC00..<0xE000).contains(low) else { throw fault("a lone surrogate") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fault("a lone surrogate") }
            bytes += Array(String(scalar).utf8)
        default: throw fault("no such escape")
        }
    }

    private mutating func hex() throws(Fault) -> UInt32 {
        let digits = rest.prefix(4)
        rest = rest.dropFirst(4)
        guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw fault("no four hexadecimal digits") }
        return value
    }
}
