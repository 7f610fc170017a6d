// The head of a record batch, format version 2, on the wire and on disk.
//
// offset  size  field                 meaning
//      0     8  baseOffset            offset of the first record; set by the leader
//      8     4  batchLength           bytes behind this field
//     12     4  partitionLeaderEpoch  set by the leader
//     16     1  magic                 2
//     17     4  crc                   CRC-32C of everything from attributes to the end
//     21     2  attributes            bits 0–2 codec, 3 log append time, 4 transactional,
//                                     5 control, 6 baseTimestamp is a delete horizon
//     23     4  lastOffsetDelta       last offset - baseOffset; kept by the cleaner
//     27     8  baseTimestamp         what the records' timestamps are relative to
//     35     8  maxTimestamp          largest timestamp, or the append time
//     43     8  producerId            -1 when the producer is not idempotent
//     51     2  producerEpoch
//     53     4  baseSequence
//     57     4  recordCount           0 is legal: the cleaner may have emptied the batch
//     61        records, all compressed together; see `RecordCursor`

import Base
import Compression

/// The 61 bytes at the begin of a record batch.
package struct RecordBatchHeader: Hashable, Sendable {
    package static let byteCount = 61
    /// `batchLength` of a batch without records.
    package static let minimumBatchLength: Int32 = 49
    /// Bytes before those that `batchLength` counts.
    package static let prefixByteCount = 12
    /// Where the bytes begin that the checksum covers.
    package static let checksummedFrom = 21

    package var baseOffset: Offset
    package var batchLength: Int32
    package var partitionLeaderEpoch: LeaderEpoch
    package var magic: Int8
    package var crc: UInt32
    package var attributes: Int16
    package var lastOffsetDelta: Int32
    package var baseTimestamp: Timestamp
    package var maxTimestamp: Timestamp
    package var producerId: Int64
    package var producerEpoch: Int16
    package var baseSequence: Int32
    package var recordCount: Int32

    /// Bits of `attributes`.
    package enum Attribute {
        package static let codecMask: Int16 = 0x07
        package static let logAppendTime: Int16 = 0x08
        package static let transactional: Int16 = 0x10
        package static let control: Int16 = 0x20
        package static let deleteHorizon: Int16 = 0x40
    }

    package init(
        baseOffset: Offset = 0, batchLength: Int32 = 49, partitionLeaderEpoch: LeaderEpoch = -1,
        magic: Int8 = 2, crc: UInt32 = 0, attributes: Int16 = 0, lastOffsetDelta: Int32 = -1,
        baseTimestamp: Timestamp = .none, maxTimestamp: Timestamp = .none,
        producerId: Int64 = -1, producerEpoch: Int16 = -1, baseSequence: Int32 = -1,
        recordCount: Int32 = 0
    ) {
        self.baseOffset = baseOffset
        self.batchLength = batchLength
        self.partitionLeaderEpoch = partitionLeaderEpoch
        self.magic = magic
        self.crc = crc
        self.attributes = attributes
        self.lastOffsetDelta = lastOffsetDelta
        self.baseTimestamp = baseTimestamp
        self.maxTimestamp = maxTimestamp
        self.producerId = producerId
        self.producerEpoch = producerEpoch
        self.baseSequence = baseSequence
        self.recordCount = recordCount
    }

    /// Reads the header at `position` of `bytes`. Checks nothing but that the bytes are there, the
    /// version is 2 and the length is possible.
    package init(_ bytes: Bytes, at position: Int = 0) throws(DecodeFailure) {
        var reader = ByteReader(bytes)
        try reader.skip(position)
        try reader.require(17)
        baseOffset = Offset(try reader.int64())
        batchLength = try reader.int32()
        partitionLeaderEpoch = LeaderEpoch(try reader.int32())
        magic = try reader.int8()
        guard magic == 2 else {
            throw .invalid(
                what: "record batch version", value: Int64(magic), position: position + 16)
        }
        guard batchLength >= Self.minimumBatchLength else {
            throw .invalid(
                what: "record batch length", value: Int64(batchLength), position: position + 8)
        }
        crc = try reader.uint32()
        attributes = try reader.int16()
        lastOffsetDelta = try reader.int32()
        baseTimestamp = Timestamp(milliseconds: try reader.int64())
        maxTimestamp = Timestamp(milliseconds: try reader.int64())
        producerId = try reader.int64()
        producerEpoch = try reader.int16()
        baseSequence = try reader.int32()
        recordCount = try reader.int32()
    }

    package func write(to writer: inout ByteWriter) {
        writer.int64(baseOffset.value)
        writer.int32(batchLength)
        writer.int32(partitionLeaderEpoch.value)
        writer.int8(magic)
        writer.uint32(crc)
        writer.int16(attributes)
        writer.int32(lastOffsetDelta)
        writer.int64(baseTimestamp.milliseconds)
        writer.int64(maxTimestamp.milliseconds)
        writer.int64(producerId)
        writer.int16(producerEpoch)
        writer.int32(baseSequence)
        writer.int32(recordCount)
    }

    /// Bytes of the whole batch.
    package var totalByteCount: Int { Int(batchLength) + Self.prefixByteCount }
    /// Offset of the last record, also when the cleaner removed it. Wraps on hostile input, where
    /// `validate` refuses the batch.
    package var lastOffset: Offset { Offset(baseOffset.value &+ Int64(lastOffsetDelta)) }
    /// The offset that follows this batch.
    package var nextOffset: Offset { Offset(lastOffset.value &+ 1) }

    /// The compression, or nil when the number has no meaning.
    package var codec: Codec? {
        Codec(rawValue: UInt8(truncatingIfNeeded: attributes & Attribute.codecMask))
    }
    package var usesLogAppendTime: Bool { attributes & Attribute.logAppendTime != 0 }
    package var isTransactional: Bool { attributes & Attribute.transactional != 0 }
    package var isControl: Bool { attributes & Attribute.control != 0 }
    package var hasDeleteHorizon: Bool { attributes & Attribute.deleteHorizon != 0 }
    package var isIdempotent: Bool { producerId >= 0 }
    /// Sequence of the last record. Sequences wrap from 2³¹−1 to 0.
    package var lastSequence: Int32 {
        if baseSequence < 0 { return -1 }
        let sum = Int64(baseSequence) + Int64(lastOffsetDelta)
        return Int32(truncatingIfNeeded: sum & 0x7FFF_FFFF)
    }
}
