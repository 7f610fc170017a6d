import Base
import Runtime
import SQL

let tableCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "table list", "Lists tables, views and topics",
            details: "With a folder or a bucket: the tables in it, without a server.",
            arguments: [placeArgument],
            flags: [
                FlagSpec(
                    "layer", "l", value: "SCHEMA", "Only those of one layer, for example gold"),
                httpFlag,
            ],
            examples: [("weir table list ./lake", "what is in a folder")]),
        run: { (context) throws(Problem) in
            let layer = context.invocation.string("layer")
            let query = layer.map { "?layer=" + PercentCoding.encodedPart($0) } ?? ""
            let service = try context.service(at: context.invocation.arguments.first)
            let answer = try service.json("GET", "/tables" + query)
            context.printTable(tableList(answer, context.numbers), json: answer)
            return .ok
        }),
    RegisteredCommand(
        spec: CommandSpec(
            "table describe", "Describes a table: columns, version, size, quality, sources",
            arguments: [tableArgument], flags: [httpFlag]),
        run: { (context) throws(Problem) in
            let table = try context.namedTable()
            let answer = try table.service.json(
                "GET", "/tables/" + PercentCoding.encodedPart(table.name))
            if context.isJSON {
                context.print(answer)
            } else {
                context.print(describeTable(answer))
            }
            return .ok
        }),
    RegisteredCommand(
        spec: CommandSpec(
            "table history", "Lists the versions of a table",
            arguments: [tableArgument],
            flags: [FlagSpec("limit", "n", value: "N", "The newest N versions"), httpFlag]),
        run: { (context) throws(Problem) in
            let table = try context.namedTable()
            let limit = try context.invocation.integer("limit", in: 1...10_000)
            let query = limit.map { "?limit=\($0)" } ?? ""
            let answer = try table.service.json(
                "GET", "/tables/\(PercentCoding.encodedPart(table.name))/history\(query)")
            context.printTable(historyTable(answer, context.numbers), json: answer)
            return .ok
        }),
    RegisteredCommand(
        spec: CommandSpec(
            "table files", "Lists the files of a table", arguments: [tableArgument],
            flags: [httpFlag]),
        run: { (context) throws(Problem) in
            try runTableStatement(context) { "DESCRIBE FILES \($0)" }
        }),
    RegisteredCommand(
        spec: CommandSpec(
            "table optimize", "Merges small files of a table, and those with many deleted rows",
            arguments: [tableArgument],
            flags: [
                FlagSpec(
                    "order-by", value: "COLUMN",
                    "Brings rows near each other that are alike in"
                        + " these columns (Z-order)", isRepeatable: true), httpFlag,
            ],
            examples: [("weir table optimize silver.events --order-by user_id", "by user")]),
        run: { (context) throws(Problem) in
            let columns = context.invocation.strings("order-by").map(quotedIdentifier)
            let order = columns.isEmpty ? "" : " ZORDER BY (\(columns.joined(separator: ", ")))"
            return try runTableStatement(context) { "OPTIMIZE \($0)\(order)" }
        }),
    RegisteredCommand(
        spec: CommandSpec(
            "table vacuum", "Deletes files that no version within the retention needs",
            details: """
                Readers of older versions lose them from then on. Less than the table's own retention
                (7 days unless it says otherwise) is refused.
                """,
            arguments: [tableArgument],
            flags: [
                FlagSpec("retain", value: "HOURS", "Keeps what was removed within these hours"),
                FlagSpec("dry-run", "n", "Lists the files and deletes nothing"), httpFlag,
            ]),
        run: { (context) throws(Problem) in
            let hours = try context.invocation.integer("retain", in: 0...1_000_000)
            let retention = hours.map { " RETAIN \($0) HOURS" } ?? ""
            let dryRun = context.invocation.isSet("dry-run") ? " DRY RUN" : ""
            return try runTableStatement(context) { "VACUUM \($0)\(retention)\(dryRun)" }
        }),
    RegisteredCommand(
        spec: CommandSpec(
            "table diff", "Shows what changed between two versions of a table",
            details: """
                Rows that were added and rows that were removed, as the two versions show them: what was
                added and removed again in between, or only moved to another file, is not a difference.
                """,
            arguments: [
                tableArgument, ArgumentSpec("FROM", .one, "A version"),
                ArgumentSpec("TO", .optional, "A later or earlier version; the newest"),
            ],
            flags: [FlagSpec("limit", "n", value: "N", "Show N rows", fallback: "20"), httpFlag],
            examples: [
                ("weir table diff gold.daily 41 42", "what the last refresh changed"),
                ("weir table diff ./lake/users 0 -o json", "since the beginning, for programs"),
            ]),
        run: runDiff),
    RegisteredCommand(
        spec: CommandSpec(
            "table restore", "Makes a table what it was, as a new version",
            arguments: [tableArgument],
            flags: [
                FlagSpec("to-version", value: "N", "The version to restore"),
                FlagSpec("to-time", value: "TIME", "The version of this moment"), httpFlag,
            ]),
        run: { (context) throws(Problem) in
            let version = try context.invocation.integer("to-version", in: 0...Int64.max)
            let time = context.invocation.string("to-time")
            guard (version == nil) != (time == nil) else {
                throw Problem(
                    "usage.value", "say either --to-version or --to-time",
                    hint: "weir table history TABLE lists the versions")
            }
            let target =
                version.map { "VERSION AS OF \($0)" }
                ?? "TIMESTAMP AS OF \(quotedLiteral(time ?? ""))"
            return try runTableStatement(context) { "RESTORE TABLE \($0) TO \(target)" }
        }),
    RegisteredCommand(
        spec: CommandSpec(
            "table fsck", "Looks for damage: the log, the files, every row",
            details: """
                Ends with exit code 1 when something is found, with --repair when something is left.
                Files that are gone leave the table in one commit, and their rows are counted; broken
                checkpoints and checksums are written anew from the commits. What needs a guess is named
                and left alone.
                """,
            arguments: [tableArgument],
            flags: [
                FlagSpec("repair", nil, "Makes whole what can be made whole"),
                FlagSpec("dry-run", "n", "Says what --repair would do"), httpFlag,
            ],
            examples: [("weir table fsck silver.users --repair --dry-run", "what would be done")]),
        run: checkTable),
]

