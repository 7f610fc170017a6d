// The brokers of the cluster, and the partitions of topics with their leaders.

import Base

/// The request, versions 0 to 13. Flexible from version 9.
package struct MetadataRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.metadata
    package typealias Response = MetadataResponse
    package static let minimumWireBytes = 4

    /// One element for each topic; nil means all.
    package var topics: [MetadataRequestTopic]? = []
    /// Whether a missing topic may be created, if the broker is configured so. From version 4.
    package var allowAutoTopicCreation: Bool = true
    /// Whether to say what this client may do with the cluster. Versions 8 to 10.
    package var includeClusterAuthorizedOperations: Bool = false
    /// Whether to say what this client may do with each topic. From version 8.
    package var includeTopicAuthorizedOperations: Bool = false

    package init(
        topics: [MetadataRequestTopic]? = [], allowAutoTopicCreation: Bool = true,
        includeClusterAuthorizedOperations: Bool = false,
        includeTopicAuthorizedOperations: Bool = false
    ) {
        self.topics = topics
        self.allowAutoTopicCreation = allowAutoTopicCreation
        self.includeClusterAuthorizedOperations = includeClusterAuthorizedOperations
        self.includeTopicAuthorizedOperations = includeTopicAuthorizedOperations
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 9
        topics =
            version >= 1
            ? try reader.nullableArray(version: version, flexible: flexible)
            : try reader.array(version: version, flexible: flexible)
        // Version 0 knows no null and asks for all topics with an empty list.
        if version == 0, topics?.isEmpty == true { topics = nil }
        if version >= 4 { allowAutoTopicCreation = try reader.bool() }
        if version >= 8 && version <= 10 { includeClusterAuthorizedOperations = try reader.bool() }
        if version >= 8 { includeTopicAuthorizedOperations = try reader.bool() }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 9
        writer.nullableArray(
            topics ?? (version >= 1 ? nil : []), version: version, flexible: flexible)
        if version >= 4 { writer.bool(allowAutoTopicCreation) }
        if version >= 8 && version <= 10 { writer.bool(includeClusterAuthorizedOperations) }
        if version >= 8 { writer.bool(includeTopicAuthorizedOperations) }
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one topic.
    package struct MetadataRequestTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Id of the topic; zero when absent. From version 10.
        package var topicId: UUID128 = .zero
        /// Its name.
        package var name: String? = ""

        package init(topicId: UUID128 = .zero, name: String? = "") {
            self.topicId = topicId
            self.name = name
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 9
            if version >= 10 { topicId = try reader.uuid() }
            name =
                version >= 10
                ? try reader.nullableStringField(flexible: flexible)
                : try reader.stringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 9
            if version >= 10 { writer.uuid(topicId) }
            writer.nullableStringField(name ?? (version >= 10 ? nil : ""), flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 0 to 13. Flexible from version 9.
package struct MetadataResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.metadata
    package static let minimumWireBytes = 8

    /// How long the broker will not read from this connection, because of a quota. From version 3.
    package var throttleTimeMs: Int32 = 0
    /// The brokers that are alive.
    package var brokers: [MetadataResponseBroker] = []
    /// Identifies the cluster. From version 2.
    package var clusterId: String? = nil
    /// Number of the controlling broker, or -1. From version 1.
    package var controllerId: Int32 = -1
    /// One element for each topic.
    package var topics: [MetadataResponseTopic] = []
    /// Bit set of what the client may do; the lowest number when not asked for. Versions 8 to 10.
    package var clusterAuthorizedOperations: Int32 = .min
    /// What went wrong, or `none`. From version 13.
    package var errorCode: ErrorCode = .none

    package init(
        throttleTimeMs: Int32 = 0, brokers: [MetadataResponseBroker] = [], clusterId: String? = nil,
        controllerId: Int32 = -1, topics: [MetadataResponseTopic] = [],
        clusterAuthorizedOperations: Int32 = .min, errorCode: ErrorCode = .none
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.brokers = brokers
        self.clusterId = clusterId
        self.controllerId = controllerId
        self.topics = topics
        self.clusterAuthorizedOperations = clusterAuthorizedOperations
        self.errorCode = errorCode
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 9
        if version >= 3 { throttleTimeMs = try reader.int32() }
        brokers = try reader.array(version: version, flexible: flexible)
        if version >= 2 { clusterId = try reader.nullableStringField(flexible: flexible) }
        if version >= 1 { controllerId = try reader.int32() }
        topics = try reader.array(version: version, flexible: flexible)
        if version >= 8 && version <= 10 { clusterAuthorizedOperations = try reader.int32() }
        if version >= 13 { errorCode = try reader.errorCode() }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 9
        if version >= 3 { writer.int32(throttleTimeMs) }
        writer.array(brokers, version: version, flexible: flexible)
        if version >= 2 { writer.nullableStringField(clusterId, flexible: flexible) }
        if version >= 1 { writer.int32(controllerId) }
        writer.array(topics, version: version, flexible: flexible)
        if version >= 8 && version <= 10 { writer.int32(clusterAuthorizedOperations) }
        if version >= 13 { writer.errorCode(errorCode) }
        if flexible { writer.noTaggedFields() }
    }

    /// One broker.
    package struct MetadataResponseBroker: WireStructure, Equatable {
        package static let minimumWireBytes = 10

        /// Number of the broker.
        package var nodeId: Int32 = 0
        /// Name or address to connect to.
        package var host: String = ""
        /// Port to connect to.
        package var port: Int32 = 0
        /// Where the broker stands, if that was configured. From version 1.
        package var rack: String? = nil

        package init(nodeId: Int32 = 0, host: String = "", port: Int32 = 0, rack: String? = nil) {
            self.nodeId = nodeId
            self.host = host
            self.port = port
            self.rack = rack
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 9
            nodeId = try reader.int32()
            host = try reader.stringField(flexible: flexible)
            port = try reader.int32()
            if version >= 1 { rack = try reader.nullableStringField(flexible: flexible) }
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 9
            writer.int32(nodeId)
            writer.stringField(host, flexible: flexible)
            writer.int32(port)
            if version >= 1 { writer.nullableStringField(rack, flexible: flexible) }
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one partition.
    package struct MetadataResponsePartition: WireStructure, Equatable {
        package static let minimumWireBytes = 18

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// Number of the leading broker, or -1.
        package var leaderId: Int32 = 0
        /// Epoch of the leadership, or -1. From version 7.
        package var leaderEpoch: Int32 = -1
        /// Brokers that hold a replica, the preferred leader first.
        package var replicaNodes: [Int32] = []
        /// Brokers whose replicas are in sync.
        package var isrNodes: [Int32] = []
        /// Brokers whose replicas are not reachable. From version 5.
        package var offlineReplicas: [Int32] = []

        package init(
            errorCode: ErrorCode = .none, partitionIndex: Int32 = 0, leaderId: Int32 = 0,
            leaderEpoch: Int32 = -1, replicaNodes: [Int32] = [], isrNodes: [Int32] = [],
            offlineReplicas: [Int32] = []
        ) {
            self.errorCode = errorCode
            self.partitionIndex = partitionIndex
            self.leaderId = leaderId
            self.leaderEpoch = leaderEpoch
            self.replicaNodes = replicaNodes
            self.isrNodes = isrNodes
            self.offlineReplicas = offlineReplicas
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 9
            errorCode = try reader.errorCode()
            partitionIndex = try reader.int32()
            leaderId = try reader.int32()
            if version >= 7 { leaderEpoch = try reader.int32() }
            replicaNodes = try reader.int32Array(flexible: flexible)
            isrNodes = try reader.int32Array(flexible: flexible)
            if version >= 5 { offlineReplicas = try reader.int32Array(flexible: flexible) }
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 9
            writer.errorCode(errorCode)
            writer.int32(partitionIndex)
            writer.int32(leaderId)
            if version >= 7 { writer.int32(leaderEpoch) }
            writer.int32Array(replicaNodes, flexible: flexible)
            writer.int32Array(isrNodes, flexible: flexible)
            if version >= 5 { writer.int32Array(offlineReplicas, flexible: flexible) }
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct MetadataResponseTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 8

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// Its name.
        package var name: String? = ""
        /// Id of the topic; zero when absent. From version 10.
        package var topicId: UUID128 = .zero
        /// Whether the topic belongs to the brokers themselves. From version 1.
        package var isInternal: Bool = false
        /// One element for each partition.
        package var partitions: [MetadataResponsePartition] = []
        /// Bit set of what the client may do; the lowest number when not asked for. From version 8.
        package var topicAuthorizedOperations: Int32 = .min

        package init(
            errorCode: ErrorCode = .none, name: String? = "", topicId: UUID128 = .zero,
            isInternal: Bool = false, partitions: [MetadataResponsePartition] = [],
            topicAuthorizedOperations: Int32 = .min
        ) {
            self.errorCode = errorCode
            self.name = name
            self.topicId = topicId
            self.isInternal = isInternal
            self.partitions = partitions
            self.topicAuthorizedOperations = topicAuthorizedOperations
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 9
            errorCode = try reader.errorCode()
            name =
                version >= 12
                ? try reader.nullableStringField(flexible: flexible)
                : try reader.stringField(flexible: flexible)
            if version >= 10 { topicId = try reader.uuid() }
            if version >= 1 { isInternal = try reader.bool() }
            partitions = try reader.array(version: version, flexible: flexible)
            if version >= 8 { topicAuthorizedOperations = try reader.int32() }
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 9
            writer.errorCode(errorCode)
            writer.nullableStringField(name ?? (version >= 12 ? nil : ""), flexible: flexible)
            if version >= 10 { writer.uuid(topicId) }
            if version >= 1 { writer.bool(isInternal) }
            writer.array(partitions, version: version, flexible: flexible)
            if version >= 8 { writer.int32(topicAuthorizedOperations) }
            if flexible { writer.noTaggedFields() }
        }
    }
}
