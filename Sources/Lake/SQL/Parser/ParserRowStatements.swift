// DELETE, UPDATE, MERGE, OPTIMIZE, VACUUM, RESTORE.

import Base

extension Parser {
    private mutating func changeTarget() throws(Problem) -> ChangeTarget {
        _ = accept(.only)
        var target = ChangeTarget(name: try objectName("a table name"))
        _ = accept("*")
        if accept(.as) {
            target.alias = try identifier("an alias")
        } else if isIdentifier(), !isNext(.set), !isNext(.using), !isNext(.where),
            !isNext(.returning)
        {
            target.alias = takeWord()
        }
        return target
    }

    private mutating func filter() throws(Problem) -> Expression? {
        guard accept(.where) else { return nil }
        if isNext(.current), isNext(.of, ahead: 1) {
            throw notSupported("WHERE CURRENT OF", hint: "name the rows by a condition")
        }
        return try expression()
    }

    mutating func delete() throws(Problem) -> Statement {
        advance()
        try expect(.from)
        let target = try changeTarget()
        let others = accept(.using) ? try fromItems() : []
        let condition = try filter()
        return .delete(
            Delete(
                target: target, others: others, filter: condition, returning: try returning()))
    }

    mutating func update() throws(Problem) -> Statement {
        advance()
        let target = try changeTarget()
        try expect(.set)
        let assignments = try assignments()
        let others = accept(.from) ? try fromItems() : []
        let condition = try filter()
        return .update(
            Update(
                target: target, assignments: assignments, others: others, filter: condition,
                returning: try returning()))
    }

    /// The list behind USING of a DELETE and FROM of an UPDATE.
    private mutating func fromItems() throws(Problem) -> [FromItem] {
        var items: [FromItem] = []
        repeat { items.append(try fromItem()) } while accept(",")
        return items
    }

    /// `RETURNING …`; empty without it.
    private mutating func returning() throws(Problem) -> [SelectItem] {
        guard accept(.returning) else { return [] }
        var items: [SelectItem] = []
        repeat { items.append(try selectItem()) } while accept(",")
        return items
    }

    /// `TRUNCATE [TABLE] t, …`
    mutating func truncate() throws(Problem) -> Statement {
        advance()
        _ = accept(.table)
        _ = accept(.only)
        var names: [ObjectName] = []
        repeat { names.append(try objectName("a table name")) } while accept(",")
        if isNextWord("restart") {
            throw notSupported(
                "RESTART IDENTITY", hint: "CREATE OR REPLACE TABLE begins anew")
        }
        if isNextWord("continue") { index += 2 }
        if isNext(.cascade) {
            throw notSupported("TRUNCATE … CASCADE", hint: "name the tables")
        }
        _ = accept(.restrict)
        return .truncate(Truncate(names: names))
    }

    // MARK: INSERT

    mutating func insert() throws(Problem) -> Statement {
        advance()
        let isOverwrite = acceptWord("overwrite")
        if isOverwrite { _ = accept(.into) } else { try expect(.into) }
        if isNext(.table), isIdentifier(ahead: 1) { advance() }
        var insert = Insert(
            target: try objectName("a table or topic name"), columns: [],
            query: Query(body: .values([]), position: token.position))
        if isOverwrite { insert.mode = .overwrite }
        if accept(.as) { insert.alias = try identifier("an alias") }
        if isNext(.partition), isNext("(", ahead: 1) {
            advance()
            insert.partition = try partitionColumns()
        }
        if isNext(.by), isNextWord("name", ahead: 1) {
            index += 2
            insert.isByName = true
        } else if isNext("("), !isQueryStart() {
            insert.columns = try identifierList()
        }
        if isNext(.replace) {
            let position = token.position
            advance()
            guard isNext(.where) || isNext(.using) else {
                throw unexpected(expected: "WHERE or USING")
            }
            if isOverwrite || !insert.partition.isEmpty {
                throw Problem(
                    "42601", "REPLACE does not go with OVERWRITE or PARTITION",
                    hint: "write INSERT INTO t REPLACE WHERE …", position: position)
            }
            insert.mode =
                accept(.using)
                ? .replaceUsing(try identifierList())
                : accept(.where) ? .replace(where: try expression()) : .into
        }
        if areNext(.default, .values) {
            // One row that says nothing about any column.
            let position = token.position
            guard insert.columns.isEmpty, !insert.isByName else {
                throw unexpected(expected: "VALUES or SELECT")
            }
            index += 2
            insert.query = Query(
                body: .values([[Expression(.defaultValue, at: position)]]), position: position)
            insert.returning = try returning()
            return .insert(insert)
        }
        guard isQueryStart() else { throw unexpected(expected: "VALUES or SELECT") }
        insert.query = try query()
        if isNext(.on) {
            throw notSupported("ON CONFLICT", hint: "use MERGE INTO")
        }
        insert.returning = try returning()
        return .insert(insert)
    }

