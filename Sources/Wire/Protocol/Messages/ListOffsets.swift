// Finds offsets by time, or the first and last of a partition.

import Base

/// The request, versions 1 to 11. Flexible from version 6.
package struct ListOffsetsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.listOffsets
    package typealias Response = ListOffsetsResponse
    package static let minimumWireBytes = 7

    /// Number of the asking follower, or -1 for a consumer.
    package var replicaId: Int32 = 0
    /// 0: read everything; 1: only committed transactions. From version 2.
    package var isolationLevel: Int8 = 0
    /// One element for each topic.
    package var topics: [ListOffsetsTopic] = []
    /// How long the broker may take, in milliseconds. From version 10.
    package var timeoutMs: Int32 = 0

    package init(
        replicaId: Int32 = 0, isolationLevel: Int8 = 0, topics: [ListOffsetsTopic] = [],
        timeoutMs: Int32 = 0
    ) {
        self.replicaId = replicaId
        self.isolationLevel = isolationLevel
        self.topics = topics
        self.timeoutMs = timeoutMs
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 6
        replicaId = try reader.int32()
        if version >= 2 { isolationLevel = try reader.int8() }
        topics = try reader.array(version: version, flexible: flexible)
        if version >= 10 { timeoutMs = try reader.int32() }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 6
        writer.int32(replicaId)
        if version >= 2 { writer.int8(isolationLevel) }
        writer.array(topics, version: version, flexible: flexible)
        if version >= 10 { writer.int32(timeoutMs) }
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one partition.
    package struct ListOffsetsPartition: WireStructure, Equatable {
        package static let minimumWireBytes = 12

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// Leader epoch that the client knows, or -1 to skip the check. From version 4.
        package var currentLeaderEpoch: Int32 = -1
        /// Milliseconds since 1970, or a special number: see `OffsetQuery`.
        package var timestamp: Int64 = 0

        package init(
            partitionIndex: Int32 = 0, currentLeaderEpoch: Int32 = -1, timestamp: Int64 = 0
        ) {
            self.partitionIndex = partitionIndex
            self.currentLeaderEpoch = currentLeaderEpoch
            self.timestamp = timestamp
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 6
            partitionIndex = try reader.int32()
            if version >= 4 { currentLeaderEpoch = try reader.int32() }
            timestamp = try reader.int64()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 6
            writer.int32(partitionIndex)
            if version >= 4 { writer.int32(currentLeaderEpoch) }
            writer.int64(timestamp)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct ListOffsetsTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [ListOffsetsPartition] = []

        package init(name: String = "", partitions: [ListOffsetsPartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 6
            name = try reader.stringField(flexible: flexible)
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 6
            writer.stringField(name, flexible: flexible)
            writer.array(partitions, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 1 to 11. Flexible from version 6.
package struct ListOffsetsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.listOffsets
    package static let minimumWireBytes = 4

    /// How long the broker will not read from this connection, because of a quota. From version 2.
    package var throttleTimeMs: Int32 = 0
    /// One element for each topic.
    package var topics: [ListOffsetsTopicResponse] = []

    package init(throttleTimeMs: Int32 = 0, topics: [ListOffsetsTopicResponse] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 6
        if version >= 2 { throttleTimeMs = try reader.int32() }
        topics = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 6
        if version >= 2 { writer.int32(throttleTimeMs) }
        writer.array(topics, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one partition.
    package struct ListOffsetsPartitionResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 22

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// Milliseconds since 1970, or a special number: see `OffsetQuery`.
        package var timestamp: Int64 = -1
        /// The offset, or -1 when there is none.
        package var offset: Int64 = -1
        /// Epoch of the leadership, or -1. From version 4.
        package var leaderEpoch: Int32 = -1

        package init(
            partitionIndex: Int32 = 0, errorCode: ErrorCode = .none, timestamp: Int64 = -1,
            offset: Int64 = -1, leaderEpoch: Int32 = -1
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.timestamp = timestamp
            self.offset = offset
            self.leaderEpoch = leaderEpoch
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 6
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
            timestamp = try reader.int64()
            offset = try reader.int64()
            if version >= 4 { leaderEpoch = try reader.int32() }
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 6
            writer.int32(partitionIndex)
            writer.errorCode(errorCode)
            writer.int64(timestamp)
            writer.int64(offset)
            if version >= 4 { writer.int32(leaderEpoch) }
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct ListOffsetsTopicResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [ListOffsetsPartitionResponse] = []

        package init(name: String = "", partitions: [ListOffsetsPartitionResponse] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 6
            name = try reader.stringField(flexible: flexible)
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 6
            writer.stringField(name, flexible: flexible)
            writer.array(partitions, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}
