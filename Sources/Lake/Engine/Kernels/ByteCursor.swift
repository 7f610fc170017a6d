/// Walks over the bytes of one text. Reads behind the end give 0.
struct ByteCursor {
    let bytes: UnsafeRawBufferPointer
    var index = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { index >= bytes.count }

    @inline(__always)
    var next: UInt8 { index < bytes.count ? bytes[index] : 0 }

    @inline(__always)
    func peek(_ distance: Int) -> UInt8 {
        index + distance < bytes.count ? bytes[index + distance] : 0
    }

    @inline(__always)
    var isDigit: Bool { next &- 0x30 < 10 }

    @inline(__always)
    var isLetter: Bool { (next | 0x20) &- 0x61 < 26 }

    mutating func skipSpaces() {
        while index < bytes.count, NumberText.isSpace(bytes[index]) { index += 1 }
    }

    /// Consumes `byte` if it is next.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        if next == byte, index < bytes.count {
            index += 1
            return true
        }
        return false
    }

    /// Consumes digits, at most `limit`. The value saturates far above every field's range.
    mutating func number(limit: Int = 18) -> (value: Int, digits: Int) {
        var value = 0
        var digits = 0
        while digits < limit, isDigit {
            value = value * 10 + Int(bytes[index] - 0x30)
            digits += 1
            index += 1
        }
        return (value, digits)
    }

    /// Consumes `.` or `,` and digits: millionths, rounded half up; nil when there is no fraction.
    mutating func microseconds() -> Int? {
        guard next == 0x2E || next == 0x2C, peek(1) &- 0x30 < 10 else { return nil }
        index += 1
        var value = 0
        var digits = 0
        var roundsUp = false
        while isDigit {
            let digit = Int(bytes[index] - 0x30)
            if digits < 6 {
                value = value * 10 + digit
            } else if digits == 6 {
                roundsUp = digit >= 5
            }
            digits += 1
            index += 1
        }
        while digits < 6 {
            value *= 10
            digits += 1
        }
        return value + (roundsUp ? 1 : 0)
    }

    /// Consumes letters, at most 16, in lower case.
    mutating func word() -> String {
        var letters: [UInt8] = []
        while isLetter, letters.count < 16 {
            letters.append(bytes[index] | 0x20)
            index += 1
        }
        return String(decoding: letters, as: UTF8.self)
    }
}
