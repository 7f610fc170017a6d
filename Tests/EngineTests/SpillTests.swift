// Queries in too little memory: what does not fit waits on the scratch disk, and the answers are those
// of a query with all the memory it wants.

import Base
import Columns
import Engine
import FaultyDisks
import Foundation
import SQL
import Testing

private let tables = """
    WITH t AS (
      SELECT i, i % 1700 AS k, 'a text that stands outside of its view, number ' || i * 7919 % 2300 AS s,
        CASE WHEN i % 11 = 0 THEN NULL ELSE i * 37 % 1000 END AS x, (i * 31 % 500) / 4.0::float8 AS f
      FROM generate_series(1, 6000) AS g(i)),
    u AS (
      SELECT j, CASE WHEN j % 13 = 0 THEN NULL ELSE j % 2100 END AS k,
        'a text that stands outside of its view, number ' || j % 3000 AS s
      FROM generate_series(1, 5000) AS g(j))

    """

/// The rows of `sql`, taken batch by batch so that the result needs no memory of the query.
private func rows(_ sql: String, _ context: QueryContext) throws -> [String] {
    try rows(tables, of: sql, context)
}

private func rows(
    _ tables: String, of sql: String, _ context: QueryContext
) throws -> [String] {
    guard case .query(let query) = try Parser.statement(tables + sql).statement else { return [] }
    var binder = Binder(provider: NoRelations())
    let execution = try QueryExecutor.open(try binder.plan(query), NoTables(), context)
    var lines: [String] = []
    while let batch = try execution.next() {
        #expect(batch.rowCount > 0 && batch.rowCount <= Limits.batchRows)
        for row in 0..<batch.rowCount {
            let line = batch.columns.map { textForm($0, row) ?? "NULL" }.joined(separator: "|")
            lines.append(line.isEmpty ? "(empty)" : line)
        }
    }
    return lines
}

@Suite struct SpillTests {
    private func context(_ memoryBytes: Int, _ scratch: ScratchSpace?) -> QueryContext {
        QueryContext(
            now: testNow, random: Random(seed: 7), memoryBytes: memoryBytes, scratch: scratch)
    }

