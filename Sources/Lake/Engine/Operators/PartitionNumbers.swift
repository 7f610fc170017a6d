import Base
import Columns
import SQL

/// Numbers of the partitions of rows, in the order of their first rows: shorter to sort by than keys
/// that are texts or several columns, which need not be carried along then.
final class PartitionNumbers {
    private let keys: [CompiledExpression]
    private let types: [ColumnType]
    private let table: KeyTable
    private let memory: MemoryShare
    private let context: QueryContext
    private let level: Int
    /// Rows of keys for which there was no room, once there are any.
    private var others: SpilledPartitions?

    /// Whether numbers are better than the keys themselves, which one word each holds.
    static func suit(_ keys: [BoundExpression]) -> Bool {
        keys.count > 1 && keys.count <= keysMax || keys.count == 1 && !keys[0].type.isOneWord
    }

    static let keysMax = 63

    init(_ node: OverNode, _ context: QueryContext, level: Int) {
        keys = node.partitionBy.map { CompiledExpression($0) }
        types = node.input.schema.fields.map(\.type)
        table = KeyTable(types: keys.map(\.type))
        self.context = context
        self.level = level
        memory = MemoryShare(
            context.memory, for: "window functions", canSpill: context.scratch != nil)
    }

    /// The rows of `batch` whose partitions have numbers, and these as a column of int32. The others
    /// wait on the scratch disk.
    func number(_ batch: ColumnBatch) throws(Problem) -> (rows: ColumnBatch, numbers: Column) {
        try context.checkCancellation()
        var columns: [Column] = []
        for key in keys { columns.append(try key.column(batch, context)) }
        if let others {
            let numbers = table.find(columns, count: batch.rowCount)
            let unknown = JoinProbe.rows(numbers, having: false)
            if unknown.isEmpty { return (batch, Column(type: .int32, data: .int32(numbers))) }
            try others.append(
                batch.gather(unknown), keys: columns.map { $0.gather(unknown) })
            let known = JoinProbe.rows(numbers, having: true)
            return (
                batch.gather(known),
                Column(type: .int32, data: .int32(known.map { numbers[Int($0)] }))
            )
        }
        // This batch is taken still, so that each division leaves less to do.
        if !memory.fits(table.memoryBytes + table.growthBytes(batch.rowCount)) { try close() }
        return (
            batch, Column(type: .int32, data: .int32(table.insert(columns, count: batch.rowCount)))
        )
    }

    /// No room for further partitions: their rows go to the scratch disk.
    func close() throws(Problem) {
        if others != nil { return }
        guard let scratch = context.scratch else {
            throw SQLErrors.outOfMemory("window functions", limit: context.memory.limit)
        }
        others = try SpilledPartitions(
            types, level: level, for: "window functions", scratch, context)
    }

    /// How many partitions there are.
    var count: Int { table.count }

    /// Ends the numbering: the rows without numbers, if there are any.
    func end() throws(Problem) -> SpilledPartitions? {
        memory.end()
        try others?.finish()
        return others
    }
}

extension ColumnType {
    /// Whether values are told apart, and ordered, by a word of 64 bits.
    var isOneWord: Bool {
        switch self {
        case .boolean, .int16, .int32, .int64, .float32, .float64, .date, .time, .timestamp,
            .timestampTZ:
            true
        default: false
        }
    }
}
