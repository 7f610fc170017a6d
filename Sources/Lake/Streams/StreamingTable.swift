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
        epochs = TopicEpochReader(reader: reader, declaration: declaration)
    }

    /// The application of a table's `txn` actions for one partition of its topic.
    package static func applicationID(
        _ table: QualifiedName, _ partition: TopicPartition
    ) -> String {
        "weir:\(table):\(partition)"
    }

    /// Runs one epoch. Throws what stops the table: a broken FAIL UPDATE rule, damaged records,
    /// storage; nothing is committed then.
    package func runEpoch(
        now: Now, random: inout Random, isCancelled: @escaping @Sendable () -> Bool
    ) throws(Problem) -> EpochOutcome {
        let snapshot = try attempting { () throws(DeltaFailure) in try table.snapshot() }
        var start: OrderedMap<Int32, Offset> = [:]
        for partition in try reader.partitions(of: topic) {
            let place = TopicPartition(topic: topic, partition: partition)
            if let next = snapshot.lastTransaction(of: Self.applicationID(name, place)) {
                // A restored table says -1 where it had read nothing yet.
                start[partition] = Offset(max(next, 0))
            }
        }
        let epoch = try epochs.next(from: start)
        var outcome = EpochOutcome()
        outcome.hasMore = epoch.hasMore
        guard !epoch.isEmpty else { return outcome }
        outcome.recordsRead = epoch.recordCount
        outcome.skippedRecords = epoch.skipped.values.reduce(0, +)
        outcome.noteSource(epoch.batches)

        let context = QueryContext(now: now, random: random.fork(), isCancelled: isCancelled)
        let rows = try execute(
            plan.plan, source: BatchTable(epoch.batches, name: plan.source), context: context)
        let sorted = try rules.sort(rows, context: context)
        outcome.expectations = sorted.counts
        for diversion in sorted.quarantined {
            try divert(diversion, epoch, now: now, random: &random)
        }
        outcome.rowsAppended = sorted.kept.reduce(0) { $0 + $1.rowCount }
        outcome.version = try commit(
            sorted.kept.map(withoutPlaces), epoch, outcome, now: now, random: &random)
        return outcome
    }

    /// The columns of the table, without partition and offset behind them.
    private func withoutPlaces(_ batch: ColumnBatch) -> ColumnBatch {
        ColumnBatch(columns: Array(batch.columns.dropLast(2)), rowCount: batch.rowCount)
    }

    private func commit(
        _ rows: [ColumnBatch], _ epoch: TopicEpoch, _ outcome: EpochOutcome, now: Now,
        random: inout Random
    ) throws(Problem) -> Int64? {
        do throws(DeltaFailure) {
            var appender = try DeltaAppender(try table.begin(random: &random))
            for (partition, next) in epoch.nextOffsets {
                let place = TopicPartition(topic: topic, partition: partition)
                try appender.transaction.setTransaction(
                    appID: Self.applicationID(name, place), version: next.value, now: now)
            }
            try StreamFigures.write(
                outcome, of: name, into: &appender.transaction, now: now)
            for batch in rows { try appender.append(batch, now: now) }
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
    /// main commit, after which the same records come again in another epoch, doubles nothing.
    private func divert(
        _ diversion: ExpectationSet.Diversion, _ epoch: TopicEpoch, now: Now, random: inout Random
    ) throws(Problem) {
        let target = try quarantine(diversion.target)
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
            guard !fresh.isEmpty else { return }
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
        } catch {
            if case .duplicateTransaction = error { return }
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

extension EpochOutcome {
    /// Takes figures about the records from the epoch's batches: the last columns are those of
    /// `TopicColumns`.
    fileprivate mutating func noteSource(_ batches: [ColumnBatch]) {
        for batch in batches {
            let base = batch.columns.count - TopicColumns.fields.count
            if case .int64(let moments) = batch.columns[base + 2].data {
                recordTimestamps += moments.map { $0 / 1000 }
            }
            undecodable += batch.rowCount - batch.columns[base + 5].nullCount
        }
    }
}
