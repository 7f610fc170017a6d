// What nodes of a cluster say to each other on the stream that each pair of them shares. A frame
// has the length that the driver cuts by in front (int32) and then, integers big-endian:
//
//   offset size field
//   0      4    CRC-32C of the rest
//   4      1    channel: 1 the link itself, 2 the metadata quorum, 3 the controller and forwarded
//               requests, 4 replicas
//   5      1    kind within the channel
//   6      …    by kind:
//
//   1.1 hello, 1.2 welcome: protocol version (uint16), cluster (16 bytes, zero = none yet), node
//       (int32), directory (16 bytes), incarnation (16 bytes), number of nodes (uint16)
//   1.3 refused: text · 1.5 still here: nothing · 1.4 found: cluster (16 bytes), the configuration of the quorum
//   2.1 a message of the quorum
//   3.1 command: number (uint64), command · 3.2 outcome: number (uint64), outcome
//   3.3 heartbeat: broker epoch (int64), applied (int64), when it was sent by the sender's clock (int64,
//       nanoseconds), wants to leave (uint8)
//   3.4 heartbeat answer: broker epoch (int64), when the heartbeat was sent (int64), applied (int64), flags
//       (uint8: 1 the epoch is not that of the broker, 2 fenced, 4 may leave)
//   3.5 request of a client: number (uint64), user, host, listener (text), the request
//   3.6 answer for a client: number (uint64), the answer · 3.7 no answer: number (uint64), text
//   3.8 wish about a partition: number (uint64), `PartitionRequest`; answered by an outcome
//   3.9 question to a coordinator of transactions: number (uint64), producer id (int64), epoch (int16),
//       flags (uint8: 1 the partitions shall become part of the transaction, 2 each transaction has its own
//       epoch), transactional id (text), partitions
//   3.10 markers that end a transaction: number (uint64), producer id (int64), epoch (int16), epoch of the
//       coordinator (int32), flags (uint8: 1 commit, 2 each transaction has its own epoch), partitions
//   3.11 answer to 3.9 and 3.10: number (uint64), one error code (int16) for each partition
//   3.12 a command of the process itself: number (uint64), the command (`PeerCommands.swift`)
//   3.13 what came of it: number (uint64), applied (int64), the answer
//   4.1 a message of the replicas
//
// text: length (uint16), UTF-8. partitions: count (uint32), of each topic (text) and number (int32). The first frame of each side is a hello or its answer; until then a
// frame has at most `Limits.unauthenticatedBytes`.

import Base
import Coordinator
import Log
import Quorum
import Replica
import WireProtocol

/// Who speaks at the other end of a link.
package struct PeerHello: Hashable, Sendable {
    /// Raised when frames change so that older nodes would misread them.
    package static let protocolVersion: UInt16 = 3

    package var version = PeerHello.protocolVersion
    /// Zero: the node belongs to none yet.
    package var cluster: UUID128
    package var node: NodeID
    /// Which disk the node has.
    package var directory: UUID128
    /// Made anew with each start of the process.
    package var incarnation: UUID128
    /// Nodes in its `--cluster`.
    package var memberCount: UInt16

    package init(
        cluster: UUID128, node: NodeID, directory: UUID128, incarnation: UUID128,
        memberCount: UInt16
    ) {
        self.cluster = cluster
        self.node = node
        self.directory = directory
        self.incarnation = incarnation
        self.memberCount = memberCount
    }
}

/// A request of a client that another node is to work on.
package struct ForwardedRequest: Hashable, Sendable {
    package var user: String
    package var host: String
    /// The name of the listener that the client came through.
    package var listener: String
    /// As it came, without its length.
    package var request: Bytes

    package init(user: String, host: String, listener: String, request: Bytes) {
        self.user = user
        self.host = host
        self.listener = listener
        self.request = request
    }
}

/// What a node asks before it takes records of a transaction: whether partitions are part of it, or to
/// make them so.
package struct TransactionQuestion: Hashable, Sendable {
    package var claim: ProducerClaim
    package var partitions: [TopicPartition]
    package var adds: Bool
    package var bumpsEpochs: Bool

    package init(
        claim: ProducerClaim, partitions: [TopicPartition], adds: Bool, bumpsEpochs: Bool
    ) {
        self.claim = claim
        self.partitions = partitions
        self.adds = adds
        self.bumpsEpochs = bumpsEpochs
    }
}

