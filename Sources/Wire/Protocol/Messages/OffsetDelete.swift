// Forgets how far a group has read.

import Base

/// The request, version 0.
package struct OffsetDeleteRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.offsetDelete
    package typealias Response = OffsetDeleteResponse
    package static let minimumWireBytes = 6

    /// Name of the group.
    package var groupId: String = ""
    /// One element for each topic.
    package var topics: [OffsetDeleteRequestTopic] = []

    package init(groupId: String = "", topics: [OffsetDeleteRequestTopic] = []) {
        self.groupId = groupId
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        groupId = try reader.stringField(flexible: false)
        topics = try reader.array(version: version, flexible: false)
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.stringField(groupId, flexible: false)
        writer.array(topics, version: version, flexible: false)
    }

    /// The part for one topic.
    package struct OffsetDeleteRequestTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Its name.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [OffsetDeleteRequestPartition] = []

        package init(name: String = "", partitions: [OffsetDeleteRequestPartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            name = try reader.stringField(flexible: false)
            partitions = try reader.array(version: version, flexible: false)
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(name, flexible: false)
            writer.array(partitions, version: version, flexible: false)
        }
    }

    /// The part for one partition.
    package struct OffsetDeleteRequestPartition: WireStructure, Equatable {
        package static let minimumWireBytes = 4

        /// Number of the partition.
        package var partitionIndex: Int32 = 0

        package init(partitionIndex: Int32 = 0) {
            self.partitionIndex = partitionIndex
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
        }
    }
}

/// The answer, version 0.
package struct OffsetDeleteResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.offsetDelete
    package static let minimumWireBytes = 10

    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each topic.
    package var topics: [OffsetDeleteResponseTopic] = []

    package init(
        errorCode: ErrorCode = .none, throttleTimeMs: Int32 = 0,
        topics: [OffsetDeleteResponseTopic] = []
    ) {
        self.errorCode = errorCode
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        errorCode = try reader.errorCode()
        throttleTimeMs = try reader.int32()
        topics = try reader.array(version: version, flexible: false)
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.errorCode(errorCode)
        writer.int32(throttleTimeMs)
        writer.array(topics, version: version, flexible: false)
    }

    /// The part for one topic.
    package struct OffsetDeleteResponseTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Its name.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [OffsetDeleteResponsePartition] = []

        package init(name: String = "", partitions: [OffsetDeleteResponsePartition] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            name = try reader.stringField(flexible: false)
            partitions = try reader.array(version: version, flexible: false)
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(name, flexible: false)
            writer.array(partitions, version: version, flexible: false)
        }
    }

    /// The part for one partition.
    package struct OffsetDeleteResponsePartition: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none

        package init(partitionIndex: Int32 = 0, errorCode: ErrorCode = .none) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.errorCode(errorCode)
        }
    }
}
