import Base

extension Parser {
    /// Whether a query begins here, possibly behind opening parentheses.
    func isQueryStart(allowsParenthesis: Bool = true) -> Bool {
        var ahead = 0
        if allowsParenthesis { while isNext("(", ahead: ahead) { ahead += 1 } }
        switch peek(ahead).keyword {
        case .select, .with: return true
        case .values: return isNext("(", ahead: ahead + 1)
        case .table: return isIdentifier(ahead: ahead + 1)
        default: return false
        }
    }

    func isSetOperator() -> Bool { isNext(.union) || isNext(.intersect) || isNext(.except) }

    /// Whether something follows that makes more of a query in parentheses.
    func continuesQuery() -> Bool {
        isSetOperator() || isNext(.order) || isNext(.limit) || isNext(.offset) || isNext(.fetch)
    }

    mutating func query() throws(Problem) -> Query {
        try nested { parser throws(Problem) in
            let position = parser.token.position
            var commonTables: [CommonTable] = []
            var isRecursive = false
            if parser.accept(.with) {
                isRecursive = parser.accept(.recursive)
                commonTables = try parser.commonTables()
            }
            let body = try parser.queryBody()
            var query = Query(body: body, position: position)
            query.commonTables = commonTables
            query.isRecursive = isRecursive
            try parser.queryTail(&query)
            return query.simplified
        }
    }

    /// The rest of a query whose first operand has been read.
    mutating func query(
        continuing first: QueryBody, at position: Int
    ) throws(Problem) -> Query {
        let body = try setOperations(from: intersections(from: first))
        var query = Query(body: body, position: position)
        try queryTail(&query)
        return query.simplified
    }

    private mutating func commonTables() throws(Problem) -> [CommonTable] {
        var tables: [CommonTable] = []
        repeat {
            let name = try identifier("a name for the WITH query")
            let columns = isNext("(") ? try identifierList() : []
            try expect(.as)
            var isMaterialized: Bool?
            if accept(.not, .materialized) {
                isMaterialized = false
            } else if accept(.materialized) {
                isMaterialized = true
            }
            try expect("(")
            guard isQueryStart() else {
                if [.insert, .update, .delete, .merge].contains(token.keyword) {
                    throw notSupported("a data-modifying WITH", hint: "send two statements")
                }
                throw unexpected(expected: "SELECT")
            }
            let inner = try query()
            try expect(")")
            tables.append(
                CommonTable(
                    name: name, columns: columns, isMaterialized: isMaterialized, query: inner))
        } while accept(",")
        return tables
    }

    // MARK: Set operations

    private mutating func queryBody() throws(Problem) -> QueryBody {
        try setOperations(from: intersections(from: simpleBody()))
    }

    private mutating func setOperations(from first: QueryBody) throws(Problem) -> QueryBody {
        var left = first
        while isNext(.union) || isNext(.except) {
            let kind: SetOperation.Kind = isNext(.union) ? .union : .except
            left = try setOperation(kind, left, isNested: true)
        }
        return left
    }

    private mutating func intersections(from first: QueryBody) throws(Problem) -> QueryBody {
        var left = first
        while isNext(.intersect) { left = try setOperation(.intersect, left, isNested: false) }
        return left
    }

    private mutating func setOperation(
        _ kind: SetOperation.Kind, _ left: QueryBody, isNested: Bool
    ) throws(Problem) -> QueryBody {
        let position = token.position
        advance()
        let isAll = accept(.all)
        if !isAll { _ = accept(.distinct) }
        var right = try simpleBody()
        if isNested { right = try intersections(from: right) }
        if case .setOperation(var same) = left, same.kind == .union, kind == .union,
            same.isAll == isAll
        {
            same.operands.append(right)
            return .setOperation(same)
        }
        try grow()
        return .setOperation(
            SetOperation(kind: kind, isAll: isAll, operands: [left, right], position: position))
    }

