// The producers that partitions remember, and where their transactions begin.

import Base

/// The request, version 0. Flexible.
package struct DescribeProducersRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.describeProducers
    package typealias Response = DescribeProducersResponse
    package static let minimumWireBytes = 1

    /// One element for each topic.
    package var topics: [TopicRequest] = []

    package init(
        topics: [TopicRequest] = []
    ) {
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        topics = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.array(topics, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// One topic.
    package struct TopicRequest: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Name of the topic.
        package var name: String = ""
        /// Numbers of its partitions.
        package var partitionIndexes: [Int32] = []

        package init(
            name: String = "",
            partitionIndexes: [Int32] = []
        ) {
            self.name = name
            self.partitionIndexes = partitionIndexes
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            name = try reader.stringField(flexible: true)
            partitionIndexes = try reader.int32Array(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(name, flexible: true)
            writer.int32Array(partitionIndexes, flexible: true)
            writer.noTaggedFields()
        }
    }
}

/// The answer, version 0. Flexible.
package struct DescribeProducersResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.describeProducers
    package static let minimumWireBytes = 5

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each topic.
    package var topics: [TopicResponse] = []

    package init(
        throttleTimeMs: Int32 = 0,
        topics: [TopicResponse] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        topics = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.array(topics, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// One topic.
    package struct TopicResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Name of the topic.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [PartitionResponse] = []

        package init(
            name: String = "",
            partitions: [PartitionResponse] = []
        ) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            name = try reader.stringField(flexible: true)
            partitions = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(name, flexible: true)
            writer.array(partitions, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// One partition.
    package struct PartitionResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 8

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, in words.
        package var errorMessage: String? = nil
        /// One element for each producer.
        package var activeProducers: [ProducerState] = []

        package init(
            partitionIndex: Int32 = 0,
            errorCode: ErrorCode = .none,
            errorMessage: String? = nil,
            activeProducers: [ProducerState] = []
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.activeProducers = activeProducers
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: true)
            activeProducers = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: true)
            writer.array(activeProducers, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// One producer.
    package struct ProducerState: WireStructure, Equatable {
        package static let minimumWireBytes = 36

        /// Id of the producer.
        package var producerId: Int64 = 0
        /// Epoch of the producer.
        package var producerEpoch: Int32 = 0
        /// Its last sequence number, or -1.
        package var lastSequence: Int32 = -1
        /// When it wrote last, or -1.
        package var lastTimestamp: Int64 = -1
        /// Epoch of the coordinator of its last marker, or -1.
        package var coordinatorEpoch: Int32 = 0
        /// Where its open transaction begins, or -1.
        package var currentTxnStartOffset: Int64 = -1

        package init(
            producerId: Int64 = 0,
            producerEpoch: Int32 = 0,
            lastSequence: Int32 = -1,
            lastTimestamp: Int64 = -1,
            coordinatorEpoch: Int32 = 0,
            currentTxnStartOffset: Int64 = -1
        ) {
            self.producerId = producerId
            self.producerEpoch = producerEpoch
            self.lastSequence = lastSequence
            self.lastTimestamp = lastTimestamp
            self.coordinatorEpoch = coordinatorEpoch
            self.currentTxnStartOffset = currentTxnStartOffset
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            producerId = try reader.int64()
            producerEpoch = try reader.int32()
            lastSequence = try reader.int32()
            lastTimestamp = try reader.int64()
            coordinatorEpoch = try reader.int32()
            currentTxnStartOffset = try reader.int64()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int64(producerId)
            writer.int32(producerEpoch)
            writer.int32(lastSequence)
            writer.int64(lastTimestamp)
            writer.int32(coordinatorEpoch)
            writer.int64(currentTxnStartOffset)
            writer.noTaggedFields()
        }
    }
}
