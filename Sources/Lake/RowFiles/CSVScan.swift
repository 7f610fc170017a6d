import Base
import Columns

/// The walk over the records of one chunk.
struct CSVScan {
    private let bytes: UnsafeRawBufferPointer
    private let delimiter: UInt8
    private let quote: UInt8
    private let isLast: Bool
    /// Where the next record begins, and its line: behind the last one that was whole.
    private(set) var at: Int
    private(set) var line: Int
    /// Why the walk ended before the end of the chunk.
    private(set) var failure: (line: Int, what: String)?

    init(
        _ bytes: UnsafeRawBufferPointer, at: Int, line: Int, _ options: CSVOptions, isLast: Bool
    ) {
        self.bytes = bytes
        self.at = at
        self.line = line
        self.isLast = isLast
        delimiter = options.delimiter
        quote = options.quote
    }

    /// Reads up to `count` records. One that does not end in the chunk is left for the next.
    mutating func read(_ count: Int, into fields: inout CSVFields) {
        var left = count
        while left > 0, at < bytes.count {
            // A lone CR at the end may have its LF in the next chunk.
            if let skipped = lineBreak(at), fields.columnCount != 1 {
                at += skipped
                line += 1
                continue
            }
            guard let end = record(into: &fields) else {
                fields.dropRow()
                return
            }
            if let expected = fields.columnCount, expected != fields.fieldsInRow {
                let found = fields.fieldsInRow
                failure = (
                    line,
                    "the record has \(found) field\(found == 1 ? "" : "s"), expected \(expected)"
                )
                fields.dropRow()
                return
            }
            fields.endRow(start: at, line: line)
            at = end.position
            line += end.lines
            left -= 1
        }
    }

    /// The bytes of the line break at `position`; nil when there is none.
    @inline(__always)
    private func lineBreak(_ position: Int) -> Int? {
        if bytes[position] == 0x0A { return 1 }
        guard bytes[position] == 0x0D else { return nil }
        if position + 1 < bytes.count { return bytes[position + 1] == 0x0A ? 2 : nil }
        return nil
    }

    /// Whether `position` can't be judged before the next chunk is there.
    @inline(__always)
    private func isCut(_ position: Int) -> Bool {
        !isLast
            && (position >= bytes.count || (bytes[position] == 0x0D && position + 1 == bytes.count))
    }

    /// Takes one record; nil when it is not whole, or wrong.
    private mutating func record(
        into fields: inout CSVFields
    ) -> (position: Int, lines: Int)? {
        var position = at
        var lines = 0
        while true {
            if position < bytes.count, bytes[position] == quote {
                guard let end = quoted(position, &lines, into: &fields) else { return nil }
                position = end
            } else {
                let start = position
                while position < bytes.count {
                    let byte = bytes[position]
                    if byte == delimiter || byte == 0x0A { break }
                    if byte == 0x0D, isCut(position) || lineBreak(position) != nil { break }
                    position += 1
                }
                if isCut(position) { return nil }
                fields.append(
                    UnsafeRawBufferPointer(rebasing: bytes[start..<position]), position: start,
                    isQuoted: false)
            }
            if isCut(position) { return nil }
            if position == bytes.count { return (position, lines) }
            if bytes[position] == delimiter {
                position += 1
                if position == bytes.count, !isLast { return nil }
                continue
            }
            if let count = lineBreak(position) { return (position + count, lines + 1) }
            failure = (line + lines, "a character follows the quote that ends a field")
            return nil
        }
    }

