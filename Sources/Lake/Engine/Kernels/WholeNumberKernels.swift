// Functions of whole numbers: divisors, factorials, bits, buckets of histograms.

import Base
import Columns
import SQL

enum WholeNumberKernels {
    static func apply(
        _ function: ScalarFunction, _ arguments: [Vector], type: ColumnType, count: Int
    ) throws(Problem) -> Column? {
        switch function {
        case .greatestDivisor, .leastMultiple:
            return try divisors(function, arguments, type: type, count: count)
        case .factorial: return try factorial(arguments, type: type, count: count)
        case .bitAnd, .bitOr, .bitXor, .bitNot, .shiftLeft, .shiftRight:
            return bits(function, arguments, type: type, count: count)
        case .widthBucket: return try bucket(arguments, count: count)
        case .widthBucketOfList: return try bucketOfList(arguments, count: count)
        case .minimalScale:
            let source = arguments[0].int128s
            guard case .decimal(_, let scale) = arguments[0].type else { return nil }
            return try RowKernels.int32s(arguments, count: count) { row in
                var (rest, needed) = (source.at(row), scale)
                while needed > 0, rest % 10 == 0 {
                    rest /= 10
                    needed -= 1
                }
                return Int32(needed)
            }
        default: return nil
        }
    }

    // MARK: Divisors

    private static func divisors(
        _ function: ScalarFunction, _ arguments: [Vector], type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let isMultiple = function == .leastMultiple
        if case .decimal(let precision, let scale) = type {
            // Both sides have the scale of the result.
            let (a, b) = (arguments[0].int128s, arguments[1].int128s)
            let (values, valid) = try RowKernels.map(arguments, count: count, zero: Int128(0)) {
                (row) throws(Problem) in
                let result = value(a.at(row).magnitude, b.at(row).magnitude, isMultiple)
                guard let result, result < DecimalMath.powers[precision].magnitude else {
                    throw SQLErrors.fieldOverflow(precision: precision, scale: scale)
                }
                return Int128(result)
            }
            return Column(type: type, data: .int128(values), validity: valid)
        }
        let (a, b) = (arguments[0].wideIntegers, arguments[1].wideIntegers)
        let limit: UInt128 = type == .int64 ? UInt128(Int64.max) : UInt128(Int32.max)
        let (values, valid) = try RowKernels.map(arguments, count: count, zero: Int64(0)) {
            (row) throws(Problem) in
            let (x, y) = (UInt128(a.at(row).magnitude), UInt128(b.at(row).magnitude))
            guard let result = value(x, y, isMultiple), result <= limit else {
                throw SQLErrors.outOfRange(type.sqlName)
            }
            return Int64(result)
        }
        let data: ColumnData =
            type == .int64
            ? .int64(values) : .int32(values.map { Int32(truncatingIfNeeded: $0) })
        return Column(type: type, data: data, validity: valid)
    }

    private static func value(_ a: UInt128, _ b: UInt128, _ isMultiple: Bool) -> UInt128? {
        var (x, y) = (a, b)
        while y != 0 { (x, y) = (y, x % y) }
        guard isMultiple else { return x }
        if a == 0 || b == 0 { return 0 }
        let (product, overflow) = (a / x).multipliedReportingOverflow(by: b)
        return overflow ? nil : product
    }

    private static func factorial(
        _ arguments: [Vector], type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let numbers = arguments[0].wideIntegers
        let (values, valid) = try RowKernels.map(arguments, count: count, zero: Int128(0)) {
            (row) throws(Problem) in
            let number = numbers.at(row)
            if number < 0 {
                throw Problem("22003", "factorial of a negative number is undefined")
            }
            // 34! has 39 digits.
            guard number <= 33 else { throw SQLErrors.numericOverflow }
            var result: Int128 = 1
            for factor in stride(from: Int128(2), through: Int128(number), by: 1) {
                result *= factor
            }
            return result
        }
        return Column(type: type, data: .int128(values), validity: valid)
    }

