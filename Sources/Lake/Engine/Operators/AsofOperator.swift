import Base
import Columns
import SQL

/// Pairs each left row with the nearest right row of the same keys. Both sides are sorted by keys and
/// moments, on the scratch disk when they do not fit into memory, and then read side by side: of the
/// right one no more than a batch is held.
final class AsofOperator: BatchOperator {
    private let left: Side
    private let right: Side
    private let node: AsofNode
    private let context: QueryContext
    private var leftRows: (any BatchOperator)?
    private var rightRows: (any BatchOperator)?
    /// The right batch that is walked through, and its first row that is not before the left one.
    private var ahead: Sorted?
    private var aheadRow = 0
    /// The last right row that is: the only one that can be the partner of the next left rows.
    private var candidate: (batch: Sorted, row: Int)?
    /// Left rows without a partner, given behind those that have one.
    private var alone: ColumnBatch?

    /// One input and how it is sorted.
    private final class Side {
        let input: any BatchOperator
        let types: [ColumnType]
        let width: Int
        /// The keys, then the moment.
        let sortedBy: [CompiledExpression]
        let order: RowOrder

        init(
            _ input: any BatchOperator, _ schema: TableSchema, _ sortedBy: [BoundExpression],
            _ directions: [SortDirection], _ context: QueryContext
        ) {
            self.input = input
            self.sortedBy = sortedBy.map { CompiledExpression($0) }
            width = schema.fields.count
            types = schema.fields.map(\.type) + sortedBy.map(\.type)
            order = RowOrder(
                types, keys: Array(width..<types.count), directions, for: "an ASOF join", context)
        }
    }

    /// A sorted batch, and its keys in forms that can be compared between both sides.
    private final class Sorted {
        let rows: ColumnBatch
        let keys: RowSorter
        /// By keys and moment.
        let all: RowSorter
        /// Rows whose keys or moment are NULL match nothing; nil when there are none.
        let matchable: Validity?

        init(_ batch: ColumnBatch, _ side: Side, _ node: AsofNode, _ directions: [SortDirection]) {
            let count = batch.rowCount
            let columns = (side.width..<side.types.count).map { index in
                Vector.aligned(
                    Vector(batch.columns[index]), to: side.types[index], count: count)
            }
            keys = RowSorter(
                Array(columns.dropLast()), directions.dropLast(), count: count, comparable: true)
            all = RowSorter(columns, directions, count: count, comparable: true)
            matchable = AsofOperator.matchable(columns, node)
            rows = batch.prefix(columns: side.width)
        }
    }

    private let directions: [SortDirection]

    init(
        _ left: any BatchOperator, _ right: any BatchOperator, _ node: AsofNode,
        _ context: QueryContext
    ) {
        self.node = node
        self.context = context
        // In whichever direction the partner of a row stands before it.
        let isBackwards = node.comparison == .less || node.comparison == .lessOrEqual
        directions =
            node.keys.map { _ in SortDirection(isDescending: false, nullsFirst: false) }
            + [SortDirection(isDescending: isBackwards, nullsFirst: false)]
        let all = node.keys + [node.moment]
        self.left = Side(left, node.left.schema, all.map(\.left), directions, context)
        self.right = Side(right, node.right.schema, all.map(\.right), directions, context)
    }

    func next() throws(Problem) -> ColumnBatch? {
        if leftRows == nil {
            rightRows = try sorted(right, keepsUnmatchable: false)
            leftRows = try sorted(left, keepsUnmatchable: node.keepsLeft)
        }
        if let rows = alone {
            alone = nil
            return rows
        }
        while let batch = try leftRows?.next() {
            try context.checkCancellation()
            let pairs = try joined(Sorted(batch, left, node, directions))
            if let pairs { return pairs }
            if let rows = alone {
                alone = nil
                return rows
            }
        }
        return nil
    }

