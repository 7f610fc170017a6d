// Completion scripts for bash, zsh and fish. All words come from the command table, so a script is
// right for the binary that wrote it; names of topics and groups are asked of the server that
// WEIR_SERVER, or the default, names.

import Base

extension CommandTable {
    /// The shells that `completionScript` knows.
    package static let shells = ["bash", "zsh", "fish"]

    /// A completion script: command words, flags, their values, names of topics and groups.
    package func completionScript(shell: String) -> String {
        switch shell {
        case "fish": fishScript
        case "zsh": zshScript
        default: bashScript
        }
    }

    /// Groups of commands: their first words, in order, with the verbs of each; no verb when the
    /// word is a command itself.
    private var groups: [(word: String, commands: [CommandSpec])] {
        var groups: [(word: String, commands: [CommandSpec])] = []
        for command in commands {
            if let index = groups.firstIndex(where: { $0.word == command.path[0] }) {
                groups[index].commands.append(command)
            } else {
                groups.append((command.path[0], [command]))
            }
        }
        return groups
    }

    /// Longer names first: the first pattern that fits wins.
    private var commandsByLength: [CommandSpec] {
        commands.sorted { left, right in
            left.path.count != right.path.count
                ? left.path.count > right.path.count
                : left.name.utf8.count > right.name.utf8.count
        }
    }

    private func switches(_ flag: FlagSpec) -> [String] {
        ["--" + flag.long] + (flag.short.map { ["-\($0)"] } ?? [])
    }

    /// A shell command that prints the names of one kind.
    private func lister(_ kind: ValueKind) -> String? {
        switch kind {
        case .topic: "\(program) topic list -q -o tsv 2>/dev/null | cut -f1"
        case .group: "\(program) group list -q -o tsv 2>/dev/null | cut -f1"
        default: nil
        }
    }

    /// What stands for a group of commands in a list.
    private func summary(of group: (word: String, commands: [CommandSpec])) -> String {
        group.commands.count == 1
            ? group.commands[0].summary
            : group.commands.compactMap { $0.path.count > 1 ? $0.path[1] : nil }
                .joined(separator: ", ")
    }

    // MARK: bash

    private var bashScript: String {
        func values(_ kind: ValueKind) -> String {
            switch kind {
            case .text: ":"
            case .choice(let words): "words=\"\(words.joined(separator: " "))\""
            case .topic, .group: "words=\"$(\(lister(kind) ?? ":"))\""
            case .file: "files=f"
            case .directory: "files=d"
            case .command: "words=\"\(groups.map(\.word).joined(separator: " "))\""
            }
        }
        func flagCases(_ flags: [FlagSpec], indent: String) -> String {
            var text = ""
            for flag in flags where flag.value != nil {
                text += "\(indent)\(switches(flag).joined(separator: "|"))) "
                text += "\(values(flag.kind)); isvalue=1 ;;\n"
            }
            return text
        }
        var cases = ""
        for command in commandsByLength {
            cases += "    \"\(command.name) \"*)\n      case \"$prev\" in\n"
            cases += flagCases(flags(of: command), indent: "        ")
            let long = flags(of: command).map { "--" + $0.long }.joined(separator: " ")
            cases +=
                "        *) flags=\"\(long)\"; \(values(command.arguments.last?.kind ?? .text)) ;;"
            cases += "\n      esac ;;\n"
        }
        for group in groups where group.commands.contains(where: { $0.path.count > 1 }) {
            let verbs = group.commands.compactMap { $0.path.count > 1 ? $0.path[1] : nil }
            cases += "    \"\(group.word) \"*) words=\"\(verbs.joined(separator: " "))\" ;;\n"
        }
        return """
            _\(program)() {
              local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"
              local line="" words="" flags="" files="" isvalue="" word
              for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
                [[ $word == -* ]] || line="$line$word "
              done
              case "$line" in
            \(cases)    *) words="\(groups.map(\.word).joined(separator: " "))" ;;
              esac
              [[ -z $isvalue && $cur == -* ]] && words="$flags"
              COMPREPLY=($(compgen -W "$words" -- "$cur"))
              [[ -n $files ]] && COMPREPLY+=($(compgen -$files -- "$cur"))
              return 0
            }
            complete -F _\(program) \(program)

            """
    }

    // MARK: zsh

