import Base
import Node
import Quorum
import Security
import Testing
import WireProtocol

/// Every kind of request, by whoever has all permissions but one: denied, with the published code.
@Suite struct AccessMatrixTests {
    typealias Permission = (operation: AclOperation, type: ResourceType, name: String)

    /// One way of making a request: what it needs, what its lack is answered by, and the errors of
    /// the answer.
    struct Way {
        var needs: [(Permission, ErrorCode)]
        var errors: (inout NodeHarness, ConnectionID) throws -> [ErrorCode]
    }

    private static let denials: Set<ErrorCode> = [
        .topicAuthorizationFailed, .groupAuthorizationFailed, .clusterAuthorizationFailed,
        .transactionalIdAuthorizationFailed,
    ]

    private static func way<Request: WireRequest>(
        _ needs: (Permission, ErrorCode)..., version: Int16, _ request: Request,
        _ errors: @escaping (Request.Response) -> [ErrorCode]
    ) -> Way {
        Way(needs: needs) { node, id in
            errors(try node.call(request, version: version, on: id))
        }
    }

    private static func topic(
        _ operation: AclOperation, _ name: String = "t"
    ) -> (Permission, ErrorCode) {
        ((operation, .topic, name), .topicAuthorizationFailed)
    }

    private static func group(
        _ operation: AclOperation, _ name: String = "g"
    ) -> (Permission, ErrorCode) {
        ((operation, .group, name), .groupAuthorizationFailed)
    }

    private static func cluster(_ operation: AclOperation) -> (Permission, ErrorCode) {
        ((operation, .cluster, ResourceType.clusterName), .clusterAuthorizationFailed)
    }

    private static func transaction(_ operation: AclOperation) -> (Permission, ErrorCode) {
        ((operation, .transactionalId, "x"), .transactionalIdAuthorizationFailed)
    }

    /// nil = this test knows nothing of the kind.
    private static func ways(_ kind: ApiKey) -> [Way]? {
        dataWays(kind) ?? groupWays(kind) ?? topicWays(kind) ?? clusterWays(kind)
            ?? securityWays(kind) ?? transactionWays(kind) ?? shareWays(kind)
    }

    private static func dataWays(_ kind: ApiKey) -> [Way]? {
        switch kind {
        case .produce:
            let request = ProduceRequest(
                acks: -1, timeoutMs: 5000,
                topicData: [
                    .init(
                        name: "t",
                        partitionData: [
                            .init(index: 0, records: [batch(["v"], 1_700_000_000_000)])
                        ])
                ])
            return [
                way(topic(.write), version: 9, request) {
                    $0.responses.flatMap(\.partitionResponses).map(\.errorCode)
                }
            ]
        case .fetch:
            let request = FetchRequest(
                maxWaitMs: 0, minBytes: 0, maxBytes: 1000,
                topics: [.init(topic: "t", partitions: [.init(partitionMaxBytes: 1000)])])
            return [
                way(topic(.read), version: 11, request) {
                    $0.responses.flatMap(\.partitions).map(\.errorCode)
                }
            ]
        case .listOffsets:
            return [
                way(
                    topic(.describe), version: 5,
                    ListOffsetsRequest(topics: [
                        .init(name: "t", partitions: [.init(timestamp: -1)])
                    ])
                ) { $0.topics.flatMap(\.partitions).map(\.errorCode) }
            ]
        case .offsetForLeaderEpoch:
            return [
                way(
                    topic(.describe), version: 3,
                    OffsetForLeaderEpochRequest(topics: [.init(topic: "t", partitions: [.init()])])
                ) { $0.topics.flatMap(\.partitions).map(\.errorCode) }
            ]
        case .deleteRecords:
            return [
                way(
                    topic(.delete), version: 2,
                    DeleteRecordsRequest(topics: [
                        .init(name: "t", partitions: [.init(partitionIndex: 0, offset: 0)])
                    ])
                ) { $0.topics.flatMap(\.partitions).map(\.errorCode) }
            ]
        case .initProducerId:
            return [
                way(
                    cluster(.idempotentWrite), version: 4,
                    InitProducerIdRequest(transactionalId: nil)
                ) {
                    [$0.errorCode]
                },
                way(
                    topic(.write), version: 4, InitProducerIdRequest(transactionalId: nil)
                ) { [$0.errorCode == .none ? .none : .topicAuthorizationFailed] },
            ]
        default: return nil
        }
    }

