// Makes record batches. The records are encoded as they are appended, behind a gap for the header.

import Base
import Compression

/// Collects records and finishes them into one record batch.
package struct RecordBatchBuilder: ~Copyable {
    private var writer: ByteWriter
    private var baseTimestamp: Int64 = 0
    private var maxTimestamp: Int64 = -1
    /// How many records were appended.
    package private(set) var recordCount: Int32 = 0

    package init(capacity: Int = 1024) {
        writer = ByteWriter(capacity: capacity)
        writer.zeros(RecordBatchHeader.byteCount)
    }

    /// Bytes of the batch as it would be without compression.
    package var byteCount: Int { writer.count }
    package var isEmpty: Bool { recordCount == 0 }

    /// An upper bound of what one record adds to a batch without compression.
    package static func upperBound(
        key: Bytes?, value: Bytes?, headers: [RecordHeader] = []
    ) -> Int {
        var bound = 36 + (key?.count ?? 0) + (value?.count ?? 0)
        for header in headers { bound += 10 + header.key.utf8.count + (header.value?.count ?? 0) }
        return bound
    }

    /// Appends one record. The first timestamp is what the others are stored relative to.
    package mutating func append(
        key: Bytes?, value: Bytes?, headers: [RecordHeader] = [], timestamp: Timestamp
    ) {
        append(
            key: key, value: value, headers: headers, timestamp: timestamp,
            offsetDelta: recordCount)
    }

    /// Appends one record at an offset of its own, which must be above the last: for the cleaner.
    package mutating func append(
        key: Bytes?, value: Bytes?, headers: [RecordHeader] = [], timestamp: Timestamp,
        offsetDelta: Int32
    ) {
        if recordCount == 0 { baseTimestamp = timestamp.milliseconds }
        let timestampDelta = timestamp.milliseconds &- baseTimestamp
        var size = 1 + varlongSize(timestampDelta) + varlongSize(Int64(offsetDelta))
        size += sizeWithLength(key?.count) + sizeWithLength(value?.count)
        size += varlongSize(Int64(headers.count))
        for header in headers {
            size += sizeWithLength(header.key.utf8.count) + sizeWithLength(header.value?.count)
        }
        writer.varint(Int32(size))
        writer.int8(0)
        writer.varlong(timestampDelta)
        writer.varint(offsetDelta)
        write(key)
        write(value)
        writer.varint(Int32(headers.count))
        for header in headers {
            writer.varint(Int32(header.key.utf8.count))
            writer.utf8(header.key)
            write(header.value)
        }
        maxTimestamp = max(maxTimestamp, timestamp.milliseconds)
        lastOffsetDelta = offsetDelta
        recordCount += 1
    }

    private var lastOffsetDelta: Int32 = -1

    private mutating func write(_ bytes: Bytes?) {
        guard let bytes else { return writer.varint(-1) }
        writer.varint(Int32(bytes.count))
        writer.bytes(bytes)
    }

    /// What the header of a batch says beside its records.
    package struct Properties: Sendable {
        package var baseOffset: Offset = 0
        package var leaderEpoch: LeaderEpoch = -1
        package var codec = Codec.none
        package var compressionLevel: Int?
        package var producerId: Int64 = -1
        package var producerEpoch: Int16 = -1
        package var baseSequence: Int32 = -1
        package var isTransactional = false
        package var isControl = false

        package init(codec: Codec = .none) { self.codec = codec }
    }

    /// The batch. Records that do not shrink are stored without compression.
    package consuming func finish(
        _ properties: Properties = Properties()
    ) throws(CodecFailure) -> Bytes {
        var attributes = Int16(properties.codec.rawValue)
        if properties.isTransactional { attributes |= RecordBatchHeader.Attribute.transactional }
        if properties.isControl { attributes |= RecordBatchHeader.Attribute.control }
        var header = RecordBatchHeader(
            baseOffset: properties.baseOffset, partitionLeaderEpoch: properties.leaderEpoch,
            attributes: attributes, lastOffsetDelta: lastOffsetDelta,
            baseTimestamp: Timestamp(milliseconds: baseTimestamp),
            maxTimestamp: Timestamp(milliseconds: maxTimestamp),
            producerId: properties.producerId, producerEpoch: properties.producerEpoch,
            baseSequence: properties.baseSequence, recordCount: recordCount)
        let plain = writer.finish()
        let records = plain[RecordBatchHeader.byteCount..<plain.count]
        if properties.codec != .none {
            let packed = try properties.codec.compress(records, level: properties.compressionLevel)
            if packed.count < records.count {
                header.batchLength = Self.batchLength(packed.count)
                header.crc = header.checksum(records: packed)
                return Bytes.joined([header.bytes, packed])
            }
            header.attributes &= ~RecordBatchHeader.Attribute.codecMask
        }
        header.batchLength = Self.batchLength(records.count)
        header.crc = header.checksum(records: records)
        // The gap at the begin was kept for these bytes and nobody else has seen them yet.
        header.bytes.withUnsafeBytes {
            if let from = $0.baseAddress {
                plain.storage.base.copyMemory(from: from, byteCount: RecordBatchHeader.byteCount)
            }
        }
        return plain
    }

    private static func batchLength(_ recordBytes: Int) -> Int32 {
        Int32(RecordBatchHeader.byteCount - RecordBatchHeader.prefixByteCount + recordBytes)
    }
}

/// Bytes of a zigzag varint.
func varlongSize(_ value: Int64) -> Int {
    let raw = UInt64(bitPattern: (value << 1) ^ (value >> 63))
    return max(1, (64 - raw.leadingZeroBitCount + 6) / 7)
}

private func sizeWithLength(_ count: Int?) -> Int {
    guard let count else { return 1 }
    return varlongSize(Int64(count)) + count
}
