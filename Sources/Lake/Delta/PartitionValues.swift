import Base
import Columns

/// The values of a file's partition columns as the log keeps them: text, or nil for NULL, in the
/// order of the partition columns.
package struct PartitionValues: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var column: String
        package var text: String?

        package init(column: String, text: String?) {
            self.column = column
            self.text = text
        }
    }

    package var entries: [Entry]

    package init(_ entries: [Entry] = []) { self.entries = entries }

    package var isEmpty: Bool { entries.isEmpty }

    /// The text of `column`; nil when it is NULL or not listed. An empty text is NULL in every
    /// type, because that is how the format spells it.
    package func text(_ column: String) -> String? {
        guard let text = entries.last(where: { $0.column == column })?.text, !text.isEmpty else {
            return nil
        }
        return text
    }

    /// The value of `column`, which has `type`; a text that does not fit the type is an error.
    package func value(_ column: String, _ type: ColumnType) throws(DecodeFailure) -> Value {
        guard let text = text(column) else { return .null }
        guard let value = Self.parse(text, type) else {
            throw .malformed(
                "partition value '\(text.prefix(100))' of column '\(column)' is not a"
                    + " \(type.sqlName)", position: 0)
        }
        return value
    }

    /// The same values in the order of the table's columns and in the form in which we write them:
    /// two files of one partition have equal ones, whoever wrote them.
    package func canonical(
        _ metadata: TableMetadata, _ schema: TableSchema
    ) -> PartitionValues {
        PartitionValues(
            metadata.partitionColumns.map { name in
                let column = metadata.physicalName(of: name)
                guard let index = schema.index(of: name),
                    let value = try? value(column, schema.fields[index].type)
                else { return Entry(column: column, text: text(column)) }
                return Entry(
                    column: column, text: Self.text(value, schema.fields[index].type))
            })
    }

    /// The folder of files with these values, with a trailing slash; empty without values.
    /// A value too long for a file name leaves its files in the folder above.
    package var folder: String {
        var path = ""
        for entry in entries {
            let value = entry.text.flatMap { $0.isEmpty ? nil : $0 }
            let name =
                TablePath.hiveEscaped(entry.column) + "="
                + (value.map(TablePath.hiveEscaped) ?? "__HIVE_DEFAULT_PARTITION__")
            if name.utf8.count > DeltaLimits.folderNameBytes { return path }
            path += name + "/"
        }
        return path
    }
}

// MARK: Text of single values

extension PartitionValues {
    /// Types that may partition a table.
    package static func canPartition(_ type: ColumnType) -> Bool {
        switch type {
        case .boolean, .int16, .int32, .int64, .float32, .float64, .decimal, .text, .date,
            .timestamp, .timestampTZ, .uuid:
            true
        case .binary, .time, .interval, .json, .variant, .list, .structure, .map, .null: false
        }
    }

    /// The text of `value` in a column of `type`; nil for NULL.
    package static func text(_ value: Value, _ type: ColumnType) -> String? {
        switch value {
        case .null: nil
        case .boolean(let flag): flag ? "true" : "false"
        case .int(let number): String(number)
        case .float(let number): floatText(number, type)
        case .decimal(let unscaled, let scale): DecimalText.plain(unscaled, scale: scale)
        case .text(let text), .json(let text): text
        case .date(let days): CalendarText.date(days: days)
        case .timestamp(let moment):
            CalendarText.timestamp(microseconds: moment, digits: 6, separator: " ")
        case .timestampTZ(let moment):
            CalendarText.timestamp(microseconds: moment, digits: 6, separator: "T") + "Z"
        case .uuid(let bits): uuidText(bits)
        case .binary, .time, .interval, .variant, .list, .structure, .map: nil
        }
    }

