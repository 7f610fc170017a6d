// Members and assignments of groups whose broker assigns the partitions.

import Base

/// The request, versions 0 to 1. Flexible.
package struct ConsumerGroupDescribeRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.consumerGroupDescribe
    package typealias Response = ConsumerGroupDescribeResponse
    package static let minimumWireBytes = 3

    /// Names of the groups.
    package var groupIds: [String] = []
    /// Whether to say what the client may do.
    package var includeAuthorizedOperations: Bool = false

    package init(groupIds: [String] = [], includeAuthorizedOperations: Bool = false) {
        self.groupIds = groupIds
        self.includeAuthorizedOperations = includeAuthorizedOperations
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        groupIds = try reader.stringArray(flexible: true)
        includeAuthorizedOperations = try reader.bool()
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.stringArray(groupIds, flexible: true)
        writer.bool(includeAuthorizedOperations)
        writer.noTaggedFields()
    }
}

/// The answer, versions 0 to 1. Flexible.
package struct ConsumerGroupDescribeResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.consumerGroupDescribe
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each group.
    package var groups: [DescribedGroup] = []

    package init(throttleTimeMs: Int32 = 0, groups: [DescribedGroup] = []) {
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

    /// The part for one group.
    package struct DescribedGroup: WireStructure, Equatable {
        package static let minimumWireBytes = 20

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, in words, or nil.
        package var errorMessage: String? = nil
        /// Name of the group.
        package var groupId: String = ""
        /// Its state.
        package var groupState: String = ""
        /// Its epoch.
        package var groupEpoch: Int32 = 0
        /// The epoch that its assignment was made for.
        package var assignmentEpoch: Int32 = 0
        /// How partitions are distributed.
        package var assignorName: String = ""
        /// One element for each member.
        package var members: [Member] = []
        /// Bits of the operations that the client may do.
        package var authorizedOperations: Int32 = operationsNotRequested

        package init(
            errorCode: ErrorCode = .none, errorMessage: String? = nil, groupId: String = "",
            groupState: String = "", groupEpoch: Int32 = 0, assignmentEpoch: Int32 = 0,
            assignorName: String = "", members: [Member] = [],
            authorizedOperations: Int32 = operationsNotRequested
        ) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.groupId = groupId
            self.groupState = groupState
            self.groupEpoch = groupEpoch
            self.assignmentEpoch = assignmentEpoch
            self.assignorName = assignorName
            self.members = members
            self.authorizedOperations = authorizedOperations
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: true)
            groupId = try reader.stringField(flexible: true)
            groupState = try reader.stringField(flexible: true)
            groupEpoch = try reader.int32()
            assignmentEpoch = try reader.int32()
            assignorName = try reader.stringField(flexible: true)
            members = try reader.array(version: version, flexible: true)
            authorizedOperations = try reader.int32()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: true)
            writer.stringField(groupId, flexible: true)
            writer.stringField(groupState, flexible: true)
            writer.int32(groupEpoch)
            writer.int32(assignmentEpoch)
            writer.stringField(assignorName, flexible: true)
            writer.array(members, version: version, flexible: true)
            writer.int32(authorizedOperations)
            writer.noTaggedFields()
        }
    }

    /// The part for one member.
    package struct Member: WireStructure, Equatable {
        package static let minimumWireBytes = 14

        /// Its id.
        package var memberId: String = ""
        /// Name of a static member, or nil.
        package var instanceId: String? = nil
        /// Where it stands, or nil.
        package var rackId: String? = nil
        /// Its epoch.
        package var memberEpoch: Int32 = 0
        /// What the client calls itself.
        package var clientId: String = ""
        /// Where it connects from.
        package var clientHost: String = ""
        /// Topics that it reads.
        package var subscribedTopicNames: [String] = []
        /// Pattern of the topics that it reads, or nil.
        package var subscribedTopicRegex: String? = nil
        /// What it has.
        package var assignment: Assignment = Assignment()
        /// What it will have.
        package var targetAssignment: Assignment = Assignment()
        /// 1: speaks the newer protocol, 0: the classic one, -1: unknown. From version 1.
        package var memberType: Int8 = -1

        package init(
            memberId: String = "", instanceId: String? = nil, rackId: String? = nil,
            memberEpoch: Int32 = 0, clientId: String = "", clientHost: String = "",
            subscribedTopicNames: [String] = [], subscribedTopicRegex: String? = nil,
            assignment: Assignment = Assignment(), targetAssignment: Assignment = Assignment(),
            memberType: Int8 = -1
        ) {
            self.memberId = memberId
            self.instanceId = instanceId
            self.rackId = rackId
            self.memberEpoch = memberEpoch
            self.clientId = clientId
            self.clientHost = clientHost
            self.subscribedTopicNames = subscribedTopicNames
            self.subscribedTopicRegex = subscribedTopicRegex
            self.assignment = assignment
            self.targetAssignment = targetAssignment
            self.memberType = memberType
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            memberId = try reader.stringField(flexible: true)
            instanceId = try reader.nullableStringField(flexible: true)
            rackId = try reader.nullableStringField(flexible: true)
            memberEpoch = try reader.int32()
            clientId = try reader.stringField(flexible: true)
            clientHost = try reader.stringField(flexible: true)
            subscribedTopicNames = try reader.stringArray(flexible: true)
            subscribedTopicRegex = try reader.nullableStringField(flexible: true)
            assignment = try Assignment(from: &reader, version: version)
            targetAssignment = try Assignment(from: &reader, version: version)
            if version >= 1 { memberType = try reader.int8() }
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(memberId, flexible: true)
            writer.nullableStringField(instanceId, flexible: true)
            writer.nullableStringField(rackId, flexible: true)
            writer.int32(memberEpoch)
            writer.stringField(clientId, flexible: true)
            writer.stringField(clientHost, flexible: true)
            writer.stringArray(subscribedTopicNames, flexible: true)
            writer.nullableStringField(subscribedTopicRegex, flexible: true)
            assignment.write(to: &writer, version: version)
            targetAssignment.write(to: &writer, version: version)
            if version >= 1 { writer.int8(memberType) }
            writer.noTaggedFields()
        }
    }

    /// Partitions of one topic.
    package struct TopicPartitions: WireStructure, Equatable {
        package static let minimumWireBytes = 19

        /// Id of the topic.
        package var topicId: UUID128 = .zero
        /// Its name.
        package var topicName: String = ""
        /// Numbers of the partitions.
        package var partitions: [Int32] = []

        package init(topicId: UUID128 = .zero, topicName: String = "", partitions: [Int32] = []) {
            self.topicId = topicId
            self.topicName = topicName
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicId = try reader.uuid()
            topicName = try reader.stringField(flexible: true)
            partitions = try reader.int32Array(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.uuid(topicId)
            writer.stringField(topicName, flexible: true)
            writer.int32Array(partitions, flexible: true)
            writer.noTaggedFields()
        }
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
}
