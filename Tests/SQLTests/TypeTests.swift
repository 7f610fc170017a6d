import Base
import Columns
import SQL
import Testing

/// Every expression is bound over the table `t` of `TestCatalog`.
@Suite struct TypeTests {
    private func type(_ text: String) throws -> String {
        try plan("SELECT \(text) FROM t").schema.fields[0].type.sqlName
    }

    @Test(
        arguments: [
            ("1", "integer"), ("3000000000", "bigint"), ("1.5", "numeric(2,1)"), ("'x'", "text"),
            ("NULL", "text"), ("true", "boolean"), ("a + 1", "integer"), ("a + big", "bigint"),
            ("small + small", "smallint"), ("small + 1", "integer"), ("a / 2", "integer"),
            ("a + c", "double precision"), ("a + n", "numeric(13,2)"), ("n * n", "numeric(24,4)"),
            ("n / 3", "numeric(38,16)"), ("100.0 * (a - 1) / a", "numeric(38,16)"),
            ("n % 2", "numeric(12,2)"), ("n + c", "double precision"),
            ("a ^ 2", "double precision"),
            ("-n", "numeric(12,2)"), ("a + '1'", "integer"), ("b || a", "text"),
            ("b || 'x'", "text"),
            ("d + 1", "date"), ("d - d", "integer"), ("d - 7", "date"),
            ("d + INTERVAL '1 day'", "timestamp without time zone"),
            ("ts - INTERVAL '1 day'", "timestamp with time zone"),
            ("ts + '1 day'", "timestamp with time zone"),
            ("ts - ts", "interval"), ("ts - plain", "interval"), ("now() - ts", "interval"),
            ("INTERVAL '1 day' * 2", "interval"), ("2 * INTERVAL '1 day'", "interval"),
            ("span / 2", "interval"), ("-span", "interval"), ("span + span", "interval"),
            ("a = 1", "boolean"), ("d > '2026-01-01'", "boolean"),
            ("a BETWEEN 1 AND 2.5", "boolean"),
            ("j -> 'a'", "jsonb"), ("j ->> 'a'", "text"), ("j -> 0 ->> 1", "text"),
            ("j #>> '{a,b}'", "text"), ("j ? 'x'", "boolean"), ("j || '{\"a\": 1}'", "jsonb"),
            ("j - 'x'", "jsonb"), ("j @> '{}'", "boolean"), ("(j->>'p')::numeric", "numeric(38,9)"),
            ("a::numeric", "numeric(10,0)"), ("n::numeric", "numeric(12,2)"),
            ("n::numeric(10,1)", "numeric(10,1)"), ("ok::int", "integer"),
            ("b::varchar(3)", "text"),
            ("ts::date", "date"), ("b::timestamptz", "timestamp with time zone"),
            ("TRY_CAST(b AS int)", "integer"), ("'{a,b}'::text[]", "text[]"),
            ("coalesce(a, 0)", "integer"), ("coalesce(n, 0)", "numeric(12,2)"),
            ("coalesce(a, 1.5)", "numeric(11,1)"), ("coalesce(d, ts)", "timestamp with time zone"),
            ("nullif(a, 0)", "integer"), ("greatest(a, big)", "bigint"),
            ("least(1.0, c)", "double precision"),
            ("CASE WHEN ok THEN 1 ELSE 2.5 END", "numeric(11,1)"),
            ("CASE a WHEN 1 THEN 'x' END", "text"),
            ("extract(hour FROM ts)", "numeric(20,0)"),
            ("extract(epoch FROM ts - ts)", "numeric(26,6)"),
            ("extract(hour FROM ts)::int", "integer"),
            ("date_part('hour', ts)", "double precision"),
            ("date_trunc('hour', ts)", "timestamp with time zone"),
            ("date_trunc('hour', plain)", "timestamp without time zone"),
            ("date_trunc('hour', d)", "timestamp with time zone"),
            ("to_char(ts, 'YYYY')", "text"), ("to_timestamp(1.5)", "timestamp with time zone"),
            ("age(ts)", "interval"), ("current_date", "date"), ("make_date(2026, 1, 2)", "date"),
            ("(ts AT TIME ZONE 'UTC')::date", "date"),
            ("ts AT TIME ZONE 'UTC'", "timestamp without time zone"),
            ("plain AT TIME ZONE INTERVAL '7 hours'", "timestamp with time zone"),
            ("round(n)", "numeric(11,0)"), ("round(n, 1)", "numeric(12,1)"),
            ("round(c)", "double precision"),
            ("floor(a)", "double precision"), ("abs(a)", "integer"),
            ("sqrt(a)", "double precision"),
            ("mod(a, 2)", "integer"), ("length(b)", "integer"), ("lower('X')", "text"),
            ("substring(b, 1, 2)", "text"), ("split_part(b, ',', 1)", "text"),
            ("b LIKE 'x%'", "boolean"),
            ("concat(a, b, NULL)", "text"), ("jsonb_build_object('a', a, 'b', b)", "jsonb"),
            ("jsonb_typeof(j)", "text"), ("jsonb_array_length(j)", "integer"),
            ("gen_random_uuid()", "uuid"),
            ("version()", "text"), ("pg_typeof(a)", "text"), ("ARRAY[1, 2.5]", "numeric(11,1)[]"),
            ("list[1]", "text"), ("'x' = ANY (list)", "boolean"), ("cardinality(list)", "integer"),
            ("s.x", "integer"), ("(s).y", "text"), ("t.s.x", "integer"),
            ("id = '00000000-0000-0000-0000-000000000001'", "boolean"),
            ("DATE '2026-02-16'", "date"), ("a IS DISTINCT FROM 1", "boolean"),
            ("least(1.0, extract(epoch FROM now() - ts) / (30 * 86400))", "numeric(38,16)"),
        ] as [(String, String)])
    func `an expression has the type that PostgreSQL gives it`(
        text: String, expected: String
    ) throws {
        #expect(try type(text) == expected)
    }

