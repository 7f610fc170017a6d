import Base
import Columns
import Delta
import Node
import Testing

/// Statements whose rows take the place of others, and those that give rows back.
struct ReplaceStatementTests {
    private static let settings = [
        "PARTITIONED BY (day)",
        "PARTITIONED BY (day) WITH (\"delta.enableDeletionVectors\" = true)",
        "PARTITIONED BY (day) WITH (\"delta.enableChangeDataFeed\" = true)",
        "PARTITIONED BY (day) WITH (\"delta.columnMapping.mode\" = 'name')",
    ]

    private func lake(_ settings: String = "") throws -> LakeHarness {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE t (id bigint NOT NULL, name text, day int) \(settings);
            INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 1), (3, 'c', 2), (4, 'd', 2), (5, 'e', NULL);
            """)
        return lake
    }

    private func all(_ lake: LakeHarness) throws -> [String] {
        try lake.rows("SELECT * FROM t ORDER BY id")
    }

    @Test(arguments: settings)
    func `all rows are replaced in one version`(settings: String) throws {
        let lake = try lake(settings)
        #expect(
            try lake.tag("INSERT OVERWRITE t SELECT id + 10, name, day FROM t WHERE id < 3")
                == "INSERT 0 2")
        #expect(try all(lake) == ["11|a|1", "12|b|1"])
        #expect(try lake.rows("SELECT count(*) FROM t VERSION AS OF 1") == ["5"])
        #expect(try lake.table("public/t").snapshot().version == 2)
        #expect(try lake.tag("INSERT OVERWRITE INTO TABLE t (id) VALUES (7)") == "INSERT 0 1")
        #expect(try all(lake) == ["7|-|-"])
        #expect(try lake.tag("INSERT OVERWRITE t SELECT * FROM t WHERE false") == "INSERT 0 0")
        #expect(try all(lake).isEmpty)
        #expect(try lake.table("public/t").snapshot().version == 4)
        try lake.run("INSERT OVERWRITE t SELECT * FROM t WHERE false")
        #expect(try lake.table("public/t").snapshot().version == 4)
    }

    @Test(arguments: settings)
    func `rows within a condition are replaced`(settings: String) throws {
        let lake = try lake(settings)
        #expect(
            try lake.tag("INSERT INTO t REPLACE WHERE day = 2 VALUES (30, 'x', 2)")
                == "INSERT 0 1")
        #expect(try all(lake) == ["1|a|1", "2|b|1", "5|e|-", "30|x|2"])
        #expect(
            try lake.tag(
                "INSERT INTO t REPLACE WHERE id <= 2 AND day = 1 SELECT id, 'y', day FROM t"
                    + " WHERE id = 2") == "INSERT 0 1")
        #expect(try all(lake) == ["2|y|1", "5|e|-", "30|x|2"])
        // Nothing is left of a range without new rows.
        #expect(
            try lake.tag("INSERT INTO t REPLACE WHERE day IS NULL SELECT * FROM t WHERE false")
                == "INSERT 0 0")
        #expect(try all(lake) == ["2|y|1", "30|x|2"])
        for rows in ["(31, 'x', 1)", "(31, 'x', 2), (32, 'x', NULL)"] {
            let problem = lake.problem("INSERT INTO t REPLACE WHERE day = 2 VALUES \(rows)")
            #expect(problem?.code == "23514")
            #expect(problem?.message.contains("does not fulfil the condition") == true)
        }
        #expect(try all(lake) == ["2|y|1", "30|x|2"])
        #expect(
            lake.problem("INSERT INTO t REPLACE WHERE nme = 2 SELECT * FROM t")?.code == "42703")
        #expect(
            lake.problem("INSERT OVERWRITE t REPLACE WHERE day = 2 SELECT * FROM t")?.code
                == "42601")
    }

    @Test(arguments: settings)
    func `partitions are replaced`(settings: String) throws {
        let lake = try lake(settings)
        // By value: the rows do not say it.
        #expect(
            try lake.tag("INSERT OVERWRITE t PARTITION (day = 1) VALUES (10, 'x')")
                == "INSERT 0 1")
        #expect(try all(lake) == ["3|c|2", "4|d|2", "5|e|-", "10|x|1"])
        try lake.run("INSERT OVERWRITE t PARTITION (day = NULL) (id) VALUES (50)")
        #expect(try all(lake) == ["3|c|2", "4|d|2", "10|x|1", "50|-|-"])
        // By the rows.
        try lake.run("INSERT OVERWRITE t PARTITION (day) VALUES (60, 'y', NULL), (61, 'z', 7)")
        #expect(try all(lake) == ["3|c|2", "4|d|2", "10|x|1", "60|y|-", "61|z|7"])
        try lake.run("INSERT INTO t PARTITION (day = 7) SELECT 62, 'w'")
        #expect(try lake.rows("SELECT id FROM t WHERE day = 7 ORDER BY id") == ["61", "62"])
        #expect(
            lake.problem("INSERT OVERWRITE t PARTITION (name) SELECT * FROM t")?.code == "42P10")
        #expect(
            lake.problem("INSERT INTO t PARTITION (day = 1) (id, day) VALUES (1, 2)")?.code
                == "42701")
    }

    @Test func `a change feed tells replaced rows`() throws {
        let lake = try lake("PARTITIONED BY (day) WITH (\"delta.enableChangeDataFeed\" = true)")
        try lake.run("INSERT INTO t REPLACE WHERE day = 2 VALUES (30, 'x', 2)")
        #expect(
            try lake.rows(
                "SELECT _change_type, id FROM table_changes('t', 2) ORDER BY id")
                == ["delete|3", "delete|4", "insert|30"])
        try lake.run("INSERT OVERWRITE t PARTITION (day) VALUES (40, 'y', 1)")
        #expect(
            try lake.rows(
                "SELECT _change_type, id FROM table_changes('t', 3) ORDER BY id")
                == ["delete|1", "delete|2", "insert|40"])
        try lake.run("TRUNCATE t")
        #expect(
            try lake.rows("SELECT count(*), min(_change_type) FROM table_changes('t', 4)")
                == ["3|delete"])
    }

    @Test func `rows of a partition are replaced without a look at them`() throws {
        let lake = try lake("PARTITIONED BY (day)")
        let files = try lake.table("public/t").snapshot().files.map { "public/t/" + $0.path }
        for file in files { try lake.store.replace(file, Bytes(utf8: "no Parquet here")) }
        try lake.run("INSERT INTO t REPLACE WHERE day IN (1, 2) VALUES (9, 'x', 1)")
        try lake.run("INSERT OVERWRITE t PARTITION (day = NULL) VALUES (10, 'x')")
        #expect(try all(lake) == ["9|x|1", "10|x|-"])
    }

    @Test func `an append-only table keeps its rows`() throws {
        let lake = try lake("WITH (\"delta.appendOnly\" = true)")
        for statement in [
            "INSERT OVERWRITE t VALUES (1, 'a', 1)", "TRUNCATE TABLE t",
            "INSERT INTO t REPLACE WHERE id = 1 VALUES (1, 'b', 1)",
            "CREATE OR REPLACE TABLE t (id int)",
        ] {
            #expect(
                lake.problem(statement)?.message.contains("appendOnly") == true, "\(statement)")
        }
        #expect(try all(lake).count == 5)
    }

    @Test func `the columns of a query go by their names`() throws {
        let lake = try lake()
        try lake.run("INSERT INTO t BY NAME SELECT 'z' AS name, 9::bigint AS id")
        #expect(try lake.rows("SELECT * FROM t WHERE id = 9") == ["9|z|-"])
        #expect(lake.problem("INSERT INTO t BY NAME SELECT 1 AS idd")?.code == "42703")
    }

    @Test func `tables are truncated`() throws {
        let lake = try lake()
        try lake.run("CREATE TABLE u (a int); INSERT INTO u VALUES (1)")
        #expect(try lake.tag("TRUNCATE TABLE t, u") == "TRUNCATE TABLE")
        #expect(try lake.rows("SELECT count(*) FROM t, u") == ["0"])
        let versions = try lake.table("public/t").snapshot().version
        try lake.run("TRUNCATE t")
        #expect(try lake.table("public/t").snapshot().version == versions)
        #expect(lake.problem("TRUNCATE t, nothing")?.code == "42P01")
    }

    // MARK: Several tables

    @Test(arguments: settings)
    func `other tables say what is deleted and updated`(settings: String) throws {
        let lake = try lake(settings)
        try lake.run(
            "CREATE TABLE s (id bigint, label text); INSERT INTO s VALUES (1, 'one'), (1, 'uno'),"
                + " (3, 'three'), (9, 'nine')")
        // A row with two partners is changed once.
        #expect(
            try lake.tag("UPDATE t SET name = s.label FROM s WHERE t.id = s.id") == "UPDATE 2")
        #expect(try lake.rows("SELECT name FROM t WHERE id = 3") == ["three"])
        #expect(
            ["one", "uno"].contains(try lake.rows("SELECT name FROM t WHERE id = 1")[0]))
        #expect(
            try lake.rows(
                "DELETE FROM t AS x USING s, (SELECT 3 AS n) AS k WHERE x.id = s.id AND s.id = k.n"
                    + " RETURNING x.id, s.label, *") == ["3|three|3|three|2|3|three|3"])
        #expect(
            try lake.tag(
                "DELETE FROM t USING s JOIN t AS u ON u.id = s.id WHERE t.day = u.day")
                == "DELETE 2"
        )
        #expect(try lake.rows("SELECT id FROM t ORDER BY id") == ["4", "5"])
        #expect(lake.problem("DELETE FROM t USING s WHERE id = 1")?.code == "42702")
        #expect(lake.problem("DELETE FROM t USING nothing")?.code == "42P01")
    }

    // MARK: RETURNING

    @Test(arguments: settings)
    func `changed rows are given back`(settings: String) throws {
        let lake = try lake(settings)
        let inserted = try lake.run(
            "INSERT INTO t (id, name) VALUES (6, 'f'), (7, 'g') RETURNING id * 2 AS twice, t.name, day"
        )
        #expect(inserted.tag == "INSERT 0 2")
        #expect(inserted.columns.map(\.name) == ["twice", "name", "day"])
        #expect(
            try lake.rows(
                "UPDATE t SET name = name || '!', id = id + 100 WHERE id < 3 RETURNING *"
            ).sorted()
                == ["101|a!|1", "102|b!|1"])
        #expect(
            try lake.rows("DELETE FROM t WHERE id > 100 RETURNING id, name").sorted()
                == ["101|a!", "102|b!"])
        #expect(try lake.rows("DELETE FROM t WHERE day = 2 RETURNING id").sorted() == ["3", "4"])
        #expect(try lake.rows("DELETE FROM t WHERE id = 77 RETURNING id").isEmpty)
        #expect(
            try lake.rows(
                "INSERT INTO t REPLACE WHERE id = 5 VALUES (5, 'new', 1) RETURNING name")
                == ["new"])
        #expect(
            try lake.rows(
                "UPDATE t AS x SET name = s.n FROM (VALUES (6, 'six')) AS s (id, n) WHERE x.id = s.id"
                    + " RETURNING x.name, s.id, x.*") == ["six|6|6|six|-"])
        for (statement, code) in [
            ("DELETE FROM t RETURNING count(*)", "42803"),
            ("DELETE FROM t RETURNING (SELECT 1)", "0A000"),
            ("DELETE FROM t AS x RETURNING t.id", "42P01"),
            ("INSERT INTO t VALUES (8, 'x', 1) RETURNING u.*", "42P01"),
        ] {
            #expect(lake.problem(statement)?.code == code, "\(statement)")
        }
        #expect(try lake.rows("SELECT count(*) FROM t") == ["3"])
    }

    @Test func `the limit of an answer does not limit the change`() throws {
        let lake = try lake()
        var options = StatementOptions()
        options.rowLimit = 2
        let answer = try #require(
            try lake.lake.run(script: "DELETE FROM t RETURNING id", options: options).last)
        #expect(answer.tag == "DELETE 5")
        #expect(answer.rowCount == 2 && answer.isTruncated)
        #expect(try all(lake).isEmpty)
    }

    // MARK: REPLACE USING

    @Test(arguments: settings)
    func `rows with the keys of new ones are replaced`(settings: String) throws {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE r (id bigint, day int, name text) \(settings);
            INSERT INTO r VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c'), (4, NULL, 'd'), (5, 3, 'e')
            """)
        #expect(
            try lake.tag(
                "INSERT INTO r REPLACE USING (day) VALUES (10, 1, 'x'), (11, NULL, 'y'), (12, 1, 'z')"
            )
                == "INSERT 0 3")
        let rows = try lake.rows("SELECT id, day, name FROM r ORDER BY id")
        #expect(rows == ["3|2|c", "4|-|d", "5|3|e", "10|1|x", "11|-|y", "12|1|z"])
        let version = try lake.table("public/r").snapshot().version
        #expect(
            try lake.rows(
                "INSERT INTO r REPLACE USING (id, day) SELECT id, day, upper(name) FROM r"
                    + " WHERE day < 3 RETURNING id, name"
            ).sorted() == ["10|X", "12|Z", "3|C"])
        #expect(try lake.table("public/r").snapshot().version == version + 1)
        #expect(
            try lake.rows("SELECT name FROM r ORDER BY id") == ["C", "d", "e", "X", "y", "Z"])
        // Nothing new replaces nothing.
        #expect(
            try lake.tag("INSERT INTO r REPLACE USING (id) SELECT * FROM r WHERE id > 100")
                == "INSERT 0 0")
        #expect(
            lake.problem("INSERT INTO r REPLACE USING (nope) VALUES (1, 1, 'x')")?.code == "42703")
        #expect(
            lake.problem("INSERT OVERWRITE r REPLACE USING (id) VALUES (1, 1, '')")?.code == "42601"
        )
    }

    // MARK: DEFAULT

    @Test func `DEFAULT stands for a value`() throws {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE d (id bigint GENERATED ALWAYS AS IDENTITY,
              n bigint GENERATED BY DEFAULT AS IDENTITY (START 100), name text DEFAULT 'none',
              day int, twice bigint GENERATED ALWAYS AS (day * 2));
            INSERT INTO d VALUES (DEFAULT, 7, DEFAULT, 3), (DEFAULT, DEFAULT, 'b', DEFAULT);
            INSERT INTO d (name, day, twice) VALUES (DEFAULT, 4, DEFAULT), ('c', 5, DEFAULT);
            INSERT INTO d DEFAULT VALUES
            """)
        #expect(
            try lake.rows("SELECT id, n, name, day, twice FROM d ORDER BY id") == [
                "1|7|none|3|6", "2|100|b|-|-", "3|101|none|4|8", "4|102|c|5|10", "5|103|none|-|-",
            ])
        try lake.run(
            """
            UPDATE d SET name = DEFAULT, day = 9 WHERE id = 4;
            MERGE INTO d USING (VALUES (1), (50)) AS s (k) ON d.id = s.k
              WHEN MATCHED THEN UPDATE SET name = DEFAULT
              WHEN NOT MATCHED THEN INSERT (name, day) VALUES (DEFAULT, s.k)
            """)
        #expect(
            try lake.rows("SELECT name, day, twice FROM d WHERE id IN (1, 4, 6) ORDER BY id")
                == ["none|3|6", "none|9|18", "none|50|100"])
        for wrong in [
            "SELECT DEFAULT", "SELECT * FROM (VALUES (DEFAULT)) AS v",
            "INSERT INTO d (name) VALUES (upper(DEFAULT))",
            "INSERT INTO d (name) SELECT * FROM (VALUES (DEFAULT)) AS v",
        ] {
            #expect(lake.problem(wrong)?.code == "42601", "\(wrong)")
        }
        #expect(
            lake.problem("INSERT INTO d (id) VALUES (DEFAULT), (5)")?.code == "428C9")
    }

    // MARK: RETURNING of MERGE

    @Test(arguments: settings)
    func `a merge gives back what it did`(settings: String) throws {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE m (id bigint, day int, name text) \(settings);
            INSERT INTO m VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c')
            """)
        let merge = """
            MERGE INTO m AS t USING (VALUES (1, 'x'), (2, 'y'), (9, 'z')) AS s (k, v) ON t.id = s.k
            WHEN MATCHED AND s.v = 'y' THEN DELETE
            WHEN MATCHED THEN UPDATE SET name = s.v || t.name
            WHEN NOT MATCHED THEN INSERT (id, day, name) VALUES (s.k, 5, s.v)
            WHEN NOT MATCHED BY SOURCE THEN UPDATE SET day = 7
            """
        let answer = try lake.run(
            merge + " RETURNING merge_action(), t.*, s.v, lower(merge_action()) AS what")
        #expect(answer.tag == "MERGE 4")
        #expect(
            answer.columns.map(\.name) == ["merge_action", "id", "day", "name", "v", "what"])
        let rows = lake.texts(answer)
        #expect(
            rows.sorted() == [
                "DELETE|2|1|b|y|delete", "INSERT|9|5|z|z|insert", "UPDATE|1|1|xa|x|update",
                "UPDATE|3|7|c|-|update",
            ])
        #expect(
            try lake.rows("SELECT id, day, name FROM m ORDER BY id")
                == ["1|1|xa", "3|7|c", "9|5|z"])
        let star = try lake.run(
            "MERGE INTO m USING (VALUES (3)) AS s (k) ON m.id = s.k WHEN MATCHED THEN DELETE"
                + " RETURNING *")
        #expect(star.columns.map(\.name) == ["k", "id", "day", "name"])
        #expect(lake.problem("SELECT merge_action()")?.code == "42601")
    }

    // MARK: RENAME

    @Test func `a table has another name and the same rows`() throws {
        let disk = MemoryDisk()
        let port = ObjectPort()
        let lake = try LakeHarness(disk: disk, port: port)
        try lake.run(
            """
            CREATE TABLE old (id bigint); INSERT INTO old VALUES (1), (2);
            ALTER TABLE old RENAME TO fresh; INSERT INTO fresh VALUES (3);
            CREATE TABLE old (name text); INSERT INTO old VALUES ('a')
            """)
        #expect(try lake.rows("SELECT count(*) FROM fresh") == ["3"])
        #expect(try lake.rows("SELECT * FROM old") == ["a"])
        #expect(lake.problem("ALTER TABLE old RENAME TO fresh")?.code == "42P07")
        #expect(lake.problem("ALTER TABLE missing RENAME TO x")?.code == "42P01")
        try lake.run("CREATE VIEW v AS SELECT * FROM fresh")
        #expect(lake.problem("ALTER TABLE fresh RENAME TO other")?.code == "2BP01")
        try lake.run("ALTER VIEW v RENAME TO w; DROP VIEW w; ALTER TABLE fresh RENAME TO other")
        // A rename that is not stored has not happened.
        port.failDeletes()
        #expect(lake.problem("ALTER TABLE other RENAME TO last") != nil)
        port.failDeletes(false)
        let before = try LakeHarness(disk: disk, port: port, seed: 4)
        #expect(before.problem("SELECT * FROM last")?.code == "42P01")
        #expect(try before.rows("SELECT sum(id) FROM other") == ["6"])
        // Earlier versions stored the new name and then took the old one away.
        let renamed = ObjectPort(copying: port)
        try LakeHarness(disk: disk, port: renamed, seed: 5, from: 1000).run(
            "ALTER TABLE other RENAME TO last")
        guard case .objects(let stored) = try renamed.call(.listObjects(prefix: "catalog/")) else {
            return
        }
        let new = try #require(stored.first { $0.name.hasSuffix("public.last") })
        _ = try port.call(.changeObjects([ObjectChange(new.name, new.content)]))
        let next = try LakeHarness(disk: disk, port: port, seed: 2)
        #expect(next.problem("SELECT * FROM other")?.code == "42P01")
        #expect(try next.rows("SELECT sum(id) FROM last") == ["6"])
        let again = try LakeHarness(disk: disk, port: port, seed: 3)
        #expect(again.problem("DROP TABLE other")?.code == "42P01")
        #expect(try again.rows("SELECT count(*) FROM last") == ["3"])
        #expect(try again.rows("SELECT count(*) FROM old") == ["1"])
    }

    @Test func `an address inside of the lake is a path`() throws {
        let lake = try lake()
        #expect(
            try lake.rows("SELECT count(*) FROM delta.'file:///data dir/lake/public/t'")
                == lake.rows("SELECT count(*) FROM t"))
        let problem = lake.problem("SELECT * FROM delta.'s3://other/table'")
        #expect(problem?.code == "42501" && problem?.hint?.contains("weir sql s3://") == true)
        #expect(
            lake.problem("SELECT * FROM delta.'file:///data dir/lake/../secret'")?.code == "42501")
    }

    // MARK: CREATE OR REPLACE

    @Test(arguments: settings)
    func `a table is replaced and keeps its history`(settings: String) throws {
        let lake = try lake(settings)
        let id = try lake.table("public/t").snapshot().metadata.id
        #expect(
            try lake.tag(
                "CREATE OR REPLACE TABLE t WITH (\"delta.enableDeletionVectors\" = true)"
                    + " AS SELECT id::text AS key, day AS id FROM t WHERE id < 4") == "SELECT 3")
        #expect(try lake.rows("SELECT * FROM t ORDER BY key") == ["1|1", "2|1", "3|2"])
        #expect(try lake.rows("SELECT count(*), max(name) FROM t VERSION AS OF 1") == ["5|e"])
        let snapshot = try lake.table("public/t").snapshot()
        #expect(snapshot.version == 2 && snapshot.metadata.id == id)
        #expect(snapshot.metadata.partitionColumns.isEmpty)
        #expect(lake.lake.catalogColumns("t") == ["key", "id"])
        try lake.run("DELETE FROM t WHERE key = '1'; INSERT INTO t VALUES ('9', 9)")
        #expect(try lake.rows("SELECT count(*) FROM t") == ["3"])
        #expect(
            try lake.tag("CREATE OR REPLACE TABLE t (a int, b int) PARTITIONED BY (b)")
                == "CREATE TABLE")
        #expect(try lake.rows("SELECT * FROM t").isEmpty)
        try lake.run("INSERT INTO t VALUES (1, 2)")
        #expect(try lake.rows("SELECT * FROM t") == ["1|2"])
        try lake.run("RESTORE TABLE t TO VERSION AS OF 1")
        #expect(try all(lake).count == 5)
        #expect(try lake.tag("CREATE OR REPLACE TABLE fresh (a int)") == "CREATE TABLE")
        try lake.run("CREATE VIEW v AS SELECT 1 AS a")
        #expect(lake.problem("CREATE OR REPLACE TABLE v (a int)")?.code == "42809")
    }

    /// The table is committed first, the catalog follows: the process ends in between.
    @Test(arguments: [false, true])
    func `a crash between the table and the catalog leaves one truth`(restarts: Bool) throws {
        let disk = MemoryDisk()
        let port = ObjectPort()
        var lake = try LakeHarness(disk: disk, port: port)
        try lake.run(
            """
            CREATE TABLE t (id bigint, day int) PARTITIONED BY (day);
            INSERT INTO t VALUES (1, 2)
            """)
        port.fail()
        #expect(
            lake.problem(
                "CREATE OR REPLACE TABLE t (key text COMMENT 'which', n int) PARTITIONED BY (n)")?
                .code == "58030")
        port.fail(false)
        if restarts {
            lake = try LakeHarness(disk: disk, port: port, seed: 2)
            lake.lake.startJobs()
        } else {
            #expect(try lake.rows("SELECT * FROM t").isEmpty)
        }
        #expect(lake.lake.catalogColumns("t") == ["key", "n"])
        #expect(
            try lake.rows(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 't'"
                    + " ORDER BY ordinal_position") == ["key", "n"])
        try lake.run("INSERT INTO t VALUES ('a', 1); UPDATE t SET n = 2")
        #expect(try lake.rows("SELECT * FROM t") == ["a|2"])
        // What the next start reads is what was taken.
        let next = try LakeHarness(disk: disk, port: port, seed: 3)
        #expect(next.lake.catalogColumns("t") == ["key", "n"])
        #expect(try next.rows("SELECT n, key FROM t VERSION AS OF 3") == ["1|a"])
    }

    @Test func `a table of a query is there with its rows or not at all`() throws {
        let disk = MemoryDisk()
        let port = ObjectPort()
        let lake = try LakeHarness(disk: disk, port: port)
        port.fail()
        let statement = "CREATE TABLE t AS SELECT n FROM generate_series(1, 5) AS n"
        #expect(lake.problem(statement)?.code == "58030")
        port.fail(false)
        let next = try LakeHarness(disk: disk, port: port, seed: 2)
        #expect(next.problem("SELECT * FROM t")?.code == "42P01")
        #expect(try next.tag(statement) == "SELECT 5")
        #expect(try next.rows("SELECT sum(n) FROM t") == ["15"])
        // A query that fails leaves no files behind.
        let before = try next.store.list("public", recursive: true).count
        #expect(next.problem("CREATE TABLE u AS SELECT 1 / (n - 3) AS x FROM t") != nil)
        #expect(try next.store.list("public", recursive: true).count == before)
        #expect(next.problem("SELECT * FROM u")?.code == "42P01")
    }

    @Test func `a replacement whose query fails changes nothing`() throws {
        let lake = try lake()
        #expect(
            lake.problem("CREATE OR REPLACE TABLE t AS SELECT 1 / (id - 3) AS x FROM t")?.code
                == "22012")
        #expect(try all(lake).count == 5)
        #expect(lake.lake.catalogColumns("t") == ["id", "name", "day"])
    }
}
