import Base
import SQL
import Testing

@Suite struct StatementParserTests {
    private func parsed(_ text: String) throws -> Statement {
        try Parser.statement(text).statement
    }

    @Test func `a script keeps the text and place of each statement`() throws {
        let script = try Parser.script(" SELECT 1 ; ;\nCREATE SCHEMA gold; -- end\n")
        #expect(script.map(\.text) == ["SELECT 1", "CREATE SCHEMA gold"])
        #expect(script.map(\.range) == [1..<9, 14..<32])
        #expect(script.map(\.statement.tag) == ["SELECT", "CREATE SCHEMA"])
        #expect(try Parser.script("  -- nothing\n").isEmpty)
    }

    @Test func `a topic has columns, watermark, key, format and options`() throws {
        guard
            case .createTopic(let topic) = try parsed(
                """
                CREATE TOPIC IF NOT EXISTS t (id uuid NOT NULL, "timestamp" timestamptz,
                  WATERMARK FOR "timestamp" AS "timestamp" - INTERVAL '10 minutes')
                  KEY (id) FORMAT PLAIN ENCODE JSON
                  WITH (partitions = 6, cleanup.policy = 'compact', open = true, x = -1)
                """)
        else { Issue.record("no topic"); return }
        #expect(topic.name.text == "t" && topic.ifNotExists)
        #expect(topic.columns.map(\.name.name) == ["id", "timestamp"])
        #expect(topic.columns.map(\.type.name) == ["uuid", "timestamptz"])
        #expect(topic.columns.map(\.isNotNull) == [true, false])
        #expect(topic.watermark?.column.name == "timestamp")
        #expect(topic.key.map(\.name) == ["id"])
        #expect(topic.format == .plain && topic.encoding == .json)
        #expect(topic.options.map(\.name) == ["partitions", "cleanup.policy", "open", "x"])
        #expect(
            topic.options.map(\.setting)
                == [.number("6"), .text("compact"), .boolean(true), .number("-1")])
    }

    @Test func `a streaming table has expectations and keeps its query text`() throws {
        guard
            case .createStreamingTable(let table) = try parsed(
                """
                CREATE STREAMING TABLE s.t (a int,
                    CONSTRAINT k EXPECT (a IS NOT NULL),
                    CONSTRAINT d EXPECT (a > 0) ON VIOLATION DROP ROW,
                    CONSTRAINT f EXPECT (a < 9) ON VIOLATION FAIL UPDATE,
                    CONSTRAINT q EXPECT ((a <> 5)) ON VIOLATION QUARANTINE INTO ops.dead)
                  PARTITIONED BY (day) CLUSTER BY (a, b) WITH (commit_interval = '10 s')
                  AS SELECT * FROM STREAM(x)
                """)
        else { Issue.record("no table"); return }
        #expect(table.name.qualified == QualifiedName(schema: "s", "t"))
        #expect(table.columns.count == 1)
        #expect(table.expectations.map(\.text) == ["a IS NOT NULL", "a > 0", "a < 9", "(a <> 5)"])
        #expect(table.expectations.prefix(3).map(\.violation) == [.keep, .dropRow, .failUpdate])
        guard case .quarantine(let target) = table.expectations[3].violation else {
            Issue.record("no quarantine")
            return
        }
        #expect(target.text == "ops.dead")
        #expect(table.partitionedBy.map(\.name) == ["day"])
        #expect(table.clusterBy.map(\.name) == ["a", "b"])
        #expect(table.queryText == "SELECT * FROM STREAM(x)")
    }

    @Test func `a materialized view has a policy`() throws {
        guard
            case .createMaterializedView(let view) = try parsed(
                """
                CREATE OR REPLACE MATERIALIZED VIEW g.m REFRESH POLICY FULL
                WITH (refresh_interval = '5 s') AS SELECT 1 AS a
                """)
        else { Issue.record("no view"); return }
        #expect(view.orReplace && view.refreshPolicy == .full)
        #expect(view.options.map(\.text) == ["5 s"])
        #expect(view.queryText == "SELECT 1 AS a")
    }

    @Test(
        arguments: [
            ("DROP STREAMING TABLE IF EXISTS a.b, c CASCADE", "DROP STREAMING TABLE"),
            ("DROP TOPIC t", "DROP TOPIC"),
            ("COMMENT ON MATERIALIZED VIEW gold.m IS 'x'", "COMMENT"),
            ("COMMENT ON COLUMN gold.m.a IS NULL", "COMMENT"),
            ("ALTER TABLE silver.app_events OWNER TO data_eng", "ALTER TABLE"),
            ("ALTER TABLE gold.u SET TAG pii = 'yes'", "ALTER TABLE"),
            ("ALTER TOPIC t SET (retention = '1 day')", "ALTER TOPIC"),
            ("SHOW TABLES FROM gold", "SHOW"),
            ("SHOW TRANSACTION ISOLATION LEVEL", "SHOW"),
            ("show server_version", "SHOW"),
            ("DESCRIBE gold.m", "DESCRIBE"),
            ("DESCRIBE HISTORY gold.m", "DESCRIBE"),
            ("EXPLAIN (INCREMENTAL) SELECT 1", "EXPLAIN"),
            ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN"),
            ("SET search_path TO gold, public", "SET"),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET"),
            ("SET TIME ZONE 'UTC'", "SET"),
            ("RESET ALL", "RESET"),
            ("BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY", "BEGIN"),
            ("START TRANSACTION", "BEGIN"),
            ("END", "COMMIT"),
            ("INSERT INTO t (a, b) VALUES (1, 2), (3, 4)", "INSERT"),
            ("INSERT INTO t SELECT * FROM u", "INSERT"),
            ("REFRESH MATERIALIZED VIEW gold.m", "REFRESH MATERIALIZED VIEW"),
            ("DELETE FROM a.t AS x WHERE x.id = 1", "DELETE"),
            ("DELETE FROM t", "DELETE"),
            ("UPDATE t x SET a = 1, b = DEFAULT WHERE c", "UPDATE"),
            ("MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE", "MERGE"),
            (
                "MERGE WITH SCHEMA EVOLUTION INTO t x USING (SELECT 1 AS a) AS s ON x.a = s.a "
                    + "WHEN NOT MATCHED BY TARGET AND s.a > 1 THEN INSERT (a) VALUES (DEFAULT) "
                    + "WHEN NOT MATCHED BY SOURCE THEN DO NOTHING WHEN MATCHED THEN UPDATE SET *",
                "MERGE"
            ),
            ("INSERT OVERWRITE TABLE t PARTITION (a = 1, b) (c) SELECT 1 RETURNING *", "INSERT"),
            ("INSERT INTO t AS x BY NAME REPLACE WHERE a = 1 OR b SELECT 1 AS a", "INSERT"),
            ("DELETE FROM t USING a JOIN b ON true, c WHERE x RETURNING t.*, 1 AS y", "DELETE"),
            ("UPDATE t SET a = s.a FROM s, u WHERE t.x = s.x RETURNING a", "UPDATE"),
            ("TRUNCATE a, b.c CONTINUE IDENTITY RESTRICT", "TRUNCATE TABLE"),
            ("ALTER TABLE t ADD COLUMN a int NOT NULL FIRST, ADD b text AFTER a", "ALTER TABLE"),
            ("ALTER TABLE t ALTER a SET DATA TYPE numeric(10, 2)", "ALTER TABLE"),
            ("ALTER TABLE t UNSET TBLPROPERTIES IF EXISTS (delta.x, 'y')", "ALTER TABLE"),
            (
                "CREATE OR REPLACE TABLE t (a bigint GENERATED BY DEFAULT AS IDENTITY (START -5, "
                    + "INCREMENT BY 2) COMMENT 'c', b int DEFAULT 5 NOT NULL)", "CREATE TABLE"
            ),
            ("OPTIMIZE silver.t WHERE day > '2024-01-01' ZORDER BY (a, b)", "OPTIMIZE"),
            ("OPTIMIZE TABLE t ZORDER BY a", "OPTIMIZE"),
            ("COPY s.t (a, \"B\") FROM 'x.csv' WITH (FORMAT csv, HEADER, NULL 'x')", "COPY"),
            ("COPY (SELECT 1 AS a) TO 'x' (FORMAT parquet)", "COPY"),
            ("VACUUM t RETAIN 168 HOURS DRY RUN", "VACUUM"),
            ("VACUUM t RETAIN INTERVAL '30 days'", "VACUUM"),
            ("RESTORE TABLE t TO VERSION AS OF 3", "RESTORE"),
            ("RESTORE t TO TIMESTAMP AS OF '2024-01-01'", "RESTORE"),
            ("DESCRIBE DETAIL t", "DESCRIBE"),
            ("DESCRIBE detail", "DESCRIBE"),
            ("SELECT * FROM delta.'a/b c' AS t", "SELECT"),
            ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 1)", "ALTER TABLE"),
            ("CREATE TABLE t (id text PRIMARY KEY, n numeric(12,2))", "CREATE TABLE"),
            ("CREATE OR REPLACE VIEW v (a) AS SELECT 1", "CREATE VIEW"),
            ("(SELECT 1) UNION (SELECT 2)", "SELECT"),
            ("WITH a AS (SELECT 1) SELECT * FROM a", "SELECT"),
        ] as [(String, String)])
    func `statements are told apart`(text: String, tag: String) throws {
        #expect(try parsed(text).tag == tag)
    }

    @Test(arguments: [
        (
            "CREATE TASK n SCHEDULE '@hourly' AS BEGIN SELECT CASE WHEN a THEN 1 END; SELECT 2; END",
            "CREATE TASK"
        ),
        ("CREATE SOURCE s WITH (connector = 'x') INTO t", "CREATE SOURCE"),
        ("GRANT SELECT ON ALL TABLES IN SCHEMA gold TO a", "GRANT"),
        ("CREATE INDEX i ON t (a)", "CREATE INDEX"),
        ("SUBSCRIBE TO gold.m", "SUBSCRIBE"),
    ])
    func `planned statements parse as such`(text: String, words: String) throws {
        guard case .notSupported(let planned) = try parsed(text) else {
            Issue.record("parsed as something else")
            return
        }
        #expect(planned.words == words)
        #expect(!planned.hint.isEmpty)
    }

    @Test(
        arguments: [
            (
                "SELECT a FROM t ORDER BY a dsc", "syntax error at or near \"dsc\"",
                "did you mean \"DESC\"?", 27
            ),
            ("SELCT 1", "syntax error at or near \"SELCT\"", "did you mean \"SELECT\"?", 0),
            (
                "CREATE TABEL t (a int)", "syntax error at or near \"TABEL\"",
                "did you mean \"TABLE\"?", 7
            ),
            (
                "SELECT sum(a) OVER (partion BY b)", "syntax error at or near \"BY\"",
                "did you mean \"PARTITION\" by \"partion\"?", 28
            ),
            (
                "SELECT `a` FROM t", "syntax error at or near \"`\"",
                "names stand in double quotes", 7
            ),
            (
                "SELECT a FROM t wher b = 1", "syntax error at or near \"b\"",
                "did you mean \"WHERE\" by \"wher\"?", 21
            ),
            (
                "SELECT a FROM t ordr BY a", "syntax error at or near \"BY\"",
                "did you mean \"ORDER\" by \"ordr\"?", 21
            ),
            (
                "SELECT a FROM t lft JOIN u USING (a) 5", "syntax error at or near \"5\"", nil, 37
            ),
            (
                "SELECT 1; CRAETE TOPIC t", "syntax error at or near \"CRAETE\"",
                "did you mean \"CREATE\"?", 10
            ),
        ] as [(String, String, String?, Int)])
    func `a misspelled word gets a suggestion`(
        text: String, message: String, hint: String?, position: Int
    ) {
        let problem = #expect(throws: Problem.self) { try Parser.script(text) }
        #expect(
            problem
                == Problem(
                    "42601", message, notes: problem?.notes ?? [], hint: hint, position: position))
    }

    @Test(arguments: [
        "CREATE TOPIC t FORMAT PLAIN ENCODE JASON", "CREATE", "CREATE VIEW v AS", "DROP x",
        "CREATE TOPIC t (a int", "SET a", "INSERT INTO t", "SELECT 1 2 3",
        "CREATE STREAMING TABLE t (CONSTRAINT a EXPECT b)", "COMMENT ON TABLE t IS 5",
        "CREATE TOPIC t WITH (a = 1, a = 2)", "EXPLAIN (NOPE) SELECT 1", "SELECT 1) ; SELECT 2",
    ])
    func `wrong statements are errors with a position`(text: String) {
        let problem = #expect(throws: Problem.self) { try Parser.script(text) }
        #expect(problem?.position != nil)
    }

    @Test func `every statement of the platform parses`() throws {
        let script = try Parser.script(platformScript)
        let planned = script.compactMap {
            if case .notSupported(let statement) = $0.statement { statement.words } else { nil }
        }
        #expect(script.count == 74)
        #expect(
            Set(planned) == [
                "CREATE SECRET", "CREATE CONNECTION", "CREATE SOURCE", "CREATE FLOW",
                "CREATE SINK", "SUBSCRIBE", "CREATE TASK", "EXECUTE TASK", "CREATE ALERT", "GRANT",
                "CREATE TEST",
            ])
    }
}
