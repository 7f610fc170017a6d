import Base
import Columns
import SQL

/// The rows of a plan that several places of a statement read: computed when the first of them
/// asks, kept until the statement ends.
final class SharedRows {
    private let input: any BatchOperator
    private let memory: MemoryShare
    private let context: QueryContext
    private var batches: [ColumnBatch] = []
    private var isComplete = false

    init(_ input: any BatchOperator, _ context: QueryContext) {
        self.input = input
        self.context = context
        memory = MemoryShare(context.memory, for: "a shared subquery")
    }

    /// The batch of this number; nil behind the last one.
    func batch(_ number: Int) throws(Problem) -> ColumnBatch? {
        while number >= batches.count, !isComplete {
            try context.checkCancellation()
            guard let next = try input.next() else {
                isComplete = true
                break
            }
            try memory.grow(by: next.columns.reduce(0) { $0 + $1.memoryBytes })
            batches.append(next)
        }
        return number < batches.count ? batches[number] : nil
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
