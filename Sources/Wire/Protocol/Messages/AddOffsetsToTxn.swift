// Makes the offsets of a group part of a transaction.

import Base

/// The request, versions 0 to 4. Flexible from version 3.
package struct AddOffsetsToTxnRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.addOffsetsToTxn
    package typealias Response = AddOffsetsToTxnResponse
    package static let minimumWireBytes = 12

    /// The transactional id.
    package var transactionalId: String = ""
    /// Id of the producer.
    package var producerId: Int64 = 0
    /// Epoch of the producer.
    package var producerEpoch: Int16 = 0
    /// Name of the group.
    package var groupId: String = ""

    package init(
        transactionalId: String = "",
        producerId: Int64 = 0,
        producerEpoch: Int16 = 0,
        groupId: String = ""
    ) {
        self.transactionalId = transactionalId
        self.producerId = producerId
        self.producerEpoch = producerEpoch
        self.groupId = groupId
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        transactionalId = try reader.stringField(flexible: flexible)
        producerId = try reader.int64()
        producerEpoch = try reader.int16()
        groupId = try reader.stringField(flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        writer.stringField(transactionalId, flexible: flexible)
        writer.int64(producerId)
        writer.int16(producerEpoch)
        writer.stringField(groupId, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }
}

/// The answer, versions 0 to 4. Flexible from version 3.
package struct AddOffsetsToTxnResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.addOffsetsToTxn
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none

    package init(
        throttleTimeMs: Int32 = 0,
        errorCode: ErrorCode = .none
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        if flexible { writer.noTaggedFields() }
    }
}
