import Base
import Columns
import SQL
import Testing

let planCases: [(String, String)] = [
    ("SELECT 1 AS x, 'a'", "Project: 1 AS x, 'a' AS ?column?\n>Values: 1 rows"),
    ("SELECT b FROM t WHERE a > 1", "Project: b\n>Scan table public.t [a, b] WHERE (a > 1)"),
    (
        "SELECT e_.* FROM u e_",
        "Scan table public.u [a, b, e]"
    ),
    (
        "SELECT a FROM t ORDER BY b DESC LIMIT 3",
        "Project: a\n>Limit: 3\n>>Sort: sort1 DESC, first 3\n"
            + ">>>Project: a, b AS sort1\n>>>>Scan table public.t [a, b]"
    ),
    (
        "SELECT event_type, count(*) n FROM gold.event_metrics GROUP BY 1 HAVING sum(total_events) > 5 "
            + "ORDER BY n",
        "Sort: n\n>Project: event_type, countStar AS n\n>>Filter: (sum > 5)\n"
            + ">>>Aggregate: count(*), sum(total_events) BY event_type\n"
            + ">>>>Scan table gold.event_metrics [event_type, total_events]"
    ),
    (
        "SELECT t.b, u.e FROM t ASOF LEFT JOIN u ON t.big = u.a AND t.b > u.b WHERE t.big = 3",
        "Project: b, e\n>Asof left ON big = a AND b > b\n"
            + ">>Scan table public.t [b, big] WHERE (big = 3)\n"
            + ">>Scan table public.u [a, b, e] WHERE (a = 3)"
    ),
    (
        "SELECT upper(b) FROM t GROUP BY upper(b) ORDER BY upper(b)",
        "Sort: upper\n>Aggregate:  BY upper(b)\n>>Scan table public.t [b]"
    ),
    (
        "SELECT count(*) FROM t",
        "Project: countStar AS count\n>Aggregate: count(*)\n"
            + ">>Scan table public.t []"
    ),
    (
        "SELECT DISTINCT b FROM t ORDER BY b",
        "Sort: b\n>Distinct\n>>Scan table public.t [b]"
    ),
    (
        "SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, ts DESC",
        "Project: a, b\n>Distinct on: a ORDER BY a, sort1 DESC\n"
            + ">>Project: a, b, ts AS sort1\n>>>Scan table public.t [a, b, ts]"
    ),
    (
        "SELECT t.b, u.e FROM t JOIN u ON t.a = u.a AND t.c > 1 AND u.e < t.a WHERE u.b = 'x'",
        "Project: b, e\n>Join inner ON a::bigint = a AND (e < a)\n"
            + ">>Scan table public.t [a, b, c] WHERE (c > 1.0)\n"
            + ">>Scan table public.u [a, b, e] WHERE (b = 'x')"
    ),
    (
        "SELECT t.b FROM t, u WHERE t.big = u.a",
        "Project: b\n>Join inner ON big = a\n>>Scan table public.t [b, big]\n"
            + ">>Scan table public.u [a]"
    ),
    (
        "SELECT t.b, u.b FROM t LEFT JOIN u ON t.big = u.a AND u.e = 1 WHERE t.ok",
        "Project: b, b\n>Join left ON big = a\n>>Scan table public.t [b, ok, big] WHERE ok\n"
            + ">>Scan table public.u [a, b, e] WHERE (e = 1)"
    ),
    (
        "SELECT t.b FROM t LEFT JOIN u ON t.big = u.a WHERE u.e IS NULL",
        "Project: b\n>Filter: e IS NULL\n>>Join left ON big = a\n"
            + ">>>Scan table public.t [b, big]\n>>>Scan table public.u [a, e]"
    ),
    (
        "SELECT * FROM (SELECT a, e FROM u) x JOIN (SELECT e, b FROM u) y USING (e)",
        "Project: e, a, b\n>Join inner ON e = e\n>>Scan table public.u [a, e]\n"
            + ">>Project: e, b\n>>>Scan table public.u [b, e]"
    ),
    (
        "SELECT e FROM (SELECT e FROM u) x FULL JOIN (SELECT e FROM u) y USING (e)",
        "Project: coalesce(e, e) AS e\n>Join full ON e = e\n>>Scan table public.u [e]\n"
            + ">>Scan table public.u [e]"
    ),
    (
        "SELECT x FROM v WHERE y = 'q'",
        "Project: a AS x\n>Scan table public.t [a, b] WHERE ((a > 1) AND (b = 'q'))"
    ),
    (
        "WITH w (k) AS (SELECT a FROM u) SELECT k FROM w WHERE k = 3",
        "Project: a AS k\n>Scan table public.u [a] WHERE (a = 3)"
    ),
    (
        "SELECT a FROM u UNION ALL SELECT a FROM t",
        "Union all\n>Scan table public.u [a]\n>Project: a::bigint AS a\n"
            + ">>Scan table public.t [a]"
    ),
    (
        "SELECT a FROM u INTERSECT SELECT big FROM t",
        "Join semi ON a IS NOT DISTINCT FROM big\n>Distinct\n"
            + ">>Scan table public.u [a]\n>Scan table public.t [big]"
    ),
    (
        "SELECT b FROM t WHERE big IN (SELECT a FROM u WHERE e > 2)",
        "Project: b\n>Join semi ON big = a\n>>Scan table public.t [b, big]\n>>Project: a\n"
            + ">>>Scan table public.u [a, e] WHERE (e > 2)"
    ),
    (
        "SELECT b FROM t WHERE a = (SELECT max(e) FROM u)",
        "Project: b\n>Join inner ON a = max\n>>Scan table public.t [a, b]\n>>Single row\n"
            + ">>>Project: maximum AS max\n>>>>Aggregate: maximum(e)\n"
            + ">>>>>Scan table public.u [e]"
    ),
    (
        "SELECT b FROM t WHERE EXISTS (SELECT 1 FROM u)",
        "Join semi\n>Scan table public.t [b]\n>Limit: 1\n>>Scan table public.u []"
    ),
    (
        "SELECT count(*), (SELECT 7) AS s FROM u",
        "Project: countStar AS count, ?column? AS s\n>Join cross\n>>Aggregate: count(*)\n"
            + ">>>Scan table public.u []\n>>Single row\n>>>Project: 7 AS ?column?\n"
            + ">>>>Values: 1 rows"
    ),
    (
        "SELECT window_start, count(*) FROM TUMBLE(t, ts, INTERVAL '5 minutes') GROUP BY 1",
        "Project: window_start, countStar AS count\n>Aggregate: count(*) BY window_start\n"
            + ">>Tumble: ts, slide 300000000 us, size 300000000 us\n"
            + ">>>Scan table public.t [ts]"
    ),
    (
        "SELECT w.b, window_end FROM HOP(t, plain, '1 minute', '1 hour') AS w WHERE w.a = 1",
        "Project: b, window_end\n>Hop: plain, slide 60000000 us, size 3600000000 us\n"
            + ">>Scan table public.t [a, b, plain] WHERE (a = 1)"
    ),
    (
        "SELECT event_id, _offset FROM STREAM(topic_app_events) AS e",
        "Scan topic public.topic_app_events as stream [event_id, _offset]"
    ),
    (
        "SELECT e FROM u VERSION AS OF 3",
        "Scan table public.u version 3 [e]"
    ),
    (
        "SELECT e FROM u FOR SYSTEM_TIME AS OF now() - INTERVAL '2 days'",
        "Scan table public.u as of (now() - interval(0, 2, 0)) [e]"
    ),
    (
        "SELECT e FROM u TIMESTAMP AS OF '2026-02-16'",
        "Scan table public.u as of timestamptz 1771200000000000 [e]"
    ),
    ("VALUES (1, 'a'), (2.5, NULL)", "Values: 2 rows"),
    (
        "SELECT g FROM generate_series(1, 3) g WHERE g > 1",
        "Filter: (g > 1)\n>Expand: series(1, 3, 1)\n>>Values: 1 rows"
    ),
    (
        "SELECT b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.big AND u.e > t.a)",
        "Project: b\n>Join semi ON big = a AND (e > a)\n>>Scan table public.t [a, b, big]\n"
            + ">>Scan table public.u [a, e]"
    ),
    (
        "SELECT b FROM t WHERE a > (SELECT 2 * max(e) FROM u WHERE u.a = t.big)",
        "Project: b\n>Filter: (a > (2 * maximum))\n>>Join left ON big = key\n"
            + ">>>Scan table public.t [a, b, big]\n>>>Project: maximum, key\n"
            + ">>>>Aggregate: maximum(e) BY a\n>>>>>Scan table public.u [a, e]"
    ),
    (
        "SELECT t.b, x FROM t, unnest(t.list) AS x",
        "Project: b, x\n>Expand: unnest(list)\n>>Scan table public.t [b, list]"
    ),
    (
        "SELECT u.*, u.a + 1 AS a1 FROM u WHERE random() < 0.5 AND e = 1",
        "Project: a, b, e, (a + 1) AS a1\n>Filter: (random() < 0.5)\n"
            + ">>Scan table public.u [a, b, e] WHERE (e = 1)"
    ),
    (
        "SELECT b, n FROM (SELECT b, count(*) n FROM t GROUP BY b) x WHERE b = 'k' AND n > 1",
        "Project: b, countStar AS n\n>Filter: (countStar > 1)\n"
            + ">>Aggregate: count(*) BY b\n>>>Scan table public.t [b] WHERE (b = 'k')"
    ),
]

