// Switches features of the whole cluster to other levels.

import Base

/// The request, versions 0 to 2. Flexible.
package struct UpdateFeaturesRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.updateFeatures
    package typealias Response = UpdateFeaturesResponse
    package static let minimumWireBytes = 6

    /// How long the broker may take, in milliseconds.
    package var timeoutMs: Int32 = 60000
    /// One element for each feature.
    package var featureUpdates: [FeatureUpdateKey] = []
    /// Whether to check only and change nothing. From version 1.
    package var validateOnly: Bool = false

    package init(
        timeoutMs: Int32 = 60000, featureUpdates: [FeatureUpdateKey] = [],
        validateOnly: Bool = false
    ) {
        self.timeoutMs = timeoutMs
        self.featureUpdates = featureUpdates
        self.validateOnly = validateOnly
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        timeoutMs = try reader.int32()
        featureUpdates = try reader.array(version: version, flexible: true)
        if version >= 1 { validateOnly = try reader.bool() }
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(timeoutMs)
        writer.array(featureUpdates, version: version, flexible: true)
        if version >= 1 { writer.bool(validateOnly) }
        writer.noTaggedFields()
    }

    /// One feature.
    package struct FeatureUpdateKey: WireStructure, Equatable {
        package static let minimumWireBytes = 5

        /// Its name.
        package var feature: String = ""
        /// Level to switch to; below 1 = off.
        package var maxVersionLevel: Int16 = 0
        /// Whether the level may sink. Up to version 0.
        package var allowDowngrade: Bool = false
        /// 1: may only rise; 2: may sink when nothing is lost; 3: may sink. From version 1.
        package var upgradeType: Int8 = 1

        package init(
            feature: String = "", maxVersionLevel: Int16 = 0, allowDowngrade: Bool = false,
            upgradeType: Int8 = 1
        ) {
            self.feature = feature
            self.maxVersionLevel = maxVersionLevel
            self.allowDowngrade = allowDowngrade
            self.upgradeType = upgradeType
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            feature = try reader.stringField(flexible: true)
            maxVersionLevel = try reader.int16()
            if version <= 0 { allowDowngrade = try reader.bool() }
            if version >= 1 { upgradeType = try reader.int8() }
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(feature, flexible: true)
            writer.int16(maxVersionLevel)
            if version <= 0 { writer.bool(allowDowngrade) }
            if version >= 1 { writer.int8(upgradeType) }
            writer.noTaggedFields()
        }
    }
}

/// The answer, versions 0 to 2. Flexible.
package struct UpdateFeaturesResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.updateFeatures
    package static let minimumWireBytes = 8

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// One element for each that was named. Up to version 1.
    package var results: [UpdatableFeatureResult] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
        results: [UpdatableFeatureResult] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.results = results
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: true)
        if version <= 1 { results = try reader.array(version: version, flexible: true) }
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: true)
        if version <= 1 { writer.array(results, version: version, flexible: true) }
        writer.noTaggedFields()
    }

    /// What became of one feature.
    package struct UpdatableFeatureResult: WireStructure, Equatable {
        package static let minimumWireBytes = 5

        /// Its name.
        package var feature: String = ""
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil

        package init(
            feature: String = "", errorCode: ErrorCode = .none, errorMessage: String? = nil
        ) {
            self.feature = feature
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            feature = try reader.stringField(flexible: true)
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(feature, flexible: true)
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: true)
            writer.noTaggedFields()
        }
    }
}
