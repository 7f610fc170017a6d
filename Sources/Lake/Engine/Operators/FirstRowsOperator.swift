import Base
import Columns
import SQL

/// row_number() where it is 1: the first row of each partition by keys of one word each. The best row of
/// each partition so far is kept, the first to come among equal ones; rows of partitions for which there
/// is no room wait on the scratch disk. Rows come out in the order in which their partitions began.
final class FirstRowsOperator: BatchOperator {
    private let input: any BatchOperator
    private let node: OverNode
    private let context: QueryContext
    private let level: Int
    private let memory: MemoryShare
    private let carried: CarriedColumns
    private let keys: [CompiledExpression]
    private let directions: [SortDirection]
    private let numbers: PartitionNumbers
    /// Partition by partition the words of its best row.
    private var best: [UInt64] = []
    /// Partition by partition the place of its best row in `rows`, where others have been.
    private var places: [Int32] = []
    private let rows: RowBuffer
    /// What may be held once there is no room for more partitions.
    private var heldBytesMax: Int?
    private var hasEnded = false
    private var cutter = BatchCutter()
    private var rest: (any BatchOperator)?

    /// Rows whose place was taken, below which it is not worth while to remove them.
    private static let replacedMin = 1 << 14
    /// By what the last batch, and longer rows in place of others, may exceed the memory.
    private static let excessBytes = 4 << 20

    static func suits(_ node: OverNode) -> Bool {
        node.keepsFirst && node.partitionBy.count <= PartitionNumbers.keysMax
            && node.orderBy.allSatisfy { $0.expression.type.isOneWord }
    }

    /// `level`: how often the rows were divided before.
    init(_ input: any BatchOperator, _ node: OverNode, _ context: QueryContext, level: Int = 0) {
        self.input = input
        self.node = node
        self.context = context
        self.level = level
        memory = MemoryShare(
            context.memory, for: "window functions", canSpill: context.scratch != nil)
        carried = CarriedColumns(node.input.schema, kept: node.kept)
        keys = node.orderBy.map { CompiledExpression($0.expression) }
        directions = node.orderBy.map { SortDirection($0) }
        numbers = PartitionNumbers(node, context, level: level)
        rows = RowBuffer(types: carried.types)
    }

    func next() throws(Problem) -> ColumnBatch? {
        if !hasEnded {
            hasEnded = true
            try collect()
        }
        if let batch = cutter.next() { return batch }
        memory.end()
        return try rest?.next()
    }

    private func collect() throws(Problem) {
        while let batch = try input.next() {
            let (known, column) = try numbers.number(batch)
            guard known.rowCount > 0, case .int32(let partitions) = column.data else { continue }
            try take(known, partitions)
        }
        if let others = try numbers.end() {
            rest = SpilledPartitions.inTurn { [node, context, level] (part) throws(Problem) in
                guard others.rowCount(ofPart: part) > 0 else { return nil }
                let reader = others.reader(ofPart: part)
                return level + 1 < SpilledPartitions.levelMax
                    ? FirstRowsOperator(reader, node, context, level: level + 1)
                    : try OverOperator(reader, node, context, level: level + 1)
            }
        }
        let count = places.count
        var columns = rows.columns().map { $0.gather(places) }
        rows.removeAll()
        (best, places) = ([], [])
        columns.append(
            Column(type: .int64, data: .int64([Int64](repeating: 1, count: count))))
        cutter.put(ColumnBatch(columns: columns, rowCount: count))
    }

    private func take(_ batch: ColumnBatch, _ partitions: [Int32]) throws(Problem) {
        let winners = better(try words(batch), partitions)
        if !winners.isEmpty {
            let start = rows.count
            for (place, row) in winners.enumerated() {
                places[Int(partitions[Int(row)])] = Int32(start + place)
            }
            let columns = try carried.columns(batch, context)
            rows.append(
                winners.count == batch.rowCount ? columns : columns.map { $0.gather(winners) },
                count: winners.count)
        }
        let replaced = rows.count - places.count
        if replaced > max(Self.replacedMin, places.count) { removeReplaced() }
        if fits || rows.compact() && fits { return }
        removeReplaced()
        if fits { return }
        // This batch is held still. No partition joins any more, but better rows may be longer.
        try numbers.close()
        let most = heldBytesMax ?? heldBytes + Self.excessBytes
        heldBytesMax = most
        if heldBytes > most {
            throw SQLErrors.outOfMemory("window functions", limit: context.memory.limit)
        }
    }

    /// How many words the keys of a row have: for each whether it is NULL, and its value.
    private var width: Int { keys.count * 2 }

    /// Row by row the words of the keys.
    private func words(_ batch: ColumnBatch) throws(Problem) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: batch.rowCount * width)
        for (place, (key, direction)) in zip(keys, directions).enumerated() {
            let column = try key.column(batch, context)
            if let (nulls, values) = RowSorter.leadingWords(column, direction) {
                for row in 0..<batch.rowCount {
                    words[row * width + 2 * place] = nulls[row]
                    words[row * width + 2 * place + 1] = values[row]
                }
            } else if !direction.nullsFirst {
                // A column of nothing but NULL has no words.
                for row in 0..<batch.rowCount { words[row * width + 2 * place] = 1 }
            }
        }
        return words
    }

    /// The rows that are the best of their partitions now, ascending. `places` says of these partitions
    /// nothing that is of use.
    private func better(_ words: [UInt64], _ partitions: [Int32]) -> [Int32] {
        let width = width
        let added = max(0, numbers.count - places.count)
        places += repeatElement(-1, count: added)
        best += repeatElement(.max, count: added * width)
        // Of each partition that got better rows the last one, by its row: -2 is row 0, -3 row 1 ...
        var candidates: [Int32] = []
        best.withUnsafeMutableBufferPointer { best in
            places.withUnsafeMutableBufferPointer { places in
                for row in partitions.indices {
                    let partition = Int(partitions[row])
                    var isBetter = places[partition] == -1
                    if !isBetter {
                        for step in 0..<width {
                            let (new, old) = (
                                words[row * width + step], best[partition * width + step]
                            )
                            if new == old { continue }
                            isBetter = new < old
                            break
                        }
                    }
                    guard isBetter else { continue }
                    for step in 0..<width {
                        best[partition * width + step] = words[row * width + step]
                    }
                    places[partition] = -2 - Int32(row)
                    candidates.append(Int32(row))
                }
            }
        }
        return candidates.filter { places[Int(partitions[Int($0)])] == -2 - $0 }
    }

    /// Leaves the best rows alone in `rows`.
    private func removeReplaced() {
        guard rows.count > places.count else { return }
        let columns = rows.columns().map { $0.gather(places).compacted }
        rows.removeAll()
        rows.append(columns, count: places.count)
        for place in places.indices { places[place] = Int32(place) }
    }

    /// With room for the rows in order.
    private var heldBytes: Int {
        best.capacity * 8 + places.capacity * 4 + 2 * rows.memoryBytes + 8 * places.count
    }
    private var fits: Bool { memory.fits(heldBytes) }
}
