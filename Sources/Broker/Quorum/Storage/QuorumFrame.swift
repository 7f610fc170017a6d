// A frame of the quorum's log on disk. Frames begin at multiples of 8; integers are big-endian.
//
//   offset size field
//   0      4    magic "WQF1"
//   4      4    CRC-32C of bytes 8 ..< 96
//   8      4    payload length
//   12     1    kind: 1 file begins, 2 entry, 3 truncate, 4 reset, 5 state, 6 note
//   13     1    kind of the entry
//   14     2    zero
//   16     8    identity of the store: frames of another one are not ours
//   24     8    sequence number of the frame, from 1; never used twice
//   32     4    CRC of the header of the frame before (0 = the first frame of a file)
//   36     4    CRC-32C of the content: of an entry whose content was left out, of what was left out
//   40     8    every frame up to this sequence number was durable when this one was written
//   48     8    term: of the entry; otherwise of the last entry of the log
//   56     8    index: of the entry; otherwise of the last entry; of a truncation, what is kept
//   64     8    commit index
//   72     4    chain of the log at `index` (entry, truncate, file begins, reset)
//   76     4    bytes of the entry's content, also if it was left out
//   80     16   zero
//   96     …    payload: the content; a state (file begins, state); a snapshot (reset)
//
// state: version (uint64), life (uint64), durable sequence (uint64), log position (term, index),
//        term (int64), flags (uint8: bit 0 a vote, bit 1 a lost position), vote (int32),
//        commit (int64), lost position
//
// The header has its own checksum and says where the log was: a frame whose content is lost still
// tells how far the log reached. The chain of headers and the durable sequence in each of them
// tell a torn tail, which nobody was promised, from damage to what was.

import Base

struct QuorumFrame: Sendable {
    static let byteCount = 96
    static let magic: UInt32 = 0x5751_4631

    enum Kind: UInt8, Sendable {
        case fileBegins = 1
        case entry = 2
        case truncate = 3
        case reset = 4
        case state = 5
        case note = 6
    }

    var kind: Kind
    var entryKind: RaftEntry.Kind = .begin
    var identity: UInt64
    var sequence: UInt64
    var previousChecksum: UInt32
    var contentChecksum: UInt32 = 0
    var durableSequence: UInt64
    var position: LogPosition
    var commit: LogIndex
    var chain: UInt32 = 0
    var contentCount = 0
    var payload: Bytes = .empty
    /// CRC of the header, as written or read.
    var checksum: UInt32 = 0
    /// Set by reading: the payload is what the checksum says.
    var isIntact = true

    init(
        kind: Kind, identity: UInt64, sequence: UInt64, previousChecksum: UInt32,
        durableSequence: UInt64, position: LogPosition, commit: LogIndex
    ) {
        self.kind = kind
        self.identity = identity
        self.sequence = sequence
        self.previousChecksum = previousChecksum
        self.durableSequence = durableSequence
        self.position = position
        self.commit = commit
    }

    var paddedByteCount: Int { (Self.byteCount + payload.count + 7) & ~7 }

    /// The frame as bytes; its `checksum` is set.
    mutating func encoded() -> Bytes {
        var writer = ByteWriter(capacity: paddedByteCount)
        writer.uint32(Self.magic)
        writer.uint32(0)
        writer.uint32(UInt32(payload.count))
        writer.uint8(kind.rawValue)
        writer.uint8(entryKind.rawValue)
        writer.uint16(0)
        writer.int64(Int64(bitPattern: identity))
        writer.int64(Int64(bitPattern: sequence))
        writer.uint32(previousChecksum)
        writer.uint32(contentChecksum)
        writer.int64(Int64(bitPattern: durableSequence))
        writer.position(position)
        writer.int64(commit.value)
        writer.uint32(chain)
        writer.uint32(UInt32(contentCount))
        writer.zeros(16)
        checksum = writer.crc32c(from: 8)
        writer.patchUInt32(checksum, at: 4)
        writer.bytes(payload)
        writer.zeros(paddedByteCount - writer.count)
        return writer.finish()
    }

    /// The frame at `place`, if a header of this store is there.
    init?(_ bytes: Bytes, at place: Int, identity: UInt64) {
        guard bytes.count - place >= Self.byteCount else { return nil }
        var reader = ByteReader(bytes[place..<(place + Self.byteCount)])
        do {
            guard try reader.uint32() == Self.magic else { return nil }
            checksum = try reader.uint32()
            guard crc32c(bytes[(place + 8)..<(place + Self.byteCount)]) == checksum else {
                return nil
            }
            let length = Int(try reader.uint32())
            guard let kind = Kind(rawValue: try reader.uint8()),
                let entryKind = RaftEntry.Kind(rawValue: try reader.uint8())
            else { return nil }
            self.kind = kind
            self.entryKind = entryKind
            try reader.skip(2)
            self.identity = UInt64(bitPattern: try reader.int64())
            guard self.identity == identity else { return nil }
            sequence = UInt64(bitPattern: try reader.int64())
            previousChecksum = try reader.uint32()
            contentChecksum = try reader.uint32()
            durableSequence = UInt64(bitPattern: try reader.int64())
            position = try reader.position()
            commit = LogIndex(try reader.natural("commit"))
            chain = try reader.uint32()
            contentCount = Int(try reader.uint32())
            let start = place + Self.byteCount
            guard length <= bytes.count - start else {
                isIntact = false
                return
            }
            payload = bytes[start..<(start + length)]
            let isStripped = kind == .entry && length == 0 && contentCount > 0
            isIntact = isStripped || crc32c(payload) == contentChecksum
        } catch {
            return nil
        }
    }

    /// The entry in the frame.
    var entry: RaftEntry {
        RaftEntry(
            index: position.index, term: position.term, kind: entryKind,
            payload: payload.compacted(), payloadCount: contentCount,
            payloadChecksum: contentChecksum)
    }
}

/// The hard state as it is stored, twice: in the log and in the file `state`.
struct StoredState: Hashable, Sendable {
    /// Rises with each change; the highest one counts.
    var version: UInt64 = 0
    /// Starts of this node.
    var life: UInt64 = 0
    var durableSequence: UInt64 = 0
    /// How far the log reached.
    var position = LogPosition.start
    var hard = HardState()

    func encoded() -> Bytes {
        var writer = ByteWriter(capacity: 96)
        writer.int64(Int64(bitPattern: version))
        writer.int64(Int64(bitPattern: life))
        writer.int64(Int64(bitPattern: durableSequence))
        writer.position(position)
        writer.int64(hard.term.value)
        writer.uint8((hard.vote == nil ? 0 : 1) | (hard.lost == nil ? 0 : 2))
        writer.int32(hard.vote?.value ?? 0)
        writer.int64(hard.commit.value)
        writer.position(hard.lost ?? .start)
        return writer.finish()
    }

    init() {}

    init(_ bytes: Bytes) throws(DecodeFailure) {
        var reader = ByteReader(bytes)
        version = UInt64(bitPattern: try reader.int64())
        life = UInt64(bitPattern: try reader.int64())
        durableSequence = UInt64(bitPattern: try reader.int64())
        position = try reader.position()
        hard.term = Term(try reader.natural("term"))
        let flags = try reader.flags(most: 3)
        let vote = NodeID(try reader.int32())
        hard.vote = flags & 1 != 0 ? vote : nil
        hard.commit = LogIndex(try reader.natural("commit"))
        let lost = try reader.position()
        hard.lost = flags & 2 != 0 ? lost : nil
    }
}
