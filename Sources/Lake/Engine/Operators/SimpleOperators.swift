// Operators that keep nothing, or next to nothing.

import Base
import Columns
import SQL

final class ScanOperator: BatchOperator {
    private let node: ScanNode
    private let source: any BatchSource
    private let predicate: CompiledExpression?
    private let schema: TableSchema
    private let context: QueryContext
    private var cutter = BatchCutter()

    convenience init(
        _ node: ScanNode, _ tables: any TableSource, filters: [ScanFilter], _ context: QueryContext
    ) throws(Problem) {
        let source =
            filters.isEmpty
            ? try tables.open(node, context)
            : try tables.open(node, filters: filters, context)
        self.init(node, source, context)
    }

    private init(_ node: ScanNode, _ source: any BatchSource, _ context: QueryContext) {
        self.node = node
        self.source = source
        predicate = BoundExpression.all(of: node.predicates).map { CompiledExpression($0) }
        schema = node.schema
        self.context = context
    }

    /// The parts of what is scanned; nil when it cannot be divided. See `DividedSource`.
    func parts() throws(Problem) -> [SourcePart]? {
        try (source as? any DividedSource)?.parts(rowsWanted: max(1, context.dividedFromRows / 2))
    }

    /// The same scan of other rows: those of a part.
    func reading(_ source: any BatchSource, _ context: QueryContext) -> ScanOperator {
        ScanOperator(node, source, context)
    }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            try context.checkCancellation()
            guard let batch = cutter.next() else {
                guard let more = try source.next() else { return nil }
                precondition(
                    more.columns.count == schema.fields.count,
                    "a source gives the projected columns")
                cutter.put(more)
                continue
            }
            guard let predicate else { return batch }
            let rows = try predicate.selectedRows(batch, context)
            if rows.count == batch.rowCount { return batch }
            if !rows.isEmpty { return batch.gather(rows) }
        }
    }
}

final class ValuesOperator: BatchOperator {
    private let rows: [[CompiledExpression]]
    private let schema: TableSchema
    private let context: QueryContext
    private var position = 0

    init(
        _ rows: [[BoundExpression]], _ schema: TableSchema, _ context: QueryContext
    ) {
        self.rows = rows.map { $0.map { CompiledExpression($0) } }
        self.schema = schema
        self.context = context
    }

    func next() throws(Problem) -> ColumnBatch? {
        try context.checkCancellation()
        guard position < rows.count else { return nil }
        let end = min(position + Limits.batchRows, rows.count)
        defer { position = end }
        let oneRow = ColumnBatch(columns: [], rowCount: 1)
        var columns: [[Value]] = schema.fields.map { _ in [] }
        for row in rows[position..<end] {
            for (index, expression) in row.enumerated() {
                columns[index].append(try expression.evaluate(oneRow, context).value(0))
            }
        }
        let built = zip(schema.fields, columns).map { Column($0.type, $1) }
        return ColumnBatch(columns: built, rowCount: end - position)
    }
}

final class FilterOperator: BatchOperator {
    private let input: any BatchOperator
    private let condition: CompiledExpression
    private let context: QueryContext

    init(_ input: any BatchOperator, _ condition: BoundExpression, _ context: QueryContext) {
        self.input = input
        self.condition = CompiledExpression(condition)
        self.context = context
    }

    func next() throws(Problem) -> ColumnBatch? {
        while let batch = try input.next() {
            try context.checkCancellation()
            let rows = try condition.selectedRows(batch, context)
            if rows.count == batch.rowCount { return batch }
            if !rows.isEmpty { return batch.gather(rows) }
        }
        return nil
    }
}

final class ProjectOperator: BatchOperator {
    private let input: any BatchOperator
    private let expressions: [CompiledExpression]
    private let context: QueryContext

    init(
        _ input: any BatchOperator, _ columns: [NamedExpression], _ context: QueryContext
    ) {
        self.input = input
        expressions = columns.map { CompiledExpression($0.expression) }
        self.context = context
    }

    func next() throws(Problem) -> ColumnBatch? {
        guard let batch = try input.next() else { return nil }
        try context.checkCancellation()
        var columns: [Column] = []
        columns.reserveCapacity(expressions.count)
        for expression in expressions { columns.append(try expression.column(batch, context)) }
        return ColumnBatch(columns: columns, rowCount: batch.rowCount)
    }
}

final class LimitOperator: BatchOperator {
    private let input: any BatchOperator
    private var toSkip: Int64
    /// nil: no limit.
    private var toGive: Int64?

    init(
        _ input: any BatchOperator, count: BoundExpression?, offset: BoundExpression?,
        _ context: QueryContext
    ) throws(Problem) {
        self.input = input
        toSkip = try Self.amount(offset, "OFFSET", "2201X", context) ?? 0
        toGive = try Self.amount(count, "LIMIT", "2201W", context)
    }

