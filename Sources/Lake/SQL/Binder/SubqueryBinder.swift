// Queries inside expressions, uncorrelated: each becomes a join of the operator that uses it.

import Base
import Columns

extension Binder {
    private mutating func inner(
        _ query: Query, _ position: Int, _ context: ExpressionContext
    ) throws(Problem) -> LogicalPlan {
        guard context.allowsSubqueries else {
            throw Problem(
                "0A000", "cannot use subquery in \(context.clause)",
                hint: "join the other table in the query instead", position: position)
        }
        return try bindQuery(query, outer: context.outer + [context.scope])
    }

    private mutating func add(_ plan: LogicalPlan, _ kind: Subquery.Kind) -> Int {
        subqueries.append(Subquery(plan: plan, kind: kind))
        return Placeholder.subquery(subqueries.count - 1)
    }

    private func onlyColumn(_ plan: LogicalPlan, at position: Int) throws(Problem) -> ColumnType {
        let fields = plan.schema.fields
        guard fields.count == 1 else {
            throw Problem(
                "42601", "subquery must return only one column", position: position)
        }
        return fields[0].type
    }

    mutating func scalarQuery(
        _ query: Query, _ position: Int, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let plan = try inner(query, position, context)
        let type = try onlyColumn(plan, at: position)
        return .column(add(.singleRow(plan), .scalar), type)
    }

    /// One row with the answer: the count of at most one row.
    mutating func exists(
        _ query: Query, _ position: Int, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let one = BoundExpression.literal(.int(1), .int64)
        let plan = LogicalPlan.limit(
            try inner(query, position, context), count: one, offset: nil)
        let counted = LogicalPlan.aggregate(
            AggregateNode(
                input: plan, keys: [],
                aggregates: [
                    NamedAggregate("count", AggregateCall(.countStar, [], type: .int64))
                ]))
        let isThere = BoundExpression.call(.equal, [.column(0, .int64), one], .boolean)
        let answer = LogicalPlan.project(counted, [NamedExpression("exists", isThere)])
        return .column(add(answer, .scalar), .boolean)
    }

    /// `ARRAY(SELECT …)`
    mutating func arrayQuery(
        _ query: Query, _ position: Int, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let plan = try inner(query, position, context)
        let type = try onlyColumn(plan, at: position)
        let gathered = LogicalPlan.aggregate(
            AggregateNode(
                input: plan, keys: [],
                aggregates: [
                    NamedAggregate(
                        "array",
                        AggregateCall(.arrayAgg, [.column(0, type)], type: .list(type)))
                ]))
        let column = BoundExpression.column(add(gathered, .scalar), .list(type))
        return .coalesce([column, .literal(.list([]), .list(type))], .list(type))
    }

    /// `operand IN (query)`: an IN list whose only item is the placeholder of the query.
    mutating func membership(
        _ operand: Expression, _ query: Query, _ isNegated: Bool, _ position: Int,
        _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        if case .row = operand.kind {
            throw Problem(
                "0A000", "IN with several columns is not supported yet",
                hint: "write it as a join", position: position)
        }
        let value = try bind(operand, &context)
        var plan = try inner(query, position, context)
        let fields = plan.schema.fields
        guard fields.count == 1 else {
            throw Problem(
                "42601", "subquery has too \(fields.isEmpty ? "few" : "many") columns",
                position: position)
        }
        let column = BoundExpression.column(0, fields[0].type)
        guard let (left, right) = try Operators.comparable(value, column, at: position) else {
            throw Operators.missing("=", value, column, at: position)
        }
        if right != column { plan = .project(plan, [NamedExpression(fields[0].name, right)]) }
        let placeholder = add(plan, .membership)
        return .inList(left, [.column(placeholder, right.type)], isNegated: isNegated)
    }

    // MARK: Placing

    /// Rows of `plan` for which `condition` is true, its subqueries joined.
    mutating func filtered(
        _ plan: LogicalPlan, _ condition: BoundExpression, at position: Int
    ) throws(Problem) -> LogicalPlan {
        var current = plan
        var rest: [BoundExpression] = []
        for conjunct in condition.conjuncts {
            guard case .inList(let operand, let items, false) = conjunct, items.count == 1,
                case .column(let index, let type) = items[0],
                let number = Placeholder.subqueryIndex(index), !operand.hasSubquery
            else {
                rest.append(conjunct)
                continue
            }
            try spend(subqueries[number].plan, at: position)
            current = .join(
                JoinNode(
                    kind: .semi, left: current, right: subqueries[number].plan,
                    keys: [JoinKey(left: operand, right: .column(0, type))]))
        }
        guard let whole = BoundExpression.all(of: rest) else { return current }
        let placed = try place([whole], over: current, at: position)
        return .filter(placed.plan, placed.expressions[0])
    }

