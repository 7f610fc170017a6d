import Base
import Node
import Quorum
import Security
import Testing
import WireProtocol

@Suite struct QuotaTests {
    private func set(
        _ node: inout NodeHarness, _ key: String, _ value: Double, user: String? = nil,
        clientID: String? = nil, isDefault: Bool = false, remove: Bool = false
    ) throws {
        var entity: [AlterClientQuotasRequest.EntryData.EntityData] = []
        if let user { entity.append(.init(entityType: "user", entityName: user)) }
        if let clientID { entity.append(.init(entityType: "client-id", entityName: clientID)) }
        if isDefault { entity.append(.init(entityType: "client-id", entityName: nil)) }
        let response = try node.call(
            AlterClientQuotasRequest(entries: [
                .init(entity: entity, ops: [.init(key: key, value: value, remove: remove)])
            ]), version: 1)
        #expect(response.entries.map(\.errorCode) == [.none])
    }

    private func produce(
        _ node: inout NodeHarness, _ id: ConnectionID, bytes: Int
    ) throws -> Int32 {
        let value = String(repeating: "x", count: bytes)
        return try node.call(
            node.produceRequest("t", 0, batch([value], node.milliseconds)), version: 9, on: id
        ).throttleTimeMs
    }

    @Test func `who produces too fast is told to wait, and is not read meanwhile`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = node.connect()
        #expect(try produce(&node, id, bytes: 100_000) == 0)
        try set(&node, "producer_byte_rate", 1000, clientID: "test")
        // Ten seconds' worth is free.
        #expect(try produce(&node, id, bytes: 5000) == 0)
        #expect(node.paused[id.value] == nil)
        let wait = try produce(&node, id, bytes: 10_000)
        // 15,200 bytes or so at 1,000 a second take 5 seconds longer than the window of 10.
        #expect((4800...5600).contains(wait))
        #expect(
            node.paused[id.value]
                == Instant(nanoseconds: node.now.monotonic.nanoseconds + Int64(wait) * 1_000_000))
        // After the window everything is forgotten.
        node.advance(12_000)
        #expect(try produce(&node, id, bytes: 100) == 0)
        try set(&node, "producer_byte_rate", 0, clientID: "test", remove: true)
        #expect(try produce(&node, id, bytes: 500_000) == 0)
    }

    @Test func `who fetches too fast gets the records and waits`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = node.connect()
        _ = try produce(&node, id, bytes: 50_000)
        try set(&node, "consumer_byte_rate", 1000, isDefault: true)
        let response = try node.call(
            node.fetchRequest("t", from: 0, maxBytes: 1 << 20), version: 11, on: id)
        #expect(response.responses[0].partitions[0].records.count > 0)
        #expect((39_000...41_000).contains(response.throttleTimeMs))
        #expect(node.paused[id.value] != nil)
    }

    @Test func `who takes too much of the time waits before the next request`() throws {
        var node = try NodeHarness()
        #expect(!node.node.measuresRequests)
        try set(&node, "request_percentage", 1, clientID: "test")
        #expect(node.node.measuresRequests)
        let id = node.connect()
        _ = try node.call(MetadataRequest(topics: []), version: 9, on: id)
        func took(_ milliseconds: Int64) -> [NodeEffect] {
            var effects: [NodeEffect] = []
            node.node.requestTook(
                .milliseconds(milliseconds), of: id, now: node.now, into: &effects)
            return effects
        }
        // One percent of ten seconds is free.
        #expect(took(90).isEmpty)
        guard case .pause(let paused, let until)? = took(20).first else {
            Issue.record("110 ms in ten seconds are more than one percent")
            return
        }
        #expect(paused == id)
        #expect(until.nanoseconds - node.now.monotonic.nanoseconds <= 1_000_000_000)
        try set(&node, "request_percentage", 0, clientID: "test", remove: true)
        #expect(!node.node.measuresRequests)
    }

    @Test func `the most special quota counts, and is shared by whom it is for`() {
        var meters = QuotaMeters()
        let kind = QuotaKind.producerByteRate
        let quotas: OrderedMap<QuotaEntity, OrderedMap<QuotaKind, Double>> = [
            QuotaEntity(user: .named("alice")): [kind: 100],
            QuotaEntity(user: .named("alice"), clientID: .named("fast")): [kind: 1_000_000],
            QuotaEntity(user: .fallback): [kind: 10],
            QuotaEntity(clientID: .named("slow")): [kind: 1],
        ]
        func wait(_ user: String, _ client: String, _ amount: Double) -> Int64 {
            meters.record(
                kind, amount, user: user, clientID: client, quotas: quotas,
                now: Instant(nanoseconds: 5_000_000_000)
            ).wholeMilliseconds
        }
        #expect(wait("alice", "a", 900) == 0)
        // The same user by another client id: one meter.
        #expect(wait("alice", "b", 200) == 1000)
        #expect(wait("alice", "fast", 9_000_000) == 0)
        // Everybody else has a meter of his own.
        #expect(wait("bob", "slow", 100) == 0)
        #expect(wait("carl", "x", 100) == 0)
        #expect(wait("bob", "y", 10) == 1000)
    }

    @Test func `changes beyond the quota are refused, and possible again later`() throws {
        var node = try NodeHarness()
        try set(&node, "controller_mutation_rate", 1, clientID: "test")
        let id = node.connect()
        func create(_ name: String, _ partitions: Int32, version: Int16 = 7) throws
            -> CreateTopicsResponse
        {
            try node.call(
                CreateTopicsRequest(topics: [
                    .init(name: name, numPartitions: partitions, replicationFactor: 1)
                ]), version: version, on: id)
        }
        // Eleven at once are free, and one change may overdraw.
        #expect(try create("a", 10).throttleTimeMs == 0)
        #expect(try create("b", 5).topics[0].errorCode == .none)
        let refused = try create("c", 1)
        #expect(refused.topics[0].errorCode == .throttlingQuotaExceeded)
        #expect((3900...4000).contains(refused.throttleTimeMs))
        #expect(node.paused[id.value] != nil)
        let deleted = try node.call(
            DeleteTopicsRequest(topicNames: ["a"]), version: 5, on: id)
        #expect(deleted.responses[0].errorCode == .throttlingQuotaExceeded)
        let grown = try node.call(
            CreatePartitionsRequest(topics: [.init(name: "a", count: 11, assignments: nil)]),
            version: 3, on: id)
        #expect(grown.results[0].errorCode == .throttlingQuotaExceeded)
        // Clients of before are slowed down only.
        let old = try create("d", 1, version: 5)
        #expect(old.topics[0].errorCode == .none)
        #expect(old.throttleTimeMs > 0)
        node.advance(20_000)
        #expect(try create("c", 1).topics[0].errorCode == .none)
    }

    @Test func `quotas are listed by what they are for, and outlive a restart`() throws {
        var node = try NodeHarness()
        try set(&node, "producer_byte_rate", 1000, user: "alice")
        try set(&node, "consumer_byte_rate", 2000, user: "alice")
        try set(&node, "request_percentage", 12.5, user: "alice", clientID: "c")
        try set(&node, "producer_byte_rate", 3000, isDefault: true)
        try node.restart()
        func list(
            _ components: [DescribeClientQuotasRequest.ComponentData], strict: Bool = false
        ) throws -> [String] {
            let response = try node.call(
                DescribeClientQuotasRequest(components: components, strict: strict), version: 1)
            #expect(response.errorCode == .none)
            return (response.entries ?? []).map { entry in
                entry.entity.map { "\($0.entityType)=\($0.entityName ?? "*")" }
                    .joined(separator: ",") + " "
                    + entry.values.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
            }
        }
        let alice = "user=alice producer_byte_rate=1000.0,consumer_byte_rate=2000.0"
        let both = "user=alice,client-id=c request_percentage=12.5"
        let fallback = "client-id=* producer_byte_rate=3000.0"
        #expect(try Set(list([])) == [alice, both, fallback])
        #expect(
            try list([.init(entityType: "user", matchType: 0, match: "alice")]) == [alice, both])
        #expect(
            try list([.init(entityType: "user", matchType: 0, match: "alice")], strict: true)
                == [alice])
        #expect(
            try list([.init(entityType: "client-id", matchType: 1, match: nil)]) == [fallback])
        #expect(
            try Set(list([.init(entityType: "client-id", matchType: 2, match: nil)]))
                == [both, fallback])
        #expect(try list([.init(entityType: "ip", matchType: 2, match: nil)]).isEmpty)
        for wrong in [
            [.init(entityType: "user", matchType: 0, match: nil)],
            [.init(entityType: "user", matchType: 7, match: nil)],
            [.init(entityType: "", matchType: 2, match: nil)],
            [
                .init(entityType: "user", matchType: 2, match: nil),
                .init(entityType: "user", matchType: 2, match: nil),
            ],
        ] as [[DescribeClientQuotasRequest.ComponentData]] {
            let response = try node.call(
                DescribeClientQuotasRequest(components: wrong), version: 1)
            #expect(response.errorCode == .invalidRequest)
            #expect(response.entries == nil)
        }
    }

    @Test func `quotas that make no sense are refused alone`() throws {
        var node = try NodeHarness()
        typealias Entry = AlterClientQuotasRequest.EntryData
        func entry(
            _ entity: [(String, String?)], _ key: String = "producer_byte_rate",
            _ value: Double = 1
        ) -> Entry {
            Entry(
                entity: entity.map { .init(entityType: $0.0, entityName: $0.1) },
                ops: [.init(key: key, value: value)])
        }
        let wrong = [
            entry([]), entry([("user", "a"), ("user", "b")]), entry([("ip", "1.2.3.4")]),
            entry([("group", "a")]), entry([("user", "")]), entry([("user", "a")], "unknown"),
            entry([("user", "b")], "producer_byte_rate", 0),
            entry([("user", "c")], "producer_byte_rate", -1),
            entry([("user", "d")], "producer_byte_rate", 1.5),
            entry([("user", "e")], "producer_byte_rate", .nan),
            entry([("user", "f")], "consumer_byte_rate", .infinity),
        ]
        let response = try node.call(
            AlterClientQuotasRequest(entries: wrong + [entry([("user", "g")])]), version: 1)
        #expect(
            response.entries.map(\.errorCode)
                == wrong.map { _ in ErrorCode.invalidRequest } + [.none])
        let listed = try node.call(DescribeClientQuotasRequest(), version: 1)
        #expect(listed.entries?.count == 1)
    }
}
