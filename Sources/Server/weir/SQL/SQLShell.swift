import Base
import CEdit
import CPlatform
import Glibc
import Runtime
import SQL

/// The interactive shell: statements over several lines, history, completion, and psql's commands
/// for what people do all day.
struct SQLShell {
    let service: any QueryService
    let context: CommandContext
    var caller: StatementCaller
    var limit: Int64?
    var splitter = StatementSplitter()
    var showsTime = true
    var isExpanded = false
    var lastAnswer: QueryAnswer?
    var lastStatement: String?
    /// The lines of the statement that has begun.
    var pending = ""

    init(service: any QueryService, context: CommandContext, limit: Int64?) {
        var service = service
        if var client = service as? HTTPClient {
            // A statement may take as long as it takes: Ctrl-C ends it.
            client.timeout = .seconds(86_400)
            service = client
        }
        self.service = service
        self.context = context
        self.limit = limit
        caller = StatementCaller(service)
    }

    mutating func run() throws(Problem) -> ExitCode {
        standardOutput("\(try greeting()). \\? for help, \\q to leave.\n")
        shellCompletion.begin(with: service)
        let editor = weir_edit_open("weir", Self.historyPath, completeWord)
        guard let editor else { throw Problem("shell.terminal", "the line editor can't start") }
        weir_edit_catch_interrupts()
        defer {
            weir_edit_close(editor)
            weir_edit_release_interrupts()
            caller.end()
        }
        while true {
            let prompt = "weir\(splitter.waitsFor)> "
            shellCompletion.before = pending.isEmpty ? "" : pending + "\n"
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
            if isCommand(text) {
                weir_edit_remember(editor, text)
                if !command(text) { return .ok }
                continue
            }
            switch Self.bareWord(text) {
            case "exit" where splitter.isEmpty, "quit" where splitter.isEmpty: return .ok
            case "help" where splitter.isEmpty:
                _ = command("\\?")
                continue
            case "exit", "quit", "help", "\\q", "\\?":
                standardError(
                    splitter.isQuoted
                        ? "hint: \(splitter.waitsFor) is not closed; Ctrl-C throws all of it away\n"
                        : "hint: a statement has begun: ; ends it, \\r throws it away, \\q leaves\n"
                )
            default: break
            }
            pending += pending.isEmpty ? text : "\n" + text
            // `… \plot` and others at the end of a statement stand for its `;`.
            let (body, ending) = Self.ending(of: text)
            let statements = splitter.add(body + (ending == nil ? "\n" : ";\n"))
            if !statements.isEmpty || splitter.isEmpty {
                if !pending.isEmpty { weir_edit_remember(editor, pending) }
                pending = splitter.isEmpty ? "" : splitter.begun
            }
            for (index, statement) in statements.enumerated() {
                let isLast = index == statements.count - 1
                guard execute(statement, ending: isLast ? ending : nil) else { break }
            }
        }
    }

    /// Whether a line is one of the shell, which may also come in the middle of a statement.
    private func isCommand(_ line: String) -> Bool {
        guard line.drop(while: { $0 == " " }).first == "\\", !splitter.isQuoted else {
            return false
        }
        return splitter.isEmpty || Self.ending(of: line).1 == nil
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

    /// A line of one word, as people type it who are used to other shells.
    private static func bareWord(_ line: String) -> String {
        line.lowercased().filter { $0 != " " && $0 != ";" }
    }

    /// What stands behind a statement in the place of `;`.
    struct Ending {
        var command: String
        var argument: String?
    }

    static func ending(of line: String) -> (String, Ending?) {
        guard let slash = line.lastIndex(of: "\\") else { return (line, nil) }
        let words = line[slash...].split(separator: " ").map { $0.filter { $0 != ";" } }
        guard let name = words.first, ["\\plot", "\\x", "\\watch", "\\g"].contains(name),
            words.count <= 2
        else { return (line, nil) }
        return (
            String(line[..<slash]),
            Ending(command: name, argument: words.count > 1 ? words[1] : nil)
        )
    }

    // MARK: Statements

    /// Runs and shows one statement. False when it failed.
    mutating func execute(_ statement: String, ending: Ending? = nil) -> Bool {
        lastStatement = statement
        if ending?.command == "\\watch" {
            return watch(statement, every: ending?.argument)
        }
        let began = SystemClock.monotonic
        do throws(Problem) {
            let answer = try caller.run(statement, limit: limit)
            lastAnswer = answer
            for notice in answer.notices { standardError("notice: \(printable(notice))\n") }
            try show(answer, ending)
            if showsTime {
                let elapsed = SystemClock.monotonic - began
                let seconds = Double(elapsed.wholeNanoseconds) / 1e9
                standardOutput("Time: \(durationText(seconds: seconds))\(answer.reading)\n")
            }
            return true
        } catch {
            report(error, asJSON: false, statement: statement)
            return false
        }
    }

    private func show(_ answer: QueryAnswer, _ ending: Ending?) throws(Problem) {
        if ending?.command == "\\plot", !answer.names.isEmpty {
            standardOutput(try answer.plot(ending?.argument, width: columns))
            return
        }
        let isWide = isExpanded || ending?.command == "\\x"
        let form = context.invocation.string("output") ?? "text"
        standardOutput(answer.written(as: form, expanded: isWide, width: columns))
        if form == "text", answer.isTruncated {
            standardOutput(
                limit ?? 0 < Self.limitOfAll
                    ? "Only these were fetched: \\limit 100000 or \\limit all for more.\n"
                    : "Only these were fetched: \\copy (SELECT …) TO 'file' writes any number.\n")
        }
    }

    /// Runs a statement again and again, until Ctrl-C.
    private mutating func watch(_ statement: String, every text: String?) -> Bool {
        let seconds = text.map { Double($0) ?? -1 } ?? 2
        guard seconds >= 0.1, seconds <= 86_400 else {
            report(
                Problem("shell.usage", "\\watch takes a number of seconds, at least 0.1"),
                asJSON: false)
            return false
        }
        let before = showsTime
        showsTime = false
        defer { showsTime = before }
        while true {
            if weir_is_terminal(1) == 1 { standardOutput("\u{1B}[H\u{1B}[2J") }
            standardOutput(
                "every \(text ?? "2") s, Ctrl-C ends it: \(SystemClock.timestamp.isoText)\n")
            guard execute(statement) else { return false }
            let next = SystemClock.monotonic + .nanoseconds(Int64(seconds * 1e9))
            while SystemClock.monotonic < next {
                if weir_edit_was_interrupted() == 1 {
                    standardOutput("\n")
                    return true
                }
                usleep(20_000)
            }
        }
    }

    var columns: Int {
        let count = Int(weir_terminal_columns(1))
        return count > 20 ? count : 100
    }
}
