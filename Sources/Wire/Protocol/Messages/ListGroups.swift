// The groups that a broker coordinates.

import Base

/// The request, versions 0 to 5. Flexible from version 3.
package struct ListGroupsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.listGroups
    package typealias Response = ListGroupsResponse
    package static let minimumWireBytes = 0

    /// Only groups in these states; empty means any. From version 4.
    package var statesFilter: [String] = []
    /// Only groups of these types; empty means any. From version 5.
    package var typesFilter: [String] = []

    package init(statesFilter: [String] = [], typesFilter: [String] = []) {
        self.statesFilter = statesFilter
        self.typesFilter = typesFilter
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        if version >= 4 { statesFilter = try reader.stringArray(flexible: flexible) }
        if version >= 5 { typesFilter = try reader.stringArray(flexible: flexible) }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        if version >= 4 { writer.stringArray(statesFilter, flexible: flexible) }
        if version >= 5 { writer.stringArray(typesFilter, flexible: flexible) }
        if flexible { writer.noTaggedFields() }
    }
}

/// The answer, versions 0 to 5. Flexible from version 3.
package struct ListGroupsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.listGroups
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota. From version 1.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// One element for each group.
    package var groups: [ListedGroup] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, groups: [ListedGroup] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.groups = groups
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        if version >= 1 { throttleTimeMs = try reader.int32() }
        errorCode = try reader.errorCode()
        groups = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        if version >= 1 { writer.int32(throttleTimeMs) }
        writer.errorCode(errorCode)
        writer.array(groups, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one group.
    package struct ListedGroup: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the group.
        package var groupId: String = ""
        /// Kind of group, for example `consumer`.
        package var protocolType: String = ""
        /// Name of the state. From version 4.
        package var groupState: String = ""
        /// Type of the group. From version 5.
        package var groupType: String = ""

        package init(
            groupId: String = "", protocolType: String = "", groupState: String = "",
            groupType: String = ""
        ) {
            self.groupId = groupId
            self.protocolType = protocolType
            self.groupState = groupState
            self.groupType = groupType
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 3
            groupId = try reader.stringField(flexible: flexible)
            protocolType = try reader.stringField(flexible: flexible)
            if version >= 4 { groupState = try reader.stringField(flexible: flexible) }
            if version >= 5 { groupType = try reader.stringField(flexible: flexible) }
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 3
            writer.stringField(groupId, flexible: flexible)
            writer.stringField(protocolType, flexible: flexible)
            if version >= 4 { writer.stringField(groupState, flexible: flexible) }
            if version >= 5 { writer.stringField(groupType, flexible: flexible) }
            if flexible { writer.noTaggedFields() }
        }
    }
}
