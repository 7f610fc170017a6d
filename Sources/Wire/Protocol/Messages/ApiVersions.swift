// What a broker serves. The first request of every connection, so its answer must be readable by
// a client that knows nothing yet: see `ApiVersionTable`.

import Base

/// The request, versions 0 to 5. Flexible from version 3.
package struct ApiVersionsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.apiVersions
    package typealias Response = ApiVersionsResponse
    package static let minimumWireBytes = 0

    /// Name of the client library. From version 3.
    package var clientSoftwareName: String = ""
    /// Version of the client library. From version 3.
    package var clientSoftwareVersion: String = ""
    /// The cluster that the client means to reach, if it knows. From version 5.
    package var clusterId: String? = nil
    /// The broker that the client means to reach, or -1. From version 5.
    package var nodeId: Int32 = -1

    package init(
        clientSoftwareName: String = "", clientSoftwareVersion: String = "",
        clusterId: String? = nil, nodeId: Int32 = -1
    ) {
        self.clientSoftwareName = clientSoftwareName
        self.clientSoftwareVersion = clientSoftwareVersion
        self.clusterId = clusterId
        self.nodeId = nodeId
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        if version >= 3 {
            clientSoftwareName = try reader.stringField(flexible: flexible)
            clientSoftwareVersion = try reader.stringField(flexible: flexible)
        }
        if version >= 5 {
            clusterId = try reader.nullableStringField(flexible: flexible)
            nodeId = try reader.int32()
        }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        if version >= 3 {
            writer.stringField(clientSoftwareName, flexible: flexible)
            writer.stringField(clientSoftwareVersion, flexible: flexible)
        }
        if version >= 5 {
            writer.nullableStringField(clusterId, flexible: flexible)
            writer.int32(nodeId)
        }
        if flexible { writer.noTaggedFields() }
    }
}

/// The answer, versions 0 to 5. Flexible from version 3.
package struct ApiVersionsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.apiVersions
    package static let minimumWireBytes = 6

    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// Every request kind with its versions.
    package var apiKeys: [ApiVersion] = []
    /// How long the broker will not read from this connection, because of a quota. From version 1.
    package var throttleTimeMs: Int32 = 0
    /// Features that this broker could switch on. From version 3.
    package var supportedFeatures: [SupportedFeatureKey] = []
    /// Rises with each change of the finalized features; -1 makes clients ignore them. From version
    /// 3.
    package var finalizedFeaturesEpoch: Int64 = -1
    /// Features that are switched on in the whole cluster. From version 3.
    package var finalizedFeatures: [FinalizedFeatureKey] = []
    /// Of historical interest; always false. From version 3.
    package var zkMigrationReady: Bool = false

    package init(
        errorCode: ErrorCode = .none, apiKeys: [ApiVersion] = [], throttleTimeMs: Int32 = 0,
        supportedFeatures: [SupportedFeatureKey] = [], finalizedFeaturesEpoch: Int64 = -1,
        finalizedFeatures: [FinalizedFeatureKey] = [], zkMigrationReady: Bool = false
    ) {
        self.errorCode = errorCode
        self.apiKeys = apiKeys
        self.throttleTimeMs = throttleTimeMs
        self.supportedFeatures = supportedFeatures
        self.finalizedFeaturesEpoch = finalizedFeaturesEpoch
        self.finalizedFeatures = finalizedFeatures
        self.zkMigrationReady = zkMigrationReady
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        errorCode = try reader.errorCode()
        apiKeys = try reader.array(version: version, flexible: flexible)
        if version >= 1 { throttleTimeMs = try reader.int32() }
        guard flexible else { return }
        for field in try reader.taggedFields() {
            var content = ByteReader(field.content)
            switch field.tag {
            case 0:
                supportedFeatures = try content.array(version: version, flexible: true)
            case 1:
                finalizedFeaturesEpoch = try content.int64()
            case 2:
                finalizedFeatures = try content.array(version: version, flexible: true)
            case 3:
                zkMigrationReady = try content.bool()
            default: break
            }
        }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        writer.errorCode(errorCode)
        writer.array(apiKeys, version: version, flexible: flexible)
        if version >= 1 { writer.int32(throttleTimeMs) }
        guard flexible else { return }
        var tags = TaggedFieldWriter()
        if !supportedFeatures.isEmpty {
            var content = ByteWriter()
            content.array(supportedFeatures, version: version, flexible: true)
            tags.add(0, content.finish())
        }
        if finalizedFeaturesEpoch != -1 {
            var content = ByteWriter()
            content.int64(finalizedFeaturesEpoch)
            tags.add(1, content.finish())
        }
        if !finalizedFeatures.isEmpty {
            var content = ByteWriter()
            content.array(finalizedFeatures, version: version, flexible: true)
            tags.add(2, content.finish())
        }
        if zkMigrationReady {
            var content = ByteWriter()
            content.bool(zkMigrationReady)
            tags.add(3, content.finish())
        }
        writer.taggedFields(tags)
    }

    /// One request kind.
    package struct ApiVersion: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Number of the request kind.
        package var apiKey: Int16 = 0
        /// Lowest version.
        package var minVersion: Int16 = 0
        /// Highest version.
        package var maxVersion: Int16 = 0

        package init(apiKey: Int16 = 0, minVersion: Int16 = 0, maxVersion: Int16 = 0) {
            self.apiKey = apiKey
            self.minVersion = minVersion
            self.maxVersion = maxVersion
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 3
            apiKey = try reader.int16()
            minVersion = try reader.int16()
            maxVersion = try reader.int16()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 3
            writer.int16(apiKey)
            writer.int16(minVersion)
            writer.int16(maxVersion)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// One feature.
    package struct SupportedFeatureKey: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Its name. From version 3.
        package var name: String = ""
        /// Lowest version. From version 3.
        package var minVersion: Int16 = 0
        /// Highest version. From version 3.
        package var maxVersion: Int16 = 0

        package init(name: String = "", minVersion: Int16 = 0, maxVersion: Int16 = 0) {
            self.name = name
            self.minVersion = minVersion
            self.maxVersion = maxVersion
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            name = try reader.stringField(flexible: true)
            minVersion = try reader.int16()
            maxVersion = try reader.int16()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(name, flexible: true)
            writer.int16(minVersion)
            writer.int16(maxVersion)
            writer.noTaggedFields()
        }
    }

    /// One feature.
    package struct FinalizedFeatureKey: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Its name. From version 3.
        package var name: String = ""
        /// Highest level that is switched on. From version 3.
        package var maxVersionLevel: Int16 = 0
        /// Lowest level that is switched on. From version 3.
        package var minVersionLevel: Int16 = 0

        package init(name: String = "", maxVersionLevel: Int16 = 0, minVersionLevel: Int16 = 0) {
            self.name = name
            self.maxVersionLevel = maxVersionLevel
            self.minVersionLevel = minVersionLevel
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            name = try reader.stringField(flexible: true)
            maxVersionLevel = try reader.int16()
            minVersionLevel = try reader.int16()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(name, flexible: true)
            writer.int16(maxVersionLevel)
            writer.int16(minVersionLevel)
            writer.noTaggedFields()
        }
    }
}
