import Base
import Columns
import Delta
import Node
import Testing

/// Statements that change tables, from text to files.
struct TableStatementTests {
    /// A table `t` of ids 1 to 6, once plain and once with everything switched on.
    static let settings = [
        "",
        "WITH (\"delta.enableDeletionVectors\" = true, \"delta.enableChangeDataFeed\" = true)",
        "PARTITIONED BY (part) WITH (delta.enabledeletionvectors = true)",
        "WITH (\"delta.columnMapping.mode\" = 'name', \"delta.enableChangeDataFeed\" = true)",
    ]

    private func lake(_ settings: String = "") throws -> LakeHarness {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE t (id bigint NOT NULL, name text, part int) \(settings);
            INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 1), (3, 'c', 0);
            INSERT INTO t SELECT id + 3, upper(name), part FROM t;
            """)
        return lake
    }

    @Test func `rows of a tracked table have numbers that stay`() throws {
        let lake = try lake("WITH (\"delta.enableRowTracking\" = true)")
        #expect(try lake.rows("SELECT * FROM t WHERE id = 5") == ["5|B|1"])
        let query = "SELECT id, _metadata.row_id, x._metadata.row_commit_version FROM t AS x"
        #expect(
            try lake.rows(query + " ORDER BY _metadata.row_id")
                == ["1|0|1", "2|1|1", "3|2|1", "4|3|2", "5|4|2", "6|5|2"])
        try lake.run("UPDATE t SET id = id * 10 WHERE _metadata.row_id IN (1, 4)")
        try lake.run(
            """
            MERGE INTO t USING (VALUES (3), (7)) AS s (n) ON t.id = s.n
            WHEN MATCHED THEN UPDATE SET name = t._metadata.row_id::text
            WHEN NOT MATCHED THEN INSERT (id) VALUES (s.n);
            DELETE FROM t WHERE id = 6;
            OPTIMIZE t ZORDER BY (id)
            """)
        let rows = ["1|0|1", "20|1|3", "3|2|4", "4|3|2", "50|4|3"]
        #expect(
            try lake.rows(query + " WHERE id <> 7 ORDER BY _metadata.row_id, id") == rows)
        #expect(try lake.rows(query + " WHERE id = 7").first?.hasSuffix("|4") == true)
        #expect(try lake.rows("SELECT name FROM t WHERE id = 3") == ["2"])
        // A version before has the numbers of its own.
        #expect(
            try lake.rows(
                "SELECT id, _metadata.row_id FROM t VERSION AS OF 2 ORDER BY id DESC LIMIT 1")
                == ["6|5"])
        #expect(try lake.run("SELECT _metadata.row_id FROM t").columns.map(\.name) == ["row_id"])
        try lake.run("CREATE TABLE plain (id bigint); INSERT INTO plain VALUES (1), (2)")
        #expect(lake.problem("SELECT _metadata.row_id FROM plain")?.code == "42P01")
        try lake.run("ALTER TABLE plain SET (\"delta.enableRowTracking\" = true)")
        #expect(
            try lake.rows("SELECT id, _metadata.row_id FROM plain ORDER BY id") == ["1|0", "2|1"])
    }

    @Test(arguments: settings)
    func `a table is cloned without its files`(settings: String) throws {
        let lake = try lake(settings)
        #expect(try lake.tag("CREATE TABLE c SHALLOW CLONE t") == "CREATE TABLE")
        #expect(
            try lake.rows("SELECT * FROM c ORDER BY id") == lake.rows("SELECT * FROM t ORDER BY id")
        )
        try lake.run(
            "DELETE FROM c WHERE id = 1; UPDATE c SET name = 'x' WHERE id = 2; INSERT INTO c VALUES (9, 'i', 1)"
        )
        #expect(try lake.rows("SELECT id FROM c ORDER BY id") == ["2", "3", "4", "5", "6", "9"])
        #expect(try lake.rows("SELECT count(*), min(name) FROM t") == ["6|A"])
        try lake.run("OPTIMIZE c; VACUUM c; RESTORE TABLE c TO VERSION AS OF 0")
        #expect(try lake.rows("SELECT count(*) FROM c") == ["6"])
        #expect(try lake.rows("FSCK TABLE c").isEmpty)
        try lake.run(
            "CREATE OR REPLACE TABLE c SHALLOW CLONE t VERSION AS OF 1 TBLPROPERTIES (\"delta.appendOnly\" = 'true')"
        )
        #expect(try lake.rows("SELECT id FROM c ORDER BY id") == ["1", "2", "3"])
        #expect(lake.problem("DELETE FROM c") != nil)
        #expect(try lake.run("DESCRIBE HISTORY c").rowCount > 0)
        try lake.run(
            "CREATE TABLE IF NOT EXISTS c SHALLOW CLONE t; CREATE TABLE d SHALLOW CLONE delta.'public/c'"
        )
        #expect(try lake.rows("SELECT count(*) FROM d") == ["3"])
        #expect(lake.problem("CREATE TABLE c SHALLOW CLONE t")?.code == "42P07")
        #expect(lake.problem("CREATE TABLE e SHALLOW CLONE missing")?.code == "42P01")
        #expect(lake.problem("CREATE TABLE e DEEP CLONE t")?.code == "0A000")
        #expect(lake.problem("CREATE OR REPLACE TABLE t SHALLOW CLONE t") != nil)
        // Dropping the clone leaves the source alone.
        try lake.run("DROP TABLE c, d")
        #expect(try lake.rows("SELECT count(*) FROM t") == ["6"])
    }

    @Test func `versions with other columns are compared by what a column is`() throws {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE t (id int, name text, gone text) WITH (
              "delta.columnMapping.mode" = 'name', "delta.enableTypeWidening" = true);
            INSERT INTO t VALUES (1, 'a', 'x'), (2, 'b', 'y');
            ALTER TABLE t RENAME COLUMN name TO title;
            ALTER TABLE t ADD COLUMN extra int;
            ALTER TABLE t ALTER COLUMN id TYPE bigint;
            INSERT INTO t VALUES (3, 'c', 'z', 7)
            """)
        func diff(_ from: Int, _ to: Int) throws -> [String] {
            try lake.rows("SELECT * FROM table_diff('t', \(from), \(to)) ORDER BY id, 1")
        }
        func names(_ from: Int, _ to: Int) throws -> [String] {
            let answer = try lake.run("SELECT * FROM table_diff('t', \(from), \(to))")
            return Array(answer.columns.map(\.name).dropFirst(2))
        }
        #expect(try diff(1, 5) == ["insert|1|3|c|z|7"])
        #expect(try names(1, 5) == ["id", "title", "gone", "extra"])
        // Seen from the other side the column is the one that was there.
        #expect(try names(5, 1) == ["id", "name", "gone", "extra"])
        #expect(try diff(5, 1) == ["delete|1|3|c|z|7"])
        // All files are written anew: what is the same row in both versions cancels out.
        try lake.run("OPTIMIZE t ZORDER BY (id); DELETE FROM t WHERE id = 2")
        #expect(try diff(1, 7) == ["delete|1|2|b|y|-", "insert|1|3|c|z|7"])
        try lake.run(
            "ALTER TABLE t DROP COLUMN gone; ALTER TABLE t ADD COLUMN gone int; UPDATE t SET gone = 5"
        )
        #expect(try names(1, 10) == ["id", "title", "extra", "gone", "gone (version 1)"])
        #expect(
            try diff(1, 10) == [
                "delete|1|1|a|-|-|x", "insert|1|1|a|-|5|-", "delete|1|2|b|-|-|y",
                "insert|1|3|c|7|5|-",
            ])
        // A table that was replaced has columns of its own.
        try lake.run("CREATE OR REPLACE TABLE t AS SELECT 1::bigint AS id, true AS title")
        #expect(try names(10, 11).count == 6)
    }

    @Test(arguments: settings)
    func `rows are deleted and updated`(settings: String) throws {
        let lake = try lake(settings)
        #expect(
            try lake.rows("SELECT * FROM t ORDER BY id")
                == ["1|a|0", "2|b|1", "3|c|0", "4|A|0", "5|B|1", "6|C|0"])
        #expect(try lake.tag("DELETE FROM t WHERE id % 3 = 0") == "DELETE 2")
        #expect(try lake.tag("DELETE FROM t WHERE id > 100") == "DELETE 0")
        #expect(
            try lake.tag("UPDATE t AS x SET name = x.name || '!', part = part + 1 WHERE id < 3")
                == "UPDATE 2")
        #expect(
            try lake.rows("SELECT * FROM t ORDER BY id") == ["1|a!|1", "2|b!|2", "4|A|0", "5|B|1"])
        #expect(
            try lake.tag(
                "DELETE FROM t WHERE id IN (SELECT id + 3 FROM t WHERE part > 0)") == "DELETE 2")
        #expect(try lake.rows("SELECT count(*), sum(part) FROM t") == ["2|3"])
        #expect(try lake.tag("UPDATE t SET name = NULL") == "UPDATE 2")
        #expect(try lake.rows("SELECT * FROM t ORDER BY id") == ["1|-|1", "2|-|2"])
        #expect(try lake.tag("DELETE FROM t") == "DELETE 2")
        #expect(try lake.rows("SELECT count(*) FROM t") == ["0"])
        #expect(try lake.rows("SELECT count(*) FROM t VERSION AS OF 2") == ["6"])
    }

    @Test(arguments: settings)
    func `all clauses of a merge do what they say`(settings: String) throws {
        let lake = try lake(settings)
        try lake.run("CREATE TABLE s (id bigint, name text, op text)")
        try lake.run(
            "INSERT INTO s VALUES (1, 'one', 'set'), (2, 'two', 'drop'), (3, 'three', 'keep'),"
                + " (8, 'eight', 'set'), (9, 'nine', 'drop')")
        let tag = try lake.tag(
            """
            MERGE INTO t USING s ON t.id = s.id
            WHEN MATCHED AND s.op = 'drop' THEN DELETE
            WHEN MATCHED AND s.op = 'set' THEN UPDATE SET name = s.name, part = t.part + 10
            WHEN NOT MATCHED AND s.op <> 'drop' THEN INSERT (id, name) VALUES (s.id, s.name)
            WHEN NOT MATCHED BY SOURCE AND t.id = 4 THEN DELETE
            WHEN NOT MATCHED BY SOURCE AND t.id = 5 THEN UPDATE SET name = 'orphan'
            """)
        #expect(tag == "MERGE 5")
        #expect(
            try lake.rows("SELECT * FROM t ORDER BY id")
                == ["1|one|10", "3|c|0", "5|orphan|1", "6|C|0", "8|eight|-"])
    }

    @Test func `a merge reads only files that its source's keys can be in`() throws {
        let lake = try LakeHarness()
        try lake.run("CREATE TABLE t (id bigint, name text)")
        for start in stride(from: 0, to: 50, by: 10) {
            try lake.run(
                "INSERT INTO t SELECT n, 'old' FROM generate_series(\(start), \(start + 9)) AS n")
        }
        // Files that nobody may read are unreadable.
        let files = try lake.table("public/t").snapshot().files.map { "public/t/" + $0.path }
        let contents = try files.map { try lake.store.get($0, range: nil) }
        for index in [0, 1, 4] {
            try lake.store.replace(files[index], Bytes(utf8: "no Parquet here"))
        }
        #expect(
            try lake.tag(
                """
                MERGE INTO t USING (VALUES (25, 'x'), (33, 'y'), (NULL, 'z')) AS s (id, name)
                ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = s.name
                WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name)
                """) == "MERGE 3")
        for (file, content) in zip(files, contents) { try lake.store.replace(file, content) }
        #expect(
            try lake.rows("SELECT * FROM t WHERE name <> 'old' ORDER BY id")
                == ["25|x", "33|y", "-|z"])
        #expect(try lake.rows("SELECT count(*) FROM t") == ["51"])
        // What others append outside of the keys is no conflict, and is not looked at again.
        #expect(
            try lake.tag(
                "MERGE INTO t USING t AS s ON t.id = s.id + 1000 WHEN MATCHED THEN DELETE")
                == "MERGE 0")
    }

    @Test func `nothing but NULL fits into columns that files have in another type`() throws {
        let lake = try LakeHarness()
        try lake.run(
            """
            CREATE TABLE a (id int, d uuid, n numeric(8,2));
            INSERT INTO a VALUES (1, '50000000-0000-4000-8000-222222222222', 1.5);
            CREATE TABLE s AS SELECT 2 AS id
            """)
        #expect(try lake.tag("UPDATE a SET d = NULL::uuid, n = NULL::numeric(6,2)") == "UPDATE 1")
        #expect(
            try lake.tag(
                """
                MERGE INTO a USING s ON a.id = s.id
                    WHEN NOT MATCHED THEN INSERT (id, n, d) VALUES (s.id, s.id, NULL::uuid)
                """) == "MERGE 1")
        #expect(try lake.rows("SELECT * FROM a ORDER BY id") == ["1|-|-", "2|-|2.00"])
    }

    @Test func `a merge without equalities compares every pair`() throws {
        let lake = try lake()
        #expect(
            try lake.tag(
                """
                MERGE INTO t USING (VALUES (2, 4)) AS s (low, high) ON t.id BETWEEN low AND high
                WHEN MATCHED THEN UPDATE SET name = 'in'
                WHEN NOT MATCHED BY SOURCE THEN UPDATE SET name = 'out'
                """) == "MERGE 6")
        #expect(
            try lake.rows("SELECT id, name FROM t ORDER BY id")
                == ["1|out", "2|in", "3|in", "4|in", "5|out", "6|out"])
    }

    @Test func `a merge takes all columns of the same name`() throws {
        let lake = try lake()
        let merge = """
            MERGE INTO t USING (SELECT 1::bigint AS id, 'x' AS name, 9 AS part
                UNION ALL SELECT 7, 'y', 8) AS s ON t.id = s.id
            WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *
            """
        #expect(try lake.tag(merge) == "MERGE 2")
        #expect(try lake.tag(merge) == "MERGE 2")
        #expect(
            try lake.rows("SELECT * FROM t WHERE id IN (1, 7) ORDER BY id")
                == ["1|x|9", "7|y|8"])
        #expect(try lake.rows("SELECT count(*) FROM t") == ["7"])
    }

    @Test func `a merge gives the table the columns that only the source has`() throws {
        let lake = try lake("WITH (\"delta.enableDeletionVectors\" = true)")
        #expect(
            try lake.tag(
                """
                MERGE WITH SCHEMA EVOLUTION INTO t
                USING (SELECT 1::bigint AS id, 'x' AS name, 2.5::float AS score
                    UNION ALL SELECT 7, 'y', 3.5) AS s ON t.id = s.id
                WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *
                """) == "MERGE 2")
        #expect(
            try lake.rows("SELECT * FROM t WHERE id IN (1, 2, 7) ORDER BY id")
                == ["1|x|0|2.5", "2|b|1|-", "7|y|-|3.5"])
        // And copies of the other rows have them, too.
        let plain = try self.lake()
        try plain.run(
            """
            MERGE WITH SCHEMA EVOLUTION INTO t
            USING (SELECT 1::bigint AS id, 'x' AS name, 5 AS part, true AS extra) AS s
            ON t.id = s.id WHEN MATCHED THEN UPDATE SET *
            """)
        #expect(
            try plain.rows("SELECT * FROM t ORDER BY id LIMIT 2") == ["1|x|5|t", "2|b|1|-"])
    }

    @Test func `two source rows do not change one row`() throws {
        let lake = try lake()
        let problem = lake.problem(
            """
            MERGE INTO t USING (VALUES (1, 'x'), (1, 'y')) AS s (id, name) ON t.id = s.id
            WHEN MATCHED THEN UPDATE SET name = s.name
            """)
        #expect(problem?.code == "21000")
        #expect(try lake.rows("SELECT name FROM t WHERE id = 1") == ["a"])
    }

    @Test(arguments: [
        "part = 1", "part < 1", "part IS NULL OR part > 5", "NOT (part = 0)", "part IN (0, 7)",
    ])
    func `whole partitions are deleted without a look at their rows`(filter: String) throws {
        let lake = try lake("PARTITIONED BY (part) WITH (\"delta.enableChangeDataFeed\" = true)")
        try lake.run("INSERT INTO t VALUES (7, 'g', NULL), (8, 'h', 7)")
        let kept = try lake.rows("SELECT id FROM t WHERE (\(filter)) IS NOT TRUE ORDER BY id")
        let gone = try lake.rows("SELECT id FROM t WHERE \(filter) ORDER BY id")
        // Whoever reads the files now finds nothing.
        let files = try lake.table("public/t").snapshot().files.map { "public/t/" + $0.path }
        let contents = try files.map { try lake.store.get($0, range: nil) }
        for file in files { try lake.store.replace(file, Bytes(utf8: "no Parquet here")) }
        #expect(try lake.tag("DELETE FROM t WHERE \(filter)") == "DELETE \(gone.count)")
        for (file, content) in zip(files, contents) { try lake.store.replace(file, content) }
        #expect(try lake.rows("SELECT id FROM t ORDER BY id") == kept)
        let last = try #require(try lake.table("public/t").history(limit: 1).first)
        #expect(last.metrics.contains { $0.key == "numCopiedRows" && $0.value == "0" })
        #expect(
            try lake.rows("SELECT id FROM table_changes('t', 4) ORDER BY id") == gone)
    }

    @Test func `changes are read from the feed`() throws {
        let lake = try lake("WITH (\"delta.enableChangeDataFeed\" = true)")
        try lake.run("UPDATE t SET part = 7 WHERE id = 1; DELETE FROM t WHERE id = 2")
        #expect(
            try lake.rows(
                """
                SELECT _change_type, id, part, _commit_version FROM table_changes('t', 1)
                ORDER BY _commit_version, id, _change_type DESC
                """) == [
                    "insert|1|0|1", "insert|2|1|1", "insert|3|0|1", "insert|4|0|2",
                    "insert|5|1|2", "insert|6|0|2", "update_preimage|1|0|3",
                    "update_postimage|1|7|3", "delete|2|1|4",
                ])
        #expect(
            try lake.rows("SELECT count(*) FROM table_changes('t', 3, 3)") == ["2"])
        #expect(
            lake.problem("SELECT * FROM table_changes('t', 9)")?.code == "table.version.unknown")
        // Columns are those of the versions that are read, whatever the table has become since.
        try lake.run("ALTER TABLE t ADD COLUMN extra text FIRST; INSERT INTO t (id) VALUES (9)")
        try lake.run("RESTORE TABLE t TO VERSION AS OF 4")
        #expect(try lake.run("SELECT * FROM table_changes('t', 6, 6)").columns.count == 7)
        #expect(
            try lake.rows(
                "SELECT _change_type, id, extra, _commit_version FROM table_changes('t', 6, 6)")
                == ["insert|9|-|6"])
        #expect(
            try lake.rows("SELECT _change_type, id FROM table_changes('t', 1, 1) WHERE id = 3")
                == ["insert|3"])
        #expect(
            lake.problem("SELECT * FROM table_changes('t', 4, 6)")?.message
                .contains("columns of the table change in version 5") == true)
        try lake.run("CREATE TABLE quiet (a int)")
        let problem = lake.problem("SELECT * FROM table_changes('quiet', 0)")
        #expect(problem?.message.contains("no change data feed") == true)
    }

    @Test func `a table goes back to an earlier version`() throws {
        let lake = try lake("WITH (\"delta.enableDeletionVectors\" = true)")
        try lake.run("DELETE FROM t WHERE id < 5")
        #expect(try lake.rows("RESTORE TABLE t TO VERSION AS OF 2") == ["2|4"])
        #expect(try lake.rows("SELECT count(*) FROM t") == ["6"])
        #expect(try lake.rows("RESTORE t TO VERSION AS OF 3") == ["3|5"])
        #expect(try lake.rows("SELECT id FROM t ORDER BY id") == ["5", "6"])
        let moment = try lake.rows(
            "SELECT timestamp FROM (SELECT now() AS timestamp) AS x")[0]
        try lake.run("DELETE FROM t")
        try lake.run("RESTORE TABLE t TO TIMESTAMP AS OF '\(moment)'")
        #expect(try lake.rows("SELECT id FROM t ORDER BY id") == ["5", "6"])
        #expect(
            lake.problem("RESTORE TABLE t TO VERSION AS OF 99")?.code == "table.version.unknown")
    }

    @Test func `files are merged, ordered and cleaned away`() throws {
        let lake = try lake()
        for id in 7..<12 { try lake.run("INSERT INTO t VALUES (\(id), 'n', 1)") }
        #expect(try lake.rows("OPTIMIZE t") == ["public.t|8|7|1"])
        #expect(try lake.rows("OPTIMIZE t") == ["public.t|-|1|1"])
        #expect(try lake.rows("OPTIMIZE t ZORDER BY (part, id)") == ["public.t|9|1|1"])
        #expect(
            try lake.rows("SELECT id FROM t ORDER BY id")
                == (1..<12).map { "\($0)" })
        #expect(lake.problem("OPTIMIZE t ZORDER BY nme")?.hint == "did you mean \"name\"?")
        #expect(try lake.rows("VACUUM t DRY RUN").isEmpty)
        #expect(lake.problem("VACUUM t RETAIN 0 HOURS")?.message.contains("must be forced") == true)
        _ = lake.ticks.advance(8 * 86_400)
        #expect(try lake.rows("VACUUM t DRY RUN").count == 8)
        #expect(try lake.rows("VACUUM t RETAIN 168 HOURS")[0].hasPrefix("8|"))
        #expect(try lake.rows("SELECT count(*) FROM t") == ["11"])
        let history = try lake.rows("DESCRIBE HISTORY t").map { $0.split(separator: "|")[2] }
        #expect(history.prefix(4) == ["VACUUM END", "VACUUM START", "OPTIMIZE", "OPTIMIZE"])
        let detail = try lake.run("DESCRIBE DETAIL t")
        #expect(detail.columns.map(\.name).contains("size_in_bytes"))
        #expect(try lake.rows("DESCRIBE DETAIL t")[0].hasPrefix("delta|"))
    }

    @Test func `columns that somebody else adds are seen and written`() throws {
        let lake = try lake()
        var random = Random(seed: 3)
        var transaction = try lake.table("public/t").begin(random: &random)
        try transaction.addColumns([Field("extra", .boolean)])
        _ = try transaction.commit(CommitOperation("ADD COLUMNS"), now: lake.ticks.advance())
        #expect(try lake.rows("SELECT * FROM t WHERE id = 1") == ["1|a|0|-"])
        try lake.run("UPDATE t SET extra = true WHERE id = 1")
        try lake.run("INSERT INTO t VALUES (9, 'z', 1, false)")
        #expect(
            try lake.rows("SELECT * FROM t WHERE id IN (1, 9) ORDER BY id")
                == ["1|a|0|t", "9|z|1|f"])
        #expect(try lake.rows("DESCRIBE t").count == 4)
        #expect(lake.lake.catalogColumns("t") == ["id", "name", "part", "extra"])
    }

    @Test func `a setting that the protocol does not allow is not followed`() throws {
        let lake = try LakeHarness()
        let schema = JSONValue.string(
            #"{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}}]}"#
        ).text
        try lake.store.put(
            "f/_delta_log/" + LogFileName.commitName(0),
            Bytes(
                utf8: #"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"# + "\n"
                    + #"{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"#
                    + #""schemaString":\#(schema),"partitionColumns":[],"configuration":"#
                    + #"{"delta.enableDeletionVectors":"true","delta.enableRowTracking":"true","#
                    + #""delta.enableChangeDataFeed":"true"}}}"#))
        try lake.run("INSERT INTO delta.'f' VALUES (1), (2), (3)")
        try lake.run("DELETE FROM delta.'f' WHERE id = 2")
        let snapshot = try lake.table("f").snapshot()
        #expect(snapshot.deletionVectorCount == 0)
        #expect(snapshot.tableProtocol == TableProtocol())
        #expect(try lake.rows("SELECT id FROM delta.'f' ORDER BY id") == ["1", "3"])
        try lake.run("UPDATE delta.'f' SET id = 4 WHERE id = 3; OPTIMIZE delta.'f' ZORDER BY (id)")
        #expect(lake.problem("SELECT _metadata.row_id FROM delta.'f'")?.code == "42P01")
        // What changes the settings gives the protocol what they need, and the rows their numbers.
        try lake.run("ALTER TABLE delta.'f' SET ('delta.checkpointInterval' = 7)")
        #expect(
            try lake.rows("SELECT id, _metadata.row_id FROM delta.'f' ORDER BY id")
                == ["1|0", "4|1"])
        #expect(try !lake.store.list("f", recursive: true).contains { $0.path.contains("_change") })
    }

    @Test func `damage is found and named`() throws {
        let lake = try lake("WITH (\"delta.enableDeletionVectors\" = true)")
        try lake.run("DELETE FROM t WHERE id = 1")
        #expect(try lake.rows("FSCK TABLE t").isEmpty)
        #expect(try lake.rows("FSCK REPAIR TABLE t DRY RUN").isEmpty)
        #expect(try lake.rows("FSCK REPAIR TABLE t").isEmpty)
        let files = try lake.rows("DESCRIBE FILES t").map {
            String($0.split(separator: "|", omittingEmptySubsequences: false)[0])
        }
        #expect(files.count == 2)
        try lake.store.delete("public/t/" + files[0])
        try lake.store.replace("public/t/" + files[1], Bytes(utf8: "short"))
        let checksum = "public/t/_delta_log/" + LogFileName.checksumName(3)
        try lake.store.replace(checksum, Bytes(utf8: #"{"numFiles":7,"tableSizeBytes":1}"#))
        let found = try lake.rows("FSCK TABLE t")
        #expect(found.count == 3)
        #expect(found.contains { $0.hasPrefix(files[0]) && $0.hasSuffix("is missing") })
        #expect(found.contains { $0.contains("has 5 bytes, the log says") })
        #expect(found.contains { $0.contains("its checksum says 7") })
    }

    @Test func `what lies in a folder is read and changed by its path`() throws {
        let lake = try lake()
        #expect(try lake.rows("SELECT count(*) FROM delta.'public/t'") == ["6"])
        #expect(
            try lake.rows("SELECT x.id FROM delta.\"public/t/\" AS x WHERE x.id > 5") == ["6"])
        #expect(try lake.tag("DELETE FROM delta.'public/t' WHERE id = 6") == "DELETE 1")
        #expect(try lake.tag("INSERT INTO delta.'public/t' VALUES (60, 'z', 3)") == "INSERT 0 1")
        #expect(try lake.rows("SELECT count(*), max(id) FROM t") == ["6|60"])
        #expect(
            try lake.rows("SELECT count(*) FROM delta.'public/t' VERSION AS OF 1") == ["3"])
        #expect(try lake.rows("SELECT count(*) FROM parquet.'public/t'") == ["9"])
        for path in ["/etc", "../x", "public/../../x", "s3://x", ""] {
            let problem = lake.problem("SELECT * FROM delta.'\(path)'")
            #expect(problem?.code == "42501", "\(path)")
        }
        #expect(lake.problem("SELECT * FROM delta.'public/none'")?.code == "table.missing")
        #expect(lake.problem("SELECT * FROM parquet.'public/none'")?.code == "42P01")
        #expect(lake.problem("DELETE FROM parquet.'public/t'")?.code == "42809")
    }

    @Test func `rows that break a constraint are refused`() throws {
        let lake = try lake()
        try lake.run("ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0 AND part < 100)")
        let problem = lake.problem("INSERT INTO t VALUES (-1, 'a', 1)")
        #expect(problem?.code == "23514")
        #expect(problem?.message == "a row breaks the check constraint 'positive'")
        #expect(problem?.notes.last == "the row has id = -1, name = a, part = 1")
        #expect(lake.problem("UPDATE t SET id = id - 1")?.code == "23514")
        #expect(lake.problem("INSERT INTO t VALUES (NULL, 'a', 1)")?.code == "23502")
        #expect(lake.problem("UPDATE t SET id = NULL WHERE id = 1")?.code == "23502")
        try lake.run("UPDATE t SET part = 99")
        #expect(lake.problem("ALTER TABLE t ADD CONSTRAINT low CHECK (part < 5)")?.code == "23514")
        #expect(lake.problem("ALTER TABLE t ADD CONSTRAINT x CHECK (nme = 'a')")?.code == "0A000")
        try lake.run("ALTER TABLE t DROP CONSTRAINT positive")
        try lake.run("INSERT INTO t VALUES (-1, 'a', 1)")
        #expect(try lake.rows("SELECT count(*) FROM t") == ["7"])
    }

    @Test func `settings switch features on`() throws {
        let lake = try lake()
        try lake.run("ALTER TABLE t SET TBLPROPERTIES ('delta.enableDeletionVectors' = true)")
        try lake.run("DELETE FROM t WHERE id = 1")
        let snapshot = try lake.table("public/t").snapshot()
        #expect(snapshot.deletionVectorCount == 1)
        #expect(snapshot.tableProtocol.readerFeatures == ["deletionVectors"])
        let problem = lake.problem("ALTER TABLE t SET (delta.enabledeletionvector = true)")
        #expect(problem?.hint == "did you mean \"delta.enableDeletionVectors\"?")
    }

    @Test func `defaults and generated columns of other engines are computed`() throws {
        let lake = try LakeHarness()
        let columns = [
            #"{"name":"id","type":"long","nullable":true,"metadata":{}}"#,
            #"{"name":"twice","type":"long","nullable":true,"metadata":{"delta.generationExpression":"id * 2"}}"#,
            #"{"name":"state","type":"string","nullable":true,"metadata":{"CURRENT_DEFAULT":"'new'"}}"#,
        ].joined(separator: ",")
        let schema = JSONValue.string(#"{"type":"struct","fields":[\#(columns)]}"#).text
        let commit =
            #"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"#
            + #""writerFeatures":["generatedColumns","allowColumnDefaults"]}}"# + "\n"
            + #"{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"#
            + #""schemaString":\#(schema),"partitionColumns":[],"configuration":{}}}"#
        try lake.store.put("f/_delta_log/" + LogFileName.commitName(0), Bytes(utf8: commit))
        try lake.run("INSERT INTO delta.'f' (id) VALUES (1), (2)")
        #expect(try lake.rows("SELECT * FROM delta.'f' ORDER BY id") == ["1|2|new", "2|4|new"])
        try lake.run("UPDATE delta.'f' SET id = 10, state = DEFAULT WHERE id = 2")
        try lake.run("UPDATE delta.'f' SET state = 'old' WHERE id = 1")
        try lake.run(
            """
            MERGE INTO delta.'f' AS f USING (VALUES (1), (5)) AS s (n) ON f.id = s.n
            WHEN MATCHED THEN UPDATE SET id = 3
            WHEN NOT MATCHED THEN INSERT (id) VALUES (s.n)
            """)
        #expect(
            try lake.rows("SELECT * FROM delta.'f' ORDER BY id")
                == ["3|6|old", "5|10|new", "10|20|new"])
        #expect(lake.problem("INSERT INTO delta.'f' VALUES (1, 3, 'x')")?.code == "23514")
        #expect(lake.problem("UPDATE delta.'f' SET twice = 1")?.code == "428C9")
    }

    @Test(arguments: [
        ("DELETE FROM nothing", "42P01", 12), ("DELETE FROM t WHERE nme = 1", "42703", 20),
        ("UPDATE t SET nme = 1", "42703", 13), ("UPDATE t SET id = 'x'", "22P02", 18),
        ("UPDATE t SET id = 1, id = 2", "42601", 21), ("UPDATE t SET part = true", "42804", 20),
        ("DELETE t", "42601", 7), ("MERGE INTO t USING t AS s ON true", "42601", 33),
        ("MERGE INTO t USING t ON true WHEN MATCHED THEN DELETE", "42712", 19),
        ("MERGE INTO t USING t AS s ON t.id = s.id WHEN MATCHED THEN INSERT *", "42601", 59),
        ("MERGE INTO t USING t AS s ON t.id = s.id WHEN NOT MATCHED THEN DELETE", "42601", 63),
        (
            "MERGE INTO t USING t AS s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (t.id)",
            "42P01", 83
        ),
        ("DELETE FROM t RETURNING nme", "42703", 24), ("VACUUM t RETAIN x", "42601", 16),
        ("UPDATE t SET id = 1 FROM t", "42712", 25), ("RESTORE t TO 5", "42601", 13),
    ])
    func `mistakes are told with their place`(
        text: String, code: String, position: Int
    ) throws {
        let problem = try lake().problem(text)
        #expect(problem?.code == code)
        #expect(problem?.position == position)
    }

    @Test func `rows of a materialized view are not changed by hand`() throws {
        let lake = try lake()
        try lake.run(
            "CREATE MATERIALIZED VIEW v REFRESH POLICY FULL AS SELECT id FROM t")
        for statement in ["DELETE FROM v", "UPDATE v SET id = 1", "INSERT INTO v VALUES (1)"] {
            #expect(lake.problem(statement)?.code == "42809", "\(statement)")
        }
        #expect(
            lake.problem("INSERT INTO v VALUES (1)")?.hint == "insert into what it reads: public.t")
        let unknown = lake.problem("INSERT INTO tt VALUES (1)")
        #expect(unknown?.code == "42P01" && unknown?.position == 12)
    }

    @Test func `a statement that fails leaves no files`() throws {
        let lake = try lake()
        try lake.run(
            """
            CREATE TABLE p (x int, part int) PARTITIONED BY (part);
            CREATE TABLE many AS SELECT i FROM generate_series(1, 6000) AS s (i)
            """)
        let before = try lake.store.list("public", recursive: true).map(\.path)
        // The first rows are in so many partitions that their files are written before the last row.
        let failing = "SELECT 1 / (5000 - i) AS x, i % 600 AS part FROM many"
        #expect(lake.problem("INSERT INTO p \(failing)")?.code == "22012")
        #expect(
            lake.problem("CREATE TABLE q PARTITIONED BY (part) AS \(failing)")?.code == "22012")
        #expect(try lake.store.list("public", recursive: true).map(\.path) == before)
        #expect(try lake.rows("SELECT count(*) FROM p") == ["0"])
    }

    @Test func `a materialized view that is larger than the memory of a query is computed`() throws
    {
        var limits = LakeLimits()
        limits.queryBytes = 2 << 20
        limits.scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
        let lake = try LakeHarness(limits: limits)
        try lake.run(
            """
            CREATE TABLE t AS SELECT i, repeat('x', 40) || i AS name
            FROM generate_series(1, 60000) AS s (i);
            CREATE MATERIALIZED VIEW v REFRESH POLICY FULL AS
            SELECT DISTINCT name, max(i) OVER (PARTITION BY i) AS i FROM t;
            REFRESH MATERIALIZED VIEW v
            """)
        #expect(
            try lake.rows("SELECT count(*), sum(i), min(name) FROM v").first
                == "60000|1800030000|\(String(repeating: "x", count: 40))1")
    }

    @Test func `a table is made of a query`() throws {
        let lake = try lake()
        #expect(
            try lake.tag("CREATE TABLE u PARTITIONED BY (part) AS SELECT * FROM t WHERE id < 4")
                == "SELECT 3")
        #expect(try lake.rows("SELECT id FROM u ORDER BY id") == ["1", "2", "3"])
        #expect(lake.problem("CREATE TABLE w AS SELECT 1 / (id - 1) AS x FROM t")?.code == "22012")
        #expect(lake.problem("SELECT * FROM w")?.code == "42P01")
    }
}
