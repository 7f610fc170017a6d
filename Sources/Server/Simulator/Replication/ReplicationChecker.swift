import Base
import Log
import Quorum
import Replica
import WireProtocol

/// What must hold of replicated partitions in every moment.
///
/// - Durability: what was acknowledged for all is committed, at the place that was named, for ever.
/// - Committed means: the same batches at the same offsets on every node that knows them as such,
///   and on every replica that is in sync or eligible.
/// - One leader for each epoch, in one of its lives.
/// - A leader that was fenced acknowledges nothing.
/// - Consumers see committed batches only, and for each the high watermark never goes back.
/// - Batches of idempotent producers are committed once and in order.
struct ReplicationChecker {
    struct Batch: Equatable {
        var base: Int64
        var last: Int64
        var epoch: Int32
        var checksum: UInt32
    }

    struct History {
        let name: TopicPartition
        var committed: [Batch] = []
        var end: Int64 = 0
        /// No log has begun above.
        var deletedBelow: Int64 = 0
        var leaders: OrderedMap<Int32, Life> = [:]
        /// Up to where the batches of each broker were compared.
        var compared: [Int64]
        /// Of idempotent producers: the highest number committed, and where. Looked up only.
        var numbers: [Int: (number: Int, last: Int64)] = [:]
        var acknowledged: [Batch] = []
    }

    struct Life: Equatable {
        var broker: Int
        var process: Int
    }

    private(set) var histories: [History] = []
    private(set) var anomaly: String?
    /// Who sent the batch with this checksum, and the number it has there. Looked up only.
    var senders: [UInt32: (producer: Int, number: Int, isIdempotent: Bool)] = [:]

    mutating func fail(_ text: String) {
        if anomaly == nil { anomaly = text }
    }

    mutating func add(_ name: TopicPartition, brokers: Int) {
        histories.append(
            History(name: name, compared: Array(repeating: 0, count: brokers)))
    }

    func end(_ index: Int) -> Int64 { histories[index].end }

    // MARK: Reading logs

    private mutating func batches(
        _ index: Int, from start: Int64, below end: Int64, _ store: inout LogStore
    ) -> [Batch]? {
        var result: [Batch] = []
        var next = start
        while next < end {
            guard
                let found = try? store.readForReplica(
                    histories[index].name, from: Offset(next), maxBytes: 64 << 10),
                found.end.value > next
            else { return nil }
            for piece in found.batches {
                for batch in Self.split(piece) where batch.last >= start && batch.base < end {
                    result.append(batch)
                }
            }
            next = found.end.value
        }
        return result
    }

    static func split(_ piece: Bytes) -> [Batch] {
        var result: [Batch] = []
        var position = 0
        while position < piece.count, let header = try? RecordBatchHeader(piece, at: position) {
            result.append(
                Batch(
                    base: header.baseOffset.value,
                    last: header.baseOffset.value + Int64(header.lastOffsetDelta),
                    epoch: header.partitionLeaderEpoch.value, checksum: header.crc))
            position += 12 + Int(header.batchLength)
        }
        return result
    }

    private func committed(_ index: Int, at offset: Int64) -> Batch? {
        let list = histories[index].committed
        var (low, high) = (0, list.count)
        while low < high {
            let middle = (low + high) / 2
            if list[middle].last < offset { low = middle + 1 } else { high = middle }
        }
        return low < list.count && list[low].base <= offset ? list[low] : nil
    }

    private func isCommitted(_ index: Int, _ batch: Batch) -> Bool {
        guard let found = committed(index, at: batch.base) else { return false }
        return found.base == batch.base && found.last == batch.last
            && found.checksum == batch.checksum
    }

    // MARK: Moments

    mutating func serves(_ index: Int, _ epoch: LeaderEpoch, _ life: Life) {
        if let other = histories[index].leaders[epoch.value], other != life {
            fail(
                "epoch \(epoch.value) of \(histories[index].name) is led by broker "
                    + "\(other.broker + 1) in process \(other.process) and broker "
                    + "\(life.broker + 1) in process \(life.process)")
        }
        histories[index].leaders[epoch.value] = life
    }

    mutating func started(_ broker: Int, _ store: LogStore) {
        for index in histories.indices {
            let start = store.offsets(of: histories[index].name)?.logStartOffset.value ?? 0
            histories[index].compared[broker] = start
        }
    }

