// Queries with helpers: whoever reads which part of a table, and whenever, the rows are those of one
// thread, in their order, and so are the errors.

import Base
import Columns
import Engine
import FaultyDisks
import SQL
import Synchronization
import Testing

private let fields = [
    Field("i", .int64), Field("k", .int32), Field("s", .text), Field("x", .int32),
    Field("d", .decimal(precision: 12, scale: 2)), Field("f", .float64), Field("b", .boolean),
    Field("day", .date), Field("v", .interval),
]

/// Rows of `t` (3000), `u` (400) and `small` (40).
private let relations: [String: [ColumnBatch]] = {
    var random = Random(seed: 20)
    func rows(_ count: Int) -> [ColumnBatch] {
        let rows = (0..<count).map { number -> [Value] in
            let key = random.below(300)
            return [
                .int(Int64(number)),
                random.chance(1, in: 9) ? .null : .int(Int64(key)),
                .text(key % 3 == 0 ? "k\(key)" : "a text longer than its view, number \(key)"),
                random.chance(1, in: 7) ? .null : .int(Int64(random.below(2000)) - 1000),
                .decimal(unscaled: Int128(random.below(1_000_000)) - 400_000, scale: 2),
                .float(Double(random.below(1000)) / 7), .boolean(random.chance(1, in: 2)),
                .date(days: Int32(random.below(60)) + 19_000),
                .interval(Interval(months: Int32(random.below(2)), days: Int32(random.below(31)))),
            ]
        }
        return batches(fields, rows, sizes: [37, 211, 3, 150])
    }
    return ["t": rows(3000), "u": rows(400), "small": rows(40)]
}()

/// Tables whose scans can be divided.
private struct DividedTables: TableSource, SchemaProvider {
    /// Batches of a part.
    var batchesOfPart = 3
    /// The part that ends in an error.
    var failing: Int?
    var opened = Opened()

    final class Opened: Sendable {
        let parts = Mutex<Set<Int>>([])
    }

    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? {
        guard relations[name.name] != nil else { return nil }
        return RelationDescription(name: name, kind: .table, columns: fields)
    }

    func relationNames() -> [QualifiedName] { [] }

    func open(_ node: ScanNode, _ context: QueryContext) throws(Problem) -> any BatchSource {
        let batches = (relations[node.relation.name] ?? []).map { batch in
            ColumnBatch(
                columns: node.projection.map { batch.columns[$0] }, rowCount: batch.rowCount)
        }
        return Source(batches, self)
    }

    private final class Source: DividedSource {
        private var batches: ArraySlice<ColumnBatch>
        private let tables: DividedTables

        init(_ batches: [ColumnBatch], _ tables: DividedTables) {
            self.batches = batches[...]
            self.tables = tables
        }

        func next() throws(Problem) -> ColumnBatch? {
            let end = tables.failing.map { $0 * tables.batchesOfPart } ?? .max
            if batches.startIndex >= end { throw Problem("58030", "a part is damaged") }
            return batches.popFirst()
        }

        func parts(rowsWanted: Int64) throws(Problem) -> [SourcePart] {
            let tables = tables
            return stride(from: 0, to: batches.count, by: tables.batchesOfPart).enumerated().map {
                number, start in
                let own = Array(batches[start..<min(start + tables.batchesOfPart, batches.count)])
                return SourcePart(rowCount: Int64(own.reduce(0) { $0 + $1.rowCount })) {
                    () throws(Problem) in
                    tables.opened.parts.withLock { _ = $0.insert(number) }
                    if number == tables.failing {
                        throw Problem("58030", "a part is damaged")
                    }
                    return BatchList(own)
                }
            }
        }
    }
}

private func plan(_ sql: String) throws -> LogicalPlan {
    guard case .query(let query) = try Parser.statement(sql).statement else {
        throw Problem("XX000", "no query")
    }
    var binder = Binder(provider: DividedTables())
    return try binder.plan(query)
}