let tableArgument = ArgumentSpec(
    "TABLE", .one,
    "schema.name, a bare name, or a folder: a/b in the server's lake, ./a or s3://b/a without one")
private let placeArgument = ArgumentSpec(
    "PLACE", .optional, "A folder or s3://bucket/prefix", kind: .directory)

private func checkTable(_ context: CommandContext) throws(Problem) -> ExitCode {
    let repairs = context.invocation.isSet("repair")
    let isDryRun = context.invocation.isSet("dry-run")
    guard repairs || !isDryRun else {
        throw Problem(
            "usage.value", "--dry-run is for --repair", hint: "without --repair nothing is changed")
    }
    let table = try context.namedTable()
    let words = "FSCK \(repairs ? "REPAIR " : "")TABLE \(table.sql)\(isDryRun ? " DRY RUN" : "")"
    let answer = try QueryAnswer.run(words, on: table.service, limit: nil)
    context.print(answer.written(as: context.invocation.string("output") ?? "text"))
    if answer.rows.isEmpty { context.say("the table is whole") }
    guard repairs, let place = answer.names.firstIndex(of: "repaired") else {
        return answer.rows.isEmpty ? .ok : .failed
    }
    let isLeft = answer.rows.contains { $0.arrayValue?[place].boolValue != true }
    return isLeft || isDryRun && !answer.rows.isEmpty ? .failed : .ok
}

/// Runs the statement about the table of the command, and prints its answer.
private func runTableStatement(
    _ context: CommandContext, _ statement: (String) -> String
) throws(Problem) -> ExitCode {
    let table = try context.namedTable()
    let answer = try QueryAnswer.run(statement(table.sql), on: table.service, limit: nil)
    context.print(answer.written(as: context.invocation.string("output") ?? "text"))
    return .ok
}

/// How numbers are written in lists: `1,204,511`, `1.2 MB`, `0.6 s` for people; digits alone, in
/// bytes and seconds, for programs.
enum NumberStyle {
    case people, programs

    func count(_ value: Int64) -> String { self == .people ? grouped(value) : String(value) }
    func bytes(_ value: Int64) -> String { self == .people ? byteText(value) : String(value) }
    func seconds(_ value: Double) -> String {
        self == .people ? durationText(seconds: value) : "\(value)"
    }
}

extension CommandContext {
    var numbers: NumberStyle {
        ["text", "md"].contains(invocation.string("output") ?? "text") ? .people : .programs
    }