    private var zshScript: String {
        func quoted(_ text: String) -> String {
            "'"
                + text.split(separator: "'", omittingEmptySubsequences: false)
                .joined(separator: "'\\''") + "'"
        }
        func item(_ word: String, _ summary: String) -> String {
            let plain = summary.map { $0 == ":" ? "\\:" : String($0) }.joined()
            return quoted("\(word):\(plain)")
        }
        func values(_ kind: ValueKind) -> String {
            switch kind {
            case .text: ":"
            case .choice(let words): "compadd -- \(words.joined(separator: " "))"
            case .topic, .group: "compadd -- ${(f)\"$(\(lister(kind) ?? ":"))\"}"
            case .file: "_files"
            case .directory: "_files -/"
            case .command: "compadd -- \(groups.map(\.word).joined(separator: " "))"
            }
        }
        var cases = ""
        for command in commandsByLength {
            cases += "    (\(quoted(command.name + " "))*)\n      case $prev in\n"
            for flag in flags(of: command) where flag.value != nil {
                cases += "        (\(switches(flag).joined(separator: "|"))) "
                cases += "\(values(flag.kind)); return ;;\n"
            }
            cases += "      esac\n      items=(\n"
            for flag in flags(of: command) {
                cases += "        \(item("--" + flag.long, flag.summary))\n"
            }
            cases += "      )\n      if [[ $PREFIX == -* ]]; then _describe flag items\n"
            cases += "      else \(values(command.arguments.last?.kind ?? .text)); fi ;;\n"
        }
        for group in groups where group.commands.contains(where: { $0.path.count > 1 }) {
            cases += "    (\(quoted(group.word + " "))*)\n      items=(\n"
            for command in group.commands where command.path.count > 1 {
                cases += "        \(item(command.path[1], command.summary))\n"
            }
            cases += "      )\n      _describe command items ;;\n"
        }
        let top = groups.map { "        " + item($0.word, summary(of: $0)) }
        return """
            #compdef \(program)
            _\(program)() {
              local line='' word prev=${words[CURRENT-1]}
              local -a items
              for word in ${words[2,CURRENT-1]}; do
                [[ $word == -* ]] || line+="$word "
              done
              case $line in
            \(cases)    (*)
                  items=(
            \(top.joined(separator: "\n"))
                  )
                  _describe command items ;;
              esac
            }
            (( $+functions[compdef] )) && compdef _\(program) \(program)

            """
    }

    // MARK: fish

    private var fishScript: String {
        func quoted(_ text: String) -> String {
            "'"
                + text.split(separator: "'", omittingEmptySubsequences: false)
                .joined(separator: "\\'") + "'"
        }
        func values(_ kind: ValueKind) -> String {
            switch kind {
            case .text, .file: ""
            case .choice(let words): " -a \(quoted(words.joined(separator: " ")))"
            case .topic, .group: " -a \(quoted("(\(lister(kind) ?? ":"))"))"
            case .directory: " -a '(__fish_complete_directories)'"
            case .command: " -a \(quoted(groups.map(\.word).joined(separator: " ")))"
            }
        }
        let at = "__\(program)_at"
        func complete(_ condition: String, _ rest: String) -> String {
            "complete -c \(program) -n \(quoted(condition)) \(rest)\n"
        }
        func flag(_ flag: FlagSpec, _ condition: String) -> String {
            let short = flag.short.map { " -s \($0)" } ?? ""
            let value = flag.value == nil ? "" : " -r" + values(flag.kind)
            let isPath: Bool =
                switch flag.kind {
                case .file: true
                default: false
                }
            return complete(
                condition,
                "-l \(flag.long)\(short)\(value)\(isPath ? "" : " -f") -d \(quoted(flag.summary))")
        }
        var text = """
            # Whether the words of the line, flags left out, are exactly these ($argv[1] = 0), or
            # begin with these ($argv[1] = 1).
            function \(at)
                set -l path
                for word in (commandline -opc)[2..-1]
                    string match -q -- '-*' $word; or set -a path $word
                end
                set -l want $argv[2..-1]
                set -l count (count $want)
                test (count $path) -lt $count; and return 1
                test $argv[1] = 0 -a (count $path) -gt $count; and return 1
                test $count = 0; and return 0
                test "$path[1..$count]" = "$want"
            end
            complete -c \(program) -f

            """
        for group in groups {
            text += complete(
                "\(at) 0", "-a \(group.word) -d \(quoted(summary(of: group)))")
        }
        for command in commands {
            if command.path.count > 1 {
                text += complete(
                    "\(at) 0 \(command.path[0])",
                    "-a \(command.path[1]) -d \(quoted(command.summary))")
            }
            let here = "\(at) 1 \(command.name)"
            for one in flags(of: command) { text += flag(one, here) }
            if let argument = command.arguments.last {
                switch argument.kind {
                case .text: break
                case .file: text += complete(here, "-F")
                default: text += complete(here, "-f" + values(argument.kind))
                }
            }
        }
        return text
    }
}
