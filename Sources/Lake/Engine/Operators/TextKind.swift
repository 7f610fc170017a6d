import Columns

/// How a text of more than 12 bytes is kept in the two words of a key.
enum TextKind: UInt64 {
    /// Its length and prefix, and its number in an interner.
    case numbered = 0
    /// 13, 14, 15 or 16 bytes: the first eight of them and the last eight.
    case bytes13, bytes14, bytes15, bytes16
    /// A UUID in its canonical form.
    case uuid

    /// Three bits of a word.
    struct Place {
        let shift: UInt64

        func bits(_ kind: TextKind) -> UInt64 { kind.rawValue << shift }

        func kind(in word: UInt64) -> TextKind {
            TextKind(rawValue: word >> shift & 7) ?? .numbered
        }
    }

    /// `text` in two words and its kind; nil when it has to be numbered.
    @inline(__always)
    static func pack(
        _ text: UnsafeRawBufferPointer
    ) -> (first: UInt64, second: UInt64, kind: TextKind)? {
        if text.count > 16 {
            return PackedUUID.pack(text).map { ($0.high, $0.low, .uuid) }
        }
        guard text.count > 12, let kind = TextKind(rawValue: UInt64(text.count - 12)) else {
            return nil
        }
        return (
            text.loadUnaligned(as: UInt64.self),
            text.loadUnaligned(fromByteOffset: text.count - 8, as: UInt64.self), kind
        )
    }

    /// Calls `body` with the text that was packed into `first` and `second`.
    func withText(
        _ first: UInt64, _ second: UInt64, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        if self == .uuid { return PackedUUID.withText(high: first, low: second, body) }
        let count = 12 + Int(rawValue)
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { text in
            // The words overlap where the text has less than 16 bytes.
            text.storeBytes(of: first, as: UInt64.self)
            withUnsafeBytes(of: second) {
                UnsafeMutableRawBufferPointer(rebasing: text[(count - 8)...]).copyMemory(from: $0)
            }
            body(UnsafeRawBufferPointer(rebasing: text[..<count]))
        }
    }
}
