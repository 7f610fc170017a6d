// Sets and removes quotas of clients.

import Base

/// The request, versions 0 to 1. Flexible from version 1.
package struct AlterClientQuotasRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.alterClientQuotas
    package typealias Response = AlterClientQuotasResponse
    package static let minimumWireBytes = 2

    /// One element for each entity.
    package var entries: [EntryData] = []
    /// Whether to check only and change nothing.
    package var validateOnly: Bool = false

    package init(entries: [EntryData] = [], validateOnly: Bool = false) {
        self.entries = entries
        self.validateOnly = validateOnly
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 1
        entries = try reader.array(version: version, flexible: flexible)
        validateOnly = try reader.bool()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 1
        writer.array(entries, version: version, flexible: flexible)
        writer.bool(validateOnly)
        if flexible { writer.noTaggedFields() }
    }

    /// What to do for one entity.
    package struct EntryData: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// The parts of the entity.
        package var entity: [EntityData] = []
        /// What to set and to remove.
        package var ops: [OpData] = []

        package init(entity: [EntityData] = [], ops: [OpData] = []) {
            self.entity = entity
            self.ops = ops
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 1
            entity = try reader.array(version: version, flexible: flexible)
            ops = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 1
            writer.array(entity, version: version, flexible: flexible)
            writer.array(ops, version: version, flexible: flexible)
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
        package struct OpData: WireStructure, Equatable {
            package static let minimumWireBytes = 10

            /// Its published name.
            package var key: String = ""
            /// Its value.
            package var value: Double = 0
            /// Whether it is removed.
            package var remove: Bool = false

            package init(key: String = "", value: Double = 0, remove: Bool = false) {
                self.key = key
                self.value = value
                self.remove = remove
            }

            package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
                let flexible = version >= 1
                key = try reader.stringField(flexible: flexible)
                value = try reader.float64()
                remove = try reader.bool()
                if flexible { try reader.skipTaggedFields() }
            }

            package func write(to writer: inout ByteWriter, version: Int16) {
                let flexible = version >= 1
                writer.stringField(key, flexible: flexible)
                writer.float64(value)
                writer.bool(remove)
                if flexible { writer.noTaggedFields() }
            }
        }
    }
}

/// The answer, versions 0 to 1. Flexible from version 1.
package struct AlterClientQuotasResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.alterClientQuotas
    package static let minimumWireBytes = 5

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each entity.
    package var entries: [EntryData] = []

    package init(throttleTimeMs: Int32 = 0, entries: [EntryData] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.entries = entries
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 1
        throttleTimeMs = try reader.int32()
        entries = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 1
        writer.int32(throttleTimeMs)
        writer.array(entries, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The result for one entity.
    package struct EntryData: WireStructure, Equatable {
        package static let minimumWireBytes = 4

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil
        /// The parts of the entity.
        package var entity: [EntityData] = []

        package init(
            errorCode: ErrorCode = .none, errorMessage: String? = nil, entity: [EntityData] = []
        ) {
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.entity = entity
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 1
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: flexible)
            entity = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 1
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: flexible)
            writer.array(entity, version: version, flexible: flexible)
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
    }
}
