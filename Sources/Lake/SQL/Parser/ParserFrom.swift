import Base

extension Parser {
    /// A table with all its joins.
    mutating func fromItem() throws(Problem) -> FromItem {
        try nested { parser throws(Problem) in
            try parser.joins(from: parser.tableItem())
        }
    }

    private mutating func joins(from first: FromItem) throws(Problem) -> FromItem {
        var left = first
        while let kind = try joinKind() {
            let position = tokens[index - 1].position
            let (isNatural, isAsof) = (kind.isNatural, kind.isAsof)
            let right = try tableItem()
            let condition: Join.Condition
            if isNatural {
                condition = .natural
            } else if kind.kind == .cross {
                condition = .none
            } else if accept(.on) {
                condition = .on(try expression())
            } else if accept(.using) {
                condition = .using(try identifierList())
                if isNext(.as) {
                    throw notSupported("an alias for USING", hint: "leave the alias out")
                }
            } else {
                // As in `a JOIN b JOIN c ON … ON …`: the right side has joins of its own.
                guard let nestedRight = try nestedJoins(from: right) else {
                    throw unexpected(expected: "ON or USING")
                }
                if accept(.on) {
                    condition = .on(try expression())
                } else {
                    try expect(.using)
                    condition = .using(try identifierList())
                }
                try grow()
                left = .join(
                    Join(
                        kind: kind.kind, isAsof: isAsof, left: left, right: nestedRight,
                        condition: condition, position: position))
                continue
            }
            try grow()
            left = .join(
                Join(
                    kind: kind.kind, isAsof: isAsof, left: left, right: right,
                    condition: condition, position: position))
        }
        return left
    }

    /// The joins that follow `first`; nil when there are none.
    private mutating func nestedJoins(from first: FromItem) throws(Problem) -> FromItem? {
        let start = index
        let item = try nested { parser throws(Problem) in try parser.joins(from: first) }
        return index > start ? item : nil
    }

    private mutating func joinKind() throws(Problem)
        -> (kind: JoinKind, isNatural: Bool, isAsof: Bool)?
    {
        if let kind = try asofKind() { return (kind, false, true) }
        let isNatural = accept(.natural)
        let kind: JoinKind
        switch token.keyword {
        case .join: kind = .inner
        case .inner: kind = .inner
        case .left: kind = .left
        case .right: kind = .right
        case .full: kind = .full
        case .cross where !isNatural: kind = .cross
        default:
            if isNatural { throw unexpected(expected: "JOIN") }
            return nil
        }
        if !isNext(.join) {
            advance()
            if kind != .inner, kind != .cross { _ = accept(.outer) }
        }
        try expect(.join)
        return (kind, isNatural, false)
    }

    /// `ASOF [LEFT [OUTER] | INNER] JOIN`; nil when it is no such join.
    private mutating func asofKind() throws(Problem) -> JoinKind? {
        guard isNext(.asof) else { return nil }
        let kind: JoinKind
        switch peek(1).keyword {
        case .join, .inner: kind = .inner
        case .left: kind = .left
        case .right, .full:
            throw notSupported(
                "ASOF \(peek(1).keyword?.rawValue.uppercased() ?? "") JOIN",
                hint: "exchange the sides and write ASOF LEFT JOIN")
        default: return nil
        }
        advance()
        if !isNext(.join) {
            advance()
            if kind == .left { _ = accept(.outer) }
        }
        try expect(.join)
        return kind
    }

    // MARK: One table

    mutating func tableItem() throws(Problem) -> FromItem {
        let isLateral = accept(.lateral)
        if isNext("(") { return try parenthesizedItem(isLateral: isLateral) }
        _ = accept(.only)
        if isNext(.rows), isNext(.from, ahead: 1), isNext("(", ahead: 2) {
            return try functionItem()
        }
        if isNext("(", ahead: 1) || isNext("(", ahead: 3) && isNext(".", ahead: 1) {
            return try functionItem()
        }
        var table = TableReference(name: try objectName("a table name"))
        if accept("*") {}
        try tableTail(&table)
        return .table(table)
    }

    /// Time travel and alias, in either order.
    private mutating func tableTail(_ table: inout TableReference) throws(Problem) {
        table.travel = try travel()
        table.alias = try alias()
        if table.travel == nil { table.travel = try travel() }
        if isNext(.tablesample) {
            try sample(&table)
        }
    }

    /// `TABLESAMPLE BERNOULLI (percent)`
    private mutating func sample(_ table: inout TableReference) throws(Problem) {
        advance()
        guard acceptWord("bernoulli") || acceptWord("system") else {
            throw unexpected(expected: "BERNOULLI or SYSTEM")
        }
        try expect("(")
        table.sample = try expression()
        try expect(")")
        if isNextWord("repeatable") {
            throw notSupported(
                "REPEATABLE", hint: "take the sample by a hash of a column in WHERE")
        }
    }

    mutating func travel() throws(Problem) -> TableReference.Travel? {
        if isNext(.for) {
            switch peek(1).keyword {
            case .systemTime, .system, .timestamp, .version: advance()
            default: return nil
            }
            if accept(.system) {
                if accept(.version) {
                    try expect(.as, .of)
                    return .version(try expression())
                }
                try expect(.time)
                try expect(.as, .of)
                return .timestamp(try expression())
            }
            if accept(.systemTime) {
                try expect(.as, .of)
                return .timestamp(try expression())
            }
        }
        if isNext(.version), isNext(.as, ahead: 1), isNext(.of, ahead: 2) {
            index += 3
            return .version(try expression())
        }
        if isNext(.timestamp), isNext(.as, ahead: 1), isNext(.of, ahead: 2) {
            index += 3
            return .timestamp(try expression())
        }
        return nil
    }

