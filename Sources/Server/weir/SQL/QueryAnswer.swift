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
        _ statement: String, on service: any QueryService, limit: Int64?, session: String? = nil
    ) throws(Problem) -> QueryAnswer {
        var members = [JSONMember("sql", .string(statement))]
        if let session { members.append(JSONMember("session", .string(session))) }
        if let limit { members.append(JSONMember("limit", .int(limit))) }
        return QueryAnswer(try service.json("POST", "/query", body: .object(members)))
    }

    /// A session for several statements; nil when the server has none to give.
    static func beginSession(on service: any QueryService) -> String? {
        (try? service.json("POST", "/sessions"))?["session"]?.stringValue
    }

    static func endSession(_ session: String, on service: any QueryService) {
        _ = try? service.json("DELETE", "/sessions/" + session)
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
            // A plan is a text of several lines, not a table.
            if command == "EXPLAIN", names.count == 1 {
                return rows.map { (Self.text(cells($0)[0]) ?? "") + "\n" }.joined()
            }
            if expanded { return table.expanded() }
            // A table that wraps at the edge of the terminal can't be read. Few rows are written as
            // lists; of many the texts are cut more.
            let table = table
            var text = ""
            for cellWidth in [60, 40, 28, 20, 14, 10] {
                text = table.ruled(maxCellWidth: cellWidth, isComplete: !isTruncated)
                guard let width, let first = text.split(separator: "\n").dropFirst().first,
                    displayWidth(String(first)) > width
                else { return text }
                if rows.count <= 40 { return table.expanded() }
            }
            return text
        }
    }

    /// What the statement read, in words; empty when it read no file.
    var reading: String {
        let scan = json["scan"]
        guard let read = scan?["files_read"]?.intValue,
            let skipped = scan?["files_skipped"]?.intValue, read + skipped > 0
        else { return "" }
        var text = " · \(grouped(read)) file\(read == 1 ? "" : "s") read"
        if skipped > 0 { text += ", \(grouped(skipped)) skipped" }
        return text + " · " + byteText(scan?["bytes_read"]?.intValue ?? 0)
    }

    /// The result as a drawing: `line`, `bar` or `hist`; nil = what suits it.
    func plot(_ kind: String?, width: Int) throws(Problem) -> String {
        let numbers = names.indices.filter(isNumber)
        guard let value = numbers.last else {
            throw Problem(
                "shell.plot", "a drawing needs a column of numbers",
                hint: "for example SELECT event_type, count(*) … GROUP BY 1")
        }
        func number(_ row: JSONValue) -> Double {
            let cell = cells(row)[value]
            return cell.doubleValue ?? cell.stringValue.flatMap { Double($0) } ?? .nan
        }
        let label = names.indices.first { $0 != value }
        let isOrdered = label.map { label in
            isNumber(label) || types[label].hasPrefix("timestamp") || types[label] == "date"
        }
        let suits = label == nil ? "hist" : isOrdered == true && rows.count > 7 ? "line" : "bar"
        switch kind ?? suits {
        case "hist": return renderHistogram(rows.map(number), width: width)
        case "line":
            let labels = rows.map { row in label.flatMap { Self.text(cells(row)[$0]) } ?? "" }
            return renderLine(rows.map(number), labels: labels, width: width)
        case "bar":
            guard let label else {
                throw Problem("shell.plot", "bars need a column with labels, too")
            }
            return renderBars(
                rows.prefix(100).map { (Self.text(cells($0)[label]) ?? "NULL", number($0)) },
                width: width)
        default:
            throw Problem(
                "shell.plot", "there is no drawing \"\(kind ?? "")\"",
                hint: "\\plot, \\plot line, \\plot bar, \\plot hist")
        }
    }
}
