import Base
import Columns
import SQL

/// Hash aggregation: groups in the order in which they appear first; with grouping sets one set after
/// the other, each with a table of its own over the same input.
final class AggregateOperator: BatchOperator {
    private let input: any BatchOperator
    private let keys: [CompiledExpression]
    private let sets: [GroupedSet]
    private let hasSets: Bool
    private let memory: MemoryShare
    private let context: QueryContext
    private var cutter = BatchCutter()
    private var isDone = false
    private var given = 0

    /// The groups of one grouping set.
    private final class GroupedSet {
        /// The keys that are in the set.
        let members: [Int]
        let table: KeyTable?
        let states: [AggregateState]

        init(_ members: [Int], _ types: [ColumnType], _ node: AggregateNode) throws(Problem) {
            self.members = members
            table = members.isEmpty ? nil : KeyTable(types: members.map { types[$0] })
            var states: [AggregateState] = []
            for aggregate in node.aggregates { states.append(try AggregateState(aggregate.call)) }
            self.states = states
            if table == nil { for state in states { state.grow(to: 1) } }
        }

        func groups(_ columns: [Column], _ count: Int) -> [Int32] {
            guard let table else { return [Int32](repeating: 0, count: count) }
            let groups = table.insert(members.map { columns[$0] }, count: count)
            for state in states { state.grow(to: table.count) }
            return groups
        }

        var memoryBytes: Int { states.reduce(table?.memoryBytes ?? 0) { $0 + $1.memoryBytes } }

        /// The groups: all keys, those that are not in the set NULL, then the aggregates.
        func finish(_ keys: [ColumnType]) throws(Problem) -> ColumnBatch {
            let count = table?.count ?? 1
            let own = table?.columns(0..<count) ?? []
            var columns = keys.enumerated().map { index, type in
                members.firstIndex(of: index).map { own[$0] }
                    ?? Column(
                        type, repeating: .null, count: count)
            }
            for state in states { columns.append(try state.finish()) }
            return ColumnBatch(columns: columns, rowCount: count)
        }
    }

    init(
        _ input: any BatchOperator, _ node: AggregateNode, _ context: QueryContext
    ) throws(Problem) {
        guard node.keys.count <= 63 else {
            throw Problem("54000", "at most 63 expressions in GROUP BY")
        }
        self.input = input
        self.context = context
        keys = node.keys.map { CompiledExpression($0.expression) }
        let types = keys.map(\.type)
        hasSets = node.sets != nil
        var sets: [GroupedSet] = []
        for members in node.sets ?? [Array(node.keys.indices)] {
            sets.append(try GroupedSet(members, types, node))
        }
        self.sets = sets
        memory = MemoryShare(context.memory, for: "aggregation")
    }

    func next() throws(Problem) -> ColumnBatch? {
        if !isDone {
            isDone = true
            try aggregate()
        }
        while true {
            if let batch = cutter.next() { return batch }
            guard given < sets.count else { return nil }
            cutter.put(try finish(given))
            given += 1
        }
    }

    private func aggregate() throws(Problem) {
        while let batch = try input.next() {
            try context.checkCancellation()
            var columns: [Column] = []
            for key in keys { columns.append(try key.column(batch, context)) }
            for set in sets {
                let groups = set.groups(columns, batch.rowCount)
                for state in set.states { try state.update(batch, groups, context) }
            }
            try memory.resize(to: sets.reduce(0) { $0 + $1.memoryBytes })
        }
    }

    private func finish(_ number: Int) throws(Problem) -> ColumnBatch {
        let groups = try sets[number].finish(keys.map(\.type))
        guard hasSets else { return groups }
        let set = Column(.int32, repeating: .int(Int64(number)), count: groups.rowCount)
        return ColumnBatch(columns: groups.columns + [set], rowCount: groups.rowCount)
    }
}

/// DISTINCT: each new row as soon as it comes.
final class DistinctOperator: BatchOperator {
    private let input: any BatchOperator
    private let table: KeyTable
    private let memory: MemoryShare
    private let context: QueryContext

    init(
        _ input: any BatchOperator, _ schema: TableSchema, _ context: QueryContext
    ) throws(Problem) {
        guard schema.fields.count <= 63 else {
            throw Problem("54000", "at most 63 columns in DISTINCT")
        }
        self.input = input
        self.context = context
        table = KeyTable(types: schema.fields.map(\.type))
        memory = MemoryShare(context.memory, for: "DISTINCT")
    }

    func next() throws(Problem) -> ColumnBatch? {
        while let batch = try input.next() {
            try context.checkCancellation()
            let before = table.count
            let numbers = table.insert(batch.columns, count: batch.rowCount)
            try memory.resize(to: table.memoryBytes)
            let rows = AggregateState.newRows(numbers, before)
            if rows.count == batch.rowCount { return batch }
            if !rows.isEmpty { return batch.gather(rows) }
        }
        return nil
    }
}
