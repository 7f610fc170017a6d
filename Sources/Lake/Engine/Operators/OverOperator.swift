import Base
import Columns
import SQL

/// Window functions: the rows are brought into the order of partitions and keys, and each function is
/// computed over whole columns of them. Rows come out in that order.
///
/// Some partitions are at work at a time. Rows that do not fit into memory are sorted on the scratch
/// disk; one partition has to fit.
final class OverOperator: BatchOperator {
    private let input: any BatchOperator
    private let node: OverNode
    private let context: QueryContext
    private let memory: MemoryShare
    private let types: [ColumnType]
    private let width: Int
    private let keys: [CompiledExpression]
    /// What the functions read, call by call.
    private let expressions: [[CompiledExpression]]
    private let order: RowOrder
    private var sorted: (any BatchOperator)?
    /// Sorted rows whose functions are not computed yet.
    private let waiting: RowBuffer
    /// At how many waiting rows it is worth while to look for the end of a partition.
    private var patience = OverOperator.rowsMin
    private var cutter = BatchCutter()

    private static let rowsMin = Limits.batchRows

    init(_ input: any BatchOperator, _ node: OverNode, _ context: QueryContext) throws(Problem) {
        self.input = input
        self.node = node
        self.context = context
        // One partition has to fit, and a batch of rows in any case.
        memory = MemoryShare(
            context.memory, for: "window functions", canSpill: context.scratch != nil,
            least: min(4 << 20, context.memory.limit / 8))
        width = node.input.schema.fields.count
        keys = (node.partitionBy + node.orderBy.map(\.expression)).map { CompiledExpression($0) }
        expressions = node.calls.map { call in
            call.expressions.map { CompiledExpression($0) }
        }
        types =
            node.input.schema.fields.map(\.type) + keys.map(\.type)
            + expressions.flatMap { $0.map(\.type) }
        let directions =
            node.partitionBy.map { _ in SortDirection(isDescending: false, nullsFirst: false) }
            + node.orderBy.map { SortDirection($0) }
        order = RowOrder(types, width: width, directions, for: "window functions", context)
        waiting = RowBuffer(types: types)
    }

    func next() throws(Problem) -> ColumnBatch? {
        if sorted == nil { sorted = try sort() }
        while let sorted {
            if let batch = cutter.next() { return batch }
            guard let batch = try sorted.next() else {
                guard waiting.count > 0 else {
                    memory.end()
                    return nil
                }
                let rows = waiting.batch()
                waiting.removeAll()
                cutter.put(try computed(rows))
                continue
            }
            waiting.append(batch)
            if !fits, !(waiting.compact() && fits) {
                // What is held of earlier partitions may go.
                if let rows = takePartitions() {
                    cutter.put(try computed(rows))
                    continue
                }
                try memory.resize(to: waitingBytes)
            }
            guard waiting.count >= patience else { continue }
            if let rows = takePartitions() { cutter.put(try computed(rows)) }
        }
        return nil
    }

    /// With room for a sorted copy, the places of partitions and the results.
    private var waitingBytes: Int { waiting.memoryBytes * 2 + waiting.count * 64 }
    private var fits: Bool { memory.fits(waitingBytes) }

    private func sort() throws(Problem) -> any BatchOperator {
        while let batch = try input.next() {
            var columns = batch.columns
            for expression in keys + expressions.flatMap({ $0 }) {
                columns.append(try expression.column(batch, context))
            }
            try order.append(columns, count: batch.rowCount)
        }
        return try order.finish(columns: types.count)
    }

    /// The waiting rows but for the last partition, which may go on; nil when it is the only one.
    private func takePartitions() -> ColumnBatch? {
        let rows = waiting.batch()
        let parting = rows.columns[width..<(width + node.partitionBy.count)]
        let partitions = RowPartitions(
            partitionBy: Array(parting), orderBy: [], count: rows.rowCount)
        let end = partitions.ranges[partitions.ranges.count - 1].lowerBound
        waiting.removeAll()
        // The texts of the partition alone: they would keep all pieces of the sorted rows alive, and
        // hand them on to the next rest.
        let rest = rows.slice(end..<rows.rowCount)
        waiting.append(rest.columns.map(\.compacted), count: rest.rowCount)
        patience = max(Self.rowsMin, 2 * waiting.count)
        return end > 0 ? rows.slice(0..<end) : nil
    }