private func lines(
    _ sql: String, _ context: QueryContext, _ tables: DividedTables = DividedTables()
) throws -> [String] {
    let execution = try QueryExecutor.open(try plan(sql), tables, context)
    var lines: [String] = []
    while let batch = try execution.next() {
        for row in 0..<batch.rowCount {
            lines.append(batch.columns.map { textForm($0, row) ?? "NULL" }.joined(separator: "|"))
        }
    }
    return lines
}

private func context(
    _ workers: (any QueryWorkers)?, memory: Int = Limits.queryBytes, scratch: ScratchSpace? = nil,
    isCancelled: @escaping @Sendable () -> Bool = { false }
) -> QueryContext {
    QueryContext(
        now: testNow, random: Random(seed: 7), zones: InstalledZones(), memoryBytes: memory,
        scratch: scratch, workers: workers, dividedFromRows: 300, isCancelled: isCancelled)
}

/// Helpers that take turns, some eager, some lazy, one that never comes; and threads.
private let helpers: [any QueryWorkers] =
    [(2, 1), (3, 1), (7, 1), (2, 1000), (3, 4), (7, 0)].map {
        TurnTakers(threads: $0.0, stepsMax: $0.1)
    } + [2, 3, 7].map { ThreadedHelpers(threads: $0) }

