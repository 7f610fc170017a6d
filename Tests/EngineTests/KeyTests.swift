// Keys of joins and groups: sources that leave out what the filters of joins reject, whole numbers near and
// far, texts that are UUIDs. What is found by a short way is compared with what is found by the long one.

import Base
import Columns
import Engine
import SQL
import Synchronization
import Testing

private let keyTypes: [ColumnType] = [
    .int32, .int64, .date, .text, .decimal(precision: 12, scale: 2),
]

/// Three tables: `a` is large, `b` and `c` are smaller; columns `k` and `m` are keys, `v` numbers the
/// rows.
private struct KeyedTables: SchemaProvider {
    var type: ColumnType
    var batches: [String: [ColumnBatch]] = [:]

    var fields: [Field] { [Field("k", type), Field("m", type), Field("v", .int64)] }

    init(_ type: ColumnType, spread: Int64, _ random: inout Random) {
        self.type = type
        for (name, count) in [("a", 3000), ("b", 200), ("c", 40)] {
            var rows: [[Value]] = []
            for row in 0..<count {
                rows.append([
                    key(spread, &random), key(spread, &random), .int(Int64(row)),
                ])
            }
            batches[name] = EngineTests.batches(fields, rows)
        }
    }

    private func key(_ spread: Int64, _ random: inout Random) -> Value {
        // What fits four bytes stays as far apart as it can.
        let spread = type == .int32 || type == .date ? min(spread, 1_000_003) : spread
        if random.chance(1, in: 12) { return .null }
        if random.chance(1, in: 200), type == .int64 {
            return .int(random.chance(1, in: 2) ? .min : .max)
        }
        let number = Int64(random.below(600)) * spread - 100 * spread
        switch type {
        case .text:
            return .text(number % 2 == 0 ? "k\(number)" : "a key too long for its view \(number)")
        case .date: return .date(days: Int32(truncatingIfNeeded: number))
        case .decimal: return .decimal(unscaled: Int128(number), scale: 2)
        case .int32: return .int(Int64(Int32(truncatingIfNeeded: number)))
        default: return .int(number)
        }
    }

    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? {
        batches[name.name] == nil
            ? nil : RelationDescription(name: name, kind: .table, columns: fields)
    }
    func relationNames() -> [QualifiedName] { [] }
    func rowCount(of name: QualifiedName) -> Int64? {
        batches[name.name].map { Int64($0.reduce(0) { $0 + $1.rowCount }) }
    }
}

/// Gives the rows that pass the filters, and counts those that do not.
private final class FilteringTables: TableSource {
    let tables: TestTables
    let leftOut = Mutex(0)

    init(_ tables: TestTables) { self.tables = tables }

    func open(_ node: ScanNode, _ context: QueryContext) throws(Problem) -> any BatchSource {
        try tables.open(node, context)
    }

    func open(
        _ node: ScanNode, filters: [ScanFilter], _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        FilteredBatches(try tables.open(node, context), filters, self)
    }
}

private final class FilteredBatches: BatchSource {
    private let rows: any BatchSource
    private let filters: [ScanFilter]
    private let owner: FilteringTables

    init(_ rows: any BatchSource, _ filters: [ScanFilter], _ owner: FilteringTables) {
        self.rows = rows
        self.filters = filters
        self.owner = owner
    }

    func next() throws(Problem) -> ColumnBatch? {
        guard var batch = try rows.next() else { return nil }
        let before = batch.rowCount
        for filter in filters {
            guard let places = filter.test.rows(of: batch.columns[filter.column]) else { continue }
            batch = batch.gather(places)
        }
        owner.leftOut.withLock { $0 += before - batch.rowCount }
        return batch
    }
}

