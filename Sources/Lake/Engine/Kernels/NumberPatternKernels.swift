// to_char and to_number over columns.

import Base
import Columns
import Glibc

enum NumberPatternKernels {
    static func toText(
        _ argument: Vector, _ format: Vector, count: Int
    ) throws(Problem) -> Column {
        var known: NumberPattern?
        return try RowKernels.text([format], beside: [argument], count: count) {
            (rows, row, output) throws(Problem) in
            if known == nil || !format.isConstant {
                known = try NumberPattern(String(decoding: rows[0, row], as: UTF8.self))
            }
            guard let pattern = known else { return }
            let number = Number(argument, row)
            if pattern.isRoman {
                try appendRoman(number, pattern, to: &output)
            } else if pattern.isExponential {
                output += number.exponential(fraction: pattern.fraction).utf8
            } else {
                let (isNegative, text) = try number.plain(
                    shift: pattern.isShifted ? pattern.shift : 0, fraction: pattern.fraction)
                var writer = NumberWriter(pattern, isNegative: isNegative, text)
                output += writer.written()
            }
        }
    }

    private static func appendRoman(
        _ number: Number, _ pattern: NumberPattern, to output: inout [UInt8]
    ) throws(Problem) {
        var text = String(repeating: "#", count: 15)
        if let whole = number.whole {
            if (1...3999).contains(whole) { text = roman(Int(whole)) }
        } else if case .decimal = number {
            throw SQLErrors.outOfRange("integer")
        }
        for element in pattern.elements {
            switch element {
            case .roman(let isLower):
                if pattern.isFilled {
                    output += repeatElement(0x20, count: 15 - text.utf8.count)
                }
                output += (isLower ? text.lowercased() : text).utf8
            case .text(let text): output += text.utf8
            default: break
            }
        }
    }

    private static func roman(_ number: Int) -> String {
        var rest = number
        var text = ""
        for (value, letters) in [
            (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
            (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
        ] {
            while rest >= value {
                text += letters
                rest -= value
            }
        }
        return text
    }

    static func toNumber(
        _ argument: Vector, _ format: Vector, scale: Int, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity([argument, format], count: count)
        var values = [Int128](repeating: 0, count: count)
        var known: NumberPattern?
        try TextRows.with([argument, format]) { (rows) throws(Problem) in
            for row in ValidRows(valid, count) {
                if known == nil || !format.isConstant {
                    known = try NumberPattern(String(decoding: rows[1, row], as: UTF8.self))
                }
                guard let pattern = known else { continue }
                if pattern.isExponential {
                    throw Problem("0A000", "\"EEEE\" not supported for input")
                }
                if pattern.isRoman {
                    throw Problem("0A000", "\"RN\" not supported for input")
                }
                var reader = NumberReader(pattern, rows[0, row])
                let text = reader.read()
                let value = Array(text.utf8).withUnsafeBytes {
                    NumberText.decimal($0, scale: scale)
                }
                switch value {
                case .value(let number):
                    let whole = pattern.whole + pattern.shift
                    guard number.magnitude < DecimalMath.powers[min(38, whole + scale)].magnitude
                    else { throw SQLErrors.fieldOverflow(precision: whole, scale: 0) }
                    values[row] =
                        pattern.isShifted
                        ? DecimalMath.divideByPower(number, pattern.shift) : number
                case .failure(.range): throw SQLErrors.numericOverflow
                case .failure(.syntax): throw SQLErrors.invalidInput("numeric", text)
                }
            }
        }
        return Column(type: type, data: .int128(values), validity: valid)
    }
}

/// A number of any type, as patterns take it.
private enum Number {
    case decimal(Int128, scale: Int)
    case float(Double, digitsMax: Int)

    init(_ vector: Vector, _ row: Int) {
        switch vector.value(row) {
        case .int(let value): self = .decimal(Int128(value), scale: 0)
        case .decimal(let unscaled, let scale): self = .decimal(unscaled, scale: scale)
        case .float(let value):
            self = .float(value, digitsMax: vector.type == .float32 ? 6 : 15)
        default: self = .decimal(0, scale: 0)
        }
    }

    /// The nearest whole number, if an Int32 holds it.
    var whole: Int32? {
        switch self {
        case .decimal(let value, let scale):
            Int32(exactly: DecimalMath.divideByPower(value, scale))
        case .float(let value, _): Int32(exactly: value.rounded(.toNearestOrEven))
        }
    }

    /// The absolute value times 10^shift with exactly `fraction` digits behind the point.
    func plain(shift: Int, fraction: Int) throws(Problem) -> (Bool, [UInt8]) {
        switch self {
        case .decimal(let value, let scale):
            // Zeros are added as text: 38 digits are no limit for a pattern.
            let kept = min(scale, fraction + shift)
            let rounded = DecimalMath.divideByPower(value, scale - kept)
            var digits = Array(String(rounded.magnitude).utf8)
            let zeros = fraction + shift - kept
            if rounded != 0 { digits += repeatElement(0x30, count: zeros) }
            if digits.count <= fraction {
                digits.insert(
                    contentsOf: repeatElement(0x30, count: fraction + 1 - digits.count), at: 0)
            }
            if fraction > 0 { digits.insert(0x2E, at: digits.count - fraction) }
            return (rounded < 0, digits)
        case .float(let value, let digitsMax):
            var scaled = value
            for _ in 0..<shift { scaled *= 10 }
            var text = Self.text(abs(scaled), fraction: 0)
            let room = max(0, digitsMax - text.utf8.count)
            text = Self.text(abs(scaled), fraction: min(fraction, room))
            return (scaled < 0, Array(text.utf8))
        }
    }

    func exponential(fraction: Int) -> String {
        switch self {
        case .float(let value, _):
            guard value.isFinite else {
                return " " + String(repeating: "#", count: 1) + "."
                    + String(repeating: "#", count: fraction + 4)
            }
            let text = Self.formatted("%.*e", fraction, abs(value))
            return (value.sign == .minus ? "-" : " ") + text
        case .decimal(let value, let scale):
            var digits = Array(String(value.magnitude).utf8)
            var exponent = value == 0 ? 0 : digits.count - 1 - scale
            if digits.count > fraction + 1 {
                let cut = digits.count - fraction - 1
                digits = Array(
                    String(DecimalMath.divideByPower(Int128(value.magnitude), cut)).utf8)
                if digits.count > fraction + 1 {
                    exponent += 1
                    digits.removeLast()
                }
            }
            digits += repeatElement(0x30, count: max(0, fraction + 1 - digits.count))
            if fraction > 0 { digits.insert(0x2E, at: 1) }
            let power = String(exponent.magnitude)
            return (value < 0 ? "-" : " ") + String(decoding: digits, as: UTF8.self)
                + (exponent < 0 ? "e-" : "e+") + (power.utf8.count < 2 ? "0" : "") + power
        }
    }

    private static func text(_ value: Double, fraction: Int) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return "Infinity" }
        return formatted("%.*f", fraction, value)
    }

    private static func formatted(_ format: String, _ fraction: Int, _ value: Double) -> String {
        // 309 digits before the point are all that a double can have.
        var buffer = [CChar](repeating: 0, count: fraction + 330)
        let length = withVaList([Int32(truncatingIfNeeded: fraction), value]) {
            vsnprintf(&buffer, buffer.count, format, $0)
        }
        return String(
            decoding: buffer.prefix(max(0, Int(length))).map { UInt8(bitPattern: $0) },
            as: UTF8.self)
    }
}
