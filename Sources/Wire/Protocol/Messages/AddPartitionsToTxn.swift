// Makes partitions part of a transaction. From version 4 on it is for brokers and names several
// transactions at once.

import Base

/// The request, versions 0 to 5. Flexible from version 3.
package struct AddPartitionsToTxnRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.addPartitionsToTxn
    package typealias Response = AddPartitionsToTxnResponse
    package static let minimumWireBytes = 0

    /// One element for each transaction. From version 4.
    package var transactions: [AddPartitionsToTxnTransaction] = []
    /// The transactional id. Up to version 3.
    package var transactionalId: String = ""
    /// Id of the producer. Up to version 3.
    package var producerId: Int64 = 0
    /// Epoch of the producer. Up to version 3.
    package var producerEpoch: Int16 = 0
    /// One element for each topic. Up to version 3.
    package var topics: [AddPartitionsToTxnTopic] = []

    package init(
        transactions: [AddPartitionsToTxnTransaction] = [],
        transactionalId: String = "",
        producerId: Int64 = 0,
        producerEpoch: Int16 = 0,
        topics: [AddPartitionsToTxnTopic] = []
    ) {
        self.transactions = transactions
        self.transactionalId = transactionalId
        self.producerId = producerId
        self.producerEpoch = producerEpoch
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        if version >= 4 { transactions = try reader.array(version: version, flexible: flexible) }
        if version <= 3 { transactionalId = try reader.stringField(flexible: flexible) }
        if version <= 3 { producerId = try reader.int64() }
        if version <= 3 { producerEpoch = try reader.int16() }
        if version <= 3 { topics = try reader.array(version: version, flexible: flexible) }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        if version >= 4 { writer.array(transactions, version: version, flexible: flexible) }
        if version <= 3 { writer.stringField(transactionalId, flexible: flexible) }
        if version <= 3 { writer.int64(producerId) }
        if version <= 3 { writer.int16(producerEpoch) }
        if version <= 3 { writer.array(topics, version: version, flexible: flexible) }
        if flexible { writer.noTaggedFields() }
    }

    /// One transaction.
    package struct AddPartitionsToTxnTransaction: WireStructure, Equatable {
        package static let minimumWireBytes = 13

        /// The transactional id.
        package var transactionalId: String = ""
        /// Id of the producer.
        package var producerId: Int64 = 0
        /// Epoch of the producer.
        package var producerEpoch: Int16 = 0
        /// Whether the partitions must be part of the transaction already.
        package var verifyOnly: Bool = false
        /// One element for each topic.
        package var topics: [AddPartitionsToTxnTopic] = []

        package init(
            transactionalId: String = "",
            producerId: Int64 = 0,
            producerEpoch: Int16 = 0,
            verifyOnly: Bool = false,
            topics: [AddPartitionsToTxnTopic] = []
        ) {
            self.transactionalId = transactionalId
            self.producerId = producerId
            self.producerEpoch = producerEpoch
            self.verifyOnly = verifyOnly
            self.topics = topics
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 3
            transactionalId = try reader.stringField(flexible: flexible)
            producerId = try reader.int64()
            producerEpoch = try reader.int16()
            verifyOnly = try reader.bool()
            topics = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 3
            writer.stringField(transactionalId, flexible: flexible)
            writer.int64(producerId)
            writer.int16(producerEpoch)
            writer.bool(verifyOnly)
            writer.array(topics, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// One topic.
    package struct AddPartitionsToTxnTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Name of the topic.
        package var name: String = ""
        /// Numbers of its partitions.
        package var partitions: [Int32] = []

        package init(
            name: String = "",
            partitions: [Int32] = []
        ) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 3
            name = try reader.stringField(flexible: flexible)
            partitions = try reader.int32Array(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 3
            writer.stringField(name, flexible: flexible)
            writer.int32Array(partitions, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 0 to 5. Flexible from version 3.
package struct AddPartitionsToTxnResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.addPartitionsToTxn
    package static let minimumWireBytes = 4

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong with the whole request, or `none`. From version 4.
    package var errorCode: ErrorCode = .none
    /// One element for each transaction. From version 4.
    package var resultsByTransaction: [AddPartitionsToTxnResult] = []
    /// One element for each topic. Up to version 3.
    package var resultsByTopic: [AddPartitionsToTxnTopicResult] = []

    package init(
        throttleTimeMs: Int32 = 0,
        errorCode: ErrorCode = .none,
        resultsByTransaction: [AddPartitionsToTxnResult] = [],
        resultsByTopic: [AddPartitionsToTxnTopicResult] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.resultsByTransaction = resultsByTransaction
        self.resultsByTopic = resultsByTopic
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 3
        throttleTimeMs = try reader.int32()
        if version >= 4 { errorCode = try reader.errorCode() }
        if version >= 4 {
            resultsByTransaction = try reader.array(version: version, flexible: flexible)
        }
        if version <= 3 { resultsByTopic = try reader.array(version: version, flexible: flexible) }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 3
        writer.int32(throttleTimeMs)
        if version >= 4 { writer.errorCode(errorCode) }
        if version >= 4 { writer.array(resultsByTransaction, version: version, flexible: flexible) }
        if version <= 3 { writer.array(resultsByTopic, version: version, flexible: flexible) }
        if flexible { writer.noTaggedFields() }
    }

    /// One transaction.
    package struct AddPartitionsToTxnResult: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// The transactional id.
        package var transactionalId: String = ""
        /// One element for each topic.
        package var topicResults: [AddPartitionsToTxnTopicResult] = []

        package init(
            transactionalId: String = "",
            topicResults: [AddPartitionsToTxnTopicResult] = []
        ) {
            self.transactionalId = transactionalId
            self.topicResults = topicResults
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 3
            transactionalId = try reader.stringField(flexible: flexible)
            topicResults = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 3
            writer.stringField(transactionalId, flexible: flexible)
            writer.array(topicResults, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// One topic.
    package struct AddPartitionsToTxnTopicResult: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Name of the topic.
        package var name: String = ""
        /// One element for each partition.
        package var resultsByPartition: [AddPartitionsToTxnPartitionResult] = []

        package init(
            name: String = "",
            resultsByPartition: [AddPartitionsToTxnPartitionResult] = []
        ) {
            self.name = name
            self.resultsByPartition = resultsByPartition
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 3
            name = try reader.stringField(flexible: flexible)
            resultsByPartition = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 3
            writer.stringField(name, flexible: flexible)
            writer.array(resultsByPartition, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// One partition.
    package struct AddPartitionsToTxnPartitionResult: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var partitionErrorCode: ErrorCode = .none

        package init(
            partitionIndex: Int32 = 0,
            partitionErrorCode: ErrorCode = .none
        ) {
            self.partitionIndex = partitionIndex
            self.partitionErrorCode = partitionErrorCode
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 3
            partitionIndex = try reader.int32()
            partitionErrorCode = try reader.errorCode()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 3
            writer.int32(partitionIndex)
            writer.errorCode(partitionErrorCode)
            if flexible { writer.noTaggedFields() }
        }
    }
}
