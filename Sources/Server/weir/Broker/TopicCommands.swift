import Base
import Runtime
import WeirClient

let topicCommands: [RegisteredCommand] =
    [
        RegisteredCommand(
            spec: CommandSpec(
                "topic create", "Creates topics",
                arguments: [ArgumentSpec("TOPIC", .oneOrMore, "Names of the new topics")],
                flags: [
                    FlagSpec("partitions", "p", value: "N", "Partitions (default: the server's)"),
                    FlagSpec("replicas", "r", value: "N", "Replicas (default: the server's)"),
                    FlagSpec(
                        "config", "c", value: "NAME=VALUE",
                        "A setting, for example retention.ms=3600000",
                        isRepeatable: true),
                    FlagSpec("dry-run", nil, "Checks everything and creates nothing"),
                    brokerFlag,
                ],
                examples: [
                    ("weir topic create orders -p 6 -c cleanup.policy=compact", "a compacted topic")
                ]),
            run: createTopics),
        RegisteredCommand(
            spec: CommandSpec(
                "topic list", "Lists topics",
                flags: [
                    FlagSpec("internal", "i", "With the topics that the server keeps for itself"),
                    brokerFlag,
                ]),
            run: listTopics),
        RegisteredCommand(
            spec: CommandSpec(
                "topic describe", "Describes a topic: partitions, offsets, settings",
                arguments: [ArgumentSpec("TOPIC", .one, "The topic", kind: .topic)],
                flags: [
                    FlagSpec("all", "a", "With the settings that nobody has changed"), brokerFlag,
                ]),
            run: describeTopic),
    ] + topicChangeCommands

private func createTopics(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let partitions = try call.integer("partitions", in: 1...Int64(Limits.partitionsPerTopic))
    let replicas = try call.integer("replicas", in: 1...32_767)
    var configs: [String: String] = [:]
    for setting in call.strings("config") {
        let (name, value) = try splitSetting(setting)
        configs[name] = value
    }
    let isDry = call.isSet("dry-run")
    return try context.withAdmin { (admin) throws(Problem) in
        var outcomes: [ItemOutcome] = []
        for name in call.arguments {
            var outcome = ItemOutcome(name: name)
            do throws(ClientFailure) {
                try admin.createTopic(
                    NewTopic(
                        name, partitions: partitions.map { Int32($0) },
                        replicationFactor: replicas.map { Int16($0) }, configs: configs),
                    validateOnly: isDry)
            } catch {
                var problem = Problem(error)
                if !configs.isEmpty { problem.notes.append("nothing was created") }
                outcome.problem = problem
            }
            outcomes.append(outcome)
        }
        return context.finish(outcomes, "topic", done: isDry ? "would create" : "created")
    }
}

private func listTopics(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        let topics = try calling { () throws(ClientFailure) in
            try admin.listTopics(includeInternal: context.invocation.isSet("internal"))
        }
        let ranges = try OffsetRanges(of: topics, admin)
        let json = topics.map { topic -> JSONValue in
            [
                "name": .string(topic.name), "id": .string(topic.id),
                "internal": .bool(topic.isInternal), "partitions": .int(topic.partitions.count),
                "records": .int(ranges.records(of: topic)),
            ]
        }
        let table = TextTable(
            [.init("NAME"), .init("PARTITIONS", isNumber: true), .init("RECORDS", isNumber: true)],
            rows: topics.map {
                [
                    $0.name, context.numbers.count(Int64($0.partitions.count)),
                    context.numbers.count(ranges.records(of: $0)),
                ]
            })
        context.printTable(table, json: ["topics": .array(json)])
        return .ok
    }
}

/// First and next offset of partitions.
struct OffsetRanges {
    private var begins: [PartitionAddress: FoundOffset] = [:]
    private var ends: [PartitionAddress: FoundOffset] = [:]

    init(of topics: [TopicInfo], _ admin: Admin) throws(Problem) {
        var begin: [PartitionAddress: Int64] = [:]
        var end: [PartitionAddress: Int64] = [:]
        for topic in topics {
            for partition in topic.partitions where partition.leader >= 0 {
                begin[PartitionAddress(topic.name, partition.partition)] = -2
                end[PartitionAddress(topic.name, partition.partition)] = -1
            }
        }
        if begin.isEmpty { return }
        begins = try calling { () throws(ClientFailure) in try admin.listOffsets(begin) }
        ends = try calling { () throws(ClientFailure) in try admin.listOffsets(end) }
    }

