import Base
import Log
import Quorum
import Replica

/// A producer: its batches, and the request that is under way.
struct ReplicationProducer {
    var model: ProducerModel
    var acknowledgement: Acknowledgement
    var attempt = 0
    var isWaiting = false
    var target = 0
}

struct ReplicationConsumer {
    var partition: Int
    var offset: Int64 = 0
    var highWatermark: Int64 = -1
    var epoch: LeaderEpoch = 0
    var attempt = 0
    var target = 0
}

/// An append whose producer waits.
struct PendingAppend {
    var request: SimulatedProduce
    var entry: ProducerModel.InFlight
    var base: Int64
    var last: Int64
    var broker: Int
}

extension ReplicationSimulation {
    mutating func makeClients() {
        for id in 0..<swarm.producers {
            let forAll = load.chance(3, in: 4)
            var model = ProducerModel(
                id: id, partition: load.below(names.count),
                isIdempotent: forAll && load.chance(3, in: 4))
            model.producerID = Int64(1000 + id)
            producers.append(
                ReplicationProducer(model: model, acknowledgement: forAll ? .all : .leader))
        }
        for _ in 0..<swarm.consumers {
            consumers.append(ReplicationConsumer(partition: load.below(names.count)))
        }
    }

    /// Where a client turns: mostly to who leads by the metadata, sometimes to anybody.
    private mutating func target(_ partition: Int, last: Int) -> Int {
        if load.chance(1, in: 8) { return load.below(brokers.count) }
        if load.chance(1, in: 4) { return last }
        return state(partition)?.leader.map { Int($0.value) - 1 } ?? load.below(brokers.count)
    }

    // MARK: Producers

    mutating func produce(_ index: Int) {
        // At the end everybody has to catch up.
        let every = isHealed ? 30 : load.within(swarm.produceEvery)
        queue.schedule(.produce(index), at: time + Int64(every) * 1_000_000)
        guard topicsMade, !producers[index].isWaiting else { return }
        // As clients do: nothing new while an old batch is not answered, of which the log would
        // forget the sequence.
        let windowMax = 4
        if !isQuiet {
            for _ in 0..<load.within(1...2) {
                let next = producers[index].model.nextNumber
                let oldest = producers[index].model.inFlight.first?.number ?? next
                guard next - oldest < windowMax else { break }
                guard
                    let (entry, batch) = producers[index].model.nextBatch(
                        &load, keyed: false, at: now(0).timestamp)
                else { return checker.fail("a batch could not be built") }
                producers[index].model.inFlight.append(entry)
                checker.senders[entry.checksum] = (
                    index, batch.number, producers[index].model.isIdempotent
                )
            }
        }
        guard !producers[index].model.inFlight.isEmpty else { return }
        producers[index].attempt += 1
        producers[index].isWaiting = true
        let producer = producers[index]
        let target = target(producer.model.partition, last: producer.target)
        producers[index].target = target
        queue.schedule(
            .produceTimeout(index, attempt: producer.attempt),
            at: time + Int64(load.within(100...600)) * 1_000_000)
        if !isHealed, network.below(1_000_000) < swarm.drops { return }
        schedule(
            .produce(
                SimulatedProduce(
                    producer: index, attempt: producer.attempt,
                    partition: producer.model.partition,
                    acknowledgement: producer.acknowledgement, entries: producer.model.inFlight)),
            to: target, after: latency() + straggle())
    }

    mutating func produceTimedOut(_ index: Int, _ attempt: Int) {
        if producers[index].attempt == attempt { producers[index].isWaiting = false }
    }

    mutating func produceAnswered(
        _ index: Int, _ attempt: Int, _ number: Int, _ isAccepted: Bool
    ) {
        // A late answer is as good as one in time.
        if isAccepted { producers[index].model.inFlight.removeAll { $0.number == number } }
        guard producers[index].attempt == attempt else { return }
        if !isAccepted || producers[index].model.inFlight.isEmpty {
            producers[index].isWaiting = false
        }
    }

