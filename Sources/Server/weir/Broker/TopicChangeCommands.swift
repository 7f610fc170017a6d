// Commands that change topics or delete from them.

import Base
import Runtime
import WeirClient

let topicChangeCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "topic alter", "Adds partitions to a topic, or changes its settings",
            details: "Partitions can't be taken away: their number may only grow.",
            arguments: [ArgumentSpec("TOPIC", .one, "The topic", kind: .topic)],
            flags: [
                FlagSpec("partitions", "p", value: "N", "The new number of partitions"),
                FlagSpec(
                    "config", "c", value: "NAME=VALUE",
                    "A setting; NAME+=VALUE adds to a list, NAME-=VALUE takes from it",
                    isRepeatable: true),
                FlagSpec("unset", "u", value: "NAME", "Back to the default", isRepeatable: true),
                FlagSpec("dry-run", nil, "Checks everything and changes nothing"), brokerFlag,
            ],
            examples: [
                ("weir topic alter orders -p 12", "twelve partitions from now on"),
                ("weir topic alter orders -c retention.ms=3600000", "keeps an hour"),
            ]),
        run: alterTopic),
    RegisteredCommand(
        spec: CommandSpec(
            "topic trim", "Deletes the oldest records of a topic",
            details: "Everything below the place goes, in every partition or in those named.",
            arguments: [ArgumentSpec("TOPIC", .one, "The topic", kind: .topic)],
            flags: [
                FlagSpec(
                    "before", "f", value: "PLACE",
                    "end, N, -N (before the end), +N, @milliseconds, @2026-01-02T03:04, @-15m"),
                FlagSpec(
                    "partition", "p", value: "N", "Only these partitions", isRepeatable: true),
                FlagSpec("yes", "y", "Does not ask"),
                FlagSpec("dry-run", nil, "Says what would be deleted"), brokerFlag,
            ],
            examples: [
                ("weir topic trim orders --before @-7d --dry-run", "what is older than a week"),
                ("weir topic trim orders --before end --yes", "empties the topic"),
            ]),
        run: trimTopic),
    RegisteredCommand(
        spec: CommandSpec(
            "topic delete", "Deletes topics with all their records",
            arguments: [ArgumentSpec("TOPIC", .oneOrMore, "The topics", kind: .topic)],
            flags: [
                FlagSpec("yes", "y", "Does not ask"),
                FlagSpec("dry-run", nil, "Says what would be deleted"), brokerFlag,
            ]),
        run: deleteTopics),
]

private func alterTopic(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let name = call.arguments[0]
    let partitions = try call.integer("partitions", in: 1...Int64(Limits.partitionsPerTopic))
    let changes = try configChanges(call.strings("config"), unset: call.strings("unset"))
    guard partitions != nil || !changes.isEmpty else {
        throw Problem(
            "usage.nothing", "nothing is to be changed", notes: ["say --partitions or --config"])
    }
    let isDry = call.isSet("dry-run")
    return try context.withAdmin { (admin) throws(Problem) in
        let topic = try describeTopic(name, admin)
        var outcome = ItemOutcome(name: name)
        do throws(ClientFailure) {
            // Settings first: both are checked before partitions are added, which can't be undone.
            if !changes.isEmpty {
                try admin.alterConfigs(of: .topic(name), changes, validateOnly: true)
            }
            if let partitions, isDry || Int(partitions) != topic.partitions.count {
                try admin.createPartitions(name, count: Int32(partitions), validateOnly: true)
                if !isDry { try admin.createPartitions(name, count: Int32(partitions)) }
            }
            if !changes.isEmpty, !isDry {
                try admin.alterConfigs(of: .topic(name), changes)
            }
        } catch {
            outcome.problem = Problem(error)
        }
        return context.finish([outcome], "topic", done: isDry ? "would change" : "changed")
    }
}

private func trimTopic(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    guard let text = call.string("before") else {
        throw Problem(
            "usage.missingFlag", "\"weir topic trim\" needs --before",
            notes: ["for example --before @-7d, or --before end"])
    }
    let place = try StartPosition(parsing: text, now: SystemClock.timestamp)
    let isDry = call.isSet("dry-run")
    return try context.withAdmin { (admin) throws(Problem) in
        let topic = try describeTopic(call.arguments[0], admin)
        let addresses = try chosenPartitions(call, of: topic)
        let places = try Places(place, addresses, admin)
        var cut: [PartitionAddress: Int64] = [:]
        var total: Int64 = 0
        for address in addresses {
            guard let found = places[address], found.offset > found.begin else { continue }
            cut[address] = found.offset
            total += found.offset - found.begin
        }
        if !isDry, !cut.isEmpty, !call.isSet("yes") {
            try confirm("Delete \(grouped(total)) records of \(topic.name)?")
        }
        var problem: Problem?
        if !isDry, !cut.isEmpty {
            let offsets = cut
            do throws(ClientFailure) {
                try admin.deleteRecords(before: offsets)
            } catch {
                problem = Problem(error)
            }
        }
        printTrim(context, topic, addresses, places, total, problem)
        return problem.map { ExitCode(for: $0) } ?? .ok
    }
}

private func printTrim(
    _ context: CommandContext, _ topic: TopicInfo, _ addresses: [PartitionAddress],
    _ places: Places, _ total: Int64, _ problem: Problem?
) {
    let isDry = context.invocation.isSet("dry-run")
    let rows = addresses.compactMap { address in places[address].map { (address, $0) } }
    let numbers = context.numbers
    let table = TextTable(
        [
            .init("PART", isNumber: true), .init("BEGIN", isNumber: true),
            .init("NEW BEGIN", isNumber: true), .init("END", isNumber: true),
            .init("DELETED", isNumber: true),
        ],
        rows: rows.map { address, place in
            [
                "\(address.partition)", numbers.count(place.begin), numbers.count(place.offset),
                numbers.count(place.end), numbers.count(place.offset - place.begin),
            ]
        })
    let json = rows.map { address, place -> JSONValue in
        [
            "partition": .int(address.partition), "begin_offset": .int(place.begin),
            "new_begin_offset": .int(place.offset), "end_offset": .int(place.end),
            "deleted": .int(place.offset - place.begin),
        ]
    }
    if let problem, !context.isJSON {
        report(problem, asJSON: false)
        return
    }
    context.printTable(
        table,
        json: [
            "topic": .string(topic.name), "dry_run": .bool(isDry), "deleted": .int(total),
            "partitions": .array(json), "error": problem.map { .string($0.code) } ?? .null,
            "message": problem.map { .string($0.message) } ?? .null,
        ])
    context.say("\(grouped(total)) records \(isDry ? "would be deleted" : "deleted")")
}

private func deleteTopics(_ context: CommandContext) throws(Problem) -> ExitCode {
    let names = context.invocation.arguments
    let isDry = context.invocation.isSet("dry-run")
    return try context.withAdmin { (admin) throws(Problem) in
        if !isDry, !context.invocation.isSet("yes") {
            try confirm("Delete \(names.joined(separator: ", ")) with all records?")
        }
        var outcomes: [ItemOutcome] = []
        for name in names {
            var outcome = ItemOutcome(name: name)
            do throws(ClientFailure) {
                if isDry {
                    _ = try admin.describeTopics([name])
                } else {
                    try admin.deleteTopic(name)
                }
            } catch {
                outcome.problem = Problem(error).suggesting(name, among: admin)
            }
            outcomes.append(outcome)
        }
        return context.finish(outcomes, "topic", done: isDry ? "would delete" : "deleted")
    }
}
