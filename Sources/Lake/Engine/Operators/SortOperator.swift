import Base
import Columns
import SQL

/// ORDER BY, and with a limit the first rows of it: then only a few times as many rows as wanted
/// are ever kept.
final class SortOperator: BatchOperator {
    private let input: any BatchOperator
    private let carried: CarriedColumns
    /// The place of the first key.
    private let firstKey: Int?
    private let limit: Int?
    private let context: QueryContext
    private let rows: RowOrder
    /// Leaves out rows that come behind as many as are wanted.
    private let filter: TopFilter?
    private var sorted: (any BatchOperator)?
    private var given = 0

    /// `filter` is that of the first key; scans below may have it.
    init(
        _ input: any BatchOperator, _ schema: TableSchema, _ keys: [SortKey], limit: Int64?,
        filter: TopFilter? = nil, _ context: QueryContext
    ) {
        self.input = input
        self.context = context
        self.filter = filter
        self.limit = limit.map { Int(clamping: max(0, $0)) }
        var carried = CarriedColumns(schema)
        let places = keys.map { carried.place(of: $0.expression) }
        self.carried = carried
        firstKey = places.first
        rows = RowOrder(
            carried.types, keys: places, keys.map { SortDirection($0) }, for: "sorting", context)
    }

    func next() throws(Problem) -> ColumnBatch? {
        if limit == 0 { return nil }
        if sorted == nil {
            try collect()
            sorted = try rows.finish(columns: carried.width, limit: limit)
        }
        let left = limit.map { $0 - given } ?? .max
        guard left > 0, let batch = try sorted?.next() else { return nil }
        given += batch.rowCount
        let whole = batch.prefix(columns: carried.width)
        return left < batch.rowCount ? whole.slice(0..<left) : whole
    }

    private func collect() throws(Problem) {
        while let batch = try input.next() {
            var columns = try carried.columns(batch, context)
            var count = batch.rowCount
            if let filter, let firstKey, let wanted = filter.rows(of: columns[firstKey]),
                wanted.count < count
            {
                if wanted.isEmpty { continue }
                columns = columns.map { $0.gather(wanted) }
                count = wanted.count
            }
            try rows.append(columns, count: count)
            if let limit, limit < 1 << 20,
                rows.bufferedCount > limit * 2 + 4 * Limits.batchRows
            {
                filter?.tighten(to: try rows.prune(to: limit))
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
