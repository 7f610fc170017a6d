// A message of the quorum on the wire. Integers are big-endian.
//
//   offset size field
//   0      1    version, 1 today
//   1      1    type: 1 vote request, 2 vote answer, 3 append, 4 append answer, 5 chunk,
//               6 chunk answer, 7 campaign
//   2      16   cluster
//   18     4    sender
//   22     16   directory of the sender
//   38     8    life of the sender
//   46     4    receiver
//   50     8    term
//   58     …    by type:
//     1  position, flags (uint8: bit 0 only a question, bit 1 the leader wants it)
//     2  flags (uint8: bit 0 yes, bit 1 to a question)
//     3  previous position, its chain (uint32), commit (int64), round (uint64), count (uint32),
//        entries
//     4  round (uint64), outcome (uint8: 0 accepted, 1 rejected), index (int64), hint (position;
//        when rejected)
//     5  round (uint64), snapshot, position (int64), length (uint32), content, CRC-32C of the
//        content
//     6  round (uint64), snapshot position, next (int64), flags (uint8: bit 0 installed)
//
// position: term (int64), index (int64)
// entry: index (int64), term (int64), kind (uint8), content bytes (uint32), CRC-32C of the content,
//        flags (uint8: bit 0 the content is left out), content
// snapshot: position, chain (uint32), content bytes (int64), CRC-32C of the content, configuration
// configuration: count (uint16), members: id (int32), directory (16 bytes), flags (uint8: bit 0
//        voter, bit 1 witness)

import Base

extension QuorumMessage {
    static let version: UInt8 = 1
    /// Bounds for what a peer may make us allocate.
    package static let entryCountMax = 4096
    package static let entryBytesMax = 16 << 20
    package static let chunkBytesMax = 4 << 20

    private var typeNumber: UInt8 {
        switch body {
        case .voteRequest: 1
        case .voteAnswer: 2
        case .append: 3
        case .appendAnswer: 4
        case .chunk: 5
        case .chunkAnswer: 6
        case .campaign: 7
        }
    }

    package func encoded() -> Bytes {
        var writer = ByteWriter(capacity: 256)
        writer.uint8(Self.version)
        writer.uint8(typeNumber)
        writer.uuid(cluster)
        writer.int32(from.value)
        writer.uuid(directory)
        writer.int64(Int64(bitPattern: life))
        writer.int32(to.value)
        writer.int64(term.value)
        switch body {
        case .voteRequest(let request):
            writer.position(request.position)
            writer.uint8((request.isPreVote ? 1 : 0) | (request.isTransfer ? 2 : 0))
        case .voteAnswer(let answer):
            writer.uint8((answer.isGranted ? 1 : 0) | (answer.isPreVote ? 2 : 0))
        case .append(let request):
            writer.position(request.previous)
            writer.uint32(request.previousChain)
            writer.int64(request.commit.value)
            writer.int64(Int64(bitPattern: request.round))
            writer.uint32(UInt32(request.entries.count))
            for entry in request.entries { writer.entry(entry) }
        case .appendAnswer(let answer):
            writer.int64(Int64(bitPattern: answer.round))
            switch answer.outcome {
            case .accepted(let index):
                writer.uint8(0)
                writer.int64(index.value)
            case .rejected(let previous, let hint):
                writer.uint8(1)
                writer.int64(previous.value)
                writer.position(hint)
            }
        case .chunk(let chunk):
            writer.int64(Int64(bitPattern: chunk.round))
            writer.snapshot(chunk.snapshot)
            writer.int64(chunk.position)
            writer.uint32(UInt32(chunk.content.count))
            writer.bytes(chunk.content)
            writer.uint32(crc32c(chunk.content))
        case .chunkAnswer(let answer):
            writer.int64(Int64(bitPattern: answer.round))
            writer.position(answer.snapshot)
            writer.int64(answer.next)
            writer.uint8(answer.isInstalled ? 1 : 0)
        case .campaign: break
        }
        return writer.finish()
    }

