// Settings of topics, brokers and groups.

import Base
import Runtime
import WeirClient

private let ownerArguments = [
    ArgumentSpec(
        "KIND", .one, "topic, broker or group", kind: .choice(["topic", "broker", "group"])),
    ArgumentSpec(
        "NAME", .one, "The topic, the group, the number of the broker, or all for every broker",
        kind: .topic),
]

let configCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "config list", "Lists the settings of a topic, broker or group",
            arguments: ownerArguments,
            flags: [
                FlagSpec("changed", nil, "Only those that somebody has changed"), brokerFlag,
            ],
            examples: [
                ("weir config list topic orders", "every setting and where it comes from"),
                ("weir config list broker 1 --changed", "what differs from the defaults"),
            ]),
        run: listConfigs),
    RegisteredCommand(
        spec: CommandSpec(
            "config get", "Prints the values of settings",
            details: "As text: the values alone, one a line, in the order of the names.",
            arguments: ownerArguments + [
                ArgumentSpec("SETTING", .oneOrMore, "Names of settings")
            ],
            flags: [brokerFlag],
            examples: [("weir config get topic orders retention.ms", "how long records stay")]),
        run: getConfigs),
    RegisteredCommand(
        spec: CommandSpec(
            "config set", "Changes settings of a topic, broker or group",
            details: "All of them are changed, or none when one is refused.",
            arguments: ownerArguments + [
                ArgumentSpec(
                    "CHANGE", .any,
                    "NAME=VALUE; NAME+=VALUE adds to a list, NAME-=VALUE takes from it")
            ],
            flags: [
                FlagSpec("unset", "u", value: "NAME", "Back to the default", isRepeatable: true),
                FlagSpec("dry-run", nil, "Checks everything and changes nothing"), brokerFlag,
            ],
            examples: [
                ("weir config set topic orders retention.ms=3600000", "keeps an hour"),
                ("weir config set topic orders -u retention.ms", "back to the default"),
            ]),
        run: setConfigs),
    RegisteredCommand(
        spec: CommandSpec(
            "config explain", "Explains a setting: its value, who set it, what it does",
            arguments: ownerArguments + [ArgumentSpec("SETTING", .one, "The name of a setting")],
            flags: [brokerFlag]),
        run: explainConfig),
]

/// What the first two arguments name.
private func owner(_ call: Invocation) throws(Problem) -> ConfigOwner {
    let kinds = ["topic", "broker", "group"]
    let name = call.arguments[1]
    switch call.arguments[0] {
    case "topic": return .topic(name)
    case "group": return .group(name)
    case "broker":
        if name == "all" { return .everyBroker }
        guard let id = Int32(name), id >= 0 else {
            throw Problem(
                "usage.value", "\"\(name)\" is not the number of a broker",
                notes: ["expected a number, or all"])
        }
        return .broker(id)
    case let kind:
        var notes = ["one of: " + kinds.joined(separator: ", ")]
        if let near = nearestName(to: kind, among: kinds) {
            notes.insert("did you mean \"\(near)\"?", at: 0)
        }
        throw Problem("usage.value", "\"\(kind)\" has no settings", notes: notes)
    }
}

/// Changes as the command line writes them.
func configChanges(
    _ settings: [String], unset: [String]
) throws(Problem) -> [String: ConfigChange] {
    var changes: [String: ConfigChange] = [:]
    func add(_ name: String, _ change: ConfigChange) throws(Problem) {
        if changes[name] != nil {
            throw Problem("usage.value", "\"\(name)\" is changed twice")
        }
        changes[name] = change
    }
    for setting in settings {
        let split = try splitSetting(setting)
        var name = split.name
        let value = split.value
        let last = name.last
        if last == "+" || last == "-" { name.removeLast() }
        if name.isEmpty {
            throw Problem(
                "usage.value", "\"\(setting)\" is not a setting", notes: ["expected NAME=VALUE"])
        }
        switch last {
        case "+": try add(name, .append(value))
        case "-": try add(name, .subtract(value))
        default: try add(name, .set(value))
        }
    }
    for name in unset { try add(name, .unset) }
    return changes
}

private func entries(
    of owner: ConfigOwner, _ admin: Admin, explains: Bool = false
) throws(Problem) -> [ConfigEntry] {
    do throws(ClientFailure) {
        return try admin.describeConfigs(of: owner, explains: explains)
    } catch {
        let problem = Problem(error)
        if case .topic(let name) = owner { throw problem.suggesting(name, among: admin) }
        throw problem
    }
}

private func listConfigs(_ context: CommandContext) throws(Problem) -> ExitCode {
    let owner = try owner(context.invocation)
    return try context.withAdmin { (admin) throws(Problem) in
        let all = try entries(of: owner, admin)
        let shown = context.invocation.isSet("changed") ? all.filter { !$0.isDefault } : all
        context.printTable(
            TextTable(
                [.init("SETTING"), .init("VALUE"), .init("SOURCE"), .init("TYPE")],
                rows: shown.map {
                    [
                        $0.name, $0.isSensitive ? "(hidden)" : $0.value, words($0.source), $0.type,
                    ]
                }), json: ["settings": .array(shown.map(json))])
        return .ok
    }
}