    private static func floatText(_ number: Double, _ type: ColumnType) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
        return type == .float32 ? "\(Float(number))" : "\(number)"
    }

    static func parse(_ text: String, _ type: ColumnType) -> Value? {
        switch type {
        case .boolean:
            switch text {
            case "true", "True", "TRUE": return .boolean(true)
            case "false", "False", "FALSE": return .boolean(false)
            default: return nil
            }
        case .int16: return Int16(text).map { .int(Int64($0)) }
        case .int32: return Int32(text).map { .int(Int64($0)) }
        case .int64: return Int64(text).map { .int($0) }
        case .float32, .float64: return Double(text).map { .float($0) }
        case .decimal(_, let scale):
            return DecimalText.parse(text, scale: scale).map {
                .decimal(unscaled: $0, scale: scale)
            }
        case .text: return .text(text)
        case .json: return .json(text)
        case .binary: return .binary(Array(text.utf8))
        case .date: return CalendarText.parseDate(text).map { .date(days: $0) }
        case .timestamp:
            return CalendarText.parseTimestamp(text).map { .timestamp(microseconds: $0.0) }
        case .timestampTZ:
            // Without a zone the text is in the writer's zone, which nobody wrote down: UTC is
            // what every cluster that cares is set to.
            return CalendarText.parseTimestamp(text).map { .timestampTZ(microseconds: $0.0) }
        case .uuid:
            return UUID128(text: text).map { .uuid(UInt128($0.high) << 64 | UInt128($0.low)) }
        case .time, .interval, .variant, .list, .structure, .map, .null: return nil
        }
    }
}

/// The 8-4-4-4-12 form.
func uuidText(_ bits: UInt128) -> String {
    UUID128(
        high: UInt64(truncatingIfNeeded: bits >> 64), low: UInt64(truncatingIfNeeded: bits)
    ).description
}

/// Decimal numbers as text, without a detour over floating point.
package enum DecimalText {
    /// `unscaled` / 10^`scale` with all digits of the scale.
    package static func plain(_ unscaled: Int128, scale: Int) -> String {
        let digits = String(unscaled.magnitude)
        let sign = unscaled < 0 ? "-" : ""
        guard scale > 0 else { return sign + digits }
        let missing = max(0, scale + 1 - digits.utf8.count)
        let padded = String(repeating: "0", count: missing) + digits
        let point = padded.index(padded.endIndex, offsetBy: -scale)
        return sign + padded[..<point] + "." + padded[point...]
    }

    /// The number in units of 10^-`scale`; nil when it has more digits than that, or too many, or
    /// is no number. An exponent is allowed, as JSON has it.
    package static func parse(_ text: String, scale: Int) -> Int128? {
        var bytes = Array(text.utf8.prefix(128))
        var exponent = 0
        if let mark = bytes.firstIndex(where: { $0 == 0x65 || $0 == 0x45 }) {
            var tail = bytes[(mark + 1)...]
            if tail.first == 0x2B { tail = tail.dropFirst() }
            guard let power = Int(String(decoding: tail, as: UTF8.self)), power.magnitude <= 80
            else {
                return nil
            }
            exponent = power
            bytes.removeSubrange(mark...)
        }
        let isNegative = bytes.first == 0x2D
        if isNegative || bytes.first == 0x2B { bytes.removeFirst() }
        guard bytes.contains(where: { (0x30...0x39).contains($0) }) else { return nil }
        var value: Int128 = 0
        var decimals: Int?
        for byte in bytes {
            if byte == 0x2E, decimals == nil {
                decimals = 0
                continue
            }
            guard (0x30...0x39).contains(byte) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int128(byte - 0x30))
            if overflow || carry { return nil }
            value = sum
            decimals = decimals.map { $0 + 1 }
        }
        return shifted(isNegative ? -value : value, by: scale - (decimals ?? 0) + exponent)
    }

    /// `value` × 10^`places`, nil when that is not exact.
    private static func shifted(_ value: Int128, by places: Int) -> Int128? {
        var value = value
        if value == 0 { return 0 }
        for _ in 0..<abs(places) {
            if places > 0 {
                let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                if overflow { return nil }
                value = product
            } else {
                guard value % 10 == 0 else { return nil }
                value /= 10
            }
        }
        return value
    }
}
