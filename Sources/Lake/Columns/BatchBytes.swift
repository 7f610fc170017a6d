// Batches as bytes, for rows that leave the memory while one operation runs. Not a format to keep:
// the machine's byte order, and readers know the types.
//
// | part | bytes |
// |---|---|
// | rows of the batch | 4 |
// | for each column: kind of layout | 1 |
// | 1 when there is a validity | 1 |
// | words of the validity, if there is one | 8 each |
// | values: a count and fixed-width values; of texts the views and one buffer behind a count |
// | of lists and maps the offsets, then their elements as columns; of structures the members |

import Base

extension ColumnBatch {
    /// The rows as bytes, texts gathered from whatever buffers they are views of.
    package func encoded() -> Bytes {
        var writer = ByteWriter(capacity: 4096)
        writer.uint32LE(UInt32(rowCount))
        for column in columns { column.encode(into: &writer) }
        return writer.finish()
    }

    /// The rows of columns of `types` that `encoded` made `bytes` of. Long texts stay views of
    /// `bytes`.
    package init(decoding bytes: Bytes, types: [ColumnType]) throws(DecodeFailure) {
        var reader = ByteReader(bytes)
        let rowCount = Int(try reader.uint32LE())
        var columns: [Column] = []
        for type in types {
            columns.append(try Column(decoding: &reader, type, count: rowCount, depth: 0))
        }
        guard reader.position == bytes.count else {
            throw .malformed("bytes behind the last column", position: reader.position)
        }
        self.init(columns: columns, rowCount: rowCount)
    }
}

private enum LayoutKind: UInt8 {
    case boolean, int32, int64, float64, int128, interval, text, list, structure, map, null
}

extension Column {
    fileprivate func encode(into writer: inout ByteWriter) {
        func begin(_ kind: LayoutKind) {
            writer.uint8(kind.rawValue)
            writer.uint8(validity == nil ? 0 : 1)
            if let validity { writer.values(validity.words) }
        }
        switch data {
        case .boolean(let values):
            begin(.boolean)
            writer.values(values)
        case .int32(let values):
            begin(.int32)
            writer.values(values)
        case .int64(let values):
            begin(.int64)
            writer.values(values)
        case .float64(let values):
            begin(.float64)
            writer.values(values)
        case .int128(let values):
            begin(.int128)
            writer.values(values)
        case .interval(let values):
            begin(.interval)
            for value in values {
                writer.int32LE(value.months)
                writer.int32LE(value.days)
                writer.int64LE(value.microseconds)
            }
        case .text(let values):
            begin(.text)
            values.encode(into: &writer)
        case .dictionary:
            // Codes would carry the whole dictionary with every few rows.
            flattened.encode(into: &writer)
        case .list(let offsets, let element):
            begin(.list)
            let first = offsets[0]
            writer.values(offsets.map { $0 - first })
            element.slice(Int(first)..<Int(offsets[offsets.count - 1])).encode(into: &writer)
        case .map(let offsets, let key, let value):
            begin(.map)
            let range = Int(offsets[0])..<Int(offsets[offsets.count - 1])
            writer.values(offsets.map { $0 - offsets[0] })
            key.slice(range).encode(into: &writer)
            value.slice(range).encode(into: &writer)
        case .structure(let members):
            begin(.structure)
            writer.uint32LE(UInt32(members.count))
            for member in members { member.encode(into: &writer) }
        case .null: begin(.null)
        }
    }

