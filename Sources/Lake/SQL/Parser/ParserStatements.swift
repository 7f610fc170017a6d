// Statements by their first word, apart from CREATE.

import Base

extension Parser {
    mutating func statement() throws(Problem) -> Statement {
        if isNext("(") || isQueryStart() { return .query(try query()) }
        let start = token
        switch token.keyword {
        case .explain: return try explain()
        case .insert: return try insert()
        case .delete: return try delete()
        case .update: return try update()
        case .merge: return try merge()
        case .truncate: return try truncate()
        case .optimize: return try optimize()
        case .vacuum: return try vacuum()
        case .restore: return try restore()
        case .copy: return try copy()
        case .create: return try create()
        case .refresh:
            advance()
            try expect(.materialized, .view)
            _ = accept(.concurrently)
            let name = try objectName()
            if accept(.with) {
                _ = accept(.no)
                try expect(.data)
            }
            return .refreshMaterializedView(name)
        case .drop: return try drop()
        case .comment: return try comment()
        case .alter: return try alter()
        case .show: return try show()
        case .describe, .desc: return try describe()
        case .set: return try set()
        case .reset:
            advance()
            return .reset(name: accept(.all) ? nil : try settingName())
        case .begin, .start, .commit, .end, .rollback: return try transaction()
        case .savepoint:
            advance()
            return .transaction(.savepoint(try identifier("the name of a savepoint")))
        case .release:
            advance()
            _ = accept(.savepoint)
            return .transaction(.release(try identifier("the name of a savepoint")))
        case .prepare: return try prepare()
        case .execute: return try execute()
        case .deallocate: return try deallocate()
        case .discard:
            advance()
            try expect(.all)
            return .discardAll
        default: break
        }
        if isNextWord("abort") { return try transaction() }
        if isNextWord("fsck") { return try checkTable() }
        if isNextWord("convert") { return try convert() }
        if isNextWord("cancel") { return try cancelQuery() }
        if let planned = planned() {
            skipStatement()
            return .notSupported(
                NotSupported(words: planned.words, hint: planned.hint, position: start.position))
        }
        throw unknownStatement()
    }

    private func unknownStatement() -> Problem {
        guard token.kind == .word else { return unexpected(expected: "a statement") }
        let starts: [Keyword] = [
            .select, .insert, .create, .with, .show, .describe, .explain, .drop, .alter, .set,
            .values, .update, .delete, .refresh, .comment, .begin, .commit, .rollback, .reset,
            .grant, .revoke, .optimize, .vacuum, .restore, .subscribe, .copy, .truncate,
        ]
        let near = nearestName(to: spelling(token), among: starts.map(\.rawValue))
        return unexpected(hint: near.map { "did you mean \"\($0.uppercased())\"?" })
    }

    /// Statements of the dialect that are not built yet.
    private func planned() -> (words: String, hint: String)? {
        switch token.keyword {
        case .grant: ("GRANT", "every connection has all rights for now")
        case .revoke: ("REVOKE", "every connection has all rights for now")
        case .analyze: ("ANALYZE", "statistics are written with every file")
        case .subscribe: ("SUBSCRIBE", "run the query again, or consume the topic")
        case .declare: ("DECLARE CURSOR", "use LIMIT and OFFSET")
        case .fetch: ("FETCH", "use LIMIT and OFFSET")
        case .lock: ("LOCK", "a transaction that others contradict fails with 40001: run it again")
        case nil where isNextWord("call"): ("CALL", "there are no procedures")
        case nil where isNextWord("listen"): ("LISTEN", "consume a topic instead")
        case nil where isNextWord("use"): ("USE", "write the schema in front of the name")
        case .use: ("USE", "write the schema in front of the name")
        case .repair: ("REPAIR", "run \"weir doctor\"")
        default: nil
        }
    }

    // MARK: Objects

    /// `TABLE`, `STREAMING TABLE`, `VIEW`, …; nil when it is no kind that we have.
    mutating func objectKind() -> ObjectKind? {
        if accept(.streaming, .table) { return .streamingTable }
        if accept(.materialized, .view) { return .materializedView }
        if accept(.table) { return .table }
        if accept(.view) { return .view }
        if accept(.topic) { return .topic }
        if accept(.schema) { return .schema }
        return nil
    }

    private mutating func drop() throws(Problem) -> Statement {
        let start = token.position
        advance()
        guard let kind = objectKind() else { return try unknownObject("DROP", from: start) }
        let ifExists = accept(.if)
        if ifExists { try expect(.exists) }
        var names = [try objectName()]
        while accept(",") { names.append(try objectName()) }
        let cascade = accept(.cascade)
        if !cascade { _ = accept(.restrict) }
        return .drop(Drop(kind: kind, names: names, ifExists: ifExists, cascade: cascade))
    }

