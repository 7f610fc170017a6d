import Base

/// The values of a column, by physical layout. Rows that are NULL hold some unspecified value.
package indirect enum ColumnData: Sendable {
    /// 0 or 1 a row.
    case boolean([UInt8])
    /// `smallint`, `integer`, `date`
    case int32([Int32])
    /// `bigint`, `timestamp`, `timestamptz`
    case int64([Int64])
    /// `real`, `double precision`
    case float64([Double])
    /// `numeric` (unscaled) and `uuid` (big-endian number as bit pattern)
    case int128([Int128])
    /// `text`, `bytea`, `jsonb`
    case text(TextColumn)
    /// Codes into distinct values, as Parquet's dictionary pages have them: `text` only.
    case dictionary(codes: [Int32], values: TextColumn)
    case interval([Interval])
    /// `offsets` has one more entry than there are rows; the first need not be 0, and the last need
    /// not be the number of elements.
    case list(offsets: [Int32], element: Column)
    /// Of a `variant` the members are metadata and value, both `bytea`.
    case structure([Column])
    case map(offsets: [Int32], key: Column, value: Column)
    /// Nothing but NULL.
    case null(count: Int)
}

/// A vector of values of one type. Immutable and cheap to copy.
package struct Column: Sendable {
    package var type: ColumnType
    package var data: ColumnData
    /// nil when no row is NULL.
    package var validity: Validity?

    package init(type: ColumnType, data: ColumnData, validity: Validity? = nil) {
        self.type = type
        self.data = data
        self.validity = validity
        if let validity { precondition(validity.count == count, "one validity bit for each row") }
    }

    package var count: Int {
        switch data {
        case .boolean(let values): values.count
        case .int32(let values): values.count
        case .int64(let values): values.count
        case .float64(let values): values.count
        case .int128(let values): values.count
        case .text(let values): values.count
        case .dictionary(let codes, _): codes.count
        case .interval(let values): values.count
        case .list(let offsets, _), .map(let offsets, _, _): offsets.count - 1
        case .structure(let members): members.first?.count ?? validity?.count ?? 0
        case .null(let count): count
        }
    }

    @inlinable
    package func isNull(_ row: Int) -> Bool {
        if case .null = data { return true }
        guard let validity else { return false }
        return !validity[row]
    }

    package var nullCount: Int {
        if case .null(let count) = data { return count }
        return validity?.nullCount ?? 0
    }

    /// The rows in `rows`, in that order.
    package func gather(_ rows: [Int32]) -> Column {
        func pick<T>(_ values: [T]) -> [T] { rows.map { values[Int($0)] } }
        let picked: ColumnData
        switch data {
        case .boolean(let values): picked = .boolean(pick(values))
        case .int32(let values): picked = .int32(pick(values))
        case .int64(let values): picked = .int64(pick(values))
        case .float64(let values): picked = .float64(pick(values))
        case .int128(let values): picked = .int128(pick(values))
        case .text(let values): picked = .text(values.gather(rows))
        case .dictionary(let codes, let values):
            picked = .dictionary(codes: pick(codes), values: values)
        case .interval(let values): picked = .interval(pick(values))
        case .list(let offsets, let element):
            let (newOffsets, inner) = Self.innerRows(offsets, rows)
            picked = .list(offsets: newOffsets, element: element.gather(inner))
        case .map(let offsets, let key, let value):
            let (newOffsets, inner) = Self.innerRows(offsets, rows)
            picked = .map(
                offsets: newOffsets, key: key.gather(inner), value: value.gather(inner))
        case .structure(let members): picked = .structure(members.map { $0.gather(rows) })
        case .null: picked = .null(count: rows.count)
        }
        return Column(type: type, data: picked, validity: validity?.gather(rows))
    }

    private static func innerRows(_ offsets: [Int32], _ rows: [Int32]) -> ([Int32], [Int32]) {
        var newOffsets: [Int32] = [0]
        var inner: [Int32] = []
        for row in rows {
            inner += offsets[Int(row)]..<offsets[Int(row) + 1]
            newOffsets.append(Int32(inner.count))
        }
        return (newOffsets, inner)
    }

    /// Rows `range`, in runs of memory; views and nested values share what they refer to.
    package func slice(_ range: Range<Int>) -> Column {
        if range == 0..<count { return self }
        let cut: ColumnData
        switch data {
        case .boolean(let values): cut = .boolean(Array(values[range]))
        case .int32(let values): cut = .int32(Array(values[range]))
        case .int64(let values): cut = .int64(Array(values[range]))
        case .float64(let values): cut = .float64(Array(values[range]))
        case .int128(let values): cut = .int128(Array(values[range]))
        case .text(let values): cut = .text(values.slice(range))
        case .dictionary(let codes, let values):
            cut = .dictionary(codes: Array(codes[range]), values: values)
        case .interval(let values): cut = .interval(Array(values[range]))
        case .list(let offsets, let element):
            cut = .list(
                offsets: Array(offsets[range.lowerBound...range.upperBound]), element: element)
        case .map(let offsets, let key, let value):
            cut = .map(
                offsets: Array(offsets[range.lowerBound...range.upperBound]), key: key,
                value: value)
        case .structure(let members): cut = .structure(members.map { $0.slice(range) })
        case .null: cut = .null(count: range.count)
        }
        return Column(type: type, data: cut, validity: validity?.slice(range))
    }

    /// The same column with dictionary codes resolved.
    package var flattened: Column {
        guard case .dictionary(let codes, let values) = data else { return self }
        var views: [TextView] = []
        views.reserveCapacity(codes.count)
        for code in codes {
            // A NULL row may carry any code.
            views.append(Int(code) < values.count && code >= 0 ? values.views[Int(code)] : .empty)
        }
        return Column(
            type: type, data: .text(TextColumn(views: views, buffers: values.buffers)),
            validity: validity)
    }

    /// The same rows without the buffers that they share, when they are few of what is in them: see
    /// `TextColumn.detachedIfSparse`.
    package var detachedIfSparse: Column {
        var detached = self
        switch data {
        case .text(let texts): detached.data = .text(texts.detachedIfSparse)
        case .dictionary(let codes, let values):
            if codes.count < values.count / 16 { return flattened.detachedIfSparse }
        case .list(let offsets, let element):
            detached.data = .list(offsets: offsets, element: element.detachedIfSparse)
        case .map(let offsets, let key, let value):
            detached.data = .map(
                offsets: offsets, key: key.detachedIfSparse, value: value.detachedIfSparse)
        case .structure(let members):
            detached.data = .structure(members.map(\.detachedIfSparse))
        default: break
        }
        return detached
    }

    /// Row `row` on its own. Not for loops over rows.
    package func value(_ row: Int) -> Value {
        if isNull(row) { return .null }
        switch data {
        case .boolean(let values): return .boolean(values[row] != 0)
        case .int32(let values):
            return type == .date ? .date(days: values[row]) : .int(Int64(values[row]))
        case .int64(let values):
            switch type {
            case .time: return .time(microseconds: values[row])
            case .timestamp: return .timestamp(microseconds: values[row])
            case .timestampTZ: return .timestampTZ(microseconds: values[row])
            default: return .int(values[row])
            }
        case .float64(let values): return .float(values[row])
        case .int128(let values):
            if case .decimal(_, let scale) = type {
                return .decimal(unscaled: values[row], scale: scale)
            }
            return .uuid(UInt128(truncatingIfNeeded: values[row]))
        case .text(let values): return textValue(values, row)
        case .dictionary(let codes, let values): return textValue(values, Int(codes[row]))
        case .interval(let values): return .interval(values[row])
        case .list(let offsets, let element):
            return .list((offsets[row]..<offsets[row + 1]).map { element.value(Int($0)) })
        case .map(let offsets, let key, let value):
            return .map(
                (offsets[row]..<offsets[row + 1]).map {
                    Value.MapEntry(key: key.value(Int($0)), value: value.value(Int($0)))
                })
        case .structure(let members):
            let values = members.map { $0.value(row) }
            if type == .variant, case .binary(let metadata)? = values.first,
                case .binary(let value)? = values.last
            {
                return .variant(metadata: metadata, value: value)
            }
            return .structure(values)
        case .null: return .null
        }
    }

    private func textValue(_ values: TextColumn, _ row: Int) -> Value {
        switch type {
        case .binary: .binary(values.array(row))
        case .json: .json(values.string(row))
        default: .text(values.string(row))
        }
    }

    /// The columns one below the other. All must have one type.
    package static func concatenation(_ columns: [Column]) -> Column {
        precondition(!columns.isEmpty, "at least one column")
        if columns.count == 1 { return columns[0] }
        var builder = ColumnBuilder(columns[0].type)
        builder.reserveCapacity(columns.reduce(0) { $0 + $1.count })
        for column in columns { builder.append(column) }
        return builder.finish()
    }
}

/// Rows by column: the unit of work of the engine, at most `Limits.batchRows` rows between its
/// operators; sources and files may use more.
package struct ColumnBatch: Sendable {
    package var columns: [Column]
    package var rowCount: Int

    package init(columns: [Column], rowCount: Int) {
        for column in columns {
            precondition(column.count == rowCount, "columns of one batch have one length")
        }
        self.columns = columns
        self.rowCount = rowCount
    }

    package func gather(_ rows: [Int32]) -> ColumnBatch {
        ColumnBatch(columns: columns.map { $0.gather(rows) }, rowCount: rows.count)
    }

    /// The first `count` columns.
    package func prefix(columns count: Int) -> ColumnBatch {
        columns.count <= count
            ? self : ColumnBatch(columns: Array(columns.prefix(count)), rowCount: rowCount)
    }

    package func slice(_ range: Range<Int>) -> ColumnBatch {
        ColumnBatch(columns: columns.map { $0.slice(range) }, rowCount: range.count)
    }

    /// Row `row` on its own, for results and tests.
    package func values(_ row: Int) -> [Value] { columns.map { $0.value(row) } }
}
