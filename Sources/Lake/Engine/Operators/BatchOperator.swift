// Operators pull batches from their inputs, one call a batch.

import Base
import Columns
import SQL

/// Produces the rows of one node of a plan, batch by batch. After nil there is nothing more.
package protocol BatchOperator: AnyObject {
    /// The next rows, at least one; nil at the end.
    func next() throws(Problem) -> ColumnBatch?
}

/// Opens relations for reading. The rooms that hold tables, topics and system tables implement it.
package protocol TableSource {
    /// A reader of the columns `node.projection` of the relation, in that order. The predicates of
    /// `node` help to skip files and pages; the engine applies them itself afterwards, so a source
    /// may give more rows than pass them.
    func open(
        _ node: ScanNode, _ context: QueryContext
    ) throws(Problem) -> any BatchSource

    /// The same, where rows that do not pass all `filters` may be left out: they find no partner in a
    /// join above, or come behind the rows that are wanted. What the tests let pass is known when the first
    /// rows are asked for; later it may become less.
    func open(
        _ node: ScanNode, filters: [ScanFilter], _ context: QueryContext
    ) throws(Problem) -> any BatchSource
}

extension TableSource {
    package func open(
        _ node: ScanNode, filters: [ScanFilter], _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        try open(node, context)
    }
}

/// An operator that can read an input before it is asked for rows. Asking twice does nothing more.
protocol EarlyReader: AnyObject {
    func begin() throws(Problem)
}

/// What the values of one column of a scan should be among.
package struct ScanFilter: Sendable {
    /// Its place in the scan's projection.
    package var column: Int
    package var test: any ColumnTest
}

/// Rows of a relation, in batches of any size. After nil there is nothing more.
package protocol BatchSource: AnyObject {
    func next() throws(Problem) -> ColumnBatch?
}

/// A source that has no relations: for statements without FROM.
package struct NoTables: TableSource {
    package init() {}

    package func open(
        _ node: ScanNode, _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        throw Problem("42P01", "relation \"\(node.relation)\" does not exist")
    }
}

/// Batches that are there already.
package final class BatchList: BatchSource, BatchOperator {
    private var batches: ArraySlice<ColumnBatch>

    package init(_ batches: [ColumnBatch]) { self.batches = batches[...] }

    package func next() throws(Problem) -> ColumnBatch? { batches.popFirst() }
}

/// Cuts what is larger than a batch into batches.
struct BatchCutter {
    private var whole: ColumnBatch?
    private var position = 0

    mutating func put(_ batch: ColumnBatch) {
        whole = batch
        position = 0
    }

    mutating func next() -> ColumnBatch? {
        guard let whole, position < whole.rowCount else {
            whole = nil
            return nil
        }
        if position == 0, whole.rowCount <= Limits.batchRows {
            position = whole.rowCount
            return whole
        }
        let end = min(position + Limits.batchRows, whole.rowCount)
        defer { position = end }
        return whole.slice(position..<end)
    }
}
