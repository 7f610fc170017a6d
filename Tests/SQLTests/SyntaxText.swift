import SQL

/// Expressions and queries as compact S-expressions, for comparison in tests.
func sexpr(_ expression: Expression) -> String {
    func list(_ head: String, _ parts: [String]) -> String {
        "(" + ([head] + parts).joined(separator: " ") + ")"
    }
    func negated(_ name: String, _ isNegated: Bool) -> String { isNegated ? "not-" + name : name }
    switch expression.kind {
    case .column(let name): return name.text
    case .number(let digits): return digits
    case .string(let text): return "'\(text)'"
    case .boolean(let flag): return flag ? "true" : "false"
    case .null: return "null"
    case .parameter(let number): return "$\(number)"
    case .typedString(let type, let text): return list(typeText(type), ["'\(text)'"])
    case .interval(let text, let unit):
        return list("interval", ["'\(text)'"] + (unit.map { [$0] } ?? []))
    case .unary(let name, let operand): return list(name, [sexpr(operand)])
    case .binary(let name, let left, let right): return list(name, [sexpr(left), sexpr(right)])
    case .not(let operand): return list("not", [sexpr(operand)])
    case .and(let operands): return list("and", operands.map(sexpr))
    case .or(let operands): return list("or", operands.map(sexpr))
    case .truthTest(let operand, let test, let isNegated):
        return list(negated("is-\(test.rawValue)", isNegated), [sexpr(operand)])
    case .distinctTest(let left, let right, let isNegated):
        return list(negated("distinct", isNegated), [sexpr(left), sexpr(right)])
    case .between(let operand, let low, let high, let isNegated, _):
        return list(negated("between", isNegated), [operand, low, high].map(sexpr))
    case .inList(let operand, let items, let isNegated):
        return list(negated("in", isNegated), ([operand] + items).map(sexpr))
    case .inQuery(let operand, let query, let isNegated):
        return list(negated("in", isNegated), [sexpr(operand), sexpr(query)])
    case .like(let test):
        let name = negated(test.ignoresCase ? "ilike" : "like", test.isNegated)
        let escape = test.escape.map { [$0] } ?? []
        return list(name, ([test.operand, test.pattern] + escape).map(sexpr))
    case .quantified(let operand, let name, let isAll, let over):
        let right =
            switch over {
            case .list(let items): sexpr(items)
            case .query(let query): sexpr(query)
            }
        return list(name + (isAll ? "all" : "any"), [sexpr(operand), right])
    case .cast(let operand, let type, let orNull):
        return list((orNull ? "try::" : "::") + typeText(type), [sexpr(operand)])
    case .function(let call):
        var parts = call.arguments.map(sexpr)
        if call.isStar { parts.append("*") }
        if call.isDistinct { parts.insert("distinct", at: 0) }
        if !call.orderBy.isEmpty { parts.append(list("order", call.orderBy.map(sexpr))) }
        if let filter = call.filter { parts.append(list("filter", [sexpr(filter)])) }
        return list(call.name.text, parts)
    case .conditional(let operand, let whens, let otherwise):
        let branches = whens.map { "[\(sexpr($0.condition)) \(sexpr($0.value))]" }
        return list(
            "case",
            (operand.map { [sexpr($0)] } ?? []) + branches
                + (otherwise.map { ["else", sexpr($0)] } ?? []))
    case .extract(let field, let operand): return list("extract", [field, sexpr(operand)])
    case .atTimeZone(let operand, let zone): return list("at-zone", [operand, zone].map(sexpr))
    case .array(let items): return list("array", items.map(sexpr))
    case .arrayQuery(let query): return list("array", [sexpr(query)])
    case .row(let items): return list("row", items.map(sexpr))
    case .element(let base, let index): return list("element", [base, index].map(sexpr))
    case .member(let base, let name): return list("member", [sexpr(base), name.name])
    case .scalarQuery(let query): return sexpr(query)
    case .exists(let query): return list("exists", [sexpr(query)])
    }
}

func sexpr(_ item: OrderItem) -> String {
    var text = sexpr(item.expression)
    if item.isDescending { text += " desc" }
    if let first = item.nullsFirst { text += first ? " nulls-first" : " nulls-last" }
    return text
}

func typeText(_ type: TypeName) -> String {
    var text = type.name
    if !type.arguments.isEmpty {
        text += "(" + type.arguments.map(String.init).joined(separator: ",") + ")"
    }
    return text + String(repeating: "[]", count: type.dimensions)
}

