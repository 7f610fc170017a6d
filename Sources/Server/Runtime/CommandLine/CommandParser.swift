import Base

extension CommandTable {
    /// Understands the words behind the program's name. A flag beats `-X`, which beats the
    /// environment, which beats the default. What is not in the table is refused with the nearest
    /// name, never ignored.
    package func parse(
        _ words: [String], environment: (String) -> String?
    ) throws(Problem) -> Invocation {
        var parser = CommandParser(table: self, words: words)
        return try parser.parse(environment: environment)
    }
}

private struct CommandParser {
    let table: CommandTable
    let words: [String]
    var index = 0
    var named: [(flag: FlagSpec, value: String?)] = []
    var settings: [(name: String, value: String)] = []
    var wantsHelp = false

    mutating func parse(environment: (String) -> String?) throws(Problem) -> Invocation {
        let command = try command()
        var invocation = Invocation(command: command)
        while index < words.count {
            let word = words[index]
            index += 1
            if word == "--" {
                invocation.arguments += words[index...]
                break
            }
            if word.utf8.count > 1, word.utf8.first == 0x2D, !isNumber(word) {
                try flag(word, flags: table.flags(of: command), owner: command)
            } else {
                invocation.arguments.append(word)
            }
        }
        invocation.wantsHelp = wantsHelp
        if wantsHelp { return invocation }
        try assignValues(to: &invocation, environment: environment)
        try checkArguments(invocation)
        return invocation
    }

    /// `-5` is a value (an offset from the end), not five flags.
    private func isNumber(_ word: String) -> Bool {
        word.utf8.dropFirst().allSatisfy { (0x30...0x39).contains($0) }
    }

    /// Reads global flags and the words of the command.
    private mutating func command() throws(Problem) -> CommandSpec {
        var path: [String] = []
        while index < words.count {
            let word = words[index]
            if word.utf8.first == 0x2D, word != "-" {
                // Behind the first word a flag belongs to the command, which must be known first.
                if !path.isEmpty { break }
                index += 1
                try flag(word, flags: table.globalFlags, owner: nil)
                continue
            }
            if table.commands(below: path + [word]).isEmpty { break }
            path.append(word)
            index += 1
        }
        if let exact = table.commands.first(where: { $0.path == path }) { return exact }
        return try incomplete(path)
    }

    /// The words lead to no command: help for a group, or a refusal with the nearest name.
    private mutating func incomplete(_ path: [String]) throws(Problem) -> CommandSpec {
        let below = table.commands(below: path)
        let asksHelp = wantsHelp || words[index...].contains { $0 == "-h" || $0 == "--help" }
        if asksHelp, words[index...].allSatisfy({ $0.utf8.first == 0x2D }) {
            wantsHelp = true
            index = words.count
            return CommandSpec(path.joined(separator: " "), "")
        }
        let prefix = path.isEmpty ? "" : path.joined(separator: " ") + " "
        let verbs = uniqueNext(below, at: path.count)
        guard index < words.count, words[index].utf8.first != 0x2D else {
            throw Problem(
                "usage.incomplete",
                path.isEmpty
                    ? "no command given" : "\"\(path.joined(separator: " "))\" needs a verb",
                notes: ["one of: " + verbs.joined(separator: ", ")],
                hint: "\(table.program) help \(prefix)".trimmingTrailingSpace())
        }
        let unknown = words[index]
        var notes: [String] = []
        if let near = nearestName(to: unknown, among: verbs) {
            notes.append("did you mean \"\(prefix)\(near)\"?")
        } else {
            notes.append("one of: " + verbs.joined(separator: ", "))
        }
        throw Problem(
            "usage.unknownCommand", "\"\(prefix)\(unknown)\" is not a command", notes: notes,
            hint: "\(table.program) help \(prefix)".trimmingTrailingSpace())
    }

    private func uniqueNext(_ commands: [CommandSpec], at depth: Int) -> [String] {
        var names: [String] = []
        for command in commands where command.path.count > depth {
            if !names.contains(command.path[depth]) { names.append(command.path[depth]) }
        }
        return names
    }

    // MARK: Flags

    private mutating func flag(
        _ word: String, flags: [FlagSpec], owner: CommandSpec?
    ) throws(Problem) {
        if word == "-h" || word == "--help" {
            wantsHelp = true
            return
        }
        if word.utf8.starts(with: "-X".utf8) {
            try setting(word.utf8.count > 2 ? String(word.dropFirst(2)) : value(for: "-X"))
            return
        }
        if word.utf8.starts(with: "--".utf8) {
            try longFlag(String(word.dropFirst(2)), flags: flags, owner: owner)
        } else {
            try shortFlags(word, flags: flags, owner: owner)
        }
    }

    private mutating func longFlag(
        _ text: String, flags: [FlagSpec], owner: CommandSpec?
    ) throws(Problem) {
        let equals = text.firstIndex(of: "=")
        let name = equals.map { String(text[..<$0]) } ?? text
        guard let flag = flags.first(where: { $0.long == name }) else {
            throw unknown("--" + name, name, flags, owner)
        }
        let inline = equals.map { String(text[text.index(after: $0)...]) }
        if flag.value == nil {
            if inline != nil {
                throw Problem("usage.value", "--\(name) is a switch and takes no value")
            }
            named.append((flag, nil))
        } else if let inline {
            named.append((flag, inline))
        } else {
            named.append((flag, try value(for: "--" + name)))
        }
    }

