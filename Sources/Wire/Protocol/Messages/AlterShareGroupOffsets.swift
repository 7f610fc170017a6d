// Moves a share group without members to other places.

import Base

/// The request, version 0. Flexible.
package struct AlterShareGroupOffsetsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.alterShareGroupOffsets
    package typealias Response = AlterShareGroupOffsetsResponse
    package static let minimumWireBytes = 3

    /// Name of the group.
    package var groupId: String = ""
    /// One element for each topic.
    package var topics: [RequestTopic] = []

    package init(groupId: String = "", topics: [RequestTopic] = []) {
        self.groupId = groupId
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        groupId = try reader.stringField(flexible: true)
        topics = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.stringField(groupId, flexible: true)
        writer.array(topics, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one partition.
    package struct RequestPartition: WireStructure, Equatable {
        package static let minimumWireBytes = 13

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// First offset that the group shall deal with.
        package var startOffset: Int64 = 0

        package init(partitionIndex: Int32 = 0, startOffset: Int64 = 0) {
            self.partitionIndex = partitionIndex
            self.startOffset = startOffset
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            startOffset = try reader.int64()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.int64(startOffset)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct RequestTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the topic.
        package var topicName: String = ""
        /// One element for each partition.
        package var partitions: [RequestPartition] = []

        package init(topicName: String = "", partitions: [RequestPartition] = []) {
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

/// The answer, version 0. Flexible.
package struct AlterShareGroupOffsetsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.alterShareGroupOffsets
    package static let minimumWireBytes = 9

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// One element for each topic.
    package var responses: [ResponseTopic] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
        responses: [ResponseTopic] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.responses = responses
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: true)
        responses = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: true)
        writer.array(responses, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one partition.
    package struct ResponsePartition: WireStructure, Equatable {
        package static let minimumWireBytes = 8

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil

        package init(
            partitionIndex: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
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
}
