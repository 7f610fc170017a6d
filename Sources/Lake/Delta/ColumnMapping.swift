// Column mapping: the table's names of columns are not those in its files, so that a column can be
// renamed or dropped without touching a file. Each column, and each member of a structure, carries
// its file name and a number in its metadata; partition values and statistics use the file names.

import Base
import Columns

/// How a column of the table is found in its files.
package enum ColumnMappingMode: String, Sendable {
    /// By its name.
    case none
    /// By the name in its metadata.
    case name
    /// By the number in its metadata, which the file has as its field id.
    case id
}

extension DeltaField {
    static let physicalNameKey = "delta.columnMapping.physicalName"
    static let mappingIDKey = "delta.columnMapping.id"

    /// The name in the files of a table with column mapping.
    var mappedName: String { metadataValue(Self.physicalNameKey)?.stringValue ?? name }

    /// The field id in the files of a table with column mapping.
    var mappedID: Int32? {
        metadataValue(Self.mappingIDKey)?.intValue.flatMap { Int32(exactly: $0) }
    }
}

extension TableMetadata {
    package var columnMapping: ColumnMappingMode {
        configuration["delta.columnMapping.mode"].flatMap {
            ColumnMappingMode(rawValue: $0.lowercased())
        } ?? .none
    }

    /// The name that files, partition values and statistics have for a column at the top.
    package func physicalName(of column: String) -> String {
        guard columnMapping != .none, let field = schema.field(named: column) else {
            return column
        }
        return field.mappedName
    }

    /// The names of the partition columns as partition values and folders have them.
    package var physicalPartitionColumns: [String] {
        partitionColumns.map { physicalName(of: $0) }
    }

    /// The path from a column down to a member as statistics have it.
    package func physicalPath(of path: [String]) -> [String] {
        guard columnMapping != .none else { return path }
        var fields = schema.fields
        return path.map { name in
            guard let field = fields.first(where: { $0.name == name }) else { return name }
            if case .structure(let members) = field.type { fields = members }
            return field.mappedName
        }
    }

    /// The columns of data files under their names there, those that are no partition columns.
    package func fileSchema() throws(DeltaFailure) -> TableSchema {
        var columns: [Field] = []
        for field in storedFields {
            let type = try fileType(of: field.type).storedType(column: field.name)
            columns.append(Field(fileName(of: field), type, isNullable: field.isNullable))
        }
        return TableSchema(columns)
    }

    /// The field ids of `fileSchema`; empty without column mapping.
    package var fileFieldIDs: [Int32?] {
        columnMapping == .none ? [] : storedFields.map(\.mappedID)
    }

    /// The columns that are in data files, in the order of the table.
    package var storedFields: [DeltaField] {
        schema.fields.filter { !partitionColumns.contains($0.name) && $0.type != .void }
    }

    func fileName(of field: DeltaField) -> String {
        columnMapping == .none ? field.name : field.mappedName
    }

    /// The same type with the names of the files.
    func fileType(of type: DeltaType) -> DeltaType {
        guard columnMapping != .none else { return type }
        return type.renamed { $0.mappedName }
    }
}

extension TableMetadata {
    private static let maxColumnIDKey = "delta.columnMapping.maxColumnId"

    /// The same columns, each with a number and a file name, when the table maps columns. Columns
    /// that files have already, because the table did not map them before, keep their names there.
    func assigningColumnIDs(
        existing: TableMetadata?, random: inout Random
    ) -> TableMetadata {
        guard columnMapping != .none else { return self }
        var mapped = self
        var last = configuration[Self.maxColumnIDKey].flatMap { Int32($0) } ?? 0
        last = max(last, schema.fields.map(\.largestMappedID).max() ?? 0)
        let old = existing.flatMap { $0.columnMapping == .none ? $0.schema.fields : nil } ?? []
        mapped.schema.fields = schema.fields.map { field in
            field.assigningID(&last, old: old.first { $0.name == field.name }, &random)
        }
        mapped.configuration[Self.maxColumnIDKey] = String(last)
        return mapped
    }
}

extension DeltaField {
    fileprivate var largestMappedID: Int32 {
        max(mappedID ?? 0, type.members.map(\.largestMappedID).max() ?? 0)
    }

    fileprivate func assigningID(
        _ last: inout Int32, old: DeltaField?, _ random: inout Random
    ) -> DeltaField {
        var field = self
        if mappedID == nil || metadataValue(Self.physicalNameKey) == nil {
            field.metadata.removeAll {
                $0.key == Self.mappingIDKey || $0.key == Self.physicalNameKey
            }
            last += 1
            let fileName = old == nil ? "col-\(random.uuid())" : name
            field.metadata.append(JSONMember(Self.mappingIDKey, .int(Int64(last))))
            field.metadata.append(JSONMember(Self.physicalNameKey, .string(fileName)))
        }
        let oldMembers = old?.type.members ?? []
        field.type = type.mappingMembers { member in
            member.assigningID(&last, old: oldMembers.first { $0.name == member.name }, &random)
        }
        return field
    }
}

extension DeltaType {
    /// The members of the structures next below.
    fileprivate var members: [DeltaField] {
        switch self {
        case .structure(let members): members
        case .list(let element, _): element.members
        case .map(let key, let value, _): key.members + value.members
        default: []
        }
    }

    /// The same type with other members in the structures next below.
    fileprivate func mappingMembers(_ change: (DeltaField) -> DeltaField) -> DeltaType {
        switch self {
        case .structure(let members): .structure(members.map(change))
        case .list(let element, let containsNull):
            .list(element: element.mappingMembers(change), containsNull: containsNull)
        case .map(let key, let value, let containsNull):
            .map(
                key: key.mappingMembers(change), value: value.mappingMembers(change),
                valueContainsNull: containsNull)
        default: self
        }
    }

    /// The same type with other names for the members of structures.
    func renamed(_ name: (DeltaField) -> String) -> DeltaType {
        switch self {
        case .structure(let members):
            return .structure(
                members.map { member in
                    var renamed = member
                    renamed.name = name(member)
                    renamed.type = member.type.renamed(name)
                    return renamed
                })
        case .list(let element, let containsNull):
            return .list(element: element.renamed(name), containsNull: containsNull)
        case .map(let key, let value, let containsNull):
            return .map(
                key: key.renamed(name), value: value.renamed(name), valueContainsNull: containsNull)
        default: return self
        }
    }

    /// True when a structure is the type or part of it.
    var hasMembers: Bool {
        switch self {
        case .structure: true
        case .list(let element, _): element.hasMembers
        case .map(let key, let value, _): key.hasMembers || value.hasMembers
        default: false
        }
    }
}

extension Column {
    /// The same values under a type that differs from the own one in names of members only.
    func renamed(to wanted: ColumnType) -> Column {
        if type == wanted { return self }
        let renamed: ColumnData
        switch (wanted, data) {
        case (.list(let element), .list(let offsets, let column)):
            renamed = .list(offsets: offsets, element: column.renamed(to: element))
        case (.map(let key, let value), .map(let offsets, let keys, let values)):
            renamed = .map(
                offsets: offsets, key: keys.renamed(to: key), value: values.renamed(to: value))
        case (.structure(let fields), .structure(let columns)):
            renamed = .structure(zip(columns, fields).map { $0.renamed(to: $1.type) })
        default: renamed = data
        }
        return Column(type: wanted, data: renamed, validity: validity)
    }
}
