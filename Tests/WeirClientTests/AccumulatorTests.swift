import Base
import Testing
import WeirClient
import WireProtocol

@Suite struct AccumulatorTests {
    private static let settings = BatchAccumulator.Settings(
        linger: 100, batchBytes: 1000, bufferBytes: 5000, deliveryTimeout: 10_000)

    private func add(
        _ accumulator: inout BatchAccumulator, _ count: Int = 1, key: String? = nil,
        partition: Int32? = 0, at now: Int64, size: Int = 200
    ) {
        for _ in 0..<count {
            let record = ProducerRecord(
                topic: "t", key: key.map { Array($0.utf8) },
                value: [UInt8](repeating: 1, count: size), partition: partition)
            let target = accumulator.partition(of: record, partitionCount: 3)
            _ = accumulator.append(
                record, partition: target, partitionCount: 3, timestamp: now, now: now)
        }
    }

    @Test func `a batch waits for its linger unless it is full`() {
        var accumulator = BatchAccumulator(Self.settings)
        add(&accumulator, at: 0)
        #expect(accumulator.takeReady(now: 99).isEmpty)
        #expect(accumulator.nextWake() == 100)
        #expect(accumulator.takeReady(now: 100).map(\.recordCount) == [1])
        add(&accumulator, 6, partition: 1, at: 100)
        #expect(accumulator.takeReady(now: 100).map(\.recordCount) == [4])
    }

    @Test func `one batch of a partition is on its way at a time`() {
        var accumulator = BatchAccumulator(Self.settings)
        add(&accumulator, 9, at: 0)
        let first = accumulator.takeReady(now: 500)
        #expect(first.count == 1)
        #expect(accumulator.takeReady(now: 500).isEmpty)
        accumulator.finish(first[0])
        #expect(accumulator.takeReady(now: 500).count == 1)
    }

    @Test func `a failed batch comes again before what is behind it`() {
        var accumulator = BatchAccumulator(Self.settings)
        add(&accumulator, 9, at: 0)
        let first = accumulator.takeReady(now: 500)[0]
        accumulator.putBack(first, notBefore: 700)
        #expect(accumulator.takeReady(now: 699).isEmpty)
        #expect(accumulator.nextWake() == 700)
        #expect(accumulator.takeReady(now: 700)[0] === first)
    }

    @Test func `the buffer is counted until the batch ends`() {
        var accumulator = BatchAccumulator(Self.settings)
        #expect(accumulator.hasRoom(for: 1_000_000))
        add(&accumulator, 4, at: 0, size: 1100)
        #expect(!accumulator.hasRoom(for: 1100))
        accumulator.flush(now: 0)
        var ends = 0
        while let batch = accumulator.takeReady(now: 1).first {
            accumulator.finish(batch)
            ends += 1
        }
        #expect(ends == 4)
        #expect(accumulator.bufferedBytes == 0 && accumulator.isEmpty)
    }

    @Test func `a flush sends what is there and not what comes later`() {
        var accumulator = BatchAccumulator(Self.settings)
        add(&accumulator, at: 10)
        accumulator.flush(now: 10)
        let end = accumulator.nextNumber
        add(&accumulator, partition: 1, at: 11)
        let ready = accumulator.takeReady(now: 11)
        #expect(ready.map(\.address.partition) == [0])
        #expect(accumulator.hasBatches(below: end))
        accumulator.finish(ready[0])
        #expect(!accumulator.hasBatches(below: end))
        #expect(!accumulator.isEmpty)
    }

    @Test func `batches that waited too long are given up`() {
        var accumulator = BatchAccumulator(Self.settings)
        add(&accumulator, 9, at: 0)
        let onItsWay = accumulator.takeReady(now: 200)
        #expect(accumulator.takeExpired(now: 10_000).isEmpty)
        accumulator.putBack(onItsWay[0], notBefore: 9_999)
        #expect(accumulator.takeExpired(now: 10_000).count == 3)
        #expect(accumulator.isEmpty && accumulator.bufferedBytes == 0)
    }

    @Test func `records without a key fill one partition after the other`() {
        var accumulator = BatchAccumulator(Self.settings)
        add(&accumulator, 12, partition: nil, at: 0)
        #expect(accumulator.takeReady(now: 500).map(\.address.partition) == [0, 1, 2])
        add(&accumulator, 1, partition: nil, at: 600)
        let keyed = ProducerRecord(topic: "t", key: "abc", value: "")
        #expect(accumulator.partition(of: keyed, partitionCount: 3) == 479_470_107 % 3)
    }