    fileprivate init(
        decoding reader: inout ByteReader, _ type: ColumnType, count: Int, depth: Int
    ) throws(DecodeFailure) {
        guard depth <= Limits.nestingDepth else {
            throw .malformed("columns nested too deeply", position: reader.position)
        }
        let code = try reader.uint8()
        guard let kind = LayoutKind(rawValue: code) else {
            throw .invalid(what: "layout", value: Int64(code), position: reader.position)
        }
        var validity: Validity?
        if try reader.uint8() == 1 {
            let words: [UInt64] = try reader.values((count + 63) / 64)
            validity = Validity(words: words, count: count)
        }
        let data: ColumnData
        switch kind {
        case .boolean: data = .boolean(try reader.values(count))
        case .int32: data = .int32(try reader.values(count))
        case .int64: data = .int64(try reader.values(count))
        case .float64: data = .float64(try reader.values(count))
        case .int128: data = .int128(try reader.values(count))
        case .interval:
            var values: [Interval] = []
            try reader.require(count * 16)
            values.reserveCapacity(count)
            for _ in 0..<count {
                values.append(
                    Interval(
                        months: try reader.int32LE(), days: try reader.int32LE(),
                        microseconds: try reader.int64LE()))
            }
            data = .interval(values)
        case .text: data = .text(try TextColumn(decoding: &reader, count: count))
        case .list:
            let (offsets, elements) = try Self.offsets(&reader, count)
            guard case .list(let inner) = type else {
                throw .malformed("a list where none is", position: reader.position)
            }
            data = .list(
                offsets: offsets,
                element: try Column(decoding: &reader, inner, count: elements, depth: depth + 1))
        case .map:
            let (offsets, elements) = try Self.offsets(&reader, count)
            guard case .map(let keys, let values) = type else {
                throw .malformed("a map where none is", position: reader.position)
            }
            let key = try Column(decoding: &reader, keys, count: elements, depth: depth + 1)
            let value = try Column(decoding: &reader, values, count: elements, depth: depth + 1)
            data = .map(offsets: offsets, key: key, value: value)
        case .structure:
            let members: [ColumnType]
            switch type {
            case .structure(let fields): members = fields.map(\.type)
            case .variant: members = [.binary, .binary]
            default: throw .malformed("a structure where none is", position: reader.position)
            }
            guard Int(try reader.uint32LE()) == members.count else {
                throw .malformed("another number of members", position: reader.position)
            }
            var columns: [Column] = []
            for member in members {
                columns.append(
                    try Column(decoding: &reader, member, count: count, depth: depth + 1))
            }
            data = .structure(columns)
        case .null: data = .null(count: count)
        }
        self.init(type: type, data: data, validity: validity)
    }

    private static func offsets(
        _ reader: inout ByteReader, _ count: Int
    ) throws(DecodeFailure) -> ([Int32], Int) {
        let offsets: [Int32] = try reader.values(count + 1)
        var last: Int32 = 0
        for offset in offsets {
            guard offset >= last else {
                throw .malformed("offsets that fall", position: reader.position)
            }
            last = offset
        }
        return (offsets, Int(last))
    }
}

extension TextColumn {
    fileprivate func encode(into writer: inout ByteWriter) {
        var longBytes = 0
        for view in views where !view.isInline { longBytes += view.count }
        writer.uint32LE(UInt32(clamping: longBytes))
        var position = 0
        var moved: [TextView] = []
        moved.reserveCapacity(views.count)
        for view in views {
            if view.isInline {
                moved.append(view)
                continue
            }
            moved.append(
                TextView(low: view.low, high: UInt64(UInt32(truncatingIfNeeded: position)) << 32))
            position += view.count
        }
        writer.values(moved)
        writer.reserve(longBytes)
        for view in views where !view.isInline { withBytes(of: view) { writer.bytes($0) } }
    }

    fileprivate init(decoding reader: inout ByteReader, count: Int) throws(DecodeFailure) {
        let longBytes = Int(try reader.uint32LE())
        let views: [TextView] = try reader.values(count)
        let buffer = try reader.slice(longBytes)
        for view in views where !view.isInline {
            guard view.buffer == 0, view.count <= longBytes - view.position else {
                throw .malformed("a text outside of its buffer", position: reader.position)
            }
        }
        self.init(views: views, buffers: longBytes == 0 ? [] : [buffer])
    }
}

// Unsafe, in the two functions below: arrays of types without references are read and written as the
// bytes that they are. Sound because `T` is trivial and the counts are checked before.

extension ByteWriter {
    fileprivate mutating func values<T: BitwiseCopyable>(_ values: [T]) {
        values.withUnsafeBytes { bytes($0) }
    }
}

extension ByteReader {
    fileprivate mutating func values<T: BitwiseCopyable>(
        _ count: Int
    ) throws(DecodeFailure) -> [T] {
        let (size, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<T>.stride)
        guard !overflow else { throw .malformed("too many values", position: position) }
        let source = try slice(size)
        return [T](unsafeUninitializedCapacity: count) { target, initialized in
            source.withUnsafeBytes { UnsafeMutableRawBufferPointer(target).copyMemory(from: $0) }
            initialized = count
        }
    }
}
