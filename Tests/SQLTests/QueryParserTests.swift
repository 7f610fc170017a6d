import Base
import SQL
import Testing

@Suite struct QueryParserTests {
    @Test(arguments: [
        ("SELECT 1", "(select 1)"),
        ("SELECT *, t.*, s.t.* FROM s.t", "(select * t.* s.t.* (from s.t))"),
        ("SELECT a b, c AS \"D\" FROM t x", "(select a as b c as D (from t as x))"),
        (
            "SELECT hour, sum(total_events) n FROM g GROUP BY 1 ORDER BY 1",
            "(query (select hour (sum total_events) as n (from g) (group 1)) (order 1))"
        ),
        (
            "SELECT DISTINCT ON (a, b) a FROM t ORDER BY a, b DESC NULLS FIRST",
            "(query (select (distinct-on a b) a (from t)) (order a, b desc nulls-first))"
        ),
        (
            "SELECT a FROM t WHERE a > 1 GROUP BY a HAVING count(*) > 1 LIMIT 5 OFFSET 2",
            "(query (select a (from t) (where (> a 1)) (group a) (having (> (count *) 1)))"
                + " (limit 5) (offset 2))"
        ),
        ("SELECT a FROM t FETCH FIRST 3 ROWS ONLY", "(query (select a (from t)) (limit 3))"),
        ("VALUES (1, 'a'), (2, 'b')", "(values [1 'a'] [2 'b'])"),
        ("TABLE t", "(select * (from t))"),
        (
            "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3",
            "(union-all (select 1) (select 2) (select 3))"
        ),
        (
            "SELECT 1 UNION SELECT 2 INTERSECT SELECT 3",
            "(union (select 1) (intersect (select 2) (select 3)))"
        ),
        (
            "SELECT 1 UNION SELECT 2 UNION ALL SELECT 3",
            "(union-all (union (select 1) (select 2)) (select 3))"
        ),
        (
            "(SELECT 1 LIMIT 1) EXCEPT SELECT 2 ORDER BY 1",
            "(query (except (query (select 1) (limit 1)) (select 2)) (order 1))"
        ),
        (
            "WITH a AS (SELECT 1), b (x) AS (SELECT 2) SELECT * FROM a, b",
            "(query (with a (select 1)) (with b (select 2)) (select * (from a b)))"
        ),
        (
            "SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN c USING (y, z)",
            "(select * (from (left (inner a b (on (= a.x b.x))) c (using y z))))"
        ),
        (
            "SELECT * FROM a NATURAL FULL OUTER JOIN b CROSS JOIN c",
            "(select * (from (cross (full a b natural) c)))"
        ),
        (
            "SELECT * FROM a JOIN b JOIN c ON 1 = 1 ON 2 = 2",
            "(select * (from (inner a (inner b c (on (= 1 1))) (on (= 2 2)))))"
        ),
        (
            "SELECT * FROM (a JOIN b USING (x)) JOIN (SELECT 1) c ON true",
            "(select * (from (inner (inner a b (using x)) (select 1) as c (on true))))"
        ),
        (
            "SELECT * FROM ((SELECT 1) UNION (SELECT 2)) x",
            "(select * (from (union (select 1) (select 2)) as x))"
        ),
        (
            "SELECT * FROM ((SELECT 1) a CROSS JOIN b)",
            "(select * (from (cross (select 1) as a b)))"
        ),
        (
            "SELECT * FROM t FOR SYSTEM_TIME AS OF now() - INTERVAL '2 days' WHERE a",
            "(select * (from (at t (- (now) (interval '2 days')))) (where a))"
        ),
        ("SELECT * FROM t VERSION AS OF 3 x", "(select * (from (version t 3) as x))"),
        ("SELECT * FROM t x FOR VERSION AS OF 3", "(select * (from (version t 3) as x))"),
        (
            "SELECT * FROM t TIMESTAMP AS OF '2026-02-16'",
            "(select * (from (at t '2026-02-16')))"
        ),
        (
            "SELECT e.* FROM STREAM(topic_app_events) AS e",
            "(select e.* (from (stream topic_app_events) as e))"
        ),
        (
            "SELECT 1 FROM TUMBLE(s.t, ts, INTERVAL '5 minutes') w",
            "(select 1 (from (tumble s.t ts (interval '5 minutes')) as w))"
        ),
        (
            "SELECT 1 FROM HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)",
            "(select 1 (from (hop t ts (interval '1' minute) (interval '5' minute))))"
        ),
        (
            "SELECT 1 FROM TUMBLE(STREAM(t), ts, '1 hour')",
            "(select 1 (from (tumble (stream t) ts '1 hour')))"
        ),
        (
            "SELECT 1 FROM SESSION(t, ts, k, '1 hour')",
            "(select 1 (from (session t ts k '1 hour')))"
        ),
        (
            "SELECT x FROM generate_series(1, 3) AS g(x)",
            "(select x (from (call generate_series 1 3) as g(x)))"
        ),
        ("SELECT version, data, day FROM topic", "(select version data day (from topic))"),
        ("SELECT FROM t", "(select (from t))"),
        ("((SELECT 1))", "(select 1)"),
    ])
    func `queries parse`(text: String, expected: String) throws {
        #expect(sexpr(try Parser.query(text)) == expected)
    }