    @Test func `retries grow apart and end`() {
        var state = RetryState(deadline: 3_000_000_000)
        let again = ClientFailure(.notLeaderOrFollower, "test")
        #expect(state.decide(after: again, now: 0) == .retry(at: 50_000_000))
        #expect(state.decide(after: again, now: 0) == .retry(at: 100_000_000))
        for _ in 0..<10 { _ = state.decide(after: again, now: 0) }
        #expect(state.decide(after: again, now: 0) == .retry(at: 1_000_000_000))
        #expect(state.decide(after: again, now: 2_500_000_000) == .giveUp)
        var other = RetryState(deadline: .max)
        #expect(other.decide(after: ClientFailure(.messageTooLarge, "x"), now: 0) == .giveUp)
    }
}

@Suite struct AssignorTests {
    private func count(_ shares: [String: [PartitionAddress]]) -> [String: [Int32]] {
        shares.mapValues { $0.map(\.partition) }
    }

    @Test func `range gives neighbours, the first members one more`() {
        let members = [
            GroupMember(id: "b", topics: ["t"]), GroupMember(id: "a", topics: ["t"]),
            GroupMember(id: "c", topics: ["t"]),
        ]
        let shares = AssignorKind.range.assign(members, partitionCounts: ["t": 7])
        #expect(count(shares) == ["a": [0, 1, 2], "b": [3, 4], "c": [5, 6]])
    }

    @Test func `round robin deals like cards to those who want the topic`() {
        let members = [
            GroupMember(id: "a", topics: ["t", "u"]), GroupMember(id: "b", topics: ["t"]),
        ]
        let shares = AssignorKind.roundRobin.assign(members, partitionCounts: ["t": 3, "u": 2])
        #expect(
            shares["a"] == [
                PartitionAddress("t", 0), PartitionAddress("t", 2), PartitionAddress("u", 0),
                PartitionAddress("u", 1),
            ])
        #expect(shares["b"] == [PartitionAddress("t", 1)])
    }

    @Test(arguments: AssignorKind.allCases)
    func `every partition has exactly one reader`(kind: AssignorKind) {
        var random = Random(seed: 3)
        for _ in 0..<100 {
            let topics = ["a", "b", "c"].filter { _ in random.chance(2, in: 3) } + ["d"]
            var counts: [String: Int32] = [:]
            for topic in topics { counts[topic] = Int32(random.below(9)) }
            let members = (0...random.below(5)).map { index in
                GroupMember(
                    id: "m\(index)", instanceId: random.chance(1, in: 3) ? "i\(index)" : nil,
                    topics: topics.filter { $0 == "d" || random.chance(1, in: 2) })
            }
            let shares = kind.assign(members, partitionCounts: counts)
            let all = shares.values.flatMap { $0 }
            #expect(Set(all).count == all.count)
            let wanted = Set(members.flatMap(\.topics)).reduce(0) { $0 + Int(counts[$1] ?? 0) }
            #expect(all.count == wanted)
            for member in members {
                #expect((shares[member.id] ?? []).allSatisfy { member.topics.contains($0.topic) })
            }
        }
    }

    @Test func `subscriptions and assignments survive the wire`() throws {
        let wish = GroupBytes.subscription(topics: ["b", "a"])
        #expect(try GroupBytes.topics(ofSubscription: wish) == ["a", "b"])
        let partitions = [
            PartitionAddress("a", 1), PartitionAddress("b", 0), PartitionAddress("b", 2),
        ]
        let bytes = GroupBytes.assignment(partitions)
        #expect(try GroupBytes.partitions(ofAssignment: bytes) == partitions)
        #expect(try GroupBytes.partitions(ofAssignment: .empty).isEmpty)
        #expect(throws: DecodeFailure.self) {
            try GroupBytes.partitions(ofAssignment: Bytes([0, 0, 0, 0, 0, 9]))
        }
        // A newer version only has more behind what we know.
        var newer = wish.array
        newer[1] = 3
        #expect(try GroupBytes.topics(ofSubscription: Bytes(newer + [1, 2, 3])) == ["a", "b"])
    }
}
