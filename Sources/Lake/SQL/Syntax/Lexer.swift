// Lexical rules of PostgreSQL (chapter 4.1 of its manual): words fold to lower case, "…" keeps them;
// strings are '…', E'…' with backslashes, $tag$…$tag$; adjacent strings with a line break between
// them are one; comments are --… and nested /*…*/; operators are the longest run of operator
// characters that does not hold a comment, and ends in + or - only when it has a special character.

import Base

/// Cuts SQL text into tokens; errors carry the position of the token they are in.
struct Lexer {
    let text: [UInt8]
    private var position = 0

    init(_ text: [UInt8]) { self.text = text }

    static func tokens(of text: [UInt8]) throws(Problem) -> [Token] {
        guard text.count <= Limits.sqlBytes else {
            throw Problem(
                "54000", "the statement is longer than \(Limits.sqlBytes) bytes",
                hint: "send it in several statements")
        }
        var lexer = Lexer(text)
        var tokens: [Token] = []
        tokens.reserveCapacity(text.count / 5 + 1)
        while let token = try lexer.next() { tokens.append(token) }
        let end = Int32(text.count)
        tokens.append(Token(kind: .end, keyword: nil, start: end, end: end))
        return tokens
    }

    private func byte(_ ahead: Int = 0) -> UInt8 {
        let index = position &+ ahead
        return index < text.count ? text[index] : 0
    }

    private func token(_ kind: Token.Kind, from start: Int, keyword: Keyword? = nil) -> Token {
        Token(kind: kind, keyword: keyword, start: Int32(start), end: Int32(position))
    }

    private mutating func next() throws(Problem) -> Token? {
        try skipBlanksAndComments()
        guard position < text.count else { return nil }
        let start = position
        let first = byte()
        switch first {
        case 0:
            throw Problem("42601", "SQL text must not contain a zero byte", position: start)
        case UInt8(ascii: "'"):
            try skipString(from: start, backslashes: false)
            return token(.string, from: start)
        case UInt8(ascii: "e"), UInt8(ascii: "E"):
            guard byte(1) == UInt8(ascii: "'") else { return word(from: start) }
            position += 1
            try skipString(from: start, backslashes: true)
            return token(.escapeString, from: start)
        case UInt8(ascii: "\""):
            try skipQuotedWord(from: start)
            return token(.quotedWord, from: start)
        case UInt8(ascii: "$"): return try dollar(from: start)
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number(from: start)
        case UInt8(ascii: "."):
            if isDigit(byte(1)) { return try number(from: start) }
            position += 1
            return token(.symbol, from: start)
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["), UInt8(ascii: "]"),
            UInt8(ascii: ","), UInt8(ascii: ";"):
            position += 1
            return token(.symbol, from: start)
        case UInt8(ascii: ":"):
            position += byte(1) == UInt8(ascii: ":") || byte(1) == UInt8(ascii: "=") ? 2 : 1
            return token(.symbol, from: start)
        default:
            if isWordStart(first) { return word(from: start) }
            if isOperator(first) { return operatorSymbol(from: start) }
            throw Problem(
                "42601", "syntax error at or near \"\(scalarText(at: start))\"", position: start)
        }
    }

    // MARK: Blanks

