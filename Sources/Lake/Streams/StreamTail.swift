// What a streaming table will hold when it has read its topic up to an offset vector, and does not
// yet: the tail of the log, computed as an epoch computes it.

import Base
import Columns
import Delta
import Engine
import SQL

/// The rows of the records between the offsets that a version of a streaming table says and an
/// offset vector. Table and tail together have each record once, whatever the table commits
/// meanwhile. Belongs to one query.
package final class StreamTail: BatchSource {
    private let rows: any BatchOperator
    private let records: TopicRange
    private let rules: ExpectationSet
    private let conditions: TailConditions
    private let context: QueryContext
    private let projection: [Int]

    init(
        rows: any BatchOperator, records: TopicRange, rules: ExpectationSet,
        conditions: TailConditions, context: QueryContext, projection: [Int]
    ) {
        self.rows = rows
        self.records = records
        self.rules = rules
        self.conditions = conditions
        self.context = context
        self.projection = projection
    }

    /// Records of the log that were read so far.
    package var recordCount: Int { records.recordCount }

    /// The next rows, at least one, with the columns of the projection; nil at the end. Throws what
    /// would stop the table.
    package func next() throws(Problem) -> ColumnBatch? {
        while let batch = try rows.next() {
            try context.checkCancellation()
            for rows in try rules.sort([batch], context: context).kept where rows.rowCount > 0 {
                try conditions.check(rows)
                // One batch gives at most one.
                return ColumnBatch(
                    columns: projection.map { rows.columns[$0] }, rowCount: rows.rowCount)
            }
        }
        return nil
    }
}

/// Which records a version of a streaming table lacks at a moment of its topic.
package struct TailRange: Sendable {
    package let start: OrderedMap<Int32, Offset>
    package let end: OrderedMap<Int32, Offset>
    /// Whether the log begins behind the place where the version stopped: the table has gone on
    /// meanwhile, or retention was faster than it.
    package let isBehindRetention: Bool

    /// Throws 55000 when the topic ends before the place where the table stopped.
    package init(
        of table: QualifiedName, topic: String, in snapshot: TableSnapshot, _ extent: TopicExtent
    ) throws(Problem) {
        var start: OrderedMap<Int32, Offset> = [:]
        var isBehind = false
        for (partition, range) in extent.partitions {
            let place = TopicPartition(topic: topic, partition: partition)
            let application = StreamingTable.applicationID(table, place)
            // A restored table says -1 where it had read nothing yet.
            let next = Offset(max(snapshot.lastTransaction(of: application) ?? 0, 0))
            guard next <= range.end else {
                throw Problem(
                    "55000", "\(table) has read more of \(place) than there is",
                    notes: ["the table stopped at offset \(next), the log ends at \(range.end)"],
                    hint: "was the topic deleted and created again? SET tail_reads = off reads the"
                        + " table alone; DROP and CREATE the table to fill it anew")
            }
            if next < range.start { isBehind = true }
            start[partition] = max(next, range.start)
        }
        self.start = start
        end = extent.ends
        isBehindRetention = isBehind
    }

    package var isEmpty: Bool { end.allSatisfy { start[$0.key] ?? 0 >= $0.value } }
}

/// What the table itself asks of rows: NOT NULL and the conditions of its settings.
struct TailConditions {
    private let columns: [DeltaField]
    private let rules: (any RowRules)?

    init(_ table: DeltaTable, _ snapshot: TableSnapshot) throws(Problem) {
        columns = snapshot.metadata.schema.fields
        rules = try attempting { () throws(DeltaFailure) in
            try table.rowRules(of: snapshot.metadata)
        }
    }

    /// `batch` has the table's columns, and may have others behind them.
    func check(_ batch: ColumnBatch) throws(Problem) {
        guard batch.columns.count >= columns.count else { return }
        try attempting { () throws(DeltaFailure) in
            for (column, field) in zip(batch.columns, columns)
            where !field.isNullable && column.nullCount > 0 {
                throw .missingValue(column: field.name)
            }
            try rules?.check(
                ColumnBatch(
                    columns: Array(batch.columns.prefix(columns.count)), rowCount: batch.rowCount))
        }
    }
}
