import Base
import Runtime
import WeirClient

let groupCommands: [RegisteredCommand] =
    [
        RegisteredCommand(
            spec: CommandSpec(
                "group list", "Lists groups, also share groups, with their lag",
                flags: [brokerFlag]),
            run: listGroups),
        RegisteredCommand(
            spec: CommandSpec(
                "group describe", "Describes a group: state, members, offsets and lag by partition",
                arguments: [ArgumentSpec("GROUP", .one, "The group", kind: .group)],
                flags: [
                    FlagSpec(
                        "members", "m", "The members and what each reads, instead of partitions"),
                    brokerFlag,
                ]),
            run: describeGroup),
        RegisteredCommand(
            spec: CommandSpec(
                "group lag", "Tells how far a group is behind, in records and in time",
                details: "The time is the age of the first record that the group has not read.",
                arguments: [ArgumentSpec("GROUP", .one, "The group", kind: .group)],
                flags: [
                    FlagSpec("no-time", nil, "Does not read records to find out their age"),
                    FlagSpec(
                        "max", nil, value: "N", "Ends with exit code 4 when the lag is above N"),
                    brokerFlag,
                ],
                examples: [
                    ("weir group lag audit", "what there is to read, and since when it waits"),
                    ("weir group lag audit --max 10000", "for alarms: exit code 4 above it"),
                ]),
            run: groupLag),
    ] + groupChangeCommands

private func listGroups(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        let listed = try calling { () throws(ClientFailure) in try admin.listGroups() }
        var reports: [GroupReport] = []
        for group in listed { reports.append(try GroupReport(group.groupId, admin)) }
        let types = listed.map(\.type)
        let json = zip(types, reports).map { type, report -> JSONValue in
            [
                "group": .string(report.info.groupId), "type": .string(type),
                "state": .string(report.info.state),
                "members": .int(report.info.members.count), "lag": .int(report.totalLag),
                "topics": .array(report.topics.map { .string($0) }),
            ]
        }
        let numbers = context.numbers
        let table = TextTable(
            [
                .init("GROUP"), .init("STATE"), .init("MEMBERS", isNumber: true),
                .init("LAG", isNumber: true), .init("TOPICS"), .init("TYPE"),
            ],
            rows: zip(types, reports).map { type, report in
                [
                    report.info.groupId, report.info.state,
                    numbers.count(Int64(report.info.members.count)),
                    numbers.count(report.totalLag), report.topics.joined(separator: ","), type,
                ]
            })
        context.printTable(table, json: ["groups": .array(json)])
        return .ok
    }
}

private func describeGroup(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        let report = try GroupReport.known(context.invocation.arguments[0], admin)
        if context.isJSON {
            context.print(json(of: report))
            return .ok
        }
        let numbers = context.numbers
        let table =
            context.invocation.isSet("members")
            ? memberTable(report, numbers) : partitionTable(report, numbers)
        if (context.invocation.string("output") ?? "text") == "text" {
            context.print(
                head(of: report, numbers) + "\n" + table.plain() + summary(report, numbers))
        } else {
            context.printTable(table, json: .null)
        }
        return .ok
    }
}

private func groupLag(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let limit = try call.integer("max", in: 0...Int64.max)
    return try context.withAdmin { (admin) throws(Problem) in
        let report = try GroupReport.known(call.arguments[0], admin)
        let ages = call.isSet("no-time") ? [:] : try ages(of: report, context)
        if context.isJSON, call.string("output") == "json" {
            context.print(json(of: report, ages: ages))
        } else {
            let numbers = context.numbers
            context.printTable(lagTable(report, ages, numbers), json: .null)
            if (call.string("output") ?? "text") == "text" {
                context.print(summary(report, numbers))
            }
        }
        return limit.map { report.totalLag > $0 ? .checkFailed : .ok } ?? .ok
    }
}

