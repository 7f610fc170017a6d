// From the flat list of schema elements to columns: the tree of groups, the levels of each leaf, and
// the shapes in which lists and maps are written.

import Base
import Columns

/// How the values of a leaf become values of a column.
enum LeafConversion: Hashable, Sendable {
    case boolean
    case int32
    /// `INTEGER(8 | 16)`: the value is cut to its bits.
    case narrow(bits: Int, isSigned: Bool)
    case unsigned32
    case int64
    case unsigned64
    case decimal32
    case decimal64
    case decimalBytes
    case timestamp(TimeUnit)
    case int96
    case float
    case double
    case float16
    /// Text that must be valid UTF-8.
    case text
    case bytes
    case uuid
    case interval
    /// `UNKNOWN`: all values are NULL.
    case null
}

/// One leaf of the schema: what a column chunk holds.
struct Leaf: Sendable {
    var path: [String]
    var physical: PhysicalType
    /// Bytes of a `FIXED_LEN_BYTE_ARRAY` value.
    var width: Int
    var conversion: LeafConversion
    var type: ColumnType
    var definitionMax: Int
    var repetitionMax: Int
}

/// A column, or a part of one, and where it is in the levels of its leaves.
///
/// The *slots* of a shape are the places where it has a value or a NULL: the entries of any of its
/// leaves whose repetition level is at most `slotRepetition` and whose definition level is at least
/// `slotDefinition`. At the top those are the rows.
struct Shape: Sendable {
    indirect enum Kind: Sendable {
        case leaf
        case structure([Shape])
        /// `definition` is the level from which on there is an element.
        case list(element: Shape, definition: Int)
        case map(key: Shape, value: Shape, definition: Int)
        /// `group` has the members as they are stored, the plan says how values are made of them.
        case variant(group: Shape, plan: VariantPlan)
    }

    var name: String
    var type: ColumnType
    var isNullable: Bool
    var kind: Kind
    /// The definition level from which on the value is not NULL.
    var definition: Int
    var slotRepetition: Int
    var slotDefinition: Int
    /// The leaves below.
    var leaves: Range<Int>
    var fieldID: Int32?

    /// Of a shape at the top: whether it is a leaf, whose levels need no assembly.
    var isFlat: Bool {
        if case .leaf = kind { true } else { false }
    }
}

/// The columns of a file.
struct FileSchema: Sendable {
    private(set) var leaves: [Leaf] = []
    private(set) var columns: [Shape] = []
    /// Leaves below a variant keep the exact type that its values have.
    private var isInVariant = false

    init(_ elements: [SchemaElement]) throws(DecodeFailure) {
        var parser = SchemaParser(elements: elements)
        let root = try parser.tree()
        for child in root.children {
            columns.append(try shape(of: child, Place(), path: []))
        }
    }

    var tableSchema: TableSchema {
        TableSchema(columns.map { Field($0.name, $0.type, isNullable: $0.isNullable) })
    }
}

/// A node of the schema tree.
struct Node {
    var element: SchemaElement
    var children: [Node]
    var isLeaf: Bool { element.type != nil }

    /// Of the repeated field of a LIST: whether it is the element, by the rules for files that were
    /// written before lists had three levels. It is when it is a leaf, has several members or a
    /// repeated one, or is named as old writers did.
    func isElement(ofList name: String) -> Bool {
        isLeaf || children.count != 1 || children[0].element.repetition == .repeated
            || element.name == "array" || element.name == name + "_tuple"
    }
}

private struct SchemaParser {
    let elements: [SchemaElement]
    var next = 0

    mutating func tree() throws(DecodeFailure) -> Node {
        let root = try node(depth: 0)
        guard next == elements.count else {
            throw .malformed("schema elements behind the end of the schema tree", position: 0)
        }
        guard !root.isLeaf else {
            throw .malformed("the root of the schema is not a group", position: 0)
        }
        return root
    }

    private mutating func node(depth: Int) throws(DecodeFailure) -> Node {
        if depth > Limits.nestingDepth {
            throw .tooLarge(
                what: "schema nesting", value: Int64(depth), limit: Int64(Limits.nestingDepth))
        }
        guard next < elements.count else {
            throw .malformed("schema tree runs past its elements", position: 0)
        }
        let element = elements[next]
        next += 1
        if element.type != nil { return Node(element: element, children: []) }
        guard element.childCount <= elements.count - next else {
            throw .malformed("schema group \"\(element.name)\" runs past the schema", position: 0)
        }
        var children: [Node] = []
        for _ in 0..<element.childCount { children.append(try node(depth: depth + 1)) }
        return Node(element: element, children: children)
    }
}

