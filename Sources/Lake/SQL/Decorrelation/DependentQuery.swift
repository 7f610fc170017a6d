import Base
import Columns

/// Computes a query for every row of a domain at once: the general way to make a join of a query
/// that reads columns around it. The domain is carried from the scans of the query upwards, so that
/// each operator knows for which of its rows it works (Neumann and Kemper, Unnesting Arbitrary
/// Queries, 2015).
struct DependentQuery {
    let correlation: Correlation
    /// The rows for which the query is computed. All differ, unless `isRowWise` holds for the query.
    let domain: LogicalPlan
    /// What each column around is, over the domain.
    let arguments: [Int: BoundExpression]
    /// What is shared within the query stays so: the new number for each old one.
    var sharedNumbers: [Int: Int] = [:]

    private var fields: [Field] { domain.schema.fields }
    private var width: Int { fields.count }

    /// The rows of the query for each row of the domain: the domain's columns, then the query's.
    func applied(to plan: LogicalPlan) throws(Problem) -> LogicalPlan {
        if plan == Binder.oneRow { return domain }
        guard plan.reads(correlation) else {
            return .join(JoinNode(kind: .cross, left: domain, right: plan))
        }
        switch plan {
        case .filter(let input, let condition):
            return .filter(try applied(to: input), moved(condition))
        case .project(let input, let columns):
            return .project(
                try applied(to: input), own + columns.map { $0.mapped(moved) })
        case .values(let rows, let schema): return values(rows, schema)
        case .aggregate(let node): return try aggregation(node)
        case .sort(let input, let keys, _):
            return .sort(try applied(to: input), keys.map { $0.mapped(moved) }, limit: nil)
        case .limit(let input, let count, let offset):
            return try limited(input, count, offset)
        case .distinct(let input): return .distinct(try applied(to: input))
        case .distinctOn(var node):
            node.input = try applied(to: node.input)
            node.keys = ownColumns + node.keys.map(moved)
            if !node.order.isEmpty {
                node.order = ownColumns.map { SortKey($0) } + node.order.map { $0.mapped(moved) }
            }
            return .distinctOn(node)
        case .union(let inputs):
            var parts: [LogicalPlan] = []
            for input in inputs { parts.append(try applied(to: input)) }
            return .union(parts)
        case .over(let node):
            var mapped = node.mapExpressions(moved)
            mapped.input = try applied(to: node.input)
            mapped.partitionBy = ownColumns + mapped.partitionBy
            return .over(mapped)
        case .window(var node):
            node.input = try applied(to: node.input)
            node.timeColumn += width
            return .window(node)
        case .expand(let node): return try expansion(node)
        case .singleRow(let input):
            // The row of each row of the domain, or NULLs; more than one are an error.
            let below = try applied(to: input)
            return try besideDomain(kind: .single, below)
        case .join(let node): return try join(node)
        case .shared(let number, let input):
            let below = try applied(to: input)
            return sharedNumbers[number].map { .shared($0, below) } ?? below
        case .recursion:
            throw Problem(
                "0A000",
                "WITH RECURSIVE that reads columns of the query around is not supported yet",
                hint: "carry the column along in the recursive query, and join its result")
        case .scan, .working:
            throw Problem("XX000", "a scan does not read columns around its query")
        }
    }

    /// Whether the rows of the query for one row of the domain come out beside that row without
    /// any comparison with other rows, so that equal rows of the domain do no harm.
    static func isRowWise(_ plan: LogicalPlan, _ correlation: Correlation) -> Bool {
        guard plan.reads(correlation) else { return true }
        switch plan {
        case .filter(let input, _), .project(let input, _): return isRowWise(input, correlation)
        case .values(let rows, _): return rows.count == 1
        case .expand(let node): return isRowWise(node.input, correlation)
        case .join(let node):
            let sides = (node.left.reads(correlation), node.right.reads(correlation))
            switch node.kind {
            case .inner, .cross:
                return sides.1
                    ? !sides.0 && isRowWise(node.right, correlation)
                    : isRowWise(node.left, correlation)
            case .left, .semi, .anti, .single:
                return !sides.1 && isRowWise(node.left, correlation)
            default: return false
            }
        default: return false
        }
    }

    // MARK: Expressions

    /// The expression above the domain's columns.
    private func moved(_ expression: BoundExpression) -> BoundExpression {
        moved(expression, domainAt: 0) { $0 + width }
    }

    private func moved(
        _ expression: BoundExpression, domainAt first: Int, _ place: (Int) -> Int
    ) -> BoundExpression {
        expression.mapColumns(place).replacingOuter(correlation) { column, type in
            arguments[column]?.mapColumns { first + $0 }
                ?? .outer(level: correlation.level, column: column, type)
        }
    }

