import Base
import Columns
import Delta
import Parquet
import Testing

struct TableMaintenanceTests {
    private let week: Int64 = 7 * 86_400_000

    private func rows(_ n: Int64) -> ColumnBatch {
        ColumnBatch(columns: [Column(.int64, [.int(n)]), Column(.text, [.text("x")])], rowCount: 1)
    }

    /// A table overwritten every second.
    private func refreshed(_ random: inout Random, settings: OrderedMap<String, String>) throws
        -> DeltaTable
    {
        let table = memoryTable()
        try table.create(twoColumns, configuration: settings, random: &random, now: start)
        for n: Int64 in 1...8 {
            _ = try table.overwrite([rows(n)], random: &random, now: later(n * 1000))
        }
        return table
    }

    private func dataFiles(_ table: DeltaTable) throws -> [String] {
        try table.store.list(table.path, recursive: true).map(\.path).filter {
            $0.hasSuffix(".zstd.parquet")
        }
    }

    @Test func `files that commits removed go when their time has come`() throws {
        var random = Random(seed: 1)
        let table = try refreshed(
            &random, settings: ["delta.deletedFileRetentionDuration": "interval 3 seconds"])
        #expect(try dataFiles(table).count == 8)
        // Files of versions 1 to 7 were removed at 2 s to 8 s; at 8 s those of before 5 s may go.
        #expect(try table.removeExpiredFiles(now: later(8000)).paths.count == 3)
        #expect(try dataFiles(table).count == 5)
        #expect(try table.snapshot().tombstones.count == 4)
        #expect(try table.removeExpiredFiles(now: later(8000)).paths.isEmpty)
        var scan = try DeltaScan(table, try table.snapshot(version: 5))
        #expect(try scan.next()?.rowCount == 1)
        _ = try table.overwrite([rows(9)], random: &random, now: later(60_000))
        #expect(try table.removeExpiredFiles(now: later(120_000)).paths.count == 5)
        #expect(
            try dataFiles(table).map { $0.dropFirst(table.path.count + 1) }
                == (try table.snapshot().files.map { $0.path[...] }))
    }

    @Test func `vacuum deletes what nothing refers to and nothing else`() throws {
        var random = Random(seed: 2)
        let table = try refreshed(&random, settings: [:])
        let orphan = table.path + "/p=1/part-00000-orphan.zstd.parquet"
        let hidden = table.path + "/_notes/keep.zstd.parquet"
        try table.store.put(orphan, Bytes(utf8: "x"))
        try table.store.put(hidden, Bytes(utf8: "x"))
        #expect(throws: DeltaFailure.self) {
            try table.vacuum(retention: .seconds(1), now: later(9000))
        }
        // The memory disk's files are all from 1970: only references keep them.
        let planned = try table.vacuum(isDryRun: true, now: later(9000))
        #expect(planned.paths == [orphan])
        #expect(table.store.exists(orphan))
        #expect(try table.vacuum(now: later(9000)).paths == [orphan])
        let forced = try table.vacuum(
            retention: .seconds(1), allowsShortRetention: true, now: later(100_000))
        #expect(forced.paths.count == 7)
        #expect(table.store.exists(hidden))
        var scan = try DeltaScan(table, try table.snapshot())
        #expect(try scan.next()?.values(0) == [.int(8), .text("x")])
    }

    @Test func `the log keeps what its retention promises`() throws {
        var random = Random(seed: 3)
        let table = try refreshed(
            &random,
            settings: [
                "delta.checkpointInterval": "2", "delta.logRetentionDuration": "interval 3 seconds",
            ])
        // At 8 s, version 5 (at 5 s) must stay readable: checkpoint 4 and what follows.
        let report = try table.cleanUpLog(now: later(8000))
        // Four commits, three of them with checksums, and a checkpoint.
        #expect(report.paths.count == 8)
        let reopened = second(table)
        #expect(try reopened.snapshot().version == 8)
        #expect(try reopened.snapshot(version: 4).version == 4)
        #expect(throws: DeltaFailure.self) { try reopened.snapshot(version: 3) }
        #expect(try reopened.version(at: later(5500).timestamp) == 5)
        #expect(throws: DeltaFailure.self) { try reopened.version(at: later(2000).timestamp) }
        #expect(try table.cleanUpLog(now: later(8000)).paths.isEmpty)
        #expect(try reopened.history().map(\.version) == [8, 7, 6, 5, 4])
    }

    @Test func `a young log stays as it is`() throws {
        var random = Random(seed: 4)
        let table = try refreshed(&random, settings: ["delta.checkpointInterval": "2"])
        #expect(try table.cleanUpLog(now: later(week)).paths.isEmpty)
    }

    @Test func `checkpoints in parts and of the second kind are read`() throws {
        var random = Random(seed: 5)
        let table = try refreshed(&random, settings: ["delta.checkpointInterval": "4"])
        let log = table.path + "/_delta_log/"
        let classic = log + LogFileName.checkpointName(4)
        let content = try table.store.get(classic, range: nil)
        for version: Int64 in 0...3 {
            try table.store.delete(log + LogFileName.commitName(version))
        }
        try table.store.delete(log + LogFileName.checkpointName(8))
        let expected = try second(table).snapshot().files

        let stem = log + "00000000000000000004.checkpoint."
        try table.store.put(stem + "0000000001.0000000002.parquet", content)
        try table.store.delete(classic)
        #expect(throws: DeltaFailure.self) { try second(table).snapshot() }
        try table.store.put(stem + "0000000002.0000000002.parquet", content)
        #expect(try second(table).snapshot().files == expected)

        try table.store.delete(stem + "0000000001.0000000002.parquet")
        let lines = [
            #"{"checkpointMetadata":{"version":4}}"#,
            #"{"sidecar":{"path":"rows.parquet","sizeInBytes":1,"modificationTime":1}}"#,
        ]
        try table.store.put(
            stem + "80a083e8-7026-4e79-81be-64bd76c43a11.json",
            Bytes(utf8: lines.joined(separator: "\n")))
        #expect(throws: DeltaFailure.self) { try second(table).snapshot() }
        try table.store.put(log + "_sidecars/rows.parquet", content)
        #expect(try second(table).snapshot().files == expected)
    }

    @Test func `small files become large ones without a change of rows`() throws {
        var random = Random(seed: 6)
        let table = memoryTable()
        let schema = TableSchema([Field("id", .int64), Field("p", .int32)])
        try table.create(schema, partitionColumns: ["p"], random: &random, now: start)
        func batch(_ n: Int64) -> ColumnBatch {
            ColumnBatch(
                columns: [
                    Column(.int64, [.int(n), .int(-n)]), Column(.int32, [.int(1), .int(n % 2)]),
                ], rowCount: 2)
        }
        for n: Int64 in 1...12 {
            _ = try table.append([batch(n)], random: &random, now: later(n))
        }
        func ids() throws -> [Int64] {
            var scan = try DeltaScan(table, try table.snapshot(), columns: ["id"])
            var found: [Int64] = []
            while let batch = try scan.next() {
                guard case .int64(let values) = batch.columns[0].data else { continue }
                found += values
            }
            return found.sorted()
        }
        let before = try ids()
        var options = CompactionOptions()
        options.filesMin = 50
        #expect(try table.compact(options, random: &random, now: later(20)) == nil)
        options.filesMin = 8
        #expect(try table.compact(options, random: &random, now: later(20)) == 13)
        #expect(try ids() == before)
        let files = try table.snapshot().files
        #expect(files.count == 1 + 6)
        #expect(files.last?.recordedRowCount == 18)
        #expect(files.last?.dataChange == false)
        #expect(try table.history(limit: 1)[0].isBlindAppend == false)
        #expect(try table.compact(options, random: &random, now: later(21)) == nil)
    }

    @Test func `compaction lets others append and stops for others that remove`() throws {
        var random = Random(seed: 7)
        let table = memoryTable()
        try table.create(twoColumns, random: &random, now: start)
        try commitFile(table, &random)
        try commitFile(table, &random)
        func rearranged() throws -> TableTransaction {
            var transaction = try table.begin(random: &random)
            for file in transaction.snapshot.files {
                try transaction.remove(file, dataChange: false, now: later(3))
            }
            return transaction
        }
        let first = try rearranged()
        try commitFile(second(table), &random)
        #expect(try first.commit(CommitOperation("OPTIMIZE"), now: later(3)) == 4)
        let last = try rearranged()
        var overwrite = try second(table).begin(random: &random)
        try overwrite.removeAll(now: later(4))
        _ = try overwrite.commit(.overwrite(), now: later(4))
        #expect(throws: DeltaFailure.conflict(.concurrentDeleteDelete, version: 5)) {
            _ = try last.commit(CommitOperation("OPTIMIZE"), now: later(4))
        }
    }

    @Test func `a table of many files is checkpointed less often`() throws {
        var random = Random(seed: 8)
        let table = memoryTable()
        try table.create(twoColumns, random: &random, now: start)
        #expect(try table.snapshot().checkpointInterval == 100)
        var transaction = try table.begin(random: &random)
        for index in 0..<4500 {
            transaction.addFile(
                AddFile(path: "f\(index)", size: 1, modificationTime: .none), rowCount: 1)
        }
        _ = try transaction.commit(.append(), now: later(1))
        #expect(try table.snapshot().checkpointInterval == 200)
    }
}
