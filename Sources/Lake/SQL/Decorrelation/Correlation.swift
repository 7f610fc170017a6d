import Columns

/// Which columns around a query are meant: those of the query at a depth, in a range.
struct Correlation {
    var level: Int
    var columns: Range<Int>

    /// All columns of the query at `level`.
    init(level: Int, columns: Range<Int> = 0..<Int.max) {
        self.level = level
        self.columns = columns
    }
}

extension BoundExpression {
    /// Calls `body` with the columns around that the expression reads; repeats are possible.
    func forEachOuter(_ correlation: Correlation, _ body: (Int, ColumnType) -> Void) {
        if case .outer(correlation.level, let column, let type) = self {
            if correlation.columns.contains(column) { body(column, type) }
            return
        }
        for child in children { child.forEachOuter(correlation, body) }
    }

    func reads(_ correlation: Correlation) -> Bool {
        var found = false
        forEachOuter(correlation) { _, _ in found = true }
        return found
    }

    /// The columns around replaced.
    func replacingOuter(
        _ correlation: Correlation, _ replacement: (Int, ColumnType) -> BoundExpression
    ) -> BoundExpression {
        if case .outer(correlation.level, let column, let type) = self {
            return correlation.columns.contains(column) ? replacement(column, type) : self
        }
        return mapChildren { $0.replacingOuter(correlation, replacement) }
    }

    /// The expression as a query inside sees it: its columns are those around that query.
    func asOuter(level: Int) -> BoundExpression {
        if case .column(let index, let type) = self {
            return .outer(level: level, column: index, type)
        }
        return mapChildren { $0.asOuter(level: level) }
    }
}

extension LogicalPlan {
    func reads(_ correlation: Correlation) -> Bool {
        expressions.contains { $0.reads(correlation) } || inputs.contains { $0.reads(correlation) }
    }

    /// The columns around that the plan reads, each once, in order.
    func outerColumns(_ correlation: Correlation) -> [(column: Int, type: ColumnType)] {
        var types: [(column: Int, type: ColumnType)] = []
        func visit(_ plan: LogicalPlan) {
            for expression in plan.expressions {
                expression.forEachOuter(correlation) { column, type in
                    if !types.contains(where: { $0.column == column }) {
                        types.append((column, type))
                    }
                }
            }
            plan.inputs.forEach(visit)
        }
        visit(self)
        return types.sorted { $0.column < $1.column }
    }
}

/// An equality between something of a query and something around it.
struct CorrelatedEquality {
    /// Over the query's columns alone.
    var inner: BoundExpression
    /// Over the columns around alone.
    var outer: BoundExpression
    var nullsMatch: Bool

    init?(_ condition: BoundExpression, _ correlation: Correlation) {
        let sides: [BoundExpression]
        switch condition {
        case .call(.equal, let operands, _):
            (sides, nullsMatch) = (operands, false)
        case .not(.isDistinct(let left, let right)):
            (sides, nullsMatch) = ([left, right], true)
        default: return nil
        }
        guard sides.count == 2, !condition.isVolatile else { return nil }
        let reads = sides.map { $0.reads(correlation) }
        guard reads[0] != reads[1] else { return nil }
        inner = sides[reads[0] ? 1 : 0]
        outer = sides[reads[0] ? 0 : 1]
        guard outer.side(leftWidth: 0) == .neither else { return nil }
    }
}
