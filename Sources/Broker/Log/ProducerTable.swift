import Base
import WireProtocol

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
    /// The coordinator that wrote the last marker; -1 when there was none.
    var coordinatorEpoch: Int32 = -1
    /// Where the open transaction begins; -1 outside of transactions.
    var transactionStart: Int64 = -1
    /// The offset of the last marker; -1 when there was none.
    var markerOffset: Int64 = -1
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
    /// The last offset with data of this epoch; -1 when there is none.
    var lastDataOffset: Int64 { batchCount == 0 ? -1 : batches[batchCount - 1].lastOffset }
    var isInTransaction: Bool { transactionStart >= 0 }

    func batch(_ index: Int) -> Batch { batches[index] }

    /// Whether this batch is the one in the log that tells the producer's sequence or, where there
    /// is none, its epoch. The cleaner keeps its header.
    func isTold(by header: BatchHeader) -> Bool {
        batchCount > 0
            ? header.lastOffset == lastDataOffset
            : header.isControl && header.producerEpoch == epoch
    }

    mutating func add(_ batch: Batch) {
        if batchCount == Self.batchCountMax {
            for index in 1..<Self.batchCountMax { batches[index - 1] = batches[index] }
            batchCount -= 1
        }
        batches[batchCount] = batch
        batchCount += 1
    }

    /// A new epoch counts from the begin.
    mutating func raiseEpoch(to epoch: Int16) {
        self.epoch = epoch
        batchCount = 0
    }

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

/// A transaction whose marker was appended.
struct EndedTransaction: Hashable, Sendable {
    var producerID: Int64
    var firstOffset: Int64
    /// The offset of the marker.
    var markerOffset: Int64
    var isAborted: Bool
}

/// The idempotent producers of one partition: finds duplicates and gaps in their sequences, and
/// knows which transactions are open.
struct ProducerTable: Sendable {
    /// Ids are chosen by clients; beyond this count the longest idle are forgotten.
    static let countMax = 100_000

    enum Verdict: Hashable, Sendable {
        case append
        case duplicate(baseOffset: Int64, lastOffset: Int64)
    }

    /// Looked up by id only; iterated sorted.
    private var entries: [Int64: ProducerEntry] = [:]
    /// The producer of each open transaction, by the offset where it begins.
    private var open: OrderedMap<Int64, Int64> = [:]
    /// Transactions that ended, but whose marker may not be durable, in the order of their markers.
    private var ended: [EndedTransaction] = []

