import Base
import Foundation
import Testing
import WeirClient

private let realBroker = ProcessInfo.processInfo.environment["WEIR_TEST_BROKER"]

/// Transactions and the consumer protocol against a running broker; see `RealBrokerTests`.
@Suite(.enabled(if: realBroker != nil, "WEIR_TEST_BROKER is not set"), .serialized)
struct RealTransactionTests {
    private let client = ClientConfiguration(
        bootstrapServers: [realBroker ?? ""], clientId: "client-check",
        requestTimeout: .seconds(20), retryTimeout: .seconds(20))

    private func freshName(_ base: String) -> String {
        base + "-" + String(UInt64.random(in: 0 ... .max), radix: 36)
    }

    private func withTopics(
        _ count: Int, partitions: Int32 = 2, _ body: ([String], Admin) async throws -> Void
    ) async throws {
        let admin = Admin(client)
        let topics = (0..<count).map { freshName("tx\($0)") }
        for topic in topics { try admin.createTopic(NewTopic(topic, partitions: partitions)) }
        try await body(topics, admin)
        for topic in topics { try admin.deleteTopic(topic) }
        admin.close()
    }

    private func producer(_ id: String) -> Producer {
        Producer(
            ProducerConfiguration(
                client: client, linger: .milliseconds(1), deliveryTimeout: .seconds(20),
                transactionalId: id))
    }

    private func values(
        _ topic: String, partitions: Int32 = 2, _ isolation: IsolationLevel
    ) async throws -> [String] {
        let consumer = Consumer(
            ConsumerConfiguration(
                client: client, offsetReset: .earliest, isolationLevel: isolation,
                fetchMaxWait: .milliseconds(100)))
        consumer.assign((0..<partitions).map { PartitionAddress(topic, $0) })
        var found: [String] = []
        var quiet = 0
        while quiet < 4 {
            let records = try await consumer.poll(timeout: .milliseconds(250))
            quiet = records.isEmpty ? quiet + 1 : 0
            found += records.compactMap(\.valueText)
        }
        await consumer.close()
        return found
    }

    private func record(_ topic: String, _ value: String, _ partition: Int32) -> ProducerRecord {
        ProducerRecord(topic: topic, value: Array(value.utf8), partition: partition)
    }

    @Test func `committed records are seen, aborted ones are not`() async throws {
        try await withTopics(1) { topics, _ in
            let topic = topics[0]
            let producer = producer(freshName("id"))
            try await producer.initTransactions()
            for round in 0..<6 {
                try producer.beginTransaction()
                for index in 0..<20 {
                    try producer.enqueue(record(topic, "\(round)-\(index)", Int32(index % 2)))
                }
                // Some of it is on the broker before it is taken back.
                if round % 4 == 1 { try await producer.flush() }
                if round % 2 == 0 {
                    try await producer.commitTransaction()
                } else {
                    try await producer.abortTransaction()
                }
            }
            // A transaction of nothing.
            try producer.beginTransaction()
            try await producer.commitTransaction()
            try await producer.close()
            let seen = try await values(topic, .readCommitted)
            let expected = [0, 2, 4].flatMap { round in (0..<20).map { "\(round)-\($0)" } }
            #expect(seen.sorted() == expected.sorted())
            #expect(try await values(topic, .readUncommitted).count >= 60)
        }
    }

    @Test func `an open transaction holds readers of committed records back`() async throws {
        try await withTopics(1, partitions: 1) { topics, _ in
            let topic = topics[0]
            let producer = producer(freshName("id"))
            try await producer.initTransactions()
            try producer.beginTransaction()
            _ = try await producer.send(record(topic, "open", 0))
            #expect(try await values(topic, partitions: 1, .readCommitted).isEmpty)
            #expect(try await values(topic, partitions: 1, .readUncommitted) == ["open"])
            try await producer.commitTransaction()
            #expect(try await values(topic, partitions: 1, .readCommitted) == ["open"])
            try await producer.close()
        }
    }

