// Arithmetic on smallint, integer and bigint. The loops compute every row and collect overflow in
// one word that is looked at once a batch; the exact check runs only when that word is not zero.

import Base
import Columns

package enum ArithmeticOperator: Sendable {
    case add, subtract, multiply, divide, modulo
}

enum IntegerKernels {
    /// `left op right` for integers of the same type, which is also the result's.
    static func arithmetic(
        _ op: ArithmeticOperator, _ left: Vector, _ right: Vector, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let valid = Validity.intersection(left.validityFor(count), right.validityFor(count))
        if case .int64 = type {
            let (values, fault) = int64(op, left.int64s, right.int64s, count: count)
            if fault != 0 {
                let (a, b) = (left.int64s, right.int64s)
                for row in ValidRows(valid, count) {
                    if let problem = fault64(op, a.at(row), b.at(row)) { throw problem }
                }
            }
            return Column(type: type, data: .int64(values), validity: valid)
        }
        let isSmall = type == .int16
        let (values, fault) = int32(op, left.int32s, right.int32s, isSmall, count: count)
        if fault != 0 {
            let (a, b) = (left.int32s, right.int32s)
            for row in ValidRows(valid, count) {
                let problem = fault32(op, Int64(a.at(row)), Int64(b.at(row)), isSmall)
                if let problem { throw problem }
            }
        }
        return Column(type: type, data: .int32(values), validity: valid)
    }

    private static func int64(
        _ op: ArithmeticOperator, _ a: Operand<Int64>, _ b: Operand<Int64>, count: Int
    ) -> ([Int64], fault: Int64) {
        var fault: Int64 = 0
        let values: [Int64]
        switch op {
        case .add:
            // Overflow: both operands differ in sign from the sum.
            values = mapPairs(a, b, count: count) { x, y in
                let sum = x &+ y
                fault |= (x ^ sum) & (y ^ sum)
                return sum
            }
            fault = fault < 0 ? 1 : 0
        case .subtract:
            values = mapPairs(a, b, count: count) { x, y in
                let difference = x &- y
                fault |= (x ^ y) & (x ^ difference)
                return difference
            }
            fault = fault < 0 ? 1 : 0
        case .multiply:
            values = mapPairs(a, b, count: count) { x, y in
                let (product, overflow) = x.multipliedReportingOverflow(by: y)
                fault |= overflow ? 1 : 0
                return product
            }
        case .divide:
            values = mapPairs(a, b, count: count) { x, y in
                let (quotient, overflow) = x.dividedReportingOverflow(by: y)
                fault |= overflow ? 1 : 0
                return quotient
            }
        case .modulo:
            values = mapPairs(a, b, count: count) { x, y in
                if y == -1 { return 0 }
                let (rest, overflow) = x.remainderReportingOverflow(dividingBy: y)
                fault |= overflow ? 1 : 0
                return rest
            }
        }
        return (values, fault)
    }

    private static func int32(
        _ op: ArithmeticOperator, _ a: Operand<Int32>, _ b: Operand<Int32>, _ isSmall: Bool,
        count: Int
    ) -> ([Int32], fault: Int64) {
        var fault: Int64 = 0
        @inline(__always) func narrow(_ wide: Int64) -> Int32 {
            let result = Int32(truncatingIfNeeded: wide)
            fault |= wide ^ Int64(result)
            return result
        }
        @inline(__always) func narrow16(_ wide: Int64) -> Int32 {
            let result = Int16(truncatingIfNeeded: wide)
            fault |= wide ^ Int64(result)
            return Int32(result)
        }
        @inline(__always) func quotient(_ x: Int32, _ y: Int32) -> Int64 {
            if y == 0 {
                fault = 1
                return 0
            }
            return Int64(x) / Int64(y)
        }
        @inline(__always) func rest(_ x: Int32, _ y: Int32) -> Int64 {
            if y == 0 {
                fault = 1
                return 0
            }
            return Int64(x) % Int64(y)
        }
        let values: [Int32] =
            switch (op, isSmall) {
            case (.add, false): mapPairs(a, b, count: count) { narrow(Int64($0) &+ Int64($1)) }
            case (.add, true): mapPairs(a, b, count: count) { narrow16(Int64($0) &+ Int64($1)) }
            case (.subtract, false):
                mapPairs(a, b, count: count) { narrow(Int64($0) &- Int64($1)) }
            case (.subtract, true):
                mapPairs(a, b, count: count) { narrow16(Int64($0) &- Int64($1)) }
            case (.multiply, false):
                mapPairs(a, b, count: count) { narrow(Int64($0) &* Int64($1)) }
            case (.multiply, true):
                mapPairs(a, b, count: count) { narrow16(Int64($0) &* Int64($1)) }
            case (.divide, false): mapPairs(a, b, count: count) { narrow(quotient($0, $1)) }
            case (.divide, true): mapPairs(a, b, count: count) { narrow16(quotient($0, $1)) }
            case (.modulo, false): mapPairs(a, b, count: count) { narrow(rest($0, $1)) }
            case (.modulo, true): mapPairs(a, b, count: count) { narrow16(rest($0, $1)) }
            }
        return (values, fault)
    }