    private func sorted(
        _ side: Side, keepsUnmatchable: Bool
    ) throws(Problem) -> any BatchOperator {
        while let batch = try side.input.next() {
            var columns = batch.columns
            for expression in side.sortedBy {
                columns.append(try expression.column(batch, context))
            }
            let keys = Array(columns[side.width...])
            if !keepsUnmatchable, let valid = Self.matchable(keys, node) {
                let rows = (0..<Int32(batch.rowCount)).filter { valid[Int($0)] }
                if rows.isEmpty { continue }
                try side.order.append(columns.map { $0.gather(rows) }, count: rows.count)
            } else {
                try side.order.append(columns, count: batch.rowCount)
            }
        }
        return try side.order.finish(columns: side.types.count)
    }

    /// The rows that can have a partner; nil when all can. `columns` are the keys and the moment.
    private static func matchable(_ columns: [Column], _ node: AsofNode) -> Validity? {
        var valid: Validity?
        for (column, key) in zip(columns, node.keys + [node.moment]) where !key.nullsMatch {
            valid = Validity.intersection(valid, column.fullValidity)
        }
        return valid
    }

    /// The left rows that have a partner beside it; nil when none has. The others become `alone`.
    private func joined(_ rows: Sorted) throws(Problem) -> ColumnBatch? {
        let count = rows.rows.rowCount
        var partnered: [Int32] = []
        var single: [Int32] = []
        let partners = RowBuffer(types: node.right.schema.fields.map(\.type))
        // Rows of one right batch, which is given as a whole when the next one begins.
        var source: Sorted?
        var picked: [Int32] = []
        func take() {
            guard let source, !picked.isEmpty else { return }
            partners.append(source.rows.gather(picked))
            picked.removeAll(keepingCapacity: true)
        }
        for row in 0..<count {
            guard rows.matchable?[row] ?? true else {
                single.append(Int32(row))
                continue
            }
            try advance(to: row, of: rows)
            guard let candidate,
                candidate.batch.keys.order(candidate.row, rows.keys, row) == 0
            else {
                single.append(Int32(row))
                continue
            }
            if source !== candidate.batch {
                take()
                source = candidate.batch
            }
            picked.append(Int32(candidate.row))
            partnered.append(Int32(row))
        }
        take()
        if node.keepsLeft, !single.isEmpty {
            let nulls = node.right.schema.fields.map {
                Column($0.type, repeating: .null, count: single.count)
            }
            alone = ColumnBatch(
                columns: rows.rows.gather(single).columns + nulls, rowCount: single.count)
        }
        if partnered.isEmpty { return nil }
        return ColumnBatch(
            columns: rows.rows.columns.map { $0.gather(partnered) } + partners.columns(),
            rowCount: partnered.count)
    }

    /// Goes over the right rows that are before `row`; the last of them becomes the candidate.
    private func advance(to row: Int, of rows: Sorted) throws(Problem) {
        while true {
            if ahead == nil {
                try context.checkCancellation()
                guard let batch = try rightRows?.next() else {
                    rightRows = nil
                    return
                }
                ahead = Sorted(batch, right, node, directions)
                aheadRow = 0
            }
            guard let batch = ahead else { return }
            let end = batch.rows.rowCount
            let stop = firstBehind(batch, from: aheadRow, to: end, row, rows)
            if stop > aheadRow {
                candidate = (batch, stop - 1)
                aheadRow = stop
            }
            if stop < end { return }
            ahead = nil
        }
    }

    /// The first right row that is not before the left one: by steps that grow, then by halves, so
    /// that few left rows are found among many right ones.
    private func firstBehind(
        _ batch: Sorted, from start: Int, to end: Int, _ row: Int, _ rows: Sorted
    ) -> Int {
        let mayEqual = node.comparison == .lessOrEqual || node.comparison == .greaterOrEqual
        func isBefore(_ place: Int) -> Bool {
            let order = batch.all.order(place, rows.all, row)
            return order < 0 || mayEqual && order == 0
        }
        // All rows before `low` are before the left row, none from `high` on.
        var (low, high) = (start, end)
        var step = 1
        while low < high {
            let place = min(low + step - 1, high - 1)
            if isBefore(place) {
                low = place + 1
                step *= 2
            } else {
                high = place
                break
            }
        }
        while low < high {
            let middle = low + (high - low) / 2
            if isBefore(middle) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