/// Seconds since the first unread record of each partition that lags was made.
private func ages(
    of report: GroupReport, _ context: CommandContext
) throws(Problem) -> [PartitionAddress: Double] {
    var wanted: [PartitionAddress: Int64] = [:]
    for partition in report.partitions where partition.lag ?? 0 > 0 {
        wanted[partition.address] = partition.committed
    }
    if wanted.isEmpty { return [:] }
    let consumer = Consumer(
        ConsumerConfiguration(
            client: try context.clientConfiguration(), offsetReset: .earliest,
            maxPollRecords: 100))
    defer { consumer.closeBlocking() }
    let now = SystemClock.timestamp.milliseconds
    let deadline = SystemClock.monotonic + .seconds(10)
    var ages: [PartitionAddress: Double] = [:]
    while ages.count < wanted.count, SystemClock.monotonic < deadline {
        let open = wanted.keys.filter { ages[$0] == nil }.sorted()
        // Those that are found make room for the others.
        consumer.assign(open)
        let records = try calling { () throws(ClientFailure) in
            for address in open { try consumer.seek(address, to: wanted[address] ?? 0) }
            return try consumer.pollBlocking(timeout: .milliseconds(500))
        }
        for record in records {
            let address = PartitionAddress(record.topic, record.partition)
            if ages[address] == nil, record.timestamp >= 0 {
                ages[address] = max(0, Double(now - record.timestamp) / 1000)
            }
        }
        // Only markers or nothing at all is left there: nothing waits.
        if records.isEmpty { break }
    }
    return ages
}

private func lagTable(
    _ report: GroupReport, _ ages: [PartitionAddress: Double], _ numbers: NumberStyle
) -> TextTable {
    TextTable(
        [
            .init("TOPIC"), .init("PART", isNumber: true), .init("COMMITTED", isNumber: true),
            .init("END", isNumber: true), .init("LAG", isNumber: true),
            .init("BEHIND", isNumber: true), .init("MEMBER"),
        ],
        rows: report.partitions.map { partition in
            [
                partition.address.topic, "\(partition.address.partition)",
                partition.committed.map { numbers.count($0) },
                partition.end.map { numbers.count($0) }, partition.lag.map { numbers.count($0) },
                ages[partition.address].map { numbers.seconds($0) },
                partition.member.map { "\($0.instanceId ?? $0.clientId) (\($0.host))" },
            ]
        })
}

private func json(
    of report: GroupReport, ages: [PartitionAddress: Double]? = nil
) -> JSONValue {
    let partitions = report.partitions.map { partition -> JSONValue in
        let facts: JSONValue = [
            "topic": .string(partition.address.topic),
            "partition": .int(partition.address.partition),
            "committed": partition.committed.map { .int($0) } ?? .null,
            "end": partition.end.map { .int($0) } ?? .null,
            "lag": partition.lag.map { .int($0) } ?? .null,
            "member": partition.member.map { .string($0.memberId) } ?? .null,
        ]
        guard let ages, let members = facts.members else { return facts }
        let age = ages[partition.address]
        return .object(
            members + [JSONMember("behind_seconds", age.map { .double($0) } ?? .null)])
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
        "group": .string(report.info.groupId), "share": .bool(report.info.isShare),
        "state": .string(report.info.state),
        "strategy": .string(report.info.strategy), "lag": .int(report.totalLag),
        "members": .array(members), "partitions": .array(partitions),
    ]
}

private func head(of report: GroupReport, _ numbers: NumberStyle) -> String {
    var text = "group     \(printable(report.info.groupId))\n"
    if report.info.isShare { text += "type      share\n" }
    text += "state     \(report.info.state)\n"
    if !report.info.strategy.isEmpty { text += "strategy  \(printable(report.info.strategy))\n" }
    return text + "members   \(numbers.count(Int64(report.info.members.count)))\n"
}

private func partitionTable(_ report: GroupReport, _ numbers: NumberStyle) -> TextTable {
    var table = lagTable(report, [:], numbers)
    // The column of times, which only `group lag` finds out.
    table.headings.remove(at: 5)
    for index in table.rows.indices { table.rows[index].remove(at: 5) }
    return table
}

private func memberTable(_ report: GroupReport, _ numbers: NumberStyle) -> TextTable {
    TextTable(
        [
            .init("MEMBER"), .init("CLIENT"), .init("HOST"), .init("LAG", isNumber: true),
            .init("PARTITIONS"),
        ],
        rows: report.info.members.map { member in
            let lag = report.partitions.filter { $0.member?.memberId == member.memberId }
                .reduce(0) { $0 + ($1.lag ?? 0) }
            return [
                member.instanceId ?? member.memberId, member.clientId, member.host,
                numbers.count(lag),
                member.partitions.map(\.description).joined(separator: ","),
            ]
        })
}

private func summary(_ report: GroupReport, _ numbers: NumberStyle) -> String {
    let slowest = report.partitions.max { ($0.lag ?? -1) < ($1.lag ?? -1) }
    var text = "total lag \(numbers.count(report.totalLag))"
    if let slowest, let lag = slowest.lag, lag > 0 {
        text += " · slowest partition \(slowest.address)"
    }
    return text + "\n"
}
