import Base
import Columns
import SQL

/// Window functions: the rows are brought into the order of partitions and keys, and each function is
/// computed over whole columns of them. Rows come out in that order.
///
/// Some partitions are at work at a time. Rows that do not fit into memory are sorted on the scratch
/// disk; one partition has to fit. Where keys of partitions are long, a table of them gives each
/// partition a number, in the order of its first row, and the rows are sorted by that; rows of keys for
/// which the table has no room wait on the scratch disk, divided by the hash of their keys.
final class OverOperator: BatchOperator {
    private let input: any BatchOperator
    private let node: OverNode
    private let context: QueryContext
    private let level: Int
    private let memory: MemoryShare
    private let carried: CarriedColumns
    /// The places of the keys.
    private let partitionBy: [Int]
    private let orderBy: [Int]
    /// The places of what the functions read, call by call.
    private let arguments: [[Int]]
    private let order: RowOrder
    /// How many columns the sorted rows have.
    private let width: Int
    private var numbers: PartitionNumbers?
    private var sorted: (any BatchOperator)?
    /// Sorted rows whose functions are not computed yet.
    private let waiting: RowBuffer
    /// At how many waiting rows it is worth while to look for the end of a partition.
    private var patience = OverOperator.rowsMin
    private var cutter = BatchCutter()
    /// What the rows give that found no room in `numbers`.
    private var rest: (any BatchOperator)?

    private static let rowsMin = Limits.batchRows

    /// `level`: how often the rows were divided before.
    init(
        _ input: any BatchOperator, _ node: OverNode, _ context: QueryContext, level: Int = 0
    ) throws(Problem) {
        self.input = input
        self.node = node
        self.context = context
        self.level = level
        // One partition has to fit, and a batch of rows in any case.
        memory = MemoryShare(
            context.memory, for: "window functions", canSpill: context.scratch != nil,
            least: min(4 << 20, context.memory.limit / 8))
        var carried = CarriedColumns(node.input.schema, kept: node.kept)
        // Rows that were divided so often come into order by their keys.
        let isNumbered =
            level < SpilledPartitions.levelMax && PartitionNumbers.suit(node.partitionBy)
        let keys = isNumbered ? [] : node.partitionBy.map { carried.place(of: $0) }
        orderBy = node.orderBy.map { carried.place(of: $0.expression) }
        arguments = node.calls.map { $0.expressions.map { carried.place(of: $0) } }
        self.carried = carried
        let types = carried.types + (isNumbered ? [.int32] : [])
        width = types.count
        partitionBy = isNumbered ? [types.count - 1] : keys
        numbers = isNumbered ? PartitionNumbers(node, context, level: level) : nil
        let directions =
            partitionBy.map { _ in SortDirection(isDescending: false, nullsFirst: false) }
            + node.orderBy.map { SortDirection($0) }
        order = RowOrder(
            types, keys: partitionBy + orderBy, directions, for: "window functions", context)
        waiting = RowBuffer(types: types)
    }

    func next() throws(Problem) -> ColumnBatch? {
        if sorted == nil { sorted = try sort() }
        while let sorted {
            if let batch = cutter.next() { return batch }
            guard let batch = try sorted.next() else {
                guard waiting.count > 0 else {
                    memory.end()
                    return try rest?.next()
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
            guard let (rows, numbers) = try numbers?.number(batch) else {
                try order.append(try carried.columns(batch, context), count: batch.rowCount)
                continue
            }
            guard rows.rowCount > 0 else { continue }
            try order.append(
                try carried.columns(rows, context) + [numbers], count: rows.rowCount)
        }
        if let others = try numbers?.end() {
            rest = SpilledPartitions.inTurn { [node, context, level] (part) throws(Problem) in
                guard others.rowCount(ofPart: part) > 0 else { return nil }
                return try OverOperator(
                    others.reader(ofPart: part), node, context, level: level + 1)
            }
        }
        numbers = nil
        return try order.finish(columns: width)
    }

    /// The waiting rows but for the last partition, which may go on; nil when it is the only one.
    private func takePartitions() -> ColumnBatch? {
        let rows = waiting.batch()
        let end = RowPartitions.lastStart(partitionBy.map { rows.columns[$0] }, rows.rowCount)
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
        let partitions = RowPartitions(
            partitionBy: partitionBy.map { rows.columns[$0] },
            orderBy: orderBy.map { rows.columns[$0] }, count: rows.rowCount)
        var output = Array(rows.columns[..<carried.width])
        for (call, places) in zip(node.calls, arguments) {
            let function = try WindowEvaluation(
                call, places.map { rows.columns[$0] }, partitions,
                isDescending: node.orderBy.first?.isDescending ?? false, context)
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

    /// Where the last partition of sorted rows, at least one, begins.
    static func lastStart(_ partitionBy: [Column], _ count: Int) -> Int {
        // Most partitions are short: pieces from the end on, each twice as long as the one before.
        var length = 64
        while true {
            let start = max(0, count - length)
            let piece = partitionBy.map { $0.slice(start..<count) }
            var begins = [UInt8](repeating: 0, count: count - start)
            for column in piece { mark(column, 1, &begins) }
            if let place = begins.lastIndex(of: 1) { return start + place }
            if start == 0 { return 0 }
            length *= 2
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
            TextReader.with(texts) { reader in
                // Sorted texts begin alike and lie anywhere in memory: their ends tell them apart, and
                // are loaded side by side.
                let ends = begins.indices.map { row in
                    let view = reader.views[row]
                    return view.isInline
                        ? view.high
                        : reader[row].loadUnaligned(
                            fromByteOffset: view.count - 8, as: UInt64.self)
                }
                compare { a, b in
                    ends[a] == ends[b] && TextReader.isEqual(reader, a, reader, b)
                }
            }
        default:
            compare { ValueOrder.compare(column.value($0), column.value($1)) == 0 }
        }
    }
}
