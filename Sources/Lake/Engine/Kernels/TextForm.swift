// Values as PostgreSQL writes them, row by row into a byte array.

import Base
import Columns

enum TextForm {
    /// Appends row `row` of `column`, which must not be NULL.
    static func append(_ column: Column, _ row: Int, to output: inout [UInt8]) {
        switch column.data {
        case .boolean(let values): output.append(values[row] != 0 ? 0x74 : 0x66)
        case .int32(let values):
            if column.type == .date {
                output += DateTimeText.date(values[row]).utf8
            } else {
                append(Int64(values[row]), to: &output)
            }
        case .int64(let values):
            switch column.type {
            case .time: DateTimeText.append(time: values[row], to: &output)
            case .timestamp:
                output += DateTimeText.timestampBytes(values[row], withZone: false)
            case .timestampTZ:
                output += DateTimeText.timestampBytes(values[row], withZone: true)
            default: append(values[row], to: &output)
            }
        case .float64(let values):
            let value = values[row]
            output +=
                (column.type == .float32 ? NumberText.float32(value) : NumberText.float64(value))
                .utf8
        case .int128(let values):
            if case .decimal(_, let scale) = column.type {
                output += NumberText.decimal(values[row], scale: scale).utf8
            } else {
                append(uuid: UInt128(truncatingIfNeeded: values[row]), to: &output)
            }
        case .text(let values): append(values, row, column.type, to: &output)
        case .dictionary(let codes, let values):
            append(values, Int(codes[row]), column.type, to: &output)
        case .interval(let values): output += IntervalText.text(values[row]).utf8
        case .list(let offsets, let element):
            appendList(element, Int(offsets[row])..<Int(offsets[row + 1]), to: &output)
        case .structure(let members):
            if case .variant(let metadata, let value) = column.value(row) {
                output += variantForm(metadata, value).text.utf8
            } else {
                appendRecord(members, row, to: &output)
            }
        case .map(let offsets, let key, let value):
            JSONForm.append(
                map: key, value, Int(offsets[row])..<Int(offsets[row + 1]), to: &output)
        case .null: break
        }
    }

    private static func append(
        _ values: TextColumn, _ row: Int, _ type: ColumnType, to output: inout [UInt8]
    ) {
        values.withBytes(row) { bytes in
            if type == .binary {
                append(hexadecimal: bytes, to: &output)
            } else {
                output += bytes
            }
        }
    }

