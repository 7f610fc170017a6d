// The rows of an aggregate with DISTINCT that bring a new value.

import Base
import Columns
import SQL

/// Tells rows that bring a new value from those that repeat one. When its memory is used up, values
/// that are not known then go to the scratch disk, divided by their hash, and each part has its turn
/// when the input has ended.
final class DistinctRows {
    /// Of the arguments, and of what is carried along with them.
    private let types: [ColumnType]
    private let argumentCount: Int
    private let memory: MemoryShare
    private let bytesMax: Int
    private let context: QueryContext
    private let level: Int
    private var table: KeyTable
    /// Rows with values for which there was no room.
    private var others: SpilledPartitions?

    /// Takes at most `bytesMax` where there is a scratch disk.
    init(
        arguments: [ColumnType], carried: [ColumnType], bytesMax: Int, _ context: QueryContext,
        level: Int = 0
    ) {
        types = arguments + carried
        argumentCount = arguments.count
        self.bytesMax = bytesMax
        self.context = context
        self.level = level
        table = KeyTable(types: [.int32] + arguments)
        memory = MemoryShare(
            context.memory, for: "DISTINCT of an aggregate", canSpill: context.scratch != nil)
    }

    /// The rows that brought a value new to their group; those that may do so later are not among
    /// them. `columns` are the arguments, then what is carried.
    func newRows(_ columns: [Column], _ groups: [Int32]) throws(Problem) -> [Int32] {
        let keys = [Column(type: .int32, data: .int32(groups))] + columns[..<argumentCount]
        if let others {
            let numbers = table.find(keys, count: groups.count)
            let unknown = JoinProbe.rows(numbers, having: false)
            if unknown.isEmpty { return [] }
            let rows = unknown.count < groups.count ? { $0.gather(unknown) } : { (c: Column) in c }
            try others.append(
                ColumnBatch(
                    columns: [rows(keys[0])] + columns.map(rows), rowCount: unknown.count),
                keys: keys.map(rows))
            return []
        }
        let bytes = table.memoryBytes + table.growthBytes(groups.count)
        if bytes > bytesMax && context.scratch != nil || !memory.fits(bytes) {
            guard let scratch = context.scratch else {
                throw SQLErrors.outOfMemory(
                    "DISTINCT of an aggregate", limit: context.memory.limit)
            }
            try useDisk(scratch)
            // One batch is always taken, so that each division leaves less to do.
            if table.count > 0 { return try newRows(columns, groups) }
        }
        let before = table.count
        let numbers = table.insert(keys, count: groups.count)
        return AggregateState.newRows(numbers, before)
    }

    /// From now on rows with values that are not known go to the scratch disk.
    func useDisk(_ scratch: ScratchSpace) throws(Problem) {
        others = try SpilledPartitions(
            [.int32] + types, level: level, for: "DISTINCT of an aggregate", scratch, context)
    }

    /// Gives `take` the rows that brought a new value and were not given by `newRows`. Ends the
    /// taking of rows.
    func finish(
        _ take: ([Column], [Int32]) throws(Problem) -> Void
    ) throws(Problem) {
        table = KeyTable(types: [])
        memory.end()
        guard let others else { return }
        self.others = nil
        try others.finish()
        for part in 0..<SpilledPartitions.count where others.rowCount(ofPart: part) > 0 {
            let reader = others.reader(ofPart: part)
            let inner = DistinctRows(
                arguments: Array(types[..<argumentCount]),
                carried: Array(types[argumentCount...]), bytesMax: bytesMax, context,
                level: level + 1)
            while let batch = try reader.next() {
                try context.checkCancellation()
                guard case .int32(let groups) = batch.columns[0].flattened.data else { continue }
                let columns = Array(batch.columns[1...])
                let rows = try inner.newRows(columns, groups)
                if rows.isEmpty { continue }
                try take(columns.map { $0.gather(rows) }, rows.map { groups[Int($0)] })
            }
            try inner.finish(take)
        }
    }
}
