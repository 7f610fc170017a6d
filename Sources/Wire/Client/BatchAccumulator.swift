// Collects records into batches, and decides which batch is sent when. Knows no clock, lock or
// socket: the producer calls it under its lock with the time in nanoseconds.
//
// At most one batch of a partition is on its way. So batches of a partition can't overtake each
// other, a repeated batch keeps its sequence number, and under load batches grow by themselves
// while one is being acknowledged.

import Base
import Compression
import WireProtocol

/// Hears what became of one record.
package typealias RecordCompletion = @Sendable (Result<RecordMetadata, ClientFailure>) -> Void

/// One batch from its first record to its acknowledgement. Belongs to the accumulator; used only
/// under the producer's lock, except that the sending thread encodes a batch that is on its way.
///
/// `@unchecked Sendable` is sound because of that: before it is sent only the holder of the lock
/// changes it, and while it is on its way only the thread that sends it or hears its answer.
package final class ProducerBatch: @unchecked Sendable {
    package let address: PartitionAddress
    /// Rises with each batch of the producer.
    package let number: Int64
    package let created: Int64
    private var builder: RecordBatchBuilder
    package private(set) var recordCount = 0
    /// What counts against the buffer.
    private(set) var reservedBytes = 0
    private(set) var completions: [(index: Int, completion: RecordCompletion)] = []
    /// The batch as it is sent; made when it is sent for the first time and kept for repetitions.
    package private(set) var encoded: Bytes?
    /// The producer id that the batch was numbered for; -1 without idempotence.
    private(set) var producerId: Int64 = -1
    package var retry: RetryState
    /// Not before this moment, after a failure.
    var notBefore: Int64 = 0
    /// The failure of the last attempt.
    var lastFailure: ClientFailure?

    init(
        _ address: PartitionAddress, number: Int64, capacity: Int, now: Int64, deadline: Int64
    ) {
        self.address = address
        self.number = number
        created = now
        builder = RecordBatchBuilder(capacity: capacity)
        retry = RetryState(deadline: deadline)
    }

    var byteCount: Int { builder.byteCount }

    func append(
        _ record: ProducerRecord, timestamp: Int64, reserving bytes: Int,
        completion: RecordCompletion?
    ) {
        builder.append(
            key: record.keyBytes, value: record.valueBytes, headers: record.headers,
            timestamp: Timestamp(milliseconds: timestamp))
        if let completion { completions.append((recordCount, completion)) }
        recordCount += 1
        reservedBytes += bytes
    }

    /// Encodes the batch. Later calls return the same bytes.
    package func encode(_ properties: RecordBatchBuilder.Properties) throws(CodecFailure) -> Bytes {
        if let encoded { return encoded }
        var finished = RecordBatchBuilder(capacity: 64)
        swap(&finished, &builder)
        let bytes = try finished.finish(properties)
        producerId = properties.producerId
        encoded = bytes
        return bytes
    }
}

