import Base
import CPlatform
import Runtime
import WeirClient

let doctorCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "doctor", "Looks for what is wrong with this machine and the server",
            details: """
                The machine: open files, clock, memory pages, and of the data directory its file system,
                room and how long it takes to make bytes durable. The server, when one answers:
                cluster, partitions, groups that are far behind, tables that fail or have many small
                files. Exit code 4 when something fails.
                """,
            flags: [
                FlagSpec("data", "d", value: "DIR", "The data directory", fallback: "weir-data"),
                FlagSpec(
                    "lag", nil, value: "N", "Records that a group may be behind",
                    fallback: "1000000"),
                brokerFlag, httpFlag,
            ],
            examples: [
                ("weir doctor -d /srv/weir", "before the first start, and whenever in doubt")
            ]),
        run: examine)
]

/// What was looked at, and how it is.
struct Finding {
    enum State: String {
        case ok, warning, failing
        /// It could not be looked at.
        case unknown
    }

    var subject: String
    var state: State
    /// What was found, and what is expected where that is something else.
    var text: String
    /// A command or a setting that helps.
    var remedy: String?

    init(_ subject: String, _ state: State, _ text: String, remedy: String? = nil) {
        self.subject = subject
        self.state = state
        self.text = text
        self.remedy = remedy
    }

    /// For people: nothing is cut off, what helps stands below.
    var line: String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        let line = padded(state.rawValue, 9) + padded(subject, 13) + text + "\n"
        guard let remedy else { return line }
        return line + String(repeating: " ", count: 22) + "→ \(remedy)\n"
    }

    var json: JSONValue {
        [
            "subject": .string(subject), "state": .string(state.rawValue), "found": .string(text),
            "remedy": remedy.map { .string($0) } ?? .null,
        ]
    }
}

private func examine(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let lag = try call.integer("lag", in: 0...Int64.max) ?? 0
    var findings = MachineExamination(data: call.string("data") ?? "weir-data").findings
    findings += ServerExamination(context, lagMax: lag).findings
    let failing = findings.filter { $0.state == .failing }
    if context.invocation.string("output") ?? "text" == "text" {
        context.print(findings.map(\.line).joined())
    } else {
        context.printTable(
            TextTable(
                [.init("STATE"), .init("WHAT"), .init("FOUND"), .init("REMEDY")],
                rows: findings.map { [$0.state.rawValue, $0.subject, $0.text, $0.remedy ?? ""] }),
            json: [
                "healthy": .bool(failing.isEmpty), "findings": .array(findings.map(\.json)),
            ])
    }
    let warnings = findings.count { $0.state == .warning }
    context.say(
        failing.isEmpty && warnings == 0
            ? "nothing is wrong" : "\(failing.count) failing, \(warnings) warnings")
    return failing.isEmpty ? .ok : .checkFailed
}
