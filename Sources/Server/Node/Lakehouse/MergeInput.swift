// The source of a MERGE: read first, because its keys tell what of the target matters, and divided by
// its keys when it is larger than its share of memory. Then the statement runs once for each part,
// over the rows of the target that can have a partner in it.

import Base
import Columns
import Delta
import Engine
import Parquet
import SQL

/// Rows of a MERGE's source that are at work, and what of the target goes with them.
struct MergePart: Sendable {
    var rows: [ColumnBatch] = []
    /// Outside of these nothing of the target matches.
    var ranges: [ColumnRange] = []
    /// What rows of the target must pass to match.
    var tests: [NamedTest] = []
    /// Where the source is in several parts and unmatched rows of the target matter: the test that
    /// tells the rows of this part.
    var owner: NamedTest?
}

/// The source of one MERGE, part by part.
struct MergeInput {
    private let keys: [Field]
    private let ignoresUnmatched: Bool
    /// Which of the keys divides the rows; nil when values of none have hashes.
    private let divider: Int?
    private let bytesMax: Int
    private let scratch: ScratchSpace?

    private var held: [(rows: ColumnBatch, keys: ColumnBatch)] = []
    private var heldBytes = 0
    private var spilled: SpilledRows?
    /// Rows on their way to their parts: divided a few at a time they would be crumbs.
    private var pending: [ColumnBatch] = []
    private var pendingRows = 0
    private var sourceTypes: [ColumnType]
    private var bounds: KeyBounds
    /// The parts of each pass that is still to come.
    private var passes: [Range<Int>] = []
    private var isRead = false

    private static let parts = 128
    private static let dividedRows = 65_536

    init(
        _ merge: MergeSource, bytesMax: Int, scratch: ScratchSpace?
    ) {
        keys = merge.keys.map { Field($0.name, $0.expression.type) }
        ignoresUnmatched = merge.ignoresUnmatched
        divider = keys.firstIndex { $0.type.hasHashes }
        self.bytesMax = bytesMax
        self.scratch = scratch
        sourceTypes = merge.plan.schema.fields.map(\.type)
        bounds = KeyBounds(keys)
    }

    /// Adds rows of the source with their keys.
    mutating func add(_ rows: ColumnBatch, keys: ColumnBatch) throws(Problem) {
        bounds.add(keys)
        if spilled != nil { return try spill(rows, keys) }
        held.append((rows, keys))
        heldBytes += rows.columns.reduce(0) { $0 + $1.heldBytes }
        guard heldBytes > bytesMax, let scratch, divider != nil else { return }
        do throws(StorageFailure) {
            spilled = try SpilledRows(
                sourceTypes + self.keys.map(\.type), parts: Self.parts, in: scratch)
        } catch {
            throw DeltaFailure.storage(error).problem
        }
        for part in held { try spill(part.rows, part.keys) }
        held = []
    }

    private mutating func spill(_ rows: ColumnBatch, _ keys: ColumnBatch) throws(Problem) {
        pending.append(
            ColumnBatch(columns: rows.columns + keys.columns, rowCount: rows.rowCount))
        pendingRows += rows.rowCount
        if pendingRows >= Self.dividedRows { try divide() }
    }

    private mutating func divide() throws(Problem) {
        guard let first = pending.first else { return }
        let columns = first.columns.indices.map { place in
            Column.concatenation(pending.map { $0.columns[place].flattened })
        }
        let both = ColumnBatch(columns: columns, rowCount: pendingRows)
        pending = []
        pendingRows = 0
        guard let divider, let hashes = columns[sourceTypes.count + divider].hashes else {
            throw Problem("XX000", "keys without hashes cannot be divided")
        }
        do throws(StorageFailure) {
            try spilled?.append(both, dividedBy: hashes.map { Self.part(of: $0) })
        } catch {
            throw DeltaFailure.storage(error).problem
        }
    }

    /// The upper bits: hash tables use the lower ones.
    fileprivate static func part(of hash: UInt64) -> Int32 {
        Int32(truncatingIfNeeded: hash >> 57)
    }