    /// `expressions` over `plan` widened by the subqueries that they use.
    mutating func place(
        _ expressions: [BoundExpression], over plan: LogicalPlan, at position: Int
    ) throws(Problem) -> (plan: LogicalPlan, expressions: [BoundExpression]) {
        guard expressions.contains(where: \.hasSubquery) else { return (plan, expressions) }
        var placing = Placing(plan: plan, width: plan.schema.fields.count)
        var results: [BoundExpression] = []
        for expression in expressions {
            results.append(try place(expression, &placing, at: position))
        }
        return (placing.plan, results)
    }

    private struct Placing {
        var plan: LogicalPlan
        var width: Int
        var columns: [Int: Int] = [:]

        /// Joins one more input; returns its first column.
        mutating func add(_ node: JoinNode) -> Int {
            let column = width
            width += node.right.schema.fields.count
            plan = .join(node)
            return column
        }
    }

    private mutating func place(
        _ expression: BoundExpression, _ placing: inout Placing, at position: Int
    ) throws(Problem) -> BoundExpression {
        guard expression.hasSubquery else { return expression }
        if case .column(let index, let type) = expression,
            let number = Placeholder.subqueryIndex(index)
        {
            if let known = placing.columns[number] { return .column(known, type) }
            let plan = subqueries[number].plan
            try spend(plan, at: position)
            let column = placing.add(JoinNode(kind: .cross, left: placing.plan, right: plan))
            placing.columns[number] = column
            return .column(column, type)
        }
        if case .inList(let operand, let items, let isNegated) = expression, items.count == 1,
            case .column(let index, let type) = items[0],
            let number = Placeholder.subqueryIndex(index),
            subqueries[number].kind == .membership
        {
            let value = try place(operand, &placing, at: position)
            let answer = try membership(value, number, type, &placing, at: position)
            return isNegated ? .not(answer) : answer
        }
        var local = placing
        let result = try expression.mapChildren { child throws(Problem) in
            try place(child, &local, at: position)
        }
        placing = local
        return result
    }

    /// IN as a value, with the NULL rules of SQL: the counts tell an empty list and one with NULLs,
    /// a left join with the different values tells a match.
    private mutating func membership(
        _ value: BoundExpression, _ number: Int, _ type: ColumnType, _ placing: inout Placing,
        at position: Int
    ) throws(Problem) -> BoundExpression {
        let list = subqueries[number].plan
        try spend(list, at: position)
        try spend(list, at: position)
        let item = BoundExpression.column(0, type)
        let counts = LogicalPlan.aggregate(
            AggregateNode(
                input: list, keys: [],
                aggregates: [
                    NamedAggregate("rows", AggregateCall(.countStar, [], type: .int64)),
                    NamedAggregate("values", AggregateCall(.count, [item], type: .int64)),
                ]))
        let first = placing.add(JoinNode(kind: .cross, left: placing.plan, right: counts))
        let isTrue = BoundExpression.literal(.boolean(true), .boolean)
        let isFalse = BoundExpression.literal(.boolean(false), .boolean)
        let values = LogicalPlan.distinct(
            .project(
                .filter(list, .isNotNull(item)),
                [NamedExpression("value", item), NamedExpression("match", isTrue)]))
        let match = placing.add(
            JoinNode(
                kind: .left, left: placing.plan, right: values,
                keys: [JoinKey(left: value, right: item)]))
        let rows = BoundExpression.column(first, .int64)
        let known = BoundExpression.column(first + 1, .int64)
        let null = BoundExpression.literal(.null, .boolean)
        let isEmpty = BoundExpression.call(.equal, [rows, .literal(.int(0), .int64)], .boolean)
        return .conditional(
            [
                .init(condition: isEmpty, value: isFalse),
                .init(condition: .isNull(value), value: null),
                .init(condition: .isNotNull(.column(match + 1, .boolean)), value: isTrue),
                .init(condition: .call(.less, [known, rows], .boolean), value: null),
            ], otherwise: isFalse, .boolean)
    }
}

extension BoundExpression {
    var hasSubquery: Bool {
        if case .column(let index, _) = self { return Placeholder.subqueryIndex(index) != nil }
        return children.contains(where: \.hasSubquery)
    }
}
