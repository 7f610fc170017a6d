// Topics, settings and groups, for programs and for the command line.

import Base
import WireProtocol

/// A topic to be created.
public struct NewTopic: Sendable {
    public var name: String
    /// nil takes the broker's default.
    public var partitions: Int32?
    /// nil takes the broker's default.
    public var replicationFactor: Int16?
    /// Settings by their published names, for example `retention.ms`.
    public var configs: [String: String]

    public init(
        _ name: String, partitions: Int32? = nil, replicationFactor: Int16? = nil,
        configs: [String: String] = [:]
    ) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.configs = configs
    }
}

/// A topic that exists.
public struct TopicInfo: Hashable, Sendable {
    public struct Partition: Hashable, Sendable {
        public var partition: Int32
        /// -1 when nobody leads.
        public var leader: Int32
        public var leaderEpoch: Int32
        public var replicas: [Int32]
        public var inSyncReplicas: [Int32]
    }
    public var name: String
    /// The id in the 8-4-4-4-12 form.
    public var id: String
    public var isInternal: Bool
    public var partitions: [Partition]
}

/// A consumer group as ListGroups has it.
public struct GroupListing: Hashable, Sendable {
    public var groupId: String
    public var protocolType: String
    public var state: String
    /// `classic`, `consumer` or another kind of the protocol; empty when the broker doesn't tell.
    public var type: String
}

/// A consumer group with its members.
public struct GroupInfo: Hashable, Sendable {
    public struct Member: Hashable, Sendable {
        public var memberId: String
        public var instanceId: String?
        public var clientId: String
        public var host: String
        public var partitions: [PartitionAddress]
    }
    public var groupId: String
    public var state: String
    public var protocolType: String
    /// The assignment strategy in use.
    public var strategy: String
    public var members: [Member]
}

/// A broker of the cluster.
public struct BrokerInfo: Hashable, Sendable {
    public var id: Int32
    public var host: String
    public var port: Int32
    public var rack: String?
}

/// The cluster as a whole.
public struct ClusterInfo: Hashable, Sendable {
    public var clusterId: String?
    public var controllerId: Int32
    public var brokers: [BrokerInfo]
}

/// Administration of a cluster. Safe to use from any number of threads and tasks.
///
/// Each method has a blocking form for programs that run from top to bottom; `perform` makes an
/// `async` one of it, on a thread of the library.
public final class Admin: Sendable {
    let cluster: Cluster
    private let worker = Worker()

    public init(_ configuration: ClientConfiguration = ClientConfiguration()) {
        cluster = Cluster(configuration)
    }

    deinit {
        cluster.close()
        worker.close()
    }

    /// Ends the connections. Later calls fail.
    public func close() { cluster.close() }

    /// Runs blocking calls on a thread of the library:
    /// `let topics = try await admin.perform { try $0.listTopics() }`.
    public func perform<Value: Sendable>(
        _ body: @escaping @Sendable (Admin) throws(ClientFailure) -> Value
    ) async throws(ClientFailure) -> Value {
        try await worker.run { [self] () throws(ClientFailure) in try body(self) }
    }

    var timeoutMs: Int32 {
        Int32(clamping: cluster.configuration.requestTimeout.wholeMilliseconds)
    }

    func patiently<Value>(
        _ body: () throws(ClientFailure) -> Value
    ) throws(ClientFailure) -> Value {
        try retrying(for: cluster.configuration.retryTimeout, body)
    }

    // MARK: Cluster and topics

    public func describeCluster() throws(ClientFailure) -> ClusterInfo {
        let response = try patiently { () throws(ClientFailure) in try cluster.metadata([]) }
        return ClusterInfo(
            clusterId: response.clusterId, controllerId: response.controllerId,
            brokers: response.brokers
                .map { BrokerInfo(id: $0.nodeId, host: $0.host, port: $0.port, rack: $0.rack) }
                .sorted { $0.id < $1.id })
    }

    /// All topics, by name.
    public func listTopics(includeInternal: Bool = false) throws(ClientFailure) -> [TopicInfo] {
        let response = try patiently { () throws(ClientFailure) in try cluster.metadata(nil) }
        return response.topics
            .filter { $0.errorCode == .none && (includeInternal || !$0.isInternal) }
            .compactMap(Self.topicInfo)
            .sorted { $0.name < $1.name }
    }

