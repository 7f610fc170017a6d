// The schema of a table as its log keeps it: `metaData.schemaString`, a JSON text of the form
//
//   {"type":"struct","fields":[{"name":…,"type":…,"nullable":…,"metadata":{…}}, …]}
//
// where a type is a name ("long", "decimal(10,2)", …) or an object {"type":"array"|"map"|"struct"}.

import Base
import Columns

/// A type of the table format.
package indirect enum DeltaType: Hashable, Sendable {
    case string, long, integer, short, byte, float, double, boolean, binary
    case date
    /// A moment; UTC in the files.
    case timestamp
    /// A local time without a zone: feature `timestampNtz`.
    case timestampNTZ
    case decimal(precision: Int, scale: Int)
    case variant
    /// A column of nothing but NULL, which is in no file.
    case void
    case structure([DeltaField])
    case list(element: DeltaType, containsNull: Bool)
    case map(key: DeltaType, value: DeltaType, valueContainsNull: Bool)
}

/// A column of the table or member of a structure.
package struct DeltaField: Hashable, Sendable {
    package var name: String
    package var type: DeltaType
    package var isNullable: Bool
    /// Kept on rewrite, known or not.
    package var metadata: [JSONMember]

    package init(
        _ name: String, _ type: DeltaType, isNullable: Bool = true, metadata: [JSONMember] = []
    ) {
        self.name = name
        self.type = type
        self.isNullable = isNullable
        self.metadata = metadata
    }

    package func metadataValue(_ key: String) -> JSONValue? {
        metadata.last { $0.key == key }?.value
    }

    /// Where we remember that a text column was declared as `uuid` or `jsonb`, types that the
    /// format does not have. Other engines see plain text and keep the entry.
    package static let declaredTypeKey = "weir.type"
    package static let commentKey = "comment"
}

/// The columns of a table in the words of its format.
package struct DeltaSchema: Hashable, Sendable {
    package var fields: [DeltaField]

    package init(fields: [DeltaField]) { self.fields = fields }

    package func field(named name: String) -> DeltaField? { fields.first { $0.name == name } }
}

// MARK: Between the two schemas

extension DeltaSchema {
    /// The schema to store for `schema`; refuses what the format cannot hold.
    package init(_ schema: TableSchema) throws(DeltaFailure) {
        var seen: Set<String> = []
        fields = []
        for field in schema.fields {
            guard seen.insert(field.name.lowercased()).inserted else {
                throw .invalid(
                    "column '\(field.name)' appears twice (upper and lower case do not count)")
            }
            fields.append(try DeltaField(field))
        }
        if fields.isEmpty { throw .invalid("a table needs at least one column") }
    }

    /// The columns as the engine sees them.
    package func tableSchema() throws(DeltaFailure) -> TableSchema {
        var columns: [Field] = []
        for field in fields { columns.append(try field.engineField()) }
        return TableSchema(columns)
    }
}

extension DeltaField {
    fileprivate init(_ field: Field) throws(DeltaFailure) {
        try Self.checkName(field.name)
        let type = try DeltaType(field.type, column: field.name)
        var metadata: [JSONMember] = []
        if field.type == .uuid { metadata = [JSONMember(Self.declaredTypeKey, "uuid")] }
        if field.type == .json { metadata = [JSONMember(Self.declaredTypeKey, "jsonb")] }
        self.init(field.name, type, isNullable: field.isNullable, metadata: metadata)
    }

    /// Without column mapping a name is also a name in the Parquet files, where Spark refuses these.
    private static func checkName(_ name: String) throws(DeltaFailure) {
        let refused = name.utf8.first { byte in
            switch byte {
            case 0x20, 0x2C, 0x3B, 0x7B, 0x7D, 0x28, 0x29, 0x0A, 0x09, 0x3D: true
            default: byte < 0x20
            }
        }
        if name.isEmpty || refused != nil {
            throw .invalid(
                "'\(name)' cannot be the name of a stored column: it is empty or contains one of"
                    + " space , ; { } ( ) = tab newline")
        }
    }

