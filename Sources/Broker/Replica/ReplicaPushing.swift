import Base
import Log

/// What goes to other nodes: everything due for one of them in few messages.
extension ReplicaManager {
    mutating func queuePush(_ slot: Int, _ place: Int) {
        guard let follower = partitions[slot].leader?.followers[place], !follower.isQueued,
            follower.isMatched
        else { return }
        partitions[slot].leader?.followers[place].isQueued = true
        links[follower.link].queuePush(slot)
    }

    mutating func queueReport(_ slot: Int) {
        guard let follower = partitions[slot].follower, !follower.reportIsQueued else { return }
        partitions[slot].follower?.reportIsQueued = true
        links[follower.link].reports.append(slot)
    }

    /// Sends what is due to one node.
    mutating func flush(_ link: Int, _ store: inout LogStore, _ now: Now) {
        guard brokerEpoch != nil else { return }
        var items = takeSmallItems(link, &store)
        while true {
            let bytes = takePushes(link, &items, &store, now)
            let hasPushes = bytes != nil
            let silence = links[link].sentAt.map { now.monotonic - $0 }
            let isDue =
                silence.map { $0 >= settings.heartbeatInterval } ?? true
                || links[link].owesConfirmation(settings.inFlightBytesMax)
            guard !items.isEmpty || isDue else { return }
            let count = hasPushes ? links[link].count(bytes: bytes ?? 0, now: now.monotonic) : 0
            links[link].sent(now: now.monotonic)
            effects.append(
                .send(
                    ReplicaMessage(
                        from: node, to: links[link].node, brokerEpoch: brokerEpoch ?? -1,
                        receiverEpoch: links[link].brokerEpoch, number: count,
                        received: links[link].received, items: items)))
            items = []
            guard hasPushes, links[link].hasPushes,
                links[link].inFlightBytes < settings.inFlightBytesMax
            else { return }
        }
    }

    /// Questions, answers and reports.
    private mutating func takeSmallItems(_ link: Int, _ store: inout LogStore) -> [ReplicaItem] {
        var items = links[link].answers
        links[link].answers.removeAll(keepingCapacity: true)
        let (asks, reports) = (links[link].asks, links[link].reports)
        links[link].asks.removeAll(keepingCapacity: true)
        links[link].reports.removeAll(keepingCapacity: true)
        for slot in asks {
            let assignment = partitions[slot].assignment
            guard let follower = partitions[slot].follower, follower.link == link,
                !follower.isStreaming, let end = store.logEnd(of: assignment.topicPartition),
                let durableEnd = store.durableEnd(of: assignment.topicPartition)
            else { continue }
            items.append(
                ReplicaItem(
                    key: assignment.key, leaderEpoch: follower.epoch, session: follower.session,
                    body: .ask(
                        end: end.offset, lastEpoch: end.epoch,
                        durableEnd: min(durableEnd, end.offset))))
        }
        for slot in reports {
            let assignment = partitions[slot].assignment
            guard let follower = partitions[slot].follower, follower.link == link else { continue }
            partitions[slot].follower?.reportIsQueued = false
            guard follower.isStreaming, let offsets = store.offsets(of: assignment.topicPartition)
            else { continue }
            items.append(
                ReplicaItem(
                    key: assignment.key, leaderEpoch: follower.epoch, session: follower.session,
                    body: .report(
                        end: offsets.logEndOffset, durableEnd: offsets.durableEndOffset,
                        highWatermark: offsets.highWatermark)))
        }
        return items
    }

    /// Adds pushes until the message is full or the link has enough under way. Returns the bytes of
    /// their batches; nil when there is none.
    private mutating func takePushes(
        _ link: Int, _ items: inout [ReplicaItem], _ store: inout LogStore, _ now: Now
    ) -> Int? {
        var bytes = 0
        var count = 0
        while bytes < settings.messageBytesMax, items.count < ReplicaMessage.itemCountMax,
            links[link].inFlightBytes + bytes < settings.inFlightBytesMax,
            let slot = links[link].takePush()
        {
            guard let leader = partitions[slot].leader,
                let place = leader.followers.firstIndex(where: {
                    $0.link == link && $0.isQueued
                })
            else { continue }
            partitions[slot].leader?.followers[place].isQueued = false
            guard leader.isEstablished, leader.followers[place].isMatched else { continue }
            let follower = leader.followers[place]
            let isCatchingUp =
                settings.catchUpBytesPerSecond != nil && !leader.inSync.contains(follower.node)
            if isCatchingUp, follower.nextOffset < leader.logEnd, links[link].allowance <= 0 {
                partitions[slot].leader?.followers[place].isQueued = true
                links[link].throttle(slot)
                continue
            }
            guard let (item, size) = push(slot, place, &store, now) else { continue }
            if isCatchingUp { links[link].allowance -= size }
            items.append(item)
            bytes += size
            count += 1
        }
        return count > 0 ? bytes : nil
    }

    /// The next batches for one follower, and the offsets that go with them.
    private mutating func push(
        _ slot: Int, _ place: Int, _ store: inout LogStore, _ now: Now
    ) -> (ReplicaItem, Int)? {
        guard let leader = partitions[slot].leader else { return nil }
        let follower = leader.followers[place]
        let assignment = partitions[slot].assignment
        let name = assignment.topicPartition
        var batches: [Bytes] = []
        var end = follower.nextOffset
        let logStart = store.offsets(of: name)?.logStartOffset ?? 0
        if follower.nextOffset < leader.logEnd {
            do throws(ReadFailure) {
                (batches, end) = try store.readForReplica(
                    name, from: follower.nextOffset, maxBytes: settings.turnBytesMax)
            } catch {
                switch error {
                case .offsetOutOfRange:
                    // Deleted meanwhile: the follower asks again and is told so.
                    links[follower.link].answers.append(
                        ReplicaItem(
                            key: assignment.key, leaderEpoch: leader.epoch,
                            session: follower.session,
                            body: .restart(
                                at: copyStart(slot, ifAbove: follower.nextOffset, &store, now))))
                    return nil
                case .damaged: noteDamage(slot, &store, now)
                default: effects.append(.report("\(name) can't be read: \(error)"))
                }
                return nil
            }
        }
        if end > follower.nextOffset, follower.nextOffset == follower.receivedEnd {
            partitions[slot].leader?.followers[place].progressAt = now.monotonic
        }
        partitions[slot].leader?.followers[place].nextOffset = end
        partitions[slot].leader?.followers[place].toldHighWatermark = leader.highWatermark
        partitions[slot].leader?.followers[place].toldLogStart = logStart
        if end < leader.logEnd { queuePush(slot, place) }
        let size = batches.reduce(0) { $0 + $1.count }
        let item = ReplicaItem(
            key: assignment.key, leaderEpoch: leader.epoch, session: follower.session,
            body: .push(
                position: follower.nextOffset, highWatermark: leader.highWatermark,
                logStart: logStart, batches: batches))
        return (item, size)
    }
}
