// Users with passwords, and quotas.

import Base
import CPlatform
import Glibc
import Runtime
import WeirClient

private let mechanismFlag = FlagSpec(
    "mechanism", "m", value: "NAME", "How the password is proved",
    choices: ScramMechanism.allCases.map(\.rawValue))

let userCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec("user list", "Lists users that have a password", flags: [brokerFlag]),
        run: listUsers),
    RegisteredCommand(
        spec: CommandSpec(
            "user create", "Gives a user a password, or a new one",
            details: """
                The password is asked for at a terminal, or is the first line of standard input or of
                --password-file. It does not leave this machine: what is sent is derived from it.
                Without --mechanism it is stored for both.
                """,
            arguments: [ArgumentSpec("USER", .one, "The name")],
            flags: [
                mechanismFlag,
                FlagSpec(
                    "password-file", nil, value: "FILE", "A file whose first line it is",
                    kind: .file),
                FlagSpec(
                    "iterations", nil, value: "N", "How slow guessing is made", fallback: "8192"),
                brokerFlag,
            ],
            examples: [
                ("weir user create alice", "asks for the password"),
                ("pass show alice | weir user create alice", "takes it from another program"),
            ]),
        run: createUser),
    RegisteredCommand(
        spec: CommandSpec(
            "user delete", "Takes the passwords of users away",
            arguments: [ArgumentSpec("USER", .oneOrMore, "The names")],
            flags: [mechanismFlag, FlagSpec("yes", "y", "Does not ask"), brokerFlag]),
        run: deleteUsers),
]

private func listUsers(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        let users = try calling { () throws(ClientFailure) in try admin.listUsers() }
        let json = users.map { user -> JSONValue in
            let credentials = user.credentials.map { one -> JSONValue in
                [
                    "mechanism": .string(one.mechanism.rawValue),
                    "iterations": .int(one.iterations),
                ]
            }
            return ["user": .string(user.name), "credentials": .array(credentials)]
        }
        context.printTable(
            TextTable(
                [.init("USER"), .init("MECHANISMS")],
                rows: users.map { user in
                    [user.name, user.credentials.map(\.mechanism.rawValue).joined(separator: ",")]
                }), json: ["users": .array(json)])
        return .ok
    }
}

private func mechanisms(_ call: Invocation) -> [ScramMechanism] {
    call.string("mechanism").flatMap { ScramMechanism(rawValue: $0) }.map { [$0] }
        ?? ScramMechanism.allCases
}

private func createUser(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let user = call.arguments[0]
    let iterations = Int32(try call.integer("iterations", in: 4096...16_384) ?? 8192)
    let password = try password(call)
    return try context.withAdmin { (admin) throws(Problem) in
        var outcome = ItemOutcome(name: user)
        for mechanism in mechanisms(call) {
            do throws(ClientFailure) {
                try admin.setPassword(
                    password, ofUser: user, mechanism: mechanism, iterations: iterations)
            } catch {
                outcome.problem = outcome.problem ?? Problem(error)
            }
        }
        return context.finish([outcome], "user", done: "stored a password for")
    }
}

/// From a file, from standard input, or typed without being shown.
private func password(_ call: Invocation) throws(Problem) -> String {
    var text: Bytes?
    if let path = call.string("password-file") {
        let content = try readFile(path, limit: 64 << 10)
        var lines = LineReader(limit: 1024) { () throws(Problem) in content }
        text = try lines.next()
    } else {
        let isTyped = weir_is_terminal(0) == 1
        if isTyped { standardError("Password: ") }
        text = try withoutEcho(isTyped) { () throws(Problem) in
            var lines = LineReader(descriptor: 0, limit: 1024)
            return try lines.next()
        }
        if isTyped { standardError("\n") }
    }
    guard let text, !text.isEmpty, let password = text.validText else {
        throw Problem("user.password", "there is no password")
    }
    return password
}

private func withoutEcho<Value>(
    _ isTerminal: Bool, _ body: () throws(Problem) -> Value
) throws(Problem) -> Value {
    var settings = termios()
    guard isTerminal, tcgetattr(0, &settings) == 0 else { return try body() }
    let before = settings
    settings.c_lflag &= ~tcflag_t(ECHO)
    tcsetattr(0, TCSAFLUSH, &settings)
    defer {
        var restored = before
        tcsetattr(0, TCSAFLUSH, &restored)
    }
    return try body()
}

