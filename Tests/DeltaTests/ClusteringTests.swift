import Base
import Columns
import Delta
import FaultyDisks
import Parquet
import Testing

/// OPTIMIZE in an order: along a curve, in parts that wait on a disk, of clustered tables.
struct ClusteringTests {
    private let schema = TableSchema([
        Field("id", .int64), Field("x", .int32), Field("name", .text), Field("part", .int32),
    ])

    private func rows(_ ids: Range<Int64>, _ random: inout Random) -> ColumnBatch {
        rowBatch(
            schema,
            ids.map { id in
                [
                    .int(id), random.chance(1, in: 9) ? .null : .int(Int64(random.below(500))),
                    random.chance(1, in: 9)
                        ? .null : .text("a name that all begin with \(random.below(300))"),
                    .int(id % 2),
                ]
            })
    }

    private func newTable(
        _ random: inout Random, clusterBy: [String] = [], partitionColumns: [String] = [],
        settings: OrderedMap<String, String> = [:]
    ) throws -> DeltaTable {
        let table = memoryTable()
        try table.create(
            schema, partitionColumns: partitionColumns, configuration: settings,
            clusterBy: clusterBy, random: &random, now: start)
        for step in 0..<4 {
            let first = Int64(step) * 500
            _ = try table.append(
                [rows(first..<first + 500, &random)], random: &random, now: later(1))
        }
        return table
    }

    private func options(_ columns: [String] = []) -> CompactionOptions {
        var options = CompactionOptions()
        options.filesMin = 2
        options.zOrder = columns
        options.writing.rowGroupRowsMax = 200
        options.writing.pageRowsMax = 50
        options.outputFileBytesMax = 2500
        return options
    }

    private func sorted(_ rows: [[Value]]) -> [[Value]] {
        rows.sorted { numbers([$0])[0] < numbers([$1])[0] }
    }

    /// How far the files' ranges of a column reach, on average: 1 = each has all values.
    private func spread(_ table: DeltaTable, _ column: String) throws -> Double {
        let files = try table.snapshot().files
        let widths = files.compactMap { file -> Double? in
            let known = FileStatistics(file)
            guard case .int(let low)? = known?.minimum([column], .int32),
                case .int(let high)? = known?.maximum([column], .int32)
            else { return nil }
            return Double(high - low) / 500
        }
        return widths.reduce(0, +) / Double(widths.count)
    }

    /// Memory for all rows, for some of them, and for hardly any; with and without a disk.
    @Test(arguments: [Int64(1) << 30, 20_000, 1], [true, false])
    func `an order changes no row, whatever memory it has`(
        memory: Int64, hasScratch: Bool
    ) throws {
        var random = Random(seed: 3)
        let table = try newTable(&random, partitionColumns: ["part"])
        _ = try RowEditor(table: table, random: random.fork(), now: later(2)).delete {
            numbers([$0])[0] % 7 == 0
        }
        let before = sorted(try allRows(table))
        let disk = MemoryDisk()
        let space = try ScratchSpace(disk: disk, folder: "spill")
        var options = options(["x", "name"])
        options.memoryBytesMax = memory
        options.scratch = hasScratch ? space : nil
        #expect(try table.compact(options, random: &random, now: later(3)) == 6)
        #expect(sorted(try allRows(second(table))) == before)
        #expect(try space.fileCount() == 0)
        #expect(try table.snapshot().fileCount > 4)
        if hasScratch || memory > 1 << 20 { #expect(try spread(table, "x") < 0.6) }
    }

    @Test func `rows in parts come in the same order as in one piece`() throws {
        func ordered(_ memory: Int64) throws -> [[Value]] {
            var random = Random(seed: 4)
            let table = try newTable(&random)
            var options = options(["x"])
            options.memoryBytesMax = memory
            options.scratch = try ScratchSpace(disk: MemoryDisk(), folder: "spill")
            _ = try table.compact(options, random: &random, now: later(3))
            return try allRows(table, columns: ["x"])
        }
        let whole = try ordered(1 << 30)
        #expect(try ordered(10_000) == whole)
        let known = whole.filter { $0 != [.null] }
        #expect(numbers(known) == numbers(known).sorted())
    }

    @Test func `a disk that is full ends an order and leaves the table as it was`() throws {
        var random = Random(seed: 5)
        let table = try newTable(&random)
        let disk = CrashDisk()
        let space = try ScratchSpace(disk: disk, folder: "spill")
        let before = try allRows(table)
        disk.failPower(afterOperations: 5)
        var options = options(["x"])
        options.memoryBytesMax = 1000
        options.scratch = space
        #expect(throws: DeltaFailure.self) {
            try table.compact(options, random: &random, now: later(3))
        }
        #expect(try allRows(second(table)) == before)
    }

