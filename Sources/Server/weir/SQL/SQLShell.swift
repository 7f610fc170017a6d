import Base
import CEdit
import CPlatform
import Glibc
import Runtime
import SQL

/// The interactive shell: statements over several lines, history, completion, and psql's commands
/// for what people do all day.
struct SQLShell {
    private let service: any QueryService
    private let context: CommandContext
    private let limit: Int64?
    private var splitter = StatementSplitter()
    private var showsTime = true
    private var isExpanded = false
    private var lastAnswer: QueryAnswer?

    init(service: any QueryService, context: CommandContext, limit: Int64?) {
        self.service = service
        self.context = context
        self.limit = limit
    }

    mutating func run() throws(Problem) -> ExitCode {
        standardOutput("\(try greeting()). \\? for help, \\q to leave.\n")
        completionWords.fill(from: service)
        let editor = weir_edit_open("weir", Self.historyPath, completeWord)
        guard let editor else { throw Problem("shell.terminal", "the line editor can't start") }
        weir_edit_catch_interrupts()
        defer {
            weir_edit_close(editor)
            weir_edit_release_interrupts()
        }
        var pending = ""
        while true {
            let prompt = "weir\(splitter.waitsFor)> "
            var line: UnsafePointer<CChar>?
            switch Int(weir_edit_read(editor, prompt, &line)) {
            case Int(WEIR_EDIT_INTERRUPTED):
                splitter.reset()
                pending = ""
                continue
            case Int(WEIR_EDIT_END):
                standardOutput("\n")
                return .ok
            default: break
            }
            guard let line else { continue }
            let text = String(cString: line)
            if splitter.isEmpty, text.drop(while: { $0 == " " }).first == "\\" {
                weir_edit_remember(editor, text)
                if try !command(text) { return .ok }
                continue
            }
            pending += pending.isEmpty ? text : " " + text
            // `… \plot` and `… \x` at the end of a statement stand for its `;`.
            let (body, ending) = Self.ending(of: text)
            let statements = splitter.add(body + (ending == nil ? "\n" : ";\n"))
            if !statements.isEmpty || splitter.isEmpty {
                if !pending.isEmpty { weir_edit_remember(editor, pending) }
                pending = ""
            }
            for statement in statements { execute(statement, ending: ending) }
        }
    }

    private func greeting() throws(Problem) -> String {
        if let lake = service as? LocalLake {
            let count = lake.tables.count
            return
                "\(Version.text) on \(lake.place): \(grouped(count)) table\(count == 1 ? "" : "s")"
        }
        let version = try service.json("GET", "/health")["version"]?.stringValue ?? "?"
        return "Weir \(version) at \(service.place)"
    }

    private static var historyPath: String? {
        environment("WEIR_HISTORY") ?? environment("HOME").map { $0 + "/.weir_history" }
    }

    private static func ending(of line: String) -> (String, String?) {
        for ending in ["\\plot", "\\x"] where line.hasSuffix(ending) {
            return (String(line.dropLast(ending.count)), ending)
        }
        return (line, nil)
    }

    // MARK: Statements

    private mutating func execute(_ statement: String, ending: String? = nil) {
        let began = SystemClock.monotonic
        do throws(Problem) {
            let answer = try QueryAnswer.run(statement, on: service, limit: limit)
            lastAnswer = answer
            for notice in answer.notices { standardError("notice: \(printable(notice))\n") }
            if ending == "\\plot" {
                standardOutput(try answer.bars(width: columns))
            } else {
                let isWide = isExpanded || ending == "\\x"
                let form = context.invocation.string("output") ?? "text"
                standardOutput(answer.written(as: form, expanded: isWide, width: columns))
            }
            if showsTime {
                let elapsed = SystemClock.monotonic - began
                let seconds = Double(elapsed.wholeNanoseconds) / 1e9
                standardOutput("Time: \(durationText(seconds: seconds))\n")
            }
            // A statement that returns no rows may have made new names.
            if answer.names.isEmpty { completionWords.fill(from: service) }
        } catch {
            report(error, asJSON: false, statement: statement)
        }
    }

    private var columns: Int {
        let count = Int(weir_terminal_columns(1))
        return count > 20 ? count : 100
    }

    // MARK: Commands

