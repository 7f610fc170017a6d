// Where the records of a leader epoch end, to find out what was truncated.

import Base

/// The request, versions 2 to 4. Flexible from version 4.
package struct OffsetForLeaderEpochRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.offsetForLeaderEpoch
    package typealias Response = OffsetForLeaderEpochResponse
    package static let minimumWireBytes = 4

    /// Number of the asking follower, or -1 for a consumer. From version 3.
    package var replicaId: Int32 = -2
    /// One element for each topic.
    package var topics: [OffsetForLeaderTopic] = []

    package init(replicaId: Int32 = -2, topics: [OffsetForLeaderTopic] = []) {
        self.replicaId = replicaId
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 4
        if version >= 3 { replicaId = try reader.int32() }
        topics = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 4
        if version >= 3 { writer.int32(replicaId) }
        writer.array(topics, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one partition.
    package struct OffsetForLeaderPartition: WireStructure, Equatable {
        package static let minimumWireBytes = 12

        /// Number of the partition.
        package var partition: Int32 = 0
        /// Leader epoch that the client knows, or -1 to skip the check.
        package var currentLeaderEpoch: Int32 = -1
        /// Epoch of the leadership, or -1.
        package var leaderEpoch: Int32 = 0

        package init(partition: Int32 = 0, currentLeaderEpoch: Int32 = -1, leaderEpoch: Int32 = 0) {
            self.partition = partition
            self.currentLeaderEpoch = currentLeaderEpoch
            self.leaderEpoch = leaderEpoch
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 4
            partition = try reader.int32()
            currentLeaderEpoch = try reader.int32()
            leaderEpoch = try reader.int32()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 4
            writer.int32(partition)
            writer.int32(currentLeaderEpoch)
            writer.int32(leaderEpoch)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct OffsetForLeaderTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the topic.
        package var topic: String = ""
        /// One element for each partition.
        package var partitions: [OffsetForLeaderPartition] = []

        package init(topic: String = "", partitions: [OffsetForLeaderPartition] = []) {
            self.topic = topic
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 4
            topic = try reader.stringField(flexible: flexible)
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 4
            writer.stringField(topic, flexible: flexible)
            writer.array(partitions, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 2 to 4. Flexible from version 4.
package struct OffsetForLeaderEpochResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.offsetForLeaderEpoch
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each topic.
    package var topics: [OffsetForLeaderTopicResult] = []

    package init(throttleTimeMs: Int32 = 0, topics: [OffsetForLeaderTopicResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 4
        throttleTimeMs = try reader.int32()
        topics = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 4
        writer.int32(throttleTimeMs)
        writer.array(topics, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// Where a leader epoch ends.
    package struct EpochEndOffset: WireStructure, Equatable {
        package static let minimumWireBytes = 18

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// Number of the partition.
        package var partition: Int32 = 0
        /// Epoch of the leadership, or -1.
        package var leaderEpoch: Int32 = -1
        /// Offset behind its last record, or -1.
        package var endOffset: Int64 = -1

        package init(
            errorCode: ErrorCode = .none, partition: Int32 = 0, leaderEpoch: Int32 = -1,
            endOffset: Int64 = -1
        ) {
            self.errorCode = errorCode
            self.partition = partition
            self.leaderEpoch = leaderEpoch
            self.endOffset = endOffset
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 4
            errorCode = try reader.errorCode()
            partition = try reader.int32()
            leaderEpoch = try reader.int32()
            endOffset = try reader.int64()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 4
            writer.errorCode(errorCode)
            writer.int32(partition)
            writer.int32(leaderEpoch)
            writer.int64(endOffset)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct OffsetForLeaderTopicResult: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the topic.
        package var topic: String = ""
        /// One element for each partition.
        package var partitions: [EpochEndOffset] = []

        package init(topic: String = "", partitions: [EpochEndOffset] = []) {
            self.topic = topic
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 4
            topic = try reader.stringField(flexible: flexible)
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 4
            writer.stringField(topic, flexible: flexible)
            writer.array(partitions, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}