    private static func transactionWays(_ kind: ApiKey) -> [Way]? {
        switch kind {
        case .addPartitionsToTxn:
            let topics: [AddPartitionsToTxnRequest.AddPartitionsToTxnTopic] = [
                .init(name: "t", partitions: [0])
            ]
            return [
                way(
                    transaction(.write), topic(.write), version: 3,
                    AddPartitionsToTxnRequest(transactionalId: "x", topics: topics)
                ) { $0.resultsByTopic.flatMap(\.resultsByPartition).map(\.partitionErrorCode) },
                way(
                    cluster(.clusterAction), version: 4,
                    AddPartitionsToTxnRequest(
                        transactions: [.init(transactionalId: "x", topics: topics)])
                ) { [$0.errorCode] },
            ]
        case .addOffsetsToTxn:
            return [
                way(
                    transaction(.write), group(.read), version: 3,
                    AddOffsetsToTxnRequest(transactionalId: "x", groupId: "g")
                ) { [$0.errorCode] }
            ]
        case .endTxn:
            return [
                way(transaction(.write), version: 3, EndTxnRequest(transactionalId: "x")) {
                    [$0.errorCode]
                }
            ]
        case .writeTxnMarkers:
            return [AclOperation.alter, .clusterAction].map { operation in
                way(
                    cluster(operation), version: 1,
                    WriteTxnMarkersRequest(markers: [
                        .init(
                            producerId: 99, topics: [.init(name: "t", partitionIndexes: [0])])
                    ])
                ) { $0.markers.flatMap(\.topics).flatMap(\.partitions).map(\.errorCode) }
            }
        case .txnOffsetCommit:
            return [
                way(
                    transaction(.write), group(.read), topic(.read), version: 3,
                    TxnOffsetCommitRequest(
                        transactionalId: "x", groupId: "g",
                        topics: [.init(name: "t", partitions: [.init(partitionIndex: 0)])])
                ) { $0.topics.flatMap(\.partitions).map(\.errorCode) }
            ]
        case .describeProducers:
            return [
                way(
                    topic(.read), version: 0,
                    DescribeProducersRequest(topics: [.init(name: "t", partitionIndexes: [0])])
                ) { $0.topics.flatMap(\.partitions).map(\.errorCode) }
            ]
        case .describeTransactions:
            return [
                way(
                    transaction(.describe), version: 0,
                    DescribeTransactionsRequest(transactionalIds: ["x"])
                ) { $0.transactionStates.map(\.errorCode) }
            ]
        case .listTransactions:
            // Leaves out what the client may not know of.
            return [way(version: 1, ListTransactionsRequest()) { [$0.errorCode] }]
        default: return nil
        }
    }

