import Base
import Runtime
import WeirClient

private let places =
    "start, end, N, -N (before the end), +N, @milliseconds, @2026-01-02T03:04, @-15m"

let consumeCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "consume", "Reads records of a topic",
            details: """
                Waits for more at the end, until Ctrl-C, unless --exit or --count ends it. As csv
                and tsv, keys and values that are not text are written as base64:….
                """,
            arguments: [ArgumentSpec("TOPIC", .one, "The topic", kind: .topic)],
            flags: [
                FlagSpec("from", "f", value: "PLACE", places),
                FlagSpec("count", "n", value: "N", "Ends after N records"),
                FlagSpec("exit", "e", "Ends at the end that the topic had at the beginning"),
                FlagSpec(
                    "group", "g", value: "GROUP", "As a member of a group: goes on where it was",
                    kind: .group),
                FlagSpec(
                    "group-protocol", nil, value: "NAME",
                    "Who assigns partitions: a member (classic) or the broker (consumer)",
                    fallback: "classic", choices: ["classic", "consumer"]),
                FlagSpec(
                    "share", "s", value: "GROUP",
                    "As a member of a share group: each record goes to one member", kind: .group),
                FlagSpec(
                    "partition", "p", value: "N", "Only these partitions", isRepeatable: true),
                FlagSpec(
                    "key-separator", "k", value: "TEXT", "Writes the key, this, then the value"),
                FlagSpec("committed", nil, "Leaves out records of transactions that did not end"),
                brokerFlag,
            ],
            examples: [
                ("weir consume orders --from -10 --exit", "the last ten records of each partition"),
                ("weir consume orders -g audit -o ndjson", "everything new, with keys and headers"),
                ("weir consume orders --share jobs", "records that no other member of jobs gets"),
            ]),
        run: consume),
    RegisteredCommand(
        spec: CommandSpec(
            "tail", "Shows the newest records of a topic, and what comes",
            details: "As text: time, partition/offset, key and value of each record on one line.",
            arguments: [ArgumentSpec("TOPIC", .one, "The topic", kind: .topic)],
            flags: [
                FlagSpec(
                    "lines", "n", value: "N",
                    "Begins so many records before the end of each "
                        + "partition", fallback: "10"),
                FlagSpec("exit", "e", "Does not wait for more"),
                FlagSpec(
                    "partition", "p", value: "N", "Only these partitions", isRepeatable: true),
                FlagSpec("committed", nil, "Leaves out records of transactions that did not end"),
                brokerFlag,
            ],
            examples: [("weir tail orders -n 3", "the last three of each partition, and new ones")]
        ),
        run: consume),
]

/// `consume` and `tail`.
private func consume(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let isTail = call.command.name == "tail"
    let limit = isTail ? nil : try call.integer("count", in: 1...Int64.max)
    let asked = call.string("output") ?? "text"
    guard let form = RecordWriter.Form(rawValue: asked == "text" && isTail ? "lines" : asked) else {
        throw Problem(
            "usage.value", "records are written as text, json, ndjson, csv or tsv, not \(asked)")
    }
    if form == .json, limit == nil, !call.isSet("exit") {
        throw Problem(
            "usage.value", "-o json is one object and needs an end: --exit or --count",
            hint: "-o ndjson writes one object a record")
    }
    if !isTail, let group = call.string("share") {
        return try consumeShared(context, group, form: form, limit: limit)
    }
    // Before the client makes its threads.
    let signals = try ProcessSignals()
    var reading = try Reading(context, isTail: isTail)
    defer { reading.consumer.closeBlocking() }
    var writer = RecordWriter(form: form, keySeparator: call.string("key-separator"))
    var count: Int64 = 0
    var code = ExitCode.ok
    while true {
        let left = limit.map { $0 - count } ?? .max
        let records = try reading.next(atMost: left)
        for record in records { writer.write(record) }
        // A reader that has seen enough ends the command; what it did not get is not committed.
        guard try writer.flush() else { return .ok }
        count += Int64(records.count)
        try reading.commit(records)
        if let limit, count >= limit { break }
        if try reading.isAtEnd(gotNothing: records.isEmpty) { break }
        if case .signal = signals.wait(timeout: .zero) {
            code = .interrupted
            break
        }
    }
    guard try writer.finish() else { return .ok }
    if !isTail { context.say("\(grouped(count)) records") }
    return code
}

/// A consumer set up as the flags say.
private struct Reading {
    let consumer: Consumer
    private let admin: Admin
    private let isGroup: Bool
    private let topic: String
    private let exits: Bool
    /// Ends of the partitions when the command began.
    private var ends: [PartitionAddress: Int64] = [:]
    private var pending: [ConsumedRecord] = []
    private var quietRounds = 0

