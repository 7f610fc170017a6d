// Statements about other statements: EXPLAIN, PREPARE and its like, CANCEL QUERY.

import Base

extension Parser {
    // MARK: EXPLAIN

    private static let explainOptions = [
        "analyze", "format", "timing", "verbose", "costs", "buffers", "summary", "incremental",
    ]

    mutating func explain() throws(Problem) -> Statement {
        advance()
        var analyze = accept(.analyze)
        var incremental = false
        var format = Explain.Format.text
        var timing = true
        if isNext("("), !isQueryStart() {
            advance()
            repeat {
                let option = try label()
                let position = token.position
                var value: String?
                if !isNext(","), !isNext(")") {
                    value = isString() ? try string() : spelling(token)
                    if position == token.position { advance() }
                }
                if option.name == "format" {
                    guard let found = value.flatMap({ Explain.Format(rawValue: $0.lowercased()) })
                    else {
                        throw Problem(
                            "22023",
                            "unrecognized value for EXPLAIN option \"format\": \"\(value ?? "")\"",
                            hint: "formats: TEXT, JSON", position: position)
                    }
                    format = found
                    continue
                }
                let isOn = try flag(value, of: option.name, at: position)
                switch option.name {
                case "analyze": analyze = isOn
                case "incremental": incremental = isOn
                case "timing": timing = isOn
                // Names of columns are always shown, costs never; memory and bytes are part of
                // ANALYZE.
                case "verbose", "costs", "buffers", "summary": break
                default:
                    let near = nearestName(to: option.name, among: Self.explainOptions)
                    throw Problem(
                        "42601", "unrecognized EXPLAIN option \"\(option.name)\"",
                        hint: (near.map { "did you mean \($0.uppercased())? " } ?? "")
                            + "options: ANALYZE, FORMAT, TIMING", position: option.position)
                }
            } while accept(",")
            try expect(")")
        }
        _ = accept(.verbose)
        guard isQueryStart() else {
            throw notSupported("EXPLAIN of this statement", hint: "explain its query")
        }
        return .explain(
            Explain(
                query: try query(), analyze: analyze, incremental: incremental, format: format,
                timing: timing))
    }

    private func flag(
        _ value: String?, of name: String, at position: Int
    ) throws(Problem) -> Bool {
        switch value?.lowercased() {
        case nil, "on", "true", "1": return true
        case "off", "false", "0": return false
        default:
            throw Problem(
                "42601", "EXPLAIN option \"\(name)\" is on or off, found \"\(value ?? "")\"",
                position: position)
        }
    }

    // MARK: Prepared statements

    mutating func prepare() throws(Problem) -> Statement {
        advance()
        let name = try identifier("the name of a statement")
        var types: [TypeName] = []
        if accept("(") {
            repeat { types.append(try typeName()) } while accept(",")
            try expect(")")
        }
        try expect(.as)
        let start = token.position
        let first = index
        let statement = try self.statement()
        switch statement {
        case .query, .insert, .update, .delete, .merge: break
        default:
            throw Problem(
                "42601", "\(statement.tag) cannot be prepared",
                hint: "queries, INSERT, UPDATE, DELETE and MERGE can", position: start)
        }
        var highest = 0
        for token in tokens[first..<index] where token.kind == .parameter {
            highest = max(highest, Int(spelling(token).dropFirst()) ?? 0)
        }
        return .prepare(
            Prepare(
                name: name, types: types, text: source(start..<lastEnd), parameterCount: highest))
    }

    mutating func execute() throws(Problem) -> Statement {
        let start = token.position
        advance()
        if isNextWord("task"), isIdentifier(ahead: 1) {
            skipStatement()
            return .notSupported(
                NotSupported(
                    words: "EXECUTE TASK", hint: "run its statement, for example with weir sql -c",
                    position: start))
        }
        let name = try identifier("the name of a prepared statement")
        var values: [Expression] = []
        if accept("(") {
            if !isNext(")") {
                repeat { values.append(try expression()) } while accept(",")
            }
            try expect(")")
        }
        return .execute(Execute(name: name, values: values))
    }

    mutating func deallocate() throws(Problem) -> Statement {
        advance()
        _ = accept(.prepare)
        if accept(.all) { return .deallocate(nil) }
        return .deallocate(try identifier("the name of a prepared statement"))
    }

    // MARK: CANCEL QUERY

    mutating func cancelQuery() throws(Problem) -> Statement {
        advance()
        guard acceptWord("query") else { throw unexpected(expected: "QUERY") }
        let position = token.position
        return .cancelQuery(try string("the id of a query in quotes"), position: position)
    }
}
