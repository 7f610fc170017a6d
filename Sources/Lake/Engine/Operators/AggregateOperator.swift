import Base
import Columns
import SQL

/// Hash aggregation: groups in the order in which they appear first; with grouping sets one set after
/// the other, each with a table of its own over the same input.
///
/// When the memory is used up, the groups that are known then are carried to their end; rows of other
/// groups go to the scratch disk, divided by the hash of their keys, and each part is aggregated by an
/// operator of its own.
final class AggregateOperator: BatchOperator {
    private let input: any BatchOperator
    private let node: AggregateNode
    private let keys: [CompiledExpression]
    private let sets: [GroupedSet]
    private let memory: MemoryShare
    private let context: QueryContext
    /// How many divisions the input has gone through.
    private let level: Int
    /// The input is what parts of the rows gave.
    private let merges: Bool
    /// New groups find no room any more; what was held then.
    private var isFull = false
    private var fullBytes = 0
    private var isDone = false
    private var given = 0
    /// What the parts of the set given last give.
    private var rest: (any BatchOperator)?

    /// The groups of one grouping set.
    private final class GroupedSet {
        /// Its number among the sets of the query.
        let number: Int
        /// The keys that are in the set.
        let members: [Int]
        private(set) var table: KeyTable?
        private(set) var states: [AggregateState] = []
        /// The groups whose results were given.
        private var given = 0
        /// Rows of groups for which there was no room.
        var others: SpilledPartitions?

        init(
            _ number: Int, _ members: [Int], _ types: [ColumnType], _ node: AggregateNode,
            merges: Bool, keeperBytesMax: Int, _ context: QueryContext
        ) throws(Problem) {
            self.number = number
            self.members = members
            table =
                members.isEmpty
                ? nil
                : KeyTable(
                    types: members.map { types[$0] }, directBytesMax: context.memory.limit / 8)
            for aggregate in node.aggregates {
                states.append(
                    try AggregateState(
                        aggregate.call, merging: merges, bytesMax: keeperBytesMax, context))
            }
            if table == nil { for state in states { state.grow(to: 1) } }
        }

        func groups(_ columns: [Column], _ count: Int) -> [Int32] {
            guard let table else { return [Int32](repeating: 0, count: count) }
            let groups = table.insert(members.map { columns[$0] }, count: count)
            for state in states { state.grow(to: table.count) }
            return groups
        }

        var memoryBytes: Int { states.reduce(table?.memoryBytes ?? 0) { $0 + $1.memoryBytes } }

        /// About what `rows` rows of new groups would add.
        func growthBytes(_ rows: Int) -> Int {
            guard let table, others == nil else { return 0 }
            let growth = table.growthBytes(rows)
            // Vectors of states grow by doubling, about when the table does.
            return growth > 0 ? growth + states.reduce(0) { $0 + $1.memoryBytes } : 0
        }

        /// All rows have come.
        func endInput() throws(Problem) { for state in states { try state.endInput() } }

        /// The next groups: all keys, those that are not in the set NULL, then the aggregates. nil
        /// behind the last ones, which the set does not hold any more.
        func next(_ keys: [ColumnType]) throws(Problem) -> ColumnBatch? {
            let count = table?.count ?? 1
            guard given < count else {
                table = nil
                states = []
                return nil
            }
            let several = states.reduce(Limits.batchRows) {
                min($0, $1.groupsAtOnce(from: given))
            }
            let groups = given..<min(given + several, count)
            given = groups.upperBound
            let own = table?.columns(groups) ?? []
            var columns = keys.enumerated().map { index, type in
                members.firstIndex(of: index).map { own[$0] }
                    ?? Column(
                        type, repeating: .null, count: groups.count)
            }
            for state in states { columns.append(try state.results(of: groups)) }
            return ColumnBatch(columns: columns, rowCount: groups.count)
        }
    }

    /// `merges`: the node is the second step of a `PartialAggregation`.
    convenience init(
        _ input: any BatchOperator, _ node: AggregateNode, _ context: QueryContext,
        merges: Bool = false
    ) throws(Problem) {
        let count = node.sets?.count ?? 1
        try self.init(input, node, sets: 0..<count, context, level: 0, merges: merges)
    }

