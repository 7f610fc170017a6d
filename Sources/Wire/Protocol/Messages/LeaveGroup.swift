// Takes members out of a group at once.

import Base

/// The request, versions 0 to 5. Flexible from version 4.
package struct LeaveGroupRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.leaveGroup
    package typealias Response = LeaveGroupResponse
    package static let minimumWireBytes = 3

    /// Name of the group.
    package var groupId: String = ""
    /// Id of the member; empty when it has none yet. Up to version 2.
    package var memberId: String = ""
    /// One element for each member. From version 3.
    package var members: [MemberIdentity] = []

    package init(groupId: String = "", memberId: String = "", members: [MemberIdentity] = []) {
        self.groupId = groupId
        self.memberId = memberId
        self.members = members
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 4
        groupId = try reader.stringField(flexible: flexible)
        if version <= 2 { memberId = try reader.stringField(flexible: flexible) }
        if version >= 3 { members = try reader.array(version: version, flexible: flexible) }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 4
        writer.stringField(groupId, flexible: flexible)
        if version <= 2 { writer.stringField(memberId, flexible: flexible) }
        if version >= 3 { writer.array(members, version: version, flexible: flexible) }
        if flexible { writer.noTaggedFields() }
    }

    /// One member that leaves.
    package struct MemberIdentity: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Id of the member; empty when it has none yet. From version 3.
        package var memberId: String = ""
        /// Name of a static member, or nil. From version 3.
        package var groupInstanceId: String? = nil
        /// Why, for the log of the broker. From version 5.
        package var reason: String? = nil

        package init(memberId: String = "", groupInstanceId: String? = nil, reason: String? = nil) {
            self.memberId = memberId
            self.groupInstanceId = groupInstanceId
            self.reason = reason
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 4
            memberId = try reader.stringField(flexible: flexible)
            groupInstanceId = try reader.nullableStringField(flexible: flexible)
            if version >= 5 { reason = try reader.nullableStringField(flexible: flexible) }
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 4
            writer.stringField(memberId, flexible: flexible)
            writer.nullableStringField(groupInstanceId, flexible: flexible)
            if version >= 5 { writer.nullableStringField(reason, flexible: flexible) }
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 0 to 5. Flexible from version 4.
package struct LeaveGroupResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.leaveGroup
    package static let minimumWireBytes = 2

    /// How long the broker will not read from this connection, because of a quota. From version 1.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// One element for each member. From version 3.
    package var members: [MemberResponse] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, members: [MemberResponse] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.members = members
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 4
        if version >= 1 { throttleTimeMs = try reader.int32() }
        errorCode = try reader.errorCode()
        if version >= 3 { members = try reader.array(version: version, flexible: flexible) }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 4
        if version >= 1 { writer.int32(throttleTimeMs) }
        writer.errorCode(errorCode)
        if version >= 3 { writer.array(members, version: version, flexible: flexible) }
        if flexible { writer.noTaggedFields() }
    }

    /// What became of one member.
    package struct MemberResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 5

        /// Id of the member; empty when it has none yet. From version 3.
        package var memberId: String = ""
        /// Name of a static member, or nil. From version 3.
        package var groupInstanceId: String? = ""
        /// What went wrong, or `none`. From version 3.
        package var errorCode: ErrorCode = .none

        package init(
            memberId: String = "", groupInstanceId: String? = "", errorCode: ErrorCode = .none
        ) {
            self.memberId = memberId
            self.groupInstanceId = groupInstanceId
            self.errorCode = errorCode
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 4
            memberId = try reader.stringField(flexible: flexible)
            groupInstanceId = try reader.nullableStringField(flexible: flexible)
            errorCode = try reader.errorCode()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 4
            writer.stringField(memberId, flexible: flexible)
            writer.nullableStringField(groupInstanceId, flexible: flexible)
            writer.errorCode(errorCode)
            if flexible { writer.noTaggedFields() }
        }
    }
}
