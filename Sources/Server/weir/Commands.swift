import Base
import Runtime

/// A command of the table and what it does.
struct RegisteredCommand: Sendable {
    var spec: CommandSpec
    var run: @Sendable (CommandContext) throws(Problem) -> ExitCode
}

/// Everything that `weir` understands, in the order in which help lists it.
private let registeredCommands: [RegisteredCommand] =
    serveCommands + demoCommands + brokerCommands + sqlCommands + tableCommands
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
    commands: registeredCommands.map(\.spec))

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
            arguments: [ArgumentSpec("SHELL", .one, "bash, zsh or fish")],
            examples: [("source <(weir completion bash)", "completes in this shell")]),
        run: { (context) throws(Problem) in
            let shell = context.invocation.arguments[0]
            guard ["bash", "zsh", "fish"].contains(shell) else {
                throw Problem(
                    "usage.value", "\"\(shell)\" is not a shell that weir knows",
                    notes: ["one of: bash, zsh, fish"])
            }
            context.print(context.table.completionScript(shell: shell))
            return .ok
        }),
    RegisteredCommand(
        spec: CommandSpec(
            "help", "Explains a command, or lists all",
            arguments: [ArgumentSpec("COMMAND", .any, "The words of the command")],
            flags: [FlagSpec("man", nil, "Prints the manual page of the program")],
            examples: [("weir help --man | man -l -", "shows the manual page")]),
        run: { (context) throws(Problem) in
            if context.invocation.isSet("man") {
                context.print(context.table.manualPage())
                return .ok
            }
            context.print(try context.table.help(for: context.invocation.arguments))
            return .ok
        }),
]

/// Runs what the command line of this process says; the result is its exit code.
func runCommandLine() -> Int32 {
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
