import Base
import Columns
import Delta
import Node
import Testing

/// Columns of type `variant`, from SQL to files and back.
struct VariantTests {
    private func lake(_ settings: String = "") throws -> LakeHarness {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE t (id bigint, v variant) \(settings);
            INSERT INTO t SELECT 1, parse_json('{"b": [1, 2.50, "x"], "a": {"n": null, "t": true}}');
            INSERT INTO t SELECT 2, 7::variant UNION ALL SELECT 3, NULL
                UNION ALL SELECT 4, 'text'::variant
                UNION ALL SELECT 5, (TIMESTAMPTZ '2024-01-02 03:04:05+00')::variant;
            """)
        return lake
    }

    @Test(arguments: [
        "", "WITH (\"delta.enableDeletionVectors\" = true)",
        "WITH (\"delta.columnMapping.mode\" = 'name', \"delta.enableChangeDataFeed\" = true)",
    ])
    func `variants are stored and changed`(settings: String) throws {
        let lake = try lake(settings)
        let expected = [
            #"1|{"a":{"n":null,"t":true},"b":[1,2.50,"x"]}"#, "2|7", "3|-", "4|\"text\"",
            "5|\"2024-01-02T03:04:05Z\"",
        ]
        #expect(try lake.rows("SELECT id, v FROM t ORDER BY id") == expected)
        let snapshot = try lake.table("public/t").snapshot()
        #expect(snapshot.tableProtocol.readerFeatures?.contains("variantType") == true)
        // Nothing is known about the two halves of a value.
        #expect(snapshot.files.allSatisfy { $0.statistics?.contains("metadata") == false })
        try lake.run("UPDATE t SET v = to_jsonb(id) WHERE id = 3; DELETE FROM t WHERE id = 4")
        try lake.run("OPTIMIZE t")
        #expect(
            try lake.rows("SELECT id, v FROM t ORDER BY id")
                == [expected[0], expected[1], "3|3", expected[4]])
        #expect(try lake.rows("FSCK TABLE t").isEmpty)
    }

    @Test func `parts of variants are found and converted`() throws {
        let lake = try lake()
        #expect(
            try lake.rows(
                """
                SELECT variant_get(v, '$.b[1]'), variant_get(v, '$.b[0]', 'int') + 1,
                    variant_get(v, '$.a.t', 'boolean'), variant_get(v, '$.none'),
                    variant_get(v, '$.a.n'), variant_get(v, '$.a.n', 'text'),
                    variant_get(v, '$.b[1]', 'numeric(5,1)'), v -> 'b' ->> 2, v #>> '{a,t}'
                FROM t WHERE id = 1
                """) == ["2.50|2|t|-|null|-|2.5|x|true"])
        #expect(
            try lake.rows(
                """
                SELECT v::text, v::jsonb, v::timestamptz, v::jsonb::variant::text
                FROM t WHERE id = 5
                """) == [
                    "2024-01-02T03:04:05Z|\"2024-01-02T03:04:05Z\"|2024-01-02 03:04:05+00|"
                        + "2024-01-02T03:04:05Z"
                ])
        #expect(try lake.rows("SELECT v::bigint FROM t WHERE id = 2") == ["7"])
        #expect(lake.problem("SELECT v::bigint FROM t WHERE id = 4")?.code == "22P02")
        #expect(
            try lake.rows("SELECT try_variant_get(v, '$', 'bigint') FROM t ORDER BY id")
                == ["-", "7", "-", "-", "-"])
        #expect(try lake.rows("SELECT try_parse_json('{x'), try_parse_json('[1]')") == ["-|[1]"])
        #expect(lake.problem("SELECT parse_json('{x')")?.code == "22P02")
        #expect(lake.problem("SELECT variant_get(v, 'a') FROM t")?.code == "22023")
        #expect(lake.problem("SELECT variant_get(v, '$.a', 'nope') FROM t")?.code == "42704")
    }

    @Test(arguments: [
        ("1", "1"), ("-129", "-129"), ("70000", "70000"), ("5000000000", "5000000000"),
        ("99999999999999999999", "99999999999999999999"), ("0.10", "0.10"), ("\"ü\"", "\"ü\""),
        ("[]", "[]"), ("{}", "{}"), ("[[{\"a\": [null]}]]", "[[{\"a\":[null]}]]"),
    ])
    func `JSON comes back out of a variant`(text: String, expected: String) throws {
        let lake = try LakeHarness()
        #expect(try lake.rows("SELECT parse_json('\(text)')") == [expected])
    }

    @Test func `every type becomes a variant`() throws {
        let lake = try LakeHarness()
        #expect(
            try lake.rows(
                """
                SELECT true::variant, 1.5::float8::variant, 2.25::numeric(5,2)::variant,
                    DATE '2024-05-06'::variant, TIMESTAMP '2024-05-06 07:08:09.5'::variant,
                    '\\xdead'::bytea::variant, ARRAY[1, NULL]::variant,
                    INTERVAL '1 day'::variant, 1.5::real::variant
                """) == [
                    "true|1.5|2.25|\"2024-05-06\"|\"2024-05-06T07:08:09.500000\"|\"dead\"|[1,null]|"
                        + "\"1 day\"|1.5"
                ])
        #expect(
            try lake.rows("SELECT count(DISTINCT v::text) FROM (VALUES (1::variant)) AS x (v)")
                == ["1"])
        #expect(try lake.rows("SELECT to_jsonb(5::variant)") == ["5"])
    }
}