    /// The named topics, in the order of the names. Throws when one does not exist.
    public func describeTopics(_ names: [String]) throws(ClientFailure) -> [TopicInfo] {
        try patiently { () throws(ClientFailure) in
            let response = try cluster.metadata(names)
            var found: [TopicInfo] = []
            for name in names {
                let topic = response.topics.first { $0.name == name }
                let code = topic?.errorCode ?? .unknownTopicOrPartition
                guard code == .none, let topic, let info = Self.topicInfo(topic) else {
                    let failure = ClientFailure(code, "topic '\(name)'")
                    throw code == .unknownTopicOrPartition ? failure.final : failure
                }
                found.append(info)
            }
            return found
        }
    }

    private static func topicInfo(_ topic: MetadataResponse.MetadataResponseTopic) -> TopicInfo? {
        guard let name = topic.name else { return nil }
        return TopicInfo(
            name: name, id: topic.topicId.description, isInternal: topic.isInternal,
            partitions: topic.partitions
                .map {
                    .init(
                        partition: $0.partitionIndex, leader: $0.leaderId,
                        leaderEpoch: $0.leaderEpoch, replicas: $0.replicaNodes,
                        inSyncReplicas: $0.isrNodes)
                }
                .sorted { $0.partition < $1.partition })
    }

    public func createTopic(
        _ topic: NewTopic, validateOnly: Bool = false
    ) throws(ClientFailure) {
        var new = CreateTopicsRequest.CreatableTopic(name: topic.name)
        new.numPartitions = topic.partitions ?? -1
        new.replicationFactor = topic.replicationFactor ?? -1
        new.configs = topic.configs.keys.sorted().map { .init(name: $0, value: topic.configs[$0]) }
        let request = CreateTopicsRequest(
            topics: [new], timeoutMs: timeoutMs, validateOnly: validateOnly)
        try patiently { () throws(ClientFailure) in
            let response = try cluster.controllerConnection().call(request)
            for result in response.topics where result.errorCode != .none {
                throw ClientFailure(
                    result.errorCode, "create topic '\(result.name)'", detail: result.errorMessage)
            }
        }
    }

    public func deleteTopic(_ name: String) throws(ClientFailure) {
        let request = DeleteTopicsRequest(topicNames: [name], timeoutMs: timeoutMs)
        try patiently { () throws(ClientFailure) in
            let response = try cluster.controllerConnection().call(request, atMost: 5)
            for result in response.responses where result.errorCode != .none {
                let failure = ClientFailure(
                    result.errorCode, "delete topic '\(result.name ?? name)'",
                    detail: result.errorMessage)
                throw result.errorCode == .unknownTopicOrPartition ? failure.final : failure
            }
        }
    }

    /// Raises the number of partitions of a topic to `count`.
    public func createPartitions(
        _ topic: String, count: Int32, validateOnly: Bool = false
    ) throws(ClientFailure) {
        let request = CreatePartitionsRequest(
            topics: [.init(name: topic, count: count, assignments: nil)], timeoutMs: timeoutMs,
            validateOnly: validateOnly)
        try patiently { () throws(ClientFailure) in
            let response = try cluster.controllerConnection().call(request)
            for result in response.results where result.errorCode != .none {
                throw ClientFailure(
                    result.errorCode, "add partitions to '\(result.name)'",
                    detail: result.errorMessage)
            }
        }
    }

    // MARK: Offsets and groups

    /// The offset at a time (milliseconds since 1970) of each partition, or -1 for the end and -2
    /// for the begin.
    public func listOffsets(
        _ queries: [PartitionAddress: Int64]
    ) throws(ClientFailure) -> [PartitionAddress: FoundOffset] {
        try cluster.listOffsets(queries)
    }

    /// The offset behind the last record of each partition of a topic.
    public func endOffsets(_ topic: String) throws(ClientFailure) -> [PartitionAddress: Int64] {
        let info = try describeTopics([topic])[0]
        var queries: [PartitionAddress: Int64] = [:]
        for partition in info.partitions {
            queries[PartitionAddress(topic, partition.partition)] = OffsetQuery.latest
        }
        return try cluster.listOffsets(queries).mapValues(\.offset)
    }

    /// The groups that all brokers coordinate, by name.
    public func listGroups() throws(ClientFailure) -> [GroupListing] {
        let brokers = try describeCluster().brokers
        var groups: [GroupListing] = []
        for broker in brokers {
            let found = try patiently { () throws(ClientFailure) in
                let response = try cluster.connection(to: broker.id).call(ListGroupsRequest())
                guard response.errorCode == .none else {
                    throw ClientFailure(
                        response.errorCode, "list the groups of broker \(broker.id)")
                }
                return response.groups
            }
            groups += found.map {
                GroupListing(
                    groupId: $0.groupId, protocolType: $0.protocolType, state: $0.groupState,
                    type: $0.groupType)
            }
        }
        return groups.sorted { $0.groupId < $1.groupId }
    }

