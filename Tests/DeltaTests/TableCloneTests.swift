import Base
import Columns
import Delta
import Parquet
import Testing

struct TableCloneTests {
    private let schema = TableSchema([
        Field("id", .int64), Field("name", .text), Field("part", .int32),
    ])

    private func store(_ disk: any Disk = MemoryDisk()) -> LocalObjectStore {
        LocalObjectStore(
            disk: disk, root: "lake", location: StoreLocation(base: "file:///data 1/lake"))
    }

    private func source(
        _ store: LocalObjectStore, _ settings: OrderedMap<String, String>, _ random: inout Random
    ) throws -> DeltaTable {
        let table = DeltaTable(store: store, path: "public/source")
        try table.create(
            schema, partitionColumns: ["part"], configuration: settings, random: &random,
            now: start)
        let rows: [[Value]] = (0..<30).map { [.int($0), .text("n"), .int($0 % 2)] }
        _ = try table.append([rowBatch(schema, rows)], random: &random, now: later(1))
        _ = try RowEditor(table: table, random: random.fork(), now: later(2)).delete {
            numbers([$0])[0] % 10 == 7
        }
        return table
    }

    private func ids(_ table: DeltaTable, version: Int64? = nil) throws -> [Int64] {
        numbers(try allRows(second(table), version: version)).sorted()
    }

    private func entries(_ store: LocalObjectStore, _ folder: String) throws -> [String] {
        try store.list(folder, recursive: true).map(\.path).filter { !$0.contains("_delta_log") }
    }

    static let settings: [OrderedMap<String, String>] = [
        [:], ["delta.enableDeletionVectors": "true", "delta.checkpointInterval": "2"],
        ["delta.columnMapping.mode": "name", "delta.enableRowTracking": "true"],
        [
            "delta.enableDeletionVectors": "true", "delta.enableInCommitTimestamps": "true",
            "delta.enableChangeDataFeed": "true",
        ],
    ]

