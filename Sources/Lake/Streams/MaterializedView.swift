import Base
import Columns
import Delta
import Engine
import SQL

/// A materialized view that is computed anew as a whole: REFRESH POLICY FULL. See
/// docs/decisions/0006-full-refresh.md.
package struct MaterializedView: Sendable {
    package let name: QualifiedName
    private let table: DeltaTable

    package init(name: QualifiedName, table: DeltaTable) {
        self.name = name
        self.table = table
    }

    /// Runs `plan` over `source` and replaces the table's content by its rows in one commit, batch by
    /// batch. Returns the new version and its rows.
    package func refresh(
        _ plan: LogicalPlan, source: any TableSource, _ context: QueryContext,
        random: inout Random
    ) throws(Problem) -> (version: Int64, rows: Int) {
        let now = context.now
        let execution = try QueryExecutor.open(plan, source, context)
        let transaction = try attempting { () throws(DeltaFailure) in
            var transaction = try table.begin(random: &random)
            try transaction.removeAll(now: now)
            return transaction
        }
        let partitionColumns = transaction.snapshot.metadata.partitionColumns
        var appender = try attempting { () throws(DeltaFailure) in
            try DeltaAppender(transaction)
        }
        do throws(Problem) {
            while let batch = try execution.next() {
                try attempting { () throws(DeltaFailure) in try appender.append(batch, now: now) }
            }
        } catch {
            // A view that fails is tried again and again: nothing may pile up.
            appender.discard()
            throw error
        }
        let rows = Int(appender.rowCount)
        let version = try attempting { () throws(DeltaFailure) in
            try appender.commit(.overwrite(partitionBy: partitionColumns), now: now)
        }
        return (version, rows)
    }
}
