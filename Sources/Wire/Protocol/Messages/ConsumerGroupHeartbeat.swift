// Membership of a group whose broker assigns the partitions: joining, staying, leaving.

import Base

/// The request, versions 0 to 1. Flexible.
package struct ConsumerGroupHeartbeatRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.consumerGroupHeartbeat
    package typealias Response = ConsumerGroupHeartbeatResponse
    package static let minimumWireBytes = 16

    /// Name of the group.
    package var groupId: String = ""
    /// Id of the member. Version 0: empty when it has none yet.
    package var memberId: String = ""
    /// Epoch of the member; 0 joins, -1 leaves, -2 leaves for a short time.
    package var memberEpoch: Int32 = 0
    /// Name of a static member, or nil.
    package var instanceId: String? = nil
    /// Where the client stands; nil when unknown or unchanged.
    package var rackId: String? = nil
    /// How long it may take to give partitions back; -1 when unchanged.
    package var rebalanceTimeoutMs: Int32 = -1
    /// Topics that it reads; nil when unchanged.
    package var subscribedTopicNames: [String]? = nil
    /// Pattern of the topics that it reads; nil when unchanged. From version 1.
    package var subscribedTopicRegex: String? = nil
    /// How it wants partitions to be distributed; nil when unchanged.
    package var serverAssignor: String? = nil
    /// What it owns; nil when unchanged.
    package var topicPartitions: [TopicPartitions]? = nil

    package init(
        groupId: String = "", memberId: String = "", memberEpoch: Int32 = 0,
        instanceId: String? = nil, rackId: String? = nil, rebalanceTimeoutMs: Int32 = -1,
        subscribedTopicNames: [String]? = nil, subscribedTopicRegex: String? = nil,
        serverAssignor: String? = nil, topicPartitions: [TopicPartitions]? = nil
    ) {
        self.groupId = groupId
        self.memberId = memberId
        self.memberEpoch = memberEpoch
        self.instanceId = instanceId
        self.rackId = rackId
        self.rebalanceTimeoutMs = rebalanceTimeoutMs
        self.subscribedTopicNames = subscribedTopicNames
        self.subscribedTopicRegex = subscribedTopicRegex
        self.serverAssignor = serverAssignor
        self.topicPartitions = topicPartitions
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        groupId = try reader.stringField(flexible: true)
        memberId = try reader.stringField(flexible: true)
        memberEpoch = try reader.int32()
        instanceId = try reader.nullableStringField(flexible: true)
        rackId = try reader.nullableStringField(flexible: true)
        rebalanceTimeoutMs = try reader.int32()
        subscribedTopicNames = try reader.nullableStringArray(flexible: true)
        if version >= 1 { subscribedTopicRegex = try reader.nullableStringField(flexible: true) }
        serverAssignor = try reader.nullableStringField(flexible: true)
        topicPartitions = try reader.nullableArray(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.stringField(groupId, flexible: true)
        writer.stringField(memberId, flexible: true)
        writer.int32(memberEpoch)
        writer.nullableStringField(instanceId, flexible: true)
        writer.nullableStringField(rackId, flexible: true)
        writer.int32(rebalanceTimeoutMs)
        writer.nullableStringArray(subscribedTopicNames, flexible: true)
        if version >= 1 { writer.nullableStringField(subscribedTopicRegex, flexible: true) }
        writer.nullableStringField(serverAssignor, flexible: true)
        writer.nullableArray(topicPartitions, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// Partitions of one topic.
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
}

/// The answer, versions 0 to 1. Flexible.
package struct ConsumerGroupHeartbeatResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.consumerGroupHeartbeat
    package static let minimumWireBytes = 18

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, in words, or nil.
    package var errorMessage: String? = nil
    /// Id of the member.
    package var memberId: String? = nil
    /// Epoch of the member.
    package var memberEpoch: Int32 = 0
    /// When the next heartbeat is expected.
    package var heartbeatIntervalMs: Int32 = 0
    /// What the member may read; nil when unchanged.
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
        assignment = try reader.int8() < 0 ? nil : Assignment(from: &reader, version: version)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: true)
        writer.nullableStringField(memberId, flexible: true)
        writer.int32(memberEpoch)
        writer.int32(heartbeatIntervalMs)
        writer.int8(assignment == nil ? -1 : 1)
        assignment?.write(to: &writer, version: version)
        writer.noTaggedFields()
    }

    /// What a member gets.
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

    /// Partitions of one topic.
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
}
