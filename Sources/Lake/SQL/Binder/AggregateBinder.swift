import Base
import Columns

extension Binder {
    /// Registers an aggregate of the query; the result is its placeholder.
    mutating func aggregate(
        _ call: FunctionCall, _ function: AggregateFunction, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let position = call.name.position
        guard !context.isInsideAggregate else {
            throw Problem(
                "42803", "aggregate function calls cannot be nested",
                hint: "compute the inner one in a subquery in FROM", position: position)
        }
        guard context.allowsAggregates else {
            throw Problem(
                "42803", "aggregate functions are not allowed in \(context.clause)",
                hint: context.clause == "WHERE" ? "use HAVING, or a subquery in FROM" : nil,
                position: position)
        }
        context.isInsideAggregate = true
        let (arguments, filter) = try operands(of: call, &context)
        var order = try sortKeys(call.orderBy, &context)
        context.isInsideAggregate = false
        var bound: AggregateCall
        if function.isOrderedSet || call.isWithinGroup {
            bound = try orderedSet(call, function, arguments, &order)
        } else {
            bound = try typed(call, function, arguments)
        }
        bound.isDistinct =
            call.isDistinct && bound.function != .minimum && bound.function != .maximum
        bound.filter = filter
        bound.orderBy = order
        if bound.isDistinct, let first = bound.arguments.first,
            order.contains(where: { $0.expression != first })
        {
            throw Problem(
                "42P10",
                "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list",
                position: call.orderBy.first?.expression.position ?? position)
        }
        let index: Int
        if let same = context.calls.firstIndex(of: bound) {
            index = same
        } else {
            index = context.calls.count
            context.calls.append(bound)
        }
        return .column(Placeholder.aggregate(index), bound.type)
    }

    /// The arguments of a call, and its FILTER.
    mutating func operands(
        of call: FunctionCall, _ context: inout ExpressionContext
    ) throws(Problem) -> (arguments: [BoundExpression], filter: BoundExpression?) {
        var arguments: [BoundExpression] = []
        for argument in call.arguments {
            if let row = try wholeRow(argument, of: call.name.last, &context) {
                arguments.append(row)
            } else {
                arguments.append(try bind(argument, &context))
            }
        }
        guard let condition = call.filter else { return (arguments, nil) }
        let filter = try boolean(
            bind(condition, &context), of: "FILTER", at: condition.position)
        return (arguments, filter)
    }

    /// The ORDER BY inside of an aggregate or a window: numbers are constants there.
    mutating func sortKeys(
        _ items: [OrderItem], _ context: inout ExpressionContext
    ) throws(Problem) -> [SortKey] {
        var keys: [SortKey] = []
        for item in items {
            keys.append(
                SortKey(
                    try knownKey(item.expression, &context), isDescending: item.isDescending,
                    nullsFirst: item.nullsFirst))
        }
        return keys
    }

    /// An expression that rows are ordered or parted by; a bare string is text.
    mutating func knownKey(
        _ expression: Expression, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        try known(bind(expression, &context), at: expression.position)
    }

    /// `f(arguments) WITHIN GROUP (ORDER BY value)`: the value becomes the first argument.
    private func orderedSet(
        _ call: FunctionCall, _ function: AggregateFunction, _ direct: [BoundExpression],
        _ order: inout [SortKey]
    ) throws(Problem) -> AggregateCall {
        let name = call.name.last
        let position = call.name.position
        guard function.isOrderedSet else {
            throw Problem(
                "42883", "\(name) is not an ordered-set aggregate, so it cannot have WITHIN GROUP",
                hint: "write ORDER BY inside of the parentheses", position: position)
        }
        guard call.isWithinGroup else {
            throw Problem(
                "42883", "WITHIN GROUP is required for ordered-set aggregate \(name)",
                hint: "write \(name)(…) WITHIN GROUP (ORDER BY …)", position: position)
        }
        guard !call.isDistinct else {
            throw Problem(
                "42601", "cannot use DISTINCT with WITHIN GROUP", position: position)
        }
        guard order.count == 1, direct.count == (function == .mode ? 0 : 1) else {
            throw missing(call, direct + order.map(\.expression))
        }
        let place = call.orderBy[0].expression.position
        if function == .percentileContinuous {
            let type = order[0].expression.type
            guard type.isNumber || type == .interval else {
                throw missing(call, direct + order.map(\.expression))
            }
            if type != .interval {
                order[0].expression = try coerce(order[0].expression, to: .float64, at: place)
            }
        }
        let value = order[0].expression
        guard let fraction = direct.first else {
            return AggregateCall(function, [value], type: value.type)
        }
        var isList = false
        if case .list = fraction.type { isList = true }
        let wanted: ColumnType = isList ? .list(.float64) : .float64
        return AggregateCall(
            function,
            [value, try coerce(fraction, to: wanted, at: call.arguments[0].position)],
            type: isList ? .list(value.type) : value.type)
    }

