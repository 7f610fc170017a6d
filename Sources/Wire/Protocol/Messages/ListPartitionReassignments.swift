// Tells which partitions are on their way to other brokers.

import Base

/// The request, version 0. Flexible.
package struct ListPartitionReassignmentsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.listPartitionReassignments
    package typealias Response = ListPartitionReassignmentsResponse
    package static let minimumWireBytes = 6

    /// How long the broker may take, in milliseconds.
    package var timeoutMs: Int32 = 60000
    /// One element for each topic; nil = all.
    package var topics: [ListPartitionReassignmentsTopics]? = nil

    package init(timeoutMs: Int32 = 60000, topics: [ListPartitionReassignmentsTopics]? = nil) {
        self.timeoutMs = timeoutMs
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        timeoutMs = try reader.int32()
        topics = try reader.nullableArray(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(timeoutMs)
        writer.nullableArray(topics, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one topic.
    package struct ListPartitionReassignmentsTopics: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// Numbers of the partitions.
        package var partitionIndexes: [Int32] = []

        package init(name: String = "", partitionIndexes: [Int32] = []) {
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
package struct ListPartitionReassignmentsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.listPartitionReassignments
    package static let minimumWireBytes = 9

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// One element for each topic.
    package var topics: [OngoingTopicReassignment] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
        topics: [OngoingTopicReassignment] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: true)
        topics = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: true)
        writer.array(topics, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one partition.
    package struct OngoingPartitionReassignment: WireStructure, Equatable {
        package static let minimumWireBytes = 8

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// Numbers of the brokers.
        package var replicas: [Int32] = []
        /// Brokers that are being added.
        package var addingReplicas: [Int32] = []
        /// Brokers that are being removed.
        package var removingReplicas: [Int32] = []

        package init(
            partitionIndex: Int32 = 0, replicas: [Int32] = [], addingReplicas: [Int32] = [],
            removingReplicas: [Int32] = []
        ) {
            self.partitionIndex = partitionIndex
            self.replicas = replicas
            self.addingReplicas = addingReplicas
            self.removingReplicas = removingReplicas
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            partitionIndex = try reader.int32()
            replicas = try reader.int32Array(flexible: true)
            addingReplicas = try reader.int32Array(flexible: true)
            removingReplicas = try reader.int32Array(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(partitionIndex)
            writer.int32Array(replicas, flexible: true)
            writer.int32Array(addingReplicas, flexible: true)
            writer.int32Array(removingReplicas, flexible: true)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct OngoingTopicReassignment: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [OngoingPartitionReassignment] = []

        package init(name: String = "", partitions: [OngoingPartitionReassignment] = []) {
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
