import Base

/// Grows a column value by value or column by column.
package struct ColumnBuilder: ~Copyable {
    private let type: ColumnType
    private var parts: Parts
    private var validity: Validity?
    private var rows = 0

    /// Growing storage by layout.
    private indirect enum Parts {
        case boolean([UInt8])
        case int32([Int32])
        case int64([Int64])
        case float64([Double])
        case int128([Int128])
        case text(TextColumn, pending: [UInt8])
        case interval([Interval])
        /// Nested values are gathered first and laid out at the end.
        case nested([Value])
        case null
    }

    package init(_ type: ColumnType) {
        self.type = type
        parts =
            switch type {
            case .boolean: .boolean([])
            case .int16, .int32, .date: .int32([])
            case .int64, .timestamp, .timestampTZ: .int64([])
            case .float32, .float64: .float64([])
            case .decimal, .uuid: .int128([])
            case .text, .binary, .json: .text(TextColumn(), pending: [])
            case .interval: .interval([])
            case .list, .structure, .map: .nested([])
            case .null: .null
            }
    }

    package var count: Int { rows }

    private mutating func mark(valid: Bool) {
        if validity == nil, !valid { validity = Validity(repeating: true, count: rows) }
        validity?.append(valid)
        rows += 1
    }

    package mutating func appendNull() { append(.null) }

    /// Appends a value, which must fit the column's type.
    package mutating func append(_ value: Value) {
        mark(valid: !value.isNull)
        switch parts {
        case .boolean(var values):
            parts = .null
            if case .boolean(let flag) = value { values.append(flag ? 1 : 0) } else { values.append(0) }
            parts = .boolean(values)
        case .int32(var values):
            parts = .null
            switch value {
            case .int(let number): values.append(Int32(truncatingIfNeeded: number))
            case .date(let days): values.append(days)
            default: values.append(0)
            }
            parts = .int32(values)
        case .int64(var values):
            parts = .null
            switch value {
            case .int(let number): values.append(number)
            case .timestamp(let moment), .timestampTZ(let moment): values.append(moment)
            default: values.append(0)
            }
            parts = .int64(values)
        case .float64(var values):
            parts = .null
            switch value {
            case .float(let number): values.append(number)
            case .int(let number): values.append(Double(number))
            default: values.append(0)
            }
            parts = .float64(values)
        case .int128(var values):
            parts = .null
            switch value {
            case .decimal(let unscaled, let scale): values.append(rescaled(unscaled, from: scale))
            case .uuid(let bits): values.append(Int128(truncatingIfNeeded: bits))
            case .int(let number): values.append(rescaled(Int128(number), from: 0))
            default: values.append(0)
            }
            parts = .int128(values)
        case .text(var column, var pending):
            parts = .null
            switch value {
            case .text(let text), .json(let text): Self.push(Array(text.utf8), &column, &pending)
            case .binary(let bytes): Self.push(bytes, &column, &pending)
            default: column.views.append(.empty)
            }
            parts = .text(column, pending: pending)
        case .interval(var values):
            parts = .null
            if case .interval(let span) = value { values.append(span) } else { values.append(Interval()) }
            parts = .interval(values)
        case .nested(var values):
            parts = .null
            values.append(value)
            parts = .nested(values)
        case .null: break
        }
    }

    private func rescaled(_ unscaled: Int128, from scale: Int) -> Int128 {
        guard case .decimal(_, let wanted) = type, wanted > scale else { return unscaled }
        return (scale..<wanted).reduce(unscaled) { value, _ in value * 10 }
    }

    /// Long texts gather in `pending`, which becomes the next buffer when it is a mebibyte.
    private static func push(
        _ bytes: [UInt8], _ column: inout TextColumn, _ pending: inout [UInt8]
    ) {
        if bytes.count > 12, pending.count + bytes.count > 1 << 20, !pending.isEmpty {
            column.buffers.append(Bytes(pending))
            pending.removeAll()
        }
        bytes.withUnsafeBytes {
            column.views.append(
                TextView($0, buffer: column.buffers.count, position: pending.count))
        }
        if bytes.count > 12 { pending += bytes }
    }

    /// Appends all rows of `column`, whose type must be the same.
    package mutating func append(_ column: Column) {
        let column = column.flattened
        if case .nested = parts {
            for row in 0..<column.count { append(column.value(row)) }
            return
        }
        if column.validity != nil || validity != nil || column.nullCount > 0 {
            var merged = validity ?? Validity(repeating: true, count: rows)
            for row in 0..<column.count { merged.append(!column.isNull(row)) }
            validity = merged
        }
        rows += column.count
        switch (parts, column.data) {
        case (.boolean(var values), .boolean(let more)):
            parts = .null
            values += more
            parts = .boolean(values)
        case (.int32(var values), .int32(let more)):
            parts = .null
            values += more
            parts = .int32(values)
        case (.int64(var values), .int64(let more)):
            parts = .null
            values += more
            parts = .int64(values)
        case (.float64(var values), .float64(let more)):
            parts = .null
            values += more
            parts = .float64(values)
        case (.int128(var values), .int128(let more)):
            parts = .null
            values += more
            parts = .int128(values)
        case (.text(var target, var pending), .text(let more)):
            parts = .null
            if !pending.isEmpty {
                target.buffers.append(Bytes(pending))
                pending.removeAll()
            }
            target.append(more)
            parts = .text(target, pending: pending)
        case (.interval(var values), .interval(let more)):
            parts = .null
            values += more
            parts = .interval(values)
        case (.null, .null): break
        case (_, .null(let count)):
            rows -= count
            validity = validity.map { Validity(words: Array($0.words.prefix((rows + 63) / 64)), count: rows) }
            for _ in 0..<count { append(.null) }
        default: preconditionFailure("column of another type appended")
        }
    }

    package consuming func finish() -> Column {
        let data: ColumnData
        switch parts {
        case .boolean(let values): data = .boolean(values)
        case .int32(let values): data = .int32(values)
        case .int64(let values): data = .int64(values)
        case .float64(let values): data = .float64(values)
        case .int128(let values): data = .int128(values)
        case .text(var column, let pending):
            if !pending.isEmpty { column.buffers.append(Bytes(pending)) }
            data = .text(column)
        case .interval(let values): data = .interval(values)
        case .nested(let values): data = Self.layOut(values, type)
        case .null: return Column(type: type, data: .null(count: rows))
        }
        return Column(type: type, data: data, validity: validity)
    }

    private static func layOut(_ values: [Value], _ type: ColumnType) -> ColumnData {
        switch type {
        case .list(let elementType):
            var offsets: [Int32] = [0]
            var element = ColumnBuilder(elementType)
            for value in values {
                if case .list(let items) = value { for item in items { element.append(item) } }
                offsets.append(Int32(element.count))
            }
            return .list(offsets: offsets, element: element.finish())
        case .map(let keyType, let valueType):
            var offsets: [Int32] = [0]
            var keys = ColumnBuilder(keyType)
            var items = ColumnBuilder(valueType)
            for value in values {
                if case .map(let entries) = value {
                    for entry in entries {
                        keys.append(entry.key)
                        items.append(entry.value)
                    }
                }
                offsets.append(Int32(keys.count))
            }
            return .map(offsets: offsets, key: keys.finish(), value: items.finish())
        case .structure(let fields):
            var members: [Column] = []
            for (index, field) in fields.enumerated() {
                var member = ColumnBuilder(field.type)
                for value in values {
                    if case .structure(let items) = value { member.append(items[index]) } else { member.append(.null) }
                }
                members.append(member.finish())
            }
            return .structure(members)
        default: preconditionFailure("not a nested type")
        }
    }
}

extension Column {
    /// A column of `values`, each of which must fit `type`.
    package init(_ type: ColumnType, _ values: [Value]) {
        var builder = ColumnBuilder(type)
        for value in values { builder.append(value) }
        self = builder.finish()
    }

    /// `count` times the same value.
    package init(_ type: ColumnType, repeating value: Value, count: Int) {
        self.init(type, [Value](repeating: value, count: count))
    }
}
