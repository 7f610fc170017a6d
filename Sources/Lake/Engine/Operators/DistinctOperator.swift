import Base
import Columns
import SQL

/// DISTINCT: each new row as soon as it comes. When the memory is used up, rows that are not known
/// then go to the scratch disk, divided by their hash, and each part has its turn behind the input.
final class DistinctOperator: BatchOperator {
    private let input: any BatchOperator
    private let schema: TableSchema
    private let memory: MemoryShare
    private let context: QueryContext
    private let level: Int
    private var table: KeyTable?
    private var others: SpilledPartitions?
    /// What the parts of `others` give.
    private var rest: (any BatchOperator)?

    init(
        _ input: any BatchOperator, _ schema: TableSchema, _ context: QueryContext, level: Int = 0
    ) throws(Problem) {
        guard schema.fields.count <= 63 else {
            throw Problem("54000", "at most 63 columns in DISTINCT")
        }
        self.input = input
        self.schema = schema
        self.context = context
        self.level = level
        table = KeyTable(types: schema.fields.map(\.type))
        memory = MemoryShare(context.memory, for: "DISTINCT", canSpill: context.scratch != nil)
    }

    func next() throws(Problem) -> ColumnBatch? {
        while let table, let batch = try input.next() {
            try context.checkCancellation()
            if let others {
                let numbers = table.find(batch.columns, count: batch.rowCount)
                let unknown = JoinProbe.rows(numbers, having: false)
                let rows = batch.gather(unknown)
                try others.append(rows, keys: rows.columns)
                continue
            }
            guard memory.fits(table.memoryBytes + table.growthBytes(batch.rowCount)) else {
                guard let scratch = context.scratch, !schema.fields.isEmpty else {
                    throw SQLErrors.outOfMemory("DISTINCT", limit: context.memory.limit)
                }
                let others = try SpilledPartitions(
                    schema.fields.map(\.type), level: level, for: "DISTINCT", scratch, context)
                self.others = others
                if let rows = try newRows(of: batch, table) { return rows }
                continue
            }
            if let rows = try newRows(of: batch, table) { return rows }
        }
        if table != nil {
            table = nil
            memory.end()
            try others?.finish()
            rest = others.map { others in
                SpilledPartitions.inTurn { [schema, context, level] (part) throws(Problem) in
                    guard others.rowCount(ofPart: part) > 0 else { return nil }
                    return try DistinctOperator(
                        others.reader(ofPart: part), schema, context, level: level + 1)
                }
            }
            others = nil
        }
        return try rest?.next()
    }

    private func newRows(of batch: ColumnBatch, _ table: KeyTable) throws(Problem) -> ColumnBatch? {
        let before = table.count
        let numbers = table.insert(batch.columns, count: batch.rowCount)
        let rows = AggregateState.newRows(numbers, before)
        if rows.count == batch.rowCount { return batch }
        return rows.isEmpty ? nil : batch.gather(rows)
    }
}
