// The text forms of uuid, bytea and lists, when read.

import Base
import Columns

enum UUIDText {
    /// 32 hexadecimal digits, with hyphens behind any group of four, in braces or not.
    static func parse(_ text: UnsafeRawBufferPointer) -> UInt128? {
        var (start, end) = (0, text.count)
        if end - start >= 2, text[start] == 0x7B {
            guard text[end - 1] == 0x7D else { return nil }
            start += 1
            end -= 1
        }
        var bits: UInt128 = 0
        var digits = 0
        for index in start..<end {
            let byte = text[index]
            if byte == 0x2D {
                guard digits > 0, digits % 4 == 0, digits < 32 else { return nil }
                continue
            }
            guard digits < 32, let digit = Hexadecimal.value(byte) else { return nil }
            bits = bits << 4 | UInt128(digit)
            digits += 1
        }
        return digits == 32 ? bits : nil
    }
}

enum BinaryText {
    /// `\x` and hexadecimal digits, or bytes with `\\` and three-digit octal escapes.
    static func parse(_ text: UnsafeRawBufferPointer) throws(Problem) -> [UInt8] {
        var output: [UInt8] = []
        if text.count >= 2, text[0] == 0x5C, text[1] == 0x78 {
            var high: UInt8?
            for index in 2..<text.count {
                if NumberText.isSpace(text[index]), high == nil { continue }
                guard let digit = Hexadecimal.value(text[index]) else {
                    let character = String(decoding: text[index..<(index + 1)], as: UTF8.self)
                    throw Problem("22023", "invalid hexadecimal digit: \"\(character)\"")
                }
                if let first = high {
                    output.append(first << 4 | digit)
                    high = nil
                } else {
                    high = digit
                }
            }
            if high != nil {
                throw Problem("22023", "invalid hexadecimal data: odd number of digits")
            }
            return output
        }
        var index = 0
        while index < text.count {
            guard text[index] == 0x5C else {
                output.append(text[index])
                index += 1
                continue
            }
            if index + 1 < text.count, text[index + 1] == 0x5C {
                output.append(0x5C)
                index += 2
                continue
            }
            var value = 0
            guard index + 3 < text.count else { throw SQLErrors.invalidInput("bytea", "") }
            for place in 1...3 {
                let digit = text[index + place] &- 0x30
                guard digit < 8 else { throw SQLErrors.invalidInput("bytea", "") }
                value = value * 8 + Int(digit)
            }
            guard value < 256 else { throw SQLErrors.invalidInput("bytea", "") }
            output.append(UInt8(value))
            index += 4
        }
        return output
    }
}

enum ListText {
    /// The elements of `{a,"b c",NULL}`; nil stands for NULL. One dimension.
    static func parse(_ text: String) throws(Problem) -> [String?] {
        let bytes = Array(text.utf8)
        func malformed(_ detail: String) -> Problem {
            Problem("22P02", "malformed array literal: \"\(text)\"", notes: [detail])
        }
        var index = 0
        func skipSpaces() {
            while index < bytes.count, NumberText.isSpace(bytes[index]) { index += 1 }
        }
        skipSpaces()
        guard index < bytes.count, bytes[index] == 0x7B else {
            throw malformed("Array value must start with \"{\" or dimension information.")
        }
        index += 1
        var items: [String?] = []
        skipSpaces()
        if index < bytes.count, bytes[index] == 0x7D {
            index += 1
            skipSpaces()
            guard index == bytes.count else { throw malformed("Junk after closing right brace.") }
            return items
        }
        while true {
            skipSpaces()
            var item: [UInt8] = []
            var isQuoted = false
            guard index < bytes.count else { throw malformed("Unexpected end of input.") }
            if bytes[index] == 0x7B {
                throw SQLErrors.unsupported("an array of several dimensions")
            }
            if bytes[index] == 0x22 {
                isQuoted = true
                index += 1
                while index < bytes.count, bytes[index] != 0x22 {
                    if bytes[index] == 0x5C, index + 1 < bytes.count { index += 1 }
                    item.append(bytes[index])
                    index += 1
                }
                guard index < bytes.count else { throw malformed("Unexpected end of input.") }
                index += 1
                skipSpaces()
            } else {
                while index < bytes.count, bytes[index] != 0x2C, bytes[index] != 0x7D {
                    if bytes[index] == 0x22 || bytes[index] == 0x7B {
                        throw malformed("Incorrectly quoted array element.")
                    }
                    if bytes[index] == 0x5C, index + 1 < bytes.count { index += 1 }
                    item.append(bytes[index])
                    index += 1
                }
                while let last = item.last, NumberText.isSpace(last) { item.removeLast() }
                if item.isEmpty { throw malformed("Unexpected \",\" or \"}\" character.") }
            }
            let element = String(decoding: item, as: UTF8.self)
            items.append(!isQuoted && element.uppercased() == "NULL" ? nil : element)
            guard index < bytes.count else { throw malformed("Unexpected end of input.") }
            let separator = bytes[index]
            index += 1
            if separator == 0x7D { break }
            guard separator == 0x2C else { throw malformed("Unexpected array element.") }
        }
        skipSpaces()
        guard index == bytes.count else { throw malformed("Junk after closing right brace.") }
        return items
    }
}

extension NumberText {
    /// The digits of a decimal number without its sign; nil when it is none or too long.
    static func significantDigits(
        _ bytes: [UInt8]
    ) -> (magnitude: Int128, exponent: Int, count: Int)? {
        var magnitude: Int128 = 0
        var exponent = 0
        var count = 0
        var behindPoint = false
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case 0x30...0x39:
                guard count < 38 else { return nil }
                magnitude = magnitude * 10 + Int128(byte - 0x30)
                if magnitude != 0 { count += 1 }
                if behindPoint { exponent -= 1 }
            case 0x2E: behindPoint = true
            case 0x65, 0x45:
                guard let power = Int(String(decoding: bytes[index...], as: UTF8.self)) else {
                    return nil
                }
                return (magnitude, exponent + power, count)
            default: continue
            }
        }
        return (magnitude, exponent, count)
    }
}
