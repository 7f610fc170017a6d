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
        switch data {
        case .list(let offsets, let element):
            return Column(
                type: type, data: .list(offsets: offsets, element: element.compacted),
                validity: validity)
        case .map(let offsets, let key, let value):
            return Column(
                type: type,
                data: .map(offsets: offsets, key: key.compacted, value: value.compacted),
                validity: validity)
        case .structure(let members):
            return Column(
                type: type, data: .structure(members.map(\.compacted)), validity: validity)
        default: break
        }
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
