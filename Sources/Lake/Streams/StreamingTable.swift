// A streaming table: rows of a topic, each record exactly once.
//
// One epoch reads records from where the table's own Delta log says it stopped, computes rows,
// checks the expectations and commits rows and offsets together. See
// docs/decisions/0005-offsets-in-delta.md.

import Base
import Columns
import Delta
import Engine
import SQL

/// What one epoch did.
package struct EpochOutcome: Sendable {
    /// nil when there was nothing to do.
    package var version: Int64?
    package var recordsRead = 0
    package var rowsAppended = 0
    package var hasMore = false
    /// Checked and broken, in the order of the expectations.
    package var expectations: [ExpectationCount] = []
    /// Timestamps of the records that the epoch read, milliseconds; for latency figures.
    package var recordTimestamps: [Int64] = []
    /// Records that retention removed before they were read.
    package var skippedRecords: Int64 = 0
    /// Rows whose payload could not be read as declared.
    package var undecodable = 0
}

/// How often a rule was checked and broken.
package struct ExpectationCount: Hashable, Sendable {
    package var name: String
    package var checked: Int64
    package var violations: Int64

    package init(name: String, checked: Int64 = 0, violations: Int64 = 0) {
        self.name = name
        self.checked = checked
        self.violations = violations
    }
}

