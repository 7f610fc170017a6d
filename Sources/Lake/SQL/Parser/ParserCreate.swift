// CREATE, with the clauses of streams: watermarks, expectations, refresh policies.

import Base

extension Parser {
    mutating func create() throws(Problem) -> Statement {
        let start = token.position
        advance()
        let orReplace = accept(.or, .replace)
        if isNext(.temp) || isNext(.temporary) {
            throw notSupported("a temporary table", hint: "use WITH name AS (…)")
        }
        if isNext(.schema), !orReplace {
            advance()
            let ifNotExists = try ifNotExists()
            return .createSchema(name: try identifier("a schema name"), ifNotExists: ifNotExists)
        }
        if isNext(.topic), !orReplace {
            advance()
            return try createTopic()
        }
        if accept(.streaming, .table) { return try createStreamingTable(orReplace: orReplace) }
        if accept(.table) { return try createTable(orReplace: orReplace) }
        if accept(.view) { return try createView(orReplace: orReplace) }
        if accept(.materialized, .view) {
            return try createMaterializedView(orReplace: orReplace, from: start)
        }
        if orReplace, isNext(.topic) || isNext(.schema) {
            throw notSupported(
                "CREATE OR REPLACE \(spelling(token).uppercased())",
                hint: "drop it first, or use IF NOT EXISTS")
        }
        _ = accept(.unique)
        return try unknownObject("CREATE", from: start)
    }

    private mutating func ifNotExists() throws(Problem) -> Bool {
        guard accept(.if) else { return false }
        try expect(.not, .exists)
        return true
    }

    // MARK: Parts that several statements have

    /// `WITH (name = value, …)`, if it is there.
    private mutating func withOptions() throws(Problem) -> [StatementOption] {
        guard isNext(.with), isNext("(", ahead: 1) else { return [] }
        advance()
        return try optionList()
    }

    mutating func optionList() throws(Problem) -> [StatementOption] {
        try expect("(")
        var options: [StatementOption] = []
        repeat {
            let position = token.position
            var name: String
            if isString() {
                name = try string()
            } else {
                name = try label().name
                while accept(".") { name += "." + (try label().name) }
            }
            try expect("=")
            if options.contains(where: { $0.name == name }) {
                throw Problem(
                    "42601", "option \"\(name)\" specified more than once", position: position)
            }
            options.append(
                StatementOption(name: name, setting: try optionValue(), position: position))
        } while accept(",")
        try expect(")")
        return options
    }

    private mutating func optionValue() throws(Problem) -> StatementOption.Setting {
        if isString() { return .text(try string()) }
        if accept(.true) { return .boolean(true) }
        if accept(.false) { return .boolean(false) }
        if accept(.interval) { return .text(try string()) }
        let sign = accept("-") ? "-" : ""
        if token.kind == .number {
            let digits = spelling(token)
            advance()
            return .number(sign + digits)
        }
        guard sign.isEmpty, token.kind == .word || token.kind == .quotedWord else {
            throw unexpected(expected: "a value")
        }
        return .text(takeWord().name)
    }

    mutating func columnDefinition() throws(Problem) -> ColumnDefinition {
        let name = try identifier("a column name")
        var column = ColumnDefinition(name: name, type: try typeName())
        while true {
            if isNext(.default) || isNextWord("generated") {
                if column.value != nil {
                    throw Problem(
                        "42601",
                        "column \"\(name.name)\" has more than one default or generated value",
                        position: token.position)
                }
                column.value = try columnValue()
                if case .identity = column.value { column.isNotNull = true }
            } else if accept(.comment) {
                column.comment = try string()
            } else if accept(.not, .null) {
                column.isNotNull = true
            } else if accept(.null) {
                continue
            } else if accept(.primary, .key) {
                column.isPrimaryKey = true
                column.isNotNull = true
            } else if isNext(.references) || isNext(.check) || isNext(.unique) {
                throw notSupported(
                    "\(spelling(token).uppercased()) on a column",
                    hint: "write it as an EXPECT constraint, or ALTER TABLE … ADD CONSTRAINT")
            } else {
                return column
            }
        }
    }

    /// `DEFAULT e`, `GENERATED ALWAYS AS (e) [STORED]`, `GENERATED … AS IDENTITY`
    private mutating func columnValue() throws(Problem) -> ColumnValue {
        let start = token.position
        if accept(.default) {
            let from = token.position
            _ = try expression()
            return .standard(source(from..<lastEnd), position: from)
        }
        advance()
        var allowsValues = false
        if accept(.by) {
            try expect(.default)
            allowsValues = true
        } else {
            try expect(.always)
        }
        try expect(.as)
        guard acceptWord("identity") else {
            guard !allowsValues, accept("(") else { throw unexpected(expected: "IDENTITY") }
            let from = token.position
            _ = try expression()
            let text = source(from..<lastEnd)
            try expect(")")
            _ = acceptWord("stored")
            return .generated(text, position: from)
        }
        var identity = ColumnValue.Identity(position: start)
        identity.allowsValues = allowsValues
        if accept("(") {
            while !accept(")") {
                if accept(.start) {
                    _ = accept(.with)
                    identity.start = try signedInteger()
                } else if acceptWord("increment") {
                    _ = accept(.by)
                    identity.step = try signedInteger()
                } else {
                    throw unexpected(expected: "START or INCREMENT")
                }
                _ = accept(",")
            }
        }
        return .identity(identity)
    }

