import Base
import Columns
import SQL

/// ORDER BY, and with a limit the first rows of it: then only a few times as many rows as wanted
/// are ever kept.
final class SortOperator: BatchOperator {
    private let input: any BatchOperator
    private let expressions: [CompiledExpression]
    private let limit: Int?
    private let context: QueryContext
    private let width: Int
    /// The input's columns, then the keys.
    private let rows: RowOrder
    private var sorted: (any BatchOperator)?
    private var given = 0

    init(
        _ input: any BatchOperator, _ schema: TableSchema, _ keys: [SortKey], limit: Int64?,
        _ context: QueryContext
    ) {
        self.input = input
        self.context = context
        expressions = keys.map { CompiledExpression($0.expression) }
        self.limit = limit.map { Int(clamping: max(0, $0)) }
        width = schema.fields.count
        rows = RowOrder(
            schema.fields.map(\.type) + expressions.map(\.type), width: width,
            keys.map { SortDirection($0) }, for: "sorting", context)
    }

    func next() throws(Problem) -> ColumnBatch? {
        if limit == 0 { return nil }
        if sorted == nil {
            try collect()
            sorted = try rows.finish(columns: width, limit: limit)
        }
        let left = limit.map { $0 - given } ?? .max
        guard left > 0, let batch = try sorted?.next() else { return nil }
        given += batch.rowCount
        let whole = batch.prefix(columns: width)
        return left < batch.rowCount ? whole.slice(0..<left) : whole
    }

    private func collect() throws(Problem) {
        while let batch = try input.next() {
            var columns = batch.columns
            for expression in expressions {
                columns.append(try expression.column(batch, context))
            }
            try rows.append(columns, count: batch.rowCount)
            if let limit, limit < 1 << 20,
                rows.bufferedCount > limit * 2 + 4 * Limits.batchRows
            {
                try rows.prune(to: limit)
            }
        }
    }
}

extension Column {
    /// The column with text buffers of its own, so that a few rows do not keep many pages alive.
    var compacted: Column {
        guard case .text(let texts) = flattened.data, texts.buffers.count > 0 else { return self }
        var sink = TextSink(capacity: texts.count)
        TextReader.with(texts) { reader in
            for row in 0..<texts.count {
                sink.append(isNull(row) ? .init(start: nil, count: 0) : reader[row])
            }
        }
        return Column(type: type, data: .text(sink.finish()), validity: validity)
    }
}

/// DISTINCT ON: sorted, then the first row of each key.
final class DistinctOnOperator: BatchOperator {
    private let input: any BatchOperator
    private let keys: [CompiledExpression]
    private let table: KeyTable
    private let memory: MemoryShare
    private let context: QueryContext

    init(
        _ input: any BatchOperator, _ node: DistinctOnNode, _ context: QueryContext
    ) throws(Problem) {
        guard node.keys.count <= 63 else {
            throw Problem("54000", "at most 63 expressions in DISTINCT ON")
        }
        self.input =
            node.order.isEmpty
            ? input
            : SortOperator(input, node.input.schema, node.order, limit: nil, context)
        self.context = context
        keys = node.keys.map { CompiledExpression($0) }
        table = KeyTable(types: keys.map(\.type))
        memory = MemoryShare(context.memory, for: "DISTINCT ON")
    }

    func next() throws(Problem) -> ColumnBatch? {
        while let batch = try input.next() {
            try context.checkCancellation()
            var columns: [Column] = []
            for key in keys { columns.append(try key.column(batch, context)) }
            let before = table.count
            let numbers = table.insert(columns, count: batch.rowCount)
            try memory.resize(to: table.memoryBytes)
            let rows = AggregateState.newRows(numbers, before)
            if rows.count == batch.rowCount { return batch }
            if !rows.isEmpty { return batch.gather(rows) }
        }
        return nil
    }
}
