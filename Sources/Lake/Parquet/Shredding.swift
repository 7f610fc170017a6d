// Nested columns into levels: for each leaf one entry a value, NULL or empty list, with the level of
// the list that it continues (repetition) and how much of its path is there (definition).

import Base
import Columns

/// The entries at one node on the way down. An entry whose row is negative ended further up.
private struct Entries {
    var rows: [Int32]
    var definitions: [UInt8]
    var repetitions: [UInt8]

    /// One entry for each row.
    init(rowCount: Int) {
        rows = (0..<Int32(rowCount)).map { $0 }
        definitions = [UInt8](repeating: 0, count: rowCount)
        repetitions = [UInt8](repeating: 0, count: rowCount)
    }

    init() {
        rows = []
        definitions = []
        repetitions = []
    }

    mutating func append(row: Int32, definition: UInt8, repetition: UInt8) {
        rows.append(row)
        definitions.append(definition)
        repetitions.append(repetition)
    }
}

extension WriteNode {
    /// Appends `column`, one of the columns at the top, to the leaves below this node.
    func shred(_ column: Column, into leaves: inout [LeafStore]) throws(ParquetFailure) {
        guard case .leaf(let number) = kind else {
            try shred(column, Entries(rowCount: column.count), into: &leaves)
            return
        }
        if !isNullable, column.nullCount > 0 { throw nullInRequired }
        try leaves[number].append(column)
    }

    private var nullInRequired: ParquetFailure {
        .invalidInput("NULL in column \"\(name)\", which does not allow it")
    }

    private func shred(
        _ column: Column, _ entries: Entries, into leaves: inout [LeafStore]
    ) throws(ParquetFailure) {
        var entries = entries
        try resolveNulls(column, &entries)
        switch kind {
        case .leaf(let number):
            try leaves[number].append(
                column, rows: entries.rows, definitions: entries.definitions,
                repetitions: entries.repetitions)
        case .structure(let members):
            guard case .structure(let columns) = column.data, columns.count == members.count else {
                // Nothing but NULL: members of the right shape are not needed to say so.
                let none = Column(type: .null, data: .null(count: column.count))
                for member in members { try member.shred(none, entries, into: &leaves) }
                return
            }
            for (member, column) in zip(members, columns) {
                try member.shred(column, entries, into: &leaves)
            }
        case .list(let element):
            guard case .list(let offsets, let elements) = column.data else {
                try element.shred(
                    Column(type: .null, data: .null(count: 0)), entries, into: &leaves)
                return
            }
            try element.shred(elements, spread(entries, offsets), into: &leaves)
        case .map(let key, let value):
            guard case .map(let offsets, let keys, let values) = column.data else {
                let none = Column(type: .null, data: .null(count: 0))
                try key.shred(none, entries, into: &leaves)
                try value.shred(none, entries, into: &leaves)
                return
            }
            let inner = spread(entries, offsets)
            try key.shred(keys, inner, into: &leaves)
            try value.shred(values, inner, into: &leaves)
        }
    }

    /// Ends the entries whose value is NULL, and counts a level for the others.
    private func resolveNulls(
        _ column: Column, _ entries: inout Entries
    ) throws(ParquetFailure) {
        for index in entries.rows.indices where entries.rows[index] >= 0 {
            if column.isNull(Int(entries.rows[index])) {
                guard isNullable else { throw nullInRequired }
                entries.rows[index] = -1
            } else if isNullable {
                entries.definitions[index] += 1
            }
        }
    }

    /// One entry for each element, and one for each list that is empty or not there.
    private func spread(_ entries: Entries, _ offsets: [Int32]) -> Entries {
        var result = Entries()
        for index in entries.rows.indices {
            let row = Int(entries.rows[index])
            let definition = entries.definitions[index]
            let repetition = entries.repetitions[index]
            guard row >= 0, offsets[row] < offsets[row + 1] else {
                result.append(row: -1, definition: definition, repetition: repetition)
                continue
            }
            for element in offsets[row]..<offsets[row + 1] {
                let isFirst = element == offsets[row]
                result.append(
                    row: element, definition: definition + 1,
                    repetition: isFirst ? repetition : UInt8(self.repetition))
            }
        }
        return result
    }
}
