import Base
import Columns
import Engine
import SQL

/// One relation whose rows are in memory: the records of an epoch, rows to be checked.
struct BatchTable: TableSource {
    private let batches: [ColumnBatch]
    private let name: QualifiedName

    init(_ batches: [ColumnBatch], name: QualifiedName) {
        self.batches = batches
        self.name = name
    }

    func open(
        _ node: ScanNode, _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        guard node.relation == name else {
            throw Problem("XX000", "the plan reads \(node.relation), there is only \(name)")
        }
        return BatchList(
            batches.map { batch in
                ColumnBatch(
                    columns: node.projection.map { batch.columns[$0] }, rowCount: batch.rowCount)
            })
    }
}

/// Runs a plan to its end.
func execute(
    _ plan: LogicalPlan, source: any TableSource, context: QueryContext
) throws(Problem) -> [ColumnBatch] {
    try QueryExecutor.execute(plan, source, context).batches
}
