// Several percentiles of the same values become one aggregate with a list of fractions: the values
// are kept, and parted or sorted, once.

import Columns

enum PercentileSharing {
    static func apply(_ plan: LogicalPlan) -> LogicalPlan {
        let plan = plan.mapInputs(apply)
        guard case .aggregate(let node) = plan else { return plan }
        return shared(node) ?? plan
    }

    /// Where the result of a call is now: in an aggregate of its own, or in a list.
    private struct Place {
        var aggregate: Int
        var element: Int?
    }

    private static func shared(_ node: AggregateNode) -> LogicalPlan? {
        let calls = node.aggregates.map(\.call)
        var places: [Place] = []
        var aggregates: [NamedAggregate] = []
        for (index, aggregate) in node.aggregates.enumerated() {
            let alike = calls.indices.filter { isAlike(calls[$0], calls[index]) }
            guard alike.count > 1, let element = alike.firstIndex(of: index) else {
                places.append(Place(aggregate: aggregates.count))
                aggregates.append(aggregate)
                continue
            }
            if element > 0 {
                places.append(Place(aggregate: places[alike[0]].aggregate, element: element))
                continue
            }
            var call = aggregate.call
            call.arguments[1] = .literal(
                .list(alike.compactMap { fraction(of: calls[$0]) }), .list(.float64))
            call.type = .list(call.type)
            places.append(Place(aggregate: aggregates.count, element: 0))
            aggregates.append(NamedAggregate(aggregate.name, call))
        }
        guard aggregates.count < node.aggregates.count else { return nil }
        let before = LogicalPlan.aggregate(node).schema.fields
        var merged = node
        merged.aggregates = aggregates
        let result = LogicalPlan.aggregate(merged)
        let removed = node.aggregates.count - aggregates.count
        let columns = before.enumerated().map { index, field in
            let number = index - node.keys.count
            guard number >= 0 else {
                return NamedExpression(field.name, .column(index, field.type))
            }
            // The number of the grouping set stands behind the aggregates.
            guard number < places.count else {
                return NamedExpression(field.name, .column(index - removed, field.type))
            }
            let place = places[number]
            let column = node.keys.count + place.aggregate
            guard let element = place.element else {
                return NamedExpression(field.name, .column(column, field.type))
            }
            return NamedExpression(
                field.name,
                .call(
                    .listElement,
                    [
                        .column(column, .list(field.type)),
                        .literal(.int(Int64(element + 1)), .int32),
                    ], field.type))
        }
        return .project(result, columns)
    }

    /// Whether both are percentiles of the same values, each at one place that is known.
    private static func isAlike(_ call: AggregateCall, _ other: AggregateCall) -> Bool {
        guard fraction(of: call) != nil, fraction(of: other) != nil else { return false }
        var same = other
        same.arguments[1] = call.arguments[1]
        return same == call && !call.readsVolatile
    }

    private static func fraction(of call: AggregateCall) -> Value? {
        guard call.function == .percentileContinuous || call.function == .percentileDiscrete,
            call.arguments.count == 2, case .literal(let value, .float64) = call.arguments[1],
            case .float = value
        else { return nil }
        return value
    }
}

extension AggregateCall {
    /// Whether two calls that look the same may see different values.
    fileprivate var readsVolatile: Bool {
        arguments.contains(where: \.isVolatile) || (filter?.isVolatile ?? false)
            || orderBy.contains { $0.expression.isVolatile }
    }
}