    @Test(arguments: settings)
    func `a clone begins with the rows of another table and goes its own way`(
        settings: OrderedMap<String, String>
    ) throws {
        var random = Random(seed: 31)
        let store = store()
        let source = try source(store, settings, &random)
        let files = try entries(store, "public/source")
        let clone = DeltaTable(store: store, path: "public/clone")
        let version = try clone.clone(
            source, at: source.snapshot(), named: "source", replaces: false, random: &random,
            now: later(3))
        #expect(version == 0)
        let all = try ids(source)
        #expect(all.count == 27)
        #expect(try ids(clone) == all)
        #expect(try entries(store, "public/clone").isEmpty)
        #expect(
            try second(clone).snapshot().files.allSatisfy {
                $0.path.hasPrefix("/data 1/lake/public/source/")
            })
        let text = try store.get("public/clone/_delta_log/" + LogFileName.commitName(0), range: nil)
            .text
        #expect(text.contains(#""path":"/data%201/lake/public/source/"#))
        if settings["delta.enableDeletionVectors"] != nil {
            #expect(text.contains(#""pathOrInlineDv":"file:///data%201/lake/public/source/"#))
        }
        #expect(try clone.history().first?.operation == "CLONE")
        // Rows of both tables change, each for itself.
        let editor = RowEditor(table: clone, random: random.fork(), now: later(4))
        try editor.delete { numbers([$0])[0] < 5 }
        try RowEditor(table: clone, random: random.fork(), now: later(5)).update(
            where: { numbers([$0])[0] == 20 }
        ) { [.int(200), $0[1], $0[2]] }
        let changed = all.filter { $0 >= 5 && $0 != 20 } + [200]
        #expect(try ids(clone) == changed)
        #expect(try ids(source) == all)
        _ = try source.append(
            [rowBatch(schema, [[.int(1000), .text("n"), .int(0)]])], random: &random, now: later(5))
        #expect(try ids(clone) == changed)
        #expect(try clone.check(readsRows: true).isEmpty)
        var options = CompactionOptions()
        options.filesMin = 2
        options.isFull = true
        _ = try clone.compact(options, random: &random, now: later(6))
        #expect(try ids(clone) == changed)
        // Long after, nothing of the source is deleted by the clone, and all of its own is there.
        let month = later(40 * 86_400)
        for _ in 0..<2 {
            _ = try clone.vacuum(retention: .seconds(0), allowsShortRetention: true, now: month)
            try second(clone).maintain(now: month)
        }
        #expect(Set(files).isSubset(of: try entries(store, "public/source")))
        #expect(try ids(clone) == changed)
        // The first version is whole as long as the files of the source are there.
        _ = try clone.restore(version: 0, random: &random, now: month)
        #expect(try ids(clone) == all)
        for file in files { try store.delete(file) }
        #expect(throws: DeltaFailure.self) { try ids(clone) }
        #expect(try second(clone).check(readsRows: true).count > 0)
    }

    @Test func `a clone of an older version takes the place of a table`() throws {
        var random = Random(seed: 32)
        let store = store()
        let source = try source(store, ["delta.enableRowTracking": "true"], &random)
        let target = DeltaTable(store: store, path: "public/target")
        try target.create(
            TableSchema([Field("x", .text)]), configuration: ["delta.checkpointInterval": "2"],
            random: &random, now: start)
        _ = try target.append(
            [rowBatch(TableSchema([Field("x", .text)]), [[.text("a")]])], random: &random,
            now: later(1))
        #expect(throws: DeltaFailure.tableExists(path: "public/target")) {
            try target.clone(
                source, at: source.snapshot(), named: "s", replaces: false, random: &random,
                now: later(2))
        }
        let id = try target.snapshot().metadata.id
        for (step, wanted) in [(2, 1), (3, 2), (4, 2), (5, 1)] as [(Int64, Int64)] {
            _ = try target.clone(
                source, at: source.snapshot(version: wanted), named: "s", replaces: true,
                random: &random, now: later(step))
            #expect(try ids(target) == ids(source, version: wanted))
            let snapshot = try second(target).snapshot()
            snapshot.checkInvariants()
            #expect(snapshot.metadata.id == id && snapshot.schema == schema)
        }
        #expect(try allRows(second(target), version: 1) == [[.text("a")]])
        let mark = try target.snapshot().domains["delta.rowTracking"]?.configuration
        let wanted = try source.snapshot().domains["delta.rowTracking"]?.configuration
        #expect(mark != nil && mark == wanted)
        #expect(try target.check(readsRows: true).isEmpty)
    }

    @Test func `a clone of a clone names the files of the first table`() throws {
        var random = Random(seed: 33)
        let store = store()
        let source = try source(store, ["delta.enableDeletionVectors": "true"], &random)
        var last = source
        for step: Int64 in 3...5 {
            let clone = DeltaTable(store: store, path: "public/c\(step)")
            _ = try clone.clone(
                last, at: last.snapshot(), named: "x", replaces: false, random: &random,
                now: later(step))
            let editor = RowEditor(table: clone, random: random.fork(), now: later(step))
            try editor.delete { numbers([$0])[0] == step }
            last = clone
        }
        #expect(try ids(last) == ids(source).filter { !(3...5).contains($0) })
        // Each has lists of deleted rows of its own, and the last one those of the one before.
        #expect(try last.snapshot().files.allSatisfy { $0.path.contains("/public/source/") })
    }

    @Test func `what lies outside of the place is not read`() throws {
        var random = Random(seed: 34)
        let disk = MemoryDisk()
        let store = store(disk)
        let source = try source(store, [:], &random)
        let clone = DeltaTable(store: store, path: "other/clone")
        _ = try clone.clone(
            source, at: source.snapshot(), named: "x", replaces: false, random: &random,
            now: later(3))
        for location in [
            StoreLocation(base: "file:///elsewhere/lake"),
            StoreLocation(base: "s3://data 1/lake"),
            StoreLocation(base: "file:///data 1/lake", readable: "other"),
        ] {
            let moved = LocalObjectStore(disk: disk, root: "lake", location: location)
            let table = DeltaTable(store: moved, path: "other/clone")
            #expect(throws: DeltaFailure.self) { try allRows(table) }
            // VACUUM takes away nothing that it should not, wherever it runs.
            _ = try table.vacuum(
                retention: .seconds(0), allowsShortRetention: true, now: later(86_400))
        }
        #expect(try ids(clone).count == 27)
    }

    @Test(
        arguments: [
            ("file:///lake/a/b", "a/b"), ("file:/lake/a/b", "a/b"), ("/lake/a/b", "a/b"),
            ("FILE:///lake/a", "a"), ("file://host/lake/a", nil), ("file:///lake", nil),
            ("file:///lake/../etc/a", nil), ("file:///lakes/a", nil), ("s3://lake/a", nil),
            ("lake/a", nil), ("file:lake/a", nil), ("file:///lake//a", "a"),
        ] as [(String, String?)])
    func `addresses are paths in one place only`(address: String, path: String?) {
        #expect(StoreLocation(base: "file:///lake").path(of: address) == path)
        let bucket = StoreLocation(base: "s3://bucket/x/")
        let there = address.replacing("file:///lake", with: "s3a://bucket/x")
        if there != address, path != nil || there.contains("..") {
            #expect(bucket.path(of: there) == path)
        }
    }
}
