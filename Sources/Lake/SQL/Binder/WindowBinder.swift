// Window functions: calls with OVER, the WINDOW clause, QUALIFY.

import Base
import Columns

/// A call with its window, over the input of the SELECT.
struct BoundWindowCall: Hashable {
    var call: WindowCall
    var partitionBy: [BoundExpression]
    var orderBy: [SortKey]

    /// Replaces every expression of the call and its window, in one order.
    mutating func mapExpressions(
        _ transform: (BoundExpression) throws(Problem) -> BoundExpression
    ) throws(Problem) {
        var failure: Problem?
        let node = OverNode(
            input: .values([], TableSchema([])), partitionBy: partitionBy, orderBy: orderBy,
            calls: [call]
        ).mapExpressions { expression in
            do throws(Problem) {
                return failure == nil ? try transform(expression) : expression
            } catch {
                failure = error
                return expression
            }
        }
        if let failure { throw failure }
        (partitionBy, orderBy, call) = (node.partitionBy, node.orderBy, node.calls[0])
    }
}

extension Binder {
    /// Registers a window function of the query; the result is its placeholder.
    mutating func windowFunction(
        _ call: FunctionCall, over reference: WindowReference, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let position = call.name.position
        try checkPlace(call, context)
        let window = try specification(reference, context)
        context.isInsideWindow = true
        defer { context.isInsideWindow = false }
        let (arguments, filter) = try operands(of: call, &context)
        var partitionBy: [BoundExpression] = []
        for expression in window.partitionBy {
            partitionBy.append(try knownKey(expression, &context))
        }
        let orderBy = try sortKeys(window.orderBy, &context)
        var bound = try typedWindow(call, arguments, at: position)
        if filter != nil, case .aggregate = bound.function {
            bound.filter = filter
        } else if filter != nil {
            throw Problem(
                "0A000", "FILTER is not implemented for non-aggregate window functions",
                position: position)
        }
        if let frame = window.frame {
            bound.frame = try boundFrame(frame, orderBy, &context)
        }
        let registered = BoundWindowCall(call: bound, partitionBy: partitionBy, orderBy: orderBy)
        let index: Int
        if let same = context.windowCalls.firstIndex(of: registered) {
            index = same
        } else {
            index = context.windowCalls.count
            context.windowCalls.append(registered)
        }
        return .column(Placeholder.window(index), bound.type)
    }

    private func checkPlace(
        _ call: FunctionCall, _ context: ExpressionContext
    ) throws(Problem) {
        let position = call.name.position
        if context.isInsideAggregate {
            throw Problem(
                "42803", "aggregate function calls cannot contain window function calls",
                hint: "compute the inner one in a subquery in FROM", position: position)
        }
        if context.isInsideWindow {
            throw Problem(
                "42P20", "window function calls cannot be nested",
                hint: "compute the inner one in a subquery in FROM", position: position)
        }
        guard context.allowsWindows else {
            throw Problem(
                "42P20", "window functions are not allowed in \(context.clause)",
                hint: ["WHERE", "HAVING"].contains(context.clause)
                    ? "use QUALIFY, or a subquery in FROM" : nil, position: position)
        }
        if call.isDistinct {
            throw Problem(
                "0A000", "DISTINCT is not implemented for window functions", position: position)
        }
        if !call.orderBy.isEmpty {
            throw Problem(
                "0A000", "aggregate ORDER BY is not implemented for window functions",
                hint: "order the window: OVER (ORDER BY …)", position: position)
        }
    }

    // MARK: The window

    /// The window with everything that the windows it names add to it.
    private func specification(
        _ reference: WindowReference, _ context: ExpressionContext
    ) throws(Problem) -> WindowSpecification {
        switch reference {
        case .named(let name): return try named(name, context, among: context.namedWindows.count)
        case .specified(let window):
            return try completed(window, context, among: context.namedWindows.count)
        }
    }

    /// The window `name` of the first `count` of the WINDOW clause: a window can only name those in
    /// front of it.
    private func named(
        _ name: Identifier, _ context: ExpressionContext, among count: Int
    ) throws(Problem) -> WindowSpecification {
        let windows = context.namedWindows.prefix(count)
        guard let index = windows.firstIndex(where: { $0.name.name == name.name }) else {
            let near = nearestName(to: name.name, among: windows.map(\.name.name))
            throw Problem(
                "42704", "window \"\(name.name)\" does not exist",
                hint: near.map { "did you mean \"\($0)\"?" }, position: name.position)
        }
        return try completed(windows[index].window, context, among: index)
    }