    private mutating func signedInteger() throws(Problem) -> Int64 {
        let sign = accept("-") ? "-" : ""
        guard token.kind == .number, let value = Int64(sign + spelling(token)) else {
            throw unexpected(expected: "a whole number")
        }
        advance()
        return value
    }

    func refuseColumnValue(
        _ column: ColumnDefinition, of object: String
    ) throws(Problem) {
        guard let value = column.value else { return }
        throw notSupported(
            "a default or generated value of a column of \(object)",
            hint: "write the expression in the query", at: value.position)
    }

    /// `AS query`, with the text of the query.
    private mutating func asQuery() throws(Problem) -> (query: Query, text: String) {
        try expect(.as)
        let start = token.position
        guard isQueryStart() else { throw unexpected(expected: "SELECT") }
        let inner = try query()
        return (inner, source(start..<lastEnd))
    }

    // MARK: Topics

    private mutating func createTopic() throws(Problem) -> Statement {
        let ifNotExists = try ifNotExists()
        var topic = CreateTopic(name: try objectName("a topic name"))
        topic.ifNotExists = ifNotExists
        if accept("(") {
            if !isNext(")") {
                repeat { try topicElement(&topic) } while accept(",")
            }
            try expect(")")
        }
        if accept(.key) { topic.key = try identifierList() }
        if accept(.format) {
            let word = try label()
            guard let format = CreateTopic.Format(rawValue: word.name) else {
                throw unknownWord(word, "format", ["plain", "upsert", "debezium"])
            }
            topic.format = format
            if accept(.encode) {
                let word = try label()
                guard let encoding = CreateTopic.Encoding(rawValue: word.name) else {
                    throw unknownWord(word, "encoding", ["json", "avro", "bytes", "text"])
                }
                topic.encoding = encoding
            }
        }
        topic.options = try withOptions()
        return .createTopic(topic)
    }

    private mutating func topicElement(_ topic: inout CreateTopic) throws(Problem) {
        guard areNext(.watermark, .for) else {
            let column = try columnDefinition()
            try refuseColumnValue(column, of: "a topic")
            topic.columns.append(column)
            return
        }
        let position = token.position
        index += 2
        let column = try identifier("a column name")
        try expect(.as)
        let bound = try expression()
        guard topic.watermark == nil else {
            throw notSupported(
                "more than one watermark", hint: "keep the one of the event time", at: position)
        }
        topic.watermark = .init(column: column, expression: bound)
    }

    private func unknownWord(
        _ word: Identifier, _ what: String, _ known: [String]
    ) -> Problem {
        let near = nearestName(to: word.name, among: known)
        let list = known.map { $0.uppercased() }.joined(separator: ", ")
        return Problem(
            "42704", "\(what) \"\(word.name)\" does not exist",
            hint: (near.map { "did you mean \($0.uppercased())?  " } ?? "")
                + "values: \(list)", position: word.position)
    }

    // MARK: Tables

    private mutating func createStreamingTable(orReplace: Bool) throws(Problem) -> Statement {
        let ifNotExists = try ifNotExists()
        var table = CreateStreamingTable(name: try objectName("a table name"))
        table.ifNotExists = ifNotExists
        table.orReplace = orReplace
        if isNext("("), !isQueryStart() {
            advance()
            if !isNext(")") {
                repeat {
                    if isNext(.constraint) {
                        table.expectations.append(try expectation())
                    } else {
                        let column = try columnDefinition()
                        try refuseColumnValue(column, of: "a streaming table")
                        table.columns.append(column)
                    }
                } while accept(",")
            }
            try expect(")")
        }
        while true {
            if accept(.partitioned, .by) {
                table.partitionedBy = try identifierList()
            } else if accept(.cluster, .by) {
                table.clusterBy = try identifierList()
            } else if isNext(.with), table.options.isEmpty {
                guard isNext("(", ahead: 1) else { throw unexpected() }
                table.options = try withOptions()
            } else if accept(.comment) {
                throw notSupported("COMMENT inside CREATE", hint: "use COMMENT ON afterwards")
            } else {
                break
            }
        }
        if isNext(.as) || table.columns.isEmpty {
            (table.query, table.queryText) = try asQuery()
        }
        return .createStreamingTable(table)
    }

