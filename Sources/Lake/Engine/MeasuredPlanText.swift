// Plans, measured or not, for people and as JSON.

import Base
import Columns
import SQL

extension MeasuredPlan {
    /// One line a node with its figures in columns, then those of the whole. Without `timing` two
    /// runs of one plan give the same text.
    package func lines(timing: Bool) -> [String] {
        var rows: [[String]] = [["rows", "batches"] + (timing ? ["time"] : []) + ["memory", ""]]
        var scans: [String] = [""]
        append(root, 0, timing, &rows, &scans)
        let widths = (0..<rows[0].count - 1).map { column in
            rows.map { $0[column].count }.max() ?? 0
        }
        var lines: [String] = []
        for (row, scan) in zip(rows, scans) {
            var line = ""
            for (column, width) in widths.enumerated() {
                line += String(repeating: " ", count: width - row[column].count) + row[column]
                line += "  "
            }
            lines.append(line + (row.last ?? "") + scan)
        }
        let onDisk = spilledBytes > 0 ? ", on disk: \(Self.bytes(spilledBytes))" : ""
        lines.append("Memory: \(Self.bytes(Int64(memoryBytes)))\(onDisk)")
        if timing { lines.append("Execution time: \(Self.time(elapsed))") }
        return lines
    }

    private func append(
        _ node: MeasuredNode, _ level: Int, _ timing: Bool, _ rows: inout [[String]],
        _ scans: inout [String]
    ) {
        var row = [Self.grouped(node.rows), Self.grouped(node.batches)]
        if timing { row.append(Self.time(node.time)) }
        row.append(node.memoryBytes == 0 ? "-" : Self.bytes(Int64(node.memoryBytes)))
        row.append(PlanText.indented(PlanText.describe(node.plan), level))
        rows.append(row)
        scans.append(node.figures.map { "  [\(Self.text($0))]" } ?? "")
        for input in node.inputs { append(input, level + 1, timing, &rows, &scans) }
    }

    private static func text(_ figures: SourceFigures) -> String {
        func counted(_ count: Int, _ word: String) -> String {
            "\(grouped(count)) \(word)\(count == 1 ? "" : "s")"
        }
        var text = "\(counted(figures.files, "file")) read"
        if figures.filesSkipped > 0 { text += ", \(grouped(figures.filesSkipped)) skipped" }
        if figures.rowGroups + figures.rowGroupsSkipped > 0 {
            text += "; \(counted(figures.rowGroups, "row group")) read"
            if figures.rowGroupsSkipped > 0 {
                text += ", \(grouped(figures.rowGroupsSkipped)) skipped"
            }
        }
        text += "; " + bytes(figures.bytes)
        if let records = figures.tailRecords {
            text += "; \(counted(records, "record")) of the log"
        }
        return text
    }

    // MARK: JSON

    /// The tree of nodes with their figures: times in milliseconds, memory in bytes.
    package func json(timing: Bool) -> JSONValue {
        var members = [
            JSONMember("plan", Self.json(root, timing: timing)),
            JSONMember("memory_bytes", .int(memoryBytes)),
        ]
        if timing { members.append(JSONMember("time_ms", Self.milliseconds(elapsed))) }
        return .object(members)
    }

    private static func json(_ node: MeasuredNode, timing: Bool) -> JSONValue {
        var members = PlanText.jsonMembers(node.plan)
        members.append(JSONMember("rows", .int(node.rows)))
        members.append(JSONMember("batches", .int(node.batches)))
        if timing { members.append(JSONMember("self_time_ms", milliseconds(node.time))) }
        if node.memoryBytes > 0 {
            members.append(JSONMember("memory_bytes", .int(node.memoryBytes)))
        }
        if let figures = node.figures {
            members += [
                JSONMember("files_read", .int(figures.files)),
                JSONMember("files_skipped", .int(figures.filesSkipped)),
                JSONMember("row_groups_read", .int(figures.rowGroups)),
                JSONMember("row_groups_skipped", .int(figures.rowGroupsSkipped)),
                JSONMember("bytes_read", .int(figures.bytes)),
            ]
            if let records = figures.tailRecords {
                members.append(JSONMember("tail_records", .int(records)))
            }
        }
        if !node.inputs.isEmpty {
            members.append(
                JSONMember("inputs", .array(node.inputs.map { json($0, timing: timing) })))
        }
        return .object(members)
    }

    private static func milliseconds(_ duration: Duration) -> JSONValue {
        .double(Double(duration.wholeNanoseconds / 1000) / 1000)
    }

    // MARK: Numbers for people

    private static func grouped(_ number: Int) -> String {
        let digits = String(number)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return text
    }

    private static func bytes(_ count: Int64) -> String {
        for (size, unit) in [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")]
        where count >= size {
            let tenths = (Double(count) / Double(size) * 10).rounded()
            return "\(tenths / 10) \(unit)"
        }
        return "\(count) B"
    }

    private static func time(_ duration: Duration) -> String {
        let micros = duration.wholeNanoseconds / 1000
        if micros < 10_000 { return "\(micros) µs" }
        if micros < 10_000_000 { return "\(micros / 1000) ms" }
        return "\(micros / 100_000 / 10).\(micros / 100_000 % 10) s"
    }
}

extension PlanText {
    /// `"operator"`: its first word, and `"detail"`: the whole line.
    static func jsonMembers(_ plan: LogicalPlan) -> [JSONMember] {
        let detail = describe(plan)
        let name = detail.split(separator: " ").first.map(String.init) ?? detail
        return [JSONMember("operator", .string(name)), JSONMember("detail", .string(detail))]
    }

    /// The tree of nodes: `EXPLAIN (FORMAT JSON)`.
    static func json(_ plan: LogicalPlan, _ known: inout Set<Int>) -> JSONValue {
        var members = jsonMembers(plan)
        var inputs = plan.inputs
        if case .shared(let number, _) = plan, !known.insert(number).inserted { inputs = [] }
        if !inputs.isEmpty {
            var list: [JSONValue] = []
            for input in inputs { list.append(json(input, &known)) }
            members.append(JSONMember("inputs", .array(list)))
        }
        return .object(members)
    }
}

extension QueryExecutor {
    /// The plan as JSON: `EXPLAIN (FORMAT JSON)`.
    package static func explainJSON(_ plan: LogicalPlan) -> JSONValue {
        var known: Set<Int> = []
        return .object([JSONMember("plan", PlanText.json(plan, &known))])
    }
}