    /// What is wrong with `x op y`, if anything.
    private static func fault64(_ op: ArithmeticOperator, _ x: Int64, _ y: Int64) -> Problem? {
        switch op {
        case .add:
            x.addingReportingOverflow(y).overflow ? SQLErrors.outOfRange("bigint") : nil
        case .subtract:
            x.subtractingReportingOverflow(y).overflow ? SQLErrors.outOfRange("bigint") : nil
        case .multiply:
            x.multipliedReportingOverflow(by: y).overflow ? SQLErrors.outOfRange("bigint") : nil
        case .divide:
            y == 0
                ? SQLErrors.divisionByZero
                : x == .min && y == -1 ? SQLErrors.outOfRange("bigint") : nil
        case .modulo: y == 0 ? SQLErrors.divisionByZero : nil
        }
    }

    private static func fault32(
        _ op: ArithmeticOperator, _ x: Int64, _ y: Int64, _ isSmall: Bool
    ) -> Problem? {
        let result: Int64
        switch op {
        case .add: result = x &+ y
        case .subtract: result = x &- y
        case .multiply: result = x &* y
        case .divide:
            if y == 0 { return SQLErrors.divisionByZero }
            result = x / y
        case .modulo:
            if y == 0 { return SQLErrors.divisionByZero }
            result = x % y
        }
        if isSmall {
            return Int16(exactly: result) == nil ? SQLErrors.outOfRange("smallint") : nil
        }
        return Int32(exactly: result) == nil ? SQLErrors.outOfRange("integer") : nil
    }

    /// `-x`
    static func negate(_ a: Vector, type: ColumnType, count: Int) throws(Problem) -> Column {
        let zero = Vector(constant: .int(0), type: type, count: count)
        return try arithmetic(.subtract, zero, a, type: type, count: count)
    }

    /// `abs(x)`; the lowest number has no absolute value.
    static func absolute(_ a: Vector, type: ColumnType, count: Int) throws(Problem) -> Column {
        let valid = a.validityFor(count)
        if type == .int64 {
            let source = a.int64s
            var lowest = false
            let values = mapRows(source, count: count) { x in
                lowest = lowest || x == .min
                return x < 0 ? 0 &- x : x
            }
            let found = firstRow(count: count, valid: valid) { source.at($0) == .min }
            if lowest, found != nil { throw SQLErrors.outOfRange("bigint") }
            return Column(type: type, data: .int64(values), validity: valid)
        }
        let lowest = type == .int16 ? Int32(Int16.min) : Int32.min
        let source = a.int32s
        let values = mapRows(source, count: count) { x in x < 0 ? 0 &- x : x }
        if firstRow(count: count, valid: valid, where: { source.at($0) == lowest }) != nil {
            throw SQLErrors.outOfRange(type == .int16 ? "smallint" : "integer")
        }
        return Column(type: type, data: .int32(values), validity: valid)
    }
}

extension Vector {
    /// The validity of the first `count` rows: of all rows, or of the one row of a constant when
    /// all arguments of a function are constants and it is computed once.
    func validityFor(_ count: Int) -> Validity? {
        if isConstant {
            return column.isNull(0) ? Validity(repeating: false, count: count) : nil
        }
        precondition(column.count == count, "vectors of one batch have one length")
        return column.fullValidity
    }
}
