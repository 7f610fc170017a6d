import Base
import Columns
import Delta
import FaultyDisks
import Node
import Testing

/// Keeps its objects durably, and fails with the disk: that is one storage call more.
private final class CrashPort: NodePort {
    let objects: ObjectPort
    let disk: CrashDisk

    init(_ objects: ObjectPort, _ disk: CrashDisk) {
        self.objects = objects
        self.disk = disk
    }

    func submit(
        _ command: NodeCommand,
        completion: @escaping @Sendable (Result<NodeAnswer, Problem>) -> Void
    ) {
        do throws(Problem) {
            completion(.success(try call(command)))
        } catch {
            completion(.failure(error))
        }
    }

    func call(_ command: NodeCommand) throws(Problem) -> NodeAnswer {
        if case .changeObjects(let changes, _) = command {
            do throws(StorageFailure) {
                try disk.step("changeObjects", changes.map(\.name).joined(separator: ","))
            } catch {
                throw Problem("58030", "\(error)")
            }
        }
        return try objects.call(command)
    }
}

/// The power fails at each storage call of whole statements in turn, those of the catalog included.
struct StatementCrashTests {
    struct Scenario: Sendable, CustomTestStringConvertible {
        var name: String
        /// Statements before; the table is `t` and its folder `public/t` unless said otherwise.
        var prepared: String
        var work: @Sendable (LakeHarness) throws -> Void
        var table = "t"
        var folder = "public/t"
        /// What adds a row afterwards.
        var next = "INSERT INTO t (id) VALUES (4711)"
        var caresForTables = false
        /// The work reports failures of the store and goes on.
        var isQuiet = false
        /// What is done to the files before the work.
        var damage: (@Sendable (LakeHarness) throws -> Void)?

        init(_ name: String, _ prepared: String, _ statement: String) {
            self.init(name, prepared) { try $0.run(statement) }
        }

        init(
            _ name: String, _ prepared: String,
            work: @escaping @Sendable (LakeHarness) throws -> Void
        ) {
            self.name = name
            self.prepared = prepared
            self.work = work
        }

        var testDescription: String { name }
    }

    private static let table = """
        CREATE TABLE t (id bigint, name text, part int) PARTITIONED BY (part);
        INSERT INTO t SELECT n, 'n' || n, (n % 2)::int FROM generate_series(1, 20) AS n;
        DELETE FROM t WHERE id = 3;
        INSERT INTO t SELECT n, 'n' || n, (n % 2)::int FROM generate_series(21, 30) AS n
        """