    @Test(arguments: [
        ("SELECT * FORM t", "syntax error at or near \"FORM\"", 9),
        ("SELECT * FROM", "syntax error at end of input", 13),
        ("SELECT * FROM t WHERE", "syntax error at end of input", 21),
        ("SELECT * FROM a JOIN b", "syntax error at end of input", 22),
        ("SELECT a, FROM t", "syntax error at or near \"FROM\"", 10),
        ("SELECT * FROM t LIMIT 1, 2", "LIMIT #,# syntax is not supported", 23),
        ("VALUES (1), (1, 2)", "VALUES lists must all be the same length", 17),
        ("SELECT 1 FROM t GROUP 1", "syntax error at or near \"GROUP\"", 16),
    ])
    func `wrong queries are refused where they go wrong`(
        text: String, message: String, position: Int
    ) {
        let problem = #expect(throws: Problem.self) { try Parser.query(text) }
        #expect(problem?.code == "42601")
        #expect(problem?.message == message)
        #expect(problem?.position == position)
    }

    @Test(arguments: [
        "SELECT a FROM t FOR UPDATE",
        "SELECT a FROM t TABLESAMPLE SYSTEM (1) REPEATABLE (2)",
        "SELECT a INTO b FROM t",
        "SELECT a FROM t ASOF FULL JOIN u ON a.t >= u.t",
        "SELECT a FROM t EMIT CHANGES",
    ])
    func `what is planned is refused by name and with a way out`(text: String) {
        let problem = #expect(throws: Problem.self) { try Parser.query(text) }
        #expect(problem?.code == "0A000")
        #expect(problem?.message.hasSuffix("is not supported yet") == true)
        #expect(problem?.hint != nil && problem?.position != nil)
    }

    @Test(arguments: [
        ("", "SELECT * FROM ("), ("SELECT * FROM ", "("), ("SELECT * FROM a", " JOIN a"),
        ("SELECT * FROM a", " CROSS JOIN a"), ("SELECT 1", " EXCEPT SELECT 1"), ("", "("),
        ("", "WITH a AS ("), ("SELECT * FROM ", "TUMBLE((SELECT * FROM "),
        ("SELECT * FROM a", " JOIN (b"),
    ])
    func `nested queries are bounded`(start: String, piece: String) {
        let text = start + String(repeating: piece, count: 5_000)
        let problem = #expect(throws: Problem.self) { try Parser.query(text) }
        #expect(problem?.code == "54001")
    }
}
