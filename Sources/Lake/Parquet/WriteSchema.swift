// The schema of a file that is written: physical types, annotations and levels of every column.
// Lists are `optional group (LIST) { repeated group list { optional element } }`, maps
// `optional group (MAP) { repeated group key_value { required key; optional value } }`.

import Base
import Columns

/// A column, or a part of one, on its way into levels.
struct WriteNode: Sendable {
    indirect enum Kind: Sendable {
        case leaf(Int)
        case structure([WriteNode])
        case list(WriteNode)
        case map(key: WriteNode, value: WriteNode)
    }

    var name: String
    var isNullable: Bool
    var kind: Kind
    /// Repetition level of the elements of a list or map.
    var repetition: Int
}

/// A leaf that is written.
struct WriteLeaf: Sendable {
    var path: [String]
    var type: ColumnType
    var physical: PhysicalType
    /// Bytes of a fixed-length value.
    var width: Int
    var definitionMax: Int
    var repetitionMax: Int
}

struct WriteSchema: Sendable {
    private(set) var columns: [WriteNode] = []
    private(set) var leaves: [WriteLeaf] = []
    private(set) var elements: [SchemaElement] = []

    init(_ schema: TableSchema, fieldIDs: [Int32?]) throws(ParquetFailure) {
        var root = SchemaElement(name: "schema")
        root.childCount = schema.fields.count
        elements.append(root)
        for (index, field) in schema.fields.enumerated() {
            let id = fieldIDs.indices.contains(index) ? fieldIDs[index] : nil
            columns.append(
                try node(
                    field.name, field.type, isNullable: field.isNullable, Levels(), path: [],
                    fieldID: id))
        }
    }

    fileprivate struct Levels {
        var definition = 0
        var repetition = 0
        var depth = 0
    }

    private mutating func node(
        _ name: String, _ type: ColumnType, isNullable: Bool, _ outer: Levels, path: [String],
        fieldID: Int32? = nil
    ) throws(ParquetFailure) -> WriteNode {
        let path = path + [name]
        guard outer.depth < Limits.nestingDepth / 2 else {
            throw .unsupported("columns nested more than \(Limits.nestingDepth / 2) deep")
        }
        var levels = outer
        levels.depth += 1
        if isNullable { levels.definition += 1 }
        var element = SchemaElement(name: name)
        element.repetition = isNullable ? .optional : .required
        element.fieldID = fieldID
        let kind: WriteNode.Kind
        switch type {
        case .list(let inner):
            element.annotation = .list
            addGroup(element, repeated: "list", childCount: 1)
            let elementNode = try node(
                "element", inner, isNullable: true, levels.repeated, path: path + ["list"])
            kind = .list(elementNode)
        case .map(let key, let value):
            element.annotation = .map
            addGroup(element, repeated: "key_value", childCount: 2)
            let innerPath = path + ["key_value"]
            let keyNode = try node("key", key, isNullable: false, levels.repeated, path: innerPath)
            let valueNode = try node(
                "value", value, isNullable: true, levels.repeated, path: innerPath)
            kind = .map(key: keyNode, value: valueNode)
        case .structure(let fields):
            guard !fields.isEmpty else {
                throw .unsupported("a structure without members (\"\(name)\")")
            }
            element.childCount = fields.count
            elements.append(element)
            var members: [WriteNode] = []
            for field in fields {
                members.append(
                    try node(
                        field.name, field.type, isNullable: field.isNullable, levels, path: path))
            }
            kind = .structure(members)
        case .variant:
            element.annotation = .variant
            element.childCount = 2
            elements.append(element)
            var members: [WriteNode] = []
            for part in ["metadata", "value"] {
                members.append(try node(part, .binary, isNullable: false, levels, path: path))
            }
            kind = .structure(members)
        default:
            kind = .leaf(leaves.count)
            try describe(type, &element, path: path)
            elements.append(element)
            leaves.append(
                WriteLeaf(
                    path: path, type: type, physical: element.type ?? .int32,
                    width: element.typeLength, definitionMax: levels.definition,
                    repetitionMax: levels.repetition))
        }
        return WriteNode(
            name: name, isNullable: isNullable, kind: kind, repetition: outer.repetition + 1)
    }

    private mutating func addGroup(_ element: SchemaElement, repeated name: String, childCount: Int)
    {
        var outer = element
        outer.childCount = 1
        elements.append(outer)
        var inner = SchemaElement(name: name)
        inner.repetition = .repeated
        inner.childCount = childCount
        elements.append(inner)
    }

    private func describe(
        _ type: ColumnType, _ element: inout SchemaElement, path: [String]
    ) throws(ParquetFailure) {
        switch type {
        case .boolean: element.type = .boolean
        case .int16:
            (element.type, element.annotation) = (.int32, .integer(bits: 16, isSigned: true))
        case .int32:
            (element.type, element.annotation) = (.int32, .integer(bits: 32, isSigned: true))
        case .int64:
            (element.type, element.annotation) = (.int64, .integer(bits: 64, isSigned: true))
        case .float32: element.type = .float
        case .float64: element.type = .double
        case .decimal(let precision, let scale):
            guard (1...38).contains(precision), (0...precision).contains(scale) else {
                throw .unsupported(
                    "numeric(\(precision),\(scale)) (\"\(path.joined(separator: "."))\")")
            }
            element.annotation = .decimal(precision: precision, scale: scale)
            if precision <= 9 {
                element.type = .int32
            } else if precision <= 18 {
                element.type = .int64
            } else {
                element.type = .fixed
                element.typeLength = bytes(forDigits: precision)
            }
        case .text: (element.type, element.annotation) = (.byteArray, .string)
        case .json: (element.type, element.annotation) = (.byteArray, .json)
        case .binary: element.type = .byteArray
        case .date: (element.type, element.annotation) = (.int32, .date)
        case .timestamp:
            element.type = .int64
            element.annotation = .timestamp(.microseconds, isAdjustedToUTC: false)
        case .timestampTZ:
            element.type = .int64
            element.annotation = .timestamp(.microseconds, isAdjustedToUTC: true)
        case .uuid:
            (element.type, element.annotation) = (.fixed, .uuid)
            element.typeLength = 16
        case .null: (element.type, element.annotation) = (.int32, .unknown)
        case .time:
            throw .unsupported(
                "columns of type time (\"\(path.joined(separator: "."))\"): write text, or "
                    + "seconds")
        case .interval:
            throw .unsupported(
                "columns of type interval (\"\(path.joined(separator: "."))\"): the format has "
                    + "only milliseconds without a sign")
        case .list, .structure, .map, .variant: preconditionFailure("not a leaf")
        }
    }

    /// The fewest bytes whose two's complement holds `digits` decimal digits.
    private func bytes(forDigits digits: Int) -> Int {
        let largest = (0..<digits).reduce(Int128(1)) { value, _ in value * 10 } - 1
        return (Int128.bitWidth - largest.leadingZeroBitCount) / 8 + 1
    }
}

extension WriteSchema.Levels {
    fileprivate var repeated: Self {
        Self(definition: definition + 1, repetition: repetition + 1, depth: depth)
    }
}
