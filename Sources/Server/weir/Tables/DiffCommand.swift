import Base
import Runtime
import SQL

/// `weir table diff TABLE FROM [TO]`
func runDiff(_ context: CommandContext) throws(Problem) -> ExitCode {
    let arguments = context.invocation.arguments
    let table = try context.namedTable()
    let limit = try context.invocation.integer("limit", in: 0...1_000_000) ?? 20
    let from = try version(arguments[1])
    let history = try table.service.json(
        "GET", "/tables/\(PercentCoding.encodedPart(table.name))/history?limit=10000")
    let entries = history["history"]?.arrayValue ?? []
    let newest = entries.first?["version"]?.intValue ?? 0
    let to = arguments.count > 2 ? try version(arguments[2]) : newest

    let source = "table_diff(\(quotedLiteral(table.name)), \(from), \(to))"
    let counts = try QueryAnswer.run(
        "SELECT _change_type, sum(_rows)::bigint FROM \(source) GROUP BY 1", on: table.service,
        limit: nil)
    func count(_ kind: String) -> Int64 {
        for row in counts.rows {
            guard let cells = row.arrayValue, cells.count == 2 else { continue }
            if cells[0].stringValue == kind { return cells[1].intValue ?? 0 }
        }
        return 0
    }
    let (inserted, deleted) = (count("insert"), count("delete"))
    let rows = try QueryAnswer.run(
        "SELECT * FROM \(source) ORDER BY 3, 1 LIMIT \(limit)", on: table.service, limit: limit)
    let operations = entries.filter { entry in
        guard let version = entry["version"]?.intValue else { return false }
        return version > min(from, to) && version <= max(from, to)
    }
    if context.isJSON {
        let list = rows.rows.map { row in
            JSONValue.object(zip(rows.names, row.arrayValue ?? []).map { JSONMember($0, $1) })
        }
        context.print([
            "table": .string(table.name), "from": .int(from), "to": .int(to),
            "inserted": .int(inserted), "deleted": .int(deleted),
            "operations": .array(operations), "rows": .array(list),
        ])
        return .ok
    }
    let form = context.invocation.string("output") ?? "text"
    if form != "text" {
        context.print(rows.written(as: form))
        return .ok
    }
    var head = "\(table.name): version \(from) to \(to), \(grouped(operations.count)) commit"
    head += operations.count == 1 ? "" : "s"
    if !operations.isEmpty {
        let names = operations.prefix(5).compactMap { $0["operation"]?.stringValue }
        head +=
            " (" + names.reversed().joined(separator: ", ")
            + (operations.count > 5 ? ", …" : "") + ")"
    }
    context.print("\(head)\n\(grouped(inserted)) added, \(grouped(deleted)) removed\n")
    if !rows.rows.isEmpty { context.print("\n" + signed(rows).plain()) }
    let shown = Int64(rows.rows.count)
    if shown == limit { context.say("the first \(grouped(shown)) rows; --limit shows more") }
    return .ok
}

/// The rows with a sign in front: `+` came, `-` went; with how often when more than once.
private func signed(_ answer: QueryAnswer) -> TextTable {
    let plain = answer.table
    return TextTable(
        [TextTable.Heading("")] + plain.headings.dropFirst(2),
        rows: plain.rows.map { row in
            let sign = row[0] == "insert" ? "+" : "-"
            let count = row[1] == "1" ? "" : row[1] ?? ""
            return [sign + count] + row.dropFirst(2)
        }, missing: "NULL")
}

private func version(_ text: String) throws(Problem) -> Int64 {
    guard let version = Int64(text), version >= 0 else {
        throw Problem(
            "usage.value", "\"\(text)\" is not a version",
            hint: "weir table history TABLE lists them")
    }
    return version
}
