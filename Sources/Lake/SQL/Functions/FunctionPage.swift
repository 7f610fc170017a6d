// docs/operating/sql-functions.md, written from the list of functions.

/// The page about functions.
package enum FunctionPage {
    package static let text: String = {
        var page = """
            # Functions of SQL

            Names, types and results are those of PostgreSQL 15; where they differ, the entry says so. This page
            is written from the list of functions that the engine itself uses, and a test runs every example.
            Refresh it with `WEIR_REWRITE_PAGES=1 swift test --filter FunctionListTests`. In the shell, the tab key
            completes names, `SHOW FUNCTIONS LIKE 'json%'` lists them, and a misspelt name is answered with the
            nearest one.

            Regular expressions are those of RE2: without look-around and references back to groups. `numeric`
            has at most 38 digits, and its scale belongs to the expression, not to the value. `time` is a type of
            expressions, but not of columns of tables; there is no `time with time zone`. Timestamps with time
            zone are shown in the session's time zone, here UTC.

            """
        for family in FunctionEntry.Family.allCases {
            let entries = FunctionCatalog.entries.filter { $0.family == family }
            if entries.isEmpty { continue }
            page += "\n## \(family.rawValue)\n\n| call | does | example | gives |\n"
            page += "|---|---|---|---|\n"
            for entry in entries { page += row(entry) + "\n" }
        }
        return page
    }()

    private static func row(_ entry: FunctionEntry) -> String {
        var calls = entry.forms.map { form in
            form.hasPrefix("((") || entry.name == "extract"
                ? "`\(cell(form))`"
                : "`\(entry.name)\(form.hasPrefix("→") ? " " : "")\(cell(form))`"
        }
        if !entry.aliases.isEmpty {
            calls.append("also " + entry.aliases.map { "`\($0)`" }.joined(separator: ", "))
        }
        let example = entry.example.isEmpty ? "" : "`\(cell(entry.example))`"
        let result = entry.example.isEmpty ? "" : "`\(cell(entry.result))`"
        return "| \(calls.joined(separator: "<br>")) | \(cell(entry.summary)) | \(example) "
            + "| \(result) |"
    }

    private static func cell(_ text: String) -> String {
        text.replacing("|", with: "\\|").replacing("\n", with: " ")
    }
}
