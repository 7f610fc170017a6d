// Tells how large the logs in the directories of a broker are.

import Base

/// The request, versions 1 to 5. Flexible from version 2.
package struct DescribeLogDirsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.describeLogDirs
    package typealias Response = DescribeLogDirsResponse
    package static let minimumWireBytes = 2

    /// One element for each topic; nil = all.
    package var topics: [DescribableLogDirTopic]? = nil

    package init(topics: [DescribableLogDirTopic]? = nil) {
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        topics = try reader.nullableArray(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.nullableArray(topics, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one topic.
    package struct DescribableLogDirTopic: WireStructure, Equatable {
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

/// The answer, versions 1 to 5. Flexible from version 2.
package struct DescribeLogDirsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.describeLogDirs
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`. From version 3.
    package var errorCode: ErrorCode = .none
    /// One element for each directory.
    package var results: [DescribeLogDirsResult] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none,
        results: [DescribeLogDirsResult] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.results = results
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        throttleTimeMs = try reader.int32()
        if version >= 3 { errorCode = try reader.errorCode() }
        results = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.int32(throttleTimeMs)
        if version >= 3 { writer.errorCode(errorCode) }
        writer.array(results, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one partition.
    package struct DescribeLogDirsPartition: WireStructure, Equatable {
        package static let minimumWireBytes = 21

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// Bytes of its segments.
        package var partitionSize: Int64 = 0
        /// How far the log lies behind the high watermark or, for a future log, behind the current
        /// one.
        package var offsetLag: Int64 = 0
        /// Whether it will replace the current log of the replica.
        package var isFutureKey: Bool = false

        package init(
            partitionIndex: Int32 = 0, partitionSize: Int64 = 0, offsetLag: Int64 = 0,
            isFutureKey: Bool = false
        ) {
            self.partitionIndex = partitionIndex
            self.partitionSize = partitionSize
            self.offsetLag = offsetLag
            self.isFutureKey = isFutureKey
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            partitionIndex = try reader.int32()
            partitionSize = try reader.int64()
            offsetLag = try reader.int64()
            isFutureKey = try reader.bool()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.int32(partitionIndex)
            writer.int64(partitionSize)
            writer.int64(offsetLag)
            writer.bool(isFutureKey)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct DescribeLogDirsTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// One element for each partition.
        package var partitions: [DescribeLogDirsPartition] = []

        package init(name: String = "", partitions: [DescribeLogDirsPartition] = []) {
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

    /// The part for one directory.
    package struct DescribeLogDirsResult: WireStructure, Equatable {
        package static let minimumWireBytes = 5

        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// Absolute path of the directory.
        package var logDir: String = ""
        /// One element for each topic; nil = all.
        package var topics: [DescribeLogDirsTopic] = []
        /// Size of the volume, or -1. From version 4.
        package var totalBytes: Int64 = -1
        /// Free bytes of the volume, or -1. From version 4.
        package var usableBytes: Int64 = -1
        /// Whether new partitions are kept away from it. From version 5.
        package var isCordoned: Bool = false

        package init(
            errorCode: ErrorCode = .none, logDir: String = "", topics: [DescribeLogDirsTopic] = [],
            totalBytes: Int64 = -1, usableBytes: Int64 = -1, isCordoned: Bool = false
        ) {
            self.errorCode = errorCode
            self.logDir = logDir
            self.topics = topics
            self.totalBytes = totalBytes
            self.usableBytes = usableBytes
            self.isCordoned = isCordoned
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 2
            errorCode = try reader.errorCode()
            logDir = try reader.stringField(flexible: flexible)
            topics = try reader.array(version: version, flexible: flexible)
            if version >= 4 { totalBytes = try reader.int64() }
            if version >= 4 { usableBytes = try reader.int64() }
            if version >= 5 { isCordoned = try reader.bool() }
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 2
            writer.errorCode(errorCode)
            writer.stringField(logDir, flexible: flexible)
            writer.array(topics, version: version, flexible: flexible)
            if version >= 4 { writer.int64(totalBytes) }
            if version >= 4 { writer.int64(usableBytes) }
            if version >= 5 { writer.bool(isCordoned) }
            if flexible { writer.noTaggedFields() }
        }
    }
}
