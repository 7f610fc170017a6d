// Names the resources that have settings.

import Base

/// The request, versions 0 to 1. Flexible.
package struct ListConfigResourcesRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.listConfigResources
    package typealias Response = ListConfigResourcesResponse
    package static let minimumWireBytes = 1

    /// Kinds of resources wanted: see `ConfigResource`; none = all. From version 1.
    package var resourceTypes: [Int8] = []

    package init(resourceTypes: [Int8] = []) {
        self.resourceTypes = resourceTypes
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        if version >= 1 { resourceTypes = try reader.int8Array(flexible: true) }
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        if version >= 1 { writer.int8Array(resourceTypes, flexible: true) }
        writer.noTaggedFields()
    }
}

/// The answer, versions 0 to 1. Flexible.
package struct ListConfigResourcesResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.listConfigResources
    package static let minimumWireBytes = 8

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// One element for each resource.
    package var configResources: [ConfigResource] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none,
        configResources: [ConfigResource] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.configResources = configResources
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        configResources = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.array(configResources, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// One resource.
    package struct ConfigResource: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Name of the topic or number of the broker.
        package var resourceName: String = ""
        /// Kind of resource: see `ConfigResource`. From version 1.
        package var resourceType: Int8 = 16

        package init(resourceName: String = "", resourceType: Int8 = 16) {
            self.resourceName = resourceName
            self.resourceType = resourceType
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            resourceName = try reader.stringField(flexible: true)
            if version >= 1 { resourceType = try reader.int8() }
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(resourceName, flexible: true)
            if version >= 1 { writer.int8(resourceType) }
            writer.noTaggedFields()
        }
    }
}