func sexpr(_ query: Query) -> String {
    var parts: [String] = []
    if query.isRecursive { parts.append("recursive") }
    for table in query.commonTables {
        parts.append("(with \(table.name.name) \(sexpr(table.query)))")
    }
    parts.append(sexpr(query.body))
    if !query.orderBy.isEmpty {
        parts.append("(order " + query.orderBy.map(sexpr).joined(separator: ", ") + ")")
    }
    if let limit = query.limit { parts.append("(limit \(sexpr(limit)))") }
    if let offset = query.offset { parts.append("(offset \(sexpr(offset)))") }
    if query.keepsTies { parts.append("ties") }
    if query.emitsOnWindowClose { parts.append("on-close") }
    return parts.count == 1 ? parts[0] : "(query " + parts.joined(separator: " ") + ")"
}

func sexpr(_ body: QueryBody) -> String {
    switch body {
    case .select(let select): return sexpr(select)
    case .values(let rows):
        let texts = rows.map { "[" + $0.map { sexpr($0) }.joined(separator: " ") + "]" }
        return "(values " + texts.joined(separator: " ") + ")"
    case .setOperation(let operation):
        let name = operation.kind.rawValue + (operation.isAll ? "-all" : "")
        return "(\(name) " + operation.operands.map { sexpr($0) }.joined(separator: " ") + ")"
    case .nested(let query): return sexpr(query)
    }
}

func sexpr(_ select: Select) -> String {
    var parts: [String] = ["select"]
    switch select.distinct {
    case .no: break
    case .yes: parts.append("distinct")
    case .on(let keys):
        parts.append("(distinct-on " + keys.map { sexpr($0) }.joined(separator: " ") + ")")
    }
    for item in select.items {
        switch item {
        case .star(let qualifier, _): parts.append((qualifier.map { $0.text + "." } ?? "") + "*")
        case .expression(let value, let alias):
            parts.append(sexpr(value) + (alias.map { " as " + $0.name } ?? ""))
        }
    }
    if !select.from.isEmpty {
        parts.append("(from " + select.from.map(sexpr).joined(separator: " ") + ")")
    }
    if let filter = select.filter { parts.append("(where \(sexpr(filter)))") }
    if !select.groupBy.isEmpty {
        parts.append("(group " + select.groupBy.map(sexpr).joined(separator: " ") + ")")
    }
    if let having = select.having { parts.append("(having \(sexpr(having)))") }
    return "(" + parts.joined(separator: " ") + ")"
}

func sexpr(_ item: GroupItem) -> String {
    switch item {
    case .expression(let expression): sexpr(expression)
    case .empty: "()"
    case .rollup(let list): "(rollup " + list.map { sexpr($0) }.joined(separator: " ") + ")"
    case .cube(let list): "(cube " + list.map { sexpr($0) }.joined(separator: " ") + ")"
    case .sets(let items): "(sets " + items.map(sexpr).joined(separator: " ") + ")"
    }
}

func sexpr(_ item: FromItem) -> String {
    func aliased(_ text: String, _ alias: TableAlias?) -> String {
        guard let alias else { return text }
        let columns =
            alias.columns.isEmpty
            ? "" : "(" + alias.columns.map(\.name).joined(separator: ",") + ")"
        return text + " as " + alias.name.name + columns
    }
    switch item {
    case .table(let table):
        var text = table.name.text
        if table.isStream { text = "(stream \(text))" }
        switch table.travel {
        case .version(let version): text = "(version \(text) \(sexpr(version)))"
        case .timestamp(let time): text = "(at \(text) \(sexpr(time)))"
        case nil: break
        }
        return aliased(text, table.alias)
    case .query(let query, let alias, let isLateral, _):
        return aliased((isLateral ? "lateral " : "") + sexpr(query), alias)
    case .function(let item):
        let calls = item.calls.map { call in
            "(call \(call.name.text)\(call.arguments.map { " " + sexpr($0) }.joined()))"
        }
        return aliased(
            calls.joined(separator: " ") + (item.hasOrdinality ? " ordinality" : ""), item.alias)
    case .window(let window):
        let arguments = window.arguments.map { " " + sexpr($0) }.joined()
        return aliased("(\(window.kind.rawValue) \(sexpr(window.input))\(arguments))", window.alias)
    case .join(let join):
        let condition =
            switch join.condition {
            case .none: ""
            case .on(let condition): " (on \(sexpr(condition)))"
            case .using(let names): " (using \(names.map(\.name).joined(separator: " ")))"
            case .natural: " natural"
            }
        return "(\(join.kind.rawValue) \(sexpr(join.left)) \(sexpr(join.right))\(condition))"
    }
}