@Suite struct BinderTests {
    @Test(arguments: planCases)
    func `a query has this plan`(text: String, expected: String) throws {
        #expect(try explained(text) == expected)
    }

    @Test(
        arguments: [
            ("SELECT a FROM nope", "42P01", "relation \"nope\" does not exist", 14),
            (
                "SELECT * FROM event_metrics", "42P01", "relation \"event_metrics\" does not exist",
                14
            ),
            ("SELECT nope FROM t", "42703", "column \"nope\" does not exist", 7),
            ("SELECT x.a FROM t", "42P01", "missing FROM-clause entry for table \"x\"", 7),
            ("SELECT t.nope FROM t", "42703", "column t.nope does not exist", 7),
            ("SELECT b FROM t, u", "42702", "column reference \"b\" is ambiguous", 7),
            (
                "SELECT t.a FROM t AS x", "42P01",
                "invalid reference to FROM-clause entry for table \"t\"", 7
            ),
            ("SELECT 1 FROM t, t", "42712", "table name \"t\" specified more than once", 17),
            (
                "SELECT a, count(*) FROM t", "42803",
                "column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate function",
                7
            ),
            (
                "SELECT b FROM t GROUP BY a", "42803",
                "column \"t.b\" must appear in the GROUP BY clause or be used in an aggregate function",
                7
            ),
            (
                "SELECT a FROM t HAVING ok", "42803",
                "column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate function",
                7
            ),
            (
                "SELECT a FROM t WHERE count(*) > 1", "42803",
                "aggregate functions are not allowed in WHERE", 22
            ),
            (
                "SELECT count(*) FROM t GROUP BY 1", "42803",
                "aggregate functions are not allowed in GROUP BY", 7
            ),
            (
                "SELECT a FROM t GROUP BY 3", "42P10", "GROUP BY position 3 is not in select list",
                25
            ),
            (
                "SELECT a FROM t ORDER BY 2", "42P10", "ORDER BY position 2 is not in select list",
                25
            ),
            ("SELECT a x, b x FROM t ORDER BY x", "42702", "ORDER BY \"x\" is ambiguous", 32),
            (
                "SELECT DISTINCT a FROM t ORDER BY b", "42P10",
                "for SELECT DISTINCT, ORDER BY expressions must appear in select list", 34
            ),
            (
                "SELECT DISTINCT ON (a) a FROM t ORDER BY b, a", "42P10",
                "SELECT DISTINCT ON expressions must match initial ORDER BY expressions", 20
            ),
            (
                "SELECT a FROM t WHERE a", "42804",
                "argument of WHERE must be type boolean, not type integer", 22
            ),
            (
                "SELECT a FROM t UNION SELECT b FROM t", "42804",
                "UNION types integer and text cannot be matched", 29
            ),
            (
                "SELECT a FROM t UNION SELECT a, b FROM t", "42601",
                "each UNION query must have the same number of columns", 29
            ),
            ("SELECT a FROM t LIMIT -1", "2201W", "LIMIT must not be negative", 22),
            (
                "SELECT a FROM t LIMIT 'x'", "22P02", "invalid input syntax for type bigint: \"x\"",
                22
            ),
            ("SELECT *", "42601", "SELECT * with no tables specified is not valid", 7),
            ("SELECT (SELECT a, b FROM t)", "42601", "subquery must return only one column", 7),
            (
                "SELECT 1 FROM t WHERE a IN (SELECT a, b FROM u)", "42601",
                "subquery has too many columns", 24
            ),
            (
                "SELECT t.b, count(*), (SELECT e FROM u WHERE u.a = t.a) FROM t GROUP BY t.b",
                "42803",
                "column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate function",
                22
            ),
            (
                "SELECT 1 FROM t RIGHT JOIN LATERAL (SELECT 1 FROM u WHERE u.a = t.a) x ON true",
                "42P10", "invalid reference to a FROM-clause entry from the other side of a join",
                22
            ),
            (
                "SELECT * FROM t JOIN u USING (nope)", "42703",
                "column \"nope\" specified in USING clause does not exist in left table", 30
            ),
            (
                "SELECT * FROM u x(a, b, c, d)", "42P10",
                "table \"x\" has 3 columns available but 4 columns specified", 27
            ),
            (
                "SELECT * FROM topic_app_events VERSION AS OF 1", "0A000",
                "time travel of a topic is not supported", 14
            ),
            (
                "SELECT * FROM SESSION(t, ts, b, '1 hour')", "0A000",
                "SESSION windows are not supported yet", 14
            ),
            (
                "SELECT * FROM TUMBLE(t, d, '1 hour')", "42804",
                "TUMBLE needs a column of type timestamp or timestamptz", 24
            ),
            (
                "SELECT * FROM TUMBLE(t, ts, '1 month')", "22023",
                "a window size must be an interval of fixed length", 28
            ),
            (
                "SELECT * FROM other.public.t", "0A000",
                "cross-database references are not implemented: \"other.public.t\"", 14
            ),
            ("SELECT * FROM broken", "42703", "column \"nope\" does not exist", 14),
            ("SELECT * FROM selfish", "42P17", "view \"public.selfish\" contains itself", 14),
            ("SELECT nosuch(1)", "42883", "function nosuch(integer) does not exist", 7),
            ("SELECT t FROM t", "0A000", "a whole row as a value is not supported yet", 7),
            ("SELECT 1 FROM unnest(1)", "42883", "function unnest(integer) does not exist", 14),
            (
                "WITH a AS (SELECT 1), a AS (SELECT 2) SELECT 1", "42712",
                "WITH query name \"a\" specified more than once", 22
            ),
        ] as [(String, String, String, Int)])
    func `a wrong query has PostgreSQL's code, words and place`(
        text: String, code: String, message: String, position: Int
    ) {
        let problem = #expect(throws: Problem.self) { try plan(text) }
        #expect(problem?.code == code)
        #expect(problem?.message == message)
        #expect(problem?.position == position)
    }

