// Numbers as text, as PostgreSQL writes and reads them.

import Base
import Columns

package enum NumberText {
    // MARK: Writing

    /// `unscaled` / 10^`scale` with exactly `scale` digits behind the point.
    package static func decimal(_ unscaled: Int128, scale: Int) -> String {
        let digits = String(unscaled.magnitude)
        let sign = unscaled < 0 ? "-" : ""
        if scale <= 0 { return sign + digits }
        if digits.utf8.count <= scale {
            return sign + "0." + String(repeating: "0", count: scale - digits.utf8.count) + digits
        }
        let point = digits.utf8.index(digits.startIndex, offsetBy: digits.utf8.count - scale)
        return sign + digits[..<point] + "." + digits[point...]
    }

    /// The shortest digits that read back as the same double.
    package static func float64(_ value: Double) -> String {
        layOut(value.description, isNegative: value.sign == .minus, fixedDigits: 15, value)
    }

    /// The shortest digits that read back as the same float.
    package static func float32(_ value: Double) -> String {
        layOut(
            Float(value).description, isNegative: value.sign == .minus, fixedDigits: 6, value)
    }

    /// Swift's digits in the layout of C's `%g`: an exponent below -4 or from `fixedDigits` on.
    private static func layOut(
        _ text: String, isNegative: Bool, fixedDigits: Int, _ value: Double
    ) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return isNegative ? "-Infinity" : "Infinity" }
        if value == 0 { return isNegative ? "-0" : "0" }
        var digits: [UInt8] = []
        var pointAt: Int?
        var exponent = 0
        var bytes = text.utf8.makeIterator()
        while let byte = bytes.next() {
            switch byte {
            case 0x30...0x39: digits.append(byte)
            case 0x2E: pointAt = digits.count
            case 0x65:
                var rest = ""
                while let next = bytes.next() { rest.unicodeScalars.append(UnicodeScalar(next)) }
                exponent = Int(rest) ?? 0
            default: continue
            }
        }
        // digits · 10^power, the point behind the first digit.
        var power = (pointAt ?? digits.count) - 1 + exponent
        while digits.count > 1, digits[0] == 0x30 {
            digits.removeFirst()
            power -= 1
        }
        while digits.count > 1, digits[digits.count - 1] == 0x30 { digits.removeLast() }
        var output: [UInt8] = isNegative ? [0x2D] : []
        if power < -4 || power >= fixedDigits {
            output.append(digits[0])
            if digits.count > 1 {
                output.append(0x2E)
                output += digits[1...]
            }
            output.append(0x65)
            output.append(power < 0 ? 0x2D : 0x2B)
            let magnitude = String(power.magnitude)
            if magnitude.utf8.count < 2 { output.append(0x30) }
            output += magnitude.utf8
        } else if power < 0 {
            output += [0x30, 0x2E]
            output += [UInt8](repeating: 0x30, count: -power - 1)
            output += digits
        } else {
            for place in 0..<max(digits.count, power + 1) {
                if place == power + 1 { output.append(0x2E) }
                output.append(place < digits.count ? digits[place] : 0x30)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    // MARK: Reading

    enum Failure { case syntax, range }

    /// A result of reading, without an error value for each bad row.
    enum Parsed<Number> {
        case value(Number)
        case failure(Failure)
    }

    @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }

    /// The text without white space around it.
    @inline(__always)
    static func trimmed(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var (start, end) = (0, text.count)
        while start < end, isSpace(text[start]) { start += 1 }
        while end > start, isSpace(text[end - 1]) { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: text[start..<end])
    }

    /// An integer in decimal digits with an optional sign and white space around it.
    static func integer(_ text: UnsafeRawBufferPointer) -> Parsed<Int64> {
        let text = trimmed(text)
        var index = 0
        guard text.count > 0 else { return .failure(.syntax) }
        let isNegative = text[0] == 0x2D
        if isNegative || text[0] == 0x2B { index = 1 }
        guard index < text.count else { return .failure(.syntax) }
        var magnitude: UInt64 = 0
        var isTooLarge = false
        while index < text.count {
            let digit = text[index] &- 0x30
            guard digit < 10 else { return .failure(.syntax) }
            let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            isTooLarge = isTooLarge || overflow || carry
            magnitude = sum
            index += 1
        }
        if isNegative {
            if isTooLarge || magnitude > 1 << 63 { return .failure(.range) }
            return .value(0 &- Int64(bitPattern: magnitude))
        }
        if isTooLarge || magnitude > UInt64(Int64.max) { return .failure(.range) }
        return .value(Int64(magnitude))
    }

    /// The parts of a decimal number: sign, digits (without the point), power of ten.
    private struct Digits {
        var isNegative = false
        /// The leading 38 significant digits.
        var magnitude: Int128 = 0
        var exponent = 0
        /// The first digit that did not fit any more, for rounding.
        var nextDigit: UInt8?
        var significant = 0
        /// The exponent is none that any type has.
        var isBeyond = false
    }

    private static func digits(_ text: UnsafeRawBufferPointer) -> Digits? {
        var result = Digits()
        var index = 0
        if index < text.count, text[index] == 0x2D || text[index] == 0x2B {
            result.isNegative = text[index] == 0x2D
            index += 1
        }
        var seen = false
        var behindPoint = false
        while index < text.count {
            let byte = text[index]
            if byte == 0x2E, !behindPoint {
                behindPoint = true
            } else if byte >= 0x30, byte <= 0x39 {
                seen = true
                if result.significant < 38 {
                    result.magnitude = result.magnitude * 10 + Int128(byte - 0x30)
                    if result.magnitude != 0 { result.significant += 1 }
                    if behindPoint { result.exponent -= 1 }
                } else {
                    if result.nextDigit == nil { result.nextDigit = byte - 0x30 }
                    if !behindPoint { result.exponent += 1 }
                }
            } else {
                break
            }
            index += 1
        }
        guard seen else { return nil }
        if index < text.count {
            guard text[index] == 0x65 || text[index] == 0x45 else { return nil }
            let rest = UnsafeRawBufferPointer(rebasing: text[(index + 1)...])
            guard rest.count > 0, !isSpace(rest[0]) else { return nil }
            switch integer(rest) {
            case .value(let power):
                // As far as PostgreSQL reads them; what is behind a hundred thousand digits is all
                // the same.
                result.isBeyond = power.magnitude >= 1 << 30
                result.exponent += Int(min(max(power, -100_000), 100_000))
            case .failure(.range): result.isBeyond = true
            case .failure: return nil
            }
        }
        return result
    }

    /// A number for a `numeric(precision, scale)`, rounded half away from zero.
    package static func decimalValue(_ text: String, scale: Int) -> Int128? {
        var text = text
        return text.withUTF8 {
            if case .value(let value) = decimal(UnsafeRawBufferPointer($0), scale: scale) {
                value
            } else {
                nil
            }
        }
    }

    static func decimal(_ text: UnsafeRawBufferPointer, scale: Int) -> Parsed<Int128> {
        guard let parts = digits(trimmed(text)) else { return .failure(.syntax) }
        if parts.isBeyond { return .failure(.range) }
        let shift = parts.exponent + scale
        var magnitude: Int128
        if parts.magnitude == 0 {
            magnitude = 0
        } else if shift >= 0 {
            guard shift + parts.significant <= DecimalMath.digitsMax else {
                return .failure(.range)
            }
            magnitude = parts.magnitude * DecimalMath.powers[shift]
            if shift == 0, let next = parts.nextDigit, next >= 5 { magnitude += 1 }
        } else {
            magnitude = DecimalMath.divideByPower(parts.magnitude, -shift)
        }
        if DecimalMath.isTooLarge(magnitude) { return .failure(.range) }
        return .value(parts.isNegative ? -magnitude : magnitude)
    }

    /// A double: digits with point and exponent, `NaN`, `Infinity`, `inf`, in any case.
    static func float(_ text: UnsafeRawBufferPointer) -> Parsed<Double> {
        let text = trimmed(text)
        guard let parts = digits(text) else { return special(text) }
        if parts.isBeyond { return .failure(.range) }
        // 53 bits and powers of ten up to 22 are exact, so one operation rounds correctly.
        if parts.nextDigit == nil, parts.magnitude < 1 << 53, abs(parts.exponent) <= 22 {
            let mantissa = Double(Int64(parts.magnitude))
            let power = exactPower(abs(parts.exponent))
            let value = parts.exponent < 0 ? mantissa / power : mantissa * power
            return .value(parts.isNegative ? -value : value)
        }
        guard let value = Double(String(decoding: text, as: UTF8.self)) else {
            return .failure(.syntax)
        }
        if value.isInfinite || (value == 0 && parts.magnitude != 0) { return .failure(.range) }
        return .value(value)
    }

    private static func exactPower(_ exponent: Int) -> Double {
        Double(Int128(DecimalMath.powers[exponent]))
    }

    private static func special(_ text: UnsafeRawBufferPointer) -> Parsed<Double> {
        guard text.count <= 9 else { return .failure(.syntax) }
        switch String(decoding: text, as: UTF8.self).lowercased() {
        case "nan": return .value(.nan)
        case "infinity", "inf", "+infinity", "+inf": return .value(.infinity)
        case "-infinity", "-inf": return .value(-.infinity)
        default: return .failure(.syntax)
        }
    }

    /// `true`, `yes`, `on`, `1` and their opposites, or an unambiguous beginning of them.
    static func boolean(_ text: UnsafeRawBufferPointer) -> Bool? {
        let text = trimmed(text)
        guard text.count > 0, text.count <= 5 else { return nil }
        let word = String(decoding: text, as: UTF8.self).lowercased()
        if word == "1" || word == "on" || "true".hasPrefix(word) || "yes".hasPrefix(word) {
            return true
        }
        if word == "0" || "off".hasPrefix(word) && word != "o" || "false".hasPrefix(word)
            || "no".hasPrefix(word)
        {
            return false
        }
        return nil
    }
}
