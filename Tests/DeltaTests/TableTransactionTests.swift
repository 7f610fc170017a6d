import Base
import Columns
import Delta
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

/// Adds a file that is not Parquet, which the log does not mind.
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
    @Test func `a new table is version 0 without files`() throws {
        var random = Random(seed: 1)
        let table = memoryTable()
        try table.create(twoColumns, random: &random, now: start)
        let snapshot = try memoryTableAgain(table).snapshot()
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
        let table = memoryTable()
        try table.create(twoColumns, random: &random, now: start)
        let reader = memoryTableAgain(table)
        #expect(try reader.snapshot().version == 0)
        #expect(try commitFile(table, &random) == 1)
        #expect(try commitFile(table, &random, rows: 7) == 2)
        #expect(try reader.snapshot().version == 2)
        #expect(try reader.snapshot().rowCount == 8)
        #expect(try reader.snapshot(version: 1).rowCount == 1)
    }

    private func memoryTableAgain(_ table: DeltaTable) -> DeltaTable {
        DeltaTable(store: table.store, path: table.path)
    }
}