    /// Another number after each change of what a checkpoint keeps of the table.
    private(set) var revision: UInt64 = 0

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }
    var openTransactionCount: Int { open.count }
    subscript(producerID: Int64) -> ProducerEntry? { entries[producerID] }

    /// The first offset of the oldest transaction that is open or whose marker readers can't see
    /// yet; nil when every transaction has ended for good.
    var firstUnstableOffset: Int64? {
        guard !open.isEmpty || !ended.isEmpty else { return nil }
        var first = open.keys.first ?? Int64.max
        for transaction in ended { first = min(first, transaction.firstOffset) }
        return first
    }

    /// The first offset of the oldest open transaction.
    var firstOpenOffset: Int64? { open.keys.first }

    // MARK: Checks

    /// What to do with a batch of a producer. `bumpsEpochs`: the producer takes a new epoch for
    /// each transaction, so what is not known here begins at sequence 0. Throws the error that the
    /// producer must see.
    func check(_ header: BatchHeader, bumpsEpochs: Bool = false) throws(AppendFailure) -> Verdict {
        guard header.producerID >= 0 else { return .append }
        guard let entry = entries[header.producerID] else {
            if bumpsEpochs, header.baseSequence > 0 {
                throw .outOfOrderSequence(
                    producerID: header.producerID, expected: 0, found: header.baseSequence)
            }
            return .append
        }
        if header.baseSequence >= 0, header.producerEpoch == entry.epoch,
            let original = entry.original(
                baseSequence: header.baseSequence, lastSequence: header.lastSequence)
        {
            return .duplicate(baseOffset: original.baseOffset, lastOffset: original.lastOffset)
        }
        if header.producerEpoch < entry.epoch {
            throw .invalidProducerEpoch(
                producerID: header.producerID, current: entry.epoch, found: header.producerEpoch)
        }
        // The coordinator's own batches carry no sequence.
        if header.baseSequence >= 0 { try checkSequence(header, entry) }
        if entry.isInTransaction, !header.isTransactional {
            throw .invalidTransactionState(
                "producer \(header.producerID) has an open transaction, and this batch is not in it"
            )
        }
        return .append
    }

    private func checkSequence(
        _ header: BatchHeader, _ entry: ProducerEntry
    ) throws(AppendFailure) {
        let expected: Int32
        if header.producerEpoch > entry.epoch {
            if entry.epoch < 0 { return }
            expected = 0
        } else if entry.batchCount == 0 {
            // The epoch is known from a marker or from offsets alone.
            expected = 0
        } else {
            expected = entry.lastSequence == Int32.max ? 0 : entry.lastSequence + 1
        }
        guard header.baseSequence == expected else {
            throw .outOfOrderSequence(
                producerID: header.producerID, expected: expected, found: header.baseSequence)
        }
    }

    enum MarkerVerdict: Hashable, Sendable {
        case append
        /// The same marker was written before the coordinator restarted.
        case alreadyThere
    }

    /// Whether a marker may be appended.
    func check(_ marker: MarkerAppend) throws(AppendFailure) -> MarkerVerdict {
        guard let entry = entries[marker.producerID] else { return .append }
        if marker.coordinatorEpoch < entry.coordinatorEpoch {
            throw .coordinatorFenced(
                producerID: marker.producerID, current: entry.coordinatorEpoch,
                found: marker.coordinatorEpoch)
        }
        if marker.bumpsEpochs, marker.producerEpoch == entry.epoch, !entry.isInTransaction {
            return .alreadyThere
        }
        let isRight =
            marker.bumpsEpochs
            ? marker.producerEpoch > entry.epoch : marker.producerEpoch >= entry.epoch
        guard isRight else {
            throw .invalidProducerEpoch(
                producerID: marker.producerID, current: entry.epoch, found: marker.producerEpoch)
        }
        return .append
    }

    // MARK: Changes

    /// Takes note of a batch that was appended, with its final offsets. Checks nothing: also used
    /// when state is rebuilt at recovery. Returns the transaction that it ended.
    @discardableResult
    mutating func record(
        _ header: BatchHeader, marker: TransactionMarker?, now: Int64
    ) -> EndedTransaction? {
        guard header.producerID >= 0 else { return nil }
        revision += 1
        let fresh = ProducerEntry(epoch: header.producerEpoch, lastTimestamp: now)
        var entry = entries[header.producerID] ?? fresh
        if entry.epoch != header.producerEpoch { entry.raiseEpoch(to: header.producerEpoch) }
        entry.lastTimestamp = now
        var result: EndedTransaction?
        if header.isControl {
            result = end(&entry, header, marker)
        } else {
            if header.isTransactional, !entry.isInTransaction {
                entry.transactionStart = header.baseOffset
                open[header.baseOffset] = header.producerID
            }
            if header.baseSequence >= 0 {
                entry.add(
                    ProducerEntry.Batch(
                        baseSequence: header.baseSequence, lastSequence: header.lastSequence,
                        baseOffset: header.baseOffset, lastOffset: header.lastOffset))
            }
        }
        entries[header.producerID] = entry
        if entries.count > Self.countMax { removeLongestIdle(Self.countMax / 10) }
        return result
    }

    private mutating func end(
        _ entry: inout ProducerEntry, _ header: BatchHeader, _ marker: TransactionMarker?
    ) -> EndedTransaction? {
        guard let marker else { return nil }
        entry.coordinatorEpoch = max(entry.coordinatorEpoch, marker.coordinatorEpoch)
        entry.markerOffset = header.lastOffset
        guard entry.isInTransaction else { return nil }
        let transaction = EndedTransaction(
            producerID: header.producerID, firstOffset: entry.transactionStart,
            markerOffset: header.lastOffset, isAborted: marker.kind == .abort)
        open[entry.transactionStart] = nil
        entry.transactionStart = -1
        ended.append(transaction)
        return transaction
    }

    /// Readers see everything below `highWatermark`, markers included.
    mutating func makeVisible(below highWatermark: Int64) {
        guard let first = ended.first, first.markerOffset < highWatermark else { return }
        ended.removeFirst(
            ended.firstIndex { $0.markerOffset >= highWatermark } ?? ended.count)
    }

    /// Puts back an entry read from a checkpoint.
    mutating func restore(_ producerID: Int64, _ entry: ProducerEntry) {
        revision += 1
        entries[producerID] = entry
        if entry.isInTransaction { open[entry.transactionStart] = producerID }
    }

    /// Forgets producers that wrote nothing since `limit` (wall-clock milliseconds).
    mutating func removeExpired(before limit: Int64) {
        removeAll { $0.lastTimestamp < limit }
    }

    /// Forgets producers of which nothing is left at or above the log start.
    mutating func removeBelow(_ logStart: Int64) {
        removeAll { max($0.lastDataOffset, $0.markerOffset) < logStart }
    }

    /// A producer with an open transaction stays: only its marker may end it.
    private mutating func removeAll(where isGone: (ProducerEntry) -> Bool) {
        func goes(_ entry: ProducerEntry) -> Bool { !entry.isInTransaction && isGone(entry) }
        guard entries.contains(where: { goes($0.value) }) else { return }
        revision += 1
        entries = entries.filter { !goes($0.value) }
    }

    mutating func removeAll() {
        let next = revision + 1
        self = ProducerTable()
        revision = next
    }

    /// In ascending order of id.
    var sorted: [(producerID: Int64, entry: ProducerEntry)] {
        entries.keys.sorted().compactMap { id in
            entries[id].map { (producerID: id, entry: $0) }
        }
    }

    private mutating func removeLongestIdle(_ count: Int) {
        var idle: [(time: Int64, id: Int64)] = []
        for (id, entry) in entries where !entry.isInTransaction {
            idle.append((entry.lastTimestamp, id))
        }
        idle.sort { $0 < $1 }
        for victim in idle.prefix(count) { entries[victim.id] = nil }
    }

    /// Each open transaction belongs to its producer.
    func checkInvariants() {
        for (start, producerID) in open {
            precondition(
                entries[producerID]?.transactionStart == start, "an open transaction is known")
        }
        for index in ended.indices.dropFirst() {
            precondition(
                ended[index - 1].markerOffset < ended[index].markerOffset, "markers rise")
        }
    }
}
