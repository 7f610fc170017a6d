import Base
import Runtime

/// The answer of `POST /query`, ready to be written in any form.
struct QueryAnswer {
    let json: JSONValue
    let command: String
    let names: [String]
    let types: [String]
    let rows: [JSONValue]
    let isTruncated: Bool
    let notices: [String]
    let milliseconds: Double?

    init(_ json: JSONValue) {
        self.json = json
        command = json["command"]?.stringValue ?? ""
        let columns = json["columns"]?.arrayValue ?? []
        names = columns.map { $0["name"]?.stringValue ?? $0.stringValue ?? "?" }
        types = columns.map { $0["type"]?.stringValue ?? "" }
        rows = json["rows"]?.arrayValue ?? []
        isTruncated = json["truncated"]?.boolValue ?? false
        notices = (json["notices"]?.arrayValue ?? []).compactMap(\.stringValue)
        milliseconds = json["elapsed_ms"]?.doubleValue
    }

    /// Runs one statement.
    static func run(
        _ statement: String, on service: any QueryService, limit: Int64?
    ) throws(Problem) -> QueryAnswer {
        var members = [JSONMember("sql", .string(statement))]
        if let limit { members.append(JSONMember("limit", .int(limit))) }
        return QueryAnswer(try service.json("POST", "/query", body: .object(members)))
    }

    private func cells(_ row: JSONValue) -> [JSONValue] {
        row.arrayValue ?? names.map { row[$0] ?? .null }
    }

    /// Whether a column's values are numbers, which stand on the right.
    private func isNumber(_ column: Int) -> Bool {
        let type = types[column].lowercased()
        let isNumeric = ["int", "numeric", "decimal", "double", "real", "float"].contains {
            type.contains($0)
        }
        return isNumeric && !type.contains("interval") && !type.contains("[")
    }

    var table: TextTable {
        let headings = names.indices.map {
            TextTable.Heading(names[$0], isNumber: isNumber($0))
        }
        return TextTable(
            headings, rows: rows.map { row in cells(row).map(Self.text) }, missing: "NULL")
    }

    /// A value as text: strings bare, everything else as JSON.
    private static func text(_ value: JSONValue) -> String? {
        switch value {
        case .null: nil
        case .string(let text): text
        default: value.text
        }
    }

    /// The answer in a form of `--output`.
    func written(as form: String, expanded: Bool = false, width: Int? = nil) -> String {
        switch form {
        case "json": return jsonText(json)
        case "ndjson":
            var text = ""
            for row in rows {
                let members = zip(names, cells(row)).map { JSONMember($0, $1) }
                text += JSONValue.object(members).text + "\n"
            }
            return text
        case "csv": return names.isEmpty ? "" : table.csv()
        case "tsv": return names.isEmpty ? "" : table.tsv()
        case "md": return names.isEmpty ? "" : table.markdown()
        default:
            if names.isEmpty { return command.isEmpty ? "" : command + "\n" }
            if expanded { return table.expanded() }
            let text = table.ruled(isComplete: !isTruncated)
            // A table that wraps at the edge of the terminal can't be read.
            if let width, let first = text.split(separator: "\n").first,
                displayWidth(String(first)) > width, rows.count <= 40
            {
                return table.expanded()
            }
            return text
        }
    }

    /// The first text column against the last numeric one, as bars.
    func bars(width: Int) throws(Problem) -> String {
        let numbers = names.indices.filter(isNumber)
        guard let value = numbers.last, let label = names.indices.first(where: { $0 != value })
        else {
            throw Problem(
                "shell.plot", "bars need a column with labels and one with numbers",
                hint: "for example SELECT event_type, count(*) … GROUP BY 1")
        }
        let points = rows.prefix(100).map { row -> (label: String, value: Double) in
            let all = cells(row)
            let number =
                all[value].doubleValue ?? all[value].stringValue.flatMap { Double($0) } ?? 0
            return (Self.text(all[label]) ?? "NULL", number)
        }
        return renderBars(points, width: width)
    }
}
