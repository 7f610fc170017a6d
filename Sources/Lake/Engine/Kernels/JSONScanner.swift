// Reads parts of JSON text without building a tree: finds a member or an element, and skips what
// lies before it. The text is taken to be valid; of text that is not, parts are simply not found.

import Base
import Columns
import Glibc

struct JSONScanner {
    let text: UnsafeRawBufferPointer

    enum Kind { case object, array, string, number, boolean, null }

    /// What kind of value begins at `position`.
    @inline(__always)
    func kind(at position: Int) -> Kind? {
        guard position < text.count else { return nil }
        switch text[position] {
        case 0x7B: return .object
        case 0x5B: return .array
        case 0x22: return .string
        case 0x2D, 0x30...0x39: return .number
        case 0x74, 0x66: return .boolean
        case 0x6E: return .null
        default: return nil
        }
    }

    @inline(__always)
    func skipSpaces(_ position: Int) -> Int {
        var position = position
        while position < text.count, text[position] <= 0x20 { position += 1 }
        return position
    }

    /// The position behind the string that begins (with its quote) at `position`.
    @inline(__always)
    func stringEnd(_ position: Int) -> Int? {
        var index = position + 1
        while index < text.count {
            let byte = text[index]
            if byte == 0x22 { return index + 1 }
            index += byte == 0x5C ? 2 : 1
        }
        return nil
    }

    /// The position behind the value that begins at `position`. Nested values are skipped by
    /// counting brackets outside of strings, without recursion.
    func valueEnd(_ position: Int) -> Int? {
        guard position < text.count else { return nil }
        switch text[position] {
        case 0x22: return stringEnd(position)
        case 0x7B, 0x5B:
            var depth = 0
            var index = position
            while index < text.count {
                switch text[index] {
                case 0x22:
                    guard let end = stringEnd(index) else { return nil }
                    index = end
                    continue
                case 0x7B, 0x5B: depth += 1
                case 0x7D, 0x5D:
                    depth -= 1
                    if depth == 0 { return index + 1 }
                default: break
                }
                index += 1
            }
            return nil
        default:
            var index = position
            while index < text.count {
                let byte = text[index]
                if byte == 0x2C || byte == 0x7D || byte == 0x5D || byte <= 0x20 { break }
                index += 1
            }
            return index > position ? index : nil
        }
    }

    /// The value of member `key` of the object at `position`.
    func member(_ key: UnsafeRawBufferPointer, of position: Int = 0) -> Range<Int>? {
        var index = skipSpaces(position)
        guard index < text.count, text[index] == 0x7B else { return nil }
        index = skipSpaces(index + 1)
        while index < text.count, text[index] == 0x22 {
            let keyStart = index + 1
            guard let keyEnd = stringEnd(index) else { return nil }
            let matches = isKey(key, keyStart..<(keyEnd - 1))
            index = skipSpaces(keyEnd)
            guard index < text.count, text[index] == 0x3A else { return nil }
            index = skipSpaces(index + 1)
            guard let end = valueEnd(index) else { return nil }
            if matches { return index..<end }
            index = skipSpaces(end)
            guard index < text.count, text[index] == 0x2C else { return nil }
            index = skipSpaces(index + 1)
        }
        return nil
    }

    @inline(__always)
    private func isKey(_ key: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        guard range.count >= key.count else { return false }
        if range.count == key.count {
            guard let wanted = key.baseAddress, let base = text.baseAddress else {
                return key.count == 0
            }
            if memcmp(base + range.lowerBound, wanted, key.count) == 0 { return true }
        }
        // Only a key with escapes can be longer than what it means.
        guard let base = text.baseAddress, memchr(base + range.lowerBound, 0x5C, range.count) != nil
        else { return false }
        let decoded = unescaped(range)
        return decoded.withUnsafeBytes { compareBytes($0, key) == 0 }
    }