    private mutating func partitionColumns() throws(Problem) -> [Insert.PartitionColumn] {
        try expect("(")
        var columns: [Insert.PartitionColumn] = []
        repeat {
            let column = try identifier("a partition column")
            if columns.contains(where: { $0.column.name == column.name }) {
                throw Problem(
                    "42701", "column \"\(column.name)\" specified more than once",
                    position: column.position)
            }
            columns.append(
                Insert.PartitionColumn(
                    column: column, value: accept("=") ? try expression() : nil))
        } while accept(",")
        try expect(")")
        return columns
    }

    private mutating func assignments() throws(Problem) -> [Assignment] {
        var list: [Assignment] = []
        repeat {
            if isNext("(") {
                throw notSupported(
                    "SET (…) = (…)", hint: "write one assignment for each column")
            }
            var column = try identifier("a column name")
            // MERGE of other engines writes the target's name in front.
            if accept(".") { column = try label() }
            if isNext(".") || isNext("[") {
                throw notSupported(
                    "assigning to a part of a column", hint: "assign the whole column")
            }
            try expect("=")
            let value = accept(.default) ? nil : try expression()
            if let twice = list.first(where: { $0.column.name == column.name }) {
                throw Problem(
                    "42601",
                    "multiple assignments to same column \"\(twice.column.name)\"",
                    position: column.position)
            }
            list.append(Assignment(column: column, value: value))
        } while accept(",")
        return list
    }

    // MARK: MERGE

    mutating func merge() throws(Problem) -> Statement {
        let start = token.position
        advance()
        var evolves = false
        if accept(.with) {
            try expect(.schema)
            guard acceptWord("evolution") else { throw unexpected(expected: "EVOLUTION") }
            evolves = true
        }
        try expect(.into)
        let target = try changeTarget()
        try expect(.using)
        let source = try tableItem()
        try expect(.on)
        let condition = try expression()
        var clauses: [MergeClause] = []
        while isNext(.when) { clauses.append(try mergeClause()) }
        if clauses.isEmpty { throw unexpected(expected: "WHEN MATCHED or WHEN NOT MATCHED") }
        return .merge(
            Merge(
                target: target, evolvesSchema: evolves, source: source, condition: condition,
                clauses: clauses, returning: try returning(), position: start))
    }

    private mutating func mergeClause() throws(Problem) -> MergeClause {
        let start = token.position
        try expect(.when)
        let isNegated = accept(.not)
        try expect(.matched)
        var kind = isNegated ? MergeClause.Kind.notMatched : .matched
        if isNegated, accept(.by) {
            if accept(.source) {
                kind = .notMatchedBySource
            } else if !acceptWord("target") {
                throw unexpected(expected: "SOURCE or TARGET")
            }
        }
        let condition = accept(.and) ? try expression() : nil
        try expect(.then)
        return MergeClause(
            kind: kind, condition: condition, action: try mergeAction(kind), position: start)
    }

    private mutating func mergeAction(
        _ kind: MergeClause.Kind
    ) throws(Problem) -> MergeClause.Action {
        let position = token.position
        if acceptWord("do") {
            try expect(.nothing)
            return .doNothing
        }
        if isNext(.insert) {
            guard kind == .notMatched else { throw unfitting("INSERT", kind, at: position) }
            return try mergeInsert()
        }
        guard isNext(.delete) || isNext(.update) else {
            throw unexpected(expected: "UPDATE, DELETE, INSERT or DO NOTHING")
        }
        guard kind != .notMatched else {
            throw unfitting(spelling(token).uppercased(), kind, at: position)
        }
        if accept(.delete) { return .delete }
        advance()
        try expect(.set)
        guard accept("*") else { return .update(try assignments()) }
        guard kind == .matched else { throw unfitting("UPDATE SET *", kind, at: position) }
        return .updateAll
    }

