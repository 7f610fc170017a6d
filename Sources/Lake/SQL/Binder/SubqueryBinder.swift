// Queries inside expressions: an expression stands for each until the operator that uses it is
// placed; then it becomes a join of that operator's input.

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

    /// Registers a query inside of an expression; its operands are the columns of the query around
    /// that it reads.
    private mutating func add(
        _ plan: LogicalPlan, _ kind: Subquery.Kind, _ type: ColumnType, at position: Int,
        _ context: inout ExpressionContext
    ) -> BoundExpression {
        let correlation = Correlation(level: context.outer.count)
        let columns = plan.outerColumns(correlation)
        if !context.isInsideAggregate {
            for (column, _) in columns {
                context.uses.append((column, context.scope.name(ofColumn: column), position))
            }
        }
        subqueries.append(
            Subquery(
                plan: plan, kind: kind, correlation: correlation, columns: columns.map(\.column)))
        return .subquery(
            subqueries.count - 1, columns.map { .column($0.column, $0.type) }, type)
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
        return add(.singleRow(plan), .scalar, type, at: position, &context)
    }

    mutating func exists(
        _ query: Query, _ position: Int, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let plan = try inner(query, position, context)
        guard let plan = plan.forExistence else { return .literal(.boolean(true), .boolean) }
        return add(plan, .existence, .boolean, at: position, &context)
    }

    /// `ARRAY(SELECT …)`
    mutating func arrayQuery(
        _ query: Query, _ position: Int, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let plan = try inner(query, position, context)
        let type = try onlyColumn(plan, at: position)
        let gathered = aggregated(
            plan, [AggregateCall(.arrayAgg, [.column(0, type)], type: .list(type))])
        let list = add(gathered, .scalar, .list(type), at: position, &context)
        return .coalesce([list, .literal(.list([]), .list(type))], .list(type))
    }

    /// `operand IN (query)`: an IN list whose only item is the query.
    mutating func membership(
        _ operand: Expression, _ query: Query, _ isNegated: Bool, _ position: Int,
        _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        if case .row(let members) = operand.kind, members.count > 1 {
            let any = try quantified(
                members, query, "=", isAll: false, position, &context)
            return isNegated ? .not(any) : any
        }
        var operand = operand
        if case .row(let members) = operand.kind, members.count == 1 { operand = members[0] }
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
        let list = add(plan, .membership, right.type, at: position, &context)
        return .inList(left, [list], isNegated: isNegated)
    }

    /// `operand operator ANY (query)` or ALL, also with rows: counted over the query's rows.
    mutating func quantified(
        _ operands: [Expression], _ query: Query, _ name: String, isAll: Bool, _ position: Int,
        _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        var values: [BoundExpression] = []
        for operand in operands { values.append(try bind(operand, &context)) }
        let plan = try inner(query, position, context)
        let fields = plan.schema.fields
        guard fields.count == operands.count else {
            throw Problem(
                "42601",
                "subquery has too \(fields.count < operands.count ? "few" : "many") columns",
                position: position)
        }
        let level = context.outer.count
        var parts: [BoundExpression] = []
        for (index, value) in values.enumerated() {
            parts.append(
                try Operators.bind(
                    name, value.asOuter(level: level), .column(index, fields[index].type),
                    at: position))
        }
        guard parts.count == 1 || name == "=" || name == "<>" else {
            throw Problem(
                "0A000", "comparing rows with \(name) is not supported yet",
                hint: "compare the members one by one", position: position)
        }
        let test: BoundExpression =
            parts.count == 1 ? parts[0] : name == "=" ? .and(parts) : .or(parts)
        guard values.allSatisfy({ !$0.hasSubquery && !$0.hasAggregate && !$0.hasWindow }) else {
            throw Problem(
                "0A000",
                "\(name) \(isAll ? "ALL" : "ANY") of an aggregate or a subquery is not supported yet",
                hint: "compute the left side in a subquery in FROM", position: position)
        }
        let tested = LogicalPlan.project(plan, [NamedExpression("test", test)])
        let column = BoundExpression.column(0, .boolean)
        let counts = aggregated(
            tested,
            [
                AggregateCall(isAll ? .boolAnd : .boolOr, [column], type: .boolean),
                AggregateCall(.countStar, [], type: .int64),
                AggregateCall(.count, [column], type: .int64),
            ])
        // Decided by one row; else unknown if some row is; else by there being no such row.
        let decided = BoundExpression.coalesce(
            [isAll ? .not(column) : column, .literal(.boolean(false), .boolean)], .boolean)
        let unknown = BoundExpression.call(
            .less, [.column(2, .int64), .column(1, .int64)], .boolean)
        let answer = BoundExpression.conditional(
            [
                .init(condition: decided, value: .literal(.boolean(!isAll), .boolean)),
                .init(condition: unknown, value: .literal(.null, .boolean)),
            ], otherwise: .literal(.boolean(isAll), .boolean), .boolean)
        let result = add(
            .project(counts, [NamedExpression("any", answer)]), .scalar, .boolean, at: position,
            &context)
        let isTrue = BoundExpression.coalesce(
            [test, .literal(.boolean(false), .boolean)], .boolean)
        subqueries[subqueries.count - 1].asFilter = (
            isAll ? .anti : .semi, .filter(plan, isAll ? .not(isTrue) : test)
        )
        return result
    }

    private func aggregated(_ plan: LogicalPlan, _ calls: [AggregateCall]) -> LogicalPlan {
        .aggregate(
            AggregateNode(
                input: plan, keys: [],
                aggregates: calls.map { NamedAggregate($0.function.rawValue, $0) }))
    }

    // MARK: Placing

    /// Rows of `plan` for which `condition` is true, its subqueries joined: those that only keep or
    /// drop rows as semi and anti joins, behind the plain conditions.
    mutating func filtered(
        _ plan: LogicalPlan, _ condition: BoundExpression, at position: Int
    ) throws(Problem) -> LogicalPlan {
        let conjuncts = condition.conjuncts
        var current = plan
        if let plain = BoundExpression.all(of: conjuncts.filter { !$0.hasSubquery }) {
            current = .filter(current, plain)
        }
        var rest: [BoundExpression] = []
        for conjunct in conjuncts where conjunct.hasSubquery {
            if let joined = try filtered(current, by: conjunct, at: position) {
                current = joined
            } else {
                rest.append(conjunct)
            }
        }
        guard let whole = BoundExpression.all(of: rest) else { return current }
        let width = current.schema.fields.count
        let placed = try place([whole], over: current, at: position)
        let kept = LogicalPlan.filter(placed.plan, placed.expressions[0])
        return kept.schema.fields.count > width ? kept.columns(Array(0..<width)) : kept
    }

    /// The semi or anti join that a condition is; nil when it is none.
    private mutating func filtered(
        _ plan: LogicalPlan, by condition: BoundExpression, at position: Int
    ) throws(Problem) -> LogicalPlan? {
        var isNegated = false
        var test = condition
        while case .not(let operand) = test {
            isNegated.toggle()
            test = operand
        }
        switch test {
        case .subquery(let number, let operands, _):
            let query = subqueries[number]
            var (kind, rows): (JoinKind, LogicalPlan)
            if query.kind == .existence {
                (kind, rows) = (isNegated ? .anti : .semi, query.plan)
            } else if let filter = query.asFilter, !isNegated {
                (kind, rows) = filter
            } else {
                return nil
            }
            if operands.isEmpty { rows = rows.firstRow }
            let attached = try attach(
                rows, to: plan, query.correlation, query.arguments(operands), at: position)
            return attached.joined(kind)
        case .inList(let value, let items, false) where !isNegated && !value.hasSubquery:
            guard items.count == 1, case .subquery(let number, let operands, let type) = items[0],
                subqueries[number].kind == .membership
            else { return nil }
            let query = subqueries[number]
            let attached = try attach(
                query.plan, to: plan, query.correlation, query.arguments(operands),
                at: position)
            return attached.joined(
                .semi, keys: [JoinKey(left: value, right: .column(attached.first, type))])
        default: return nil
        }
    }

    /// `expressions` over `plan` widened by the subqueries that they use.
    mutating func place(
        _ expressions: [BoundExpression], over plan: LogicalPlan, at position: Int
    ) throws(Problem) -> (plan: LogicalPlan, expressions: [BoundExpression]) {
        guard expressions.contains(where: \.hasSubquery) else { return (plan, expressions) }
        var placing = Placing(plan: plan)
        var results: [BoundExpression] = []
        for expression in expressions {
            results.append(try place(expression, &placing, at: position))
        }
        return (placing.plan, results)
    }

    private struct Placing {
        var plan: LogicalPlan
        /// What stands for the queries that were placed.
        var results: [Int: BoundExpression] = [:]

        var width: Int { plan.schema.fields.count }
    }

    private mutating func place(
        _ expression: BoundExpression, _ placing: inout Placing, at position: Int
    ) throws(Problem) -> BoundExpression {
        guard expression.hasSubquery else { return expression }
        if case .subquery(let number, let operands, let type) = expression {
            if let known = placing.results[number] { return known }
            let result =
                subqueries[number].kind == .existence
                ? try existence(number, operands, &placing, at: position)
                : try scalar(number, operands, type, &placing, at: position)
            placing.results[number] = result
            return result
        }
        if case .inList(let operand, let items, let isNegated) = expression, items.count == 1,
            case .subquery(let number, let operands, let type) = items[0],
            subqueries[number].kind == .membership
        {
            let value = try place(operand, &placing, at: position)
            let answer = try membership(value, number, operands, type, &placing, at: position)
            return isNegated ? .not(answer) : answer
        }
        var local = placing
        let result = try expression.mapChildren { child throws(Problem) in
            try place(child, &local, at: position)
        }
        placing = local
        return result
    }

    /// The value of a query that gives one row.
    private mutating func scalar(
        _ number: Int, _ operands: [BoundExpression], _ type: ColumnType,
        _ placing: inout Placing, at position: Int
    ) throws(Problem) -> BoundExpression {
        let query = subqueries[number]
        let width = placing.width
        guard !operands.isEmpty else {
            try spend(query.plan, at: position)
            placing.plan = .join(
                JoinNode(kind: .cross, left: placing.plan, right: query.plan))
            return .column(width, type)
        }
        let arguments = query.arguments(operands)
        var plan = query.plan
        if case .singleRow(let input) = plan { plan = input }
        if plan.isOneComputedRow {
            let dependent = DependentQuery(
                correlation: query.correlation, domain: placing.plan, arguments: arguments)
            placing.plan = try dependent.applied(to: plan)
            return .column(width, type)
        }
        if let (aggregation, result) = plan.scalarAggregation,
            let grouped = HoistedQuery.grouped(aggregation, query.correlation),
            let equalities = grouped.equalities(query.correlation)
        {
            try spend(grouped.plan, at: position)
            func placed(_ expression: BoundExpression) -> BoundExpression {
                expression.replacingOuter(query.correlation) { column, type in
                    arguments[column]
                        ?? .outer(level: query.correlation.level, column: column, type)
                }
            }
            let keys = equalities.map {
                JoinKey(left: placed($0.outer), right: $0.inner, nullsMatch: $0.nullsMatch)
            }
            placing.plan = .join(
                JoinNode(kind: .left, left: placing.plan, right: grouped.plan, keys: keys))
            return placed(
                result.replacingColumns { column in
                    let call = aggregation.aggregates[column].call
                    return call.resultOrEmpty(.column(width + column, call.type))
                })
        }
        let attached = try attach(
            plan, to: placing.plan, query.correlation, arguments, at: position)
        placing.plan = attached.joined(.single)
        return .column(width + attached.first, type)
    }

    /// EXISTS as a value.
    private mutating func existence(
        _ number: Int, _ operands: [BoundExpression], _ placing: inout Placing, at position: Int
    ) throws(Problem) -> BoundExpression {
        let query = subqueries[number]
        let width = placing.width
        guard !operands.isEmpty else {
            let one = BoundExpression.literal(.int(1), .int64)
            let counted = aggregated(
                query.plan.firstRow, [AggregateCall(.countStar, [], type: .int64)])
            try spend(counted, at: position)
            placing.plan = .join(
                JoinNode(kind: .cross, left: placing.plan, right: counted))
            return .call(.equal, [.column(width, .int64), one], .boolean)
        }
        var attached = try attach(
            query.plan, to: placing.plan, query.correlation, query.arguments(operands),
            equalitiesOnly: true, at: position)
        return .isNotNull(match(&attached, values: [], &placing))
    }

    /// Joins a true value where the keys of `attached` and `values` (each over both sides) are
    /// found; returns its column.
    private func match(
        _ attached: inout AttachedQuery,
        values: [(left: BoundExpression, right: BoundExpression)], _ placing: inout Placing
    ) -> BoundExpression {
        let width = attached.left.schema.fields.count
        var columns: [NamedExpression] = []
        var keys: [JoinKey] = []
        for key in attached.keys {
            keys.append(
                JoinKey(
                    left: key.left, right: .column(columns.count, key.right.type),
                    nullsMatch: key.nullsMatch))
            columns.append(NamedExpression("key", key.right))
        }
        for value in values {
            keys.append(
                JoinKey(left: value.left, right: .column(columns.count, value.right.type)))
            columns.append(NamedExpression("value", value.right))
        }
        columns.append(NamedExpression("match", .literal(.boolean(true), .boolean)))
        placing.plan = .join(
            JoinNode(
                kind: .left, left: attached.left,
                right: .distinct(.project(attached.right, columns)),
                keys: keys))
        return .column(width + columns.count - 1, .boolean)
    }

    /// IN as a value, with the NULL rules of SQL: the counts tell an empty list and one with NULLs,
    /// a left join with the different values tells a match.
    private mutating func membership(
        _ value: BoundExpression, _ number: Int, _ operands: [BoundExpression],
        _ type: ColumnType, _ placing: inout Placing, at position: Int
    ) throws(Problem) -> BoundExpression {
        let query = subqueries[number]
        var attached = try attach(
            query.plan, to: placing.plan, query.correlation, query.arguments(operands),
            equalitiesOnly: true, at: position)
        attached.right = share(attached.right)
        try spend(attached.right, at: position)
        let item = BoundExpression.column(attached.first, type)
        let counts = LogicalPlan.aggregate(
            AggregateNode(
                input: attached.right,
                keys: attached.keys.map { NamedExpression("key", $0.right) },
                aggregates: [
                    NamedAggregate("rows", AggregateCall(.countStar, [], type: .int64)),
                    NamedAggregate("values", AggregateCall(.count, [item], type: .int64)),
                ]))
        let keys = attached.keys.enumerated().map { index, key in
            JoinKey(
                left: key.left, right: .column(index, key.right.type), nullsMatch: key.nullsMatch)
        }
        let first = attached.left.schema.fields.count + keys.count
        attached.left = .join(
            JoinNode(
                kind: keys.isEmpty ? .cross : .left, left: attached.left, right: counts,
                keys: keys))
        attached.right = .filter(attached.right, .isNotNull(item))
        let match = match(&attached, values: [(value, item)], &placing)
        let zero = BoundExpression.literal(.int(0), .int64)
        var rows = BoundExpression.column(first, .int64)
        if !keys.isEmpty { rows = .coalesce([rows, zero], .int64) }
        let known = BoundExpression.column(first + 1, .int64)
        let isTrue = BoundExpression.literal(.boolean(true), .boolean)
        let isFalse = BoundExpression.literal(.boolean(false), .boolean)
        let null = BoundExpression.literal(.null, .boolean)
        return .conditional(
            [
                .init(condition: .call(.equal, [rows, zero], .boolean), value: isFalse),
                .init(condition: .isNull(value), value: null),
                .init(condition: .isNotNull(match), value: isTrue),
                .init(condition: .call(.less, [known, rows], .boolean), value: null),
            ], otherwise: isFalse, .boolean)
    }
}