    /// The call with its arguments in the types that the function takes.
    func typed(
        _ call: FunctionCall, _ function: AggregateFunction, _ arguments: [BoundExpression]
    ) throws(Problem) -> AggregateCall {
        let position = call.name.position
        if call.isStar {
            guard function == .count else { throw missing(call, arguments) }
            return AggregateCall(.countStar, [], type: .int64)
        }
        let count = function.argumentCount
        guard arguments.count == count else {
            if arguments.isEmpty, function == .count {
                throw Problem(
                    "42809", "count(*) must be used to call a parameterless aggregate function",
                    position: position)
            }
            throw missing(call, arguments)
        }
        var first = arguments[0]
        let place = call.arguments[0].position
        if first.isUnknownLiteral {
            let type: ColumnType =
                function.takesNumbers || function.isOfPairs ? .float64 : .text
            first = try coerce(first, to: type, at: place)
        }
        if first.type == .time, function == .sum || function == .average {
            first = try coerce(first, to: .interval, at: place)
        }
        let type = first.type
        func made(_ result: ColumnType) -> AggregateCall {
            AggregateCall(function, [first], type: result)
        }
        switch function {
        case .countStar, .count: return made(.int64)
        case .sum:
            switch type {
            case .int16, .int32: return made(.int64)
            case .int64: return made(.decimal(precision: 38, scale: 0))
            case .decimal(_, let scale): return made(.decimal(precision: 38, scale: scale))
            case .float32, .float64, .interval: return made(type)
            default: throw missing(call, arguments)
            }
        case .average:
            switch type {
            case .int16, .int32, .int64: return made(.decimal(precision: 38, scale: 16))
            case .decimal(_, let scale):
                return made(.decimal(precision: 38, scale: max(16, scale)))
            case .float32, .float64: return made(.float64)
            case .interval: return made(.interval)
            default: throw missing(call, arguments)
            }
        case .minimum, .maximum:
            switch type {
            case .boolean, .json, .variant, .structure, .map: throw missing(call, arguments)
            default: return made(type)
            }
        case .standardDeviationSample, .standardDeviationPopulation, .varianceSample,
            .variancePopulation:
            guard type.isNumber else { throw missing(call, arguments) }
            first = try coerce(first, to: .float64, at: place)
            return made(.float64)
        case .boolAnd, .boolOr:
            guard type == .boolean else { throw missing(call, arguments) }
            return made(.boolean)
        case .stringAgg:
            guard type == .text || type == .binary else { throw missing(call, arguments) }
            guard arguments[1].type == type || arguments[1].isUnknownLiteral else {
                throw missing(call, arguments)
            }
            let separator = try coerce(arguments[1], to: type, at: call.arguments[1].position)
            return AggregateCall(function, [first, separator], type: type)
        case .jsonObjectAgg:
            let key = try coerce(first, to: .text, .explicit, at: place)
            return AggregateCall(
                function, [key, try known(arguments[1], at: call.arguments[1].position)],
                type: .json)
        case .bitAnd, .bitOr, .bitXor:
            guard type.isInteger else { throw missing(call, arguments) }
            return made(type)
        case .correlation, .covariancePopulation, .covarianceSample, .regressionAverageX,
            .regressionAverageY, .regressionIntercept, .regressionR2, .regressionSlope,
            .regressionSXX, .regressionSXY, .regressionSYY, .regressionCount:
            guard type.isNumber, arguments[1].type.isNumber || arguments[1].isUnknownLiteral else {
                throw missing(call, arguments)
            }
            let pair = [
                try coerce(first, to: .float64, at: place),
                try coerce(arguments[1], to: .float64, at: call.arguments[1].position),
            ]
            return AggregateCall(
                function, pair, type: function == .regressionCount ? .int64 : .float64)
        case .percentileContinuous, .percentileDiscrete, .mode:
            throw Problem(
                "0A000", "OVER is not supported for ordered-set aggregate \(call.name.last)",
                hint: "compute it with GROUP BY and join", position: position)
        case .arrayAgg: return made(.list(type))
        case .jsonAgg: return made(.json)
        case .first, .last, .anyValue: return made(type)
        case .argumentOfLeast, .argumentOfGreatest:
            let key = try known(arguments[1], at: call.arguments[1].position)
            switch key.type {
            case .json, .variant, .structure, .map: throw missing(call, arguments)
            default: return AggregateCall(function, [first, key], type: type)
            }
        case .approximateCountDistinct: return made(.int64)
        case .approximatePercentile:
            guard type.isNumber, arguments[1].type.isNumber || arguments[1].isUnknownLiteral else {
                throw missing(call, arguments)
            }
            let share = try coerce(arguments[1], to: .float64, at: call.arguments[1].position)
            return AggregateCall(
                function, [try coerce(first, to: .float64, at: place), share], type: .float64)
        }
    }

    private func missing(_ call: FunctionCall, _ arguments: [BoundExpression]) -> Problem {
        let types = call.isStar ? "*" : arguments.map(\.type.plainName).joined(separator: ", ")
        return Problem(
            "42883", "function \(call.name.text)(\(types)) does not exist",
            hint: "No function matches the given name and argument types. "
                + "You might need to add explicit type casts.", position: call.name.position)
    }
}

extension AggregateFunction {
    fileprivate var isOfPairs: Bool {
        switch self {
        case .correlation, .covariancePopulation, .covarianceSample, .regressionAverageX,
            .regressionAverageY, .regressionIntercept, .regressionR2, .regressionSlope,
            .regressionSXX, .regressionSXY, .regressionSYY, .regressionCount:
            true
        default: false
        }
    }

    fileprivate var argumentCount: Int {
        switch self {
        case .stringAgg, .jsonObjectAgg, .argumentOfLeast, .argumentOfGreatest,
            .approximatePercentile:
            2
        default: isOfPairs ? 2 : 1
        }
    }

    fileprivate var takesNumbers: Bool {
        switch self {
        case .sum, .average, .standardDeviationSample, .standardDeviationPopulation,
            .varianceSample, .variancePopulation:
            true
        default: false
        }
    }
}
