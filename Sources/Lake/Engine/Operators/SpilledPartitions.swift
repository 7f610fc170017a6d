// Rows that wait on the scratch disk, divided by the hash of their keys.

import Base
import Columns
import SQL

/// Numbers by which rows are divided: equal keys have equal ones, whatever the layout of their
/// columns, and each level of division looks at other bits.
enum KeyHashes {
    static func of(_ keys: [Column], count: Int, level: Int) -> [UInt64] {
        var hashes = [UInt64](repeating: UInt64(level), count: count)
        for key in keys {
            let words = words(key)
            for row in 0..<count { hashes[row] = KeyHash.mix(hashes[row], words[row]) }
        }
        return hashes
    }

    private static func words(_ column: Column) -> [UInt64] {
        if let hashes = column.hashes { return hashes }
        if case .float64(let values) = column.data {
            return values.indices.map {
                column.isNull($0) ? nullHash : KeyEncoder.word(values[$0])
            }
        }
        return (0..<column.count).map { row in
            if column.isNull(row) { return nullHash }
            return CanonicalKey.bytes(column.value(row)).withUnsafeBytes { KeyHash.bytes($0) }
        }
    }
}

/// Rows divided by the hash of their keys. Written in pieces of some thousand rows, which bound what
/// a division holds in memory.
final class SpilledPartitions {
    static let count = 32
    /// Rows of keys that 32 divisions by other bits leave together are equal, or as good as equal.
    static let levelMax = 6
    /// What waits in memory for the next write.
    private static let pendingBytes = 1 << 20
    private static let pendingRows = 32 << 10

    private let level: Int
    private let context: QueryContext
    private let pending: RowBuffer
    private var pendingParts: [Int32] = []
    private let rows: SpillFile

    /// Partitions of rows of `types`, at the depth `level` of divisions inside divisions.
    init(
        _ types: [ColumnType], level: Int, for operation: String, _ scratch: ScratchSpace,
        _ context: QueryContext
    ) throws(Problem) {
        guard level < Self.levelMax else {
            throw SQLErrors.outOfMemory(
                "\(operation) (too many rows have equal keys)", limit: context.memory.limit)
        }
        self.level = level
        self.context = context
        pending = RowBuffer(types: types)
        rows = try SpillFile(types, parts: Self.count, in: scratch, context.memory)
    }

    func append(_ batch: ColumnBatch, keys: [Column]) throws(Problem) {
        guard batch.rowCount > 0 else { return }
        try context.checkCancellation()
        for hash in KeyHashes.of(keys, count: batch.rowCount, level: level) {
            pendingParts.append(Int32(truncatingIfNeeded: hash >> 59))
        }
        pending.append(batch)
        if pending.writtenBytes >= Self.pendingBytes || pending.count >= Self.pendingRows {
            try flush()
        }
    }

    /// Writes what waits; nothing is added any more.
    func finish() throws(Problem) { try flush() }

    private func flush() throws(Problem) {
        guard pending.count > 0 else { return }
        try rows.append(pending.batch(), dividedBy: pendingParts)
        pending.removeAll()
        pendingParts.removeAll(keepingCapacity: true)
    }

    func rowCount(ofPart part: Int) -> Int { rows.rowCount(ofPart: part) }

    /// The rows of a part, in the order in which they were added.
    func reader(ofPart part: Int) -> SpilledReader { SpilledReader(rows, part: part) }

    /// The results of one part behind the other; `make` gives what works on a part, nil where there is
    /// nothing to do.
    static func inTurn(
        _ make: @escaping (Int) throws(Problem) -> (any BatchOperator)?
    ) -> any BatchOperator { PartsInTurn(make) }
}

private final class PartsInTurn: BatchOperator {
    private let make: (Int) throws(Problem) -> (any BatchOperator)?
    private var part = 0
    private var current: (any BatchOperator)?

    init(_ make: @escaping (Int) throws(Problem) -> (any BatchOperator)?) { self.make = make }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            if let batch = try current?.next() { return batch }
            current = nil
            guard part < SpilledPartitions.count else { return nil }
            current = try make(part)
            part += 1
        }
    }
}

/// Rows that one query keeps on the scratch disk, in one or more parts. Counts what they take there;
/// failures of the disk are errors 53100 and 58030.
final class SpillFile {
    private var rows: SpilledRows
    private let memory: MemoryBudget

    init(
        _ types: [ColumnType], parts: Int = 1, in scratch: ScratchSpace, _ memory: MemoryBudget
    ) throws(Problem) {
        self.memory = memory
        do throws(StorageFailure) {
            rows = try SpilledRows(types, parts: parts, in: scratch)
        } catch {
            throw SQLErrors.spillFailed(error)
        }
    }

    func append(_ batch: ColumnBatch) throws(Problem) {
        try write { (rows) throws(StorageFailure) in try rows.append(batch, to: 0) }
    }

    func append(_ batch: ColumnBatch, dividedBy partOf: [Int32]) throws(Problem) {
        try write { (rows) throws(StorageFailure) in try rows.append(batch, dividedBy: partOf) }
    }

    private func write(
        _ body: (inout SpilledRows) throws(StorageFailure) -> Void
    ) throws(Problem) {
        let before = rows.byteCount
        do throws(StorageFailure) { try body(&rows) } catch { throw SQLErrors.spillFailed(error) }
        memory.spilled(rows.byteCount - before)
    }

    func rowCount(ofPart part: Int) -> Int { rows.rowCount(ofPart: part) }
    func pieceCount(ofPart part: Int = 0) -> Int { rows.pieceCount(ofPart: part) }

    func piece(_ number: Int, ofPart part: Int = 0) throws(Problem) -> ColumnBatch {
        do throws(StorageFailure) {
            return try rows.piece(number, ofPart: part)
        } catch {
            throw SQLErrors.spillFailed(error)
        }
    }
}

/// Gives the rows of one part of spilled rows.
final class SpilledReader: BatchOperator {
    private let rows: SpillFile
    private let part: Int
    private var piece = 0
    private var cutter = BatchCutter()

    init(_ rows: SpillFile, part: Int = 0) {
        self.rows = rows
        self.part = part
    }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            if let batch = cutter.next() { return batch }
            guard piece < rows.pieceCount(ofPart: part) else { return nil }
            cutter.put(try rows.piece(piece, ofPart: part))
            piece += 1
        }
    }
}