/// Levels at a node of the schema.
private struct Place {
    var definition = 0
    var repetition = 0
    var slotDefinition = 0

    /// Inside of a repeated field.
    var repeated: Place {
        Place(
            definition: definition + 1, repetition: repetition + 1, slotDefinition: definition + 1)
    }
}

extension FileSchema {
    /// The shape of `node`, its own repetition included.
    private mutating func shape(
        of node: Node, _ place: Place, path: [String]
    ) throws(DecodeFailure) -> Shape {
        let path = path + [node.element.name]
        switch node.element.repetition {
        case .required: return try body(of: node, place, slot: place, path: path)
        case .optional:
            var inner = place
            inner.definition += 1
            return try body(of: node, inner, slot: place, path: path)
        case .repeated:
            // Outside of a LIST: a list of required elements that is never NULL itself.
            let inner = place.repeated
            let element = try body(of: node, inner, slot: inner, path: path)
            return Shape(
                name: node.element.name, type: .list(element.type), isNullable: false,
                kind: .list(element: element, definition: inner.definition),
                definition: place.definition, slotRepetition: place.repetition,
                slotDefinition: place.slotDefinition, leaves: element.leaves,
                fieldID: node.element.fieldID)
        }
    }

    /// The shape of `node` once its repetition is dealt with. `slot` is the place around it.
    private mutating func body(
        of node: Node, _ place: Place, slot: Place, path: [String]
    ) throws(DecodeFailure) -> Shape {
        if let physical = node.element.type {
            return try leaf(node.element, physical, place, slot: slot, path: path)
        }
        if node.children.isEmpty {
            throw .unsupported("a group without members (\"\(path.joined(separator: "."))\")")
        }
        if node.element.annotation == .variant, !isInVariant {
            return try variant(node, place, slot: slot, path: path)
        }
        let first = leaves.count
        let kind: Shape.Kind
        let type: ColumnType
        let only = node.children.count == 1 ? node.children[0] : nil
        let repeated = only?.element.repetition == .repeated ? only : nil
        if node.element.annotation == .list, let repeated {
            let inner = place.repeated
            let element = try self.element(of: repeated, listName: node.element.name, inner, path)
            kind = .list(element: element, definition: inner.definition)
            type = .list(element.type)
        } else if node.element.annotation == .map, let repeated, !repeated.isLeaf,
            (1...2).contains(repeated.children.count)
        {
            let inner = place.repeated
            let innerPath = path + [repeated.element.name]
            let key = try shape(of: repeated.children[0], inner, path: innerPath)
            if repeated.children.count == 1 {
                // A map without values is a set of its keys.
                kind = .list(element: key, definition: inner.definition)
                type = .list(key.type)
            } else {
                let value = try shape(of: repeated.children[1], inner, path: innerPath)
                kind = .map(key: key, value: value, definition: inner.definition)
                type = .map(key: key.type, value: value.type)
            }
        } else {
            var members: [Shape] = []
            for child in node.children { members.append(try shape(of: child, place, path: path)) }
            kind = .structure(members)
            type = .structure(members.map { Field($0.name, $0.type, isNullable: $0.isNullable) })
        }
        return Shape(
            name: node.element.name, type: type, isNullable: place.definition > slot.definition,
            kind: kind, definition: place.definition, slotRepetition: slot.repetition,
            slotDefinition: slot.slotDefinition, leaves: first..<leaves.count,
            fieldID: node.element.fieldID)
    }

    /// A group that is annotated as a variant.
    private mutating func variant(
        _ node: Node, _ place: Place, slot: Place, path: [String]
    ) throws(DecodeFailure) -> Shape {
        isInVariant = true
        let group = try body(of: node, place, slot: slot, path: path)
        isInVariant = false
        guard let plan = VariantPlan(variant: node) else {
            throw .malformed(
                "the variant \"\(path.joined(separator: "."))\" lacks metadata or value",
                position: 0)
        }
        var shape = group
        shape.type = .variant
        shape.kind = .variant(group: group, plan: plan)
        return shape
    }

    /// The element of a LIST.
    private mutating func element(
        of repeated: Node, listName: String, _ place: Place, _ path: [String]
    ) throws(DecodeFailure) -> Shape {
        let path = path + [repeated.element.name]
        if repeated.isElement(ofList: listName) {
            return try body(of: repeated, place, slot: place, path: path)
        }
        return try shape(of: repeated.children[0], place, path: path)
    }

