import Base
import Synchronization
import Testing
import WeirClient
import WireProtocol

/// The client against a broker in the same process.
@Suite struct ClientTests {
    private func configuration(_ broker: FakeBroker) -> ClientConfiguration {
        ClientConfiguration(
            bootstrapServers: [broker.address], connectTimeout: .seconds(5),
            requestTimeout: .seconds(5), retryTimeout: .seconds(5))
    }

    private func producer(
        _ broker: FakeBroker, compression: CompressionKind = .none, batchBytes: Int = 64 << 10,
        bufferBytes: Int = 32 << 20
    ) -> Producer {
        Producer(
            ProducerConfiguration(
                client: configuration(broker), compression: compression,
                linger: .milliseconds(1), batchBytes: batchBytes, bufferBytes: bufferBytes,
                deliveryTimeout: .seconds(5)))
    }

    private func drain(_ consumer: Consumer, count: Int) throws -> [ConsumedRecord] {
        var records: [ConsumedRecord] = []
        for _ in 0..<200 where records.count < count {
            records += try consumer.pollBlocking(timeout: .milliseconds(100))
        }
        return records
    }

    @Test func `a record comes back with key, value, headers and time`() async throws {
        let broker = FakeBroker()
        defer { broker.stop() }
        let producer = producer(broker)
        let sent = try await producer.send(
            ProducerRecord(
                topic: "t", key: Array("k".utf8), value: Array("v".utf8),
                headers: [Header("h", [1, 2]), Header("null", nil)], timestamp: 1234))
        #expect(sent.offset == 0)
        let expected = partition(forKey: Bytes(utf8: "k"), partitionCount: 3)
        #expect(sent.partition == PartitionAddress("t", expected))
        try await producer.close()

        let consumer = Consumer(
            ConsumerConfiguration(client: configuration(broker), offsetReset: .earliest))
        consumer.assign((0..<3).map { PartitionAddress("t", $0) })
        let record = try #require(try drain(consumer, count: 1).first)
        #expect(record.keyText == "k" && record.valueText == "v")
        #expect(record.headers == [Header("h", [1, 2]), Header("null", nil)])
        #expect(record.timestamp == 1234 && record.offset == 0)
        #expect(consumer.lag(PartitionAddress("t", expected)) == 0)
        await consumer.close()
    }

    @Test(arguments: CompressionKind.allCases)
    func `thousands of records arrive once and in the order of their partition`(
        compression: CompressionKind
    ) throws {
        let broker = FakeBroker()
        defer { broker.stop() }
        let producer = producer(broker, compression: compression, batchBytes: 4096)
        for index in 0..<2000 {
            try producer.enqueue(
                ProducerRecord(topic: "t", key: "key-\(index % 10)", value: "\(index)"))
        }
        try producer.flushBlocking()
        #expect(producer.statistics.acknowledgedRecords == 2000)
        try producer.closeBlocking()

        let consumer = Consumer(
            ConsumerConfiguration(client: configuration(broker), offsetReset: .earliest))
        consumer.assign((0..<3).map { PartitionAddress("t", $0) })
        var last: [String: Int] = [:]
        var count = 0
        for record in try drain(consumer, count: 2000) {
            let number = try #require(Int(record.valueText ?? ""))
            let key = try #require(record.keyText)
            #expect(number > last[key] ?? -1)
            last[key] = number
            count += 1
        }
        #expect(count == 2000)
        consumer.closeBlocking()
    }

    @Test func `refused and lost answers lead to one copy of each record`() throws {
        let broker = FakeBroker(defaultPartitions: 1)
        defer { broker.stop() }
        broker.fail([
            .refuse(.notLeaderOrFollower), .loseAnswer, .refuse(.notEnoughReplicas), .loseAnswer,
        ])
        let producer = producer(broker, batchBytes: 1024)
        for index in 0..<200 {
            try producer.enqueue(ProducerRecord(topic: "t", key: nil, value: "\(index)"))
        }
        try producer.closeBlocking()
        #expect(broker.values("t", 0) == (0..<200).map { "\($0)" })
        #expect(producer.statistics.repeatedBatches >= 4)
    }

