// Tells how the nodes that decide about the metadata are doing.

import Base

/// The request, versions 0 to 2. Flexible.
package struct DescribeQuorumRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.describeQuorum
    package typealias Response = DescribeQuorumResponse
    package static let minimumWireBytes = 2

    /// One element for each topic.
    package var topics: [TopicData] = []

    package init(topics: [TopicData] = []) {
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        topics = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.array(topics, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one partition.
    package struct PartitionData: WireStructure, Equatable {
        package static let minimumWireBytes = 5

        /// Number of the partition.
        package var partitionIndex: Int32 = 0

        package init(partitionIndex: Int32 = 0) {
            self.partitionIndex = partitionIndex
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct TopicData: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the topic.
        package var topicName: String = ""
        /// One element for each partition.
        package var partitions: [PartitionData] = []

        package init(topicName: String = "", partitions: [PartitionData] = []) {
            self.topicName = topicName
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicName = try reader.stringField(flexible: true)
            partitions = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(topicName, flexible: true)
            writer.array(partitions, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }
}

/// The answer, versions 0 to 2. Flexible.
package struct DescribeQuorumResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.describeQuorum
    package static let minimumWireBytes = 4

    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people. From version 2.
    package var errorMessage: String? = nil
    /// One element for each topic.
    package var topics: [TopicData] = []
    /// Addresses of the voters. From version 2.
    package var nodes: [Node] = []

    package init(
        errorCode: ErrorCode = .none, errorMessage: String? = nil, topics: [TopicData] = [],
        nodes: [Node] = []
    ) {
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.topics = topics
        self.nodes = nodes
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        errorCode = try reader.errorCode()
        if version >= 2 { errorMessage = try reader.nullableStringField(flexible: true) }
        topics = try reader.array(version: version, flexible: true)
        if version >= 2 { nodes = try reader.array(version: version, flexible: true) }
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.errorCode(errorCode)
        if version >= 2 { writer.nullableStringField(errorMessage, flexible: true) }
        writer.array(topics, version: version, flexible: true)
        if version >= 2 { writer.array(nodes, version: version, flexible: true) }
        writer.noTaggedFields()
    }

    /// How far one node is.
    package struct ReplicaState: WireStructure, Equatable {
        package static let minimumWireBytes = 13

        /// Number of the node.
        package var replicaId: Int32 = 0
        /// Directory of its log; zero when unknown. From version 2.
        package var replicaDirectoryId: UUID128 = .zero
        /// Offset behind its last record, or -1.
        package var logEndOffset: Int64 = 0
        /// When it asked the leader last, or -1. From version 1.
        package var lastFetchTimestamp: Int64 = -1
        /// When it had everything last, or -1. From version 1.
        package var lastCaughtUpTimestamp: Int64 = -1

        package init(
            replicaId: Int32 = 0, replicaDirectoryId: UUID128 = .zero, logEndOffset: Int64 = 0,
            lastFetchTimestamp: Int64 = -1, lastCaughtUpTimestamp: Int64 = -1
        ) {
            self.replicaId = replicaId
            self.replicaDirectoryId = replicaDirectoryId
            self.logEndOffset = logEndOffset
            self.lastFetchTimestamp = lastFetchTimestamp
            self.lastCaughtUpTimestamp = lastCaughtUpTimestamp
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            replicaId = try reader.int32()
            if version >= 2 { replicaDirectoryId = try reader.uuid() }
            logEndOffset = try reader.int64()
            if version >= 1 { lastFetchTimestamp = try reader.int64() }
            if version >= 1 { lastCaughtUpTimestamp = try reader.int64() }
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(replicaId)
            if version >= 2 { writer.uuid(replicaDirectoryId) }
            writer.int64(logEndOffset)
            if version >= 1 { writer.int64(lastFetchTimestamp) }
            if version >= 1 { writer.int64(lastCaughtUpTimestamp) }
            writer.noTaggedFields()
        }
    }

    /// The part for one partition.
    package struct PartitionData: WireStructure, Equatable {
        package static let minimumWireBytes = 25

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people. From version 2.
        package var errorMessage: String? = nil
        /// Number of the leading broker, or -1.
        package var leaderId: Int32 = 0
        /// Epoch of the leadership, or -1.
        package var leaderEpoch: Int32 = 0
        /// Offset behind the last committed record.
        package var highWatermark: Int64 = 0
        /// Those whose votes count.
        package var currentVoters: [ReplicaState] = []
        /// Those who only listen.
        package var observers: [ReplicaState] = []

        package init(
            partitionIndex: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
            leaderId: Int32 = 0, leaderEpoch: Int32 = 0, highWatermark: Int64 = 0,
            currentVoters: [ReplicaState] = [], observers: [ReplicaState] = []
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.leaderId = leaderId
            self.leaderEpoch = leaderEpoch
            self.highWatermark = highWatermark
            self.currentVoters = currentVoters
            self.observers = observers
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
            if version >= 2 { errorMessage = try reader.nullableStringField(flexible: true) }
            leaderId = try reader.int32()
            leaderEpoch = try reader.int32()
            highWatermark = try reader.int64()
            currentVoters = try reader.array(version: version, flexible: true)
            observers = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.errorCode(errorCode)
            if version >= 2 { writer.nullableStringField(errorMessage, flexible: true) }
            writer.int32(leaderId)
            writer.int32(leaderEpoch)
            writer.int64(highWatermark)
            writer.array(currentVoters, version: version, flexible: true)
            writer.array(observers, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct TopicData: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the topic.
        package var topicName: String = ""
        /// One element for each partition.
        package var partitions: [PartitionData] = []

        package init(topicName: String = "", partitions: [PartitionData] = []) {
            self.topicName = topicName
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicName = try reader.stringField(flexible: true)
            partitions = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(topicName, flexible: true)
            writer.array(partitions, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// One address.
    package struct Listener: WireStructure, Equatable {
        package static let minimumWireBytes = 1

        /// Its name. From version 2.
        package var name: String = ""
        /// Name or address to connect to. From version 2.
        package var host: String = ""
        /// Port to connect to. From version 2.
        package var port: UInt16 = 0

        package init(name: String = "", host: String = "", port: UInt16 = 0) {
            self.name = name
            self.host = host
            self.port = port
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            if version >= 2 { name = try reader.stringField(flexible: true) }
            if version >= 2 { host = try reader.stringField(flexible: true) }
            if version >= 2 { port = try reader.uint16() }
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            if version >= 2 { writer.stringField(name, flexible: true) }
            if version >= 2 { writer.stringField(host, flexible: true) }
            if version >= 2 { writer.uint16(port) }
            writer.noTaggedFields()
        }
    }

    /// One node.
    package struct Node: WireStructure, Equatable {
        package static let minimumWireBytes = 1

        /// Number of the node. From version 2.
        package var nodeId: Int32 = 0
        /// Where it listens. From version 2.
        package var listeners: [Listener] = []

        package init(nodeId: Int32 = 0, listeners: [Listener] = []) {
            self.nodeId = nodeId
            self.listeners = listeners
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            if version >= 2 { nodeId = try reader.int32() }
            if version >= 2 { listeners = try reader.array(version: version, flexible: true) }
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            if version >= 2 { writer.int32(nodeId) }
            if version >= 2 { writer.array(listeners, version: version, flexible: true) }
            writer.noTaggedFields()
        }
    }
}