    /// A list in the form that was asked for.
    func printTable(_ table: TextTable, json: @autoclosure () -> JSONValue) {
        switch invocation.string("output") ?? "text" {
        case "json": print(json())
        case "ndjson":
            for row in table.rows {
                let members = zip(table.headings, row).map { heading, value in
                    let json = value.map { heading.isNumber ? .number($0) : JSONValue.string($0) }
                    return JSONMember(heading.name.lowercased(), json ?? .null)
                }
                print(JSONValue.object(members).text + "\n")
            }
        case "csv": print(table.csv())
        case "tsv": print(table.tsv())
        case "md": print(table.markdown())
        default: print(table.plain())
        }
    }
}

func tableList(_ answer: JSONValue, _ numbers: NumberStyle = .people) -> TextTable {
    TextTable(
        [
            .init("NAME"), .init("KIND"), .init("VERSION", isNumber: true),
            .init("ROWS", isNumber: true), .init("SIZE", isNumber: true),
            .init("FRESH", isNumber: true), .init("STATUS"),
        ],
        rows: (answer["tables"]?.arrayValue ?? []).map { table in
            [
                table["name"]?.stringValue, table["kind"]?.stringValue,
                table["version"]?.intValue.map { numbers.count($0) },
                table["rows"]?.intValue.map { numbers.count($0) },
                table["bytes"]?.intValue.map { numbers.bytes($0) },
                table["freshness_seconds"]?.doubleValue.map { numbers.seconds($0) },
                table["status"]?.stringValue,
            ]
        })
}

func historyTable(_ answer: JSONValue, _ numbers: NumberStyle = .people) -> TextTable {
    TextTable(
        [
            .init("VERSION", isNumber: true), .init("TIMESTAMP"), .init("OPERATION"),
            .init("METRICS"),
        ],
        rows: (answer["history"]?.arrayValue ?? []).map { version in
            let metrics = (version["metrics"]?.members ?? []).map { member in
                "\(member.key) " + (member.value.stringValue ?? member.value.text)
            }
            return [
                version["version"]?.intValue.map { numbers.count($0) },
                version["timestamp"]?.stringValue,
                version["operation"]?.stringValue, metrics.joined(separator: ", "),
            ]
        })
}

func describeTable(_ table: JSONValue) -> String {
    func text(_ key: String) -> String? {
        table[key]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
    }
    func names(_ key: String) -> String? {
        let list = (table[key]?.arrayValue ?? []).compactMap(\.stringValue)
        return list.isEmpty ? nil : list.joined(separator: ", ")
    }
    var facts: [(String, String?)] = [
        ("name", text("name")), ("kind", text("kind")), ("comment", text("comment")),
        ("owner", text("owner")), ("version", table["version"]?.intValue.map { grouped($0) }),
        ("rows", table["rows"]?.intValue.map { grouped($0) }),
        ("size", table["bytes"]?.intValue.map { byteText($0) }),
        ("files", table["files"]?.intValue.map { grouped($0) }),
        ("last commit", text("last_commit")),
        ("fresh", table["freshness_seconds"]?.doubleValue.map { durationText(seconds: $0) }),
        ("path", text("path")), ("partitioned by", names("partition_columns")),
        ("sources", names("sources")), ("failure", text("failure")),
    ]
    for member in table["settings"]?.members ?? [] {
        facts.append((member.key, member.value.stringValue ?? member.value.text))
    }
    let shown = facts.filter { $0.1 != nil }
    let width = shown.map { displayWidth($0.0) }.max() ?? 0
    var result = ""
    for (name, value) in shown {
        result += padded(name, width) + "  " + printable(value ?? "") + "\n"
    }
    let columns = table["columns"]?.arrayValue ?? []
    if !columns.isEmpty {
        result +=
            "\n"
            + TextTable(
                [.init("COLUMN"), .init("TYPE"), .init("NULLABLE")],
                rows: columns.map {
                    [
                        $0["name"]?.stringValue, $0["type"]?.stringValue,
                        $0["nullable"]?.boolValue == false ? "no" : "yes",
                    ]
                }
            ).plain()
    }
    let rules = table["quality"]?.arrayValue ?? []
    if !rules.isEmpty {
        result +=
            "\n"
            + TextTable(
                [
                    .init("EXPECTATION"), .init("CONDITION"), .init("ACTION"),
                    .init("PASSED", isNumber: true), .init("FAILED", isNumber: true),
                ],
                rows: rules.map {
                    [
                        $0["name"]?.stringValue, $0["condition"]?.stringValue,
                        $0["action"]?.stringValue, $0["passed"]?.intValue.map { grouped($0) },
                        $0["failed"]?.intValue.map { grouped($0) },
                    ]
                }
            ).plain()
    }
    return result
}
