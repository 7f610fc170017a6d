import Base
import Columns
import Engine

/// Rows as an Arrow IPC stream: the schema, then a message for each batch, then the end. Columns are
/// in Arrow's layout already; texts are copied behind each other, because not every reader knows
/// views yet, and dictionary codes are resolved.
package struct ArrowStreamWriter {
    private let fields: [Field]

    package init(fields: [Field]) { self.fields = fields }

    /// The bytes in front of the rows.
    package func head() -> Bytes { Bytes(ArrowMessages.schema(fields)) }

    /// The bytes behind the rows.
    package func tail() -> Bytes { Bytes(ArrowMessages.endOfStream) }

    /// One batch as a message. Throws 54000 when a column has more than two gigabytes, 22008 for an
    /// interval that has no nanoseconds.
    package func rows(_ batch: ColumnBatch) throws(Problem) -> Bytes {
        var body = ArrowBody()
        for column in batch.columns { try body.append(column) }
        var frame = ByteWriter(capacity: body.writer.count + 512)
        frame.bytes(
            ArrowMessages.recordBatch(
                rows: batch.rowCount, nodes: body.nodes, buffers: body.buffers,
                bodyBytes: body.writer.count))
        body.writer.withUnsafeBytes { frame.bytes($0) }
        return frame.finish()
    }
}

/// The buffers of one record batch, one behind the other.
private struct ArrowBody: ~Copyable {
    var writer = ByteWriter(capacity: 64 << 10)
    var nodes: [Int64] = []
    var buffers: [Int64] = []

    /// A buffer of what `write` writes, padded to 8 bytes.
    private mutating func buffer(_ write: (inout ByteWriter) -> Void) {
        let start = writer.count
        write(&writer)
        let count = writer.count - start
        writer.zeros((8 - count % 8) % 8)
        buffers.append(Int64(start))
        buffers.append(Int64(count))
    }

    private mutating func values<Element: BitwiseCopyable>(_ values: [Element]) {
        buffer { writer in values.withUnsafeBytes { writer.bytes($0) } }
    }

    /// A bit for each row; an empty buffer when no row is NULL.
    private mutating func validity(of column: Column) {
        guard let validity = column.validity, validity.nullCount > 0 else {
            buffer { _ in }
            return
        }
        buffer { writer in
            validity.words.withUnsafeBytes {
                writer.bytes(UnsafeRawBufferPointer(rebasing: $0[0..<(validity.count + 7) / 8]))
            }
        }
    }

    private mutating func node(_ column: Column) {
        nodes.append(Int64(column.count))
        nodes.append(Int64(column.nullCount))
    }

    mutating func append(_ column: Column) throws(Problem) {
        if case .null(let count) = column.data, column.type != .null {
            // A column of a type that has no value yet.
            return try append(
                Column(column.type, [Value](repeating: .null, count: count)))
        }
        if column.type == .variant {
            let texts = (0..<column.count).map { row -> Value in
                column.isNull(row)
                    ? .null : .json(jsonForm(column.value(row), .variant).text)
            }
            return try append(Column(.json, texts))
        }
        node(column)
        if column.type == .null { return }
        validity(of: column)
        switch column.data {
        case .boolean(let flags): bits(flags)
        case .int32(let numbers):
            if column.type == .int16 {
                values(numbers.map { Int16(truncatingIfNeeded: $0) })
            } else {
                values(numbers)
            }
        case .int64(let numbers): values(numbers)
        case .float64(let numbers):
            if column.type == .float32 {
                values(numbers.map { Float($0) })
            } else {
                values(numbers)
            }
        case .int128(let numbers):
            if column.type == .uuid {
                values(numbers.map { UInt128(truncatingIfNeeded: $0).bigEndian })
            } else {
                values(numbers)
            }
        case .text(let texts): try append(texts)
        case .dictionary:
            guard case .text(let texts) = column.flattened.data else { return }
            try append(texts)
        case .interval(let intervals): try append(intervals, column)
        case .list(let offsets, let element):
            try append(try rebased(offsets, [element]).first ?? element)
        case .map(let offsets, let key, let value):
            let pair = try rebased(offsets, [key, value])
            nodes.append(Int64(pair[0].count))
            nodes.append(0)
            buffer { _ in }
            for column in pair { try append(column) }
        case .structure(let members): for member in members { try append(member) }
        case .null: break
        }
    }

    private mutating func bits(_ flags: [UInt8]) {
        buffer { writer in
            var (byte, used): (UInt8, UInt8) = (0, 0)
            for flag in flags {
                byte |= (flag & 1) << used
                used += 1
                if used == 8 {
                    writer.uint8(byte)
                    (byte, used) = (0, 0)
                }
            }
            if used > 0 { writer.uint8(byte) }
        }
    }

    private mutating func append(_ texts: TextColumn) throws(Problem) {
        var offsets: [Int32] = [0]
        offsets.reserveCapacity(texts.count + 1)
        var total = 0
        for view in texts.views {
            total += view.count
            guard let end = Int32(exactly: total) else {
                throw Problem(
                    "54000", "a column of a batch has more than two gigabytes of text",
                    hint: "ask for fewer columns, or for a part of the texts")
            }
            offsets.append(end)
        }
        values(offsets)
        buffer { writer in
            writer.reserve(total)
            for row in 0..<texts.count { texts.withBytes(row) { writer.bytes($0) } }
        }
    }

    /// Months and days of 32 bits, nanoseconds of 64.
    private mutating func append(_ intervals: [Interval], _ column: Column) throws(Problem) {
        var nanoseconds: [Int64] = []
        for (row, interval) in intervals.enumerated() {
            let (product, overflow) = interval.microseconds.multipliedReportingOverflow(by: 1000)
            guard !overflow || column.isNull(row) else {
                throw Problem(
                    "22008", "interval out of range",
                    notes: ["Arrow counts nanoseconds, up to 292 years"],
                    hint: "cast it to text")
            }
            nanoseconds.append(overflow ? 0 : product)
        }
        buffer { writer in
            for (interval, nanoseconds) in zip(intervals, nanoseconds) {
                writer.int32LE(interval.months)
                writer.int32LE(interval.days)
                writer.int64LE(nanoseconds)
            }
        }
    }

    /// Writes offsets that begin with 0, and gives the elements that they are about.
    private mutating func rebased(
        _ offsets: [Int32], _ elements: [Column]
    ) throws(Problem) -> [Column] {
        let (first, last) = (offsets.first ?? 0, offsets.last ?? 0)
        values(first == 0 ? offsets : offsets.map { $0 - first })
        return elements.map { $0.slice(Int(first)..<Int(last)) }
    }
}
