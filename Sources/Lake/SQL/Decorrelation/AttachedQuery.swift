import Base
import Columns

/// A query as the right side of a join with the rows around it.
struct AttachedQuery {
    var left: LogicalPlan
    var right: LogicalPlan
    /// Which rows of the right side are those of a row of the left one.
    var keys: [JoinKey]
    /// More of that, over the columns of both sides.
    var residual: [BoundExpression]
    /// Where the query's own columns begin in the right side.
    var first: Int

    /// The join of both sides with more conditions.
    func joined(
        _ kind: JoinKind, keys more: [JoinKey] = [], residual rest: [BoundExpression] = []
    ) -> LogicalPlan {
        var kind = kind
        let all = keys + more
        if kind == .inner, all.isEmpty { kind = .cross }
        if kind == .cross, !all.isEmpty { kind = .inner }
        return .join(
            JoinNode(
                kind: kind, left: left, right: right, keys: all,
                residual: .all(of: residual + rest)))
    }
}

extension Binder {
    /// `query`, which may read columns around it, beside the rows of `left`. `arguments` are those
    /// columns over `left`. With `equalitiesOnly` the two sides have no residual condition.
    mutating func attach(
        _ query: LogicalPlan, to left: LogicalPlan, _ correlation: Correlation,
        _ arguments: [Int: BoundExpression], equalitiesOnly: Bool = false, at position: Int
    ) throws(Problem) -> AttachedQuery {
        guard query.reads(correlation) else {
            try spend(query, at: position)
            return AttachedQuery(left: left, right: query, keys: [], residual: [], first: 0)
        }
        let width = left.schema.fields.count
        func placed(_ expression: BoundExpression) -> BoundExpression {
            expression.replacingOuter(correlation) { column, type in
                arguments[column] ?? .outer(level: correlation.level, column: column, type)
            }
        }
        if let hoisted = HoistedQuery(query, correlation) {
            var keys: [JoinKey] = []
            var residual: [BoundExpression] = []
            for condition in hoisted.conditions {
                if let equality = CorrelatedEquality(condition, correlation) {
                    keys.append(
                        JoinKey(
                            left: placed(equality.outer), right: equality.inner,
                            nullsMatch: equality.nullsMatch))
                } else {
                    residual.append(placed(condition.mapColumns { $0 + width }))
                }
            }
            if residual.isEmpty || !equalitiesOnly {
                try spend(hoisted.plan, at: position)
                return AttachedQuery(
                    left: left, right: hoisted.plan, keys: keys, residual: residual, first: 0)
            }
        }
        let shared = share(left)
        let columns = query.outerColumns(correlation)
        var domain: [NamedExpression] = []
        var places: [Int: BoundExpression] = [:]
        var keys: [JoinKey] = []
        for (index, outer) in columns.enumerated() {
            let argument = placed(
                .outer(
                    level: correlation.level, column: outer.column, outer.type))
            let column = BoundExpression.column(index, outer.type)
            domain.append(NamedExpression("outer\(index + 1)", argument))
            places[outer.column] = column
            keys.append(JoinKey(left: argument, right: column, nullsMatch: true))
        }
        var dependent = DependentQuery(
            correlation: correlation, domain: share(.distinct(.project(shared, domain))),
            arguments: places)
        for number in query.sharedNumbers {
            sharedCount += 1
            dependent.sharedNumbers[number] = sharedCount
        }
        let right = try dependent.applied(to: query)
        try spend(right, at: position)
        return AttachedQuery(
            left: shared, right: right, keys: keys, residual: [], first: domain.count)
    }

    /// A plan that may be put at several places.
    mutating func share(_ plan: LogicalPlan) -> LogicalPlan {
        if case .shared = plan { return plan }
        sharedCount += 1
        return .shared(sharedCount, plan)
    }

    // MARK: LATERAL

    /// The join of `node`, whose right side may read the columns of its left one, with the same
    /// columns: left, then right.
    mutating func lateralJoin(
        _ node: JoinNode, _ correlation: Correlation, at position: Int
    ) throws(Problem) -> LogicalPlan {
        guard node.right.reads(correlation) else { return .join(node) }
        guard [.inner, .cross, .left].contains(node.kind) else {
            throw Problem(
                "42P10", "invalid reference to a FROM-clause entry from the other side of a join",
                notes: ["a LATERAL reference needs an INNER or LEFT join"],
                hint: "use LEFT JOIN LATERAL", position: position)
        }
        let left = node.left.schema.fields
        let right = node.right.schema.fields.count
        var arguments: [Int: BoundExpression] = [:]
        for (index, field) in left.enumerated() {
            arguments[correlation.columns.lowerBound + index] = .column(index, field.type)
        }
        let isFree = node.keys.isEmpty && node.residual == nil
        var query: LogicalPlan? = node.right
        if node.kind == .left { query = isFree ? node.right.keepingEmptyRows : nil }
        if let query, DependentQuery.isRowWise(query, correlation) {
            let dependent = DependentQuery(
                correlation: correlation, domain: node.left, arguments: arguments)
            let plan = try dependent.applied(to: query)
            try spend(plan, at: position)
            var conditions = node.residual?.conjuncts ?? []
            conditions += node.keys.map {
                .call(.equal, [$0.left, $0.right.mapColumns { $0 + left.count }], .boolean)
            }
            return BoundExpression.all(of: conditions).map { .filter(plan, $0) } ?? plan
        }
        let attached = try attach(
            node.right, to: node.left, correlation, arguments, at: position)
        let keys = node.keys.map {
            JoinKey(
                left: $0.left, right: $0.right.mapColumns { $0 + attached.first },
                nullsMatch: $0.nullsMatch)
        }
        let residual = node.residual?.conjuncts.map { condition in
            condition.mapColumns { $0 < left.count ? $0 : $0 + attached.first }
        }
        let joined = attached.joined(node.kind, keys: keys, residual: residual ?? [])
        let begin = left.count + attached.first
        return joined.columns(Array(left.indices) + Array(begin..<(begin + right)))
    }
}

extension LogicalPlan {
    /// A function of FROM that gives a row of NULLs where it gave none; nil for other plans.
    fileprivate var keepingEmptyRows: LogicalPlan? {
        switch self {
        case .expand(var node):
            guard node.input == Binder.oneRow else { return nil }
            node.keepsEmpty = true
            return .expand(node)
        case .project(let input, let columns):
            for column in columns { guard case .column = column.expression else { return nil } }
            return input.keepingEmptyRows.map { .project($0, columns) }
        default: return nil
        }
    }
}