@Suite struct ParallelTests {
    static let queries = [
        "SELECT * FROM t",
        "SELECT i, upper(s), d * 2 FROM t WHERE x > 100 AND s LIKE '%7%'",
        "SELECT k, count(*), count(x), sum(x), sum(i), sum(d), avg(x), avg(i), avg(d) FROM t GROUP BY k",
        "SELECT s, min(s), max(s), min(f), max(d), min(v), max(day), any_value(x) FROM t GROUP BY s",
        "SELECT k, s, bool_and(b), bool_or(b), bit_and(x), bit_or(i), bit_xor(x) FROM t GROUP BY k, s",
        "SELECT i, count(*), sum(x) FROM t GROUP BY i",
        "SELECT count(*), sum(x), avg(d), min(s), max(f) FROM t",
        "SELECT count(*), sum(x), avg(d), min(s), any_value(k) FROM t WHERE i < 0",
        "SELECT k, count(*) FROM t WHERE i < 0 GROUP BY k",
        "SELECT k, count(*) FILTER (WHERE b), sum(x) FILTER (WHERE x > 0), avg(d) FILTER (WHERE NOT b) FROM t GROUP BY k",
        // What is not the same in another order is computed in the order of the rows.
        "SELECT k, sum(f), avg(f), stddev(f), corr(f, x), count(DISTINCT s), sum(v) FROM t GROUP BY k",
        "SELECT k, array_agg(i), string_agg(s, ',' ORDER BY i DESC), first_value FROM (SELECT k, i, s, 1 AS first_value FROM t) q GROUP BY k, first_value",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY f) FROM t",
        "SELECT k, b, sum(d) FROM t GROUP BY GROUPING SETS ((k), (b), ())",
        "SELECT DISTINCT k, b FROM t",
        "SELECT * FROM t ORDER BY s, x DESC NULLS LAST",
        "SELECT i, s, x FROM t ORDER BY k NULLS FIRST, b LIMIT 70",
        "SELECT i, s FROM t ORDER BY f DESC OFFSET 30 LIMIT 20",
        "SELECT i FROM t LIMIT 900",
        "SELECT i FROM t WHERE x > 500 OFFSET 100",
        "SELECT t.i, u.i, u.s FROM t JOIN u ON t.k = u.k",
        "SELECT t.i, u.i FROM t LEFT JOIN u ON t.s = u.s AND t.x < u.x",
        "SELECT t.i, u.i FROM t RIGHT JOIN u ON t.k = u.k AND t.b",
        "SELECT t.i, u.i FROM t FULL JOIN u ON t.k = u.k AND t.x = u.x",
        "SELECT t.i, small.i FROM t, small WHERE t.x % 40 = small.i OR t.i = small.x",
        "SELECT i FROM t WHERE k IN (SELECT k FROM u WHERE b)",
        "SELECT i FROM t WHERE NOT EXISTS (SELECT FROM u WHERE u.s = t.s AND u.x > t.x)",
        "SELECT i FROM u WHERE EXISTS (SELECT FROM t WHERE u.s = t.s)",
        "SELECT u.day, count(*), sum(t.d) FROM t JOIN u ON t.k = u.k JOIN small ON small.k = t.k WHERE t.b GROUP BY u.day ORDER BY 1",
        "SELECT i, (SELECT max(u.i) FROM u WHERE u.k = t.k) FROM t WHERE b",
        "SELECT i, row_number() OVER (PARTITION BY k ORDER BY i DESC), sum(x) OVER (PARTITION BY s) FROM t",
        "WITH q AS (SELECT k, sum(d) AS d FROM t GROUP BY k) SELECT * FROM q WHERE d > (SELECT avg(d) FROM q)",
        "SELECT s FROM t UNION ALL SELECT s FROM u",
        "SELECT k, s FROM t INTERSECT SELECT k, s FROM u",
        "SELECT count(*) FROM (SELECT random() AS r, i FROM t) q WHERE r > 0.5",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r JOIN t ON t.i = r.n WHERE n < 5) SELECT * FROM r",
        "SELECT k, count(*) FROM t WHERE s || x::text SIMILAR TO '%1_%' GROUP BY k HAVING count(*) > 2",
        "SELECT (now() + v)::date, to_char(day, 'Mon DD'), count(*) FROM t GROUP BY 1, 2",
    ]

    @Test(arguments: queries)
    func `with helpers a query gives the rows of one thread in their order`(sql: String) throws {
        let expected = try lines(sql, context(nil))
        for (number, workers) in helpers.enumerated() {
            let context = context(workers)
            let found = try lines(sql, context, DividedTables(batchesOfPart: 1 + number % 3))
            #expect(found == expected, "\(workers) \(workers.threadsMax)")
            #expect(context.memory.used == 0)
        }
    }

    @Test(arguments: queries)
    func `in little memory, too, and what it held is given back`(sql: String) throws {
        let scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
        let isOrdered = sql.contains("ORDER BY")
        func sorted(_ lines: [String]) -> [String] { isOrdered ? lines : lines.sorted() }
        for memory in [160 << 10, 2 << 20] {
            // What does not fit for one thread (a collected group, a window's partition) need not for more.
            guard let expected = try? lines(sql, context(nil, memory: memory, scratch: scratch))
            else { continue }
            for workers in helpers {
                let context = context(workers, memory: memory, scratch: scratch)
                let found = try? lines(sql, context)
                if let found { #expect(sorted(found) == sorted(expected)) }
                #expect(found != nil || sql.contains("array_agg") || sql.contains("OVER"))
                #expect(context.memory.used == 0)
                #expect(context.memory.peak <= memory)
            }
        }
        #expect(try scratch.fileCount() == 0)
    }

    @Test func `the first error in the order of the rows ends the query`() throws {
        for (sql, code) in [
            ("SELECT 10 / (i - 2000) FROM t WHERE i < 2100 OR s::int > 0", "22012"),
            ("SELECT sum(100 / (i - 1500)) FROM t", "22012"),
            (
                "SELECT k, sum(i / (i - 1500)) FROM t WHERE i < 1700 OR s::int = 1 GROUP BY k",
                "22012"
            ),
            ("SELECT max(CASE WHEN i > 2950 THEN s::int ELSE 1 / (i - 2500) END) FROM t", "22012"),
            ("SELECT max(CASE WHEN i > 2400 THEN s::int ELSE 1 / (i - 2700) END) FROM t", "22P02"),
            ("SELECT sum((x + 2000)::smallint * 32767::smallint) FROM t", "22003"),
            ("SELECT sum(d * 1e25 * 1e10) FROM t", "22003"),
            ("SELECT i FROM t WHERE i = (SELECT u.i FROM u WHERE u.k = t.k)", "21000"),
        ] {
            #expect(errorCode { _ = try lines(sql, context(nil)) } == code, "\(sql)")
            for workers in helpers {
                let context = context(workers)
                #expect(errorCode { _ = try lines(sql, context) } == code, "\(sql)")
                #expect(context.memory.used == 0)
            }
        }
    }

    @Test func `rows before a damaged part come out, and then its error`() throws {
        for workers in [nil] + helpers.map({ Optional($0) }) {
            var tables = DividedTables()
            tables.failing = 5
            let execution = try QueryExecutor.open(
                try plan("SELECT i FROM t"), tables, context(workers))
            var count = 0
            var code: String?
            do throws(Problem) {
                while let batch = try execution.next() { count += batch.rowCount }
            } catch {
                code = error.code
            }
            #expect(code == "58030")
            #expect(count == relations["t"]?.prefix(15).reduce(0) { $0 + $1.rowCount })
        }
    }

    @Test func `a cancelled query ends, whoever works on it`() throws {
        for sql in [Self.queries[0], Self.queries[2], Self.queries[20], Self.queries[31]] {
            for workers in helpers {
                for looks in [0, 1, 5, 40] {
                    let calls = Counter()
                    let context = context(workers, isCancelled: { calls.next() > looks })
                    #expect(errorCode { _ = try lines(sql, context) } == "57014")
                    #expect(context.memory.used == 0)
                }
            }
        }
    }

    @Test func `a query that nobody reads on leaves nothing behind`() throws {
        for workers in helpers {
            let context = context(workers)
            var execution: (any BatchOperator)? = try QueryExecutor.open(
                try plan("SELECT t.i, u.i FROM t JOIN u ON t.k = u.k"), DividedTables(), context)
            _ = try execution?.next()
            _ = try execution?.next()
            #expect(context.memory.used > 0)
            execution = nil
            #expect(context.memory.used == 0)
        }
    }

    @Test func `below a LIMIT no part is opened before its rows are asked for`() throws {
        for workers in helpers {
            let tables = DividedTables()
            _ = try lines("SELECT i FROM t WHERE i >= 0 LIMIT 10", context(workers), tables)
            #expect(tables.opened.parts.withLock { $0.isEmpty })
            _ = try lines("SELECT i FROM t ORDER BY x LIMIT 10", context(workers), tables)
            #expect(tables.opened.parts.withLock { $0.count } > 8)
        }
    }

    @Test func `helpers do their share`() throws {
        for (stepsMax, least) in [(1000, 9), (1, 4)] {
            let steps = Counter()
            let workers = CountingHelpers(TurnTakers(threads: 3, stepsMax: stepsMax), steps)
            _ = try lines("SELECT k, sum(d) FROM t GROUP BY k", context(workers))
            #expect(steps.count >= least)
        }
    }

    @Test func `figures are those of one thread, its times those of all`() throws {
        let sql = """
            SELECT u.day, sum(t.d) FROM t JOIN u ON t.k = u.k WHERE t.b GROUP BY u.day
            """
        func figures(_ workers: (any QueryWorkers)?) throws -> [String] {
            let ticks = Counter()
            let measured = try QueryExecutor.measure(
                try plan(sql), DividedTables(), context(workers),
                clock: { Instant(nanoseconds: ticks.next() * 1000) })
            var lines: [String] = []
            func visit(_ node: MeasuredNode) {
                lines.append("\(QueryExecutor.explain(node.plan)[0]): \(node.rows)")
                #expect(node.time > .zero)
                for input in node.inputs { visit(input) }
            }
            visit(measured.root)
            return lines
        }
        let expected = try figures(nil)
        for workers in helpers { #expect(try figures(workers) == expected) }
    }
}

/// Counts the steps in which helpers found something to do.
private final class CountingHelpers: QueryWorkers {
    private let inner: TurnTakers
    private let steps: Counter

    init(_ inner: TurnTakers, _ steps: Counter) {
        self.inner = inner
        self.steps = steps
    }

    var threadsMax: Int { inner.threadsMax }

    func assign(_ count: Int, _ step: @escaping @Sendable () -> Bool) -> any HelperAssignment {
        inner.assign(count) { [steps] in
            let isDone = step()
            if isDone { _ = steps.next() }
            return isDone
        }
    }

    func makeSignal() -> any WorkSignal { inner.makeSignal() }
}
