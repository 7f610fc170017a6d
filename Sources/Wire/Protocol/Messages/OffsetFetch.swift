// How far a group has read.

import Base

/// The request, versions 1 to 10. Flexible from version 6.
package struct OffsetFetchRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.offsetFetch
    package typealias Response = OffsetFetchResponse
    package static let minimumWireBytes = 3

    /// Name of the group. Up to version 7.
    package var groupId: String = ""
    /// One element for each topic; nil means all. Up to version 7.
    package var topics: [OffsetFetchRequestTopic]? = []
    /// One element for each group. From version 8.
    package var groups: [OffsetFetchRequestGroup] = []
    /// Whether to refuse while transactional commits are open. From version 7.
    package var requireStable: Bool = false

    package init(
        groupId: String = "", topics: [OffsetFetchRequestTopic]? = [],
        groups: [OffsetFetchRequestGroup] = [], requireStable: Bool = false
    ) {
        self.groupId = groupId
        self.topics = topics
        self.groups = groups
        self.requireStable = requireStable
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 6
        if version <= 7 {
            groupId = try reader.stringField(flexible: flexible)
            topics =
                version >= 2
                ? try reader.nullableArray(version: version, flexible: flexible)
                : try reader.array(version: version, flexible: flexible)
        }
        if version >= 8 { groups = try reader.array(version: version, flexible: flexible) }
        if version >= 7 { requireStable = try reader.bool() }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 6
        if version <= 7 {
            writer.stringField(groupId, flexible: flexible)
            writer.nullableArray(
                topics ?? (version >= 2 ? nil : []), version: version, flexible: flexible)
        }
        if version >= 8 { writer.array(groups, version: version, flexible: flexible) }
        if version >= 7 { writer.bool(requireStable) }
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one topic.
    package struct OffsetFetchRequestTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name. Up to version 7.
        package var name: String = ""
        /// Numbers of the partitions. Up to version 7.
        package var partitionIndexes: [Int32] = []

        package init(name: String = "", partitionIndexes: [Int32] = []) {
            self.name = name
            self.partitionIndexes = partitionIndexes
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 6
            name = try reader.stringField(flexible: flexible)
            partitionIndexes = try reader.int32Array(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 6
            writer.stringField(name, flexible: flexible)
            writer.int32Array(partitionIndexes, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct OffsetFetchRequestTopics: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name. Versions 8 and 9.
        package var name: String = ""
        /// Id of the topic; zero when absent. From version 10.
        package var topicId: UUID128 = .zero
        /// Numbers of the partitions. From version 8.
        package var partitionIndexes: [Int32] = []

        package init(name: String = "", topicId: UUID128 = .zero, partitionIndexes: [Int32] = []) {
            self.name = name
            self.topicId = topicId
            self.partitionIndexes = partitionIndexes
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            if version <= 9 { name = try reader.stringField(flexible: true) }
            if version >= 10 { topicId = try reader.uuid() }
            partitionIndexes = try reader.int32Array(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            if version <= 9 { writer.stringField(name, flexible: true) }
            if version >= 10 { writer.uuid(topicId) }
            writer.int32Array(partitionIndexes, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// The part for one group.
    package struct OffsetFetchRequestGroup: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the group. From version 8.
        package var groupId: String = ""
        /// Id of the member; empty when it has none yet. From version 9.
        package var memberId: String? = nil
        /// Epoch of the member, or -1. From version 9.
        package var memberEpoch: Int32 = -1
        /// One element for each topic; nil means all. From version 8.
        package var topics: [OffsetFetchRequestTopics]? = []

        package init(
            groupId: String = "", memberId: String? = nil, memberEpoch: Int32 = -1,
            topics: [OffsetFetchRequestTopics]? = []
        ) {
            self.groupId = groupId
            self.memberId = memberId
            self.memberEpoch = memberEpoch
            self.topics = topics
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            groupId = try reader.stringField(flexible: true)
            if version >= 9 {
                memberId = try reader.nullableStringField(flexible: true)
                memberEpoch = try reader.int32()
            }
            topics = try reader.nullableArray(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(groupId, flexible: true)
            if version >= 9 {
                writer.nullableStringField(memberId, flexible: true)
                writer.int32(memberEpoch)
            }
            writer.nullableArray(topics, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }
}

/// The answer, versions 1 to 10. Flexible from version 6.
package struct OffsetFetchResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.offsetFetch
    package static let minimumWireBytes = 4

    /// How long the broker will not read from this connection, because of a quota. From version 3.
    package var throttleTimeMs: Int32 = 0
    /// One element for each topic. Up to version 7.
    package var topics: [OffsetFetchResponseTopic] = []
    /// What went wrong, or `none`. Versions 2 to 7.
    package var errorCode: ErrorCode = .none
    /// One element for each group. From version 8.
    package var groups: [OffsetFetchResponseGroup] = []

    package init(
        throttleTimeMs: Int32 = 0, topics: [OffsetFetchResponseTopic] = [],
        errorCode: ErrorCode = .none, groups: [OffsetFetchResponseGroup] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
        self.errorCode = errorCode
        self.groups = groups
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 6
        if version >= 3 { throttleTimeMs = try reader.int32() }
        if version <= 7 { topics = try reader.array(version: version, flexible: flexible) }
        if version >= 2 && version <= 7 { errorCode = try reader.errorCode() }
        if version >= 8 { groups = try reader.array(version: version, flexible: flexible) }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 6
        if version >= 3 { writer.int32(throttleTimeMs) }
        if version <= 7 { writer.array(topics, version: version, flexible: flexible) }
        if version >= 2 && version <= 7 { writer.errorCode(errorCode) }
        if version >= 8 { writer.array(groups, version: version, flexible: flexible) }
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one partition.
    package struct OffsetFetchResponsePartition: WireStructure, Equatable {
        package static let minimumWireBytes = 16

        /// Number of the partition. Up to version 7.
        package var partitionIndex: Int32 = 0
        /// Offset of the next record to read, or -1 when none is stored. Up to version 7.
        package var committedOffset: Int64 = 0
        /// Leader epoch of the last record that was read, or -1. Versions 5 to 7.
        package var committedLeaderEpoch: Int32 = -1
        /// Bytes that the broker keeps and hands out unread. Up to version 7.
        package var metadata: String? = ""
        /// What went wrong, or `none`. Up to version 7.
        package var errorCode: ErrorCode = .none

        package init(
            partitionIndex: Int32 = 0, committedOffset: Int64 = 0, committedLeaderEpoch: Int32 = -1,
            metadata: String? = "", errorCode: ErrorCode = .none
        ) {
            self.partitionIndex = partitionIndex
            self.committedOffset = committedOffset
            self.committedLeaderEpoch = committedLeaderEpoch
            self.metadata = metadata
            self.errorCode = errorCode
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 6
            partitionIndex = try reader.int32()
            committedOffset = try reader.int64()
            if version >= 5 { committedLeaderEpoch = try reader.int32() }
            metadata = try reader.nullableStringField(flexible: flexible)
            errorCode = try reader.errorCode()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 6
            writer.int32(partitionIndex)
            writer.int64(committedOffset)
            if version >= 5 { writer.int32(committedLeaderEpoch) }
            writer.nullableStringField(metadata, flexible: flexible)
            writer.errorCode(errorCode)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct OffsetFetchResponseTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name. Up to version 7.
        package var name: String = ""
        /// One element for each partition. Up to version 7.
        package var partitions: [OffsetFetchResponsePartition] = []

        package init(name: String = "", partitions: [OffsetFetchResponsePartition] = []) {
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

    /// The part for one partition.
    package struct OffsetFetchResponsePartitions: WireStructure, Equatable {
        package static let minimumWireBytes = 20

        /// Number of the partition. From version 8.
        package var partitionIndex: Int32 = 0
        /// Offset of the next record to read, or -1 when none is stored. From version 8.
        package var committedOffset: Int64 = 0
        /// Leader epoch of the last record that was read, or -1. From version 8.
        package var committedLeaderEpoch: Int32 = -1
        /// Bytes that the broker keeps and hands out unread. From version 8.
        package var metadata: String? = ""
        /// What went wrong, or `none`. From version 8.
        package var errorCode: ErrorCode = .none

        package init(
            partitionIndex: Int32 = 0, committedOffset: Int64 = 0, committedLeaderEpoch: Int32 = -1,
            metadata: String? = "", errorCode: ErrorCode = .none
        ) {
            self.partitionIndex = partitionIndex
            self.committedOffset = committedOffset
            self.committedLeaderEpoch = committedLeaderEpoch
            self.metadata = metadata
            self.errorCode = errorCode
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            committedOffset = try reader.int64()
            committedLeaderEpoch = try reader.int32()
            metadata = try reader.nullableStringField(flexible: true)
            errorCode = try reader.errorCode()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.int64(committedOffset)
            writer.int32(committedLeaderEpoch)
            writer.nullableStringField(metadata, flexible: true)
            writer.errorCode(errorCode)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct OffsetFetchResponseTopics: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name. Versions 8 and 9.
        package var name: String = ""
        /// Id of the topic; zero when absent. From version 10.
        package var topicId: UUID128 = .zero
        /// One element for each partition. From version 8.
        package var partitions: [OffsetFetchResponsePartitions] = []

        package init(
            name: String = "", topicId: UUID128 = .zero,
            partitions: [OffsetFetchResponsePartitions] = []
        ) {
            self.name = name
            self.topicId = topicId
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            if version <= 9 { name = try reader.stringField(flexible: true) }
            if version >= 10 { topicId = try reader.uuid() }
            partitions = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            if version <= 9 { writer.stringField(name, flexible: true) }
            if version >= 10 { writer.uuid(topicId) }
            writer.array(partitions, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// The part for one group.
    package struct OffsetFetchResponseGroup: WireStructure, Equatable {
        package static let minimumWireBytes = 5

        /// Name of the group. From version 8.
        package var groupId: String = ""
        /// One element for each topic. From version 8.
        package var topics: [OffsetFetchResponseTopics] = []
        /// What went wrong, or `none`. From version 8.
        package var errorCode: ErrorCode = .none

        package init(
            groupId: String = "", topics: [OffsetFetchResponseTopics] = [],
            errorCode: ErrorCode = .none
        ) {
            self.groupId = groupId
            self.topics = topics
            self.errorCode = errorCode
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            groupId = try reader.stringField(flexible: true)
            topics = try reader.array(version: version, flexible: true)
            errorCode = try reader.errorCode()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(groupId, flexible: true)
            writer.array(topics, version: version, flexible: true)
            writer.errorCode(errorCode)
            writer.noTaggedFields()
        }
    }
}
