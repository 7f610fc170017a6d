import Base
import CPlatform
import Columns
import Delta
import Glibc
import Parquet
import Synchronization

/// `mutate COUNT [SEED]`: so many damaged Parquet files, commits, checkpoints, deletion vectors,
/// hints and checksums. Each is read in full or refused; what is read has the shape that it claims.
/// Fails when one of them takes more than its time, or all together more than their memory.
func runMutations(_ arguments: [String]) throws -> JSONValue {
    let count = number(arguments, 0, 1_000_000)
    var random = Random(seed: UInt64(number(arguments, 1, 1)))
    let sources = try MutationSources(&random)
    let before = peakBytes()
    var read = 0
    var slowest: Int64 = 0
    var kinds: OrderedMap<String, Int> = [:]
    for index in 0..<count {
        let source = sources.all[index % sources.all.count]
        let other = sources.all[random.below(sources.all.count)]
        let bytes = mutated(source.content, with: other.content, &random)
        // A trap would end the process here: the line says what to run again.
        let began = weir_cpu_nanoseconds()
        if source.exercise(Bytes(bytes)) { read += 1 }
        let took = weir_cpu_nanoseconds() - began
        slowest = max(slowest, took)
        kinds[source.kind, default: 0] += 1
        if took > 5_000_000_000 {
            throw Problem(
                "slow", "a damaged \(source.kind) took \(took / 1_000_000) ms",
                notes: ["number \(index)", "\(Bytes(bytes).array.prefix(64))"])
        }
    }
    let grown = peakBytes() - before
    if grown > 256 << 20 { throw Problem("memory", "\(grown >> 20) MiB more than before") }
    return [
        "mutations": .int(count), "read": .int(read), "refused": .int(count - read),
        "slowest_ms": .number(rounded(Double(slowest) / 1e6)), "grown_mib": .int(grown >> 20),
        "kinds": .object(kinds.map { JSONMember($0.key, .int($0.value)) }),
    ]
}

/// The most memory that this process has had.
private func peakBytes() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss << 10
}

/// One to three changes: bits, bytes, cuts, doubled parts, parts of another file.
private func mutated(
    _ original: [UInt8], with other: [UInt8], _ random: inout Random
) -> [UInt8] {
    var bytes = original
    for _ in 0...random.below(3) where !bytes.isEmpty {
        // Half of the changes hit the end, where the structure of a Parquet file is.
        let place =
            random.chance(1, in: 2)
            ? random.below(bytes.count) : bytes.count - 1 - random.below(min(bytes.count, 900))
        switch random.below(12) {
        case 0...3: bytes[place] ^= 1 << UInt8(random.below(8))
        case 4, 5: bytes[place] = UInt8(random.below(256))
        case 6: bytes[place] = [0, 0x7F, 0x80, 0xFF, 0x22, 0x39][random.below(6)]
        case 7: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.below(8)))
        case 8: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 8)], at: place)
        case 9: bytes.removeLast(random.below(bytes.count) + 1)
        case 10 where !other.isEmpty:
            let from = random.below(other.count)
            let part = other[from..<min(other.count, from + 1 + random.below(64))]
            bytes.replaceSubrange(place..<min(bytes.count, place + part.count), with: part)
        default:
            if bytes.count > 40 { bytes.removeSubrange(place / 2..<min(bytes.count - 12, place)) }
        }
    }
    return bytes
}

/// Whole files of every kind, and who reads each.
private struct MutationSources {
    struct Source {
        var kind: String
        var content: [UInt8]
        /// True when it could be read.
        var exercise: (Bytes) -> Bool
    }

    var all: [Source] = []

