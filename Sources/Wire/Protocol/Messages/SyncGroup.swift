// Hands the leader's assignment to the members of a group.

import Base

/// The request, versions 0 to 5. Flexible from version 4.
package struct SyncGroupRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.syncGroup
    package typealias Response = SyncGroupResponse
    package static let minimumWireBytes = 9

    /// Name of the group.
    package var groupId: String = ""
    /// Number of the membership, rising with each rebalance.
    package var generationId: Int32 = 0
    /// Id of the member; empty when it has none yet.
    package var memberId: String = ""
    /// Name of a static member, or nil. From version 3.
    package var groupInstanceId: String? = nil
    /// Kind of group, for example `consumer`. From version 5.
    package var protocolType: String? = nil
    /// Strategy that was chosen. From version 5.
    package var protocolName: String? = nil
    /// One element for each member or partition.
    package var assignments: [SyncGroupRequestAssignment] = []

    package init(
        groupId: String = "", generationId: Int32 = 0, memberId: String = "",
        groupInstanceId: String? = nil, protocolType: String? = nil, protocolName: String? = nil,
        assignments: [SyncGroupRequestAssignment] = []
    ) {
        self.groupId = groupId
        self.generationId = generationId
        self.memberId = memberId
        self.groupInstanceId = groupInstanceId
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.assignments = assignments
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 4
        groupId = try reader.stringField(flexible: flexible)
        generationId = try reader.int32()
        memberId = try reader.stringField(flexible: flexible)
        if version >= 3 { groupInstanceId = try reader.nullableStringField(flexible: flexible) }
        if version >= 5 {
            protocolType = try reader.nullableStringField(flexible: flexible)
            protocolName = try reader.nullableStringField(flexible: flexible)
        }
        assignments = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 4
        writer.stringField(groupId, flexible: flexible)
        writer.int32(generationId)
        writer.stringField(memberId, flexible: flexible)
        if version >= 3 { writer.nullableStringField(groupInstanceId, flexible: flexible) }
        if version >= 5 {
            writer.nullableStringField(protocolType, flexible: flexible)
            writer.nullableStringField(protocolName, flexible: flexible)
        }
        writer.array(assignments, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one group.
    package struct SyncGroupRequestAssignment: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Id of the member; empty when it has none yet.
        package var memberId: String = ""
        /// What the member is to do.
        package var assignment: Bytes = .empty

        package init(memberId: String = "", assignment: Bytes = .empty) {
            self.memberId = memberId
            self.assignment = assignment
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 4
            memberId = try reader.stringField(flexible: flexible)
            assignment = try reader.bytesField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 4
            writer.stringField(memberId, flexible: flexible)
            writer.bytesField(assignment, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 0 to 5. Flexible from version 4.
package struct SyncGroupResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.syncGroup
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota. From version 1.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// Kind of group, for example `consumer`. From version 5.
    package var protocolType: String? = nil
    /// Strategy that was chosen. From version 5.
    package var protocolName: String? = nil
    /// What the member is to do.
    package var assignment: Bytes = .empty

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, protocolType: String? = nil,
        protocolName: String? = nil, assignment: Bytes = .empty
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.assignment = assignment
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 4
        if version >= 1 { throttleTimeMs = try reader.int32() }
        errorCode = try reader.errorCode()
        if version >= 5 {
            protocolType = try reader.nullableStringField(flexible: flexible)
            protocolName = try reader.nullableStringField(flexible: flexible)
        }
        assignment = try reader.bytesField(flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 4
        if version >= 1 { writer.int32(throttleTimeMs) }
        writer.errorCode(errorCode)
        if version >= 5 {
            writer.nullableStringField(protocolType, flexible: flexible)
            writer.nullableStringField(protocolName, flexible: flexible)
        }
        writer.bytesField(assignment, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }
}