@Suite struct JoinFilterTests {
    static let queries = [
        "SELECT a.v, b.v FROM a JOIN b ON a.k = b.k WHERE b.v < 20",
        "SELECT a.v, b.v FROM a LEFT JOIN b ON a.k = b.k AND b.v < 20",
        "SELECT a.v, b.v FROM b LEFT JOIN a ON a.k = b.k WHERE b.v < 20",
        "SELECT a.v, b.v FROM a RIGHT JOIN (SELECT * FROM b WHERE v < 9) b ON a.k = b.k",
        "SELECT a.v, b.v FROM a FULL JOIN b ON a.k = b.k",
        "SELECT a.v, b.v, c.v FROM a JOIN b ON a.k = b.k JOIN c ON b.m = c.m",
        "SELECT a.v, b.v, c.v FROM a JOIN b ON a.k = b.k JOIN c ON a.k = c.k WHERE c.v % 3 = 0",
        "SELECT a.v, b.v, c.v FROM a JOIN b ON a.k = b.k AND a.m = b.m JOIN c ON a.m = c.k",
        "SELECT a.v, b.v, c.v FROM a JOIN b ON a.k = b.k LEFT JOIN c ON b.k = c.k WHERE b.v < 30",
        "SELECT a.v, b.v, c.v FROM a LEFT JOIN b ON a.k = b.k JOIN c ON a.m = c.m",
        "SELECT a.v, b.v FROM (a JOIN c ON a.k = c.k) FULL JOIN b ON c.k = b.k",
        "SELECT v FROM a WHERE k IN (SELECT k FROM b WHERE v < 25)",
        "SELECT v FROM a WHERE EXISTS (SELECT FROM b WHERE b.k = a.k AND b.v < a.v)",
        "SELECT v FROM b WHERE EXISTS (SELECT FROM a WHERE a.k = b.k) AND v < 50",
        "SELECT v FROM b WHERE EXISTS (SELECT FROM a WHERE a.k = b.k AND a.v % 7 <> b.v % 7)",
        "SELECT v FROM c WHERE NOT EXISTS (SELECT FROM a WHERE a.k = c.k AND a.v > 900)",
        "SELECT v FROM c WHERE NOT EXISTS (SELECT FROM a WHERE a.k = c.k AND a.m <> c.m)",
        "SELECT v FROM a WHERE k NOT IN (SELECT k FROM b WHERE k IS NOT NULL)",
        "SELECT a.v, s.n FROM a JOIN b ON a.k = b.k JOIN (SELECT k, count(*) AS n FROM a GROUP BY k) s ON a.k = s.k WHERE b.v < 10",
        "SELECT b.v, s.n FROM b LEFT JOIN (SELECT k, m, count(*) AS n FROM a GROUP BY k, m) s ON b.k = s.k WHERE b.v < 20",
        "SELECT b.v, s.v FROM b JOIN (SELECT k, v FROM a UNION ALL SELECT m, v FROM c) s ON b.k = s.k",
        "SELECT b.v, s.v FROM b JOIN (SELECT DISTINCT k, v % 5 AS v FROM a) s ON b.k = s.k",
        "SELECT b.v, s.v FROM b JOIN (SELECT k, v FROM a ORDER BY v LIMIT 100) s ON b.k = s.k",
        "SELECT b.v, s.n FROM b JOIN (SELECT k, row_number() OVER (ORDER BY v) AS n FROM a) s ON b.k = s.k",
        "SELECT b.v, (SELECT max(a.v) FROM a WHERE a.k = b.k) FROM b WHERE b.v < 40",
        "SELECT a.v FROM a JOIN b ON a.k = b.k WHERE b.v < 0",
        "SELECT k, count(*), min(v) FROM a GROUP BY k",
        "SELECT k, m, count(*) FROM a GROUP BY GROUPING SETS ((k), (m), ())",
    ]

    @Test(arguments: keyTypes, [Int64(1), 1_000_003, 1 << 40])
    func `rows that filters leave out are missed by nobody`(type: ColumnType, spread: Int64) throws
    {
        var random = Random(seed: UInt64(spread % 977) + 3)
        let tables = KeyedTables(type, spread: spread, &random)
        let source = TestTables(tables: tables.batches)
        let filtering = FilteringTables(source)
        for sql in Self.queries {
            guard case .query(let query) = try Parser.statement(sql).statement else { continue }
            var binder = Binder(provider: tables)
            let plan = try binder.plan(query)
            let all = try lines(plan, source)
            #expect(try lines(plan, filtering) == all, "\(sql)")
            // Without the optimizer each join is done as it is written.
            var plain = Binder(provider: tables)
            #expect(try lines(try plain.unoptimizedPlan(query), source) == all, "\(sql)")
        }
        #expect(filtering.leftOut.withLock { $0 } > 10_000)
    }

    private func lines(_ plan: LogicalPlan, _ tables: any TableSource) throws -> [String] {
        let context = QueryContext(
            now: testNow, random: Random(seed: 7), memoryBytes: Limits.queryBytes, scratch: nil)
        return try QueryExecutor.execute(plan, tables, context).rows.map { "\($0)" }.sorted()
    }
}

@Suite struct WholeNumberKeyTests {
    /// Series of keys: ascending, descending, scattered, with holes, from one end of the type to the
    /// other, and changing from close to far.
    static let series = [
        "SELECT i::int8 AS k FROM generate_series(1, 9000) g(i)",
        "SELECT (9000 - i)::int8 AS k FROM generate_series(1, 9000) g(i)",
        "SELECT (i * 7919 % 10007)::int8 AS k FROM generate_series(1, 9000) g(i)",
        "SELECT i::int8 * 1000000007 AS k FROM generate_series(1, 9000) g(i)",
        "SELECT CASE WHEN i % 9 = 0 THEN NULL WHEN i < 5000 THEN i ELSE i::int8 * 1000003 END AS k FROM generate_series(1, 9000) g(i)",
        "SELECT CASE WHEN i < 5000 THEN -i ELSE i * 20 END::int8 AS k FROM generate_series(1, 9000) g(i)",
        "SELECT CASE i % 3 WHEN 0 THEN 9223372036854775807 WHEN 1 THEN -9223372036854775808 ELSE i END::int8 AS k FROM generate_series(1, 9000) g(i)",
        "SELECT CASE WHEN i % 2 = 0 THEN -9223372036854775808 + i ELSE i END::int8 AS k FROM generate_series(1, 9000) g(i)",
        "SELECT (i % 200 - 100)::int2 AS k FROM generate_series(1, 9000) g(i)",
        "SELECT NULL::int4 AS k FROM generate_series(1, 9000) g(i)",
    ]

