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

    /// How a pattern is to be understood.
    package struct Options: OptionSet, Sendable {
        package let rawValue: Int32

        package init(rawValue: Int32) { self.rawValue = rawValue }

        package static let ignoringCase = Options(rawValue: 1)
        /// `.` matches the end of a line, too.
        package static let dotMatchesNewline = Options(rawValue: 2)
        /// Of several matches at one place the longest, not the first alternative.
        package static let longest = Options(rawValue: 4)
    }

    /// The groups that the pattern captures.
    package let groupCount: Int

    package init(
        _ pattern: String, _ options: Options = []
    ) throws(RegularExpressionFailure) {
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
                    characters.baseAddress, characters.count, Self.memoryBytesMax,
                    options.rawValue, &message, message.count)
            }
        }
        guard let opened else {
            let end = message.firstIndex(of: 0) ?? message.count
            throw RegularExpressionFailure(
                reason: String(
                    decoding: message[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        handle = opened
        groupCount = Int(weir_regex_groups(opened))
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

    /// The first match in `text` that begins at or behind byte `start`: its range, then those of its
    /// groups, nil for groups that took no part. Nil when there is none.
    package func firstMatch(
        in text: UnsafeRawBufferPointer, from start: Int = 0
    ) -> [Range<Int>?]? {
        let count = groupCount + 1
        var bounds = [Int64](repeating: -1, count: 2 * count)
        let isFound = weir_regex_find(
            handle, text.baseAddress?.assumingMemoryBound(to: CChar.self), text.count, start,
            &bounds, Int32(count))
        guard isFound == 1 else { return nil }
        return (0..<count).map { index in
            let (from, to) = (bounds[2 * index], bounds[2 * index + 1])
            return from < 0 ? nil : Int(from)..<Int(to)
        }
    }

    /// Whether the pattern matches anywhere in `text`.
    package func isFound(in text: UnsafeRawBufferPointer) -> Bool {
        weir_regex_find(
            handle, text.baseAddress?.assumingMemoryBound(to: CChar.self), text.count, 0, nil, 0)
            == 1
    }
}
