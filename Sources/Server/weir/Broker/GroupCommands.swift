import Base
import Runtime
import WeirClient

let groupCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "group list", "Lists consumer groups with their lag", flags: [brokerFlag]),
        run: listGroups),
    RegisteredCommand(
        spec: CommandSpec(
            "group describe", "Describes a group: offsets, lag and members by partition",
            arguments: [ArgumentSpec("GROUP", .one, "The group")], flags: [brokerFlag]),
        run: describeGroup),
]

/// A group with what it has read and what there is to read.
private struct GroupReport {
    struct Partition {
        var address: PartitionAddress
        var committed: Int64?
        var end: Int64?
        var member: GroupInfo.Member?

        /// Records that the group has not read; nil when it has stored no offset.
        var lag: Int64? {
            guard let committed, let end else { return nil }
            return max(0, end - committed)
        }
    }

    var info: GroupInfo
    var partitions: [Partition]

    var totalLag: Int64 { partitions.reduce(0) { $0 + ($1.lag ?? 0) } }
    var topics: [String] {
        var names: [String] = []
        for partition in partitions where !names.contains(partition.address.topic) {
            names.append(partition.address.topic)
        }
        return names
    }

    init(_ group: String, _ admin: Admin) throws(Problem) {
        info = try calling { () throws(ClientFailure) in try admin.describeGroup(group) }
        let committed = try calling { () throws(ClientFailure) in
            try admin.committedOffsets(group)
        }
        var owners: [PartitionAddress: GroupInfo.Member] = [:]
        for member in info.members {
            for address in member.partitions { owners[address] = member }
        }
        let addresses = Set(committed.keys).union(owners.keys).sorted()
        var queries: [PartitionAddress: Int64] = [:]
        for address in addresses { queries[address] = -1 }
        // A topic may be gone while the group still has offsets for it: then its end is unknown.
        var ends: [PartitionAddress: FoundOffset] = [:]
        if !queries.isEmpty {
            do throws(ClientFailure) {
                ends = try admin.listOffsets(queries)
            } catch {
                for (address, query) in queries.sorted(by: { $0.key < $1.key }) {
                    let one = try? admin.listOffsets([address: query])
                    ends[address] = one?[address]
                }
            }
        }
        partitions = addresses.map {
            Partition(
                address: $0, committed: committed[$0].map(\.offset), end: ends[$0]?.offset,
                member: owners[$0])
        }
    }
}

private func listGroups(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        let listed = try calling { () throws(ClientFailure) in try admin.listGroups() }
        var reports: [GroupReport] = []
        for group in listed { reports.append(try GroupReport(group.groupId, admin)) }
        let json = reports.map { report -> JSONValue in
            [
                "group": .string(report.info.groupId), "state": .string(report.info.state),
                "members": .int(report.info.members.count), "lag": .int(report.totalLag),
                "topics": .array(report.topics.map { .string($0) }),
            ]
        }
        let numbers = context.numbers
        let table = TextTable(
            [
                .init("GROUP"), .init("STATE"), .init("MEMBERS", isNumber: true),
                .init("LAG", isNumber: true), .init("TOPICS"),
            ],
            rows: reports.map {
                [
                    $0.info.groupId, $0.info.state, numbers.count(Int64($0.info.members.count)),
                    numbers.count($0.totalLag), $0.topics.joined(separator: ","),
                ]
            })
        context.printTable(table, json: ["groups": .array(json)])
        return .ok
    }
}

private func describeGroup(_ context: CommandContext) throws(Problem) -> ExitCode {
    let name = context.invocation.arguments[0]
    return try context.withAdmin { (admin) throws(Problem) in
        let report = try GroupReport(name, admin)
        if report.info.state == "Dead", report.partitions.isEmpty {
            let known = (try? admin.listGroups())?.map(\.groupId) ?? []
            throw Problem(
                "group.unknown", "there is no group \"\(name)\"",
                hint: nearestName(to: name, among: known).map { "did you mean \"\($0)\"?" }
                    ?? "weir group list")
        }
        if context.isJSON {
            context.print(json(of: report))
        } else {
            context.print(text(of: report, context.numbers))
        }
        return .ok
    }
}

private func json(of report: GroupReport) -> JSONValue {
    let partitions = report.partitions.map { partition -> JSONValue in
        [
            "topic": .string(partition.address.topic),
            "partition": .int(partition.address.partition),
            "committed": partition.committed.map { .int($0) } ?? .null,
            "end": partition.end.map { .int($0) } ?? .null,
            "lag": partition.lag.map { .int($0) } ?? .null,
            "member": partition.member.map { .string($0.memberId) } ?? .null,
        ]
    }
    let members = report.info.members.map { member -> JSONValue in
        [
            "id": .string(member.memberId), "client": .string(member.clientId),
            "host": .string(member.host),
            "instance": member.instanceId.map { .string($0) } ?? .null,
            "partitions": .int(member.partitions.count),
        ]
    }
    return [
        "group": .string(report.info.groupId), "state": .string(report.info.state),
        "strategy": .string(report.info.strategy), "lag": .int(report.totalLag),
        "members": .array(members), "partitions": .array(partitions),
    ]
}

private func text(of report: GroupReport, _ numbers: NumberStyle) -> String {
    var text = "group     \(printable(report.info.groupId))\nstate     \(report.info.state)\n"
    if !report.info.strategy.isEmpty { text += "strategy  \(printable(report.info.strategy))\n" }
    text += "members   \(numbers.count(Int64(report.info.members.count)))\n\n"
    text += TextTable(
        [
            .init("TOPIC"), .init("PART", isNumber: true), .init("COMMITTED", isNumber: true),
            .init("END", isNumber: true), .init("LAG", isNumber: true), .init("MEMBER"),
        ],
        rows: report.partitions.map { partition in
            [
                partition.address.topic, "\(partition.address.partition)",
                partition.committed.map { numbers.count($0) },
                partition.end.map { numbers.count($0) }, partition.lag.map { numbers.count($0) },
                partition.member.map { "\($0.instanceId ?? $0.clientId) (\($0.host))" },
            ]
        }
    ).plain()
    let slowest = report.partitions.max { ($0.lag ?? -1) < ($1.lag ?? -1) }
    text += "total lag \(numbers.count(report.totalLag))"
    if let slowest, let lag = slowest.lag, lag > 0 {
        text += " · slowest partition \(slowest.address)"
    }
    return text + "\n"
}
