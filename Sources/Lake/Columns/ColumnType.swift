/// The type of a column, named as PostgreSQL names it in SQL and mapped to Delta and Parquet by
/// their rooms.
package indirect enum ColumnType: Hashable, Sendable {
    case boolean
    /// `smallint`, `integer`, `bigint`
    case int16
    case int32
    case int64
    /// `real`, `double precision`
    case float32
    case float64
    /// `numeric(precision, scale)`; values are `Int128` scaled by 10^scale, precision at most 38.
    case decimal(precision: Int, scale: Int)
    case text
    /// `bytea`
    case binary
    /// Days since 1970-01-01.
    case date
    /// `time` without time zone, microseconds since midnight; 24:00 is one, too.
    case time
    /// `timestamp` without time zone, microseconds.
    case timestamp
    /// `timestamptz`, microseconds since 1970-01-01 UTC.
    case timestampTZ
    /// Months, days and microseconds, as PostgreSQL keeps them.
    case interval
    case uuid
    /// `jsonb`, kept as normalised JSON text.
    case json
    /// A value that carries its own type, in the open binary form that Parquet and Delta share: see
    /// `Variant`.
    case variant
    case list(ColumnType)
    case structure([Field])
    case map(key: ColumnType, value: ColumnType)
    /// The type of a bare NULL.
    case null

    /// The name in SQL, for messages and `DESCRIBE`.
    package var sqlName: String {
        switch self {
        case .boolean: "boolean"
        case .int16: "smallint"
        case .int32: "integer"
        case .int64: "bigint"
        case .float32: "real"
        case .float64: "double precision"
        case .decimal(let precision, let scale): "numeric(\(precision),\(scale))"
        case .text: "text"
        case .binary: "bytea"
        case .date: "date"
        case .time: "time without time zone"
        case .timestamp: "timestamp without time zone"
        case .timestampTZ: "timestamp with time zone"
        case .interval: "interval"
        case .uuid: "uuid"
        case .json: "jsonb"
        case .variant: "variant"
        case .list(let element): element.sqlName + "[]"
        case .structure: "record"
        case .map: "map"
        case .null: "unknown"
        }
    }
}

/// A named, typed column of a schema or member of a structure.
package struct Field: Hashable, Sendable {
    package var name: String
    package var type: ColumnType
    package var isNullable: Bool

    package init(_ name: String, _ type: ColumnType, isNullable: Bool = true) {
        self.name = name
        self.type = type
        self.isNullable = isNullable
    }
}

/// The columns of a table or of a result, in order.
package struct TableSchema: Hashable, Sendable {
    package var fields: [Field]

    package init(_ fields: [Field]) { self.fields = fields }

    /// The position of the column with exactly this name.
    package func index(of name: String) -> Int? { fields.firstIndex { $0.name == name } }
}
