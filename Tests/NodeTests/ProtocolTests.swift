import Base
import Node
import Testing
import WireProtocol

@Suite struct ProtocolTests {
    @Test func `every advertised version of every request is answered to the last byte`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        _ = try node.produce("t", 0, ["x"])
        let id = try node.call(MetadataRequest(topics: nil), version: 12).topics[0].topicId
        func check<Request: WireRequest>(
            _ make: (Int16) -> Request, keepsConnection: Bool = true
        ) throws {
            for version in try #require(ApiVersionTable.all.versions(of: Request.apiKey)) {
                let response = try node.call(make(version), version: version)
                _ = response
            }
        }
        let batch = batch(["y"], node.milliseconds)
        try check { version in
            ProduceRequest(
                acks: 1, timeoutMs: 1000,
                topicData: [
                    .init(
                        name: "t", topicId: version >= 13 ? id : .zero,
                        partitionData: [.init(index: 0, records: [batch])])
                ])
        }
        try check { version in
            FetchRequest(
                maxWaitMs: 0, minBytes: 1, maxBytes: 1000,
                topics: [
                    .init(
                        topic: version >= 13 ? "" : "t", topicId: version >= 13 ? id : .zero,
                        partitions: [.init(partition: 0, partitionMaxBytes: 1000)])
                ])
        }
        try check { _ in
            ListOffsetsRequest(
                replicaId: -1,
                topics: [.init(name: "t", partitions: [.init(timestamp: OffsetQuery.latest)])])
        }
        try check { version in MetadataRequest(topics: version == 0 ? [] : nil) }
        try check { _ in
            OffsetCommitRequest(
                groupId: "g",
                topics: [
                    .init(name: "t", partitions: [.init(partitionIndex: 0, committedOffset: 1)])
                ])
        }
        try check { _ in
            OffsetFetchRequest(
                groupId: "g", topics: [.init(name: "t", partitionIndexes: [0])],
                groups: [.init(groupId: "g", topics: nil)])
        }
        try check { _ in FindCoordinatorRequest(key: "g", coordinatorKeys: ["g"]) }
        try check { version in
            JoinGroupRequest(
                groupId: "g\(version)", sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000,
                protocolType: "consumer", protocols: [.init(name: "range")])
        }
        try check { _ in HeartbeatRequest(groupId: "g", generationId: 1, memberId: "m") }
        try check { _ in
            LeaveGroupRequest(groupId: "g", memberId: "m", members: [.init(memberId: "m")])
        }
        try check { _ in SyncGroupRequest(groupId: "g", generationId: 1, memberId: "m") }
        try check { _ in DescribeGroupsRequest(groups: ["g"]) }
        try check { _ in ListGroupsRequest() }
        try check { _ in
            ApiVersionsRequest(clientSoftwareName: "test", clientSoftwareVersion: "1.0")
        }
        try check { version in
            CreateTopicsRequest(topics: [
                .init(name: "new\(version)", numPartitions: 1, replicationFactor: 1)
            ])
        }
        try check { version in
            DeleteTopicsRequest(
                topics: [.init(name: "new\(version + 1)")], topicNames: ["new\(version + 1)"])
        }
        try check { _ in
            DeleteRecordsRequest(topics: [
                .init(name: "t", partitions: [.init(partitionIndex: 0, offset: 0)])
            ])
        }
        try check { _ in InitProducerIdRequest(transactionalId: nil) }
        try check { _ in
            OffsetForLeaderEpochRequest(topics: [
                .init(topic: "t", partitions: [.init(partition: 0, leaderEpoch: 0)])
            ])
        }
        try check { _ in
            DescribeConfigsRequest(
                resources: [.init(resourceType: 2, resourceName: "t", configurationKeys: nil)],
                includeSynonyms: true)
        }
        try check { version in
            CreatePartitionsRequest(topics: [
                .init(name: "t", count: Int32(version) + 2, assignments: nil)
            ])
        }
        try check { _ in DeleteGroupsRequest(groupsNames: ["none"]) }
        try check { _ in
            IncrementalAlterConfigsRequest(resources: [
                .init(
                    resourceType: 2, resourceName: "t",
                    configs: [.init(name: "retention.ms", configOperation: 0, value: "1000000")])
            ])
        }
        try check { _ in DescribeClusterRequest() }
        try check { _ in
            OffsetDeleteRequest(
                groupId: "g",
                topics: [.init(name: "t", partitions: [.init(partitionIndex: 0)])])
        }
        try check { version in
            ConsumerGroupHeartbeatRequest(
                groupId: "new", memberId: "m\(version)", rebalanceTimeoutMs: 1000,
                subscribedTopicNames: ["t"], topicPartitions: [])
        }
        try check { _ in ConsumerGroupDescribeRequest(groupIds: ["new"]) }
    }

    @Test func `the advertised versions are those that are served`() throws {
        var node = try NodeHarness()
        let response = try node.call(ApiVersionsRequest(), version: 2)
        #expect(response.errorCode == .none)
        let produce = try #require(response.apiKeys.first { $0.apiKey == 0 })
        #expect(produce.minVersion == 0)
        #expect(response.finalizedFeaturesEpoch == -1, "version 2 has no features")
        let newest = try node.call(
            ApiVersionsRequest(
                clientSoftwareName: "test", clientSoftwareVersion: "1"), version: 4)
        #expect(newest.finalizedFeaturesEpoch >= 0)
        let groups = newest.finalizedFeatures.first { $0.name == "group.version" }
        #expect(groups?.maxVersionLevel == 1)
        #expect(newest.supportedFeatures.contains { $0.minVersion == 0 })
        let older = try node.call(
            ApiVersionsRequest(
                clientSoftwareName: "test", clientSoftwareVersion: "1"), version: 3)
        #expect(!older.supportedFeatures.contains { $0.minVersion == 0 })
        #expect(older.finalizedFeatures == newest.finalizedFeatures)
        for entry in response.apiKeys {
            #expect(ApiKey(rawValue: entry.apiKey) != nil)
        }
    }

    @Test func `what is not served closes the connection`() throws {
        var node = try NodeHarness()
        let table = ApiVersionTable.all
        for key in Int16(0)...100 {
            let versions = ApiKey(rawValue: key).flatMap { table.versions(of: $0) }
            var tries: [Int16] = [-1, 99]
            if let versions {
                tries.append(versions.upperBound + 1)
                if versions.lowerBound > 0 { tries.append(versions.lowerBound - 1) }
            } else {
                tries.append(0)
            }
            for version in tries where key != ApiKey.apiVersions.rawValue {
                let id = node.connect()
                var writer = ByteWriter()
                writer.int16(key)
                writer.int16(version)
                writer.int32(1)
                writer.int16(-1)
                writer.zeros(20)
                node.send(.request(id, writer.finish()))
                #expect(node.closed[id.value] != nil, "\(key) version \(version)")
                #expect(node.sent[id.value] == nil)
            }
        }
    }

    @Test func `an unknown version of ApiVersions is refused in a layout that all can read`() throws
    {
        var node = try NodeHarness()
        for version in [Int16(6), 99, -1] {
            let id = node.connect()
            var writer = ByteWriter()
            writer.int16(ApiKey.apiVersions.rawValue)
            writer.int16(version)
            writer.int32(77)
            writer.int16(-1)
            writer.bytes([0xFF, 0xFF, 0xFF])
            node.send(.request(id, writer.finish()))
            let frame = try #require(node.sent[id.value]?.first)
            node.sent[id.value] = nil
            var reader = ByteReader(frame)
            #expect(try reader.int32() == Int32(frame.count - 4))
            #expect(try reader.int32() == 77)
            let response = try ApiVersionsResponse(from: &reader, version: 0)
            #expect(reader.isAtEnd)
            #expect(response.errorCode == .unsupportedVersion)
            #expect(response.apiKeys.contains { $0.apiKey == 18 && $0.maxVersion >= 3 })
            #expect(node.closed[id.value] == nil)
            #expect(
                try node.call(ApiVersionsRequest(), version: 0, on: id).errorCode == .none)
        }
    }

    @Test func `client software names have a form`() throws {
        var node = try NodeHarness()
        let bad = try node.call(
            ApiVersionsRequest(clientSoftwareName: "-x", clientSoftwareVersion: "1"), version: 3)
        #expect(bad.errorCode == .invalidRequest)
    }

    /// Frames of real requests to be damaged.
    private func samples(_ node: inout NodeHarness) throws -> [Bytes] {
        let id = try node.topicID("t")
        func frame(_ request: some WireRequest, _ version: Int16) -> Bytes {
            let whole = Bytes.joined(
                request.frame(version: version, correlationId: 5, clientId: "fuzz"))
            return whole[4..<whole.count]
        }
        let data = batch(["one", "two"], node.milliseconds)
        return [
            frame(node.produceRequest("t", 0, data), 9),
            frame(node.produceRequest("t", 0, data), 3),
            frame(node.fetchRequest("t", from: 0, maxWait: 10), 12),
            frame(node.fetchRequest("t", from: 0), 4),
            frame(MetadataRequest(topics: [.init(name: "auto")]), 12),
            frame(
                ListOffsetsRequest(
                    topics: [.init(name: "t", partitions: [.init(timestamp: -1)])]), 7),
            frame(
                JoinGroupRequest(
                    groupId: "g", sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 100,
                    protocolType: "consumer",
                    protocols: [.init(name: "range", metadata: Bytes(utf8: "x"))]), 7),
            frame(
                SyncGroupRequest(
                    groupId: "g", generationId: 1, memberId: "m",
                    assignments: [.init(memberId: "m", assignment: Bytes(utf8: "x"))]), 5),
            frame(
                OffsetCommitRequest(
                    groupId: "g",
                    topics: [
                        .init(
                            name: "t",
                            partitions: [.init(partitionIndex: 0, committedOffset: 1)])
                    ]), 8),
            frame(
                OffsetFetchRequest(groups: [
                    .init(groupId: "g", topics: [.init(name: "t", partitionIndexes: [0])])
                ]), 8),
            frame(
                CreateTopicsRequest(topics: [
                    .init(
                        name: "c", numPartitions: 1, replicationFactor: 1,
                        configs: [.init(name: "retention.ms", value: "1")])
                ]), 7),
            frame(DeleteTopicsRequest(topics: [.init(name: "zz")]), 6),
            frame(InitProducerIdRequest(transactionalId: nil), 4),
            frame(
                DescribeConfigsRequest(resources: [
                    .init(resourceType: 2, resourceName: "t", configurationKeys: ["a"])
                ]), 4),
            frame(
                IncrementalAlterConfigsRequest(resources: [
                    .init(
                        resourceType: 2, resourceName: "t",
                        configs: [.init(name: "cleanup.policy", configOperation: 2, value: "x")])
                ]), 1),
            frame(LeaveGroupRequest(groupId: "g", members: [.init(memberId: "m")]), 4),
            frame(FindCoordinatorRequest(coordinatorKeys: ["g"]), 4),
            frame(DeleteGroupsRequest(groupsNames: ["g"]), 2),
            frame(
                ConsumerGroupHeartbeatRequest(
                    groupId: "new", memberId: "m", rebalanceTimeoutMs: 1000,
                    subscribedTopicNames: ["t"], subscribedTopicRegex: "t.*",
                    serverAssignor: "range", topicPartitions: []), 1),
            frame(ConsumerGroupDescribeRequest(groupIds: ["new"]), 1),
            frame(
                ShareGroupHeartbeatRequest(
                    groupId: "shared", memberId: "m", rackId: "r", subscribedTopicNames: ["t"]), 1),
            frame(
                ShareFetchRequest(
                    groupId: "shared", memberId: "m", maxWaitMs: 1, minBytes: 1, maxRecords: 5,
                    batchSize: 5,
                    topics: [
                        .init(
                            topicId: id,
                            partitions: [
                                .init(
                                    partitionIndex: 0,
                                    acknowledgementBatches: [
                                        .init(
                                            firstOffset: 0, lastOffset: 2,
                                            acknowledgeTypes: [1, 2, 3])
                                    ])
                            ])
                    ], forgottenTopicsData: [.init(topicId: id, partitions: [0])]), 2),
            frame(
                ShareAcknowledgeRequest(
                    groupId: "shared", memberId: "m", shareSessionEpoch: -1, isRenewAck: true,
                    topics: [
                        .init(
                            topicId: id,
                            partitions: [
                                .init(
                                    acknowledgementBatches: [
                                        .init(
                                            firstOffset: 0, lastOffset: 0, acknowledgeTypes: [4])
                                    ])
                            ])
                    ]), 2),
            frame(
                AlterShareGroupOffsetsRequest(
                    groupId: "moved",
                    topics: [.init(topicName: "t", partitions: [.init(startOffset: 0)])]), 0),
            frame(ShareGroupDescribeRequest(groupIds: ["shared"]), 1),
            frame(
                DescribeShareGroupOffsetsRequest(groups: [.init(groupId: "shared", topics: nil)]),
                1),
            frame(
                DeleteShareGroupOffsetsRequest(groupId: "moved", topics: [.init(topicName: "t")]),
                0),
            frame(
                OffsetDeleteRequest(
                    groupId: "g",
                    topics: [.init(name: "t", partitions: [.init(partitionIndex: 0)])]), 0),
        ]
    }

    @Test func `no truncated frame does harm`() throws {
        var node = try NodeHarness { $0.partitionsMax = 50 }
        try node.createTopic("t")
        for sample in try samples(&node) {
            for count in 0..<sample.count {
                let id = node.connect()
                node.send(.request(id, sample[0..<count].compacted()))
                node.send(.connectionClosed(id))
            }
        }
        #expect(node.halted == nil)
        #expect(try node.produce("t", 0, ["x"]).errorCode == .none)
    }

    @Test func `no damaged or random frame does harm`() throws {
        var node = try NodeHarness { $0.partitionsMax = 50 }
        try node.createTopic("t")
        var random = Random(seed: 2024)
        let samples = try samples(&node)
        for round in 0..<3000 {
            let id = node.connect()
            var bytes: [UInt8]
            if round % 4 == 0 {
                bytes = (0..<random.below(80)).map { _ in UInt8(random.below(256)) }
                if bytes.count >= 4 {
                    bytes[0] = 0
                    bytes[1] = UInt8(random.below(64))
                    bytes[2] = 0
                    bytes[3] = UInt8(random.below(13))
                }
            } else {
                bytes = samples[random.below(samples.count)].array
                for _ in 0...random.below(4) {
                    // The kind and the version stay, so that the damage gets past the header.
                    bytes[4 + random.below(bytes.count - 4)] = UInt8(random.below(256))
                }
            }
            node.send(.request(id, Bytes(bytes)))
            if random.chance(1, in: 3) { node.send(.connectionClosed(id)) }
            if random.chance(1, in: 50) { node.advance(Int64(random.below(2000))) }
        }
        #expect(node.halted == nil)
        #expect(try node.produce("t", 0, ["alive"]).errorCode == .none)
        #expect(try node.fetch("t", from: 0).last != nil)
        try node.restart()
        #expect(try node.produce("t", 0, ["alive"]).errorCode == .none)
    }

    @Test func `small requests for very large answers are cut down`() throws {
        var node = try NodeHarness { $0.answerEntriesMax = 1000 }
        try node.createTopic("t", partitions: 10)
        let names = [MetadataRequest.MetadataRequestTopic](
            repeating: .init(name: "t"), count: 5000)
        #expect(try node.call(MetadataRequest(topics: names), version: 9).topics.count == 1)
        let resources = [DescribeConfigsRequest.DescribeConfigsResource](
            repeating: .init(resourceType: 2, resourceName: "t", configurationKeys: nil),
            count: 100)
        let configs = try node.call(DescribeConfigsRequest(resources: resources), version: 1)
        #expect(configs.results.first?.errorCode == ErrorCode.none)
        #expect(configs.results.last?.errorCode == .invalidRequest)
        var fetch = node.fetchRequest("t", from: 0, maxWait: 100)
        let partition = fetch.topics[0].partitions[0]
        fetch.topics[0].partitions = [FetchRequest.FetchPartition](
            repeating: partition, count: 3000)
        let id = node.connect()
        node.request(id, fetch, version: 12)
        _ = try node.produce("t", 0, ["x"])
        let answer = try #require(try node.answer(id, FetchResponse.self, version: 12))
        #expect(answer.responses[0].partitions.count == 3000)
    }

    @Test func `requests beyond the limits close the connection`() throws {
        var node = try NodeHarness()
        let id = node.connect()
        let huge = ByteStorage(count: Limits.requestBytes + 1)
        node.send(.request(id, Bytes(storage: huge, start: 0, count: huge.count)))
        #expect(node.closed[id.value] != nil)
    }
}
