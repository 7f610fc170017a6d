// Catalog objects as they are stored: one JSON document each.
//
// | member | says |
// |---|---|
// | format | version of this layout, 1; a higher one is refused |
// | kind, schema, name, oid | which object |
// | statement, query | as written |
// | owner, comment, tags, properties | what people and statements said |
// | columns, hiddenColumns | [{name, type, nullable, comment}] |
// | expectations | [{name, condition, action, into}] |
// | partitionColumns, clusterColumns, keyColumns, sources, path | how it is laid out and from what |
// | created, changed | milliseconds since 1970 |
//
// Unknown members are ignored, so that an older program reads what a newer one of the same format
// version wrote. Types are texts ("bigint", "numeric(12,2)") or objects for nested ones.

import Base
import Columns
import SQL

extension CatalogObject {
    private static let format: Int64 = 1

    package var json: JSONValue {
        var members: [JSONMember] = [
            JSONMember("format", .int(Self.format)),
            JSONMember("kind", .string(kind.rawValue)),
            JSONMember("schema", name.schema.map { .string($0) } ?? .null),
            JSONMember("name", .string(name.name)),
            JSONMember("oid", .int(oid)),
            JSONMember("statement", .string(statement)),
            JSONMember("query", .string(query)),
            JSONMember("owner", .string(owner)),
            JSONMember("comment", comment.map { .string($0) } ?? .null),
            JSONMember("tags", tags.json),
            JSONMember("properties", properties.json),
            JSONMember("columns", .array(columns.map(\.json))),
            JSONMember("hiddenColumns", .array(hiddenColumns.map { CatalogColumn($0).json })),
            JSONMember("expectations", .array(expectations.map(\.json))),
            JSONMember("partitionColumns", .strings(partitionColumns)),
            JSONMember("clusterColumns", .strings(clusterColumns)),
            JSONMember("keyColumns", .strings(keyColumns)),
            JSONMember("sources", .array(sources.map(\.json))),
        ]
        members.append(JSONMember("path", path.map { .string($0) } ?? .null))
        members.append(JSONMember("created", .int(created.milliseconds)))
        members.append(JSONMember("changed", .int(changed.milliseconds)))
        return .object(members)
    }

    package init(json: JSONValue) throws(DecodeFailure) {
        let format = json["format"]?.intValue ?? 0
        guard format == Self.format else {
            throw .unsupported(
                "catalog object of format \(format), this program knows \(Self.format)")
        }
        guard let kind = json["kind"]?.stringValue.flatMap({ CatalogKind(rawValue: $0) }),
            let name = json["name"]?.stringValue, !name.isEmpty,
            let oid = json["oid"]?.intValue.flatMap({ UInt32(exactly: $0) })
        else { throw .malformed("a catalog object without kind, name or number", position: 0) }
        let schema = json["schema"]?.stringValue
        guard (schema == nil) == (kind == .schema) else {
            throw .malformed(
                "a catalog object of kind \(kind.rawValue) in a wrong place", position: 0)
        }
        var columns: [CatalogColumn] = []
        for item in json["columns"]?.arrayValue ?? [] {
            columns.append(try CatalogColumn(json: item))
        }
        self.init(
            kind, QualifiedName(schema: schema, name), oid: oid,
            statement: json["statement"]?.stringValue ?? "",
            query: json["query"]?.stringValue ?? "", owner: json["owner"]?.stringValue ?? "",
            columns: columns, now: Timestamp(milliseconds: json["created"]?.intValue ?? 0))
        comment = json["comment"]?.stringValue
        tags = OrderedMap(json: json["tags"])
        properties = OrderedMap(json: json["properties"])
        for item in json["hiddenColumns"]?.arrayValue ?? [] {
            hiddenColumns.append(try CatalogColumn(json: item).field)
        }
        for item in json["expectations"]?.arrayValue ?? [] {
            expectations.append(try CatalogExpectation(json: item))
        }
        partitionColumns = json["partitionColumns"]?.strings ?? []
        clusterColumns = json["clusterColumns"]?.strings ?? []
        keyColumns = json["keyColumns"]?.strings ?? []
        sources = (json["sources"]?.arrayValue ?? []).compactMap { QualifiedName(json: $0) }
        path = json["path"]?.stringValue
        changed = Timestamp(milliseconds: json["changed"]?.intValue ?? created.milliseconds)
    }
}

