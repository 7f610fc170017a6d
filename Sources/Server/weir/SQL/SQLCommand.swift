import Base
import CPlatform
import Runtime

let sqlCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "sql", "Runs SQL statements, or opens the shell",
            details: """
                Without -c and -f: the shell at a terminal, else statements from standard input.

                With a folder, a Parquet file or a bucket there is no server: the Delta tables and
                Parquet files in it have names, bronze/events is bronze.events, and statements may
                read others as delta.'path' and parquet.'path'.
                """,
            arguments: [
                ArgumentSpec(
                    "PLACE", .optional, "A folder, file or s3://bucket/prefix in place of a server",
                    kind: .directory)
            ],
            flags: [
                FlagSpec(
                    "command", "c", value: "SQL", "Run these statements", isRepeatable: true),
                FlagSpec(
                    "file", "f", value: "FILE", "Run the statements in a file (- = standard input)",
                    isRepeatable: true),
                FlagSpec(
                    "limit", "n", value: "ROWS",
                    "Return at most so many rows of each query (1000), or all of them"),
                httpFlag,
            ],
            examples: [
                ("weir sql", "opens the shell"),
                ("weir sql -c 'SHOW TABLES'", "lists the tables"),
                ("weir sql ./lake", "opens the tables in a folder"),
                ("weir sql -o csv -f report.sql > report.csv", "writes a result as CSV"),
            ]),
        run: runSQL)
]

private func runSQL(_ context: CommandContext) throws(Problem) -> ExitCode {
    let service = try context.service(at: context.invocation.arguments.first)
    let limit: Int64? =
        context.invocation.string("limit")?.lowercased() == "all"
        ? .max : try context.invocation.integer("limit", in: 0...10_000_000)
    var scripts = context.invocation.strings("command")
    for path in context.invocation.strings("file") { scripts.append(try readFile(path).text) }
    if scripts.isEmpty {
        if weir_is_terminal(0) == 1, weir_is_terminal(1) == 1 {
            var shell = SQLShell(
                service: service, context: context, limit: limit.map { min($0, 10_000_000) })
            return try shell.run()
        }
        scripts = [try readFile("-").text]
    }
    let form = context.invocation.string("output") ?? "text"
    var statements: [String] = []
    for script in scripts {
        var splitter = StatementSplitter()
        statements += splitter.add(script)
        let rest = splitter.rest()
        if !rest.isEmpty { statements.append(rest) }
    }
    // What one statement sets is for the next ones.
    let session = statements.count > 1 ? QueryAnswer.beginSession(on: service) : nil
    defer { if let session { QueryAnswer.endSession(session, on: service) } }
    for statement in statements {
        do throws(Problem) {
            let answer = try QueryAnswer.run(
                statement, on: service, limit: limit, session: session)
            for notice in answer.notices { context.say("notice: " + printable(notice)) }
            context.print(answer.written(as: form))
            // A file of rows does not say that it is not all of them; an object of JSON does.
            if answer.isTruncated, form != "json", !context.invocation.isSet("quiet") {
                standardError(
                    "notice: there are more than these \(grouped(Int64(answer.rows.count))) rows:"
                        + " --limit N or --limit all fetches them\n")
            }
        } catch {
            var error = error
            if statement.hasPrefix("\\"), error.code == "42601" {
                error.hint =
                    "only the shell knows commands with \\; SHOW TABLES, DESCRIBE t and"
                    + " COPY are statements"
            }
            report(error, asJSON: context.isJSON, statement: statement)
            return ExitCode(for: error)
        }
    }
    return .ok
}
