// Stores how far a group has read.

import Base

/// The request, versions 2 to 10. Flexible from version 8.
package struct OffsetCommitRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.offsetCommit
    package typealias Response = OffsetCommitResponse
    package static let minimumWireBytes = 9

    /// Name of the group.
    package var groupId: String = ""
    /// Generation of a classic group, epoch of a member, or -1 outside of groups.
    package var generationIdOrMemberEpoch: Int32 = -1
    /// Id of the member; empty when it has none yet.
    package var memberId: String = ""
    /// Name of a static member, or nil. From version 7.
    package var groupInstanceId: String? = nil
    /// Ignored: the broker decides how long it keeps offsets. Up to version 4.
    package var retentionTimeMs: Int64 = -1
    /// One element for each topic.
    package var topics: [OffsetCommitRequestTopic] = []

    package init(
        groupId: String = "", generationIdOrMemberEpoch: Int32 = -1, memberId: String = "",
        groupInstanceId: String? = nil, retentionTimeMs: Int64 = -1,
        topics: [OffsetCommitRequestTopic] = []
    ) {
        self.groupId = groupId
        self.generationIdOrMemberEpoch = generationIdOrMemberEpoch
        self.memberId = memberId
        self.groupInstanceId = groupInstanceId
        self.retentionTimeMs = retentionTimeMs
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 8
        groupId = try reader.stringField(flexible: flexible)
        generationIdOrMemberEpoch = try reader.int32()
        memberId = try reader.stringField(flexible: flexible)
        if version >= 7 { groupInstanceId = try reader.nullableStringField(flexible: flexible) }
        if version <= 4 { retentionTimeMs = try reader.int64() }
        topics = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 8
        writer.stringField(groupId, flexible: flexible)
        writer.int32(generationIdOrMemberEpoch)
        writer.stringField(memberId, flexible: flexible)
        if version >= 7 { writer.nullableStringField(groupInstanceId, flexible: flexible) }
        if version <= 4 { writer.int64(retentionTimeMs) }
        writer.array(topics, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one partition.
    package struct OffsetCommitRequestPartition: WireStructure, Equatable {
        package static let minimumWireBytes = 14

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// Offset of the next record to read, or -1 when none is stored.
        package var committedOffset: Int64 = 0
        /// Leader epoch of the last record that was read, or -1. From version 6.
        package var committedLeaderEpoch: Int32 = -1
        /// Text that the client keeps with its offset.
        package var committedMetadata: String? = ""

        package init(
            partitionIndex: Int32 = 0, committedOffset: Int64 = 0, committedLeaderEpoch: Int32 = -1,
            committedMetadata: String? = ""
        ) {
            self.partitionIndex = partitionIndex
            self.committedOffset = committedOffset
            self.committedLeaderEpoch = committedLeaderEpoch
            self.committedMetadata = committedMetadata
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 8
            partitionIndex = try reader.int32()
            committedOffset = try reader.int64()
            if version >= 6 { committedLeaderEpoch = try reader.int32() }
            committedMetadata = try reader.nullableStringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 8
            writer.int32(partitionIndex)
            writer.int64(committedOffset)
            if version >= 6 { writer.int32(committedLeaderEpoch) }
            writer.nullableStringField(committedMetadata, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct OffsetCommitRequestTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name. Up to version 9.
        package var name: String = ""
        /// Id of the topic; zero when absent. From version 10.
        package var topicId: UUID128 = .zero
        /// One element for each partition.
        package var partitions: [OffsetCommitRequestPartition] = []

        package init(
            name: String = "", topicId: UUID128 = .zero,
            partitions: [OffsetCommitRequestPartition] = []
        ) {
            self.name = name
            self.topicId = topicId
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 8
            if version <= 9 { name = try reader.stringField(flexible: flexible) }
            if version >= 10 { topicId = try reader.uuid() }
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 8
            if version <= 9 { writer.stringField(name, flexible: flexible) }
            if version >= 10 { writer.uuid(topicId) }
            writer.array(partitions, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 2 to 10. Flexible from version 8.
package struct OffsetCommitResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.offsetCommit
    package static let minimumWireBytes = 4

    /// How long the broker will not read from this connection, because of a quota. From version 3.
    package var throttleTimeMs: Int32 = 0
    /// One element for each topic.
    package var topics: [OffsetCommitResponseTopic] = []

    package init(throttleTimeMs: Int32 = 0, topics: [OffsetCommitResponseTopic] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 8
        if version >= 3 { throttleTimeMs = try reader.int32() }
        topics = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 8
        if version >= 3 { writer.int32(throttleTimeMs) }
        writer.array(topics, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one partition.
    package struct OffsetCommitResponsePartition: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none

        package init(partitionIndex: Int32 = 0, errorCode: ErrorCode = .none) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 8
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 8
            writer.int32(partitionIndex)
            writer.errorCode(errorCode)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct OffsetCommitResponseTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name. Up to version 9.
        package var name: String = ""
        /// Id of the topic; zero when absent. From version 10.
        package var topicId: UUID128 = .zero
        /// One element for each partition.
        package var partitions: [OffsetCommitResponsePartition] = []

        package init(
            name: String = "", topicId: UUID128 = .zero,
            partitions: [OffsetCommitResponsePartition] = []
        ) {
            self.name = name
            self.topicId = topicId
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 8
            if version <= 9 { name = try reader.stringField(flexible: flexible) }
            if version >= 10 { topicId = try reader.uuid() }
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 8
            if version <= 9 { writer.stringField(name, flexible: flexible) }
            if version >= 10 { writer.uuid(topicId) }
            writer.array(partitions, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}
