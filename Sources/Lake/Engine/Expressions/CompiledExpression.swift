// Bound expressions made ready to run over batches.

import Base
import Columns
import SQL

/// An expression compiled once and evaluated batch by batch. One call through an existential for
/// each node and batch; the work is done by kernels over whole columns.
package final class CompiledExpression {
    private let root: any Evaluator
    package let type: ColumnType

    package init(_ expression: BoundExpression) {
        root = EvaluatorCompiler.compile(expression)
        type = expression.type
    }

    package func evaluate(
        _ batch: ColumnBatch, _ context: QueryContext
    ) throws(Problem) -> Vector {
        try root.evaluate(batch, context)
    }

    /// The result with a row for each row of `batch`, in the layout of its type.
    package func column(
        _ batch: ColumnBatch, _ context: QueryContext
    ) throws(Problem) -> Column {
        let vector = try root.evaluate(batch, context)
        let column = vector.materialized
        return column.type == type ? column : column.relabeled(type)
    }

    /// The rows for which the condition is true.
    package func selectedRows(
        _ batch: ColumnBatch, _ context: QueryContext
    ) throws(Problem) -> [Int32] {
        LogicKernels.selectedRows(try root.evaluate(batch, context))
    }

    /// The value of an expression that reads no columns.
    package static func constantValue(
        _ expression: BoundExpression, _ context: QueryContext
    ) throws(Problem) -> Value {
        let oneRow = ColumnBatch(columns: [], rowCount: 1)
        return try CompiledExpression(expression).evaluate(oneRow, context).value(0)
    }
}

/// One node of a compiled expression.
protocol Evaluator: AnyObject {
    /// The columns that the node and its operands read.
    var columns: [Int] { get }
    /// Whether some rows may be errors. Such a node is evaluated only for the rows that need it.
    var canFail: Bool { get }

    func evaluate(_ batch: ColumnBatch, _ context: QueryContext) throws(Problem) -> Vector
}

extension Evaluator {
    /// The result for `rows` only. A node that can't fail may be computed for all rows when most
    /// are wanted, which is cheaper than gathering its inputs.
    func evaluate(
        _ batch: ColumnBatch, rows: [Int32], _ context: QueryContext
    ) throws(Problem) -> Vector {
        if rows.count == batch.rowCount { return try evaluate(batch, context) }
        if !canFail, rows.count > batch.rowCount / 2 {
            return try evaluate(batch, context).gather(rows)
        }
        return try evaluate(batch.gather(rows, only: columns), context)
    }
}

extension ColumnBatch {
    /// The given rows of the given columns; the others are NULL.
    func gather(_ rows: [Int32], only wanted: [Int]) -> ColumnBatch {
        var picked = columns.map { Column.nulls($0.type, count: rows.count) }
        for index in wanted { picked[index] = columns[index].gather(rows) }
        return ColumnBatch(columns: picked, rowCount: rows.count)
    }
}

enum EvaluatorCompiler {
    static func compile(_ expression: BoundExpression) -> any Evaluator {
        switch expression {
        case .column(let index, let type): return ColumnEvaluator(index, type)
        case .literal(let value, let type): return LiteralEvaluator(value, type)
        case .call(let function, let arguments, let type):
            return CallEvaluator(function, arguments.map { compile($0) }, type)
        case .cast(let operand, let type, let mode):
            return CastEvaluator(compile(operand), from: operand.type, to: type, mode)
        case .conditional(let branches, let otherwise, let type):
            return ConditionalEvaluator(
                branches.map { (compile($0.condition), compile($0.value)) },
                otherwise: otherwise.map { compile($0) }, type)
        case .and(let operands):
            return ConnectiveEvaluator(operands.map { compile($0) }, isConjunction: true)
        case .or(let operands):
            return ConnectiveEvaluator(operands.map { compile($0) }, isConjunction: false)
        case .not(let operand):
            return UnaryEvaluator(compile(operand)) { LogicKernels.not($0, count: $1) }
        case .isNull(let operand):
            return UnaryEvaluator(compile(operand)) {
                LogicKernels.isNull($0, negated: false, count: $1)
            }
        case .isNotNull(let operand):
            return UnaryEvaluator(compile(operand)) {
                LogicKernels.isNull($0, negated: true, count: $1)
            }
        case .isDistinct(let left, let right):
            return DistinctEvaluator(compile(left), compile(right))
        case .inList(let operand, let list, let isNegated):
            return InListEvaluator(
                compile(operand), list.map { compile($0) }, isNegated: isNegated)
        case .coalesce(let operands, let type):
            return CoalesceEvaluator(operands.map { compile($0) }, type)
        case .outer, .subquery:
            preconditionFailure("the binder puts joins in the place of queries")
        }
    }

    /// The columns of several nodes, each once, in ascending order.
    static func columns(of evaluators: [any Evaluator]) -> [Int] {
        var all: [Int] = []
        for evaluator in evaluators { all += evaluator.columns }
        all.sort()
        var unique: [Int] = []
        for index in all where unique.last != index { unique.append(index) }
        return unique
    }
}
