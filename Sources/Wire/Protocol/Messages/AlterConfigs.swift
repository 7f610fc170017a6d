// Replaces all settings of resources: what a request leaves out goes back to its default.

import Base

/// The request, versions 0 to 2. Flexible from version 2.
package struct AlterConfigsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.alterConfigs
    package typealias Response = AlterConfigsResponse
    package static let minimumWireBytes = 3

    /// One element for each resource.
    package var resources: [AlterConfigsResource] = []
    /// Whether to check only and change nothing.
    package var validateOnly: Bool = false

    package init(resources: [AlterConfigsResource] = [], validateOnly: Bool = false) {
        self.resources = resources
        self.validateOnly = validateOnly
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        resources = try reader.array(version: version, flexible: flexible)
        validateOnly = try reader.bool()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.array(resources, version: version, flexible: flexible)
        writer.bool(validateOnly)
        if flexible { writer.noTaggedFields() }
    }

    /// One setting.
    package struct AlterableConfig: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// Its value; nil = none.
        package var value: String? = nil

        package init(name: String = "", value: String? = nil) {
            self.name = name
            self.value = value
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            name = try reader.stringField(flexible: flexible)
            value = try reader.nullableStringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.stringField(name, flexible: flexible)
            writer.nullableStringField(value, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one resource.
    package struct AlterConfigsResource: WireStructure, Equatable {
        package static let minimumWireBytes = 4

        /// Kind of resource: see `ConfigResource`.
        package var resourceType: Int8 = 0
        /// Name of the topic or number of the broker.
        package var resourceName: String = ""
        /// Settings.
        package var configs: [AlterableConfig] = []

        package init(
            resourceType: Int8 = 0, resourceName: String = "", configs: [AlterableConfig] = []
        ) {
            self.resourceType = resourceType
            self.resourceName = resourceName
            self.configs = configs
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            resourceType = try reader.int8()
            resourceName = try reader.stringField(flexible: flexible)
            configs = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.int8(resourceType)
            writer.stringField(resourceName, flexible: flexible)
            writer.array(configs, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 0 to 2. Flexible from version 2.
package struct AlterConfigsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.alterConfigs
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each that was named.
    package var responses: [AlterConfigsResourceResponse] = []

    package init(throttleTimeMs: Int32 = 0, responses: [AlterConfigsResourceResponse] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.responses = responses
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        responses = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        writer.array(responses, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// What became of one resource.
    package struct AlterConfigsResourceResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil
        /// Kind of resource: see `ConfigResource`.
        package var resourceType: Int8 = 0
        /// Name of the topic or number of the broker.
        package var resourceName: String = ""

        package init(
            errorCode: ErrorCode = .none, errorMessage: String? = nil, resourceType: Int8 = 0,
            resourceName: String = ""
        ) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.resourceType = resourceType
            self.resourceName = resourceName
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: flexible)
            resourceType = try reader.int8()
            resourceName = try reader.stringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: flexible)
            writer.int8(resourceType)
            writer.stringField(resourceName, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}
