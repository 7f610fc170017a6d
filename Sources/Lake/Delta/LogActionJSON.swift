// Actions to and from the lines of a commit. Reading is liberal (unknown members, any order, missing
// optional members); writing follows the specification's field list.

import Base

extension LogAction {
    /// The action of one line; nil when the object is empty.
    package init?(json: JSONValue) throws(DecodeFailure) {
        guard let members = json.members else {
            throw .malformed("an action is not a JSON object", position: 0)
        }
        guard let member = members.first(where: { !$0.value.isNull }) else { return nil }
        let body = member.value
        switch member.key {
        case "protocol": self = .tableProtocol(try TableProtocol(json: body))
        case "metaData": self = .metadata(try TableMetadata(json: body))
        case "add": self = .add(try AddFile(json: body))
        case "remove": self = .remove(try RemoveFile(json: body))
        case "txn": self = .transaction(try ApplicationTransaction(json: body))
        case "commitInfo": self = .commitInfo(body)
        case "domainMetadata": self = .domainMetadata(try DomainMetadata(json: body))
        default: self = .other(name: member.key, body)
        }
    }

    package var json: JSONValue {
        switch self {
        case .tableProtocol(let value): ["protocol": value.json]
        case .metadata(let value): ["metaData": value.json]
        case .add(let value): ["add": value.json]
        case .remove(let value): ["remove": value.json]
        case .transaction(let value): ["txn": value.json]
        case .commitInfo(let value): ["commitInfo": value]
        case .domainMetadata(let value): ["domainMetadata": value.json]
        case .other(let name, let value): .object([JSONMember(name, value)])
        }
    }

    /// All lines of a commit file. Empty lines are allowed, and an empty file is a commit of
    /// nothing.
    package static func parse(_ content: Bytes) throws(LineFailure) -> [LogAction] {
        var actions: [LogAction] = []
        var line = 1
        var start = 0
        while start < content.count {
            var end = start
            while end < content.count, content[end] != 0x0A { end += 1 }
            let text = content[start..<end]
            if !isBlank(text) {
                do throws(DecodeFailure) {
                    if let action = try LogAction(json: try JSONValue(parsing: text)) {
                        actions.append(action)
                    }
                } catch {
                    throw LineFailure(line: line, failure: error)
                }
            }
            start = end + 1
            line += 1
        }
        return actions
    }

    private static func isBlank(_ text: Bytes) -> Bool {
        for index in 0..<text.count {
            let byte = text[index]
            if byte != 0x20 && byte != 0x0D && byte != 0x09 { return false }
        }
        return true
    }

    package static func serialized(_ actions: [LogAction]) -> Bytes {
        var writer = ByteWriter(capacity: 4096)
        for action in actions {
            action.json.write(to: &writer)
            writer.uint8(0x0A)
        }
        return writer.finish()
    }
}

/// A line of a commit that could not be understood.
package struct LineFailure: Error, Equatable, Sendable {
    package var line: Int
    package var failure: DecodeFailure
}

// MARK: Reading members

extension JSONValue {
    fileprivate func required(_ key: String) throws(DecodeFailure) -> JSONValue {
        guard let value = self[key], !value.isNull else {
            throw .malformed("'\(key)' is missing", position: 0)
        }
        return value
    }

    fileprivate func requiredString(_ key: String) throws(DecodeFailure) -> String {
        guard let text = try required(key).stringValue else {
            throw .malformed("'\(key)' is not a text", position: 0)
        }
        return text
    }

    fileprivate func requiredInt(_ key: String) throws(DecodeFailure) -> Int64 {
        guard let number = try required(key).intValue else {
            throw .malformed("'\(key)' is not a whole number", position: 0)
        }
        return number
    }

    fileprivate func optionalString(_ key: String) -> String? { self[key]?.stringValue }

    fileprivate func optionalInt(_ key: String) -> Int64? { self[key]?.intValue }

    fileprivate func strings(_ key: String) throws(DecodeFailure) -> [String]? {
        guard let value = self[key], !value.isNull else { return nil }
        guard let items = value.arrayValue else {
            throw .malformed("'\(key)' is not a list", position: 0)
        }
        var texts: [String] = []
        for item in items {
            guard let text = item.stringValue else {
                throw .malformed("'\(key)' holds something that is not a text", position: 0)
            }
            texts.append(text)
        }
        return texts
    }
}

