// Acquires records of a share group for one member, and takes what became of others.

import Base

/// The request, versions 1 and 2. Flexible.
package struct ShareFetchRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.shareFetch
    package typealias Response = ShareFetchResponse
    package static let minimumWireBytes = 29

    /// Name of the group.
    package var groupId: String? = nil
    /// Id of the member.
    package var memberId: String? = nil
    /// 0 opens a session, -1 closes it, else it counts the requests.
    package var shareSessionEpoch: Int32 = 0
    /// How long to wait for `minBytes`, in milliseconds.
    package var maxWaitMs: Int32 = 0
    /// Answer once so many bytes are there.
    package var minBytes: Int32 = 0
    /// Bound of the whole answer; the first batch may exceed it.
    package var maxBytes: Int32 = .max
    /// Bound of the records; whole batches may exceed it.
    package var maxRecords: Int32 = 0
    /// How many records an acquired range should have at most.
    package var batchSize: Int32 = 0
    /// 0: whole batches; 1: `maxRecords` is strict. From version 2.
    package var shareAcquireMode: Int8 = 0
    /// Whether an acknowledgement renews a lock; then nothing is fetched. From version 2.
    package var isRenewAck: Bool = false
    /// One element for each topic.
    package var topics: [FetchTopic] = []
    /// Partitions to drop from the session.
    package var forgottenTopicsData: [ForgottenTopic] = []

    package init(
        groupId: String? = nil, memberId: String? = nil, shareSessionEpoch: Int32 = 0,
        maxWaitMs: Int32 = 0, minBytes: Int32 = 0, maxBytes: Int32 = .max, maxRecords: Int32 = 0,
        batchSize: Int32 = 0, shareAcquireMode: Int8 = 0, isRenewAck: Bool = false,
        topics: [FetchTopic] = [], forgottenTopicsData: [ForgottenTopic] = []
    ) {
        self.groupId = groupId
        self.memberId = memberId
        self.shareSessionEpoch = shareSessionEpoch
        self.maxWaitMs = maxWaitMs
        self.minBytes = minBytes
        self.maxBytes = maxBytes
        self.maxRecords = maxRecords
        self.batchSize = batchSize
        self.shareAcquireMode = shareAcquireMode
        self.isRenewAck = isRenewAck
        self.topics = topics
        self.forgottenTopicsData = forgottenTopicsData
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        groupId = try reader.nullableStringField(flexible: true)
        memberId = try reader.nullableStringField(flexible: true)
        shareSessionEpoch = try reader.int32()
        maxWaitMs = try reader.int32()
        minBytes = try reader.int32()
        maxBytes = try reader.int32()
        maxRecords = try reader.int32()
        batchSize = try reader.int32()
        if version >= 2 { shareAcquireMode = try reader.int8() }
        if version >= 2 { isRenewAck = try reader.bool() }
        topics = try reader.array(version: version, flexible: true)
        forgottenTopicsData = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.nullableStringField(groupId, flexible: true)
        writer.nullableStringField(memberId, flexible: true)
        writer.int32(shareSessionEpoch)
        writer.int32(maxWaitMs)
        writer.int32(minBytes)
        writer.int32(maxBytes)
        writer.int32(maxRecords)
        writer.int32(batchSize)
        if version >= 2 { writer.int8(shareAcquireMode) }
        if version >= 2 { writer.bool(isRenewAck) }
        writer.array(topics, version: version, flexible: true)
        writer.array(forgottenTopicsData, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one partition.
    package struct FetchPartition: WireStructure, Equatable {
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
    package struct FetchTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 18

        /// Id of the topic.
        package var topicId: UUID128 = .zero
        /// One element for each partition.
        package var partitions: [FetchPartition] = []

        package init(topicId: UUID128 = .zero, partitions: [FetchPartition] = []) {
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

    /// Partitions of one topic.
    package struct ForgottenTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 18

        /// Id of the topic.
        package var topicId: UUID128 = .zero
        /// Numbers of the partitions.
        package var partitions: [Int32] = []

        package init(topicId: UUID128 = .zero, partitions: [Int32] = []) {
            self.topicId = topicId
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicId = try reader.uuid()
            partitions = try reader.int32Array(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.uuid(topicId)
            writer.int32Array(partitions, flexible: true)
            writer.noTaggedFields()
        }
    }
}

/// The answer, versions 1 and 2. Flexible.
package struct ShareFetchResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.shareFetch
    package static let minimumWireBytes = 14

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// How long acquired records are locked, in milliseconds.
    package var acquisitionLockTimeoutMs: Int32 = 0
    /// One element for each topic.
    package var responses: [ShareFetchableTopicResponse] = []
    /// Addresses of the leaders that are named in this answer.
    package var nodeEndpoints: [FetchResponse.NodeEndpoint] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
        acquisitionLockTimeoutMs: Int32 = 0, responses: [ShareFetchableTopicResponse] = [],
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
        acquisitionLockTimeoutMs = try reader.int32()
        responses = try reader.array(version: version, flexible: true)
        nodeEndpoints = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        var splices = RecordSplices(copies: true)
        write(to: &writer, version: version, splices: &splices)
    }

    package func write(
        to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices
    ) {
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: true)
        writer.int32(acquisitionLockTimeoutMs)
        writer.arrayCount(responses.count, flexible: true)
        for element in responses {
            element.write(to: &writer, version: version, splices: &splices)
        }
        writer.array(nodeEndpoints, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// Records that now belong to the member.
    package struct AcquiredRecords: WireStructure, Equatable {
        package static let minimumWireBytes = 19

        /// Offset of the first record.
        package var firstOffset: Int64 = 0
        /// Offset of the last record.
        package var lastOffset: Int64 = 0
        /// How often they were handed out, this time included.
        package var deliveryCount: Int16 = 0

        package init(firstOffset: Int64 = 0, lastOffset: Int64 = 0, deliveryCount: Int16 = 0) {
            self.firstOffset = firstOffset
            self.lastOffset = lastOffset
            self.deliveryCount = deliveryCount
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            firstOffset = try reader.int64()
            lastOffset = try reader.int64()
            deliveryCount = try reader.int16()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int64(firstOffset)
            writer.int64(lastOffset)
            writer.int16(deliveryCount)
            writer.noTaggedFields()
        }
    }

    /// The part for one partition.
    package struct PartitionData: WireStructure, Equatable {
        package static let minimumWireBytes = 22

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil
        /// Why the acknowledgements were refused, or `none`.
        package var acknowledgeErrorCode: ErrorCode = .none
        /// Why the acknowledgements were refused, for people.
        package var acknowledgeErrorMessage: String? = nil
        /// Who leads the partition, when the client seems not to know.
        package var currentLeader: FetchResponse.LeaderIdAndEpoch = .init()
        /// Whole batches; they may have more records than were acquired.
        package var records: [Bytes] = []
        /// The records that the member may use.
        package var acquiredRecords: [AcquiredRecords] = []

        package init(
            partitionIndex: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
            acknowledgeErrorCode: ErrorCode = .none, acknowledgeErrorMessage: String? = nil,
            currentLeader: FetchResponse.LeaderIdAndEpoch = .init(), records: [Bytes] = [],
            acquiredRecords: [AcquiredRecords] = []
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.acknowledgeErrorCode = acknowledgeErrorCode
            self.acknowledgeErrorMessage = acknowledgeErrorMessage
            self.currentLeader = currentLeader
            self.records = records
            self.acquiredRecords = acquiredRecords
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: true)
            acknowledgeErrorCode = try reader.errorCode()
            acknowledgeErrorMessage = try reader.nullableStringField(flexible: true)
            currentLeader = try FetchResponse.LeaderIdAndEpoch(from: &reader, version: version)
            records = try reader.recordsField(flexible: true)
            acquiredRecords = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            var splices = RecordSplices(copies: true)
            write(to: &writer, version: version, splices: &splices)
        }

        package func write(
            to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices
        ) {
            writer.int32(partitionIndex)
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: true)
            writer.errorCode(acknowledgeErrorCode)
            writer.nullableStringField(acknowledgeErrorMessage, flexible: true)
            currentLeader.write(to: &writer, version: version)
            splices.records(records, to: &writer, flexible: true)
            writer.array(acquiredRecords, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct ShareFetchableTopicResponse: WireStructure, Equatable {
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
            var splices = RecordSplices(copies: true)
            write(to: &writer, version: version, splices: &splices)
        }

        package func write(
            to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices
        ) {
            writer.uuid(topicId)
            writer.arrayCount(partitions.count, flexible: true)
            for element in partitions {
                element.write(to: &writer, version: version, splices: &splices)
            }
            writer.noTaggedFields()
        }
    }
}