/// The machinery of one streaming table. Runs one epoch at a time; the caller sees to that.
package final class StreamingTable: Sendable {
    package let name: QualifiedName
    private let plan: StreamingPlan
    private let rules: ExpectationSet
    private let epochs: TopicEpochReader
    private let topic: String
    private let reader: any TopicReader
    private let table: DeltaTable
    /// Opens a table that rows are quarantined into.
    private let quarantine: @Sendable (QualifiedName) throws(Problem) -> DeltaTable

    package init(
        name: QualifiedName, plan: StreamingPlan, declaration: TopicDeclaration,
        rules: ExpectationSet, reader: any TopicReader, table: DeltaTable,
        quarantine: @escaping @Sendable (QualifiedName) throws(Problem) -> DeltaTable
    ) {
        self.name = name
        self.plan = plan
        self.rules = rules
        self.reader = reader
        self.table = table
        self.quarantine = quarantine
        topic = declaration.topic
        epochs = TopicEpochReader(
            reader: reader, declaration: declaration,
            content: TopicContent(
                readBy: plan.plan.scans.flatMap(\.projection), of: declaration))
    }

    /// The application of a table's `txn` actions for one partition of its topic.
    package static func applicationID(
        _ table: QualifiedName, _ partition: TopicPartition
    ) -> String {
        "weir:\(table):\(partition)"
    }

    /// Runs one epoch. Throws what stops the table: a broken FAIL UPDATE rule, damaged records,
    /// storage; nothing is committed then. Rows go into files as they are computed, so that the
    /// memory of an epoch is that of its open files, whatever its size.
    package func runEpoch(
        now: Now, random: inout Random, zones: any TimeZoneSource = NoTimeZones(),
        isCancelled: @escaping @Sendable () -> Bool
    ) throws(Problem) -> EpochOutcome {
        let transaction = try attempting { () throws(DeltaFailure) in
            try table.begin(random: &random)
        }
        // The offsets are those of the version that the commit will follow: whoever commits records
        // of this topic in between contradicts it.
        let run = try epochs.begin(
            from: try offsets(in: transaction.snapshot, reader.partitions(of: topic)))
        let context = QueryContext(
            now: now, random: random.fork(), zones: zones, isCancelled: isCancelled)
        let records = EpochTable(run)
        let source = RecordTable(name: plan.source) { () throws(Problem) in try records.next() }
        let rows = try QueryExecutor.open(plan.plan, source, context)
        var outcome = EpochOutcome()
        outcome.expectations = rules.rules.map { ExpectationCount(name: $0.name) }
        var diversions: [ExpectationSet.Diversion] = []
        var appender = try attempting { () throws(DeltaFailure) in
            try DeltaAppender(transaction)
        }
        while let batch = try rows.next() {
            try context.checkCancellation()
            let sorted = try rules.sort([batch], context: context)
            for (index, count) in sorted.counts.enumerated() {
                outcome.expectations[index].checked += count.checked
                outcome.expectations[index].violations += count.violations
            }
            for diversion in sorted.quarantined { diversions.add(diversion) }
            for kept in sorted.kept where kept.rowCount > 0 {
                outcome.rowsAppended += kept.rowCount
                try attempting { () throws(DeltaFailure) in
                    try appender.append(withoutPlaces(kept), now: now)
                }
            }
        }
        let epoch = run.epoch
        outcome.hasMore = epoch.hasMore
        guard !epoch.isEmpty else {
            outcome.expectations = []
            return outcome
        }
        outcome.recordsRead = epoch.recordCount
        outcome.skippedRecords = epoch.skipped.values.reduce(0, +)
        outcome.recordTimestamps = records.recordTimestamps
        outcome.undecodable = records.undecodable
        for diversion in diversions { try divert(diversion, epoch, now: now, random: &random) }
        outcome.version = try commit(appender, epoch, outcome, now: now)
        return outcome
    }

    /// The rows that `snapshot` of the table lacks of the records in `range`, with the columns at the
    /// places `projection`. They are filtered and checked as an epoch would; rows that go to a
    /// quarantine table are left out.
    package func tail(
        of snapshot: TableSnapshot, _ range: TailRange, projection: [Int], _ context: QueryContext
    ) throws(Problem) -> StreamTail {
        let records = TopicRange(epochs, from: range.start, until: range.end)
        let source = RecordTable(name: plan.source) { () throws(Problem) in try records.next() }
        return StreamTail(
            rows: try QueryExecutor.open(plan.plan, source, context), records: records,
            rules: rules, conditions: try TailConditions(table, snapshot), context: context,
            projection: projection)
    }

    /// Where the table stopped in each of the partitions.
    private func offsets(
        in snapshot: TableSnapshot, _ partitions: [Int32]
    ) -> OrderedMap<Int32, Offset> {
        var start: OrderedMap<Int32, Offset> = [:]
        for partition in partitions {
            let place = TopicPartition(topic: topic, partition: partition)
            if let next = snapshot.lastTransaction(of: Self.applicationID(name, place)) {
                // A restored table says -1 where it had read nothing yet.
                start[partition] = Offset(max(next, 0))
            }
        }
        return start
    }

    /// The columns of the table, without partition and offset behind them.
    private func withoutPlaces(_ batch: ColumnBatch) -> ColumnBatch {
        ColumnBatch(columns: Array(batch.columns.dropLast(2)), rowCount: batch.rowCount)
    }

    private func commit(
        _ rows: DeltaAppender, _ epoch: TopicEpoch, _ outcome: EpochOutcome, now: Now
    ) throws(Problem) -> Int64? {
        do throws(DeltaFailure) {
            var appender = rows
            for (partition, next) in epoch.nextOffsets {
                let place = TopicPartition(topic: topic, partition: partition)
                try appender.transaction.setTransaction(
                    appID: Self.applicationID(name, place), version: next.value, now: now)
            }
            try StreamFigures.write(
                outcome, of: name, into: &appender.transaction, now: now)
            let epochNumber = appender.transaction.snapshot.version + 1
            return try appender.commit(
                .streamingUpdate(queryID: "\(name)", epoch: epochNumber), now: now)
        } catch {
            // Another run has committed these records: they are in the table.
            if case .duplicateTransaction = error { return nil }
            throw error.problem
        }
    }

    /// Appends rows to a quarantine table. It has offsets of its own, so that a crash before the
    /// main commit, after which the same records come again in another epoch, doubles nothing. Another run
    /// that commits there at the same time may have had fewer records: then the rest follows.
    private func divert(
        _ diversion: ExpectationSet.Diversion, _ epoch: TopicEpoch, now: Now, random: inout Random
    ) throws(Problem) {
        let target = try quarantine(diversion.target)
        while try !divert(diversion, epoch, into: target, now: now, random: &random) {}
    }

    /// False when another run was first.
    private func divert(
        _ diversion: ExpectationSet.Diversion, _ epoch: TopicEpoch, into target: DeltaTable,
        now: Now, random: inout Random
    ) throws(Problem) -> Bool {
        do throws(DeltaFailure) {
            let snapshot = try target.snapshot()
            var done: OrderedMap<Int32, Int64> = [:]
            for partition in epoch.nextOffsets.keys {
                let place = TopicPartition(topic: topic, partition: partition)
                done[partition] = snapshot.lastTransaction(of: Self.applicationID(name, place))
            }
            let fresh = diversion.rows.filter { row in
                row.offset >= done[row.partition] ?? 0
            }
            guard !fresh.isEmpty else { return true }
            let columns = snapshot.schema.fields
            let batch = QuarantineRow.batch(
                fresh, columns: columns, target: name, topic: topic, now: now)
            var appender = try DeltaAppender(try target.begin(random: &random))
            for (partition, next) in epoch.nextOffsets where next.value > done[partition] ?? 0 {
                let place = TopicPartition(topic: topic, partition: partition)
                try appender.transaction.setTransaction(
                    appID: Self.applicationID(name, place), version: next.value, now: now)
            }
            try appender.append(batch, now: now)
            let epochNumber = snapshot.version + 1
            _ = try appender.commit(
                .streamingUpdate(queryID: "\(name)", epoch: epochNumber), now: now)
            return true
        } catch {
            if case .duplicateTransaction = error { return false }
            throw error.problem
        }
    }
}

