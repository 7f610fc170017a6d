// Changes single settings of topics and brokers.

import Base

/// The request, versions 0 to 1. Flexible from version 1.
package struct IncrementalAlterConfigsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.incrementalAlterConfigs
    package typealias Response = IncrementalAlterConfigsResponse
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
        let flexible = version >= 1
        resources = try reader.array(version: version, flexible: flexible)
        validateOnly = try reader.bool()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 1
        writer.array(resources, version: version, flexible: flexible)
        writer.bool(validateOnly)
        if flexible { writer.noTaggedFields() }
    }

    /// One setting.
    package struct AlterableConfig: WireStructure, Equatable {
        package static let minimumWireBytes = 4

        /// Its name.
        package var name: String = ""
        /// 0: set; 1: delete; 2: append to a list; 3: take out of a list.
        package var configOperation: Int8 = 0
        /// Value of the setting.
        package var value: String? = ""

        package init(name: String = "", configOperation: Int8 = 0, value: String? = "") {
            self.name = name
            self.configOperation = configOperation
            self.value = value
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 1
            name = try reader.stringField(flexible: flexible)
            configOperation = try reader.int8()
            value = try reader.nullableStringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 1
            writer.stringField(name, flexible: flexible)
            writer.int8(configOperation)
            writer.nullableStringField(value, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// One resource.
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
            let flexible = version >= 1
            resourceType = try reader.int8()
            resourceName = try reader.stringField(flexible: flexible)
            configs = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 1
            writer.int8(resourceType)
            writer.stringField(resourceName, flexible: flexible)
            writer.array(configs, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 0 to 1. Flexible from version 1.
package struct IncrementalAlterConfigsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.incrementalAlterConfigs
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each topic.
    package var responses: [AlterConfigsResourceResponse] = []

    package init(throttleTimeMs: Int32 = 0, responses: [AlterConfigsResourceResponse] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.responses = responses
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 1
        throttleTimeMs = try reader.int32()
        responses = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 1
        writer.int32(throttleTimeMs)
        writer.array(responses, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// One resource.
    package struct AlterConfigsResourceResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = ""
        /// Kind of resource: see `ConfigResource`.
        package var resourceType: Int8 = 0
        /// Name of the topic or number of the broker.
        package var resourceName: String = ""

        package init(
            errorCode: ErrorCode = .none, errorMessage: String? = "", resourceType: Int8 = 0,
            resourceName: String = ""
        ) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.resourceType = resourceType
            self.resourceName = resourceName
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 1
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: flexible)
            resourceType = try reader.int8()
            resourceName = try reader.stringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 1
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: flexible)
            writer.int8(resourceType)
            writer.stringField(resourceName, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}