    func engineField() throws(DeltaFailure) -> Field {
        var type = try self.type.columnType(column: name)
        if self.type == .string, case .string(let declared)? = metadataValue(Self.declaredTypeKey) {
            if declared == "uuid" { type = .uuid }
            if declared == "jsonb" { type = .json }
        }
        return Field(name, type, isNullable: isNullable)
    }
}

extension DeltaType {
    fileprivate init(_ type: ColumnType, column: String) throws(DeltaFailure) {
        switch type {
        case .boolean: self = .boolean
        case .int16: self = .short
        case .int32: self = .integer
        case .int64: self = .long
        case .float32: self = .float
        case .float64: self = .double
        case .decimal(let precision, let scale):
            guard (1...38).contains(precision), (0...precision).contains(scale) else {
                throw .unsupportedType(
                    column: column, type: type.sqlName,
                    hint: "declare numeric(p,s) with 1 ≤ p ≤ 38 and 0 ≤ s ≤ p")
            }
            self = .decimal(precision: precision, scale: scale)
        case .text, .uuid, .json: self = .string
        case .variant: self = .variant
        case .binary: self = .binary
        case .date: self = .date
        case .timestamp: self = .timestampNTZ
        case .timestampTZ: self = .timestamp
        case .time:
            throw .unsupportedType(
                column: column, type: type.sqlName,
                hint: "store text, or seconds: EXTRACT(EPOCH FROM \(column))")
        case .interval:
            throw .unsupportedType(
                column: column, type: type.sqlName,
                hint: "store seconds: EXTRACT(EPOCH FROM \(column))")
        case .null:
            throw .unsupportedType(
                column: column, type: type.sqlName,
                hint: "give the column a type: CAST(\(column) AS text)")
        case .list(let element):
            self = .list(element: try DeltaType(element, column: column), containsNull: true)
        case .map(let key, let value):
            self = .map(
                key: try DeltaType(key, column: column),
                value: try DeltaType(value, column: column),
                valueContainsNull: true)
        case .structure(let members):
            var fields: [DeltaField] = []
            for member in members { fields.append(try DeltaField(member)) }
            self = .structure(fields)
        }
    }

    /// The type of the values in data files: what the format knows, without declared types.
    func storedType(column: String) throws(DeltaFailure) -> ColumnType {
        switch self {
        case .list(let element, _): return .list(try element.storedType(column: column))
        case .map(let key, let value, _):
            return .map(
                key: try key.storedType(column: column),
                value: try value.storedType(column: column))
        case .structure(let members):
            var fields: [Field] = []
            for member in members {
                let type = try member.type.storedType(column: member.name)
                fields.append(Field(member.name, type, isNullable: member.isNullable))
            }
            return .structure(fields)
        default: return try columnType(column: column)
        }
    }

    /// The type that the engine sees.
    func columnType(column: String) throws(DeltaFailure) -> ColumnType {
        switch self {
        case .string: return .text
        case .long: return .int64
        case .integer: return .int32
        case .short, .byte: return .int16
        case .float: return .float32
        case .double: return .float64
        case .boolean: return .boolean
        case .binary: return .binary
        case .date: return .date
        case .timestamp: return .timestampTZ
        case .timestampNTZ: return .timestamp
        case .decimal(let precision, let scale):
            return .decimal(precision: precision, scale: scale)
        case .void: return .null
        case .variant: return .variant
        case .list(let element, _): return .list(try element.columnType(column: column))
        case .map(let key, let value, _):
            return .map(
                key: try key.columnType(column: column),
                value: try value.columnType(column: column))
        case .structure(let members):
            var fields: [Field] = []
            for member in members { fields.append(try member.engineField()) }
            return .structure(fields)
        }
    }

    /// True when the type or one inside of it is `wanted`.
    func contains(_ wanted: DeltaType) -> Bool {
        if self == wanted { return true }
        switch self {
        case .list(let element, _): return element.contains(wanted)
        case .map(let key, let value, _): return key.contains(wanted) || value.contains(wanted)
        case .structure(let fields): return fields.contains { $0.type.contains(wanted) }
        default: return false
        }
    }
}