private func words(_ source: ConfigEntry.Source) -> String {
    switch source {
    case .topic: "topic"
    case .group: "group"
    case .broker: "broker"
    case .everyBroker: "all brokers"
    case .configuration: "start"
    case .standard: "default"
    case .unknown: "unknown"
    }
}

private func json(_ entry: ConfigEntry) -> JSONValue {
    var members = [
        JSONMember("name", .string(entry.name)),
        JSONMember("value", entry.value.map { .string($0) } ?? .null),
        JSONMember("source", .string(words(entry.source))),
        JSONMember("default", .bool(entry.isDefault)), JSONMember("type", .string(entry.type)),
        JSONMember("read_only", .bool(entry.isReadOnly)),
        JSONMember("sensitive", .bool(entry.isSensitive)),
    ]
    if let text = entry.documentation { members.append(JSONMember("explanation", .string(text))) }
    if !entry.synonyms.isEmpty {
        let list = entry.synonyms.map { synonym -> JSONValue in
            [
                "name": .string(synonym.name),
                "value": synonym.value.map { .string($0) } ?? .null,
                "source": .string(words(synonym.source)),
            ]
        }
        members.append(JSONMember("synonyms", .array(list)))
    }
    return .object(members)
}

/// The entry called `name`, or the nearest name as a suggestion.
private func find(
    _ name: String, in entries: [ConfigEntry], of owner: ConfigOwner
) throws(Problem) -> ConfigEntry {
    if let entry = entries.first(where: { $0.name == name }) { return entry }
    let near = nearestName(to: name, among: entries.map(\.name))
    throw Problem(
        "config.unknown", "\"\(name)\" is not a setting of \(owner)",
        hint: near.map { "did you mean \"\($0)\"?" })
}

private func getConfigs(_ context: CommandContext) throws(Problem) -> ExitCode {
    let owner = try owner(context.invocation)
    return try context.withAdmin { (admin) throws(Problem) in
        let all = try entries(of: owner, admin)
        var found: [ConfigEntry] = []
        for name in context.invocation.arguments.dropFirst(2) {
            found.append(try find(name, in: all, of: owner))
        }
        if (context.invocation.string("output") ?? "text") == "text" {
            for entry in found { context.print(printable(entry.value ?? "") + "\n") }
            return .ok
        }
        context.printTable(
            TextTable(
                [.init("SETTING"), .init("VALUE"), .init("SOURCE")],
                rows: found.map { [$0.name, $0.value, words($0.source)] }),
            json: ["settings": .array(found.map(json))])
        return .ok
    }
}

private func setConfigs(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let owner = try owner(call)
    let changes = try configChanges(
        Array(call.arguments.dropFirst(2)), unset: call.strings("unset"))
    if changes.isEmpty {
        throw Problem(
            "usage.nothing", "nothing is to be changed", notes: ["say NAME=VALUE or --unset NAME"])
    }
    let isDry = call.isSet("dry-run")
    return try context.withAdmin { (admin) throws(Problem) in
        do throws(ClientFailure) {
            try admin.alterConfigs(of: owner, changes, validateOnly: isDry)
        } catch {
            var problem = Problem(error)
            if case .topic(let name) = owner { problem = problem.suggesting(name, among: admin) }
            problem.notes.append("nothing was changed")
            throw problem
        }
        let outcomes = changes.keys.sorted().map { ItemOutcome(name: $0) }
        return context.finish(outcomes, "setting", done: isDry ? "would change" : "changed")
    }
}

private func explainConfig(_ context: CommandContext) throws(Problem) -> ExitCode {
    let owner = try owner(context.invocation)
    return try context.withAdmin { (admin) throws(Problem) in
        let all = try entries(of: owner, admin, explains: true)
        let entry = try find(context.invocation.arguments[2], in: all, of: owner)
        if context.isJSON {
            context.print(json(entry))
            return .ok
        }
        var text = "\(entry.name) = \(printable(entry.value ?? "(hidden)"))\n"
        text += "  set by   \(words(entry.source))\(entry.isReadOnly ? ", read only" : "")\n"
        if !entry.type.isEmpty { text += "  type     \(entry.type)\n" }
        for line in wrapped(entry.documentation ?? "", width: 86) {
            text += "  \(printable(line))\n"
        }
        if entry.synonyms.count > 1 {
            text += "\nIn the order in which they win:\n"
            text +=
                TextTable(
                    [.init("SOURCE"), .init("SETTING"), .init("VALUE")],
                    rows: entry.synonyms.map { [words($0.source), $0.name, $0.value] }
                ).plain()
        }
        context.print(text)
        return .ok
    }
}
