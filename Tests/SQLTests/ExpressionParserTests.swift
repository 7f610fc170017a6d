import Base
import SQL
import Testing

@Suite struct ExpressionParserTests {
    @Test(
        arguments: [
            ("1 + 2 * 3", "(+ 1 (* 2 3))"),
            ("(1 + 2) * 3", "(* (+ 1 2) 3)"),
            ("1 - 2 - 3", "(- (- 1 2) 3)"),
            ("2 ^ 3 ^ 2", "(^ (^ 2 3) 2)"),
            ("-2 ^ 2", "(^ -2 2)"),
            ("- a ^ 2", "(^ (- a) 2)"),
            ("-1::int", "(- (::int 1))"),
            ("a=-1", "(= a -1)"),
            ("a OR b AND NOT c = d", "(or a (and b (not (= c d))))"),
            ("a AND b AND c", "(and a b c)"),
            ("a || b = c", "(= (|| a b) c)"),
            ("a -> 'b' ->> 'c' = 'd'", "(= (->> (-> a 'b') 'c') 'd')"),
            (
                "body ? 'x' AND body->>'t' IN ('a', 'b')",
                "(and (? body 'x') (in (->> body 't') 'a' 'b'))"
            ),
            ("a BETWEEN 1 AND 2 AND b", "(and (between a 1 2) b)"),
            ("a NOT BETWEEN b - 1 AND b + 1", "(not-between a (- b 1) (+ b 1))"),
            ("a NOT IN (1, 2) OR b", "(or (not-in a 1 2) b)"),
            ("a LIKE '%x' || b ESCAPE '!'", "(like a (|| '%x' b) '!')"),
            ("a NOT ILIKE 'x'", "(not-ilike a 'x')"),
            ("a IS NOT NULL = b", "(= (not-is-null a) b)"),
            ("a = 1 IS TRUE", "(is-true (= a 1))"),
            ("a IS NOT DISTINCT FROM b + 1", "(not-distinct a (+ b 1))"),
            ("a ISNULL", "(is-null a)"),
            ("CASE WHEN a THEN 1 ELSE 2 END", "(case [a 1] else 2)"),
            ("CASE x WHEN 1 THEN 'a' END", "(case x [1 'a'])"),
            ("CAST(a AS numeric(12, 2))", "(::numeric(12,2) a)"),
            ("a::double precision::text[]", "(::text[] (::double precision a))"),
            ("TRY_CAST(a AS date)", "(try::date a)"),
            ("DATE '2026-02-16'", "(date '2026-02-16')"),
            ("timestamp with time zone '2026-02-16'", "(timestamp with time zone '2026-02-16')"),
            ("INTERVAL '5' MINUTES", "(interval '5' minute)"),
            ("INTERVAL '30 days'", "(interval '30 days')"),
            ("extract(hour FROM t)::int", "(::int (extract hour t))"),
            ("(e.\"timestamp\" AT TIME ZONE 'UTC')::date", "(::date (at-zone e.timestamp 'UTC'))"),
            ("count(*) FILTER (WHERE x > 1)", "(count * (filter (> x 1)))"),
            ("count(DISTINCT a)", "(count distinct a)"),
            ("array_agg(a ORDER BY b DESC NULLS LAST)", "(array_agg a (order b desc nulls-last))"),
            ("(array_agg(d ORDER BY c))[1]", "(element (array_agg d (order c)) 1)"),
            ("ARRAY[1, 2]", "(array 1 2)"),
            ("a = ANY (b)", "(=any a b)"),
            ("a <> ALL (ARRAY[1])", "(<>all a (array 1))"),
            ("position('a' IN b)", "(position b 'a')"),
            ("substring(a FROM 2 FOR 3)", "(substring a 2 3)"),
            ("trim(LEADING 'x' FROM a)", "(ltrim a 'x')"),
            ("trim(a)", "(btrim a)"),
            ("left(a, 2)", "(left a 2)"),
            ("current_date", "(current_date)"),
            ("a OPERATOR(pg_catalog.+) b", "(+ a b)"),
            ("U.\"Mixed Case\"", "u.Mixed Case"),
            ("E'a\\n\\'b\\x41'", "'a\n'bA'"),
            ("$tag$it's$tag$", "'it's'"),
            ("'one '\n'two'", "'one two'"),
            ("1.5e3 + .5", "(+ 1.5e3 .5)"),
            ("$1 + $2", "(+ $1 $2)"),
            ("a /* x /* y */ */ + -- z\n b", "(+ a b)"),
            ("(SELECT 1)", "(select 1)"),
            ("((SELECT 1) UNION (SELECT 2))", "(union (select 1) (select 2))"),
            ("EXISTS (SELECT 1)", "(exists (select 1))"),
            ("a IN ((SELECT 1))", "(in a (select 1))"),
            ("(a, b) = (1, 2)", "(= (row a b) (row 1 2))"),
            ("(x).n", "(member x n)"),
        ] as [(String, String)])
    func `expressions bind as in PostgreSQL`(text: String, expected: String) throws {
        #expect(sexpr(try Parser.expression(text)) == expected)
    }

