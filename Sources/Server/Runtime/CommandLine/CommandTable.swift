import Base

/// What a value names, so that a shell can offer the names that exist.
package enum ValueKind: Sendable {
    case text, topic, group, file, directory, command
    case choice([String])
}

/// One flag of a command: `--long VALUE`, `-s VALUE`, or a switch.
package struct FlagSpec: Sendable {
    package var long: String
    package var short: Character?
    /// What stands for the value in help; nil = a switch.
    package var value: String?
    package var summary: String
    package var fallback: String?
    package var choices: [String]
    package var isRepeatable: Bool
    /// Also taken from `WEIR_` + its name in capitals.
    package var readsEnvironment: Bool
    package var kind: ValueKind

    package init(
        _ long: String, _ short: Character? = nil, value: String? = nil, _ summary: String,
        fallback: String? = nil, choices: [String] = [], isRepeatable: Bool = false,
        readsEnvironment: Bool = false, kind: ValueKind = .text
    ) {
        self.long = long
        self.short = short
        self.value = value
        self.summary = summary
        self.fallback = fallback
        self.choices = choices
        self.isRepeatable = isRepeatable
        self.readsEnvironment = readsEnvironment
        self.kind = choices.isEmpty ? kind : .choice(choices)
    }

    /// `--http-server` → `WEIR_HTTP_SERVER`.
    package var environmentName: String {
        "WEIR_" + String(long.uppercased().map { $0 == "-" ? "_" : $0 })
    }
}

package struct ArgumentSpec: Sendable {
    package enum Arity: Sendable { case one, optional, oneOrMore, any }

    package var name: String
    package var arity: Arity
    package var summary: String
    package var kind: ValueKind

    package init(
        _ name: String, _ arity: Arity = .one, _ summary: String, kind: ValueKind = .text
    ) {
        self.name = name
        self.arity = arity
        self.summary = summary
        self.kind = kind
    }

    /// As in a usage line: `TOPIC`, `[TOPIC]`, `TOPIC…`.
    package var usage: String {
        switch arity {
        case .one: name
        case .optional: "[\(name)]"
        case .oneOrMore: "\(name)…"
        case .any: "[\(name)…]"
        }
    }
}

/// One command: the words that call it, what it takes and what it says about itself.
package struct CommandSpec: Sendable {
    package var path: [String]
    package var summary: String
    package var details: String
    package var arguments: [ArgumentSpec]
    package var flags: [FlagSpec]
    /// A command line and what it does.
    package var examples: [(line: String, does: String)]
    /// Takes `-X name=value` with names that are not its flags.
    package var takesSettings: Bool

    package init(
        _ path: String, _ summary: String, details: String = "", arguments: [ArgumentSpec] = [],
        flags: [FlagSpec] = [], examples: [(line: String, does: String)] = [],
        takesSettings: Bool = false
    ) {
        self.path = path.split(separator: " ").map(String.init)
        self.summary = summary
        self.details = details
        self.arguments = arguments
        self.flags = flags
        self.examples = examples
        self.takesSettings = takesSettings
    }

    package var name: String { path.joined(separator: " ") }
}

/// Everything the program understands. Parsing, help and completion are made from it alone.
package struct CommandTable: Sendable {
    package var program: String
    package var summary: String
    /// Flags that every command takes; they may stand before the command too.
    package var globalFlags: [FlagSpec]
    package var commands: [CommandSpec]

    package init(
        program: String, summary: String, globalFlags: [FlagSpec], commands: [CommandSpec]
    ) {
        self.program = program
        self.summary = summary
        self.globalFlags = globalFlags
        self.commands = commands
    }

    /// The commands whose words begin with `prefix`.
    package func commands(below prefix: [String]) -> [CommandSpec] {
        commands.filter { $0.path.starts(with: prefix) }
    }

    func flags(of command: CommandSpec) -> [FlagSpec] { command.flags + globalFlags }
}

/// A command line that was understood.
package struct Invocation: Sendable {
    package var command: CommandSpec
    package var arguments: [String] = []
    /// `-X name=value` that are not flags, in order.
    package var settings: [(name: String, value: String)] = []
    package var wantsHelp = false
    var values: OrderedMap<String, [String]> = [:]
    /// Where each value was said, for messages: `--data`, `WEIR_DATA`, `-X data`.
    var origins: OrderedMap<String, String> = [:]

    /// The value of a flag, or its default.
    package func string(_ flag: String) -> String? { values[flag]?.last }
    package func strings(_ flag: String) -> [String] { values[flag] ?? [] }
    package func isSet(_ flag: String) -> Bool { values[flag] != nil }

    package func integer(_ flag: String, in range: ClosedRange<Int64>) throws(Problem) -> Int64? {
        guard let text = string(flag) else { return nil }
        guard let value = Int64(text), range.contains(value) else {
            throw Problem(
                "usage.value", "\"\(text)\" is not a value for \(origins[flag] ?? "--" + flag)",
                notes: ["expected a whole number from \(range.lowerBound) to \(range.upperBound)"])
        }
        return value
    }
}