    @Test(
        arguments: [
            ("count(*)", "bigint"), ("sum(a)", "bigint"), ("sum(big)", "numeric(38,0)"),
            ("sum(n)", "numeric(38,2)"), ("sum(c)", "double precision"), ("sum(span)", "interval"),
            ("avg(a)", "numeric(38,16)"), ("avg(c)", "double precision"),
            ("avg(ok::int)", "numeric(38,16)"),
            ("avg(span)", "interval"), ("min(b)", "text"), ("max(ts) - min(ts)", "interval"),
            ("stddev(a)", "double precision"), ("bool_and(ok)", "boolean"),
            ("string_agg(b, ',' ORDER BY a)", "text"), ("array_agg(b ORDER BY ts)", "text[]"),
            ("(array_agg(b ORDER BY ts))[1]", "text"), ("count(DISTINCT b)", "bigint"),
            ("count(*) FILTER (WHERE ok)::float8 / count(*)", "double precision"),
            ("count(*) = 1", "boolean"), ("coalesce(sum((j->>'p')::numeric), 0)", "numeric(38,9)"),
        ] as [(String, String)])
    func `an aggregate has the type that PostgreSQL gives it`(
        text: String, expected: String
    ) throws {
        #expect(try type(text) == expected)
    }

    @Test(
        arguments: [
            ("a + b", "42883", "operator does not exist: integer + text", 9),
            ("a = b", "42883", "operator does not exist: integer = text", 9),
            ("'a' + 'b'", "42725", "operator is not unique: unknown + unknown", 11),
            ("lower(a)", "42883", "function lower(integer) does not exist", 7),
            ("lowr(b)", "42883", "function lowr(text) does not exist", 7),
            ("a = 'x'", "22P02", "invalid input syntax for type integer: \"x\"", 11),
            ("id = 'x'", "22P02", "invalid input syntax for type uuid: \"x\"", 12),
            ("ok = 'perhaps'", "22P02", "invalid input syntax for type boolean: \"perhaps\"", 12),
            ("small = '99999'", "22003", "value \"99999\" is out of range for type smallint", 15),
            ("a::uuid", "42846", "cannot cast type integer to uuid", 8),
            ("a::nope", "42704", "type \"nope\" does not exist", 10),
            (
                "CASE WHEN ok THEN 1 ELSE b END", "42804",
                "CASE types text and integer cannot be matched", 25
            ),
            (
                "CASE WHEN a THEN 1 END", "42804",
                "argument of CASE/WHEN must be type boolean, not type integer", 17
            ),
            ("NOT a", "42804", "argument of NOT must be type boolean, not type integer", 11),
            ("a AND ok", "42804", "argument of AND must be type boolean, not type integer", 7),
            (
                "extract(huor FROM ts)", "22023",
                "unit \"huor\" not recognized for type timestamp with time zone", 7
            ),
            ("round(c, 2)", "42883", "function round(double precision, integer) does not exist", 7),
            (
                "ts AT TIME ZONE INTERVAL '1 day'", "22023",
                "interval time zone must not include months or days", 23
            ),
            ("a ~ 'x'", "42883", "operator does not exist: integer ~ unknown", 9),
            (
                "a[1]", "42804",
                "cannot subscript type integer because it does not support subscripting", 7
            ),
            (
                "lower(DISTINCT b)", "42809",
                "DISTINCT specified, but lower is not an aggregate function", 7
            ),
            ("sum(b)", "42883", "function sum(text) does not exist", 7),
            ("sum(sum(a))", "42803", "aggregate function calls cannot be nested", 11),
            ("a IN (1, b)", "42883", "operator does not exist: integer = text", 9),
            ("1::numeric(50,2)", "22023", "NUMERIC precision 50 must be between 1 and 38", 10),
            ("$1", "42P02", "there is no parameter $1", 7),
            ("a LIKE 'x'", "42883", "operator does not exist: integer ~~ unknown", 9),
        ] as [(String, String, String, Int)])
    func `a type error has PostgreSQL's code and words`(
        text: String, code: String, message: String, position: Int
    ) {
        let problem = #expect(throws: Problem.self) { try plan("SELECT \(text) FROM t") }
        #expect(problem?.code == code)
        #expect(problem?.message == message)
        #expect(problem?.position == position)
    }