    /// `numbers`: the grouping sets to compute.
    private init(
        _ input: any BatchOperator, _ node: AggregateNode, sets numbers: Range<Int>,
        _ context: QueryContext, level: Int, merges: Bool
    ) throws(Problem) {
        guard node.keys.count <= 63 else {
            throw Problem("54000", "at most 63 expressions in GROUP BY")
        }
        self.input = input
        self.node = node
        self.context = context
        self.level = level
        self.merges = merges
        keys = node.keys.map { CompiledExpression($0.expression) }
        let types = keys.map(\.type)
        var sets: [GroupedSet] = []
        // Rows that are kept leave one half to the groups.
        let limit = keys.isEmpty ? context.memory.limit : context.memory.limit / 2
        let keepers = numbers.count * AggregateState.keeperCount(node.aggregates.map(\.call))
        for number in numbers {
            let members = node.sets.map { $0[number] } ?? Array(node.keys.indices)
            sets.append(
                try GroupedSet(
                    number, members, types, node, merges: merges,
                    keeperBytesMax: limit / max(1, keepers), context))
        }
        self.sets = sets
        memory = MemoryShare(
            context.memory, for: "aggregation",
            canSpill: context.scratch != nil && sets.contains { $0.table != nil })
    }

    func next() throws(Problem) -> ColumnBatch? {
        if !isDone {
            isDone = true
            try aggregate()
        }
        while true {
            if let batch = try rest?.next() { return batch }
            rest = nil
            guard given < sets.count else { return nil }
            if let batch = try next(of: sets[given]) { return batch }
            // The groups in memory were given; the parts need the room.
            try memory.resize(to: sets.reduce(0) { $0 + $1.memoryBytes })
            rest = sets[given].others.map { parts(of: sets[given], $0) }
            sets[given].others = nil
            given += 1
            if given == sets.count { memory.end() }
        }
    }

    private func aggregate() throws(Problem) {
        while let batch = try input.next() {
            try context.checkCancellation()
            var columns: [Column] = []
            for key in keys { columns.append(try key.column(batch, context)) }
            let before = sets.reduce(0) { $0 + $1.memoryBytes }
            let growth = sets.reduce(0) { $0 + $1.growthBytes(batch.rowCount) }
            if !isFull, !memory.fits(before + growth) { try stopTakingGroups() }
            for set in sets { try add(batch, columns, to: set) }
            let held = sets.reduce(0) { $0 + $1.memoryBytes }
            if isFull {
                // Groups that are known may grow on within what is left.
                if held > fullBytes { try memory.resize(to: held) }
            } else if !memory.fits(held) {
                // The batch took more than was expected; it is in.
                fullBytes = held
                try stopTakingGroups()
            }
        }
        for set in sets {
            try set.others?.finish()
            try set.endInput()
        }
    }

    private func add(
        _ batch: ColumnBatch, _ keys: [Column], to set: GroupedSet
    ) throws(Problem) {
        guard let others = set.others, let table = set.table else {
            let groups = set.groups(keys, batch.rowCount)
            for state in set.states { try state.update(batch, groups, context) }
            return
        }
        let members = set.members.map { keys[$0] }
        let groups = table.find(members, count: batch.rowCount)
        var known: [Int32] = []
        var unknown: [Int32] = []
        for row in 0..<batch.rowCount {
            if groups[row] >= 0 { known.append(Int32(row)) } else { unknown.append(Int32(row)) }
        }
        if !unknown.isEmpty {
            try others.append(batch.gather(unknown), keys: members.map { $0.gather(unknown) })
        }
        if known.isEmpty { return }
        let rows = unknown.isEmpty ? batch : batch.gather(known)
        let numbers = unknown.isEmpty ? groups : known.map { groups[Int($0)] }
        for state in set.states { try state.update(rows, numbers, context) }
    }

    /// From now on rows of new groups go to the disk.
    private func stopTakingGroups() throws(Problem) {
        isFull = true
        var stopped = false
        for set in sets where set.table != nil && set.others == nil {
            guard let scratch = context.scratch else { continue }
            set.others = try SpilledPartitions(
                node.input.schema.fields.map(\.type), level: level, for: "aggregation", scratch,
                context)
            stopped = true
        }
        if !stopped { throw SQLErrors.outOfMemory("aggregation", limit: context.memory.limit) }
    }

    private func next(of set: GroupedSet) throws(Problem) -> ColumnBatch? {
        guard let groups = try set.next(keys.map(\.type)) else { return nil }
        guard node.sets != nil else { return groups }
        let number = Column(.int32, repeating: .int(Int64(set.number)), count: groups.rowCount)
        return ColumnBatch(columns: groups.columns + [number], rowCount: groups.rowCount)
    }

    /// The groups of a set for which there was no room.
    private func parts(of set: GroupedSet, _ others: SpilledPartitions) -> any BatchOperator {
        let sets = set.number..<(set.number + 1)
        return SpilledPartitions.inTurn { [node, context, level, merges] (part) throws(Problem) in
            guard others.rowCount(ofPart: part) > 0 else { return nil }
            return try AggregateOperator(
                others.reader(ofPart: part), node, sets: sets, context, level: level + 1,
                merges: merges)
        }
    }
}
