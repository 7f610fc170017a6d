// Which broker coordinates a group or a transactional id.

import Base

/// The request, versions 0 to 6. Flexible from version 3.
package struct FindCoordinatorRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.findCoordinator
    package typealias Response = FindCoordinatorResponse
    package static let minimumWireBytes = 2

    /// Name of the group or transactional id. Up to version 3.
    package var key: String = ""
    /// 0: group; 1: transactional id; 2: share group. From version 1.
    package var keyType: Int8 = 0
    /// Names to look up. From version 4.
    package var coordinatorKeys: [String] = []

    package init(key: String = "", keyType: Int8 = 0, coordinatorKeys: [String] = []) {
        self.key = key
        self.keyType = keyType
        self.coordinatorKeys = coordinatorKeys
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        if version <= 3 { key = try reader.stringField(flexible: flexible) }
        if version >= 1 { keyType = try reader.int8() }
        if version >= 4 { coordinatorKeys = try reader.stringArray(flexible: flexible) }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        if version <= 3 { writer.stringField(key, flexible: flexible) }
        if version >= 1 { writer.int8(keyType) }
        if version >= 4 { writer.stringArray(coordinatorKeys, flexible: flexible) }
        if flexible { writer.noTaggedFields() }
    }
}

/// The answer, versions 0 to 6. Flexible from version 3.
package struct FindCoordinatorResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.findCoordinator
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota. From version 1.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`. Up to version 3.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people. Versions 1 to 3.
    package var errorMessage: String? = ""
    /// Number of the broker. Up to version 3.
    package var nodeId: Int32 = 0
    /// Name or address to connect to. Up to version 3.
    package var host: String = ""
    /// Port to connect to. Up to version 3.
    package var port: Int32 = 0
    /// One element for each name. From version 4.
    package var coordinators: [Coordinator] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = "",
        nodeId: Int32 = 0, host: String = "", port: Int32 = 0, coordinators: [Coordinator] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.nodeId = nodeId
        self.host = host
        self.port = port
        self.coordinators = coordinators
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        if version >= 1 { throttleTimeMs = try reader.int32() }
        if version <= 3 { errorCode = try reader.errorCode() }
        if version >= 1 && version <= 3 {
            errorMessage = try reader.nullableStringField(flexible: flexible)
        }
        if version <= 3 {
            nodeId = try reader.int32()
            host = try reader.stringField(flexible: flexible)
            port = try reader.int32()
        }
        if version >= 4 { coordinators = try reader.array(version: version, flexible: flexible) }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        if version >= 1 { writer.int32(throttleTimeMs) }
        if version <= 3 { writer.errorCode(errorCode) }
        if version >= 1 && version <= 3 {
            writer.nullableStringField(errorMessage, flexible: flexible)
        }
        if version <= 3 {
            writer.int32(nodeId)
            writer.stringField(host, flexible: flexible)
            writer.int32(port)
        }
        if version >= 4 { writer.array(coordinators, version: version, flexible: flexible) }
        if flexible { writer.noTaggedFields() }
    }

    /// Where the coordinator of one name is.
    package struct Coordinator: WireStructure, Equatable {
        package static let minimumWireBytes = 14

        /// Name of the group or transactional id. From version 4.
        package var key: String = ""
        /// Number of the broker. From version 4.
        package var nodeId: Int32 = 0
        /// Name or address to connect to. From version 4.
        package var host: String = ""
        /// Port to connect to. From version 4.
        package var port: Int32 = 0
        /// What went wrong, or `none`. From version 4.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people. From version 4.
        package var errorMessage: String? = ""

        package init(
            key: String = "", nodeId: Int32 = 0, host: String = "", port: Int32 = 0,
            errorCode: ErrorCode = .none, errorMessage: String? = ""
        ) {
            self.key = key
            self.nodeId = nodeId
            self.host = host
            self.port = port
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            key = try reader.stringField(flexible: true)
            nodeId = try reader.int32()
            host = try reader.stringField(flexible: true)
            port = try reader.int32()
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(key, flexible: true)
            writer.int32(nodeId)
            writer.stringField(host, flexible: true)
            writer.int32(port)
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: true)
            writer.noTaggedFields()
        }
    }
}
