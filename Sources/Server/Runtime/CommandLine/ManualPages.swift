// Manual pages in the `man` macros, made from the command table: one of the program, one of each
// command.

import Base

extension CommandTable {
    /// A page and the file it belongs in.
    package struct ManualPage: Sendable {
        package var name: String
        package var text: String
    }

    /// Every page, the program's first.
    package var manualPages: [ManualPage] {
        [ManualPage(name: "\(program).1", text: programPage)]
            + commands.map { ManualPage(name: "\(pageName($0)).1", text: page(of: $0)) }
    }

    /// The page of the command with the words `path`, or of the program when empty.
    package func manualPage(for path: [String]) throws(Problem) -> String {
        if path.isEmpty { return programPage }
        if let command = commands.first(where: { $0.path == path }) { return page(of: command) }
        let name = path.joined(separator: " ")
        let below = commands(below: path).map(\.name)
        let near = nearestName(to: name, among: commands.map(\.name))
        throw Problem(
            "usage.unknownCommand", "there is no manual page for \"\(name)\"",
            notes: below.isEmpty
                ? near.map { ["did you mean \"\($0)\"?"] } ?? []
                : ["one of: " + below.joined(separator: ", ")], hint: "\(program) help")
    }

    private func pageName(_ command: CommandSpec) -> String {
        ([program] + command.path).joined(separator: "-")
    }

    private var programPage: String {
        var text = title(program) + section("NAME") + "\(program) \\- \(escaped(summary))\n"
        text += section("SYNOPSIS") + ".B \(program)\n.I COMMAND\n[flags]\n"
        text += section("COMMANDS")
        for command in commands {
            let usage = command.path + command.arguments.map(\.usage)
            text += ".TP\n.B \(escaped(usage.joined(separator: " ")))\n"
            text += "\(escaped(command.summary)). See\n.BR \(escaped(pageName(command))) (1).\n"
        }
        text += section("FLAGS OF EVERY COMMAND") + list(globalFlags.map(describe))
        text += section("OUTPUT")
        text += """
            Results go to standard output, everything else to standard error.
            With
            .B \\-o json
            the result is one JSON object, errors included;
            .B ndjson
            is one object a line;
            .B tsv
            has no headings, and a hyphen for what is missing.
            Texts for people may change; the other forms only gain members and columns.

            """
        return text + exitStatus
    }

    private func page(of command: CommandSpec) -> String {
        let name = pageName(command)
        var text = title(name) + section("NAME")
        text += "\(escaped(name)) \\- \(escaped(command.summary))\n" + section("SYNOPSIS")
        text += ".B \(escaped(([program] + command.path).joined(separator: " ")))\n"
        for argument in command.arguments { text += ".I \(escaped(argument.usage))\n" }
        if !command.flags.isEmpty { text += "[flags]\n" }
        if !command.details.isEmpty {
            text += section("DESCRIPTION") + ".nf\n"
            for line in command.details.split(separator: "\n", omittingEmptySubsequences: false) {
                text += escaped(String(line)) + "\n"
            }
            text += ".fi\n"
        }
        if !command.arguments.isEmpty {
            text += section("ARGUMENTS") + list(command.arguments.map { ([$0.name], $0.summary) })
        }
        if !command.flags.isEmpty { text += section("FLAGS") + list(command.flags.map(describe)) }
        text += section("FLAGS OF EVERY COMMAND") + list(globalFlags.map(describe))
        if !command.examples.isEmpty {
            text += section("EXAMPLES")
            for example in command.examples {
                text += ".TP\n.B \(escaped(example.line))\n\(escaped(example.does))\n"
            }
        }
        text += exitStatus + section("SEE ALSO")
        let related = commands.filter { $0.path[0] == command.path[0] && $0.path != command.path }
        let pages = [program] + related.map(pageName)
        for (index, page) in pages.enumerated() {
            text += ".BR \(escaped(page)) (1)\(index < pages.count - 1 ? "," : "")\n"
        }
        return text
    }

    private var exitStatus: String {
        section("EXIT STATUS")
            + list(ExitCode.documentation.map { (["\($0.code.rawValue)"], $0.text) })
    }

    private func title(_ name: String) -> String {
        ".TH \"\(escaped(name.uppercased()))\" 1 \"\" \"Weir \(Version.number)\"\n"
    }

    private func section(_ name: String) -> String { ".SH \(name)\n" }

    private func list(_ rows: [([String], String)]) -> String {
        rows.map { names, text in
            let name = names.joined(separator: " ").drop { $0 == " " }
            return ".TP\n.B \(escaped(String(name)))\n\(escaped(text))\n"
        }.joined()
    }

    private func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            case "…": result += "..."
            case "→": result += "\\(->"
            case "–": result += "\\(en"
            case "\"": result += "\\(dq"
            default: result.append(character)
            }
        }
        // A line that begins with a dot or quote would be a macro.
        return result.utf8.first == 0x2E || result.utf8.first == 0x27 ? "\\&" + result : result
    }
}
