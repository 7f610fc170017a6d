// From a plan to rows.

import Base
import Columns
import SQL

/// All rows of a finished query.
package struct QueryResult: Sendable {
    package var schema: TableSchema
    package var batches: [ColumnBatch]

    package init(schema: TableSchema, batches: [ColumnBatch]) {
        self.schema = schema
        self.batches = batches
    }

    package var rowCount: Int { batches.reduce(0) { $0 + $1.rowCount } }

    /// The rows as values, for tests and small results.
    package var rows: [[Value]] {
        batches.flatMap { batch in (0..<batch.rowCount).map { batch.values($0) } }
    }
}

package enum QueryExecutor {
    /// What ends a query that somebody has cancelled.
    package static var cancelled: Problem { SQLErrors.cancelled }

    /// Prepares `plan` for execution; nothing is read before the first `next()`, but relations are
    /// opened.
    package static func open(
        _ plan: LogicalPlan, _ tables: any TableSource, _ context: QueryContext
    ) throws(Problem) -> any BatchOperator {
        try PlanBuilder(tables, context).build(plan, depth: 0)
    }

    /// Runs `plan` to its end. The result counts against the query's memory.
    package static func execute(
        _ plan: LogicalPlan, _ tables: any TableSource, _ context: QueryContext
    ) throws(Problem) -> QueryResult {
        let root = try open(plan, tables, context)
        let memory = MemoryShare(context.memory, for: "the result")
        var batches: [ColumnBatch] = []
        while let batch = try root.next() {
            try context.checkCancellation()
            try memory.grow(by: batch.columns.reduce(0) { $0 + $1.memoryBytes })
            batches.append(batch)
        }
        return QueryResult(schema: plan.schema, batches: batches)
    }

    /// Runs `plan` to its end and says what each of its operators did: `EXPLAIN ANALYZE`. `clock` is
    /// asked around each batch.
    package static func measure(
        _ plan: LogicalPlan, _ tables: any TableSource, _ context: QueryContext,
        clock: @escaping @Sendable () -> Instant
    ) throws(Problem) -> MeasuredPlan {
        let measured = MeasuredPlan(plan, context, clock)
        let began = clock()
        let builder = PlanBuilder(
            tables, context, node: measured.root, measured: measured)
        let root = try builder.build(plan, depth: 0)
        while try root.next() != nil { try context.checkCancellation() }
        measured.elapsed = clock() - began
        return measured
    }

    /// The plan as text, one node a line: `EXPLAIN`.
    package static func explain(_ plan: LogicalPlan) -> [String] {
        PlanText.lines(plan)
    }
}
