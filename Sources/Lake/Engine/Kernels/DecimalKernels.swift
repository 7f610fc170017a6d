import Base
import Columns

/// Operations on numeric columns. The types say how many digits stand behind the point; results
/// are rounded half away from zero to the scale of the result's type.
enum DecimalKernels {
    static func scale(_ type: ColumnType) -> Int {
        if case .decimal(_, let scale) = type { scale } else { 0 }
    }

    static func precision(_ type: ColumnType) -> Int {
        if case .decimal(let precision, _) = type { precision } else { DecimalMath.digitsMax }
    }

    static func arithmetic(
        _ op: ArithmeticOperator, _ left: Vector, _ right: Vector, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let valid = Validity.intersection(left.validityFor(count), right.validityFor(count))
        let (a, b) = (left.int128s, right.int128s)
        let (leftScale, rightScale) = (scale(left.type), scale(right.type))
        let resultScale = scale(type)
        if let values = narrow(op, a, b, (leftScale, rightScale, resultScale), count: count) {
            return Column(type: type, data: .int128(values), validity: valid)
        }
        var values = [Int128](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            let (x, y) = (a.at(row), b.at(row))
            let result: Int128?
            switch op {
            case .add, .subtract:
                result = sum(
                    x, leftScale, op == .add ? y : 0 &- y, rightScale, resultScale)
            case .multiply:
                result = DecimalMath.multiply(
                    x, y, exactScale: leftScale + rightScale, scale: resultScale)
            case .divide:
                if y == 0 { throw SQLErrors.divisionByZero }
                result = DecimalMath.divide(
                    x, scale: leftScale, by: y, scale: rightScale, resultScale: resultScale)
            case .modulo:
                if y == 0 { throw SQLErrors.divisionByZero }
                let common = max(leftScale, rightScale)
                let dividend = DecimalMath.rescale(x, from: leftScale, to: common)
                let divisor = DecimalMath.rescale(y, from: rightScale, to: common)
                guard let dividend, let divisor else { throw SQLErrors.numericOverflow }
                let rest = dividend.remainderReportingOverflow(dividingBy: divisor)
                result = DecimalMath.rescale(rest.partialValue, from: common, to: resultScale)
            }
            guard let result else { throw SQLErrors.numericOverflow }
            values[row] = result
        }
        return Column(type: type, data: .int128(values), validity: valid)
    }

    /// The results when all operands fit 64 bits and no digit is lost: then nothing can overflow, and
    /// the loops have no branch. Nil when that is not so.
    private static func narrow(
        _ op: ArithmeticOperator, _ a: Operand<Int128>, _ b: Operand<Int128>,
        _ scales: (left: Int, right: Int, result: Int), count: Int
    ) -> [Int128]? {
        // Bits beyond the sign of 64: none in numbers that fit.
        var excess: UInt64 = 0
        @inline(__always)
        func low(_ value: Int128) -> Int64 {
            let low = Int64(truncatingIfNeeded: value)
            excess |= UInt64(truncatingIfNeeded: value >> 64) ^ UInt64(bitPattern: low >> 63)
            return low
        }
        @inline(__always)
        func product(_ x: Int64, _ y: Int64) -> Int128 { Int128(x) &* Int128(y) }
        let values: [Int128]
        switch op {
        case .multiply where scales.left + scales.right == scales.result:
            // Less than 2^126, which has 38 digits.
            values = mapPairs(a, b, count: count) { x, y in product(low(x), low(y)) }
        case .add, .subtract:
            let (up, upRight) = (scales.result - scales.left, scales.result - scales.right)
            // 10^18 times 64 bits, twice, has 38 digits.
            guard (0...18).contains(up), (0...18).contains(upRight) else { return nil }
            let factor = Int64(DecimalMath.powers[up])
            let sign: Int64 = op == .add ? 1 : -1
            let factorRight = Int64(DecimalMath.powers[upRight]) * sign
            values = mapPairs(a, b, count: count) { x, y in
                product(low(x), factor) &+ product(low(y), factorRight)
            }
        default: return nil
        }
        return excess == 0 ? values : nil
    }

