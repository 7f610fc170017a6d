import Base
import Columns
import Delta
import Node
import Testing

/// Settings that say how checkpoints and statistics are written.
struct CheckpointSettingsTests {
    private func lake(_ settings: String) throws -> LakeHarness {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE t (id bigint, name text, price numeric(6,2), at timestamptz, day date,
                ok boolean) PARTITIONED BY (day) WITH (\(settings))
            """)
        for id in 1...6 {
            try lake.run(
                "INSERT INTO t VALUES (\(id), 'n\(id)', \(id).25, '2024-01-0\(id) 10:00:00.123456+00',"
                    + " '2024-02-0\(id)', true)")
        }
        return lake
    }

    private func names(_ lake: LakeHarness, _ folder: String = "_delta_log") throws -> [String] {
        try lake.store.list("public/t/" + folder, recursive: false).map {
            String($0.path.split(separator: "/").last ?? "")
        }
    }

    /// The table as it is when nothing but its checkpoint says what is in it.
    private func withoutCommits(_ lake: LakeHarness, upTo version: Int64) throws -> TableSnapshot {
        for number in 0...version {
            try lake.store.delete("public/t/_delta_log/" + LogFileName.commitName(number))
        }
        return try lake.table("public/t").snapshot()
    }

    @Test(arguments: [Int.max, 2])
    func `checkpoints of the second kind hold the whole table`(limit: Int) throws {
        let lake = try lake(
            "\"delta.checkpointPolicy\" = 'v2', \"delta.checkpointInterval\" = 1000")
        let before = try lake.table("public/t").snapshot()
        #expect(before.tableProtocol.readerFeatures?.contains("v2Checkpoint") == true)
        for _ in 0..<2 {
            // The second writer of a version finds everything there.
            try lake.table("public/t").writeCheckpoint(of: before, sidecarEntries: limit)
        }
        let written = try names(lake).filter { $0.contains(".checkpoint.") }
        #expect(written.count == 1 && written[0].split(separator: ".").count == 4)
        let sidecars = (try? names(lake, "_delta_log/_sidecars")) ?? []
        #expect(sidecars.count == (limit == 2 ? 3 : 0))
        let after = try withoutCommits(lake, upTo: 5)
        #expect(after.files.map(\.path) == before.files.map(\.path))
        #expect(after.metadata == before.metadata)
        #expect(try lake.rows("FSCK TABLE t").isEmpty)
        try lake.run("INSERT INTO t (id) VALUES (9); DELETE FROM t WHERE id = 1")
        #expect(try lake.rows("SELECT count(*), sum(id) FROM t") == ["6|29"])
    }

    @Test(arguments: ["v2", "classic"])
    func `statistics are columns of the checkpoint`(policy: String) throws {
        let lake = try lake(
            "\"delta.checkpointPolicy\" = '\(policy)', \"delta.checkpoint.writeStatsAsStruct\" = true,"
                + " \"delta.checkpoint.writeStatsAsJson\" = false, \"delta.checkpointInterval\" = 6"
        )
        let after = try withoutCommits(lake, upTo: 5)
        #expect(after.rowCount == 6)
        for (column, value, wanted) in [
            ("id", Value.int(3), 1), ("name", .text("n4"), 1),
            ("price", .decimal(unscaled: 525, scale: 2), 1), ("id", .int(7), 0),
            ("at", .timestampTZ(microseconds: 1_704_189_600_123_456), 1),
        ] {
            let found = after.files.filter {
                after.mightMatch($0, column: column, lower: value, upper: value)
            }
            #expect(found.count == wanted, "\(column)")
        }
        #expect(
            after.files.map { FileStatistics($0)?.nullCount(["ok"]) }
                == Array(repeating: 0, count: 6)
        )
    }

    @Test func `commits between rare checkpoints are compacted`() throws {
        let lake = try lake("\"delta.checkpointInterval\" = 200")
        // Version 6 is there; the rest is made of every kind of change.
        try lake.run("ALTER TABLE t SET TBLPROPERTIES ('delta.enableDeletionVectors' = true)")
        for id in 10..<60 { try lake.run("INSERT INTO t (id, day) VALUES (\(id), '2024-02-01')") }
        try lake.run(
            "DELETE FROM t WHERE id = 12; OPTIMIZE t; UPDATE t SET ok = false WHERE id > 50")
        for id in 60..<77 { try lake.run("INSERT INTO t (id) VALUES (\(id))") }
        let before = try lake.table("public/t").snapshot()
        #expect(before.version == 77)
        let compacted = try names(lake).filter { $0.hasSuffix(".compacted.json") }
        #expect(compacted.count == 1 && compacted[0].hasPrefix("00000000000000000001.0000000000"))
        let rows = try lake.rows("SELECT * FROM t VERSION AS OF 74 ORDER BY id")
        let files = try lake.table("public/t").snapshot(version: 74).files
        // Without the commits that they stand for.
        for version in 1...50 {
            try lake.store.delete(
                "public/t/_delta_log/" + LogFileName.commitName(Int64(version)))
        }
        let after = try lake.table("public/t").snapshot(version: 74)
        #expect(Set(after.files) == Set(files))
        #expect(try lake.rows("SELECT * FROM t VERSION AS OF 74 ORDER BY id") == rows)
        #expect(after.metadata == before.metadata)
    }

    @Test func `a table chooses the columns that have statistics`() throws {
        let lake = try lake("\"delta.dataSkippingStatsColumns\" = 'name, price'")
        for file in try lake.table("public/t").snapshot().files {
            let statistics = try #require(FileStatistics(file))
            #expect(statistics.minimum(["name"], .text) != nil)
            #expect(statistics.minimum(["price"], .decimal(precision: 6, scale: 2)) != nil)
            #expect(statistics.nullCount(["id"]) == nil)
            #expect(statistics.rowCount == 1)
        }
        #expect(
            TableMetadata.columnPaths("a, b.c,`x y`.z , `p.q`")
                == [["a"], ["b", "c"], ["x y", "z"], ["p.q"]])
        #expect(TableMetadata.columnPaths("").isEmpty)
        try lake.run("ALTER TABLE t SET TBLPROPERTIES ('delta.dataSkippingNumIndexedCols' = 1)")
        try lake.run("ALTER TABLE t UNSET TBLPROPERTIES ('delta.dataSkippingStatsColumns')")
        try lake.run("TRUNCATE t; INSERT INTO t VALUES (1, 'a', 1, now(), '2024-01-01', true)")
        let file = try #require(try lake.table("public/t").snapshot().files.first)
        #expect(FileStatistics(file)?.nullCount(["id"]) == 0)
        #expect(FileStatistics(file)?.nullCount(["name"]) == nil)
    }
}