    /// A kind of object that the dialect knows but we have not, or an error.
    mutating func unknownObject(_ verb: String, from start: Int) throws(Problem) -> Statement {
        guard let hint = Parser.plannedObject(spelling(token).lowercased()) else {
            let kinds = [
                "table", "view", "topic", "schema", "streaming", "materialized",
            ]
            let near = token.kind == .word ? nearestName(to: spelling(token), among: kinds) : nil
            throw unexpected(
                expected: "a kind of object, such as TABLE, VIEW or TOPIC",
                hint: near.map { "did you mean \"\($0.uppercased())\"?" })
        }
        let words = "\(verb) \(spelling(token).uppercased())"
        skipStatement()
        return .notSupported(NotSupported(words: words, hint: hint, position: start))
    }

    private static func plannedObject(_ word: String) -> String? {
        switch word {
        case "source": "produce to the topic, or use the HTTP gateway"
        case "flow": "use CREATE STREAMING TABLE … AS SELECT … FROM STREAM(topic)"
        case "sink": "consume the table over SQL, or produce to the topic yourself"
        case "task": "schedule the statement outside, for example with cron and weir sql -c"
        case "alert": "query the weir.* tables from your monitoring"
        case "test": "compare with a query over VALUES"
        case "secret", "connection": "connectors take their settings from the configuration"
        case "subscription": "consume the topic with any Kafka client"
        case "function", "procedure", "aggregate", "trigger": "write the expression in a view"
        case "index": "files are skipped by statistics; use CLUSTER BY or PARTITIONED BY"
        case "user", "role", "group": "every connection has all rights for now"
        case "database": "there is one database; use schemas"
        case "extension": "everything is built in"
        case "type", "domain": "use the built-in types"
        case "sequence": "use gen_random_uuid() or the offset of the record"
        default: nil
        }
    }

    private mutating func comment() throws(Problem) -> Statement {
        let start = token.position
        advance()
        try expect(.on)
        let kind: ObjectKind
        if accept(.column) {
            kind = .column
        } else if let found = objectKind() {
            kind = found
        } else {
            return try unknownObject("COMMENT ON", from: start)
        }
        let name = try objectName()
        try expect(.is)
        if accept(.null) { return .comment(kind, name, text: nil) }
        return .comment(kind, name, text: try string("a string or NULL"))
    }

    // MARK: SHOW, DESCRIBE

    private mutating func show() throws(Problem) -> Statement {
        let start = token.position
        advance()
        if accept(.tables) { return .show(.tables(schema: try showSchema())) }
        if accept(.views) { return .show(.views(schema: try showSchema())) }
        if accept(.topics) { return .show(.topics) }
        if accept(.schemas) || acceptWord("databases") { return .show(.schemas) }
        if acceptWord("functions") {
            return .show(.functions(like: accept(.like) ? try string() : nil))
        }
        if accept(.all) { return .show(.all) }
        if accept(.create) {
            skipStatement()
            return .notSupported(
                NotSupported(
                    words: "SHOW CREATE", hint: "use DESCRIBE, or the catalog", position: start))
        }
        if accept(.time, .zone) { return .show(.setting("timezone")) }
        if accept(.transaction) {
            guard acceptWord("isolation") else { throw unexpected(expected: "ISOLATION LEVEL") }
            guard acceptWord("level") else { throw unexpected(expected: "LEVEL") }
            return .show(.setting("transaction_isolation"))
        }
        if isNext(.session), isNextWord("authorization", ahead: 1) {
            index += 2
            return .show(.setting("session_authorization"))
        }
        return .show(.setting(try settingName()))
    }

    private mutating func showSchema() throws(Problem) -> String? {
        guard accept(.from) || accept(.in) else { return nil }
        return try identifier("a schema name").name
    }

    private mutating func describe() throws(Problem) -> Statement {
        advance()
        if accept(.history) {
            return .describe(try objectName("a table name"), history: true)
        }
        // `detail` and `files` may be tables, too.
        if isNextWord("detail"), isIdentifier(ahead: 1) {
            advance()
            return .describeDetail(try objectName("a table name"))
        }
        if isNextWord("files"), isIdentifier(ahead: 1) {
            advance()
            return .describeFiles(try objectName("a table name"))
        }
        _ = objectKind()
        _ = acceptWord("extended")
        return .describe(try objectName("a table name"), history: false)
    }

    // MARK: Settings and transactions

    private mutating func settingName() throws(Problem) -> String {
        var name = try label().name
        while accept(".") { name += "." + (try label().name) }
        return name
    }

