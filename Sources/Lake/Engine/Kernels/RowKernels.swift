// Loops for functions whose work on a row outweighs what a vectorised loop could save.

import Base
import Columns

enum RowKernels {
    /// A number from each row in which no argument is NULL. NULL rows get `zero`.
    @inline(__always)
    static func map<T>(
        _ arguments: [Vector], count: Int, zero: T, _ body: (Int) throws(Problem) -> T
    ) throws(Problem) -> (values: [T], valid: Validity?) {
        let valid = TextKernels.strictValidity(arguments, count: count)
        var values = [T](repeating: zero, count: count)
        for row in ValidRows(valid, count) { values[row] = try body(row) }
        return (values, valid)
    }

    static func booleans(
        _ arguments: [Vector], count: Int, _ body: (Int) throws(Problem) -> Bool
    ) throws(Problem) -> Column {
        let (values, valid) = try map(arguments, count: count, zero: UInt8(0)) {
            (row) throws(Problem) in try body(row) ? 1 : 0
        }
        return Column(type: .boolean, data: .boolean(values), validity: valid)
    }

    static func int32s(
        _ arguments: [Vector], count: Int, _ body: (Int) throws(Problem) -> Int32
    ) throws(Problem) -> Column {
        let (values, valid) = try map(arguments, count: count, zero: Int32(0), body)
        return Column(type: .int32, data: .int32(values), validity: valid)
    }

    /// Moments of `type`.
    static func int64s(
        _ arguments: [Vector], type: ColumnType, count: Int,
        _ body: (Int) throws(Problem) -> Int64
    ) throws(Problem) -> Column {
        let (values, valid) = try map(arguments, count: count, zero: Int64(0), body)
        return Column(type: type, data: .int64(values), validity: valid)
    }

    static func intervals(
        _ arguments: [Vector], count: Int, _ body: (Int) throws(Problem) -> Interval
    ) throws(Problem) -> Column {
        let (values, valid) = try map(arguments, count: count, zero: Interval(), body)
        return Column(type: .interval, data: .interval(values), validity: valid)
    }

    /// Values of any type, NULL where an argument is.
    static func values(
        _ arguments: [Vector], type: ColumnType, count: Int,
        _ body: (Int) throws(Problem) -> Value
    ) throws(Problem) -> Column {
        let (values, _) = try map(arguments, count: count, zero: Value.null, body)
        return Column(type, values)
    }

    /// Texts of `texts`, beside arguments of other types.
    @inline(__always)
    static func text(
        _ texts: [Vector], beside others: [Vector] = [], type: ColumnType = .text, count: Int,
        _ body: (TextRows, Int, inout [UInt8]) throws(Problem) -> Void
    ) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity(texts + others, count: count)
        return try TextKernels.build(texts, valid: valid, count: count, body).relabeled(type)
    }
}
