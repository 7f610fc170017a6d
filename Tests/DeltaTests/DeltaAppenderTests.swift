import Base
import Columns
import Delta
import Foundation
import Parquet
import Testing

struct DeltaAppenderTests {
    private let allTypes = TableSchema([
        Field("id", .int64, isNullable: false), Field("b", .boolean), Field("i2", .int16),
        Field("i4", .int32), Field("f4", .float32), Field("f8", .float64),
        Field("n", .decimal(precision: 12, scale: 2)),
        Field("n38", .decimal(precision: 38, scale: 4)),
        Field("t", .text), Field("y", .binary), Field("d", .date), Field("local", .timestamp),
        Field("ts", .timestampTZ), Field("u", .uuid), Field("j", .json),
        Field("l", .list(.text)), Field("s", .structure([Field("x", .int32), Field("u", .uuid)])),
        Field("m", .map(key: .text, value: .float64)),
    ])

    private func row(_ n: Int64) -> [Value] {
        [
            .int(n), .boolean(n % 2 == 0), .int(n - 5), .int(n * 1000), .float(Double(n) / 4),
            .float(Double(n) / 3), .decimal(unscaled: Int128(n) * 25, scale: 2),
            .decimal(unscaled: Int128(n) * 1_000_000_000_000_000_000_000, scale: 4),
            .text("text \(n) é ✓ and more than twelve bytes"), .binary([UInt8(n), 0, 255]),
            .date(days: Int32(n) - 3), .timestamp(microseconds: n * 1_000_001 - 5),
            .timestampTZ(microseconds: 1_700_000_000_000_000 + n), .uuid(UInt128(n) << 64 | 7),
            .json("{\"k\":\(n)}"), .list([.text("a"), .null, .text("\(n)")]),
            .structure([.int(n), .uuid(UInt128(n))]),
            .map([Value.MapEntry(key: .text("k"), value: .float(Double(n)))]),
        ]
    }

    private func batch(_ schema: TableSchema, _ rows: [[Value]]) -> ColumnBatch {
        ColumnBatch(
            columns: schema.fields.enumerated().map { index, field in
                Column(field.type, rows.map { $0[index] })
            }, rowCount: rows.count)
    }

    private func values(_ table: DeltaTable, _ ranges: [ColumnRange] = [], columns: [String]? = nil)
        throws -> [[Value]]
    {
        var scan = try DeltaScan(table, try table.snapshot(), columns: columns, ranges: ranges)
        var rows: [[Value]] = []
        while let batch = try scan.next() {
            #expect(batch.columns.map(\.type) == scan.schema.fields.map(\.type))
            for row in 0..<batch.rowCount { rows.append(batch.values(row)) }
        }
        return rows
    }