    static func amount(
        _ expression: BoundExpression?, _ clause: String, _ code: String, _ context: QueryContext
    ) throws(Problem) -> Int64? {
        guard let expression else { return nil }
        guard case .int(let amount) = try CompiledExpression.constantValue(expression, context)
        else { return nil }
        if amount < 0 { throw Problem(code, "\(clause) must not be negative") }
        return amount
    }

    func next() throws(Problem) -> ColumnBatch? {
        while toGive ?? 1 > 0, let batch = try input.next() {
            let rows = Int64(batch.rowCount)
            if toSkip >= rows {
                toSkip -= rows
                continue
            }
            let start = Int(toSkip)
            toSkip = 0
            var end = batch.rowCount
            if let left = toGive {
                end = Int(min(Int64(start) + min(left, rows), rows))
                toGive = left - Int64(end - start)
            }
            return start == 0 && end == batch.rowCount ? batch : batch.slice(start..<end)
        }
        return nil
    }
}

final class UnionOperator: BatchOperator {
    private var inputs: ArraySlice<any BatchOperator>

    init(_ inputs: [any BatchOperator]) { self.inputs = inputs[...] }

    func next() throws(Problem) -> ColumnBatch? {
        while let input = inputs.first {
            if let batch = try input.next() { return batch }
            inputs.removeFirst()
        }
        return nil
    }
}

/// A scalar subquery: one row, or NULLs.
final class SingleRowOperator: BatchOperator {
    private let input: any BatchOperator
    private let schema: TableSchema
    private var isDone = false

    init(_ input: any BatchOperator, _ schema: TableSchema) {
        self.input = input
        self.schema = schema
    }

    func next() throws(Problem) -> ColumnBatch? {
        if isDone { return nil }
        isDone = true
        guard let batch = try input.next() else {
            let nulls = schema.fields.map { Column($0.type, [.null]) }
            return ColumnBatch(columns: nulls, rowCount: 1)
        }
        if batch.rowCount > 1 { throw SQLErrors.severalRows }
        if try input.next() != nil { throw SQLErrors.severalRows }
        return batch
    }
}

/// TUMBLE and HOP: each row once for every window that holds it.
final class WindowOperator: BatchOperator {
    private let input: any BatchOperator
    private let node: WindowNode
    private let context: QueryContext
    private let type: ColumnType
    private var cutter = BatchCutter()

    init(_ input: any BatchOperator, _ node: WindowNode, _ context: QueryContext) {
        self.input = input
        self.node = node
        self.context = context
        type = node.input.schema.fields[node.timeColumn].type
    }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            if let batch = cutter.next() { return batch }
            guard let batch = try input.next() else { return nil }
            try context.checkCancellation()
            let windowed = try windows(of: batch)
            if windowed.rowCount > 0 { cutter.put(windowed) }
        }
    }

    private func windows(of batch: ColumnBatch) throws(Problem) -> ColumnBatch {
        let (slide, size) = (node.slideMicroseconds, node.sizeMicroseconds)
        guard slide > 0, size >= slide, size / slide <= 10_000 else {
            throw SQLErrors.invalidParameter("a window has a positive slide, at most its size")
        }
        let times = batch.columns[node.timeColumn]
        // Dates count days; everything else microseconds.
        let unit: Int64 = type == .date ? CalendarMath.microsecondsPerDay : 1
        let source = Vector(times).wideIntegers
        var rows: [Int32] = []
        var starts: [Int64] = []
        for row in 0..<batch.rowCount where !times.isNull(row) {
            let value = source.at(row)
            let (moment, overflow) = value.multipliedReportingOverflow(by: unit)
            if overflow || DateTimeKernels.isInfinite(value) {
                throw SQLErrors.timestampOutOfRange
            }
            // The last window that holds the moment; earlier ones overlap it.
            var start = CalendarMath.floorDivide(moment, slide) &* slide
            let first = starts.count
            while start > moment &- size {
                rows.append(Int32(row))
                starts.append(start)
                let (previous, under) = start.subtractingReportingOverflow(slide)
                if under { break }
                start = previous
            }
            starts[first...].reverse()
        }
        let gathered = batch.gather(rows)
        let ends = starts.map { $0.addingReportingOverflow(size) }
        if ends.contains(where: \.overflow) { throw SQLErrors.timestampOutOfRange }
        return ColumnBatch(
            columns: gathered.columns + [
                column(starts, unit), column(ends.map(\.partialValue), unit),
            ],
            rowCount: rows.count)
    }

    private func column(_ moments: [Int64], _ unit: Int64) -> Column {
        type == .date
            ? Column(
                type: type,
                data: .int32(moments.map { Int32(truncatingIfNeeded: $0 / unit) }))
            : Column(type: type, data: .int64(moments))
    }
}