    init(_ random: inout Random) throws {
        let schema = TableSchema([
            Field("id", .int64), Field("name", .text), Field("part", .int32),
        ])
        let disk = MemoryDisk()
        let store = LocalObjectStore(disk: disk)
        let table = DeltaTable(store: store, path: "t")
        try table.create(
            schema, partitionColumns: ["part"],
            configuration: ["delta.checkpointInterval": "4"], random: &random, now: moment())
        for step: Int64 in 0..<9 {
            let rows = 0..<Int64(24)
            _ = try table.append(
                [
                    ColumnBatch(
                        columns: [
                            Column(.int64, rows.map { .int(step * 24 + $0) }),
                            Column(
                                .text,
                                rows.map { $0 % 5 == 0 ? .null : .text("a name, number \($0 % 7)") }
                            ),
                            Column(.int32, rows.map { .int($0 % 2) }),
                        ], rowCount: rows.count)
                ], random: &random, now: moment())
        }
        // Each file of the table in turn is damaged, and the table is read.
        for entry in try store.list("t", recursive: true) {
            let content = try store.get(entry.path, range: nil).array
            let path = entry.path
            all.append(
                Source(kind: Self.kind(path), content: content) { bytes in
                    Self.readTable(DamagedStore(store, path, bytes))
                })
        }
        let bitmaps = [
            RowBitmap([1, 2, 3, 70_000]), RowBitmap((0..<9000).map { Int64($0) * 3 }),
            RowBitmap((0..<70_000).map { Int64($0) } + [5_000_000_000]),
        ]
        for bitmap in bitmaps {
            all.append(
                Source(kind: "deletion vector", content: [0] + bitmap.encoded().array) { bytes in
                    exerciseDelta(Bytes([0] + bytes.array.dropFirst()))
                    return (try? RowBitmap(decoding: bytes[min(1, bytes.count)..<bytes.count]))
                        != nil
                })
        }
        for codec in ParquetCodec.allCases {
            var options = ParquetWriteOptions()
            options.codec = codec
            options.pageRowsMax = 15
            options.bloomFilterColumns = ["id", "name"]
            var writer = try ParquetWriter(schema: schema, options: options)
            try writer.write(
                ColumnBatch(
                    columns: [
                        Column(.int64, (0..<40).map { .int($0 * 3) }),
                        Column(.text, (0..<40).map { .text("text \($0 % 9)") }),
                        Column(.int32, (0..<40).map { $0 % 3 == 0 ? .null : .int($0) }),
                    ], rowCount: 40))
            let content = try writer.finish().file.array
            all.append(
                Source(kind: "parquet", content: content) { bytes in
                    exerciseParquet(bytes)
                    return (try? ParquetFile(bytes)) != nil
                })
        }
    }

    private static func kind(_ path: String) -> String {
        if path.hasSuffix("_last_checkpoint") { return "hint" }
        if path.hasSuffix(".checkpoint.parquet") { return "checkpoint" }
        if path.hasSuffix(".parquet") { return "data file" }
        if path.hasSuffix(".crc") { return "checksum" }
        return path.hasSuffix(".json") ? "commit" : "other"
    }

    /// Reads everything of a table and checks that its rows have the shape of its schema.
    private static func readTable(_ store: any ObjectStore) -> Bool {
        let table = DeltaTable(store: store, path: "t")
        do {
            let snapshot = try table.snapshot()
            _ = try table.history(limit: 3)
            var scan = try DeltaScan(table, snapshot)
            while let batch = try scan.next() {
                precondition(
                    batch.columns.count == snapshot.schema.fields.count, "a column for each field")
                for column in batch.columns {
                    precondition(column.count == batch.rowCount, "a value for each row")
                    for row in 0..<column.count { _ = column.value(row) }
                }
            }
            return true
        } catch {
            return false
        }
    }
}

/// A store in which one object has other bytes.
private final class DamagedStore: ObjectStore {
    private let whole: any ObjectStore
    private let path: String
    private let content: Bytes

    init(_ whole: any ObjectStore, _ path: String, _ content: Bytes) {
        self.whole = whole
        self.path = path
        self.content = content
    }

    func get(_ path: String, range: Range<Int64>?) throws(StorageFailure) -> Bytes {
        guard path == self.path else { return try whole.get(path, range: range) }
        guard let range else { return content }
        let end = min(range.upperBound, Int64(content.count))
        return range.lowerBound < end ? content[Int(range.lowerBound)..<Int(end)] : .empty
    }

    func size(_ path: String) throws(StorageFailure) -> Int64 {
        path == self.path ? Int64(content.count) : try whole.size(path)
    }

    func list(_ prefix: String, recursive: Bool) throws(StorageFailure) -> [ObjectEntry] {
        var entries = try whole.list(prefix, recursive: recursive)
        for index in entries.indices where entries[index].path == path {
            entries[index].size = Int64(content.count)
        }
        return entries
    }

    func exists(_ path: String) -> Bool { whole.exists(path) }

    private func refuse(_ path: String) -> StorageFailure {
        .system(operation: "write", path: path, code: EROFS)
    }

    func put(_ path: String, _ content: Bytes) throws(StorageFailure) { throw refuse(path) }
    func putIfAbsent(_ path: String, _ content: Bytes) throws(StorageFailure) {
        throw refuse(path)
    }
    func replace(_ path: String, _ content: Bytes) throws(StorageFailure) { throw refuse(path) }
    func delete(_ path: String) throws(StorageFailure) { throw refuse(path) }
}