// MARK: JSON

extension DeltaSchema {
    package init(parsing text: String) throws(DecodeFailure) {
        let json = try JSONValue(parsing: text)
        guard case .structure(let fields) = try DeltaType(json: json) else {
            throw .malformed("the schema of a table is not a struct", position: 0)
        }
        self.init(fields: fields)
    }

    package var json: JSONValue { DeltaType.structure(fields).json }
}

extension DeltaType {
    private static let names: [(String, DeltaType)] = [
        ("string", .string), ("long", .long), ("integer", .integer), ("short", .short),
        ("byte", .byte), ("float", .float), ("double", .double), ("boolean", .boolean),
        ("binary", .binary), ("date", .date), ("timestamp", .timestamp),
        ("timestamp_ntz", .timestampNTZ), ("variant", .variant), ("void", .void),
    ]

    /// Nesting is bounded by the JSON parser's own limit.
    init(json: JSONValue) throws(DecodeFailure) {
        if let name = json.stringValue {
            try self.init(name: name)
            return
        }
        switch json["type"]?.stringValue {
        case "struct":
            guard let members = json["fields"]?.arrayValue else {
                throw .malformed("struct type without fields", position: 0)
            }
            var fields: [DeltaField] = []
            for member in members { fields.append(try DeltaField(json: member)) }
            self = .structure(fields)
        case "array":
            guard let element = json["elementType"] else {
                throw .malformed("array type without elementType", position: 0)
            }
            self = .list(
                element: try DeltaType(json: element),
                containsNull: json["containsNull"]?.boolValue ?? true)
        case "map":
            guard let key = json["keyType"], let value = json["valueType"] else {
                throw .malformed("map type without keyType or valueType", position: 0)
            }
            self = .map(
                key: try DeltaType(json: key), value: try DeltaType(json: value),
                valueContainsNull: json["valueContainsNull"]?.boolValue ?? true)
        case let other:
            throw .unsupported("column type \(other ?? json.text)")
        }
    }

    private init(name: String) throws(DecodeFailure) {
        if let known = Self.names.first(where: { $0.0 == name }) {
            self = known.1
            return
        }
        guard name.hasPrefix("decimal") else { throw .unsupported("column type \(name)") }
        if name == "decimal" {
            self = .decimal(precision: 10, scale: 0)
            return
        }
        let inner = name.dropFirst("decimal".count)
        let parts = inner.dropFirst().dropLast().split(separator: ",").map {
            Int($0.filter { $0 != " " })
        }
        guard inner.first == "(", inner.last == ")", parts.count == 2, let precision = parts[0],
            let scale = parts[1], (1...38).contains(precision), (0...precision).contains(scale)
        else { throw .unsupported("column type \(name)") }
        self = .decimal(precision: precision, scale: scale)
    }

    var json: JSONValue {
        switch self {
        case .decimal(let precision, let scale): return .string("decimal(\(precision),\(scale))")
        case .structure(let fields):
            return ["type": "struct", "fields": .array(fields.map(\.json))]
        case .list(let element, let containsNull):
            return [
                "type": "array", "elementType": element.json, "containsNull": .bool(containsNull),
            ]
        case .map(let key, let value, let valueContainsNull):
            return [
                "type": "map", "keyType": key.json, "valueType": value.json,
                "valueContainsNull": .bool(valueContainsNull),
            ]
        default:
            return .string(Self.names.first { $0.1 == self }?.0 ?? "void")
        }
    }
}

extension DeltaField {
    init(json: JSONValue) throws(DecodeFailure) {
        guard let name = json["name"]?.stringValue, let type = json["type"] else {
            throw .malformed("a column without name or type", position: 0)
        }
        self.init(
            name, try DeltaType(json: type), isNullable: json["nullable"]?.boolValue ?? true,
            metadata: json["metadata"]?.members ?? [])
    }

    var json: JSONValue {
        [
            "name": .string(name), "type": type.json, "nullable": .bool(isNullable),
            "metadata": .object(metadata),
        ]
    }
}
