// Comparisons of columns of one type. Text compares by its UTF-8 bytes (collation C).

import Base
import Columns

package enum ComparisonOperator: Sendable {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual

    /// Whether the operator holds for operands whose order is `order` (negative: left first).
    @inline(__always)
    func holds(_ order: Int) -> Bool {
        switch self {
        case .equal: order == 0
        case .notEqual: order != 0
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .greater: order > 0
        case .greaterOrEqual: order >= 0
        }
    }

    /// The operator that holds for swapped operands.
    var mirrored: ComparisonOperator {
        switch self {
        case .equal, .notEqual: self
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        }
    }
}

enum ComparisonKernels {
    /// 1 where `left op right`; NULL where either is.
    static func compare(
        _ op: ComparisonOperator, _ left: Vector, _ right: Vector, count: Int
    ) -> Column {
        let valid = Validity.intersection(left.validityFor(count), right.validityFor(count))
        return Column(
            type: .boolean, data: .boolean(flags(op, left, right, count: count)), validity: valid)
    }

    /// `IS [NOT] DISTINCT FROM`: like `<>` and `=`, with NULL a value like others.
    static func distinct(
        _ left: Vector, _ right: Vector, negated: Bool, count: Int
    ) -> Column {
        var values = flags(negated ? .equal : .notEqual, left, right, count: count)
        let (leftValid, rightValid) = (left.validityFor(count), right.validityFor(count))
        if leftValid != nil || rightValid != nil {
            for row in 0..<count {
                let (l, r) = (leftValid?[row] ?? true, rightValid?[row] ?? true)
                if l && r { continue }
                values[row] = (l != r) != negated ? 1 : 0
            }
        }
        return Column(type: .boolean, data: .boolean(values))
    }

    /// The bare results; of NULL rows they mean nothing.
    private static func flags(
        _ op: ComparisonOperator, _ left: Vector, _ right: Vector, count: Int
    ) -> [UInt8] {
        switch left.type {
        case .boolean: ordered(op, left.booleans, right.booleans, count)
        case .int16, .int32, .date: ordered(op, left.int32s, right.int32s, count)
        case .int64, .time, .timestamp, .timestampTZ: ordered(op, left.int64s, right.int64s, count)
        case .float32, .float64: floats(op, left.doubles, right.doubles, count)
        case .decimal: decimals(op, left, right, count)
        case .uuid:
            mapPairs(left.int128s, right.int128s, count: count) {
                let (x, y) = (UInt128(truncatingIfNeeded: $0), UInt128(truncatingIfNeeded: $1))
                return op.holds(x < y ? -1 : x == y ? 0 : 1) ? 1 : 0
            }
        case .interval:
            mapPairs(left.intervals, right.intervals, count: count) {
                let (x, y) = ($0.comparisonMicroseconds, $1.comparisonMicroseconds)
                return op.holds(x < y ? -1 : x == y ? 0 : 1) ? 1 : 0
            }
        case .text, .binary: texts(op, left, right, count)
        case .json, .variant, .list, .structure, .map, .null:
            (0..<count).map { row in
                op.holds(ValueOrder.compare(left.value(row), right.value(row))) ? 1 : 0
            }
        }
    }

    /// One tight loop for each operator; integer comparisons into bytes vectorise.
    @inline(__always)
    private static func ordered<T: Comparable>(
        _ op: ComparisonOperator, _ a: Operand<T>, _ b: Operand<T>, _ count: Int
    ) -> [UInt8] {
        switch op {
        case .equal: mapPairs(a, b, count: count) { $0 == $1 ? 1 : 0 }
        case .notEqual: mapPairs(a, b, count: count) { $0 != $1 ? 1 : 0 }
        case .less: mapPairs(a, b, count: count) { $0 < $1 ? 1 : 0 }
        case .lessOrEqual: mapPairs(a, b, count: count) { $0 <= $1 ? 1 : 0 }
        case .greater: mapPairs(a, b, count: count) { $0 > $1 ? 1 : 0 }
        case .greaterOrEqual: mapPairs(a, b, count: count) { $0 >= $1 ? 1 : 0 }
        }
    }

