// Raises the log start offset of partitions.

import Base

/// The request, versions 0 to 2. Flexible from version 2.
package struct DeleteRecordsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.deleteRecords
    package typealias Response = DeleteRecordsResponse
    package static let minimumWireBytes = 6

    /// One element for each topic.
    package var topics: [DeleteRecordsTopic] = []
    /// How long the broker may take, in milliseconds.
    package var timeoutMs: Int32 = 0

    package init(topics: [DeleteRecordsTopic] = [], timeoutMs: Int32 = 0) {
        self.topics = topics
        self.timeoutMs = timeoutMs
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        topics = try reader.array(version: version, flexible: flexible)
        timeoutMs = try reader.int32()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.array(topics, version: version, flexible: flexible)
        writer.int32(timeoutMs)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one partition.
    package struct DeleteRecordsPartition: WireStructure, Equatable {
        package static let minimumWireBytes = 12

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// The offset, or -1 when there is none.
        package var offset: Int64 = 0

        package init(partitionIndex: Int32 = 0, offset: Int64 = 0) {
            self.partitionIndex = partitionIndex
            self.offset = offset
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            partitionIndex = try reader.int32()
            offset = try reader.int64()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.int32(partitionIndex)
            writer.int64(offset)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct DeleteRecordsTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [DeleteRecordsPartition] = []

        package init(name: String = "", partitions: [DeleteRecordsPartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            name = try reader.stringField(flexible: flexible)
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.stringField(name, flexible: flexible)
            writer.array(partitions, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 0 to 2. Flexible from version 2.
package struct DeleteRecordsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.deleteRecords
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each topic.
    package var topics: [DeleteRecordsTopicResult] = []

    package init(throttleTimeMs: Int32 = 0, topics: [DeleteRecordsTopicResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        topics = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        writer.array(topics, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one partition.
    package struct DeleteRecordsPartitionResult: WireStructure, Equatable {
        package static let minimumWireBytes = 14

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// First offset that is left.
        package var lowWatermark: Int64 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none

        package init(
            partitionIndex: Int32 = 0, lowWatermark: Int64 = 0, errorCode: ErrorCode = .none
        ) {
            self.partitionIndex = partitionIndex
            self.lowWatermark = lowWatermark
            self.errorCode = errorCode
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            partitionIndex = try reader.int32()
            lowWatermark = try reader.int64()
            errorCode = try reader.errorCode()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.int32(partitionIndex)
            writer.int64(lowWatermark)
            writer.errorCode(errorCode)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct DeleteRecordsTopicResult: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [DeleteRecordsPartitionResult] = []

        package init(name: String = "", partitions: [DeleteRecordsPartitionResult] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            name = try reader.stringField(flexible: flexible)
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.stringField(name, flexible: flexible)
            writer.array(partitions, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}
