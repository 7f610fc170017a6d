import Base
import Foundation
import Node
import Runtime
import Testing
import WeirClient

/// Our share consumer against our broker, over sockets.
@Suite(.serialized) struct ShareConsumerTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private struct Setting {
        var service: BrokerService
        var client: ClientConfiguration
        var admin: Admin
    }

    private func start() throws -> Setting {
        var settings = ServerSettings()
        try settings.set("group.share.heartbeat.interval.ms", "100")
        let service = try BrokerService(
            data: directory.path + "/data", listening: HostPort(host: "127.0.0.1", port: 0),
            settings: settings, diagnostics: SilentDiagnostics())
        let address = try #require(service.listeners.first?.split(separator: "/").last)
        let client = ClientConfiguration(
            bootstrapServers: [String(address)], requestTimeout: .seconds(10),
            retryTimeout: .seconds(5))
        return Setting(service: service, client: client, admin: Admin(client))
    }

    private func fill(
        _ setting: Setting, _ topic: String, _ count: Int, partitions: Int32 = 2
    ) async throws {
        try setting.admin.createTopic(NewTopic(topic, partitions: partitions))
        try setting.admin.alterConfigs(
            of: .group("g"), ["share.auto.offset.reset": .set("earliest")])
        let producer = Producer(ProducerConfiguration(client: setting.client))
        for number in 0..<count {
            try producer.enqueue(
                ProducerRecord(
                    topic: topic, value: Array("\(number)".utf8),
                    partition: Int32(number) % partitions))
        }
        try await producer.flush()
        try await producer.close()
    }

    private func consumer(
        _ setting: Setting, _ mode: ShareConsumerConfiguration.AcknowledgementMode = .explicit,
        maxPollRecords: Int = 500, limitsRecords: Bool = false
    ) -> ShareConsumer {
        let consumer = ShareConsumer(
            ShareConsumerConfiguration(
                client: setting.client, groupId: "g", acknowledgementMode: mode,
                maxPollRecords: maxPollRecords, limitsRecords: limitsRecords,
                fetchMaxWait: .milliseconds(100)))
        consumer.subscribe(["t"])
        return consumer
    }

    private func poll(_ consumer: ShareConsumer, atLeast count: Int) async throws -> [ShareRecord] {
        var records: [ShareRecord] = []
        let deadline = ContinuousClock.now + .seconds(20)
        while records.count < count, ContinuousClock.now < deadline {
            let more = try await consumer.poll(timeout: .milliseconds(200))
            records += more
            if records.count < count {
                for record in more { try consumer.acknowledge(record) }
            }
        }
        return records
    }

    @Test func `in implicit mode the next poll accepts what the last returned`() async throws {
        let setting = try start()
        defer { _ = setting.service.stop() }
        try await fill(setting, "t", 100)
        let consumer = consumer(setting, .implicit)
        var seen: Set<String> = []
        let deadline = ContinuousClock.now + .seconds(20)
        while seen.count < 100, ContinuousClock.now < deadline {
            for record in try await consumer.poll(timeout: .milliseconds(200)) {
                #expect(record.deliveryCount == 1)
                #expect(seen.insert(record.valueText ?? "").inserted)
            }
        }
        #expect(seen.count == 100)
        let results = try await consumer.commit()
        #expect(results.allSatisfy { $0.failure == nil })
        await consumer.close()
        let offsets = try setting.admin.shareOffsets("g")
        #expect(offsets.values.map(\.lag) == [0, 0])
        #expect(try setting.admin.listGroups().map(\.type) == ["share"])
        #expect(try setting.admin.describeGroup("g").protocolType == "share")
        setting.admin.close()
    }

    @Test func `records are accepted, given back, given up and kept for longer`() async throws {
        let setting = try start()
        defer { _ = setting.service.stop() }
        try await fill(setting, "t", 8)
        let consumer = consumer(setting)
        let first = try await poll(consumer, atLeast: 8)
        #expect(first.count == 8)
        await #expect(throws: ClientFailure.self) {
            try await consumer.poll(timeout: .milliseconds(10))
        }
        let mine = first.sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
        for record in mine {
            try consumer.acknowledge(
                record, [.accept, .release, .reject, .renew][Int(record.offset) % 4])
        }
        let results = try await consumer.commit()
        #expect(results.allSatisfy { $0.failure == nil })
        // What was renewed is still to be acknowledged.
        for record in mine where record.offset % 4 == 3 { try consumer.acknowledge(record) }
        #expect(try await consumer.commit().allSatisfy { $0.failure == nil })
        let again = try await poll(consumer, atLeast: 2)
        #expect(again.map(\.offset) == [1, 1])
        #expect(again.map(\.deliveryCount) == [2, 2])
        for record in again { try consumer.acknowledge(record) }
        await consumer.close()
        #expect(try setting.admin.shareOffsets("g").values.map(\.lag) == [0, 0])
        setting.admin.close()
    }

    @Test func `members share, and what one gives back the other gets`() async throws {
        let setting = try start()
        defer { _ = setting.service.stop() }
        // Each member reads the one partition.
        try await fill(setting, "t", 200, partitions: 1)
        let first = consumer(setting, maxPollRecords: 10, limitsRecords: true)
        let held = try await poll(first, atLeast: 1)
        #expect(!held.isEmpty)
        let second = consumer(setting, .implicit)
        var seen: Set<String> = []
        let deadline = ContinuousClock.now + .seconds(20)
        // It has used nothing of what it was given.
        await first.close()
        while seen.count < 200, ContinuousClock.now < deadline {
            for record in try await second.poll(timeout: .milliseconds(200)) {
                seen.insert("\(record.partition)/\(record.offset)")
            }
        }
        #expect(seen.count == 200)
        await second.close()
        #expect(try setting.admin.shareOffsets("g").values.map(\.lag) == [0])
        setting.admin.close()
    }

    @Test func `operators move share groups`() async throws {
        let setting = try start()
        defer { _ = setting.service.stop() }
        try await fill(setting, "t", 10)
        let admin = setting.admin
        try admin.setShareOffsets("g", [PartitionAddress("t", 0): 3])
        #expect(try admin.shareOffsets("g")[PartitionAddress("t", 0)]?.startOffset == 3)
        #expect(throws: ClientFailure.self) {
            try admin.setShareOffsets("g", [PartitionAddress("t", 0): 99])
        }
        try admin.deleteShareOffsets("g", ["t"])
        #expect(try admin.shareOffsets("g").isEmpty)
        #expect(throws: ClientFailure.self) { try admin.deleteShareOffsets("none", ["t"]) }
        try admin.deleteGroup("g")
        #expect(try admin.listGroups().isEmpty)
        admin.close()
    }
}