    static let scenarios: [Scenario] = {
        var all = [
            Scenario("CREATE TABLE", "SELECT 1", "CREATE TABLE t (id bigint, name text)"),
            Scenario(
                "CREATE TABLE AS", "SELECT 1",
                "CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 9) AS n"),
            Scenario("INSERT OVERWRITE", table, "INSERT OVERWRITE t VALUES (1, 'only', 7)"),
            Scenario(
                "INSERT OVERWRITE PARTITION", table,
                "INSERT OVERWRITE t PARTITION (part) VALUES (1, 'new', 1)"),
            Scenario(
                "REPLACE WHERE", table,
                "INSERT INTO t REPLACE WHERE id < 10 SELECT id, 'new', part FROM t WHERE id < 5"),
            Scenario(
                "MERGE", table,
                """
                MERGE INTO t USING (SELECT n FROM generate_series(25, 35) AS n) AS s ON t.id = s.n
                WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id) VALUES (s.n)
                """),
            Scenario("TRUNCATE", table, "TRUNCATE t"),
            Scenario("DROP TABLE", table, "DROP TABLE t"),
            Scenario(
                "CREATE OR REPLACE", table,
                "CREATE OR REPLACE TABLE t AS SELECT id, name || 'x' AS label FROM t"),
            Scenario("ADD COLUMN", table, "ALTER TABLE t ADD COLUMN more text"),
            Scenario(
                "SET TBLPROPERTIES", table,
                "ALTER TABLE t SET TBLPROPERTIES ('weir.maintenance' = 'off')"),
            Scenario(
                "RESTORE", table + "; ALTER TABLE t ADD COLUMN more text",
                "RESTORE TABLE t TO VERSION AS OF 1"),
            Scenario(
                "COPY FROM",
                table
                    + "; COPY (SELECT id + 100 AS id, name FROM t) TO 'in.csv' WITH (HEADER true)",
                "COPY t (id, name) FROM 'in.csv' WITH (FORMAT csv, HEADER true)"),
            Scenario("OPTIMIZE", table, "OPTIMIZE t ZORDER BY (name)"),
        ]
        var convert = Scenario(
            "CONVERT TO DELTA",
            """
            COPY (SELECT n AS id FROM generate_series(1, 9) AS n) TO 'f/a.parquet';
            COPY (SELECT n AS id FROM generate_series(10, 19) AS n) TO 'f/b.parquet'
            """, "CONVERT TO DELTA parquet.'f'")
        (convert.table, convert.folder) = ("delta.'f'", "f")
        convert.next = "INSERT INTO delta.'f' VALUES (4711)"
        all.append(convert)

        var repair = Scenario("FSCK REPAIR", table, "FSCK REPAIR TABLE t")
        repair.damage = { harness in
            let snapshot = try harness.table("public/t").snapshot()
            try harness.store.delete("public/t/" + snapshot.files[0].path)
            try harness.store.replace("public/t/_delta_log/_last_checkpoint", Bytes(utf8: "{"))
        }
        all.append(repair)

        // The fiftieth commit compacts the log.
        let inserts = (1...49).map { "INSERT INTO t VALUES (\($0))" }.joined(separator: "; ")
        all.append(
            Scenario(
                "log compaction",
                "CREATE TABLE t (id bigint) WITH ('delta.checkpointInterval' = '200'); " + inserts,
                "INSERT INTO t VALUES (50)"))

        var due = Scenario(
            "checkpoint behind the commit",
            "CREATE TABLE t (id bigint) WITH ('delta.checkpointInterval' = '3'); "
                + (1...2).map { "INSERT INTO t VALUES (\($0))" }.joined(separator: "; ")
        ) { harness in
            try harness.run("INSERT INTO t VALUES (4)")
            harness.lake.careForTables()
        }
        due.caresForTables = true
        all.append(due)

        var care = Scenario(
            "automatic maintenance",
            """
            CREATE TABLE t (id bigint) WITH ('delta.checkpointInterval' = '4',
                'delta.deletedFileRetentionDuration' = 'interval 1 second',
                'delta.logRetentionDuration' = 'interval 1 second');
            """ + (1...6).map { "INSERT INTO t VALUES (\($0))" }.joined(separator: "; ")
                + "; DELETE FROM t WHERE id = 2; UPDATE t SET id = 9 WHERE id = 5"
        ) { harness in
            var settings = CareSettings()
            settings.sharePercent = 100
            (settings.commitsBetweenLooks, settings.commitsBetweenCleanings) = (1, 1)
            settings.filesMin = 2
            for _ in 0..<3 { harness.lake.careForTables(settings) }
        }
        (care.caresForTables, care.isQuiet) = (true, true)
        all.append(care)
        return all
    }()

    /// The rows of the table; nil when there is none.
    private func content(_ scenario: Scenario, _ harness: LakeHarness) throws -> [String]? {
        do {
            let rows = try harness.rows("SELECT * FROM \(scenario.table)").sorted()
            // The catalog and the table agree about the columns.
            let columns = try harness.run("SELECT * FROM \(scenario.table) LIMIT 0").columns
            let stored = try harness.table(scenario.folder).snapshot().schema.fields
            #expect(columns.map(\.name) == stored.map(\.name))
            return [columns.map(\.name).joined(separator: "|")] + rows
        } catch let problem as Problem
            where problem.code == "42P01" || problem.code == "table.missing"
        {
            return nil
        }
    }

