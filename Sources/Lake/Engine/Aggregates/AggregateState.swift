import Base
import Columns
import SQL

/// One aggregate call of a query over its batches: evaluates arguments and FILTER, drops repeated
/// values of DISTINCT, and feeds the accumulator.
final class AggregateState {
    private let arguments: [CompiledExpression]
    private let keys: [CompiledExpression]
    private let filter: CompiledExpression?
    private let filterColumns: [Int]
    private let accumulator: any Accumulator
    /// Group and arguments seen so far, when only distinct ones count.
    private let distinct: KeyTable?

    /// `merging`: the arguments are what parts of the rows gave, see `PartialAggregation`.
    init(_ call: AggregateCall, merging: Bool = false) throws(Problem) {
        arguments = call.arguments.map { CompiledExpression($0) }
        filter = call.filter.map { CompiledExpression($0) }
        var columns: [Int] = []
        for argument in call.arguments { argument.forEachColumn { columns.append($0) } }
        for key in call.orderBy { key.expression.forEachColumn { columns.append($0) } }
        filterColumns = columns
        if let percentiles = PercentileAccumulator(call) {
            (accumulator, keys, distinct) = (percentiles, [], nil)
            return
        }
        let inner =
            try merging ? AccumulatorFactory.merging(call) : AccumulatorFactory.make(call)
        var orderBy = call.orderBy
        // PostgreSQL finds distinct values by sorting, and collects them in that order.
        if orderBy.isEmpty, call.isDistinct, Self.dependsOnOrder(call.function) {
            orderBy = call.arguments.map { SortKey($0) }
        }
        keys =
            Self.dependsOnOrder(call.function)
            ? orderBy.map { CompiledExpression($0.expression) } : []
        accumulator =
            keys.isEmpty
            ? inner
            : OrderedAccumulator(
                inner, arguments: call.arguments.map(\.type), keys: keys.map(\.type),
                directions: orderBy.map { SortDirection($0) })
        distinct =
            call.isDistinct
            ? KeyTable(types: [.int32] + call.arguments.map(\.type)) : nil
    }

    private static func dependsOnOrder(_ function: AggregateFunction) -> Bool {
        switch function {
        case .stringAgg, .arrayAgg, .jsonAgg, .jsonObjectAgg, .first, .last, .anyValue,
            .argumentOfLeast, .argumentOfGreatest,
            .percentileContinuous, .percentileDiscrete, .mode:
            true
        default: false
        }
    }

    func grow(to groups: Int) { accumulator.grow(to: groups) }

    /// Takes in the rows of `batch`, whose groups are `groups`.
    func update(
        _ batch: ColumnBatch, _ groups: [Int32], _ context: QueryContext
    ) throws(Problem) {
        var (batch, groups) = (batch, groups)
        if let filter {
            let rows = try filter.selectedRows(batch, context)
            if rows.isEmpty { return }
            if rows.count < batch.rowCount {
                batch = batch.gather(rows, only: filterColumns)
                groups = rows.map { groups[Int($0)] }
            }
        }
        var columns: [Column] = []
        for expression in arguments + keys {
            let vector = try expression.evaluate(batch, context)
            columns.append(Self.laidOut(vector, expression.type, batch.rowCount))
        }
        if let distinct {
            let identities = [Column(type: .int32, data: .int32(groups))]
            let before = distinct.count
            let numbers = distinct.insert(
                identities + columns[..<arguments.count], count: groups.count)
            let rows = Self.newRows(numbers, before)
            if rows.isEmpty { return }
            if rows.count < groups.count {
                columns = columns.map { $0.gather(rows) }
                groups = rows.map { groups[Int($0)] }
            }
        }
        try accumulator.update(columns, groups)
    }

    /// A column in the layout of its type: dictionaries stay, columns of nothing but NULL do not.
    private static func laidOut(_ vector: Vector, _ type: ColumnType, _ count: Int) -> Column {
        if case .null = vector.column.data {
            return type == .null
                ? Column.nulls(.null, count: count) : Column(type, repeating: .null, count: count)
        }
        return vector.materialized.relabeled(type)
    }

    /// The rows that brought a new number: numbers are given in order.
    static func newRows(_ numbers: [Int32], _ before: Int) -> [Int32] {
        var rows: [Int32] = []
        var next = Int32(before)
        for (row, number) in numbers.enumerated() where number == next {
            rows.append(Int32(row))
            next += 1
        }
        return rows
    }

    func finish() throws(Problem) -> Column { try accumulator.finish() }

    var memoryBytes: Int { accumulator.memoryBytes + (distinct?.memoryBytes ?? 0) }
}