    private static func sum(
        _ x: Int128, _ xScale: Int, _ y: Int128, _ yScale: Int, _ resultScale: Int
    ) -> Int128? {
        let common = max(xScale, yScale)
        guard let a = DecimalMath.rescale(x, from: xScale, to: common),
            let b = DecimalMath.rescale(y, from: yScale, to: common)
        else { return nil }
        let (total, overflow) = a.addingReportingOverflow(b)
        guard !overflow, let result = DecimalMath.rescale(total, from: common, to: resultScale),
            !DecimalMath.isTooLarge(result)
        else { return nil }
        return result
    }

    enum Unary { case negate, absolute, sign, ceiling, floor }

    static func unary(
        _ function: Unary, _ argument: Vector, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let valid = argument.validityFor(count)
        let source = argument.int128s
        let (from, to) = (scale(argument.type), scale(type))
        let unit = DecimalMath.powers[min(from, DecimalMath.digitsMax)]
        var values = [Int128](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            let x = source.at(row)
            let result: Int128?
            switch function {
            case .negate: result = DecimalMath.rescale(0 &- x, from: from, to: to)
            case .absolute: result = DecimalMath.rescale(x < 0 ? 0 &- x : x, from: from, to: to)
            case .sign: result = DecimalMath.rescale(Int128(x.signum()), from: 0, to: to)
            case .ceiling, .floor:
                let (whole, rest) = x.quotientAndRemainder(dividingBy: unit)
                let step: Int128 =
                    function == .ceiling ? (rest > 0 ? 1 : 0) : (rest < 0 ? -1 : 0)
                result = DecimalMath.rescale(whole + step, from: 0, to: to)
            }
            guard let result else { throw SQLErrors.numericOverflow }
            values[row] = result
        }
        return Column(type: type, data: .int128(values), validity: valid)
    }

    /// `round(x, digits)` and `trunc(x, digits)`, with negative digits in front of the point. The
    /// result keeps the scale of `type`.
    static func round(
        _ argument: Vector, _ digits: Vector, truncating: Bool, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let valid = Validity.intersection(argument.validityFor(count), digits.validityFor(count))
        let (source, places) = (argument.int128s, digits.wideIntegers)
        let (from, to) = (scale(argument.type), scale(type))
        var values = [Int128](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            let cut = from - Int(max(-100, min(100, places.at(row))))
            var x = source.at(row)
            if cut > DecimalMath.digitsMax {
                x = 0
            } else if cut > 0 {
                let shortened =
                    truncating
                    ? x / DecimalMath.powers[cut] : DecimalMath.divideByPower(x, cut)
                let (scaled, overflow) = shortened.multipliedReportingOverflow(
                    by: DecimalMath.powers[cut])
                if overflow { throw SQLErrors.numericOverflow }
                x = scaled
            }
            guard let result = DecimalMath.rescale(x, from: from, to: to),
                !DecimalMath.isTooLarge(result)
            else { throw SQLErrors.numericOverflow }
            values[row] = result
        }
        return Column(type: type, data: .int128(values), validity: valid)
    }

    /// The same numbers in a column of another precision and scale.
    static func rescale(
        _ argument: Vector, to type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let valid = argument.validityFor(count)
        let source = argument.int128s
        let (from, to) = (scale(argument.type), scale(type))
        let digits = precision(type)
        let bound = DecimalMath.powers[min(digits, DecimalMath.digitsMax)]
        if from == to, precision(argument.type) <= digits {
            return Column(
                type: type, data: .int128(mapRows(source, count: count) { $0 }), validity: valid)
        }
        var values = [Int128](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            guard let result = DecimalMath.rescale(source.at(row), from: from, to: to),
                result < bound, result > -bound
            else { throw SQLErrors.fieldOverflow(precision: digits, scale: to) }
            values[row] = result
        }
        return Column(type: type, data: .int128(values), validity: valid)
    }
}
