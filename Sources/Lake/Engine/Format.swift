// Single values for people and programs: the HTTP surface, the shell, CSV.

import Base
import Columns

/// `value` as PostgreSQL writes it; nil for NULL.
package func textForm(_ value: Value, _ type: ColumnType) -> String? {
    if value.isNull { return nil }
    var output: [UInt8] = []
    TextForm.append(Column(type, [value]), 0, to: &output)
    return String(decoding: output, as: UTF8.self)
}

/// `value` as JSON: numbers as numbers, moments in ISO 8601, bytes in hexadecimal, jsonb as it is.
package func jsonForm(_ value: Value, _ type: ColumnType) -> JSONValue {
    switch value {
    case .null: return .null
    case .boolean(let flag): return .bool(flag)
    case .int(let number): return .int(number)
    case .float(let number):
        guard number.isFinite else { return .string(NumberText.float64(number)) }
        return .number(
            type == .float32 ? NumberText.float32(number) : NumberText.float64(number))
    case .decimal(let unscaled, let scale):
        return .number(NumberText.decimal(unscaled, scale: scale))
    case .text(let text): return .string(text)
    case .json(let text): return JSONOrder.tree(text)
    case .variant(let metadata, let bytes):
        return variantForm(metadata, bytes)
    case .timestamp(let moment):
        return .string(DateTimeText.isoTimestamp(moment, withZone: false))
    case .timestampTZ(let moment):
        return .string(DateTimeText.isoTimestamp(moment, withZone: true))
    case .binary, .date, .time, .interval, .uuid: return .string(textForm(value, type) ?? "")
    case .list(let items):
        guard case .list(let element) = type else { return .null }
        return .array(items.map { jsonForm($0, element) })
    case .structure(let items):
        guard case .structure(let fields) = type else { return .null }
        return .object(
            zip(fields, items).map { JSONMember($0.name, jsonForm($1, $0.type)) })
    case .map(let entries):
        guard case .map(let keyType, let valueType) = type else { return .null }
        return .object(
            entries.map {
                JSONMember(textForm($0.key, keyType) ?? "", jsonForm($0.value, valueType))
            })
    }
}

/// A variant as JSON; null when its bytes are none.
func variantForm(_ metadata: [UInt8], _ value: [UInt8]) -> JSONValue {
    do throws(DecodeFailure) {
        return try JSONValue(variant: Bytes(metadata), value: Bytes(value))
    } catch {
        return .null
    }
}

/// Row `row` of a column as PostgreSQL writes it; nil for NULL.
package func textForm(_ column: Column, _ row: Int) -> String? {
    if column.isNull(row) { return nil }
    var output: [UInt8] = []
    TextForm.append(column, row, to: &output)
    return String(decoding: output, as: UTF8.self)
}

/// `text` as a value of `type`, read as PostgreSQL reads it: parameters, partition values, CSV.
package func parseValue(
    _ text: String, as type: ColumnType, now: Now
) throws(Problem) -> Value {
    let argument = Vector(constant: .text(text), type: .text, count: 1)
    let column = try CastKernels.cast(
        argument, to: type, nullOnFailure: false, count: 1,
        now: DateTimeText.WallClock(microseconds: now.wallMicroseconds))
    return column.value(0)
}

/// A column of text as values of `type`, read as PostgreSQL reads them. With `nullOnFailure` what is
/// no such value becomes NULL.
package func parseColumn(
    _ texts: Column, as type: ColumnType, nullOnFailure: Bool = false, now: Now
) throws(Problem) -> Column {
    try CastKernels.cast(
        Vector(texts), to: type, nullOnFailure: nullOnFailure, count: texts.count,
        now: DateTimeText.WallClock(microseconds: now.wallMicroseconds))
}

/// The values of a column as PostgreSQL writes them.
package func textForms(_ column: Column) -> Column {
    TextForm.column(Vector(column), count: column.count)
}

/// Row `row` of a column as JSON, as `jsonForm` writes values.
package func jsonForm(_ column: Column, _ row: Int) -> JSONValue {
    jsonForm(column.value(row), column.type)
}

/// Whether `text` is like a pattern of LIKE, whatever the case of its letters.
package func matchesLike(_ text: String, pattern: String) throws(Problem) -> Bool {
    let column = try TextKernels.like(
        Vector(constant: .text(text), type: .text, count: 1),
        Vector(constant: .text(pattern), type: .text, count: 1), nil, ignoringCase: true, count: 1)
    return column.value(0) == .boolean(true)
}