    private mutating func leaf(
        _ element: SchemaElement, _ physical: PhysicalType, _ place: Place, slot: Place,
        path: [String]
    ) throws(DecodeFailure) -> Shape {
        if physical == .fixed {
            guard element.typeLength > 0, element.typeLength <= Limits.parquetPageBytes else {
                throw .invalid(
                    what: "width of a fixed-length type", value: Int64(element.typeLength),
                    position: 0)
            }
        }
        let (conversion, type) =
            isInVariant
            ? exactMeaning(of: element, physical) : meaning(of: element, physical)
        leaves.append(
            Leaf(
                path: path, physical: physical, width: element.typeLength, conversion: conversion,
                type: type, definitionMax: place.definition, repetitionMax: place.repetition))
        return Shape(
            name: element.name, type: type, isNullable: place.definition > slot.definition,
            kind: .leaf, definition: place.definition, slotRepetition: slot.repetition,
            slotDefinition: slot.slotDefinition, leaves: leaves.count - 1..<leaves.count,
            fieldID: element.fieldID)
    }
}

/// The type of a leaf. An annotation that is unknown or does not suit its physical type leaves the
/// physical type exposed.
private func meaning(
    of element: SchemaElement, _ physical: PhysicalType
) -> (LeafConversion, ColumnType) {
    if element.annotation == .unknown { return (.null, .null) }
    switch physical {
    case .boolean: return (.boolean, .boolean)
    case .int32: return meaningOfInt32(element.annotation)
    case .int64: return meaningOfInt64(element.annotation)
    // Spark, Hive and Impala write instants this way.
    case .int96: return (.int96, .timestampTZ)
    case .float: return (.float, .float32)
    case .double: return (.double, .float64)
    case .byteArray:
        switch element.annotation {
        case .string, .enumeration: return (.text, .text)
        case .json: return (.text, .json)
        case .decimal(let precision, let scale):
            guard let type = decimalType(precision, scale) else { return (.bytes, .binary) }
            return (.decimalBytes, type)
        default: return (.bytes, .binary)
        }
    case .fixed:
        switch element.annotation {
        case .decimal(let precision, let scale):
            guard let type = decimalType(precision, scale) else { return (.bytes, .binary) }
            return (.decimalBytes, type)
        case .uuid where element.typeLength == 16: return (.uuid, .uuid)
        case .float16 where element.typeLength == 2: return (.float16, .float32)
        case .interval where element.typeLength == 12: return (.interval, .interval)
        default: return (.bytes, .binary)
        }
    }
}

/// The meaning of a leaf below a variant, which keeps units that a column would not.
private func exactMeaning(
    of element: SchemaElement, _ physical: PhysicalType
) -> (LeafConversion, ColumnType) {
    switch element.annotation {
    case .integer where physical == .int32: return (.int32, .int32)
    case .timestamp where physical == .int64, .time where physical == .int64:
        return (.int64, .int64)
    default: return meaning(of: element, physical)
    }
}

private func meaningOfInt32(_ annotation: Annotation) -> (LeafConversion, ColumnType) {
    switch annotation {
    case .date: return (.int32, .date)
    case .integer(8, true): return (.narrow(bits: 8, isSigned: true), .int16)
    case .integer(16, true): return (.narrow(bits: 16, isSigned: true), .int16)
    case .integer(8, false): return (.narrow(bits: 8, isSigned: false), .int16)
    case .integer(16, false): return (.narrow(bits: 16, isSigned: false), .int32)
    case .integer(32, false): return (.unsigned32, .int64)
    case .decimal(let precision, let scale):
        guard let type = decimalType(precision, scale) else { return (.int32, .int32) }
        return (.decimal32, type)
    default: return (.int32, .int32)
    }
}

private func meaningOfInt64(_ annotation: Annotation) -> (LeafConversion, ColumnType) {
    switch annotation {
    case .timestamp(let unit, let isAdjustedToUTC):
        return (.timestamp(unit), isAdjustedToUTC ? .timestampTZ : .timestamp)
    case .integer(64, false): return (.unsigned64, .decimal(precision: 20, scale: 0))
    case .decimal(let precision, let scale):
        guard let type = decimalType(precision, scale) else { return (.int64, .int64) }
        return (.decimal64, type)
    default: return (.int64, .int64)
    }
}

private func decimalType(_ precision: Int, _ scale: Int) -> ColumnType? {
    guard (1...38).contains(precision), (0...precision).contains(scale) else { return nil }
    return .decimal(precision: precision, scale: scale)
}
