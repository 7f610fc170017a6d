import Base
import Node
import Testing
import WireProtocol

/// What one node makes trivial is answered truthfully.
@Suite struct AdminRequestTests {
    @Test func `topics are described page by page`() throws {
        var node = try NodeHarness()
        for name in ["a", "b", "c"] { try node.createTopic(name, partitions: 5) }
        var cursor: DescribeTopicPartitionsRequest.Cursor?
        var seen: [(String, Int32)] = []
        var pages = 0
        repeat {
            let response = try node.call(
                DescribeTopicPartitionsRequest(
                    topics: [.init(name: "c"), .init(name: "a"), .init(name: "b")],
                    responsePartitionLimit: 4, cursor: cursor), version: 0)
            pages += 1
            for topic in response.topics {
                #expect(topic.errorCode == .none)
                for partition in topic.partitions {
                    seen.append((topic.name ?? "", partition.partitionIndex))
                    #expect(partition.leaderId == 1 && partition.isrNodes == [1])
                }
            }
            cursor = response.nextCursor.map {
                .init(topicName: $0.topicName, partitionIndex: $0.partitionIndex)
            }
        } while cursor != nil && pages < 10
        #expect(pages == 4)
        let expected = ["a", "b", "c"].flatMap { name in (Int32(0)..<5).map { (name, $0) } }
        #expect(seen.map(\.0) == expected.map(\.0))
        #expect(seen.map(\.1) == expected.map(\.1))
    }

