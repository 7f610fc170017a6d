// A record batch where it lies: checked, read and stamped without copying its records.

import Base
import Compression

/// What a check of all records found out.
package struct RecordBatchFacts: Hashable, Sendable {
    /// Largest timestamp of the records, -1 for none. Meaningless with log append time.
    package private(set) var maxTimestamp = Timestamp.none
    /// Smallest timestamp of the records.
    package private(set) var minTimestamp = Timestamp(milliseconds: .max)
    /// Index of the first record with the largest timestamp.
    package private(set) var indexOfMaxTimestamp = 0
    /// Index of the first record without a key, if there is one.
    package private(set) var firstKeyless: Int?
    /// Bytes of the records, decompressed.
    package internal(set) var recordBytes = 0

    mutating func note(index: Int32, keyless: Bool, timestamp: Int64) {
        if keyless && firstKeyless == nil { firstKeyless = Int(index) }
        if index == 0 || timestamp > maxTimestamp.milliseconds {
            maxTimestamp = Timestamp(milliseconds: timestamp)
            indexOfMaxTimestamp = Int(index)
        }
        minTimestamp = Timestamp(milliseconds: min(minTimestamp.milliseconds, timestamp))
    }
}

/// One whole record batch in shared memory.
package struct RecordBatchView: Sendable {
    /// Exactly the batch.
    package let bytes: Bytes
    package let header: RecordBatchHeader

    /// How the offsets of the records must follow each other.
    package enum OffsetOrder: Sendable {
        /// 0, 1, 2 …, as producers send them.
        case consecutive
        /// Rising, with gaps that the cleaner left.
        case ascending
    }

    /// The batch that begins at `position` of `bytes`; more bytes may follow it. Checks the length,
    /// not the content.
    package init(_ bytes: Bytes, at position: Int = 0) throws(DecodeFailure) {
        let header = try RecordBatchHeader(bytes, at: position)
        let available = bytes.count - position
        guard header.totalByteCount <= available else {
            throw .truncated(
                needed: header.totalByteCount, available: available, position: position)
        }
        self.header = header
        self.bytes = bytes[position..<position + header.totalByteCount]
    }

    /// A batch whose header is known to belong to `bytes`.
    package init(header: RecordBatchHeader, bytes: Bytes) {
        precondition(bytes.count == header.totalByteCount, "header and bytes do not match")
        self.header = header
        self.bytes = bytes
    }

    /// The bytes behind the header as they are, compressed or not.
    package var storedRecords: Bytes { bytes[RecordBatchHeader.byteCount..<bytes.count] }

    /// Compares the checksum.
    package func checkChecksum() throws(DecodeFailure) {
        let found = crc32c(bytes[RecordBatchHeader.checksummedFrom..<bytes.count])
        guard found == header.crc else {
            throw .checksum(what: "record batch", expected: header.crc, found: found)
        }
    }

    /// The bytes of the records, decompressed to at most `limit` bytes. Without compression they
    /// share the memory of the batch.
    package func recordBytes(
        limit: Int = Limits.decompressedBatchBytes
    ) throws(DecodeFailure) -> Bytes {
        guard let codec = header.codec else {
            throw .invalid(
                what: "compression of a record batch",
                value: Int64(header.attributes & RecordBatchHeader.Attribute.codecMask),
                position: 21)
        }
        if codec == .none || header.recordCount == 0 { return storedRecords }
        do throws(CodecFailure) {
            return try codec.decompress(storedRecords, limit: limit)
        } catch {
            throw error.decodeFailure
        }
    }

    /// The records, one after the other.
    package func records(
        limit: Int = Limits.decompressedBatchBytes
    ) throws(DecodeFailure) -> RecordCursor {
        let records = try recordBytes(limit: limit)
        try checkCount(against: records)
        return RecordCursor(header: header, records: records)
    }

    /// Checks the checksum and the structure of every record, and reports what it saw.
    ///
    /// `.consecutive` also demands what is true of every batch that a producer may send: as many
    /// records as offsets, at least one.
    package func validate(
        order: OffsetOrder = .consecutive, limit: Int = Limits.decompressedBatchBytes
    ) throws(DecodeFailure) -> RecordBatchFacts {
        try checkChecksum()
        return try validateRecords(order: order, limit: limit)
    }

    /// `validate` without the checksum, for a caller who has checked it.
    package func validateRecords(
        order: OffsetOrder = .consecutive, limit: Int = Limits.decompressedBatchBytes
    ) throws(DecodeFailure) -> RecordBatchFacts {
        guard header.lastOffsetDelta >= 0 || header.recordCount == 0 else {
            throw .invalid(
                what: "last offset delta", value: Int64(header.lastOffsetDelta), position: 23)
        }
        if order == .consecutive {
            guard header.recordCount > 0 else {
                throw .invalid(
                    what: "record count", value: Int64(header.recordCount), position: 57)
            }
            guard header.lastOffsetDelta == header.recordCount - 1 else {
                throw .invalid(
                    what: "last offset delta", value: Int64(header.lastOffsetDelta), position: 23)
            }
        }
        let records = try recordBytes(limit: limit)
        try checkCount(against: records)
        var facts = RecordBatchFacts()
        facts.recordBytes = records.count
        var cursor = RecordCursor(header: header, records: records)
        var last: Int32 = -1
        for _ in 0..<header.recordCount {
            let delta = try cursor.check(into: &facts)
            let fits = order == .consecutive ? delta == last + 1 : delta > last
            guard fits, delta <= header.lastOffsetDelta else {
                throw .invalid(what: "offset delta", value: Int64(delta), position: 61)
            }
            last = delta
        }
        guard cursor.isAtEnd else {
            throw .malformed("bytes behind the last record", position: 61)
        }
        return facts
    }

    /// Seven bytes are the least that a record takes.
    private func checkCount(against records: Bytes) throws(DecodeFailure) {
        let count = Int(header.recordCount)
        guard count >= 0 else {
            throw .invalid(what: "record count", value: Int64(count), position: 57)
        }
        if count > Limits.recordsPerBatch {
            throw .tooLarge(
                what: "record count", value: Int64(count), limit: Int64(Limits.recordsPerBatch))
        }
        if count &* 7 > records.count {
            throw .truncated(needed: count &* 7, available: records.count, position: 61)
        }
    }
}

