// Commands that move or delete the offsets of groups.

import Base
import Runtime
import WeirClient

let groupChangeCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "group seek", "Moves the offsets of a group that has no members now",
            details: """
                Shows for each partition where the group stands and where it will go. Without
                --topic and --partition all partitions are moved of which the group has an offset.
                """,
            arguments: [ArgumentSpec("GROUP", .one, "The group", kind: .group)],
            flags: [
                FlagSpec(
                    "to", "t", value: "PLACE",
                    "start, end, N, -N (before the end), +N, @milliseconds, @2026-01-02T03:04, @-15m"
                ),
                FlagSpec("by", nil, value: "N", "So many records forward, or back with -N"),
                FlagSpec(
                    "copy-from", nil, value: "GROUP", "To where this group stands", kind: .group),
                FlagSpec(
                    "topic", nil, value: "TOPIC", "Only this topic", isRepeatable: true,
                    kind: .topic),
                FlagSpec(
                    "partition", "p", value: "N", "Only these partitions", isRepeatable: true),
                FlagSpec("dry-run", nil, "Shows it and changes nothing"), brokerFlag,
            ],
            examples: [
                ("weir group seek audit --to @-2h --dry-run", "what two hours ago means"),
                ("weir group seek audit --by -100 --topic orders", "reads 100 records again"),
                ("weir group seek audit-2 --copy-from audit", "begins where another one is"),
            ]),
        run: seekGroup),
    RegisteredCommand(
        spec: CommandSpec(
            "group delete", "Deletes groups with their offsets",
            arguments: [ArgumentSpec("GROUP", .oneOrMore, "The groups", kind: .group)],
            flags: [
                FlagSpec(
                    "topic", nil, value: "TOPIC", "Only the offsets of this topic",
                    isRepeatable: true, kind: .topic),
                FlagSpec("yes", "y", "Does not ask"),
                FlagSpec("dry-run", nil, "Says what would be deleted"), brokerFlag,
            ],
            examples: [
                ("weir group delete audit --topic orders", "forgets what it has read of orders")
            ]),
        run: deleteGroups),
]

/// One line of the preview.
private struct Move {
    var address: PartitionAddress
    var committed: Int64?
    var place: Places.Place
}

private func seekGroup(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let ways = ["to", "by", "copy-from"].filter { call.isSet($0) }
    guard ways.count == 1 else {
        throw Problem(
            "usage.missingFlag", "\"weir group seek\" needs one of --to, --by and --copy-from",
            notes: ways.isEmpty ? [] : ["given: " + ways.map { "--" + $0 }.joined(separator: ", ")])
    }
    let name = call.arguments[0]
    let isDry = call.isSet("dry-run")
    return try context.withAdmin { (admin) throws(Problem) in
        let info = try calling { () throws(ClientFailure) in try admin.describeGroup(name) }
        let moves = try planMoves(call, info, admin)
        if !info.members.isEmpty { throw activeGroup(info, "its offsets can't be moved") }
        var problem: Problem?
        if !isDry {
            var offsets: [PartitionAddress: Int64] = [:]
            for move in moves where move.committed != move.place.offset || info.isShare {
                offsets[move.address] = move.place.offset
            }
            let changed = offsets
            do throws(ClientFailure) {
                if info.isShare {
                    try admin.setShareOffsets(name, changed)
                } else {
                    try admin.setCommittedOffsets(name, changed.mapValues { CommittedOffset($0) })
                }
            } catch {
                problem = Problem(error)
            }
        }
        printMoves(context, name, moves, problem)
        return problem.map { ExitCode(for: $0) } ?? .ok
    }
}

private func activeGroup(_ info: GroupInfo, _ what: String) -> Problem {
    let members = info.members.map {
        "\($0.instanceId ?? $0.clientId) (\($0.host)): "
            + ($0.partitions.isEmpty
                ? "nothing" : $0.partitions.map(\.description).joined(separator: ", "))
    }
    return Problem(
        "group.active", "group \"\(info.groupId)\" has members now: \(what)", notes: members,
        hint: "stop these consumers first")
}

/// Where each partition goes.
private func planMoves(
    _ call: Invocation, _ info: GroupInfo, _ admin: Admin
) throws(Problem) -> [Move] {
    let name = info.groupId
    let committed = try GroupOffsets(info, admin).offsets
    var source: [PartitionAddress: Int64] = [:]
    if let other = call.string("copy-from") {
        let from = try calling { () throws(ClientFailure) in try admin.describeGroup(other) }
        source = try GroupOffsets(from, admin).offsets
        if source.isEmpty { throw unknownGroup(other, admin) }
    }
    var addresses: [PartitionAddress] = []
    let topics = call.strings("topic")
    if topics.isEmpty {
        addresses = (call.isSet("copy-from") ? Array(source.keys) : Array(committed.keys)).sorted()
        if addresses.isEmpty {
            let known = try calling { () throws(ClientFailure) in try admin.listGroups() }
            if !known.contains(where: { $0.groupId == name }) { throw unknownGroup(name, admin) }
            throw Problem(
                "group.noOffsets", "group \"\(name)\" has no offsets to move",
                hint: "say --topic to give it some")
        }
        if call.isSet("partition") {
            let wanted = call.strings("partition")
            addresses = addresses.filter { wanted.contains(String($0.partition)) }
            if addresses.isEmpty {
                throw Problem(
                    "topic.partition",
                    "group \"\(name)\" has no offset in partition \(wanted.joined(separator: ", "))"
                )
            }
        }
    }
    for topic in topics {
        addresses += try chosenPartitions(call, of: try describeTopic(topic, admin))
    }
    if call.isSet("copy-from") { addresses = addresses.filter { source[$0] != nil } }
    let places: Places
    if let text = call.string("to") {
        let place = try StartPosition(parsing: text, now: SystemClock.timestamp)
        places = try Places(place, addresses, admin)
    } else if let shift = try call.integer("by", in: -Int64.max...Int64.max) {
        places = try Places(addresses, admin) { address, place in
            let from = committed[address] ?? place.begin
            let (sum, overflow) = from.addingReportingOverflow(shift)
            return overflow ? (shift < 0 ? place.begin : place.end) : sum
        }
    } else {
        places = try Places(addresses, admin) { address, place in
            source[address] ?? place.begin
        }
    }
    return addresses.compactMap { address in
        places[address].map {
            Move(address: address, committed: committed[address], place: $0)
        }
    }
}

