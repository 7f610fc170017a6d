import Base
import Columns
import Delta
import Node
import Testing

/// Columns that come, go and change, and columns that compute or count.
struct TableColumnTests {
    private static let mapping = "WITH (\"delta.columnMapping.mode\" = 'name')"

    private func lake(_ settings: String = "") throws -> LakeHarness {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE t (id bigint NOT NULL, name text, part smallint) \(settings);
            INSERT INTO t VALUES (1, 'a', 0), (2, NULL, 1);
            """)
        return lake
    }

    private func metadata(_ lake: LakeHarness) throws -> TableMetadata {
        try lake.table("public/t").snapshot().metadata
    }

    // MARK: ADD

    @Test(arguments: ["", mapping])
    func `columns are added where they are wanted`(settings: String) throws {
        let lake = try lake(settings)
        try lake.run("ALTER TABLE t ADD COLUMN score float COMMENT 'out of ten'")
        try lake.run("ALTER TABLE t ADD COLUMNS (a int FIRST, b text AFTER id)")
        #expect(lake.lake.catalogColumns("t") == ["a", "id", "b", "name", "part", "score"])
        #expect(
            try lake.rows("SELECT * FROM t ORDER BY id") == ["-|1|-|a|0|-", "-|2|-|-|1|-"])
        try lake.run("INSERT INTO t VALUES (7, 3, 'b', 'c', 2, 9.5)")
        try lake.run("UPDATE t SET a = 8 WHERE id = 1")
        #expect(
            try lake.rows("SELECT * FROM t WHERE a IS NOT NULL ORDER BY id")
                == ["8|1|-|a|0|-", "7|3|b|c|2|9.5"])
        try lake.run("ALTER TABLE t ADD COLUMN IF NOT EXISTS score float")
        for (statement, code) in [
            ("ALTER TABLE t ADD COLUMN Name text", "42701"),
            ("ALTER TABLE t ADD COLUMN x int NOT NULL", "23502"),
            ("ALTER TABLE t ADD COLUMN x int DEFAULT 5", "0A000"),
            ("ALTER TABLE t ADD COLUMN x int AFTER y", "42703"),
            ("ALTER TABLE t ADD COLUMN \"a b\" interval", "table.invalid"),
        ] {
            #expect(lake.problem(statement)?.code == code, "\(statement)")
        }
        try lake.run("TRUNCATE t; ALTER TABLE t ADD COLUMN x int NOT NULL")
        #expect(lake.problem("INSERT INTO t (id) VALUES (1)")?.code == "23502")
    }

    // MARK: DROP and RENAME

    @Test func `columns are dropped and renamed under column mapping`() throws {
        let lake = try lake(
            "PARTITIONED BY (part) WITH (\"delta.columnMapping.mode\" = 'name',"
                + " \"delta.enableDeletionVectors\" = true)")
        try lake.run("ALTER TABLE t ADD COLUMN extra int")
        try lake.run("UPDATE t SET extra = 5")
        try lake.run("ALTER TABLE t RENAME COLUMN name TO title")
        try lake.run("ALTER TABLE t RENAME part TO shard")
        try lake.run("ALTER TABLE t DROP COLUMN extra")
        #expect(lake.lake.catalogColumns("t") == ["id", "title", "shard"])
        #expect(try lake.rows("SELECT * FROM t WHERE shard = 0") == ["1|a|0"])
        // A new column of an old name is another column.
        try lake.run("ALTER TABLE t ADD COLUMN extra int")
        #expect(try lake.rows("SELECT extra FROM t WHERE extra IS NOT NULL").isEmpty)
        try lake.run("INSERT INTO t VALUES (3, 'c', 1, 6); DELETE FROM t WHERE title IS NULL")
        #expect(
            try lake.rows("SELECT title, extra, shard FROM t ORDER BY id") == ["a|-|0", "c|6|1"])
        // Statistics go by the names in the files.
        #expect(try lake.run("SELECT * FROM t WHERE title = 'a'").scan.filesSkipped > 0)
        for (statement, code) in [
            ("ALTER TABLE t DROP COLUMN shard", "0A000"),
            ("ALTER TABLE t DROP COLUMN nothing", "42703"),
            ("ALTER TABLE t RENAME COLUMN id TO Title", "42701"),
        ] {
            #expect(lake.problem(statement)?.code == code, "\(statement)")
        }
        try lake.run("ALTER TABLE t DROP COLUMN IF EXISTS nothing")
        try lake.run("ALTER TABLE t DROP COLUMNS (title, extra)")
        #expect(lake.problem("ALTER TABLE t DROP COLUMN id")?.code == "42P16")
    }

    @Test func `without column mapping the names of columns stay`() throws {
        let lake = try lake()
        for statement in [
            "ALTER TABLE t DROP COLUMN name", "ALTER TABLE t RENAME COLUMN name TO title",
        ] {
            let problem = lake.problem(statement)
            #expect(problem?.code == "55000")
            #expect(problem?.hint?.contains("delta.columnMapping.mode") == true)
        }
        // Switching it on keeps the names in the files.
        try lake.run("ALTER TABLE t SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
        try lake.run("ALTER TABLE t RENAME COLUMN name TO title")
        #expect(try lake.rows("SELECT title FROM t ORDER BY id") == ["a", "-"])
        let snapshot = try lake.table("public/t").snapshot()
        #expect(snapshot.tableProtocol.minReaderVersion == 3)
    }

    @Test func `columns that conditions speak of stay`() throws {
        let lake = try lake(Self.mapping)
        try lake.run("ALTER TABLE t ADD CONSTRAINT small CHECK (part < 100)")
        for statement in [
            "ALTER TABLE t DROP COLUMN part", "ALTER TABLE t RENAME COLUMN part TO p",
        ] {
            #expect(lake.problem(statement)?.code == "2BP01")
        }
        try lake.run("ALTER TABLE t DROP CONSTRAINT small; ALTER TABLE t DROP COLUMN part")
    }

    // MARK: ALTER COLUMN

    @Test func `columns allow NULL or not`() throws {
        let lake = try lake()
        #expect(lake.problem("ALTER TABLE t ALTER COLUMN name SET NOT NULL")?.code == "23502")
        try lake.run("UPDATE t SET name = 'b' WHERE name IS NULL")
        try lake.run("ALTER TABLE t ALTER COLUMN name SET NOT NULL")
        #expect(lake.problem("INSERT INTO t VALUES (3, NULL, 1)")?.code == "23502")
        try lake.run("ALTER TABLE t ALTER name DROP NOT NULL")
        try lake.run("INSERT INTO t VALUES (3, NULL, 1)")
    }

    @Test func `defaults come and go`() throws {
        let lake = try lake()
        try lake.run("ALTER TABLE t ALTER COLUMN part SET DEFAULT 3 + 4")
        #expect(try lake.rows("INSERT INTO t (id) VALUES (9) RETURNING part") == ["7"])
        #expect(
            try lake.table("public/t").snapshot().tableProtocol.writerFeatures?.contains(
                "allowColumnDefaults") == true)
        try lake.run("ALTER TABLE t ALTER COLUMN part DROP DEFAULT")
        #expect(try lake.rows("INSERT INTO t (id) VALUES (10) RETURNING part") == ["-"])
        #expect(lake.problem("ALTER TABLE t ALTER COLUMN part SET DEFAULT id")?.code == "42703")
        let problem = lake.problem("ALTER TABLE t ALTER COLUMN part SET DEFAULT 'x'")
        #expect(problem?.code == "22P02" && problem?.position == 44)
    }

    @Test func `columns get wider types`() throws {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE t (a smallint, b int, c real, d numeric(5,2), e date, f int, g smallint)
            PARTITIONED BY (g);
            INSERT INTO t VALUES (1, 2, 1.5, 3.25, '2024-01-02', 7, 1)
            """)
        let problem = lake.problem("ALTER TABLE t ALTER COLUMN a TYPE int")
        #expect(problem?.code == "55000" && problem?.hint?.contains("TypeWidening") == true)
        try lake.run("ALTER TABLE t SET TBLPROPERTIES ('delta.enableTypeWidening' = true)")
        for (column, type) in [
            ("a", "int"), ("a", "bigint"), ("b", "double precision"), ("c", "double precision"),
            ("d", "numeric(9,4)"), ("e", "timestamp"), ("f", "numeric(12,2)"), ("g", "bigint"),
        ] {
            try lake.run("ALTER TABLE t ALTER COLUMN \(column) SET DATA TYPE \(type)")
        }
        try lake.run(
            "INSERT INTO t VALUES (5000000000, 0.5, 2.5, 12345.0001, '2024-01-02 03:04:05', 8.5,"
                + " 5000000000)")
        #expect(
            try lake.rows("SELECT * FROM t ORDER BY a") == [
                "1|2|1.5|3.2500|2024-01-02 00:00:00|7.00|1",
                "5000000000|0.5|2.5|12345.0001|2024-01-02 03:04:05|8.50|5000000000",
            ])
        #expect(try lake.rows("SELECT a FROM t WHERE b = 2 AND g = 1") == ["1"])
        try lake.run("UPDATE t SET b = b + 1; OPTIMIZE t")
        #expect(try lake.rows("SELECT b FROM t ORDER BY a") == ["3", "1.5"])
        let changes = try metadata(lake).schema.field(named: "a")?.metadataValue(
            "delta.typeChanges")
        #expect(
            changes?.text
                == #"[{"fromType":"short","toType":"integer"},{"fromType":"integer","toType":"long"}]"#
        )
        for (column, type) in [
            ("a", "int"), ("a", "text"), ("d", "numeric(9,2)"), ("c", "numeric(20,2)"),
            ("a", "numeric(10,0)"),
        ] {
            #expect(
                lake.problem("ALTER TABLE t ALTER COLUMN \(column) TYPE \(type)")?.code == "42804",
                "\(column) \(type)")
        }
    }

    @Test func `comments are in the table`() throws {
        let lake = try lake()
        try lake.run(
            "COMMENT ON TABLE t IS 'all of it'; COMMENT ON COLUMN t.name IS 'said by them'")
        try lake.run("ALTER TABLE t ALTER COLUMN id COMMENT 'counted'")
        #expect(try metadata(lake).comment == "all of it")
        #expect(
            try metadata(lake).schema.field(named: "name")?.metadataValue("comment")?.stringValue
                == "said by them")
        #expect(
            try lake.rows("DESCRIBE t").map { String($0.split(separator: "|").last ?? "") }
                == ["counted", "said by them", "-"])
        try lake.run("COMMENT ON COLUMN t.name IS NULL; COMMENT ON TABLE delta.'public/t' IS NULL")
        #expect(try metadata(lake).comment == nil)
        #expect(lake.problem("COMMENT ON COLUMN t.nme IS 'x'")?.code == "42703")
    }

    @Test func `settings are taken back`() throws {
        let lake = try lake("WITH (\"delta.appendOnly\" = true)")
        #expect(lake.problem("DELETE FROM t") != nil)
        try lake.run("ALTER TABLE t UNSET TBLPROPERTIES ('delta.appendOnly')")
        try lake.run("DELETE FROM t")
        #expect(
            lake.problem("ALTER TABLE t UNSET TBLPROPERTIES (delta.appendonly)")?.code == "42704")
        try lake.run("ALTER TABLE t UNSET TBLPROPERTIES IF EXISTS (delta.appendonly)")
    }

    @Test func `what the files mean is not taken back`() throws {
        let lake = try lake(
            "WITH (\"delta.columnMapping.mode\" = 'name', \"delta.enableRowTracking\" = true)")
        for (statement, code) in [
            ("UNSET TBLPROPERTIES ('delta.columnMapping.mode')", "0A000"),
            ("SET TBLPROPERTIES ('delta.columnMapping.mode' = 'none')", "0A000"),
            ("UNSET TBLPROPERTIES ('delta.columnMapping.maxColumnId')", "42501"),
            ("UNSET TBLPROPERTIES ('delta.rowTracking.materializedRowIdColumnName')", "42501"),
        ] {
            #expect(lake.problem("ALTER TABLE t " + statement)?.code == code, "\(statement)")
        }
        // Tracking itself may end, and begin again.
        try lake.run(
            """
            UPDATE t SET name = 'u'; ALTER TABLE t UNSET TBLPROPERTIES ('delta.enableRowTracking')
            """)
        let marks = "SELECT id, _metadata.row_id FROM t ORDER BY id"
        #expect(lake.problem(marks)?.code == "42P01")
        try lake.run("ALTER TABLE t SET ('delta.enableRowTracking' = true)")
        #expect(try lake.rows(marks).first == "1|0")
    }

    // MARK: Generated and identity columns

    @Test func `declared defaults and generated columns are computed`() throws {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE t (id bigint, twice bigint GENERATED ALWAYS AS (id * 2) STORED,
                state text DEFAULT 'new' NOT NULL COMMENT 'which')
            """)
        try lake.run("INSERT INTO t (id) VALUES (1), (2)")
        #expect(try lake.rows("SELECT * FROM t ORDER BY id") == ["1|2|new", "2|4|new"])
        for (columns, code) in [
            ("a int DEFAULT 'x'", "22P02"), ("a int DEFAULT b, b int", "42703"),
            ("a int, b int GENERATED ALWAYS AS (b + 1)", "42703"),
            ("a int DEFAULT 1 DEFAULT 2", "42601"),
            ("a int GENERATED ALWAYS AS IDENTITY", "22023"),
            ("a bigint GENERATED ALWAYS AS IDENTITY (INCREMENT 0)", "22023"),
        ] {
            #expect(lake.problem("CREATE TABLE x (\(columns))")?.code == code, "\(columns)")
        }
    }

    @Test func `identity columns count`() throws {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE t (n bigint GENERATED ALWAYS AS IDENTITY,
                m bigint GENERATED BY DEFAULT AS IDENTITY (START WITH 100 INCREMENT BY -10), x text)
            """)
        #expect(
            try lake.rows("INSERT INTO t (x) VALUES ('a'), ('b'), ('c') RETURNING *")
                == ["1|100|a", "2|90|b", "3|80|c"])
        #expect(try lake.rows("INSERT INTO t (m, x) VALUES (5, 'd') RETURNING n, m") == ["4|5"])
        try lake.run(
            """
            MERGE INTO t USING (VALUES ('a', 'A'), ('z', 'Z')) AS s (x, y) ON t.x = s.x
            WHEN MATCHED THEN UPDATE SET x = s.y WHEN NOT MATCHED THEN INSERT (x) VALUES (s.x)
            """)
        #expect(
            try lake.rows("SELECT n, m, x FROM t ORDER BY n")
                == ["1|100|A", "2|90|b", "3|80|c", "4|5|d", "5|70|z"])
        let field = try #require(try metadata(lake).schema.field(named: "n"))
        #expect(try field.identity()?.highWaterMark == 5)
        for (statement, code) in [
            ("INSERT INTO t (n, x) VALUES (9, 'x')", "428C9"),
            ("INSERT INTO t VALUES (9, 9, 'x')", "428C9"),
            ("INSERT INTO t (m) VALUES (NULL)", "23502"), ("UPDATE t SET n = 1", "428C9"),
            ("UPDATE t SET m = 1", "428C9"),
            ("ALTER TABLE t ALTER COLUMN n DROP NOT NULL", "55000"),
            (
                "MERGE INTO t USING t AS s ON t.n = s.n WHEN MATCHED THEN UPDATE SET n = 4",
                "428C9"
            ),
            (
                "MERGE INTO t USING t AS s ON false WHEN NOT MATCHED THEN INSERT VALUES (1, 2, 'x')",
                "428C9"
            ),
        ] {
            #expect(lake.problem(statement)?.code == code, "\(statement)")
        }
        // Rows that move keep their numbers, and numbers are never given again.
        try lake.run("DELETE FROM t WHERE n = 5; OPTIMIZE t")
        #expect(try lake.rows("INSERT INTO t (x) VALUES ('e') RETURNING n, m") == ["6|60"])
        try lake.run("INSERT OVERWRITE t (x) SELECT x FROM t WHERE n < 3")
        #expect(try lake.rows("SELECT n, m FROM t ORDER BY n") == ["7|50", "8|40"])
        try lake.run(
            "CREATE OR REPLACE TABLE t (n bigint GENERATED ALWAYS AS IDENTITY, x text)")
        #expect(try lake.rows("INSERT INTO t (x) VALUES ('e') RETURNING n") == ["1"])
    }

    @Test func `an identity column ends with its type`() throws {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE t (n bigint GENERATED ALWAYS AS IDENTITY (START 9223372036854775806), x int)
            """)
        try lake.run("INSERT INTO t (x) VALUES (1)")
        #expect(lake.problem("INSERT INTO t (x) VALUES (1), (2)")?.code == "2200H")
        #expect(
            try lake.rows("INSERT INTO t (x) VALUES (3) RETURNING n") == ["9223372036854775807"])
        #expect(lake.problem("INSERT INTO t (x) VALUES (1)")?.code == "2200H")
        #expect(try lake.rows("SELECT count(*) FROM t") == ["2"])
    }
}