/// Runs work on tables and turns its failures into what people read.
func attempting<Outcome>(
    _ work: () throws(DeltaFailure) -> Outcome
) throws(Problem) -> Outcome {
    do throws(DeltaFailure) {
        return try work()
    } catch {
        throw error.problem
    }
}

extension [ExpectationSet.Diversion] {
    /// Rows for one table are one commit there: its offsets say that all of them are in it.
    fileprivate mutating func add(_ diversion: ExpectationSet.Diversion) {
        if let place = firstIndex(where: { $0.target == diversion.target }) {
            self[place].rows += diversion.rows
        } else {
            append(diversion)
        }
    }
}

/// The records of an epoch, with what is counted of them.
private final class EpochTable {
    private let run: TopicEpochRun
    fileprivate var recordTimestamps: [Int64] = []
    fileprivate var undecodable = 0

    init(_ run: TopicEpochRun) { self.run = run }

    func next() throws(Problem) -> ColumnBatch? {
        guard let batch = try run.next() else { return nil }
        // The last columns are those of `TopicColumns`.
        let base = batch.columns.count - TopicColumns.fields.count
        if case .int64(let moments) = batch.columns[base + 2].data {
            recordTimestamps.reserveCapacity(recordTimestamps.count + moments.count)
            for moment in moments { recordTimestamps.append(moment / 1000) }
        }
        undecodable += batch.rowCount - batch.columns[base + 5].nullCount
        return batch
    }
}

/// Records as a relation, read as the query asks for them.
private struct RecordTable: TableSource {
    let name: QualifiedName
    let next: () throws(Problem) -> ColumnBatch?

    func open(_ node: ScanNode, _ context: QueryContext) throws(Problem) -> any BatchSource {
        guard node.relation == name else {
            throw Problem("XX000", "the plan reads \(node.relation), there is only \(name)")
        }
        return Rows(next: next, projection: node.projection)
    }

    private final class Rows: BatchSource {
        private let nextBatch: () throws(Problem) -> ColumnBatch?
        private let projection: [Int]

        init(next: @escaping () throws(Problem) -> ColumnBatch?, projection: [Int]) {
            nextBatch = next
            self.projection = projection
        }

        func next() throws(Problem) -> ColumnBatch? {
            guard let batch = try nextBatch() else { return nil }
            return ColumnBatch(
                columns: projection.map { batch.columns[$0] }, rowCount: batch.rowCount)
        }
    }
}