/// A JSON object that leaves out members without a value.
struct SparseObject {
    private(set) var members: [JSONMember] = []

    mutating func add(_ key: String, _ value: JSONValue?) {
        if let value { members.append(JSONMember(key, value)) }
    }

    mutating func add(_ key: String, _ value: String?) { add(key, value.map { .string($0) }) }
    mutating func add(_ key: String, _ value: Int64?) { add(key, value.map { .int($0) }) }
    mutating func add(_ key: String, _ value: Bool) { add(key, .bool(value)) }
    mutating func add(_ key: String, _ value: [String]?) {
        add(key, value.map { .array($0.map { .string($0) }) })
    }

    var json: JSONValue { .object(members) }
}

extension TableProtocol {
    fileprivate init(json: JSONValue) throws(DecodeFailure) {
        let reader = try json.requiredInt("minReaderVersion")
        let writer = try json.requiredInt("minWriterVersion")
        guard (1...1000).contains(reader), (1...1000).contains(writer) else {
            throw .malformed("protocol version out of range", position: 0)
        }
        self.init(
            minReaderVersion: Int(reader), minWriterVersion: Int(writer),
            readerFeatures: try json.strings("readerFeatures"),
            writerFeatures: try json.strings("writerFeatures"))
    }

    package var json: JSONValue {
        var object = SparseObject()
        object.add("minReaderVersion", Int64(minReaderVersion))
        object.add("minWriterVersion", Int64(minWriterVersion))
        object.add("readerFeatures", readerFeatures)
        object.add("writerFeatures", writerFeatures)
        return object.json
    }
}

extension TableMetadata {
    fileprivate init(json: JSONValue) throws(DecodeFailure) {
        if let format = json["format"]?["provider"]?.stringValue, format != "parquet" {
            throw .unsupported("data files of format '\(format)'")
        }
        var configuration: OrderedMap<String, String> = [:]
        for member in json["configuration"]?.members ?? [] {
            guard let text = member.value.stringValue else { continue }
            configuration[member.key] = text
        }
        let schema = try DeltaSchema(parsing: try json.requiredString("schemaString"))
        self.init(
            id: try json.requiredString("id"), name: json.optionalString("name"),
            comment: json.optionalString("description"), schema: schema,
            partitionColumns: try json.strings("partitionColumns") ?? [],
            configuration: configuration,
            createdTime: json.optionalInt("createdTime").map { Timestamp(milliseconds: $0) })
        try checkPartitionColumns()
    }

    func checkPartitionColumns() throws(DecodeFailure) {
        for (index, column) in partitionColumns.enumerated() {
            if schema.field(named: column) == nil {
                throw .malformed("partition column '\(column)' is not a column", position: 0)
            }
            if partitionColumns[..<index].contains(column) {
                throw .malformed("partition column '\(column)' is listed twice", position: 0)
            }
        }
    }

    package var json: JSONValue {
        var object = SparseObject()
        object.add("id", id)
        object.add("name", name)
        object.add("description", comment)
        object.add("format", ["provider": "parquet", "options": [:]])
        object.add("schemaString", schema.json.text)
        object.add("partitionColumns", partitionColumns)
        object.add(
            "configuration", .object(configuration.map { JSONMember($0.key, .string($0.value)) }))
        object.add("createdTime", createdTime?.milliseconds)
        return object.json
    }
}

extension PartitionValues {
    init(json: JSONValue) {
        self.init(
            (json.members ?? []).map { Entry(column: $0.key, text: $0.value.stringValue) })
    }

    var json: JSONValue {
        .object(entries.map { JSONMember($0.column, $0.text.map { .string($0) } ?? .null) })
    }
}

extension DeletionVector {
    fileprivate init?(optional json: JSONValue?) throws(DecodeFailure) {
        guard let json, !json.isNull else { return nil }
        self.init(
            storageType: try json.requiredString("storageType"),
            pathOrInline: try json.requiredString("pathOrInlineDv"),
            offset: json.optionalInt("offset"), sizeInBytes: try json.requiredInt("sizeInBytes"),
            cardinality: try json.requiredInt("cardinality"))
    }

