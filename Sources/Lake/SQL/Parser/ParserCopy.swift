import Base

extension Parser {
    /// `COPY t [(a, b)] FROM 'path' [WITH] (FORMAT csv, HEADER)`, `COPY t|(query) TO 'path' …`
    mutating func copy() throws(Problem) -> Statement {
        advance()
        let subject: Copy.Subject
        if isNext("(") {
            advance()
            subject = .query(try query())
            try expect(")")
        } else {
            let name = try objectName("a table name or a query in parentheses")
            subject = .table(name, columns: isNext("(") ? try identifierList() : [])
        }
        let direction: Copy.Direction
        if accept(.from) {
            if case .query = subject {
                throw Problem(
                    "42601", "COPY FROM needs a table", hint: "write COPY (query) TO 'file'",
                    position: token.position)
            }
            direction = .from
        } else if accept(.to) {
            direction = .to
        } else {
            throw unexpected(expected: "FROM or TO")
        }
        let position = token.position
        if isNextWord("stdout") {
            throw notSupported(
                "COPY \(direction.rawValue.uppercased()) STDOUT",
                hint: "send the query itself and Accept: text/csv, or ?format=csv: the answer is"
                    + " the file; weir table export writes files of yours")
        }
        let isFromRequest = direction == .from && acceptWord("stdin")
        if !isFromRequest, isNextWord("stdin") || isNextWord("program") {
            throw notSupported(
                "COPY \(direction.rawValue.uppercased()) \(spelling(token).uppercased())",
                hint: "weir table import and weir table export read and write files of yours")
        }
        let path = isFromRequest ? "STDIN" : try string("the path of a file")
        _ = accept(.with)
        return .copy(
            Copy(
                subject: subject, direction: direction, path: path, isFromRequest: isFromRequest,
                pathPosition: position,
                options: try copyOptions()))
    }

    /// `(FORMAT csv, HEADER, NULL 'x')`: names without `=`, as COPY has them.
    private mutating func copyOptions() throws(Problem) -> [StatementOption] {
        var options: [StatementOption] = []
        guard accept("(") else { return options }
        repeat {
            let name = try label()
            var setting = StatementOption.Setting.boolean(true)
            if isString() {
                setting = .text(try string())
            } else if token.kind == .number {
                setting = .number(spelling(token))
                advance()
            } else if !isNext(","), !isNext(")") {
                let word = try label().name
                switch word {
                case "true", "on": setting = .boolean(true)
                case "false", "off": setting = .boolean(false)
                default: setting = .text(word)
                }
            }
            options.append(
                StatementOption(name: name.name, setting: setting, position: name.position))
        } while accept(",")
        try expect(")")
        return options
    }
}
