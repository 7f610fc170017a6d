// Aggregates that need all rows of a group at once, or in an order of their own.

import Base
import Columns
import SQL

/// Keeps the rows of an aggregate until its input has ended, sorts them by group and the order asked
/// for, and passes them on group by group. What does not fit into memory waits on the scratch disk;
/// held at the end is what the results of some groups take.
final class GroupedRows {
    private let call: AggregateCall
    /// Which columns of `update` are kept as they are, before the groups and the keys.
    private let kept: [Int]
    /// Where the columns for the accumulator stand among those of the rows.
    private let places: [Int]
    private let rows: RowOrder
    private let memory: MemoryShare
    /// What the results of several groups may take.
    private let resultBytes: Int
    /// Of ordered sets: what a group has to give.
    private var sets: [OrderedSet] = []
    /// Of each group the number of its rows.
    private var counts: [Int32] = []
    private var rowCount = 0
    private var rowBytes = 0
    private var sorted: (any BatchOperator)?
    /// Sorted rows that were read, and the first of them that was not passed on.
    private var batch: (columns: [Column], groups: [Int32])?
    private var position = 0

    /// The columns of `update` are the arguments, then those of `keys`.
    init(
        _ call: AggregateCall, keys: [SortKey], bytesMax: Int, _ context: QueryContext
    ) {
        self.call = call
        // What is a key, too, is kept once; fractions of ordered sets are kept by group.
        let needed = call.function.isOrderedSet ? 1 : call.arguments.count
        let keyOf = call.arguments.prefix(needed).map { argument in
            keys.firstIndex { $0.expression == argument }
        }
        let kept = keyOf.indices.filter { keyOf[$0] == nil }
        self.kept = kept
        places = keyOf.enumerated().map { index, key in
            key.map { kept.count + 1 + $0 } ?? kept.firstIndex(of: index) ?? 0
        }
        rows = RowOrder(
            kept.map { call.arguments[$0].type } + [.int32] + keys.map(\.expression.type),
            keys: (0...keys.count).map { kept.count + $0 },
            [SortDirection(isDescending: false, nullsFirst: false)]
                + keys.map { SortDirection($0) },
            for: call.function.spelling, bytesMax: bytesMax, context)
        memory = MemoryShare(
            context.memory, for: call.function.spelling, canSpill: context.scratch != nil)
        resultBytes = min(4 << 20, context.memory.limit / 32)
    }

    func grow(to groups: Int) {
        counts.grow(to: groups, 0)
        if call.function.isOrderedSet { sets.grow(to: groups, OrderedSet()) }
    }

    /// What is held outside of the rows.
    var memoryBytes: Int {
        counts.heldCount * 4 + sets.heldCount * MemoryLayout<OrderedSet>.stride
    }

    func update(_ columns: [Column], _ groupOfRow: [Int32]) throws(Problem) {
        if groupOfRow.isEmpty { return }
        if call.function.isOrderedSet { count(columns, groupOfRow) }
        let groups = Column(type: .int32, data: .int32(groupOfRow))
        let all = kept.map { columns[$0] } + [groups] + columns[call.arguments.count...]
        for group in groupOfRow { counts[Int(group)] += 1 }
        rowCount += groupOfRow.count
        rowBytes += all.reduce(0) { $0 + $1.memoryBytes }
        try rows.append(all, count: groupOfRow.count)
    }

    private func count(_ columns: [Column], _ groups: [Int32]) {
        for row in ValidRows(columns[0].fullValidity, groups.count) {
            sets[Int(groups[row])].count += 1
        }
        guard call.arguments.count > 1 else { return }
        for (row, group) in groups.enumerated() where sets[Int(group)].fraction == nil {
            sets[Int(group)].fraction = columns[1].value(row)
        }
    }

    /// Takes values from elsewhere: those of a group whose rows all have this fraction.
    func setFraction(_ fraction: Value, of group: Int) { sets[group].fraction = fraction }

    /// How many groups from `start` on have results that take about `resultBytes` together: often
    /// the first ones have most of the rows.
    func groupsAtOnce(from start: Int) -> Int {
        let rowsMax = resultBytes / (rowBytes / max(1, rowCount) + 16)
        var rows = 0
        var end = start
        while end < counts.count, end - start < Limits.batchRows {
            rows += Int(counts[end])
            if rows > rowsMax { break }
            end += 1
        }
        return max(1, end - start)
    }

    /// The results of some groups. Asked for one behind the other, from the first to the last.
    func results(of range: Range<Int>) throws(Problem) -> Column {
        if sorted == nil {
            sorted = try rows.finish(columns: max(kept.count, places.max() ?? 0) + 1)
        }
        let inner: any Accumulator =
            call.function.isOrderedSet
            ? OrderedSetAccumulator(call, Array(sets[range])) : try AccumulatorFactory.make(call)
        inner.grow(to: range.count)
        while let (columns, groupOfRow) = try current(),
            Int(groupOfRow[position]) < range.upperBound
        {
            // Rows of the groups asked for: they are sorted.
            var end = groupOfRow.count
            if Int(groupOfRow[end - 1]) >= range.upperBound {
                end = position
                while Int(groupOfRow[end]) < range.upperBound { end += 1 }
            }
            let part = position..<end
            var taken = columns
            if part.count < groupOfRow.count { taken = columns.map { $0.slice(part) } }
            // Lists keep views, which would keep all sorted texts alive.
            if call.function == .arrayAgg { taken = taken.map(\.compacted) }
            try inner.update(taken, groupOfRow[part].map { $0 - Int32(range.lowerBound) })
            try memory.resize(to: inner.memoryBytes)
            position = end
        }
        let column = try inner.finish()
        if range.upperBound == counts.count { memory.end() }
        return column
    }

    private func current() throws(Problem) -> (columns: [Column], groups: [Int32])? {
        if let batch, position < batch.groups.count { return batch }
        (batch, position) = (nil, 0)
        guard let next = try sorted?.next(),
            case .int32(let groups) = next.columns[kept.count].flattened.data
        else { return nil }
        batch = (places.map { next.columns[$0] }, groups)
        return batch
    }
}

extension AggregateFunction {
    /// What statements call the functions that keep rows.
    fileprivate var spelling: String {
        switch self {
        case .stringAgg: "string_agg"
        case .arrayAgg: "array_agg"
        case .jsonAgg: "jsonb_agg"
        case .jsonObjectAgg: "jsonb_object_agg"
        case .percentileContinuous: "percentile_cont"
        case .percentileDiscrete: "percentile_disc"
        case .mode: "mode"
        default: "an aggregate with an order"
        }
    }
}
