// Access rules.

import Base
import Runtime
import WeirClient

private let selectionFlags = [
    FlagSpec("topic", nil, value: "NAME", "Topics; * = every", isRepeatable: true, kind: .topic),
    FlagSpec("group", nil, value: "NAME", "Groups; * = every", isRepeatable: true, kind: .group),
    FlagSpec(
        "transactional-id", nil, value: "ID", "Transactional ids; * = every", isRepeatable: true),
    FlagSpec("cluster", nil, "The cluster as a whole"),
    FlagSpec("prefix", nil, "Names are the begin of many names"),
    FlagSpec(
        "principal", "u", value: "USER", "A user, User:NAME or NAME; User:* = everybody",
        isRepeatable: true),
    FlagSpec("host", nil, value: "ADDRESS", "Only from this address", isRepeatable: true),
    FlagSpec(
        "operation", "O", value: "NAME",
        "What is meant: all, read, write, create, delete, alter, describe, cluster-action, "
            + "describe-configs, alter-configs, idempotent-write …",
        isRepeatable: true),
]

let aclCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "acl list", "Lists access rules",
            flags: selectionFlags + [
                FlagSpec("deny", nil, "Only rules that forbid"), brokerFlag,
            ],
            examples: [
                ("weir acl list --topic orders", "the rules with exactly this name"),
                ("weir acl list -u alice", "what alice may do"),
            ]),
        run: listAcls),
    RegisteredCommand(
        spec: CommandSpec(
            "acl create", "Adds access rules: each user, operation and resource that is named",
            flags: selectionFlags + [
                FlagSpec("deny", nil, "Forbids instead of allowing; such a rule always wins"),
                FlagSpec("dry-run", nil, "Shows the rules and adds none"), brokerFlag,
            ],
            examples: [
                ("weir acl create -u alice -O read --topic orders --group audit", "may consume"),
                (
                    "weir acl create -u app -O write -O describe --topic app. --prefix",
                    "may produce"
                ),
            ]),
        run: createAcls),
    RegisteredCommand(
        spec: CommandSpec(
            "acl delete", "Deletes the access rules that the flags mean",
            flags: selectionFlags + [
                FlagSpec("deny", nil, "Only rules that forbid"),
                FlagSpec("all", nil, "Every rule, when nothing else is said"),
                FlagSpec("yes", "y", "Does not ask"),
                FlagSpec("dry-run", nil, "Shows the rules and deletes none"), brokerFlag,
            ]),
        run: deleteAcls),
]

private func operation(_ text: String) throws(Problem) -> AccessOperation {
    let wanted = text.filter { $0 != "-" && $0 != "_" }.lowercased()
    if let found = AccessOperation.allCases.first(where: { $0.rawValue.lowercased() == wanted }) {
        return found
    }
    let names = AccessOperation.allCases.map { hyphenated($0.rawValue) }
    var notes = ["one of: " + names.joined(separator: ", ")]
    if let near = nearestName(to: text, among: names) {
        notes.insert("did you mean \"\(near)\"?", at: 0)
    }
    throw Problem("usage.value", "\"\(text)\" is not an operation", notes: notes)
}

/// `describeConfigs` → `describe-configs`.
private func hyphenated(_ text: String) -> String {
    text.map { $0.isUppercase ? "-" + $0.lowercased() : String($0) }.joined()
}

private func principal(_ text: String) -> String {
    text.contains(":") ? text : "User:" + text
}

/// The resources that the flags name.
private func resources(_ call: Invocation) -> [(kind: AccessResource, name: String)] {
    var found: [(kind: AccessResource, name: String)] = []
    for (flag, kind) in [
        ("topic", AccessResource.topic), ("group", .group), ("transactional-id", .transactionalId),
    ] {
        found += call.strings(flag).map { (kind, $0) }
    }
    if call.isSet("cluster") { found.append((.cluster, "kafka-cluster")) }
    return found
}

/// Every combination of what the flags name, nil where they name nothing.
private func filters(_ call: Invocation) throws(Problem) -> [AccessFilter] {
    var operations: [AccessOperation?] = []
    for text in call.strings("operation") { operations.append(try operation(text)) }
    if operations.isEmpty { operations = [nil] }
    var principals: [String?] = call.strings("principal").map(principal)
    if principals.isEmpty { principals = [nil] }
    var hosts: [String?] = call.strings("host")
    if hosts.isEmpty { hosts = [nil] }
    var wanted: [(kind: AccessResource?, name: String?)] = resources(call).map { ($0, $1) }
    if wanted.isEmpty { wanted = [(nil, nil)] }
    var filters: [AccessFilter] = []
    for (kind, name) in wanted {
        for user in principals {
            for host in hosts {
                for operation in operations {
                    filters.append(
                        AccessFilter(
                            resource: kind, name: name,
                            isPrefix: name == nil ? nil : call.isSet("prefix"), principal: user,
                            host: host, operation: operation,
                            isAllowed: call.isSet("deny") ? false : nil))
                }
            }
        }
    }
    return filters
}

