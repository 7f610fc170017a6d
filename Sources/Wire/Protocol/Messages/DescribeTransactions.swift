// The state of transactions.

import Base

/// The request, version 0. Flexible.
package struct DescribeTransactionsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.describeTransactions
    package typealias Response = DescribeTransactionsResponse
    package static let minimumWireBytes = 1

    /// One element for each transactional id.
    package var transactionalIds: [String] = []

    package init(
        transactionalIds: [String] = []
    ) {
        self.transactionalIds = transactionalIds
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        transactionalIds = try reader.stringArray(flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.stringArray(transactionalIds, flexible: true)
        writer.noTaggedFields()
    }
}

/// The answer, version 0. Flexible.
package struct DescribeTransactionsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.describeTransactions
    package static let minimumWireBytes = 5

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each transactional id.
    package var transactionStates: [TransactionState] = []

    package init(
        throttleTimeMs: Int32 = 0,
        transactionStates: [TransactionState] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.transactionStates = transactionStates
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        transactionStates = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.array(transactionStates, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// One transaction.
    package struct TransactionState: WireStructure, Equatable {
        package static let minimumWireBytes = 27

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// The transactional id.
        package var transactionalId: String = ""
        /// Name of its state.
        package var transactionState: String = ""
        /// How long it may stay open, in milliseconds.
        package var transactionTimeoutMs: Int32 = 0
        /// When it began, in milliseconds since 1970, or -1.
        package var transactionStartTimeMs: Int64 = 0
        /// Id of the producer.
        package var producerId: Int64 = 0
        /// Epoch of the producer.
        package var producerEpoch: Int16 = 0
        /// One element for each topic.
        package var topics: [TopicData] = []

        package init(
            errorCode: ErrorCode = .none,
            transactionalId: String = "",
            transactionState: String = "",
            transactionTimeoutMs: Int32 = 0,
            transactionStartTimeMs: Int64 = 0,
            producerId: Int64 = 0,
            producerEpoch: Int16 = 0,
            topics: [TopicData] = []
        ) {
            self.errorCode = errorCode
            self.transactionalId = transactionalId
            self.transactionState = transactionState
            self.transactionTimeoutMs = transactionTimeoutMs
            self.transactionStartTimeMs = transactionStartTimeMs
            self.producerId = producerId
            self.producerEpoch = producerEpoch
            self.topics = topics
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            errorCode = try reader.errorCode()
            transactionalId = try reader.stringField(flexible: true)
            transactionState = try reader.stringField(flexible: true)
            transactionTimeoutMs = try reader.int32()
            transactionStartTimeMs = try reader.int64()
            producerId = try reader.int64()
            producerEpoch = try reader.int16()
            topics = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.errorCode(errorCode)
            writer.stringField(transactionalId, flexible: true)
            writer.stringField(transactionState, flexible: true)
            writer.int32(transactionTimeoutMs)
            writer.int64(transactionStartTimeMs)
            writer.int64(producerId)
            writer.int16(producerEpoch)
            writer.array(topics, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// One topic.
    package struct TopicData: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Name of the topic.
        package var topic: String = ""
        /// Numbers of its partitions.
        package var partitions: [Int32] = []

        package init(
            topic: String = "",
            partitions: [Int32] = []
        ) {
            self.topic = topic
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topic = try reader.stringField(flexible: true)
            partitions = try reader.int32Array(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(topic, flexible: true)
            writer.int32Array(partitions, flexible: true)
            writer.noTaggedFields()
        }
    }
}
