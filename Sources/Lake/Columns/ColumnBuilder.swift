import Base

/// Grows a column value by value, by typed values, or column by column. One owner; `finish` uses it
/// up.
///
/// Appending a typed value costs one array append; appending a `Value` adds a switch, and is meant
/// for literals, partition values and tests.
package struct ColumnBuilder: ~Copyable {
    private let type: ColumnType
    private let layout: Layout
    // One of these grows, by `layout`. Empty arrays cost nothing, and separate properties let the
    // array in use grow in place, which a payload inside of an enum does not.
    private var flags: [UInt8] = []
    private var words32: [Int32] = []
    private var words64: [Int64] = []
    private var doubles: [Double] = []
    private var words128: [Int128] = []
    private var intervals: [Interval] = []
    private var texts = TextBuilder()
    /// Of lists and maps: where each row's elements begin, and the end of the last.
    private var offsets: [Int32] = []
    /// The element of a list, key and value of a map, or the members of a structure.
    private var children: [Child] = []
    private var validity: Validity?
    private var rows = 0

    private enum Layout {
        case boolean, int32, int64, float64, int128, text, interval, list, map, structure, null
    }

    /// A box, because a value type cannot contain itself.
    private final class Child {
        var builder: ColumnBuilder
        init(_ type: ColumnType) { builder = ColumnBuilder(type) }
    }

    package init(_ type: ColumnType) {
        self.type = type
        switch type {
        case .boolean: layout = .boolean
        case .int16, .int32, .date: layout = .int32
        case .int64, .time, .timestamp, .timestampTZ: layout = .int64
        case .float32, .float64: layout = .float64
        case .decimal, .uuid: layout = .int128
        case .text, .binary, .json: layout = .text
        case .interval: layout = .interval
        case .list(let element):
            layout = .list
            offsets = [0]
            children = [Child(element)]
        case .map(let key, let value):
            layout = .map
            offsets = [0]
            children = [Child(key), Child(value)]
        case .structure(let fields):
            layout = .structure
            children = fields.map { Child($0.type) }
        case .variant:
            layout = .structure
            children = [Child(.binary), Child(.binary)]
        case .null: layout = .null
        }
    }

    package var count: Int { rows }

    /// Makes room for `extra` more rows.
    package mutating func reserveCapacity(_ extra: Int) {
        switch layout {
        case .boolean: flags.reserveCapacity(flags.count + extra)
        case .int32: words32.reserveCapacity(rows + extra)
        case .int64: words64.reserveCapacity(rows + extra)
        case .float64: doubles.reserveCapacity(rows + extra)
        case .int128: words128.reserveCapacity(rows + extra)
        case .text: texts.reserveCapacity(extra)
        case .interval: intervals.reserveCapacity(rows + extra)
        case .list, .map: offsets.reserveCapacity(rows + extra + 1)
        case .structure, .null: break
        }
    }

    private mutating func mark(valid: Bool) {
        if validity == nil, !valid { validity = Validity(repeating: true, count: rows) }
        validity?.append(valid)
        rows += 1
    }
}

// MARK: One value

extension ColumnBuilder {
    package mutating func appendNull() {
        mark(valid: false)
        switch layout {
        case .boolean: flags.append(0)
        case .int32: words32.append(0)
        case .int64: words64.append(0)
        case .float64: doubles.append(0)
        case .int128: words128.append(0)
        case .text: texts.appendEmpty()
        case .interval: intervals.append(Interval())
        case .list, .map: offsets.append(offsets[offsets.count - 1])
        case .structure: for child in children { child.builder.appendNull() }
        case .null: break
        }
    }

    /// Appends to a `boolean` column.
    package mutating func append(boolean value: Bool) {
        mark(valid: true)
        flags.append(value ? 1 : 0)
    }

    /// Appends to a `smallint`, `integer` or `date` column.
    package mutating func append(int32 value: Int32) {
        mark(valid: true)
        words32.append(value)
    }

    /// Appends to a `bigint`, `timestamp` or `timestamptz` column.
    package mutating func append(int64 value: Int64) {
        mark(valid: true)
        words64.append(value)
    }

    /// Appends to a `real` or `double precision` column.
    package mutating func append(float64 value: Double) {
        mark(valid: true)
        doubles.append(type == .float32 ? Double(Float(value)) : value)
    }

    /// Appends an unscaled number to a `numeric` column, or the bits of a UUID to a `uuid` column.
    package mutating func append(int128 value: Int128) {
        mark(valid: true)
        words128.append(value)
    }

    /// Appends a copy of `bytes` to a `text`, `bytea` or `jsonb` column.
    package mutating func append(bytes: UnsafeRawBufferPointer) {
        mark(valid: true)
        texts.append(bytes)
    }

    /// Appends to a `text` or `jsonb` column.
    package mutating func append(text: String) {
        mark(valid: true)
        texts.append(text)
    }

    /// Appends a value, which must fit the column's type.
    package mutating func append(_ value: Value) {
        if case .null = value { return appendNull() }
        switch layout {
        case .boolean:
            if case .boolean(let flag) = value { return append(boolean: flag) }
        case .int32:
            switch value {
            case .int(let number): return append(int32: Int32(truncatingIfNeeded: number))
            case .date(let days): return append(int32: days)
            default: break
            }
        case .int64:
            switch value {
            case .int(let number): return append(int64: number)
            case .timestamp(let moment), .timestampTZ(let moment), .time(let moment):
                return append(int64: moment)
            default: break
            }
        case .float64:
            switch value {
            case .float(let number): return append(float64: number)
            case .int(let number): return append(float64: Double(number))
            default: break
            }
        case .int128:
            switch value {
            case .decimal(let unscaled, let scale):
                return append(int128: rescaled(unscaled, from: scale))
            case .uuid(let bits): return append(int128: Int128(truncatingIfNeeded: bits))
            case .int(let number): return append(int128: rescaled(Int128(number), from: 0))
            default: break
            }
        case .text:
            switch value {
            case .text(let text), .json(let text): return append(text: text)
            case .binary(let bytes): return bytes.withUnsafeBytes { append(bytes: $0) }
            default: break
            }
        case .interval:
            if case .interval(let span) = value {
                mark(valid: true)
                intervals.append(span)
                return
            }
        case .list, .map, .structure: return appendNested(value)
        case .null: break
        }
        preconditionFailure("a value that does not fit a \(type.sqlName) column was appended")
    }

