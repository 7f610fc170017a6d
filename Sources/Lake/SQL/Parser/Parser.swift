import Base

/// Turns SQL text into statements by recursive descent. Works on any bytes: what is not SQL is an
/// error with a position, nesting and length are bounded, and time is linear in the text.
package struct Parser {
    let text: [UInt8]
    let tokens: [Token]
    var index = 0
    /// Levels of recursion, bounded by `Limits.nestingDepth`.
    private var depth = 0
    /// The height of the tallest tree finished since the current one was begun. Chains such as
    /// `a || b || c` grow tall without recursion, and who walks the tree later recurses.
    private var tallest = 0
    static let heightLimit = 2 * Limits.nestingDepth
    /// What stands for `$1`, `$2` and so on. Those behind the last stay parameters.
    var parameters: [Expression] = []
    /// Whether one of them was read.
    var usesParameters = false

    /// All statements of a script; empty ones are left out. `parameters` take the places of `$1`,
    /// `$2` and so on.
    package static func script(
        _ text: String, parameters: [Expression] = []
    ) throws(Problem) -> [ParsedStatement] {
        try script(Array(text.utf8), parameters: parameters)
    }

    package static func script(
        _ text: [UInt8], parameters: [Expression] = []
    ) throws(Problem) -> [ParsedStatement] {
        var parser = try Parser(text)
        parser.parameters = parameters
        var statements: [ParsedStatement] = []
        while true {
            while parser.accept(";") {}
            if parser.isAtEnd { return statements }
            let start = parser.token.position
            parser.usesParameters = false
            let statement = try parser.statement()
            if parser.usesParameters, statement.isKeptAsText {
                throw Problem(
                    "42P02", "a stored query cannot have parameters",
                    hint: "write the values into the statement", position: start)
            }
            let range = start..<parser.lastEnd
            guard parser.isAtEnd || parser.isNext(";") else { throw parser.unexpected() }
            statements.append(
                ParsedStatement(
                    statement: statement, range: range, text: parser.source(range)))
        }
    }

    /// The only statement of `text`.
    package static func statement(_ text: String) throws(Problem) -> ParsedStatement {
        let statements = try script(text)
        guard let first = statements.first else {
            throw Problem("42601", "the text holds no statement", position: 0)
        }
        guard statements.count == 1 else {
            throw Problem(
                "42601", "cannot insert multiple commands into a prepared statement",
                hint: "send the statements one by one", position: statements[1].range.lowerBound)
        }
        return first
    }

    /// The query that a view stores.
    package static func query(
        _ text: String, parameters: [Expression] = []
    ) throws(Problem) -> Query {
        var parser = try Parser(Array(text.utf8))
        parser.parameters = parameters
        let query = try parser.query()
        _ = parser.accept(";")
        guard parser.isAtEnd else { throw parser.unexpected() }
        return query
    }

    /// An expression on its own, for stored conditions.
    package static func expression(
        _ text: String, parameters: [Expression] = []
    ) throws(Problem) -> Expression {
        var parser = try Parser(Array(text.utf8))
        parser.parameters = parameters
        let expression = try parser.expression()
        guard parser.isAtEnd else { throw parser.unexpected() }
        return expression
    }

    /// A type on its own, for stored columns.
    package static func typeName(_ text: String) throws(Problem) -> TypeName {
        var parser = try Parser(Array(text.utf8))
        let type = try parser.typeName()
        guard parser.isAtEnd else { throw parser.unexpected() }
        return type
    }

    private init(_ text: [UInt8]) throws(Problem) {
        self.text = text
        tokens = try Lexer.tokens(of: text)
    }

    // MARK: Depth

    /// Runs `body` one level deeper; the tree it makes counts as one level above its parts.
    mutating func nested<Result>(
        _ body: (inout Parser) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        guard depth < Limits.nestingDepth else { throw tooDeep() }
        depth += 1
        let outer = tallest
        tallest = 0
        let result = try body(&self)
        try grow()
        tallest = max(outer, tallest)
        depth -= 1
        return result
    }

    /// Puts the tree that is being built under one more node.
    mutating func grow() throws(Problem) {
        tallest += 1
        guard tallest <= Parser.heightLimit else { throw tooDeep() }
    }

    private func tooDeep() -> Problem {
        Problem(
            "54001", "stack depth limit exceeded",
            notes: ["the statement is nested more deeply than \(Limits.nestingDepth) levels"],
            hint: "name parts of it in a WITH clause, or split it", position: token.position)
    }

    // MARK: Tokens

    var token: Token { tokens[index] }
    var isAtEnd: Bool { token.kind == .end }
    /// The end of the token before the current one.
    var lastEnd: Int { index == 0 ? 0 : Int(tokens[index - 1].end) }

    func peek(_ ahead: Int) -> Token { tokens[min(index + ahead, tokens.count - 1)] }

    mutating func advance() { if index < tokens.count - 1 { index += 1 } }

    func source(_ range: Range<Int>) -> String { String(decoding: text[range], as: UTF8.self) }

    func spelling(_ token: Token) -> String { source(Int(token.start)..<Int(token.end)) }

    func isNext(_ symbol: String, ahead: Int = 0) -> Bool {
        let token = peek(ahead)
        guard token.kind == .symbol else { return false }
        return text[Int(token.start)..<Int(token.end)].elementsEqual(symbol.utf8)
    }

    func isNext(_ keyword: Keyword, ahead: Int = 0) -> Bool { peek(ahead).keyword == keyword }

    /// Whether these keywords come next, in this order.
    func areNext(_ keywords: Keyword...) -> Bool {
        for (ahead, keyword) in keywords.enumerated() where peek(ahead).keyword != keyword {
            return false
        }
        return true
    }

    /// Whether the next word is `word`, which is no keyword of the grammar.
    func isNextWord(_ word: String, ahead: Int = 0) -> Bool {
        let token = peek(ahead)
        return token.kind == .word && wordText(token, in: text) == word
    }

    mutating func accept(_ symbol: String) -> Bool {
        guard isNext(symbol) else { return false }
        advance()
        return true
    }

    mutating func accept(_ keyword: Keyword) -> Bool {
        guard token.keyword == keyword else { return false }
        advance()
        return true
    }

    mutating func accept(_ first: Keyword, _ second: Keyword) -> Bool {
        guard areNext(first, second) else { return false }
        index += 2
        return true
    }

    mutating func acceptWord(_ word: String) -> Bool {
        guard isNextWord(word) else { return false }
        advance()
        return true
    }

    mutating func expect(_ symbol: String) throws(Problem) {
        guard accept(symbol) else { throw unexpected(expected: "\"\(symbol)\"") }
    }

    mutating func expect(_ keywords: Keyword...) throws(Problem) {
        for keyword in keywords {
            guard accept(keyword) else {
                throw unexpected(expected: keyword.rawValue.uppercased())
            }
        }
    }

    // MARK: Errors

    /// PostgreSQL's words for a token that doesn't fit.
    func unexpected(expected: String? = nil, hint: String? = nil) -> Problem {
        let message =
            isAtEnd
            ? "syntax error at end of input" : "syntax error at or near \"\(spelling(token))\""
        return Problem(
            "42601", message, notes: expected.map { ["expected \($0)"] } ?? [],
            hint: hint ?? misspelt, position: token.position)
    }

    /// Where a word stands that is none of the language: the one that it is nearly. The word before
    /// may be it, too: a misspelt clause is first taken for an alias.
    private var misspelt: String? {
        let clauses: [Keyword] = [
            .from, .where, .group, .order, .having, .limit, .offset, .join, .union, .inner, .left,
            .right, .full, .cross, .natural, .partition, .column, .values, .set,
        ]
        let others: [Keyword] = [
            .desc, .asc, .into, .and, .or, .between, .like, .nulls, .as, .using,
        ]
        func near(_ token: Token, _ words: [Keyword]) -> String? {
            guard token.kind == .word, token.keyword == nil, token.end - token.start > 2 else {
                return nil
            }
            return nearestName(to: spelling(token), among: words.map(\.rawValue)).map {
                "\"\($0.uppercased())\"?"
            }
        }
        if token.kind == .symbol, spelling(token).hasPrefix("`") {
            return "names stand in double quotes"
        }
        if !isAtEnd, let word = near(token, clauses + others) { return "did you mean \(word)" }
        guard index > 1, let word = near(tokens[index - 1], clauses) else { return nil }
        return "did you mean \(word.dropLast()) by \"\(spelling(tokens[index - 1]))\"?"
    }

    /// A part of the language that is known but not built.
    func notSupported(_ what: String, hint: String, at position: Int? = nil) -> Problem {
        Problem(
            "0A000", "\(what) is not supported yet", hint: hint,
            position: position ?? token.position)
    }

    // MARK: Names

    /// A name of a column, table or alias.
    mutating func identifier(_ expected: String = "a name") throws(Problem) -> Identifier {
        guard isIdentifier() else { throw unexpected(expected: expected) }
        return takeWord()
    }

    func isIdentifier(ahead: Int = 0) -> Bool {
        let token = peek(ahead)
        switch token.kind {
        case .quotedWord: return true
        case .word: return token.keyword?.isReserved != true
        default: return false
        }
    }

    /// Any word, reserved or not, as after `AS` or a dot.
    mutating func label() throws(Problem) -> Identifier {
        guard token.kind == .word || token.kind == .quotedWord else {
            throw unexpected(expected: "a name")
        }
        return takeWord()
    }

    mutating func takeWord() -> Identifier {
        let word = Identifier(wordText(token, in: text), position: token.position)
        advance()
        return word
    }

    /// `a.b.c`; or `delta.'path'`, `parquet.'path'` for what lies in a folder.
    mutating func objectName(_ expected: String = "a name") throws(Problem) -> ObjectName {
        var parts = [try identifier(expected)]
        while isNext(".") {
            guard parts.count < 3 else {
                throw Problem(
                    "42601", "improper qualified name (too many dotted names)",
                    position: token.position)
            }
            advance()
            if isString(), parts.count == 1, FolderFormat(rawValue: parts[0].name) != nil {
                let position = token.position
                parts.append(Identifier(try string(), position: position))
                return ObjectName(parts)
            }
            parts.append(try label())
        }
        return ObjectName(parts)
    }

    /// `(a, b, c)`
    mutating func identifierList() throws(Problem) -> [Identifier] {
        try expect("(")
        var names = [try identifier("a column name")]
        while accept(",") { names.append(try identifier("a column name")) }
        try expect(")")
        return names
    }

    /// The value of a string token.
    mutating func string(_ expected: String = "a string") throws(Problem) -> String {
        guard isString() else { throw unexpected(expected: expected) }
        let value = try stringText(token, in: text)
        advance()
        return value
    }

    func isString(ahead: Int = 0) -> Bool {
        switch peek(ahead).kind {
        case .string, .escapeString, .dollarString: true
        default: false
        }
    }

    mutating func integer(_ expected: String = "a number") throws(Problem) -> Int {
        guard token.kind == .number else { throw unexpected(expected: expected) }
        guard let value = Int(spelling(token)) else {
            throw unexpected(expected: "a whole number")
        }
        advance()
        return value
    }

    /// Moves to the semicolon or the end, over parentheses and `BEGIN … END`.
    mutating func skipStatement() {
        var blocks = 0
        while !isAtEnd {
            if isNext(";"), blocks == 0 { return }
            if areNext(.as, .begin) {
                blocks += 1
                advance()
            } else if token.keyword == .case, blocks > 0 {
                blocks += 1
            } else if token.keyword == .end, blocks > 0 {
                blocks -= 1
            }
            advance()
        }
    }
}