    /// All rows of the source are there.
    mutating func finish() throws(Problem) {
        try divide()
        isRead = true
        guard let spilled else {
            passes = [0..<0]
            return
        }
        var first = 0
        var bytes: Int64 = 0
        for part in 0..<spilled.partCount {
            let more = spilled.byteCount(ofPart: part)
            if part > first, bytes + more > Int64(bytesMax) {
                passes.append(first..<part)
                first = part
                bytes = 0
            }
            bytes += more
        }
        passes.append(first..<spilled.partCount)
    }

    /// How often the target is read.
    var passCount: Int { passes.count }

    /// The next part of the source, or nil at the end. One part comes even of no rows.
    mutating func next() throws(Problem) -> MergePart? {
        precondition(isRead, "the source is read first")
        guard !passes.isEmpty else { return nil }
        let pass = passes.removeFirst()
        var part = MergePart()
        var keys: [ColumnBatch] = []
        if let spilled {
            let width = sourceTypes.count
            for number in pass {
                try spilled.forEachBatch(
                    ofPart: number,
                    { (batch) throws(Problem) in
                        part.rows.append(
                            ColumnBatch(
                                columns: Array(batch.columns[..<width]), rowCount: batch.rowCount))
                        keys.append(
                            ColumnBatch(
                                columns: Array(batch.columns[width...]), rowCount: batch.rowCount))
                    }, failing: { DeltaFailure.storage($0).problem })
            }
        } else {
            part.rows = held.map(\.rows)
            keys = held.map(\.keys)
            held = []
        }
        if ignoresUnmatched {
            part.ranges = bounds.ranges
            if let divider, let set = KeySet(keys.map { $0.columns[divider] }) {
                part.tests = [NamedTest(self.keys[divider].name, set)]
            }
        } else if let divider, spilled != nil {
            part.owner = NamedTest(self.keys[divider].name, PartTest(parts: pass))
        }
        return part
    }

    /// The ranges outside of which nothing of the target matches any row of the source.
    var ranges: [ColumnRange] { ignoresUnmatched ? bounds.ranges : [] }
}

/// Values by their hashes: what is not among them equals none of them. NULL equals nothing.
struct KeySet: ColumnTest {
    /// Open addressing; 0 is free.
    private var slots: [UInt64]

    init?(_ columns: [Column]) {
        let count = columns.reduce(0) { $0 + $1.count }
        var size = 64
        while size < count * 2 { size *= 2 }
        slots = [UInt64](repeating: 0, count: size)
        for column in columns {
            guard let hashes = column.hashes else { return nil }
            for row in hashes.indices where !column.isNull(row) { insert(hashes[row]) }
        }
    }

    private mutating func insert(_ hash: UInt64) {
        let wanted = max(hash, 1)
        var slot = Int(truncatingIfNeeded: wanted) & (slots.count - 1)
        while slots[slot] != 0, slots[slot] != wanted { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = wanted
    }

    func rows(of column: Column) -> [Int32]? {
        var found: [Int32] = []
        slots.withUnsafeBufferPointer { slots in
            let mask = slots.count - 1
            func contains(_ hash: UInt64) -> Bool {
                let wanted = max(hash, 1)
                var slot = Int(truncatingIfNeeded: wanted) & mask
                while slots[slot] != 0 {
                    if slots[slot] == wanted { return true }
                    slot = (slot + 1) & mask
                }
                return false
            }
            if case .dictionary(let codes, let values) = column.data, values.count < codes.count {
                let all = Column(type: column.type, data: .text(values))
                let known = (all.hashes ?? []).map(contains)
                for (row, code) in codes.enumerated()
                where known.indices.contains(Int(code)) && known[Int(code)] {
                    found.append(Int32(row))
                }
            } else {
                for (row, hash) in (column.hashes ?? []).enumerated() where contains(hash) {
                    found.append(Int32(row))
                }
            }
        }
        if column.nullCount > 0 { found = found.filter { !column.isNull(Int($0)) } }
        return found
    }
}

/// The rows that belong to some parts of a divided source.
private struct PartTest: ColumnTest {
    let parts: Range<Int>