    static let anyOrder = [
        "SELECT t.i, u.j FROM t JOIN u USING (k)",
        "SELECT t.i, u.j FROM t JOIN u ON t.s = u.s AND t.i < u.j",
        "SELECT t.i, u.j, u.s FROM t LEFT JOIN u ON t.s = u.s AND t.k = u.k",
        "SELECT t.i, u.j FROM t RIGHT JOIN u ON t.k = u.k AND t.i > 2000",
        "SELECT t.i, u.j, t.s FROM t FULL JOIN u ON t.k = u.k",
        "SELECT i FROM t WHERE EXISTS (SELECT FROM u WHERE u.s = t.s)",
        "SELECT i FROM t WHERE NOT EXISTS (SELECT FROM u WHERE u.s = t.s AND u.j > t.i)",
        "SELECT j FROM u WHERE k IN (SELECT x FROM t)",
        "SELECT a.i, b.j FROM t a JOIN u b ON a.f = (b.j % 800) / 4.0::float8 AND a.k = b.k",
        "SELECT s, count(*), sum(x), min(i), max(f) FROM t GROUP BY s",
        "SELECT i, array_agg(s), count(DISTINCT x), avg(f) FROM t GROUP BY i",
        "SELECT s, k, sum(i) FROM t GROUP BY GROUPING SETS ((s), (k, s), (), (k))",
        "SELECT f, x, count(*) FROM t GROUP BY f, x HAVING count(*) > 1",
        "SELECT DISTINCT s, x FROM t",
        "SELECT s FROM t UNION SELECT s FROM u",
        "SELECT s, k FROM t INTERSECT SELECT s, k FROM u",
        "SELECT i, row_number() OVER (PARTITION BY s ORDER BY i DESC), sum(x) OVER (PARTITION BY k) FROM t",
        "SELECT t.i, u.s, u.j FROM t ASOF JOIN u ON t.k = u.k AND t.i >= u.j",
        "SELECT t.i, u.s, u.j FROM t ASOF LEFT JOIN u ON t.s = u.s AND t.i < u.j",
        "SELECT t.s, u.s FROM t ASOF LEFT JOIN u ON t.s > u.s",
        "SELECT i, lag(s) OVER (PARTITION BY x ORDER BY i) FROM t",
        "SELECT DISTINCT ON (s, x) s, x, i, f FROM t",
        "SELECT k % 5, count(*), count(DISTINCT s), sum(DISTINCT x), max(DISTINCT s) FROM t GROUP BY 1",
        "SELECT count(DISTINCT i), count(DISTINCT s), avg(DISTINCT f), min(s) FROM t",
        "SELECT k % 3, count(DISTINCT (s, k)) FILTER (WHERE x > 10), count(DISTINCT f) FROM t GROUP BY 1",
        "SELECT k % 7, x % 2, count(DISTINCT s) FROM t GROUP BY GROUPING SETS ((1), (1, 2), ())",
        "SELECT k, count(DISTINCT s || i), stddev(DISTINCT f) FROM t GROUP BY k",
        "SELECT i % 900, array_agg(s ORDER BY x, i), first(i ORDER BY f DESC, s, i) FROM t GROUP BY 1",
        "SELECT i % 900, string_agg(DISTINCT left(s, 9) || x % 7, ', '), array_agg(DISTINCT x) FROM t GROUP BY 1",
        "SELECT i % 700, jsonb_agg(s), array_agg(i), string_agg(s, '|'), any_value(f ORDER BY s, i) FROM t GROUP BY 1",
        """
        SELECT k % 4, percentile_cont(0.3) WITHIN GROUP (ORDER BY f),
          percentile_disc(ARRAY[0.1, 0.9, 0.5]) WITHIN GROUP (ORDER BY s DESC),
          mode() WITHIN GROUP (ORDER BY x) FROM t GROUP BY 1
        """,
        """
        SELECT percentile_cont(ARRAY[1, 0, 0.5]) WITHIN GROUP (ORDER BY x),
          percentile_cont(0.25) WITHIN GROUP (ORDER BY f DESC) FILTER (WHERE k > 3),
          percentile_disc(0.7) WITHIN GROUP (ORDER BY x DESC), mode() WITHIN GROUP (ORDER BY s),
          percentile_cont(0.5) WITHIN GROUP (ORDER BY i * interval '1 second') FROM t
        """,
    ]

    @Test(arguments: anyOrder)
    func `a query that spills answers as one that does not`(sql: String) throws {
        let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
        let expected = try rows(sql, context(Limits.queryBytes, nil)).sorted()
        // Of a window function's input one batch and its results have to fit.
        let isWindow = sql.contains("OVER")
        for memory in isWindow ? [3 << 20] : [60 << 10, 150 << 10] {
            let small = context(memory, scratch)
            #expect(try rows(sql, small).sorted() == expected, "\(memory)")
            #expect(small.memory.spilledBytes > 0 || memory > 100 << 10)
            #expect(small.memory.used == 0)
            #expect(small.memory.peak <= memory)
        }
        #expect(try scratch.fileCount() == 0)
    }

    static let ordered = [
        "SELECT s, i FROM t ORDER BY s",
        "SELECT i, x FROM t ORDER BY x DESC NULLS LAST, s",
        "SELECT i, x, s FROM t ORDER BY x NULLS FIRST, f DESC, i",
        "SELECT s FROM t ORDER BY s DESC OFFSET 4000 LIMIT 1500",
        "SELECT ARRAY[x, k] AS a, i FROM t ORDER BY a, i DESC",
        "SELECT DISTINCT ON (x, k) x, k, i, s FROM t ORDER BY x DESC, k, s, i DESC",
        "SELECT i::numeric / 3 AS n, (i * 17 % 900) * interval '1 hour' AS d FROM t ORDER BY d, n",
    ]

    @Test(arguments: ordered)
    func `a sort that spills gives the same order, equal rows in theirs`(sql: String) throws {
        let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
        let expected = try rows(sql, context(Limits.queryBytes, nil))
        // A hundred kilobytes make so many runs that they are merged on the way.
        for memory in [100 << 10, 250 << 10] {
            let small = context(memory, scratch)
            #expect(try rows(sql, small) == expected, "\(memory)")
            #expect(small.memory.spilledBytes > 0)
            #expect(small.memory.used == 0)
        }
        #expect(try scratch.fileCount() == 0)
    }

