import Base
import Replica
import Testing

@Suite struct ReplicaMessageTests {
    private let key = PartitionKey(topic: UUID128(high: 1, low: 2), partition: 7)

    private func message(_ bodies: [ReplicaItem.Body]) -> ReplicaMessage {
        ReplicaMessage(
            from: 1, to: 2, brokerEpoch: 40, receiverEpoch: -1, number: 9, received: 8,
            items: bodies.map {
                ReplicaItem(key: key, leaderEpoch: 5, session: 3, body: $0)
            })
    }

    private var all: ReplicaMessage {
        message([
            .ask(end: 10, lastEpoch: -1, durableEnd: 9), .diverges(epoch: 4, end: 8),
            .restart(at: 100),
            .push(
                position: 10, highWatermark: 7, logStart: 2,
                batches: [Bytes([1, 2, 3]), Bytes([4])]),
            .push(position: 11, highWatermark: 7, logStart: 2, batches: []),
            .report(end: 20, durableEnd: 15, highWatermark: 12), .yielded,
        ])
    }

    @Test func `every item comes back as it was`() throws {
        let decoded = try ReplicaMessage(all.encoded())
        #expect(decoded == all)
        #expect(decoded.encoded() == all.encoded())
    }

    @Test func `a message that ends early is refused at every length`() {
        let bytes = all.encoded()
        for count in 0..<bytes.count {
            #expect(throws: DecodeFailure.self) { try ReplicaMessage(bytes[0..<count]) }
        }
    }

    @Test func `a flipped bit is refused or gives another valid message`() {
        let bytes = all.encoded().array
        for position in bytes.indices {
            for bit in 0..<8 {
                var changed = bytes
                changed[position] ^= 1 << UInt8(bit)
                // It must not trap; what it says is checked by whoever takes it.
                if let decoded = try? ReplicaMessage(Bytes(changed)) {
                    #expect(decoded.encoded().count == bytes.count)
                }
            }
        }
    }

    @Test func `counts beyond the bytes are refused before anything is allocated`() {
        var bytes = message([]).encoded().array
        bytes[41] = 0x7F
        #expect(throws: DecodeFailure.self) { try ReplicaMessage(Bytes(bytes)) }
    }

    @Test func `negative offsets are refused`() {
        #expect(throws: DecodeFailure.self) {
            try ReplicaMessage(message([.restart(at: -5)]).encoded())
        }
        #expect(throws: DecodeFailure.self) {
            try ReplicaMessage(message([.ask(end: 5, lastEpoch: -2, durableEnd: 1)]).encoded())
        }
    }

    @Test func `more durable than there is makes no sense`() {
        #expect(throws: DecodeFailure.self) {
            try ReplicaMessage(
                message([.report(end: 5, durableEnd: 6, highWatermark: 0)]).encoded())
        }
    }
}
