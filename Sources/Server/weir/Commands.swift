import Base
import CPlatform
import Runtime

/// A command of the table and what it does.
struct RegisteredCommand: Sendable {
    var spec: CommandSpec
    var run: @Sendable (CommandContext) throws(Problem) -> ExitCode
}

/// Everything that `weir` understands, in the order in which help lists it.
private let registeredCommands: [RegisteredCommand] =
    serveCommands + demoCommands + brokerCommands + sqlCommands + tableCommands + transferCommands
    + parquetCommands + doctorCommands
    + benchCommands + simulationCommands + generalCommands

let commandTable = CommandTable(
    program: "weir",
    summary: "the log, the tables and the SQL of a data platform in one program",
    globalFlags: [
        FlagSpec(
            "output", "o", value: "FORM", "How results are written", fallback: "text",
            choices: ["text", "json", "ndjson", "csv", "tsv", "md"], readsEnvironment: true),
        FlagSpec("quiet", "q", "Results and errors only", readsEnvironment: true),
    ],
    commands: registeredCommands.map { command in
        var spec = command.spec
        // How to reach the broker is said by settings, for each command that does.
        if spec.flags.contains(where: { $0.long == brokerFlag.long }) { spec.takesSettings = true }
        return spec
    })

let brokerFlag = FlagSpec(
    "server", "b", value: "HOST:PORT", "The broker port of the server", fallback: "127.0.0.1:9092",
    readsEnvironment: true)
let httpFlag = FlagSpec(
    "http-server", value: "HOST:PORT", "The HTTP port of the server", fallback: "127.0.0.1:8888",
    readsEnvironment: true)

private let generalCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec("version", "Prints the version"),
        run: { (context) throws(Problem) in
            if context.isJSON {
                context.print(["version": .string(Version.number)])
            } else {
                context.print(Version.text + "\n")
            }
            return .ok
        }),
    RegisteredCommand(
        spec: CommandSpec(
            "completion", "Prints a completion script for a shell",
            details: """
                Completes commands, flags, their values, and names of topics and groups, which are
                asked of the server that WEIR_SERVER names.
                """,
            arguments: [
                ArgumentSpec(
                    "SHELL", .one, "bash, zsh or fish", kind: .choice(CommandTable.shells))
            ],
            examples: [
                ("source <(weir completion bash)", "completes in this shell"),
                ("weir completion zsh > \"${fpath[1]}/_weir\"", "completes in every zsh"),
                ("weir completion fish | source", "completes in this fish"),
            ]),
        run: { (context) throws(Problem) in
            let shell = context.invocation.arguments[0]
            guard CommandTable.shells.contains(shell) else {
                var notes = ["one of: " + CommandTable.shells.joined(separator: ", ")]
                if let near = nearestName(to: shell, among: CommandTable.shells) {
                    notes.insert("did you mean \"\(near)\"?", at: 0)
                }
                throw Problem(
                    "usage.value", "\"\(shell)\" is not a shell that weir knows", notes: notes)
            }
            context.print(context.table.completionScript(shell: shell))
            return .ok
        }),
    RegisteredCommand(
        spec: CommandSpec(
            "man", "Prints a manual page, or writes all of them into a directory",
            arguments: [
                ArgumentSpec("COMMAND", .any, "The words of a command", kind: .command)
            ],
            flags: [
                FlagSpec(
                    "directory", "d", value: "DIR", "Writes every page into this directory",
                    kind: .directory)
            ],
            examples: [
                ("weir man | man -l -", "shows the page of the program"),
                ("weir man topic create | man -l -", "shows the page of a command"),
                ("weir man -d /usr/local/share/man/man1", "installs all pages"),
            ]),
        run: manual),
    RegisteredCommand(
        spec: CommandSpec(
            "help", "Explains a command, or lists all",
            details: """
                `weir help client` lists the settings of the connection: encryption and sign-on. With
                -o json: the whole table of commands and flags, for programs.
                """,
            arguments: [
                ArgumentSpec("COMMAND", .any, "The words of the command", kind: .command)
            ]),
        run: { (context) throws(Problem) in
            if context.invocation.arguments == ["client"] {
                context.print(clientHelp)
                return .ok
            }
            let text = try context.table.help(for: context.invocation.arguments)
            if context.isJSON {
                context.print(context.table.json(below: context.invocation.arguments))
            } else {
                context.print(text)
            }
            return .ok
        }),
]

private let clientHelp =
    """
    Settings of the connection to the broker, for -X name=value, or name=value lines of the file that
    WEIR_CLIENT_CONFIG names (-X wins):


    """
    + ClientSettings.documentation.map { "  \(padded($0.name, 36)) \($0.text)\n" }.joined()

private func manual(_ context: CommandContext) throws(Problem) -> ExitCode {
    guard let directory = context.invocation.string("directory") else {
        context.print(try context.table.manualPage(for: context.invocation.arguments))
        return .ok
    }
    let pages = context.table.manualPages
    for page in pages { try writeFile("\(directory)/\(page.name)", Bytes(utf8: page.text)) }
    if context.isJSON {
        context.print(["pages": .array(pages.map { .string("\(directory)/\($0.name)") })])
    } else {
        context.say("\(pages.count) pages written into \(directory)")
    }
    return .ok
}

/// Runs what the command line of this process says; the result is its exit code.
func runCommandLine() -> Int32 {
    // A reader that has seen enough is no error; see `standardOutput`.
    weir_ignore_broken_pipes()
    weir_keep_freed_memory()
    let words = Array(CommandLine.arguments.dropFirst())
    let wantsJSON = asksForJSON(words)
    do throws(Problem) {
        if words.isEmpty {
            standardError(try commandTable.help(for: []))
            return ExitCode.usage.rawValue
        }
        // `weir --version` is what people try first.
        let known = words == ["--version"] || words == ["-V"] ? ["version"] : words
        let invocation = try commandTable.parse(known, environment: environment)
        if invocation.wantsHelp {
            standardOutput(try commandTable.help(for: invocation.command.path))
            return ExitCode.ok.rawValue
        }
        let name = invocation.command.name
        guard let command = registeredCommands.first(where: { $0.spec.name == name }) else {
            throw Problem("usage.unknownCommand", "\"\(name)\" is not a command")
        }
        let context = CommandContext(table: commandTable, invocation: invocation)
        return try command.run(context).rawValue
    } catch {
        report(error, asJSON: wantsJSON)
        return ExitCode(for: error).rawValue
    }
}

/// A problem on the way out: for programs on standard output, for people on standard error.
func report(_ problem: Problem, asJSON: Bool, statement: String? = nil) {
    if asJSON {
        standardOutput(jsonText(problem.json))
    } else {
        standardError(
            problem.text(statement: statement, colour: CommandContext.coloursErrors))
    }
}

/// Whether errors should be JSON; asked of the raw words, because parsing may be what failed.
private func asksForJSON(_ words: [String]) -> Bool {
    var wish = environment("WEIR_OUTPUT") ?? ""
    for (index, word) in words.enumerated() {
        if word == "--" { break }
        if word == "-o" || word == "--output", index + 1 < words.count { wish = words[index + 1] }
        if word.utf8.starts(with: "--output=".utf8) { wish = String(word.dropFirst(9)) }
        if word.utf8.starts(with: "-o".utf8), word.utf8.count > 2 {
            wish = String(word.dropFirst(2))
        }
    }
    return wish == "json" || wish == "ndjson"
}
