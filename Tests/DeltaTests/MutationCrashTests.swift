import Base
import Columns
import Delta
import FaultyDisks
import Parquet
import Testing

/// The power fails at each storage call of each operation in turn.
struct MutationCrashTests {
    enum Work: String, CaseIterable, Sendable {
        case append, delete, update, compact, order, cluster, restore, checkpoint, vacuum, maintain
        case settings, truncate, replaceTable, replacePartitions, replaceRows, secondCheckpoint
    }

    private static let schema = TableSchema([
        Field("id", .int64), Field("name", .text), Field("part", .int32),
    ])

    private static func settings(vectors: Bool) -> OrderedMap<String, String> {
        var settings: OrderedMap<String, String> = [
            "delta.checkpointInterval": "3",
            "delta.deletedFileRetentionDuration":
                "interval 1 second", "delta.logRetentionDuration": "interval 1 second",
        ]
        if vectors {
            settings["delta.enableDeletionVectors"] = "true"
            settings["delta.enableChangeDataFeed"] = "true"
        }
        return settings
    }

    private func rows(_ ids: Range<Int64>) -> ColumnBatch {
        rowBatch(Self.schema, ids.map { [.int($0), .text("n\($0)"), .int($0 % 2)] })
    }

    /// A table with some history: files added, removed, rewritten, rows deleted.
    private func prepare(
        _ table: DeltaTable, _ random: inout Random, vectors: Bool, isPartitioned: Bool = true
    ) throws {
        try table.create(
            Self.schema, partitionColumns: isPartitioned ? ["part"] : [],
            configuration: Self.settings(vectors: vectors), random: &random, now: start)
        for step in 0..<3 {
            let first = Int64(step) * 20
            _ = try table.append(
                [rows(first..<(first + 20))], random: &random, now: later(Int64(step) + 1))
        }
        let editor = RowEditor(table: table, random: random.fork(), now: later(5))
        try editor.delete { numbers([$0])[0] % 5 == 0 }
        _ = try table.append([rows(60..<70)], random: &random, now: later(6))
    }

    private func run(_ work: Work, _ table: DeltaTable, _ random: inout Random) throws {
        let now = later(10_000)
        let editor = RowEditor(table: table, random: random.fork(), now: now)
        switch work {
        case .append: _ = try table.append([rows(100..<110)], random: &random, now: now)
        case .delete: try editor.delete { numbers([$0])[0] % 3 == 0 }
        case .update:
            try editor.update(where: { numbers([$0])[0] % 4 == 0 }) {
                [$0[0], .text("changed"), .int(1 - numbers([$0], 2)[0])]
            }
        case .compact, .order:
            var options = CompactionOptions()
            options.filesMin = 2
            if work == .order { options.zOrder = ["name", "id"] }
            _ = try table.compact(options, random: &random, now: now)
        case .cluster:
            // The columns first, then the files: two commits, of which each may be the last.
            var transaction = try table.begin(random: &random)
            if try transaction.snapshot.clusteringColumns().isEmpty {
                try transaction.setClustering(["id"])
                _ = try transaction.commit(CommitOperation("CLUSTER BY"), now: now)
            }
            var options = CompactionOptions()
            options.filesMin = 2
            options.isFull = true
            options.memoryBytesMax = 100
            options.scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
            _ = try table.compact(options, random: &random, now: now)
        case .restore: _ = try table.restore(version: 2, random: &random, now: now)
        case .checkpoint: try table.writeCheckpoint(of: try table.snapshot())
        case .vacuum: _ = try table.vacuum(now: now, random: &random)
        case .maintain: try table.maintain(now: now)
        case .truncate: _ = try table.truncate(random: &random, now: now)
        case .replaceTable:
            var transaction = try table.begin(random: &random)
            try transaction.replaceTable(
                Self.schema, partitionColumns: ["part"],
                configuration: transaction.metadata.configuration, now: now)
            var appender = try DeltaAppender(transaction)
            try appender.append(rows(100..<110), now: now)
            _ = try appender.commit(now: now)
        case .replacePartitions:
            _ = try table.overwritePartitions([rows(100..<101)], random: &random, now: now)
        case .replaceRows: try replaceRows(table, &random, now: now)
        case .secondCheckpoint:
            var transaction = try table.begin(random: &random)
            var metadata = transaction.metadata
            metadata.configuration["delta.checkpointPolicy"] = "v2"
            try transaction.setMetadata(metadata)
            _ = try transaction.commit(CommitOperation("SET TBLPROPERTIES"), now: now)
            try table.writeCheckpoint(of: try table.snapshot(), sidecarEntries: 2)
        case .settings:
            var transaction = try table.begin(random: &random)
            var metadata = transaction.metadata
            metadata.configuration["delta.enableInCommitTimestamps"] = "true"
            try transaction.setMetadata(metadata)
            _ = try transaction.commit(CommitOperation("SET TBLPROPERTIES"), now: now)
        }
    }