    @Test func `rows of every type come back as they went in`() throws {
        var random = Random(seed: 1)
        let table = memoryTable()
        try table.create(allTypes, random: &random, now: start)
        let nothing: [Value] =
            [.int(99)] + [Value](repeating: .null, count: allTypes.fields.count - 1)
        let rows = (1...20).map { row($0) } + [nothing]
        #expect(try table.append([batch(allTypes, rows)], random: &random, now: later(1)) == 1)
        #expect(try values(second(table)) == rows)
        #expect(try values(table, columns: ["u", "id"]).first == [.uuid(1 << 64 | 7), .int(1)])
        let statistics = try #require(FileStatistics(try table.snapshot().files[0]))
        #expect(statistics.rowCount == 21)
        #expect(statistics.maximum(["i4"], .int32) == .int(20_000))
        #expect(statistics.maximum(["s", "x"], .int32) == .int(20))
        #expect(
            statistics.maximum(["n38"], .decimal(precision: 38, scale: 4))
                == .decimal(unscaled: 20_000_000_000_000_000_000_000, scale: 4))
        #expect(statistics.nullCount(["j"]) == 1 && statistics.maximum(["j"], .text) == nil)
        exportForPeers(table, "types")
    }

    @Test func `rows are divided by their partition values`() throws {
        var random = Random(seed: 2)
        let schema = TableSchema([
            Field("day", .date), Field("id", .int64), Field("app", .text),
            Field("at", .timestampTZ),
        ])
        let table = memoryTable()
        try table.create(
            schema, partitionColumns: ["day", "app", "at"], random: &random, now: start)
        let apps: [Value] = [.text("web"), .text("a/b: c=d %20 é"), .null]
        let rows = (0..<60).map { n -> [Value] in
            let day: Value = n % 7 == 0 ? .null : .date(days: Int32(19_000 + n % 2))
            return [
                day, .int(Int64(n)), apps[n % 3],
                .timestampTZ(microseconds: Int64(n % 2) * 1_000_005),
            ]
        }
        let batches = [batch(schema, Array(rows[..<40])), batch(schema, Array(rows[40...]))]
        _ = try table.append(batches, random: &random, now: later(1))
        let snapshot = try table.snapshot()
        let sorted = try values(second(table)).sorted { order(of: $0[1], $1[1]) ?? 0 < 0 }
        #expect(sorted == rows)
        #expect(snapshot.fileCount < 20)
        let web = try values(
            table, [ColumnRange(column: "app", lower: .text("web"), upper: .text("web"))])
        #expect(web.count == 20 && web.allSatisfy { $0[2] == .text("web") })
        #expect(
            try DeltaScan(
                table, snapshot, ranges: [ColumnRange(column: "day", lower: .date(days: 19_001))]
            ).files.allSatisfy { $0.path.hasPrefix("day=2022-01-09/") })
        exportForPeers(table, "partitioned")
    }

    @Test func `an overwrite replaces all rows in one version`() throws {
        var random = Random(seed: 3)
        let table = memoryTable()
        try table.create(twoColumns, random: &random, now: start)
        for version: Int64 in 1...5 {
            let rows: [[Value]] = [[.int(version), .text("x")], [.int(-version), .null]]
            #expect(
                try table.overwrite([batch(twoColumns, rows)], random: &random, now: later(version))
                    == version)
            #expect(try values(table) == rows)
        }
        #expect(try table.snapshot().fileCount == 1)
        #expect(try table.snapshot(version: 2).rowCount == 2)
        #expect(try table.overwrite([], random: &random, now: later(6)) == 6)
        #expect(try values(table).isEmpty)
        #expect(try table.history().map(\.operation).prefix(2) == ["WRITE", "WRITE"])
    }

    @Test func `files are closed at their size and skipped by statistics`() throws {
        var random = Random(seed: 4)
        let table = memoryTable()
        try table.create(twoColumns, random: &random, now: start)
        var options = ParquetWriteOptions()
        options.rowGroupRowsMax = 100
        var appender = try DeltaAppender(
            try table.begin(random: &random), options: options, fileBytesMax: 4000)
        for start in stride(from: Int64(0), to: 2000, by: 50) {
            let rows = (start..<(start + 50)).map {
                [Value.int($0), .text("name \($0 * 7919 % 1000)")]
            }
            try appender.append(batch(twoColumns, rows), now: later(1))
        }
        _ = try appender.commit(now: later(1))
        let snapshot = try table.snapshot()
        #expect(snapshot.fileCount > 2)
        #expect(snapshot.rowCount == 2000)
        #expect(try values(table).map { $0[0] } == (0..<2000).map { .int(Int64($0)) })
        let some = try values(
            table, [ColumnRange(column: "id", lower: .int(250), upper: .int(260))])
        #expect(some.count <= 100 && some.contains { $0[0] == .int(255) })
    }

    @Test func `a column added later is NULL in older files`() throws {
        var random = Random(seed: 5)
        let table = memoryTable()
        try table.create(twoColumns, random: &random, now: start)
        _ = try table.append(
            [batch(twoColumns, [[.int(1), .text("a")]])], random: &random, now: later(1))
        var change = try table.begin(random: &random)
        try change.addColumns([Field("score", .float64, isNullable: false)])
        _ = try change.commit(CommitOperation("ADD COLUMNS"), now: later(2))
        let schema = try table.snapshot().schema
        _ = try table.append(
            [batch(schema, [[.int(2), .text("b"), .float(0.5)]])], random: &random, now: later(3))
        #expect(
            try values(table) == [
                [.int(1), .text("a"), .null], [.int(2), .text("b"), .float(0.5)],
            ])
        #expect(throws: DeltaFailure.invalid("a batch of 2 columns for a table of 3")) {
            _ = try table.append(
                [batch(twoColumns, [[.int(1), .null]])], random: &random, now: later(4))
        }
    }

    @Test func `NULL in a NOT NULL column is refused before anything is written`() throws {
        var random = Random(seed: 6)
        let table = memoryTable()
        let schema = TableSchema([Field("id", .int64, isNullable: false)])
        try table.create(schema, random: &random, now: start)
        #expect(throws: DeltaFailure.missingValue(column: "id")) {
            _ = try table.append([batch(schema, [[.null]])], random: &random, now: later(1))
        }
        #expect(try table.snapshot().version == 0)
    }

    @Test func `checkpoints carry a table over ten commits and more`() throws {
        var random = Random(seed: 7)
        let table = memoryTable()
        let schema = TableSchema([Field("id", .int64), Field("p", .text)])
        try table.create(
            schema, partitionColumns: ["p"], configuration: ["delta.checkpointInterval": "4"],
            comment: "checkpointed", random: &random, now: start)
        for n: Int64 in 1...11 {
            var transaction = try table.begin(random: &random)
            try transaction.setTransaction(appID: "s", version: n, now: later(n))
            if n == 6 { try transaction.remove(transaction.snapshot.files[0], now: later(n)) }
            var appender = try DeltaAppender(transaction)
            try appender.append(batch(schema, [[.int(n), .text("p\(n % 2)")]]), now: later(n))
            #expect(try appender.commit(now: later(n)) == n)
        }
        let log = table.path + "/_delta_log/"
        let hint = try JSONValue(parsing: try table.store.get(log + "_last_checkpoint", range: nil))
        #expect(hint["version"]?.intValue == 8)
        for version: Int64 in [4, 8] {
            #expect(table.store.exists(log + LogFileName.checkpointName(version)))
        }
        let whole = try table.snapshot()
        // Without the commits that the checkpoint stands for.
        for version: Int64 in 0...7 {
            try table.store.delete(log + LogFileName.commitName(version))
        }
        let reopened = try second(table).snapshot()
        #expect(reopened.version == 11)
        #expect(reopened.files.map(\.key) == whole.files.map(\.key))
        #expect(reopened.files.map(\.statistics) == whole.files.map(\.statistics))
        #expect(reopened.files.map(\.partitionValues) == whole.files.map(\.partitionValues))
        #expect(reopened.tombstones.map(\.key) == whole.tombstones.map(\.key))
        #expect(reopened.metadata == whole.metadata)
        #expect(reopened.tableProtocol == whole.tableProtocol)
        #expect(reopened.lastTransaction(of: "s") == 11)
        #expect(reopened.timestamp == whole.timestamp)
        #expect(throws: DeltaFailure.self) { try second(table).snapshot(version: 3) }
        #expect(try values(second(table)).count == 10)
        exportForPeers(table, "checkpointed")
    }

    @Test func `a damaged checkpoint is passed over while the commits are there`() throws {
        var random = Random(seed: 8)
        let table = memoryTable()
        try table.create(
            twoColumns, configuration: ["delta.checkpointInterval": "2"], random: &random,
            now: start)
        for n: Int64 in 1...5 { try commitFile(table, &random, at: later(n)) }
        let path = table.path + "/_delta_log/" + LogFileName.checkpointName(4)
        try table.store.replace(path, Bytes(utf8: "PAR1 and nothing else PAR1"))
        try table.store.replace(table.path + "/_delta_log/_last_checkpoint", Bytes(utf8: "{"))
        #expect(try second(table).snapshot().fileCount == 5)
    }

    @Test func `a file whose bytes are not those of its table is an error`() throws {
        var random = Random(seed: 9)
        let table = memoryTable()
        try table.create(twoColumns, random: &random, now: start)
        try commitFile(table, &random)
        #expect(throws: DeltaFailure.self) { try values(table) }
        let other = memoryTable()
        let schema = TableSchema([Field("id", .text), Field("name", .text)])
        try other.create(schema, random: &random, now: start)
        _ = try other.append(
            [batch(schema, [[.text("a"), .null]])], random: &random, now: later(1))
        let file = try other.snapshot().files[0]
        let mine = try table.snapshot().files[0]
        try table.store.replace(
            table.fullPath(mine.path), try other.store.get(other.fullPath(file.path), range: nil))
        do {
            _ = try values(table)
            Issue.record("a text was read as a number")
        } catch {
            #expect("\(error)".contains("column 'id' is text, the table says bigint"))
        }
    }
}
