import Base
import Columns

/// Rows kept by an operator until it has seen all of them.
final class RowBuffer {
    private let types: [ColumnType]
    private var parts: [[Column]]
    private(set) var count = 0
    private var held = HeldBytes()
    /// The parts whose texts have buffers of their own.
    private var compactedCount = 0

    init(types: [ColumnType]) {
        self.types = types
        parts = types.map { _ in [] }
    }

    func append(_ columns: [Column], count rows: Int) {
        precondition(columns.count == types.count, "a row has all columns")
        if rows == 0 { return }
        for (index, column) in columns.enumerated() {
            parts[index].append(column)
            held.add(column)
        }
        count += rows
    }

    /// What the rows take, with all of the buffers that their texts are views of.
    var memoryBytes: Int { held.count }
    /// What they take where they are written, with their texts alone.
    var writtenBytes: Int { held.needed }

    /// Copies the texts of the rows that came since the last time, when their buffers hold much that
    /// is not of these rows: that frees the buffers. False when it is not worth it.
    func compact() -> Bool {
        guard held.count > held.needed + held.needed / 2 else { return false }
        held = HeldBytes()
        for index in parts.indices {
            for place in parts[index].indices {
                if place >= compactedCount {
                    parts[index][place] = parts[index][place].compacted
                }
                held.add(parts[index][place])
            }
        }
        compactedCount = parts.first?.count ?? 0
        return true
    }

    func append(_ batch: ColumnBatch) { append(batch.columns, count: batch.rowCount) }

    /// All rows, one column for each type.
    func columns() -> [Column] {
        for (index, type) in types.enumerated() {
            if parts[index].isEmpty {
                parts[index] = [Column(type, [])]
            } else if parts[index].count > 1 {
                let aligned = parts[index].map {
                    Vector.aligned(Vector($0), to: type, count: $0.count)
                }
                parts[index] = [Column.concatenation(aligned)]
            }
        }
        compactedCount = min(compactedCount, parts.first?.count ?? 0)
        return parts.map { $0[0] }
    }

    /// The rows as they were added; they leave the buffer.
    func takeBatches() -> [ColumnBatch] {
        let batches = (0..<(parts.first?.count ?? 0)).map { number in
            ColumnBatch(
                columns: parts.map { $0[number] }, rowCount: parts[0][number].count)
        }
        removeAll()
        return batches
    }

    func batch() -> ColumnBatch { ColumnBatch(columns: columns(), rowCount: count) }

    func removeAll() {
        parts = types.map { _ in [] }
        count = 0
        held = HeldBytes()
        compactedCount = 0
    }
}

extension Column {
    /// About what the column takes in memory. Buffers of long texts may be shared with other
    /// columns; counted here are the bytes that this column's rows refer to.
    var memoryBytes: Int {
        let validityBytes = validity == nil ? 0 : count / 8
        switch data {
        case .boolean(let values): return values.count + validityBytes
        case .int32(let values): return values.count * 4 + validityBytes
        case .int64(let values): return values.count * 8 + validityBytes
        case .float64(let values): return values.count * 8 + validityBytes
        case .int128(let values): return values.count * 16 + validityBytes
        case .interval(let values): return values.count * 16 + validityBytes
        case .text(let values):
            return values.views.reduce(validityBytes) {
                $0 + 16 + ($1.isInline ? 0 : $1.count)
            }
        case .dictionary(let codes, _): return codes.count * 20 + validityBytes
        case .list(let offsets, let element): return offsets.count * 4 + element.memoryBytes
        case .map(let offsets, let key, let value):
            return offsets.count * 4 + key.memoryBytes + value.memoryBytes
        case .structure(let members): return members.reduce(validityBytes) { $0 + $1.memoryBytes }
        case .null: return 8
        }
    }
}