    private mutating func answerProducer(
        _ request: SimulatedProduce, _ number: Int, isAccepted: Bool
    ) {
        if !isHealed, network.below(1_000_000) < swarm.drops { return }
        queue.schedule(
            .produceAnswer(
                request.producer, attempt: request.attempt, number: number,
                isAccepted: isAccepted), at: time + latency())
    }

    mutating func produce(
        _ request: SimulatedProduce, _ index: Int, _ store: inout LogStore,
        _ manager: inout ReplicaManager, _ now: Now
    ) -> [ReplicaEffect] {
        var effects: [ReplicaEffect] = []
        for entry in request.entries {
            lastToken += 1
            do throws(ReplicaRefusal) {
                // A copy, as a request that is received again would be.
                let copy = entry.bytes.withUnsafeBytes { Bytes($0) }
                let (answer, more) = try manager.append(
                    copy, to: names[request.partition], request.acknowledgement,
                    token: lastToken, isOwned: true, store: &store, now: now)
                narrate(
                    "broker \(index + 1) appends batch \(entry.number) of producer "
                        + "\(request.producer) to \(names[request.partition]) at "
                        + "\(answer.baseOffset), duplicate \(answer.isDuplicate)")
                if answer.isDuplicate, !producers[request.producer].model.isIdempotent {
                    checker.fail("a batch without a producer id was taken for a duplicate")
                }
                tokens[lastToken] = PendingAppend(
                    request: request, entry: entry, base: answer.baseOffset.value,
                    last: answer.lastOffset.value, broker: index)
                effects += more
            } catch {
                narrate("broker \(index + 1) refuses producer \(request.producer): \(error)")
                switch error {
                case .notLeader, .notEnoughReplicas, .offsetNotAvailable,
                    .fencedLeaderEpoch, .unknownLeaderEpoch:
                    break
                case .append(.noSpace), .append(.journalFull), .append(.halted),
                    .append(.storage), .append(.damaged), .append(.outOfOrderSequence):
                    break
                case .append(let failure): checker.fail("a good batch is refused: \(failure)")
                }
                answerProducer(request, entry.number, isAccepted: false)
                return effects + manager.flush(store: &store, now: now)
            }
        }
        return effects + manager.flush(store: &store, now: now)
    }

    mutating func acknowledge(_ token: UInt64, by index: Int) {
        guard let pending = tokens.removeValue(forKey: token) else {
            return checker.fail("broker \(index + 1) answers an append twice")
        }
        let request = pending.request
        trace.mix(pending.base)
        narrate(
            "broker \(index + 1) acknowledges batch \(pending.entry.number) of producer "
                + "\(request.producer) at \(pending.base)")
        guard pending.broker == index else {
            return checker.fail("broker \(index + 1) answers an append of another broker")
        }
        if let broker = image.brokers[brokers[index].id], broker.isFenced,
            broker.epoch == brokers[index].manager?.brokerEpoch, !brokers[index].wantsToLeave
        {
            checker.fail(
                "broker \(index + 1) acknowledges an append to \(names[request.partition]) although "
                    + "it is fenced")
        }
        // What it has committed with the same event is looked at first.
        if var store = brokers[index].store, let manager = brokers[index].manager {
            brokers[index].store = nil
            let name = names[request.partition]
            let mark = store.offsets(of: name)?.highWatermark.value ?? 0
            checker.advanced(
                request.partition, index, to: mark,
                isLeader: manager.leader(of: name)?.isEstablished == true || hasDamage, &store,
                brokers[index].disk)
            brokers[index].store = store
        }
        checker.acknowledged(
            request.partition,
            ReplicationChecker.Batch(
                base: pending.base, last: pending.last, epoch: 0,
                checksum: pending.entry.checksum),
            forAll: request.acknowledgement == .all,
            durableEnd: brokers[index].store?.durableEnd(of: names[request.partition])?.value ?? 0,
            isReadable: brokers[index].store?.damage(of: names[request.partition]) == nil,
            by: index)
        result.acknowledged += 1
        answerProducer(request, pending.entry.number, isAccepted: true)
    }