    private var own: [NamedExpression] {
        zip(fields, ownColumns).map { NamedExpression($0.name, $1) }
    }

    private var ownColumns: [BoundExpression] {
        fields.enumerated().map { .column($0, $1.type) }
    }

    /// Equal rows of the domain at the given places of two inputs.
    private func sameRows(_ left: Int, _ right: Int) -> [JoinKey] {
        fields.enumerated().map { index, field in
            JoinKey(
                left: .column(left + index, field.type), right: .column(right + index, field.type),
                nullsMatch: true)
        }
    }

    // MARK: Operators

    private func values(_ rows: [[BoundExpression]], _ schema: TableSchema) -> LogicalPlan {
        let parts = rows.map { row in
            LogicalPlan.project(
                domain,
                own + zip(schema.fields, row).map { NamedExpression($0.name, moved($1)) })
        }
        return parts.count == 1 ? parts[0] : .union(parts)
    }

    /// `below`, which begins with the domain's columns, beside every row of the domain.
    private func besideDomain(
        kind: JoinKind, _ below: LogicalPlan
    ) throws(Problem) -> LogicalPlan {
        let joined = LogicalPlan.join(
            JoinNode(kind: kind, left: domain, right: below, keys: sameRows(0, 0)))
        let count = below.schema.fields.count
        return joined.columns(Array(0..<width) + Array((2 * width)..<(width + count)))
    }

    private func aggregation(_ node: AggregateNode) throws(Problem) -> LogicalPlan {
        let moved = LogicalPlan.aggregate(node).mapExpressions(self.moved)
        guard case .aggregate(var inner) = moved else { return moved }
        inner.input = try applied(to: node.input)
        inner.keys = own + inner.keys
        if let sets = node.sets {
            if sets.contains([]) { return try eachSet(node, sets) }
            inner.sets = sets.map { Array(0..<width) + $0.map { $0 + width } }
        }
        guard node.keys.isEmpty else { return .aggregate(inner) }
        // Over no rows there is a result, too.
        let joined = try besideDomain(kind: .left, .aggregate(inner))
        var results = own
        for (index, aggregate) in node.aggregates.enumerated() {
            results.append(
                NamedExpression(
                    aggregate.name,
                    aggregate.call.resultOrEmpty(
                        .column(
                            width + index, aggregate.call.type))))
        }
        return .project(joined, results)
    }

    /// Grouping sets one by one, where one of them has a row for no rows.
    private func eachSet(_ node: AggregateNode, _ sets: [[Int]]) throws(Problem) -> LogicalPlan {
        var parts: [LogicalPlan] = []
        for (number, set) in sets.enumerated() {
            var plain = node
            plain.sets = nil
            plain.keys = set.map { node.keys[$0] }
            let grouped = try aggregation(plain)
            var columns = own
            for (index, key) in node.keys.enumerated() {
                let value = set.firstIndex(of: index).map {
                    BoundExpression.column(width + $0, key.expression.type)
                }
                columns.append(
                    NamedExpression(key.name, value ?? .literal(.null, key.expression.type)))
            }
            for (index, aggregate) in node.aggregates.enumerated() {
                columns.append(
                    NamedExpression(
                        aggregate.name,
                        .column(width + set.count + index, aggregate.call.type)))
            }
            columns.append(
                NamedExpression("grouping_set", .literal(.int(Int64(number)), .int32)))
            parts.append(.project(grouped, columns))
        }
        return .union(parts)
    }

    /// The rows in a range of numbers, counted for each row of the domain.
    private func limited(
        _ input: LogicalPlan, _ count: BoundExpression?, _ offset: BoundExpression?
    ) throws(Problem) -> LogicalPlan {
        var order: [SortKey] = []
        var below: LogicalPlan
        if case .sort(let unsorted, let keys, _) = input {
            order = keys.map { $0.mapped(moved) }
            below = try applied(to: unsorted)
        } else {
            below = try applied(to: input)
        }
        let fields = below.schema.fields
        below = .over(
            OverNode(input: below, partitionBy: ownColumns, orderBy: order, calls: [.rowNumber]))
        let zero = BoundExpression.literal(.int(0), .int64)
        let skipped = offset.map { BoundExpression.coalesce([$0, zero], .int64) } ?? zero
        let row = BoundExpression.call(
            .subtract, [.column(fields.count, .int64), skipped], .int64)
        var conditions: [BoundExpression] = [.call(.greater, [row, zero], .boolean)]
        if let count {
            // LIMIT NULL is no limit.
            conditions.append(
                .coalesce(
                    [
                        .call(.lessOrEqual, [row, count], .boolean),
                        .literal(.boolean(true), .boolean),
                    ], .boolean))
        }
        return LogicalPlan.filter(below, .and(conditions)).columns(Array(fields.indices))
    }

