// Types of SQL text, and how types meet: PostgreSQL's numeric tower and categories.

import Base
import Columns

/// The groups inside which types convert to each other without being asked.
enum TypeCategory { case unknown, boolean, number, text, time, timespan, other }

extension ColumnType {
    var category: TypeCategory {
        switch self {
        case .null: .unknown
        case .boolean: .boolean
        case .int16, .int32, .int64, .float32, .float64, .decimal: .number
        case .text: .text
        case .date, .timestamp, .timestampTZ: .time
        case .interval: .timespan
        default: .other
        }
    }

    var isInteger: Bool { self == .int16 || self == .int32 || self == .int64 }
    var isFloat: Bool { self == .float32 || self == .float64 }
    var isDecimal: Bool { if case .decimal = self { true } else { false } }
    var isNumber: Bool { category == .number }

    /// PostgreSQL's preferred type of its category.
    var isPreferred: Bool {
        switch self {
        case .boolean, .text, .float64, .timestampTZ, .interval: true
        default: false
        }
    }

    /// The name without precision, as it stands in messages about functions and operators.
    package var plainName: String {
        switch self {
        case .decimal: "numeric"
        case .list(let element): element.plainName + "[]"
        default: sqlName
        }
    }

    /// What an integer or decimal is as a decimal: digits before and behind the point.
    var decimalShape: (integerDigits: Int, scale: Int)? {
        switch self {
        case .int16: (5, 0)
        case .int32: (10, 0)
        case .int64: (19, 0)
        case .decimal(let precision, let scale): (precision - scale, scale)
        default: nil
        }
    }

    static func decimal(integerDigits: Int, scale: Int) -> ColumnType {
        .decimal(precision: min(38, max(1, integerDigits + scale)), scale: scale)
    }

    /// `numeric` without precision, for values whose scale is unknown (text, floats).
    static let plainNumeric = ColumnType.decimal(precision: 38, scale: 9)
}

/// The type that values of both types become where one is needed (CASE, UNION, IN, comparison);
/// nil when they can't be matched.
func commonType(_ a: ColumnType, _ b: ColumnType) -> ColumnType? {
    if a == b { return a }
    if a == .null { return b }
    if b == .null { return a }
    switch (a.category, b.category) {
    case (.number, .number):
        if a.isFloat || b.isFloat { return .float64 }
        if a.isInteger, b.isInteger {
            if a == .int64 || b == .int64 { return .int64 }
            return .int32
        }
        guard let left = a.decimalShape, let right = b.decimalShape else { return nil }
        let scale = max(left.scale, right.scale)
        let digits = min(38 - scale, max(left.integerDigits, right.integerDigits))
        return .decimal(integerDigits: digits, scale: scale)
    case (.time, .time): return a == .timestampTZ || b == .timestampTZ ? .timestampTZ : .timestamp
    default: break
    }
    if (a == .time && b == .interval) || (a == .interval && b == .time) { return .interval }
    if case .list(let left) = a, case .list(let right) = b {
        return commonType(left, right).map { .list($0) }
    }
    return nil
}

/// Resolves the name of a type.
package func columnType(_ name: TypeName) throws(Problem) -> ColumnType {
    var type = try scalarType(name)
    for _ in 0..<name.dimensions { type = .list(type) }
    return type
}

private func scalarType(_ name: TypeName) throws(Problem) -> ColumnType {
    switch name.name {
    case "boolean", "bool": return .boolean
    case "smallint", "int2": return .int16
    case "integer", "int", "int4": return .int32
    case "bigint", "int8", "oid", "long": return .int64
    case "real", "float4": return .float32
    case "double precision", "float8", "double": return .float64
    case "float":
        return name.arguments.first.map { $0 <= 24 } == true ? .float32 : .float64
    case "numeric", "decimal", "dec": return try numericType(name)
    case "text", "varchar", "character varying", "char", "character", "bpchar", "name", "string",
        "citext", "pg_lsn", "nchar":
        return .text
    case "bytea", "binary", "bytes": return .binary
    case "date": return .date
    case "time", "time without time zone": return .time
    case "timestamp", "timestamp without time zone": return .timestamp
    case "timestamptz", "timestamp with time zone": return .timestampTZ
    case "interval": return .interval
    case "uuid": return .uuid
    case "jsonb", "json": return .json
    case "variant": return .variant
    case "map":
        guard name.members.count == 2 else { break }
        return .map(
            key: try columnType(name.members[0].type), value: try columnType(name.members[1].type))
    case "struct":
        var fields: [Field] = []
        for member in name.members {
            fields.append(Field(member.name, try columnType(member.type)))
        }
        return .structure(fields)
    case "time with time zone", "timetz", "money", "bit", "bit varying", "xml", "inet",
        "serial", "bigserial", "point":
        throw Problem(
            "0A000", "type \"\(name.name)\" is not supported yet",
            hint: name.name.hasPrefix("time")
                ? "use time, or timestamptz" : "use text", position: name.position)
    default: break
    }
    let near = nearestName(to: name.name, among: knownTypes)
    throw Problem(
        "42704", "type \"\(name.name)\" does not exist",
        hint: near.map { "did you mean \"\($0)\"?" }, position: name.position)
}

private let knownTypes = [
    "text", "integer", "bigint", "boolean", "numeric", "timestamptz", "timestamp", "date", "jsonb",
    "time", "uuid", "interval", "varchar", "smallint", "real", "float8", "bytea", "decimal", "int",
    "json", "double precision", "double", "float", "char", "variant", "string",
]

private func numericType(_ name: TypeName) throws(Problem) -> ColumnType {
    guard let precision = name.arguments.first else { return .plainNumeric }
    let scale = name.arguments.count > 1 ? name.arguments[1] : 0
    guard (1...38).contains(precision) else {
        throw Problem(
            "22023", "NUMERIC precision \(precision) must be between 1 and 38",
            position: name.position)
    }
    guard (0...precision).contains(scale) else {
        throw Problem(
            "22023", "NUMERIC scale \(scale) must be between 0 and precision \(precision)",
            position: name.position)
    }
    return .decimal(precision: precision, scale: scale)
}
