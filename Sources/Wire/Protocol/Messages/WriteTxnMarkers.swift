// Ends transactions in their partitions: from coordinators, and from operators who abort one by
// force.

import Base

/// The request, versions 1 to 2. Flexible.
package struct WriteTxnMarkersRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.writeTxnMarkers
    package typealias Response = WriteTxnMarkersResponse
    package static let minimumWireBytes = 1

    /// One element for each transaction.
    package var markers: [WritableTxnMarker] = []

    package init(
        markers: [WritableTxnMarker] = []
    ) {
        self.markers = markers
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        markers = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.array(markers, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// One transaction.
    package struct WritableTxnMarker: WireStructure, Equatable {
        package static let minimumWireBytes = 16

        /// Id of the producer.
        package var producerId: Int64 = 0
        /// Epoch of the producer.
        package var producerEpoch: Int16 = 0
        /// Whether it was committed.
        package var transactionResult: Bool = false
        /// One element for each topic.
        package var topics: [WritableTxnMarkerTopic] = []
        /// Epoch of the coordinator.
        package var coordinatorEpoch: Int32 = 0
        /// 2 when the producer takes an epoch for each transaction. From version 2.
        package var transactionVersion: Int8 = 0

        package init(
            producerId: Int64 = 0,
            producerEpoch: Int16 = 0,
            transactionResult: Bool = false,
            topics: [WritableTxnMarkerTopic] = [],
            coordinatorEpoch: Int32 = 0,
            transactionVersion: Int8 = 0
        ) {
            self.producerId = producerId
            self.producerEpoch = producerEpoch
            self.transactionResult = transactionResult
            self.topics = topics
            self.coordinatorEpoch = coordinatorEpoch
            self.transactionVersion = transactionVersion
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            producerId = try reader.int64()
            producerEpoch = try reader.int16()
            transactionResult = try reader.bool()
            topics = try reader.array(version: version, flexible: true)
            coordinatorEpoch = try reader.int32()
            if version >= 2 { transactionVersion = try reader.int8() }
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int64(producerId)
            writer.int16(producerEpoch)
            writer.bool(transactionResult)
            writer.array(topics, version: version, flexible: true)
            writer.int32(coordinatorEpoch)
            if version >= 2 { writer.int8(transactionVersion) }
            writer.noTaggedFields()
        }
    }

    /// One topic.
    package struct WritableTxnMarkerTopic: WireStructure, Equatable {
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

/// The answer, versions 1 to 2. Flexible.
package struct WriteTxnMarkersResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.writeTxnMarkers
    package static let minimumWireBytes = 1

    /// One element for each transaction.
    package var markers: [WritableTxnMarkerResult] = []

    package init(
        markers: [WritableTxnMarkerResult] = []
    ) {
        self.markers = markers
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        markers = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.array(markers, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// One transaction.
    package struct WritableTxnMarkerResult: WireStructure, Equatable {
        package static let minimumWireBytes = 9

        /// Id of the producer.
        package var producerId: Int64 = 0
        /// One element for each topic.
        package var topics: [WritableTxnMarkerTopicResult] = []

        package init(
            producerId: Int64 = 0,
            topics: [WritableTxnMarkerTopicResult] = []
        ) {
            self.producerId = producerId
            self.topics = topics
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            producerId = try reader.int64()
            topics = try reader.array(version: version, flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int64(producerId)
            writer.array(topics, version: version, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// One topic.
    package struct WritableTxnMarkerTopicResult: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Name of the topic.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [WritableTxnMarkerPartitionResult] = []

        package init(
            name: String = "",
            partitions: [WritableTxnMarkerPartitionResult] = []
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
    package struct WritableTxnMarkerPartitionResult: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none

        package init(
            partitionIndex: Int32 = 0,
            errorCode: ErrorCode = .none
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.errorCode(errorCode)
            writer.noTaggedFields()
        }
    }
}
