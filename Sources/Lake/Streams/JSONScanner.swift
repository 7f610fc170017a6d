import Base

/// A forward cursor over JSON text that was checked to be valid UTF-8. Nothing is allocated;
/// strings and nested values come back as places in the text.
struct JSONScanner {
    private let raw: UnsafeRawBufferPointer
    private(set) var position = 0
    /// Position of the text in its buffer, for views.
    let base: Int

    /// A cursor at `position` of `raw`, which begins at `base` of its buffer.
    init(_ raw: UnsafeRawBufferPointer, base: Int, at position: Int = 0) {
        self.raw = raw
        self.base = base
        self.position = position
    }

    /// A string's content between its quotes.
    struct Text {
        var start: Int
        var count: Int
        var isEscaped: Bool
    }

    var isAtEnd: Bool { position == raw.count }
    var next: UInt8? { position < raw.count ? raw[position] : nil }

    func bytes(of text: Text) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: raw[text.start..<(text.start + text.count)])
    }

    func bytes(from start: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: raw[start..<position])
    }

    mutating func skipSpace() {
        while position < raw.count {
            let byte = raw[position]
            guard byte <= 0x20, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else {
                return
            }
            position += 1
        }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard position < raw.count, raw[position] == byte else { return false }
        position += 1
        return true
    }

    mutating func take(word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard position + count <= raw.count else { return false }
        for index in 0..<count where raw[position + index] != word.utf8Start[index] { return false }
        position += count
        return true
    }

    /// A string; nil when there is none here or it is malformed.
    mutating func string() -> Text? {
        guard take(0x22) else { return nil }
        let start = position
        var isEscaped = false
        while true {
            skipPlainText()
            guard position < raw.count else { return nil }
            let byte = raw[position]
            if byte == 0x22 {
                position += 1
                return Text(start: start, count: position - 1 - start, isEscaped: isEscaped)
            }
            guard byte == 0x5C else { return nil }
            isEscaped = true
            guard skipEscape() else { return nil }
        }
    }

    /// Moves to the next quote, backslash or control character.
    private mutating func skipPlainText() {
        guard let bytes = raw.baseAddress else { return }
        position = endOfPlainText(bytes, position, raw.count)
    }

    private mutating func skipEscape() -> Bool {
        guard position + 1 < raw.count else { return false }
        switch raw[position + 1] {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74:
            position += 2
            return true
        case 0x75:
            guard let unit = hexUnit(at: position + 2) else { return false }
            if unit & 0xF800 != 0xD800 {
                position += 6
                return true
            }
            // A surrogate pair must be whole.
            guard unit & 0xFC00 == 0xD800, position + 7 < raw.count, raw[position + 6] == 0x5C,
                raw[position + 7] == 0x75, let low = hexUnit(at: position + 8),
                low & 0xFC00 == 0xDC00
            else { return false }
            position += 12
            return true
        default: return false
        }
    }

    private func hexUnit(at start: Int) -> UInt32? {
        guard start + 4 <= raw.count else { return nil }
        return Hexadecimal.number(UnsafeRawBufferPointer(rebasing: raw[start..<(start + 4)]))
    }

    /// A number by the grammar of RFC 8259; nil when malformed.
    mutating func number() -> UnsafeRawBufferPointer? {
        let start = position
        _ = take(0x2D)
        if !take(0x30), skipDigits() == 0 { return nil }
        if take(0x2E), skipDigits() == 0 { return nil }
        if take(0x65) || take(0x45) {
            if !take(0x2B) { _ = take(0x2D) }
            if skipDigits() == 0 { return nil }
        }
        return bytes(from: start)
    }

    private mutating func skipDigits() -> Int {
        let start = position
        while position < raw.count, raw[position] &- 0x30 <= 9 { position += 1 }
        return position - start
    }

    /// Moves behind the value here; false when it is not JSON or nested too deeply.
    mutating func skipValue(depth: Int) -> Bool {
        guard depth < Limits.nestingDepth, let byte = next else { return false }
        switch byte {
        case 0x22: return string() != nil
        case 0x7B: return skipMembers(close: 0x7D, depth: depth, keyed: true)
        case 0x5B: return skipMembers(close: 0x5D, depth: depth, keyed: false)
        case 0x74: return take(word: "true")
        case 0x66: return take(word: "false")
        case 0x6E: return take(word: "null")
        default: return number() != nil
        }
    }

    private mutating func skipMembers(close: UInt8, depth: Int, keyed: Bool) -> Bool {
        position += 1
        skipSpace()
        if take(close) { return true }
        while true {
            skipSpace()
            if keyed {
                guard string() != nil else { return false }
                skipSpace()
                guard take(0x3A) else { return false }
                skipSpace()
            }
            guard skipValue(depth: depth + 1) else { return false }
            skipSpace()
            if take(close) { return true }
            guard take(0x2C) else { return false }
        }
    }
}

/// The meaning of a string's content, whose escapes were checked by the scanner.
func unescapeJSON(_ raw: UnsafeRawBufferPointer) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(raw.count)
    var index = 0
    while index < raw.count {
        let byte = raw[index]
        guard byte == 0x5C, index + 1 < raw.count else {
            result.append(byte)
            index += 1
            continue
        }
        let escape = raw[index + 1]
        index += 2
        switch escape {
        case 0x62: result.append(0x08)
        case 0x66: result.append(0x0C)
        case 0x6E: result.append(0x0A)
        case 0x72: result.append(0x0D)
        case 0x74: result.append(0x09)
        case 0x75:
            func unit(_ start: Int) -> UInt32 {
                guard start + 4 <= raw.count else { return 0xFFFD }
                let digits = UnsafeRawBufferPointer(rebasing: raw[start..<(start + 4)])
                return Hexadecimal.number(digits) ?? 0xFFFD
            }
            var code = unit(index)
            index += 4
            if code & 0xFC00 == 0xD800 {
                code = 0x10000 + (code & 0x3FF) << 10 + unit(index + 2) & 0x3FF
                index += 6
            }
            let scalar = UnicodeScalar(code) ?? "\u{FFFD}"
            result += Array(String(Character(scalar)).utf8)
        default: result.append(escape)
        }
    }
    return result
}
