// What the fuzzer of JSON runs. The function must return for every input, and traps when an
// invariant breaks.

import Base
import Columns

/// Reads `bytes` as one JSON document, and its lines as the payloads of a topic.
package func exerciseJSON(_ bytes: Bytes) {
    if let value = try? JSONValue(parsing: bytes) {
        let again = try? JSONValue(parsing: value.serialized())
        precondition(again == value, "a document that was written reads as the same")
        let indented = try? JSONValue(parsing: value.pretty())
        precondition(indented == value, "indentation changes nothing")
        _ = (value.intValue, value.doubleValue, value["a"])
    }
    exerciseRows(bytes)
}

/// The lines, decoded into columns of every kind, whole and line by line.
private func exerciseRows(_ bytes: Bytes) {
    let fields = [
        Field("a", .text), Field("b", .int32), Field("c", .float64), Field("d", .boolean),
        Field("e", .timestampTZ), Field("f", .json), Field("g", .decimal(precision: 10, scale: 2)),
        Field("h", .date), Field("i", .int64), Field("j", .uuid), Field("k", .timestamp),
        Field("l", .int16), Field("m", .float32),
    ]
    let lines = lines(of: bytes)
    var decoder = JSONRowDecoder(fields: fields)
    for line in lines { decoder.append(line) }
    precondition(decoder.rowCount == lines.count, "each payload is one row")
    let errors = decoder.errors
    precondition(errors.allSatisfy { $0.row < lines.count }, "an error names its row")
    let columns = decoder.finish()
    for column in columns {
        precondition(column.count == lines.count, "each column has all rows")
    }
    // What is predicted from the rows before must not change what a row means.
    for (row, line) in lines.enumerated() {
        var alone = JSONRowDecoder(fields: fields, takesShortcuts: false)
        alone.append(line)
        let messages = alone.errors.map(\.message)
        precondition(
            errors.filter { $0.row == row }.map(\.message) == messages, "errors are the row's own")
        let singles = alone.finish()
        for (column, single) in zip(columns, singles) {
            precondition(
                isSame(column.value(row), single.value(0)), "values are the row's own")
        }
        let isObject = (try? JSONValue(parsing: line))?.members != nil
        precondition(
            !isObject || !messages.contains { $0.hasPrefix("the payload") },
            "both parsers take the same objects")
    }
}

private func isSame(_ left: Value, _ right: Value) -> Bool {
    if case .float(let a) = left, case .float(let b) = right, a.isNaN { return b.isNaN }
    return left == right
}

/// At most 64 lines, all of one storage as the payloads of a batch are.
private func lines(of bytes: Bytes) -> [Bytes] {
    var lines: [Bytes] = []
    var start = 0
    for position in 0..<bytes.count where bytes[position] == 0x0A && lines.count < 63 {
        lines.append(bytes[start..<position])
        start = position + 1
    }
    lines.append(bytes[start..<bytes.count])
    return lines
}
