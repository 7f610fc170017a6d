import Base
import Columns
import Delta
import Foundation
import Testing

let start = Now(monotonic: .zero, wallMicroseconds: 1_700_000_000_000_000)

func later(_ milliseconds: Int64) -> Now {
    Now(
        monotonic: Instant(nanoseconds: milliseconds * 1_000_000),
        wallMicroseconds: start.wallMicroseconds + milliseconds * 1000)
}

let twoColumns = TableSchema([Field("id", .int64), Field("name", .text)])

func memoryTable(_ disk: any Disk = MemoryDisk()) -> DeltaTable {
    DeltaTable(store: LocalObjectStore(disk: disk, root: "lake"), path: "bronze/events")
}

/// Another reader or writer of the same table.
func second(_ table: DeltaTable) -> DeltaTable { DeltaTable(store: table.store, path: table.path) }

/// Adds a file that is not Parquet, which the log does not mind.
@discardableResult
func commitFile(
    _ table: DeltaTable, _ random: inout Random, rows: Int64 = 1, at now: Now = later(1)
) throws -> Int64 {
    var transaction = try table.begin(random: &random)
    try transaction.appendFile(
        Bytes(utf8: "rows"), rowCount: rows,
        columns: [
            ColumnSummary(path: ["id"], nullCount: 0, minimum: .int(1), maximum: .int(rows))
        ], now: now)
    return try transaction.commit(.append(), now: now)
}

struct TableTransactionTests {
    private func newTable(
        _ random: inout Random, configuration: OrderedMap<String, String> = [:]
    ) throws -> DeltaTable {
        let table = memoryTable()
        try table.create(twoColumns, configuration: configuration, random: &random, now: start)
        return table
    }

