// Forgets a broker that is gone for good.

import Base

/// The request, version 0. Flexible.
package struct UnregisterBrokerRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.unregisterBroker
    package typealias Response = UnregisterBrokerResponse
    package static let minimumWireBytes = 5

    /// Number of the broker.
    package var brokerId: Int32 = 0

    package init(brokerId: Int32 = 0) {
        self.brokerId = brokerId
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        brokerId = try reader.int32()
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(brokerId)
        writer.noTaggedFields()
    }
}

/// The answer, version 0. Flexible.
package struct UnregisterBrokerResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.unregisterBroker
    package static let minimumWireBytes = 8

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: true)
        writer.noTaggedFields()
    }
}
