// What flows between kernels: a column, or one value that stands for all rows of a batch.

import Base
import Columns

/// A column of `count` rows, or a constant: one row that stands for all of them, so that literals
/// are never written out row by row.
package struct Vector: Sendable {
    /// Of a constant: exactly one row.
    package var column: Column
    package var isConstant: Bool
    package var count: Int

    package init(_ column: Column) {
        self.column = column
        isConstant = false
        count = column.count
    }

    package init(constant value: Value, type: ColumnType, count: Int) {
        self.init(constant: Column(type, [value]), count: count)
    }

    /// The single row of `column` for each of `count` rows.
    package init(constant column: Column, count: Int) {
        precondition(column.count == 1, "a constant has one row")
        self.column = column
        isConstant = true
        self.count = count
    }

    package var type: ColumnType { column.type }

    /// True when every row is NULL because the constant is.
    package var isConstantNull: Bool { isConstant && column.isNull(0) }

    /// The vector with a row for each row.
    package var materialized: Column {
        isConstant ? column.gather([Int32](repeating: 0, count: count)) : column
    }

    package func isNull(_ row: Int) -> Bool { column.isNull(isConstant ? 0 : row) }

    package func value(_ row: Int) -> Value { column.value(isConstant ? 0 : row) }

    package func gather(_ rows: [Int32]) -> Vector {
        isConstant
            ? Vector(constant: column, count: rows.count) : Vector(column.gather(rows))
    }

    /// Which of the `count` rows are not NULL; nil when all are.
    package var validity: Validity? {
        guard isConstant else { return column.fullValidity }
        return column.isNull(0) ? Validity(repeating: false, count: count) : nil
    }
}

extension Column {
    /// The validity, also for columns that are nothing but NULL.
    package var fullValidity: Validity? {
        if case .null(let count) = data { return Validity(repeating: false, count: count) }
        return validity
    }

    /// `count` times NULL, in the layout of `type`.
    package static func nulls(_ type: ColumnType, count: Int) -> Column {
        Column(type: type, data: .null(count: count))
    }

    /// The same rows under the name of another type of the same layout.
    func relabeled(_ type: ColumnType) -> Column {
        Column(type: type, data: data, validity: validity)
    }
}

// MARK: Typed access

/// One side of a kernel: the values of a vector in their physical type.
struct Operand<T> {
    let values: [T]
    let isConstant: Bool

    /// The value of `row`, for slow paths.
    func at(_ row: Int) -> T { values[isConstant ? 0 : row] }
}

extension Vector {
    private func operand<T>(_ pick: (ColumnData) -> [T]?, zero: T) -> Operand<T> {
        if case .null(let count) = column.data {
            return Operand(values: [T](repeating: zero, count: count), isConstant: isConstant)
        }
        guard let values = pick(column.data) else {
            preconditionFailure("\(column.type) has not the layout of \(T.self)")
        }
        return Operand(values: values, isConstant: isConstant)
    }

    var booleans: Operand<UInt8> {
        operand({ if case .boolean(let values) = $0 { values } else { nil } }, zero: 0)
    }
    var int32s: Operand<Int32> {
        operand({ if case .int32(let values) = $0 { values } else { nil } }, zero: 0)
    }
    var int64s: Operand<Int64> {
        operand({ if case .int64(let values) = $0 { values } else { nil } }, zero: 0)
    }
    var doubles: Operand<Double> {
        operand({ if case .float64(let values) = $0 { values } else { nil } }, zero: 0)
    }
    var int128s: Operand<Int128> {
        operand({ if case .int128(let values) = $0 { values } else { nil } }, zero: 0)
    }
    var intervals: Operand<Interval> {
        operand(
            { if case .interval(let values) = $0 { values } else { nil } }, zero: Interval())
    }

    /// Texts with dictionary codes resolved.
    var texts: TextOperand {
        switch column.data {
        case .text(let values): TextOperand(values: values, isConstant: isConstant)
        case .dictionary:
            if case .text(let values) = column.flattened.data {
                TextOperand(values: values, isConstant: isConstant)
            } else {
                preconditionFailure("a flattened column has no codes")
            }
        case .null(let count):
            TextOperand(
                values: TextColumn(views: [TextView](repeating: .empty, count: count)),
                isConstant: isConstant)
        default: preconditionFailure("\(column.type) has not the layout of text")
        }
    }

    /// Integers of any width as 64 bits, for functions that take counts and positions.
    var wideIntegers: Operand<Int64> {
        switch column.data {
        case .int32(let values):
            Operand(values: values.map { Int64($0) }, isConstant: isConstant)
        default: int64s
        }
    }
}

/// One side of a kernel over texts.
struct TextOperand {
    let values: TextColumn
    let isConstant: Bool
}

// MARK: Loops

/// `op` of each value. `op` is inlined, so the loop is as if written by hand.
@inline(__always)
func mapRows<A, R>(_ a: Operand<A>, count: Int, _ op: (A) -> R) -> [R] {
    [R](unsafeUninitializedCapacity: count) { target, filled in
        a.values.withUnsafeBufferPointer { source in
            for row in 0..<count {
                (target.baseAddress! + row).initialize(to: op(source[row]))
            }
        }
        filled = count
    }
}

/// `op` of each pair, where either side may be a constant. One loop for each of the three forms,
/// so that the compiler can vectorise each.
@inline(__always)
func mapPairs<A, B, R>(
    _ a: Operand<A>, _ b: Operand<B>, count: Int, _ op: (A, B) -> R
) -> [R] {
    [R](unsafeUninitializedCapacity: count) { target, filled in
        a.values.withUnsafeBufferPointer { left in
            b.values.withUnsafeBufferPointer { right in
                if count > 0, let out = target.baseAddress {
                    if a.isConstant, b.isConstant {
                        let result = op(left[0], right[0])
                        for row in 0..<count { (out + row).initialize(to: result) }
                    } else if b.isConstant {
                        let fixed = right[0]
                        for row in 0..<count { (out + row).initialize(to: op(left[row], fixed)) }
                    } else if a.isConstant {
                        let fixed = left[0]
                        for row in 0..<count { (out + row).initialize(to: op(fixed, right[row])) }
                    } else {
                        for row in 0..<count {
                            (out + row).initialize(to: op(left[row], right[row]))
                        }
                    }
                }
            }
        }
        filled = count
    }
}

/// The first row among `count` that is valid and for which `fault` holds. Kernels compute all rows
/// blindly and collect one flag; only when the flag is up do they ask which row it was, since a
/// NULL row may hold anything.
@inline(__always)
func firstRow(count: Int, valid: Validity?, where fault: (Int) -> Bool) -> Int? {
    for row in ValidRows(valid, count) {
        if fault(row) { return row }
    }
    return nil
}
