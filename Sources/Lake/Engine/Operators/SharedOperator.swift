import Base
import Columns
import SQL

/// The rows of a plan that several places of a statement read: computed when the first of them
/// asks, kept until the statement ends, from where the memory is used up on the scratch disk.
final class SharedRows {
    private let input: any BatchOperator
    private let memory: MemoryShare
    private let context: QueryContext
    private let types: [ColumnType]
    private var batches: [ColumnBatch] = []
    private var held = HeldBytes()
    private var spilled: SpillFile?
    private var isComplete = false

    init(_ input: any BatchOperator, _ schema: TableSchema, _ context: QueryContext) {
        self.input = input
        self.context = context
        types = schema.fields.map(\.type)
        memory = MemoryShare(
            context.memory, for: "a shared subquery", canSpill: context.scratch != nil)
    }

    /// The batch of this number; nil behind the last one.
    func batch(_ number: Int) throws(Problem) -> ColumnBatch? {
        while number >= batches.count + (spilled?.pieceCount() ?? 0), !isComplete {
            try context.checkCancellation()
            guard let next = try input.next() else {
                isComplete = true
                break
            }
            try keep(next)
        }
        if number < batches.count { return batches[number] }
        let piece = number - batches.count
        guard let spilled, piece < spilled.pieceCount() else { return nil }
        return try spilled.piece(piece)
    }

    private func keep(_ batch: ColumnBatch) throws(Problem) {
        if spilled == nil {
            held.add(batch.columns)
            if memory.fits(held.count) {
                batches.append(batch)
                return
            }
        }
        guard let scratch = context.scratch else { return try memory.resize(to: held.count) }
        if spilled == nil { spilled = try SpillFile(types, in: scratch, context.memory) }
        try spilled?.append(batch)
    }
}

/// One reader of shared rows.
final class SharedOperator: BatchOperator {
    private let rows: SharedRows
    private var position = 0

    init(_ rows: SharedRows) { self.rows = rows }

    func next() throws(Problem) -> ColumnBatch? {
        guard let batch = try rows.batch(position) else { return nil }
        position += 1
        return batch
    }
}
