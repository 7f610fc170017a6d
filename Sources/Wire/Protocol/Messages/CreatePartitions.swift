// Adds partitions to topics.

import Base

/// The request, versions 0 to 3. Flexible from version 2.
package struct CreatePartitionsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.createPartitions
    package typealias Response = CreatePartitionsResponse
    package static let minimumWireBytes = 7

    /// One element for each topic.
    package var topics: [CreatePartitionsTopic] = []
    /// How long the broker may take, in milliseconds.
    package var timeoutMs: Int32 = 0
    /// Whether to check only and change nothing.
    package var validateOnly: Bool = false

    package init(
        topics: [CreatePartitionsTopic] = [], timeoutMs: Int32 = 0, validateOnly: Bool = false
    ) {
        self.topics = topics
        self.timeoutMs = timeoutMs
        self.validateOnly = validateOnly
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        topics = try reader.array(version: version, flexible: flexible)
        timeoutMs = try reader.int32()
        validateOnly = try reader.bool()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.array(topics, version: version, flexible: flexible)
        writer.int32(timeoutMs)
        writer.bool(validateOnly)
        if flexible { writer.noTaggedFields() }
    }

    /// Where one new partition goes.
    package struct CreatePartitionsAssignment: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Numbers of the brokers.
        package var brokerIds: [Int32] = []

        package init(brokerIds: [Int32] = []) {
            self.brokerIds = brokerIds
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            brokerIds = try reader.int32Array(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.int32Array(brokerIds, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct CreatePartitionsTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 7

        /// Its name.
        package var name: String = ""
        /// Number of partitions that there shall be.
        package var count: Int32 = 0
        /// One element for each member or partition.
        package var assignments: [CreatePartitionsAssignment]? = []

        package init(
            name: String = "", count: Int32 = 0, assignments: [CreatePartitionsAssignment]? = []
        ) {
            self.name = name
            self.count = count
            self.assignments = assignments
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            name = try reader.stringField(flexible: flexible)
            count = try reader.int32()
            assignments = try reader.nullableArray(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.stringField(name, flexible: flexible)
            writer.int32(count)
            writer.nullableArray(assignments, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 0 to 3. Flexible from version 2.
package struct CreatePartitionsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.createPartitions
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each that was named.
    package var results: [CreatePartitionsTopicResult] = []

    package init(throttleTimeMs: Int32 = 0, results: [CreatePartitionsTopicResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.results = results
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        results = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        writer.array(results, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one topic.
    package struct CreatePartitionsTopicResult: WireStructure, Equatable {
        package static let minimumWireBytes = 5

        /// Its name.
        package var name: String = ""
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil

        package init(name: String = "", errorCode: ErrorCode = .none, errorMessage: String? = nil) {
            self.name = name
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            name = try reader.stringField(flexible: flexible)
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.stringField(name, flexible: flexible)
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}
