import Base
import WireProtocol

/// What the coordinator of transactions and its operators need of the logs.
extension LogStore {
    /// Ends the producer's transaction in a partition. Returns the offset that has to become
    /// durable; nil when the same marker is there, and durable or on its way, already.
    package mutating func appendMarker(
        _ marker: MarkerAppend, to partition: TopicPartition, now: Now
    ) throws(AppendFailure) -> AppendResult? {
        guard let slot = slots[partition] else { throw .unknownPartition }
        if case .alreadyThere = try logs[slot].producers.check(marker) { return nil }
        let record = ControlRecord(
            kind: marker.isCommit ? .commit : .abort, coordinatorEpoch: marker.coordinatorEpoch)
        let batch = record.batch(
            producerId: marker.producerID, producerEpoch: marker.producerEpoch,
            timestamp: now.timestamp)
        return try append(batch, to: partition, origin: .node, now: now)
    }

    /// Whether a producer has written to the partition in a transaction, with this epoch, that has not
    /// ended here.
    package func isInTransaction(
        _ partition: TopicPartition, producerID: Int64, producerEpoch: Int16
    ) -> Bool {
        guard let slot = slots[partition],
            let entry = logs[slot].producers[producerID]
        else { return false }
        return entry.isInTransaction && entry.epoch == producerEpoch
    }

    /// The producers that a partition remembers, by id.
    package func producers(of partition: TopicPartition) -> [ActiveProducer] {
        guard let slot = slots[partition] else { return [] }
        return logs[slot].producers.sorted.map { id, entry in
            ActiveProducer(
                producerID: id, producerEpoch: entry.epoch, lastSequence: entry.lastSequence,
                lastTimestamp: Timestamp(milliseconds: entry.lastTimestamp),
                coordinatorEpoch: entry.coordinatorEpoch,
                transactionStart: Offset(entry.transactionStart))
        }
    }
}

/// A producer as a partition knows it.
package struct ActiveProducer: Hashable, Sendable {
    package var producerID: Int64
    package var producerEpoch: Int16
    /// -1 when nothing of this epoch was written.
    package var lastSequence: Int32
    package var lastTimestamp: Timestamp
    /// -1 when no transaction has ended.
    package var coordinatorEpoch: Int32
    /// -1 outside of transactions.
    package var transactionStart: Offset
}