    @Test func `a younger producer fences the older one off`() async throws {
        try await withTopics(1, partitions: 1) { topics, _ in
            let topic = topics[0]
            let id = freshName("id")
            let old = producer(id)
            try await old.initTransactions()
            try old.beginTransaction()
            _ = try await old.send(record(topic, "left open", 0))
            let young = producer(id)
            try await young.initTransactions()
            let failure = await #expect(throws: ClientFailure.self) {
                _ = try await old.send(record(topic, "too late", 0))
                try await old.commitTransaction()
            }
            #expect(failure?.isRetriable == false)
            try young.beginTransaction()
            _ = try await young.send(record(topic, "young", 0))
            try await young.commitTransaction()
            try await young.close()
            try? await old.close()
            #expect(try await values(topic, partitions: 1, .readCommitted) == ["young"])
        }
    }

    @Test func `what is read, changed and written happens exactly once`() async throws {
        try await withTopics(2) { topics, admin in
            let (source, target) = (topics[0], topics[1])
            let group = freshName("g")
            let filling = Producer(ProducerConfiguration(client: client))
            for index in 0..<300 {
                try filling.enqueue(record(source, "\(index)", Int32(index % 2)))
            }
            try await filling.close()
            let id = freshName("id")
            // Each round a new process takes over; every other one fails on the way.
            for round in 0..<8 {
                let producer = producer(id)
                try await producer.initTransactions()
                let consumer = Consumer(
                    ConsumerConfiguration(
                        client: client, groupId: group, offsetReset: .earliest,
                        commitsAutomatically: false, isolationLevel: .readCommitted,
                        maxPollRecords: 50, fetchMaxWait: .milliseconds(100)))
                consumer.assign([PartitionAddress(source, 0), PartitionAddress(source, 1)])
                for _ in 0..<3 {
                    let records = try await consumer.poll(timeout: .seconds(1))
                    if records.isEmpty { break }
                    try producer.beginTransaction()
                    var offsets: [PartitionAddress: CommittedOffset] = [:]
                    for one in records {
                        let value = "copy of " + (one.valueText ?? "")
                        try producer.enqueue(record(target, value, one.partition))
                        offsets[PartitionAddress(one.topic, one.partition)] =
                            CommittedOffset(one.offset + 1)
                    }
                    try await producer.sendOffsetsToTransaction(
                        offsets, group: try consumer.groupMetadata())
                    if round % 2 == 1 {
                        try await producer.abortTransaction()
                        break
                    }
                    try await producer.commitTransaction()
                }
                await consumer.close()
                try await producer.close()
            }
            let copies = try await values(target, .readCommitted)
            #expect(copies.sorted() == (0..<300).map { "copy of \($0)" }.sorted())
            let committed = try admin.committedOffsets(group)
            #expect(committed.values.map(\.offset) == [150, 150])
        }
    }

    @Test func `misuse is told before anything is sent`() async throws {
        let plain = Producer(ProducerConfiguration(client: client))
        await #expect(throws: ClientFailure.self) { try await plain.initTransactions() }
        try await plain.close()
        let producer = producer(freshName("id"))
        #expect(throws: ClientFailure.self) { try producer.beginTransaction() }
        try await producer.initTransactions()
        await #expect(throws: ClientFailure.self) { try await producer.commitTransaction() }
        await #expect(throws: ClientFailure.self) { try await producer.abortTransaction() }
        #expect(throws: ClientFailure.self) {
            try producer.enqueue(record("any", "outside", 0))
        }
        try producer.beginTransaction()
        #expect(throws: ClientFailure.self) { try producer.beginTransaction() }
        try await producer.abortTransaction()
        try await producer.close()
    }

    // MARK: The consumer protocol

    private func member(_ group: String, _ events: Collected<RebalanceEvent>) -> Consumer {
        Consumer(
            ConsumerConfiguration(
                client: client, groupId: group, offsetReset: .earliest,
                autoCommitInterval: .milliseconds(200), fetchMaxWait: .milliseconds(100),
                groupProtocol: .consumer, onRebalance: { event, _ in events.add(event) }))
    }

    @Test func `two members share partitions by the consumer protocol, and one takes over`()
        async throws
    {
        try await withTopics(1, partitions: 4) { topics, _ in
            let topic = topics[0]
            let group = freshName("g848")
            let producer = Producer(ProducerConfiguration(client: client))
            func produce(_ range: Range<Int>) throws {
                for index in range {
                    try producer.enqueue(record(topic, "\(index)", Int32(index % 4)))
                }
                try producer.flushBlocking()
            }
            try produce(0..<200)
            let (heardFirst, heardSecond) = (
                Collected<RebalanceEvent>(), Collected<RebalanceEvent>()
            )
            let first = member(group, heardFirst)
            try first.subscribe([topic])
            var seen: [Int] = []
            let deadline = ContinuousClock.now + .seconds(60)
            while seen.count < 200 && ContinuousClock.now < deadline {
                seen += try await first.poll(timeout: .milliseconds(100))
                    .compactMap { Int($0.valueText ?? "") }
            }
            #expect(Set(seen) == Set(0..<200) && first.assignment.count == 4)
            let second = member(group, heardSecond)
            try second.subscribe([topic])
            while first.assignment.count != 2 || second.assignment.count != 2 {
                try #require(
                    ContinuousClock.now < deadline, "\(first.assignment) \(second.assignment)")
                async let one = first.poll(timeout: .milliseconds(100))
                async let two = second.poll(timeout: .milliseconds(100))
                seen += try await (one + two).compactMap { Int($0.valueText ?? "") }
            }
            // What stayed was not interrupted: only two partitions were given up.
            let revoked = heardFirst.all.flatMap { event -> [PartitionAddress] in
                if case .revoked(let gone) = event { gone } else { [] }
            }
            #expect(revoked.count == 2 && Set(revoked) == Set(second.assignment))
            try produce(200..<400)
            while Set(seen) != Set(0..<400) && ContinuousClock.now < deadline {
                async let one = first.poll(timeout: .milliseconds(100))
                async let two = second.poll(timeout: .milliseconds(100))
                seen += try await (one + two).compactMap { Int($0.valueText ?? "") }
            }
            #expect(seen.sorted() == Array(0..<400))
            await second.close()
            try produce(400..<600)
            while Set(seen) != Set(0..<600) && ContinuousClock.now < deadline + .seconds(30) {
                seen += try await first.poll(timeout: .milliseconds(100))
                    .compactMap { Int($0.valueText ?? "") }
            }
            #expect(seen.sorted() == Array(0..<600))
            #expect(first.assignment.count == 4)
            await first.close()
            try await producer.close()
        }
    }
}
