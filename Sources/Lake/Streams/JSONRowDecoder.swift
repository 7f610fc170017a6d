// The payload of a topic's records (one JSON object each) into columns with declared types.
//
// Most records of a topic name the same keys in the same order, so the decoder predicts each key
// from the record before it and only compares bytes; a record that surprises it takes the slower
// search by name, and nothing else changes. Texts without escapes become views over the received
// bytes: nothing is copied and nothing is allocated for a record.

import Base
import Columns

#if canImport(Glibc)
    import Glibc
#endif

/// Turns JSON objects into columns. A payload that is no JSON object gives a row of NULLs and an
/// entry in `errors`; a member that does not fit its column's type gives NULL and an entry.
package struct JSONRowDecoder {
    private var sinks: [ColumnSink]
    /// The column of the n-th key of the previous record; -1 = a key that no column wants.
    private var predicted: [Prediction] = []
    private var buffers: [Bytes] = []
    private var rows = 0
    /// The row in which a column was last given a value.
    private var filledRow: [Int]
    package private(set) var errors: [RowError] = []

    /// Why row `row` could not be decoded as declared.
    package struct RowError: Equatable, Sendable {
        package var row: Int
        package var message: String

        package init(row: Int, message: String) {
            self.row = row
            self.message = message
        }
    }

    private struct Prediction {
        var key: [UInt8]
        var column: Int
    }

    package init(fields: [Field]) {
        sinks = fields.map { ColumnSink($0) }
        filledRow = [Int](repeating: -1, count: fields.count)
    }

    package var rowCount: Int { rows }

    /// Decodes one payload; nil (a tombstone) gives a row of NULLs without an error.
    package mutating func append(_ payload: Bytes?) {
        defer { finishRow() }
        guard let payload else { return }
        if buffers.last.map({ $0.storage === payload.storage }) != true {
            buffers.append(
                Bytes(storage: payload.storage, start: 0, count: payload.storage.count))
        }
        let failure = payload.withUnsafeBytes { raw -> String? in
            guard isValidUTF8(raw) else { return "the payload is not valid UTF-8" }
            var scanner = JSONScanner(raw, base: payload.start)
            return decodeObject(&scanner)
        }
        if let failure {
            forgetRow()
            errors.append(RowError(row: rows, message: failure))
        }
    }

    /// The columns in declared order; the decoder starts again from no rows.
    package mutating func finish() -> [Column] {
        defer {
            rows = 0
            buffers = []
            errors = []
            for index in filledRow.indices { filledRow[index] = -1 }
        }
        return sinks.indices.map { sinks[$0].finish(buffers: buffers) }
    }

    // MARK: One row

    private mutating func finishRow() {
        for index in sinks.indices where filledRow[index] != rows { sinks[index].appendNull() }
        rows += 1
    }

    /// Takes back what a broken record had given so far.
    private mutating func forgetRow() {
        for index in sinks.indices where filledRow[index] == rows {
            sinks[index].removeLast()
            filledRow[index] = -1
        }
    }

    /// Returns what is wrong with the payload as a whole, or nil.
    private mutating func decodeObject(_ scanner: inout JSONScanner) -> String? {
        scanner.skipSpace()
        guard scanner.take(0x7B) else {
            return "the payload is not a JSON object (position \(scanner.position))"
        }
        var keyNumber = 0
        scanner.skipSpace()
        if scanner.take(0x7D) { return trailing(&scanner) }
        while true {
            scanner.skipSpace()
            guard let key = scanner.string() else { return malformed(scanner) }
            scanner.skipSpace()
            guard scanner.take(0x3A) else { return malformed(scanner) }
            scanner.skipSpace()
            let column = column(of: key, number: keyNumber, scanner)
            keyNumber += 1
            guard decodeMember(column, &scanner) else { return malformed(scanner) }
            scanner.skipSpace()
            if scanner.take(0x2C) { continue }
            if scanner.take(0x7D) { return trailing(&scanner) }
            return malformed(scanner)
        }
    }

    private func malformed(_ scanner: JSONScanner) -> String {
        "the payload is not valid JSON (position \(scanner.position))"
    }

    private func trailing(_ scanner: inout JSONScanner) -> String? {
        scanner.skipSpace()
        return scanner.isAtEnd ? nil : malformed(scanner)
    }

    private mutating func column(
        of key: JSONScanner.Text, number: Int, _ scanner: JSONScanner
    ) -> Int {
        let bytes = scanner.bytes(of: key)
        if number < predicted.count, matches(predicted[number].key, bytes) {
            return predicted[number].column
        }
        let name = key.isEscaped ? unescapeJSON(bytes) : [UInt8](bytes)
        let column = sinks.firstIndex { $0.name == name } ?? -1
        // An escaped key is compared as it is written, so it must not be predicted by its meaning.
        let prediction = Prediction(key: [UInt8](bytes), column: column)
        if number < predicted.count {
            predicted[number] = prediction
        } else if predicted.count < 1024 {
            predicted.append(prediction)
        }
        return column
    }

    private func matches(_ expected: [UInt8], _ found: UnsafeRawBufferPointer) -> Bool {
        expected.count == found.count
            && expected.withUnsafeBytes { left in
                left.count == 0 || memcmp(left.baseAddress!, found.baseAddress!, left.count) == 0
            }
    }

    /// Consumes one value; false when it is not JSON.
    private mutating func decodeMember(_ column: Int, _ scanner: inout JSONScanner) -> Bool {
        guard column >= 0 else { return scanner.skipValue(depth: 0) }
        if filledRow[column] == rows {
            // Of equal keys the last wins.
            sinks[column].removeLast()
            filledRow[column] = -1
        }
        let buffer = buffers.count - 1
        switch sinks[column].append(&scanner, buffer: buffer) {
        case .value: filledRow[column] = rows
        case .null: break
        case .mismatch(let message):
            errors.append(RowError(row: rows, message: message))
        case .malformed: return false
        }
        return true
    }
}

/// Strict UTF-8 check, eight bytes at a time while they are ASCII.
func isValidUTF8(_ raw: UnsafeRawBufferPointer) -> Bool {
    var index = 0
    while index + 8 <= raw.count {
        if raw.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 {
            return String(validating: raw[index...], as: UTF8.self) != nil
        }
        index += 8
    }
    while index < raw.count {
        if raw[index] >= 0x80 { return String(validating: raw[index...], as: UTF8.self) != nil }
        index += 1
    }
    return true
}