    private func expansion(_ node: ExpandNode) throws(Problem) -> LogicalPlan {
        guard case .expand(var inner) = LogicalPlan.expand(node).mapExpressions(moved) else {
            return .expand(node)
        }
        inner.input = try applied(to: node.input)
        return .expand(inner)
    }

    // MARK: Joins

    private func join(_ node: JoinNode) throws(Problem) -> LogicalPlan {
        let node = node.withoutKeys { $0.left.reads(correlation) || $0.right.reads(correlation) }
        let readsLeft = node.left.reads(correlation)
        let readsRight = node.right.reads(correlation)
        let left = node.left.schema.fields.count
        let right = node.right.schema.fields.count
        let hasRightColumns = node.kind != .semi && node.kind != .anti
        let mayTakeRight = [.inner, .cross, .right].contains(node.kind)
        if readsRight && !readsLeft && mayTakeRight || node.kind == .right && !readsLeft {
            // The domain stands between both sides, and moves to the front.
            var inner = node
            inner.right = try applied(to: node.right)
            inner.keys = node.keys.map {
                JoinKey(
                    left: $0.left, right: $0.right.mapColumns { $0 + width },
                    nullsMatch: $0.nullsMatch)
            }
            inner.residual = node.residual.map { residual in
                moved(residual, domainAt: left) { $0 < left ? $0 : $0 + width }
            }
            let order = Array(left..<(left + width)) + Array(0..<left)
            return LogicalPlan.join(inner).columns(
                order + Array((left + width)..<(left + width + right)))
        }
        var inner = node
        inner.left = try applied(to: node.left)
        let isAlone = !readsRight && node.kind != .full && node.kind != .right
        if !isAlone { inner.right = try applied(to: node.right) }
        let shift = isAlone ? 0 : width
        inner.keys =
            (isAlone ? [] : sameRows(0, 0))
            + node.keys.map {
                JoinKey(
                    left: $0.left.mapColumns { $0 + width },
                    right: $0.right.mapColumns { $0 + shift }, nullsMatch: $0.nullsMatch)
            }
        inner.residual = node.residual.map { residual in
            moved(residual, domainAt: 0) { $0 < left ? $0 + width : $0 + width + shift }
        }
        if inner.kind == .cross, !inner.keys.isEmpty { inner.kind = .inner }
        if isAlone || !hasRightColumns { return .join(inner) }
        let second = width + left
        let rows = Array(width..<second) + Array((second + width)..<(second + width + right))
        switch node.kind {
        case .right:
            return LogicalPlan.join(inner).columns(Array(second..<(second + width)) + rows)
        case .full:
            let joined = LogicalPlan.join(inner)
            let all = joined.schema.fields
            let merged = fields.enumerated().map { index, field in
                NamedExpression(
                    field.name,
                    .coalesce(
                        [.column(index, field.type), .column(second + index, field.type)],
                        field.type))
            }
            return .project(
                joined,
                merged + rows.map { NamedExpression(all[$0].name, .column($0, all[$0].type)) })
        default: return LogicalPlan.join(inner).columns(Array(0..<width) + rows)
        }
    }
}

extension JoinNode {
    /// The join with some of its keys as a condition behind it.
    fileprivate func withoutKeys(_ isTaken: (JoinKey) -> Bool) -> JoinNode {
        var node = self
        let width = left.schema.fields.count
        var conditions: [BoundExpression] = residual?.conjuncts ?? []
        for key in keys where isTaken(key) {
            let right = key.right.mapColumns { $0 + width }
            conditions.append(
                key.nullsMatch
                    ? .not(.isDistinct(key.left, right))
                    : .call(.equal, [key.left, right], .boolean))
        }
        node.keys.removeAll(where: isTaken)
        node.residual = .all(of: conditions)
        if node.keys.isEmpty, node.kind == .inner { node.kind = .cross }
        return node
    }
}

extension AggregateCall {
    /// `column`, which is NULL for a group without rows, with the value that the aggregate has
    /// over no rows.
    func resultOrEmpty(_ column: BoundExpression) -> BoundExpression {
        switch function {
        case .count, .countStar:
            .coalesce([column, .literal(.int(0), .int64)], .int64)
        default: column
        }
    }
}