    mutating func alias() throws(Problem) -> TableAlias? {
        if accept(.as) {
            let name = try identifier("an alias")
            return TableAlias(name: name, columns: isNext("(") ? try identifierList() : [])
        }
        guard isIdentifier(), !startsClause() else { return nil }
        let name = takeWord()
        return TableAlias(name: name, columns: isNext("(") ? try identifierList() : [])
    }

    /// Words of our dialect that follow a table although they could be aliases.
    private func startsClause() -> Bool {
        switch token.keyword {
        case .version, .timestamp: isNext(.as, ahead: 1) && isNext(.of, ahead: 2)
        case .emit: true
        case .asof: [.join, .inner, .left, .right, .full].contains(peek(1).keyword)
        case nil: isNextWord("qualify")
        default: false
        }
    }

    // MARK: Parentheses

    private mutating func parenthesizedItem(isLateral: Bool) throws(Problem) -> FromItem {
        let position = token.position
        switch try parenthesized() {
        case .query(let query):
            return .query(query, alias: try alias(), isLateral: isLateral, position: position)
        case .item(let item):
            guard let alias = try alias() else { return item }
            throw notSupported(
                "an alias for a join in parentheses", hint: "give each table its alias",
                at: alias.name.position)
        }
    }

    private enum Parenthesized {
        case query(Query)
        case item(FromItem)
    }

    /// What stands in parentheses is only known inside: a query, or tables and joins. Decided
    /// without trying both, which would take exponential time.
    private mutating func parenthesized() throws(Problem) -> Parenthesized {
        try nested { parser throws(Problem) in
            let position = parser.token.position
            try parser.expect("(")
            var result: Parenthesized
            if parser.isQueryStart(allowsParenthesis: false) {
                result = .query(try parser.query())
            } else if parser.isNext("(") {
                result = try parser.parenthesized()
                if case .query(let inner) = result, !parser.isNext(")") {
                    if parser.continuesQuery() {
                        result = .query(
                            try parser.query(continuing: .nested(inner), at: position))
                    } else {
                        let item = FromItem.query(
                            inner, alias: try parser.alias(), isLateral: false,
                            position: position)
                        result = .item(try parser.joins(from: item))
                    }
                } else if case .item(let item) = result {
                    result = .item(try parser.joins(from: item))
                }
            } else {
                result = .item(try parser.fromItem())
            }
            try parser.expect(")")
            return result
        }
    }

    // MARK: Functions in FROM

    private mutating func functionItem() throws(Problem) -> FromItem {
        switch token.keyword {
        case .stream: return try stream()
        case .tumble: return try window(.tumble)
        case .hop: return try window(.hop)
        default: break
        }
        if isNextWord("cumulate") { return try window(.cumulate) }
        if isNext(.session) { return try window(.session) }
        let position = token.position
        var calls: [FunctionCall] = []
        if isNext(.rows), isNext(.from, ahead: 1) {
            index += 2
            try expect("(")
            repeat { calls.append(try rowsCall()) } while accept(",")
            try expect(")")
        } else {
            calls = [try rowsCall()]
            if let item = try recordItem(calls[0], at: position) { return item }
        }
        let hasOrdinality = areNext(.with, .ordinality)
        if hasOrdinality { index += 2 }
        return .function(
            FunctionItem(
                calls: calls, hasOrdinality: hasOrdinality, alias: try alias(),
                position: position))
    }

    private mutating func rowsCall() throws(Problem) -> FunctionCall {
        let position = token.position
        let expression = try primary()
        guard case .function(let call) = expression.kind else {
            throw Problem(
                "42601", "syntax error at or near \"\(source(position..<lastEnd))\"",
                notes: ["expected a table"], position: position)
        }
        return call
    }

    /// `STREAM(t)`
    private mutating func stream() throws(Problem) -> FromItem {
        index += 2
        _ = accept(.table)
        var table = TableReference(name: try objectName("a topic or table name"))
        table.isStream = true
        try expect(")")
        table.alias = try alias()
        return .table(table)
    }

    /// `TUMBLE(t, ts, INTERVAL '5 minutes')`; Flink's `TABLE t, DESCRIPTOR(ts)` as well.
    private mutating func window(_ kind: WindowFunction.Kind) throws(Problem) -> FromItem {
        try nested { parser throws(Problem) in
            let position = parser.token.position
            parser.index += 2
            _ = parser.accept(.table)
            let input: FromItem
            if parser.isNext("(") {
                input = try parser.parenthesizedItem(isLateral: false)
            } else if parser.isNext(.stream), parser.isNext("(", ahead: 1) {
                input = try parser.stream()
            } else {
                var table = TableReference(name: try parser.objectName("a table name"))
                try parser.tableTail(&table)
                input = .table(table)
            }
            var arguments: [Expression] = []
            while parser.accept(",") {
                if parser.isNextWord("descriptor"), parser.isNext("(", ahead: 1) {
                    parser.advance()
                    arguments.append(try parser.primary())
                } else {
                    arguments.append(try parser.expression())
                }
            }
            try parser.expect(")")
            let alias = try parser.alias()
            return .window(
                WindowFunction(
                    kind: kind, input: input, arguments: arguments, alias: alias,
                    position: position))
        }
    }
}
