// The commands of the shell that begin with a backslash.

import Base
import CEdit
import CPlatform
import Glibc
import Runtime
import SQL

extension SQLShell {
    static let commandNames = [
        "\\d", "\\dt", "\\dv", "\\l", "\\dn", "\\df", "\\x", "\\timing", "\\limit", "\\watch",
        "\\plot",
        "\\last", "\\g", "\\e", "\\i", "\\copy", "\\history", "\\p", "\\r", "\\q", "\\?",
    ]

    /// What `\limit all` fetches: the shell keeps a result in its memory, some 500 MB of four
    /// columns.
    static let limitOfAll: Int64 = 1_000_000

    private static let help = """
        statements end with ; and may take several lines; Tab completes, Ctrl-R searches what was
        typed, Alt-Enter breaks a line, Ctrl-C ends a running statement or throws the line away
          \\d             lists tables, views and topics      \\d NAME       describes one
          \\dt [PATTERN]  tables of a layer, or like gold.ev* \\history T    its versions
          \\l, \\dn        lists the schemas                   \\df [WORD]    lists functions
          \\x             rows as lists, or not               \\timing       shows times, or not
          \\limit N|all   fetches so many rows (1000)         \\last         the last result in full
          \\e [FILE]      edits the last statement            \\i FILE       runs a file
          \\p             shows it, or what has begun         \\r            throws away what has
          \\copy T FROM 'file' | (SELECT …) TO 'file'         rows of files of this machine
          \\watch [S]     runs the last statement every S s   \\g            runs it once more
          \\plot [line|bar|hist]   draws the last result      \\q            leaves
        … \\plot, … \\watch 1, … \\x and … \\g may stand for the ; of a statement

        """

    /// False = leave.
    mutating func command(_ line: String) -> Bool {
        let text = line.drop { $0 == " " }
        let name = String(text.prefix { $0 != " " })
        var rest = String(text.dropFirst(name.count).drop { $0 == " " })
        while rest.last == " " || (rest.last == ";" && name != "\\copy") { rest.removeLast() }
        let argument = rest.isEmpty ? nil : rest
        do throws(Problem) {
            switch name.filter({ $0 != ";" }) {
            case "\\q", "\\quit", "\\exit": return false
            case "\\r", "\\reset":
                standardOutput(pending.isEmpty ? "No statement has begun.\n" : "Thrown away.\n")
                splitter.reset()
                pending = ""
            case "\\p":
                guard let text = pending.isEmpty ? lastStatement : pending else {
                    throw Self.nothingYet
                }
                standardOutput(text + "\n")
            case "\\?", "\\h", "\\help": standardOutput(Self.help)
            case "\\timing":
                showsTime = argument.map { $0 != "off" } ?? !showsTime
                standardOutput("Times are \(showsTime ? "shown" : "not shown").\n")
            case "\\x":
                isExpanded = argument.map { $0 != "off" } ?? !isExpanded
                standardOutput("Rows are \(isExpanded ? "expanded" : "lines of a table").\n")
            case "\\limit": try setLimit(argument)
            case "\\d", "\\d+":
                if let argument, !Self.isPattern(argument) {
                    try describe(argument)
                } else {
                    try listTables(argument)
                    if argument == nil { try listTopics() }
                }
            case "\\dt", "\\dt+": try listTables(argument)
            case "\\dv": try query("SHOW VIEWS")
            case "\\l", "\\dn":
                try query("SELECT schema_name, owner, relation_count FROM weir.schemas ORDER BY 1")
            case "\\df": try listFunctions(argument)
            case "\\plot":
                guard let lastAnswer else { throw Self.nothingYet }
                standardOutput(try lastAnswer.plot(argument, width: columns))
            case "\\last":
                guard let lastAnswer else { throw Self.nothingYet }
                standardOutput(lastAnswer.table.ruled(edgeRows: .max / 2))
            case "\\watch", "\\g":
                guard let lastStatement else { throw Self.nothingYet }
                _ = execute(lastStatement, ending: Ending(command: name, argument: argument))
            case "\\history":
                guard let argument else {
                    throw Problem("shell.usage", "\\history needs a table")
                }
                let answer = try service.json(
                    "GET", "/tables/\(PercentCoding.encodedPart(argument))/history")
                standardOutput(historyTable(answer).plain())
            case "\\i":
                guard let argument else { throw Problem("shell.usage", "\\i needs a file") }
                try runFile(Self.unquoted(argument))
            case "\\e": try edit(argument.map(Self.unquoted))
            case "\\copy": try copy(rest)
            default:
                let near = nearestName(
                    to: String(name.dropFirst()),
                    among: Self.commandNames.map { String($0.dropFirst()) })
                throw Problem(
                    "shell.unknown", "\(name) is not a command of the shell",
                    notes: near.map { ["did you mean \\\($0)?"] } ?? [], hint: "\\? lists them")
            }
        } catch {
            report(error, asJSON: false)
        }
        return true
    }

    private static let nothingYet = Problem("shell.usage", "no statement was run yet")

