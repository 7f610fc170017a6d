// The settings of topics and brokers.

import Base

/// The request, versions 1 to 4. Flexible from version 4.
package struct DescribeConfigsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.describeConfigs
    package typealias Response = DescribeConfigsResponse
    package static let minimumWireBytes = 4

    /// One element for each resource.
    package var resources: [DescribeConfigsResource] = []
    /// Whether to list the settings that it overrides.
    package var includeSynonyms: Bool = false
    /// Whether to add a description of each setting. From version 3.
    package var includeDocumentation: Bool = false

    package init(
        resources: [DescribeConfigsResource] = [], includeSynonyms: Bool = false,
        includeDocumentation: Bool = false
    ) {
        self.resources = resources
        self.includeSynonyms = includeSynonyms
        self.includeDocumentation = includeDocumentation
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 4
        resources = try reader.array(version: version, flexible: flexible)
        includeSynonyms = try reader.bool()
        if version >= 3 { includeDocumentation = try reader.bool() }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 4
        writer.array(resources, version: version, flexible: flexible)
        writer.bool(includeSynonyms)
        if version >= 3 { writer.bool(includeDocumentation) }
        if flexible { writer.noTaggedFields() }
    }

    /// One resource.
    package struct DescribeConfigsResource: WireStructure, Equatable {
        package static let minimumWireBytes = 4

        /// Kind of resource: see `ConfigResource`.
        package var resourceType: Int8 = 0
        /// Name of the topic or number of the broker.
        package var resourceName: String = ""
        /// Names of the settings; nil means all.
        package var configurationKeys: [String]? = []

        package init(
            resourceType: Int8 = 0, resourceName: String = "", configurationKeys: [String]? = []
        ) {
            self.resourceType = resourceType
            self.resourceName = resourceName
            self.configurationKeys = configurationKeys
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 4
            resourceType = try reader.int8()
            resourceName = try reader.stringField(flexible: flexible)
            configurationKeys = try reader.nullableStringArray(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 4
            writer.int8(resourceType)
            writer.stringField(resourceName, flexible: flexible)
            writer.nullableStringArray(configurationKeys, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 1 to 4. Flexible from version 4.
package struct DescribeConfigsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.describeConfigs
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each that was named.
    package var results: [DescribeConfigsResult] = []

    package init(throttleTimeMs: Int32 = 0, results: [DescribeConfigsResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.results = results
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 4
        throttleTimeMs = try reader.int32()
        results = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 4
        writer.int32(throttleTimeMs)
        writer.array(results, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// One place that sets the same thing.
    package struct DescribeConfigsSynonym: WireStructure, Equatable {
        package static let minimumWireBytes = 4

        /// Its name.
        package var name: String = ""
        /// Value of the setting.
        package var value: String? = ""
        /// Where the value comes from: see `ConfigSource`.
        package var source: Int8 = 0

        package init(name: String = "", value: String? = "", source: Int8 = 0) {
            self.name = name
            self.value = value
            self.source = source
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 4
            name = try reader.stringField(flexible: flexible)
            value = try reader.nullableStringField(flexible: flexible)
            source = try reader.int8()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 4
            writer.stringField(name, flexible: flexible)
            writer.nullableStringField(value, flexible: flexible)
            writer.int8(source)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// One resource.
    package struct DescribeConfigsResourceResult: WireStructure, Equatable {
        package static let minimumWireBytes = 9

        /// Its name.
        package var name: String = ""
        /// Value of the setting.
        package var value: String? = ""
        /// Whether it cannot be changed.
        package var readOnly: Bool = false
        /// Where the value comes from: see `ConfigSource`.
        package var configSource: Int8 = -1
        /// Whether the value is hidden.
        package var isSensitive: Bool = false
        /// The values in order of precedence.
        package var synonyms: [DescribeConfigsSynonym] = []
        /// Type of the value: see `ConfigType`. From version 3.
        package var configType: Int8 = 0
        /// What the setting does. From version 3.
        package var documentation: String? = ""

        package init(
            name: String = "", value: String? = "", readOnly: Bool = false, configSource: Int8 = -1,
            isSensitive: Bool = false, synonyms: [DescribeConfigsSynonym] = [],
            configType: Int8 = 0, documentation: String? = ""
        ) {
            self.name = name
            self.value = value
            self.readOnly = readOnly
            self.configSource = configSource
            self.isSensitive = isSensitive
            self.synonyms = synonyms
            self.configType = configType
            self.documentation = documentation
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 4
            name = try reader.stringField(flexible: flexible)
            value = try reader.nullableStringField(flexible: flexible)
            readOnly = try reader.bool()
            configSource = try reader.int8()
            isSensitive = try reader.bool()
            synonyms = try reader.array(version: version, flexible: flexible)
            if version >= 3 {
                configType = try reader.int8()
                documentation = try reader.nullableStringField(flexible: flexible)
            }
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 4
            writer.stringField(name, flexible: flexible)
            writer.nullableStringField(value, flexible: flexible)
            writer.bool(readOnly)
            writer.int8(configSource)
            writer.bool(isSensitive)
            writer.array(synonyms, version: version, flexible: flexible)
            if version >= 3 {
                writer.int8(configType)
                writer.nullableStringField(documentation, flexible: flexible)
            }
            if flexible { writer.noTaggedFields() }
        }
    }

    /// What is known of one resource.
    package struct DescribeConfigsResult: WireStructure, Equatable {
        package static let minimumWireBytes = 7

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = ""
        /// Kind of resource: see `ConfigResource`.
        package var resourceType: Int8 = 0
        /// Name of the topic or number of the broker.
        package var resourceName: String = ""
        /// Settings.
        package var configs: [DescribeConfigsResourceResult] = []

        package init(
            errorCode: ErrorCode = .none, errorMessage: String? = "", resourceType: Int8 = 0,
            resourceName: String = "", configs: [DescribeConfigsResourceResult] = []
        ) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.resourceType = resourceType
            self.resourceName = resourceName
            self.configs = configs
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 4
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: flexible)
            resourceType = try reader.int8()
            resourceName = try reader.stringField(flexible: flexible)
            configs = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 4
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: flexible)
            writer.int8(resourceType)
            writer.stringField(resourceName, flexible: flexible)
            writer.array(configs, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}
