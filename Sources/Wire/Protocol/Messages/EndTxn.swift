// Commits or aborts a transaction.

import Base

/// The request, versions 0 to 5. Flexible from version 3.
package struct EndTxnRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.endTxn
    package typealias Response = EndTxnResponse
    package static let minimumWireBytes = 12

    /// The transactional id.
    package var transactionalId: String = ""
    /// Id of the producer.
    package var producerId: Int64 = 0
    /// Epoch of the producer.
    package var producerEpoch: Int16 = 0
    /// Whether to commit; else the transaction is aborted.
    package var committed: Bool = false

    package init(
        transactionalId: String = "",
        producerId: Int64 = 0,
        producerEpoch: Int16 = 0,
        committed: Bool = false
    ) {
        self.transactionalId = transactionalId
        self.producerId = producerId
        self.producerEpoch = producerEpoch
        self.committed = committed
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        transactionalId = try reader.stringField(flexible: flexible)
        producerId = try reader.int64()
        producerEpoch = try reader.int16()
        committed = try reader.bool()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        writer.stringField(transactionalId, flexible: flexible)
        writer.int64(producerId)
        writer.int16(producerEpoch)
        writer.bool(committed)
        if flexible { writer.noTaggedFields() }
    }
}

/// The answer, versions 0 to 5. Flexible from version 3.
package struct EndTxnResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.endTxn
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// Id of the producer for its next transaction, or -1. From version 5.
    package var producerId: Int64 = -1
    /// Epoch of the producer for its next transaction, or -1. From version 5.
    package var producerEpoch: Int16 = -1

    package init(
        throttleTimeMs: Int32 = 0,
        errorCode: ErrorCode = .none,
        producerId: Int64 = -1,
        producerEpoch: Int16 = -1
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.producerId = producerId
        self.producerEpoch = producerEpoch
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        if version >= 5 { producerId = try reader.int64() }
        if version >= 5 { producerEpoch = try reader.int16() }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        if version >= 5 { writer.int64(producerId) }
        if version >= 5 { writer.int16(producerEpoch) }
        if flexible { writer.noTaggedFields() }
    }
}
