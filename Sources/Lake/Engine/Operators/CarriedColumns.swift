import Base
import Columns
import SQL

/// Columns that rows carry through an operator: some of its input, and behind them what else is
/// computed from them, each once.
struct CarriedColumns {
    /// The places of the input's columns that are carried.
    private let kept: [Int]
    private(set) var types: [ColumnType]
    private var expressions: [BoundExpression] = []
    private var compiled: [CompiledExpression] = []

    /// `kept`: the places in `schema`, nil for all.
    init(_ schema: TableSchema, kept: [Int]? = nil) {
        self.kept = kept ?? Array(schema.fields.indices)
        types = self.kept.map { schema.fields[$0].type }
    }

    /// How many of the columns are the input's own.
    var width: Int { kept.count }

    /// The place of the values of `expression`.
    mutating func place(of expression: BoundExpression) -> Int {
        if case .column(let column, let type) = expression,
            let place = kept.firstIndex(of: column), type == types[place]
        {
            return place
        }
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
        var columns = kept.map { batch.columns[$0] }
        for expression in compiled { columns.append(try expression.column(batch, context)) }
        return columns
    }
}