    private func completed(
        _ window: WindowSpecification, _ context: ExpressionContext, among count: Int
    ) throws(Problem) -> WindowSpecification {
        guard let name = window.base else { return window }
        var result = window
        let base = try named(name, context, among: count)
        func refuse(_ what: String) -> Problem {
            Problem("42P20", "\(what) window \"\(name.name)\"", position: name.position)
        }
        if !window.partitionBy.isEmpty { throw refuse("cannot override PARTITION BY clause of") }
        if !window.orderBy.isEmpty, !base.orderBy.isEmpty {
            throw refuse("cannot override ORDER BY clause of")
        }
        if base.frame != nil {
            throw Problem(
                "42P20", "cannot copy window \"\(name.name)\" because it has a frame clause",
                hint: "write OVER \(name.name) without parentheses", position: name.position)
        }
        result.partitionBy = base.partitionBy
        if window.orderBy.isEmpty { result.orderBy = base.orderBy }
        result.base = nil
        return result
    }

    private mutating func boundFrame(
        _ frame: WindowFrame, _ orderBy: [SortKey], _ context: inout ExpressionContext
    ) throws(Problem) -> BoundFrame {
        if frame.unit == .groups, orderBy.isEmpty {
            throw Problem(
                "42P20", "GROUPS mode requires an ORDER BY clause", position: frame.position)
        }
        return BoundFrame(
            unit: frame.unit, start: try bound(frame.start, frame, orderBy, &context),
            end: try bound(frame.end, frame, orderBy, &context), exclusion: frame.exclusion)
    }

    private mutating func bound(
        _ bound: WindowFrame.Bound, _ frame: WindowFrame, _ orderBy: [SortKey],
        _ context: inout ExpressionContext
    ) throws(Problem) -> BoundFrame.Bound {
        let expression: Expression
        let isPreceding: Bool
        switch bound {
        case .unboundedPreceding: return .unboundedPreceding
        case .unboundedFollowing: return .unboundedFollowing
        case .currentRow: return .currentRow
        case .preceding(let offset): (expression, isPreceding) = (offset, true)
        case .following(let offset): (expression, isPreceding) = (offset, false)
        }
        let position = expression.position
        var inner = ExpressionContext(scope: Scope(), clause: frame.unit.rawValue.uppercased())
        inner.allowsSubqueries = false
        let offset = try bind(expression, &inner)
        guard frame.unit == .range else {
            return .offset(
                try coerce(offset, to: .int64, .assignment, at: position),
                isPreceding: isPreceding)
        }
        guard orderBy.count == 1, let order = orderBy.first else {
            throw Problem(
                "42P20",
                "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column",
                position: frame.position)
        }
        var key = order.expression
        // A sum of integers could leave their range, where the frame only ends.
        if key.type.isInteger { key = try Operators.asDecimal(key, at: position) }
        let sign = isPreceding != order.isDescending ? "-" : "+"
        var step = offset
        if step.isUnknownLiteral {
            step = try coerce(step, to: key.type.isNumber ? key.type : .interval, at: position)
        }
        let limit: BoundExpression
        do throws(Problem) {
            limit = try Operators.bind(sign, key, step, at: position)
        } catch {
            throw Problem(
                "0A000",
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type "
                    + "\(order.expression.type.plainName) and offset type \(step.type.plainName)",
                position: position)
        }
        if key.type != limit.type {
            key = try coerce(key, to: limit.type, .assignment, at: position)
        }
        return .distance(key: key, limit: limit, offset: step, isPreceding: isPreceding)
    }

    // MARK: Functions

