// All transactions of a broker.

import Base

/// The request, versions 0 to 2. Flexible.
package struct ListTransactionsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.listTransactions
    package typealias Response = ListTransactionsResponse
    package static let minimumWireBytes = 2

    /// Names of states to list; all when empty.
    package var stateFilters: [String] = []
    /// Ids of producers to list; all when empty.
    package var producerIdFilters: [Int64] = []
    /// List only what is open for longer, in milliseconds; all when negative. From version 1.
    package var durationFilter: Int64 = -1
    /// List only ids that this RE2 pattern matches as a whole; all when nil or empty. From
    /// version 2.
    package var transactionalIdPattern: String? = nil

    package init(
        stateFilters: [String] = [],
        producerIdFilters: [Int64] = [],
        durationFilter: Int64 = -1,
        transactionalIdPattern: String? = nil
    ) {
        self.stateFilters = stateFilters
        self.producerIdFilters = producerIdFilters
        self.durationFilter = durationFilter
        self.transactionalIdPattern = transactionalIdPattern
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        stateFilters = try reader.stringArray(flexible: true)
        producerIdFilters = try reader.int64Array(flexible: true)
        if version >= 1 { durationFilter = try reader.int64() }
        if version >= 2 { transactionalIdPattern = try reader.nullableStringField(flexible: true) }
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.stringArray(stateFilters, flexible: true)
        writer.int64Array(producerIdFilters, flexible: true)
        if version >= 1 { writer.int64(durationFilter) }
        if version >= 2 { writer.nullableStringField(transactionalIdPattern, flexible: true) }
        writer.noTaggedFields()
    }
}

/// The answer, versions 0 to 2. Flexible.
package struct ListTransactionsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.listTransactions
    package static let minimumWireBytes = 8

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// States of the request that do not exist.
    package var unknownStateFilters: [String] = []
    /// One element for each transaction.
    package var transactionStates: [TransactionState] = []

    package init(
        throttleTimeMs: Int32 = 0,
        errorCode: ErrorCode = .none,
        unknownStateFilters: [String] = [],
        transactionStates: [TransactionState] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.unknownStateFilters = unknownStateFilters
        self.transactionStates = transactionStates
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        unknownStateFilters = try reader.stringArray(flexible: true)
        transactionStates = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.stringArray(unknownStateFilters, flexible: true)
        writer.array(transactionStates, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// One transaction.
    package struct TransactionState: WireStructure, Equatable {
        package static let minimumWireBytes = 10

        /// The transactional id.
        package var transactionalId: String = ""
        /// Id of the producer.
        package var producerId: Int64 = 0
        /// Name of its state.
        package var transactionState: String = ""

        package init(
            transactionalId: String = "",
            producerId: Int64 = 0,
            transactionState: String = ""
        ) {
            self.transactionalId = transactionalId
            self.producerId = producerId
            self.transactionState = transactionState
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            transactionalId = try reader.stringField(flexible: true)
            producerId = try reader.int64()
            transactionState = try reader.stringField(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(transactionalId, flexible: true)
            writer.int64(producerId)
            writer.stringField(transactionState, flexible: true)
            writer.noTaggedFields()
        }
    }
}