    private static func groupWays(_ kind: ApiKey) -> [Way]? {
        switch kind {
        case .offsetCommit:
            return [
                way(
                    group(.read), topic(.read), version: 8,
                    OffsetCommitRequest(
                        groupId: "g",
                        topics: [.init(name: "t", partitions: [.init(partitionIndex: 0)])])
                ) { $0.topics.flatMap(\.partitions).map(\.errorCode) }
            ]
        case .offsetFetch:
            return [
                way(
                    group(.describe), topic(.describe), version: 8,
                    OffsetFetchRequest(groups: [
                        .init(groupId: "g", topics: [.init(name: "t", partitionIndexes: [0])])
                    ])
                ) { response in
                    response.groups.map(\.errorCode)
                        + response.groups.flatMap(\.topics).flatMap(\.partitions).map(\.errorCode)
                },
                way(
                    group(.describe), topic(.describe), version: 5,
                    OffsetFetchRequest(
                        groupId: "g", topics: [.init(name: "t", partitionIndexes: [0])])
                ) { [$0.errorCode] + $0.topics.flatMap(\.partitions).map(\.errorCode) },
                way(
                    group(.describe), topic(.describe), version: 1,
                    OffsetFetchRequest(
                        groupId: "g", topics: [.init(name: "t", partitionIndexes: [0])])
                ) { $0.topics.flatMap(\.partitions).map(\.errorCode) },
            ]
        case .findCoordinator:
            return [
                way(
                    group(.describe), version: 4,
                    FindCoordinatorRequest(keyType: 0, coordinatorKeys: ["g"])
                ) { $0.coordinators.map(\.errorCode) },
                way(
                    transaction(.describe), version: 2, FindCoordinatorRequest(key: "x", keyType: 1)
                ) {
                    // Without transactions the same code says that there are none.
                    [$0.errorMessage?.contains("may not") == true ? $0.errorCode : .none]
                },
            ]
        case .joinGroup:
            return [
                way(
                    group(.read), version: 5,
                    JoinGroupRequest(
                        groupId: "g", sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000,
                        protocolType: "consumer",
                        protocols: [.init(name: "range", metadata: .empty)])
                ) { [$0.errorCode] }
            ]
        case .syncGroup:
            return [
                way(group(.read), version: 3, SyncGroupRequest(groupId: "g", memberId: "m")) {
                    [$0.errorCode]
                }
            ]
        case .heartbeat:
            return [
                way(group(.read), version: 3, HeartbeatRequest(groupId: "g", memberId: "m")) {
                    [$0.errorCode]
                }
            ]
        case .leaveGroup:
            return [
                way(
                    group(.read), version: 3,
                    LeaveGroupRequest(groupId: "g", members: [.init(memberId: "m")])
                ) { [$0.errorCode] }
            ]
        case .describeGroups:
            return [
                way(group(.describe), version: 5, DescribeGroupsRequest(groups: ["g"])) {
                    $0.groups.map(\.errorCode)
                }
            ]
        case .listGroups:
            func listed(_ response: ListGroupsResponse) -> Bool {
                response.groups.contains { $0.groupId == "g" }
            }
            return [
                way(group(.describe), version: 4, ListGroupsRequest()) {
                    [listed($0) ? .none : .groupAuthorizationFailed]
                },
                way(cluster(.describe), version: 4, ListGroupsRequest()) {
                    [listed($0) ? .none : .clusterAuthorizationFailed]
                },
            ]
        case .consumerGroupHeartbeat:
            return [
                way(
                    group(.read, "new"), topic(.describe), version: 0,
                    ConsumerGroupHeartbeatRequest(
                        groupId: "new", rebalanceTimeoutMs: 1000, subscribedTopicNames: ["t"],
                        topicPartitions: [])
                ) { [$0.errorCode] }
            ]
        case .consumerGroupDescribe:
            return [
                way(group(.describe), version: 0, ConsumerGroupDescribeRequest(groupIds: ["g"])) {
                    $0.groups.map(\.errorCode)
                }
            ]
        case .offsetDelete:
            return [
                way(
                    group(.delete, "o"), topic(.read), version: 0,
                    OffsetDeleteRequest(
                        groupId: "o",
                        topics: [.init(name: "t", partitions: [.init(partitionIndex: 0)])])
                ) { [$0.errorCode] + $0.topics.flatMap(\.partitions).map(\.errorCode) }
            ]
        case .deleteGroups:
            return [
                way(
                    group(.delete, "gone"), version: 2, DeleteGroupsRequest(groupsNames: ["gone"])
                ) { $0.results.map(\.errorCode) }
            ]
        default: return nil
        }
    }

