import Base
import Log

/// What producers and consumers ask of a leader.
extension ReplicaManager {
    /// Appends a batch of a producer. The answer waits: `acknowledge` or `fail` with `token` comes
    /// as an effect of this or a later call. The followers get the batch with the next `flush`.
    package mutating func append(
        _ batch: Bytes, to name: TopicPartition, _ acknowledgement: Acknowledgement,
        token: UInt64, origin: AppendOrigin = .client, isOwned: Bool = false,
        store: inout LogStore, now: Now
    ) throws(ReplicaRefusal) -> (result: AppendResult, effects: [ReplicaEffect]) {
        let slot = try appendable(name, acknowledgement, now)
        let result: AppendResult
        do throws(AppendFailure) {
            result = try store.append(batch, to: name, origin: origin, isOwned: isOwned, now: now)
        } catch {
            throw refused(slot, error, &store, now)
        }
        noteAppend(slot, &store)
        partitions[slot].leader?.wait(
            acknowledgement, until: result.lastOffset + 1, token: token)
        answerProducers(slot, now)
        return (result, takeEffects())
    }

    /// Ends a producer's transaction in the partition, in the same way. One that is there already may
    /// still be on its way to the other replicas: then that is waited for.
    package mutating func append(
        _ marker: MarkerAppend, to name: TopicPartition, token: UInt64, store: inout LogStore,
        now: Now
    ) throws(ReplicaRefusal) -> [ReplicaEffect] {
        let slot = try appendable(name, .all, now)
        do throws(AppendFailure) {
            _ = try store.appendMarker(marker, to: name, now: now)
        } catch {
            throw refused(slot, error, &store, now)
        }
        noteAppend(slot, &store)
        let end = partitions[slot].leader?.logEnd ?? 0
        partitions[slot].leader?.wait(.all, until: end, token: token)
        answerProducers(slot, now)
        return takeEffects()
    }

    /// The slot of a partition that takes appends at the moment.
    private func appendable(
        _ name: TopicPartition, _ acknowledgement: Acknowledgement, _ now: Now
    ) throws(ReplicaRefusal) -> Int {
        guard let slot = slotsByName[name] else { throw .notLeader }
        guard let leader = partitions[slot].leader, leader.isServing, hasLease(now) else {
            throw .notLeader
        }
        if acknowledgement == .all, !leader.hasEnough { throw .notEnoughReplicas }
        return slot
    }

    private mutating func refused(
        _ slot: Int, _ failure: AppendFailure, _ store: inout LogStore, _ now: Now
    ) -> ReplicaRefusal {
        if case .damaged = failure { noteDamage(slot, &store, now) }
        return .append(failure)
    }

    private mutating func noteAppend(_ slot: Int, _ store: inout LogStore) {
        let name = partitions[slot].assignment.topicPartition
        guard let end = store.offsets(of: name)?.logEndOffset else { return }
        partitions[slot].leader?.appended(end: end)
        let count = partitions[slot].leader?.followers.count ?? 0
        for place in 0..<count { queuePush(slot, place) }
    }

    /// Answers who has waited long enough. Without a lease another node may lead by now: nobody is
    /// told anything until the lease is renewed or the leadership is over.
    mutating func answerProducers(_ slot: Int, _ now: Now) {
        guard let leader = partitions[slot].leader, leader.isServing, hasLease(now) else { return }
        for token in partitions[slot].leader?.takeAnswerable() ?? [] {
            effects.append(.acknowledge(token: token))
        }
    }

    /// Below which offset a consumer at `offset` may read here, who knows `epoch` (nil: none) as that
    /// of the leader. Only who leads answers, and only when it knows what was committed before its
    /// time; while too few replicas are in sync to find that out, it answers with what it knows.
    /// A leader that may be none any more answers with what it knows to be committed, and does not
    /// tell anybody that there is no more.
    package func readLimit(
        _ name: TopicPartition, from offset: Offset, epoch: LeaderEpoch?, now: Now
    ) throws(ReplicaRefusal) -> Offset {
        guard let slot = slotsByName[name] else { throw .notLeader }
        guard let leader = partitions[slot].leader, leader.isServing else { throw .notLeader }
        if let epoch {
            if epoch > leader.epoch { throw .unknownLeaderEpoch }
            if epoch < leader.epoch { throw .fencedLeaderEpoch }
        }
        guard hasLease(now) || offset < leader.highWatermark else { throw .notLeader }
        guard leader.knowsCommitted || !leader.hasEnough else { throw .offsetNotAvailable }
        return leader.highWatermark
    }

    /// Whether a client may read from `offset` on from this node, which follows: only what it knows to be
    /// committed, and only while it is in sync and hears from its leader. A follower that was cut off would
    /// let its readers wait for ever.
    package func checkFollowerRead(
        _ name: TopicPartition, from offset: Offset, store: LogStore, now: Now
    ) throws(ReplicaRefusal) {
        guard let slot = slotsByName[name], let offsets = store.offsets(of: name) else {
            throw .notLeader
        }
        guard let follower = partitions[slot].follower, follower.isStreaming,
            partitions[slot].assignment.inSync.contains(node),
            links[follower.link].heardAt + settings.lease > now.monotonic,
            offset <= offsets.logEndOffset
        else { throw .notLeader }
        guard offset <= offsets.highWatermark else { throw .offsetNotAvailable }
    }
}
