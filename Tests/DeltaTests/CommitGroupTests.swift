import Base
import Columns
import Delta
import Foundation
import Synchronization
import Testing

/// A store whose commits take their time, as a disk's do.
final class SlowStore: ObjectStore {
    private let store: any ObjectStore
    private let pause: UInt32

    init(_ store: any ObjectStore, milliseconds: UInt32) {
        self.store = store
        pause = milliseconds * 1000
    }

    func get(_ path: String, range: Range<Int64>?) throws(StorageFailure) -> Bytes {
        try store.get(path, range: range)
    }
    func size(_ path: String) throws(StorageFailure) -> Int64 { try store.size(path) }
    func put(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try store.put(path, content)
    }
    func putIfAbsent(_ path: String, _ content: Bytes) throws(StorageFailure) {
        usleep(pause)
        try store.putIfAbsent(path, content)
    }
    func putHint(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try store.putHint(path, content)
    }
    func replace(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try store.replace(path, content)
    }
    func list(_ prefix: String, recursive: Bool) throws(StorageFailure) -> [ObjectEntry] {
        try store.list(prefix, recursive: recursive)
    }
    func delete(_ path: String) throws(StorageFailure) { try store.delete(path) }
    func exists(_ path: String) -> Bool { store.exists(path) }
}

/// Runs `work` on threads of their own, numbered from 0, and waits for all.
func together(_ count: Int, _ work: @escaping @Sendable (Int) -> Void) {
    let group = DispatchGroup()
    for number in 0..<count {
        group.enter()
        Thread.detachNewThread {
            work(number)
            group.leave()
        }
    }
    group.wait()
}

struct CommitGroupTests {
    @Test func `rows that are numbered are no group: each number is given once`() throws {
        var random = Random(seed: 22)
        let memory = LocalObjectStore(disk: MemoryDisk())
        let table = DeltaTable(store: SlowStore(memory, milliseconds: 5), path: "t")
        let schema = TableSchema([Field("n", .int64)])
        try table.create(
            schema,
            columnMetadata: [
                "n": [
                    JSONMember("delta.identity.start", .int(1)),
                    JSONMember("delta.identity.step", .int(1)),
                    JSONMember("delta.identity.allowExplicitInsert", .bool(false)),
                ]
            ], random: &random, now: start)
        let given = Mutex<[Int64]>([])
        let rows = ColumnBatch(columns: [Column(.int64, [.null, .null])], rowCount: 2)
        together(6) { number in
            var random = Random(seed: UInt64(number) + 90)
            for _ in 0..<5 {
                do {
                    var appender = try DeltaAppender(try table.begin(random: &random))
                    let numbered = try appender.number(rows, columns: ["n"])
                    try appender.append(numbered, now: later(1))
                    _ = try appender.commit(now: later(1))
                    guard case .int64(let numbers) = numbered.columns[0].data else { continue }
                    given.withLock { $0 += numbers }
                } catch {
                    // Who loses has given no number.
                    guard case .conflict = error as? DeltaFailure else {
                        Issue.record("\(error)")
                        continue
                    }
                }
            }
        }
        let numbers = given.withLock { $0.sorted() }
        #expect(!numbers.isEmpty && numbers == Array(1...Int64(numbers.count)))
        #expect(try table.snapshot().rowCount == Int64(numbers.count))
    }

    @Test func `appenders that wait for the same turn share versions and lose nothing`() throws {
        var random = Random(seed: 21)
        let memory = LocalObjectStore(disk: MemoryDisk())
        let table = DeltaTable(store: SlowStore(memory, milliseconds: 5), path: "t")
        try table.create(twoColumns, random: &random, now: start)
        let problems = Mutex<[String]>([])
        let versions = Mutex<[Int64]>([])
        let (appenders, batches) = (8, 6)
        together(appenders) { number in
            var random = Random(seed: UInt64(number) + 50)
            for batch in 1...batches {
                do {
                    var transaction = try table.begin(random: &random)
                    try transaction.setTransaction(
                        appID: "app-\(number)", version: Int64(batch), now: later(1))
                    transaction.addFile(
                        AddFile(
                            path: "\(number)-\(batch)", size: 1, modificationTime: .none,
                            statistics: "{\"numRecords\":3}"), rowCount: 3)
                    let version = try transaction.commit(.append(), now: later(1))
                    versions.withLock { $0.append(version) }
                } catch {
                    problems.withLock { $0.append("\(error)") }
                }
            }
        }
        #expect(problems.withLock { $0 } == [])
        let snapshot = try DeltaTable(store: memory, path: "t").snapshot()
        #expect(snapshot.fileCount == appenders * batches)
        #expect(snapshot.rowCount == Int64(appenders * batches * 3))
        for number in 0..<appenders {
            #expect(snapshot.lastTransaction(of: "app-\(number)") == Int64(batches))
        }
        #expect(versions.withLock { $0.count } == appenders * batches)
        // Eight wait while one commits, so that few versions hold everything.
        #expect(snapshot.version < Int64(appenders * batches) / 2)
        #expect(versions.withLock { Set($0).count } == Int(snapshot.version))
        #expect(try table.check(readsRows: false).isEmpty || snapshot.fileCount > 0)
    }

