// Describes topics page by page.

import Base

/// The request, version 0. Flexible.
package struct DescribeTopicPartitionsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.describeTopicPartitions
    package typealias Response = DescribeTopicPartitionsResponse
    package static let minimumWireBytes = 7

    /// One element for each topic.
    package var topics: [TopicRequest] = []
    /// The most partitions of one answer.
    package var responsePartitionLimit: Int32 = 2000
    /// Where to go on; nil = at the begin.
    package var cursor: Cursor? = nil

    package init(
        topics: [TopicRequest] = [], responsePartitionLimit: Int32 = 2000, cursor: Cursor? = nil
    ) {
        self.topics = topics
        self.responsePartitionLimit = responsePartitionLimit
        self.cursor = cursor
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        topics = try reader.array(version: version, flexible: true)
        responsePartitionLimit = try reader.int32()
        cursor = try reader.nullableStructure(version: version)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.array(topics, version: version, flexible: true)
        writer.int32(responsePartitionLimit)
        writer.nullableStructure(cursor, version: version)
        writer.noTaggedFields()
    }

    /// The part for one topic.
    package struct TopicRequest: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Its name.
        package var name: String = ""

        package init(name: String = "") {
            self.name = name
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            name = try reader.stringField(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(name, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// A place in the list of all partitions.
    package struct Cursor: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Name of the topic.
        package var topicName: String = ""
        /// Number of the partition.
        package var partitionIndex: Int32 = 0

        package init(topicName: String = "", partitionIndex: Int32 = 0) {
            self.topicName = topicName
            self.partitionIndex = partitionIndex
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicName = try reader.stringField(flexible: true)
            partitionIndex = try reader.int32()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(topicName, flexible: true)
            writer.int32(partitionIndex)
            writer.noTaggedFields()
        }
    }
}

/// The answer, version 0. Flexible.
package struct DescribeTopicPartitionsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.describeTopicPartitions
    package static let minimumWireBytes = 7

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each topic.
    package var topics: [DescribeTopicPartitionsResponseTopic] = []
    /// Where the next request is to go on; nil = nothing is left.
    package var nextCursor: Cursor? = nil

    package init(
        throttleTimeMs: Int32 = 0, topics: [DescribeTopicPartitionsResponseTopic] = [],
        nextCursor: Cursor? = nil
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
        self.nextCursor = nextCursor
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        topics = try reader.array(version: version, flexible: true)
        nextCursor = try reader.nullableStructure(version: version)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.array(topics, version: version, flexible: true)
        writer.nullableStructure(nextCursor, version: version)
        writer.noTaggedFields()
    }

    /// The part for one partition.
    package struct DescribeTopicPartitionsResponsePartition: WireStructure, Equatable {
        package static let minimumWireBytes = 20

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// Number of the leading broker, or -1.
        package var leaderId: Int32 = 0
        /// Epoch of the leadership, or -1.
        package var leaderEpoch: Int32 = -1
        /// Brokers with a replica, the preferred one first.
        package var replicaNodes: [Int32] = []
        /// Brokers whose replica is in sync.
        package var isrNodes: [Int32] = []
        /// Brokers outside of the in-sync set that have every committed record.
        package var eligibleLeaderReplicas: [Int32]? = nil
        /// Brokers that were eligible last.
        package var lastKnownElr: [Int32]? = nil
        /// Brokers whose replica is offline.
        package var offlineReplicas: [Int32] = []

        package init(
            errorCode: ErrorCode = .none, partitionIndex: Int32 = 0, leaderId: Int32 = 0,
            leaderEpoch: Int32 = -1, replicaNodes: [Int32] = [], isrNodes: [Int32] = [],
            eligibleLeaderReplicas: [Int32]? = nil, lastKnownElr: [Int32]? = nil,
            offlineReplicas: [Int32] = []
        ) {
            self.errorCode = errorCode
            self.partitionIndex = partitionIndex
            self.leaderId = leaderId
            self.leaderEpoch = leaderEpoch
            self.replicaNodes = replicaNodes
            self.isrNodes = isrNodes
            self.eligibleLeaderReplicas = eligibleLeaderReplicas
            self.lastKnownElr = lastKnownElr
            self.offlineReplicas = offlineReplicas
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            errorCode = try reader.errorCode()
            partitionIndex = try reader.int32()
            leaderId = try reader.int32()
            leaderEpoch = try reader.int32()
            replicaNodes = try reader.int32Array(flexible: true)
            isrNodes = try reader.int32Array(flexible: true)
            eligibleLeaderReplicas = try reader.nullableInt32Array(flexible: true)
            lastKnownElr = try reader.nullableInt32Array(flexible: true)
            offlineReplicas = try reader.int32Array(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.errorCode(errorCode)
            writer.int32(partitionIndex)
            writer.int32(leaderId)
            writer.int32(leaderEpoch)
            writer.int32Array(replicaNodes, flexible: true)
            writer.int32Array(isrNodes, flexible: true)
            writer.nullableInt32Array(eligibleLeaderReplicas, flexible: true)
            writer.nullableInt32Array(lastKnownElr, flexible: true)
            writer.int32Array(offlineReplicas, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct DescribeTopicPartitionsResponseTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 26

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// Its name.
        package var name: String? = nil
        /// Id of the topic; zero when absent.
        package var topicId: UUID128 = .zero
        /// Whether the topic belongs to the brokers.
        package var isInternal: Bool = false
        /// One element for each partition.
        package var partitions: [DescribeTopicPartitionsResponsePartition] = []
        /// What the client may do, as bits; least value = not asked for.
        package var topicAuthorizedOperations: Int32 = operationsNotRequested

        package init(
            errorCode: ErrorCode = .none, name: String? = nil, topicId: UUID128 = .zero,
            isInternal: Bool = false, partitions: [DescribeTopicPartitionsResponsePartition] = [],
            topicAuthorizedOperations: Int32 = operationsNotRequested
        ) {
            self.errorCode = errorCode
            self.name = name
            self.topicId = topicId
            self.isInternal = isInternal
            self.partitions = partitions
            self.topicAuthorizedOperations = topicAuthorizedOperations
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            errorCode = try reader.errorCode()
            name = try reader.nullableStringField(flexible: true)
            topicId = try reader.uuid()
            isInternal = try reader.bool()
            partitions = try reader.array(version: version, flexible: true)
            topicAuthorizedOperations = try reader.int32()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.errorCode(errorCode)
            writer.nullableStringField(name, flexible: true)
            writer.uuid(topicId)
            writer.bool(isInternal)
            writer.array(partitions, version: version, flexible: true)
            writer.int32(topicAuthorizedOperations)
            writer.noTaggedFields()
        }
    }

    /// A place in the list of all partitions.
    package struct Cursor: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Name of the topic.
        package var topicName: String = ""
        /// Number of the partition.
        package var partitionIndex: Int32 = 0

        package init(topicName: String = "", partitionIndex: Int32 = 0) {
            self.topicName = topicName
            self.partitionIndex = partitionIndex
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicName = try reader.stringField(flexible: true)
            partitionIndex = try reader.int32()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(topicName, flexible: true)
            writer.int32(partitionIndex)
            writer.noTaggedFields()
        }
    }
}
