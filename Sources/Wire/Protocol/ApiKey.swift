/// The request kinds of the protocol that clients use, with their published numbers.
package enum ApiKey: Int16, CaseIterable, Hashable, Sendable {
    case produce = 0
    case fetch = 1
    case listOffsets = 2
    case metadata = 3
    case offsetCommit = 8
    case offsetFetch = 9
    case findCoordinator = 10
    case joinGroup = 11
    case heartbeat = 12
    case leaveGroup = 13
    case syncGroup = 14
    case describeGroups = 15
    case listGroups = 16
    case saslHandshake = 17
    case apiVersions = 18
    case createTopics = 19
    case deleteTopics = 20
    case deleteRecords = 21
    case initProducerId = 22
    case offsetForLeaderEpoch = 23
    case addPartitionsToTxn = 24
    case addOffsetsToTxn = 25
    case endTxn = 26
    case writeTxnMarkers = 27
    case txnOffsetCommit = 28
    case describeAcls = 29
    case createAcls = 30
    case deleteAcls = 31
    case describeConfigs = 32
    case alterConfigs = 33
    case alterReplicaLogDirs = 34
    case describeLogDirs = 35
    case saslAuthenticate = 36
    case createPartitions = 37
    case deleteGroups = 42
    case electLeaders = 43
    case incrementalAlterConfigs = 44
    case alterPartitionReassignments = 45
    case listPartitionReassignments = 46
    case offsetDelete = 47
    case describeClientQuotas = 48
    case alterClientQuotas = 49
    case describeUserScramCredentials = 50
    case alterUserScramCredentials = 51
    case describeQuorum = 55
    case updateFeatures = 57
    case describeCluster = 60
    case describeProducers = 61
    case unregisterBroker = 64
    case describeTransactions = 65
    case listTransactions = 66
    case consumerGroupHeartbeat = 68
    case consumerGroupDescribe = 69
    case getTelemetrySubscriptions = 71
    case pushTelemetry = 72
    case listConfigResources = 74
    case describeTopicPartitions = 75
    case shareGroupHeartbeat = 76
    case shareGroupDescribe = 77
    case shareFetch = 78
    case shareAcknowledge = 79
    case describeShareGroupOffsets = 90
    case alterShareGroupOffsets = 91
    case deleteShareGroupOffsets = 92
}

extension ApiKey: Comparable {
    package static func < (left: ApiKey, right: ApiKey) -> Bool { left.rawValue < right.rawValue }
}

extension ApiKey {
    /// The name as it is published, for example `ListOffsets`.
    package var publishedName: String {
        let name = "\(self)"
        return name.prefix(1).uppercased() + name.dropFirst()
    }

    /// The lowest version that has compact lengths and tagged fields; nil for kinds that we have
    /// no layout of.
    package var firstFlexibleVersion: Int16? {
        switch self {
        case .describeCluster, .alterPartitionReassignments, .listPartitionReassignments,
            .describeQuorum, .updateFeatures, .unregisterBroker, .listConfigResources,
            .describeTopicPartitions, .describeUserScramCredentials, .alterUserScramCredentials,
            .consumerGroupHeartbeat, .consumerGroupDescribe, .shareGroupHeartbeat,
            .shareGroupDescribe, .shareFetch, .shareAcknowledge, .describeShareGroupOffsets,
            .alterShareGroupOffsets, .deleteShareGroupOffsets:
            0
        case .describeProducers, .describeTransactions, .listTransactions: 0
        case .writeTxnMarkers: 1
        case .addPartitionsToTxn, .addOffsetsToTxn, .endTxn, .txnOffsetCommit: 3
        case .incrementalAlterConfigs, .describeClientQuotas, .alterClientQuotas: 1
        case .deleteGroups, .createPartitions, .initProducerId, .deleteRecords, .alterConfigs,
            .alterReplicaLogDirs, .describeLogDirs, .electLeaders,
            .saslAuthenticate, .describeAcls, .createAcls, .deleteAcls:
            2
        case .apiVersions, .findCoordinator, .listGroups: 3
        case .syncGroup, .heartbeat, .leaveGroup, .deleteTopics, .describeConfigs,
            .offsetForLeaderEpoch:
            4
        case .describeGroups, .createTopics: 5
        case .listOffsets, .joinGroup, .offsetFetch: 6
        case .offsetCommit: 8
        case .metadata, .produce: 9
        case .fetch: 12
        // Published without flexible versions so far.
        case .offsetDelete: .max
        default: nil
        }
    }

    /// Whether `version` of this kind is flexible.
    package func isFlexible(version: Int16) -> Bool {
        guard let first = firstFlexibleVersion else { return false }
        return version >= first
    }
}