    @Test func `a new table is version 0 without files`() throws {
        var random = Random(seed: 1)
        let table = try newTable(&random)
        let snapshot = try second(table).snapshot()
        #expect(snapshot.version == 0)
        #expect(snapshot.files.isEmpty)
        #expect(snapshot.schema == twoColumns)
        #expect(snapshot.tableProtocol == TableProtocol())
        #expect(throws: DeltaFailure.tableExists(path: table.path)) {
            try table.create(twoColumns, random: &random, now: start)
        }
    }

    @Test func `each commit is the next version and another reader sees it`() throws {
        var random = Random(seed: 2)
        let table = try newTable(&random)
        let reader = second(table)
        #expect(try reader.snapshot().version == 0)
        #expect(try commitFile(table, &random) == 1)
        #expect(try commitFile(table, &random, rows: 7) == 2)
        #expect(try reader.snapshot().version == 2)
        #expect(try reader.snapshot().rowCount == 8)
        #expect(try reader.snapshot(version: 1).rowCount == 1)
    }

    @Test func `of two appends that began together the loser becomes the next version`() throws {
        var random = Random(seed: 3)
        let table = try newTable(&random)
        let other = second(table)
        var mine = try table.begin(random: &random)
        var theirs = try other.begin(random: &random)
        try mine.appendFile(Bytes(utf8: "mine"), rowCount: 1, columns: [], now: later(1))
        try theirs.appendFile(Bytes(utf8: "theirs"), rowCount: 1, columns: [], now: later(1))
        #expect(try theirs.commit(.append(), now: later(1)) == 1)
        #expect(try mine.commit(.append(), now: later(1)) == 2)
        #expect(try table.snapshot().fileCount == 2)
        #expect(try other.snapshot().fileCount == 2)
        // The clock stood still, the table's did not.
        let moments = try table.history().map(\.timestamp.milliseconds)
        #expect(moments == [later(2), later(1), start].map(\.timestamp.milliseconds))
    }

    @Test func `an overwrite does not swallow rows appended meanwhile`() throws {
        var random = Random(seed: 4)
        let table = try newTable(&random)
        try commitFile(table, &random)
        var overwrite = try table.begin(random: &random)
        try overwrite.removeAll(now: later(2))
        try commitFile(second(table), &random)
        #expect(throws: DeltaFailure.conflict(.concurrentAppend, version: 2)) {
            _ = try overwrite.commit(.overwrite(), now: later(2))
        }
        #expect(try table.snapshot().fileCount == 2)
    }

    @Test func `two overwrites of one version do not both win`() throws {
        var random = Random(seed: 5)
        let table = try newTable(&random)
        try commitFile(table, &random)
        var first = try table.begin(random: &random)
        var last = try second(table).begin(random: &random)
        try first.removeAll(now: later(2))
        try last.removeAll(now: later(2))
        #expect(try first.commit(.overwrite(), now: later(2)) == 2)
        #expect(throws: DeltaFailure.conflict(.concurrentDeleteDelete, version: 2)) {
            _ = try last.commit(.overwrite(), now: later(2))
        }
    }

    @Test func `an append follows a rearrangement of files`() throws {
        var random = Random(seed: 6)
        let table = try newTable(&random)
        try commitFile(table, &random)
        var append = try second(table).begin(random: &random)
        try append.appendFile(Bytes(utf8: "new"), rowCount: 1, columns: [], now: later(3))
        var optimize = try table.begin(random: &random)
        for file in optimize.snapshot.files {
            try optimize.remove(file, dataChange: false, now: later(2))
            var moved = file
            moved.path = "moved.parquet"
            moved.dataChange = false
            optimize.addFile(moved, rowCount: 1)
        }
        #expect(try optimize.commit(CommitOperation("OPTIMIZE"), now: later(2)) == 2)
        #expect(try append.commit(.append(), now: later(3)) == 3)
        #expect(try table.snapshot().files.map(\.path).first == "moved.parquet")
        #expect(try table.snapshot().fileCount == 2)
    }

    @Test func `a change of columns stops whoever did not see it`() throws {
        var random = Random(seed: 7)
        let table = try newTable(&random)
        var append = try second(table).begin(random: &random)
        try append.appendFile(Bytes(utf8: "new"), rowCount: 1, columns: [], now: later(3))
        var change = try table.begin(random: &random)
        try change.addColumns([Field("score", .float64)])
        #expect(try change.commit(CommitOperation("ADD COLUMNS"), now: later(2)) == 1)
        #expect(throws: DeltaFailure.conflict(.metadataChanged, version: 1)) {
            _ = try append.commit(.append(), now: later(3))
        }
        #expect(try table.snapshot().schema.fields.map(\.name) == ["id", "name", "score"])
    }

    @Test func `a batch that is in the table is recognised at once`() throws {
        var random = Random(seed: 8)
        let table = try newTable(&random)
        var transaction = try table.begin(random: &random)
        try transaction.setTransaction(appID: "s", version: 3, now: start)
        _ = try transaction.commit(.streamingUpdate(queryID: "s", epoch: 3), now: later(1))
        var again = try second(table).begin(random: &random)
        for version: Int64 in [2, 3] {
            let failure = DeltaFailure.duplicateTransaction(
                appID: "s", version: version, committed: 3)
            #expect(throws: failure) {
                try again.setTransaction(appID: "s", version: version, now: start)
            }
        }
        try again.setTransaction(appID: "s", version: 4, now: start)
        try again.setTransaction(appID: "other", version: 1, now: start)
        #expect(try again.commit(.append(), now: later(2)) == 2)
        #expect(try table.snapshot().lastTransaction(of: "other") == 1)
    }

    @Test func `the same batch of two writers is committed once`() throws {
        var random = Random(seed: 9)
        let table = try newTable(&random)
        var first = try table.begin(random: &random)
        var last = try second(table).begin(random: &random)
        try first.setTransaction(appID: "s", version: 1, now: start)
        try last.setTransaction(appID: "s", version: 1, now: start)
        #expect(try first.commit(.append(), now: later(1)) == 1)
        #expect(throws: DeltaFailure.duplicateTransaction(appID: "s", version: 1, committed: 1)) {
            _ = try last.commit(.append(), now: later(1))
        }
    }

    @Test func `rows of an append-only table stay`() throws {
        var random = Random(seed: 10)
        let table = try newTable(&random, configuration: ["delta.appendOnly": "true"])
        try commitFile(table, &random)
        var transaction = try table.begin(random: &random)
        #expect(throws: DeltaFailure.self) { try transaction.removeAll(now: later(1)) }
    }

    @Test func `time travel finds the version of a moment`() throws {
        var random = Random(seed: 11)
        let table = try newTable(&random)
        for index: Int64 in 1...9 { try commitFile(table, &random, at: later(index * 1000)) }
        #expect(try table.version(at: start.timestamp) == 0)
        #expect(try table.version(at: later(999).timestamp) == 0)
        #expect(try table.version(at: later(1000).timestamp) == 1)
        #expect(try table.version(at: later(8500).timestamp) == 8)
        #expect(try table.snapshot(at: later(99_000).timestamp).version == 9)
        let early = Timestamp(milliseconds: 5)
        #expect(throws: DeltaFailure.timestampNotFound(wanted: early, oldest: start.timestamp)) {
            try table.version(at: early)
        }
    }

    @Test func `the history tells who did what when`() throws {
        var random = Random(seed: 12)
        let table = try newTable(&random)
        try commitFile(table, &random, rows: 42, at: later(5))
        let history = try table.history()
        #expect(history.map(\.version) == [1, 0])
        #expect(history.map(\.operation) == ["WRITE", "CREATE TABLE"])
        #expect(history[0].timestamp == later(5).timestamp)
        #expect(history[0].metrics.contains(JSONMember("numOutputRows", "42")))
        #expect(history[0].isBlindAppend == true)
        #expect(try table.history(limit: 1).count == 1)
    }

    @Test func `appends of several threads are all there`() throws {
        var random = Random(seed: 20)
        let table = try newTable(&random, configuration: ["delta.checkpointInterval": "7"])
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            var random = Random(seed: UInt64(100 + thread))
            let mine = thread < 2 ? table : second(table)
            for _ in 0..<8 {
                do {
                    try commitFile(mine, &random)
                } catch {
                    Issue.record(error)
                }
            }
        }
        let snapshot = try second(table).snapshot()
        // Those of the two threads with one table may have gone together.
        #expect((24...32).contains(snapshot.version))
        #expect(snapshot.rowCount == 32)
        #expect(try table.snapshot().files.map(\.key) == snapshot.files.map(\.key))
    }

    @Test func `a column with a local time raises the table's protocol once`() throws {
        var random = Random(seed: 21)
        let table = try newTable(&random)
        for name in ["at", "until"] {
            var change = try table.begin(random: &random)
            try change.addColumns([Field(name, .timestamp)])
            _ = try change.commit(CommitOperation("ADD COLUMNS"), now: later(1))
        }
        let found = try second(table).snapshot().tableProtocol
        #expect(found.minReaderVersion == 3 && found.readerFeatures == ["timestampNtz"])
        #expect(found.writerFeatures == ["appendOnly", "invariants", "timestampNtz"])
    }

    @Test func `the log never names files the same way twice`() throws {
        var random = Random(seed: 13)
        let table = try newTable(&random)
        for _ in 0..<5 { try commitFile(table, &random) }
        let paths = try table.snapshot().files.map(\.path)
        #expect(Set(paths).count == 5)
        #expect(
            paths.allSatisfy { $0.hasPrefix("part-00000-") && $0.hasSuffix(".c000.snappy.parquet") }
        )
    }
}