    private static func unquoted(_ text: String) -> String {
        for quote in ["'", "\""] where text.count >= 2 && text.hasPrefix(quote) {
            if text.hasSuffix(quote) { return String(text.dropFirst().dropLast()) }
        }
        return text
    }

    // MARK: Lists

    private mutating func query(_ sql: String) throws(Problem) {
        standardOutput(try caller.run(sql, limit: 10_000).table.plain())
    }

    /// The tables of a layer, or those that a pattern like `gold.ev*` or `*metrics` fits.
    private func listTables(_ wanted: String?) throws(Problem) {
        func show(_ answer: JSONValue) {
            let isEmpty = answer["tables"]?.arrayValue?.isEmpty ?? true
            standardOutput(isEmpty ? "There are no tables.\n" : tableList(answer).plain())
        }
        guard let wanted else { return show(try service.json("GET", "/tables")) }
        guard Self.isPattern(wanted) else {
            return show(
                try service.json("GET", "/tables?layer=" + PercentCoding.encodedPart(wanted)))
        }
        let answer = try service.json("GET", "/tables")
        let isQualified = wanted.contains(".")
        let found = (answer["tables"]?.arrayValue ?? []).filter { table in
            let name = table["name"]?.stringValue ?? ""
            let bare = name.split(separator: ".").last.map(String.init) ?? name
            return fnmatch(wanted, isQualified ? name : bare, 0) == 0
        }
        guard !found.isEmpty else {
            throw Problem("42P01", "no table is like \(wanted)", hint: "\\dt lists all of them")
        }
        show(["tables": .array(found)])
    }

    private static func isPattern(_ text: String) -> Bool {
        text.contains("*") || text.contains("?")
    }

    /// Topics are relations, too.
    private mutating func listTopics() throws(Problem) {
        // A folder has none.
        guard service is HTTPClient else { return }
        let topics = try caller.run("SHOW TOPICS", limit: 10_000)
        if !topics.rows.isEmpty { standardOutput("\n" + topics.table.plain()) }
    }

    private mutating func describe(_ name: String) throws(Problem) {
        do throws(Problem) {
            standardOutput(
                describeTable(
                    try service.json("GET", "/tables/" + PercentCoding.encodedPart(name))))
        } catch {
            // Tables of the system are no tables of a layer.
            guard error.code == "42P01",
                let answer = try? caller.run("DESCRIBE \(name)", limit: 10_000)
            else { throw error }
            standardOutput(answer.table.plain())
        }
    }

    private func listFunctions(_ word: String?) throws(Problem) {
        let wanted = word?.lowercased() ?? ""
        let names = Completion.functionNames.filter { $0.contains(wanted) }
        guard !names.isEmpty else {
            throw Problem("shell.unknown", "no function has \"\(wanted)\" in its name")
        }
        let width = (names.map(\.count).max() ?? 0) + 2
        let perLine = max(1, columns / width)
        var text = ""
        for (index, name) in names.enumerated() {
            let isLast = (index + 1) % perLine == 0 || index == names.count - 1
            text += isLast ? name + "\n" : padded(name, width)
        }
        standardOutput(text)
    }

    private mutating func setLimit(_ text: String?) throws(Problem) {
        switch text?.lowercased() {
        case nil: break
        case "all": limit = Self.limitOfAll
        default:
            guard let number = text.flatMap({ Int64($0) }), (0...10_000_000).contains(number) else {
                throw Problem("shell.usage", "\\limit takes a number of rows, or all")
            }
            limit = number
        }
        standardOutput("Up to \(grouped(limit ?? 1000)) rows are fetched.\n")
    }

    // MARK: Files

    private mutating func runFile(_ path: String) throws(Problem) {
        var splitter = StatementSplitter()
        var statements = splitter.add(try readFile(path).text)
        let rest = splitter.rest()
        if !rest.isEmpty { statements.append(rest) }
        for (index, statement) in statements.enumerated() where !execute(statement) {
            let left = statements.count - index - 1
            if left > 0 {
                throw Problem(
                    "shell.stopped",
                    "\(left) statement\(left == 1 ? "" : "s") behind it"
                        + " in \(path) \(left == 1 ? "was" : "were") not run")
            }
        }
    }

    /// Opens the user's editor on a file, or on the last statement, and runs what comes back.
    private mutating func edit(_ path: String?) throws(Problem) {
        let editor = environment("VISUAL") ?? environment("EDITOR") ?? "vi"
        let file = path ?? "/tmp/weir-\(getpid())-\(SystemClock.monotonic.nanoseconds).sql"
        if path == nil {
            // Statements can hold secrets: nobody else reads the file.
            let before = umask(0o077)
            defer { umask(before) }
            let text = pending.isEmpty ? lastStatement.map { $0 + ";" } ?? "" : pending
            try writeFile(file, Bytes(utf8: text + "\n"))
        }
        defer { if path == nil { unlink(file) } }
        guard weir_edit_run(editor + " " + Self.quotedForShell(file)) == 0 else {
            throw Problem(
                "shell.editor", "\(editor) failed: nothing is run",
                hint: "the variable EDITOR says which one is used")
        }
        let text = try readFile(file).text
        standardOutput(text.hasSuffix("\n") || text.isEmpty ? text : text + "\n")
        splitter.reset()
        let statements = splitter.add(text)
        pending = splitter.isEmpty ? "" : splitter.begun
        for statement in statements where !execute(statement) { return }
    }