    init(_ context: CommandContext, isTail: Bool) throws(Problem) {
        let call = context.invocation
        topic = call.arguments[0]
        exits = call.isSet("exit")
        isGroup = call.isSet("group")
        var from: StartPosition?
        if isTail {
            from = .beforeEnd(try call.integer("lines", in: 0...1_000_000_000) ?? 10)
        } else if let text = call.string("from") {
            from = try StartPosition(parsing: text, now: SystemClock.timestamp)
        }
        let configuration = try context.clientConfiguration()
        admin = Admin(configuration)
        let info = try describeTopic(topic, admin)
        var consumerConfiguration = ConsumerConfiguration(
            client: configuration, groupId: call.string("group"), offsetReset: .latest,
            commitsAutomatically: false,
            isolationLevel: call.isSet("committed") ? .readCommitted : .readUncommitted)
        if call.string("group-protocol") == "consumer" {
            consumerConfiguration.groupProtocol = .consumer
        }
        if isGroup {
            consumerConfiguration.offsetReset = try Self.reset(
                from, hasPartitions: call.isSet("partition"))
        }
        consumer = Consumer(consumerConfiguration)
        if exits { ends = try calling { () throws(ClientFailure) in try admin.endOffsets(topic) } }
        if isGroup {
            try calling { () throws(ClientFailure) in try consumer.subscribe([topic]) }
            return
        }
        let addresses = try chosenPartitions(call, of: info)
        ends = ends.filter { addresses.contains($0.key) }
        consumer.assign(addresses)
        // Without a wish: everything there is when it is to end, only what is new when it stays.
        try seek(addresses, to: from ?? (exits || call.isSet("count") ? .start : .end))
    }

    private static func reset(
        _ from: StartPosition?, hasPartitions: Bool
    ) throws(Problem) -> OffsetReset {
        if hasPartitions {
            throw Problem("usage.value", "a group decides who reads which partition")
        }
        switch from {
        case nil, .start: return .earliest
        case .end: return .latest
        default:
            throw Problem(
                "usage.value", "a group goes on where it was; --from can only be start or end",
                notes: ["it holds for partitions of which the group has read nothing"])
        }
    }

    private func seek(
        _ addresses: [PartitionAddress], to position: StartPosition
    ) throws(Problem) {
        switch position {
        case .start, .end, .time:
            // The consumer looks these up itself.
            try calling { () throws(ClientFailure) in
                switch position {
                case .start: try consumer.seekToBeginning(addresses)
                case .time(let milliseconds):
                    try consumer.seek(addresses, toTimestamp: milliseconds)
                default: try consumer.seekToEnd(addresses)
                }
            }
        case .offset, .beforeEnd, .afterStart:
            let places = try Places(position, addresses, admin)
            try calling { () throws(ClientFailure) in
                for address in addresses {
                    if let place = places[address] {
                        try consumer.seek(address, to: place.offset)
                    }
                }
            }
        }
    }

    /// The next records, at most `count`, and none beyond the end if the command ends there.
    mutating func next(atMost count: Int64) throws(Problem) -> [ConsumedRecord] {
        if pending.isEmpty {
            pending = try calling { () throws(ClientFailure) in
                try consumer.pollBlocking(timeout: .milliseconds(200))
            }
            if exits {
                pending.removeAll { record in
                    record.offset >= ends[PartitionAddress(record.topic, record.partition)] ?? 0
                }
            }
        }
        if Int64(pending.count) <= count {
            defer { pending = [] }
            return pending
        }
        let taken = Array(pending.prefix(Int(count)))
        pending.removeFirst(taken.count)
        return taken
    }

    /// For a group: what was written out counts as read.
    func commit(_ records: [ConsumedRecord]) throws(Problem) {
        guard isGroup, !records.isEmpty else { return }
        var offsets: [PartitionAddress: CommittedOffset] = [:]
        for record in records {
            offsets[PartitionAddress(record.topic, record.partition)] = CommittedOffset(
                record.offset + 1)
        }
        try calling { () throws(ClientFailure) in try consumer.commitBlocking(offsets) }
    }

    /// Whether everything up to the remembered ends was read.
    mutating func isAtEnd(gotNothing: Bool) throws(Problem) -> Bool {
        guard exits, pending.isEmpty else { return false }
        let mine = isGroup ? consumer.assignment : Array(ends.keys)
        if mine.isEmpty {
            // A group with more members than partitions leaves some without; give it time to form.
            quietRounds += 1
            return quietRounds > 75
        }
        for address in mine.sorted() {
            let position = try calling { () throws(ClientFailure) in
                try consumer.positionBlocking(address)
            }
            if position < ends[address] ?? 0 { return false }
        }
        return gotNothing || !isGroup
    }
}
