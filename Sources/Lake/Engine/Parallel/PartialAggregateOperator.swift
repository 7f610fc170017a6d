import Base
import Columns
import SQL

/// The groups of a part of the input, in the order in which they appear first in it, with what their
/// aggregates have so far.
///
/// A group may come out more than once: when the memory is used up, the groups so far go and it begins
/// anew; where hardly any two rows have the same keys, each row is a group of its own.
final class PartialAggregateOperator: BatchOperator {
    private let input: any BatchOperator
    private let calls: [AggregateCall]
    private let keys: [CompiledExpression]
    private let memory: MemoryShare
    private let context: QueryContext
    private var table: KeyTable?
    private var states: [AggregateState] = []
    private var rowsSeen = 0
    private var isInputDone = false
    /// Rows are not grouped any more.
    private var passesRows = false
    /// Groups that have to go, in one batch: a second aggregation reads them.
    private var given: ColumnBatch?

    /// After so many rows it is known whether grouping them pays.
    private static let trialRows = 16 << 10

    init(
        _ input: any BatchOperator, _ plan: PartialAggregation, _ context: QueryContext
    ) throws(Problem) {
        self.input = input
        calls = plan.calls
        keys = plan.keys.map { CompiledExpression($0) }
        memory = MemoryShare(context.memory, for: "aggregation")
        self.context = context
        try begin()
    }

    private func begin() throws(Problem) {
        states = try newStates()
        rowsSeen = 0
        table =
            keys.isEmpty
            ? nil
            : KeyTable(types: keys.map(\.type), directBytesMax: context.memory.limit / 8)
        if table == nil { for state in states { state.grow(to: 1) } }
    }

    private func newStates() throws(Problem) -> [AggregateState] {
        var states: [AggregateState] = []
        for call in calls {
            states.append(
                try AggregateState(call, bytesMax: context.memory.limit, context))
        }
        return states
    }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            if let batch = given.take() { return batch }
            if isInputDone { return nil }
            guard let batch = try input.next() else {
                isInputDone = true
                if !passesRows { try giveGroups() }
                memory.end()
                continue
            }
            try context.checkCancellation()
            var columns: [Column] = []
            for key in keys { columns.append(try key.column(batch, context)) }
            if passesRows {
                given = try rows(batch, columns)
            } else {
                try add(batch, columns)
            }
        }
    }

    private func add(_ batch: ColumnBatch, _ columns: [Column]) throws(Problem) {
        guard let table else {
            let groups = [Int32](repeating: 0, count: batch.rowCount)
            for state in states { try state.update(batch, groups, context) }
            return
        }
        let groups = table.insert(columns, count: batch.rowCount)
        for state in states {
            state.grow(to: table.count)
            try state.update(batch, groups, context)
        }
        rowsSeen += batch.rowCount
        let held = states.reduce(table.memoryBytes) { $0 + $1.memoryBytes }
        let isUseless = rowsSeen >= Self.trialRows && table.count > rowsSeen / 4 * 3
        guard isUseless || !memory.fits(held) else { return }
        passesRows = isUseless
        try giveGroups()
        if !passesRows { try begin() }
    }

    /// Gives the groups so far, which are not held any more.
    private func giveGroups() throws(Problem) {
        let count = table?.count ?? 1
        var columns = table?.columns(0..<count) ?? []
        for state in states {
            try state.endInput()
            columns.append(try state.results(of: 0..<count))
        }
        (table, states) = (nil, [])
        _ = memory.fits(0)
        if count > 0 { given = ColumnBatch(columns: columns, rowCount: count) }
    }

    /// Each row as a group.
    private func rows(_ batch: ColumnBatch, _ keys: [Column]) throws(Problem) -> ColumnBatch {
        let groups = (0..<batch.rowCount).map { Int32($0) }
        var columns = keys
        for state in try newStates() {
            state.grow(to: groups.count)
            try state.update(batch, groups, context)
            try state.endInput()
            columns.append(try state.results(of: 0..<groups.count))
        }
        return ColumnBatch(columns: columns, rowCount: batch.rowCount)
    }
}