    private static func quotedForShell(_ text: String) -> String {
        "'"
            + text.split(separator: "'", omittingEmptySubsequences: false).joined(
                separator: "'\\''")
            + "'"
    }

    // MARK: \copy

    /// COPY whose file is one of this machine.
    private mutating func copy(_ rest: String) throws(Problem) {
        let text = "COPY " + rest
        let parsed = try Parser.statement(text)
        guard case .copy(let copy) = parsed.statement else { return }
        guard !copy.isFromRequest else {
            throw Problem(
                "shell.copy", "\\copy reads files of this machine, not what is typed",
                hint: "\\copy … FROM 'file', or INSERT INTO … VALUES")
        }
        let began = SystemClock.monotonic
        var options = ""
        if copy.options.isEmpty {
            guard let format = FolderFormat(fileName: copy.path) else {
                throw Problem(
                    "shell.copy", "the format of \(copy.path) is not known from its name",
                    hint: "write WITH (FORMAT csv), json or parquet behind it")
            }
            options = " WITH (FORMAT \(format.rawValue)\(format == .csv ? ", HEADER true" : ""))"
        }
        func statement(_ path: String) -> String {
            let bytes = Array(text.utf8)
            var end = copy.pathPosition + 1
            while end < bytes.count {
                if bytes[end] == 0x27 {
                    if end + 1 < bytes.count, bytes[end + 1] == 0x27 { end += 1 } else { break }
                }
                end += 1
            }
            let before = String(decoding: bytes[..<copy.pathPosition], as: UTF8.self)
            let behind = String(decoding: bytes[min(end + 1, bytes.count)...], as: UTF8.self)
                .filter { $0 != ";" }
            return before + quotedLiteral(path) + behind + options
        }
        let answer: QueryAnswer
        if let client = service as? HTTPClient {
            answer = try transfer(copy, on: client, statement)
        } else {
            answer = try caller.run(
                statement(try absolutePath(copy.path, isNew: copy.direction == .to)), limit: nil)
        }
        lastAnswer = answer
        let seconds = Double((SystemClock.monotonic - began).wholeNanoseconds) / 1e9
        standardOutput("\(answer.command)\n")
        if showsTime { standardOutput("Time: \(durationText(seconds: seconds))\n") }
    }

    private mutating func transfer(
        _ copy: Copy, on client: HTTPClient, _ statement: (String) -> String
    ) throws(Problem) -> QueryAnswer {
        switch copy.direction {
        case .from:
            let file = try ReadOnlyFile(copy.path)
            try checkTarget(of: copy)
            let upload = try ServerUpload(
                on: client, TransferProgress("sent", total: file.size, context))
            defer { upload.delete() }
            try upload.send { (position, count) throws(Problem) in
                do throws(StorageFailure) {
                    return try file.read(
                        at: position, count: Int(min(Int64(count), file.size - position)))
                } catch {
                    throw Problem(
                        "file.read", "can't read \(copy.path)", notes: [error.description])
                }
            }
            return try caller.run(statement(upload.name), limit: nil)
        case .to:
            // Before anything is computed that nothing can be done with.
            let target = try NewFile(copy.path)
            do throws(Problem) {
                let upload = try ServerUpload(
                    on: client, TransferProgress("received", total: nil, context))
                defer { upload.delete() }
                let answer = try caller.run(statement(upload.name), limit: nil)
                _ = try upload.fetch { (piece) throws(Problem) in try target.write(piece) }
                try target.finish()
                return answer
            } catch {
                target.cancel()
                throw error
            }
        }
    }

    /// Asks for the table and its columns before its rows are sent.
    private mutating func checkTarget(of copy: Copy) throws(Problem) {
        guard case .table(let name, let columns) = copy.subject else { return }
        let list = columns.map { quotedIdentifier($0.name) }.joined(separator: ", ")
        do throws(Problem) {
            _ = try caller.run(
                "SELECT \(list.isEmpty ? "*" : list) FROM \(name.qualified.sql) LIMIT 0", limit: 0)
        } catch {
            var problem = error
            // The place is one of another text.
            problem.position = nil
            throw problem
        }
    }

    private func absolutePath(_ path: String, isNew: Bool) throws(Problem) -> String {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[..<$0]) } ?? "."
        guard let resolved = realpath(isNew ? (folder.isEmpty ? "/" : folder) : path, nil) else {
            throw Problem("file.open", "can't open \(path): \(String(cString: strerror(errno)))")
        }
        defer { free(resolved) }
        let text = String(cString: resolved)
        return isNew ? text + "/" + lastComponent(of: path) : text
    }
}
