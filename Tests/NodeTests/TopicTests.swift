import Base
import Node
import Testing
import WireProtocol

@Suite struct TopicTests {
    private func create(
        _ topics: [CreateTopicsRequest.CreatableTopic], validateOnly: Bool = false,
        _ node: inout NodeHarness
    ) throws -> [CreateTopicsResponse.CreatableTopicResult] {
        try node.call(
            CreateTopicsRequest(topics: topics, validateOnly: validateOnly), version: 7
        ).topics
    }

    @Test func `each topic of a request is judged on its own`() throws {
        var node = try NodeHarness { $0.partitionsMax = 100 }
        let results = try create(
            [
                .init(name: "good", numPartitions: 3, replicationFactor: 1),
                .init(name: "default", numPartitions: -1, replicationFactor: -1),
                .init(name: "bad name", numPartitions: 1, replicationFactor: 1),
                .init(name: "..", numPartitions: 1, replicationFactor: 1),
                .init(name: "none", numPartitions: 0, replicationFactor: 1),
                .init(name: "many", numPartitions: 500, replicationFactor: 1),
                .init(name: "copies", numPartitions: 1, replicationFactor: 3),
                .init(name: "twice", numPartitions: 1, replicationFactor: 1),
                .init(name: "twice", numPartitions: 1, replicationFactor: 1),
                .init(
                    name: "set", numPartitions: 1, replicationFactor: 1,
                    configs: [.init(name: "retention.mss", value: "1")]),
                .init(
                    name: "set2", numPartitions: 1, replicationFactor: 1,
                    configs: [.init(name: "retention.ms", value: "soon")]),
                .init(
                    name: "assigned", numPartitions: -1, replicationFactor: -1,
                    assignments: [.init(partitionIndex: 0, brokerIds: [1])]),
                .init(
                    name: "elsewhere", numPartitions: -1, replicationFactor: -1,
                    assignments: [.init(partitionIndex: 0, brokerIds: [2])]),
                .init(name: "go.od", numPartitions: 1, replicationFactor: 1),
                .init(name: "go_od", numPartitions: 1, replicationFactor: 1),
                .init(name: "__consumer_offsets", numPartitions: 1, replicationFactor: 1),
            ], &node)
        #expect(
            results.map(\.errorCode) == [
                .none, .none, .invalidTopicException, .invalidTopicException, .invalidPartitions,
                .invalidPartitions, .invalidReplicationFactor, .invalidRequest, .invalidRequest,
                .invalidConfig, .invalidConfig, .none, .invalidReplicaAssignment, .none,
                .invalidTopicException, .invalidTopicException,
            ])
        #expect(results[9].errorMessage?.contains("did you mean retention.ms") == true)
        #expect(results[0].topicId != .zero)
        #expect(results[0].configs?.contains { $0.name == "retention.ms" } == true)
        let metadata = try node.call(MetadataRequest(topics: nil), version: 12)
        #expect(metadata.topics.map(\.name) == ["assigned", "default", "go.od", "good"])
        let again = try create(
            [.init(name: "good", numPartitions: 1, replicationFactor: 1)], &node)
        #expect(again[0].errorCode == .topicAlreadyExists)
    }

    @Test func `validation alone creates nothing`() throws {
        var node = try NodeHarness()
        let results = try create(
            [.init(name: "t", numPartitions: 1, replicationFactor: 1)], validateOnly: true, &node)
        #expect(results[0].errorCode == .none)
        #expect(try node.call(MetadataRequest(topics: nil), version: 12).topics.isEmpty)
    }

    @Test func `a topic is there when its creation is durable, not before`() throws {
        var node = try NodeHarness()
        node.holdsSyncs = true
        let id = node.connect()
        let request = CreateTopicsRequest(topics: [
            .init(name: "t", numPartitions: 1, replicationFactor: 1)
        ])
        node.request(id, request, version: 7)
        #expect(node.sent[id.value] == nil)
        #expect(try node.call(MetadataRequest(topics: nil), version: 12).topics.isEmpty)
        // That it is there is no answer yet either: it may be gone after a crash.
        let other = node.connect()
        node.request(other, request, version: 7)
        #expect(node.sent[other.value] == nil)
        node.completeSync()
        #expect(
            try node.answer(id, CreateTopicsResponse.self, version: 7)?.topics[0].errorCode
                == Optional(.none))
        let again = try node.answer(other, CreateTopicsResponse.self, version: 7)
        #expect(again?.topics[0].errorCode == .topicAlreadyExists)
        #expect(try node.call(MetadataRequest(topics: nil), version: 12).topics.count == 1)
    }

    @Test func `a creation that was cut off leaves all or nothing`() throws {
        var node = try NodeHarness()
        node.holdsSyncs = true
        let id = node.connect()
        let request = CreateTopicsRequest(topics: [
            .init(name: "t", numPartitions: 4, replicationFactor: 1)
        ])
        node.request(id, request, version: 7)
        node.holdsSyncs = false
        try node.restart()
        let topics = try node.call(MetadataRequest(topics: nil), version: 12).topics
        if !topics.isEmpty {
            #expect(topics[0].partitions.count == 4)
            #expect(try node.produce("t", 3, ["x"]).errorCode == .none)
        }
    }

    @Test func `missing topics are created by asking for them, if both sides agree`() throws {
        var node = try NodeHarness { $0.partitionsDefault = 2 }
        var request = MetadataRequest(topics: [.init(name: "new"), .init(name: "also")])
        request.allowAutoTopicCreation = false
        var topics = try node.call(request, version: 12).topics
        #expect(topics.map(\.errorCode) == [.unknownTopicOrPartition, .unknownTopicOrPartition])
        request.allowAutoTopicCreation = true
        topics = try node.call(request, version: 12).topics
        #expect(topics.map(\.errorCode) == [.none, .none])
        #expect(topics.map(\.partitions.count) == [2, 2])
        #expect(topics[0].partitions[0].leaderId == 1)
        let bad = try node.call(MetadataRequest(topics: [.init(name: "no good")]), version: 12)
        #expect(bad.topics[0].errorCode == .invalidTopicException)
        var strict = try NodeHarness { $0.createsTopicsAutomatically = false }
        #expect(
            try strict.call(request, version: 12).topics[0].errorCode == .unknownTopicOrPartition)
    }

    @Test func `null and empty lists mean what each version says`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        #expect(try node.call(MetadataRequest(topics: []), version: 0).topics.count == 1)
        #expect(try node.call(MetadataRequest(topics: []), version: 1).topics.isEmpty)
        #expect(try node.call(MetadataRequest(topics: nil), version: 1).topics.count == 1)
        let response = try node.call(MetadataRequest(topics: nil), version: 9)
        #expect(response.topics[0].topicAuthorizedOperations == operationsNotRequested)
        #expect(response.clusterAuthorizedOperations == operationsNotRequested)
        #expect(response.brokers.map(\.host) == ["broker"])
        #expect(response.controllerId == 1)
        let byID = try node.call(
            MetadataRequest(topics: [.init(topicId: UUID128(high: 9, low: 9), name: nil)]),
            version: 12)
        #expect(byID.topics[0].errorCode == .unknownTopicId)
    }

    @Test func `topics are deleted by name and by id, with everything they had`() throws {
        var node = try NodeHarness()
        try node.createTopic("a")
        try node.createTopic("b")
        _ = try node.produce("a", 0, ["x"])
        let ids = try node.call(MetadataRequest(topics: nil), version: 12).topics
        let response = try node.call(
            DeleteTopicsRequest(topics: [
                .init(name: "a"), .init(topicId: ids[1].topicId), .init(name: "c"),
                .init(topicId: UUID128(high: 9, low: 9)),
                .init(name: "a", topicId: ids[0].topicId),
            ]), version: 6)
        #expect(
            response.responses.map(\.errorCode)
                == [.none, .none, .unknownTopicOrPartition, .unknownTopicId, .invalidRequest])
        #expect(response.responses[1].name == "b")
        try node.createTopic("a")
        #expect(try node.fetch("a", from: 0).isEmpty)
        try node.restart()
        #expect(try node.call(MetadataRequest(topics: nil), version: 12).topics.count == 1)
        let kept = try node.call(DeleteTopicsRequest(topicNames: ["a", "x"]), version: 3)
        #expect(kept.responses.map(\.errorCode) == [.none, .unknownTopicOrPartition])
    }

    @Test func `topics grow and never shrink`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", partitions: 2)
        func grow(_ name: String, _ count: Int32, only: Bool = false) throws -> ErrorCode {
            try node.call(
                CreatePartitionsRequest(
                    topics: [.init(name: name, count: count, assignments: nil)],
                    validateOnly: only), version: 3
            ).results[0].errorCode
        }
        #expect(try grow("t", 2) == .invalidPartitions)
        #expect(try grow("t", 1) == .invalidPartitions)
        #expect(try grow("u", 3) == .unknownTopicOrPartition)
        #expect(try grow("t", 5, only: true) == .none)
        #expect(try node.produce("t", 4, ["x"]).errorCode == .unknownTopicOrPartition)
        #expect(try grow("t", 5) == .none)
        #expect(try node.produce("t", 4, ["x"]).errorCode == .none)
        try node.restart()
        #expect(try node.fetch("t", 4, from: 0) == ["x"])
    }

    @Test func `every setting is described, with where it comes from`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", [("retention.ms", "5")])
        let response = try node.call(
            DescribeConfigsRequest(
                resources: [
                    .init(resourceType: 2, resourceName: "t", configurationKeys: nil),
                    .init(resourceType: 4, resourceName: "1", configurationKeys: nil),
                    .init(resourceType: 2, resourceName: "u", configurationKeys: nil),
                    .init(resourceType: 4, resourceName: "9", configurationKeys: nil),
                    .init(resourceType: 77, resourceName: "x", configurationKeys: nil),
                ], includeSynonyms: true, includeDocumentation: true), version: 4)
        #expect(
            response.results.map(\.errorCode)
                == [
                    .none, .none, .unknownTopicOrPartition, .invalidRequest, .invalidRequest,
                ])
        let topic = response.results[0].configs
        #expect(topic.count >= 32)
        let retention = try #require(topic.first { $0.name == "retention.ms" })
        #expect(retention.value == "5")
        #expect(retention.configSource == ConfigSource.topic.rawValue)
        #expect(retention.synonyms.map(\.name) == ["retention.ms", "log.retention.hours"])
        let policy = try #require(topic.first { $0.name == "cleanup.policy" })
        #expect(policy.configSource == ConfigSource.defaultValue.rawValue)
        #expect(policy.documentation?.isEmpty == false)
        let broker = response.results[1].configs
        #expect(broker.contains { $0.name == "num.partitions" && $0.readOnly })
        #expect(broker.map(\.name) == broker.map(\.name).sorted())
    }

    @Test func `settings are changed one by one`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", [("retention.ms", "5")])
        func alter(
            _ changes: [(String, Int8, String?)], topic: String = "t", type: Int8 = 2,
            only: Bool = false
        ) throws -> ErrorCode {
            let request = IncrementalAlterConfigsRequest(
                resources: [
                    .init(
                        resourceType: type, resourceName: topic,
                        configs: changes.map {
                            .init(name: $0.0, configOperation: $0.1, value: $0.2)
                        })
                ], validateOnly: only)
            return try node.call(request, version: 1).responses[0].errorCode
        }
        func value(_ name: String) throws -> String? {
            let response = try node.call(
                DescribeConfigsRequest(resources: [
                    .init(resourceType: 2, resourceName: "t", configurationKeys: [name])
                ]), version: 4)
            return response.results[0].configs.first?.value
        }
        #expect(try alter([("cleanup.policy", 2, "compact")]) == .none)
        #expect(try value("cleanup.policy") == "delete,compact")
        #expect(try alter([("cleanup.policy", 3, "delete")]) == .none)
        #expect(try value("cleanup.policy") == "compact")
        #expect(try alter([("retention.ms", 1, nil), ("segment.ms", 0, "99")]) == .none)
        #expect(try value("retention.ms") == "604800000")
        #expect(try value("segment.ms") == "99")
        #expect(try alter([("segment.ms", 0, "77")], only: true) == .none)
        #expect(try value("segment.ms") == "99")
        #expect(try alter([("segment.ms", 0, "0")]) == .invalidConfig)
        #expect(try alter([("segment.mss", 0, "1")]) == .invalidConfig)
        #expect(try alter([("segment.ms", 2, "1")]) == .invalidConfig)
        #expect(try alter([("segment.ms", 9, "1")]) == .invalidRequest)
        #expect(try alter([("compression.type", 0, "brotli")]) == .invalidConfig)
        #expect(
            try alter([("min.compaction.lag.ms", 0, "9"), ("max.compaction.lag.ms", 0, "3")])
                == .invalidConfig)
        #expect(try alter([], topic: "u") == .unknownTopicOrPartition)
        #expect(try alter([("num.partitions", 0, "3")], topic: "1", type: 4) == .invalidRequest)
        try node.restart()
        #expect(try value("segment.ms") == "99")
        #expect(try value("cleanup.policy") == "compact")
    }

    @Test func `more in-sync replicas than there are brokers refuse acks=all`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", [("min.insync.replicas", "2")])
        #expect(try node.produce("t", 0, ["x"]).errorCode == .notEnoughReplicas)
        let batch = batch(["x"], node.milliseconds)
        let response = try node.call(node.produceRequest("t", 0, batch, acks: 1), version: 9)
        #expect(response.responses[0].partitionResponses[0].errorCode == .none)
    }

    @Test func `the cluster describes itself`() throws {
        var node = try NodeHarness { $0.rack = "north" }
        let response = try node.call(
            DescribeClusterRequest(includeClusterAuthorizedOperations: true), version: 1)
        #expect(response.brokers.map(\.rack) == ["north"])
        #expect(response.clusterId.utf8.count == 22)
        #expect(response.clusterAuthorizedOperations != operationsNotRequested)
        let controllers = try node.call(DescribeClusterRequest(endpointType: 2), version: 1)
        #expect(controllers.errorCode == .mismatchedEndpointType)
    }

    @Test func `another cluster's data directory is refused`() throws {
        let disk = MemoryDisk()
        _ = try NodeHarness(disk: disk) { $0.clusterID = UUID128(high: 1, low: 1) }
        #expect(throws: Problem.self) {
            try NodeHarness(disk: disk) { $0.clusterID = UUID128(high: 2, low: 2) }
        }
    }

    @Test func `ids are published in base64 without padding`() {
        #expect(publishedText(of: .zero) == "AAAAAAAAAAAAAAAAAAAAAA")
        #expect(
            publishedText(of: UUID128(high: .max, low: .max)) == "_____________________w")
        #expect(
            publishedText(of: UUID128(high: 0x0001_0203_0405_0607, low: 0x0809_0A0B_0C0D_0E0F))
                == "AAECAwQFBgcICQoLDA0ODw")
    }
}
