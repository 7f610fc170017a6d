import Base
import Columns
import SQL

/// Brings rows into an order, whatever their number: what does not fit into memory waits on the
/// scratch disk as sorted runs, which are merged at the end. Equal rows stay in their order.
///
/// Its rows have the columns of the result, then what else is carried along.
final class RowOrder {
    private let types: [ColumnType]
    private let keys: [Int]
    private let directions: [SortDirection]
    private let memory: MemoryShare
    private let context: QueryContext
    private let operation: String
    private let rows: RowBuffer
    private let bytesMax: Int
    /// In the order of their rows. A run of level n was merged from `runsMax` ones of level n - 1.
    private var runs: [(file: SpillFile, level: Int)] = []

    /// Runs that are merged at once; more are merged into longer ones first.
    private static let runsMax = 32
    /// What one run brings into the memory while it is merged.
    private static let pieceBytes = 64 << 10

    /// Rows of `types`, sorted by the columns `keys`, each with its direction. From `bytesMax` on they go
    /// to the scratch disk, even if the budget has room for more.
    init(
        _ types: [ColumnType], keys: [Int], _ directions: [SortDirection], for operation: String,
        bytesMax: Int = .max, _ context: QueryContext
    ) {
        self.bytesMax = bytesMax
        self.types = types
        self.keys = keys
        self.directions = directions
        self.context = context
        self.operation = operation
        memory = MemoryShare(context.memory, for: operation, canSpill: context.scratch != nil)
        rows = RowBuffer(types: types)
    }

    /// Rows in memory.
    var bufferedCount: Int { rows.count }

    func append(_ columns: [Column], count: Int) throws(Problem) {
        try context.checkCancellation()
        rows.append(columns, count: count)
        if fits || rows.compact() && fits { return }
        guard let scratch = context.scratch else {
            throw SQLErrors.outOfMemory(operation, limit: context.memory.limit)
        }
        try writeRun(scratch)
    }

    private var fits: Bool {
        // Sorting needs row numbers and words besides the rows, and then a copy of them in order.
        let sortedBytes = max(
            rows.memoryBytes + 4 * rows.count, RowSorting.bytesPerRow * rows.count)
        let bytes = rows.memoryBytes + sortedBytes
        return (bytes <= bytesMax || context.scratch == nil) && memory.fits(bytes)
    }

    /// Keeps the first `limit` rows of those in memory, of which there are more. Those kept come before
    /// all later ones, so equal rows stay in order. The first key of the last row that is kept.
    func prune(to limit: Int) throws(Problem) -> Column {
        let all = rows.columns()
        let order = try order(all, rows.count)
        rows.removeAll()
        let best = Array(order.prefix(limit))
        rows.append(all.map { $0.gather(best).compacted }, count: best.count)
        return all[keys[0]].gather(best.suffix(1))
    }

    private func order(_ columns: [Column], _ count: Int) throws(Problem) -> [Int32] {
        try RowSorter(keys.map { columns[$0] }, directions, count: count).sortedRows {
            [context] () throws(Problem) in try context.checkCancellation()
        }
    }

    /// The rows in order, at most `limit` of them where that saves work, with their first `columns`
    /// columns. Ends the taking of rows.
    func finish(columns: Int, limit: Int? = nil) throws(Problem) -> any BatchOperator {
        if let scratch = context.scratch, !runs.isEmpty {
            if rows.count > 0 { try writeRun(scratch) }
            while runs.count > Self.runsMax { try mergeRuns(Self.runsMax, scratch) }
            memory.end()
            return MergedRuns(runs.map(\.file), types, keys: keys, directions, context)
        }
        let all = rows.columns()
        var order = try order(all, rows.count)
        if let limit { order = Array(order.prefix(limit)) }
        rows.removeAll()
        var sorted: [Column] = []
        for column in all.prefix(columns) {
            try context.checkCancellation()
            sorted.append(column.gather(order))
        }
        let batch = ColumnBatch(columns: sorted, rowCount: order.count)
        return HeldRows(batch, memory)
    }

    private func writeRun(_ scratch: ScratchSpace) throws(Problem) {
        let rowBytes = max(1, rows.writtenBytes / rows.count)
        let count = rows.count
        let all = rows.columns()
        let order = try order(all, count)
        rows.removeAll()
        let pieceRows = max(1, Self.pieceBytes / rowBytes)
        let run = try SpillFile(types, in: scratch, context.memory)
        var start = 0
        while start < count {
            try context.checkCancellation()
            let end = min(start + pieceRows, count)
            let part = Array(order[start..<end])
            try run.append(
                ColumnBatch(columns: all.map { $0.gather(part) }, rowCount: part.count))
            start = end
        }
        runs.append((run, 0))
        _ = memory.fits(0)
        while runs.count >= Self.runsMax, runs[runs.count - Self.runsMax].level == runs.last?.level
        {
            try mergeRuns(Self.runsMax, scratch)
        }
    }