    private mutating func simpleBody() throws(Problem) -> QueryBody {
        switch token.keyword {
        case .select: return .select(try select())
        case .values: return .values(try valueRows())
        case .table:
            let position = token.position
            advance()
            var select = Select(position: position)
            select.items = [.star(qualifier: nil, position: position)]
            select.from = [.table(TableReference(name: try objectName("a table name")))]
            return .select(select)
        default: break
        }
        guard accept("(") else { throw unexpected(expected: "SELECT") }
        let inner = try query()
        try expect(")")
        return inner.isBare ? inner.body : .nested(inner)
    }

    private mutating func valueRows() throws(Problem) -> [[Expression]] {
        advance()
        var rows: [[Expression]] = []
        repeat {
            try expect("(")
            var row: [Expression] = []
            repeat {
                let position = token.position
                row.append(
                    accept(.default)
                        ? Expression(.defaultValue, at: position) : try expression())
            } while accept(",")
            let position = token.position
            try expect(")")
            guard row.count == rows.first?.count ?? row.count else {
                throw Problem(
                    "42601", "VALUES lists must all be the same length", position: position)
            }
            rows.append(row)
        } while accept(",")
        return rows
    }

    // MARK: Order and limit

    private mutating func queryTail(_ query: inout Query) throws(Problem) {
        if accept(.order, .by) { query.orderBy = try orderItems() }
        while true {
            if query.limit == nil, accept(.limit) {
                if accept(.all) { continue }
                query.limit = try expression()
                if isNext(",") {
                    throw Problem(
                        "42601", "LIMIT #,# syntax is not supported",
                        hint: "use separate LIMIT and OFFSET clauses", position: token.position)
                }
            } else if query.offset == nil, accept(.offset) {
                query.offset = try expression()
                if !accept(.row) { _ = accept(.rows) }
            } else if query.limit == nil, accept(.fetch) {
                (query.limit, query.keepsTies) = try fetchCount()
            } else {
                break
            }
        }
        if isNext(.for),
            [.update, .no, .key].contains(peek(1).keyword) || isNextWord("share", ahead: 1)
        {
            throw notSupported("row locking (FOR UPDATE)", hint: "queries read one snapshot")
        }
        if areNext(.emit, .on), isNext(.window, ahead: 2), isNext(.close, ahead: 3) {
            index += 4
            query.emitsOnWindowClose = true
        } else if isNext(.emit) {
            throw notSupported("EMIT CHANGES", hint: "run the query again for newer rows")
        }
    }

    private mutating func fetchCount() throws(Problem) -> (Expression, keepsTies: Bool) {
        guard accept(.first) || accept(.next) else { throw unexpected(expected: "FIRST") }
        var count = Expression(.number("1"), at: token.position)
        if !isNext(.row), !isNext(.rows) { count = try primary() }
        guard accept(.row) || accept(.rows) else { throw unexpected(expected: "ROWS") }
        if accept(.with) {
            try expect(.ties)
            return (count, true)
        }
        try expect(.only)
        return (count, false)
    }

    mutating func orderItems() throws(Problem) -> [OrderItem] {
        var items: [OrderItem] = []
        repeat {
            let key = try expression()
            var item = OrderItem(expression: key, isDescending: false)
            if accept(.desc) { item.isDescending = true } else { _ = accept(.asc) }
            if accept(.using) {
                throw notSupported("ORDER BY … USING", hint: "use ASC or DESC")
            }
            if accept(.nulls) {
                if accept(.first) {
                    item.nullsFirst = true
                } else {
                    try expect(.last)
                    item.nullsFirst = false
                }
            }
            items.append(item)
        } while accept(",")
        return items
    }

    // MARK: SELECT

