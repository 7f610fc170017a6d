// Removes groups that have no members.

import Base

/// The request, versions 0 to 2. Flexible from version 2.
package struct DeleteGroupsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.deleteGroups
    package typealias Response = DeleteGroupsResponse
    package static let minimumWireBytes = 2

    /// Names of the groups.
    package var groupsNames: [String] = []

    package init(groupsNames: [String] = []) {
        self.groupsNames = groupsNames
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        groupsNames = try reader.stringArray(flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.stringArray(groupsNames, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }
}

/// The answer, versions 0 to 2. Flexible from version 2.
package struct DeleteGroupsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.deleteGroups
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each that was named.
    package var results: [DeletableGroupResult] = []

    package init(throttleTimeMs: Int32 = 0, results: [DeletableGroupResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.results = results
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        results = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        writer.array(results, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one group.
    package struct DeletableGroupResult: WireStructure, Equatable {
        package static let minimumWireBytes = 4

        /// Name of the group.
        package var groupId: String = ""
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none

        package init(groupId: String = "", errorCode: ErrorCode = .none) {
            self.groupId = groupId
            self.errorCode = errorCode
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            groupId = try reader.stringField(flexible: flexible)
            errorCode = try reader.errorCode()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.stringField(groupId, flexible: flexible)
            writer.errorCode(errorCode)
            if flexible { writer.noTaggedFields() }
        }
    }
}