    /// False = leave.
    private mutating func command(_ text: String) throws(Problem) -> Bool {
        let words = text.split(separator: " ").map(String.init)
        let argument = words.count > 1 ? words[1].filter { $0 != ";" } : nil
        do throws(Problem) {
            switch words.first ?? "" {
            case "\\q", "\\quit": return false
            case "\\?", "\\h", "\\help": standardOutput(Self.help)
            case "\\timing":
                showsTime.toggle()
                standardOutput("Times are \(showsTime ? "shown" : "not shown").\n")
            case "\\x":
                isExpanded.toggle()
                standardOutput("Rows are \(isExpanded ? "expanded" : "lines of a table").\n")
            case "\\d":
                if let argument {
                    standardOutput(
                        describeTable(
                            try service.json(
                                "GET", "/tables/" + PercentCoding.encodedPart(argument))))
                } else {
                    try listTables(layer: nil)
                }
            case "\\dt": try listTables(layer: argument)
            case "\\plot":
                guard let lastAnswer else {
                    throw Problem("shell.plot", "there is no result yet")
                }
                standardOutput(try lastAnswer.bars(width: columns))
            case "\\last":
                if let lastAnswer { standardOutput(lastAnswer.table.ruled(edgeRows: .max / 2)) }
            case "\\history":
                guard let argument else {
                    throw Problem("shell.usage", "\\history needs a table")
                }
                let answer = try service.json(
                    "GET", "/tables/\(PercentCoding.encodedPart(argument))/history")
                standardOutput(historyTable(answer).plain())
            default:
                let near = nearestName(to: words.first ?? "", among: Self.commandNames)
                throw Problem(
                    "shell.unknown", "\(words.first ?? "") is not a command of the shell",
                    notes: near.map { ["did you mean \($0)?"] } ?? [], hint: "\\? lists them")
            }
        } catch {
            report(error, asJSON: false)
        }
        return true
    }

    private func listTables(layer: String?) throws(Problem) {
        let query = layer.map { "?layer=" + PercentCoding.encodedPart($0) } ?? ""
        standardOutput(tableList(try service.json("GET", "/tables" + query)).plain())
    }

    private static let commandNames = [
        "\\d", "\\dt", "\\timing", "\\x", "\\plot", "\\last", "\\history", "\\q", "\\?",
    ]

    private static let help = """
        statements end with ; and may take several lines; Ctrl-C throws the line away
          \\d             lists tables, views and topics      \\d NAME      describes one
          \\dt [LAYER]    lists the tables of a layer         \\history T   its versions
          \\timing        shows times or not                  \\x           rows as lists or not
          … \\plot        draws the result as bars            … \\x         expands this result
          \\last          the last result in full             \\q           leaves

        """
}

// MARK: Completion

/// Names the shell completes: filled when it starts and after each statement without rows.
///
/// The line editor's callback carries no context, so this is the one variable of the program that
/// is not handed around; only the shell's thread uses it.
private final class CompletionWords: @unchecked Sendable {
    var relations: [String] = []
    var columns: [String] = []

    func fill(from service: any QueryService) {
        guard let answer = try? service.json("GET", "/tables") else { return }
        var names: [String] = []
        for table in answer["tables"]?.arrayValue ?? [] {
            if let name = table["name"]?.stringValue { names.append(name) }
        }
        relations = names
        columns = []
        for name in names.prefix(50) {
            guard let table = try? service.json("GET", "/tables/" + PercentCoding.encodedPart(name))
            else {
                continue
            }
            for column in table["columns"]?.arrayValue ?? [] {
                if let text = column["name"]?.stringValue, !columns.contains(text) {
                    columns.append(text)
                }
            }
        }
    }
}

private let completionWords = CompletionWords()

private let keywords = [
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "OFFSET", "JOIN",
    "LEFT JOIN", "ON", "AS", "AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS NULL", "IS NOT NULL",
    "CASE", "WHEN", "THEN", "ELSE", "END", "CAST", "DISTINCT", "DISTINCT ON", "UNION ALL", "WITH",
    "COUNT", "SUM", "AVG", "MIN", "MAX", "FILTER", "INTERVAL", "VERSION AS OF", "TIMESTAMP AS OF",
    "CREATE", "STREAMING TABLE", "MATERIALIZED VIEW", "VIEW", "TOPIC", "SCHEMA", "EXPECT",
    "DROP ROW", "FAIL UPDATE", "QUARANTINE INTO", "REFRESH POLICY", "STREAM", "SHOW", "TABLES",
    "TOPICS", "DESCRIBE", "HISTORY", "EXPLAIN", "DESC", "ASC",
]

/// Writes the typed part of the word and, one a line, what it can become.
private func completeWord(
    _ line: UnsafePointer<CChar>?, _ words: UnsafeMutablePointer<CChar>?, _ capacity: Int32
) {
    guard let line, let words, capacity > 0 else { return }
    let text = String(cString: line)
    let typed = String(
        text.reversed().prefix { $0.isLetter || $0.isNumber || "_.\\".contains($0) }.reversed())
    guard !typed.isEmpty else { return }
    let wanted = typed.lowercased()
    var found: [String] = []
    let functions = FunctionCatalog.names.map { $0 + "(" }
    for candidate in completionWords.relations + completionWords.columns + keywords + functions {
        let plain = candidate.lowercased()
        let bare = plain.split(separator: ".").last.map(String.init) ?? plain
        if plain.hasPrefix(wanted) || bare.hasPrefix(wanted), !found.contains(candidate) {
            found.append(candidate)
        }
    }
    let isLower = typed == typed.lowercased()
    let shown = found.map { keywords.contains($0) && isLower ? $0.lowercased() : $0 }
    let bytes = Array(([typed] + shown).joined(separator: "\n").utf8.prefix(Int(capacity) - 1))
    for (index, byte) in bytes.enumerated() { words[index] = CChar(bitPattern: byte) }
    words[bytes.count] = 0
}
