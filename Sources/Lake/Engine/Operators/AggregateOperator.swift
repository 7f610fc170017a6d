import Base
import Columns
import SQL

/// Hash aggregation: groups in the order in which they appear first.
final class AggregateOperator: BatchOperator {
    private let input: any BatchOperator
    private let keys: [CompiledExpression]
    private let states: [AggregateState]
    private let table: KeyTable?
    private let memory: MemoryShare
    private let context: QueryContext
    private var cutter = BatchCutter()
    private var isDone = false

    init(
        _ input: any BatchOperator, _ node: AggregateNode, _ context: QueryContext
    ) throws(Problem) {
        guard node.keys.count <= 63 else {
            throw Problem("54000", "at most 63 expressions in GROUP BY")
        }
        self.input = input
        self.context = context
        keys = node.keys.map { CompiledExpression($0.expression) }
        var states: [AggregateState] = []
        for aggregate in node.aggregates { states.append(try AggregateState(aggregate.call)) }
        self.states = states
        table = keys.isEmpty ? nil : KeyTable(types: keys.map(\.type))
        memory = MemoryShare(context.memory, for: "aggregation")
    }

    func next() throws(Problem) -> ColumnBatch? {
        if !isDone {
            isDone = true
            cutter.put(try aggregate())
        }
        return cutter.next()
    }

    private func aggregate() throws(Problem) -> ColumnBatch {
        if table == nil { for state in states { state.grow(to: 1) } }
        while let batch = try input.next() {
            try context.checkCancellation()
            let groups = try groups(of: batch)
            for state in states { try state.update(batch, groups, context) }
            let bytes = states.reduce(table?.memoryBytes ?? 0) { $0 + $1.memoryBytes }
            try memory.resize(to: bytes)
        }
        let count = table?.count ?? 1
        var columns = table?.columns(0..<count) ?? []
        for state in states { columns.append(try state.finish()) }
        return ColumnBatch(columns: columns, rowCount: count)
    }

    private func groups(of batch: ColumnBatch) throws(Problem) -> [Int32] {
        guard let table else { return [Int32](repeating: 0, count: batch.rowCount) }
        var columns: [Column] = []
        for key in keys { columns.append(try key.column(batch, context)) }
        let groups = table.insert(columns, count: batch.rowCount)
        for state in states { state.grow(to: table.count) }
        return groups
    }
}

/// DISTINCT: each new row as soon as it comes.
final class DistinctOperator: BatchOperator {
    private let input: any BatchOperator
    private let table: KeyTable
    private let memory: MemoryShare
    private let context: QueryContext

    init(
        _ input: any BatchOperator, _ schema: TableSchema, _ context: QueryContext
    ) throws(Problem) {
        guard schema.fields.count <= 63 else {
            throw Problem("54000", "at most 63 columns in DISTINCT")
        }
        self.input = input
        self.context = context
        table = KeyTable(types: schema.fields.map(\.type))
        memory = MemoryShare(context.memory, for: "DISTINCT")
    }

    func next() throws(Problem) -> ColumnBatch? {
        while let batch = try input.next() {
            try context.checkCancellation()
            let before = table.count
            let numbers = table.insert(batch.columns, count: batch.rowCount)
            try memory.resize(to: table.memoryBytes)
            let rows = AggregateState.newRows(numbers, before)
            if rows.count == batch.rowCount { return batch }
            if !rows.isEmpty { return batch.gather(rows) }
        }
        return nil
    }
}
