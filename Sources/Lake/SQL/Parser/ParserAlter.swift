// ALTER.

import Base

extension Parser {
    mutating func alter() throws(Problem) -> Statement {
        let start = token.position
        advance()
        guard let kind = objectKind() else { return try unknownObject("ALTER", from: start) }
        if accept(.if) { try expect(.exists) }
        let name = try objectName()
        if let action = try alterAction() { return .alter(kind, name, action) }
        if kind == .table, let action = try columnAction() { return .alter(kind, name, action) }
        skipStatement()
        return .notSupported(
            NotSupported(
                words: "this form of ALTER \(kind.words)",
                hint: kind == .table
                    ? "forms: OWNER TO, RENAME TO, SET TAG, SET and UNSET TBLPROPERTIES, ADD and DROP"
                        + " CONSTRAINT, ADD, DROP, RENAME and ALTER COLUMN"
                    : "forms: OWNER TO, RENAME TO, SET TAG, SET (…)",
                position: start))
    }

    /// What every kind of object allows; nil when it is something else.
    private mutating func alterAction() throws(Problem) -> AlterAction? {
        if accept(.owner, .to) { return .ownerTo(try label().name) }
        if accept(.rename, .to) { return .rename(to: try identifier()) }
        if accept(.set, .tag) {
            let tag = try label().name
            try expect("=")
            return .setTag(name: tag, value: try string())
        }
        if accept(.unset, .tag) { return .unsetTag(name: try label().name) }
        if isNext(.set), isNextWord("tblproperties", ahead: 1) {
            index += 2
            return .setOptions(try optionList())
        }
        if isNext(.unset), isNextWord("tblproperties", ahead: 1) {
            index += 2
            let ifExists = try ifExists()
            return .unsetOptions(try settingNames(), ifExists: ifExists)
        }
        if accept(.add, .constraint) {
            let constraint = try identifier("a name of the constraint")
            try expect(.check)
            try expect("(")
            let from = token.position
            let condition = try expression()
            let text = source(from..<lastEnd)
            try expect(")")
            return .addConstraint(constraint, condition: text, position: condition.position)
        }
        if accept(.cluster, .by) {
            return .clusterBy(acceptWord("none") ? [] : try identifierList())
        }
        if accept(.drop, .constraint) {
            let ifExists = try ifExists()
            return .dropConstraint(try identifier(), ifExists: ifExists)
        }
        if isNext(.set), isNext("(", ahead: 1) {
            advance()
            return .setOptions(try optionList())
        }
        return nil
    }

    private mutating func ifExists() throws(Problem) -> Bool {
        guard accept(.if) else { return false }
        try expect(.exists)
        return true
    }

    /// `('delta.appendOnly', …)`: names, quoted or not.
    private mutating func settingNames() throws(Problem) -> [Identifier] {
        try expect("(")
        var names: [Identifier] = []
        repeat {
            let position = token.position
            var name = isString() ? try string() : try label().name
            while accept(".") { name += "." + (try label().name) }
            names.append(Identifier(name, position: position))
        } while accept(",")
        try expect(")")
        return names
    }

    // MARK: Columns of tables

    private mutating func columnAction() throws(Problem) -> AlterAction? {
        if accept(.add) { return try addColumns() }
        if accept(.drop) { return try dropColumns() }
        if accept(.rename) {
            _ = accept(.column)
            let old = try identifier("a column name")
            try expect(.to)
            return .renameColumn(old, to: try identifier("a column name"))
        }
        if accept(.alter) {
            _ = accept(.column)
            let column = try identifier("a column name")
            return .alterColumn(column, try columnChange())
        }
        return nil
    }

    /// `ADD [COLUMN] [IF NOT EXISTS] c type …`, `ADD COLUMNS (c type, …)`
    private mutating func addColumns() throws(Problem) -> AlterAction {
        if accept(.columns) || isNext("(") {
            try expect("(")
            var additions: [ColumnAddition] = []
            repeat { additions.append(try columnAddition()) } while accept(",")
            try expect(")")
            return .addColumns(additions, ifNotExists: false)
        }
        _ = accept(.column)
        var ifNotExists = false
        if accept(.if) {
            try expect(.not, .exists)
            ifNotExists = true
        }
        var additions = [try columnAddition()]
        while accept(",") {
            _ = accept(.add)
            _ = accept(.column)
            additions.append(try columnAddition())
        }
        return .addColumns(additions, ifNotExists: ifNotExists)
    }

    private mutating func columnAddition() throws(Problem) -> ColumnAddition {
        var addition = ColumnAddition(column: try columnDefinition())
        if accept(.first) { addition.place = .first }
        if accept(.after) { addition.place = .after(try identifier("a column name")) }
        return addition
    }

    /// `DROP [COLUMN] [IF EXISTS] c`, `DROP COLUMNS (c, …)`
    private mutating func dropColumns() throws(Problem) -> AlterAction {
        if accept(.columns) {
            let ifExists = try ifExists()
            return .dropColumns(try identifierList(), ifExists: ifExists)
        }
        _ = accept(.column)
        let ifExists = try ifExists()
        if isNext("(") { return .dropColumns(try identifierList(), ifExists: ifExists) }
        let column = try identifier("a column name")
        if isNext(.cascade) {
            throw notSupported("DROP COLUMN … CASCADE", hint: "drop what needs the column first")
        }
        _ = accept(.restrict)
        return .dropColumns([column], ifExists: ifExists)
    }

    private mutating func columnChange() throws(Problem) -> ColumnChange {
        if accept(.comment) { return .comment(try string()) }
        if acceptWord("type") { return .type(try typeName()) }
        if accept(.drop) {
            if accept(.not, .null) { return .dropNotNull }
            if accept(.default) { return .dropDefault }
            throw unexpected(expected: "NOT NULL or DEFAULT")
        }
        try expect(.set)
        if accept(.not, .null) { return .setNotNull }
        if accept(.default) {
            let from = token.position
            _ = try expression()
            return .setDefault(source(from..<lastEnd), position: from)
        }
        if accept(.data) {
            guard acceptWord("type") else { throw unexpected(expected: "TYPE") }
            return .type(try typeName())
        }
        throw unexpected(expected: "NOT NULL, DEFAULT or DATA TYPE")
    }
}