    /// A message from the wire, every number in its range. Contents are shared with `bytes`.
    package init(_ bytes: Bytes) throws(DecodeFailure) {
        var reader = ByteReader(bytes)
        let version = try reader.uint8()
        guard version == Self.version else {
            throw .unsupported("quorum message of version \(version)")
        }
        let type = try reader.uint8()
        cluster = try reader.uuid()
        from = NodeID(try reader.int32())
        directory = try reader.uuid()
        life = UInt64(bitPattern: try reader.int64())
        to = NodeID(try reader.int32())
        term = Term(try reader.natural("term"))
        switch type {
        case 1:
            let position = try reader.position()
            let flags = try reader.flags(most: 3)
            body = .voteRequest(
                VoteRequest(
                    position: position, isPreVote: flags & 1 != 0, isTransfer: flags & 2 != 0))
        case 2:
            let flags = try reader.flags(most: 3)
            body = .voteAnswer(VoteAnswer(isGranted: flags & 1 != 0, isPreVote: flags & 2 != 0))
        case 3: body = .append(try Self.append(&reader))
        case 4:
            let round = UInt64(bitPattern: try reader.int64())
            let outcome = try reader.flags(most: 1)
            let index = LogIndex(try reader.natural("index"))
            body = .appendAnswer(
                AppendAnswer(
                    outcome: outcome == 0
                        ? .accepted(index)
                        : .rejected(previous: index, hint: try reader.position()), round: round))
        case 5: body = .chunk(try Self.chunk(&reader))
        case 6:
            let round = UInt64(bitPattern: try reader.int64())
            let position = try reader.position()
            let next = try reader.natural("position in a snapshot")
            let flags = try reader.flags(most: 1)
            body = .chunkAnswer(
                ChunkAnswer(snapshot: position, next: next, isInstalled: flags == 1, round: round))
        case 7: body = .campaign
        default: throw .invalid(what: "type of a quorum message", value: Int64(type), position: 1)
        }
        guard reader.isAtEnd else {
            throw .malformed("bytes behind the message", position: reader.position)
        }
        if case .append(let request) = body,
            request.entries.last?.term ?? request.previous.term > term
        {
            throw .malformed("an entry of a term that has not begun", position: reader.position)
        }
    }

    private static func append(_ reader: inout ByteReader) throws(DecodeFailure) -> AppendRequest {
        let previous = try reader.position()
        let chain = try reader.uint32()
        let commit = LogIndex(try reader.natural("commit"))
        let round = UInt64(bitPattern: try reader.int64())
        let count = try reader.checkedCount(
            Int(try reader.uint32()), minimumBytes: 26, what: "entries")
        guard count <= entryCountMax else {
            throw .tooLarge(
                what: "number of entries", value: Int64(count), limit: Int64(entryCountMax))
        }
        var entries: [RaftEntry] = []
        entries.reserveCapacity(count)
        var last = previous
        for _ in 0..<count {
            let at = reader.position
            let entry = try reader.entry()
            guard entry.index == last.index.next, entry.term >= last.term else {
                throw .malformed("entry \(entry.position) behind \(last)", position: at)
            }
            last = entry.position
            entries.append(entry)
        }
        return AppendRequest(
            previous: previous, previousChain: chain, entries: entries, commit: commit,
            round: round)
    }

    private static func chunk(_ reader: inout ByteReader) throws(DecodeFailure) -> SnapshotChunk {
        let round = UInt64(bitPattern: try reader.int64())
        let snapshot = try reader.snapshot()
        let position = try reader.natural("position in a snapshot")
        let count = Int(try reader.uint32())
        guard count <= chunkBytesMax else {
            throw .tooLarge(
                what: "chunk of a snapshot", value: Int64(count), limit: Int64(chunkBytesMax))
        }
        let content = try reader.slice(count)
        let checksum = try reader.uint32()
        let found = crc32c(content)
        guard checksum == found else {
            throw .checksum(what: "chunk of a snapshot", expected: checksum, found: found)
        }
        guard position <= snapshot.contentCount,
            Int64(count) <= snapshot.contentCount - position
        else {
            throw .invalid(
                what: "position in a snapshot", value: position, position: reader.position)
        }
        return SnapshotChunk(
            snapshot: snapshot, position: position, content: content, round: round)
    }
}

extension RaftConfiguration {
    /// As in messages, entries and files.
    package func encoded() -> Bytes {
        var writer = ByteWriter(capacity: 2 + members.count * 21)
        writer.configuration(self)
        return writer.finish()
    }

    package init(_ bytes: Bytes) throws(DecodeFailure) {
        var reader = ByteReader(bytes)
        self = try reader.configuration()
        guard reader.isAtEnd else {
            throw .malformed("bytes behind the configuration", position: reader.position)
        }
    }
}