    /// A broker takes everything below `highWatermark` for committed. `isLeader`: so it decides,
    /// else somebody must have decided before.
    mutating func advanced(
        _ index: Int, _ broker: Int, to highWatermark: Int64, isLeader: Bool,
        _ store: inout LogStore, _ disk: SimulatedDisk
    ) {
        // Looking must not be the call at which the process dies.
        let crash = disk.crashAtOperation
        disk.crashAtOperation = nil
        defer { disk.crashAtOperation = crash }
        let history = histories[index]
        let logStart = store.offsets(of: history.name)?.logStartOffset.value ?? 0
        histories[index].deletedBelow = max(history.deletedBelow, logStart)
        if highWatermark > history.end, !isLeader {
            return fail(
                "broker \(broker + 1) follows \(history.name) and takes \(highWatermark) for "
                    + "committed, no leader has committed more than \(history.end)")
        }
        let from = max(history.compared[broker], logStart)
        guard from < highWatermark else { return }
        guard let found = batches(index, from: from, below: highWatermark, &store) else {
            if store.damage(of: history.name) != nil { return }
            return fail(
                "broker \(broker + 1) takes \(highWatermark) of \(history.name) for committed and "
                    + "does not have it")
        }
        histories[index].compared[broker] = highWatermark
        for batch in found {
            if batch.base >= histories[index].end {
                guard batch.last < highWatermark else {
                    return fail("half of a batch of \(history.name) is committed")
                }
                commit(index, batch)
            } else if committed(index, at: batch.base) != batch {
                return fail(
                    "broker \(broker + 1) has another batch of \(history.name) at \(batch.base) than "
                        + "the one that was committed there")
            }
        }
    }

    private mutating func commit(_ index: Int, _ batch: Batch) {
        histories[index].committed.append(batch)
        histories[index].end = batch.last + 1
        guard let sender = senders[batch.checksum] else {
            return fail("nobody has sent what \(histories[index].name) has at \(batch.base)")
        }
        guard sender.isIdempotent else { return }
        let known = histories[index].numbers[sender.producer]
        histories[index].numbers[sender.producer] = (sender.number, batch.last)
        // What was deleted takes the memory of its producers along.
        if let known, known.last < histories[index].deletedBelow { return }
        let last = known?.number ?? -1
        if sender.number <= last {
            fail(
                "batch \(sender.number) of producer \(sender.producer) is committed at "
                    + "\(batch.base) of \(histories[index].name), after its batch \(last)")
        } else if sender.number > last + 1 {
            fail(
                "batch \(last + 1) of producer \(sender.producer) is missing before its batch "
                    + "\(sender.number) at \(batch.base) of \(histories[index].name)")
        }
    }

    /// Everybody who counts has everything that is committed.
    mutating func check(_ index: Int, _ state: PartitionState, _ brokers: [SimulatedBroker]) {
        let history = histories[index]
        for id in state.inSync + state.eligible {
            let broker = brokers[Int(id.value) - 1]
            guard let store = broker.store, !broker.isDamaged,
                let end = store.durableEnd(of: history.name)
            else { continue }
            if end.value < history.end {
                fail(
                    "broker \(id.value) counts as having everything of \(history.name) and has "
                        + "only what is below \(end), \(history.end) is committed")
            }
        }
    }

    mutating func acknowledged(
        _ index: Int, _ batch: Batch, forAll: Bool, durableEnd: Int64, isReadable: Bool,
        by broker: Int
    ) {
        if forAll {
            histories[index].acknowledged.append(batch)
            // What it can't read itself any more is looked for at the end.
            if !isReadable { return }
            if !isCommitted(index, batch) {
                fail(
                    "broker \(broker + 1) acknowledges \(batch.base) of \(histories[index].name), "
                        + "which is not committed")
            }
        } else if durableEnd <= batch.last {
            fail(
                "broker \(broker + 1) acknowledges \(batch.base) of \(histories[index].name), which "
                    + "is not durable there")
        }
    }

    mutating func consumed(_ index: Int, _ found: [Batch], by broker: Int) {
        for batch in found where committed(index, at: batch.base) != batch {
            return fail(
                "a consumer sees \(batch.base) of \(histories[index].name) on broker \(broker + 1), "
                    + "which is not what is committed there")
        }
    }

    // MARK: The end

    /// All replicas of a healed cluster have the same, and it is what was committed.
    /// `isRotten`: of each broker, whether damage may still be unnoticed there.
    mutating func finish(
        _ index: Int, _ stores: inout [LogStore?], replicas: [Int], isRotten: [Bool]
    ) {
        let history = histories[index]
        var start = history.deletedBelow
        for broker in replicas {
            guard let offsets = stores[broker]?.offsets(of: history.name) else {
                return fail("broker \(broker + 1) has no \(history.name) after healing")
            }
            start = max(start, offsets.logStartOffset.value)
            if offsets.logEndOffset.value != history.end {
                return fail(
                    "broker \(broker + 1) has \(history.name) up to \(offsets.logEndOffset) after "
                        + "healing, \(history.end) is committed")
            }
            if offsets.highWatermark.value != history.end {
                return fail(
                    "broker \(broker + 1) knows \(history.name) up to \(offsets.highWatermark) as "
                        + "committed after healing, it is \(history.end)")
            }
        }
        let expected = history.committed.filter { $0.base >= start }
        for broker in replicas {
            guard var store = stores[broker] else { continue }
            stores[broker] = nil
            let found =
                start < history.end
                ? batches(index, from: start, below: history.end, &store) : []
            stores[broker] = store
            if found == nil, isRotten[broker] { continue }
            if found?.filter({ $0.base >= start }) != expected {
                return fail(
                    "broker \(broker + 1) does not have what is committed of \(history.name) after "
                        + "healing")
            }
        }
        for batch in history.acknowledged where !isCommitted(index, batch) {
            return fail("\(batch.base) of \(history.name) was acknowledged and is gone")
        }
    }
}