    private func attempt(_ scenario: Scenario, _ harness: LakeHarness) -> String? {
        do {
            try scenario.work(harness)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: scenarios, [true, false])
    func `a power failure leaves all of a statement or nothing`(
        scenario: Scenario, keepsUnsynced: Bool
    ) throws {
        let prepared = CrashDisk()
        let objects = ObjectPort()
        let first = try LakeHarness(
            disk: prepared, port: objects, caresForTables: scenario.caresForTables)
        try first.run(scenario.prepared)
        if let damage = scenario.damage {
            try damage(first)
            prepared.settle()
        }

        func open(_ disk: CrashDisk, _ objects: ObjectPort, second: Int64) throws -> LakeHarness {
            let harness = try LakeHarness(
                disk: disk, port: CrashPort(objects, disk), seed: UInt64(second),
                caresForTables: scenario.caresForTables, from: second)
            // A node opens its tables when it starts.
            if scenario.caresForTables { _ = try harness.rows("SELECT * FROM \(scenario.table)") }
            return harness
        }

        // Without any failure, once and again.
        let calm = try open(
            CrashDisk(copying: prepared), ObjectPort(copying: objects), second: 10_000)
        let before = scenario.damage == nil ? try content(scenario, calm) : nil
        try scenario.work(calm)
        let after = try content(scenario, calm)
        let secondProblem = attempt(scenario, calm)
        let twice = try content(scenario, calm)

        var failurePoint = FailurePoints.first(keepingUnsynced: keepsUnsynced)
        while true {
            let disk = CrashDisk(copying: prepared)
            let kept = ObjectPort(copying: objects)
            let victim = try open(disk, kept, second: 10_000)
            disk.failPower(afterOperations: failurePoint)
            let failure = attempt(scenario, victim)
            let ranThrough = !disk.isOff
            disk.restart(keepingUnsynced: keepsUnsynced)

            let reopened = try open(disk, kept, second: 20_000)
            let place: Comment = "failing at \(failurePoint): \(failure ?? "done")"
            let isDamaged = scenario.damage != nil && (try? content(scenario, reopened)) == nil
            let found = isDamaged ? before : try content(scenario, reopened)
            if failure == nil, !scenario.isQuiet {
                #expect(found == after, place)
            } else {
                #expect(found == before || found == after, place)
            }
            if found != nil, found == after {
                #expect(try reopened.rows("FSCK TABLE \(scenario.table)") == [], place)
            }
            // The statement can be given again, and the table goes on.
            let again = attempt(scenario, reopened)
            if found == after, !scenario.isQuiet {
                #expect((again == nil) == (secondProblem == nil), "\(place): \(again ?? "")")
                #expect(try content(scenario, reopened) == twice, place)
            } else {
                #expect(again == nil, place)
                #expect(try content(scenario, reopened) == after, place)
            }
            if let count = try content(scenario, reopened)?.count {
                try reopened.run(scenario.next)
                #expect(try content(scenario, reopened)?.count == count + 1, place)
                #expect(try reopened.rows("FSCK TABLE \(scenario.table)") == [], place)
                try expectClean(scenario, reopened, place)
            } else {
                #expect(try reopened.store.list("public", recursive: true) == [], place)
            }
            if ranThrough { break }
            failurePoint += FailurePoints.step
            try #require(failurePoint < 500)
        }
        #expect(failurePoint > 3)
    }

    @Test func `a table is made in a folder of its own, and nobody else's files go with it`() throws
    {
        let objects = ObjectPort()
        let disk = CrashDisk()
        let harness = try LakeHarness(disk: disk, port: CrashPort(objects, disk))
        try harness.run("COPY (SELECT 1 AS id) TO 'public/t/mine.parquet'")
        // The query fails, so that there is no table.
        #expect(
            harness.problem(
                "CREATE TABLE t AS SELECT 1 / (n - 1) AS id FROM (VALUES (1)) AS v (n)")?.code
                == "22012")
        try harness.run("CREATE TABLE t AS SELECT 5 AS id")
        #expect(try harness.rows("SELECT id FROM t") == ["5"])
        try harness.run("DROP TABLE t")
        // Whatever is noted, a start deletes no folder of a table that is there.
        try harness.run("CREATE TABLE t (id bigint); INSERT INTO t VALUES (7)")
        let folder = try #require(
            try harness.store.list("public", recursive: true).first { $0.path.hasSuffix(".json") }
        ).path.split(separator: "/").prefix(2).joined(separator: "/")
        _ = try objects.call(.changeObjects([ObjectChange("folder/" + folder, Bytes(utf8: "{}"))]))
        let reopened = try LakeHarness(disk: disk, port: CrashPort(objects, disk), from: 1000)
        #expect(try reopened.rows("SELECT id FROM t") == ["7"])
        #expect(try reopened.rows("SELECT id FROM parquet.'public/t'") == ["1"])
        guard case .objects(let notes) = try objects.call(.listObjects(prefix: "folder/")) else {
            return
        }
        #expect(notes.map(\.name) == [])
    }

    /// After VACUUM nothing is left that the newest version does not need.
    private func expectClean(
        _ scenario: Scenario, _ harness: LakeHarness, _ place: Comment
    ) throws {
        _ = harness.ticks.advance(8 * 86_400)
        try harness.run("VACUUM \(scenario.table)")
        let table = harness.table(scenario.folder)
        var needed: Set<String> = []
        for file in try table.snapshot().files {
            needed.insert(table.fullPath(file.path))
            if let vector = file.deletionVector?.filePath(in: table) {
                needed.insert(table.fullPath(vector))
            }
        }
        let root = scenario.folder.split(separator: "/")[0]
        for entry in try harness.store.list(String(root), recursive: true) {
            if entry.path.hasPrefix(scenario.folder + "/_delta_log/") {
                #expect(!entry.path.hasSuffix(".tmp"), "\(place): \(entry.path) is left")
            } else {
                #expect(needed.remove(entry.path) != nil, "\(place): \(entry.path) is left")
            }
        }
        #expect(needed == [], "\(place): live files are gone")
    }
}
