// Tells where share groups stand.

import Base

/// The request, versions 0 and 1. Flexible.
package struct DescribeShareGroupOffsetsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.describeShareGroupOffsets
    package typealias Response = DescribeShareGroupOffsetsResponse
    package static let minimumWireBytes = 2

    /// One element for each group.
    package var groups: [RequestGroup] = []

    package init(groups: [RequestGroup] = []) {
        self.groups = groups
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        groups = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.array(groups, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one topic.
    package struct RequestTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the topic.
        package var topicName: String = ""
        /// Numbers of the partitions.
        package var partitions: [Int32] = []

        package init(topicName: String = "", partitions: [Int32] = []) {
            self.topicName = topicName
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicName = try reader.stringField(flexible: true)
            partitions = try reader.int32Array(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(topicName, flexible: true)
            writer.int32Array(partitions, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// The part for one group.
    package struct RequestGroup: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the group.
        package var groupId: String = ""
        /// One element for each topic; null for all partitions that have a state.
        package var topics: [RequestTopic]? = nil

        package init(groupId: String = "", topics: [RequestTopic]? = nil) {
            self.groupId = groupId
            self.topics = topics
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            groupId = try reader.stringField(flexible: true)
            topics = try reader.nullableArray(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(groupId, flexible: true)
            writer.nullableArray(topics, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }
}

/// The answer, versions 0 and 1. Flexible.
package struct DescribeShareGroupOffsetsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.describeShareGroupOffsets
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each group.
    package var groups: [ResponseGroup] = []

    package init(throttleTimeMs: Int32 = 0, groups: [ResponseGroup] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.groups = groups
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        groups = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.array(groups, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one partition.
    package struct ResponsePartition: WireStructure, Equatable {
        package static let minimumWireBytes = 20

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// First offset that the group is not done with, or -1.
        package var startOffset: Int64 = 0
        /// Leader epoch of the partition.
        package var leaderEpoch: Int32 = 0
        /// Records that the group still has to deal with, or -1. From version 1.
        package var lag: Int64 = -1
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil

        package init(
            partitionIndex: Int32 = 0, startOffset: Int64 = 0, leaderEpoch: Int32 = 0,
            lag: Int64 = -1, errorCode: ErrorCode = .none, errorMessage: String? = nil
        ) {
            self.partitionIndex = partitionIndex
            self.startOffset = startOffset
            self.leaderEpoch = leaderEpoch
            self.lag = lag
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            startOffset = try reader.int64()
            leaderEpoch = try reader.int32()
            if version >= 1 { lag = try reader.int64() }
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.int64(startOffset)
            writer.int32(leaderEpoch)
            if version >= 1 { writer.int64(lag) }
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct ResponseTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 19

        /// Name of the topic.
        package var topicName: String = ""
        /// Id of the topic.
        package var topicId: UUID128 = .zero
        /// One element for each partition.
        package var partitions: [ResponsePartition] = []

        package init(
            topicName: String = "", topicId: UUID128 = .zero, partitions: [ResponsePartition] = []
        ) {
            self.topicName = topicName
            self.topicId = topicId
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicName = try reader.stringField(flexible: true)
            topicId = try reader.uuid()
            partitions = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(topicName, flexible: true)
            writer.uuid(topicId)
            writer.array(partitions, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// The part for one group.
    package struct ResponseGroup: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Name of the group.
        package var groupId: String = ""
        /// One element for each topic.
        package var topics: [ResponseTopic] = []
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil

        package init(
            groupId: String = "", topics: [ResponseTopic] = [], errorCode: ErrorCode = .none,
            errorMessage: String? = nil
        ) {
            self.groupId = groupId
            self.topics = topics
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            groupId = try reader.stringField(flexible: true)
            topics = try reader.array(version: version, flexible: true)
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(groupId, flexible: true)
            writer.array(topics, version: version, flexible: true)
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: true)
            writer.noTaggedFields()
        }
    }
}
