import Base

/// What one idempotent producer last wrote to a partition.
struct ProducerEntry: Sendable {
    struct Batch: Hashable, Sendable {
        var baseSequence: Int32
        var lastSequence: Int32
        var baseOffset: Int64
        var lastOffset: Int64
    }

    /// Clients have at most five batches in flight, so a retry concerns one of the last five.
    static let batchCountMax = 5

    var epoch: Int16
    /// Wall-clock milliseconds of the last append; decides expiry.
    var lastTimestamp: Int64
    /// The newest last; a ring would save 64 bytes of moving and cost clarity.
    private(set) var batchCount = 0
    private var batches = InlineArray<5, Batch>(
        repeating: Batch(baseSequence: 0, lastSequence: -1, baseOffset: -1, lastOffset: -1))

    init(epoch: Int16, lastTimestamp: Int64) {
        self.epoch = epoch
        self.lastTimestamp = lastTimestamp
    }

    /// -1 when nothing of this epoch was written.
    var lastSequence: Int32 { batchCount == 0 ? -1 : batches[batchCount - 1].lastSequence }
    var lastOffset: Int64 { batchCount == 0 ? -1 : batches[batchCount - 1].lastOffset }

    func batch(_ index: Int) -> Batch { batches[index] }

    mutating func add(_ batch: Batch) {
        if batchCount == Self.batchCountMax {
            for index in 1..<Self.batchCountMax { batches[index - 1] = batches[index] }
            batchCount -= 1
        }
        batches[batchCount] = batch
        batchCount += 1
    }

    mutating func removeBatches() { batchCount = 0 }

    func original(baseSequence: Int32, lastSequence: Int32) -> Batch? {
        for index in 0..<batchCount
        where batches[index].baseSequence == baseSequence
            && batches[index].lastSequence == lastSequence
        {
            return batches[index]
        }
        return nil
    }
}

/// The idempotent producers of one partition: finds duplicates and gaps in their sequences.
struct ProducerTable: Sendable {
    /// Ids are chosen by clients; beyond this count the longest idle are forgotten.
    static let countMax = 100_000

    enum Verdict: Hashable, Sendable {
        case append
        case duplicate(baseOffset: Int64, lastOffset: Int64)
    }

    /// Looked up by id only; iterated sorted.
    private var entries: [Int64: ProducerEntry] = [:]

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }
    subscript(producerID: Int64) -> ProducerEntry? { entries[producerID] }

    /// What to do with a client's batch. Throws the error that the producer must see.
    func check(_ header: BatchHeader) throws(AppendFailure) -> Verdict {
        guard header.producerID >= 0, let entry = entries[header.producerID] else {
            return .append
        }
        if header.producerEpoch == entry.epoch,
            let original = entry.original(
                baseSequence: header.baseSequence, lastSequence: header.lastSequence)
        {
            return .duplicate(baseOffset: original.baseOffset, lastOffset: original.lastOffset)
        }
        if header.producerEpoch < entry.epoch {
            throw .invalidProducerEpoch(
                producerID: header.producerID, current: entry.epoch, found: header.producerEpoch)
        }
        let expected: Int32
        if header.producerEpoch > entry.epoch {
            if entry.epoch < 0 { return .append }
            expected = 0
        } else {
            if entry.batchCount == 0 { return .append }
            expected = entry.lastSequence == Int32.max ? 0 : entry.lastSequence + 1
        }
        guard header.baseSequence == expected else {
            throw .outOfOrderSequence(
                producerID: header.producerID, expected: expected, found: header.baseSequence)
        }
        return .append
    }

    /// Takes note of a batch that was appended, with its final offsets. Checks nothing: also used
    /// when state is rebuilt at recovery.
    mutating func record(_ header: BatchHeader, now: Int64) {
        guard header.producerID >= 0 else { return }
        let fresh = ProducerEntry(epoch: header.producerEpoch, lastTimestamp: now)
        var entry = entries[header.producerID] ?? fresh
        if entry.epoch != header.producerEpoch { entry = fresh }
        entry.lastTimestamp = now
        // A control batch carries no sequence.
        if header.baseSequence >= 0 {
            entry.add(
                ProducerEntry.Batch(
                    baseSequence: header.baseSequence, lastSequence: header.lastSequence,
                    baseOffset: header.baseOffset, lastOffset: header.lastOffset))
        }
        entries[header.producerID] = entry
        if entries.count > Self.countMax { removeLongestIdle(Self.countMax / 10) }
    }

    /// Puts back an entry read from a checkpoint.
    mutating func restore(_ producerID: Int64, _ entry: ProducerEntry) {
        entries[producerID] = entry
    }

    /// Forgets producers that wrote nothing since `limit` (wall-clock milliseconds).
    mutating func removeExpired(before limit: Int64) {
        guard entries.contains(where: { $0.value.lastTimestamp < limit }) else { return }
        entries = entries.filter { $0.value.lastTimestamp >= limit }
    }

    /// Forgets producers whose last batch lies below the log start.
    mutating func removeBelow(_ logStart: Int64) {
        guard entries.contains(where: { $0.value.lastOffset < logStart }) else { return }
        entries = entries.filter { $0.value.lastOffset >= logStart }
    }

    mutating func removeAll() { entries.removeAll() }

    /// In ascending order of id.
    var sorted: [(producerID: Int64, entry: ProducerEntry)] {
        entries.keys.sorted().compactMap { id in
            entries[id].map { (producerID: id, entry: $0) }
        }
    }

    private mutating func removeLongestIdle(_ count: Int) {
        let order = entries.map { (time: $0.value.lastTimestamp, id: $0.key) }
            .sorted { $0.time != $1.time ? $0.time < $1.time : $0.id < $1.id }
        for victim in order.prefix(count) { entries[victim.id] = nil }
    }
}
