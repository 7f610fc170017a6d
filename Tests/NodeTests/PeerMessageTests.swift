import Base
import Coordinator
import Log
import Node
import Quorum
import Replica
import WireProtocol
import Testing

@Suite struct PeerMessageTests {
    private static let hello = PeerHello(
        cluster: UUID128(high: 1, low: 2), node: 3, directory: UUID128(high: 4, low: 5),
        incarnation: UUID128(high: 6, low: 7), memberCount: 3)

    private static let messages: [PeerMessage] = [
        .hello(hello), .welcome(hello), .refused("no: ü"), .stillHere,
        .found(
            cluster: UUID128(high: 9, low: 9),
            RaftConfiguration([
                RaftMember(id: 1, directory: UUID128(high: 1, low: 1), isVoter: true),
                RaftMember(id: 2, directory: UUID128(high: 1, low: 2), isVoter: true),
            ])),
        .quorum(
            QuorumMessage(
                cluster: UUID128(high: 1, low: 2), from: 1, directory: UUID128(high: 4, low: 5),
                life: 3, to: 2, term: 7,
                body: .append(
                    .init(
                        previous: LogPosition(term: 6, index: 9), previousChain: 3,
                        entries: [
                            RaftEntry(
                                index: 10, term: 7, kind: .command, payload: Bytes(utf8: "x"))
                        ], commit: 9, round: 4)))),
        .command(8, .fence(2, epoch: 5)), .outcome(8, .refused(.staleBrokerEpoch(current: 9))),
        .heartbeat(
            epoch: 5, applied: 77, sentAt: Instant(nanoseconds: 99), wantsToLeave: true),
        .heartbeatAnswer(
            epoch: 5, sentAt: Instant(nanoseconds: 99), applied: 78,
            HeartbeatAnswer(isStale: false, isFenced: true, mayLeave: true)),
        .request(
            12,
            ForwardedRequest(
                user: "ada", host: "10.0.0.1", listener: "PLAINTEXT", request: Bytes([1, 2, 3]))),
        .answer(12, Bytes([4, 5])), .noAnswer(12, "gone"), .partition(13, wish(.raiseEpoch)),
        .partition(14, wish(.damaged)),
        .transaction(
            16,
            TransactionQuestion(
                claim: ProducerClaim(transactionalID: "pay", producerID: 9, producerEpoch: 3),
                partitions: [TopicPartition(topic: "t", partition: 4)], adds: true,
                bumpsEpochs: false)),
        .markers(
            17,
            PartitionMarkers(
                marker: MarkerAppend(
                    producerID: 9, producerEpoch: 3, coordinatorEpoch: 2, isCommit: false,
                    bumpsEpochs: true),
                partitions: [
                    TopicPartition(topic: "t", partition: 4),
                    TopicPartition(topic: "ü", partition: 0),
                ])),
        .errors(17, [.none, .notLeaderOrFollower]),
        .partition(15, wish(.inSync([1, 2], joining: [.init(node: 2, epoch: 7)]))),
        .replicas(
            ReplicaMessage(
                from: 1, to: 2, brokerEpoch: 7, receiverEpoch: -1, number: 3, received: 2,
                items: [
                    ReplicaItem(
                        key: PartitionKey(topic: UUID128(high: 1, low: 9), partition: 3),
                        leaderEpoch: 4, session: 5,
                        body: .push(
                            position: 10, highWatermark: 9, logStart: 1,
                            batches: [Bytes(utf8: "batches")]))
                ])),
    ]

    private static func wish(_ change: PartitionRequest.Change) -> PartitionRequest {
        PartitionRequest(
            topic: UUID128(high: 1, low: 9), partition: 3, from: 1, brokerEpoch: 7, leaderEpoch: 4,
            partitionEpoch: 6, change: change)
    }

    @Test(arguments: messages) func `a message survives the wire`(_ message: PeerMessage) throws {
        let frame = message.frame()
        var reader = ByteReader(frame)
        #expect(Int(try reader.int32()) == frame.count - 4)
        #expect(try PeerMessage(frame[4..<frame.count]) == message)
    }

    @Test(arguments: messages) func `what is cut or changed is refused`(_ message: PeerMessage) {
        let frame = message.frame()
        let body = frame[4..<frame.count]
        for count in 0..<body.count {
            #expect(throws: DecodeFailure.self) { try PeerMessage(body[0..<count]) }
        }
        for place in 0..<body.count {
            var damaged = body.array
            damaged[place] ^= 0x40
            #expect(throws: DecodeFailure.self) { try PeerMessage(Bytes(damaged)) }
        }
    }

    /// The checksum is for accidents; whoever means harm computes it.
    @Test(arguments: messages) func `harm with a good checksum never traps`(
        _ message: PeerMessage
    ) {
        let frame = message.frame()
        let body = frame[4..<frame.count].array
        var random = Random(seed: 11)
        for _ in 0..<3000 {
            var damaged = Array(body.dropFirst(4))
            for _ in 0...random.below(3) where !damaged.isEmpty {
                damaged[random.below(damaged.count)] = UInt8(random.below(256))
            }
            if random.chance(1, in: 4) { damaged.removeLast(random.below(damaged.count)) }
            let checksum = crc32c(Bytes(damaged))
            let bytes = (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (24 - 8 * $0)) }
            guard let read = try? PeerMessage(Bytes(bytes + damaged)) else { continue }
            // What is understood is said again in the same bytes.
            let again = read.frame()
            #expect((try? PeerMessage(again[4..<again.count])) == read)
        }
    }

    @Test func `a reason that is too long is cut between characters`() throws {
        let frame = PeerMessage.refused(String(repeating: "ü", count: 40_000)).frame()
        guard case .refused(let text) = try PeerMessage(frame[4..<frame.count]) else {
            return #expect(Bool(false))
        }
        #expect(text.utf8.count == 65_534)
    }
}
