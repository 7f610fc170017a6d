import CRegex

/// Why a text is no regular expression, in the words of the library.
package struct RegularExpressionFailure: Error, Equatable, Sendable {
    package var reason: String
}

/// A compiled regular expression of RE2's dialect, without backtracking: a match takes time linear
/// in the text whatever the pattern is.
///
/// `@unchecked Sendable` is sound because the compiled pattern is never changed after `init` and
/// the library promises that matching may happen on many threads at once.
package final class RegularExpression: @unchecked Sendable {
    package let pattern: String
    private let handle: OpaquePointer

    /// A pattern that takes more is refused: it came from outside, and each is kept for long.
    package static let patternBytesMax = 16 << 10
    private static let memoryBytesMax: Int64 = 1 << 20

    package init(_ pattern: String) throws(RegularExpressionFailure) {
        guard pattern.utf8.count <= Self.patternBytesMax else {
            throw RegularExpressionFailure(
                reason: "the pattern has \(pattern.utf8.count) bytes, "
                    + "allowed are \(Self.patternBytesMax)")
        }
        var text = pattern
        var message = [CChar](repeating: 0, count: 256)
        let opened = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                weir_regex_open(
                    characters.baseAddress, characters.count, Self.memoryBytesMax, &message,
                    message.count)
            }
        }
        guard let opened else {
            let end = message.firstIndex(of: 0) ?? message.count
            throw RegularExpressionFailure(
                reason: String(
                    decoding: message[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        handle = opened
        self.pattern = pattern
    }

    deinit { weir_regex_close(handle) }

    /// Whether the pattern matches the whole of `text`.
    package func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                weir_regex_matches(handle, characters.baseAddress, characters.count) == 1
            }
        }
    }
}
