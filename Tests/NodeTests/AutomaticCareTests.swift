import Base
import Columns
import Delta
import Node
import Testing

struct AutomaticCareTests {
    private var settings: CareSettings {
        var settings = CareSettings()
        // The clock of the harness moves a second with each look.
        settings.sharePercent = 100
        return settings
    }

    @Test func `a storm of small commits stays a few files`() throws {
        let harness = try LakeHarness(caresForTables: true)
        try harness.run("CREATE TABLE storm (id bigint, name text)")
        let commits = 300
        var most = 0
        for number in 0..<commits {
            try harness.run("INSERT INTO storm VALUES (\(number), 'n')")
            harness.lake.careForTables(settings)
            most = max(most, harness.fileCount("storm"))
        }
        #expect(most < 60)
        #expect(
            try harness.rows("SELECT count(*), count(DISTINCT id), sum(id) FROM storm")
                == ["300|300|\(commits * (commits - 1) / 2)"])
        // A stranger finds the same, from the checkpoints that were written on the way.
        let snapshot = try harness.table("public/storm").snapshot()
        #expect(snapshot.fileCount == harness.fileCount("storm"))
        #expect(snapshot.rowCount == Int64(commits))
        #expect(
            try harness.rows(
                "SELECT merges > 5, files_merged > 250, checkpoints > 0, dropped, problem"
                    + " FROM weir.maintenance WHERE table_name = 'storm'") == ["t|t|t|0|-"])
        let merges = try harness.table("public/storm").history(limit: 1000)
            .filter { $0.operation == "OPTIMIZE" }
        #expect(
            merges.count > 5
                && merges.allSatisfy { entry in
                    entry.parameters.contains { $0.key == "auto" && $0.value == "true" }
                })
    }

    @Test func `a table can be left alone`() throws {
        let harness = try LakeHarness(caresForTables: true)
        try harness.run(
            "CREATE TABLE alone (id bigint); ALTER TABLE alone SET (\"weir.maintenance\" = 'off')")
        for number in 0..<60 {
            try harness.run("INSERT INTO alone VALUES (\(number))")
            harness.lake.careForTables(settings)
        }
        #expect(harness.fileCount("alone") == 60)
    }

    @Test func `work is followed by rest`() throws {
        let harness = try LakeHarness(caresForTables: true)
        try harness.run("CREATE TABLE busy (id bigint)")
        var settings = settings
        settings.sharePercent = 1
        for number in 0..<200 {
            try harness.run("INSERT INTO busy VALUES (\(number))")
            harness.lake.careForTables(settings)
        }
        // Ten merges would be due; but it rests a hundred times as long as each of them took.
        #expect(
            try harness.rows(
                "SELECT merges BETWEEN 1 AND 4 FROM weir.maintenance WHERE table_name = 'busy'")
                == ["t"])
    }

    @Test func `what expired is deleted without being asked`() throws {
        let harness = try LakeHarness(caresForTables: true)
        try harness.run(
            """
            CREATE TABLE short (id bigint);
            ALTER TABLE short SET ("delta.deletedFileRetentionDuration" = 'interval 1 second')
            """)
        for number in 0..<260 {
            try harness.run("INSERT INTO short VALUES (\(number))")
            harness.lake.careForTables(settings)
        }
        #expect(
            try harness.rows(
                "SELECT files_removed > 50 FROM weir.maintenance WHERE table_name = 'short'")
                == ["t"])
        #expect(try harness.rows("SELECT count(*) FROM short") == ["260"])
        #expect(try harness.table("public/short").check(readsRows: true).isEmpty)
    }
}

extension LakeHarness {
    fileprivate func fileCount(_ name: String) -> Int {
        Int(
            (try? rows("SELECT file_count FROM weir.tables WHERE table_name = '\(name)'"))?.first
                ?? "") ?? -1
    }
}
