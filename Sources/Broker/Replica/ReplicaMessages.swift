import Base
import Log

/// What comes from other nodes.
extension ReplicaManager {
    /// A message of a peer. One from before this life or before the peer's present one is ignored.
    package mutating func receive(
        _ message: ReplicaMessage, store: inout LogStore, now: Now
    ) -> [ReplicaEffect] {
        guard let brokerEpoch, message.to == node, message.from != node,
            message.receiverEpoch == -1 || message.receiverEpoch == brokerEpoch
        else { return [] }
        let link = link(to: message.from)
        var bytes = 0
        for item in message.items {
            if case .push(_, _, _, let batches) = item.body {
                for batch in batches { bytes += batch.count }
            }
        }
        guard links[link].heard(message, bytes: bytes, now: now.monotonic) else { return [] }
        var cuts: [(slot: Int, offset: Offset)] = []
        for item in message.items {
            guard let slot = slots[item.key] else { continue }
            switch item.body {
            case .yielded: yielded(slot, item.leaderEpoch, &store, now)
            case .ask(let end, let lastEpoch, let durableEnd):
                asked(
                    slot, item, message, end: end, lastEpoch: lastEpoch, durableEnd: durableEnd,
                    &store, now)
            case .report(let end, let durableEnd, let highWatermark):
                reported(
                    slot, item, message, end: end, durableEnd: durableEnd,
                    highWatermark: highWatermark, &store, now)
            case .push(let position, let highWatermark, let logStart, let batches):
                pushed(
                    slot, item, message, position: position, highWatermark: highWatermark,
                    logStart: logStart, batches: batches, &store, now)
            case .diverges(let epoch, let end):
                let name = partitions[slot].assignment.topicPartition
                guard expectsAnswer(slot, item, message),
                    !cuts.contains(where: { $0.slot == slot })
                else { continue }
                let own = store.endOffset(of: name, epoch: epoch)
                cuts.append(
                    (slot, PartitionFollower.cut(epoch: epoch, end: end, own: own) ?? 0))
            case .restart(let offset):
                guard expectsAnswer(slot, item, message) else { continue }
                restart(slot, at: offset, &store, now)
            }
        }
        cut(cuts, &store, now)
        return finish(&store, now)
    }

    private func expectsAnswer(
        _ slot: Int, _ item: ReplicaItem, _ message: ReplicaMessage
    ) -> Bool {
        guard let follower = partitions[slot].follower, follower.leader == message.from else {
            return false
        }
        return follower.expectsAnswer(epoch: item.leaderEpoch, session: item.session)
    }

    // MARK: As a leader

    /// The leader of before knows of the epoch. This node may not have heard of it itself yet.
    private mutating func yielded(
        _ slot: Int, _ epoch: LeaderEpoch, _ store: inout LogStore, _ now: Now
    ) {
        partitions[slot].yielded = max(partitions[slot].yielded, epoch)
        guard let leader = partitions[slot].leader, leader.epoch == epoch else { return }
        endPredecessor(slot, &store, now)
    }

    /// Nobody else answers clients of this partition from now on.
    mutating func endPredecessor(_ slot: Int, _ store: inout LogStore, _ now: Now) {
        guard let leader = partitions[slot].leader, leader.predecessorUntil != nil else { return }
        partitions[slot].leader?.predecessorEnded()
        guard leader.isEstablished else { return }
        effects.append(
            .advance(
                partitions[slot].assignment.topicPartition, highWatermark: leader.highWatermark))
        answerProducers(slot, now)
    }

    private mutating func asked(
        _ slot: Int, _ item: ReplicaItem, _ message: ReplicaMessage, end: Offset,
        lastEpoch: LeaderEpoch, durableEnd: Offset, _ store: inout LogStore, _ now: Now
    ) {
        guard let leader = partitions[slot].leader, leader.epoch == item.leaderEpoch,
            leader.isEstablished,
            let place = leader.followers.firstIndex(where: { $0.node == message.from }),
            leader.followers[place].isNewer(
                brokerEpoch: message.brokerEpoch, session: item.session)
        else { return }
        let name = partitions[slot].assignment.topicPartition
        partitions[slot].leader?.followers[place].began(
            brokerEpoch: message.brokerEpoch, session: item.session)
        let verdict = leader.judge(
            end: end, lastEpoch: lastEpoch, known: store.endOffset(of: name, epoch: lastEpoch),
            logStart: copyStart(slot, ifAbove: end, &store, now))
        let body: ReplicaItem.Body
        switch verdict {
        case .ignore: return
        case .push:
            partitions[slot].leader?.followers[place].matched(
                end: end, durableEnd: durableEnd, now: now.monotonic)
            queuePush(slot, place)
            advance(slot, &store, now)
            return
        case .diverges(let epoch, let end): body = .diverges(epoch: epoch, end: end)
        case .restart(let offset): body = .restart(at: offset)
        }
        links[leader.followers[place].link].answers.append(
            ReplicaItem(
                key: item.key, leaderEpoch: item.leaderEpoch, session: item.session, body: body))
    }

