import Base
import Columns
import Delta
import Node
import Parquet
import Testing

/// `CONVERT TO DELTA`: Parquet files become a table where they are.
struct ConvertTests {
    /// Writes a file of `rows` with row groups of two rows.
    private func put(
        _ lake: LakeHarness, _ path: String, _ fields: [Field], _ rows: [[Value]]
    ) throws {
        var writer = try ParquetWriter(
            schema: TableSchema(fields), options: ParquetWriteOptions())
        for row in rows {
            let columns = zip(fields, row).map { Column($0.type, [$1]) }
            try writer.write(ColumnBatch(columns: columns, rowCount: 1))
        }
        try lake.store.put(path, writer.finish().file)
    }

    private static let fields = [Field("id", .int64), Field("x", .float64)]

    private func lake() throws -> LakeHarness {
        let lake = try LakeHarness()
        try put(
            lake, "f/day=2024-01-01/a.parquet", Self.fields,
            [[.int(1), .float(1)], [.int(5), .null]])
        try put(
            lake, "f/day=2024-01-02/b.parquet", Self.fields + [Field("name", .text)],
            [[.int(7), .float(2), .text("n")]])
        try put(
            lake, "f/day=__HIVE_DEFAULT_PARTITION__/c.parquet", Self.fields, [[.int(9), .float(3)]])
        try lake.store.put("f/_ignored/x.parquet", Bytes(utf8: "no Parquet"))
        try lake.store.put("f/.hidden.parquet", Bytes(utf8: "no Parquet"))
        return lake
    }

    private static let statement =
        "CONVERT TO DELTA parquet.'f' PARTITIONED BY (day date)"

    @Test func `files become a table with statistics`() throws {
        let lake = try lake()
        #expect(try lake.rows(Self.statement) == ["3"])
        #expect(
            try lake.rows("SELECT * FROM delta.'f' ORDER BY id") == [
                "1|1|-|2024-01-01", "5|-|-|2024-01-01", "7|2|n|2024-01-02", "9|3|-|-",
            ])
        let snapshot = try lake.table("f").snapshot()
        #expect(snapshot.version == 0 && snapshot.rowCount == 4)
        let first = try #require(FileStatistics(snapshot.files[0]))
        #expect(first.minimum(["id"], .int64) == .int(1))
        #expect(first.maximum(["id"], .int64) == .int(5))
        #expect(first.nullCount(["x"]) == 1)
        #expect(first.nullCount(["name"]) == 2)
        // Footers do not tell of NaN, which is above every number.
        #expect(first.maximum(["x"], .float64) == nil)
        #expect(try lake.run("SELECT * FROM delta.'f' WHERE id = 7").scan.filesSkipped == 2)
        try lake.run("DELETE FROM delta.'f' WHERE id = 1; INSERT INTO delta.'f' (id) VALUES (10)")
        #expect(try lake.rows("SELECT count(*) FROM delta.'f'") == ["4"])
        #expect(try lake.rows("FSCK TABLE delta.'f'").isEmpty)
        #expect(lake.problem(Self.statement)?.code == "table.exists")
    }

    @Test func `without statistics only rows are counted`() throws {
        let lake = try lake()
        try lake.run("CONVERT TO DELTA parquet.'f' NO STATISTICS PARTITIONED BY (day date)")
        let file = try #require(try lake.table("f").snapshot().files.first)
        #expect(file.recordedRowCount == 2)
        #expect(FileStatistics(file)?.nullCount(["id"]) == nil)
    }

    @Test(arguments: [
        ("CONVERT TO DELTA parquet.'f'", "partition columns are ()"),
        ("CONVERT TO DELTA parquet.'f' PARTITIONED BY (dy date)", "column 'day' where"),
        ("CONVERT TO DELTA parquet.'f' PARTITIONED BY (day int)", "is not a integer"),
        ("CONVERT TO DELTA parquet.'f' PARTITIONED BY (day date, x int)", "below 1 folders"),
        ("CONVERT TO DELTA parquet.'none'", "no Parquet files"),
        ("CONVERT TO DELTA delta.'f'", "is no folder of Parquet files"),
        ("CONVERT TO DELTA t", "is no folder of Parquet files"),
    ])
    func `what does not fit is told`(statement: String, words: String) throws {
        let lake = try lake()
        let problem = lake.problem(statement)
        #expect(problem?.message.contains(words) == true, "\(String(describing: problem))")
        #expect(problem?.position != nil)
        #expect(try !lake.table("f").exists())
    }

    @Test func `files that contradict each other or are damaged are named`() throws {
        let lake = try lake()
        try put(lake, "f/day=2024-01-03/d.parquet", [Field("id", .text)], [[.text("x")]])
        let problem = lake.problem(Self.statement)
        #expect(
            problem?.message == "column 'id' is text in f/day=2024-01-03/d.parquet, but bigint in"
                + " f/day=2024-01-01/a.parquet")
        try lake.store.replace("f/day=2024-01-03/d.parquet", Bytes(utf8: "PAR1 and no more"))
        #expect(lake.problem(Self.statement)?.message.contains("d.parquet") == true)
        #expect(try !lake.table("f").exists())
    }
}
