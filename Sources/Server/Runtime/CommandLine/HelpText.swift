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
        if !command.details.isEmpty {
            text += "\n"
            for line in command.details.split(separator: "\n", omittingEmptySubsequences: false) {
                // What is laid out by hand, as a list is, stays as it is.
                let isList = line.first == " "
                let lines = isList ? [String(line)] : wrapped(String(line), width: 98)
                text += lines.joined(separator: "\n") + "\n"
            }
        }
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

    /// A flag as help and manual pages write it.
    func describe(_ flag: FlagSpec) -> ([String], String) {
        var name = flag.short.map { "-\($0), " } ?? "    "
        name += "--" + flag.long
        if let value = flag.value { name += " " + value }
        var facts: [String] = []
        if !flag.choices.isEmpty {
            // Many choices must find places to break the line.
            let short = flag.choices.joined(separator: "|")
            facts.append(short.count <= 50 ? short : flag.choices.joined(separator: ", "))
        }
        if let fallback = flag.fallback { facts.append("default \(fallback)") }
        if flag.readsEnvironment { facts.append(flag.environmentName) }
        if flag.isRepeatable { facts.append("may be repeated") }
        return ([name], flag.summary + (facts.isEmpty ? "" : " (\(facts.joined(separator: "; ")))"))
    }

    /// The commands whose words begin with `path`, with everything they take, for programs.
    package func json(below path: [String]) -> JSONValue {
        func json(_ flag: FlagSpec) -> JSONValue {
            [
                "name": .string(flag.long),
                "short": flag.short.map { .string(String($0)) } ?? .null,
                "value": flag.value.map { .string($0) } ?? .null,
                "summary": .string(flag.summary),
                "default": flag.fallback.map { .string($0) } ?? .null,
                "choices": .array(flag.choices.map { .string($0) }),
                "repeatable": .bool(flag.isRepeatable),
                "environment": flag.readsEnvironment ? .string(flag.environmentName) : .null,
            ]
        }
        func json(_ command: CommandSpec) -> JSONValue {
            [
                "command": .string(command.name), "summary": .string(command.summary),
                "details": .string(command.details),
                "arguments": .array(
                    command.arguments.map {
                        [
                            "name": .string($0.name), "usage": .string($0.usage),
                            "summary": .string($0.summary),
                        ]
                    }),
                "flags": .array(command.flags.map(json)),
                "examples": .array(
                    command.examples.map { ["line": .string($0.line), "does": .string($0.does)] }),
                "takes_settings": .bool(command.takesSettings),
            ]
        }
        return [
            "program": .string(program), "version": .string(Version.number),
            "flags": .array(globalFlags.map(json)),
            "commands": .array(commands(below: path).map(json)),
        ]
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
