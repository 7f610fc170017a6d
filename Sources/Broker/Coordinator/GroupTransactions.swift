// Offsets that are committed with a transaction.

import Base
import WireProtocol

/// A commit of offsets by a producer with an open transaction that includes the group.
package struct TransactionalCommitCall: Sendable {
    package var commit: CommitCall
    package var producerID: Int64
    package var producerEpoch: Int16

    package init(commit: CommitCall, producerID: Int64, producerEpoch: Int16) {
        self.commit = commit
        self.producerID = producerID
        self.producerEpoch = producerEpoch
    }
}

/// Who writes a batch of `__consumer_offsets` that belongs to a transaction.
package struct GroupProducer: Hashable, Sendable {
    package var producerID: Int64
    package var producerEpoch: Int16
}

extension GroupCoordinator {
    /// Writes offsets that become visible when the producer's transaction is committed.
    package mutating func commit(
        _ call: TransactionalCommitCall, _ token: ReplyToken, now: Now
    ) -> [GroupEffect] {
        context.now = now
        let claim = call.commit.claim
        let name = claim.group
        var error: ErrorCode?
        if !isAcceptable(group: name) {
            error = .invalidGroupId
        } else if groups[name] == nil {
            if claim.generation >= 0 {
                error = .illegalGeneration
            } else if groups.count >= context.configuration.groupsMax {
                error = .coordinatorNotAvailable
            }
        }
        if let error {
            let errors = [ErrorCode](repeating: error, count: call.commit.offsets.count)
            context.reply(token, .commit(CommitAnswer(errors: errors)))
            return context.takeEffects()
        }
        if groups[name] == nil { groups[name] = ClassicGroup(id: name) }
        groups[name]?.commit(call, token, &context)
        forgetIfUnused(name)
        return context.takeEffects()
    }

    /// Whether a transaction that has not ended may change the offset.
    package func isUnstable(group: String, partition: TopicPartition) -> Bool {
        pendingOffsets.contains(group: group, partition: partition)
    }

    /// The marker of a producer's transaction is durable in partition `index` of the
    /// `partitionCount` of `__consumer_offsets`.
    package mutating func transactionEnded(
        producerID: Int64, isCommit: Bool, partition index: Int32, partitionCount: Int32
    ) {
        let ended = pendingOffsets.take(producerID: producerID) { group in
            groupPartition(of: group, partitionCount: partitionCount) == index
        }
        guard isCommit else { return }
        for (name, partition, offset, order) in ended {
            if groups[name] == nil { groups[name] = ClassicGroup(id: name) }
            groups[name]?.offsets[partition] = offset
            pendingOffsets.supersede(partition, group: name, before: order)
        }
    }

    /// Applies one record of a batch that belongs to a transaction.
    package mutating func replay(
        key: Bytes, value: Bytes?, producerID: Int64
    ) throws(DecodeFailure) {
        guard
            case .offset(let name, let partition, let offset?) = try GroupRecordFormat.decode(
                key: key, value: value)
        else { return }
        pendingOffsets.add(
            [(partition, offset)], group: name, producerID: producerID, order: context.nextOrder())
    }

    /// Tombstones for the pending offsets of a topic that is gone, so that their transactions don't
    /// bring them back.
    mutating func dropPendingOffsets(ofTopic topic: String) {
        for group in pendingOffsets.groupNames {
            let partitions = pendingOffsets.partitions(of: group, topic: topic)
            guard !partitions.isEmpty else { continue }
            for partition in partitions {
                pendingOffsets.remove(group: group, partition: partition)
            }
            appendTombstones(of: partitions, group: group)
        }
    }
}

extension ClassicGroup {
    fileprivate mutating func commit(
        _ call: TransactionalCommitCall, _ token: ReplyToken, _ context: inout GroupContext
    ) {
        if let error = refusal(ofTransactionalCommit: call.commit.claim) {
            let errors = [ErrorCode](repeating: error, count: call.commit.offsets.count)
            return context.reply(token, .commit(CommitAnswer(errors: errors)))
        }
        if let position = members.position(of: call.commit.claim.memberID) {
            signOfLife(at: position, &context)
        }
        let (accepted, records, answer) = accept(call.commit, context)
        guard !accepted.isEmpty else { return context.reply(token, .commit(answer)) }
        for (partition, _) in accepted { commitsInFlight[partition, default: 0] += 1 }
        context.append(
            records, group: id,
            purpose: .transactionalCommit(
                token, offsets: accepted, answer, producerID: call.producerID),
            producer: GroupProducer(
                producerID: call.producerID, producerEpoch: call.producerEpoch))
    }

    /// Older versions of the request do not say which member sends it; then none is checked.
    private func refusal(ofTransactionalCommit claim: MemberClaim) -> ErrorCode? {
        if isDead { return .coordinatorNotAvailable }
        if let consumer {
            if claim.generation < 0, claim.memberID.isEmpty { return nil }
            let error = consumer.refusal(ofCommit: claim, true)
            // This request knows generations only.
            return error == .staleMemberEpoch ? .illegalGeneration : error
        }
        if claim.generation < 0, isEmpty { return nil }
        if claim.generation < 0, claim.memberID.isEmpty, claim.instanceID == nil { return nil }
        return refusal(of: claim)
    }

    /// The offsets of a transaction are in the log, or were refused by it.
    mutating func transactionalCommitEnded(_ offsets: [(TopicPartition, CommittedOffset)]) {
        for (partition, _) in offsets {
            let left = (commitsInFlight[partition] ?? 1) - 1
            commitsInFlight[partition] = left > 0 ? left : nil
        }
    }
}
