// Tells the coordinator that a member is alive, and the member that it must rejoin.

import Base

/// The request, versions 0 to 4. Flexible from version 4.
package struct HeartbeatRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.heartbeat
    package typealias Response = HeartbeatResponse
    package static let minimumWireBytes = 8

    /// Name of the group.
    package var groupId: String = ""
    /// Number of the membership, rising with each rebalance.
    package var generationId: Int32 = 0
    /// Id of the member; empty when it has none yet.
    package var memberId: String = ""
    /// Name of a static member, or nil. From version 3.
    package var groupInstanceId: String? = nil

    package init(
        groupId: String = "", generationId: Int32 = 0, memberId: String = "",
        groupInstanceId: String? = nil
    ) {
        self.groupId = groupId
        self.generationId = generationId
        self.memberId = memberId
        self.groupInstanceId = groupInstanceId
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 4
        groupId = try reader.stringField(flexible: flexible)
        generationId = try reader.int32()
        memberId = try reader.stringField(flexible: flexible)
        if version >= 3 { groupInstanceId = try reader.nullableStringField(flexible: flexible) }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 4
        writer.stringField(groupId, flexible: flexible)
        writer.int32(generationId)
        writer.stringField(memberId, flexible: flexible)
        if version >= 3 { writer.nullableStringField(groupInstanceId, flexible: flexible) }
        if flexible { writer.noTaggedFields() }
    }
}

/// The answer, versions 0 to 4. Flexible from version 4.
package struct HeartbeatResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.heartbeat
    package static let minimumWireBytes = 2

    /// How long the broker will not read from this connection, because of a quota. From version 1.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none

    package init(throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 4
        if version >= 1 { throttleTimeMs = try reader.int32() }
        errorCode = try reader.errorCode()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 4
        if version >= 1 { writer.int32(throttleTimeMs) }
        writer.errorCode(errorCode)
        if flexible { writer.noTaggedFields() }
    }
}