    @Test(arguments: series)
    func `whole numbers are grouped and joined as their texts are`(sql: String) {
        for (numbers, texts) in [
            (
                "SELECT k, count(*) FROM s GROUP BY k ORDER BY k",
                "SELECT min(k), count(*) FROM s GROUP BY k::text ORDER BY 1"
            ),
            (
                "SELECT count(*), sum(a.k::numeric), count(b.k) FROM s a LEFT JOIN (SELECT DISTINCT k FROM s WHERE k % 3 = 0) b ON a.k = b.k",
                "SELECT count(*), sum(a.k::numeric), count(b.k) FROM s a LEFT JOIN (SELECT DISTINCT k::text AS t, k FROM s WHERE k % 3 = 0) b ON a.k::text = b.t"
            ),
            (
                "SELECT count(*), min(k) FROM (SELECT DISTINCT k FROM s) d",
                "SELECT count(*), min(k) FROM (SELECT DISTINCT k::text AS t, k FROM s) d"
            ),
        ] {
            let with = "WITH s AS (\(sql)) "
            let answer = answer(with + numbers)
            #expect(answer == EngineTests.answer(with + texts), "\(numbers)")
            // Errors are told in words.
            #expect(answer.first?.contains(" ") == false, "\(answer.prefix(1))")
        }
    }
}

@Suite struct TextKeyTests {
    /// Texts that are UUIDs, that nearly are, and others, each several times, with NULL.
    static let texts = """
        WITH m AS (SELECT i, md5((i % 3000)::text) AS h FROM generate_series(1, 9000) g(i)),
        c AS (SELECT i, substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-' || substr(h, 13, 4) || '-'
          || substr(h, 17, 4) || '-' || substr(h, 21, 12) AS u FROM m),
        s AS (SELECT i, CASE i % 3000 % 13
          WHEN 0 THEN upper(u) WHEN 1 THEN u || 'a' WHEN 2 THEN substr(u, 2) WHEN 3 THEN NULL
          WHEN 4 THEN replace(u, '-', '_') WHEN 5 THEN overlay(u placing 'g' from 1 + i % 3000 % 36)
          WHEN 6 THEN overlay(u placing '/' from 1 + i % 3000 % 36)
          WHEN 7 THEN overlay(u placing ':' from 1 + i % 3000 % 36)
          WHEN 8 THEN overlay(u placing '`' from 1 + i % 3000 % 36) WHEN 9 THEN left(u, 12)
          WHEN 10 THEN left(u, 13 + i % 3000 % 5) ELSE u END AS k FROM c)

        """

    @Test func `texts are keys by their bytes, whatever they spell`() {
        for (plain, marked) in [
            (
                "SELECT k, count(*), min(i) FROM s GROUP BY k ORDER BY k",
                "SELECT min(k), count(*), min(i) FROM s GROUP BY '!' || k ORDER BY 1"
            ),
            (
                "SELECT count(DISTINCT k), min(k), max(k) FROM s",
                "SELECT count(DISTINCT k || '!'), min(k), max(k) FROM s"
            ),
            (
                "SELECT count(*), sum(a.i), min(b.k) FROM s a JOIN s b ON a.k = b.k WHERE b.i < 2000",
                "SELECT count(*), sum(a.i), min(b.k) FROM s a JOIN s b ON a.k || '!' = b.k || '!' WHERE b.i < 2000"
            ),
            (
                "SELECT k, i % 2, count(*) FROM s GROUP BY k, i % 2 ORDER BY 1, 2",
                "SELECT min(k), i % 2, count(*) FROM s GROUP BY '!' || k, i % 2 ORDER BY 1, 2"
            ),
        ] {
            let answer = answer(Self.texts + plain)
            #expect(answer == EngineTests.answer(Self.texts + marked), "\(plain)")
            #expect(answer.first?.contains(" ") == false, "\(answer.prefix(1))")
        }
        let spelled = EngineTests.answer(
            "SELECT DISTINCT k FROM (VALUES ('0123abcd-4567-89ef-0000-fedcba987654'), "
                + "('ffffffff-ffff-ffff-ffff-ffffffffffff'), "
                + "('00000000-0000-0000-0000-000000000000')) AS v (k)")
        #expect(
            spelled == [
                "0123abcd-4567-89ef-0000-fedcba987654", "ffffffff-ffff-ffff-ffff-ffffffffffff",
                "00000000-0000-0000-0000-000000000000",
            ])
    }
}
