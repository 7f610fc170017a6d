import Base
import Log
import Node
import Testing

/// Commands between nodes, as bytes.
@Suite struct PeerCommandTests {
    private static let partition = TopicPartition(topic: "orders", partition: 3)

    private static let commands: [NodeCommand] = [
        .createTopic(
            name: "t", partitions: nil, configs: [TopicSetting("retention.ms", "-1")]),
        .createTopic(name: "t", partitions: 6, configs: []),
        .deleteTopic(name: "träge"),
        .changeObjects(
            [ObjectChange("a", Bytes(utf8: "x")), ObjectChange("b", nil)],
            expecting: [ObjectChange("v", Bytes.empty)]),
        .read(partition, from: 77, maxBytes: 1 << 20),
        .write([
            PartitionBatch(partition: partition, batch: Bytes([1, 2, 3])),
            PartitionBatch(partition: partition, batch: Bytes([4])),
        ]),
        .describePartitions([partition]), .catchUp,
    ]

    private static let answers: [Result<NodeAnswer, Problem>] = [
        .failure(
            Problem("cluster.leader", "nobody leads", notes: ["a", "b"], hint: "wait")),
        .failure(Problem("x", "y")), .success(.done), .success(.written([5, -1])),
        .success(
            .batches(
                ReadResult(
                    batches: [Bytes([9, 9])], logStartOffset: 2, lastStableOffset: 40,
                    aborted: [
                        AbortedTransaction(
                            producerID: 7, firstOffset: 3, lastOffset: 9, lastStableOffset: 3)
                    ]))),
        .success(
            .partitions([
                .init(
                    partition: 1, logStartOffset: 0, highWatermark: 5, lastStableOffset: 4,
                    bytes: 100)
            ])),
    ]

    private static let encoded: [(bytes: Bytes, isCommand: Bool)] =
        commands.compactMap { $0.encodedForPeer().map { ($0, true) } }
        + answers.compactMap { PeerCommandAnswer($0).encoded().map { ($0, false) } }

    private func decode(_ bytes: Bytes, _ isCommand: Bool) throws -> Bytes? {
        isCommand
            ? try NodeCommand(fromPeer: bytes).encodedForPeer()
            : try PeerCommandAnswer(bytes).encoded()
    }

    @Test func `each comes back as it was`() throws {
        #expect(Self.encoded.count == Self.commands.count + Self.answers.count)
        for (bytes, isCommand) in Self.encoded { #expect(try decode(bytes, isCommand) == bytes) }
        guard case .write(let batches) = try NodeCommand(fromPeer: Self.encoded[5].bytes) else {
            Issue.record("another command")
            return
        }
        #expect(batches.map(\.batch.count) == [3, 1] && batches[1].partition == Self.partition)
        guard case .failure(let problem) = try PeerCommandAnswer(Self.encoded[8].bytes).result
        else {
            Issue.record("another answer")
            return
        }
        #expect(problem.notes == ["a", "b"] && problem.hint == "wait")
    }

    @Test func `what ends early is refused at every length`() {
        for (bytes, isCommand) in Self.encoded {
            for count in 0..<bytes.count {
                #expect(throws: DecodeFailure.self) { try decode(bytes[0..<count], isCommand) }
            }
        }
    }

    @Test func `a flipped bit is refused or another valid one`() {
        for (bytes, isCommand) in Self.encoded {
            for position in 0..<bytes.count {
                for bit in 0..<8 {
                    var changed = bytes.array
                    changed[position] ^= 1 << UInt8(bit)
                    // It must not trap, and not take memory by what it claims.
                    if let again = try? decode(Bytes(changed), isCommand) {
                        #expect(again.count <= bytes.count)
                    }
                }
            }
        }
    }

    @Test func `what is asked of no other node has no bytes`() {
        #expect(NodeCommand.statistics.encodedForPeer() == nil)
        #expect(NodeCommand.append(topic: "t", records: []).encodedForPeer() == nil)
        #expect(PeerCommandAnswer(.success(.objects([]))).encoded() == nil)
    }
}