    private func typedWindow(
        _ call: FunctionCall, _ arguments: [BoundExpression], at position: Int
    ) throws(Problem) -> WindowCall {
        let name = call.name.last
        func made(
            _ function: OverFunction, _ arguments: [BoundExpression], _ type: ColumnType
        ) -> WindowCall {
            WindowCall(name, function, arguments, frame: .standard, type: type)
        }
        func place(_ index: Int) -> Int { call.arguments[index].position }
        switch (name, arguments.count) {
        case ("row_number", 0) where !call.isStar: return made(.rowNumber, [], .int64)
        case ("rank", 0) where !call.isStar: return made(.rank, [], .int64)
        case ("dense_rank", 0) where !call.isStar: return made(.denseRank, [], .int64)
        case ("percent_rank", 0) where !call.isStar: return made(.percentRank, [], .float64)
        case ("cume_dist", 0) where !call.isStar:
            return made(.cumulativeDistribution, [], .float64)
        case ("ntile", 1):
            let buckets = try coerce(arguments[0], to: .int32, .assignment, at: place(0))
            return made(.ntile, [buckets], .int32)
        case ("lag", 1...3), ("lead", 1...3):
            var offset = BoundExpression.literal(.int(1), .int32)
            if arguments.count > 1 {
                offset = try coerce(arguments[1], to: .int32, .assignment, at: place(1))
            }
            var values = [arguments[0]]
            if arguments.count > 2 { values.append(arguments[2]) }
            let places = arguments.count > 2 ? [place(0), place(2)] : [place(0)]
            let (both, type) = try unified(values, positions: places, what: name)
            let fallback = both.count > 1 ? both[1] : .literal(.null, type)
            return made(name == "lag" ? .lag : .lead, [both[0], offset, fallback], type)
        case ("first_value", 1), ("last_value", 1):
            let value = try known(arguments[0], at: place(0))
            return made(name == "first_value" ? .firstValue : .lastValue, [value], value.type)
        case ("nth_value", 2):
            let value = try known(arguments[0], at: place(0))
            let which = try coerce(arguments[1], to: .int32, .assignment, at: place(1))
            return made(.nthValue, [value, which], value.type)
        default: break
        }
        if let function = FunctionCatalog.aggregates[name] {
            let aggregate = try typed(call, function, arguments)
            return made(.aggregate(aggregate), aggregate.arguments, aggregate.type)
        }
        let types = call.isStar ? "*" : arguments.map(\.type.plainName).joined(separator: ", ")
        if FunctionCatalog.names.contains(name), !FunctionCatalog.windowFunctions.contains(name) {
            throw Problem(
                "42809",
                "OVER specified, but \(name) is not a window function nor an aggregate function",
                position: position)
        }
        let near = nearestName(
            to: name, among: FunctionCatalog.windowFunctions + FunctionCatalog.aggregates.keys)
        throw Problem(
            "42883", "function \(name)(\(types)) does not exist",
            hint: near.flatMap { $0 == name ? nil : "did you mean \"\($0)\"?" }
                ?? "No function matches the given name and argument types. "
                + "You might need to add explicit type casts.", position: position)
    }

    func known(
        _ value: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression {
        value.isUnknownLiteral ? try coerce(value, to: .text, at: position) : value
    }

    // MARK: Placing

    /// `plan` with the results of the window functions behind its columns, and only the rows that
    /// QUALIFY keeps. The outputs read the results from then on.
    mutating func windowed(
        _ plan: LogicalPlan, _ work: inout SelectWork
    ) throws(Problem) -> LogicalPlan {
        var calls = work.context.windowCalls
        if work.isGrouped {
            if let qualify = work.qualify { work.qualify = try work.afterGrouping(qualify) }
            for index in calls.indices {
                try calls[index].mapExpressions { expression throws(Problem) in
                    try work.afterGrouping(expression)
                }
            }
        }
        var inputs: [BoundExpression] = []
        for index in calls.indices {
            try calls[index].mapExpressions { expression throws(Problem) in
                inputs.append(expression)
                return expression
            }
        }
        let placed = try place(inputs, over: plan, at: work.position)
        var next = placed.expressions[...]
        for index in calls.indices {
            try calls[index].mapExpressions { _ throws(Problem) in next.removeFirst() }
        }
        var current = placed.plan
        var columns = [Int](repeating: 0, count: calls.count)
        var left = Array(calls.indices)
        // Calls over the same partitions in the same order share a pass.
        while let first = left.first {
            let (partitionBy, orderBy) = (calls[first].partitionBy, calls[first].orderBy)
            let same = left.filter {
                calls[$0].partitionBy == partitionBy && calls[$0].orderBy == orderBy
            }
            left.removeAll { same.contains($0) }
            let width = current.schema.fields.count
            for (index, number) in same.enumerated() { columns[number] = width + index }
            current = .over(
                OverNode(
                    input: current, partitionBy: partitionBy, orderBy: orderBy,
                    calls: same.map { calls[$0].call }))
        }
        for index in calls.indices {
            work.windowColumns[Placeholder.window(index)] = columns[index]
        }
        func read(_ expression: BoundExpression) -> BoundExpression {
            expression.mapColumns { column in
                Placeholder.windowIndex(column).map { columns[$0] } ?? column
            }
        }
        work.mapOutputs(read)
        guard let qualify = work.qualify else { return current }
        return try filtered(current, read(qualify), at: work.position)
    }
}
