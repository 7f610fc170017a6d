// Moves replicas between the directories of a broker.

import Base

/// The request, versions 1 to 2. Flexible from version 2.
package struct AlterReplicaLogDirsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.alterReplicaLogDirs
    package typealias Response = AlterReplicaLogDirsResponse
    package static let minimumWireBytes = 2

    /// One element for each directory.
    package var dirs: [AlterReplicaLogDir] = []

    package init(dirs: [AlterReplicaLogDir] = []) {
        self.dirs = dirs
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        dirs = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.array(dirs, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one topic.
    package struct AlterReplicaLogDirTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// Numbers of the partitions.
        package var partitions: [Int32] = []

        package init(name: String = "", partitions: [Int32] = []) {
            self.name = name
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            name = try reader.stringField(flexible: flexible)
            partitions = try reader.int32Array(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.stringField(name, flexible: flexible)
            writer.int32Array(partitions, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one directory.
    package struct AlterReplicaLogDir: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Absolute path of the directory.
        package var path: String = ""
        /// One element for each topic.
        package var topics: [AlterReplicaLogDirTopic] = []

        package init(path: String = "", topics: [AlterReplicaLogDirTopic] = []) {
            self.path = path
            self.topics = topics
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            path = try reader.stringField(flexible: flexible)
            topics = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.stringField(path, flexible: flexible)
            writer.array(topics, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 1 to 2. Flexible from version 2.
package struct AlterReplicaLogDirsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.alterReplicaLogDirs
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each that was named.
    package var results: [AlterReplicaLogDirTopicResult] = []

    package init(throttleTimeMs: Int32 = 0, results: [AlterReplicaLogDirTopicResult] = []) {
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

    /// The part for one partition.
    package struct AlterReplicaLogDirPartitionResult: WireStructure, Equatable {
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
            let flexible = version >= 2
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.int32(partitionIndex)
            writer.errorCode(errorCode)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct AlterReplicaLogDirTopicResult: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the topic.
        package var topicName: String = ""
        /// One element for each partition.
        package var partitions: [AlterReplicaLogDirPartitionResult] = []

        package init(topicName: String = "", partitions: [AlterReplicaLogDirPartitionResult] = []) {
            self.topicName = topicName
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            topicName = try reader.stringField(flexible: flexible)
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.stringField(topicName, flexible: flexible)
            writer.array(partitions, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}