    @Test func `odd wishes for descriptions are refused`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        func errors(
            _ names: [String], limit: Int32 = 10,
            cursor: DescribeTopicPartitionsRequest.Cursor? = nil
        ) throws -> [ErrorCode] {
            try node.call(
                DescribeTopicPartitionsRequest(
                    topics: names.map { .init(name: $0) }, responsePartitionLimit: limit,
                    cursor: cursor), version: 0
            ).topics.map(\.errorCode)
        }
        #expect(try errors(["none"]) == [.unknownTopicOrPartition])
        #expect(try errors(["no/ne"]) == [.invalidTopicException])
        #expect(try errors(["t"], limit: 0) == [.invalidRequest])
        #expect(
            try errors(["t"], cursor: .init(topicName: "t", partitionIndex: -1))
                == [.invalidRequest])
        // A place behind the end: nothing is left, and that is no error.
        #expect(
            try errors(["t"], cursor: .init(topicName: "t", partitionIndex: 99)) == [.none])
    }

    @Test func `partitions can only be where they are`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        func outcome(
            _ partition: Int32, _ replicas: [Int32]?, topic: String = "t"
        ) throws -> ErrorCode {
            let response = try node.call(
                AlterPartitionReassignmentsRequest(topics: [
                    .init(
                        name: topic,
                        partitions: [.init(partitionIndex: partition, replicas: replicas)])
                ]), version: 1)
            return response.responses[0].partitions[0].errorCode
        }
        #expect(try outcome(0, [1]) == .none)
        #expect(try outcome(0, nil) == .noReassignmentInProgress)
        #expect(try outcome(0, []) == .invalidReplicaAssignment)
        #expect(try outcome(0, [1, 1]) == .invalidReplicaAssignment)
        #expect(try outcome(0, [2]) == .invalidReplicaAssignment)
        #expect(try outcome(7, [1]) == .unknownTopicOrPartition)
        #expect(try outcome(0, [1], topic: "u") == .unknownTopicOrPartition)
        #expect(
            try node.call(ListPartitionReassignmentsRequest(), version: 0).topics.isEmpty)
    }

    @Test func `there is never anything to elect`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        func elect(_ type: Int8) throws -> ElectLeadersResponse {
            try node.call(
                ElectLeadersRequest(
                    electionType: type,
                    topicPartitions: [.init(topic: "t", partitions: [0, 9])]), version: 2)
        }
        for type in [Int8(0), 1] {
            #expect(
                try elect(type).replicaElectionResults[0].partitionResult.map(\.errorCode)
                    == [.electionNotNeeded, .unknownTopicOrPartition])
        }
        #expect(try elect(5).errorCode == .invalidRequest)
        let all = try node.call(ElectLeadersRequest(topicPartitions: nil), version: 2)
        #expect(all.errorCode == .none && all.replicaElectionResults.isEmpty)
    }

    @Test func `the data directory tells the size of each log`() throws {
        var node = try NodeHarness { $0.dataDirectory = "/srv/data" }
        try node.createTopic("t", partitions: 2)
        _ = try node.produce("t", 1, ["x"])
        let all = try node.call(DescribeLogDirsRequest(topics: nil), version: 5)
        #expect(all.results.map(\.logDir) == ["/srv/data"])
        let sizes = try #require(all.results[0].topics.first { $0.name == "t" })
        #expect(sizes.partitions.map(\.partitionIndex) == [0, 1])
        #expect(sizes.partitions[0].partitionSize == 0)
        #expect(sizes.partitions[1].partitionSize > 0)
        let some = try node.call(
            DescribeLogDirsRequest(topics: [
                .init(topic: "t", partitions: [1, 1, 9]), .init(topic: "u", partitions: [0]),
            ]), version: 5)
        #expect(some.results[0].topics.map(\.name) == ["t"])
        #expect(some.results[0].topics[0].partitions.map(\.partitionIndex) == [1])
        func move(_ path: String, _ partition: Int32) throws -> ErrorCode {
            try node.call(
                AlterReplicaLogDirsRequest(dirs: [
                    .init(path: path, topics: [.init(name: "t", partitions: [partition])])
                ]), version: 2
            ).results[0].partitions[0].errorCode
        }
        #expect(try move("/srv/data", 0) == .none)
        #expect(try move("/srv/data", 9) == .unknownTopicOrPartition)
        #expect(try move("/elsewhere", 0) == .logDirNotFound)
    }

    @Test func `the metadata partition has one voter`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let response = try node.call(
            DescribeQuorumRequest(topics: [
                .init(topicName: "__cluster_metadata", partitions: [.init(partitionIndex: 0)]),
                .init(topicName: "t", partitions: [.init(partitionIndex: 0)]),
            ]), version: 2)
        let quorum = response.topics[0].partitions[0]
        #expect(quorum.errorCode == .none && quorum.leaderId == 1)
        #expect(quorum.highWatermark > 0)
        #expect(quorum.currentVoters.map(\.replicaId) == [1])
        #expect(response.topics[1].partitions[0].errorCode == .unknownTopicOrPartition)
        #expect(response.nodes.map(\.nodeId) == [1])
    }

    @Test func `features are at the level of this version`() throws {
        var node = try NodeHarness()
        let versions = try node.call(
            ApiVersionsRequest(clientSoftwareName: "a", clientSoftwareVersion: "1"), version: 4)
        #expect(versions.finalizedFeaturesEpoch >= 0)
        let feature = try #require(versions.finalizedFeatures.first)
        func update(_ name: String, _ level: Int16) throws -> ErrorCode {
            try node.call(
                UpdateFeaturesRequest(featureUpdates: [
                    .init(feature: name, maxVersionLevel: level)
                ]), version: 2
            ).errorCode
        }
        #expect(try update(feature.name, feature.maxVersionLevel) == .none)
        #expect(try update(feature.name, feature.maxVersionLevel + 1) == .invalidUpdateVersion)
        #expect(try update("no.such.feature", 1) == .invalidUpdateVersion)
    }

    @Test func `offsets are kept by the id of the topic as by its name`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        _ = try node.call(FindCoordinatorRequest(key: "g"), version: 1)
        let id =
            try node.call(MetadataRequest(topics: nil), version: 12).topics
            .first { $0.name == "t" }?.topicId ?? .zero
        func commit(_ id: UUID128) throws -> ErrorCode {
            try node.call(
                OffsetCommitRequest(
                    groupId: "g",
                    topics: [
                        .init(
                            topicId: id,
                            partitions: [.init(partitionIndex: 0, committedOffset: 7)])
                    ]), version: 10
            ).topics[0].partitions[0].errorCode
        }
        #expect(try commit(id) == .none)
        #expect(try commit(UUID128(high: 9, low: 9)) == .unknownTopicId)
        let byName = try node.call(
            OffsetFetchRequest(groups: [
                .init(groupId: "g", topics: [.init(name: "t", partitionIndexes: [0])])
            ]), version: 9)
        #expect(byName.groups[0].topics[0].partitions[0].committedOffset == 7)
        let all = try node.call(
            OffsetFetchRequest(groups: [.init(groupId: "g", topics: nil)]), version: 10)
        #expect(all.groups[0].topics.map(\.topicId) == [id])
        let unknown = try node.call(
            OffsetFetchRequest(groups: [
                .init(
                    groupId: "g",
                    topics: [.init(topicId: UUID128(high: 9, low: 9), partitionIndexes: [0])])
            ]), version: 10)
        #expect(unknown.groups[0].topics[0].partitions[0].errorCode == .unknownTopicId)
    }
}
