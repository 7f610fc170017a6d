// Adds access rules.

import Base

/// The request, versions 1 to 3. Flexible from version 2.
package struct CreateAclsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.createAcls
    package typealias Response = CreateAclsResponse
    package static let minimumWireBytes = 1

    /// The rules.
    package var creations: [AclCreation] = []

    package init(creations: [AclCreation] = []) {
        self.creations = creations
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        creations = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.array(creations, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// One rule.
    package struct AclCreation: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Kind of the resource.
        package var resourceType: Int8 = 0
        /// Name of the resource.
        package var resourceName: String = ""
        /// How the name is meant.
        package var resourcePatternType: Int8 = 3
        /// Who.
        package var principal: String = ""
        /// From where.
        package var host: String = ""
        /// What.
        package var operation: Int8 = 0
        /// Whether it is allowed or denied.
        package var permissionType: Int8 = 0

        package init(
            resourceType: Int8 = 0, resourceName: String = "", resourcePatternType: Int8 = 3,
            principal: String = "", host: String = "", operation: Int8 = 0, permissionType: Int8 = 0
        ) {
            self.resourceType = resourceType
            self.resourceName = resourceName
            self.resourcePatternType = resourcePatternType
            self.principal = principal
            self.host = host
            self.operation = operation
            self.permissionType = permissionType
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            resourceType = try reader.int8()
            resourceName = try reader.stringField(flexible: flexible)
            if version >= 1 { resourcePatternType = try reader.int8() }
            principal = try reader.stringField(flexible: flexible)
            host = try reader.stringField(flexible: flexible)
            operation = try reader.int8()
            permissionType = try reader.int8()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.int8(resourceType)
            writer.stringField(resourceName, flexible: flexible)
            if version >= 1 { writer.int8(resourcePatternType) }
            writer.stringField(principal, flexible: flexible)
            writer.stringField(host, flexible: flexible)
            writer.int8(operation)
            writer.int8(permissionType)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 1 to 3. Flexible from version 2.
package struct CreateAclsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.createAcls
    package static let minimumWireBytes = 5

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each rule, in its order.
    package var results: [AclCreationResult] = []

    package init(throttleTimeMs: Int32 = 0, results: [AclCreationResult] = []) {
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

    /// The result for one rule.
    package struct AclCreationResult: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil

        package init(errorCode: ErrorCode = .none, errorMessage: String? = nil) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}