    @Test(arguments: [
        (
            "SELECT event_typ, count(*) FROM gold.event_metrics GROUP BY 1",
            "did you mean \"event_type\"?  columns: metric_hour, event_type, app_type, "
                + "total_events, unique_users"
        ),
        ("SELECT b FROM t WHERE b == 'x'", "write ="),
        (
            "SELECT 1 FROM gold.event_metrics WHERE event_type = \"sea'rch\"",
            "a text stands in single quotes: 'sea''rch'  columns: metric_hour, event_type, app_type, "
                + "total_events, unique_users"
        ),
        ("SELECT 1::itn", "did you mean \"int\"?"),
        ("SELECT hello", "a text stands in single quotes: 'hello'"),
        ("SELECT * FROM event_metrics", "did you mean \"gold.event_metrics\"?"),
        ("SELECT * FROM gold.event_metric", "did you mean \"gold.event_metrics\"?"),
        ("SELECT b FROM t, u", "write t.b or u.b"),
        ("SELECT x.a FROM t abc", "tables: abc"),
    ])
    func `an unknown name gets a suggestion`(text: String, hint: String) {
        let problem = #expect(throws: Problem.self) { try plan(text) }
        #expect(problem?.hint == hint)
    }

    @Test(arguments: [
        (
            "SELECT a, a + 1, count(*), lower('x'), a::text, 1::int, CASE WHEN true THEN 1 END, "
                + "DATE '2026-01-01', extract(hour FROM ts), (array_agg(b))[1], true, EXISTS (SELECT 1), "
                + "(SELECT max(e) FROM u), coalesce(a, 1), ts AT TIME ZONE 'UTC' FROM t GROUP BY a, ts",
            [
                "a", "?column?", "count", "lower", "a", "int4", "case", "date", "extract",
                "array_agg", "bool", "exists", "max", "coalesce", "timezone",
            ]
        ),
        ("VALUES (1, 2)", ["column1", "column2"]),
        ("SELECT * FROM (VALUES (1, 2)) AS x (p, q)", ["p", "q"]),
    ])
    func `columns without alias are named as in PostgreSQL`(
        text: String, names: [String]
    ) throws {
        #expect(try plan(text).schema.fields.map(\.name) == names)
    }