    // MARK: Bits

    private static func bits(
        _ function: ScalarFunction, _ arguments: [Vector], type: ColumnType, count: Int
    ) -> Column {
        let valid = TextKernels.strictValidity(arguments, count: count)
        if type == .int64 {
            let a = arguments[0].int64s
            let values: [Int64]
            switch function {
            case .bitNot: values = mapRows(a, count: count) { ~$0 }
            case .shiftLeft:
                values = mapPairs(a, arguments[1].int32s, count: count) { $0 &<< Int64($1) }
            case .shiftRight:
                values = mapPairs(a, arguments[1].int32s, count: count) { $0 &>> Int64($1) }
            case .bitAnd: values = mapPairs(a, arguments[1].int64s, count: count) { $0 & $1 }
            case .bitOr: values = mapPairs(a, arguments[1].int64s, count: count) { $0 | $1 }
            default: values = mapPairs(a, arguments[1].int64s, count: count) { $0 ^ $1 }
            }
            return Column(type: type, data: .int64(values), validity: valid)
        }
        let a = arguments[0].int32s
        var values: [Int32]
        switch function {
        case .bitNot: values = mapRows(a, count: count) { ~$0 }
        case .shiftLeft:
            values = mapPairs(a, arguments[1].int32s, count: count) { $0 &<< $1 }
        case .shiftRight:
            values = mapPairs(a, arguments[1].int32s, count: count) { $0 &>> $1 }
        case .bitAnd: values = mapPairs(a, arguments[1].int32s, count: count) { $0 & $1 }
        case .bitOr: values = mapPairs(a, arguments[1].int32s, count: count) { $0 | $1 }
        default: values = mapPairs(a, arguments[1].int32s, count: count) { $0 ^ $1 }
        }
        if type == .int16 { values = values.map { Int32(Int16(truncatingIfNeeded: $0)) } }
        return Column(type: type, data: .int32(values), validity: valid)
    }

    // MARK: Buckets

    private static func bucket(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        let (operands, lows, highs) = (
            arguments[0].doubles, arguments[1].doubles, arguments[2].doubles
        )
        let counts = arguments[3].int32s
        return try RowKernels.int32s(arguments, count: count) { (row) throws(Problem) in
            let (operand, low, high) = (operands.at(row), lows.at(row), highs.at(row))
            let buckets = counts.at(row)
            func refuse(_ message: String) -> Problem { Problem("2201G", message) }
            if buckets <= 0 { throw refuse("count must be greater than zero") }
            if operand.isNaN || low.isNaN || high.isNaN {
                throw refuse("operand, lower bound, and upper bound cannot be NaN")
            }
            if low.isInfinite || high.isInfinite {
                throw refuse("lower and upper bounds must be finite")
            }
            if low == high { throw refuse("lower bound cannot equal upper bound") }
            let isRising = low < high
            if isRising ? operand < low : operand > low { return 0 }
            if isRising ? operand >= high : operand <= high {
                guard buckets < .max else { throw SQLErrors.outOfRange("integer") }
                return buckets + 1
            }
            // Halves keep the difference of huge bounds finite.
            let share = (operand / 2 - low / 2) / (high / 2 - low / 2)
            return min(buckets, Int32(Double(buckets) * share) + 1)
        }
    }

    /// The number of thresholds that are not above the value; they are sorted.
    private static func bucketOfList(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        try RowKernels.int32s(arguments, count: count) { (row) throws(Problem) in
            guard case .list(let thresholds) = arguments[1].value(row) else { return 0 }
            if thresholds.contains(.null) {
                throw Problem("22004", "thresholds array must not contain NULLs")
            }
            let value = arguments[0].value(row)
            var (low, high) = (0, thresholds.count)
            while low < high {
                let middle = (low + high) / 2
                if ValueOrder.compare(thresholds[middle], value) <= 0 {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            return Int32(low)
        }
    }
}