/// The end of a transaction, for partitions that the receiver leads.
package struct PartitionMarkers: Hashable, Sendable {
    package var marker: MarkerAppend
    package var partitions: [TopicPartition]

    package init(marker: MarkerAppend, partitions: [TopicPartition]) {
        self.marker = marker
        self.partitions = partitions
    }
}

package enum PeerMessage: Hashable, Sendable {
    case hello(PeerHello)
    case welcome(PeerHello)
    case refused(String)
    /// Says nothing: whoever is not there any more shows that by not taking it.
    case stillHere
    case found(cluster: UUID128, RaftConfiguration)
    case quorum(QuorumMessage)
    case command(UInt64, ClusterCommand)
    case outcome(UInt64, ClusterOutcome)
    case heartbeat(epoch: Int64, applied: Int64, sentAt: Instant, wantsToLeave: Bool)
    /// `applied`: how much of the metadata the controller had.
    case heartbeatAnswer(epoch: Int64, sentAt: Instant, applied: LogIndex, HeartbeatAnswer)
    case request(UInt64, ForwardedRequest)
    case answer(UInt64, Bytes)
    case noAnswer(UInt64, String)
    case partition(UInt64, PartitionRequest)
    case transaction(UInt64, TransactionQuestion)
    case markers(UInt64, PartitionMarkers)
    case errors(UInt64, [ErrorCode])
    case job(UInt64, Bytes)
    /// `applied`: how much of the metadata the node had by then.
    case jobDone(UInt64, applied: LogIndex, Bytes)
    case replicas(ReplicaMessage)

    /// The frame, with its length.
    package func frame() -> Bytes {
        var writer = ByteWriter(capacity: capacity)
        writer.int32(0)
        writer.uint32(0)
        write(to: &writer)
        writer.patchUInt32(writer.crc32c(from: 8), at: 4)
        writer.patchUInt32(UInt32(writer.count - 4), at: 0)
        return writer.finish()
    }

    /// Enough for the frame, when it is known to be large.
    private var capacity: Int {
        switch self {
        case .replicas(let message): 64 + message.encodedBytesMax
        case .request(_, let request): 1024 + request.request.count
        case .answer(_, let answer): 64 + answer.count
        case .job(_, let command): 64 + command.count
        case .jobDone(_, _, let answer): 64 + answer.count
        default: 256
        }
    }

    private func write(to writer: inout ByteWriter) {
        func kind(_ channel: UInt8, _ kind: UInt8) {
            writer.uint8(channel)
            writer.uint8(kind)
        }
        func number(_ number: UInt64) { writer.int64(Int64(bitPattern: number)) }
        switch self {
        case .hello(let hello):
            kind(1, 1)
            writer.hello(hello)
        case .welcome(let hello):
            kind(1, 2)
            writer.hello(hello)
        case .refused(let reason):
            kind(1, 3)
            writer.name(reason)
        case .stillHere: kind(1, 5)
        case .found(let cluster, let configuration):
            kind(1, 4)
            writer.identity(cluster)
            writer.bytes(configuration.encoded())
        case .quorum(let message):
            kind(2, 1)
            writer.bytes(message.encoded())
        case .command(let id, let command):
            kind(3, 1)
            number(id)
            writer.bytes(command.encoded())
        case .outcome(let id, let outcome):
            kind(3, 2)
            number(id)
            writer.bytes(outcome.encoded())
        case .heartbeat(let epoch, let applied, let sentAt, let wantsToLeave):
            kind(3, 3)
            writer.int64(epoch)
            writer.int64(applied)
            writer.int64(sentAt.nanoseconds)
            writer.uint8(wantsToLeave ? 1 : 0)
        case .heartbeatAnswer(let epoch, let sentAt, let applied, let answer):
            kind(3, 4)
            writer.int64(epoch)
            writer.int64(sentAt.nanoseconds)
            writer.int64(applied.value)
            writer.uint8(
                (answer.isStale ? 1 : 0) | (answer.isFenced ? 2 : 0) | (answer.mayLeave ? 4 : 0))
        case .request(let id, let request):
            kind(3, 5)
            number(id)
            writer.name(request.user)
            writer.name(request.host)
            writer.name(request.listener)
            writer.bytes(request.request)
        case .answer(let id, let answer):
            kind(3, 6)
            number(id)
            writer.bytes(answer)
        case .noAnswer(let id, let reason):
            kind(3, 7)
            number(id)
            writer.name(reason)
        case .partition(let id, let request):
            kind(3, 8)
            number(id)
            writer.bytes(request.encoded())
        case .transaction(let id, let question):
            kind(3, 9)
            number(id)
            writer.int64(question.claim.producerID)
            writer.int16(question.claim.producerEpoch)
            writer.uint8((question.adds ? 1 : 0) | (question.bumpsEpochs ? 2 : 0))
            writer.name(question.claim.transactionalID)
            writer.partitions(question.partitions)
        case .markers(let id, let markers):
            kind(3, 10)
            number(id)
            writer.int64(markers.marker.producerID)
            writer.int16(markers.marker.producerEpoch)
            writer.int32(markers.marker.coordinatorEpoch)
            writer.uint8((markers.marker.isCommit ? 1 : 0) | (markers.marker.bumpsEpochs ? 2 : 0))
            writer.partitions(markers.partitions)
        case .errors(let id, let errors):
            kind(3, 11)
            number(id)
            writer.uint32(UInt32(errors.count))
            for error in errors { writer.int16(error.rawValue) }
        case .job(let id, let command):
            kind(3, 12)
            number(id)
            writer.bytes(command)
        case .jobDone(let id, let applied, let answer):
            kind(3, 13)
            number(id)
            writer.int64(applied.value)
            writer.bytes(answer)
        case .replicas(let message):
            kind(4, 1)
            message.write(to: &writer)
        }
    }

    /// Reads a frame without its length. Whatever is not as above is refused.
    package init(_ frame: Bytes) throws(DecodeFailure) {
        var reader = ByteReader(frame)
        let checksum = try reader.uint32()
        let content = frame[4..<frame.count]
        guard crc32c(content) == checksum else {
            throw .malformed("the checksum of a frame between nodes", position: 0)
        }
        let channel = try reader.uint8()
        let kind = try reader.uint8()
        switch (channel, kind) {
        case (1, 1): self = .hello(try reader.hello())
        case (1, 2): self = .welcome(try reader.hello())
        case (1, 3): self = .refused(try reader.name())
        case (1, 5): self = .stillHere
        case (1, 4):
            let cluster = try reader.identity()
            self = .found(cluster: cluster, try RaftConfiguration(reader.rest()))
        case (2, 1): self = .quorum(try QuorumMessage(reader.rest()))
        case (3, 1):
            let id = UInt64(bitPattern: try reader.int64())
            self = .command(id, try ClusterCommand(reader.rest()))
        case (3, 2):
            let id = UInt64(bitPattern: try reader.int64())
            self = .outcome(id, try ClusterOutcome(reader.rest()))
        case (3, 3):
            let epoch = try reader.int64()
            let applied = try reader.int64()
            let sentAt = Instant(nanoseconds: try reader.int64())
            self = .heartbeat(
                epoch: epoch, applied: applied, sentAt: sentAt,
                wantsToLeave: try reader.flags(most: 1) == 1)
        case (3, 4):
            let epoch = try reader.int64()
            let sentAt = Instant(nanoseconds: try reader.int64())
            let applied = LogIndex(try reader.int64())
            let flags = try reader.flags(most: 7)
            self = .heartbeatAnswer(
                epoch: epoch, sentAt: sentAt, applied: applied,
                HeartbeatAnswer(
                    isStale: flags & 1 != 0, isFenced: flags & 2 != 0, mayLeave: flags & 4 != 0))
        case (3, 5):
            let id = UInt64(bitPattern: try reader.int64())
            let user = try reader.name()
            let host = try reader.name()
            let listener = try reader.name()
            self = .request(
                id,
                ForwardedRequest(
                    user: user, host: host, listener: listener, request: reader.rest()))
        case (3, 6):
            let id = UInt64(bitPattern: try reader.int64())
            self = .answer(id, reader.rest())
        case (3, 7):
            let id = UInt64(bitPattern: try reader.int64())
            self = .noAnswer(id, try reader.name())
        case (3, 8):
            let id = UInt64(bitPattern: try reader.int64())
            self = .partition(id, try PartitionRequest(reader.rest()))
        case (3, 9):
            let id = UInt64(bitPattern: try reader.int64())
            let producer = try reader.int64()
            let epoch = try reader.int16()
            let flags = try reader.flags(most: 3)
            let claim = ProducerClaim(
                transactionalID: try reader.name(), producerID: producer, producerEpoch: epoch)
            self = .transaction(
                id,
                TransactionQuestion(
                    claim: claim, partitions: try reader.partitions(), adds: flags & 1 != 0,
                    bumpsEpochs: flags & 2 != 0))
        case (3, 10):
            let id = UInt64(bitPattern: try reader.int64())
            let producer = try reader.int64()
            let epoch = try reader.int16()
            let coordinatorEpoch = try reader.int32()
            let flags = try reader.flags(most: 3)
            self = .markers(
                id,
                PartitionMarkers(
                    marker: MarkerAppend(
                        producerID: producer, producerEpoch: epoch,
                        coordinatorEpoch: coordinatorEpoch, isCommit: flags & 1 != 0,
                        bumpsEpochs: flags & 2 != 0),
                    partitions: try reader.partitions()))
        case (3, 11):
            let id = UInt64(bitPattern: try reader.int64())
            let count = try reader.checkedCount(
                Int(try reader.uint32()), minimumBytes: 2, what: "error codes")
            var errors: [ErrorCode] = []
            errors.reserveCapacity(count)
            for _ in 0..<count { errors.append(ErrorCode(number: try reader.int16())) }
            self = .errors(id, errors)
        case (3, 12):
            let id = UInt64(bitPattern: try reader.int64())
            self = .job(id, reader.rest())
        case (3, 13):
            let id = UInt64(bitPattern: try reader.int64())
            let applied = LogIndex(try reader.int64())
            self = .jobDone(id, applied: applied, reader.rest())
        case (4, 1): self = .replicas(try ReplicaMessage(reader.rest()))
        default:
            throw .unsupported("frame \(kind) of channel \(channel) between nodes")
        }
        guard reader.isAtEnd else {
            throw .malformed("bytes behind a frame between nodes", position: reader.position)
        }
    }
}

