/// What stands in place of a secret wherever a value is printed, dumped or reflected.
let redacted = "[redacted]"

extension Mirror {
    /// A mirror that shows these members and nothing else of `subject`.
    init(_ subject: Any, showing members: KeyValuePairs<String, Any>) {
        self.init(subject, children: members, displayStyle: .struct)
    }
}
