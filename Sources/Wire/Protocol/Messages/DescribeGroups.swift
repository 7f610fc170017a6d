// The state and the members of groups.

import Base

/// The request, versions 0 to 6. Flexible from version 5.
package struct DescribeGroupsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.describeGroups
    package typealias Response = DescribeGroupsResponse
    package static let minimumWireBytes = 3

    /// One element for each group.
    package var groups: [String] = []
    /// Whether to say what this client may do with each group. From version 3.
    package var includeAuthorizedOperations: Bool = false

    package init(groups: [String] = [], includeAuthorizedOperations: Bool = false) {
        self.groups = groups
        self.includeAuthorizedOperations = includeAuthorizedOperations
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 5
        groups = try reader.stringArray(flexible: flexible)
        if version >= 3 { includeAuthorizedOperations = try reader.bool() }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 5
        writer.stringArray(groups, flexible: flexible)
        if version >= 3 { writer.bool(includeAuthorizedOperations) }
        if flexible { writer.noTaggedFields() }
    }
}

/// The answer, versions 0 to 6. Flexible from version 5.
package struct DescribeGroupsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.describeGroups
    package static let minimumWireBytes = 4

    /// How long the broker will not read from this connection, because of a quota. From version 1.
    package var throttleTimeMs: Int32 = 0
    /// One element for each group.
    package var groups: [DescribedGroup] = []

    package init(throttleTimeMs: Int32 = 0, groups: [DescribedGroup] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.groups = groups
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 5
        if version >= 1 { throttleTimeMs = try reader.int32() }
        groups = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 5
        if version >= 1 { writer.int32(throttleTimeMs) }
        writer.array(groups, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// One member.
    package struct DescribedGroupMember: WireStructure, Equatable {
        package static let minimumWireBytes = 7

        /// Id of the member; empty when it has none yet.
        package var memberId: String = ""
        /// Name of a static member, or nil. From version 4.
        package var groupInstanceId: String? = nil
        /// Name that the client gave itself.
        package var clientId: String = ""
        /// Address of the client.
        package var clientHost: String = ""
        /// What the member said when it joined.
        package var memberMetadata: Bytes = .empty
        /// What was assigned to it.
        package var memberAssignment: Bytes = .empty

        package init(
            memberId: String = "", groupInstanceId: String? = nil, clientId: String = "",
            clientHost: String = "", memberMetadata: Bytes = .empty,
            memberAssignment: Bytes = .empty
        ) {
            self.memberId = memberId
            self.groupInstanceId = groupInstanceId
            self.clientId = clientId
            self.clientHost = clientHost
            self.memberMetadata = memberMetadata
            self.memberAssignment = memberAssignment
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 5
            memberId = try reader.stringField(flexible: flexible)
            if version >= 4 { groupInstanceId = try reader.nullableStringField(flexible: flexible) }
            clientId = try reader.stringField(flexible: flexible)
            clientHost = try reader.stringField(flexible: flexible)
            memberMetadata = try reader.bytesField(flexible: flexible)
            memberAssignment = try reader.bytesField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 5
            writer.stringField(memberId, flexible: flexible)
            if version >= 4 { writer.nullableStringField(groupInstanceId, flexible: flexible) }
            writer.stringField(clientId, flexible: flexible)
            writer.stringField(clientHost, flexible: flexible)
            writer.bytesField(memberMetadata, flexible: flexible)
            writer.bytesField(memberAssignment, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one group.
    package struct DescribedGroup: WireStructure, Equatable {
        package static let minimumWireBytes = 12

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people. From version 6.
        package var errorMessage: String? = nil
        /// Name of the group.
        package var groupId: String = ""
        /// Name of the state.
        package var groupState: String = ""
        /// Kind of group, for example `consumer`.
        package var protocolType: String = ""
        /// Strategy that is in use.
        package var protocolData: String = ""
        /// One element for each member.
        package var members: [DescribedGroupMember] = []
        /// Bit set of what the client may do; the lowest number when not asked for. From version 3.
        package var authorizedOperations: Int32 = .min

        package init(
            errorCode: ErrorCode = .none, errorMessage: String? = nil, groupId: String = "",
            groupState: String = "", protocolType: String = "", protocolData: String = "",
            members: [DescribedGroupMember] = [], authorizedOperations: Int32 = .min
        ) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.groupId = groupId
            self.groupState = groupState
            self.protocolType = protocolType
            self.protocolData = protocolData
            self.members = members
            self.authorizedOperations = authorizedOperations
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 5
            errorCode = try reader.errorCode()
            if version >= 6 { errorMessage = try reader.nullableStringField(flexible: flexible) }
            groupId = try reader.stringField(flexible: flexible)
            groupState = try reader.stringField(flexible: flexible)
            protocolType = try reader.stringField(flexible: flexible)
            protocolData = try reader.stringField(flexible: flexible)
            members = try reader.array(version: version, flexible: flexible)
            if version >= 3 { authorizedOperations = try reader.int32() }
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 5
            writer.errorCode(errorCode)
            if version >= 6 { writer.nullableStringField(errorMessage, flexible: flexible) }
            writer.stringField(groupId, flexible: flexible)
            writer.stringField(groupState, flexible: flexible)
            writer.stringField(protocolType, flexible: flexible)
            writer.stringField(protocolData, flexible: flexible)
            writer.array(members, version: version, flexible: flexible)
            if version >= 3 { writer.int32(authorizedOperations) }
            if flexible { writer.noTaggedFields() }
        }
    }
}