    @Test func `views and WITH queries that multiply are refused`() {
        var text = "WITH a0 AS (SELECT 1 AS x)"
        for level in 1...40 {
            text += ", a\(level) AS (SELECT l.x FROM a\(level - 1) l, a\(level - 1) r)"
        }
        let problem = #expect(throws: Problem.self) { try plan(text + " SELECT * FROM a40") }
        #expect(problem?.code == "54001")
    }

    @Test func `conditions that double at every level stay where they are`() throws {
        var text = "SELECT e AS x FROM u"
        for _ in 0..<40 { text = "SELECT x + x AS x FROM (\(text)) q" }
        let deep = try plan("SELECT * FROM (\(text)) q WHERE x = 1")
        #expect(deep.scans.count == 1)
    }

    @Test func `NOT IN keeps the NULL rules of SQL`() throws {
        let lines = try explained("SELECT b FROM t WHERE big NOT IN (SELECT a FROM u)")
        #expect(lines.contains("Join left ON big = value"))
        #expect(lines.contains("count(*), count(a)"))
        #expect(lines.contains("Filter: NOT CASE WHEN (rows = 0) THEN false"))
    }

    @Test func `INSERT brings rows into the target's columns and types`() throws {
        var binder = Binder(provider: TestCatalog())
        func bound(_ text: String) throws -> BoundInsert {
            guard case .insert(let insert) = try Parser.statement(text).statement else {
                throw Problem("XX000", "not an insert")
            }
            return try binder.plan(insert)
        }
        let insert = try bound("INSERT INTO u (e, a) VALUES (1, '2'), ('3', 4)")
        #expect(insert.plan.schema.fields.map(\.name) == ["a", "b", "e"])
        #expect(insert.plan.schema.fields.map(\.type) == [.int64, .text, .int32])
        let json = try bound("INSERT INTO t (j, d) SELECT '{}', '2026-01-01'")
        #expect(json.plan.schema.fields.count == 15)
        for (text, code) in [
            ("INSERT INTO u VALUES (1, 'x', 2, 3)", "42601"),
            ("INSERT INTO u (a, b) VALUES (1)", "42601"),
            ("INSERT INTO u (a, a) VALUES (1, 2)", "42701"),
            ("INSERT INTO u (z) VALUES (1)", "42703"),
            ("INSERT INTO u (e) SELECT b FROM t", "42804"),
            ("INSERT INTO v VALUES (1)", "42809"), ("INSERT INTO zz VALUES (1)", "42P01"),
        ] {
            let problem = #expect(throws: Problem.self) { try bound(text) }
            #expect(problem?.code == code)
        }
    }

