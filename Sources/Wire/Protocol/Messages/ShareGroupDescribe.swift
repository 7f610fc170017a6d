// Tells the members of share groups and what they read.

import Base

/// The request, version 1. Flexible.
package struct ShareGroupDescribeRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.shareGroupDescribe
    package typealias Response = ShareGroupDescribeResponse
    package static let minimumWireBytes = 3

    /// Names of the groups.
    package var groupIds: [String] = []
    /// Whether to tell what the client may do with each group.
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

/// The answer, version 1. Flexible.
package struct ShareGroupDescribeResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.shareGroupDescribe
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

    /// The part for one topic.
    package struct TopicPartitions: WireStructure, Equatable {
        package static let minimumWireBytes = 19

        /// Id of the topic.
        package var topicId: UUID128 = .zero
        /// Name of the topic.
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

    /// A member of a group.
    package struct Member: WireStructure, Equatable {
        package static let minimumWireBytes = 12

        /// Id of the member.
        package var memberId: String = ""
        /// Where the member stands.
        package var rackId: String? = nil
        /// Epoch of the member.
        package var memberEpoch: Int32 = 0
        /// What the client calls itself.
        package var clientId: String = ""
        /// Address of the client.
        package var clientHost: String = ""
        /// Names of the topics.
        package var subscribedTopicNames: [String] = []
        /// What the member reads.
        package var assignment: Assignment = .init()

        package init(
            memberId: String = "", rackId: String? = nil, memberEpoch: Int32 = 0,
            clientId: String = "", clientHost: String = "", subscribedTopicNames: [String] = [],
            assignment: Assignment = .init()
        ) {
            self.memberId = memberId
            self.rackId = rackId
            self.memberEpoch = memberEpoch
            self.clientId = clientId
            self.clientHost = clientHost
            self.subscribedTopicNames = subscribedTopicNames
            self.assignment = assignment
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            memberId = try reader.stringField(flexible: true)
            rackId = try reader.nullableStringField(flexible: true)
            memberEpoch = try reader.int32()
            clientId = try reader.stringField(flexible: true)
            clientHost = try reader.stringField(flexible: true)
            subscribedTopicNames = try reader.stringArray(flexible: true)
            assignment = try Assignment(from: &reader, version: version)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(memberId, flexible: true)
            writer.nullableStringField(rackId, flexible: true)
            writer.int32(memberEpoch)
            writer.stringField(clientId, flexible: true)
            writer.stringField(clientHost, flexible: true)
            writer.stringArray(subscribedTopicNames, flexible: true)
            assignment.write(to: &writer, version: version)
            writer.noTaggedFields()
        }
    }

    /// The part for one group.
    package struct DescribedGroup: WireStructure, Equatable {
        package static let minimumWireBytes = 20

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil
        /// Name of the group.
        package var groupId: String = ""
        /// State of the group, or empty.
        package var groupState: String = ""
        /// Epoch of the group.
        package var groupEpoch: Int32 = 0
        /// Epoch that the assignment was made for.
        package var assignmentEpoch: Int32 = 0
        /// What distributes the partitions.
        package var assignorName: String = ""
        /// The members.
        package var members: [Member] = []
        /// What the client may do with the group, as bits; the lowest number when it did not ask.
        package var authorizedOperations: Int32 = .min

        package init(
            errorCode: ErrorCode = .none, errorMessage: String? = nil, groupId: String = "",
            groupState: String = "", groupEpoch: Int32 = 0, assignmentEpoch: Int32 = 0,
            assignorName: String = "", members: [Member] = [], authorizedOperations: Int32 = .min
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
}
