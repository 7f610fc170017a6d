import Base
import Runtime
import WeirClient

let consumeCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "consume", "Reads records of a topic",
            details: "Waits for more at the end, until Ctrl-C, unless --exit or --count ends it.",
            arguments: [ArgumentSpec("TOPIC", .one, "The topic")],
            flags: [
                FlagSpec(
                    "from", "f", value: "PLACE",
                    "start, end, N, -N (before the end), @milliseconds, @2026-01-02T03:04, @-15m"),
                FlagSpec("count", "n", value: "N", "Ends after N records"),
                FlagSpec("exit", "e", "Ends at the end that the topic had at the beginning"),
                FlagSpec(
                    "group", "g", value: "GROUP", "As a member of a group: goes on where it was"),
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
            ]),
        run: consume)
]

private func consume(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let limit = try call.integer("count", in: 1...Int64.max)
    let form = call.string("output") ?? "text"
    guard ["text", "json", "ndjson"].contains(form) else {
        throw Problem("usage.value", "records are written as text, json or ndjson, not \(form)")
    }
    if form == "json", limit == nil, !call.isSet("exit") {
        throw Problem(
            "usage.value", "-o json is one object and needs an end: --exit or --count",
            hint: "-o ndjson writes one object a record")
    }
    // Before the client makes its threads.
    let signals = try ProcessSignals()
    var reading = try Reading(context)
    defer { reading.consumer.closeBlocking() }
    var writer = RecordWriter(form: form, keySeparator: call.string("key-separator"))
    var count: Int64 = 0
    var code = ExitCode.ok
    while true {
        let left = limit.map { $0 - count } ?? .max
        let records = try reading.next(atMost: left)
        for record in records { writer.write(record) }
        writer.flush()
        count += Int64(records.count)
        try reading.commit(records)
        if let limit, count >= limit { break }
        if try reading.isAtEnd(gotNothing: records.isEmpty) { break }
        if case .signal = signals.wait(timeout: .zero) {
            code = .interrupted
            break
        }
    }
    writer.finish()
    context.say("\(grouped(count)) records")
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

    init(_ context: CommandContext) throws(Problem) {
        let call = context.invocation
        topic = call.arguments[0]
        exits = call.isSet("exit")
        isGroup = call.isSet("group")
        let from = try call.string("from").map { text throws(Problem) in
            try StartPosition(parsing: text, now: SystemClock.timestamp)
        }
        let configuration = try context.clientConfiguration()
        admin = Admin(configuration)
        let info: TopicInfo
        do throws(ClientFailure) {
            info = try admin.describeTopics([topic])[0]
        } catch {
            throw Problem(error).suggesting(topic, among: admin)
        }
        var consumerConfiguration = ConsumerConfiguration(
            client: configuration, groupId: call.string("group"), offsetReset: .latest,
            commitsAutomatically: false,
            isolationLevel: call.isSet("committed") ? .readCommitted : .readUncommitted)
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
        let addresses = try Self.partitions(call, of: info)
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

    private static func partitions(
        _ call: Invocation, of topic: TopicInfo
    ) throws(Problem) -> [PartitionAddress] {
        let all = topic.partitions.map(\.partition)
        guard call.isSet("partition") else {
            return all.map { PartitionAddress(topic.name, $0) }
        }
        var chosen: [PartitionAddress] = []
        for text in call.strings("partition") {
            guard let number = Int32(text), all.contains(number) else {
                throw Problem(
                    "topic.partition", "\(topic.name) has no partition \"\(text)\"",
                    notes: ["it has \(all.count), from 0"])
            }
            chosen.append(PartitionAddress(topic.name, number))
        }
        return chosen
    }

    private func seek(
        _ addresses: [PartitionAddress], to position: StartPosition
    ) throws(Problem) {
        try calling { () throws(ClientFailure) in
            switch position {
            case .start: try consumer.seekToBeginning(addresses)
            case .end: try consumer.seekToEnd(addresses)
            case .time(let milliseconds):
                try consumer.seek(addresses, toTimestamp: milliseconds)
            case .offset(let offset):
                for address in addresses { try consumer.seek(address, to: offset) }
            case .beforeEnd(let count):
                var begin: [PartitionAddress: Int64] = [:]
                var end: [PartitionAddress: Int64] = [:]
                for address in addresses {
                    begin[address] = -2
                    end[address] = -1
                }
                let begins = try admin.listOffsets(begin)
                let ends = try admin.listOffsets(end)
                for address in addresses {
                    let first = begins[address]?.offset ?? 0
                    let last = ends[address]?.offset ?? first
                    let (wanted, overflow) = last.subtractingReportingOverflow(count)
                    try consumer.seek(address, to: overflow ? first : max(first, wanted))
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
