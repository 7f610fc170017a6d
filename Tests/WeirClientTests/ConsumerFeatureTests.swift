import Base
import Testing
import WeirClient
import WireProtocol

/// What tests collect from callbacks on other threads.
final class Collected<Element: Sendable>: @unchecked Sendable {
    private let lock = Lock()
    private var elements: [Element] = []

    func add(_ element: Element) { lock.with { elements.append(element) } }
    var all: [Element] { lock.with { elements } }
}

/// Pause, callbacks, commits in the background and the asynchronous sequence.
@Suite struct ConsumerFeatureTests {
    private func configuration(_ broker: FakeBroker) -> ClientConfiguration {
        ClientConfiguration(
            bootstrapServers: [broker.address], connectTimeout: .seconds(5),
            requestTimeout: .seconds(5), retryTimeout: .seconds(5))
    }

    private func fill(_ broker: FakeBroker, _ count: Int, partitions: Int) throws {
        let producer = Producer(ProducerConfiguration(client: configuration(broker)))
        for index in 0..<count {
            try producer.enqueue(
                ProducerRecord(
                    topic: "t", value: Array("\(index)".utf8),
                    partition: Int32(index % partitions)))
        }
        try producer.closeBlocking()
    }

    private func drain(_ consumer: Consumer, count: Int) throws -> [ConsumedRecord] {
        var records: [ConsumedRecord] = []
        for _ in 0..<200 where records.count < count {
            records += try consumer.pollBlocking(timeout: .milliseconds(100))
        }
        return records
    }

    @Test func `a paused partition keeps its place until it is resumed`() throws {
        let broker = FakeBroker(defaultPartitions: 2)
        defer { broker.stop() }
        try fill(broker, 40, partitions: 2)
        let places = [PartitionAddress("t", 0), PartitionAddress("t", 1)]
        let consumer = Consumer(
            ConsumerConfiguration(
                client: configuration(broker), offsetReset: .earliest, maxPollRecords: 5))
        consumer.assign(places)
        try consumer.pause([places[1]])
        #expect(consumer.paused == [places[1]])
        let first = try drain(consumer, count: 20)
        #expect(first.map(\.partition).allSatisfy { $0 == 0 } && first.count == 20)
        #expect(try consumer.pollBlocking(timeout: .milliseconds(100)).isEmpty)
        try consumer.seek(places[1], to: 5)
        #expect(consumer.paused == [places[1]])
        try consumer.resume([places[1]])
        let rest = try drain(consumer, count: 15)
        #expect(rest.map(\.offset) == Array(5..<20) && rest.allSatisfy { $0.partition == 1 })
        #expect(throws: ClientFailure.self) { try consumer.pause([PartitionAddress("t", 9)]) }
        consumer.closeBlocking()
    }

    @Test func `what was fetched before a pause comes after it`() throws {
        let broker = FakeBroker(defaultPartitions: 1)
        defer { broker.stop() }
        try fill(broker, 30, partitions: 1)
        let place = PartitionAddress("t", 0)
        let consumer = Consumer(
            ConsumerConfiguration(
                client: configuration(broker), offsetReset: .earliest, maxPollRecords: 10))
        consumer.assign([place])
        #expect(try drain(consumer, count: 10).count == 10)
        try consumer.pause([place])
        #expect(try consumer.pollBlocking(timeout: .milliseconds(150)).isEmpty)
        #expect(try consumer.positionBlocking(place) == 10)
        try consumer.resume([place])
        #expect(try drain(consumer, count: 20).map(\.offset) == Array(10..<30))
        consumer.closeBlocking()
    }

    @Test func `a member hears what comes and goes, and may seek and commit then`() throws {
        let broker = FakeBroker(defaultPartitions: 2)
        defer { broker.stop() }
        try fill(broker, 20, partitions: 2)
        let places = [PartitionAddress("t", 0), PartitionAddress("t", 1)]
        let events = Collected<RebalanceEvent>()
        let consumer = Consumer(
            ConsumerConfiguration(
                client: configuration(broker), groupId: "g", offsetReset: .earliest,
                commitsAutomatically: false,
                onRebalance: { event, context in
                    events.add(event)
                    do {
                        switch event {
                        case .assigned: try context.seek(PartitionAddress("t", 1), to: 8)
                        case .revoked: try context.commit()
                        case .lost: break
                        }
                    } catch {
                        Issue.record(error)
                    }
                }))
        try consumer.subscribe(["t"])
        let records = try drain(consumer, count: 12)
        #expect(records.filter { $0.partition == 1 }.map(\.offset) == [8, 9])
        #expect(records.count == 12)
        #expect(events.all == [.assigned(places)])
        consumer.closeBlocking()
        #expect(events.all == [.assigned(places), .revoked(places)])
        let other = Consumer(ConsumerConfiguration(client: configuration(broker), groupId: "g"))
        other.assign(places)
        #expect(try other.positionBlocking(places[0]) == 10)
        #expect(try other.positionBlocking(places[1]) == 10)
        other.closeBlocking()
    }

    @Test func `commits in the background are made in order and reported`() throws {
        let broker = FakeBroker(defaultPartitions: 1)
        defer { broker.stop() }
        try fill(broker, 10, partitions: 1)
        let place = PartitionAddress("t", 0)
        let consumer = Consumer(
            ConsumerConfiguration(
                client: configuration(broker), groupId: "g", offsetReset: .earliest,
                commitsAutomatically: false))
        consumer.assign([place])
        #expect(try drain(consumer, count: 10).count == 10)
        let done = Collected<ClientFailure?>()
        for offset in Int64(1)...20 {
            try consumer.commitInBackground([place: CommittedOffset(offset)]) { done.add($0) }
        }
        try consumer.commitInBackground { done.add($0) }
        for _ in 0..<500 where done.all.count < 21 { sleepMilliseconds(10) }
        #expect(done.all == Array(repeating: nil, count: 21))
        let other = Consumer(ConsumerConfiguration(client: configuration(broker), groupId: "g"))
        other.assign([place])
        #expect(try other.positionBlocking(place) == 10)
        other.closeBlocking()
        consumer.closeBlocking()
    }

    @Test func `batches come as an asynchronous sequence that ends with the consumer`()
        async throws
    {
        let broker = FakeBroker(defaultPartitions: 1)
        defer { broker.stop() }
        try fill(broker, 100, partitions: 1)
        let consumer = Consumer(
            ConsumerConfiguration(
                client: configuration(broker), offsetReset: .earliest, maxPollRecords: 30))
        consumer.assign([PartitionAddress("t", 0)])
        var offsets: [Int64] = []
        for try await batch in consumer.batches() {
            #expect(!batch.isEmpty && batch.count <= 30)
            offsets += batch.map(\.offset)
            if offsets.count == 100 { await consumer.close() }
        }
        #expect(offsets == Array(0..<100))
    }

    @Test func `a cancelled task ends the sequence`() async throws {
        let broker = FakeBroker(defaultPartitions: 1)
        defer { broker.stop() }
        try fill(broker, 5, partitions: 1)
        let consumer = Consumer(
            ConsumerConfiguration(client: configuration(broker), offsetReset: .earliest))
        consumer.assign([PartitionAddress("t", 0)])
        let reading = Task {
            var count = 0
            for try await batch in consumer.batches() { count += batch.count }
            return count
        }
        try await Task.sleep(for: .milliseconds(700))
        reading.cancel()
        #expect(try await reading.value == 5)
        await consumer.close()
    }
}
