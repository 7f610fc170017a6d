// Gives an idempotent producer its identity.

import Base

/// The request, versions 0 to 5. Flexible from version 2.
package struct InitProducerIdRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.initProducerId
    package typealias Response = InitProducerIdResponse
    package static let minimumWireBytes = 6

    /// The transactional id, or nil outside of transactions.
    package var transactionalId: String? = ""
    /// How long a transaction may stay open, in milliseconds.
    package var transactionTimeoutMs: Int32 = 0
    /// Id of the producer, or -1. From version 3.
    package var producerId: Int64 = -1
    /// Epoch of the producer, or -1. From version 3.
    package var producerEpoch: Int16 = -1

    package init(
        transactionalId: String? = "", transactionTimeoutMs: Int32 = 0, producerId: Int64 = -1,
        producerEpoch: Int16 = -1
    ) {
        self.transactionalId = transactionalId
        self.transactionTimeoutMs = transactionTimeoutMs
        self.producerId = producerId
        self.producerEpoch = producerEpoch
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        transactionalId = try reader.nullableStringField(flexible: flexible)
        transactionTimeoutMs = try reader.int32()
        if version >= 3 {
            producerId = try reader.int64()
            producerEpoch = try reader.int16()
        }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.nullableStringField(transactionalId, flexible: flexible)
        writer.int32(transactionTimeoutMs)
        if version >= 3 {
            writer.int64(producerId)
            writer.int16(producerEpoch)
        }
        if flexible { writer.noTaggedFields() }
    }
}

/// The answer, versions 0 to 5. Flexible from version 2.
package struct InitProducerIdResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.initProducerId
    package static let minimumWireBytes = 16

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// Id of the producer, or -1.
    package var producerId: Int64 = -1
    /// Epoch of the producer, or -1.
    package var producerEpoch: Int16 = 0

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, producerId: Int64 = -1,
        producerEpoch: Int16 = 0
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.producerId = producerId
        self.producerEpoch = producerEpoch
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        producerId = try reader.int64()
        producerEpoch = try reader.int16()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.int64(producerId)
        writer.int16(producerEpoch)
        if flexible { writer.noTaggedFields() }
    }
}