    /// Sorted rows of whole partitions with the results of the functions behind them.
    private func computed(_ rows: ColumnBatch) throws(Problem) -> ColumnBatch {
        let parting = rows.columns[width..<(width + node.partitionBy.count)]
        let ordering = rows.columns[(width + node.partitionBy.count)..<(width + keys.count)]
        let partitions = RowPartitions(
            partitionBy: Array(parting), orderBy: Array(ordering), count: rows.rowCount)
        var output = Array(rows.columns[..<width])
        var at = width + keys.count
        for (call, compiled) in zip(node.calls, expressions) {
            let columns = Array(rows.columns[at..<(at + compiled.count)])
            at += compiled.count
            let function = try WindowEvaluation(
                call, columns, partitions, isDescending: node.orderBy.first?.isDescending ?? false,
                context)
            output.append(try function.result())
        }
        return ColumnBatch(columns: output, rowCount: rows.rowCount)
    }
}

/// Where partitions, and within them rows with equal sort keys (peers), begin and end in sorted rows.
struct RowPartitions {
    let count: Int
    /// Of each partition its rows.
    private(set) var ranges: [Range<Int>] = []
    /// Of each group of peers its rows.
    private(set) var groups: [Range<Int>] = []
    /// Of each row the number of its partition and of its group.
    private(set) var partitionOf: [Int32] = []
    private(set) var groupOf: [Int32] = []
    let isOrdered: Bool

    init(partitionBy: [Column], orderBy: [Column], count: Int) {
        self.count = count
        isOrdered = !orderBy.isEmpty
        var begins = [UInt8](repeating: 0, count: count)
        for column in orderBy { Self.mark(column, 1, &begins) }
        for column in partitionBy { Self.mark(column, 2, &begins) }
        if count > 0 { begins[0] = 2 }
        var (partitionStart, groupStart) = (0, 0)
        partitionOf.reserveCapacity(count)
        groupOf.reserveCapacity(count)
        for row in 0..<count {
            if row > 0, begins[row] != 0 {
                groups.append(groupStart..<row)
                groupStart = row
                if begins[row] >= 2 {
                    ranges.append(partitionStart..<row)
                    partitionStart = row
                }
            }
            partitionOf.append(Int32(ranges.count))
            groupOf.append(Int32(groups.count))
        }
        if count > 0 {
            groups.append(groupStart..<count)
            ranges.append(partitionStart..<count)
        }
    }

    func partition(of row: Int) -> Range<Int> { ranges[Int(partitionOf[row])] }
    func peers(of row: Int) -> Range<Int> { groups[Int(groupOf[row])] }

    /// Sets `bit` for each row whose value differs from that of the row before.
    private static func mark(_ column: Column, _ bit: UInt8, _ begins: inout [UInt8]) {
        let column = column.flattened
        let valid = column.validity
        func compare(_ isEqual: (Int, Int) -> Bool) {
            for row in begins.indices.dropFirst() {
                let (a, b) = (valid?[row - 1] ?? true, valid?[row] ?? true)
                if a != b || (a && !isEqual(row - 1, row)) { begins[row] |= bit }
            }
        }
        switch column.data {
        case .null: return
        case .boolean(let values): compare { values[$0] == values[$1] }
        case .int32(let values): compare { values[$0] == values[$1] }
        case .int64(let values): compare { values[$0] == values[$1] }
        case .int128(let values): compare { values[$0] == values[$1] }
        case .float64(let values):
            compare { KeyEncoder.word(values[$0]) == KeyEncoder.word(values[$1]) }
        case .text(let texts) where column.type != .json:
            compare { left, right in
                texts.withBytes(left) { a in texts.withBytes(right) { compareBytes(a, $0) } } == 0
            }
        default:
            compare { ValueOrder.compare(column.value($0), column.value($1)) == 0 }
        }
    }
}
