// One SELECT: its clauses in the order in which SQL evaluates them.

import Base
import Columns

extension Binder {
    mutating func bindSelect(
        _ select: Select, _ query: Query, outer: [Scope], expected: [ColumnType]
    ) throws(Problem) -> LogicalPlan {
        var (plan, scope) = try bindFrom(select.from, outer: outer)
        if let filter = select.filter {
            var context = ExpressionContext(scope: scope, clause: "WHERE", outer: outer)
            let condition = try boolean(
                bind(filter, &context), of: "WHERE", at: filter.position)
            plan = try filtered(plan, condition, at: filter.position)
        }
        var work = SelectWork(select: select, scope: scope, outer: outer)
        work.context.namedWindows = select.windows
        work.context.allowsWindows = true
        work.context.allowsSeries = true
        try bindItems(select, &work, expected)
        work.context.allowsSeries = false
        try bindGroups(select, &work)
        if let having = select.having {
            work.context.clause = "HAVING"
            work.context.allowsWindows = false
            work.having = try boolean(
                bind(having, &work.context), of: "HAVING", at: having.position)
            work.context.allowsWindows = true
        }
        try bindQualify(select, &work)
        try bindDistinctKeys(select, &work)
        try bindOrder(query.orderBy, &work)
        try checkDistinct(select, query, work)
        if work.isGrouped { plan = try grouped(plan, &work) }
        if !work.context.windowCalls.isEmpty { plan = try windowed(plan, &work) }
        if (work.outputs + work.extras).contains(where: \.expression.hasSeries) {
            plan = try expanded(plan, &work)
        }
        return try projected(plan, work, query)
    }

    // MARK: Select list

    private mutating func bindItems(
        _ select: Select, _ work: inout SelectWork, _ expected: [ColumnType]
    ) throws(Problem) {
        for item in select.items {
            switch item {
            case .star(let qualifier, let position):
                try expandStar(qualifier, position, &work)
            case .expression(let expression, let alias):
                var value = try bind(expression, &work.context)
                let position = expression.position
                if value.isUnknownLiteral {
                    let index = work.outputs.count
                    value =
                        index < expected.count
                        ? try coerce(value, to: expected[index], .assignment, at: position)
                        : try coerce(value, to: .text, at: position)
                }
                let name = alias?.name ?? outputName(expression)
                work.outputs.append(.init(name: name, expression: value, position: position))
            }
        }
    }

    private func expandStar(
        _ qualifier: ObjectName?, _ position: Int, _ work: inout SelectWork
    ) throws(Problem) {
        guard !work.scope.tables.isEmpty else {
            throw Problem(
                "42601", "SELECT * with no tables specified is not valid", position: position)
        }
        var schema: String?
        if let qualifier {
            schema = qualifier.qualified.schema
            guard work.scope.hasTable(qualifier.last) else {
                let near = nearestName(
                    to: qualifier.last, among: work.scope.tables.map(\.name))
                throw Problem(
                    "42P01", "missing FROM-clause entry for table \"\(qualifier.last)\"",
                    hint: near.map { "did you mean \"\($0)\"?" }, position: qualifier.position)
            }
        }
        for entry in work.scope.star(table: qualifier?.last, schema: schema) {
            work.outputs.append(
                .init(name: entry.name, expression: entry.expression, position: position))
            let text = entry.table.map { "\($0).\(entry.name)" } ?? entry.name
            entry.expression.forEachColumn { work.context.uses.append(($0, text, position)) }
        }
    }

    // MARK: QUALIFY, ORDER BY and DISTINCT ON

    /// The condition on window functions; names of the select list may stand for what they name.
    private mutating func bindQualify(
        _ select: Select, _ work: inout SelectWork
    ) throws(Problem) {
        guard let qualify = select.qualify else { return }
        work.context.clause = "QUALIFY"
        work.context.aliases = work.outputs.map { ($0.name, $0.expression) }
        defer { work.context.aliases = [] }
        work.qualify = try boolean(
            bind(qualify, &work.context), of: "QUALIFY", at: qualify.position)
        guard work.qualify?.hasSeries != true else {
            throw Problem(
                "0A000", "set-returning functions are not allowed in QUALIFY",
                hint: "call it in FROM", position: qualify.position)
        }
        guard !work.context.windowCalls.isEmpty else {
            throw Problem(
                "42P20", "QUALIFY needs a window function", hint: "use WHERE, or HAVING",
                position: qualify.position)
        }
    }

