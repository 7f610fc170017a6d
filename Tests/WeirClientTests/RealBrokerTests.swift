import Base
import Foundation
import Testing
import WeirClient

/// The address of a running broker, from the environment; these tests are skipped without one.
/// `scripts/check-client.sh` starts a broker and runs them.
private let realBroker = ProcessInfo.processInfo.environment["WEIR_TEST_BROKER"]

/// The client against a running broker.
@Suite(.enabled(if: realBroker != nil, "WEIR_TEST_BROKER is not set"), .serialized)
struct RealBrokerTests {
    private let client = ClientConfiguration(
        bootstrapServers: [realBroker ?? ""], clientId: "client-check",
        requestTimeout: .seconds(20), retryTimeout: .seconds(20))

    /// A name that no earlier run has used.
    private func freshName(_ base: String) -> String {
        base + "-" + String(UInt64.random(in: 0 ... .max), radix: 36)
    }

    private func withTopic(
        _ base: String, partitions: Int32 = 3, _ body: (Admin, String) async throws -> Void
    ) async throws {
        let admin = Admin(client)
        let topic = freshName(base)
        let new = NewTopic(topic, partitions: partitions, configs: ["retention.ms": "3600000"])
        try await admin.perform { (admin) throws(ClientFailure) in try admin.createTopic(new) }
        try await body(admin, topic)
        try await admin.perform { (admin) throws(ClientFailure) in try admin.deleteTopic(topic) }
        admin.close()
    }

    private func consumer(
        _ group: String? = nil, maxPollRecords: Int = 5000, assignors: [AssignorKind] = [.range]
    ) -> Consumer {
        Consumer(
            ConsumerConfiguration(
                client: client, groupId: group, offsetReset: .earliest,
                sessionTimeout: .seconds(10), heartbeatInterval: .milliseconds(300),
                assignors: assignors, maxPollRecords: maxPollRecords))
    }

    private func poll(_ consumer: Consumer, atLeast count: Int) async throws -> [ConsumedRecord] {
        var records: [ConsumedRecord] = []
        let deadline = ContinuousClock.now + .seconds(30)
        while records.count < count && ContinuousClock.now < deadline {
            records += try await consumer.poll(timeout: .milliseconds(200))
        }
        return records
    }

