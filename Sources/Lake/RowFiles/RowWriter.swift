import Base
import Columns
import Engine

/// Rows as the bytes of a file, batch after batch.
package struct RowWriter {
    private let form: RowFileForm
    private let fields: [Field]
    /// `"name":` of each column.
    private let keys: [Bytes]

    package init(_ form: RowFileForm, fields: [Field]) throws(Problem) {
        if case .csv(let options) = form { try options.check() }
        self.form = form
        self.fields = fields
        keys = fields.map { field in
            var key = ByteWriter(capacity: 32)
            writeJSONString(field.name, to: &key)
            key.uint8(0x3A)
            return key.finish()
        }
    }

    /// The bytes that stand before the rows: the header of a CSV file.
    package func head() -> Bytes {
        guard case .csv(let options) = form, options.hasHeader else { return .empty }
        var output = ByteWriter()
        for (index, field) in fields.enumerated() {
            if index > 0 { output.uint8(options.delimiter) }
            // The names are no values: one that looks like NULL needs no quotes.
            field.name.withContiguousBytes { appendField($0, options, isText: false, to: &output) }
        }
        output.uint8(0x0A)
        return output.finish()
    }

    package func rows(_ batch: ColumnBatch) -> Bytes {
        switch form {
        case .csv(let options): csv(batch, options)
        case .json: json(batch)
        }
    }

    // MARK: CSV

    private func csv(_ batch: ColumnBatch, _ options: CSVOptions) -> Bytes {
        let texts = batch.columns.map { Self.texts(of: $0) }
        let null = Array(options.null.utf8)
        var output = ByteWriter(capacity: batch.rowCount * fields.count * 8)
        for row in 0..<batch.rowCount {
            for (index, text) in texts.enumerated() {
                if index > 0 { output.uint8(options.delimiter) }
                if batch.columns[index].isNull(row) {
                    output.bytes(null)
                } else {
                    text.withBytes(row) { appendField($0, options, isText: true, to: &output) }
                }
            }
            output.uint8(0x0A)
        }
        return output.finish()
    }

    /// As people and programs outside of PostgreSQL write them: true and false in full.
    private static func texts(of column: Column) -> TextColumn {
        var column = column
        if case .boolean(let flags) = column.data {
            var builder = TextBuilder()
            for flag in flags { builder.append(flag != 0 ? "true" : "false") }
            return builder.finish()
        }
        column = textForms(column)
        switch column.data {
        case .text(let texts): return texts
        case .dictionary(let codes, let values):
            return values.gather(codes)
        default: return TextColumn(views: [TextView](repeating: .empty, count: column.count))
        }
    }

    private func appendField(
        _ text: UnsafeRawBufferPointer, _ options: CSVOptions, isText: Bool,
        to output: inout ByteWriter
    ) {
        let needsQuotes =
            (isText && text.elementsEqual(options.null.utf8))
            || text.contains { byte in
                byte == options.delimiter || byte == options.quote || byte == 0x0A || byte == 0x0D
            }
        guard needsQuotes else {
            output.bytes(text)
            return
        }
        output.uint8(options.quote)
        for byte in text {
            if byte == options.quote { output.uint8(byte) }
            output.uint8(byte)
        }
        output.uint8(options.quote)
    }

    // MARK: JSON lines

    private func json(_ batch: ColumnBatch) -> Bytes {
        let forms = batch.columns.map { JSONForm($0) }
        var output = ByteWriter(capacity: batch.rowCount * fields.count * 16)
        for row in 0..<batch.rowCount {
            output.uint8(0x7B)
            for index in forms.indices {
                if index > 0 { output.uint8(0x2C) }
                output.bytes(keys[index])
                forms[index].append(row, to: &output)
            }
            output.uint8(0x7D)
            output.uint8(0x0A)
        }
        return output.finish()
    }
}

/// The rows of a batch as JSON arrays.
package struct JSONRowWriter {
    private let forms: [JSONForm]

    package init(_ batch: ColumnBatch) { forms = batch.columns.map { JSONForm($0) } }

    package func array(_ row: Int, to output: inout ByteWriter) {
        output.uint8(0x5B)
        for index in forms.indices {
            if index > 0 { output.uint8(0x2C) }
            forms[index].append(row, to: &output)
        }
        output.uint8(0x5D)
    }
}

/// How the values of one column of a batch are written in JSON.
private struct JSONForm {
    private enum Kind { case raw, quoted, general }

    private let column: Column
    private let texts: TextColumn
    private let kind: Kind

    init(_ column: Column) {
        self.column = column
        switch column.type {
        case .int16, .int32, .int64, .decimal: kind = .raw
        case .text, .date, .uuid: kind = .quoted
        default: kind = .general
        }
        switch kind == .general ? .null(count: 0) : textForms(column).data {
        case .text(let texts): self.texts = texts
        case .dictionary(let codes, let values): texts = values.gather(codes)
        default: texts = TextColumn()
        }
    }

    func append(_ row: Int, to output: inout ByteWriter) {
        if column.isNull(row) {
            output.utf8("null")
            return
        }
        switch kind {
        case .raw: texts.withBytes(row) { output.bytes($0) }
        case .quoted: texts.withBytes(row) { writeJSONString(utf8: $0, to: &output) }
        case .general:
            jsonForm(column, row).write(to: &output)
        }
    }
}

extension String {
    fileprivate func withContiguousBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
        var copy = self
        copy.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}
