// Removes access rules.

import Base

/// The request, versions 1 to 3. Flexible from version 2.
package struct DeleteAclsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.deleteAcls
    package typealias Response = DeleteAclsResponse
    package static let minimumWireBytes = 1

    /// Rules that one of them fits are removed.
    package var filters: [DeleteAclsFilter] = []

    package init(filters: [DeleteAclsFilter] = []) {
        self.filters = filters
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        filters = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.array(filters, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// Which rules.
    package struct DeleteAclsFilter: WireStructure, Equatable {
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
}

/// The answer, versions 1 to 3. Flexible from version 2.
package struct DeleteAclsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.deleteAcls
    package static let minimumWireBytes = 5

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each filter, in its order.
    package var filterResults: [DeleteAclsFilterResult] = []

    package init(throttleTimeMs: Int32 = 0, filterResults: [DeleteAclsFilterResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.filterResults = filterResults
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        filterResults = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        writer.array(filterResults, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// What one filter removed.
    package struct DeleteAclsFilterResult: WireStructure, Equatable {
        package static let minimumWireBytes = 4

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil
        /// The rules that were removed.
        package var matchingAcls: [DeleteAclsMatchingAcl] = []

        package init(
            errorCode: ErrorCode = .none, errorMessage: String? = nil,
            matchingAcls: [DeleteAclsMatchingAcl] = []
        ) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.matchingAcls = matchingAcls
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: flexible)
            matchingAcls = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: flexible)
            writer.array(matchingAcls, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }

        /// One removed rule.
        package struct DeleteAclsMatchingAcl: WireStructure, Equatable {
            package static let minimumWireBytes = 9

            /// What went wrong, or `none`.
            package var errorCode: ErrorCode = .none
            /// What went wrong, for people.
            package var errorMessage: String? = nil
            /// Kind of the resource.
            package var resourceType: Int8 = 0
            /// Name of the resource.
            package var resourceName: String = ""
            /// How the name is meant.
            package var patternType: Int8 = 3
            /// Who.
            package var principal: String = ""
            /// From where.
            package var host: String = ""
            /// What.
            package var operation: Int8 = 0
            /// Whether it is allowed or denied.
            package var permissionType: Int8 = 0

            package init(
                errorCode: ErrorCode = .none, errorMessage: String? = nil, resourceType: Int8 = 0,
                resourceName: String = "", patternType: Int8 = 3, principal: String = "",
                host: String = "", operation: Int8 = 0, permissionType: Int8 = 0
            ) {
                self.errorCode = errorCode
                self.errorMessage = errorMessage
                self.resourceType = resourceType
                self.resourceName = resourceName
                self.patternType = patternType
                self.principal = principal
                self.host = host
                self.operation = operation
                self.permissionType = permissionType
            }

            package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
                let flexible = version >= 2
                errorCode = try reader.errorCode()
                errorMessage = try reader.nullableStringField(flexible: flexible)
                resourceType = try reader.int8()
                resourceName = try reader.stringField(flexible: flexible)
                if version >= 1 { patternType = try reader.int8() }
                principal = try reader.stringField(flexible: flexible)
                host = try reader.stringField(flexible: flexible)
                operation = try reader.int8()
                permissionType = try reader.int8()
                if flexible { try reader.skipTaggedFields() }
            }

            package func write(to writer: inout ByteWriter, version: Int16) {
                let flexible = version >= 2
                writer.errorCode(errorCode)
                writer.nullableStringField(errorMessage, flexible: flexible)
                writer.int8(resourceType)
                writer.stringField(resourceName, flexible: flexible)
                if version >= 1 { writer.int8(patternType) }
                writer.stringField(principal, flexible: flexible)
                writer.stringField(host, flexible: flexible)
                writer.int8(operation)
                writer.int8(permissionType)
                if flexible { writer.noTaggedFields() }
            }
        }
    }
}