    /// Element `number` (from 0; from -1 backwards) of the array at `position`.
    func element(_ number: Int, of position: Int = 0) -> Range<Int>? {
        var wanted = number
        if wanted < 0 {
            guard let count = elementCount(of: position) else { return nil }
            wanted += count
            if wanted < 0 { return nil }
        }
        var found: Range<Int>?
        forEachElement(of: position) { index, range in
            if index == wanted { found = range }
            return found == nil
        }
        return found
    }

    func elementCount(of position: Int = 0) -> Int? {
        var count = 0
        return forEachElement(of: position) { _, _ in
            count += 1
            return true
        } ? count : nil
    }

    /// Calls `body` with each element until it returns false. False when there is no array.
    @discardableResult
    func forEachElement(of position: Int = 0, _ body: (Int, Range<Int>) -> Bool) -> Bool {
        var index = skipSpaces(position)
        guard index < text.count, text[index] == 0x5B else { return false }
        index = skipSpaces(index + 1)
        var number = 0
        while index < text.count, text[index] != 0x5D {
            guard let end = valueEnd(index) else { return true }
            if !body(number, index..<end) { return true }
            number += 1
            index = skipSpaces(end)
            guard index < text.count, text[index] == 0x2C else { return true }
            index = skipSpaces(index + 1)
        }
        return true
    }

    /// Calls `body` with key (without quotes, still escaped) and value of each member.
    @discardableResult
    func forEachMember(
        of position: Int = 0, _ body: (Range<Int>, Range<Int>) -> Bool
    ) -> Bool {
        var index = skipSpaces(position)
        guard index < text.count, text[index] == 0x7B else { return false }
        index = skipSpaces(index + 1)
        while index < text.count, text[index] == 0x22 {
            guard let keyEnd = stringEnd(index) else { return true }
            let key = (index + 1)..<(keyEnd - 1)
            index = skipSpaces(keyEnd)
            guard index < text.count, text[index] == 0x3A else { return true }
            index = skipSpaces(index + 1)
            guard let end = valueEnd(index) else { return true }
            if !body(key, index..<end) { return true }
            index = skipSpaces(end)
            guard index < text.count, text[index] == 0x2C else { return true }
            index = skipSpaces(index + 1)
        }
        return true
    }

    /// Whether the string content at `range` has escapes.
    @inline(__always)
    func hasEscapes(_ range: Range<Int>) -> Bool {
        guard let base = text.baseAddress, range.count > 0 else { return false }
        return memchr(base + range.lowerBound, 0x5C, range.count) != nil
    }

    /// The characters that the string content at `range` stands for.
    func unescaped(_ range: Range<Int>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = text[index]
            guard byte == 0x5C, index + 1 < range.upperBound else {
                output.append(byte)
                index += 1
                continue
            }
            let escape = text[index + 1]
            index += 2
            switch escape {
            case 0x62: output.append(0x08)
            case 0x66: output.append(0x0C)
            case 0x6E: output.append(0x0A)
            case 0x72: output.append(0x0D)
            case 0x74: output.append(0x09)
            case 0x75:
                guard var code = hexadecimal(index, range.upperBound) else { continue }
                index += 4
                if code & 0xFC00 == 0xD800, index + 1 < range.upperBound, text[index] == 0x5C,
                    text[index + 1] == 0x75, let low = hexadecimal(index + 2, range.upperBound),
                    low & 0xFC00 == 0xDC00
                {
                    code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF)
                    index += 6
                }
                let scalar = UnicodeScalar(code) ?? "\u{FFFD}"
                output += String(Character(scalar)).utf8
            default: output.append(escape)
            }
        }
        return output
    }

    /// The four hexadecimal digits at `position`.
    func hexadecimal(_ position: Int, _ end: Int) -> UInt32? {
        guard position + 4 <= end else { return nil }
        return Hexadecimal.number(text[position..<(position + 4)])
    }
}
