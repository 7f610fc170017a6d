import Base
import Columns
import SQL

/// The rows that a recursion gave in its last round.
final class WorkingRows {
    var batches: [ColumnBatch] = []
}

/// WITH RECURSIVE: the rows of the base, then those of the step over the rows of the round before,
/// until a round gives none. Rows come out as they are made, so that a LIMIT ends what would not.
final class RecursionOperator: BatchOperator {
    private let node: RecursionNode
    /// nil behind the last round: it knows what is shared around, which may be what reads this.
    private var makeStep: (() throws(Problem) -> any BatchOperator)?
    private let working: WorkingRows
    private let context: QueryContext
    private let memory: MemoryShare
    /// UNION: all rows so far.
    private let seen: KeyTable?
    private var current: any BatchOperator
    /// The rows of this round.
    private var round: [ColumnBatch] = []
    private var roundBytes = 0

    /// `makeStep` makes the operators of the step anew; they read `working`.
    init(
        _ base: any BatchOperator, _ node: RecursionNode, _ working: WorkingRows,
        _ context: QueryContext, makeStep: @escaping () throws(Problem) -> any BatchOperator
    ) {
        self.node = node
        self.makeStep = makeStep
        self.working = working
        self.context = context
        current = base
        memory = MemoryShare(context.memory, for: "WITH RECURSIVE")
        seen =
            node.isDistinct ? KeyTable(types: node.base.schema.fields.map(\.type)) : nil
    }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            try context.checkCancellation()
            guard let batch = try current.next() else {
                guard !round.isEmpty, let makeStep else {
                    makeStep = nil
                    return nil
                }
                working.batches = round
                round = []
                roundBytes = 0
                current = try makeStep()
                continue
            }
            guard let new = fresh(batch) else { continue }
            roundBytes += new.columns.reduce(0) { $0 + $1.memoryBytes }
            // The round before and this one are there at a time.
            try memory.resize(to: roundBytes * 2 + (seen?.memoryBytes ?? 0))
            round.append(new)
            return new
        }
    }

    /// The rows that were not there before; nil when there are none.
    private func fresh(_ batch: ColumnBatch) -> ColumnBatch? {
        guard let seen else { return batch.rowCount > 0 ? batch : nil }
        let before = seen.count
        let numbers = seen.insert(batch.columns, count: batch.rowCount)
        let rows = AggregateState.newRows(numbers, before)
        return rows.isEmpty ? nil : rows.count == batch.rowCount ? batch : batch.gather(rows)
    }
}

/// Reads the rows of the last round.
final class WorkingOperator: BatchOperator {
    private let batches: [ColumnBatch]
    private var position = 0

    init(_ rows: WorkingRows) { batches = rows.batches }

    func next() throws(Problem) -> ColumnBatch? {
        guard position < batches.count else { return nil }
        position += 1
        return batches[position - 1]
    }
}