package struct BatchAccumulator {
    package struct Settings {
        var linger: Int64
        var batchBytes: Int
        var bufferBytes: Int
        var deliveryTimeout: Int64

        package init(
            linger: Int64, batchBytes: Int, bufferBytes: Int, deliveryTimeout: Int64
        ) {
            self.linger = linger
            self.batchBytes = batchBytes
            self.bufferBytes = bufferBytes
            self.deliveryTimeout = deliveryTimeout
        }
    }

    private struct Queue {
        /// Oldest first; the last may still be open for records.
        var batches: [ProducerBatch] = []
        var isLastOpen = false
        /// The batch that is on its way.
        var inFlight: ProducerBatch?
    }

    package let settings: Settings
    private var queues: [PartitionAddress: Queue] = [:]
    /// The partition that records of a topic without a key go to until its batch is full.
    private var stickyPartitions: [String: Int32] = [:]
    package private(set) var bufferedBytes = 0
    package private(set) var batchCount = 0
    /// The number of the next batch.
    package private(set) var nextNumber: Int64 = 0
    /// Batches that were created before this moment are sent without waiting for others.
    private var flushBefore: Int64 = .min

    package init(_ settings: Settings) { self.settings = settings }

    package var isEmpty: Bool { batchCount == 0 }

    /// Whether a record of `bytes` fits now. One record always fits into an empty buffer.
    package func hasRoom(for bytes: Int) -> Bool {
        bufferedBytes == 0 || bufferedBytes + bytes <= settings.bufferBytes
    }

    /// Where a record goes: its own wish, its key, or the partition whose batch is being filled.
    package mutating func partition(of record: ProducerRecord, partitionCount: Int32) -> Int32 {
        if let wish = record.partition { return wish }
        if let key = record.keyBytes {
            return WireProtocol.partition(forKey: key, partitionCount: partitionCount)
        }
        if let sticky = stickyPartitions[record.topic], sticky < partitionCount { return sticky }
        stickyPartitions[record.topic] = 0
        return 0
    }

    /// Adds a record. Returns whether `takeReady` or `nextWake` may have another answer now.
    package mutating func append(
        _ record: ProducerRecord, partition: Int32, partitionCount: Int32, timestamp: Int64,
        now: Int64, completion: RecordCompletion? = nil
    ) -> Bool {
        let address = PartitionAddress(record.topic, partition)
        let bytes = Self.size(of: record)
        var queue = queues[address] ?? Queue()
        var ready = false
        if queue.isLastOpen, let open = queue.batches.last,
            open.byteCount + bytes > settings.batchBytes
                || open.recordCount >= Limits.recordsPerBatch
        {
            queue.isLastOpen = false
            ready = true
            moveOn(record, partition, partitionCount)
        }
        if !queue.isLastOpen {
            // A batch that nobody fills must not hold a large buffer.
            let capacity = min(settings.batchBytes, max(4096, bytes + 256))
            queue.batches.append(
                ProducerBatch(
                    address, number: nextNumber, capacity: capacity, now: now,
                    deadline: now + settings.deliveryTimeout))
            nextNumber += 1
            ready = true
            queue.isLastOpen = true
            batchCount += 1
        }
        queue.batches[queue.batches.count - 1].append(
            record, timestamp: timestamp, reserving: bytes, completion: completion)
        bufferedBytes += bytes
        if queue.batches[queue.batches.count - 1].byteCount >= settings.batchBytes { ready = true }
        queues[address] = queue
        return ready
    }

    /// The next records without a key go to the next partition.
    private mutating func moveOn(_ record: ProducerRecord, _ partition: Int32, _ count: Int32) {
        guard record.partition == nil, record.keyBytes == nil else { return }
        stickyPartitions[record.topic] = (partition + 1) % count
    }

    package static func size(of record: ProducerRecord) -> Int {
        RecordBatchBuilder.upperBound(
            key: record.keyBytes, value: record.valueBytes, headers: record.headers)
    }

    /// Whether a batch below `number` has not come to its end.
    package func hasBatches(below number: Int64) -> Bool {
        queues.values.contains { queue in
            (queue.inFlight ?? queue.batches.first).map { $0.number < number } ?? false
        }
    }

    /// Everything that is buffered now is sent without waiting for more.
    package mutating func flush(now: Int64) { flushBefore = now + 1 }

    /// Takes the batches that are to be sent now, at most one a partition, in partition order.
    package mutating func takeReady(now: Int64) -> [ProducerBatch] {
        var ready: [ProducerBatch] = []
        for address in queues.keys.sorted() {
            guard var queue = queues[address], queue.inFlight == nil,
                let first = queue.batches.first, first.notBefore <= now,
                isDue(queue, now: now)
            else { continue }
            queue.batches.removeFirst()
            if queue.batches.isEmpty {
                if queue.isLastOpen { stickyMoved(address) }
                queue.isLastOpen = false
            }
            queue.inFlight = first
            queues[address] = queue
            ready.append(first)
        }
        return ready
    }

    /// A batch without keys left before it was full: the next one is for another partition.
    private mutating func stickyMoved(_ address: PartitionAddress) {
        guard stickyPartitions[address.topic] == address.partition else { return }
        stickyPartitions[address.topic] = address.partition + 1
    }

    private func isDue(_ queue: Queue, now: Int64) -> Bool {
        guard let first = queue.batches.first else { return false }
        if !(queue.isLastOpen && queue.batches.count == 1) { return true }
        return first.byteCount >= settings.batchBytes || first.created < flushBefore
            || now - first.created >= settings.linger
    }

    /// When `takeReady` or `takeExpired` has something to do, if nothing else happens.
    package func nextWake() -> Int64 {
        var wake = Int64.max
        for queue in queues.values where queue.inFlight == nil {
            guard let first = queue.batches.first else { continue }
            let isOpen = queue.isLastOpen && queue.batches.count == 1
            let due =
                isOpen && first.created >= flushBefore && first.byteCount < settings.batchBytes
                ? first.created + settings.linger : 0
            wake = min(wake, max(due, first.notBefore))
            wake = min(wake, first.retry.deadline)
        }
        return wake
    }

    /// Takes the batches that waited longer than the delivery timeout and are not on their way.
    package mutating func takeExpired(now: Int64) -> [ProducerBatch] {
        var expired: [ProducerBatch] = []
        for address in queues.keys.sorted() {
            guard var queue = queues[address], queue.inFlight == nil else { continue }
            while let first = queue.batches.first, first.retry.deadline <= now {
                queue.batches.removeFirst()
                if queue.batches.isEmpty { queue.isLastOpen = false }
                forget(first)
                expired.append(first)
            }
            queues[address] = queue
        }
        return expired
    }

    /// The batch came to an end, good or bad.
    package mutating func finish(_ batch: ProducerBatch) {
        queues[batch.address]?.inFlight = nil
        forget(batch)
        if queues[batch.address]?.batches.isEmpty == true { queues[batch.address] = nil }
    }

    /// The batch goes back to the head of its queue, to be sent again not before `time`.
    package mutating func putBack(_ batch: ProducerBatch, notBefore time: Int64) {
        batch.notBefore = time
        var queue = queues[batch.address] ?? Queue()
        queue.inFlight = nil
        queue.batches.insert(batch, at: 0)
        // It is closed; what was open behind it stays open.
        if queue.batches.count == 1 { queue.isLastOpen = false }
        queues[batch.address] = queue
    }

    /// Takes everything that is not on its way, for a producer that is closed.
    package mutating func takeAll() -> [ProducerBatch] {
        var all: [ProducerBatch] = []
        for address in queues.keys.sorted() {
            guard let queue = queues[address] else { continue }
            for batch in queue.batches {
                forget(batch)
                all.append(batch)
            }
            queues[address]?.batches = []
            queues[address]?.isLastOpen = false
        }
        return all
    }

    private mutating func forget(_ batch: ProducerBatch) {
        bufferedBytes -= batch.reservedBytes
        batchCount -= 1
    }
}
