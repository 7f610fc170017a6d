import Base
import Columns
import SQL

/// DISTINCT ON: the first row of each key. With an order rows of equal keys come one behind the
/// other; without one the keys that came are kept, and rows of keys for which there is no room go to
/// the scratch disk, divided by the hash of their keys.
final class DistinctOnOperator: BatchOperator {
    private let input: any BatchOperator
    private let node: DistinctOnNode
    private let keys: [CompiledExpression]
    private let memory: MemoryShare
    private let context: QueryContext
    private let level: Int
    /// nil when rows come in order, and behind the input.
    private var table: KeyTable?
    /// In order: the keys of the row that came last.
    private var last: [Column]?
    private var others: SpilledPartitions?
    /// What the parts of `others` give.
    private var rest: (any BatchOperator)?

    convenience init(
        _ input: any BatchOperator, _ node: DistinctOnNode, _ context: QueryContext
    ) throws(Problem) {
        guard node.keys.count <= 63 else {
            throw Problem("54000", "at most 63 expressions in DISTINCT ON")
        }
        guard !node.order.isEmpty else {
            self.init(input, node, context, level: 0)
            return
        }
        // As PostgreSQL has it, keys that the order does not name stand behind it.
        var order = node.order
        for key in node.keys where !order.contains(where: { $0.expression == key }) {
            order.append(SortKey(key))
        }
        let first = order.prefix(node.keys.count)
        let sorted = SortOperator(input, node.input.schema, order, limit: nil, context)
        self.init(
            sorted, node, context, level: 0,
            isInOrder: node.keys.allSatisfy { key in first.contains { $0.expression == key } })
    }

    private init(
        _ input: any BatchOperator, _ node: DistinctOnNode, _ context: QueryContext, level: Int,
        isInOrder: Bool = false
    ) {
        self.input = input
        self.node = node
        self.context = context
        self.level = level
        keys = node.keys.map { CompiledExpression($0) }
        table = isInOrder ? nil : KeyTable(types: keys.map(\.type))
        memory = MemoryShare(
            context.memory, for: "DISTINCT ON", canSpill: context.scratch != nil && !isInOrder)
    }

    func next() throws(Problem) -> ColumnBatch? {
        while rest == nil, let batch = try input.next() {
            try context.checkCancellation()
            var columns: [Column] = []
            for key in keys { columns.append(try key.column(batch, context)) }
            let rows = try firstRows(batch, columns)
            if rows.count == batch.rowCount { return batch }
            if !rows.isEmpty { return batch.gather(rows) }
        }
        if table != nil {
            table = nil
            memory.end()
            try others?.finish()
            rest = others.map { others in
                SpilledPartitions.inTurn { [node, context, level] (part) throws(Problem) in
                    guard others.rowCount(ofPart: part) > 0 else { return nil }
                    return DistinctOnOperator(
                        others.reader(ofPart: part), node, context, level: level + 1)
                }
            }
            others = nil
        }
        return try rest?.next()
    }

    /// The rows of `batch` that are the first ones of their keys, as far as that is known now.
    private func firstRows(_ batch: ColumnBatch, _ keys: [Column]) throws(Problem) -> [Int32] {
        guard let table else { return firstInOrder(keys, batch.rowCount) }
        if let others {
            let numbers = table.find(keys, count: batch.rowCount)
            let unknown = JoinProbe.rows(numbers, having: false)
            try others.append(batch.gather(unknown), keys: keys.map { $0.gather(unknown) })
            return []
        }
        if !memory.fits(table.memoryBytes + table.growthBytes(batch.rowCount)) {
            guard let scratch = context.scratch, !keys.isEmpty else {
                throw SQLErrors.outOfMemory("DISTINCT ON", limit: context.memory.limit)
            }
            // This batch is taken still, so that each division leaves less to do.
            others = try SpilledPartitions(
                node.input.schema.fields.map(\.type), level: level, for: "DISTINCT ON", scratch,
                context)
        }
        let before = table.count
        return AggregateState.newRows(table.insert(keys, count: batch.rowCount), before)
    }

    private func firstInOrder(_ keys: [Column], _ count: Int) -> [Int32] {
        let ends = keys.map { $0.gather([Int32(count - 1)]).compacted }
        defer { last = ends }
        guard let last else {
            let parts = RowPartitions(partitionBy: keys, orderBy: [], count: count)
            return parts.ranges.map { Int32($0.lowerBound) }
        }
        // The row before stands in front: its partition may go on.
        let joined = zip(last, keys).map { before, column in
            let type = before.type
            return Column.concatenation([
                Vector.aligned(Vector(before), to: type, count: 1),
                Vector.aligned(Vector(column), to: type, count: count),
            ])
        }
        let parts = RowPartitions(partitionBy: joined, orderBy: [], count: count + 1)
        return parts.ranges.dropFirst().map { Int32($0.lowerBound - 1) }
    }
}
