import Base

extension CommandTable {
    /// Help for the command or group with the words `path`; everything when empty.
    package func help(for path: [String]) throws(Problem) -> String {
        if let command = commands.first(where: { $0.path == path }) { return help(for: command) }
        let below = commands(below: path)
        guard !below.isEmpty else {
            let name = path.joined(separator: " ")
            let near = nearestName(to: name, among: commands.map(\.name))
            throw Problem(
                "usage.unknownCommand", "\"\(name)\" is not a command",
                notes: near.map { ["did you mean \"\($0)\"?"] } ?? [], hint: "\(program) help")
        }
        var text = path.isEmpty ? "\(program): \(summary)\n\n" : ""
        text += "usage: \(([program] + path).joined(separator: " ")) COMMAND [flags]\n\ncommands:\n"
        text += columns(below.map { ([$0.name] + $0.arguments.map(\.usage), $0.summary) })
        text += "\nflags of every command:\n" + columns(globalFlags.map(describe))
        text += "\n\(program) help COMMAND tells more.\n"
        return text
    }

    private func help(for command: CommandSpec) -> String {
        let usage = [program] + command.path + command.arguments.map(\.usage)
        var text = "\(command.summary)\n\nusage: \(usage.joined(separator: " "))"
        text += command.flags.isEmpty ? "\n" : " [flags]\n"
        if !command.details.isEmpty { text += "\n\(command.details)\n" }
        if !command.arguments.isEmpty {
            text += "\narguments:\n" + columns(command.arguments.map { ([$0.name], $0.summary) })
        }
        if !command.flags.isEmpty { text += "\nflags:\n" + columns(command.flags.map(describe)) }
        text += "\nflags of every command:\n" + columns(globalFlags.map(describe))
        if !command.examples.isEmpty {
            text += "\nexamples:\n"
            for example in command.examples { text += "  \(example.line)\n      \(example.does)\n" }
        }
        return text
    }

    private func describe(_ flag: FlagSpec) -> ([String], String) {
        var name = flag.short.map { "-\($0), " } ?? "    "
        name += "--" + flag.long
        if let value = flag.value { name += " " + value }
        var facts: [String] = []
        if !flag.choices.isEmpty { facts.append(flag.choices.joined(separator: "|")) }
        if let fallback = flag.fallback { facts.append("default \(fallback)") }
        if flag.readsEnvironment { facts.append(flag.environmentName) }
        if flag.isRepeatable { facts.append("may be repeated") }
        return ([name], flag.summary + (facts.isEmpty ? "" : " (\(facts.joined(separator: "; ")))"))
    }

    /// Names left, texts right and wrapped at 98 columns.
    private func columns(_ rows: [([String], String)]) -> String {
        let names = rows.map { $0.0.joined(separator: " ") }
        let width = min(34, names.map(displayWidth).max() ?? 0)
        var text = ""
        for (name, row) in zip(names, rows) {
            let lines = wrapped(row.1, width: 94 - width)
            let pad = String(repeating: " ", count: max(0, width - displayWidth(name)))
            text += "  \(name)\(pad)  \(lines.first ?? "")\n"
            for line in lines.dropFirst() {
                text += String(repeating: " ", count: width + 4) + line + "\n"
            }
        }
        return text
    }