private func deleteUsers(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    return try context.withAdmin { (admin) throws(Problem) in
        if !call.isSet("yes") {
            try confirm("Take the passwords of \(call.arguments.joined(separator: ", ")) away?")
        }
        let known = try calling { () throws(ClientFailure) in try admin.listUsers() }
        var outcomes: [ItemOutcome] = []
        for name in call.arguments {
            var outcome = ItemOutcome(name: name)
            let stored = known.first { $0.name == name }?.credentials.map(\.mechanism) ?? []
            let wanted = mechanisms(call).filter { stored.contains($0) }
            if wanted.isEmpty {
                let near = nearestName(to: name, among: known.map(\.name))
                outcome.problem = Problem(
                    "user.unknown", "\"\(name)\" has no such password",
                    hint: near.map { "did you mean \"\($0)\"?" } ?? "weir user list")
            }
            for mechanism in wanted {
                do throws(ClientFailure) {
                    try admin.deleteUser(name, mechanism: mechanism)
                } catch {
                    outcome.problem = Problem(error)
                }
            }
            outcomes.append(outcome)
        }
        return context.finish(outcomes, "user", done: "deleted")
    }
}

// MARK: Quotas

private let ownerFlags = [
    FlagSpec("user", nil, value: "NAME", "Of this user; default = of users without an own one"),
    FlagSpec("client-id", nil, value: "ID", "Of this client id; default = of all others"),
    FlagSpec("ip", nil, value: "ADDRESS", "Of this address; default = of all others"),
]

let quotaCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "quota list", "Lists quotas of users, client ids and addresses", flags: [brokerFlag]),
        run: listQuotas),
    RegisteredCommand(
        spec: CommandSpec(
            "quota set", "Sets quotas of a user, a client id, both together, or an address",
            arguments: [ArgumentSpec("QUOTA", .any, "NAME=NUMBER, for example producer_byte_rate")],
            flags: ownerFlags + [
                FlagSpec("unset", nil, value: "NAME", "Takes a quota away", isRepeatable: true),
                FlagSpec("dry-run", nil, "Checks everything and changes nothing"), brokerFlag,
            ],
            examples: [
                ("weir quota set --user alice producer_byte_rate=1000000", "1 MB a second"),
                ("weir quota set --client-id default consumer_byte_rate=5e6", "for all others"),
            ]),
        run: setQuotas),
]

private func listQuotas(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        let quotas = try calling { () throws(ClientFailure) in try admin.listQuotas() }
        func shown(_ name: String?) -> String? { name.map { $0.isEmpty ? "(default)" : $0 } }
        var rows: [[String?]] = []
        var list: [JSONValue] = []
        for quota in quotas {
            for (name, value) in quota.values.sorted(by: { $0.key < $1.key }) {
                let number = JSONValue.double(value)
                rows.append([
                    shown(quota.owner.user), shown(quota.owner.clientId), shown(quota.owner.ip),
                    name, number.text,
                ])
                list.append([
                    "user": quota.owner.user.map { .string($0) } ?? .null,
                    "client_id": quota.owner.clientId.map { .string($0) } ?? .null,
                    "ip": quota.owner.ip.map { .string($0) } ?? .null, "quota": .string(name),
                    "value": number,
                ])
            }
        }
        let table = TextTable(
            [
                .init("USER"), .init("CLIENT ID"), .init("IP"), .init("QUOTA"),
                .init("VALUE", isNumber: true),
            ], rows: rows)
        context.printTable(table, json: ["quotas": .array(list)])
        return .ok
    }
}

private func setQuotas(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    func name(_ flag: String) -> String? { call.string(flag).map { $0 == "default" ? "" : $0 } }
    let owner = QuotaOwner(user: name("user"), clientId: name("client-id"), ip: name("ip"))
    if owner == QuotaOwner() {
        throw Problem(
            "usage.missingFlag", "\"weir quota set\" needs --user, --client-id or --ip")
    }
    var values: [String: Double?] = [:]
    for setting in call.arguments {
        let (name, text) = try splitSetting(setting)
        guard let number = Double(text), number.isFinite, number > 0 else {
            throw Problem(
                "usage.value", "\"\(text)\" is not a quota", notes: ["expected a number above 0"])
        }
        values[name] = .some(number)
    }
    for name in call.strings("unset") { values[name] = .some(nil) }
    if values.isEmpty {
        throw Problem(
            "usage.nothing", "nothing is to be changed", notes: ["say NAME=NUMBER or --unset NAME"])
    }
    let changes = values
    return try context.withAdmin { (admin) throws(Problem) in
        try calling { () throws(ClientFailure) in
            try admin.setQuotas(of: owner, changes, validateOnly: call.isSet("dry-run"))
        }
        let outcomes = changes.keys.sorted().map { ItemOutcome(name: $0) }
        return context.finish(
            outcomes, "quota", done: call.isSet("dry-run") ? "would change" : "changed")
    }
}