    private mutating func select() throws(Problem) -> Select {
        var select = Select(position: token.position)
        advance()
        if accept(.distinct) {
            select.distinct = .yes
            if accept(.on) {
                try expect("(")
                select.distinct = .on(try expressionList())
                try expect(")")
            }
        } else {
            _ = accept(.all)
        }
        if !endsSelectList() {
            repeat { select.items.append(try selectItem()) } while accept(",")
        }
        if isNext(.into) {
            throw notSupported("SELECT INTO", hint: "use CREATE STREAMING TABLE … AS or INSERT")
        }
        if accept(.from) {
            repeat { select.from.append(try fromItem()) } while accept(",")
        }
        if accept(.where) { select.filter = try expression() }
        if accept(.group, .by) {
            select.hasDistinctGroups = accept(.distinct)
            if !select.hasDistinctGroups { _ = accept(.all) }
            repeat { select.groupBy.append(try groupItem()) } while accept(",")
        }
        if accept(.having) { select.having = try expression() }
        if isNext(.window), isIdentifier(ahead: 1) {
            advance()
            select.windows = try namedWindows()
        }
        if acceptWord("qualify") { select.qualify = try expression() }
        return select
    }

    private func endsSelectList() -> Bool {
        if isAtEnd || isNext(";") || isNext(")") { return true }
        switch token.keyword {
        case .from, .where, .group, .having, .order, .limit, .union, .intersect, .except:
            return true
        default: return false
        }
    }

    private mutating func groupItem() throws(Problem) -> GroupItem {
        if isNext("("), isNext(")", ahead: 1) {
            index += 2
            return .empty
        }
        if isNext(.grouping), isNextWord("sets", ahead: 1), isNext("(", ahead: 2) {
            return try nested { parser throws(Problem) in
                parser.index += 3
                var items: [GroupItem] = []
                repeat { items.append(try parser.groupItem()) } while parser.accept(",")
                try parser.expect(")")
                return .sets(items)
            }
        }
        for isCube in [false, true] where isNextWord(isCube ? "cube" : "rollup") {
            guard isNext("(", ahead: 1) else { break }
            index += 2
            let list = try expressionList()
            try expect(")")
            return isCube ? .cube(list) : .rollup(list)
        }
        return .expression(try expression())
    }

    private mutating func expressionList() throws(Problem) -> [Expression] {
        var list = [try expression()]
        while accept(",") { list.append(try expression()) }
        return list
    }

    mutating func selectItem() throws(Problem) -> SelectItem {
        let position = token.position
        if accept("*") { return .star(qualifier: nil, position: position) }
        if let qualifier = starQualifier() {
            return .star(qualifier: qualifier, position: position)
        }
        let value = try expression()
        if accept(.as) { return .expression(value, alias: try label()) }
        let isLabel =
            token.kind == .quotedWord
            || token.kind == .word && token.keyword?.canBeBareLabel != false
        guard isLabel, !areNext(.emit, .on) else { return .expression(value, alias: nil) }
        return .expression(value, alias: takeWord())
    }

    /// `t.*` or `s.t.*`, consumed; nil and nothing consumed when it is something else.
    private mutating func starQualifier() -> ObjectName? {
        var ahead = 0
        var parts: [Int] = []
        while isIdentifier(ahead: ahead), isNext(".", ahead: ahead + 1), parts.count < 3 {
            parts.append(ahead)
            ahead += 2
            if isNext("*", ahead: ahead) {
                let names = parts.map {
                    Identifier(wordText(peek($0), in: text), position: peek($0).position)
                }
                index += ahead + 1
                return ObjectName(names)
            }
        }
        return nil
    }
}

extension Query {
    /// Nothing but a body.
    fileprivate var isBare: Bool {
        commonTables.isEmpty && orderBy.isEmpty && limit == nil && offset == nil
            && !emitsOnWindowClose
    }

    /// `((SELECT …))` is `SELECT …`.
    fileprivate var simplified: Query {
        if isBare, case .nested(let inner) = body { return inner }
        return self
    }
}
