import Base
import Quorum
import Testing

@Suite struct MetadataTests {
    private static let samples: [MetadataRecord] = [
        .cluster(UUID128(high: 1, low: 2)),
        .topic(
            TopicMetadata(
                id: UUID128(high: 3, low: 4), name: "orders", partitionCount: 6,
                settings: ["retention.ms": "1000", "cleanup.policy": "compact"])),
        .topicRemoved(UUID128(high: 3, low: 4)),
        .producerIDsReserved(next: 3000),
        .object(name: "table/gold", content: Bytes(utf8: "{}")),
        .object(name: "empty", content: .empty),
        .objectRemoved(name: "table/gold"),
        .leaderEpoch(7),
        .settings(SettingsOwner(kind: 4, name: "1"), ["log.retention.ms": "1000"]),
        .settings(SettingsOwner(kind: 32, name: "g"), [:]),
        .acl(
            AclBinding(
                .topic, "pay.", patternType: .prefixed, principal: "User:alice",
                host: "10.0.0.1", operation: .read, permission: .deny)),
        .aclRemoved(
            AclBinding(.group, "*", principal: "User:*", operation: .all)),
        .credential(
            ScramCredentialKey(user: "alice", mechanism: .sha256),
            ScramCredential(
                salt: Bytes(utf8: "salt"), iterations: 4096,
                storedKey: Bytes([UInt8](repeating: 1, count: 32)),
                serverKey: Bytes([UInt8](repeating: 2, count: 32)))),
        .credentialRemoved(ScramCredentialKey(user: "alice", mechanism: .sha512)),
        .quotas(
            QuotaEntity(user: .named("alice"), clientID: .fallback),
            [.producerByteRate: 1024, .requestPercentage: 12.5]),
        .quotas(QuotaEntity(clientID: .named("x")), [:]),
    ]

    @Test func `every record comes back from its bytes`() throws {
        for record in Self.samples {
            let (key, value) = record.encoded()
            #expect(try MetadataRecord(key: key, value: value) == record)
        }
    }

    @Test func `unknown types and versions are refused with a reason`() throws {
        let (key, value) = MetadataRecord.cluster(.zero).encoded()
        var newer = try #require(value).array
        newer[0] = 2
        #expect(throws: DecodeFailure.self) { try MetadataRecord(key: key, value: Bytes(newer)) }
        do {
            _ = try MetadataRecord(key: Bytes([99]), value: value)
            Issue.record("type 99 was accepted")
        } catch {
            #expect(error.description.contains("type 99"))
        }
        #expect(throws: DecodeFailure.self) { try MetadataRecord(key: nil, value: value) }
        #expect(throws: DecodeFailure.self) { try MetadataRecord(key: key, value: nil) }
    }

    @Test func `damaged records are refused`() {
        var random = Random(seed: 3)
        for record in Self.samples {
            let (key, value) = record.encoded()
            guard let value else { continue }
            if case .object = record { continue }
            // All of it is in the key.
            if case .acl = record { continue }
            for count in 0..<value.count {
                #expect(throws: DecodeFailure.self) {
                    try MetadataRecord(key: key, value: value[0..<count])
                }
            }
            for _ in 0..<300 {
                var bytes = value.array
                bytes[random.below(bytes.count)] = UInt8(random.below(256))
                _ = try? MetadataRecord(key: key, value: Bytes(bytes))
            }
        }
    }

    @Test func `an image is what its records say, whoever applies them`() {
        var image = MetadataImage()
        let orders = TopicMetadata(id: UUID128(high: 0, low: 1), name: "a.b", partitionCount: 3)
        image.apply(.topic(orders))
        image.checkInvariants()
        #expect(image.topic("a.b") == orders)
        #expect(image.topic(id: orders.id) == orders)
        #expect(image.topicColliding(with: "a_b") == "a.b")
        #expect(image.topicColliding(with: "a.b") == nil)
        var wider = orders
        wider.partitionCount = 5
        image.apply(.topic(wider))
        #expect(image.partitionCount == 5)
        let again = TopicMetadata(id: UUID128(high: 0, low: 2), name: "a.b", partitionCount: 1)
        image.apply(.topic(again))
        image.checkInvariants()
        #expect(image.topic(id: orders.id) == nil)
        image.apply(.topicRemoved(orders.id))
        #expect(image.topic("a.b") == again)
        image.apply(.topicRemoved(again.id))
        image.checkInvariants()
        #expect(image.topics.isEmpty)
    }

    @Test func `objects are found by prefix and ids only rise`() {
        var image = MetadataImage()
        for name in ["b/2", "a/1", "b/1", "c"] {
            image.apply(.object(name: name, content: Bytes(utf8: name)))
        }
        #expect(image.objects(prefix: "b/").map(\.name) == ["b/1", "b/2"])
        #expect(image.objects(prefix: "").count == 4)
        image.apply(.objectRemoved(name: "b/1"))
        #expect(image.objects(prefix: "b/").map(\.name) == ["b/2"])
        image.apply(.producerIDsReserved(next: 2000))
        image.apply(.producerIDsReserved(next: 1000))
        #expect(image.nextProducerID == 2000)
        image.apply(.leaderEpoch(4))
        #expect(image.leaderEpoch == 4)
    }

    @Test func `a log that knows no replicas is that of the only node`() throws {
        // As nodes wrote it before partitions had states: topic `t` with two partitions, epoch 3.
        let id = UUID128(high: 1, low: 2)
        let written: [(key: [UInt8], value: [UInt8])] = [
            (
                [2] + [0, 0, 0, 0, 0, 0, 0, 1] + [0, 0, 0, 0, 0, 0, 0, 2],
                [1, 0, 1] + Array("t".utf8) + [0, 0, 0, 0, 2, 0, 0]
            ),
            ([5], [1, 0, 0, 0, 3]),
        ]
        var image = MetadataImage()
        image.soleNode = 7
        for (key, value) in written {
            let record = try MetadataRecord(key: Bytes(key), value: Bytes(value))
            image.apply(record)
            let again = record.encoded()
            #expect(again.key == Bytes(key) && again.value == Bytes(value), "and writes it still")
        }
        image.checkInvariants()
        let topic = try #require(image.topic(id: id))
        for partition: Int32 in 0...1 {
            let state = image.state(of: topic, partition)
            #expect(state.replicas == [7] && state.inSync == [7] && state.leader == 7)
            #expect(state.leaderEpoch == 3)
            #expect(image.leadership(of: topic, partition).epoch == 3)
        }
        image.apply(.partition(topic: id, 0, PartitionState(new: [2, 3])))
        #expect(image.state(of: topic, 0).leader == 2)
        #expect(image.state(of: topic, 1).leader == 7)
        image.apply(.topicRemoved(id))
        image.apply(.topic(topic))
        #expect(image.state(of: topic, 0).leader == 7, "states go with their topic")
    }
}
