import Base

/// Rows under headings, laid out for a terminal or written in a format for programs.
package struct TextTable: Sendable {
    package struct Heading: Sendable {
        package var name: String
        /// Numbers stand on the right.
        package var isNumber: Bool

        package init(_ name: String, isNumber: Bool = false) {
            self.name = name
            self.isNumber = isNumber
        }
    }

    package var headings: [Heading]
    /// nil = no value.
    package var rows: [[String?]] = []
    /// What stands for a missing value in the layouts for people.
    package var missing = "-"

    package init(_ headings: [Heading], rows: [[String?]] = [], missing: String = "-") {
        self.headings = headings
        self.rows = rows
        self.missing = missing
    }

    // MARK: For people

    /// Headings and columns separated by two spaces: lists of the command line.
    package func plain(maxCellWidth: Int = 60) -> String {
        let cells = rows.map { row in row.map { cell($0, maxCellWidth) } }
        let widths = columnWidths(cells, headings.map(\.name))
        var text = line(headings.map(\.name), widths, separator: "  ") + "\n"
        for row in cells { text += line(row, widths, separator: "  ") + "\n" }
        return text
    }

    /// Query results: a rule under the headings, and of many rows the first and the last ones with
    /// a line that says how many are not shown.
    package func ruled(
        edgeRows: Int = 20, maxCellWidth: Int = 60, isComplete: Bool = true
    ) -> String {
        let hidden = rows.count > 2 * edgeRows ? rows.count - 2 * edgeRows : 0
        let shown = hidden == 0 ? rows : Array(rows.prefix(edgeRows) + rows.suffix(edgeRows))
        let cells = shown.map { row in row.map { cell($0, maxCellWidth) } }
        let widths = columnWidths(cells, headings.map { printable($0.name) })
        var text = " " + line(headings.map { printable($0.name) }, widths, separator: " │ ") + "\n"
        text += widths.map { String(repeating: "─", count: $0 + 2) }.joined(separator: "┼") + "\n"
        for (index, row) in cells.enumerated() {
            if hidden > 0, index == edgeRows {
                text += " … \(grouped(hidden)) rows not shown …\n"
            }
            text += " " + line(row, widths, separator: " │ ") + "\n"
        }
        let count = rows.count == 1 ? "1 row" : "\(grouped(rows.count)) rows"
        text += "(\(count)\(isComplete ? "" : ", there are more"))\n"
        return text
    }

    /// One line per value, rows under each other: for rows too wide to stand beside each other.
    package func expanded() -> String {
        let width = headings.map { displayWidth(printable($0.name)) }.max() ?? 0
        var text = ""
        for (index, row) in rows.enumerated() {
            text += "─[ \(index + 1) ]" + String(repeating: "─", count: width) + "\n"
            for (heading, value) in zip(headings, row) {
                text += padded(printable(heading.name), width) + " │ "
                text += (value.map(printable) ?? missing) + "\n"
            }
        }
        let count = rows.count == 1 ? "1 row" : "\(grouped(rows.count)) rows"
        return text + "(\(count))\n"
    }

    private func cell(_ value: String?, _ maxWidth: Int) -> String {
        cut(value.map(printable) ?? missing, toWidth: maxWidth)
    }

    private func columnWidths(_ cells: [[String]], _ names: [String]) -> [Int] {
        var widths = names.map(displayWidth)
        for row in cells {
            for (column, text) in row.enumerated() where column < widths.count {
                widths[column] = max(widths[column], displayWidth(text))
            }
        }
        return widths
    }

    private func line(_ cells: [String], _ widths: [Int], separator: String) -> String {
        var text = ""
        for (column, value) in cells.enumerated() where column < widths.count {
            if column > 0 { text += separator }
            text += padded(value, widths[column], rightAligned: headings[column].isNumber)
        }
        while text.last == " " { text.removeLast() }
        return text
    }

    // MARK: For programs

    /// RFC 4180 with line feeds; a missing value is an empty field, an empty text is `""`.
    package func csv() -> String {
        headings.map { Self.csvField($0.name) }.joined(separator: ",") + "\n" + csvRows()
    }

    /// `csv` without the headings.
    package func csvRows() -> String {
        rows.map { row in
            row.map { $0.map(Self.csvField) ?? "" }.joined(separator: ",") + "\n"
        }.joined()
    }

    private static func csvField(_ text: String) -> String {
        let needsQuotes =
            text.isEmpty
            || text.utf8.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }
        if !needsQuotes { return text }
        return "\""
            + text.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\"\"") + "\""
    }

    /// No headings, `-` for a missing or empty value, tabs and line feeds escaped: for awk and cut.
    package func tsv() -> String {
        func field(_ value: String?) -> String {
            guard let value, !value.isEmpty else { return "-" }
            return printable(value)
        }
        var text = ""
        for row in rows { text += row.map(field).joined(separator: "\t") + "\n" }
        return text
    }

    package func markdown() -> String {
        func field(_ text: String) -> String {
            printable(text).split(separator: "|", omittingEmptySubsequences: false)
                .joined(separator: "\\|")
        }
        var text = "| " + headings.map { field($0.name) }.joined(separator: " | ") + " |\n"
        text += "|" + headings.map { $0.isNumber ? "---:|" : "---|" }.joined() + "\n"
        for row in rows {
            text += "| " + row.map { $0.map(field) ?? "" }.joined(separator: " | ") + " |\n"
        }
        return text
    }
}
