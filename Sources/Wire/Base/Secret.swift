/// Bytes that must not be shown: passwords, keys, tokens. Printing, interpolating, dumping or
/// reflecting one gives `***`; whoever needs the content says so.
package struct Secret: Sendable {
    private let bytes: Bytes

    package init(_ bytes: Bytes) { self.bytes = bytes }
    package init(_ text: String) { bytes = Bytes(utf8: text) }

    /// The content. Every use has to be one that can't end in a log or an answer.
    package var exposed: Bytes { bytes }

    package var isEmpty: Bool { bytes.isEmpty }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "***" }
    package var debugDescription: String { "***" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