    /// The output or extra column that an item of ORDER BY or DISTINCT ON means.
    private mutating func sortColumn(
        _ expression: Expression, _ clause: String, _ work: inout SelectWork
    ) throws(Problem) -> Int {
        let position = expression.position
        try refuseConstant(expression, clause)
        switch expression.kind {
        case .number(let digits):
            return try ordinal(digits, clause, work.outputs.count, position)
        case .column(let name) where name.parts.count == 1:
            if let output = try work.output(named: name, clause: clause) { return output }
        default: break
        }
        work.context.clause = clause
        var value = try bind(expression, &work.context)
        if value.isUnknownLiteral { value = try coerce(value, to: .text, at: position) }
        if let same = work.outputs.firstIndex(where: { $0.expression == value }) { return same }
        if let same = work.extras.firstIndex(where: { $0.expression == value }) {
            return work.outputs.count + same
        }
        let name = "sort\(work.extras.count + 1)"
        work.extras.append(.init(name: name, expression: value, position: position))
        return work.outputs.count + work.extras.count - 1
    }

    private mutating func bindDistinctKeys(
        _ select: Select, _ work: inout SelectWork
    ) throws(Problem) {
        guard case .on(let keys) = select.distinct else { return }
        for key in keys {
            let column = try sortColumn(key, "DISTINCT ON", &work)
            if !work.distinctKeys.contains(column) { work.distinctKeys.append(column) }
        }
    }

    private mutating func bindOrder(
        _ items: [OrderItem], _ work: inout SelectWork
    ) throws(Problem) {
        for item in items {
            let column = try sortColumn(item.expression, "ORDER BY", &work)
            work.order.append(
                .init(
                    column: column, isDescending: item.isDescending, nullsFirst: item.nullsFirst,
                    position: item.expression.position))
        }
    }

    private func checkDistinct(
        _ select: Select, _ query: Query, _ work: SelectWork
    ) throws(Problem) {
        switch select.distinct {
        case .no: return
        case .yes:
            guard let extra = work.extras.first else { return }
            throw Problem(
                "42P10", "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
                position: extra.position)
        case .on(let keys):
            for item in work.order.prefix(work.distinctKeys.count)
            where !work.distinctKeys.contains(item.column) {
                throw Problem(
                    "42P10",
                    "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
                    hint: "begin ORDER BY with the expressions of DISTINCT ON",
                    position: keys.first?.position)
            }
        }
    }

    // MARK: Placing the operators

    private mutating func grouped(
        _ plan: LogicalPlan, _ work: inout SelectWork
    ) throws(Problem) -> LogicalPlan {
        let position = work.position
        var (plan, inputs) = try expandedGroups(plan, work)
        for call in work.context.calls {
            inputs += call.arguments + (call.filter.map { [$0] } ?? [])
            inputs += call.orderBy.map(\.expression)
        }
        let placed = try place(inputs, over: plan, at: position)
        var next = placed.expressions[...]
        var keys: [NamedExpression] = []
        for (index, group) in work.groups.enumerated() {
            let output = work.outputs.first { $0.expression == group }
            keys.append(
                NamedExpression(output?.name ?? "group\(index + 1)", next.removeFirst()))
        }
        var aggregates: [NamedAggregate] = []
        for call in work.context.calls {
            var moved = call
            moved.arguments = call.arguments.map { _ in next.removeFirst() }
            if call.filter != nil { moved.filter = next.removeFirst() }
            moved.orderBy = call.orderBy.map {
                SortKey(
                    next.removeFirst(), isDescending: $0.isDescending, nullsFirst: $0.nullsFirst)
            }
            aggregates.append(NamedAggregate(call.function.rawValue, moved))
        }
        var result = LogicalPlan.aggregate(
            AggregateNode(
                input: placed.plan, keys: keys, aggregates: aggregates, sets: work.sets))
        let ungrouped = work
        try work.mapOutputs { expression throws(Problem) in
            try ungrouped.afterGrouping(expression)
        }
        if let having = work.having {
            result = try filtered(result, work.afterGrouping(having), at: position)
        }
        return result
    }

