import Base
import Quorum
import Testing

@Suite struct QuorumMessageTests {
    private static let samples: [QuorumMessage] = {
        let configuration = RaftHarness.configuration(voters: 3, witnesses: 1, observers: 1)
        let entries = [
            RaftEntry(index: 8, term: 3, kind: .begin, payload: .empty),
            RaftEntry(index: 9, term: 3, kind: .command, payload: Bytes(utf8: "create topic")),
            RaftEntry(index: 10, term: 4, kind: .command, payload: Bytes(utf8: "gone")).stripped,
            RaftEntry(
                index: 11, term: 4, kind: .configuration, payload: configuration.encoded()),
        ]
        let position = LogPosition(term: 3, index: 7)
        let snapshot = RaftSnapshot(
            position: position, chain: 77, configuration: configuration, contentCount: 1000,
            contentChecksum: 5)
        let bodies: [QuorumMessage.Body] = [
            .voteRequest(.init(position: position, isPreVote: true, isTransfer: false)),
            .voteRequest(.init(position: position, isPreVote: false, isTransfer: true)),
            .voteAnswer(.init(isGranted: true, isPreVote: false)),
            .append(
                .init(
                    previous: position, previousChain: 99, entries: entries, commit: 6, round: 12)),
            .appendAnswer(.init(outcome: .accepted(11), round: 12)),
            .appendAnswer(.init(outcome: .rejected(previous: 7, hint: position), round: 12)),
            .chunk(
                .init(
                    snapshot: snapshot, position: 500, content: Bytes(utf8: "some bytes"), round: 3)
            ),
            .chunkAnswer(.init(snapshot: position, next: 510, isInstalled: false, round: 3)),
            .campaign,
        ]
        return bodies.map {
            QuorumMessage(
                cluster: RaftHarness.cluster, from: 1, directory: RaftHarness.directory(1), life: 4,
                to: 2, term: 4, body: $0)
        }
    }()

    @Test func `every message is what it was after the wire`() throws {
        for message in Self.samples {
            #expect(try QuorumMessage(message.encoded()) == message)
        }
    }

    @Test func `a message that is cut anywhere is refused`() {
        for message in Self.samples {
            let bytes = message.encoded()
            for count in 0..<bytes.count {
                #expect(throws: DecodeFailure.self) { try QuorumMessage(bytes[0..<count]) }
            }
            #expect(throws: DecodeFailure.self) {
                try QuorumMessage(Bytes.joined([bytes, Bytes([0])]))
            }
        }
    }

    @Test func `a flipped bit gives an error or another message that is one`() {
        for message in Self.samples {
            let bytes = message.encoded().array
            for position in bytes.indices {
                for bit in 0..<8 {
                    var damaged = bytes
                    damaged[position] ^= 1 << UInt8(bit)
                    guard let other = try? QuorumMessage(Bytes(damaged)) else { continue }
                    #expect(other != message)
                    #expect(other.encoded() == Bytes(damaged))
                }
            }
        }
    }

    @Test func `noise is refused without a trap`() {
        var random = Random(seed: 11)
        for _ in 0..<20_000 {
            var bytes = (0..<random.below(200)).map { _ in UInt8(truncatingIfNeeded: random.next())
            }
            if bytes.count > 2 {
                bytes[0] = 1
                bytes[1] = UInt8(random.within(0...8))
            }
            _ = try? QuorumMessage(Bytes(bytes))
        }
    }

    @Test func `a count that the bytes cannot hold allocates nothing`() {
        var bytes = Self.samples[3].encoded().array
        // The count of entries stands behind the header, a position, a chain, commit and round.
        let place = 58 + 16 + 4 + 8 + 8
        for offset in 0..<4 { bytes[place + offset] = 0xFF }
        #expect(throws: DecodeFailure.self) { try QuorumMessage(Bytes(bytes)) }
    }

    @Test func `equal logs have equal chains, also without contents`() {
        var whole = RaftLog(base: .start, chain: 0)
        var witness = RaftLog(base: .start, chain: 0)
        var other = RaftLog(base: .start, chain: 0)
        for number in 1...20 {
            let index = LogIndex(Int64(number))
            let entry = RaftEntry(
                index: index, term: 1, kind: .command, payload: Bytes(utf8: "entry \(number)"))
            whole.append(entry)
            witness.append(entry.stripped)
            other.append(
                number == 7
                    ? RaftEntry(
                        index: index, term: 1, kind: .command, payload: Bytes(utf8: "other"))
                    : entry)
        }
        #expect(whole.lastChain == witness.lastChain)
        #expect(whole.lastChain != other.lastChain)
        #expect(whole.chain(at: 6) == other.chain(at: 6))
        whole.compact(through: 10)
        whole.truncate(after: 15)
        #expect(whole.chain(at: 15) == witness.chain(at: 15))
        #expect(whole.chain(at: 9) == nil && whole.chain(at: 16) == nil)
        whole.checkInvariants()
    }
}