    private static func topicWays(_ kind: ApiKey) -> [Way]? {
        switch kind {
        case .metadata:
            return [
                way(topic(.describe), version: 9, MetadataRequest(topics: [.init(name: "t")])) {
                    $0.topics.map(\.errorCode)
                },
                way(topic(.describe), version: 9, MetadataRequest(topics: nil)) {
                    [
                        $0.topics.contains { $0.name == "t" }
                            ? .none : .topicAuthorizationFailed
                    ]
                },
            ]
        case .describeTopicPartitions:
            return [
                way(
                    topic(.describe), version: 0,
                    DescribeTopicPartitionsRequest(
                        topics: [.init(name: "t")], responsePartitionLimit: 10)
                ) { $0.topics.map(\.errorCode) }
            ]
        case .createTopics:
            func new(_ name: String) -> CreateTopicsRequest {
                CreateTopicsRequest(topics: [
                    .init(name: name, numPartitions: 1, replicationFactor: 1)
                ])
            }
            return [
                way(topic(.create, "new"), version: 7, new("new")) { $0.topics.map(\.errorCode) },
                way(cluster(.create), version: 7, new("newer")) {
                    $0.topics.map {
                        $0.errorCode == .topicAuthorizationFailed
                            ? .clusterAuthorizationFailed : $0.errorCode
                    }
                },
                way(
                    topic(.create, "newest"), topic(.describeConfigs, "newest"), version: 7,
                    new("newest")
                ) { $0.topics.flatMap { [$0.errorCode, $0.topicConfigErrorCode] } },
            ]
        case .deleteTopics:
            return [
                way(
                    topic(.delete, "doomed"), version: 5,
                    DeleteTopicsRequest(topicNames: ["doomed"])
                ) { $0.responses.map(\.errorCode) }
            ]
        case .createPartitions:
            return [
                way(
                    topic(.alter), version: 3,
                    CreatePartitionsRequest(
                        topics: [.init(name: "t", count: 3, assignments: nil)], validateOnly: true)
                ) { $0.results.map(\.errorCode) }
            ]
        case .describeConfigs, .alterConfigs, .incrementalAlterConfigs: return configWays(kind)
        default: return nil
        }
    }

    private static func configWays(_ kind: ApiKey) -> [Way] {
        let operation: AclOperation = kind == .describeConfigs ? .describeConfigs : .alterConfigs
        let resources: [(Int8, String, (Permission, ErrorCode))] = [
            (2, "t", topic(operation)), (4, "1", cluster(operation)), (32, "g", group(operation)),
        ]
        return resources.map { type, name, need in
            switch kind {
            case .describeConfigs:
                return way(
                    need, version: 4,
                    DescribeConfigsRequest(resources: [
                        .init(resourceType: type, resourceName: name, configurationKeys: nil)
                    ])
                ) { $0.results.map(\.errorCode) }
            case .alterConfigs:
                return way(
                    need, version: 2,
                    AlterConfigsRequest(
                        resources: [.init(resourceType: type, resourceName: name)],
                        validateOnly: true)
                ) { $0.responses.map(\.errorCode) }
            default:
                return way(
                    need, version: 1,
                    IncrementalAlterConfigsRequest(
                        resources: [.init(resourceType: type, resourceName: name)],
                        validateOnly: true)
                ) { $0.responses.map(\.errorCode) }
            }
        }
    }

    private static func clusterWays(_ kind: ApiKey) -> [Way]? {
        switch kind {
        case .describeCluster:
            return [
                // Nothing is needed to be told the brokers, Describe to be told what one may do.
                way(
                    cluster(.describe), version: 0,
                    DescribeClusterRequest(includeClusterAuthorizedOperations: true)
                ) {
                    [
                        $0.errorCode,
                        $0.clusterAuthorizedOperations == 0 ? .clusterAuthorizationFailed : .none,
                    ]
                }
            ]
        case .describeLogDirs:
            return [
                way(cluster(.describe), version: 4, DescribeLogDirsRequest(topics: nil)) {
                    [$0.errorCode]
                }
            ]
        case .alterReplicaLogDirs:
            return [
                way(
                    cluster(.alter), version: 2,
                    AlterReplicaLogDirsRequest(dirs: [
                        .init(path: "/x", topics: [.init(name: "t", partitions: [0])])
                    ])
                ) { $0.results.flatMap(\.partitions).map(\.errorCode) }
            ]
        case .electLeaders:
            let request = ElectLeadersRequest(
                topicPartitions: [.init(topic: "t", partitions: [0])])
            return [
                way(cluster(.alter), version: 2, request) { [$0.errorCode] },
                way(cluster(.alter), version: 0, request) {
                    $0.replicaElectionResults.flatMap(\.partitionResult).map(\.errorCode)
                },
            ]
        case .alterPartitionReassignments:
            return [
                way(cluster(.alter), version: 0, AlterPartitionReassignmentsRequest()) {
                    [$0.errorCode]
                }
            ]
        case .listPartitionReassignments:
            return [
                way(cluster(.describe), version: 0, ListPartitionReassignmentsRequest()) {
                    [$0.errorCode]
                }
            ]
        case .describeQuorum:
            return [
                way(cluster(.describe), version: 1, DescribeQuorumRequest()) { [$0.errorCode] }
            ]
        case .updateFeatures:
            return [way(cluster(.alter), version: 1, UpdateFeaturesRequest()) { [$0.errorCode] }]
        case .unregisterBroker:
            return [
                way(cluster(.alter), version: 0, UnregisterBrokerRequest(brokerId: 9)) {
                    [$0.errorCode]
                }
            ]
        case .listConfigResources:
            return [
                way(cluster(.describeConfigs), version: 1, ListConfigResourcesRequest()) {
                    [$0.errorCode]
                }
            ]
        default: return nil
        }
    }

