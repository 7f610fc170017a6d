/// Cuts SQL text into statements as it comes in, line by line. A `;` inside of quotes, a dollar
/// quote or a comment does not end a statement.
package struct StatementSplitter {
    private enum Place: Equatable {
        case plain
        case quoted(UInt8)
        /// `E'…'`, where a backslash takes the next character along.
        case escaped
        case lineComment
        /// Comments nest, as in PostgreSQL.
        case blockComment(depth: Int)
        case dollar(tag: [UInt8])
    }

    private var text: [UInt8] = []
    private var scanned = 0
    private var place = Place.plain

    package init() {}

    /// No statement has begun: only white space and comments are waiting.
    package var isEmpty: Bool {
        if case .blockComment = place { return false }
        return Self.isBlank(text[...])
    }

    /// Whether a quote or a comment is open: no line is a command there.
    package var isQuoted: Bool {
        switch place {
        case .plain, .lineComment: false
        case .quoted, .escaped, .blockComment, .dollar: true
        }
    }

    /// What has been added of the statement that has begun.
    package var begun: String { trimmed(text[...]) }

    /// What the prompt shows: what would have to be closed first.
    package var waitsFor: String {
        switch place {
        case .plain, .lineComment: isEmpty ? "=" : "-"
        case .escaped: "'"
        case .quoted(let quote): quote == 0x27 ? "'" : "\""
        case .blockComment: "*"
        case .dollar: "$"
        }
    }

    /// Forgets what was begun.
    package mutating func reset() { self = StatementSplitter() }

    /// Adds text and takes out the statements that it completes, without their `;`.
    package mutating func add(_ more: String) -> [String] {
        text += Array(more.utf8)
        var statements: [String] = []
        while scanned < text.count {
            if let end = step() {
                if !Self.isBlank(text[..<end]) { statements.append(trimmed(text[..<end])) }
                text.removeFirst(end + 1)
                scanned = 0
            }
        }
        return statements
    }

    /// The statement that has no `;` yet, for the end of the input.
    package mutating func rest() -> String {
        let statement = isEmpty ? "" : trimmed(text[...])
        reset()
        return statement
    }

    /// Moves over one token; the position of a `;` that ends a statement.
    private mutating func step() -> Int? {
        let byte = text[scanned]
        let next = scanned + 1 < text.count ? text[scanned + 1] : 0
        switch place {
        case .plain:
            switch byte {
            case 0x3B: return scanned
            case 0x27 where isEscaped: place = .escaped
            case 0x27, 0x22: place = .quoted(byte)
            case 0x2D where next == 0x2D: place = .lineComment
            case 0x2F where next == 0x2A:
                place = .blockComment(depth: 1)
                scanned += 1
            case 0x24:
                if let tag = dollarTag() {
                    place = .dollar(tag: tag)
                    scanned += tag.count - 1
                }
            default: break
            }
        // A doubled quote closes and opens again, which comes to the same.
        case .quoted(let quote): if byte == quote { place = .plain }
        case .escaped:
            if byte == 0x5C {
                scanned += 1
            } else if byte == 0x27 {
                // A doubled quote goes on with backslashes.
                if next == 0x27 { scanned += 1 } else { place = .plain }
            }
        case .lineComment: if byte == 0x0A { place = .plain }
        case .blockComment(let depth):
            if byte == 0x2A, next == 0x2F {
                place = depth == 1 ? .plain : .blockComment(depth: depth - 1)
                scanned += 1
            } else if byte == 0x2F, next == 0x2A {
                place = .blockComment(depth: depth + 1)
                scanned += 1
            }
        case .dollar(let tag):
            if byte == 0x24, text[scanned...].starts(with: tag) {
                place = .plain
                scanned += tag.count - 1
            }
        }
        scanned += 1
        return nil
    }

    /// `$tag$` at the cursor, unless it stands inside of a name or is a parameter like `$1`.
    private func dollarTag() -> [UInt8]? {
        if scanned > 0, Self.isWord(text[scanned - 1]) { return nil }
        var end = scanned + 1
        while end < text.count, Self.isWord(text[end]), end - scanned <= 63 { end += 1 }
        guard end < text.count, text[end] == 0x24 else { return nil }
        if end > scanned + 1, (0x30...0x39).contains(text[scanned + 1]) { return nil }
        return Array(text[scanned...end])
    }

    /// Whether the quote at the cursor has an E before it that is no end of a name.
    private var isEscaped: Bool {
        guard scanned > 0, text[scanned - 1] | 0x20 == 0x65 else { return false }
        return scanned == 1 || !Self.isWord(text[scanned - 2])
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
            || (0x61...0x7A).contains(byte) || byte == 0x5F || byte >= 0x80
    }

    /// Whether there are only blanks and comments, the last of which may go on.
    private static func isBlank(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while let byte = rest.first {
            switch byte {
            case 0x20, 0x0A, 0x0D, 0x09: rest.removeFirst()
            case 0x2D where rest.dropFirst().first == 0x2D:
                rest = rest.drop { $0 != 0x0A }
            case 0x2F where rest.dropFirst().first == 0x2A:
                var depth = 0
                repeat {
                    if rest.starts(with: [0x2F, 0x2A]) {
                        depth += 1
                        rest.removeFirst(2)
                    } else if rest.starts(with: [0x2A, 0x2F]) {
                        depth -= 1
                        rest.removeFirst(2)
                    } else {
                        rest.removeFirst()
                    }
                } while depth > 0 && !rest.isEmpty
            default: return false
            }
        }
        return true
    }

    private func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
        func isSpace(_ byte: UInt8) -> Bool {
            byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
        }
        var slice = bytes.drop(while: isSpace)
        while let last = slice.last, isSpace(last) { slice.removeLast() }
        return String(decoding: slice, as: UTF8.self)
    }
}