    func begin(_ address: PartitionAddress) -> Int64? { begins[address]?.offset }
    func end(_ address: PartitionAddress) -> Int64? { ends[address]?.offset }

    func records(of topic: TopicInfo) -> Int64 {
        var total: Int64 = 0
        for partition in topic.partitions {
            let address = PartitionAddress(topic.name, partition.partition)
            total += max(0, (end(address) ?? 0) - (begin(address) ?? 0))
        }
        return total
    }
}

private func describeTopic(_ context: CommandContext) throws(Problem) -> ExitCode {
    let name = context.invocation.arguments[0]
    return try context.withAdmin { (admin) throws(Problem) in
        let topic = try describeTopic(name, admin)
        let ranges = try OffsetRanges(of: [topic], admin)
        let all = try calling { () throws(ClientFailure) in try admin.describeTopicConfigs(name) }
        let configs = context.invocation.isSet("all") ? all : all.filter { !$0.isDefault }
        if context.isJSON {
            context.print(json(of: topic, ranges, configs))
        } else if (context.invocation.string("output") ?? "text") == "text" {
            context.print(text(of: topic, ranges, configs, context.numbers))
        } else {
            context.printTable(partitionTable(topic, ranges, context.numbers), json: .null)
        }
        return .ok
    }
}

private func json(
    of topic: TopicInfo, _ ranges: OffsetRanges, _ configs: [ConfigEntry]
) -> JSONValue {
    let partitions = topic.partitions.map { partition -> JSONValue in
        let address = PartitionAddress(topic.name, partition.partition)
        return [
            "partition": .int(partition.partition), "leader": .int(partition.leader),
            "leader_epoch": .int(partition.leaderEpoch),
            "replicas": .array(partition.replicas.map { .int($0) }),
            "in_sync_replicas": .array(partition.inSyncReplicas.map { .int($0) }),
            "begin_offset": ranges.begin(address).map { .int($0) } ?? .null,
            "end_offset": ranges.end(address).map { .int($0) } ?? .null,
        ]
    }
    let settings = configs.map { config -> JSONValue in
        [
            "name": .string(config.name), "value": config.value.map { .string($0) } ?? .null,
            "default": .bool(config.isDefault), "read_only": .bool(config.isReadOnly),
        ]
    }
    return [
        "name": .string(topic.name), "id": .string(topic.id), "internal": .bool(topic.isInternal),
        "partitions": .array(partitions), "settings": .array(settings),
    ]
}

private func partitionTable(
    _ topic: TopicInfo, _ ranges: OffsetRanges, _ numbers: NumberStyle
) -> TextTable {
    let rows = topic.partitions.map { partition -> [String?] in
        let address = PartitionAddress(topic.name, partition.partition)
        let begin = ranges.begin(address)
        let end = ranges.end(address)
        let count = begin.flatMap { first in end.map { $0 - first } }
        return [
            "\(partition.partition)", partition.leader < 0 ? nil : "\(partition.leader)",
            partition.replicas.map { "\($0)" }.joined(separator: ","),
            partition.inSyncReplicas.map { "\($0)" }.joined(separator: ","),
            begin.map { numbers.count($0) }, end.map { numbers.count($0) },
            count.map { numbers.count($0) },
        ]
    }
    return TextTable(
        [
            .init("PART", isNumber: true), .init("LEADER", isNumber: true), .init("REPLICAS"),
            .init("IN SYNC"), .init("BEGIN", isNumber: true), .init("END", isNumber: true),
            .init("RECORDS", isNumber: true),
        ], rows: rows
    )
}

private func text(
    of topic: TopicInfo, _ ranges: OffsetRanges, _ configs: [ConfigEntry], _ numbers: NumberStyle
) -> String {
    var text = "name        \(topic.name)\nid          \(topic.id)\n"
    text += "partitions  \(numbers.count(Int64(topic.partitions.count)))\n"
    text += "records     \(numbers.count(ranges.records(of: topic)))\n\n"
    text += partitionTable(topic, ranges, numbers).plain()
    if configs.isEmpty { return text }
    return text + "\n"
        + TextTable(
            [.init("SETTING"), .init("VALUE"), .init("")],
            rows: configs.map { [$0.name, $0.value, $0.isDefault ? "" : "changed"] }, missing: ""
        ).plain()
}
