// Makes replicas leaders of their partitions.

import Base

/// The request, versions 0 to 2. Flexible from version 2.
package struct ElectLeadersRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.electLeaders
    package typealias Response = ElectLeadersResponse
    package static let minimumWireBytes = 7

    /// 0: the preferred replica; 1: any replica, whatever it has lost. From version 1.
    package var electionType: Int8 = 0
    /// One element for each topic; nil = all partitions.
    package var topicPartitions: [TopicPartitions]? = nil
    /// How long the broker may take, in milliseconds.
    package var timeoutMs: Int32 = 60000

    package init(
        electionType: Int8 = 0, topicPartitions: [TopicPartitions]? = nil, timeoutMs: Int32 = 60000
    ) {
        self.electionType = electionType
        self.topicPartitions = topicPartitions
        self.timeoutMs = timeoutMs
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        if version >= 1 { electionType = try reader.int8() }
        topicPartitions = try reader.nullableArray(version: version, flexible: flexible)
        timeoutMs = try reader.int32()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        if version >= 1 { writer.int8(electionType) }
        writer.nullableArray(topicPartitions, version: version, flexible: flexible)
        writer.int32(timeoutMs)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one topic.
    package struct TopicPartitions: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the topic.
        package var topic: String = ""
        /// Numbers of the partitions.
        package var partitions: [Int32] = []

        package init(topic: String = "", partitions: [Int32] = []) {
            self.topic = topic
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            topic = try reader.stringField(flexible: flexible)
            partitions = try reader.int32Array(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.stringField(topic, flexible: flexible)
            writer.int32Array(partitions, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 0 to 2. Flexible from version 2.
package struct ElectLeadersResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.electLeaders
    package static let minimumWireBytes = 8

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`. From version 1.
    package var errorCode: ErrorCode = .none
    /// One element for each topic.
    package var replicaElectionResults: [ReplicaElectionResult] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none,
        replicaElectionResults: [ReplicaElectionResult] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.replicaElectionResults = replicaElectionResults
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        if version >= 1 { errorCode = try reader.errorCode() }
        replicaElectionResults = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        if version >= 1 { writer.errorCode(errorCode) }
        writer.array(replicaElectionResults, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one partition.
    package struct PartitionResult: WireStructure, Equatable {
        package static let minimumWireBytes = 8

        /// Number of the partition.
        package var partitionId: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil

        package init(
            partitionId: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil
        ) {
            self.partitionId = partitionId
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            partitionId = try reader.int32()
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.int32(partitionId)
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct ReplicaElectionResult: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the topic.
        package var topic: String = ""
        /// One element for each partition.
        package var partitionResult: [PartitionResult] = []

        package init(topic: String = "", partitionResult: [PartitionResult] = []) {
            self.topic = topic
            self.partitionResult = partitionResult
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            topic = try reader.stringField(flexible: flexible)
            partitionResult = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.stringField(topic, flexible: flexible)
            writer.array(partitionResult, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}