private func table(_ rules: [AccessRule]) -> TextTable {
    TextTable(
        [
            .init("PRINCIPAL"), .init("PERMISSION"), .init("OPERATION"), .init("RESOURCE"),
            .init("NAME"), .init("PATTERN"), .init("HOST"),
        ],
        rows: rules.map {
            [
                $0.principal, $0.isAllowed ? "allow" : "deny", hyphenated($0.operation.rawValue),
                hyphenated($0.resource.rawValue), $0.name, $0.isPrefix ? "prefix" : "literal",
                $0.host,
            ]
        })
}

private func json(_ rule: AccessRule, _ problem: Problem? = nil) -> JSONValue {
    [
        "principal": .string(rule.principal),
        "permission": .string(rule.isAllowed ? "allow" : "deny"),
        "operation": .string(hyphenated(rule.operation.rawValue)),
        "resource": .string(hyphenated(rule.resource.rawValue)), "name": .string(rule.name),
        "pattern": .string(rule.isPrefix ? "prefix" : "literal"), "host": .string(rule.host),
        "error": problem.map { .string($0.code) } ?? .null,
        "message": problem.map { .string($0.message) } ?? .null,
    ]
}

private func matching(
    _ filters: [AccessFilter], _ admin: Admin
) throws(Problem) -> [AccessRule] {
    var rules: [AccessRule] = []
    for filter in filters {
        let found = try calling { () throws(ClientFailure) in try admin.listAccessRules(filter) }
        for rule in found where !rules.contains(rule) { rules.append(rule) }
    }
    return rules
}

private func listAcls(_ context: CommandContext) throws(Problem) -> ExitCode {
    let filters = try filters(context.invocation)
    return try context.withAdmin { (admin) throws(Problem) in
        let rules = try matching(filters, admin)
        context.printTable(table(rules), json: ["rules": .array(rules.map { json($0) })])
        return .ok
    }
}

private func createAcls(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let wanted = resources(call)
    for (flag, isMissing) in [
        ("--principal", !call.isSet("principal")), ("--operation", !call.isSet("operation")),
        ("--topic, --group, --transactional-id or --cluster", wanted.isEmpty),
    ] where isMissing {
        throw Problem("usage.missingFlag", "\"weir acl create\" needs \(flag)")
    }
    let hosts = call.isSet("host") ? call.strings("host") : ["*"]
    var rules: [AccessRule] = []
    for (kind, name) in wanted {
        for user in call.strings("principal") {
            for host in hosts {
                for text in call.strings("operation") {
                    rules.append(
                        AccessRule(
                            kind, name, isPrefix: call.isSet("prefix"),
                            principal: principal(user), host: host,
                            operation: try operation(text), isAllowed: !call.isSet("deny")))
                }
            }
        }
    }
    let all = rules
    let isDry = call.isSet("dry-run")
    return try context.withAdmin { (admin) throws(Problem) in
        var problems = [Problem?](repeating: nil, count: all.count)
        if !isDry {
            let results = try calling { () throws(ClientFailure) in
                try admin.createAccessRules(all)
            }
            problems = results.map { $0.map { Problem($0) } }
        }
        if context.isJSON {
            let list = zip(all, problems).map { json($0, $1) }
            context.print(["dry_run": .bool(isDry), "rules": .array(list)])
        } else {
            context.printTable(
                table(zip(all, problems).filter { $0.1 == nil }.map(\.0)), json: .null)
            for problem in problems.compactMap({ $0 }) { report(problem, asJSON: false) }
        }
        context.say(isDry ? "nothing was added" : "")
        return problems.contains { $0 != nil } ? .failed : .ok
    }
}

private func deleteAcls(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let filters = try filters(call)
    let saysNothing = filters.count == 1 && filters[0] == AccessFilter()
    if saysNothing, !call.isSet("all") {
        throw Problem(
            "usage.missingFlag", "which rules?",
            notes: ["name users, operations or resources; --all means every rule"])
    }
    let isDry = call.isSet("dry-run")
    return try context.withAdmin { (admin) throws(Problem) in
        var rules = try matching(filters, admin)
        if !isDry, !rules.isEmpty {
            if !call.isSet("yes") { try confirm("Delete \(rules.count) access rules?") }
            rules = []
            for filter in filters {
                rules += try calling { () throws(ClientFailure) in
                    try admin.deleteAccessRules(filter)
                }
            }
        }
        let deleted = rules
        context.printTable(
            table(deleted),
            json: ["dry_run": .bool(isDry), "rules": .array(deleted.map { json($0) })])
        context.say("\(grouped(deleted.count)) rules \(isDry ? "would be deleted" : "deleted")")
        return .ok
    }
}
