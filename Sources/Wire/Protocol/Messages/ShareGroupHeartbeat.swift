// Joins a share group, stays in it and leaves it; the answer says what to read.

import Base

/// The request, version 1. Flexible.
package struct ShareGroupHeartbeatRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.shareGroupHeartbeat
    package typealias Response = ShareGroupHeartbeatResponse
    package static let minimumWireBytes = 9

    /// Name of the group.
    package var groupId: String = ""
    /// Id of the member, which made it itself.
    package var memberId: String = ""
    /// Epoch of the member; 0 to join, -1 to leave.
    package var memberEpoch: Int32 = 0
    /// Where the member stands; null when that did not change.
    package var rackId: String? = nil
    /// Names of the topics; null when they did not change.
    package var subscribedTopicNames: [String]? = nil

    package init(
        groupId: String = "", memberId: String = "", memberEpoch: Int32 = 0, rackId: String? = nil,
        subscribedTopicNames: [String]? = nil
    ) {
        self.groupId = groupId
        self.memberId = memberId
        self.memberEpoch = memberEpoch
        self.rackId = rackId
        self.subscribedTopicNames = subscribedTopicNames
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        groupId = try reader.stringField(flexible: true)
        memberId = try reader.stringField(flexible: true)
        memberEpoch = try reader.int32()
        rackId = try reader.nullableStringField(flexible: true)
        subscribedTopicNames = try reader.nullableStringArray(flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.stringField(groupId, flexible: true)
        writer.stringField(memberId, flexible: true)
        writer.int32(memberEpoch)
        writer.nullableStringField(rackId, flexible: true)
        writer.nullableStringArray(subscribedTopicNames, flexible: true)
        writer.noTaggedFields()
    }
}

/// The answer, version 1. Flexible.
package struct ShareGroupHeartbeatResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.shareGroupHeartbeat
    package static let minimumWireBytes = 18

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// Id of the member; only for a member that joins.
    package var memberId: String? = nil
    /// Epoch of the member.
    package var memberEpoch: Int32 = 0
    /// How often the member shall call, in milliseconds.
    package var heartbeatIntervalMs: Int32 = 0
    /// What the member shall read; null when that did not change.
    package var assignment: Assignment? = nil

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
        memberId: String? = nil, memberEpoch: Int32 = 0, heartbeatIntervalMs: Int32 = 0,
        assignment: Assignment? = nil
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.memberId = memberId
        self.memberEpoch = memberEpoch
        self.heartbeatIntervalMs = heartbeatIntervalMs
        self.assignment = assignment
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: true)
        memberId = try reader.nullableStringField(flexible: true)
        memberEpoch = try reader.int32()
        heartbeatIntervalMs = try reader.int32()
        assignment = try reader.nullableStructure(version: version)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: true)
        writer.nullableStringField(memberId, flexible: true)
        writer.int32(memberEpoch)
        writer.int32(heartbeatIntervalMs)
        writer.nullableStructure(assignment, version: version)
        writer.noTaggedFields()
    }

    /// The part for one topic.
    package struct TopicPartitions: WireStructure, Equatable {
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

    /// What a member reads.
    package struct Assignment: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// One element for each topic.
        package var topicPartitions: [TopicPartitions] = []

        package init(topicPartitions: [TopicPartitions] = []) {
            self.topicPartitions = topicPartitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicPartitions = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.array(topicPartitions, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }
}
