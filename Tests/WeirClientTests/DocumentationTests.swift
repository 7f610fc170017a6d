import Base
import Foundation
import Testing
import WeirClient

/// The examples of the articles, as code that compiles. `DocumentationTests` checks that each
/// example of an article stands here.
private enum Examples {
    static func producing(_ client: ClientConfiguration) async throws {
        let producer = Producer(ProducerConfiguration(client: client, compression: .zstd))
        let place = try await producer.send(
            ProducerRecord(topic: "orders", key: "order-17", value: "{\"total\": 12}"))
        print("stored at \(place.partition), offset \(place.offset)")
        try await producer.close()
    }

    static func many(_ producer: Producer) async throws {
        for number in 0..<1_000_000 {
            try producer.enqueue(ProducerRecord(topic: "numbers", key: nil, value: "\(number)"))
        }
        try await producer.flush()
    }

    static func alone(_ client: ClientConfiguration) async throws {
        let reader = Consumer(ConsumerConfiguration(client: client, offsetReset: .earliest))
        reader.assign([PartitionAddress("orders", 0)])
        for record in try await reader.poll(timeout: .seconds(1)) {
            print(record.offset, record.keyText ?? "-", record.valueText ?? "-")
        }
        await reader.close()
    }

    static func member(_ client: ClientConfiguration) async throws {
        let member = Consumer(
            ConsumerConfiguration(
                client: client, groupId: "billing", offsetReset: .earliest,
                groupProtocol: .consumer,
                onRebalance: { event, context in
                    if case .revoked = event { try? context.commit() }
                }))
        try member.subscribe(["orders"])
        for try await batch in member.batches() {
            for record in batch { print(record.valueText ?? "") }
        }
    }

    static func transaction(_ client: ClientConfiguration, _ source: Consumer) async throws {
        let transfers = Producer(
            ProducerConfiguration(client: client, transactionalId: "transfers-1"))
        try await transfers.initTransactions()
        try await transfers.inTransaction { producer in
            try producer.enqueue(ProducerRecord(topic: "debits", key: "a", value: "10"))
            try producer.enqueue(ProducerRecord(topic: "credits", key: "b", value: "10"))
        }

        try transfers.beginTransaction()
        var offsets: [PartitionAddress: CommittedOffset] = [:]
        for record in try await source.poll(timeout: .seconds(1)) {
            try transfers.enqueue(
                ProducerRecord(topic: "copies", key: record.keyText, value: record.valueText ?? ""))
            let partition = PartitionAddress(record.topic, record.partition)
            offsets[partition] = CommittedOffset(record.offset + 1)
        }
        try await transfers.sendOffsetsToTransaction(offsets, group: try source.groupMetadata())
        try await transfers.commitTransaction()
    }

    static func sharing(_ client: ClientConfiguration) async throws {
        let worker = ShareConsumer(
            ShareConsumerConfiguration(
                client: client, groupId: "jobs", acknowledgementMode: .explicit))
        worker.subscribe(["orders"])
        for job in try await worker.poll(timeout: .seconds(1)) {
            try worker.acknowledge(job, job.deliveryCount < 3 ? .accept : .reject)
        }
        for result in try await worker.commit() where result.failure != nil {
            print("\(result.partition): may come again")
        }
        await worker.close()
    }
}

@Suite struct DocumentationTests {
    @Test func `every example of an article is code that compiles`() throws {
        let here = URL(fileURLWithPath: #filePath)
        let root = here.deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let catalog = root.appendingPathComponent("Sources/Wire/Client/WeirClient.docc")
        let source = Self.plain(try String(contentsOf: here, encoding: .utf8))
        let articles = try FileManager.default.contentsOfDirectory(atPath: catalog.path).sorted()
            .filter { $0.hasSuffix(".md") }
        var examples = 0
        for article in articles {
            let text = try String(
                contentsOf: catalog.appendingPathComponent(article), encoding: .utf8)
            for block in text.components(separatedBy: "```swift\n").dropFirst() {
                let example = Self.plain(block.components(separatedBy: "```")[0])
                #expect(source.contains(example), "\(article): \(example)")
                examples += 1
            }
        }
        #expect(examples >= 6)
    }

    /// Without indentation and line breaks.
    private static func plain(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
