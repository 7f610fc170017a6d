import Base
import Columns
import Delta
import FaultyDisks
import Testing

struct CommitCrashTests {
    /// Runs `work` on a table with one commit and lets the power fail at each of its operations in
    /// turn, until it runs through.
    private func crashEverywhere(
        keepingUnsynced: Bool, _ work: (DeltaTable, inout Random) throws -> Int64
    ) throws {
        var failurePoint = 0
        while true {
            var random = Random(seed: UInt64(failurePoint))
            let disk = CrashDisk()
            let table = memoryTable(disk)
            try table.create(
                twoColumns, configuration: ["delta.checkpointInterval": "2"], random: &random,
                now: start)
            #expect(try commitFile(table, &random) == 1)
            disk.failPower(afterOperations: failurePoint)
            let outcome = Result { try work(table, &random) }
            let ranThrough = !disk.isOff
            disk.restart(keepingUnsynced: keepingUnsynced)

            let reopened = memoryTable(disk)
            let snapshot = try reopened.snapshot()
            switch outcome {
            case .success(let version): #expect(snapshot.version == version)
            case .failure: #expect(snapshot.version == 1 || snapshot.version == 2)
            }
            #expect(snapshot.files.count == Int(snapshot.version))
            for file in snapshot.files {
                let content = try reopened.store.get(reopened.fullPath(file.path), range: nil)
                #expect(content.text == "rows")
            }
            #expect(try commitFile(reopened, &random) == snapshot.version + 1)
            #expect(try memoryTable(disk).snapshot().fileCount == snapshot.fileCount + 1)
            if ranThrough { break }
            failurePoint += 1
            try #require(failurePoint < 200)
        }
        #expect(failurePoint > 5)
    }

    @Test(arguments: [true, false])
    func `a power failure at any operation of a commit leaves all of it or nothing`(
        keepingUnsynced: Bool
    ) throws {
        try crashEverywhere(keepingUnsynced: keepingUnsynced) { table, random in
            try commitFile(table, &random)
        }
    }

    @Test(arguments: [true, false])
    func `a batch repeated after a power failure is in the table once`(
        keepingUnsynced: Bool
    ) throws {
        var failurePoint = 0
        while true {
            var random = Random(seed: 77)
            let disk = CrashDisk()
            try memoryTable(disk).create(twoColumns, random: &random, now: start)
            func batch(_ table: DeltaTable) throws {
                var transaction = try table.begin(random: &random)
                try transaction.setTransaction(appID: "stream", version: 5, now: later(5))
                try transaction.appendFile(
                    Bytes(utf8: "rows"), rowCount: 3, columns: [], now: later(5))
                _ = try transaction.commit(
                    .streamingUpdate(queryID: "stream", epoch: 5), now: later(5))
            }
            disk.failPower(afterOperations: failurePoint)
            try? batch(memoryTable(disk))
            let ranThrough = !disk.isOff
            disk.restart(keepingUnsynced: keepingUnsynced)
            do {
                try batch(memoryTable(disk))
                #expect(!ranThrough)
            } catch DeltaFailure.duplicateTransaction(_, let version, let committed) {
                #expect(version == 5 && committed == 5)
            }
            let snapshot = try memoryTable(disk).snapshot()
            #expect(snapshot.version == 1)
            #expect(snapshot.rowCount == 3)
            #expect(snapshot.lastTransaction(of: "stream") == 5)
            if ranThrough { break }
            failurePoint += 1
            try #require(failurePoint < 200)
        }
    }
}
