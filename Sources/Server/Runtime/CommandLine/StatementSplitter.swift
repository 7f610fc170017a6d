/// Cuts SQL text into statements as it comes in, line by line. A `;` inside of quotes, a dollar
/// quote or a comment does not end a statement.
package struct StatementSplitter {
    private enum Place: Equatable {
        case plain
        case quoted(UInt8)
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
        text.allSatisfy { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
    }

    /// What has been added of the statement that has begun.
    package var begun: String { trimmed(text[...]) }

    /// What the prompt shows: what would have to be closed first.
    package var waitsFor: String {
        switch place {
        case .plain, .lineComment: isEmpty ? "=" : "-"
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
                let statement = trimmed(text[..<end])
                if !statement.isEmpty { statements.append(statement) }
                text.removeFirst(end + 1)
                scanned = 0
            }
        }
        return statements
    }

    /// The statement that has no `;` yet, for the end of the input.
    package mutating func rest() -> String {
        let statement = trimmed(text[...])
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
        func isWord(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                || (0x61...0x7A).contains(byte) || byte == 0x5F || byte >= 0x80
        }
        if scanned > 0, isWord(text[scanned - 1]) { return nil }
        var end = scanned + 1
        while end < text.count, isWord(text[end]), end - scanned <= 63 { end += 1 }
        guard end < text.count, text[end] == 0x24 else { return nil }
        if end > scanned + 1, (0x30...0x39).contains(text[scanned + 1]) { return nil }
        return Array(text[scanned...end])
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