    // MARK: Clustered tables

    @Test func `a clustered table names its columns and features`() throws {
        var random = Random(seed: 6)
        let table = try newTable(&random, clusterBy: ["x", "name"])
        let snapshot = try second(table).snapshot()
        #expect(try snapshot.clusteringColumns() == ["x", "name"])
        #expect(snapshot.tableProtocol.minWriterVersion == 7)
        #expect(snapshot.tableProtocol.minReaderVersion == 1)
        #expect(
            snapshot.tableProtocol.writerFeatures == [
                "appendOnly", "invariants", "clustering", "domainMetadata",
            ])
        #expect(
            snapshot.domains["delta.clustering"]?.configuration
                == #"{"clusteringColumns":[["x"],["name"]],"domainName":"delta.clustering"}"#)
    }

    @Test func `only files that are not clustered yet are rewritten`() throws {
        var random = Random(seed: 7)
        let table = try newTable(&random, clusterBy: ["x", "id"])
        let before = sorted(try allRows(table))
        var options = options()
        options.smallFileBytes = 1
        #expect(try table.compact(options, random: &random, now: later(5)) == 5)
        let clustered = try table.snapshot().files
        #expect(clustered.allSatisfy { $0.clusteringProvider == "weir" && !$0.dataChange })
        #expect(sorted(try allRows(second(table))) == before)
        #expect(try spread(table, "x") < 0.7)
        #expect(try table.compact(options, random: &random, now: later(6)) == nil)

        _ = try table.append([rows(5000..<5400, &random)], random: &random, now: later(7))
        #expect(try table.compact(options, random: &random, now: later(8)) == 7)
        let paths = Set(try table.snapshot().files.map(\.path))
        #expect(clustered.allSatisfy { paths.contains($0.path) })
        options.isFull = true
        #expect(try table.compact(options, random: &random, now: later(9)) == 8)
        let all = try table.snapshot().files
        #expect(!all.contains { paths.contains($0.path) })
        #expect(all.allSatisfy { $0.clusteringProvider == "weir" })
        #expect(try allRows(table).count == before.count + 400)
    }

    @Test func `files that another engine has clustered are left to it`() throws {
        var random = Random(seed: 8)
        let table = try newTable(&random, clusterBy: ["x"])
        var transaction = try table.begin(random: &random)
        var file = transaction.snapshot.files[0]
        try transaction.remove(file, dataChange: false, now: later(2))
        file.clusteringProvider = "other"
        file.path = "copy.parquet"
        let content = try table.store.get(
            table.fullPath(transaction.snapshot.files[0].path), range: nil)
        try table.store.put(table.fullPath("copy.parquet"), content)
        transaction.addFile(file, rowCount: 500)
        _ = try transaction.commit(CommitOperation("OPTIMIZE"), now: later(2))
        _ = try table.compact(options(), random: &random, now: later(3))
        #expect(try table.snapshot().files.contains { $0.path == "copy.parquet" })
        var full = options()
        full.isFull = true
        _ = try table.compact(full, random: &random, now: later(4))
        #expect(try !table.snapshot().files.contains { $0.path == "copy.parquet" })
        #expect(try allRows(table).count == 2000)
    }

    @Test func `clustering changes and ends`() throws {
        var random = Random(seed: 9)
        let table = try newTable(&random)
        func set(_ columns: [String]) throws {
            var transaction = try table.begin(random: &random)
            try transaction.setClustering(columns)
            _ = try transaction.commit(CommitOperation("CLUSTER BY"), now: later(2))
        }
        try set(["id"])
        #expect(try second(table).snapshot().clusteringColumns() == ["id"])
        try set(["name", "x"])
        #expect(try second(table).snapshot().clusteringColumns() == ["name", "x"])
        #expect(throws: DeltaFailure.self) {
            _ = try table.compact(options(["x"]), random: &random, now: later(3))
        }
        try set([])
        #expect(try second(table).snapshot().clusteringColumns().isEmpty)
        _ = try table.compact(options(["x"]), random: &random, now: later(3))
        for wrong in [
            ["nothing"], ["id", "id"], ["id", "x", "name", "part", "id"],
        ] {
            #expect(throws: DeltaFailure.self) { try set(wrong) }
        }
        let partitioned = try newTable(&random, partitionColumns: ["part"])
        var transaction = try partitioned.begin(random: &random)
        #expect(throws: DeltaFailure.self) { try transaction.setClustering(["id"]) }
    }

    // MARK: Others at the same time

    /// Runs `meddle` once, when the first data file has been written.
    private func compact(
        _ table: DeltaTable, _ options: CompactionOptions, _ random: inout Random,
        while meddle: @escaping () throws -> Void
    ) throws -> Int64? {
        let store = MeddledStore(table.store, meddle)
        return try DeltaTable(store: store, path: table.path)
            .compact(options, random: &random, now: later(9))
    }

    private func removed(_ table: DeltaTable, _ path: String) throws -> Bool {
        try !table.snapshot().files.contains { $0.path == path }
    }

    @Test(arguments: [true, false])
    func `rows deleted while files are merged stay deleted`(vectors: Bool) throws {
        var random = Random(seed: 10)
        let table = try newTable(
            &random, partitionColumns: ["part"],
            settings: vectors ? ["delta.enableDeletionVectors": "true"] : [:])
        let editor = RowEditor(table: second(table), random: random.fork(), now: later(5))
        let before = sorted(try allRows(table))
        var wide = options()
        wide.outputFileBytesMax = 1 << 20
        let version = try compact(table, wide, &random) {
            try editor.delete { numbers([$0])[0] == 4 }
        }
        // The other partition was merged, that of the deleted row was let go.
        #expect(version == 6)
        let files = try second(table).snapshot().files
        #expect(files.filter { $0.partitionValues.folder == "part=0/" }.count == 4)
        #expect(files.filter { $0.partitionValues.folder == "part=1/" }.count == 1)
        #expect(
            sorted(try allRows(second(table))) == before.filter { numbers([$0])[0] != 4 })
        // Nothing that was written in vain is left.
        let names = try table.store.list(table.path + "/part=0", recursive: true)
        #expect(names.count == (vectors ? 4 : 5))
    }

    @Test func `an order that others have overtaken is tried again`() throws {
        var random = Random(seed: 11)
        let table = try newTable(&random, clusterBy: ["x"])
        let editor = RowEditor(table: second(table), random: random.fork(), now: later(5))
        let before = sorted(try allRows(table))
        let version = try compact(table, options(), &random) {
            try editor.delete { numbers([$0])[0] % 3 == 0 }
        }
        #expect(version == 6)
        #expect(
            sorted(try allRows(second(table))) == before.filter { numbers([$0])[0] % 3 != 0 })
        #expect(
            try second(table).snapshot().files.allSatisfy { $0.clusteringProvider == "weir" })
    }

    @Test func `an append while files are merged is there afterwards`() throws {
        var random = Random(seed: 12)
        let table = try newTable(&random)
        var other = random.fork()
        let more = rows(9000..<9010, &other)
        let version = try compact(table, options(), &random) {
            _ = try second(table).append([more], random: &other, now: later(5))
        }
        #expect(version == 6)
        #expect(try allRows(second(table)).count == 2010)
    }

    @Test func `a change of the columns ends a merge, which then begins again`() throws {
        var random = Random(seed: 13)
        let table = try newTable(&random)
        var other = random.fork()
        let version = try compact(table, options(), &random) {
            var transaction = try second(table).begin(random: &other)
            try transaction.addColumns([Field("more", .text)])
            _ = try transaction.commit(CommitOperation("ADD COLUMNS"), now: later(5))
        }
        #expect(version == 6)
        let rows = try allRows(second(table))
        #expect(rows.count == 2000)
        #expect(rows.allSatisfy { $0.count == 5 })
    }
}

/// Lets somebody else in between, once: when a first data file has been written.
final class MeddledStore: ObjectStore, @unchecked Sendable {
    private let base: any ObjectStore
    // Tests use it from one thread.
    private var meddle: (() throws -> Void)?

    init(_ base: any ObjectStore, _ meddle: @escaping () throws -> Void) {
        self.base = base
        self.meddle = meddle
    }

    func get(_ path: String, range: Range<Int64>?) throws(StorageFailure) -> Bytes {
        try base.get(path, range: range)
    }
    func size(_ path: String) throws(StorageFailure) -> Int64 { try base.size(path) }
    func put(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try base.put(path, content)
        guard let once = meddle else { return }
        meddle = nil
        do {
            try once()
        } catch {
            Issue.record(error)
        }
    }
    func putIfAbsent(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try base.putIfAbsent(path, content)
    }
    func replace(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try base.replace(path, content)
    }
    func list(_ prefix: String, recursive: Bool) throws(StorageFailure) -> [ObjectEntry] {
        try base.list(prefix, recursive: recursive)
    }
    func delete(_ path: String) throws(StorageFailure) { try base.delete(path) }
    func exists(_ path: String) -> Bool { base.exists(path) }
}