    private mutating func projected(
        _ plan: LogicalPlan, _ work: SelectWork, _ query: Query
    ) throws(Problem) -> LogicalPlan {
        let columns = work.outputs + work.extras
        let placed = try place(columns.map(\.expression), over: plan, at: work.position)
        var named: [NamedExpression] = []
        for (index, column) in columns.enumerated() {
            named.append(NamedExpression(column.name, placed.expressions[index]))
        }
        var result = LogicalPlan.project(placed.plan, named)
        let sortKeys = work.order.map {
            SortKey(
                .column($0.column, columns[$0.column].expression.type),
                isDescending: $0.isDescending, nullsFirst: $0.nullsFirst)
        }
        if case .yes = work.select.distinct { result = .distinct(result) }
        if !work.distinctKeys.isEmpty {
            let keys = work.distinctKeys.map {
                BoundExpression.column($0, columns[$0].expression.type)
            }
            result = .distinctOn(DistinctOnNode(input: result, keys: keys, order: sortKeys))
        } else if !sortKeys.isEmpty {
            result = .sort(result, sortKeys, limit: nil)
        }
        result = try limited(result, query)
        guard !work.extras.isEmpty else { return result }
        let kept = work.outputs.enumerated().map {
            NamedExpression($1.name, .column($0, $1.expression.type))
        }
        return .project(result, kept)
    }
}

/// What is known of a SELECT while its clauses are bound.
struct SelectWork {
    struct Output {
        var name: String
        var expression: BoundExpression
        var position: Int
    }

    struct Order {
        /// Of the outputs, then the extras.
        var column: Int
        var isDescending: Bool
        var nullsFirst: Bool?
        var position: Int
    }

    let select: Select
    let scope: Scope
    var context: ExpressionContext
    var outputs: [Output] = []
    /// Computed for ORDER BY and DISTINCT ON only.
    var extras: [Output] = []
    var groups: [BoundExpression] = []
    /// Which groups are in each grouping set, when there are several.
    var sets: [[Int]]?
    var having: BoundExpression?
    var qualify: BoundExpression?
    var distinctKeys: [Int] = []
    var order: [Order] = []
    /// Where the results of window functions are, once they are placed.
    var windowColumns: [Int: Int] = [:]

    init(select: Select, scope: Scope, outer: [Scope]) {
        self.select = select
        self.scope = scope
        context = ExpressionContext(scope: scope, clause: "SELECT", outer: outer)
        context.allowsAggregates = true
    }

    var position: Int { select.position }

    var isGrouped: Bool {
        !select.groupBy.isEmpty || select.having != nil || !context.calls.isEmpty
            || !context.groupings.isEmpty
    }

    /// Replaces what the outputs and extras compute, when an operator below them is placed.
    mutating func mapOutputs<Failure: Error>(
        _ transform: (BoundExpression) throws(Failure) -> BoundExpression
    ) throws(Failure) {
        for index in outputs.indices {
            outputs[index].expression = try transform(outputs[index].expression)
        }
        for index in extras.indices {
            extras[index].expression = try transform(extras[index].expression)
        }
    }

    /// Whether a single name is a column of FROM.
    func isInput(_ name: ObjectName) -> Bool {
        switch scope.find(name) {
        case .found, .ambiguous: true
        default: false
        }
    }

    /// The output column of this name; several with one meaning count as one.
    func output(named name: ObjectName, clause: String) throws(Problem) -> Int? {
        let matches = outputs.indices.filter { outputs[$0].name == name.last }
        guard let first = matches.first else { return nil }
        guard matches.allSatisfy({ outputs[$0].expression == outputs[first].expression }) else {
            throw Problem(
                "42702", "\(clause) \"\(name.last)\" is ambiguous", position: name.position)
        }
        return first
    }