    fileprivate var json: JSONValue {
        var object = SparseObject()
        object.add("storageType", storageType)
        object.add("pathOrInlineDv", pathOrInline)
        object.add("offset", offset)
        object.add("sizeInBytes", sizeInBytes)
        object.add("cardinality", cardinality)
        return object.json
    }
}

extension AddFile {
    fileprivate init(json: JSONValue) throws(DecodeFailure) {
        let size = try json.requiredInt("size")
        guard size >= 0 else { throw .malformed("negative file size", position: 0) }
        self.init(
            path: try TablePath.decodedFile(try json.requiredString("path")),
            partitionValues: PartitionValues(json: json["partitionValues"] ?? .null), size: size,
            modificationTime: Timestamp(milliseconds: json.optionalInt("modificationTime") ?? 0),
            dataChange: json["dataChange"]?.boolValue ?? true,
            statistics: json.optionalString("stats"))
        tags = json["tags"]?.members
        deletionVector = try DeletionVector(optional: json["deletionVector"])
        baseRowID = json.optionalInt("baseRowId")
        defaultRowCommitVersion = json.optionalInt("defaultRowCommitVersion")
        clusteringProvider = json.optionalString("clusteringProvider")
    }

    package var json: JSONValue {
        var object = SparseObject()
        object.add("path", TablePath.encoded(path))
        object.add("partitionValues", partitionValues.json)
        object.add("size", size)
        object.add("modificationTime", modificationTime.milliseconds)
        object.add("dataChange", dataChange)
        object.add("stats", statistics)
        object.add("tags", tags.map { .object($0) })
        object.add("deletionVector", deletionVector?.json)
        object.add("baseRowId", baseRowID)
        object.add("defaultRowCommitVersion", defaultRowCommitVersion)
        object.add("clusteringProvider", clusteringProvider)
        return object.json
    }
}

extension RemoveFile {
    fileprivate init(json: JSONValue) throws(DecodeFailure) {
        let path = try json.requiredString("path")
        self.init(
            path: TablePath.decodedForComparison(path),
            deletionTimestamp: json.optionalInt("deletionTimestamp").map {
                Timestamp(milliseconds: $0)
            },
            dataChange: json["dataChange"]?.boolValue ?? true)
        if let values = json["partitionValues"], !values.isNull {
            partitionValues = PartitionValues(json: values)
        }
        size = json.optionalInt("size")
        tags = json["tags"]?.members
        deletionVector = try DeletionVector(optional: json["deletionVector"])
        baseRowID = json.optionalInt("baseRowId")
        defaultRowCommitVersion = json.optionalInt("defaultRowCommitVersion")
    }

    package var json: JSONValue {
        var object = SparseObject()
        object.add("path", TablePath.encoded(path))
        object.add("deletionTimestamp", deletionTimestamp?.milliseconds)
        object.add("dataChange", dataChange)
        object.add("extendedFileMetadata", partitionValues != nil && size != nil)
        object.add("partitionValues", partitionValues?.json)
        object.add("size", size)
        object.add("tags", tags.map { .object($0) })
        object.add("deletionVector", deletionVector?.json)
        object.add("baseRowId", baseRowID)
        object.add("defaultRowCommitVersion", defaultRowCommitVersion)
        return object.json
    }
}

extension ApplicationTransaction {
    fileprivate init(json: JSONValue) throws(DecodeFailure) {
        self.init(
            appID: try json.requiredString("appId"), version: try json.requiredInt("version"),
            lastUpdated: json.optionalInt("lastUpdated").map { Timestamp(milliseconds: $0) })
    }

    fileprivate var json: JSONValue {
        var object = SparseObject()
        object.add("appId", appID)
        object.add("version", version)
        object.add("lastUpdated", lastUpdated?.milliseconds)
        return object.json
    }
}

extension DomainMetadata {
    fileprivate init(json: JSONValue) throws(DecodeFailure) {
        self.init(
            domain: try json.requiredString("domain"),
            configuration: json.optionalString("configuration") ?? "",
            isRemoved: json["removed"]?.boolValue ?? false)
    }

    fileprivate var json: JSONValue {
        [
            "domain": .string(domain), "configuration": .string(configuration),
            "removed": .bool(isRemoved),
        ]
    }
}
