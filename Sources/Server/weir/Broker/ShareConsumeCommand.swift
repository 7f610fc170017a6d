// `weir consume --share`: records of a topic as a member of a share group.

import Base
import Runtime
import WeirClient

/// Writes what the group gives to this member. A record is accepted when it was written; what was
/// given and not written, when the command ends in between, goes back to the group.
func consumeShared(
    _ context: CommandContext, _ group: String, form: RecordWriter.Form, limit: Int64?
) throws(Problem) -> ExitCode {
    let call = context.invocation
    for flag in ["group", "from", "partition", "committed"] where call.isSet(flag) {
        throw Problem(
            "usage.value", "--\(flag) does not go with --share",
            notes: [
                "a share group begins where its setting share.auto.offset.reset says, and "
                    + "share.isolation.level says whether it sees aborted transactions"
            ],
            hint: "weir config set group \(group) share.auto.offset.reset=earliest")
    }
    let topic = call.arguments[0]
    let signals = try ProcessSignals()
    let configuration = try context.clientConfiguration()
    let admin = Admin(configuration)
    defer { admin.close() }
    _ = try describeTopic(topic, admin)
    let consumer = ShareConsumer(
        ShareConsumerConfiguration(
            client: configuration, groupId: group, acknowledgementMode: .explicit,
            maxPollRecords: Int(min(limit ?? 500, 500)), limitsRecords: limit != nil))
    defer { consumer.closeBlocking() }
    consumer.subscribe([topic])
    var writer = RecordWriter(form: form, keySeparator: call.string("key-separator"))
    var count: Int64 = 0
    var quietRounds = 0
    while true {
        let records = try calling { () throws(ClientFailure) in
            try consumer.pollBlocking(timeout: .milliseconds(500))
        }
        let wanted = limit.map { Int(min($0 - count, Int64(records.count))) } ?? records.count
        for record in records.prefix(wanted) { writer.write(record.record) }
        // A reader that has seen enough ends the command; nothing of this is accepted.
        guard try writer.flush() else { return .ok }
        try calling { () throws(ClientFailure) in
            for (place, record) in records.enumerated() {
                try consumer.acknowledge(record, place < wanted ? .accept : .release)
            }
            for result in try consumer.commitBlocking() {
                if let failure = result.failure { throw failure }
            }
        }
        count += Int64(wanted)
        if let limit, count >= limit { break }
        if case .signal = signals.wait(timeout: .zero) {
            guard try writer.finish() else { return .ok }
            return .interrupted
        }
        quietRounds = records.isEmpty ? quietRounds + 1 : 0
        if call.isSet("exit"), quietRounds >= 2,
            try isDrained(topic, group, admin, hasWaited: quietRounds >= 20)
        {
            break
        }
    }
    guard try writer.finish() else { return .ok }
    context.say("\(grouped(count)) records")
    return .ok
}

/// Whether the group has nothing left to do with the topic; or nothing that this member gets.
private func isDrained(
    _ topic: String, _ group: String, _ admin: Admin, hasWaited: Bool
) throws(Problem) -> Bool {
    if hasWaited { return true }
    let offsets = try calling { () throws(ClientFailure) in try admin.shareOffsets(group) }
    let mine = offsets.filter { $0.key.topic == topic }
    return !mine.isEmpty && mine.values.allSatisfy { $0.lag == 0 }
}