extension ByteWriter {
    fileprivate mutating func identity(_ id: UUID128) {
        int64(Int64(bitPattern: id.high))
        int64(Int64(bitPattern: id.low))
    }

    /// What is longer than a text may be is cut: names are checked before, reasons are for people.
    mutating func name(_ text: String) {
        var utf8 = Array(text.utf8.prefix(Int(UInt16.max)))
        while String(validating: utf8, as: UTF8.self) == nil { utf8.removeLast() }
        uint16(UInt16(utf8.count))
        bytes(Bytes(utf8))
    }

    mutating func partitions(_ partitions: [TopicPartition]) {
        uint32(UInt32(partitions.count))
        for partition in partitions {
            name(partition.topic)
            int32(partition.partition)
        }
    }

    fileprivate mutating func hello(_ hello: PeerHello) {
        uint16(hello.version)
        identity(hello.cluster)
        int32(hello.node.value)
        identity(hello.directory)
        identity(hello.incarnation)
        uint16(hello.memberCount)
    }
}

extension ByteReader {
    fileprivate mutating func identity() throws(DecodeFailure) -> UUID128 {
        let high = UInt64(bitPattern: try int64())
        return UUID128(high: high, low: UInt64(bitPattern: try int64()))
    }

    mutating func partitions() throws(DecodeFailure) -> [TopicPartition] {
        let count = try checkedCount(Int(try uint32()), minimumBytes: 6, what: "partitions")
        var partitions: [TopicPartition] = []
        partitions.reserveCapacity(count)
        for _ in 0..<count {
            partitions.append(TopicPartition(topic: try name(), partition: try int32()))
        }
        return partitions
    }

    mutating func name() throws(DecodeFailure) -> String {
        try string(Int(try uint16()))
    }

    fileprivate mutating func hello() throws(DecodeFailure) -> PeerHello {
        let version = try uint16()
        let cluster = try identity()
        let node = NodeID(try int32())
        let directory = try identity()
        let incarnation = try identity()
        var hello = PeerHello(
            cluster: cluster, node: node, directory: directory, incarnation: incarnation,
            memberCount: try uint16())
        hello.version = version
        return hello
    }
}