    mutating func refuse(_ token: UInt64, _ refusal: ReplicaRefusal) {
        guard let pending = tokens.removeValue(forKey: token) else {
            return checker.fail("an append is answered twice")
        }
        answerProducer(pending.request, pending.entry.number, isAccepted: false)
    }

    // MARK: Consumers

    mutating func consume(_ index: Int) {
        // Slow readers read old segments; in the end they have to arrive.
        let every = isHealed ? 15 : load.within(5...60)
        queue.schedule(.consume(index), at: time + Int64(every) * 1_000_000)
        guard topicsMade else { return }
        consumers[index].attempt += 1
        // Metadata comes now and then.
        if isHealed || load.chance(1, in: 3), let state = state(consumers[index].partition) {
            consumers[index].epoch = max(consumers[index].epoch, state.leaderEpoch)
        }
        let consumer = consumers[index]
        let target = target(consumer.partition, last: consumer.target)
        consumers[index].target = target
        if !isHealed, network.below(1_000_000) < swarm.drops { return }
        schedule(
            .fetch(
                SimulatedFetch(
                    consumer: index, attempt: consumer.attempt, partition: consumer.partition,
                    offset: consumer.offset, epoch: consumer.epoch)), to: target, after: latency())
    }

    mutating func fetch(
        _ request: SimulatedFetch, _ index: Int, _ store: inout LogStore,
        _ manager: inout ReplicaManager
    ) {
        let name = names[request.partition]
        var answer: SimulatedFetchAnswer?
        do throws(ReplicaRefusal) {
            let limit = try manager.readLimit(
                name, from: Offset(request.offset), epoch: request.epoch, now: now(index))
            let isBelowMinimum = manager.leader(of: name)?.hasEnough == false
            do throws(ReadFailure) {
                let found = try store.read(
                    name, from: Offset(request.offset),
                    maxBytes: isHealed ? 64 << 10 : load.within(100...4000))
                var seen: [ReplicationChecker.Batch] = []
                for piece in found.batches { seen += ReplicationChecker.split(piece) }
                checker.advanced(
                    request.partition, index, to: limit.value, isLeader: true, &store,
                    brokers[index].disk)
                checker.consumed(request.partition, seen, by: index)
                answer = SimulatedFetchAnswer(
                    next: seen.last.map { $0.last + 1 } ?? request.offset,
                    highWatermark: found.highWatermark.value, epoch: request.epoch,
                    isBelowMinimum: isBelowMinimum)
                if found.highWatermark != limit {
                    checker.fail("readers see something else than what is committed")
                }
            } catch {
                guard case .offsetOutOfRange(_, let start, let end) = error else { return }
                if request.offset > end.value {
                    return checker.fail(
                        "a consumer is at \(request.offset) of \(name), which ends at \(end)")
                }
                answer = SimulatedFetchAnswer(
                    next: start.value, highWatermark: limit.value, epoch: request.epoch,
                    isBelowMinimum: isBelowMinimum)
            }
        } catch {
            return
        }
        if !isHealed, network.below(1_000_000) < swarm.drops { return }
        result.reads += 1
        queue.schedule(
            .fetchAnswer(request.consumer, attempt: request.attempt, answer),
            at: time + latency())
    }

    mutating func fetched(_ index: Int, _ attempt: Int, _ answer: SimulatedFetchAnswer?) {
        guard let answer, consumers[index].attempt == attempt else { return }
        if answer.highWatermark < consumers[index].highWatermark, !answer.isBelowMinimum {
            checker.fail(
                "consumer \(index) saw the high watermark \(consumers[index].highWatermark) of "
                    + "\(names[consumers[index].partition]), and now \(answer.highWatermark)")
        }
        consumers[index].highWatermark = max(consumers[index].highWatermark, answer.highWatermark)
        consumers[index].offset = answer.next
    }
}
