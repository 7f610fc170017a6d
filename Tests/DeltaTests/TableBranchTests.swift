// Branches: versions of a table that only a transaction sees, until they become one.

import Base
import Delta
import Foundation
import Testing

struct TableBranchTests {
    private func table(
        _ random: inout Random, files: Int = 2, configuration: OrderedMap<String, String> = [:]
    ) throws -> DeltaTable {
        let table = memoryTable()
        try table.create(twoColumns, configuration: configuration, random: &random, now: start)
        for number in 0..<files { try commitFile(table, &random, at: later(Int64(number) + 1)) }
        return table
    }

    /// Removes the first file of the branch.
    private func removeFirst(_ table: DeltaTable, _ random: inout Random) throws {
        var transaction = try table.begin(random: &random)
        try transaction.remove(transaction.snapshot.files[0], now: later(50))
        _ = try transaction.commit(CommitOperation("DELETE"), now: later(50))
    }

    private func paths(_ table: DeltaTable) throws -> [String] {
        try table.store.list(table.path, recursive: true).map(\.path)
            .filter { $0.hasSuffix(".parquet") && !$0.contains("_delta_log") }
    }

    @Test func `commits to a branch become one version of the table`() throws {
        var random = Random(seed: 1)
        let table = try table(&random)
        let branch = TableBranch(of: table, at: try table.snapshot())
        #expect(!branch.isChanged)
        try commitFile(branch.table, &random, rows: 5, at: later(10))
        try commitFile(branch.table, &random, rows: 7, at: later(11))
        try removeFirst(branch.table, &random)
        // A file of the branch itself goes again, too.
        var transaction = try branch.table.begin(random: &random)
        let own = try #require(transaction.snapshot.files.last)
        try transaction.remove(own, now: later(60))
        _ = try transaction.commit(CommitOperation("DELETE"), now: later(60))
        #expect(try branch.table.snapshot().version == 6)
        #expect(try table.snapshot().version == 2)
        #expect(try second(table).snapshot().version == 2)
        let version = try branch.merge(
            CommitOperation("TRANSACTION"), random: &random, now: later(70))
        #expect(version == 3)
        let files = try second(table).snapshot().files
        #expect(Set(files.map(\.path)) == Set(try branch.table.snapshot().files.map(\.path)))
        #expect(files.count == 2)
    }

    @Test func `a branch does not see what others commit, checkpoints included`() throws {
        var random = Random(seed: 2)
        let table = try table(&random, configuration: ["delta.checkpointInterval": "5"])
        let base = try table.snapshot()
        let branch = TableBranch(of: table, at: base)
        for number in 0..<15 { try commitFile(table, &random, at: later(Int64(100 + number))) }
        #expect(table.store.exists(table.path + "/_delta_log/_last_checkpoint"))
        #expect(try branch.table.snapshot().version == 2)
        try commitFile(branch.table, &random, rows: 9, at: later(20))
        #expect(try branch.table.snapshot().version == 3)
        #expect(try branch.table.snapshot(version: 3).fileCount == 3)
        #expect(try branch.table.snapshot(version: 1).fileCount == 1)
        #expect(throws: DeltaFailure.self) { try branch.table.snapshot(version: 10) }
        // Rows that are only added contradict nothing.
        let version = try branch.merge(.append(), random: &random, now: later(200))
        #expect(version == 18)
        #expect(try second(table).snapshot().fileCount == 18)
    }

    @Test func `what a branch has read contradicts what others changed`() throws {
        var random = Random(seed: 3)
        let table = try table(&random)
        let branch = TableBranch(of: table, at: try table.snapshot())
        var transaction = try branch.table.begin(random: &random)
        transaction.markAsReading()
        try transaction.appendFile(Bytes(utf8: "x"), rowCount: 1, columns: [], now: later(10))
        _ = try transaction.commit(CommitOperation("WRITE"), now: later(10))
        // The read belongs to an earlier commit than the last one.
        try commitFile(branch.table, &random, at: later(11))
        try commitFile(table, &random, at: later(12))
        let before = try paths(table).count
        #expect {
            _ = try branch.merge(CommitOperation("WRITE"), random: &random, now: later(20))
        } throws: { error in
            if case .conflict? = error as? DeltaFailure { return true }
            return false
        }
        #expect(try second(table).snapshot().version == 3)
        branch.dropFiles()
        #expect(try paths(table).count == before - 2)
    }

    @Test func `a branch goes back to a mark, with what it had read by then`() throws {
        var random = Random(seed: 4)
        let table = try table(&random)
        let branch = TableBranch(of: table, at: try table.snapshot())
        try commitFile(branch.table, &random, rows: 3, at: later(10))
        let mark = branch.mark()
        try removeFirst(branch.table, &random)
        try commitFile(branch.table, &random, rows: 4, at: later(12))
        branch.goBack(to: mark)
        #expect(try branch.table.snapshot().version == 3)
        #expect(try branch.table.snapshot().rowCount == 5)
        try commitFile(branch.table, &random, rows: 6, at: later(13))
        #expect(try branch.table.snapshot().version == 4)
        // The removal is forgotten, and what it depended on.
        try removeFirst(table, &random)
        #expect(try branch.merge(.append(), random: &random, now: later(80)) == 4)
        #expect(try second(table).snapshot().rowCount == 10)
        let again = TableBranch(of: table, at: try table.snapshot())
        try commitFile(again.table, &random, at: later(90))
        again.goBack(to: again.beginning)
        #expect(!again.isChanged)
        #expect(try again.merge(.append(), random: &random, now: later(91)) == nil)
    }

    @Test func `tables that tell of each version are not merged`() throws {
        var random = Random(seed: 5)
        for setting in ["delta.enableChangeDataFeed", "delta.enableRowTracking"] {
            let table = try table(&random, configuration: [setting: "true"])
            #expect(!TableBranch(of: table, at: try table.snapshot()).canMerge)
        }
        #expect(TableBranch(of: try table(&random), at: try table(&random).snapshot()).canMerge)
    }
}
