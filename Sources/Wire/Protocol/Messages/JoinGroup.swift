// Enters a consumer group and waits for its members to gather.

import Base

/// The request, versions 0 to 9. Flexible from version 6.
package struct JoinGroupRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.joinGroup
    package typealias Response = JoinGroupResponse
    package static let minimumWireBytes = 14

    /// Name of the group.
    package var groupId: String = ""
    /// Silence after which a member counts as dead, in milliseconds.
    package var sessionTimeoutMs: Int32 = 0
    /// How long members have to rejoin, in milliseconds; -1 means the session timeout. From version
    /// 1.
    package var rebalanceTimeoutMs: Int32 = -1
    /// Id of the member; empty when it has none yet.
    package var memberId: String = ""
    /// Name of a static member, or nil. From version 5.
    package var groupInstanceId: String? = nil
    /// Kind of group, for example `consumer`.
    package var protocolType: String = ""
    /// Assignment strategies that the member can do, best first.
    package var protocols: [JoinGroupRequestProtocol] = []
    /// Why, for the log of the broker. From version 8.
    package var reason: String? = nil

    package init(
        groupId: String = "", sessionTimeoutMs: Int32 = 0, rebalanceTimeoutMs: Int32 = -1,
        memberId: String = "", groupInstanceId: String? = nil, protocolType: String = "",
        protocols: [JoinGroupRequestProtocol] = [], reason: String? = nil
    ) {
        self.groupId = groupId
        self.sessionTimeoutMs = sessionTimeoutMs
        self.rebalanceTimeoutMs = rebalanceTimeoutMs
        self.memberId = memberId
        self.groupInstanceId = groupInstanceId
        self.protocolType = protocolType
        self.protocols = protocols
        self.reason = reason
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 6
        groupId = try reader.stringField(flexible: flexible)
        sessionTimeoutMs = try reader.int32()
        if version >= 1 { rebalanceTimeoutMs = try reader.int32() }
        memberId = try reader.stringField(flexible: flexible)
        if version >= 5 { groupInstanceId = try reader.nullableStringField(flexible: flexible) }
        protocolType = try reader.stringField(flexible: flexible)
        protocols = try reader.array(version: version, flexible: flexible)
        if version >= 8 { reason = try reader.nullableStringField(flexible: flexible) }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 6
        writer.stringField(groupId, flexible: flexible)
        writer.int32(sessionTimeoutMs)
        if version >= 1 { writer.int32(rebalanceTimeoutMs) }
        writer.stringField(memberId, flexible: flexible)
        if version >= 5 { writer.nullableStringField(groupInstanceId, flexible: flexible) }
        writer.stringField(protocolType, flexible: flexible)
        writer.array(protocols, version: version, flexible: flexible)
        if version >= 8 { writer.nullableStringField(reason, flexible: flexible) }
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one group.
    package struct JoinGroupRequestProtocol: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// Bytes that the broker keeps and hands out unread.
        package var metadata: Bytes = .empty

        package init(name: String = "", metadata: Bytes = .empty) {
            self.name = name
            self.metadata = metadata
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 6
            name = try reader.stringField(flexible: flexible)
            metadata = try reader.bytesField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 6
            writer.stringField(name, flexible: flexible)
            writer.bytesField(metadata, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 0 to 9. Flexible from version 6.
package struct JoinGroupResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.joinGroup
    package static let minimumWireBytes = 15

    /// How long the broker will not read from this connection, because of a quota. From version 2.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// Number of the membership, rising with each rebalance.
    package var generationId: Int32 = -1
    /// Kind of group, for example `consumer`. From version 7.
    package var protocolType: String? = nil
    /// Strategy that was chosen.
    package var protocolName: String? = ""
    /// Id of the member that assigns.
    package var leader: String = ""
    /// Whether the leader keeps the existing assignment. From version 9.
    package var skipAssignment: Bool = false
    /// Id of the member; empty when it has none yet.
    package var memberId: String = ""
    /// One element for each member.
    package var members: [JoinGroupResponseMember] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, generationId: Int32 = -1,
        protocolType: String? = nil, protocolName: String? = "", leader: String = "",
        skipAssignment: Bool = false, memberId: String = "", members: [JoinGroupResponseMember] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.generationId = generationId
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.leader = leader
        self.skipAssignment = skipAssignment
        self.memberId = memberId
        self.members = members
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 6
        if version >= 2 { throttleTimeMs = try reader.int32() }
        errorCode = try reader.errorCode()
        generationId = try reader.int32()
        if version >= 7 { protocolType = try reader.nullableStringField(flexible: flexible) }
        protocolName =
            version >= 7
            ? try reader.nullableStringField(flexible: flexible)
            : try reader.stringField(flexible: flexible)
        leader = try reader.stringField(flexible: flexible)
        if version >= 9 { skipAssignment = try reader.bool() }
        memberId = try reader.stringField(flexible: flexible)
        members = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 6
        if version >= 2 { writer.int32(throttleTimeMs) }
        writer.errorCode(errorCode)
        writer.int32(generationId)
        if version >= 7 { writer.nullableStringField(protocolType, flexible: flexible) }
        writer.nullableStringField(protocolName ?? (version >= 7 ? nil : ""), flexible: flexible)
        writer.stringField(leader, flexible: flexible)
        if version >= 9 { writer.bool(skipAssignment) }
        writer.stringField(memberId, flexible: flexible)
        writer.array(members, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// One member.
    package struct JoinGroupResponseMember: WireStructure, Equatable {
        package static let minimumWireBytes = 4

        /// Id of the member; empty when it has none yet.
        package var memberId: String = ""
        /// Name of a static member, or nil. From version 5.
        package var groupInstanceId: String? = nil
        /// Bytes that the broker keeps and hands out unread.
        package var metadata: Bytes = .empty

        package init(
            memberId: String = "", groupInstanceId: String? = nil, metadata: Bytes = .empty
        ) {
            self.memberId = memberId
            self.groupInstanceId = groupInstanceId
            self.metadata = metadata
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 6
            memberId = try reader.stringField(flexible: flexible)
            if version >= 5 { groupInstanceId = try reader.nullableStringField(flexible: flexible) }
            metadata = try reader.bytesField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 6
            writer.stringField(memberId, flexible: flexible)
            if version >= 5 { writer.nullableStringField(groupInstanceId, flexible: flexible) }
            writer.bytesField(metadata, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}
