// Three-valued logic over boolean columns, and selections.

import Base
import Columns

enum LogicKernels {
    static func not(_ argument: Vector, count: Int) -> Column {
        Column(
            type: .boolean, data: .boolean(mapRows(argument.booleans, count: count) { $0 ^ 1 }),
            validity: argument.validityFor(count))
    }

    /// false AND NULL is false; true AND NULL is NULL.
    static func and(_ left: Vector, _ right: Vector, count: Int) -> Column {
        let (a, b) = (left.booleans, right.booleans)
        let (av, bv) = (left.validityFor(count), right.validityFor(count))
        if av == nil, bv == nil {
            return Column(
                type: .boolean, data: .boolean(mapPairs(a, b, count: count) { $0 & $1 }))
        }
        var values = [UInt8](repeating: 0, count: count)
        var valid = Validity(repeating: false, count: count)
        for row in 0..<count {
            let (x, y) = (a.at(row), b.at(row))
            let (xValid, yValid) = (av?[row] ?? true, bv?[row] ?? true)
            let isFalse = (xValid && x == 0) || (yValid && y == 0)
            values[row] = isFalse ? 0 : 1
            if isFalse || (xValid && yValid) { valid.set(row, true) }
        }
        return Column(type: .boolean, data: .boolean(values), validity: valid)
    }

    /// true OR NULL is true; false OR NULL is NULL.
    static func or(_ left: Vector, _ right: Vector, count: Int) -> Column {
        let (a, b) = (left.booleans, right.booleans)
        let (av, bv) = (left.validityFor(count), right.validityFor(count))
        if av == nil, bv == nil {
            return Column(
                type: .boolean, data: .boolean(mapPairs(a, b, count: count) { $0 | $1 }))
        }
        var values = [UInt8](repeating: 0, count: count)
        var valid = Validity(repeating: false, count: count)
        for row in 0..<count {
            let (x, y) = (a.at(row), b.at(row))
            let (xValid, yValid) = (av?[row] ?? true, bv?[row] ?? true)
            let isTrue = (xValid && x == 1) || (yValid && y == 1)
            values[row] = isTrue ? 1 : 0
            if isTrue || (xValid && yValid) { valid.set(row, true) }
        }
        return Column(type: .boolean, data: .boolean(values), validity: valid)
    }

    /// `IS NULL`, `IS NOT NULL`
    static func isNull(_ argument: Vector, negated: Bool, count: Int) -> Column {
        let (forNull, forValue): (UInt8, UInt8) = negated ? (0, 1) : (1, 0)
        guard let valid = argument.validityFor(count) else {
            return Column(
                type: .boolean, data: .boolean([UInt8](repeating: forValue, count: count)))
        }
        let values = (0..<count).map { valid[$0] ? forValue : forNull }
        return Column(type: .boolean, data: .boolean(values))
    }

    /// `IS [NOT] TRUE`, `IS [NOT] FALSE`: never NULL.
    static func isTruth(
        _ argument: Vector, _ truth: Bool, negated: Bool, count: Int
    ) -> Column {
        let source = argument.booleans
        let valid = argument.validityFor(count)
        let wanted: UInt8 = truth ? 1 : 0
        let values: [UInt8] = (0..<count).map { row in
            let holds = (valid?[row] ?? true) && source.at(row) == wanted
            return holds != negated ? 1 : 0
        }
        return Column(type: .boolean, data: .boolean(values))
    }

    /// The rows where a condition is true; NULL counts as false.
    package static func selectedRows(_ condition: Vector) -> [Int32] {
        let count = condition.count
        if condition.isConstant {
            let holds = !condition.column.isNull(0) && condition.booleans.at(0) == 1
            return holds ? (0..<Int32(count)).map { $0 } : []
        }
        let valid = condition.column.fullValidity
        return condition.booleans.values.withUnsafeBufferPointer { flags in
            // Branch-free: every row writes its number, and only selected ones move the cursor.
            [Int32](unsafeUninitializedCapacity: count + 1) { target, filled in
                var cursor = 0
                if let valid {
                    for row in 0..<count {
                        target[cursor] = Int32(truncatingIfNeeded: row)
                        cursor &+= Int(flags[row] & 1) & (valid[row] ? 1 : 0)
                    }
                } else {
                    for row in 0..<count {
                        target[cursor] = Int32(truncatingIfNeeded: row)
                        cursor &+= Int(flags[row] & 1)
                    }
                }
                filled = cursor
            }
        }
    }
}