extension CatalogColumn {
    package var json: JSONValue {
        [
            "name": .string(name), "type": field.type.json, "nullable": .bool(field.isNullable),
            "comment": comment.map { .string($0) } ?? .null,
        ]
    }

    init(json: JSONValue) throws(DecodeFailure) {
        guard let name = json["name"]?.stringValue, let type = json["type"] else {
            throw .malformed("a column without name or type", position: 0)
        }
        self.init(
            Field(
                name, try ColumnType(json: type), isNullable: json["nullable"]?.boolValue ?? true),
            comment: json["comment"]?.stringValue)
    }
}

extension CatalogExpectation {
    package var json: JSONValue {
        var members = [
            JSONMember("name", .string(name)), JSONMember("condition", .string(condition)),
        ]
        switch action {
        case .keep: members.append(JSONMember("action", "keep"))
        case .dropRow: members.append(JSONMember("action", "drop_row"))
        case .failUpdate: members.append(JSONMember("action", "fail_update"))
        case .quarantine(let table):
            members.append(JSONMember("action", "quarantine"))
            members.append(JSONMember("into", table.json))
        }
        return .object(members)
    }

    init(json: JSONValue) throws(DecodeFailure) {
        let action: Action
        switch json["action"]?.stringValue {
        case "keep": action = .keep
        case "drop_row": action = .dropRow
        case "fail_update": action = .failUpdate
        case "quarantine":
            guard let table = json["into"].flatMap({ QualifiedName(json: $0) }) else {
                throw .malformed("an expectation without its quarantine table", position: 0)
            }
            action = .quarantine(into: table)
        default: throw .malformed("an expectation with an unknown action", position: 0)
        }
        self.init(
            name: json["name"]?.stringValue ?? "", condition: json["condition"]?.stringValue ?? "",
            action: action)
    }
}

// MARK: Pieces

extension QualifiedName {
    /// `["bronze","app_events"]`; one part without a schema.
    var json: JSONValue { .strings((schema.map { [$0] } ?? []) + [name]) }

    init?(json: JSONValue) {
        guard let parts = json.strings, (1...2).contains(parts.count) else { return nil }
        self.init(schema: parts.count == 2 ? parts[0] : nil, parts[parts.count - 1])
    }
}

extension JSONValue {
    static func strings(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }

    /// The texts of an array of texts; others in it are left out.
    var strings: [String]? { arrayValue.map { $0.compactMap(\.stringValue) } }
}

extension OrderedMap where Key == String, Value == String {
    var json: JSONValue { .object(map { JSONMember($0.key, .string($0.value)) }) }

    init(json: JSONValue?) {
        self.init()
        for member in json?.members ?? [] {
            if let text = member.value.stringValue { self[member.key] = text }
        }
    }
}

extension ColumnType {
    private static let simple: [ColumnType] = [
        .boolean, .int16, .int32, .int64, .float32, .float64, .text, .binary, .date, .time,
        .timestamp, .timestampTZ, .interval, .uuid, .json, .null,
    ]

    var json: JSONValue {
        switch self {
        case .list(let element): ["list": element.json]
        case .map(let key, let value): ["key": key.json, "value": value.json]
        case .structure(let fields): ["struct": .array(fields.map { CatalogColumn($0).json })]
        default: .string(sqlName)
        }
    }

    init(json: JSONValue) throws(DecodeFailure) {
        if let name = json.stringValue {
            try self.init(storedName: name)
        } else if let element = json["list"] {
            self = .list(try ColumnType(json: element))
        } else if let key = json["key"], let value = json["value"] {
            self = .map(key: try ColumnType(json: key), value: try ColumnType(json: value))
        } else if let members = json["struct"]?.arrayValue {
            var fields: [Field] = []
            for member in members { fields.append(try CatalogColumn(json: member).field) }
            self = .structure(fields)
        } else {
            throw .unsupported("column type \(json.text.prefix(100))")
        }
    }

    private init(storedName name: String) throws(DecodeFailure) {
        if let known = Self.simple.first(where: { $0.sqlName == name }) {
            self = known
            return
        }
        let numbers = name.dropFirst("numeric(".count).dropLast().split(separator: ",").map {
            Int($0)
        }
        guard name.hasPrefix("numeric("), name.hasSuffix(")"), numbers.count == 2,
            let precision = numbers[0], let scale = numbers[1], (1...38).contains(precision),
            (0...precision).contains(scale)
        else { throw .unsupported("column type \(name.prefix(100))") }
        self = .decimal(precision: precision, scale: scale)
    }
}