    /// Makes one run of the last `count`, so that the files of a large sort stay few and each row is
    /// written a few times only.
    private func mergeRuns(_ count: Int, _ scratch: ScratchSpace) throws(Problem) {
        let merged = MergedRuns(
            runs.suffix(count).map(\.file), types, keys: keys, directions, context)
        let run = try SpillFile(types, in: scratch, context.memory)
        while let batch = try merged.next() { try run.append(batch) }
        let level = runs.suffix(count).reduce(0) { max($0, $1.level) } + 1
        runs.removeLast(count)
        runs.append((run, level))
    }
}

/// Rows in memory and the share of the budget that they hold.
private final class HeldRows: BatchOperator {
    private var cutter = BatchCutter()
    private let memory: MemoryShare

    init(_ batch: ColumnBatch, _ memory: MemoryShare) {
        self.memory = memory
        cutter.put(batch)
    }

    func next() throws(Problem) -> ColumnBatch? {
        if let batch = cutter.next() { return batch }
        memory.end()
        return nil
    }
}

/// Merges sorted runs. Of equal rows those of the earlier run come first.
final class MergedRuns: BatchOperator {
    /// One run and where its merging is.
    private struct Cursor {
        let reader: SpilledReader
        let number: Int
        var batch: ColumnBatch
        var keys: RowSorter
        /// The first row of `batch` that was not given, and the one that is compared next.
        var given = 0
        var row = 0
    }

    private let types: [ColumnType]
    private let keys: [Int]
    private let directions: [SortDirection]
    private let context: QueryContext
    private var waiting: [SpilledReader]
    /// A heap: the run whose next row is the first stands at the top.
    private var cursors: [Cursor] = []
    private var hasBegun = false

    init(
        _ runs: [SpillFile], _ types: [ColumnType], keys: [Int], _ directions: [SortDirection],
        _ context: QueryContext
    ) {
        self.types = types
        self.keys = keys
        self.directions = directions
        self.context = context
        waiting = runs.map { SpilledReader($0) }
    }

    func next() throws(Problem) -> ColumnBatch? {
        try context.checkCancellation()
        if !hasBegun {
            hasBegun = true
            for (number, reader) in waiting.enumerated() {
                if let cursor = try cursor(reader, number) { cursors.append(cursor) }
            }
            waiting = []
            for place in stride(from: cursors.count / 2 - 1, through: 0, by: -1) { sink(place) }
        }
        guard !cursors.isEmpty else { return nil }
        // Which run each row of the result comes from.
        var sources: [Int] = []
        while sources.count < Limits.batchRows {
            sources.append(cursors[0].number)
            cursors[0].row += 1
            // Its next rows are not here yet: give what is merged so far.
            if cursors[0].row == cursors[0].batch.rowCount { break }
            sink(0)
        }
        let merged = gather(sources)
        if cursors[0].row == cursors[0].batch.rowCount {
            if let cursor = try cursor(cursors[0].reader, cursors[0].number) {
                cursors[0] = cursor
            } else {
                cursors[0] = cursors[cursors.count - 1]
                cursors.removeLast()
            }
            if !cursors.isEmpty { sink(0) }
        }
        return merged
    }

    private func cursor(_ reader: SpilledReader, _ number: Int) throws(Problem) -> Cursor? {
        guard let batch = try reader.next() else { return nil }
        let keys = keys.map { index in
            Vector.aligned(Vector(batch.columns[index]), to: types[index], count: batch.rowCount)
        }
        return Cursor(
            reader: reader, number: number, batch: batch,
            keys: RowSorter(keys, directions, count: batch.rowCount, comparable: true))
    }

    /// The rows of `sources`: of each run those between `given` and `row`, which are then given.
    private func gather(_ sources: [Int]) -> ColumnBatch {
        var begins: [Int: Int] = [:]
        var parts: [ColumnBatch] = []
        var count = 0
        for place in cursors.indices where cursors[place].given < cursors[place].row {
            let range = cursors[place].given..<cursors[place].row
            begins[cursors[place].number] = count
            parts.append(cursors[place].batch.slice(range))
            count += range.count
            cursors[place].given = cursors[place].row
        }
        let rows = sources.map { source in
            let row = begins[source, default: 0]
            begins[source] = row + 1
            return Int32(row)
        }
        let buffer = RowBuffer(types: types)
        for part in parts { buffer.append(part) }
        // With texts of their own: views would keep a piece of each run alive with every row.
        let merged = buffer.batch()
        return ColumnBatch(
            columns: merged.columns.map { $0.gather(rows).compacted }, rowCount: rows.count)
    }

    private func sink(_ start: Int) {
        var place = start
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < cursors.count && isBefore(child, least) {
                least = child
            }
            if least == place { return }
            cursors.swapAt(place, least)
            place = least
        }
    }

    private func isBefore(_ a: Int, _ b: Int) -> Bool {
        let order = cursors[a].keys.order(cursors[a].row, cursors[b].keys, cursors[b].row)
        return order != 0 ? order < 0 : cursors[a].number < cursors[b].number
    }
}