    static let windows = [
        "SELECT s, k FROM t EXCEPT ALL SELECT s, k FROM u",
        "SELECT s FROM t INTERSECT ALL SELECT s FROM u",
        "SELECT i, (SELECT count(*) FROM u WHERE u.k = t.k) FROM t",
        "SELECT i, (SELECT count(*) FROM u WHERE u.s = t.s AND u.j > t.i) FROM t",
    ]

    @Test(arguments: windows)
    func `set operations with duplicates and correlated counts spill`(sql: String) throws {
        let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
        let expected = try rows(sql, context(Limits.queryBytes, nil)).sorted()
        for memory in [3 << 20, 200 << 10, 60 << 10] {
            let small = context(memory, scratch)
            #expect(try rows(sql, small).sorted() == expected, "\(memory)")
            #expect(small.memory.spilledBytes > 0 || memory > 100 << 10)
            #expect(small.memory.used == 0)
        }
    }

    static let hotKeys = [
        "SELECT a.i, b.j, a.s, b.s FROM a JOIN b ON a.h = b.h AND a.i % 50 = b.j % 50",
        "SELECT a.i, b.j FROM a LEFT JOIN b ON a.h = b.h AND a.i * 3 = b.j",
        "SELECT a.i, b.j FROM a RIGHT JOIN b ON a.h = b.h AND a.i = b.j",
        "SELECT a.i, b.j FROM a FULL JOIN b ON a.h = b.h AND a.i * 3 = b.j",
        "SELECT a.i FROM a WHERE EXISTS (SELECT FROM b WHERE b.h = a.h AND b.j = a.i * 3)",
        "SELECT a.i FROM a WHERE NOT EXISTS (SELECT FROM b WHERE b.h = a.h AND b.j = a.i * 3)",
        "SELECT b.j FROM b WHERE NOT EXISTS (SELECT FROM a WHERE b.h = a.h AND b.j = a.i * 3)",
    ]

    @Test(arguments: hotKeys)
    func `a key with more rows than fit is joined in pieces`(sql: String) throws {
        // Two keys, one of them of most rows, and some without a partner.
        let inputs = """
            , a AS (SELECT i, s, CASE WHEN i % 10 = 0 THEN 7 WHEN i % 10 = 1 THEN 8 ELSE 1 END AS h
              FROM t WHERE i <= 500),
            b AS (SELECT j, s, CASE WHEN j % 20 = 0 THEN 7 WHEN j % 20 = 1 THEN 9 ELSE 1 END AS h
              FROM u WHERE j <= 600)
            """
        let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
        let expected = try rows(inputs + sql, context(Limits.queryBytes, nil)).sorted()
        #expect(expected.count > 3)
        for memory in [12 << 10, 150 << 10] {
            let small = context(memory, scratch)
            #expect(try rows(inputs + sql, small).sorted() == expected, "\(memory)")
            #expect(small.memory.spilledBytes > 0 || memory > 100 << 10)
            #expect(small.memory.used == 0)
        }
        #expect(try scratch.fileCount() == 0)
    }

    @Test func `rows that wait for their partition do not keep the pieces before them alive`()
        throws
    {
        // Pieces of sorted runs are some MiB together, and a partition is a row or two.
        let sql = """
            SELECT count(s), sum(r) FROM (
              SELECT s, row_number() OVER (PARTITION BY s ORDER BY i) AS r FROM (
                SELECT i, repeat('a text that is long ', 5) || i * 7919 % 29989 AS s
                FROM generate_series(1, 60000) AS g(i)) AS long) AS numbered
            """
        let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
        let small = context(3 << 20, scratch)
        #expect(try rows(sql, small) == ["60000|90033"])
        #expect(small.memory.spilledBytes > 6 << 20)
    }

