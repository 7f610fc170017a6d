// Lists the quotas of clients.

import Base

/// The request, versions 0 to 1. Flexible from version 1.
package struct DescribeClientQuotasRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.describeClientQuotas
    package typealias Response = DescribeClientQuotasResponse
    package static let minimumWireBytes = 2

    /// What the entity has to be, part by part.
    package var components: [ComponentData] = []
    /// Whether entities with more parts are left out.
    package var strict: Bool = false

    package init(components: [ComponentData] = [], strict: Bool = false) {
        self.components = components
        self.strict = strict
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 1
        components = try reader.array(version: version, flexible: flexible)
        strict = try reader.bool()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 1
        writer.array(components, version: version, flexible: flexible)
        writer.bool(strict)
        if flexible { writer.noTaggedFields() }
    }

    /// A condition for one part of the entity.
    package struct ComponentData: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// `user`, `client-id` or `ip`.
        package var entityType: String = ""
        /// 0: exactly `match`; 1: the default; 2: any.
        package var matchType: Int8 = 0
        /// The name, with match type 0.
        package var match: String? = nil

        package init(entityType: String = "", matchType: Int8 = 0, match: String? = nil) {
            self.entityType = entityType
            self.matchType = matchType
            self.match = match
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 1
            entityType = try reader.stringField(flexible: flexible)
            matchType = try reader.int8()
            match = try reader.nullableStringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 1
            writer.stringField(entityType, flexible: flexible)
            writer.int8(matchType)
            writer.nullableStringField(match, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 0 to 1. Flexible from version 1.
package struct DescribeClientQuotasResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.describeClientQuotas
    package static let minimumWireBytes = 8

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// The quotas by entity; null with an error.
    package var entries: [EntryData]? = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
        entries: [EntryData]? = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.entries = entries
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 1
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: flexible)
        entries = try reader.nullableArray(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 1
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: flexible)
        writer.nullableArray(entries, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The quotas of one entity.
    package struct EntryData: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// The parts of the entity.
        package var entity: [EntityData] = []
        /// The quotas.
        package var values: [ValueData] = []

        package init(entity: [EntityData] = [], values: [ValueData] = []) {
            self.entity = entity
            self.values = values
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 1
            entity = try reader.array(version: version, flexible: flexible)
            values = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 1
            writer.array(entity, version: version, flexible: flexible)
            writer.array(values, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }

        /// One part of an entity.
        package struct EntityData: WireStructure, Equatable {
            package static let minimumWireBytes = 2

            /// `user`, `client-id` or `ip`.
            package var entityType: String = ""
            /// Its name; null = the default.
            package var entityName: String? = nil

            package init(entityType: String = "", entityName: String? = nil) {
                self.entityType = entityType
                self.entityName = entityName
            }

            package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
                let flexible = version >= 1
                entityType = try reader.stringField(flexible: flexible)
                entityName = try reader.nullableStringField(flexible: flexible)
                if flexible { try reader.skipTaggedFields() }
            }

            package func write(to writer: inout ByteWriter, version: Int16) {
                let flexible = version >= 1
                writer.stringField(entityType, flexible: flexible)
                writer.nullableStringField(entityName, flexible: flexible)
                if flexible { writer.noTaggedFields() }
            }
        }

        /// One quota.
        package struct ValueData: WireStructure, Equatable {
            package static let minimumWireBytes = 9

            /// Its published name.
            package var key: String = ""
            /// Its value.
            package var value: Double = 0

            package init(key: String = "", value: Double = 0) {
                self.key = key
                self.value = value
            }

            package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
                let flexible = version >= 1
                key = try reader.stringField(flexible: flexible)
                value = try reader.float64()
                if flexible { try reader.skipTaggedFields() }
            }

            package func write(to writer: inout ByteWriter, version: Int16) {
                let flexible = version >= 1
                writer.stringField(key, flexible: flexible)
                writer.float64(value)
                if flexible { writer.noTaggedFields() }
            }
        }
    }
}