/// A query inside an expression.
struct Subquery {
    enum Kind {
        /// Exactly one row, one column.
        case scalar
        /// The right side of IN: one column.
        case membership
        /// The operand of EXISTS.
        case existence
    }

    var plan: LogicalPlan
    var kind: Kind
    /// The query around.
    var correlation: Correlation
    /// The columns of the query around that are its operands.
    var columns: [Int]
    /// Of a query that gives a truth value: the join that keeps the rows for which it is true.
    var asFilter: (kind: JoinKind, plan: LogicalPlan)?

    func arguments(_ operands: [BoundExpression]) -> [Int: BoundExpression] {
        Dictionary(uniqueKeysWithValues: zip(columns, operands))
    }
}

extension BoundExpression {
    var hasSubquery: Bool {
        if case .subquery = self { return true }
        return children.contains(where: \.hasSubquery)
    }
}

extension LogicalPlan {
    /// A plan that has a row whenever this one has; nil when it always has one.
    fileprivate var forExistence: LogicalPlan? {
        switch self {
        case .project(let input, _), .sort(let input, _, _), .distinct(let input):
            return input.forExistence
        case .limit(let input, let count, let offset):
            let isHarmless: Bool
            switch (count, offset) {
            case (nil, nil): isHarmless = true
            case (.literal(.int(let rows), _)?, nil): isHarmless = rows > 0
            default: isHarmless = false
            }
            return isHarmless ? input.forExistence : self
        case .aggregate(let node) where node.keys.isEmpty && node.sets == nil: return nil
        default: return self
        }
    }

    /// Its first row, if it has one.
    fileprivate var firstRow: LogicalPlan {
        .limit(self, count: .literal(.int(1), .int64), offset: nil)
    }

    /// Expressions over one row, as in `SELECT a + 1`.
    fileprivate var isOneComputedRow: Bool {
        switch self {
        case .project(let input, _): input.isOneComputedRow
        case .values(let rows, _): rows.count == 1
        default: false
        }
    }

    /// An aggregation without keys, and the only column that is computed of it.
    fileprivate var scalarAggregation: (AggregateNode, BoundExpression)? {
        switch self {
        case .aggregate(let node) where node.keys.isEmpty && node.aggregates.count == 1:
            return (node, .column(0, node.aggregates[0].call.type))
        case .project(let input, let columns) where columns.count == 1:
            var below = input
            var result = columns[0].expression
            while case .project(let next, let inner) = below {
                guard !result.isVolatile else { return nil }
                result = result.replacingColumns { inner[$0].expression }
                below = next
            }
            guard case .aggregate(let node) = below, node.keys.isEmpty else { return nil }
            return (node, result)
        default: return nil
        }
    }
}