    @Test func `a refusal that can't be cured is reported`() async throws {
        let broker = FakeBroker(defaultPartitions: 1)
        defer { broker.stop() }
        broker.fail([.refuse(.messageTooLarge)])
        let producer = producer(broker)
        let failure = await #expect(throws: ClientFailure.self) {
            try await producer.send(ProducerRecord(topic: "t", key: nil, value: "x"))
        }
        #expect(failure?.codeName == "MESSAGE_TOO_LARGE")
        #expect(failure?.isRetriable == false)
        broker.fail([.refuse(.invalidRecord)])
        try producer.enqueue(ProducerRecord(topic: "t", key: nil, value: "y"))
        #expect(throws: ClientFailure.self) { try producer.flushBlocking() }
        // The failure was told; what follows is a new beginning.
        let stored = try await producer.send(ProducerRecord(topic: "t", key: nil, value: "z"))
        #expect(stored.offset == 0)
        try await producer.close()
        await #expect(throws: ClientFailure.self) {
            try await producer.send(ProducerRecord(topic: "t", key: nil, value: "late"))
        }
    }

    @Test func `a small buffer slows the producer down and loses nothing`() async throws {
        let broker = FakeBroker(defaultPartitions: 2)
        defer { broker.stop() }
        let producer = producer(broker, batchBytes: 1024, bufferBytes: 4096)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<300 {
                group.addTask {
                    let record = ProducerRecord(topic: "t", key: "\(index)", value: "\(index)")
                    _ = try await producer.send(record)
                }
            }
            try await group.waitForAll()
        }
        try await producer.close()
        let all = broker.values("t", 0) + broker.values("t", 1)
        #expect(all.compactMap { Int($0) }.sorted() == Array(0..<300))
    }

    @Test func `seeking goes to the begin, the end and an offset`() throws {
        let broker = FakeBroker(defaultPartitions: 1)
        defer { broker.stop() }
        let producer = producer(broker)
        for index in 0..<10 {
            try producer.enqueue(ProducerRecord(topic: "t", key: nil, value: "\(index)"))
        }
        try producer.closeBlocking()
        let place = PartitionAddress("t", 0)
        let consumer = Consumer(
            ConsumerConfiguration(client: configuration(broker), offsetReset: .latest))
        consumer.assign([place])
        #expect(try consumer.positionBlocking(place) == 10)
        try consumer.seek(place, to: 7)
        #expect(try drain(consumer, count: 3).map(\.valueText) == ["7", "8", "9"])
        try consumer.seekToBeginning([place])
        #expect(try drain(consumer, count: 10).count == 10)
        try consumer.seekToEnd([place])
        #expect(try consumer.positionBlocking(place) == 10)
        try consumer.seek([place], toTimestamp: 5)
        #expect(try consumer.positionBlocking(place) == 10)
        // An offset beyond the end falls back to the policy.
        try consumer.seek(place, to: 1000)
        #expect(try consumer.pollBlocking(timeout: .milliseconds(50)).isEmpty)
        #expect(try consumer.positionBlocking(place) == 10)
        #expect(throws: ClientFailure.self) { try consumer.seek(PartitionAddress("t", 9), to: 0) }
        consumer.closeBlocking()
    }

    @Test func `a member of a group goes on where the group stopped`() async throws {
        let broker = FakeBroker(defaultPartitions: 2)
        defer { broker.stop() }
        let producer = producer(broker)
        for index in 0..<20 {
            try producer.enqueue(
                ProducerRecord(
                    topic: "t", key: nil, value: Array("\(index)".utf8),
                    partition: Int32(index % 2)))
        }
        try await producer.close()
        let settings = ConsumerConfiguration(
            client: configuration(broker), groupId: "g", offsetReset: .earliest,
            maxPollRecords: 5)
        let first = Consumer(settings)
        try first.subscribe(["t"])
        var seen: [String] = []
        while seen.count < 5 {
            seen += try await first.poll(timeout: .milliseconds(200)).compactMap(\.valueText)
        }
        #expect(first.assignment == [PartitionAddress("t", 0), PartitionAddress("t", 1)])
        await first.close()
        let second = Consumer(settings)
        try second.subscribe(["t"])
        seen += try drain(second, count: 20 - seen.count).compactMap(\.valueText)
        #expect(seen.compactMap { Int($0) }.sorted() == Array(0..<20))
        try await second.commit()
        let committed = try await second.committed([PartitionAddress("t", 0)])
        #expect(committed[PartitionAddress("t", 0)] == CommittedOffset(10))
        await second.close()
    }

    @Test func `nobody at home is told in words`() {
        let broker = FakeBroker()
        let address = broker.address
        broker.stop()
        let admin = Admin(
            ClientConfiguration(
                bootstrapServers: [address], connectTimeout: .milliseconds(200),
                retryTimeout: .milliseconds(10)))
        let failure = #expect(throws: ClientFailure.self) { try admin.listTopics() }
        #expect(failure?.isRetriable == true)
        admin.close()
    }

    @Test func `a broker that hangs is not asked again while another answers`() throws {
        let first = FakeBroker()
        let second = FakeBroker(nodeId: 2)
        first.join([second])
        second.join([first])
        defer {
            first.hang(false)
            first.stop()
            second.stop()
        }
        let admin = Admin(
            ClientConfiguration(
                bootstrapServers: [first.address, second.address], connectTimeout: .seconds(1),
                requestTimeout: .seconds(1), retryTimeout: .seconds(30)))
        defer { admin.close() }
        #expect(try admin.describeCluster().brokers.count == 2)
        first.hang()
        #expect(try admin.describeCluster().brokers.count == 2)
        let clock = ContinuousClock()
        let took = try clock.measure {
            for _ in 0..<5 { _ = try admin.describeCluster() }
        }
        // Each question to the first one would take a second.
        #expect(took < .seconds(3))
    }

    @Test func `each record that was handed over with a completion is told its place`() throws {
        let broker = FakeBroker()
        defer { broker.stop() }
        let producer = producer(broker, batchBytes: 2000)
        let heard = Mutex<[Int64: Int64]>([:])
        for number in Int64(0)..<500 {
            try producer.enqueue(
                ProducerRecord(topic: "t", value: Array("\(number)".utf8), partition: 1)
            ) { result in
                heard.withLock { $0[number] = (try? result.get().offset) ?? -1 }
            }
        }
        try producer.closeBlocking()
        let places = heard.withLock { $0 }
        #expect(places.count == 500 && places.allSatisfy { $0.key == $0.value })
        #expect(broker.values("t", 1) == (0..<500).map { "\($0)" })
    }
}