    /// NaN equals itself and is above all numbers.
    private static func floats(
        _ op: ComparisonOperator, _ a: Operand<Double>, _ b: Operand<Double>, _ count: Int
    ) -> [UInt8] {
        switch op {
        case .equal:
            mapPairs(a, b, count: count) { $0 == $1 || ($0 != $0 && $1 != $1) ? 1 : 0 }
        case .notEqual:
            mapPairs(a, b, count: count) { $0 == $1 || ($0 != $0 && $1 != $1) ? 0 : 1 }
        case .less: mapPairs(a, b, count: count) { $0 < $1 || ($0 == $0 && $1 != $1) ? 1 : 0 }
        case .lessOrEqual: mapPairs(a, b, count: count) { $0 <= $1 || $1 != $1 ? 1 : 0 }
        case .greater: mapPairs(a, b, count: count) { $0 > $1 || ($0 != $0 && $1 == $1) ? 1 : 0 }
        case .greaterOrEqual: mapPairs(a, b, count: count) { $0 >= $1 || $0 != $0 ? 1 : 0 }
        }
    }

    private static func decimals(
        _ op: ComparisonOperator, _ left: Vector, _ right: Vector, _ count: Int
    ) -> [UInt8] {
        let (a, b) = (DecimalKernels.scale(left.type), DecimalKernels.scale(right.type))
        if a == b { return ordered(op, left.int128s, right.int128s, count) }
        return mapPairs(left.int128s, right.int128s, count: count) {
            op.holds(DecimalMath.compare($0, a, $1, b)) ? 1 : 0
        }
    }

    // MARK: Text

    private static func texts(
        _ op: ComparisonOperator, _ left: Vector, _ right: Vector, _ count: Int
    ) -> [UInt8] {
        if let result = dictionary(op, left, right, count) { return result }
        if let result = dictionary(op.mirrored, right, left, count) { return result }
        let (a, b) = (left.texts, right.texts)
        return TextReader.with(a.values) { x in
            TextReader.with(b.values) { y in
                compare(op, x, a.isConstant, y, b.isConstant, count)
            }
        }
    }

    /// Codes against a constant: compare each distinct value once, then look up.
    private static func dictionary(
        _ op: ComparisonOperator, _ left: Vector, _ right: Vector, _ count: Int
    ) -> [UInt8]? {
        guard !left.isConstant, right.isConstant,
            case .dictionary(let codes, let values) = left.column.data, values.count <= count
        else { return nil }
        let constant = right.texts
        let table = TextReader.with(values) { x in
            TextReader.with(constant.values) { y in
                compare(op, x, false, y, true, values.count)
            }
        }
        if table.isEmpty { return [UInt8](repeating: 0, count: count) }
        let last = table.count - 1
        return codes.map { code in table[min(max(Int(code), 0), last)] }
    }

    private static func compare(
        _ op: ComparisonOperator, _ a: TextReader, _ aConstant: Bool, _ b: TextReader,
        _ bConstant: Bool, _ count: Int
    ) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { target, filled in
            let isEquality = op == .equal || op == .notEqual
            for row in 0..<count {
                let (x, y) = (aConstant ? 0 : row, bConstant ? 0 : row)
                let holds =
                    isEquality
                    ? TextReader.isEqual(a, x, b, y) == (op == .equal)
                    : op.holds(TextReader.compare(a, x, b, y))
                target[row] = holds ? 1 : 0
            }
            filled = count
        }
    }
}

extension Interval {
    /// The length that PostgreSQL compares by: a month is 30 days, a day 24 hours.
    var comparisonMicroseconds: Int128 {
        (Int128(months) * 30 + Int128(days)) * 86_400_000_000 + Int128(microseconds)
    }
}