    /// `expression` over the output of the aggregation.
    func afterGrouping(_ expression: BoundExpression) throws(Problem) -> BoundExpression {
        if let key = groups.firstIndex(of: expression) { return .column(key, expression.type) }
        guard case .column(let index, let type) = expression else {
            return try expression.mapChildren { child throws(Problem) in
                try afterGrouping(child)
            }
        }
        if let aggregate = Placeholder.aggregateIndex(index) {
            return .column(groups.count + aggregate, type)
        }
        if let grouping = Placeholder.groupingIndex(index) {
            return try groupingValue(grouping)
        }
        if index < 0 { return expression }
        let use = context.uses.first { $0.column == index }
        let entry = scope.entries.first { $0.expression == expression }
        let name = entry.map { ($0.table.map { "\($0)." } ?? "") + $0.name } ?? use?.name ?? "?"
        throw Problem(
            "42803",
            "column \"\(name)\" must appear in the GROUP BY clause or be used in an aggregate "
                + "function", hint: "add it to GROUP BY, or write min(\(name)) or max(\(name))",
            position: use?.position)
    }
}

extension BoundExpression {
    var hasAggregate: Bool {
        if case .column(let index, _) = self { return Placeholder.aggregateIndex(index) != nil }
        return children.contains(where: \.hasAggregate)
    }
}

extension BoundExpression {
    /// Stands for the rows of a function of the select list.
    var hasSeries: Bool { !seriesNumbers.isEmpty }

    /// The functions for whose rows it stands.
    var seriesNumbers: [Int] {
        var numbers: [Int] = []
        forEachColumn { column in
            if let number = Placeholder.seriesIndex(column) { numbers.append(number) }
        }
        return numbers
    }

    /// The same over columns that hold the rows of functions.
    func readingSeries(at places: [Int: Int]) -> BoundExpression {
        mapColumns { column in Placeholder.seriesIndex(column).flatMap { places[$0] } ?? column }
    }
}

extension BoundExpression {
    var hasWindow: Bool {
        if case .column(let index, _) = self { return Placeholder.windowIndex(index) != nil }
        return children.contains(where: \.hasWindow)
    }
}

/// The name of a select item without alias, as PostgreSQL chooses it.
func outputName(_ expression: Expression) -> String {
    candidateName(expression) ?? "?column?"
}

private func candidateName(_ expression: Expression) -> String? {
    switch expression.kind {
    case .column(let name): name.last
    case .function(let call): call.name.last
    case .cast(let operand, let type, _): candidateName(operand) ?? internalName(type)
    case .typedString(let type, _): internalName(type)
    case .interval: "interval"
    case .boolean: "bool"
    case .conditional(_, _, let otherwise): otherwise.flatMap(candidateName) ?? "case"
    case .extract: "extract"
    case .atTimeZone: "timezone"
    case .array, .arrayQuery: "array"
    case .row: "row"
    case .element(let base, _): candidateName(base)
    case .member(_, let name): name.name
    case .exists: "exists"
    case .scalarQuery(let query): firstColumnName(query.body)
    default: nil
    }
}

private func firstColumnName(_ body: QueryBody) -> String? {
    switch body {
    case .select(let select):
        guard case .expression(let value, let alias) = select.items.first else { return nil }
        return alias?.name ?? candidateName(value)
    case .values: return "column1"
    case .nested(let query): return firstColumnName(query.body)
    case .setOperation(let operation): return operation.operands.first.flatMap(firstColumnName)
    }
}

/// PostgreSQL's own name of a type: `int4` for `integer`.
private func internalName(_ type: TypeName) -> String {
    switch type.name {
    case "integer", "int": "int4"
    case "bigint": "int8"
    case "smallint": "int2"
    case "boolean": "bool"
    case "double precision", "float": "float8"
    case "real": "float4"
    case "character varying": "varchar"
    case "decimal", "dec": "numeric"
    case "timestamp with time zone": "timestamptz"
    case "char", "character": "bpchar"
    default: type.name
    }
}
