import Base
import Columns
import Delta
import Synchronization
import Testing

/// Where a log begins to be read, and what it takes.
struct LogListingTests {
    private let opening =
        plainProtocol + "\n" + metadataLine(idColumn, extra: #""delta.checkpointInterval":"10""#)

    /// A table of `count` commits, one file each, with a checkpoint every ten.
    private func longTable(_ count: Int, _ random: inout Random) throws -> DeltaTable {
        let table = try table(commits: [opening])
        for step in 1..<Int64(count) { try commitFile(table, &random, at: later(step)) }
        return table
    }

    @Test func `a log is read from its last checkpoint on`() throws {
        var random = Random(seed: 1)
        let table = try longTable(48, &random)
        let watched = WatchedStore(table.store)
        let other = DeltaTable(store: watched, path: table.path)
        #expect(try other.snapshot().version == 47)
        #expect(try other.snapshot().fileCount == 47)
        // Versions 40 to 47, each with its checksum, the checkpoint and the hint.
        #expect(watched.wholeLists == 0 && watched.listed <= 20)
        #expect(watched.read < 20)
        // An older version, too, when it is behind the checkpoint; else the log is looked through.
        let third = DeltaTable(store: watched, path: table.path)
        #expect(try third.snapshot(version: 43).fileCount == 43)
        #expect(watched.wholeLists == 0)
        #expect(try third.snapshot(version: 25).fileCount == 25)
        #expect(watched.wholeLists == 1)
        #expect(throws: DeltaFailure.versionNotFound(wanted: 99, oldest: 0, latest: 47)) {
            try third.snapshot(version: 99)
        }
    }

    @Test(arguments: [
        #"{"version":40}"#, #"{"version":20,"size":3}"#, #"{"version":35}"#, #"{"version":4000}"#,
        #"{"version":-1}"#, #"{"version":9223372036854775807}"#, #"{"version":"x"}"#, "{", "",
    ])
    func `a hint that is old or wrong hides nothing`(hint: String) throws {
        var random = Random(seed: 2)
        let table = try longTable(44, &random)
        try table.store.replace("t/_delta_log/_last_checkpoint", Bytes(utf8: hint))
        #expect(try second(table).snapshot().files.count == 43)
        #expect(try second(table).snapshot(version: 12).files.count == 12)
    }

    @Test func `a damaged last checkpoint is passed over`() throws {
        var random = Random(seed: 3)
        let table = try longTable(44, &random)
        let name = "t/_delta_log/" + LogFileName.checkpointName(40)
        try table.store.replace(name, Bytes(utf8: "PAR1 no"))
        #expect(try second(table).snapshot().files.count == 43)
        // A commit that is missing behind it is an error, as everywhere.
        try table.store.delete("t/_delta_log/" + LogFileName.commitName(42))
        #expect(throws: DeltaFailure.gap(path: "t", missing: 42)) {
            try second(table).snapshot()
        }
    }
}

/// Counts what is read of a store.
private final class WatchedStore: ObjectStore {
    private let base: any ObjectStore
    private let counts = Mutex((whole: 0, listed: 0, read: 0))

    init(_ base: any ObjectStore) { self.base = base }

    /// Listings of whole folders, entries of the others, objects that were read.
    var wholeLists: Int { counts.withLock { $0.whole } }
    var listed: Int { counts.withLock { $0.listed } }
    var read: Int { counts.withLock { $0.read } }

    func get(_ path: String, range: Range<Int64>?) throws(StorageFailure) -> Bytes {
        counts.withLock { $0.read += 1 }
        return try base.get(path, range: range)
    }
    func list(_ prefix: String, recursive: Bool) throws(StorageFailure) -> [ObjectEntry] {
        counts.withLock { $0.whole += 1 }
        return try base.list(prefix, recursive: recursive)
    }
    func list(_ prefix: String, after name: String) throws(StorageFailure) -> [ObjectEntry] {
        let found = try base.list(prefix, after: name)
        counts.withLock { $0.listed += found.count }
        return found
    }
    func size(_ path: String) throws(StorageFailure) -> Int64 { try base.size(path) }
    func put(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try base.put(path, content)
    }
    func putIfAbsent(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try base.putIfAbsent(path, content)
    }
    func replace(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try base.replace(path, content)
    }
    func delete(_ path: String) throws(StorageFailure) { try base.delete(path) }
    func exists(_ path: String) -> Bool { base.exists(path) }
}