    private mutating func set() throws(Problem) -> Statement {
        advance()
        var isLocal = false
        if accept(.local) {
            isLocal = true
        } else if isNext(.session), !isNext(.to, ahead: 1), !isNext("=", ahead: 1) {
            advance()
            let position = token.position
            if acceptWord("characteristics") {
                guard accept(.as) else { throw unexpected(expected: "AS") }
                guard accept(.transaction) else { throw unexpected(expected: "TRANSACTION") }
                return try transactionSetting(
                    "default_transaction_read_only", isLocal: false, at: position)
            }
        }
        let position = token.position
        if accept(.time, .zone) {
            var values: [String] = []
            if accept(.interval) {
                values = ["interval", try string()]
                // What it is from and to the text says.
                for word in ["hour", "minute", "second"] {
                    guard acceptWord(word) else { continue }
                    _ = accept(.to)
                }
            } else if !accept(.local), !accept(.default) {
                values = [try settingValue()]
            }
            return .set(name: "timezone", values: values, isLocal: isLocal, position: position)
        }
        if accept(.transaction) {
            return try transactionSetting(
                "transaction_read_only", isLocal: isLocal, at: position)
        }
        if acceptWord("names") {
            return .set(
                name: "client_encoding", values: [try settingValue()], isLocal: isLocal,
                position: position)
        }
        let name = try settingName()
        guard accept(.to) || accept("=") else { throw unexpected(expected: "TO or =") }
        if accept(.default) {
            return .set(name: name, values: [], isLocal: isLocal, position: position)
        }
        var values = [try settingValue()]
        while accept(",") { values.append(try settingValue()) }
        return .set(name: name, values: values, isLocal: isLocal, position: position)
    }

    /// Modes of transactions are a setting of this name, when they say whether it only reads.
    private mutating func transactionSetting(
        _ name: String, isLocal: Bool, at position: Int
    ) throws(Problem) -> Statement {
        guard let isReadOnly = try transactionModes() else {
            return .set(name: "transaction", values: [], isLocal: isLocal, position: position)
        }
        return .set(
            name: name, values: [isReadOnly ? "on" : "off"], isLocal: isLocal, position: position)
    }

    private mutating func settingValue() throws(Problem) -> String {
        if isString() { return try string() }
        let sign = accept("-") ? "-" : ""
        if !sign.isEmpty || token.kind == .number {
            guard token.kind == .number else { throw unexpected(expected: "a number") }
            let digits = spelling(token)
            advance()
            return sign + digits
        }
        guard token.kind == .word || token.kind == .quotedWord else {
            throw unexpected(expected: "a value")
        }
        return takeWord().name
    }

    private mutating func transaction() throws(Problem) -> Statement {
        var command: TransactionCommand
        switch token.keyword {
        case .begin, .start: command = .begin(isReadOnly: nil)
        case .commit, .end: command = .commit
        default: command = .rollback
        }
        if isNext(.start), !isNext(.transaction, ahead: 1) {
            advance()
            throw unexpected(expected: "TRANSACTION")
        }
        advance()
        if !accept(.work) { _ = accept(.transaction) }
        switch command {
        case .begin: command = .begin(isReadOnly: try transactionModes())
        case .rollback where accept(.to):
            _ = accept(.savepoint)
            return .transaction(.rollbackTo(try identifier("the name of a savepoint")))
        default:
            if accept(.and) {
                let isNegated = acceptWord("no")
                guard acceptWord("chain") else { throw unexpected(expected: "CHAIN") }
                if !isNegated { throw notSupported("AND CHAIN", hint: "BEGIN the next one") }
            }
        }
        return .transaction(command)
    }

    /// `ISOLATION LEVEL …, READ ONLY | READ WRITE, [NOT] DEFERRABLE`; whether it is READ ONLY, if it
    /// says so. All levels are the same: a transaction sees one state of the tables.
    private mutating func transactionModes() throws(Problem) -> Bool? {
        var isReadOnly: Bool?
        while !isAtEnd, !isNext(";") {
            if acceptWord("isolation") {
                guard acceptWord("level") else { throw unexpected(expected: "LEVEL") }
                if acceptWord("read") {
                    guard acceptWord("committed") || acceptWord("uncommitted") else {
                        throw unexpected(expected: "COMMITTED")
                    }
                } else if acceptWord("repeatable") {
                    guard acceptWord("read") else { throw unexpected(expected: "READ") }
                } else if isNextWord("serializable") {
                    throw notSupported(
                        "ISOLATION LEVEL SERIALIZABLE",
                        hint: "REPEATABLE READ sees one state of the tables, and fails when others"
                            + " have changed what it changes")
                } else {
                    throw unexpected(expected: "an isolation level")
                }
            } else if acceptWord("read") {
                let isOnly = acceptWord("only")
                guard isOnly || acceptWord("write") else {
                    throw unexpected(expected: "ONLY or WRITE")
                }
                isReadOnly = isOnly
            } else {
                _ = accept(.not)
                guard acceptWord("deferrable") else { throw unexpected() }
            }
            _ = accept(",")
        }
        return isReadOnly
    }
}
