import Base
import Columns
import SQL

final class ColumnEvaluator: Evaluator {
    private let index: Int
    private let type: ColumnType

    init(_ index: Int, _ type: ColumnType) {
        self.index = index
        self.type = type
    }

    var columns: [Int] { [index] }
    var canFail: Bool { false }

    func evaluate(_ batch: ColumnBatch, _ context: QueryContext) throws(Problem) -> Vector {
        precondition(index < batch.columns.count, "the plan names a column of its input")
        return Vector(batch.columns[index])
    }
}

final class LiteralEvaluator: Evaluator {
    private let column: Column

    init(_ value: Value, _ type: ColumnType) {
        column = value.isNull ? Column.nulls(type, count: 1) : Column(type, [value])
    }

    var columns: [Int] { [] }
    var canFail: Bool { false }

    func evaluate(_ batch: ColumnBatch, _ context: QueryContext) throws(Problem) -> Vector {
        Vector(constant: column, count: batch.rowCount)
    }
}

/// A function call: operands first, then one kernel. Constants are computed once a batch.
final class CallEvaluator: Evaluator {
    private let function: ScalarFunction
    private let operands: [any Evaluator]
    private let type: ColumnType
    let columns: [Int]
    let canFail: Bool

    init(_ function: ScalarFunction, _ operands: [any Evaluator], _ type: ColumnType) {
        self.function = function
        self.operands = operands
        self.type = type
        columns = EvaluatorCompiler.columns(of: operands)
        canFail = function.canFail || operands.contains(where: \.canFail)
    }

    func evaluate(_ batch: ColumnBatch, _ context: QueryContext) throws(Problem) -> Vector {
        var arguments: [Vector] = []
        arguments.reserveCapacity(operands.count)
        for operand in operands { arguments.append(try operand.evaluate(batch, context)) }
        if function.isStrict, arguments.contains(where: \.isConstantNull) {
            return Vector(constant: Column.nulls(type, count: 1), count: batch.rowCount)
        }
        let isConstant = !function.isVolatile && arguments.allSatisfy(\.isConstant)
        if isConstant {
            let once = arguments.map { Vector(constant: $0.column, count: 1) }
            let column = try FunctionKernels.apply(
                function, once, type: type, count: 1, context)
            return Vector(constant: column, count: batch.rowCount)
        }
        return Vector(
            try FunctionKernels.apply(
                function, arguments, type: type, count: batch.rowCount, context))
    }
}

final class CastEvaluator: Evaluator {
    private let operand: any Evaluator
    private let type: ColumnType
    private let mode: CastMode
    let canFail: Bool

    init(
        _ operand: any Evaluator, from: ColumnType, to type: ColumnType, _ mode: CastMode
    ) {
        self.operand = operand
        self.type = type
        self.mode = mode
        canFail = operand.canFail || (mode == .strict && !Self.isSafe(from, type))
    }

    var columns: [Int] { operand.columns }

    /// Casts that succeed for every value.
    private static func isSafe(_ from: ColumnType, _ to: ColumnType) -> Bool {
        switch (from, to) {
        case (_, .text), (.null, _), (.int16, .int32), (.int16, .int64), (.int32, .int64),
            (.int16, .float64), (.int32, .float64), (.int64, .float64), (.float32, .float64),
            (.decimal, .float64), (.timestamp, .date), (.timestampTZ, .date),
            (.timestamp, .timestampTZ), (.timestampTZ, .timestamp), (.boolean, .int32):
            true
        default: from == to
        }
    }

    func evaluate(_ batch: ColumnBatch, _ context: QueryContext) throws(Problem) -> Vector {
        let argument = try operand.evaluate(batch, context)
        let once = argument.isConstant ? Vector(constant: argument.column, count: 1) : argument
        let column = try CastKernels.cast(
            once, to: type, nullOnFailure: mode == .nullOnFailure, count: once.count,
            now: context.clock)
        return argument.isConstant
            ? Vector(constant: column, count: batch.rowCount) : Vector(column)
    }
}

/// NOT, IS NULL, IS NOT NULL.
final class UnaryEvaluator: Evaluator {
    private let operand: any Evaluator
    private let kernel: (Vector, Int) -> Column

    init(_ operand: any Evaluator, _ kernel: @escaping (Vector, Int) -> Column) {
        self.operand = operand
        self.kernel = kernel
    }

    var columns: [Int] { operand.columns }
    var canFail: Bool { operand.canFail }

    func evaluate(_ batch: ColumnBatch, _ context: QueryContext) throws(Problem) -> Vector {
        let argument = try operand.evaluate(batch, context)
        if argument.isConstant {
            let once = Vector(constant: argument.column, count: 1)
            return Vector(constant: kernel(once, 1), count: batch.rowCount)
        }
        return Vector(kernel(argument, batch.rowCount))
    }
}

final class DistinctEvaluator: Evaluator {
    private let left: any Evaluator
    private let right: any Evaluator
    let columns: [Int]

    init(_ left: any Evaluator, _ right: any Evaluator) {
        self.left = left
        self.right = right
        columns = EvaluatorCompiler.columns(of: [left, right])
    }

    var canFail: Bool { left.canFail || right.canFail }

    func evaluate(_ batch: ColumnBatch, _ context: QueryContext) throws(Problem) -> Vector {
        let a = try left.evaluate(batch, context)
        let b = try right.evaluate(batch, context)
        return Vector(
            ComparisonKernels.distinct(a, b, negated: false, count: batch.rowCount))
    }
}
