import Base
import Columns

/// Divides the rows of a batch by the values of its partition columns.
struct PartitionSplit {
    /// Names (those of the log) and types of the partition columns, and where they are in a batch.
    private let columns: [(name: String, type: ColumnType, index: Int)]

    struct Part {
        var values: PartitionValues
        /// nil = all rows of the batch
        var rows: [Int32]?
    }

    init(_ metadata: TableMetadata, _ schema: TableSchema) {
        columns = metadata.partitionColumns.compactMap { name in
            schema.index(of: name).map { index in
                (metadata.physicalName(of: name), schema.fields[index].type, index)
            }
        }
    }

    /// The parts in the order in which their values appear.
    func parts(of batch: ColumnBatch) -> [Part] {
        guard batch.rowCount > 0 else { return [] }
        guard !columns.isEmpty else { return [Part(values: PartitionValues(), rows: nil)] }
        if columns.allSatisfy({ Self.isConstant(batch.columns[$0.index]) }) {
            return [Part(values: values(batch, row: 0), rows: nil)]
        }
        // Every row gets the number of its combination of values, column by column.
        var codes = [Int32](repeating: 0, count: batch.rowCount)
        var count = 1
        for column in columns {
            let own = Self.codes(batch.columns[column.index])
            (codes, count) = Self.combined(codes, own, count)
        }
        if count == 1 { return [Part(values: values(batch, row: 0), rows: nil)] }
        var rows = [[Int32]](repeating: [], count: count)
        for (row, code) in codes.enumerated() { rows[Int(code)].append(Int32(row)) }
        return rows.map { Part(values: values(batch, row: Int($0[0])), rows: $0) }
    }

    private func values(_ batch: ColumnBatch, row: Int) -> PartitionValues {
        PartitionValues(
            columns.map { column in
                PartitionValues.Entry(
                    column: column.name,
                    text: PartitionValues.text(
                        batch.columns[column.index].value(row), column.type))
            })
    }

    /// Whether all rows have the same value, as far as that is quickly told.
    private static func isConstant(_ column: Column) -> Bool {
        guard column.nullCount == 0 else { return column.nullCount == column.count }
        func isOne<T: Equatable>(_ values: [T]) -> Bool {
            guard let first = values.first else { return true }
            for value in values where value != first { return false }
            return true
        }
        return switch column.data {
        case .boolean(let values): isOne(values)
        case .int32(let values): isOne(values)
        case .int64(let values): isOne(values)
        case .text(let texts): isOne(texts.views)
        default: false
        }
    }

    /// Numbers pairs of codes in the order of their appearance.
    private static func combined(
        _ left: [Int32], _ right: [Int32], _ leftCount: Int
    ) -> ([Int32], Int) {
        var numbers: [Int64: Int32] = [:]
        var result: [Int32] = []
        result.reserveCapacity(left.count)
        for (a, b) in zip(left, right) {
            let pair = Int64(b) * Int64(leftCount) + Int64(a)
            result.append(number(pair, &numbers))
        }
        return (result, numbers.count)
    }

    private static func number<Key: Hashable>(
        _ key: Key, _ numbers: inout [Key: Int32]
    ) -> Int32 {
        if let known = numbers[key] { return known }
        let fresh = Int32(numbers.count)
        numbers[key] = fresh
        return fresh
    }

    /// Numbers the distinct values of a column, NULL included.
    private static func codes(_ column: Column) -> [Int32] {
        let column = column.flattened
        func numbered<T: Hashable>(_ values: [T]) -> [Int32] {
            var numbers: [T?: Int32] = [:]
            var codes: [Int32] = []
            codes.reserveCapacity(values.count)
            let hasNulls = column.nullCount > 0
            for (row, value) in values.enumerated() {
                // Equal neighbours are the common case and cost one comparison.
                if !hasNulls, row > 0, value == values[row - 1] {
                    codes.append(codes[row - 1])
                } else {
                    codes.append(number(hasNulls && column.isNull(row) ? nil : value, &numbers))
                }
            }
            return codes
        }
        switch column.data {
        case .boolean(let values): return numbered(values)
        case .int32(let values): return numbered(values)
        case .int64(let values): return numbered(values)
        case .int128(let values): return numbered(values)
        case .float64(let values): return numbered(values.map(\.bitPattern))
        case .text(let texts): return textCodes(texts, column)
        default: return (0..<column.count).map { Int32($0) }
        }
    }

    /// Equal neighbours are the common case and cost one comparison.
    private static func textCodes(_ texts: TextColumn, _ column: Column) -> [Int32] {
        var numbers: [[UInt8]?: Int32] = [:]
        var result: [Int32] = []
        result.reserveCapacity(texts.count)
        for row in 0..<texts.count {
            let isNull = column.isNull(row)
            if row > 0, !isNull, !column.isNull(row - 1), texts.views[row] == texts.views[row - 1] {
                result.append(result[row - 1])
                continue
            }
            // An empty text is NULL in the log: both go into one part.
            let bytes = isNull || texts.views[row].count == 0 ? nil : texts.array(row)
            result.append(number(bytes, &numbers))
        }
        return result
    }
}
