// Says what became of acquired records, without acquiring others.

import Base

/// The request, versions 1 and 2. Flexible.
package struct ShareAcknowledgeRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.shareAcknowledge
    package typealias Response = ShareAcknowledgeResponse
    package static let minimumWireBytes = 8

    /// Name of the group.
    package var groupId: String? = nil
    /// Id of the member.
    package var memberId: String? = nil
    /// -1 closes the session, else it counts the requests.
    package var shareSessionEpoch: Int32 = 0
    /// Whether an acknowledgement renews a lock. From version 2.
    package var isRenewAck: Bool = false
    /// One element for each topic.
    package var topics: [AcknowledgeTopic] = []

    package init(
        groupId: String? = nil, memberId: String? = nil, shareSessionEpoch: Int32 = 0,
        isRenewAck: Bool = false, topics: [AcknowledgeTopic] = []
    ) {
        self.groupId = groupId
        self.memberId = memberId
        self.shareSessionEpoch = shareSessionEpoch
        self.isRenewAck = isRenewAck
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        groupId = try reader.nullableStringField(flexible: true)
        memberId = try reader.nullableStringField(flexible: true)
        shareSessionEpoch = try reader.int32()
        if version >= 2 { isRenewAck = try reader.bool() }
        topics = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.nullableStringField(groupId, flexible: true)
        writer.nullableStringField(memberId, flexible: true)
        writer.int32(shareSessionEpoch)
        if version >= 2 { writer.bool(isRenewAck) }
        writer.array(topics, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one partition.
    package struct AcknowledgePartition: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What became of records.
        package var acknowledgementBatches: [AcknowledgementBatch] = []

        package init(
            partitionIndex: Int32 = 0, acknowledgementBatches: [AcknowledgementBatch] = []
        ) {
            self.partitionIndex = partitionIndex
            self.acknowledgementBatches = acknowledgementBatches
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            acknowledgementBatches = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.array(acknowledgementBatches, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct AcknowledgeTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 18

        /// Id of the topic.
        package var topicId: UUID128 = .zero
        /// One element for each partition.
        package var partitions: [AcknowledgePartition] = []

        package init(topicId: UUID128 = .zero, partitions: [AcknowledgePartition] = []) {
            self.topicId = topicId
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicId = try reader.uuid()
            partitions = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.uuid(topicId)
            writer.array(partitions, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }
}

/// The answer, versions 1 and 2. Flexible.
package struct ShareAcknowledgeResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.shareAcknowledge
    package static let minimumWireBytes = 10

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// How long acquired records are locked, in milliseconds. From version 2.
    package var acquisitionLockTimeoutMs: Int32 = 0
    /// One element for each topic.
    package var responses: [ShareAcknowledgeTopicResponse] = []
    /// Addresses of the leaders that are named in this answer.
    package var nodeEndpoints: [FetchResponse.NodeEndpoint] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
        acquisitionLockTimeoutMs: Int32 = 0, responses: [ShareAcknowledgeTopicResponse] = [],
        nodeEndpoints: [FetchResponse.NodeEndpoint] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.acquisitionLockTimeoutMs = acquisitionLockTimeoutMs
        self.responses = responses
        self.nodeEndpoints = nodeEndpoints
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: true)
        if version >= 2 { acquisitionLockTimeoutMs = try reader.int32() }
        responses = try reader.array(version: version, flexible: true)
        nodeEndpoints = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: true)
        if version >= 2 { writer.int32(acquisitionLockTimeoutMs) }
        writer.array(responses, version: version, flexible: true)
        writer.array(nodeEndpoints, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one partition.
    package struct PartitionData: WireStructure, Equatable {
        package static let minimumWireBytes = 17

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil
        /// Who leads the partition, when the client seems not to know.
        package var currentLeader: FetchResponse.LeaderIdAndEpoch = .init()

        package init(
            partitionIndex: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
            currentLeader: FetchResponse.LeaderIdAndEpoch = .init()
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.currentLeader = currentLeader
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: true)
            currentLeader = try FetchResponse.LeaderIdAndEpoch(from: &reader, version: version)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: true)
            currentLeader.write(to: &writer, version: version)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct ShareAcknowledgeTopicResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 18

        /// Id of the topic.
        package var topicId: UUID128 = .zero
        /// One element for each partition.
        package var partitions: [PartitionData] = []

        package init(topicId: UUID128 = .zero, partitions: [PartitionData] = []) {
            self.topicId = topicId
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicId = try reader.uuid()
            partitions = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.uuid(topicId)
            writer.array(partitions, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }
}
