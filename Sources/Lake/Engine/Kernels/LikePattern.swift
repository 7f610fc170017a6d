import Base
import Glibc

/// A compiled LIKE pattern. The frequent shapes (`x`, `x%`, `%x`, `%x%`) become one memory
/// comparison or search, pieces of text between several `%` one search each.
struct LikePattern {
    private enum Shape {
        case exact, prefix, suffix, contains, pieces, general
    }

    private enum Element: Equatable {
        case byte(UInt8)
        /// `_`: one Unicode scalar.
        case anyScalar
        /// `%`
        case anything
        /// An escape without anything behind it: an error, but only for a text that gets there.
        case danglingEscape
    }

    private let elements: [Element]
    private let literal: [UInt8]
    private let shape: Shape
    /// What stands between the `%` of a pattern of nothing else; empty at an end that has one.
    private let pieces: [[UInt8]]
    /// Both sides are folded to lower case first.
    private let ignoresCase: Bool

    /// `escape` nil means that no character is special.
    init(_ pattern: UnsafeRawBufferPointer, escape: UInt8?, ignoringCase: Bool) {
        ignoresCase = ignoringCase
        let folded = ignoringCase ? CaseMapping.lower(pattern) : Array(pattern)
        var elements: [Element] = []
        var index = 0
        while index < folded.count {
            let byte = folded[index]
            if let escape, byte == escape {
                index += 1
                elements.append(index < folded.count ? .byte(folded[index]) : .danglingEscape)
            } else if byte == 0x25 {
                if elements.last != .anything { elements.append(.anything) }
            } else {
                elements.append(byte == 0x5F ? .anyScalar : .byte(byte))
            }
            index += 1
        }
        self.elements = elements
        let starts = elements.first == .anything
        let ends = elements.last == .anything
        var middle = elements[...]
        if starts { middle.removeFirst() }
        if ends, !middle.isEmpty { middle.removeLast() }
        var literal: [UInt8] = []
        for element in middle { if case .byte(let byte) = element { literal.append(byte) } }
        self.literal = literal
        var pieces: [[UInt8]] = []
        if literal.count != middle.count {
            let isPlain = elements.allSatisfy { element in
                if case .byte = element { true } else { element == .anything }
            }
            shape = isPlain ? .pieces : .general
            if isPlain {
                pieces = elements.split(separator: .anything, omittingEmptySubsequences: false).map
                {
                    $0.compactMap { if case .byte(let byte) = $0 { byte } else { nil } }
                }
            }
        } else {
            switch (starts, ends) {
            case (false, false): shape = .exact
            case (false, true): shape = .prefix
            case (true, false): shape = .suffix
            case (true, true): shape = .contains
            }
        }
        self.pieces = pieces
    }

    /// Whether some text may be an error.
    var canFail: Bool { elements.last == .danglingEscape }

    func matches(_ text: UnsafeRawBufferPointer) throws(Problem) -> Bool {
        guard ignoresCase else { return try matchesBytes(text) }
        let folded = CaseMapping.lower(text)
        return try folded.withUnsafeBufferPointer { (buffer) throws(Problem) -> Bool in
            try matchesBytes(UnsafeRawBufferPointer(buffer))
        }
    }

    private func matchesBytes(_ text: UnsafeRawBufferPointer) throws(Problem) -> Bool {
        switch shape {
        case .general: try matchesGeneral(text)
        case .pieces: matchesPieces(text)
        default: matchesLiteral(text)
        }
    }

    /// The first piece stands at the begin, the last one at the end, the others between them, each
    /// as far to the left as it can.
    private func matchesPieces(_ text: UnsafeRawBufferPointer) -> Bool {
        let (first, last) = (pieces[0], pieces[pieces.count - 1])
        guard text.count >= first.count + last.count, text.starts(with: first) else { return false }
        let end = text.count - last.count
        if !last.isEmpty, !text[end...].elementsEqual(last) { return false }
        var rest = UnsafeRawBufferPointer(rebasing: text[first.count..<end])
        for piece in pieces[1..<(pieces.count - 1)] {
            let found = piece.withUnsafeBytes { searchBytes(rest, for: $0) }
            guard let found else { return false }
            rest = UnsafeRawBufferPointer(rebasing: rest[(found + piece.count)...])
        }
        return true
    }

    private func matchesLiteral(_ text: UnsafeRawBufferPointer) -> Bool {
        if literal.isEmpty { return shape != .exact || text.isEmpty }
        guard text.count >= literal.count, let base = text.baseAddress else { return false }
        return literal.withUnsafeBytes { wanted in
            let from = wanted.baseAddress!
            switch shape {
            case .exact:
                return text.count == wanted.count && memcmp(base, from, wanted.count) == 0
            case .prefix: return memcmp(base, from, wanted.count) == 0
            case .suffix:
                return memcmp(base + (text.count - wanted.count), from, wanted.count) == 0
            case .contains, .pieces, .general:
                return searchBytes(text, for: wanted) != nil
            }
        }
    }

    /// On a mismatch only the last `%` is moved on: earlier ones have matched as little as they can,
    /// which leaves the most for the rest. So the work is bounded by text · pattern.
    private func matchesGeneral(_ text: UnsafeRawBufferPointer) throws(Problem) -> Bool {
        var textAt = 0
        var patternAt = 0
        var retryPattern: Int?
        var retryText = 0
        while textAt < text.count {
            if patternAt < elements.count {
                switch elements[patternAt] {
                case .anything:
                    retryPattern = patternAt
                    retryText = textAt
                    patternAt += 1
                    continue
                case .anyScalar:
                    textAt = Self.scalarEnd(text, textAt)
                    patternAt += 1
                    continue
                case .byte(let byte) where byte == text[textAt]:
                    textAt += 1
                    patternAt += 1
                    continue
                case .danglingEscape:
                    throw Problem("22025", "LIKE pattern must not end with escape character")
                case .byte: break
                }
            }
            guard let again = retryPattern else { return false }
            retryText = Self.scalarEnd(text, retryText)
            textAt = retryText
            patternAt = again + 1
        }
        while patternAt < elements.count, elements[patternAt] == .anything { patternAt += 1 }
        return patternAt == elements.count
    }

    @inline(__always)
    static func scalarEnd(_ text: UnsafeRawBufferPointer, _ start: Int) -> Int {
        var end = start + 1
        while end < text.count, text[end] & 0xC0 == 0x80 { end += 1 }
        return end
    }
}