    private static func securityWays(_ kind: ApiKey) -> [Way]? {
        switch kind {
        // Anybody may ask for versions and try to sign on.
        case .apiVersions, .saslHandshake, .saslAuthenticate: return []
        case .describeAcls:
            return [
                way(
                    cluster(.describe), version: 2,
                    DescribeAclsRequest(
                        resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1,
                        permissionType: 1)
                ) { [$0.errorCode] }
            ]
        case .createAcls:
            return [
                way(
                    cluster(.alter), version: 2,
                    CreateAclsRequest(creations: [
                        .init(
                            resourceType: 2, resourceName: "z", principal: "User:z", host: "*",
                            operation: 3, permissionType: 3)
                    ])
                ) { $0.results.map(\.errorCode) }
            ]
        case .deleteAcls:
            return [
                way(
                    cluster(.alter), version: 2,
                    DeleteAclsRequest(filters: [
                        .init(
                            resourceTypeFilter: 2, resourceNameFilter: "z", operation: 1,
                            permissionType: 1)
                    ])
                ) { $0.filterResults.map(\.errorCode) }
            ]
        case .describeUserScramCredentials:
            return [
                way(cluster(.describe), version: 0, DescribeUserScramCredentialsRequest()) {
                    [$0.errorCode]
                }
            ]
        case .alterUserScramCredentials:
            return [
                way(
                    cluster(.alter), version: 0,
                    AlterUserScramCredentialsRequest(deletions: [.init(name: "q", mechanism: 1)])
                ) { $0.results.map(\.errorCode) }
            ]
        case .describeClientQuotas:
            return [
                way(cluster(.describeConfigs), version: 1, DescribeClientQuotasRequest()) {
                    [$0.errorCode]
                }
            ]
        case .alterClientQuotas:
            return [
                way(
                    cluster(.alterConfigs), version: 1,
                    AlterClientQuotasRequest(entries: [
                        .init(entity: [.init(entityType: "user", entityName: "q")], ops: [])
                    ])
                ) { $0.entries.map(\.errorCode) }
            ]
        default: return nil
        }
    }