    @Test func `an expectation is bound over the rows of its table`() throws {
        let schema = TableSchema([Field("x", .int32), Field("user_id", .text)])
        var binder = Binder(provider: TestCatalog())
        let condition = try binder.condition(
            Parser.expression("x BETWEEN 0 AND 20000"), over: schema, table: "clicks")
        #expect(condition.type == .boolean)
        for (text, code) in [
            ("x", "42804"), ("y > 1", "42703"), ("count(*) > 1", "42803"),
            ("x IN (SELECT 1)", "0A000"),
        ] {
            let problem = #expect(throws: Problem.self) {
                try binder.condition(Parser.expression(text), over: schema, table: "clicks")
            }
            #expect(problem?.code == code)
        }
    }
}

@Suite struct LineageTests {
    @Test func `a query names its relations once, WITH names apart`() throws {
        let query = try Parser.query(
            """
            WITH w AS (SELECT * FROM gold.a) SELECT (SELECT max(x) FROM d) FROM w
            JOIN STREAM(b) ON b.x IN (SELECT y FROM c) , TUMBLE(silver.e, ts, '1 hour'), gold.a
            WHERE EXISTS (SELECT 1 FROM f UNION SELECT 2 FROM g.w)
            """)
        let names = upstreamRelations(of: query).map(\.description)
        #expect(names == ["gold.a", "d", "b", "c", "silver.e", "f", "g.w"])
    }

    @Test func `a column knows the columns it is computed from`() throws {
        let plan = try plan(
            """
            SELECT t.a + u.a AS s, count(DISTINCT t.b) AS n, 1 AS one, max(x) AS m
            FROM t JOIN u USING (big) JOIN v ON v.y = t.b GROUP BY 1
            """.replacing("USING (big)", with: "ON t.big = u.a"))
        let sources = plan.columnSources.map { $0.map { "\($0.relation.name).\($0.column)" } }
        #expect(sources == [["t.a", "u.a"], ["t.b"], [], ["t.a"]])
    }
}
