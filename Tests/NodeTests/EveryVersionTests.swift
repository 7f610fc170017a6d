import Base
import Node
import Testing
import WireProtocol

/// Every request kind in every version that is advertised: one small request that means something,
/// sent to a node with one topic, and the answer read to its last byte. A kind without a line in
/// `exchange` fails.
@Suite struct EveryVersionTests {
    /// Sends a request on a connection of its own and returns the error that the answer has, if
    /// any.
    private typealias Exchange = (inout NodeHarness, Int16) throws -> ErrorCode

    private static func exchange(
        of kind: ApiKey, topicID: UUID128
    ) -> Exchange? {
        func with<Request: WireRequest>(
            _ request: @escaping (NodeHarness, Int16) -> Request,
            _ error: @escaping (Request.Response) -> ErrorCode?
        ) -> Exchange {
            { node, version in
                let response = try node.call(request(node, version), version: version)
                return try #require(error(response), "the answer has what was asked for")
            }
        }
        switch kind {
        case .produce:
            return with({ node, version in
                var request = node.produceRequest("t", 0, batch(["x"], node.milliseconds))
                if version >= 13 { request.topicData[0].topicId = topicID }
                return request
            }) { $0.responses.first?.partitionResponses.first?.errorCode }
        case .fetch:
            return with({ node, version in
                var request = node.fetchRequest("t", from: 0)
                if version >= 13 { request.topics[0].topicId = topicID }
                return request
            }) { $0.responses.first?.partitions.first?.errorCode }
        case .listOffsets:
            return with({ _, _ in
                ListOffsetsRequest(topics: [.init(name: "t", partitions: [.init(timestamp: -1)])])
            }) { $0.topics.first?.partitions.first?.errorCode }
        case .metadata:
            return with({ _, _ in MetadataRequest(topics: [.init(name: "t")]) }) {
                $0.topics.first?.errorCode
            }
        case .offsetCommit:
            return with({ _, _ in
                OffsetCommitRequest(
                    groupId: "simple",
                    topics: [
                        .init(
                            name: "t", topicId: topicID,
                            partitions: [.init(partitionIndex: 0, committedOffset: 7)])
                    ])
            }) { $0.topics.first?.partitions.first?.errorCode }
        case .offsetFetch:
            return with({ _, _ in
                OffsetFetchRequest(
                    groupId: "nobody", topics: [.init(name: "t", partitionIndexes: [0])],
                    groups: [
                        .init(
                            groupId: "nobody",
                            topics: [.init(name: "t", topicId: topicID, partitionIndexes: [0])])
                    ])
            }) {
                $0.topics.first?.partitions.first?.errorCode
                    ?? $0.groups.first?.topics.first?.partitions.first?.errorCode
            }
        case .findCoordinator:
            return with({ _, _ in FindCoordinatorRequest(key: "g", coordinatorKeys: ["g"]) }) {
                $0.coordinators.first?.errorCode ?? $0.errorCode
            }
        case .joinGroup:
            return with({ _, version in
                JoinGroupRequest(
                    groupId: "joined-\(version)", sessionTimeoutMs: 10_000,
                    rebalanceTimeoutMs: 10_000, protocolType: "consumer",
                    protocols: [.init(name: "range", metadata: Bytes(utf8: "x"))])
            }) { $0.errorCode == .memberIdRequired ? ErrorCode.none : $0.errorCode }
        case .heartbeat:
            return with({ _, _ in HeartbeatRequest(groupId: "g", memberId: "m") }) {
                $0.errorCode == .unknownMemberId ? ErrorCode.none : $0.errorCode
            }
        case .leaveGroup:
            return with({ _, _ in
                LeaveGroupRequest(groupId: "g", memberId: "m", members: [.init(memberId: "m")])
            }) {
                ($0.members.first?.errorCode ?? $0.errorCode) == .unknownMemberId
                    ? ErrorCode.none : nil
            }
        case .syncGroup:
            return with({ _, _ in SyncGroupRequest(groupId: "g", memberId: "m") }) {
                $0.errorCode == .unknownMemberId ? ErrorCode.none : $0.errorCode
            }
        case .describeGroups:
            return with({ _, _ in DescribeGroupsRequest(groups: ["g"]) }) {
                $0.groups.first.map { $0.groupState == "Dead" ? .none : $0.errorCode }
            }
        case .listGroups: return with({ _, _ in ListGroupsRequest() }) { $0.errorCode }
        case .apiVersions:
            return with({ _, _ in
                ApiVersionsRequest(clientSoftwareName: "test", clientSoftwareVersion: "1")
            }) { $0.apiKeys.count == ApiVersionTable.all.entries.count ? $0.errorCode : nil }
        case .createTopics:
            return with({ _, version in
                CreateTopicsRequest(topics: [
                    .init(name: "new-\(version)", numPartitions: 1, replicationFactor: 1)
                ])
            }) { $0.topics.first?.errorCode }
        case .deleteTopics:
            return with({ _, _ in
                DeleteTopicsRequest(topics: [.init(name: "none")], topicNames: ["none"])
            }) { $0.responses.first?.errorCode == .unknownTopicOrPartition ? ErrorCode.none : nil }
        case .deleteRecords:
            return with({ _, _ in
                DeleteRecordsRequest(topics: [
                    .init(name: "t", partitions: [.init(partitionIndex: 0, offset: 0)])
                ])
            }) { $0.topics.first?.partitions.first?.errorCode }
        case .initProducerId:
            return with({ _, _ in InitProducerIdRequest(transactionalId: nil) }) { $0.errorCode }
        case .offsetForLeaderEpoch:
            return with({ _, _ in
                OffsetForLeaderEpochRequest(topics: [
                    .init(topic: "t", partitions: [.init(partition: 0, leaderEpoch: 0)])
                ])
            }) { $0.topics.first?.partitions.first?.errorCode }
        case .addPartitionsToTxn:
            let topics: [AddPartitionsToTxnRequest.AddPartitionsToTxnTopic] = [
                .init(name: "t", partitions: [0])
            ]
            return with({ _, _ in
                AddPartitionsToTxnRequest(
                    transactions: [
                        .init(transactionalId: "x", producerId: 1, topics: topics)
                    ], transactionalId: "x", producerId: 1, topics: topics)
            }) {
                let results =
                    $0.resultsByTransaction.first?.topicResults ?? $0.resultsByTopic
                let error = results.first?.resultsByPartition.first?.partitionErrorCode
                return error == .invalidProducerIdMapping ? $0.errorCode : nil
            }
        case .addOffsetsToTxn:
            return with({ _, _ in
                AddOffsetsToTxnRequest(transactionalId: "x", producerId: 1, groupId: "g")
            }) { $0.errorCode == .invalidProducerIdMapping ? ErrorCode.none : nil }
        case .endTxn:
            return with({ _, _ in EndTxnRequest(transactionalId: "x", producerId: 1) }) {
                $0.errorCode == .invalidProducerIdMapping ? ErrorCode.none : nil
            }
        case .writeTxnMarkers:
            return with({ _, version in
                WriteTxnMarkersRequest(markers: [
                    .init(
                        producerId: 77, producerEpoch: version,
                        topics: [.init(name: "t", partitionIndexes: [0])])
                ])
            }) { $0.markers.first?.topics.first?.partitions.first?.errorCode }
        case .txnOffsetCommit:
            return with({ _, _ in
                TxnOffsetCommitRequest(
                    transactionalId: "x", groupId: "g", producerId: 1,
                    topics: [.init(name: "t", partitions: [.init(partitionIndex: 0)])])
            }) {
                $0.topics.first?.partitions.first?.errorCode == .invalidProducerIdMapping
                    ? ErrorCode.none : nil
            }
        case .describeProducers:
            return with({ _, _ in
                DescribeProducersRequest(topics: [.init(name: "t", partitionIndexes: [0])])
            }) { $0.topics.first?.partitions.first?.errorCode }
        case .describeTransactions:
            return with({ _, _ in DescribeTransactionsRequest(transactionalIds: ["x"]) }) {
                $0.transactionStates.first?.errorCode == .transactionalIdNotFound
                    ? ErrorCode.none : nil
            }
        case .listTransactions:
            return with({ _, _ in ListTransactionsRequest(stateFilters: ["Wet"]) }) {
                $0.unknownStateFilters == ["Wet"] ? $0.errorCode : nil
            }
        case .describeConfigs:
            return with({ _, _ in
                DescribeConfigsRequest(
                    resources: [
                        .init(resourceType: 2, resourceName: "t", configurationKeys: nil),
                        .init(resourceType: 4, resourceName: "1", configurationKeys: nil),
                    ], includeSynonyms: true, includeDocumentation: true)
            }) { $0.results.first { $0.errorCode != .none }?.errorCode ?? ErrorCode.none }
        case .alterConfigs:
            return with({ _, _ in
                AlterConfigsRequest(resources: [
                    .init(
                        resourceType: 2, resourceName: "t",
                        configs: [.init(name: "retention.ms", value: "1000000")])
                ])
            }) { $0.responses.first?.errorCode }
        case .incrementalAlterConfigs:
            return with({ _, _ in
                IncrementalAlterConfigsRequest(resources: [
                    .init(
                        resourceType: 2, resourceName: "t",
                        configs: [
                            .init(name: "retention.ms", configOperation: 0, value: "2000000")
                        ])
                ])
            }) { $0.responses.first?.errorCode }
        case .alterReplicaLogDirs:
            return with({ _, _ in
                AlterReplicaLogDirsRequest(dirs: [
                    .init(path: "/data", topics: [.init(name: "t", partitions: [0])])
                ])
            }) { $0.results.first?.partitions.first?.errorCode }
        case .describeLogDirs:
            return with({ _, _ in DescribeLogDirsRequest(topics: nil) }) {
                $0.results.first?.topics.isEmpty == false ? $0.results.first?.errorCode : nil
            }
        case .createPartitions:
            return with({ _, version in
                CreatePartitionsRequest(topics: [
                    .init(name: "t", count: Int32(version) + 2, assignments: nil)
                ])
            }) { $0.results.first?.errorCode }
        case .deleteGroups:
            return with({ _, _ in DeleteGroupsRequest(groupsNames: ["none"]) }) {
                $0.results.first?.errorCode == .groupIdNotFound ? ErrorCode.none : nil
            }
        case .electLeaders:
            return with({ _, _ in
                ElectLeadersRequest(topicPartitions: [.init(topic: "t", partitions: [0])])
            }) {
                $0.replicaElectionResults.first?.partitionResult.first?.errorCode
                    == .electionNotNeeded ? $0.errorCode : nil
            }
        case .alterPartitionReassignments:
            return with({ _, _ in
                AlterPartitionReassignmentsRequest(topics: [
                    .init(name: "t", partitions: [.init(partitionIndex: 0, replicas: [1])])
                ])
            }) { $0.responses.first?.partitions.first?.errorCode }
        case .listPartitionReassignments:
            return with({ _, _ in ListPartitionReassignmentsRequest() }) { $0.errorCode }
        case .describeQuorum:
            return with({ _, _ in
                DescribeQuorumRequest(topics: [
                    .init(
                        topicName: "__cluster_metadata", partitions: [.init(partitionIndex: 0)])
                ])
            }) { $0.topics.first?.partitions.first?.errorCode }
        case .updateFeatures:
            return with({ _, _ in
                UpdateFeaturesRequest(
                    featureUpdates: [
                        .init(feature: "metadata.version", maxVersionLevel: 29)
                    ])
            }) { $0.errorCode }
        case .describeCluster:
            return with({ _, _ in DescribeClusterRequest() }) { $0.errorCode }
        case .unregisterBroker:
            return with({ _, _ in UnregisterBrokerRequest(brokerId: 9) }) {
                $0.errorCode == .brokerIdNotRegistered ? ErrorCode.none : nil
            }
        case .offsetDelete:
            return with({ _, _ in
                OffsetDeleteRequest(
                    groupId: "simple",
                    topics: [.init(name: "t", partitions: [.init(partitionIndex: 0)])])
            }) { $0.errorCode == .none ? $0.topics.first?.partitions.first?.errorCode : nil }
        case .consumerGroupHeartbeat:
            return with({ _, version in
                ConsumerGroupHeartbeatRequest(
                    groupId: "new-\(version)", memberId: "m", rebalanceTimeoutMs: 1000,
                    subscribedTopicNames: ["t"], topicPartitions: [])
            }) { $0.assignment?.topicPartitions.isEmpty == false ? $0.errorCode : nil }
        case .consumerGroupDescribe:
            return with({ _, _ in ConsumerGroupDescribeRequest(groupIds: ["new-1"]) }) {
                $0.groups.first?.members.isEmpty == false ? $0.groups.first?.errorCode : nil
            }
        case .shareGroupHeartbeat:
            return with({ _, _ in
                ShareGroupHeartbeatRequest(
                    groupId: "shared", memberId: "m", subscribedTopicNames: ["t"])
            }) { $0.assignment?.topicPartitions.isEmpty == false ? $0.errorCode : nil }
        case .shareGroupDescribe:
            return with({ _, _ in ShareGroupDescribeRequest(groupIds: ["shared"]) }) {
                $0.groups.first?.members.isEmpty == false ? $0.groups.first?.errorCode : nil
            }
        case .shareFetch:
            return with({ _, _ in
                ShareFetchRequest(
                    groupId: "shared", memberId: "m", maxRecords: 10, batchSize: 10,
                    topics: [.init(topicId: topicID, partitions: [.init(partitionIndex: 0)])])
            }) { $0.acquisitionLockTimeoutMs == 30_000 ? $0.errorCode : nil }
        case .shareAcknowledge:
            // The session ended with the connection that had it.
            return with({ _, _ in
                ShareAcknowledgeRequest(groupId: "shared", memberId: "m", shareSessionEpoch: 1)
            }) { $0.errorCode == .shareSessionNotFound ? ErrorCode.none : $0.errorCode }
        case .describeShareGroupOffsets:
            return with({ _, _ in
                DescribeShareGroupOffsetsRequest(groups: [
                    .init(groupId: "shared", topics: [.init(topicName: "t", partitions: [0])])
                ])
            }) { $0.groups.first?.topics.first?.partitions.first?.errorCode }
        case .alterShareGroupOffsets:
            return with({ _, _ in
                AlterShareGroupOffsetsRequest(
                    groupId: "moved",
                    topics: [
                        .init(
                            topicName: "t",
                            partitions: [.init(partitionIndex: 0, startOffset: 0)])
                    ])
            }) { $0.responses.first?.partitions.first?.errorCode }
        case .deleteShareGroupOffsets:
            return with({ _, _ in
                DeleteShareGroupOffsetsRequest(groupId: "moved", topics: [.init(topicName: "t")])
            }) { $0.responses.first?.errorCode }
        case .listConfigResources:
            return with({ _, _ in ListConfigResourcesRequest() }) { $0.errorCode }
        case .describeTopicPartitions:
            return with({ _, _ in
                DescribeTopicPartitionsRequest(
                    topics: [.init(name: "t")],
                    cursor: .init(topicName: "t", partitionIndex: 0))
            }) { $0.topics.first?.errorCode }
        // Nobody signs on at this listener, and there is no access control.
        case .saslHandshake:
            return with({ _, _ in SaslHandshakeRequest(mechanism: "PLAIN") }) {
                $0.errorCode == .illegalSaslState ? ErrorCode.none : nil
            }
        case .saslAuthenticate:
            return with({ _, _ in SaslAuthenticateRequest(authBytes: Bytes(utf8: "x")) }) {
                $0.errorCode == .illegalSaslState ? ErrorCode.none : nil
            }
        case .describeAcls:
            return with({ _, _ in
                DescribeAclsRequest(
                    resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1, permissionType: 1)
            }) { $0.errorCode == .securityDisabled ? ErrorCode.none : nil }
        case .createAcls:
            return with({ _, _ in CreateAclsRequest(creations: [.init(resourceName: "t")]) }) {
                $0.results.first?.errorCode == .securityDisabled ? ErrorCode.none : nil
            }
        case .deleteAcls:
            return with({ _, _ in DeleteAclsRequest(filters: [.init(resourceNameFilter: "t")]) }) {
                $0.filterResults.first?.errorCode == .securityDisabled ? ErrorCode.none : nil
            }
        case .describeUserScramCredentials:
            return with({ _, _ in DescribeUserScramCredentialsRequest(users: nil) }) {
                $0.errorCode
            }
        case .alterUserScramCredentials:
            return with({ _, _ in
                AlterUserScramCredentialsRequest(upsertions: [
                    .init(
                        name: "u", mechanism: 1, iterations: 4096, salt: Bytes(utf8: "s"),
                        saltedPassword: Bytes([UInt8](repeating: 1, count: 32)))
                ])
            }) { $0.results.first?.errorCode }
        case .describeClientQuotas:
            return with({ _, _ in DescribeClientQuotasRequest() }) { $0.errorCode }
        case .alterClientQuotas:
            return with({ _, _ in
                AlterClientQuotasRequest(entries: [
                    .init(
                        entity: [.init(entityType: "user", entityName: "u")],
                        ops: [.init(key: "producer_byte_rate", value: 1e9)])
                ])
            }) { $0.entries.first?.errorCode }
        default: return nil
        }
    }