    private mutating func appendNested(_ value: Value) {
        switch (layout, value) {
        case (.list, .list(let items)):
            for item in items { children[0].builder.append(item) }
            offsets.append(Int32(children[0].builder.count))
        case (.map, .map(let entries)):
            for entry in entries {
                children[0].builder.append(entry.key)
                children[1].builder.append(entry.value)
            }
            offsets.append(Int32(children[0].builder.count))
        case (.structure, .variant(let metadata, let bytes)) where type == .variant:
            children[0].builder.append(.binary(metadata))
            children[1].builder.append(.binary(bytes))
        case (.structure, .structure(let items)):
            precondition(items.count == children.count, "one value for each member")
            for (child, item) in zip(children, items) { child.builder.append(item) }
        default:
            preconditionFailure("a value that does not fit a \(type.sqlName) column was appended")
        }
        mark(valid: true)
    }

    /// `unscaled` at the column's scale. A larger scale than the column's is rounded half away
    /// from zero, as PostgreSQL does.
    private func rescaled(_ unscaled: Int128, from scale: Int) -> Int128 {
        guard case .decimal(_, let wanted) = type, wanted != scale else { return unscaled }
        if wanted > scale { return (scale..<wanted).reduce(unscaled) { value, _ in value * 10 } }
        let divisor: Int128 = (wanted..<scale).reduce(1) { value, _ in value * 10 }
        let (quotient, remainder) = unscaled.quotientAndRemainder(dividingBy: divisor)
        let rest = abs(remainder)
        // rest ≥ divisor / 2 without the overflow of 2 · rest.
        guard rest >= divisor - rest else { return quotient }
        return quotient + (unscaled < 0 ? -1 : 1)
    }
}

// MARK: Columns

extension ColumnBuilder {
    /// Appends all rows of `column`, whose type must be the same.
    package mutating func append(_ column: Column) {
        if case .null(let count) = column.data {
            for _ in 0..<count { appendNull() }
            return
        }
        let base = rows
        switch (layout, column.data) {
        case (.boolean, .boolean(let more)): flags += more
        case (.int32, .int32(let more)): words32 += more
        case (.int64, .int64(let more)): words64 += more
        case (.float64, .float64(let more)): doubles += more
        case (.int128, .int128(let more)): words128 += more
        case (.text, .text(let more)): texts.append(more)
        case (.text, .dictionary): return append(column.flattened)
        case (.interval, .interval(let more)): intervals += more
        case (.list, .list(let more, let element)):
            appendOffsets(more)
            children[0].builder.append(element.slice(Int(more[0])..<Int(more[more.count - 1])))
        case (.map, .map(let more, let key, let value)):
            appendOffsets(more)
            let range = Int(more[0])..<Int(more[more.count - 1])
            children[0].builder.append(key.slice(range))
            children[1].builder.append(value.slice(range))
        case (.structure, .structure(let members)):
            precondition(members.count == children.count, "structures of one type")
            for (child, member) in zip(children, members) { child.builder.append(member) }
        default: preconditionFailure("a column of another type was appended")
        }
        rows += column.count
        if let more = column.validity {
            if validity == nil { validity = Validity(repeating: true, count: base) }
            validity?.append(more)
        } else {
            validity?.append(repeating: true, count: column.count)
        }
    }

    private mutating func appendOffsets(_ more: [Int32]) {
        let shift = offsets[offsets.count - 1] - more[0]
        offsets.reserveCapacity(offsets.count + more.count)
        for offset in more.dropFirst() { offsets.append(offset + shift) }
    }

    package consuming func finish() -> Column {
        let data: ColumnData
        switch layout {
        case .boolean: data = .boolean(flags)
        case .int32: data = .int32(words32)
        case .int64: data = .int64(words64)
        case .float64: data = .float64(doubles)
        case .int128: data = .int128(words128)
        case .text: data = .text(texts.takeColumn())
        case .interval: data = .interval(intervals)
        case .list: data = .list(offsets: offsets, element: children[0].builder.takeColumn())
        case .map:
            data = .map(
                offsets: offsets, key: children[0].builder.takeColumn(),
                value: children[1].builder.takeColumn())
        case .structure: data = .structure(children.map { $0.builder.takeColumn() })
        case .null: return Column(type: type, data: .null(count: rows))
        }
        return Column(type: type, data: data, validity: validity)
    }

    /// The column so far; the builder starts again, empty.
    package mutating func takeColumn() -> Column {
        var fresh = ColumnBuilder(type)
        swap(&fresh, &self)
        return fresh.finish()
    }
}

extension Column {
    /// A column of `values`, each of which must fit `type`.
    package init(_ type: ColumnType, _ values: [Value]) {
        var builder = ColumnBuilder(type)
        builder.reserveCapacity(values.count)
        for value in values { builder.append(value) }
        self = builder.finish()
    }

    /// `count` times the same value.
    package init(_ type: ColumnType, repeating value: Value, count: Int) {
        let one = Column(type, [value])
        self = one.gather([Int32](repeating: 0, count: count))
    }
}