    private mutating func expectation() throws(Problem) -> Expectation {
        advance()
        let name = try identifier("a name of the constraint")
        guard isNext(.expect) else {
            if isNext(.check) || isNext(.unique) || isNext(.primary) || isNext(.foreign) {
                throw notSupported(
                    "\(spelling(token).uppercased()) on a streaming table", hint: "use EXPECT (…)")
            }
            throw unexpected(expected: "EXPECT")
        }
        advance()
        try expect("(")
        let start = token.position
        let condition = try expression()
        let text = source(start..<lastEnd)
        try expect(")")
        var violation = Expectation.Violation.keep
        if accept(.on, .violation) {
            if accept(.drop, .row) {
                violation = .dropRow
            } else if accept(.fail, .update) {
                violation = .failUpdate
            } else if accept(.quarantine, .into) {
                violation = .quarantine(into: try objectName("a table name"))
            } else {
                throw unexpected(expected: "DROP ROW, FAIL UPDATE or QUARANTINE INTO")
            }
        }
        return Expectation(name: name, condition: condition, text: text, violation: violation)
    }

    private mutating func createTable(orReplace: Bool) throws(Problem) -> Statement {
        let ifNotExists = orReplace ? false : try ifNotExists()
        var table = CreateTable(name: try objectName("a table name"))
        table.ifNotExists = ifNotExists
        table.orReplace = orReplace
        if let source = try cloneSource() {
            table.clone = source
            if acceptWord("tblproperties") {
                table.options = try optionList()
            } else {
                table.options = try withOptions()
            }
            return .createTable(table)
        }
        if isNext("("), !isQueryStart() {
            advance()
            repeat {
                if isNext(.primary), isNext(.key, ahead: 1) {
                    index += 2
                    table.primaryKey = try identifierList()
                } else if isNext(.constraint) || isNext(.unique) || isNext(.check)
                    || isNext(.foreign)
                {
                    throw notSupported("a table constraint", hint: "use PRIMARY KEY (…)")
                } else {
                    let column = try columnDefinition()
                    if column.isPrimaryKey { table.primaryKey.append(column.name) }
                    table.columns.append(column)
                }
            } while accept(",")
            try expect(")")
        }
        if accept(.partitioned, .by) { table.partitionedBy = try identifierList() }
        if accept(.cluster, .by) { table.clusterBy = try identifierList() }
        table.options = try withOptions()
        if isNext(.as) || table.columns.isEmpty {
            (table.query, table.queryText) = try asQuery()
        }
        return .createTable(table)
    }

    /// `SHALLOW CLONE source [VERSION AS OF n | TIMESTAMP AS OF t]`, if it is there.
    private mutating func cloneSource() throws(Problem) -> CloneSource? {
        let start = token.position
        if acceptWord("deep") {
            throw notSupported(
                "DEEP CLONE", hint: "copy the rows: CREATE TABLE … AS SELECT * FROM …", at: start)
        }
        guard acceptWord("shallow") else { return nil }
        guard acceptWord("clone") else { throw unexpected(expected: "CLONE") }
        let name = try objectName("a table name")
        return CloneSource(name: name, travel: try travel())
    }

    // MARK: Views

    private mutating func createView(orReplace: Bool) throws(Problem) -> Statement {
        let ifNotExists = try ifNotExists()
        let name = try objectName("a view name")
        let columns = isNext("(") ? try identifierList() : []
        let (query, text) = try asQuery()
        return .createView(
            CreateView(
                name: name, orReplace: orReplace, ifNotExists: ifNotExists, columns: columns,
                query: query, queryText: text))
    }

    private mutating func createMaterializedView(
        orReplace: Bool, from start: Int
    ) throws(Problem) -> Statement {
        let ifNotExists = try ifNotExists()
        let name = try objectName("a view name")
        let columns = isNext("(") ? try identifierList() : []
        var policy: CreateMaterializedView.RefreshPolicy?
        var options: [StatementOption] = []
        var partitionedBy: [Identifier] = []
        var clusterBy: [Identifier] = []
        while !isNext(.as) {
            if accept(.refresh, .policy) {
                let word = try label()
                policy = .init(rawValue: word.name)
                guard policy != nil else {
                    throw unknownWord(word, "refresh policy", ["full", "incremental", "auto"])
                }
            } else if accept(.partitioned, .by) {
                partitionedBy = try identifierList()
            } else if accept(.cluster, .by) {
                clusterBy = try identifierList()
            } else if isNext(.with), isNext("(", ahead: 1), options.isEmpty {
                options = try withOptions()
            } else {
                throw unexpected(expected: "AS")
            }
        }
        let (query, text) = try asQuery()
        if accept(.with) {
            _ = accept(.no)
            try expect(.data)
        }
        return .createMaterializedView(
            CreateMaterializedView(
                name: name, orReplace: orReplace, ifNotExists: ifNotExists, columns: columns,
                refreshPolicy: policy, partitionedBy: partitionedBy, clusterBy: clusterBy,
                options: options, query: query, queryText: text, position: start))
    }
}