    @Test func `topics are created, described, changed and deleted`() async throws {
        let admin = Admin(client)
        let topic = freshName("admin")
        let cluster = try admin.describeCluster()
        #expect(!cluster.brokers.isEmpty)
        try admin.createTopic(
            NewTopic(topic, partitions: 2, configs: ["retention.ms": "7200000"]))
        let again = #expect(throws: ClientFailure.self) {
            try admin.createTopic(NewTopic(topic, partitions: 2))
        }
        #expect(again?.codeName == "TOPIC_ALREADY_EXISTS")
        let info = try #require(try admin.describeTopics([topic]).first)
        #expect(info.partitions.map(\.partition) == [0, 1])
        #expect(try admin.listTopics().contains { $0.name == topic })
        let configs = try admin.describeTopicConfigs(topic)
        let retention = try #require(configs.first { $0.name == "retention.ms" })
        #expect(retention.value == "7200000" && !retention.isDefault)
        #expect(
            try admin.endOffsets(topic) == [
                PartitionAddress(topic, 0): 0, PartitionAddress(topic, 1): 0,
            ])
        try admin.deleteTopic(topic)
        let gone = #expect(throws: ClientFailure.self) { try admin.describeTopics([topic]) }
        #expect(gone?.codeName == "UNKNOWN_TOPIC_OR_PARTITION")
        admin.close()
    }

    @Test(arguments: CompressionKind.allCases)
    func `records of every codec arrive once and in order`(
        compression: CompressionKind
    ) async throws {
        try await withTopic("codec-\(compression)") { _, topic in
            let producer = Producer(
                ProducerConfiguration(
                    client: client, compression: compression, batchBytes: 32 << 10))
            for index in 0..<10_000 {
                try producer.enqueue(
                    ProducerRecord(
                        topic: topic, key: Array("key-\(index % 17)".utf8),
                        value: Array("{\"seq\":\(index),\"city\":\"Da Nang\"}".utf8),
                        headers: index % 100 == 0 ? [Header("n", [UInt8(index % 251)])] : []))
            }
            try await producer.close()
            #expect(producer.statistics.acknowledgedRecords == 10_000)
            let consumer = consumer()
            consumer.assign((0..<3).map { PartitionAddress(topic, $0) })
            let records = try await poll(consumer, atLeast: 10_000)
            #expect(records.count == 10_000)
            var next: [Int32: Int64] = [:]
            for record in records {
                #expect(record.offset == next[record.partition] ?? 0)
                next[record.partition] = record.offset + 1
            }
            #expect(Set(records.compactMap(\.valueText)).count == 10_000)
            await consumer.close()
        }
    }

    @Test func `offsets are found by time, and seeking goes there`() async throws {
        try await withTopic("time", partitions: 1) { admin, topic in
            let producer = Producer(ProducerConfiguration(client: client))
            let start = Int64(Date().timeIntervalSince1970 * 1000) - 100_000
            for index in 0..<100 {
                try producer.enqueue(
                    ProducerRecord(
                        topic: topic, value: Array("\(index)".utf8), partition: 0,
                        timestamp: start + Int64(index) * 1000))
            }
            try await producer.close()
            let place = PartitionAddress(topic, 0)
            let found = try admin.listOffsets([place: start + 41_500])
            #expect(found[place] == FoundOffset(offset: 42, timestamp: start + 42_000))
            #expect(try admin.listOffsets([place: start + 1_000_000])[place]?.offset == -1)
            let consumer = consumer()
            consumer.assign([place])
            try consumer.seek([place], toTimestamp: start + 89_999)
            #expect(try await poll(consumer, atLeast: 10).first?.valueText == "90")
            try consumer.seekToEnd([place])
            #expect(try consumer.positionBlocking(place) == 100)
            await consumer.close()
        }
    }

    @Test func `two members share the partitions, and one takes over`() async throws {
        try await withTopic("group", partitions: 4) { admin, topic in
            let group = freshName("g")
            let producer = Producer(ProducerConfiguration(client: client))
            func produce(_ range: Range<Int>) throws {
                for index in range {
                    try producer.enqueue(
                        ProducerRecord(
                            topic: topic, value: Array("\(index)".utf8),
                            partition: Int32(index % 4)))
                }
                try producer.flushBlocking()
            }
            try produce(0..<400)
            let first = consumer(group)
            let second = consumer(group, assignors: [.range, .roundRobin])
            try first.subscribe([topic])
            try second.subscribe([topic])
            var seen: [Int] = []
            let deadline = ContinuousClock.now + .seconds(40)
            while first.assignment.count != 2 || second.assignment.count != 2 || seen.count < 400 {
                try #require(
                    ContinuousClock.now < deadline,
                    "\(first.assignment) \(second.assignment) \(seen.count)")
                async let one = first.poll(timeout: .milliseconds(100))
                async let two = second.poll(timeout: .milliseconds(100))
                seen += try await (one + two).compactMap { Int($0.valueText ?? "") }
            }
            #expect(Set(seen) == Set(0..<400))
            let info = try admin.describeGroup(group)
            #expect(info.state == "Stable" && info.members.count == 2)
            #expect(info.members.flatMap(\.partitions).count == 4)
            try await first.commit()
            try await second.commit()
            let committed = try admin.committedOffsets(group)
            #expect(committed.values.map(\.offset) == [100, 100, 100, 100])

            await second.close()
            try produce(400..<800)
            seen = []
            while seen.count < 400 && ContinuousClock.now < deadline + .seconds(20) {
                seen += try await first.poll(timeout: .milliseconds(100))
                    .compactMap { Int($0.valueText ?? "") }
            }
            #expect(Set(seen) == Set(400..<800))
            #expect(first.assignment.count == 4)
            #expect(try admin.listGroups().contains { $0.groupId == group })
            await first.close()
            try admin.deleteGroup(group)
            #expect(try !admin.listGroups().contains { $0.groupId == group })
            try await producer.close()
        }
    }

    @Test func `many tasks send and each hears its offset`() async throws {
        try await withTopic("tasks", partitions: 2) { _, topic in
            let producer = Producer(ProducerConfiguration(client: client))
            let places = try await withThrowingTaskGroup(of: RecordMetadata.self) { tasks in
                for index in 0..<500 {
                    tasks.addTask {
                        try await producer.send(
                            ProducerRecord(topic: topic, key: "\(index)", value: "v"))
                    }
                }
                var places: Set<RecordMetadata> = []
                for try await place in tasks { places.insert(place) }
                return places
            }
            #expect(places.count == 500)
            for partition in Int32(0)..<2 {
                let offsets = places.filter { $0.partition.partition == partition }.map(\.offset)
                #expect(offsets.sorted() == Array(0..<Int64(offsets.count)))
            }
            try await producer.close()
        }
    }

    @Test func `a producer without acknowledgements still delivers`() async throws {
        try await withTopic("acks0", partitions: 1) { _, topic in
            let producer = Producer(
                ProducerConfiguration(client: client, acknowledgements: .none))
            for index in 0..<100 {
                try producer.enqueue(ProducerRecord(topic: topic, key: nil, value: "\(index)"))
            }
            try await producer.close()
            let consumer = consumer()
            consumer.assign([PartitionAddress(topic, 0)])
            #expect(try await poll(consumer, atLeast: 100).count == 100)
            await consumer.close()
        }
    }
}