    func rows(of column: Column) -> [Int32]? {
        guard let hashes = column.hashes else { return nil }
        return hashes.indices.filter { parts.contains(Int(MergeInput.part(of: hashes[$0]))) }
            .map { Int32($0) }
    }
}

/// The least and the greatest of the keys of a MERGE's source. NULL matches nothing.
private struct KeyBounds {
    private let fields: [Field]
    private var lower: [Value?]
    private var upper: [Value?]

    init(_ fields: [Field]) {
        self.fields = fields
        lower = fields.map { _ in nil }
        upper = fields.map { _ in nil }
    }

    mutating func add(_ batch: ColumnBatch) {
        for (index, column) in batch.columns.enumerated() where fields[index].type.hasBounds {
            // Of most keys the extremes of a batch are found without a value for each row.
            for row in column.extremeRows {
                let value = column.value(row)
                if isAfter(lower[index], value) { lower[index] = value }
                if isBefore(upper[index], value) { upper[index] = value }
            }
        }
    }

    private func isAfter(_ known: Value?, _ value: Value) -> Bool {
        guard let known else { return true }
        return order(of: known, value).map { $0 > 0 } ?? true
    }

    private func isBefore(_ known: Value?, _ value: Value) -> Bool {
        guard let known else { return true }
        return order(of: known, value).map { $0 < 0 } ?? true
    }

    /// One range for each column of a type whose order statistics keep. Without any key nothing
    /// matches, but the table is still read as a whole: that is rare and then cheap.
    var ranges: [ColumnRange] {
        zip(fields, zip(lower, upper)).compactMap { field, bounds in
            guard field.type.hasBounds, let least = bounds.0, let greatest = bounds.1 else {
                return nil
            }
            return ColumnRange(column: field.name, lower: least, upper: greatest)
        }
    }
}

extension ColumnType {
    fileprivate var hasBounds: Bool {
        switch self {
        case .int16, .int32, .int64, .decimal, .text, .date, .timestamp, .timestampTZ, .uuid: true
        default: false
        }
    }
}

extension Column {
    /// Rows among which are those of the least and the greatest value; none when all are NULL.
    fileprivate var extremeRows: [Int] {
        func extremes<T>(_ values: [T], _ isLess: (T, T) -> Bool) -> [Int] {
            var least = -1
            var greatest = -1
            for row in values.indices where !isNull(row) {
                if least < 0 || isLess(values[row], values[least]) { least = row }
                if greatest < 0 || isLess(values[greatest], values[row]) { greatest = row }
            }
            return least < 0 ? [] : [least, greatest]
        }
        switch data {
        case .int32(let values): return extremes(values, <)
        case .int64(let values): return extremes(values, <)
        case .int128(let values) where type != .uuid: return extremes(values, <)
        case .text(let texts):
            return extremes(Array(0..<texts.count)) { left, right in
                texts.withBytes(left) { mine in
                    texts.withBytes(right) { its in mine.lexicographicallyPrecedes(its) }
                }
            }
        case .null: return []
        default: return (0..<count).filter { !isNull($0) }
        }
    }

    /// About what the rows take in memory, the bytes of long texts included.
    fileprivate var heldBytes: Int {
        switch data {
        case .boolean(let values): values.count
        case .int32(let values): values.count * 4
        case .int64(let values): values.count * 8
        case .float64(let values): values.count * 8
        case .text(let values):
            values.views.reduce(0) { $0 + 16 + ($1.isInline ? 0 : $1.count) }
        case .list(let offsets, let element): offsets.count * 4 + element.heldBytes
        case .map(let offsets, let key, let value):
            offsets.count * 4 + key.heldBytes + value.heldBytes
        case .structure(let members): members.reduce(0) { $0 + $1.heldBytes }
        default: count * 16
        }
    }
}