extension RecordBatchView {
    /// The batch as the leader stores it, in two pieces: a new header and the records, which share
    /// the memory of this batch.
    ///
    /// Offset and epoch stand outside of the checksum. With `appendTime` the batch says that its
    /// records carry that time, and with `maxTimestamp` the header's claim is replaced: these are
    /// inside, so the checksum is computed anew.
    package func stamped(
        baseOffset: Offset, leaderEpoch: LeaderEpoch, appendTime: Timestamp? = nil,
        maxTimestamp: Timestamp? = nil
    ) -> [Bytes] {
        [
            stampedHeader(
                baseOffset: baseOffset, leaderEpoch: leaderEpoch, appendTime: appendTime,
                maxTimestamp: maxTimestamp
            ).bytes,
            storedRecords,
        ]
    }

    /// The same in one piece of memory of its own.
    package func stampedCopy(
        baseOffset: Offset, leaderEpoch: LeaderEpoch, appendTime: Timestamp? = nil,
        maxTimestamp: Timestamp? = nil
    ) -> RecordBatchView {
        let header = stampedHeader(
            baseOffset: baseOffset, leaderEpoch: leaderEpoch, appendTime: appendTime,
            maxTimestamp: maxTimestamp)
        return RecordBatchView(
            header: header, bytes: Bytes.joined([header.bytes, storedRecords]))
    }

    /// The header of the stamped batch.
    package func stampedHeader(
        baseOffset: Offset, leaderEpoch: LeaderEpoch, appendTime: Timestamp? = nil,
        maxTimestamp: Timestamp? = nil
    ) -> RecordBatchHeader {
        var header = header
        header.baseOffset = baseOffset
        header.partitionLeaderEpoch = leaderEpoch
        if let appendTime {
            header.attributes |= RecordBatchHeader.Attribute.logAppendTime
            header.maxTimestamp = appendTime
        } else if let maxTimestamp {
            header.maxTimestamp = maxTimestamp
        }
        if header.attributes != self.header.attributes
            || header.maxTimestamp != self.header.maxTimestamp
        {
            header.crc = header.checksum(records: storedRecords)
        }
        return header
    }
}

extension RecordBatchHeader {
    /// The header as it is stored.
    package var bytes: Bytes {
        var writer = ByteWriter(capacity: Self.byteCount)
        write(to: &writer)
        return writer.finish()
    }

    /// What `crc` must be for this header and `records` as they are stored.
    package func checksum(records: Bytes) -> UInt32 {
        crc32c(records, seed: crc32c(bytes[Self.checksummedFrom..<Self.byteCount]))
    }
}

/// Steps over batches that lie one behind the other, as in a fetch answer or a segment.
package struct RecordBatchSequence: Sendable {
    private let bytes: Bytes
    /// Where the next batch begins.
    package private(set) var position = 0

    package init(_ bytes: Bytes) { self.bytes = bytes }

    /// The next batch; nil at the end, and also when only a part of a batch is left, which older
    /// brokers send and `hasPartialBatch` tells.
    package mutating func next() throws(DecodeFailure) -> RecordBatchView? {
        guard bytes.count - position >= RecordBatchHeader.prefixByteCount else { return nil }
        var reader = ByteReader(bytes)
        try reader.skip(position + 8)
        let length = try reader.int32()
        if length >= RecordBatchHeader.minimumBatchLength,
            bytes.count - position < Int(length) + RecordBatchHeader.prefixByteCount
        {
            return nil
        }
        let batch = try RecordBatchView(bytes, at: position)
        position += batch.bytes.count
        return batch
    }

    /// Whether bytes are left that `next` could not return.
    package var hasPartialBatch: Bool { position < bytes.count }
}
