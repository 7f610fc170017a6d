// A frame of the commit journal. Frames begin at multiples of 8; integers are big-endian.
//
//   offset size field
//   0      4    magic "WJF1"
//   4      4    CRC-32C of bytes 8 ..< 80
//   8      4    payload length
//   12     4    CRC-32C of the payload; of a batch only of its first 21 bytes, which its own
//               checksum (among them) does not cover
//   16     8    identity of the store: frames of another one are not ours
//   24     8    generation: rises each time a file of the ring is begun anew
//   32     8    sequence number of the frame, from 1, without gaps
//   40     8    base offset of the batch
//   48     8    last offset of the batch
//   56     8    durable end of the partition when the frame was written
//   64     4    number of the partition in this store
//   68     4    leader epoch
//   72     1    kind: 1 a record batch, 2 a note about durable ends, 3 a reference to a batch that
//               stands only in its segment, 4 a leader epoch that begins at the base offset
//   73     1    flags: bit 0 the batch begins a new segment
//   74     2    zero
//   76     4    offsets between the batch and the one before: in a copy of a log that was cleaned
//   80     …    payload: the batch, or (8 durable sequence, 4 count, count × (4 number, 8 end)), or
//               nothing
//
// The header has a checksum of its own, so that a frame whose payload was lost still tells which
// offsets of which partition were in it. A note repeats, for every partition that moved, how far
// the previous sync made it durable: with it recovery can tell a torn tail, which was never
// acknowledged, from damage to what was.

import Base

struct JournalFrameHeader: Hashable, Sendable {
    static let byteCount = 80
    static let magic: UInt32 = 0x574A_4631

    enum Kind: UInt8, Sendable {
        case batch = 1
        case durableNote = 2
        case reference = 3
        case leaderEpoch = 4
    }

    var payloadLength: Int
    var payloadChecksum: UInt32
    var identity: UInt64
    var generation: UInt64
    var sequence: UInt64
    var baseOffset: Int64
    var lastOffset: Int64
    var partitionDurableEnd: Int64
    var partitionNumber: UInt32
    var leaderEpoch: Int32
    var kind: Kind
    var startsSegment: Bool
    /// Offsets that no batch has between the one before and this one.
    var gap: UInt32 = 0

    init(
        payloadLength: Int, payloadChecksum: UInt32, identity: UInt64, generation: UInt64,
        sequence: UInt64, baseOffset: Int64, lastOffset: Int64, partitionDurableEnd: Int64,
        partitionNumber: UInt32, leaderEpoch: Int32, kind: Kind, startsSegment: Bool,
        gap: UInt32 = 0
    ) {
        self.payloadLength = payloadLength
        self.payloadChecksum = payloadChecksum
        self.identity = identity
        self.generation = generation
        self.sequence = sequence
        self.baseOffset = baseOffset
        self.lastOffset = lastOffset
        self.partitionDurableEnd = partitionDurableEnd
        self.partitionNumber = partitionNumber
        self.leaderEpoch = leaderEpoch
        self.kind = kind
        self.startsSegment = startsSegment
        self.gap = gap
    }