    @Test func `a misspelled function gets a suggestion`() {
        let problem = #expect(throws: Problem.self) { try plan("SELECT lowr('x')") }
        #expect(problem?.hint == "did you mean \"lower\"?")
    }

    @Test(arguments: [
        ("d = '2026-02-16'", "(d = date 20500)"),
        ("ts >= '2026-02-16 10:00Z'", "(ts >= timestamptz 1771236000000000)"),
        ("ts >= '2026-02-16T10:00:00.5+07:00'", "(ts >= timestamptz 1771210800500000)"),
        ("big = 5", "(big = 5)"), ("c > 0.5", "(c > 0.5)"), ("n = 1", "(n = 1.00)"),
        ("a IN (1, 2)", "a IN (1, 2)"), ("d = 'today'", "(d = 'today'::date)"),
        ("ts > plain", "(ts > plain::timestamp with time zone)"),
        ("span = '1 day 02:30'", "(span = interval(0, 1, 9000000000))"),
        ("list = '{a,\"b c\",NULL}'", "(list = {'a', 'b c', NULL})"),
        ("a = $1", "(a = 7)"),
    ])
    func `literals become constants of the other side's type`(
        text: String, expected: String
    ) throws {
        let plan = try plan("SELECT a FROM t WHERE \(text)", parameters: ["7"])
        guard let scan = plan.scans.first, let predicate = scan.predicates.first else {
            Issue.record("nothing reached the scan")
            return
        }
        #expect(predicate.text(scan.schema.fields.map(\.name)) == expected)
    }
}
