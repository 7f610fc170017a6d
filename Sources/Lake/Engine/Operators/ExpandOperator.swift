import Base
import Columns
import SQL

/// Functions that give rows: each input row for each row of the functions side by side, a batch at
/// a time, however many rows one input row gives.
final class ExpandOperator: BatchOperator {
    private let input: any BatchOperator
    private let node: ExpandNode
    private let arguments: [[CompiledExpression]]
    private let context: QueryContext
    private let types: [ColumnType]

    /// The input batch at work.
    private var batch: ColumnBatch?
    private var cursors: [any TableCursor] = []
    private var row = 0
    /// Rows that the functions gave for `row`; -1 before the first look.
    private var given: Int64 = -1

    init(_ input: any BatchOperator, _ node: ExpandNode, _ context: QueryContext) {
        self.input = input
        self.node = node
        self.context = context
        arguments = node.calls.map { $0.arguments.map { CompiledExpression($0) } }
        types = node.calls.flatMap { $0.fields.map(\.type) }
    }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            try context.checkCancellation()
            if batch == nil {
                guard let more = try input.next() else { return nil }
                try begin(more)
            }
            if let rows = try expand() { return rows }
            batch = nil
        }
    }

    private func begin(_ more: ColumnBatch) throws(Problem) {
        cursors = []
        for (index, call) in node.calls.enumerated() {
            var columns: [Column] = []
            for argument in arguments[index] { columns.append(try argument.column(more, context)) }
            cursors.append(TableCursors.make(call, columns, context.zones))
        }
        batch = more
        row = 0
        given = -1
    }

    /// The next rows of the batch at work; nil when there are none left.
    private func expand() throws(Problem) -> ColumnBatch? {
        guard let batch else { return nil }
        let outputs = OutputColumns(types)
        var rows: [Int32] = []
        var numbers: [Int64] = []
        while row < batch.rowCount, rows.count < Limits.batchRows {
            if given < 0 {
                for cursor in cursors { try cursor.open(row) }
                given = 0
            }
            let room = Limits.batchRows - rows.count
            let counts = try fill(outputs, room)
            var most = counts.max() ?? 0
            if most == 0, given == 0, node.keepsEmpty { most = 1 }
            outputs.pad(node.calls, counts, to: most)
            rows.append(contentsOf: repeatElement(Int32(row), count: most))
            if node.ordinality != nil {
                for number in 0..<most { numbers.append(given + Int64(number) + 1) }
            }
            given += Int64(most)
            if most < room || (counts.max() ?? 0) == 0 {
                row += 1
                given = -1
            }
        }
        if rows.isEmpty { return nil }
        var columns = batch.columns.map { $0.gather(rows) } + outputs.take()
        if node.ordinality != nil {
            columns.append(Column(type: .int64, data: .int64(numbers)))
        }
        return ColumnBatch(columns: columns, rowCount: rows.count)
    }

    /// How many rows each function added, at most `room`.
    private func fill(_ outputs: OutputColumns, _ room: Int) throws(Problem) -> [Int] {
        var counts: [Int] = []
        var first = 0
        for (index, cursor) in cursors.enumerated() {
            counts.append(try cursor.append(upTo: room, to: outputs, at: first))
            first += node.calls[index].fields.count
        }
        return counts
    }
}

/// The columns that functions fill.
final class OutputColumns {
    private var builders: [Box] = []

    /// A box, because an array cannot hold what cannot be copied.
    private final class Box {
        var builder: ColumnBuilder
        init(_ type: ColumnType) { builder = ColumnBuilder(type) }
    }

    init(_ types: [ColumnType]) { builders = types.map { Box($0) } }

    func append(_ column: Column, at index: Int) { builders[index].builder.append(column) }

    func append(int32 value: Int32, at index: Int) { builders[index].builder.append(int32: value) }

    func append(int64 value: Int64, at index: Int) { builders[index].builder.append(int64: value) }

    func append(int128 value: Int128, at index: Int) {
        builders[index].builder.append(int128: value)
    }

    func append(bytes: UnsafeRawBufferPointer, at index: Int) {
        builders[index].builder.append(bytes: bytes)
    }

    func appendNull(at index: Int) { builders[index].builder.appendNull() }

    /// Fills the columns of each call up to `count` new rows with NULL.
    func pad(_ calls: [TableCall], _ counts: [Int], to count: Int) {
        var first = 0
        for (index, call) in calls.enumerated() {
            for column in first..<(first + call.fields.count) {
                for _ in counts[index]..<count { builders[column].builder.appendNull() }
            }
            first += call.fields.count
        }
    }

    func take() -> [Column] { builders.map { $0.builder.takeColumn() } }
}
