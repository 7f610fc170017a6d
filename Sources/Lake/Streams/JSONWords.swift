// Eight bytes of JSON at a time.

/// The place of the next quote, backslash or control character from `position` on; `count` when
/// there is none.
///
/// A byte is zero exactly where `(word - 0x01…) & ~word & 0x80…` has its lowest bit set: a borrow
/// only disturbs the bytes above the first hit, and only the first is used.
@inline(__always)
func endOfPlainText(_ bytes: UnsafeRawPointer, _ position: Int, _ count: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let high: UInt64 = 0x8080_8080_8080_8080
    var position = position
    while position &+ 8 <= count {
        let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
        let quotes = word ^ (ones &* 0x22)
        let slashes = word ^ (ones &* 0x5C)
        let stop =
            (((quotes &- ones) & ~quotes) | ((slashes &- ones) & ~slashes)
                | ((word &- ones &* 0x20) & ~word)) & high
        if stop != 0 { return position &+ stop.trailingZeroBitCount &>> 3 }
        position &+= 8
    }
    while position < count {
        let byte = bytes.load(fromByteOffset: position, as: UInt8.self)
        if byte == 0x22 || byte == 0x5C || byte < 0x20 { return position }
        position &+= 1
    }
    return count
}

/// Whether a number may end in front of this byte.
@inline(__always)
private func isBehindNumber(_ byte: UInt8) -> Bool {
    byte == 0x2C || byte == 0x7D || byte == 0x5D || byte == 0x20 || byte == 0x0A || byte == 0x0D
        || byte == 0x09
}

/// The end of the whole number at `position`, of at most 18 digits and without an exponent; -1 when
/// something else stands there, or nothing behind it.
@inline(__always)
func endOfInteger(
    _ bytes: UnsafeRawPointer, _ position: Int, _ count: Int, _ value: inout Int64
) -> Int {
    var index = position
    let isNegative = bytes.load(fromByteOffset: index, as: UInt8.self) == 0x2D
    if isNegative { index &+= 1 }
    let start = index
    var magnitude: Int64 = 0
    while index < count {
        let digit = bytes.load(fromByteOffset: index, as: UInt8.self) &- 0x30
        if digit > 9 { break }
        magnitude = magnitude &* 10 &+ Int64(digit)
        index &+= 1
    }
    let digits = index &- start
    guard digits >= 1, digits <= 18, index < count,
        digits == 1 || bytes.load(fromByteOffset: start, as: UInt8.self) != 0x30,
        isBehindNumber(bytes.load(fromByteOffset: index, as: UInt8.self))
    else { return -1 }
    value = isNegative ? 0 &- magnitude : magnitude
    return index
}

/// The end of the number at `position` when it has no exponent; -1 when something else stands
/// there, or nothing behind it.
@inline(__always)
func endOfNumber(_ bytes: UnsafeRawPointer, _ position: Int, _ count: Int) -> Int {
    var index = position
    if bytes.load(fromByteOffset: index, as: UInt8.self) == 0x2D { index &+= 1 }
    let start = index
    while index < count, bytes.load(fromByteOffset: index, as: UInt8.self) &- 0x30 <= 9 {
        index &+= 1
    }
    guard index > start, index < count,
        index &- start == 1 || bytes.load(fromByteOffset: start, as: UInt8.self) != 0x30
    else { return -1 }
    if bytes.load(fromByteOffset: index, as: UInt8.self) == 0x2E {
        index &+= 1
        let fraction = index
        while index < count, bytes.load(fromByteOffset: index, as: UInt8.self) &- 0x30 <= 9 {
            index &+= 1
        }
        guard index > fraction, index < count else { return -1 }
    }
    return isBehindNumber(bytes.load(fromByteOffset: index, as: UInt8.self)) ? index : -1
}

/// Strict UTF-8 check, 32 bytes at a time while they are ASCII.
func isValidUTF8(_ raw: UnsafeRawBufferPointer) -> Bool {
    guard let bytes = raw.baseAddress else { return true }
    let count = raw.count
    let high: UInt64 = 0x8080_8080_8080_8080
    var index = 0
    while index &+ 32 <= count {
        let words =
            bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            | bytes.loadUnaligned(fromByteOffset: index &+ 8, as: UInt64.self)
            | bytes.loadUnaligned(fromByteOffset: index &+ 16, as: UInt64.self)
            | bytes.loadUnaligned(fromByteOffset: index &+ 24, as: UInt64.self)
        if words & high != 0 { break }
        index &+= 32
    }
    while index < count {
        let byte = bytes.load(fromByteOffset: index, as: UInt8.self)
        if byte < 0x80 {
            index &+= 1
            if index &+ 8 <= count,
                bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & high == 0
            {
                index &+= 8
            }
            continue
        }
        let length = lengthOfCharacter(bytes + index, count &- index)
        if length == 0 { return false }
        index &+= length
    }
    return true
}

/// Bytes of the character that begins with a byte above 0x7F; 0 when it is none. Unicode, table 3-7.
@inline(__always)
private func lengthOfCharacter(_ bytes: UnsafeRawPointer, _ available: Int) -> Int {
    func byte(_ index: Int) -> UInt8 { bytes.load(fromByteOffset: index, as: UInt8.self) }
    func continues(_ index: Int) -> Bool { byte(index) & 0xC0 == 0x80 }
    let first = byte(0)
    switch first {
    case 0xC2...0xDF: return available >= 2 && continues(1) ? 2 : 0
    case 0xE0...0xEF:
        guard available >= 3, continues(1), continues(2) else { return 0 }
        // No detours (E0 80–9F) and no surrogates (ED A0–BF).
        if first == 0xE0, byte(1) < 0xA0 { return 0 }
        if first == 0xED, byte(1) > 0x9F { return 0 }
        return 3
    case 0xF0...0xF4:
        guard available >= 4, continues(1), continues(2), continues(3) else { return 0 }
        if first == 0xF0, byte(1) < 0x90 { return 0 }
        if first == 0xF4, byte(1) > 0x8F { return 0 }
        return 4
    default: return 0
    }
}
