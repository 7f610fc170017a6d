// Records that were fetched and not yet handed out, of one partition.

import Base
import WireProtocol

/// Decodes the batches of a fetch answer one after the other, as far as they are asked for.
struct FetchBuffer {
    let address: PartitionAddress
    private let isolation: IsolationLevel
    private var batches: RecordBatchSequence
    private var cursor: RecordCursor?
    private var cursorEnd: Int64 = 0
    /// Transactions that were aborted, by first offset, as the broker listed them.
    private var aborted: ArraySlice<FetchResponse.AbortedTransaction>
    /// Producers whose open transaction is known to end in an abort.
    private var abortedProducers: Set<Int64> = []
    /// Offset of the next record that is wanted.
    private(set) var position: Int64

    init(
        _ address: PartitionAddress, records: Bytes, position: Int64, isolation: IsolationLevel,
        aborted: [FetchResponse.AbortedTransaction]
    ) {
        self.address = address
        self.position = position
        self.isolation = isolation
        self.aborted = aborted.sorted { $0.firstOffset < $1.firstOffset }[...]
        batches = RecordBatchSequence(records)
    }

    /// Appends up to `limit` records to `output`. Returns false when nothing is left.
    mutating func take(
        into output: inout [ConsumedRecord], limit: Int
    ) throws(DecodeFailure) -> Bool {
        while true {
            while var open = cursor {
                if output.count >= limit { return true }
                guard let record = try open.next() else {
                    // The end of a batch counts even if the cleaner took its last records.
                    position = max(position, cursorEnd)
                    cursor = nil
                    break
                }
                cursor = open
                // The first batch may begin before the offset that was asked for.
                guard record.offset.value >= position else { continue }
                position = record.offset.value + 1
                output.append(
                    ConsumedRecord(
                        topic: address.topic, partition: address.partition, record: record))
            }
            guard let batch = try batches.next() else { return false }
            try open(batch)
        }
    }

    private mutating func open(_ batch: RecordBatchView) throws(DecodeFailure) {
        try batch.checkChecksum()
        let header = batch.header
        let next = header.nextOffset.value
        guard next > position else { return }
        if isolation == .readCommitted {
            while let first = aborted.first, first.firstOffset <= header.lastOffset.value {
                abortedProducers.insert(first.producerId)
                aborted.removeFirst()
            }
        }
        if header.isControl {
            var records = try batch.records()
            if isolation == .readCommitted, let record = try records.next(),
                try ControlRecord(record)?.kind == .abort
            {
                abortedProducers.remove(header.producerId)
            }
            position = next
            return
        }
        if header.isTransactional, abortedProducers.contains(header.producerId) {
            position = next
            return
        }
        cursorEnd = next
        cursor = try batch.records()
    }
}