    private mutating func skipBlanksAndComments() throws(Problem) {
        while position < text.count {
            switch byte() {
            case 0x20, 0x09...0x0D: position += 1
            case UInt8(ascii: "-") where byte(1) == UInt8(ascii: "-"):
                while position < text.count, byte() != 0x0A, byte() != 0x0D { position += 1 }
            case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "*"): try skipBlockComment()
            default: return
            }
        }
    }

    private mutating func skipBlockComment() throws(Problem) {
        let start = position
        var depth = 0
        repeat {
            if byte() == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
                depth += 1
                position += 2
            } else if byte() == UInt8(ascii: "*"), byte(1) == UInt8(ascii: "/") {
                depth -= 1
                position += 2
            } else {
                position += 1
            }
            if position >= text.count, depth > 0 {
                throw Problem("42601", "unterminated /* comment", position: start)
            }
        } while depth > 0
    }

    // MARK: Words and numbers

    private mutating func word(from start: Int) -> Token {
        while position < text.count, isWordPart(byte()) { position += 1 }
        let length = position - start
        guard length <= 20 else { return token(.word, from: start) }
        let folded = String(decoding: text[start..<position].map(folded), as: UTF8.self)
        return token(.word, from: start, keyword: Keyword.named(folded))
    }

    private mutating func skipQuotedWord(from start: Int) throws(Problem) {
        position += 1
        while position < text.count {
            if byte() == UInt8(ascii: "\"") {
                if byte(1) != UInt8(ascii: "\"") {
                    position += 1
                    if position - start == 2 {
                        throw Problem(
                            "42601", "zero-length delimited identifier at or near \"\"\"\"",
                            position: start)
                    }
                    return
                }
                position += 1
            }
            position += 1
        }
        throw Problem("42601", "unterminated quoted identifier", position: start)
    }

    private mutating func number(from start: Int) throws(Problem) -> Token {
        while isDigit(byte()) || (byte() == UInt8(ascii: "_") && isDigit(byte(1))) {
            position += 1
        }
        if byte() == UInt8(ascii: "."), byte(1) != UInt8(ascii: ".") {
            position += 1
            while isDigit(byte()) { position += 1 }
        }
        if byte() | 0x20 == UInt8(ascii: "e") {
            let sign = byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-") ? 1 : 0
            if isDigit(byte(1 + sign)) {
                position += 1 + sign
                while isDigit(byte()) { position += 1 }
            }
        }
        guard !isWordStart(byte()) else {
            while isWordPart(byte()), position < text.count { position += 1 }
            throw Problem(
                "42601",
                "trailing junk after numeric literal at or near \"\(decoded(start..<position))\"",
                position: start)
        }
        return token(.number, from: start)
    }

    // MARK: Strings

    private mutating func skipString(from start: Int, backslashes: Bool) throws(Problem) {
        position += 1
        while position < text.count {
            switch byte() {
            case UInt8(ascii: "'"):
                position += 1
                if byte() == UInt8(ascii: "'") { break }
                guard continuesOnNextLine() else { return }
            case UInt8(ascii: "\\") where backslashes: position += 1
            default: break
            }
            position += 1
        }
        throw Problem("42601", "unterminated quoted string", position: start)
    }

    /// Moves to the opening quote of a string that continues the one that just ended.
    private mutating func continuesOnNextLine() -> Bool {
        var index = position
        var sawLineBreak = false
        while index < text.count {
            switch text[index] {
            case 0x0A, 0x0D: sawLineBreak = true
            case 0x20, 0x09, 0x0B, 0x0C: break
            case UInt8(ascii: "'") where sawLineBreak:
                position = index
                return true
            default: return false
            }
            index += 1
        }
        return false
    }

    private mutating func dollar(from start: Int) throws(Problem) -> Token {
        position += 1
        if isDigit(byte()) {
            while isDigit(byte()) { position += 1 }
            return token(.parameter, from: start)
        }
        while position < text.count, isWordPart(byte()), byte() != UInt8(ascii: "$") {
            position += 1
        }
        guard byte() == UInt8(ascii: "$") else {
            throw Problem("42601", "syntax error at or near \"$\"", position: start)
        }
        position += 1
        let tag = Array(text[start..<position])
        while position + tag.count <= text.count {
            if byte() == UInt8(ascii: "$"), text[position..<position + tag.count].elementsEqual(tag)
            {
                position += tag.count
                return token(.dollarString, from: start)
            }
            position += 1
        }
        throw Problem("42601", "unterminated dollar-quoted string", position: start)
    }

    // MARK: Operators

    private mutating func operatorSymbol(from start: Int) -> Token {
        while position < text.count, isOperator(byte()) {
            if position > start {
                if byte() == UInt8(ascii: "-"), byte(1) == UInt8(ascii: "-") { break }
                if byte() == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") { break }
            }
            position += 1
        }
        // `a=-1` is `a = -1`: a run ends in a sign only if it has one of the special characters.
        if !text[start..<position].contains(where: isSpecialOperator) {
            while position - start > 1,
                byte(-1) == UInt8(ascii: "+") || byte(-1) == UInt8(ascii: "-")
            {
                position -= 1
            }
        }
        return token(.symbol, from: start)
    }

    // MARK: Text of tokens

    func decoded(_ range: Range<Int>) -> String { String(decoding: text[range], as: UTF8.self) }

    private func scalarText(at start: Int) -> String {
        var end = start + 1
        while end < text.count, text[end] & 0xC0 == 0x80 { end += 1 }
        return decoded(start..<end)
    }
}

func folded(_ byte: UInt8) -> UInt8 {
    (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
}

private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

private func isWordStart(_ byte: UInt8) -> Bool {
    (0x61...0x7A).contains(byte | 0x20) || byte == 0x5F || byte >= 0x80
}

private func isWordPart(_ byte: UInt8) -> Bool {
    isWordStart(byte) || isDigit(byte) || byte == UInt8(ascii: "$")
}

private func isOperator(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"),
        UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "="):
        true
    default: isSpecialOperator(byte)
    }
}

private func isSpecialOperator(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "~"), UInt8(ascii: "!"), UInt8(ascii: "@"), UInt8(ascii: "#"),
        UInt8(ascii: "%"), UInt8(ascii: "^"), UInt8(ascii: "&"), UInt8(ascii: "|"),
        UInt8(ascii: "`"), UInt8(ascii: "?"):
        true
    default: false
    }
}
