import Base
import Columns
import Delta
import Node
import Testing

/// Statements whose rows do not fit into their share of memory give the same answers.
struct TableMemoryTests {
    private func lake(_ sourceBytes: Int?) throws -> (LakeHarness, ScratchSpace) {
        let space = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
        var limits = LakeLimits(scratch: space)
        if let sourceBytes { limits.mergeSourceBytes = sourceBytes }
        limits.orderedBytes = 5000
        let lake = try LakeHarness(limits: limits)
        try lake.run(
            """
            CREATE TABLE t (id bigint, key text, n int, part int);
            INSERT INTO t SELECT g, CASE WHEN g % 11 = 0 THEN NULL ELSE 'key number ' || g END,
                g::int, (g % 3)::int FROM generate_series(1, 3000) AS g;
            CREATE TABLE s (key text, n int);
            INSERT INTO s SELECT CASE WHEN g % 50 = 0 THEN NULL ELSE 'key number ' || g * 2 END,
                -g::int FROM generate_series(1, 2000) AS g;
            """)
        return (lake, space)
    }

    static let merges = [
        """
        MERGE INTO t USING s ON t.key = s.key WHEN MATCHED THEN UPDATE SET n = s.n
        WHEN NOT MATCHED THEN INSERT (key, n) VALUES (s.key, s.n)
        """,
        """
        MERGE INTO t USING s ON t.key = s.key AND t.part = 1 WHEN MATCHED AND s.n < -500 THEN DELETE
        WHEN MATCHED THEN UPDATE SET n = s.n + t.n
        """,
        """
        MERGE INTO t USING s ON t.key = s.key WHEN MATCHED THEN UPDATE SET n = s.n
        WHEN NOT MATCHED THEN INSERT (key, n) VALUES (s.key, s.n)
        WHEN NOT MATCHED BY SOURCE AND t.id > 2000 THEN DELETE
        WHEN NOT MATCHED BY SOURCE THEN UPDATE SET n = 0
        """,
        """
        MERGE INTO t USING s ON t.key = s.key WHEN NOT MATCHED BY SOURCE THEN DELETE
        """,
        """
        MERGE INTO t USING s ON t.key IS NOT DISTINCT FROM s.key AND t.id = 11
        WHEN MATCHED AND s.n = -50 THEN UPDATE SET n = s.n
        """,
    ]

    @Test(arguments: merges)
    func `a merge in parts does what it does in one piece`(merge: String) throws {
        func outcome(_ bytes: Int?) throws -> (tag: String, rows: [String]) {
            let (lake, space) = try lake(bytes)
            let tag = try lake.tag(merge)
            #expect(try space.fileCount() == 0)
            return (tag, try lake.rows("SELECT id, key, n FROM t ORDER BY key, id, n"))
        }
        let whole = try outcome(nil)
        for bytes in [20_000, 1] {
            let parts = try outcome(bytes)
            #expect(parts.tag == whole.tag)
            #expect(parts.rows == whole.rows)
        }
    }

    @Test func `a merge in parts still finds a row that two rows of the source change`() throws {
        let (lake, _) = try lake(1)
        try lake.run("INSERT INTO s VALUES ('key number 4', 9)")
        let problem = lake.problem(
            "MERGE INTO t USING s ON t.key = s.key WHEN MATCHED THEN UPDATE SET n = s.n")
        #expect(problem?.code == "21000")
        #expect(try lake.rows("SELECT count(*) FROM t WHERE n < 0") == ["0"])
    }

    @Test func `a clustered table is declared, ordered, changed and read`() throws {
        let (lake, space) = try lake(nil)
        try lake.run("CREATE TABLE c (a int, b text, c int) CLUSTER BY (a, b)")
        for part in 0..<3 {
            try lake.run(
                "INSERT INTO c SELECT (g * 7919 % 1000)::int, 'text ' || g % 100, g::int "
                    + "FROM generate_series(\(part * 1000 + 1), \(part * 1000 + 1000)) AS g")
        }
        let sums = try lake.rows("SELECT count(*), sum(a), sum(c), count(DISTINCT b) FROM c")
        #expect(try lake.rows("OPTIMIZE c").count == 1)
        #expect(try space.fileCount() == 0)
        #expect(
            try lake.rows("SELECT count(*), sum(a), sum(c), count(DISTINCT b) FROM c") == sums)
        // Nothing is left to do.
        #expect(try lake.rows("OPTIMIZE c")[0].contains("|-|"))
        try lake.run("ALTER TABLE c CLUSTER BY (c)")
        #expect(try lake.rows("OPTIMIZE c")[0].contains("|-|"))
        #expect(try !lake.rows("OPTIMIZE c FULL")[0].contains("|-|"))
        #expect(
            try lake.rows("SELECT count(*), sum(a), sum(c), count(DISTINCT b) FROM c") == sums)
        #expect(
            lake.problem("OPTIMIZE c ZORDER BY (a)")?.message.contains("clustered by c") == true)
        try lake.run("ALTER TABLE c CLUSTER BY NONE")
        #expect(lake.problem("OPTIMIZE c FULL")?.code == "42809")
        try lake.run("OPTIMIZE c ZORDER BY (a)")
        #expect(lake.problem("ALTER TABLE c CLUSTER BY (d)")?.code == "42703")
        #expect(lake.problem("CREATE TABLE d (a int) CLUSTER BY (b)")?.code == "42703")
        #expect(
            lake.problem("CREATE TABLE d (a int, b int) PARTITIONED BY (a) CLUSTER BY (b)") != nil)
    }
}