    /// A group with its members. A group that nobody has heard of has the state `Dead`.
    public func describeGroup(_ group: String) throws(ClientFailure) -> GroupInfo {
        try patiently { () throws(ClientFailure) in
            let request = DescribeGroupsRequest(groups: [group])
            let coordinator = try cluster.coordinator(ofGroup: group)
            let response = try coordinator.call(request, atMost: 5)
            guard let found = response.groups.first else {
                throw ClientFailure("the broker left group '\(group)' out")
            }
            guard found.errorCode == .none else {
                throw ClientFailure(found.errorCode, "describe group '\(group)'")
            }
            // Groups of the newer protocol are described by a request of their own.
            if found.groupState == "Dead" {
                if let newer = try describeConsumerGroup(group, coordinator) { return newer }
                if let share = try describeShareGroup(group, coordinator) { return share }
            }
            return GroupInfo(
                groupId: found.groupId, state: found.groupState,
                protocolType: found.protocolType, strategy: found.protocolData,
                members: found.members.map { member in
                    .init(
                        memberId: member.memberId, instanceId: member.groupInstanceId,
                        clientId: member.clientId, host: member.clientHost,
                        // Groups of other kinds than consumers have bytes that only they know.
                        partitions: (try? GroupBytes.partitions(
                            ofAssignment: member.memberAssignment)) ?? [])
                })
        }
    }

    /// nil when there is no such group of the newer protocol.
    private func describeConsumerGroup(
        _ group: String, _ coordinator: BrokerConnection
    ) throws(ClientFailure) -> GroupInfo? {
        guard (try? coordinator.version(of: .consumerGroupDescribe)) != nil else { return nil }
        var request = ConsumerGroupDescribeRequest()
        request.groupIds = [group]
        guard let found = try coordinator.call(request).groups.first else { return nil }
        if found.errorCode == .groupIdNotFound { return nil }
        guard found.errorCode == .none else {
            throw ClientFailure(
                found.errorCode, "describe group '\(group)'", detail: found.errorMessage)
        }
        return GroupInfo(
            groupId: found.groupId, state: found.groupState, protocolType: "consumer",
            strategy: found.assignorName,
            members: found.members.map { member in
                .init(
                    memberId: member.memberId, instanceId: member.instanceId,
                    clientId: member.clientId, host: member.clientHost,
                    partitions: member.assignment.topicPartitions.flatMap { topic in
                        topic.partitions.map { PartitionAddress(topic.topicName, $0) }
                    }.sorted())
            })
    }

    /// The offsets that a group has stored.
    public func committedOffsets(
        _ group: String
    ) throws(ClientFailure) -> [PartitionAddress: CommittedOffset] {
        try cluster.committedOffsets(ofGroup: group, nil)
    }

    /// Stores offsets for a group without members.
    public func setCommittedOffsets(
        _ group: String, _ offsets: [PartitionAddress: CommittedOffset]
    ) throws(ClientFailure) {
        try cluster.commit(offsets, ofGroup: group, as: ("", -1), instanceId: nil)
    }

    /// Forgets what a group has stored for these partitions; no member may be subscribed to their
    /// topics now.
    public func deleteCommittedOffsets(
        _ group: String, _ partitions: [PartitionAddress]
    ) throws(ClientFailure) {
        var request = OffsetDeleteRequest()
        request.groupId = group
        for address in partitions.sorted() {
            if request.topics.last?.name != address.topic {
                request.topics.append(.init(name: address.topic))
            }
            request.topics[request.topics.count - 1].partitions.append(
                .init(partitionIndex: address.partition))
        }
        let whole = request
        try patiently { () throws(ClientFailure) in
            let response = try cluster.coordinator(ofGroup: group).call(whole)
            guard response.errorCode == .none else {
                throw ClientFailure(response.errorCode, "delete offsets of group '\(group)'")
            }
            for topic in response.topics {
                for partition in topic.partitions where partition.errorCode != .none {
                    throw ClientFailure(
                        partition.errorCode,
                        "delete the offset of group '\(group)' in \(topic.name)-"
                            + "\(partition.partitionIndex)")
                }
            }
        }
    }

    public func deleteGroup(_ group: String) throws(ClientFailure) {
        let request = DeleteGroupsRequest(groupsNames: [group])
        try patiently { () throws(ClientFailure) in
            let response = try cluster.coordinator(ofGroup: group).call(request)
            for result in response.results where result.errorCode != .none {
                throw ClientFailure(result.errorCode, "delete group '\(result.groupId)'")
            }
        }
    }
}