    /// What `INSERT INTO … REPLACE WHERE id < 30` does.
    private func replaceRows(_ table: DeltaTable, _ random: inout Random, now: Now) throws {
        let transaction = try table.begin(random: &random)
        var mutation = try TableMutation(transaction)
        var scan = try DeltaScan(table, transaction.snapshot)
        while let (batch, addresses) = try scan.nextAddressed() {
            let ids = numbers((0..<batch.rowCount).map { [batch.columns[0].value($0)] })
            try mutation.delete(zip(ids, addresses).filter { $0.0 < 30 }.map { $0.1 })
        }
        try mutation.insert(rows(0..<3), now: now)
        _ = try mutation.commit(now: now) { _ in CommitOperation("WRITE") }
    }

    /// All rows of the newest version; fails when a live file or a list of deleted rows is gone.
    private func content(_ table: DeltaTable) throws -> Set<String> {
        Set(try allRows(table).map { "\($0)" })
    }

    @Test(arguments: Work.allCases, [true, false])
    func `a power failure leaves all of an operation or nothing`(
        work: Work, vectors: Bool
    ) throws {
        // What the table is before and after, without any failure.
        var random = Random(seed: 42)
        let prepared = CrashDisk()
        try prepare(
            memoryTable(prepared), &random, vectors: vectors, isPartitioned: work != .cluster)
        let calmTable = memoryTable(CrashDisk(copying: prepared))
        let before = try content(calmTable)
        let versionBefore = try calmTable.snapshot().version
        try run(work, calmTable, &random)
        let after = try content(calmTable)
        let versionAfter = try calmTable.snapshot().version

        for keepsUnsynced in [true, false] {
            var failurePoint = FailurePoints.first(keepingUnsynced: keepsUnsynced)
            while true {
                var random = Random(seed: 43)
                let disk = CrashDisk(copying: prepared)
                disk.failPower(afterOperations: failurePoint)
                let outcome = Result { try run(work, memoryTable(disk), &random) }
                let ranThrough = !disk.isOff
                disk.restart(keepingUnsynced: keepsUnsynced)

                let reopened = memoryTable(disk)
                let snapshot = try reopened.snapshot()
                let found = try content(reopened)
                if case .success = outcome {
                    #expect(found == after, "\(work) said it was done, failing at \(failurePoint)")
                    #expect(snapshot.version == versionAfter)
                } else {
                    #expect(found == before || found == after, "failing at \(failurePoint)")
                    #expect((versionBefore...versionAfter).contains(snapshot.version))
                }
                #expect(reopened.checksumDifference(snapshot) == nil)
                // The table goes on, and a second attempt succeeds.
                try run(work, reopened, &random)
                _ = try reopened.append([rows(200..<205)], random: &random, now: later(20_000))
                let last = numbers(try allRows(memoryTable(disk)))
                #expect(last.filter { $0 >= 200 }.count == 5)
                if ranThrough { break }
                failurePoint += FailurePoints.step
                try #require(failurePoint < 500)
            }
            #expect(failurePoint > 3)
        }
    }
}
