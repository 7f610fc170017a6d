import Base
import Columns
import Delta
import FaultyDisks
import Synchronization
import Testing

/// The power fails while several threads append to one table, whose commits go in groups.
struct GroupCrashTests {
    @Test(arguments: [true, false])
    func `a power failure in a group of commits leaves whole batches, and none twice`(
        keepsUnsynced: Bool
    ) throws {
        let prepared = CrashDisk()
        var random = Random(seed: 31)
        try memoryTable(prepared).create(
            twoColumns, configuration: ["delta.checkpointInterval": "3"], random: &random,
            now: start)
        let (writers, batches, rows) = (4, 3, 5)
        var failurePoint = 0
        var shared = 0
        while true {
            let disk = CrashDisk(copying: prepared)
            let store = SlowStore(LocalObjectStore(disk: disk, root: "lake"), milliseconds: 1)
            let table = DeltaTable(store: store, path: "bronze/events")
            disk.failPower(afterOperations: failurePoint)
            let done = Mutex<Set<Int64>>([])
            let seed = UInt64(failurePoint)
            together(writers) { writer in
                var random = Random(seed: seed << 8 + UInt64(writer))
                for batch in 0..<batches {
                    let key = Int64(writer * batches + batch)
                    let values = (0..<rows).map { [Value.int(key), .text("row \($0)")] }
                    let version = try? table.append(
                        [rowBatch(twoColumns, values)], random: &random, now: later(1))
                    if version != nil { done.withLock { _ = $0.insert(key) } }
                }
            }
            let ranThrough = !disk.isOff
            disk.restart(keepingUnsynced: keepsUnsynced)
            let reopened = memoryTable(disk)
            var counts: [Int64: Int] = [:]
            for key in numbers(try allRows(reopened)) { counts[key, default: 0] += 1 }
            let place: Comment = "failing at \(failurePoint)"
            #expect(counts.values.allSatisfy { $0 == rows }, place)
            #expect(done.withLock { $0 }.isSubset(of: counts.keys), place)
            #expect(try reopened.check(readsRows: true).isEmpty, place)
            // The table goes on.
            let last = rowBatch(twoColumns, [[.int(1000), .null]])
            _ = try reopened.append([last], random: &random, now: later(2))
            #expect(
                try memoryTable(disk).snapshot().rowCount == Int64(counts.count * rows + 1), place)
            let version = try reopened.snapshot().version
            if ranThrough {
                #expect(done.withLock { $0.count } == writers * batches)
                if version <= Int64(writers * batches) { shared += 1 }
                // How many operations there are depends on who meets whom.
                if shared >= 3 || failurePoint > 400 { break }
            }
            failurePoint += 1
        }
        #expect(failurePoint > 20)
        #expect(shared > 0, "no two commits shared a version")
    }
}
