// From levels back to nested columns. Each shape finds its slots in the levels of the first leaf
// below it; the leaves of one file must agree on them, which is checked where they meet.

import Base
import Columns

struct ColumnAssembly {
    /// The leaves of the column, in the order of the schema; `first` is the number of the first.
    let leaves: [LeafValues]
    let first: Int

    /// The column of `shape`, which stands at the top.
    func column(_ shape: Shape) throws(DecodeFailure) -> Column {
        shape.isFlat ? flat(shape) : try part(shape)
    }

    private func part(_ shape: Shape) throws(DecodeFailure) -> Column {
        switch shape.kind {
        case .leaf: return leaf(shape)
        case .structure(let members):
            var columns: [Column] = []
            for member in members { columns.append(try part(member)) }
            let (count, validity) = slots(shape)
            for column in columns { try require(column.count == count, shape) }
            return Column(type: shape.type, data: .structure(columns), validity: validity)
        case .variant(let group, let plan):
            return try unshredded(try part(group), plan)
        case .list(let element, let definition):
            let (offsets, validity) = try ranges(shape, definition: definition)
            let column = try part(element)
            try require(column.count == Int(offsets[offsets.count - 1]), shape)
            return Column(
                type: shape.type, data: .list(offsets: offsets, element: column),
                validity: validity)
        case .map(let key, let value, let definition):
            let (offsets, validity) = try ranges(shape, definition: definition)
            let keys = try part(key)
            let values = try part(value)
            try require(keys.count == Int(offsets[offsets.count - 1]), shape)
            try require(values.count == keys.count, shape)
            return Column(
                type: shape.type, data: .map(offsets: offsets, key: keys, value: values),
                validity: validity)
        }
    }

    private func require(_ agrees: Bool, _ shape: Shape) throws(DecodeFailure) {
        if !agrees {
            throw .malformed("the leaves of \"\(shape.name)\" have different rows", position: 0)
        }
    }

    private func flat(_ shape: Shape) -> Column {
        let values = leaves[shape.leaves.lowerBound - first]
        let validity = values.validity.flatMap { $0.nullCount == 0 ? nil : $0 }
        return built(shape, values, validity: validity, count: values.entryCount)
    }

    private func leaf(_ shape: Shape) -> Column {
        let values = leaves[shape.leaves.lowerBound - first]
        let (count, validity) = slots(shape)
        return built(shape, values, validity: validity, count: count)
    }

    private func built(
        _ shape: Shape, _ values: LeafValues, validity: Validity?, count: Int
    ) -> Column {
        if shape.type == .null { return Column(type: .null, data: .null(count: count)) }
        guard let dense = values.dense else {
            // No pages at all: no values.
            return Column(type: shape.type, data: .null(count: count))
        }
        guard let validity else { return Column(type: shape.type, data: dense) }
        return Column(type: shape.type, data: expanded(dense, by: validity), validity: validity)
    }

    /// Calls `body` with repetition and definition level of each entry of the shape's first leaf.
    private func forEachEntry(
        _ shape: Shape, _ body: (_ repetition: Int, _ definition: Int) -> Void
    ) {
        let index = shape.leaves.lowerBound - first
        let values = leaves[index]
        // Levels that cannot differ from 0 are not stored.
        let hasRepetitions = !values.repetitions.isEmpty
        let hasDefinitions = !values.definitions.isEmpty
        for entry in 0..<values.entryCount {
            body(
                hasRepetitions ? Int(values.repetitions[entry]) : 0,
                hasDefinitions ? Int(values.definitions[entry]) : 0)
        }
    }

    /// The number of slots of `shape`, and which are not NULL.
    private func slots(_ shape: Shape) -> (Int, Validity?) {
        var validity = Validity(repeating: true, count: 0)
        forEachEntry(shape) { repetition, definition in
            if repetition <= shape.slotRepetition, definition >= shape.slotDefinition {
                validity.append(definition >= shape.definition)
            }
        }
        return (validity.count, validity.nullCount == 0 ? nil : validity)
    }

    /// Where the elements of each slot begin and end.
    private func ranges(
        _ shape: Shape, definition elementDefinition: Int
    ) throws(DecodeFailure) -> ([Int32], Validity?) {
        var offsets: [Int32] = []
        var validity = Validity(repeating: true, count: 0)
        var elements: Int32 = 0
        var hasOrphans = false
        forEachEntry(shape) { repetition, definition in
            if repetition <= shape.slotRepetition, definition >= shape.slotDefinition {
                offsets.append(elements)
                validity.append(definition >= shape.definition)
            }
            if repetition <= shape.slotRepetition + 1, definition >= elementDefinition {
                // The number of entries is bounded well below the range of Int32.
                elements &+= 1
                hasOrphans = hasOrphans || offsets.isEmpty
            }
        }
        if hasOrphans {
            throw .malformed("elements of \"\(shape.name)\" outside of a list", position: 0)
        }
        offsets.append(elements)
        return (offsets, validity.nullCount == 0 ? nil : validity)
    }
}
