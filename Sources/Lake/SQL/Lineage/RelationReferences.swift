// Which relations a query names, from its syntax alone: what an object is computed from is known
// even when one of them is missing. Views are not looked into; they are sources themselves.

/// The relations that a query reads, in order of appearance, each once. Names of WITH queries are
/// left out; a name without schema stays so.
package func upstreamRelations(of query: Query) -> [QualifiedName] {
    var walk = ReferenceWalk()
    walk.visit(query)
    return walk.found
}

private struct ReferenceWalk {
    var found: [QualifiedName] = []
    private var commonTables: [String] = []

    mutating func visit(_ query: Query) {
        let visible = commonTables.count
        if query.isRecursive { commonTables += query.commonTables.map(\.name.name) }
        for table in query.commonTables {
            visit(table.query)
            if !query.isRecursive { commonTables.append(table.name.name) }
        }
        visit(query.body)
        for item in query.orderBy { visit(item.expression) }
        if let limit = query.limit { visit(limit) }
        if let offset = query.offset { visit(offset) }
        commonTables.removeSubrange(visible...)
    }

    private mutating func visit(_ body: QueryBody) {
        switch body {
        case .select(let select): visit(select)
        case .values(let rows): for row in rows { for value in row { visit(value) } }
        case .nested(let query): visit(query)
        case .setOperation(let operation): for operand in operation.operands { visit(operand) }
        }
    }

    private mutating func visit(_ select: Select) {
        if case .on(let keys) = select.distinct { for key in keys { visit(key) } }
        for item in select.items {
            if case .expression(let expression, _) = item { visit(expression) }
        }
        for item in select.from { visit(item) }
        if let filter = select.filter { visit(filter) }
        for group in select.groupBy { group.expressions.forEach { visit($0) } }
        if let having = select.having { visit(having) }
        for window in select.windows { window.window.expressions.forEach { visit($0) } }
        if let qualify = select.qualify { visit(qualify) }
    }

    private mutating func visit(_ item: FromItem) {
        switch item {
        case .table(let table):
            let name = table.name.qualified
            if name.schema == nil, commonTables.contains(name.name) { return }
            if !found.contains(name) { found.append(name) }
        case .query(let query, _, _, _): visit(query)
        case .function(let item):
            for call in item.calls { for argument in call.arguments { visit(argument) } }
        case .window(let window): visit(window.input)
        case .join(let join):
            visit(join.left)
            visit(join.right)
            if case .on(let condition) = join.condition { visit(condition) }
        }
    }

    private mutating func visit(_ expression: Expression) {
        for query in expression.queries { visit(query) }
        for child in expression.children { visit(child) }
    }
}

extension Expression {
    /// The operands, in order; queries are apart.
    package var children: [Expression] {
        switch kind {
        case .column, .number, .string, .boolean, .null, .parameter, .typedString, .interval,
            .scalarQuery, .exists, .arrayQuery:
            []
        case .unary(_, let operand), .not(let operand), .truthTest(let operand, _, _),
            .cast(let operand, _, _), .extract(_, let operand), .member(let operand, _),
            .inQuery(let operand, _, _):
            [operand]
        case .binary(_, let left, let right), .distinctTest(let left, let right, _),
            .atTimeZone(let left, let right), .element(let left, let right):
            [left, right]
        case .and(let operands), .or(let operands), .array(let operands), .row(let operands):
            operands
        case .between(let operand, let low, let high, _, _): [operand, low, high]
        case .inList(let operand, let items, _): [operand] + items
        case .like(let test):
            [test.operand, test.pattern] + (test.escape.map { [$0] } ?? [])
        case .quantified(let operand, _, _, .list(let list)): [operand, list]
        case .quantified(let operand, _, _, .query): [operand]
        case .function(let call):
            call.arguments + call.orderBy.map(\.expression) + (call.filter.map { [$0] } ?? [])
                + call.windowExpressions
        case .conditional(let operand, let whens, let otherwise):
            (operand.map { [$0] } ?? []) + whens.flatMap { [$0.condition, $0.value] }
                + (otherwise.map { [$0] } ?? [])
        }
    }

    /// The queries directly inside.
    package var queries: [Query] {
        switch kind {
        case .scalarQuery(let query), .exists(let query), .arrayQuery(let query),
            .inQuery(_, let query, _), .quantified(_, _, _, .query(let query)):
            [query]
        default: []
        }
    }
}

extension FunctionCall {
    fileprivate var windowExpressions: [Expression] {
        guard case .specified(let window)? = over else { return [] }
        return window.expressions
    }
}

extension WindowSpecification {
    /// Everything that is computed for the window.
    var expressions: [Expression] {
        var all = partitionBy + orderBy.map(\.expression)
        for bound in [frame?.start, frame?.end] {
            switch bound {
            case .preceding(let offset), .following(let offset): all.append(offset)
            default: break
            }
        }
        return all
    }
}
