import Base
import Columns
import Delta
import Engine
import SQL

/// The rows that a statement with RETURNING gives back. They are computed while the table is changed
/// and shown when the change is committed.
struct ReturnedRows {
    private let limit: Int
    private var plan: ReturningPlan?
    private var context: QueryContext?
    private var batches: [ColumnBatch] = []
    private var rowCount = 0
    private var isTruncated = false

    init(_ options: StatementOptions) { limit = options.rowLimit }

    /// Forgets the rows of an attempt that failed. Without a plan nothing is given back.
    mutating func begin(_ plan: ReturningPlan?, _ context: QueryContext) {
        self.plan = plan
        self.context = context
        batches = []
        rowCount = 0
        isTruncated = false
    }

    /// Takes rows that have changed, in the columns that the plan reads. Those beyond the limit of
    /// the answer are not kept; the table is changed all the same.
    mutating func add(_ rows: @autoclosure () -> ColumnBatch) throws(DeltaFailure) {
        guard let plan, let context else { return }
        let changed = rows()
        let left = limit - rowCount
        if changed.rowCount > left { isTruncated = true }
        guard left > 0, changed.rowCount > 0 else { return }
        let kept = changed.rowCount > left ? changed.slice(0..<left) : changed
        let result = try running { () throws(Problem) in
            try QueryExecutor.execute(plan.plan, OneBatch(kept), context)
        }
        batches += result.batches
        rowCount += kept.rowCount
    }

    func answer(_ tag: String) -> StatementAnswer {
        guard let plan else { return StatementAnswer(tag: tag) }
        return StatementAnswer(
            tag: tag, columns: plan.plan.schema.fields, batches: batches,
            isTruncated: isTruncated)
    }
}

extension ColumnBatch {
    /// The same rows without the first `count` columns.
    func dropping(_ count: Int) -> ColumnBatch {
        ColumnBatch(columns: Array(columns.dropFirst(count)), rowCount: rowCount)
    }
}