    @Test func `one of several that was committed before does not take the others with it`() throws
    {
        var random = Random(seed: 22)
        let memory = LocalObjectStore(disk: MemoryDisk())
        let table = DeltaTable(store: SlowStore(memory, milliseconds: 30), path: "t")
        try table.create(twoColumns, random: &random, now: start)
        // All begin on version 0; another process commits the batch of the first one.
        var prepared: [TableTransaction] = []
        for number in 0..<4 {
            var transaction = try table.begin(random: &random)
            try transaction.setTransaction(appID: "app-\(number)", version: 1, now: later(1))
            transaction.addFile(
                AddFile(path: "f\(number)", size: 1, modificationTime: .none), rowCount: 1)
            prepared.append(transaction)
        }
        let other = DeltaTable(store: memory, path: "t")
        var theirs = try other.begin(random: &random)
        try theirs.setTransaction(appID: "app-0", version: 1, now: later(1))
        _ = try theirs.commit(.streamingUpdate(queryID: "x", epoch: 1), now: later(1))
        let outcomes = Mutex<[Int: String]>([:])
        let transactions = prepared
        together(4) { number in
            let text: String
            do throws(DeltaFailure) {
                _ = try transactions[number].commit(.append(), now: later(2))
                text = "committed"
            } catch {
                if case .duplicateTransaction = error {
                    text = "duplicate"
                } else {
                    text = "\(error)"
                }
            }
            outcomes.withLock { $0[number] = text }
        }
        #expect(
            outcomes.withLock { $0 }
                == [0: "duplicate", 1: "committed", 2: "committed", 3: "committed"])
        let snapshot = try DeltaTable(store: memory, path: "t").snapshot()
        #expect(Set(snapshot.files.map(\.path)) == ["f1", "f2", "f3"])
    }

    @Test func `files of a thousand commits are as a list would have them`() throws {
        var random = Random(seed: 23)
        let table = memoryTable()
        try table.create(
            twoColumns, configuration: ["delta.checkpointInterval": "100000"], random: &random,
            now: start)
        var model: [String] = []
        var earlier: [(TableSnapshot, [String])] = []
        var number = 0
        for step in 0..<1000 {
            var transaction = try table.begin(random: &random)
            let snapshot = transaction.snapshot
            let gone = Set(
                (0..<random.below(4)).compactMap { _ in
                    model.isEmpty ? nil : model[random.below(model.count)]
                })
            for file in snapshot.files where gone.contains(file.path) {
                try transaction.remove(file, now: later(1))
            }
            model.removeAll { gone.contains($0) }
            for _ in 0...random.below(4) {
                number += 1
                transaction.addFile(
                    AddFile(
                        path: "f\(number)", size: 2, modificationTime: .none,
                        statistics: "{\"numRecords\":5}"), rowCount: 5)
                model.append("f\(number)")
            }
            _ = try transaction.commit(CommitOperation("TEST"), now: later(1))
            let fresh = try table.snapshot()
            fresh.checkInvariants()
            #expect(fresh.fileCount == model.count)
            #expect(fresh.totalBytes == Int64(2 * model.count))
            #expect(fresh.rowCount == Int64(5 * model.count))
            if step % 97 == 0 { earlier.append((fresh, model)) }
        }
        #expect(try table.snapshot().files.map(\.path) == model)
        // What was read before has not changed.
        for (snapshot, files) in earlier { #expect(snapshot.files.map(\.path) == files) }
        #expect(try second(table).snapshot().files.map(\.path) == model)
    }
}