    /// `-k:`, `-k :`, or several switches in one word.
    private mutating func shortFlags(
        _ word: String, flags: [FlagSpec], owner: CommandSpec?
    ) throws(Problem) {
        var rest = word.dropFirst()
        while let letter = rest.first {
            rest = rest.dropFirst()
            guard let flag = flags.first(where: { $0.short == letter }) else {
                // A long flag with one hyphen is the likelier misspelling of a long word.
                throw unknown(
                    word.count > 2 ? word : "-\(letter)", String(word.dropFirst()), flags, owner)
            }
            if flag.value == nil {
                named.append((flag, nil))
                continue
            }
            if rest.first == "=" { rest = rest.dropFirst() }
            named.append((flag, rest.isEmpty ? try value(for: "-\(letter)") : String(rest)))
            return
        }
    }

    private mutating func value(for flag: String) throws(Problem) -> String {
        guard index < words.count else {
            throw Problem("usage.value", "\(flag) needs a value")
        }
        defer { index += 1 }
        return words[index]
    }

    private mutating func setting(_ text: String) throws(Problem) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw Problem(
                "usage.value", "\"\(text)\" is not a setting", notes: ["expected -X name=value"])
        }
        settings.append(
            (String(text[..<equals]), String(text[text.index(after: equals)...])))
    }

    private func unknown(
        _ shown: String, _ name: String, _ flags: [FlagSpec], _ owner: CommandSpec?
    ) -> Problem {
        var notes: [String] = []
        if let near = nearestName(to: name, among: flags.map(\.long)) {
            notes.append("did you mean \"--\(near)\"?")
        }
        let whose = owner.map { "of \"\(table.program) \($0.name)\"" } ?? "of \(table.program)"
        return Problem(
            "usage.unknownFlag", "\"\(shown)\" is not a flag \(whose)", notes: notes,
            hint: [table.program, "help", owner?.name ?? ""].joined(separator: " ")
                .trimmingTrailingSpace())
    }

    // MARK: Values

    private func assignValues(
        to invocation: inout Invocation, environment: (String) -> String?
    ) throws(Problem) {
        let flags = table.flags(of: invocation.command)
        for flag in flags {
            let said = named.filter { $0.flag.long == flag.long }
            if said.count > 1, flag.value != nil, !flag.isRepeatable {
                throw Problem("usage.value", "--\(flag.long) is given \(said.count) times")
            }
            let asSetting = settings.filter { $0.name == flag.long }.map(\.value)
            if !said.isEmpty {
                set(flag, said.map { $0.value ?? "" }, "--" + flag.long, &invocation)
            } else if !asSetting.isEmpty {
                set(flag, asSetting, "-X " + flag.long, &invocation)
            } else if flag.readsEnvironment, let text = environment(flag.environmentName) {
                set(flag, [text], flag.environmentName, &invocation)
            } else if let fallback = flag.fallback {
                set(flag, [fallback], "--" + flag.long, &invocation)
            }
            try checkChoices(flag, invocation)
        }
        for (name, value) in settings where !flags.contains(where: { $0.long == name }) {
            guard invocation.command.takesSettings else {
                let near = nearestName(to: name, among: flags.map(\.long))
                throw Problem(
                    "usage.unknownSetting",
                    "\"\(name)\" is not a setting of \"\(table.program) \(invocation.command.name)\"",
                    notes: near.map { ["did you mean \"\($0)\"?"] } ?? [])
            }
            invocation.settings.append((name, value))
        }
    }

    private func set(
        _ flag: FlagSpec, _ values: [String], _ origin: String, _ invocation: inout Invocation
    ) {
        // A switch from elsewhere than the command line can be off.
        if flag.value == nil, ["0", "false", "no", "off"].contains(values.last ?? "") { return }
        invocation.values[flag.long] = values
        invocation.origins[flag.long] = origin
    }

    private func checkChoices(_ flag: FlagSpec, _ invocation: Invocation) throws(Problem) {
        if flag.choices.isEmpty { return }
        for value in invocation.strings(flag.long) where !flag.choices.contains(value) {
            var notes = ["one of: " + flag.choices.joined(separator: ", ")]
            if let near = nearestName(to: value, among: flag.choices) {
                notes.insert("did you mean \"\(near)\"?", at: 0)
            }
            let origin = invocation.origins[flag.long] ?? "--" + flag.long
            throw Problem(
                "usage.value", "\"\(value)\" is not a value for \(origin)", notes: notes)
        }
    }

    private func checkArguments(_ invocation: Invocation) throws(Problem) {
        let specs = invocation.command.arguments
        let given = invocation.arguments.count
        let needed = specs.count { $0.arity == .one || $0.arity == .oneOrMore }
        let isOpenEnded = specs.contains { $0.arity == .oneOrMore || $0.arity == .any }
        let hint = "\(table.program) help \(invocation.command.name)"
        if given < needed {
            let missing = specs[given].name
            throw Problem(
                "usage.missingArgument",
                "\"\(table.program) \(invocation.command.name)\" needs \(missing)", hint: hint)
        }
        if given > specs.count, !isOpenEnded {
            throw Problem(
                "usage.extraArgument",
                "\"\(invocation.arguments[specs.count])\" is one argument too many", hint: hint)
        }
    }
}

extension String {
    fileprivate func trimmingTrailingSpace() -> String {
        last == " " ? String(dropLast()) : self
    }
}