    @Test func `every advertised kind and version is answered and understood whole`() throws {
        var node = try NodeHarness { $0.dataDirectory = "/data" }
        try node.createTopic("t")
        let metadata = try node.call(
            MetadataRequest(topics: [.init(name: "t")]), version: 12)
        let topicID = metadata.topics[0].topicId
        // Creates what groups are kept in, so that each answer comes at once.
        _ = try node.call(FindCoordinatorRequest(key: "g"), version: 1)
        for entry in ApiVersionTable.all.entries {
            guard let exchange = Self.exchange(of: entry.apiKey, topicID: topicID) else {
                Issue.record("\(entry.apiKey) is served and has no line in this test")
                continue
            }
            for version in entry.versions {
                do {
                    let error = try exchange(&node, version)
                    #expect(error == .none, "\(entry.apiKey) version \(version)")
                } catch {
                    Issue.record("\(entry.apiKey) version \(version): \(error)")
                }
            }
        }
    }

    @Test func `what is not advertised closes its connection and no other`() throws {
        var node = try NodeHarness()
        let bystander = node.connect()
        for key in Int16(-1)...110 {
            let served = ApiKey(rawValue: key).flatMap { ApiVersionTable.all.versions(of: $0) }
            if key == ApiKey.apiVersions.rawValue { continue }
            for version in Int16(-1)...20 where served?.contains(version) != true {
                let id = node.connect()
                var writer = ByteWriter()
                writer.int16(key)
                writer.int16(version)
                writer.int32(1)
                writer.int16(-1)
                writer.zeros(20)
                node.send(.request(id, writer.finish()))
                #expect(node.closed[id.value] != nil, "\(key) version \(version)")
                #expect(node.sent[id.value] == nil, "\(key) version \(version)")
            }
            #expect(try node.call(ApiVersionsRequest(), version: 0).errorCode == .none)
        }
        #expect(
            try node.call(ApiVersionsRequest(), version: 2, on: bystander).errorCode == .none)
    }

    @Test func `special offsets are for the versions that know them`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        for (timestamp, first) in [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9), (-6, 11)] {
            for version in Int16(1)...11 {
                let response = try node.call(
                    ListOffsetsRequest(topics: [
                        .init(
                            name: "t", partitions: [.init(timestamp: Int64(timestamp))])
                    ]), version: version)
                let error = response.topics[0].partitions[0].errorCode
                #expect(
                    error == (version >= first ? ErrorCode.none : .unsupportedVersion),
                    "\(timestamp) in version \(version)")
            }
        }
    }

    @Test func `a client that reached the wrong broker is told so`() throws {
        var node = try NodeHarness()
        let cluster = try node.call(DescribeClusterRequest(), version: 0).clusterId
        func error(_ cluster: String?, _ id: Int32) throws -> ErrorCode {
            try node.call(
                ApiVersionsRequest(
                    clientSoftwareName: "a", clientSoftwareVersion: "1", clusterId: cluster,
                    nodeId: id), version: 5
            ).errorCode
        }
        #expect(try error(nil, -1) == .none)
        #expect(try error(cluster, 1) == .none)
        #expect(try error("another", 1) == .rebootstrapRequired)
        #expect(try error(cluster, 2) == .rebootstrapRequired)
    }
}
