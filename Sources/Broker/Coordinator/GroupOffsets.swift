// What a group remembers about partitions, and when it may forget.

import Base
import WireProtocol

extension ClassicGroup {
    mutating func commit(_ call: CommitCall, _ token: ReplyToken, _ context: inout GroupContext) {
        if let error = refusal(of: call) {
            let errors = [ErrorCode](repeating: error, count: call.offsets.count)
            return context.reply(token, .commit(CommitAnswer(errors: errors)))
        }
        if let position = members.position(of: call.claim.memberID) {
            signOfLife(at: position, &context)
        }
        if let member = consumer?.members[call.claim.memberID], let classic = member.classic {
            showLife(of: member, classic, &context)
        }
        let (accepted, records, answer) = accept(call, context)
        guard !accepted.isEmpty else { return context.reply(token, .commit(answer)) }
        for (partition, _) in accepted { commitsInFlight[partition, default: 0] += 1 }
        context.append(
            records, group: id, purpose: .commit(token, offsets: accepted, answer))
    }

    /// What of a commit is written, and what is answered to the rest.
    func accept(
        _ call: CommitCall, _ context: GroupContext
    ) -> (accepted: [(TopicPartition, CommittedOffset)], [GroupRecord], CommitAnswer) {
        var answer = CommitAnswer(errors: [])
        var accepted: [(TopicPartition, CommittedOffset)] = []
        var records: [GroupRecord] = []
        let expiry = call.expiry(now: context.now.timestamp)
        for entry in call.offsets {
            var error = ErrorCode.none
            if entry.partition.topic.utf8.count > Limits.topicNameBytes {
                error = .invalidTopicException
            } else if entry.metadata.utf8.count > context.configuration.offsetMetadataBytesMax {
                error = .offsetMetadataTooLarge
            }
            answer.errors.append(error)
            guard error == .none else { continue }
            let offset = CommittedOffset(
                offset: entry.offset, leaderEpoch: entry.leaderEpoch, metadata: entry.metadata,
                commitTimestamp: context.now.timestamp, expireTimestamp: expiry)
            accepted.append((entry.partition, offset))
            records.append(
                GroupRecord(
                    key: GroupRecordFormat.offsetKey(group: id, partition: entry.partition),
                    value: GroupRecordFormat.offsetValue(offset)))
        }
        return (accepted, records, answer)
    }

    private func refusal(of call: CommitCall) -> ErrorCode? {
        let claim = call.claim
        if isDead { return .coordinatorNotAvailable }
        if let consumer { return consumer.refusal(ofCommit: claim, call.knowsGroupIDNotFound) }
        if claim.generation < 0, isEmpty { return nil }
        if claim.generation < 0, claim.memberID.isEmpty, claim.instanceID == nil {
            // Someone from outside would overwrite the offsets of a group at work.
            return .unknownMemberId
        }
        if let error = refusal(of: claim) { return error }
        return isCompleting ? .rebalanceInProgress : nil
    }

    /// The offsets are durable, or were refused by the log.
    mutating func committed(
        _ committed: [(TopicPartition, CommittedOffset)], failure: ErrorCode?
    ) {
        for (partition, offset) in committed {
            if failure == nil { offsets[partition] = offset }
            let left = (commitsInFlight[partition] ?? 1) - 1
            commitsInFlight[partition] = left > 0 ? left : nil
        }
    }

    /// Takes out the offsets that were kept long enough.
    mutating func removeExpiredOffsets(
        now: Timestamp, retention: Duration
    ) -> [TopicPartition] {
        // A commit on its way to the log comes after the tombstone and would stay in memory alone.
        guard commitsInFlight.isEmpty else { return [] }
        let limit = now.milliseconds &- retention.wholeMilliseconds
        var expired: [TopicPartition] = []
        for (partition, offset) in offsets {
            guard let base = expiryBase(of: offset, partition) else { continue }
            let isExpired =
                if let end = offset.expireTimestamp { end <= now } else {
                    base.milliseconds <= limit
                }
            if isExpired { expired.append(partition) }
        }
        if !expired.isEmpty {
            let gone = Set(expired)
            var kept: OrderedMap<TopicPartition, CommittedOffset> = [:]
            for (partition, offset) in offsets where !gone.contains(partition) {
                kept[partition] = offset
            }
            offsets = kept
        }
        return expired
    }

    /// From when on the time of an offset runs; nil while it is in use.
    private func expiryBase(
        of offset: CommittedOffset, _ partition: TopicPartition
    ) -> Timestamp? {
        if let consumer {
            return consumer.isSubscribed(to: partition.topic) ? nil : offset.commitTimestamp
        }
        guard protocolType != nil else { return offset.commitTimestamp }
        if isEmpty { return stateTimestamp ?? offset.commitTimestamp }
        guard isStable, subscribedTopics != nil else { return nil }
        return isSubscribed(to: partition.topic) ? nil : offset.commitTimestamp
    }

    /// Whether members read the topic, as far as the group can know.
    func isSubscribed(to topic: String) -> Bool {
        if let consumer { return consumer.isSubscribed(to: topic) }
        guard let topics = subscribedTopics else {
            return !members.isEmpty && protocolType == ConsumerSubscription.protocolType
        }
        var low = 0
        var high = topics.count
        while low < high {
            let middle = (low + high) / 2
            if topics[middle] < topic { low = middle + 1 } else { high = middle }
        }
        return low < topics.count && topics[low] == topic
    }

    /// Tombstones for everything the log may know about the group.
    func tombstones() -> [GroupRecord] {
        var partitions = commitsInFlight.keys.sorted()
        for partition in offsets.keys where commitsInFlight[partition] == nil {
            partitions.append(partition)
        }
        var records = partitions.map { partition in
            GroupRecord(
                key: GroupRecordFormat.offsetKey(group: id, partition: partition), value: nil)
        }
        if let consumer { records += consumer.tombstones() }
        records.append(GroupRecord(key: GroupRecordFormat.groupKey(id), value: nil))
        return records
    }
}