    static func append(_ number: Int64, to output: inout [UInt8]) {
        if number < 0 { output.append(0x2D) }
        var rest = number.magnitude
        let start = output.count
        repeat {
            output.append(0x30 + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        output[start...].reverse()
    }

    static func append(uuid: UInt128, to output: inout [UInt8]) {
        for digit in 0..<32 {
            if digit == 8 || digit == 12 || digit == 16 || digit == 20 { output.append(0x2D) }
            let nibble = UInt8(truncatingIfNeeded: uuid >> UInt128(124 - digit * 4)) & 0xF
            output.append(Hexadecimal.digit(nibble))
        }
    }

    static func append(hexadecimal bytes: some Sequence<UInt8>, to output: inout [UInt8]) {
        output += [0x5C, 0x78]
        Hexadecimal.append(bytes, to: &output)
    }

    /// `{1,NULL,"a b"}`
    private static func appendList(
        _ element: Column, _ rows: Range<Int>, to output: inout [UInt8]
    ) {
        output.append(0x7B)
        for row in rows {
            if row > rows.lowerBound { output.append(0x2C) }
            if element.isNull(row) {
                output += "NULL".utf8
                continue
            }
            let start = output.count
            append(element, row, to: &output)
            if case .list = element.type { continue }
            let text = Array(output[start...])
            let isSpecial =
                text.isEmpty || text.count == 4 && text.map({ $0 & 0xDF }) == Array("NULL".utf8)
                || text.contains {
                    $0 == 0x7B || $0 == 0x7D || $0 == 0x2C || $0 == 0x22 || $0 == 0x5C
                        || NumberText.isSpace($0)
                }
            if isSpecial {
                output.removeLast(text.count)
                appendQuoted(text, doublesQuotes: false, to: &output)
            }
        }
        output.append(0x7D)
    }

    /// `(1,,"a b")`
    private static func appendRecord(
        _ members: [Column], _ row: Int, to output: inout [UInt8]
    ) {
        output.append(0x28)
        for (index, member) in members.enumerated() {
            if index > 0 { output.append(0x2C) }
            if member.isNull(row) { continue }
            let start = output.count
            append(member, row, to: &output)
            let text = Array(output[start...])
            let isSpecial =
                text.isEmpty
                || text.contains {
                    $0 == 0x28 || $0 == 0x29 || $0 == 0x2C || $0 == 0x22 || $0 == 0x5C
                        || NumberText.isSpace($0)
                }
            if isSpecial {
                output.removeLast(text.count)
                appendQuoted(text, doublesQuotes: true, to: &output)
            }
        }
        output.append(0x29)
    }

    private static func appendQuoted(
        _ text: [UInt8], doublesQuotes: Bool, to output: inout [UInt8]
    ) {
        output.append(0x22)
        for byte in text {
            if byte == 0x22 { output.append(doublesQuotes ? 0x22 : 0x5C) }
            if byte == 0x5C { output.append(0x5C) }
            output.append(byte)
        }
        output.append(0x22)
    }

    /// The rows of `argument` as texts.
    static func column(_ argument: Vector, count: Int) -> Column {
        let valid = argument.validityFor(count)
        let source = argument.column
        var sink = TextSink(capacity: count)
        var scratch: [UInt8] = []
        for row in 0..<count {
            guard valid?[row] ?? true else {
                sink.appendEmpty()
                continue
            }
            scratch.removeAll(keepingCapacity: true)
            append(source, row, to: &scratch)
            sink.append(scratch)
        }
        return Column(type: .text, data: .text(sink.finish()), validity: valid)
    }
}

/// Values as JSON, as PostgreSQL's `to_jsonb` makes it.
enum JSONForm {
    static func append(_ column: Column, _ row: Int, to output: inout [UInt8]) {
        if column.isNull(row) {
            output += "null".utf8
            return
        }
        switch column.data {
        case .boolean(let values): output += (values[row] != 0 ? "true" : "false").utf8
        case .int32 where column.type == .date:
            output.append(0x22)
            TextForm.append(column, row, to: &output)
            output.append(0x22)
        case .int64(let values) where column.type == .timestamp || column.type == .timestampTZ:
            output.append(0x22)
            output +=
                DateTimeText.isoTimestamp(values[row], withZone: column.type == .timestampTZ)
                .utf8
            output.append(0x22)
        case .int64 where column.type == .time:
            output.append(0x22)
            TextForm.append(column, row, to: &output)
            output.append(0x22)
        case .int32, .int64: TextForm.append(column, row, to: &output)
        case .float64(let values):
            if !values[row].isFinite {
                output.append(0x22)
                TextForm.append(column, row, to: &output)
                output.append(0x22)
                return
            }
            appendFloat(column, row, to: &output)
        case .int128:
            if case .decimal = column.type {
                TextForm.append(column, row, to: &output)
            } else {
                output.append(0x22)
                TextForm.append(column, row, to: &output)
                output.append(0x22)
            }
        case .text, .dictionary, .interval:
            if column.type == .json {
                TextForm.append(column, row, to: &output)
                return
            }
            var text: [UInt8] = []
            TextForm.append(column, row, to: &text)
            JSONText.append(string: text, to: &output)
        case .list(let offsets, let element):
            output.append(0x5B)
            for inner in offsets[row]..<offsets[row + 1] {
                if inner > offsets[row] { output += [0x2C, 0x20] }
                append(element, Int(inner), to: &output)
            }
            output.append(0x5D)
        case .structure where column.type == .variant:
            guard case .variant(let metadata, let bytes) = column.value(row) else { return }
            output += variantForm(metadata, bytes).text.utf8
        case .structure(let members):
            guard case .structure(let fields) = column.type else { return }
            var pieces: [(String, [UInt8])] = []
            for (field, member) in zip(fields, members) {
                var text: [UInt8] = []
                append(member, row, to: &text)
                pieces.append((field.name, text))
            }
            append(members: pieces, to: &output)
        case .map(let offsets, let key, let value):
            append(map: key, value, Int(offsets[row])..<Int(offsets[row + 1]), to: &output)
        case .null: output += "null".utf8
        }
    }

    /// Floats print without exponent in jsonb, whose numbers are numerics.
    private static func appendFloat(_ column: Column, _ row: Int, to output: inout [UInt8]) {
        var text: [UInt8] = []
        TextForm.append(column, row, to: &text)
        guard text.contains(0x65) else {
            output += text
            return
        }
        let normal = text.withUnsafeBufferPointer { buffer -> [UInt8] in
            do {
                return try JSONNormalizer.normalize(UnsafeRawBufferPointer(buffer))
            } catch {
                return Array(buffer)
            }
        }
        output += normal
    }

    /// A map as an object; keys that are not texts are written as such.
    static func append(
        map key: Column, _ value: Column, _ rows: Range<Int>, to output: inout [UInt8]
    ) {
        var pieces: [(String, [UInt8])] = []
        for row in rows {
            var name: [UInt8] = []
            if !key.isNull(row) { TextForm.append(key, row, to: &name) }
            var text: [UInt8] = []
            append(value, row, to: &text)
            pieces.append((String(decoding: name, as: UTF8.self), text))
        }
        append(members: pieces, to: &output)
    }

    /// An object in normal form: shorter keys first, then bytewise; of equal keys the last wins.
    static func append(members: [(String, [UInt8])], to output: inout [UInt8]) {
        let order = members.indices.sorted { left, right in
            let (a, b) = (members[left].0, members[right].0)
            if a.utf8.count != b.utf8.count { return a.utf8.count < b.utf8.count }
            let difference = ValueOrder.bytes(a, b)
            return difference == 0 ? left < right : difference < 0
        }
        output.append(0x7B)
        var isFirst = true
        for (place, index) in order.enumerated() {
            if place + 1 < order.count,
                ValueOrder.bytes(members[order[place + 1]].0, members[index].0) == 0
            {
                continue
            }
            if !isFirst { output += [0x2C, 0x20] }
            isFirst = false
            JSONText.append(string: members[index].0.utf8, to: &output)
            output += [0x3A, 0x20]
            output += members[index].1
        }
        output.append(0x7D)
    }
}