    @Test(arguments: [
        ("1 +", "syntax error at end of input", 3),
        ("a < b < c", "syntax error at or near \"<\"", 6),
        ("(1", "syntax error at end of input", 2),
        ("a BETWEEN 1", "syntax error at end of input", 11),
        ("CASE END", "syntax error at or near \"END\"", 5),
        ("'abc", "unterminated quoted string", 0),
        ("a /* x", "unterminated /* comment", 2),
        ("\"a", "unterminated quoted identifier", 0),
        ("$x$abc", "unterminated dollar-quoted string", 0),
        ("12ab", "trailing junk after numeric literal at or near \"12ab\"", 0),
        ("ä + é )", "syntax error at or near \")\"", 8),
        ("a.b.c.d.e", "improper qualified name (too many dotted names)", 0),
    ])
    func `syntax errors name the token and its place`(
        text: String, message: String, position: Int
    ) {
        let problem = #expect(throws: Problem.self) { try Parser.expression(text) }
        #expect(problem?.code == "42601")
        #expect(problem?.message == message)
        #expect(problem?.position == position)
    }

    @Test(arguments: [
        "(", "NOT ", "- ", "CASE WHEN ", "f(", "ARRAY[", "EXISTS (SELECT ", "a = ANY (", "a IN (",
        "CAST(", "a AND (b OR ", "[",
    ])
    func `nesting bombs are refused`(piece: String) {
        let text = "ARRAY" + String(repeating: "[", count: 5_000)
        for bomb in [String(repeating: piece, count: 5_000) + "1", text] {
            let problem = #expect(throws: Problem.self) { try Parser.expression(bomb) }
            #expect(problem?.code == "54001" || piece == "[")
        }
    }

    @Test(arguments: [" + a", "::text", "[1]", " IS NULL", " || a", " COLLATE \"C\"", ".b"])
    func `chains that would make tall trees are refused`(piece: String) {
        let text = "(a)" + String(repeating: piece, count: 5_000)
        let problem = #expect(throws: Problem.self) { try Parser.expression(text) }
        #expect(problem?.code == "54001")
    }

    @Test func `long flat lists are no nesting`() throws {
        let list = (0..<20_000).map(String.init).joined(separator: ",")
        _ = try Parser.expression("a IN (\(list))")
        _ = try Parser.expression((0..<20_000).map { "a = \($0)" }.joined(separator: " OR "))
    }

    @Test func `a text above the limit is refused`() {
        let text = "'" + String(repeating: "x", count: Limits.sqlBytes) + "'"
        let problem = #expect(throws: Problem.self) { try Parser.expression(text) }
        #expect(problem?.code == "54000")
    }
}