    /// Takes the quoted field at `start`; returns where it ends.
    private mutating func quoted(
        _ start: Int, _ lines: inout Int, into fields: inout CSVFields
    ) -> Int? {
        var position = start + 1
        var pieces = position
        var isDoubled = false
        while position < bytes.count {
            let byte = bytes[position]
            if byte == 0x0A { lines += 1 }
            guard byte == quote else {
                position += 1
                continue
            }
            if position + 1 == bytes.count, !isLast { return nil }
            guard position + 1 < bytes.count, bytes[position + 1] == quote else {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[pieces..<position])
                if isDoubled {
                    fields.appendPiece(rest)
                    fields.endPieces()
                } else {
                    fields.append(rest, position: pieces, isQuoted: true)
                }
                return position + 1
            }
            // One of the two quotes belongs to the text.
            fields.appendPiece(UnsafeRawBufferPointer(rebasing: bytes[pieces...position]))
            isDoubled = true
            position += 2
            pieces = position
        }
        if isLast { failure = (line, "a quote has no end") }
        return nil
    }
}

/// The fields of the records of one chunk, column by column: views into the chunk, or into bytes
/// aside where a doubled quote had to be taken out.
struct CSVFields {
    private struct Fields {
        var views: [TextView] = []
        var nullRows: [Int32] = []
    }

    /// What stands for NULL; nil = nothing does.
    private let null: [UInt8]?
    private(set) var columnCount: Int?
    private var columns: [Fields]
    private var aside: [UInt8] = []
    private var pieceStart = 0
    private(set) var fieldsInRow = 0
    /// Of each row: where it begins in the chunk, and on which line of the file.
    private(set) var starts: [Int] = []
    private(set) var lines: [Int] = []

    init(null: [UInt8]?, columnCount: Int?) {
        self.null = null
        self.columnCount = columnCount
        columns = [Fields](repeating: Fields(), count: columnCount ?? 0)
    }

    var rowCount: Int { starts.count }

    /// A field of more columns than the table has is counted and not kept.
    @inline(__always)
    private mutating func add(_ view: TextView, isNull: Bool) {
        let column = fieldsInRow
        fieldsInRow += 1
        if column == columns.count {
            guard columnCount == nil else { return }
            columns.append(Fields())
        }
        guard column < columns.count else { return }
        if isNull { columns[column].nullRows.append(Int32(rowCount)) }
        columns[column].views.append(view)
    }

    @inline(__always)
    mutating func append(_ field: UnsafeRawBufferPointer, position: Int, isQuoted: Bool) {
        let isNull =
            !isQuoted && null.map { $0.count == field.count && field.elementsEqual($0) } ?? false
        add(TextView(field, buffer: 0, position: position), isNull: isNull)
    }

    mutating func appendPiece(_ piece: UnsafeRawBufferPointer) {
        aside.append(contentsOf: piece)
    }

    mutating func endPieces() {
        let range = pieceStart..<aside.count
        pieceStart = aside.count
        let view = aside.withUnsafeBytes { bytes in
            TextView(
                UnsafeRawBufferPointer(rebasing: bytes[range]), buffer: 1,
                position: range.lowerBound)
        }
        add(view, isNull: false)
    }

    mutating func endRow(start: Int, line: Int) {
        columnCount = fieldsInRow
        fieldsInRow = 0
        starts.append(start)
        lines.append(line)
    }

    /// Takes back the fields of a row that did not end.
    mutating func dropRow() {
        if columnCount == nil { columns = [] }
        for index in columns.indices where columns[index].views.count > rowCount {
            columns[index].views.removeLast()
            if columns[index].nullRows.last == Int32(rowCount) {
                columns[index].nullRows.removeLast()
            }
        }
        aside.removeSubrange(pieceStart...)
        fieldsInRow = 0
    }

    func batch(of chunk: Bytes) -> CSVReader.Batch {
        let buffers = [chunk, Bytes(aside)]
        let texts = columns.map { fields in
            var validity: Validity?
            if !fields.nullRows.isEmpty {
                var bits = Validity(repeating: true, count: rowCount)
                for row in fields.nullRows { bits.set(Int(row), false) }
                validity = bits
            }
            return Column(
                type: .text, data: .text(TextColumn(views: fields.views, buffers: buffers)),
                validity: validity)
        }
        return CSVReader.Batch(columns: texts, lines: lines)
    }
}
