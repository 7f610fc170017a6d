// Lists access rules.

import Base

/// The request, versions 1 to 3. Flexible from version 2.
package struct DescribeAclsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.describeAcls
    package typealias Response = DescribeAclsResponse
    package static let minimumWireBytes = 6

    /// Kind of the resource.
    package var resourceTypeFilter: Int8 = 0
    /// Name of the resource; null = any.
    package var resourceNameFilter: String? = nil
    /// How the name is meant.
    package var patternTypeFilter: Int8 = 3
    /// Who; null = any.
    package var principalFilter: String? = nil
    /// From where; null = any.
    package var hostFilter: String? = nil
    /// What.
    package var operation: Int8 = 0
    /// Whether it is allowed or denied.
    package var permissionType: Int8 = 0

    package init(
        resourceTypeFilter: Int8 = 0, resourceNameFilter: String? = nil,
        patternTypeFilter: Int8 = 3, principalFilter: String? = nil, hostFilter: String? = nil,
        operation: Int8 = 0, permissionType: Int8 = 0
    ) {
        self.resourceTypeFilter = resourceTypeFilter
        self.resourceNameFilter = resourceNameFilter
        self.patternTypeFilter = patternTypeFilter
        self.principalFilter = principalFilter
        self.hostFilter = hostFilter
        self.operation = operation
        self.permissionType = permissionType
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        resourceTypeFilter = try reader.int8()
        resourceNameFilter = try reader.nullableStringField(flexible: flexible)
        if version >= 1 { patternTypeFilter = try reader.int8() }
        principalFilter = try reader.nullableStringField(flexible: flexible)
        hostFilter = try reader.nullableStringField(flexible: flexible)
        operation = try reader.int8()
        permissionType = try reader.int8()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.int8(resourceTypeFilter)
        writer.nullableStringField(resourceNameFilter, flexible: flexible)
        if version >= 1 { writer.int8(patternTypeFilter) }
        writer.nullableStringField(principalFilter, flexible: flexible)
        writer.nullableStringField(hostFilter, flexible: flexible)
        writer.int8(operation)
        writer.int8(permissionType)
        if flexible { writer.noTaggedFields() }
    }
}

/// The answer, versions 1 to 3. Flexible from version 2.
package struct DescribeAclsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.describeAcls
    package static let minimumWireBytes = 8

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// The rules, by resource.
    package var resources: [DescribeAclsResource] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
        resources: [DescribeAclsResource] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.resources = resources
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: flexible)
        resources = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: flexible)
        writer.array(resources, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The rules of one resource.
    package struct DescribeAclsResource: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Kind of the resource.
        package var resourceType: Int8 = 0
        /// Name of the resource.
        package var resourceName: String = ""
        /// How the name is meant.
        package var patternType: Int8 = 3
        /// The rules.
        package var acls: [AclDescription] = []

        package init(
            resourceType: Int8 = 0, resourceName: String = "", patternType: Int8 = 3,
            acls: [AclDescription] = []
        ) {
            self.resourceType = resourceType
            self.resourceName = resourceName
            self.patternType = patternType
            self.acls = acls
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            resourceType = try reader.int8()
            resourceName = try reader.stringField(flexible: flexible)
            if version >= 1 { patternType = try reader.int8() }
            acls = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.int8(resourceType)
            writer.stringField(resourceName, flexible: flexible)
            if version >= 1 { writer.int8(patternType) }
            writer.array(acls, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }

        /// One rule.
        package struct AclDescription: WireStructure, Equatable {
            package static let minimumWireBytes = 4

            /// Who.
            package var principal: String = ""
            /// From where.
            package var host: String = ""
            /// What.
            package var operation: Int8 = 0
            /// Whether it is allowed or denied.
            package var permissionType: Int8 = 0

            package init(
                principal: String = "", host: String = "", operation: Int8 = 0,
                permissionType: Int8 = 0
            ) {
                self.principal = principal
                self.host = host
                self.operation = operation
                self.permissionType = permissionType
            }

            package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
                let flexible = version >= 2
                principal = try reader.stringField(flexible: flexible)
                host = try reader.stringField(flexible: flexible)
                operation = try reader.int8()
                permissionType = try reader.int8()
                if flexible { try reader.skipTaggedFields() }
            }

            package func write(to writer: inout ByteWriter, version: Int16) {
                let flexible = version >= 2
                writer.stringField(principal, flexible: flexible)
                writer.stringField(host, flexible: flexible)
                writer.int8(operation)
                writer.int8(permissionType)
                if flexible { writer.noTaggedFields() }
            }
        }
    }
}
