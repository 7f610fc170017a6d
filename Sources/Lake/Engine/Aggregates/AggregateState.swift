import Base
import Columns
import SQL

/// One aggregate call of a query over its batches: evaluates arguments and FILTER, drops repeated
/// values of DISTINCT, and feeds what forms the results.
final class AggregateState {
    private let arguments: [CompiledExpression]
    private let keys: [CompiledExpression]
    private let filter: CompiledExpression?
    private let filterColumns: [Int]
    /// What takes the rows: one of them.
    private var accumulator: (any Accumulator)?
    private let collected: GroupedRows?
    private let percentiles: Percentiles?
    private let counts: DistinctCounts?
    /// The values seen so far, when only distinct ones count.
    private let distinct: DistinctRows?
    /// The results of all groups, where they are formed at once.
    private var finished: Column?
    private var finishedBytes = 0

    /// `bytesMax`: what each of the parts that keep rows may hold; see `keeperCount`. `merging`: the
    /// arguments are what parts of the rows gave, see `PartialAggregation`.
    init(
        _ call: AggregateCall, merging: Bool = false, bytesMax: Int, _ context: QueryContext
    ) throws(Problem) {
        arguments = call.arguments.map { CompiledExpression($0) }
        filter = call.filter.map { CompiledExpression($0) }
        var columns: [Int] = []
        for argument in call.arguments { argument.forEachColumn { columns.append($0) } }
        for key in call.orderBy { key.expression.forEachColumn { columns.append($0) } }
        filterColumns = columns
        percentiles =
            Percentiles.suits(call) ? Percentiles(call, bytesMax: bytesMax, context) : nil
        counts =
            DistinctCounts.suit(call)
            ? DistinctCounts(call.arguments[0].type, bytesMax: bytesMax, context) : nil
        if percentiles != nil || counts != nil {
            (accumulator, collected, keys, distinct) = (nil, nil, [], nil)
            return
        }
        let order = Self.order(of: call)
        keys = order.map { CompiledExpression($0.expression) }
        if Self.keepsRows(call) {
            accumulator = nil
            collected = GroupedRows(call, keys: order, bytesMax: bytesMax, context)
        } else {
            accumulator =
                try merging ? AccumulatorFactory.merging(call) : AccumulatorFactory.make(call)
            collected = nil
        }
        distinct =
            call.isDistinct
            ? DistinctRows(
                arguments: call.arguments.map(\.type), carried: keys.map(\.type),
                bytesMax: bytesMax, context) : nil
    }

    /// How many parts of the states of `calls` keep rows, and share the memory.
    static func keeperCount(_ calls: [AggregateCall]) -> Int {
        calls.reduce(0) { $0 + ($1.isDistinct ? 1 : 0) + (keepsRows($1) ? 1 : 0) }
    }

    private static func keepsRows(_ call: AggregateCall) -> Bool {
        switch call.function {
        case .stringAgg, .arrayAgg, .jsonAgg, .jsonObjectAgg, .percentileContinuous,
            .percentileDiscrete, .mode:
            true
        default: !order(of: call).isEmpty
        }
    }

    /// The order in which rows have to come.
    private static func order(of call: AggregateCall) -> [SortKey] {
        guard dependsOnOrder(call.function) || call.isDistinct && call.addsFloats else { return [] }
        // PostgreSQL finds distinct values by sorting, and takes them in that order; an order of the
        // call comes first.
        guard call.isDistinct else { return call.orderBy }
        let others = call.arguments.filter { argument in
            !call.orderBy.contains { $0.expression == argument }
        }
        return call.orderBy + others.map { SortKey($0) }
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

    func grow(to groups: Int) {
        accumulator?.grow(to: groups)
        collected?.grow(to: groups)
        percentiles?.grow(to: groups)
        counts?.grow(to: groups)
    }

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
            let rows = try distinct.newRows(columns, groups)
            if rows.isEmpty { return }
            if rows.count < groups.count {
                columns = columns.map { $0.gather(rows) }
                groups = rows.map { groups[Int($0)] }
                // A few rows should not keep the texts of all alive.
                if collected != nil { columns = columns.map(\.compacted) }
            }
        }
        try take(columns, groups)
    }

    private func take(_ columns: [Column], _ groups: [Int32]) throws(Problem) {
        try accumulator?.update(columns, groups)
        try collected?.update(columns, groups)
        try percentiles?.update(columns, groups)
        try counts?.update(columns[0], groups)
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

    /// All rows have come.
    func endInput() throws(Problem) {
        try distinct?.finish { (columns, groups) throws(Problem) in try take(columns, groups) }
        finishedBytes = memoryBytes
        if let accumulator { finished = try accumulator.finish() }
        if let percentiles { finished = try percentiles.finish() }
        if let counts { finished = try counts.finish() }
        accumulator = nil
    }

    /// How many groups from `start` on `results` should be asked for at once.
    func groupsAtOnce(from start: Int) -> Int {
        if finished != nil { return Limits.batchRows }
        return (collected ?? percentiles?.spilled)?.groupsAtOnce(from: start) ?? 1
    }

    /// The results of some groups. Asked for one behind the other, from the first to the last.
    func results(of groups: Range<Int>) throws(Problem) -> Column {
        if let finished { return finished.slice(groups) }
        guard let rows = collected ?? percentiles?.spilled else {
            preconditionFailure("the input has ended")
        }
        return try rows.results(of: groups)
    }

    /// What is held, apart from rows that are kept: they count themselves.
    var memoryBytes: Int {
        if finished != nil { return finishedBytes }
        return accumulator?.memoryBytes ?? collected?.memoryBytes ?? percentiles?.memoryBytes
            ?? counts?.memoryBytes ?? 0
    }
}

extension AggregateCall {
    /// Whether sums of floats are formed, whose last digits depend on the order.
    fileprivate var addsFloats: Bool {
        switch function {
        case .sum, .average:
            arguments.first?.type == .float32 || arguments.first?.type == .float64
        case .standardDeviationSample, .standardDeviationPopulation, .varianceSample,
            .variancePopulation, .correlation, .covariancePopulation, .covarianceSample,
            .regressionAverageX, .regressionAverageY, .regressionIntercept, .regressionR2,
            .regressionSlope, .regressionSXX, .regressionSXY, .regressionSYY:
            true
        default: false
        }
    }
}