private func printMoves(
    _ context: CommandContext, _ group: String, _ moves: [Move], _ problem: Problem?
) {
    let isDry = context.invocation.isSet("dry-run")
    if let problem, !context.isJSON {
        report(problem, asJSON: false)
        return
    }
    let numbers = context.numbers
    let table = TextTable(
        [
            .init("TOPIC"), .init("PART", isNumber: true), .init("COMMITTED", isNumber: true),
            .init("NEW", isNumber: true), .init("CHANGE", isNumber: true),
            .init("BEGIN", isNumber: true), .init("END", isNumber: true),
            .init("NEW LAG", isNumber: true),
        ],
        rows: moves.map { move in
            let change = move.committed.map { move.place.offset - $0 }
            return [
                move.address.topic, "\(move.address.partition)",
                move.committed.map { numbers.count($0) }, numbers.count(move.place.offset),
                change.map { ($0 > 0 && numbers == .people ? "+" : "") + numbers.count($0) },
                numbers.count(move.place.begin), numbers.count(move.place.end),
                numbers.count(move.place.end - move.place.offset),
            ]
        })
    let json = moves.map { move -> JSONValue in
        [
            "topic": .string(move.address.topic), "partition": .int(move.address.partition),
            "committed": move.committed.map { .int($0) } ?? .null,
            "new": .int(move.place.offset), "begin": .int(move.place.begin),
            "end": .int(move.place.end), "lag": .int(move.place.end - move.place.offset),
        ]
    }
    context.printTable(
        table,
        json: [
            "group": .string(group), "dry_run": .bool(isDry), "partitions": .array(json),
            "error": problem.map { .string($0.code) } ?? .null,
            "message": problem.map { .string($0.message) } ?? .null,
        ])
    context.say(isDry ? "nothing was changed" : "moved group \(group)")
}

private func deleteGroups(_ context: CommandContext) throws(Problem) -> ExitCode {
    let names = context.invocation.arguments
    let isDry = context.invocation.isSet("dry-run")
    return try context.withAdmin { (admin) throws(Problem) in
        if !isDry, !context.invocation.isSet("yes") {
            try confirm("Delete \(names.joined(separator: ", ")) with all offsets?")
        }
        var outcomes: [ItemOutcome] = []
        for name in names {
            var outcome = ItemOutcome(name: name)
            do throws(Problem) {
                try delete(name, context.invocation.strings("topic"), admin, isDry: isDry)
            } catch {
                outcome.problem = error
            }
            outcomes.append(outcome)
        }
        return context.finish(outcomes, "group", done: isDry ? "would delete" : "deleted")
    }
}

private func delete(
    _ name: String, _ topics: [String], _ admin: Admin, isDry: Bool
) throws(Problem) {
    let listed = try calling { () throws(ClientFailure) in try admin.listGroups() }
    guard listed.contains(where: { $0.groupId == name }) else { throw unknownGroup(name, admin) }
    if !topics.isEmpty {
        let info = try calling { () throws(ClientFailure) in try admin.describeGroup(name) }
        let stored = try GroupOffsets(info, admin).offsets
        for topic in topics where !stored.keys.contains(where: { $0.topic == topic }) {
            let near = nearestName(to: topic, among: Set(stored.keys.map(\.topic)).sorted())
            throw Problem(
                "group.noOffsets", "group \"\(name)\" has no offsets of topic \"\(topic)\"",
                hint: near.map { "did you mean \"\($0)\"?" })
        }
        if isDry { return }
        if info.isShare {
            return try calling { () throws(ClientFailure) in
                try admin.deleteShareOffsets(name, topics)
            }
        }
        let wanted = stored.keys.filter { topics.contains($0.topic) }
        try calling { () throws(ClientFailure) in
            try admin.deleteCommittedOffsets(name, wanted)
        }
        return
    }
    let info = try calling { () throws(ClientFailure) in try admin.describeGroup(name) }
    if !info.members.isEmpty { throw activeGroup(info, "it can't be deleted") }
    if isDry { return }
    try calling { () throws(ClientFailure) in try admin.deleteGroup(name) }
}