    private static func shareWays(_ kind: ApiKey) -> [Way]? {
        /// The same with the id of the topic, which only a broker knows.
        func way<Request: WireRequest>(
            _ needs: (Permission, ErrorCode)..., version: Int16,
            _ request: @escaping (UUID128) -> Request,
            _ errors: @escaping (Request.Response) -> [ErrorCode]
        ) -> [Way] {
            [
                Way(needs: needs) { node, id in
                    let metadata = try node.call(
                        MetadataRequest(topics: [.init(name: "t")]), version: 12, as: "admin")
                    return errors(
                        try node.call(request(metadata.topics[0].topicId), version: version, on: id)
                    )
                }
            ]
        }
        switch kind {
        case .shareGroupHeartbeat:
            return way(group(.read, "s"), topic(.describe), version: 1) { _ in
                ShareGroupHeartbeatRequest(
                    groupId: "s", memberId: "m", subscribedTopicNames: ["t"])
            } _: {
                [$0.errorCode]
            }
        case .shareGroupDescribe:
            return way(group(.describe, "s"), version: 1) { _ in
                ShareGroupDescribeRequest(groupIds: ["s"])
            } _: {
                $0.groups.map(\.errorCode)
            }
        case .shareFetch:
            return way(group(.read, "s"), topic(.read), version: 2) { id in
                ShareFetchRequest(
                    groupId: "s", memberId: "m", maxRecords: 1,
                    topics: [.init(topicId: id, partitions: [.init(partitionIndex: 0)])])
            } _: {
                [$0.errorCode] + $0.responses.flatMap(\.partitions).map(\.errorCode)
            }
        case .shareAcknowledge:
            // Without a session nothing is looked at but the group.
            return way(group(.read, "s"), version: 2) { _ in
                ShareAcknowledgeRequest(groupId: "s", memberId: "m", shareSessionEpoch: 1)
            } _: {
                [$0.errorCode]
            }
        case .describeShareGroupOffsets:
            return way(group(.describe, "s"), topic(.describe), version: 1) { _ in
                DescribeShareGroupOffsetsRequest(groups: [
                    .init(groupId: "s", topics: [.init(topicName: "t", partitions: [0])])
                ])
            } _: {
                $0.groups.map(\.errorCode)
                    + $0.groups.flatMap(\.topics).flatMap(\.partitions).map(\.errorCode)
            }
        case .alterShareGroupOffsets:
            return way(group(.read, "moved"), topic(.read), version: 0) { _ in
                AlterShareGroupOffsetsRequest(
                    groupId: "moved",
                    topics: [.init(topicName: "t", partitions: [.init(startOffset: 0)])])
            } _: {
                [$0.errorCode] + $0.responses.flatMap(\.partitions).map(\.errorCode)
            }
        case .deleteShareGroupOffsets:
            return way(group(.delete, "moved"), topic(.read), version: 0) { _ in
                DeleteShareGroupOffsetsRequest(groupId: "moved", topics: [.init(topicName: "t")])
            } _: {
                [$0.errorCode] + $0.responses.map(\.errorCode)
            }
        default: return nil
        }
    }

    private func node() throws -> NodeHarness {
        var node = try NodeHarness.secured()
        let created = try node.call(
            CreateTopicsRequest(
                topics: ["t", "doomed"].map {
                    .init(name: $0, numPartitions: 1, replicationFactor: 1)
                }), version: 7, as: "admin")
        #expect(created.topics.map(\.errorCode) == [.none, .none])
        let found = try node.call(FindCoordinatorRequest(key: "g"), version: 2, as: "admin")
        #expect(found.errorCode == .none)
        for group in ["g", "o"] {
            let committed = try node.call(
                OffsetCommitRequest(
                    groupId: group,
                    topics: [.init(name: "t", partitions: [.init(partitionIndex: 0)])]),
                version: 7, as: "admin")
            #expect(committed.topics.flatMap(\.partitions).map(\.errorCode) == [.none])
        }
        return node
    }

    @Test func `every kind is denied to who lacks one of its permissions`() throws {
        var node = try node()
        var count = 0
        for entry in ApiVersionTable.all.entries {
            guard let ways = Self.ways(entry.apiKey) else {
                Issue.record("\(entry.apiKey) is served and has no line in this test")
                continue
            }
            for way in ways {
                func errors(_ without: Int?) throws -> [ErrorCode] {
                    count += 1
                    let user = "user-\(count)"
                    for (place, need) in way.needs.enumerated() where place != without {
                        try node.allow(user, need.0.operation, need.0.type, need.0.name)
                    }
                    let id = node.connect(as: user)
                    defer { node.send(.connectionClosed(id)) }
                    return try way.errors(&node, id)
                }
                for (place, need) in way.needs.enumerated() {
                    let found = try errors(place)
                    #expect(
                        found.contains(need.1),
                        "\(entry.apiKey) without \(need.0): \(found)")
                }
                let found = try errors(nil)
                #expect(
                    Self.denials.isDisjoint(with: found),
                    "\(entry.apiKey) with every permission: \(found)")
            }
        }
    }
}