    /// Where copies of the log begin, when that is above `end`; else the log start.
    mutating func copyStart(
        _ slot: Int, ifAbove end: Offset, _ store: inout LogStore, _ now: Now
    ) -> Offset {
        let name = partitions[slot].assignment.topicPartition
        let logStart = store.offsets(of: name)?.logStartOffset ?? 0
        guard end < logStart else { return logStart }
        do throws(ReadFailure) {
            return try store.copyStart(of: name)
        } catch {
            if case .damaged = error { noteDamage(slot, &store, now) }
            return logStart
        }
    }

    private mutating func reported(
        _ slot: Int, _ item: ReplicaItem, _ message: ReplicaMessage, end: Offset,
        durableEnd: Offset, highWatermark: Offset, _ store: inout LogStore, _ now: Now
    ) {
        guard let leader = partitions[slot].leader, leader.epoch == item.leaderEpoch,
            let place = leader.followers.firstIndex(where: { $0.node == message.from }),
            leader.followers[place].answers(
                brokerEpoch: message.brokerEpoch, session: item.session),
            end <= leader.logEnd
        else { return }
        partitions[slot].leader?.followers[place].reported(
            end: end, durableEnd: durableEnd, highWatermark: highWatermark,
            logEnd: leader.logEnd, now: now.monotonic)
        advance(slot, &store, now)
    }

    /// Commits what can be, tells readers and answers producers.
    mutating func advance(_ slot: Int, _ store: inout LogStore, _ now: Now) {
        guard partitions[slot].leader?.advance() == true,
            let committed = partitions[slot].leader?.highWatermark
        else { return }
        let name = partitions[slot].assignment.topicPartition
        if store.raiseHighWatermark(of: name, to: committed) {
            effects.append(.advance(name, highWatermark: committed))
        }
        answerProducers(slot, now)
    }

    // MARK: As a follower

    private mutating func pushed(
        _ slot: Int, _ item: ReplicaItem, _ message: ReplicaMessage, position: Offset,
        highWatermark: Offset, logStart: Offset, batches: [Bytes], _ store: inout LogStore,
        _ now: Now
    ) {
        let name = partitions[slot].assignment.topicPartition
        guard let follower = partitions[slot].follower, follower.leader == message.from,
            let offsets = store.offsets(of: name)
        else { return }
        let verdict = partitions[slot].follower?.received(
            epoch: item.leaderEpoch, session: item.session, position: position,
            highWatermark: highWatermark, logStart: logStart, logEnd: offsets.logEndOffset)
        switch verdict {
        case nil, .ignore: return
        case .gap: return ask(slot, now)
        case .append: break
        }
        do throws(AppendFailure) {
            for piece in batches {
                _ = try store.appendCopies(piece, to: name, upTo: follower.epoch, now: now)
            }
        } catch {
            switch error {
            case .damaged:
                noteDamage(slot, &store, now)
                return
            case .noSpace, .journalFull: break
            default: effects.append(.report("\(name) can't be copied: \(error)"))
            }
        }
        follow(slot, &store, now)
        queueReport(slot)
    }

    /// Takes over the leader's offsets as far as the own log is durable.
    mutating func follow(_ slot: Int, _ store: inout LogStore, _ now: Now) {
        guard let follower = partitions[slot].follower, follower.isStreaming else { return }
        let name = partitions[slot].assignment.topicPartition
        if store.raiseHighWatermark(of: name, to: follower.leaderHighWatermark),
            let offsets = store.offsets(of: name)
        {
            effects.append(.advance(name, highWatermark: offsets.highWatermark))
        }
        _ = store.followLogStart(of: name, to: follower.leaderLogStart, now: now)
    }

    private mutating func cut(
        _ cuts: [(slot: Int, offset: Offset)], _ store: inout LogStore, _ now: Now
    ) {
        guard !cuts.isEmpty else { return }
        do throws(StorageFailure) {
            try store.truncate(
                cuts.map { (partitions[$0.slot].assignment.topicPartition, $0.offset) }, now: now)
        } catch {
            // The store has halted and says so itself.
            return
        }
        for cut in cuts { ask(cut.slot, now) }
    }

    private mutating func restart(
        _ slot: Int, at offset: Offset, _ store: inout LogStore, _ now: Now
    ) {
        let assignment = partitions[slot].assignment
        // Whoever counts as having everything does not throw it away.
        guard !assignment.counts(on: node) else { return }
        do throws(StorageFailure) {
            try store.restart(assignment.topicPartition, at: offset, now: now)
        } catch {
            return
        }
        ask(slot, now)
    }

    // MARK: The log

    /// The store has made something durable.
    package mutating func durable(
        _ advances: [DurableAdvance], store: inout LogStore, now: Now
    ) -> [ReplicaEffect] {
        for moved in advances {
            guard let slot = slotsByName[moved.topicPartition] else { continue }
            if partitions[slot].leader != nil {
                _ = partitions[slot].leader?.becameDurable(
                    end: moved.durableEndOffset, epoch: moved.durableLeaderEpoch)
                advance(slot, &store, now)
                answerProducers(slot, now)
            } else if partitions[slot].follower != nil {
                follow(slot, &store, now)
                queueReport(slot)
            }
        }
        return finish(&store, now)
    }
}
