// The header of a record batch v2, as the log needs it (all integers big-endian):
//
//   offset size field
//   0      8    base offset            set by the log
//   8      4    batch length           bytes that follow this field
//   12     4    partition leader epoch set by the log
//   16     1    magic                  2
//   17     4    CRC-32C                of everything from the attributes on
//   21     2    attributes             0–2 codec, 3 log append time, 4 transactional, 5 control,
//                                      6 the base timestamp is a delete horizon
//   23     4    last offset delta
//   27     8    base timestamp
//   35     8    max timestamp
//   43     8    producer id
//   51     2    producer epoch
//   53     4    base sequence
//   57     4    record count
//   61     …    records, all compressed together

import Base

/// The 61 bytes in front of the records, decoded without a check of the records themselves.
struct BatchHeader: Hashable, Sendable {
    static let byteCount = 61
    /// Where the bytes covered by the checksum begin.
    static let checksummedFrom = 21

    var baseOffset: Int64
    var batchLength: Int32
    var leaderEpoch: Int32
    var magic: Int8
    var checksum: UInt32
    var attributes: Int16
    var lastOffsetDelta: Int32
    var baseTimestamp: Int64
    var maxTimestamp: Int64
    var producerID: Int64
    var producerEpoch: Int16
    var baseSequence: Int32
    var recordCount: Int32

    /// nil when fewer than 61 bytes follow `position`, or when the length can't be that of a batch.
    init?(_ bytes: Bytes, at position: Int = 0) {
        guard position >= 0, bytes.count - position >= Self.byteCount else { return nil }
        let header: Self? = bytes.withUnsafeBytes { buffer in
            Self(UnsafeRawBufferPointer(rebasing: buffer[position..<(position + Self.byteCount)]))
        }
        guard let header else { return nil }
        self = header
    }

    private init?(_ buffer: UnsafeRawBufferPointer) {
        func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, _ at: Int) -> T {
            T(bigEndian: buffer.loadUnaligned(fromByteOffset: at, as: T.self))
        }
        baseOffset = load(Int64.self, 0)
        batchLength = load(Int32.self, 8)
        leaderEpoch = load(Int32.self, 12)
        magic = load(Int8.self, 16)
        checksum = load(UInt32.self, 17)
        attributes = load(Int16.self, 21)
        lastOffsetDelta = load(Int32.self, 23)
        baseTimestamp = load(Int64.self, 27)
        maxTimestamp = load(Int64.self, 35)
        producerID = load(Int64.self, 43)
        producerEpoch = load(Int16.self, 51)
        baseSequence = load(Int32.self, 53)
        recordCount = load(Int32.self, 57)
        if batchLength < Self.byteCount - 12 || magic != 2 { return nil }
        if lastOffsetDelta < 0 || baseOffset < 0 || recordCount < 0 { return nil }
        if baseOffset > Int64.max - 1 - Int64(lastOffsetDelta) { return nil }
    }

    /// Header and records together.
    var byteCount: Int { 12 + Int(batchLength) }
    var lastOffset: Int64 { baseOffset + Int64(lastOffsetDelta) }
    var nextOffset: Offset { Offset(lastOffset + 1) }
    var codec: Int { Int(attributes & 7) }
    var usesLogAppendTime: Bool { attributes & 8 != 0 }
    var isTransactional: Bool { attributes & 16 != 0 }
    var isControl: Bool { attributes & 32 != 0 }
    var hasDeleteHorizon: Bool { attributes & 64 != 0 }
    /// The last sequence number; they wrap from 2³¹ − 1 to 0.
    var lastSequence: Int32 {
        baseSequence < 0
            ? baseSequence : Int32((Int64(baseSequence) + Int64(lastOffsetDelta)) & 0x7FFF_FFFF)
    }

    /// The checksum of a whole batch (`byteCount` bytes from `position`).
    static func computedChecksum(_ bytes: Bytes, at position: Int, byteCount: Int) -> UInt32 {
        bytes.withUnsafeBytes { buffer in
            crc32c(
                UnsafeRawBufferPointer(
                    rebasing: buffer[(position + checksummedFrom)..<(position + byteCount)]))
        }
    }
}
