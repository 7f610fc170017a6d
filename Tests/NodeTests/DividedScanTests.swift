import Base
import Columns
import Engine
import Node
import Testing

extension LakeLimits {
    /// Two helpers that take turns, for tables of any size.
    static var helped: LakeLimits {
        var limits = LakeLimits()
        limits.workers = TurnTakers(threads: 3)
        limits.dividedFromRows = 2
        return limits
    }
}

/// Tables and files in parts: helpers read what one thread would.
struct DividedScanTests {
    /// Several files, of which some have deleted rows, some lack a column; one has two row groups.
    static let script = """
        CREATE TABLE t (id bigint, part int, name text)
            PARTITIONED BY (part) WITH ("delta.enableDeletionVectors" = true);
        INSERT INTO t SELECT g, (g % 2)::int, 'first ' || g FROM generate_series(1, 50) AS g;
        INSERT INTO t SELECT g, 2, NULL FROM generate_series(51, 60) AS g;
        ALTER TABLE t ADD COLUMN more double precision;
        INSERT INTO t SELECT g, (g % 3)::int, 'second ' || g, g / 3.0 FROM generate_series(61, 400) AS g;
        DELETE FROM t WHERE id % 7 = 0;
        CREATE TABLE large AS SELECT g AS id, g % 10 AS k FROM generate_series(1, 300000) AS g
        """

    static let queries = [
        "SELECT * FROM t", "SELECT id, more FROM t WHERE id > 40 AND part < 2",
        "SELECT part, count(*), sum(id), min(name) FROM t GROUP BY part",
        "SELECT count(*), count(more), sum(more) FROM t WHERE part <> 1",
        "SELECT part FROM t", "SELECT count(*) FROM t WHERE name LIKE 'first%'",
        "SELECT id, name FROM t ORDER BY name DESC LIMIT 5",
        "SELECT a.id, b.name FROM t a JOIN t b ON a.id = b.id + 1 WHERE b.part = 1",
        "SELECT * FROM t VERSION AS OF 2", "SELECT id FROM t WHERE id = 333",
        "SELECT k, count(*), sum(id), avg(id) FROM large GROUP BY k",
        "SELECT count(*) FROM large WHERE id BETWEEN 131000 AND 132000",
        "SELECT sum(l.id) FROM large l JOIN t ON t.id = l.id",
    ]

    @Test func `helpers read of Delta tables what one thread does`() throws {
        let alone = try LakeHarness()
        let helped = try LakeHarness(limits: .helped)
        for lake in [alone, helped] { try lake.run(Self.script) }
        for query in Self.queries {
            #expect(try helped.rows(query) == alone.rows(query), "\(query)")
        }
    }

    @Test func `figures of what was read are those of one thread`() throws {
        func figures(_ limits: LakeLimits) throws -> [String] {
            let lake = try LakeHarness(limits: limits)
            try lake.run(Self.script)
            let queries = [
                "SELECT sum(id) FROM large WHERE id < 5000", "SELECT id FROM t WHERE part = 2",
            ]
            return try queries.flatMap { try lake.rows("EXPLAIN ANALYZE \($0)") }
                .compactMap { line in line.firstIndex(of: "[").map { String(line[$0...]) } }
        }
        let expected = try figures(LakeLimits())
        #expect(expected.count == 2)
        #expect(try figures(.helped) == expected)
    }

    @Test func `SET query_threads leaves a query to its own thread`() throws {
        let lake = try LakeHarness(limits: .helped)
        #expect(try lake.rows("SHOW query_threads") == ["0"])
        #expect(try lake.rows("SET query_threads = 1; SHOW query_threads") == ["1"])
        #expect(lake.problem("SET query_threads = many")?.code == "22023")
        #expect(lake.problem("SET query_threads = -1")?.code == "22023")
        try lake.run(Self.script)
        let query = "SELECT k, count(*) FROM large GROUP BY k"
        #expect(try lake.rows("SET query_threads = 1; \(query)") == lake.rows(query))
    }
}