    @Test func `partitions without room for their numbers wait on the disk`() throws {
        // As many partitions as rows, then some of 50 rows, each of them over all batches.
        for modulus in [20_011, 397] {
            let sql = """
                SELECT count(*), sum(r), sum(r * i), count(p), min(s) FROM (
                  SELECT i, s, row_number() OVER w AS r, lag(i) OVER w AS p FROM (
                    SELECT i, 'key ' || i * 7919 % \(modulus) || ' of these' AS s
                    FROM generate_series(1, 20000) AS g(i)) AS keys
                  WINDOW w AS (PARTITION BY s, length(s) ORDER BY i DESC)) AS numbered
                """
            let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
            let expected = try rows(sql, context(Limits.queryBytes, nil))
            for memory in [64 << 10, 400 << 10] {
                let small = context(memory, scratch)
                #expect(try rows(sql, small) == expected, "\(modulus), \(memory)")
                #expect(small.memory.spilledBytes > 0)
                #expect(small.memory.used == 0)
            }
            #expect(try scratch.fileCount() == 0)
        }
    }

    @Test(arguments: [
        "ORDER BY i", "ORDER BY i DESC", "ORDER BY x DESC NULLS LAST", "ORDER BY x, f DESC",
        "ORDER BY f NULLS FIRST, i DESC", "ORDER BY b, d DESC", "ORDER BY nothing, i DESC", "",
    ])
    func `the first row of a partition is that with number 1`(order: String) throws {
        let input = """
            SELECT i, i * 7919 % 20011 % 211 AS k, 'key ' || i * 7919 % 1009 AS s, i * 31 % 17 > 8 AS b,
              nullif(i * 131 % 97, 5) AS x, (i * 37 % 89)::float8 / 7 AS f,
              date '2026-01-01' + i * 53 % 11 AS d, NULL::int AS nothing
            FROM generate_series(1, 5000) AS g(i)
            """
        for keys in ["s, b", "nullif(k, 3)", "i"] {
            func query(_ condition: String) -> String {
                """
                SELECT s, x, i, r FROM (
                  SELECT *, row_number() OVER (PARTITION BY \(keys) \(order)) AS r
                  FROM (\(input)) AS t) AS numbered WHERE \(condition)
                """
            }
            // The condition of the second hides what it says.
            let expected = try rows(query("r + 0 = 1"), context(Limits.queryBytes, nil)).sorted()
            let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
            for memory in [Limits.queryBytes, 200 << 10] {
                let small = context(memory, scratch)
                #expect(try rows(query("r = 1"), small).sorted() == expected, "\(keys), \(memory)")
                #expect(
                    small.memory.spilledBytes > 0 || memory > 200 << 10 || keys != "i")
                #expect(small.memory.used == 0)
            }
            #expect(try scratch.fileCount() == 0)
        }
        for condition in ["r <= 1 AND i > 100", "2 > r", "r = 0", "r = 1 AND s LIKE '%9'"] {
            func query(_ zero: String) -> String {
                """
                SELECT s, i FROM (SELECT s, i, row_number() OVER (PARTITION BY s \(order)) AS r
                  FROM (\(input)) AS t) AS numbered
                WHERE \(condition.replacing("r ", with: "r \(zero)").replacing("> r", with: "> r \(zero)"))
                """
            }
            let large = context(Limits.queryBytes, nil)
            #expect(try rows(query(""), large).sorted() == rows(query("+ 0 "), large).sorted())
        }
    }

    @Test(arguments: ["0", "i / 4500", "i / 1500", "i % 3", "i % 1201", "i"])
    func `distinct values are counted as distinct rows are`(group: String) throws {
        // Values that come once, that come often, and NULL, first and last.
        for value in ["i", "i % 211", "nullif(i % 37, 1)", "CASE WHEN i < 4500 THEN i % 1500 END"] {
            let input = """
                SELECT \(group) AS k, 'value ' || (\(value)) AS s
                FROM generate_series(1, 6000) AS g(i)
                """
            let counted = "SELECT k, count(DISTINCT s) FROM (\(input)) AS t GROUP BY k"
            let other =
                "SELECT k, count(s) FROM (SELECT DISTINCT k, s FROM (\(input)) AS t) AS d GROUP BY k"
            let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
            let expected = try rows(other, context(Limits.queryBytes, nil)).sorted()
            #expect(try rows(counted, context(Limits.queryBytes, nil)).sorted() == expected)
            for memory in [40 << 10, 200 << 10] {
                let small = context(memory, scratch)
                #expect(try rows(counted, small).sorted() == expected, "\(value), \(memory)")
                #expect(small.memory.used == 0)
            }
            #expect(try scratch.fileCount() == 0)
        }
    }

    @Test(arguments: ["aggregates.test", "joins.test", "ordering.test", "queries.test"])
    func `scripts answer in next to no memory what they do with enough`(script: String) throws {
        let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
        let file = ScriptTests.directory.appendingPathComponent(script)
        var (answered, refused, spilled) = (0, 0, 0)
        for block in ScriptBlock.parse(try String(contentsOf: file, encoding: .utf8))
        where block.expectation != .error {
            let small = QueryContext(
                now: testNow, random: Random(seed: 7), zones: InstalledZones(),
                memoryBytes: 2 << 10, scratch: scratch)
            do {
                // Only an ORDER BY tells the order, and not that of equal rows.
                #expect(try rows("", of: block.sql, small).sorted() == block.answer.sorted())
                answered += 1
            } catch let problem as Problem where problem.code == "53200" {
                refused += 1
            }
            if small.memory.spilledBytes > 0 { spilled += 1 }
            #expect(small.memory.used == 0, "\(block.sql)")
        }
        #expect(answered > refused, "\(answered) answered, \(refused) refused, \(spilled) spilled")
        #expect(try scratch.fileCount() == 0)
    }

    @Test func `lists of few large groups and many small ones come in pieces that fit`() throws {
        // The first groups have most of the rows; all lists together are larger than the memory.
        let sql = """
            SELECT g, array_agg(s ORDER BY i), string_agg(s, ',' ORDER BY i DESC)
            FROM (SELECT i, s, CASE WHEN i % 4 = 0 THEN i ELSE i % 40 END AS g FROM t) AS skewed
            GROUP BY g
            """
        let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
        let expected = try rows(sql, context(Limits.queryBytes, nil)).sorted()
        let small = context(200 << 10, scratch)
        #expect(try rows(sql, small).sorted() == expected)
        #expect(small.memory.spilledBytes > 0)
        #expect(small.memory.peak <= 200 << 10)
    }

    @Test func `rows of a shared query come from the disk for every reader`() throws {
        // The rows around a correlated query are read by it and by what joins its answers.
        let sql = """
            SELECT i, s, x, (SELECT max(j) FROM u WHERE u.k = t.k AND u.j % 7 < t.i % 7)
            FROM t
            """
        let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
        let expected = try rows(sql, context(Limits.queryBytes, nil)).sorted()
        let small = context(400 << 10, scratch)
        #expect(try rows(sql, small).sorted() == expected)
        #expect(small.memory.spilledBytes > 0)
    }

    @Test func `what can't be divided ends with 53200, also with a disk`() throws {
        let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
        for sql in [
            "SELECT array_agg(s) FROM t",
            "SELECT sum(x) OVER (ORDER BY i) FROM t",
        ] {
            let small = context(60_000, scratch)
            #expect(errorCode { _ = try rows(sql, small) } == "53200", "\(sql)")
            #expect(small.memory.used == 0)
        }
        #expect(try scratch.fileCount() == 0)
    }

    @Test func `a disk that is full or fails ends the query, and nothing stays`() throws {
        for sql in [Self.anyOrder[0], Self.anyOrder[10], Self.anyOrder[14], Self.ordered[0]] {
            let disk = RefusingDisk()
            let scratch = try ScratchSpace(disk: disk, folder: "spill")
            disk.failure = .noSpace(path: "spill")
            #expect(errorCode { _ = try rows(sql, context(60 << 10, scratch)) } == "53100")
            disk.failure = .system(operation: "write", path: "spill", code: 5)
            #expect(errorCode { _ = try rows(sql, context(60 << 10, scratch)) } == "58030")
            disk.failure = nil
            #expect(try scratch.fileCount() == 0)
        }
    }
}