extension ByteWriter {
    mutating func uuid(_ value: UUID128) {
        int64(Int64(bitPattern: value.high))
        int64(Int64(bitPattern: value.low))
    }

    mutating func position(_ value: LogPosition) {
        int64(value.term.value)
        int64(value.index.value)
    }

    mutating func entry(_ entry: RaftEntry) {
        int64(entry.index.value)
        int64(entry.term.value)
        uint8(entry.kind.rawValue)
        uint32(UInt32(entry.payloadCount))
        uint32(entry.payloadChecksum)
        uint8(entry.isStripped ? 1 : 0)
        bytes(entry.payload)
    }

    mutating func configuration(_ value: RaftConfiguration) {
        uint16(UInt16(value.members.count))
        for member in value.members {
            int32(member.id.value)
            uuid(member.directory)
            uint8((member.isVoter ? 1 : 0) | (member.isWitness ? 2 : 0))
        }
    }

    mutating func snapshot(_ value: RaftSnapshot) {
        position(value.position)
        uint32(value.chain)
        int64(value.contentCount)
        uint32(value.contentChecksum)
        configuration(value.configuration)
    }
}

extension ByteReader {
    mutating func uuid() throws(DecodeFailure) -> UUID128 {
        let high = try int64()
        return UUID128(high: UInt64(bitPattern: high), low: UInt64(bitPattern: try int64()))
    }

    /// A number that is not negative and leaves room to count on.
    mutating func natural(_ what: String) throws(DecodeFailure) -> Int64 {
        let at = position
        let value = try int64()
        guard value >= 0, value < Int64.max / 4 else {
            throw .invalid(what: what, value: value, position: at)
        }
        return value
    }

    /// Bits that are not above `most` as a number.
    package mutating func flags(most: UInt8) throws(DecodeFailure) -> UInt8 {
        let at = position
        let value = try uint8()
        guard value <= most else {
            throw .invalid(what: "flags", value: Int64(value), position: at)
        }
        return value
    }

    mutating func position() throws(DecodeFailure) -> LogPosition {
        let term = try natural("term")
        return LogPosition(term: Term(term), index: LogIndex(try natural("index")))
    }

    mutating func entry() throws(DecodeFailure) -> RaftEntry {
        let index = try natural("index")
        let term = try natural("term")
        let at = position
        let number = try uint8()
        guard let kind = RaftEntry.Kind(rawValue: number) else {
            throw .invalid(what: "kind of an entry", value: Int64(number), position: at)
        }
        let count = Int(try uint32())
        guard count <= QuorumMessage.entryBytesMax else {
            throw .tooLarge(
                what: "entry", value: Int64(count), limit: Int64(QuorumMessage.entryBytesMax))
        }
        let checksum = try uint32()
        let isStripped = try flags(most: 1) == 1
        let entry = RaftEntry(
            index: LogIndex(index), term: Term(term), kind: kind,
            payload: isStripped ? .empty : try slice(count).compacted(), payloadCount: count,
            payloadChecksum: checksum)
        guard !isStripped || (kind == .command && count > 0) else {
            throw .malformed("content left out", position: at)
        }
        guard entry.isIntact else {
            throw .checksum(
                what: "entry \(index)", expected: checksum, found: crc32c(entry.payload))
        }
        return entry
    }

    mutating func configuration() throws(DecodeFailure) -> RaftConfiguration {
        let at = position
        let count = try checkedCount(Int(try uint16()), minimumBytes: 21, what: "members")
        guard count <= RaftConfiguration.memberCountMax else {
            throw .tooLarge(
                what: "number of members", value: Int64(count),
                limit: Int64(RaftConfiguration.memberCountMax))
        }
        var members: [RaftMember] = []
        for _ in 0..<count {
            let id = NodeID(try int32())
            let directory = try uuid()
            let flags = try flags(most: 3)
            if let last = members.last, last.id >= id {
                throw .malformed("members are not in order", position: at)
            }
            members.append(
                RaftMember(
                    id: id, directory: directory, isVoter: flags & 1 != 0,
                    isWitness: flags & 2 != 0))
        }
        return RaftConfiguration(members)
    }

    mutating func snapshot() throws(DecodeFailure) -> RaftSnapshot {
        let at = try position()
        let chain = try uint32()
        let count = try natural("bytes of a snapshot")
        let checksum = try uint32()
        return RaftSnapshot(
            position: at, chain: chain, configuration: try configuration(), contentCount: count,
            contentChecksum: checksum)
    }
}
