// Commits the offsets of a group with a transaction.

import Base

/// The request, versions 0 to 5. Flexible from version 3.
package struct TxnOffsetCommitRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.txnOffsetCommit
    package typealias Response = TxnOffsetCommitResponse
    package static let minimumWireBytes = 13

    /// The transactional id.
    package var transactionalId: String = ""
    /// Name of the group.
    package var groupId: String = ""
    /// Id of the producer.
    package var producerId: Int64 = 0
    /// Epoch of the producer.
    package var producerEpoch: Int16 = 0
    /// Generation of the member, or -1. From version 3.
    package var generationId: Int32 = -1
    /// Id of the member, or empty. From version 3.
    package var memberId: String = ""
    /// Name of a static member, or nil. From version 3.
    package var groupInstanceId: String? = nil
    /// One element for each topic.
    package var topics: [TxnOffsetCommitRequestTopic] = []

    package init(
        transactionalId: String = "",
        groupId: String = "",
        producerId: Int64 = 0,
        producerEpoch: Int16 = 0,
        generationId: Int32 = -1,
        memberId: String = "",
        groupInstanceId: String? = nil,
        topics: [TxnOffsetCommitRequestTopic] = []
    ) {
        self.transactionalId = transactionalId
        self.groupId = groupId
        self.producerId = producerId
        self.producerEpoch = producerEpoch
        self.generationId = generationId
        self.memberId = memberId
        self.groupInstanceId = groupInstanceId
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        transactionalId = try reader.stringField(flexible: flexible)
        groupId = try reader.stringField(flexible: flexible)
        producerId = try reader.int64()
        producerEpoch = try reader.int16()
        if version >= 3 { generationId = try reader.int32() }
        if version >= 3 { memberId = try reader.stringField(flexible: flexible) }
        if version >= 3 { groupInstanceId = try reader.nullableStringField(flexible: flexible) }
        topics = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        writer.stringField(transactionalId, flexible: flexible)
        writer.stringField(groupId, flexible: flexible)
        writer.int64(producerId)
        writer.int16(producerEpoch)
        if version >= 3 { writer.int32(generationId) }
        if version >= 3 { writer.stringField(memberId, flexible: flexible) }
        if version >= 3 { writer.nullableStringField(groupInstanceId, flexible: flexible) }
        writer.array(topics, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// One topic.
    package struct TxnOffsetCommitRequestTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Name of the topic.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [TxnOffsetCommitRequestPartition] = []

        package init(
            name: String = "",
            partitions: [TxnOffsetCommitRequestPartition] = []
        ) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 3
            name = try reader.stringField(flexible: flexible)
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 3
            writer.stringField(name, flexible: flexible)
            writer.array(partitions, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// One partition.
    package struct TxnOffsetCommitRequestPartition: WireStructure, Equatable {
        package static let minimumWireBytes = 13

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// Offset of the next record to read.
        package var committedOffset: Int64 = 0
        /// Leader epoch of the last record read, or -1. From version 2.
        package var committedLeaderEpoch: Int32 = -1
        /// Text that the client wants to keep.
        package var committedMetadata: String? = nil

        package init(
            partitionIndex: Int32 = 0,
            committedOffset: Int64 = 0,
            committedLeaderEpoch: Int32 = -1,
            committedMetadata: String? = nil
        ) {
            self.partitionIndex = partitionIndex
            self.committedOffset = committedOffset
            self.committedLeaderEpoch = committedLeaderEpoch
            self.committedMetadata = committedMetadata
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 3
            partitionIndex = try reader.int32()
            committedOffset = try reader.int64()
            if version >= 2 { committedLeaderEpoch = try reader.int32() }
            committedMetadata = try reader.nullableStringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 3
            writer.int32(partitionIndex)
            writer.int64(committedOffset)
            if version >= 2 { writer.int32(committedLeaderEpoch) }
            writer.nullableStringField(committedMetadata, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 0 to 5. Flexible from version 3.
package struct TxnOffsetCommitResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.txnOffsetCommit
    package static let minimumWireBytes = 5

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each topic.
    package var topics: [TxnOffsetCommitResponseTopic] = []

    package init(
        throttleTimeMs: Int32 = 0,
        topics: [TxnOffsetCommitResponseTopic] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        throttleTimeMs = try reader.int32()
        topics = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        writer.int32(throttleTimeMs)
        writer.array(topics, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// One topic.
    package struct TxnOffsetCommitResponseTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Name of the topic.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [TxnOffsetCommitResponsePartition] = []

        package init(
            name: String = "",
            partitions: [TxnOffsetCommitResponsePartition] = []
        ) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 3
            name = try reader.stringField(flexible: flexible)
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 3
            writer.stringField(name, flexible: flexible)
            writer.array(partitions, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// One partition.
    package struct TxnOffsetCommitResponsePartition: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none

        package init(
            partitionIndex: Int32 = 0,
            errorCode: ErrorCode = .none
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 3
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 3
            writer.int32(partitionIndex)
            writer.errorCode(errorCode)
            if flexible { writer.noTaggedFields() }
        }
    }
}