    /// The header at `position`, when a valid one of this store is there.
    init?(_ buffer: UnsafeRawBufferPointer, at position: Int, identity expected: UInt64) {
        guard buffer.count - position >= Self.byteCount else { return nil }
        func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, _ at: Int) -> T {
            T(bigEndian: buffer.loadUnaligned(fromByteOffset: position + at, as: T.self))
        }
        guard load(UInt32.self, 0) == Self.magic else { return nil }
        let covered = UnsafeRawBufferPointer(
            rebasing: buffer[(position + 8)..<(position + Self.byteCount)])
        guard crc32c(covered) == load(UInt32.self, 4), load(UInt64.self, 16) == expected,
            let kind = Kind(rawValue: load(UInt8.self, 72))
        else { return nil }
        self.init(
            payloadLength: Int(load(UInt32.self, 8)), payloadChecksum: load(UInt32.self, 12),
            identity: expected, generation: load(UInt64.self, 24),
            sequence: load(UInt64.self, 32), baseOffset: load(Int64.self, 40),
            lastOffset: load(Int64.self, 48), partitionDurableEnd: load(Int64.self, 56),
            partitionNumber: load(UInt32.self, 64), leaderEpoch: load(Int32.self, 68), kind: kind,
            startsSegment: load(UInt8.self, 73) & 1 != 0, gap: load(UInt32.self, 76))
    }

    /// Fills the first 80 bytes of `target`.
    func write(into target: UnsafeMutableRawBufferPointer) {
        func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, _ at: Int) {
            target.storeBytes(of: value.bigEndian, toByteOffset: at, as: T.self)
        }
        store(Self.magic, 0)
        store(UInt32(payloadLength), 8)
        store(payloadChecksum, 12)
        store(identity, 16)
        store(generation, 24)
        store(sequence, 32)
        store(baseOffset, 40)
        store(lastOffset, 48)
        store(partitionDurableEnd, 56)
        store(partitionNumber, 64)
        store(leaderEpoch, 68)
        store(kind.rawValue, 72)
        store(UInt8(startsSegment ? 1 : 0), 73)
        store(UInt16(0), 74)
        store(gap, 76)
        let covered = UnsafeRawBufferPointer(rebasing: target[8..<Self.byteCount])
        store(crc32c(covered), 4)
    }

    /// The checksum of a payload as the header has it. A batch brings its own for everything
    /// behind its first 21 bytes, which was checked a moment ago: it is not computed twice.
    static func payloadChecksum(_ payload: UnsafeRawBufferPointer, kind: Kind) -> UInt32 {
        guard kind == .batch, payload.count >= BatchHeader.byteCount else {
            return crc32c(payload)
        }
        return crc32c(UnsafeRawBufferPointer(rebasing: payload[..<BatchHeader.checksummedFrom]))
    }

    /// Whether a payload is what was written, every byte of it.
    func isIntact(_ payload: UnsafeRawBufferPointer) -> Bool {
        guard payload.count == payloadLength,
            Self.payloadChecksum(payload, kind: kind) == payloadChecksum
        else { return false }
        guard kind == .batch, payload.count >= BatchHeader.byteCount else { return true }
        let covered = payload[BatchHeader.checksummedFrom...]
        let expected = payload.loadUnaligned(fromByteOffset: 17, as: UInt32.self).byteSwapped
        return crc32c(UnsafeRawBufferPointer(rebasing: covered)) == expected
    }

    /// Bytes of the frame in the file, padding included.
    var paddedByteCount: Int { Self.paddedByteCount(payload: payloadLength) }

    static func paddedByteCount(payload: Int) -> Int { (byteCount + payload + 7) & ~7 }
}

/// What a note says: everything below `durableSequence` is durable, and so are these ends.
struct DurableNote: Hashable, Sendable {
    var durableSequence: UInt64
    var ends: [(number: UInt32, end: Int64)]

    static func == (left: Self, right: Self) -> Bool {
        left.durableSequence == right.durableSequence
            && left.ends.elementsEqual(right.ends) { $0 == $1 }
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(durableSequence)
        for entry in ends {
            hasher.combine(entry.number)
            hasher.combine(entry.end)
        }
    }

    init(durableSequence: UInt64, ends: [(number: UInt32, end: Int64)]) {
        self.durableSequence = durableSequence
        self.ends = ends
    }

    init(_ payload: Bytes) throws(DecodeFailure) {
        var reader = ByteReader(payload)
        durableSequence = UInt64(bitPattern: try reader.int64())
        let count = try reader.checkedCount(
            Int(try reader.int32()), minimumBytes: 12, what: "durable ends")
        ends = []
        ends.reserveCapacity(count)
        for _ in 0..<count {
            ends.append((try reader.uint32(), try reader.int64()))
        }
    }

    func encoded() -> Bytes {
        var writer = ByteWriter(capacity: 12 + ends.count * 12)
        writer.int64(Int64(bitPattern: durableSequence))
        writer.int32(Int32(ends.count))
        for entry in ends {
            writer.uint32(entry.number)
            writer.int64(entry.end)
        }
        return writer.finish()
    }
}