    /// The manual page of the whole program, in the `man` macros.
    package func manualPage() -> String {
        func escaped(_ text: String) -> String {
            var result = ""
            for character in text {
                switch character {
                case "\\": result += "\\e"
                case "-": result += "\\-"
                default: result.append(character)
                }
            }
            // A line that begins with a dot or quote would be a macro.
            return result.utf8.first == 0x2E || result.utf8.first == 0x27 ? "\\&" + result : result
        }
        func list(_ rows: [([String], String)]) -> String {
            rows.map { ".TP\n.B \(escaped($0.0.joined(separator: " ")))\n\(escaped($0.1))\n" }
                .joined()
        }
        var text = ".TH \(program.uppercased()) 1\n.SH NAME\n\(program) \\- \(escaped(summary))\n"
        text += ".SH SYNOPSIS\n.B \(program)\n.I COMMAND\n[flags]\n.SH COMMANDS\n"
        for command in commands {
            let usage = command.path + command.arguments.map(\.usage)
            text += ".SS \(escaped(usage.joined(separator: " ")))\n\(escaped(command.summary)).\n"
            if !command.details.isEmpty {
                let lines = command.details.split(separator: "\n").map { escaped(String($0)) }
                text += ".PP\n.nf\n" + lines.joined(separator: "\n") + "\n.fi\n"
            }
            text += list(command.arguments.map { ([$0.name], $0.summary) })
            text += list(command.flags.map(describe))
            for example in command.examples {
                text += ".PP\n\(escaped(example.does)):\n.RS\n\(escaped(example.line))\n.RE\n"
            }
        }
        text += ".SH FLAGS OF EVERY COMMAND\n" + list(globalFlags.map(describe))
        let codes: [(String, String)] = [
            ("0", "done"), ("1", "failed"), ("2", "the command line is wrong"),
            ("3", "the server can't be reached or gave no answer"), ("130", "interrupted"),
        ]
        return text + ".SH EXIT STATUS\n" + list(codes.map { ([$0.0], $0.1) })
    }

    /// A completion script for bash, zsh or fish. It offers command words and flags; the words come
    /// from this table, so it is right for the binary that wrote it.
    package func completionScript(shell: String) -> String {
        switch shell {
        case "fish": fishCompletion()
        case "zsh":
            "#compdef \(program)\nautoload -U +X bashcompinit && bashcompinit\n" + bashCompletion()
        default: bashCompletion()
        }
    }

    private func bashCompletion() -> String {
        var cases = ""
        for command in commands {
            let words = flags(of: command).map { "--" + $0.long }.joined(separator: " ")
            cases += "    \"\(command.name)\"*) words=\"\(words)\" ;;\n"
        }
        // Groups after commands: the first pattern that fits wins, and longer names come first.
        var groups: [String] = []
        for command in commands where command.path.count > 1 {
            if !groups.contains(command.path[0]) { groups.append(command.path[0]) }
        }
        for group in groups {
            let verbs = commands(below: [group]).map { $0.path[1] }.joined(separator: " ")
            cases += "    \"\(group)\"*) words=\"\(verbs)\" ;;\n"
        }
        var top: [String] = []
        for command in commands where !top.contains(command.path[0]) { top.append(command.path[0]) }
        return """
            _\(program)() {
              local line="${COMP_WORDS[*]:1:COMP_CWORD-1}" words
              case "$line" in
            \(cases)    *) words="\(top.joined(separator: " "))" ;;
              esac
              COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
            }
            complete -o default -F _\(program) \(program)

            """
    }

    private func fishCompletion() -> String {
        func quoted(_ text: String) -> String {
            "'"
                + text.split(separator: "'", omittingEmptySubsequences: false)
                .joined(separator: "\\'") + "'"
        }
        var lines: [String] = []
        for command in commands {
            let first = command.path[0]
            if command.path.count == 1 {
                lines.append(
                    "complete -c \(program) -n __fish_use_subcommand -a \(first) -d \(quoted(command.summary))"
                )
            } else {
                lines.append("complete -c \(program) -n __fish_use_subcommand -a \(first)")
                lines.append(
                    "complete -c \(program) -n '__fish_seen_subcommand_from \(first)' -a \(command.path[1]) -d \(quoted(command.summary))"
                )
            }
            for flag in command.flags {
                let seen = command.path.last ?? first
                let short = flag.short.map { " -s \($0)" } ?? ""
                lines.append(
                    "complete -c \(program) -n '__fish_seen_subcommand_from \(seen)' -l \(flag.long)\(short)\(flag.value == nil ? "" : " -r") -d \(quoted(flag.summary))"
                )
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

/// `text` in lines of at most `width` columns, broken at spaces.
package func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
        if !line.isEmpty, displayWidth(line) + 1 + displayWidth(String(word)) > width {
            lines.append(line)
            line = ""
        }
        line += line.isEmpty ? String(word) : " " + word
    }
    if !line.isEmpty { lines.append(line) }
    return lines
}
