import Base
import Columns
import SQL

/// Columns that rows carry through an operator: those of its input, and behind them what else is
/// computed from them, each once.
struct CarriedColumns {
    let width: Int
    private(set) var types: [ColumnType]
    private var expressions: [BoundExpression] = []
    private var compiled: [CompiledExpression] = []

    init(_ schema: TableSchema) {
        types = schema.fields.map(\.type)
        width = types.count
    }

    /// The place of the values of `expression`.
    mutating func place(of expression: BoundExpression) -> Int {
        if case .column(let place, let type) = expression, type == types[place] { return place }
        if !expression.isVolatile, let known = expressions.firstIndex(of: expression) {
            return width + known
        }
        expressions.append(expression)
        compiled.append(CompiledExpression(expression))
        types.append(expression.type)
        return types.count - 1
    }

    /// The columns for the rows of `batch`.
    func columns(_ batch: ColumnBatch, _ context: QueryContext) throws(Problem) -> [Column] {
        var columns = batch.columns
        for expression in compiled { columns.append(try expression.column(batch, context)) }
        return columns
    }
}