    private func unfitting(_ action: String, _ kind: MergeClause.Kind, at position: Int) -> Problem
    {
        Problem(
            "42601", "\(action) does not fit \(kind.rawValue)",
            hint: kind == .notMatched
                ? "there is no row of the table: use INSERT"
                : "there is a row of the table: use UPDATE or DELETE", position: position)
    }

    private mutating func mergeInsert() throws(Problem) -> MergeClause.Action {
        advance()
        if accept("*") { return .insertAll }
        var columns: [Identifier] = []
        if isNext("(") {
            advance()
            repeat {
                var column = try identifier("a column name")
                if accept(".") { column = try label() }
                columns.append(column)
            } while accept(",")
            try expect(")")
        }
        if areNext(.default, .values) {
            throw notSupported("INSERT … DEFAULT VALUES", hint: "give the values")
        }
        try expect(.values)
        try expect("(")
        var values: [Expression?] = []
        repeat { values.append(accept(.default) ? nil : try expression()) } while accept(",")
        try expect(")")
        return .insert(columns, values)
    }

    // MARK: Files

    mutating func optimize() throws(Problem) -> Statement {
        advance()
        _ = accept(.table)
        let name = try objectName("a table name")
        let isFull = acceptWord("full")
        let condition = try filter()
        var columns: [Identifier] = []
        if acceptWord("zorder") {
            try expect(.by)
            if isNext("(") {
                columns = try identifierList()
            } else {
                repeat { columns.append(try identifier("a column name")) } while accept(",")
            }
        }
        return .optimize(
            Optimize(name: name, filter: condition, zOrder: columns, isFull: isFull))
    }

    mutating func vacuum() throws(Problem) -> Statement {
        advance()
        _ = accept(.table)
        var vacuum = Vacuum(
            name: try objectName("a table name"), retention: nil, isDryRun: false)
        if acceptWord("retain") {
            if accept(.interval) {
                vacuum.retention = try string("an interval")
            } else {
                guard token.kind == .number else {
                    throw unexpected(expected: "a number of hours")
                }
                vacuum.retention = spelling(token) + " hours"
                advance()
                guard acceptWord("hours") || accept(.hour) else {
                    throw unexpected(expected: "HOURS")
                }
            }
        }
        if acceptWord("dry") {
            guard acceptWord("run") else { throw unexpected(expected: "RUN") }
            vacuum.isDryRun = true
        }
        return .vacuum(vacuum)
    }

    /// `FSCK [REPAIR] TABLE t [DRY RUN]`
    mutating func checkTable() throws(Problem) -> Statement {
        advance()
        let isRepair = accept(.repair)
        try expect(.table)
        let name = try objectName("a table name")
        var isDryRun = false
        if acceptWord("dry") {
            guard acceptWord("run") else { throw unexpected(expected: "RUN") }
            isDryRun = true
        }
        return isRepair ? .repairTable(name, isDryRun: isDryRun) : .checkTable(name)
    }

    /// `CONVERT TO DELTA parquet.'path' [NO STATISTICS] [PARTITIONED BY (c type, …)]`
    mutating func convert() throws(Problem) -> Statement {
        advance()
        try expect(.to)
        guard acceptWord("delta") else { throw unexpected(expected: "DELTA") }
        var convert = Convert(
            name: try objectName("parquet.'path'"), partitionedBy: [], collectsStatistics: true)
        if isNext(.no), isNextWord("statistics", ahead: 1) {
            index += 2
            convert.collectsStatistics = false
        }
        if accept(.partitioned, .by) {
            try expect("(")
            repeat {
                let column = try columnDefinition()
                try refuseColumnValue(column, of: "converted files")
                convert.partitionedBy.append(column)
            } while accept(",")
            try expect(")")
        }
        return .convert(convert)
    }

    mutating func restore() throws(Problem) -> Statement {
        advance()
        _ = accept(.table)
        let name = try objectName("a table name")
        try expect(.to)
        guard let travel = try travel() else {
            throw unexpected(expected: "VERSION AS OF or TIMESTAMP AS OF")
        }
        return .restore(Restore(name: name, travel: travel))
    }
}
