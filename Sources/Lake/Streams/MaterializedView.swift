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

    /// Runs `plan` over `source` and replaces the table's content in one commit. Returns the new
    /// version and its rows.
    package func refresh(
        _ plan: LogicalPlan, source: any TableSource, now: Now, random: inout Random,
        zones: any TimeZoneSource = NoTimeZones(),
        isCancelled: @escaping @Sendable () -> Bool
    ) throws(Problem) -> (version: Int64, rows: Int) {
        let context = QueryContext(
            now: now, random: random.fork(), zones: zones, isCancelled: isCancelled)
        let batches = try execute(plan, source: source, context: context)
        let version = try attempting { () throws(DeltaFailure) in
            try table.overwrite(batches, random: &random, now: now)
        }
        return (version, batches.reduce(0) { $0 + $1.rowCount })
    }
}
