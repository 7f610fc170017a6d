// Moves partitions to other brokers, or stops doing so.

import Base

/// The request, versions 0 to 1. Flexible.
package struct AlterPartitionReassignmentsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.alterPartitionReassignments
    package typealias Response = AlterPartitionReassignmentsResponse
    package static let minimumWireBytes = 6

    /// How long the broker may take, in milliseconds.
    package var timeoutMs: Int32 = 60000
    /// Whether the number of replicas may change. From version 1.
    package var allowReplicationFactorChange: Bool = true
    /// One element for each topic.
    package var topics: [ReassignableTopic] = []

    package init(
        timeoutMs: Int32 = 60000, allowReplicationFactorChange: Bool = true,
        topics: [ReassignableTopic] = []
    ) {
        self.timeoutMs = timeoutMs
        self.allowReplicationFactorChange = allowReplicationFactorChange
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        timeoutMs = try reader.int32()
        if version >= 1 { allowReplicationFactorChange = try reader.bool() }
        topics = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(timeoutMs)
        if version >= 1 { writer.bool(allowReplicationFactorChange) }
        writer.array(topics, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one partition.
    package struct ReassignablePartition: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// Numbers of the brokers; nil = stop a reassignment that is under way.
        package var replicas: [Int32]? = nil

        package init(partitionIndex: Int32 = 0, replicas: [Int32]? = nil) {
            self.partitionIndex = partitionIndex
            self.replicas = replicas
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            replicas = try reader.nullableInt32Array(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.nullableInt32Array(replicas, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct ReassignableTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [ReassignablePartition] = []

        package init(name: String = "", partitions: [ReassignablePartition] = []) {
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
}

/// The answer, versions 0 to 1. Flexible.
package struct AlterPartitionReassignmentsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.alterPartitionReassignments
    package static let minimumWireBytes = 9

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// Whether the number of replicas may change. From version 1.
    package var allowReplicationFactorChange: Bool = true
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// One element for each that was named.
    package var responses: [ReassignableTopicResponse] = []

    package init(
        throttleTimeMs: Int32 = 0, allowReplicationFactorChange: Bool = true,
        errorCode: ErrorCode = .none, errorMessage: String? = nil,
        responses: [ReassignableTopicResponse] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.allowReplicationFactorChange = allowReplicationFactorChange
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.responses = responses
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        if version >= 1 { allowReplicationFactorChange = try reader.bool() }
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: true)
        responses = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        if version >= 1 { writer.bool(allowReplicationFactorChange) }
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: true)
        writer.array(responses, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one partition.
    package struct ReassignablePartitionResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 8

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil

        package init(
            partitionIndex: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct ReassignableTopicResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [ReassignablePartitionResponse] = []

        package init(name: String = "", partitions: [ReassignablePartitionResponse] = []) {
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
}
