import Columns

extension LogicalPlan {
    /// The expressions of this operator alone, over its inputs.
    package var expressions: [BoundExpression] {
        switch self {
        case .scan(let node): return node.predicates
        case .values(let rows, _): return Array(rows.joined())
        case .filter(_, let condition): return [condition]
        case .project(_, let columns): return columns.map(\.expression)
        case .aggregate(let node):
            return node.keys.map(\.expression) + node.aggregates.flatMap(\.call.expressions)
        case .sort(_, let keys, _): return keys.map(\.expression)
        case .limit(_, let count, let offset):
            return (count.map { [$0] } ?? []) + (offset.map { [$0] } ?? [])
        case .distinctOn(let node): return node.keys + node.order.map(\.expression)
        case .join(let node):
            return node.keys.flatMap { [$0.left, $0.right] } + (node.residual.map { [$0] } ?? [])
        case .asof(let node): return node.expressions
        case .over(let node): return node.expressions
        case .expand(let node): return node.calls.flatMap(\.arguments)
        case .distinct, .union, .window, .singleRow, .shared, .recursion, .working: return []
        }
    }

    /// The same operator with its own expressions replaced.
    package func mapExpressions(
        _ transform: (BoundExpression) -> BoundExpression
    ) -> LogicalPlan {
        switch self {
        case .scan(var node):
            node.predicates = node.predicates.map(transform)
            return .scan(node)
        case .values(let rows, let schema): return .values(rows.map { $0.map(transform) }, schema)
        case .filter(let input, let condition): return .filter(input, transform(condition))
        case .project(let input, let columns):
            return .project(input, columns.map { $0.mapped(transform) })
        case .aggregate(var node):
            node.keys = node.keys.map { $0.mapped(transform) }
            node.aggregates = node.aggregates.map {
                NamedAggregate($0.name, $0.call.mapExpressions(transform))
            }
            return .aggregate(node)
        case .sort(let input, let keys, let limit):
            return .sort(input, keys.map { $0.mapped(transform) }, limit: limit)
        case .limit(let input, let count, let offset):
            return .limit(input, count: count.map(transform), offset: offset.map(transform))
        case .distinctOn(var node):
            node.keys = node.keys.map(transform)
            node.order = node.order.map { $0.mapped(transform) }
            return .distinctOn(node)
        case .join(var node):
            node.keys = node.keys.map {
                JoinKey(
                    left: transform($0.left), right: transform($0.right),
                    nullsMatch: $0.nullsMatch)
            }
            node.residual = node.residual.map(transform)
            return .join(node)
        case .asof(let node): return .asof(node.mapSides(left: transform, right: transform))
        case .over(let node): return .over(node.mapExpressions(transform))
        case .expand(var node):
            for index in node.calls.indices {
                node.calls[index].arguments = node.calls[index].arguments.map(transform)
            }
            return .expand(node)
        case .distinct, .union, .window, .singleRow, .shared, .recursion, .working: return self
        }
    }
}

extension LogicalPlan {
    /// The columns with these numbers, in this order, under the names that they have.
    package func columns(_ numbers: [Int]) -> LogicalPlan {
        let fields = schema.fields
        return .project(
            self, numbers.map { NamedExpression(fields[$0].name, .column($0, fields[$0].type)) })
    }
}

extension NamedExpression {
    package func mapped(_ transform: (BoundExpression) -> BoundExpression) -> NamedExpression {
        NamedExpression(name, transform(expression))
    }
}

extension SortKey {
    package func mapped(_ transform: (BoundExpression) -> BoundExpression) -> SortKey {
        SortKey(transform(expression), isDescending: isDescending, nullsFirst: nullsFirst)
    }
}

extension AggregateCall {
    /// Everything that is computed for the call over the rows of the input.
    package var expressions: [BoundExpression] {
        arguments + (filter.map { [$0] } ?? []) + orderBy.map(\.expression)
    }

    package func mapExpressions(
        _ transform: (BoundExpression) -> BoundExpression
    ) -> AggregateCall {
        var call = self
        call.arguments = arguments.map(transform)
        call.filter = filter.map(transform)
        call.orderBy = orderBy.map { $0.mapped(transform) }
        return call
    }
}
