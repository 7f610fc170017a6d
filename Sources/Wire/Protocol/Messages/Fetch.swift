// Reads record batches from partitions, waiting for them if the client wants to.

import Base

/// The request, versions 4 to 18. Flexible from version 12.
package struct FetchRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.fetch
    package typealias Response = FetchResponse
    package static let minimumWireBytes = 21

    /// Identifies the cluster. From version 12.
    package var clusterId: String? = nil
    /// Number of the asking follower, or -1 for a consumer. Up to version 14.
    package var replicaId: Int32 = -1
    /// Who asks, when it is a follower. From version 15.
    package var replicaState: ReplicaState = .init()
    /// How long to wait for `minBytes`, in milliseconds.
    package var maxWaitMs: Int32 = 0
    /// Answer once so many bytes are there.
    package var minBytes: Int32 = 0
    /// Bound of the whole answer; the first batch may exceed it.
    package var maxBytes: Int32 = .max
    /// 0: read everything; 1: only committed transactions.
    package var isolationLevel: Int8 = 0
    /// Id of the fetch session, 0 for none. From version 7.
    package var sessionId: Int32 = 0
    /// Counts the requests of a session; -1 for none. From version 7.
    package var sessionEpoch: Int32 = -1
    /// One element for each topic.
    package var topics: [FetchTopic] = []
    /// Partitions to drop from the session. From version 7.
    package var forgottenTopicsData: [ForgottenTopic] = []
    /// Where the client stands. From version 11.
    package var rackId: String = ""

    package init(
        clusterId: String? = nil, replicaId: Int32 = -1, replicaState: ReplicaState = .init(),
        maxWaitMs: Int32 = 0, minBytes: Int32 = 0, maxBytes: Int32 = .max, isolationLevel: Int8 = 0,
        sessionId: Int32 = 0, sessionEpoch: Int32 = -1, topics: [FetchTopic] = [],
        forgottenTopicsData: [ForgottenTopic] = [], rackId: String = ""
    ) {
        self.clusterId = clusterId
        self.replicaId = replicaId
        self.replicaState = replicaState
        self.maxWaitMs = maxWaitMs
        self.minBytes = minBytes
        self.maxBytes = maxBytes
        self.isolationLevel = isolationLevel
        self.sessionId = sessionId
        self.sessionEpoch = sessionEpoch
        self.topics = topics
        self.forgottenTopicsData = forgottenTopicsData
        self.rackId = rackId
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 12
        if version <= 14 { replicaId = try reader.int32() }
        maxWaitMs = try reader.int32()
        minBytes = try reader.int32()
        maxBytes = try reader.int32()
        isolationLevel = try reader.int8()
        if version >= 7 {
            sessionId = try reader.int32()
            sessionEpoch = try reader.int32()
        }
        topics = try reader.array(version: version, flexible: flexible)
        if version >= 7 {
            forgottenTopicsData = try reader.array(version: version, flexible: flexible)
        }
        if version >= 11 { rackId = try reader.stringField(flexible: flexible) }
        guard flexible else { return }
        for field in try reader.taggedFields() {
            var content = ByteReader(field.content)
            switch field.tag {
            case 0:
                clusterId = try content.nullableStringField(flexible: true)
            case 1 where version >= 15:
                replicaState = try ReplicaState(from: &content, version: version)
            default: break
            }
        }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 12
        if version <= 14 { writer.int32(replicaId) }
        writer.int32(maxWaitMs)
        writer.int32(minBytes)
        writer.int32(maxBytes)
        writer.int8(isolationLevel)
        if version >= 7 {
            writer.int32(sessionId)
            writer.int32(sessionEpoch)
        }
        writer.array(topics, version: version, flexible: flexible)
        if version >= 7 { writer.array(forgottenTopicsData, version: version, flexible: flexible) }
        if version >= 11 { writer.stringField(rackId, flexible: flexible) }
        guard flexible else { return }
        var tags = TaggedFieldWriter()
        if clusterId != nil {
            var content = ByteWriter()
            content.nullableStringField(clusterId, flexible: true)
            tags.add(0, content.finish())
        }
        if version >= 15, replicaState != ReplicaState() {
            var content = ByteWriter()
            replicaState.write(to: &content, version: version)
            tags.add(1, content.finish())
        }
        writer.taggedFields(tags)
    }

    /// Identity of a follower.
    package struct ReplicaState: WireStructure, Equatable {
        package static let minimumWireBytes = 13

        /// Number of the asking follower, or -1 for a consumer. From version 15.
        package var replicaId: Int32 = -1
        /// Epoch of the asking follower, or -1. From version 15.
        package var replicaEpoch: Int64 = -1

        package init(replicaId: Int32 = -1, replicaEpoch: Int64 = -1) {
            self.replicaId = replicaId
            self.replicaEpoch = replicaEpoch
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            replicaId = try reader.int32()
            replicaEpoch = try reader.int64()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(replicaId)
            writer.int64(replicaEpoch)
            writer.noTaggedFields()
        }
    }

    /// The part for one partition.
    package struct FetchPartition: WireStructure, Equatable {
        package static let minimumWireBytes = 16

        /// Number of the partition.
        package var partition: Int32 = 0
        /// Leader epoch that the client knows, or -1 to skip the check. From version 9.
        package var currentLeaderEpoch: Int32 = -1
        /// First offset wanted.
        package var fetchOffset: Int64 = 0
        /// Leader epoch of the last record that was fetched, or -1. From version 12.
        package var lastFetchedEpoch: Int32 = -1
        /// First offset of the partition that can be read, or -1. From version 5.
        package var logStartOffset: Int64 = -1
        /// Bound for this partition; its first batch may exceed it.
        package var partitionMaxBytes: Int32 = 0
        /// Directory of the asking follower. From version 17.
        package var replicaDirectoryId: UUID128 = .zero
        /// The high watermark that the follower knows, -1 when it knows none; the greatest number
        /// when it does not take part in this. From version 18.
        package var highWatermark: Int64 = .max

        package init(
            partition: Int32 = 0, currentLeaderEpoch: Int32 = -1, fetchOffset: Int64 = 0,
            lastFetchedEpoch: Int32 = -1, logStartOffset: Int64 = -1, partitionMaxBytes: Int32 = 0,
            replicaDirectoryId: UUID128 = .zero, highWatermark: Int64 = .max
        ) {
            self.partition = partition
            self.currentLeaderEpoch = currentLeaderEpoch
            self.fetchOffset = fetchOffset
            self.lastFetchedEpoch = lastFetchedEpoch
            self.logStartOffset = logStartOffset
            self.partitionMaxBytes = partitionMaxBytes
            self.replicaDirectoryId = replicaDirectoryId
            self.highWatermark = highWatermark
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 12
            partition = try reader.int32()
            if version >= 9 { currentLeaderEpoch = try reader.int32() }
            fetchOffset = try reader.int64()
            if version >= 12 { lastFetchedEpoch = try reader.int32() }
            if version >= 5 { logStartOffset = try reader.int64() }
            partitionMaxBytes = try reader.int32()
            guard flexible else { return }
            for field in try reader.taggedFields() {
                var content = ByteReader(field.content)
                switch field.tag {
                case 0 where version >= 17:
                    replicaDirectoryId = try content.uuid()
                case 1 where version >= 18:
                    highWatermark = try content.int64()
                default: break
                }
            }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 12
            writer.int32(partition)
            if version >= 9 { writer.int32(currentLeaderEpoch) }
            writer.int64(fetchOffset)
            if version >= 12 { writer.int32(lastFetchedEpoch) }
            if version >= 5 { writer.int64(logStartOffset) }
            writer.int32(partitionMaxBytes)
            guard flexible else { return }
            var tags = TaggedFieldWriter()
            if version >= 17, replicaDirectoryId != .zero {
                var content = ByteWriter()
                content.uuid(replicaDirectoryId)
                tags.add(0, content.finish())
            }
            if version >= 18, highWatermark != .max {
                var content = ByteWriter()
                content.int64(highWatermark)
                tags.add(1, content.finish())
            }
            writer.taggedFields(tags)
        }
    }

    /// The part for one topic.
    package struct FetchTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the topic. Up to version 12.
        package var topic: String = ""
        /// Id of the topic; zero when absent. From version 13.
        package var topicId: UUID128 = .zero
        /// One element for each partition.
        package var partitions: [FetchPartition] = []

        package init(
            topic: String = "", topicId: UUID128 = .zero, partitions: [FetchPartition] = []
        ) {
            self.topic = topic
            self.topicId = topicId
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 12
            if version <= 12 { topic = try reader.stringField(flexible: flexible) }
            if version >= 13 { topicId = try reader.uuid() }
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 12
            if version <= 12 { writer.stringField(topic, flexible: flexible) }
            if version >= 13 { writer.uuid(topicId) }
            writer.array(partitions, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct ForgottenTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the topic. Versions 7 to 12.
        package var topic: String = ""
        /// Id of the topic; zero when absent. From version 13.
        package var topicId: UUID128 = .zero
        /// One element for each partition. From version 7.
        package var partitions: [Int32] = []

        package init(topic: String = "", topicId: UUID128 = .zero, partitions: [Int32] = []) {
            self.topic = topic
            self.topicId = topicId
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 12
            if version <= 12 { topic = try reader.stringField(flexible: flexible) }
            if version >= 13 { topicId = try reader.uuid() }
            partitions = try reader.int32Array(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 12
            if version <= 12 { writer.stringField(topic, flexible: flexible) }
            if version >= 13 { writer.uuid(topicId) }
            writer.int32Array(partitions, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 4 to 18. Flexible from version 12.
package struct FetchResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.fetch
    package static let minimumWireBytes = 8

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`. From version 7.
    package var errorCode: ErrorCode = .none
    /// Id of the fetch session, 0 for none. From version 7.
    package var sessionId: Int32 = 0
    /// One element for each topic.
    package var responses: [FetchableTopicResponse] = []
    /// Addresses of the leaders that are named in this answer. From version 16.
    package var nodeEndpoints: [NodeEndpoint] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, sessionId: Int32 = 0,
        responses: [FetchableTopicResponse] = [], nodeEndpoints: [NodeEndpoint] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.sessionId = sessionId
        self.responses = responses
        self.nodeEndpoints = nodeEndpoints
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 12
        throttleTimeMs = try reader.int32()
        if version >= 7 {
            errorCode = try reader.errorCode()
            sessionId = try reader.int32()
        }
        responses = try reader.array(version: version, flexible: flexible)
        guard flexible else { return }
        for field in try reader.taggedFields() {
            var content = ByteReader(field.content)
            switch field.tag {
            case 0 where version >= 16:
                nodeEndpoints = try content.array(version: version, flexible: true)
            default: break
            }
        }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        var splices = RecordSplices(copies: true)
        write(to: &writer, version: version, splices: &splices)
    }

    package func write(
        to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices
    ) {
        let flexible = version >= 12
        writer.int32(throttleTimeMs)
        if version >= 7 {
            writer.errorCode(errorCode)
            writer.int32(sessionId)
        }
        writer.arrayCount(responses.count, flexible: flexible)
        for element in responses {
            element.write(to: &writer, version: version, splices: &splices)
        }
        guard flexible else { return }
        var tags = TaggedFieldWriter()
        if version >= 16, !nodeEndpoints.isEmpty {
            var content = ByteWriter()
            content.array(nodeEndpoints, version: version, flexible: true)
            tags.add(0, content.finish())
        }
        writer.taggedFields(tags)
    }

    /// Where a leader epoch ends.
    package struct EpochEndOffset: WireStructure, Equatable {
        package static let minimumWireBytes = 13

        /// Leader epoch, or -1. From version 12.
        package var epoch: Int32 = -1
        /// Offset behind its last record, or -1. From version 12.
        package var endOffset: Int64 = -1

        package init(epoch: Int32 = -1, endOffset: Int64 = -1) {
            self.epoch = epoch
            self.endOffset = endOffset
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            epoch = try reader.int32()
            endOffset = try reader.int64()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(epoch)
            writer.int64(endOffset)
            writer.noTaggedFields()
        }
    }

    /// Who leads a partition, or -1.
    package struct LeaderIdAndEpoch: WireStructure, Equatable {
        package static let minimumWireBytes = 9

        /// Number of the leading broker, or -1. From version 12.
        package var leaderId: Int32 = -1
        /// Epoch of the leadership, or -1. From version 12.
        package var leaderEpoch: Int32 = -1

        package init(leaderId: Int32 = -1, leaderEpoch: Int32 = -1) {
            self.leaderId = leaderId
            self.leaderEpoch = leaderEpoch
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            leaderId = try reader.int32()
            leaderEpoch = try reader.int32()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(leaderId)
            writer.int32(leaderEpoch)
            writer.noTaggedFields()
        }
    }

    /// Names a snapshot.
    package struct SnapshotId: WireStructure, Equatable {
        package static let minimumWireBytes = 13

        /// Offset behind its last record, or -1. From version 12.
        package var endOffset: Int64 = -1
        /// Leader epoch, or -1. From version 12.
        package var epoch: Int32 = -1

        package init(endOffset: Int64 = -1, epoch: Int32 = -1) {
            self.endOffset = endOffset
            self.epoch = epoch
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            endOffset = try reader.int64()
            epoch = try reader.int32()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int64(endOffset)
            writer.int32(epoch)
            writer.noTaggedFields()
        }
    }

    /// A transaction whose records a consumer must skip.
    package struct AbortedTransaction: WireStructure, Equatable {
        package static let minimumWireBytes = 16

        /// Id of the producer, or -1.
        package var producerId: Int64 = 0
        /// First offset of the transaction.
        package var firstOffset: Int64 = 0

        package init(producerId: Int64 = 0, firstOffset: Int64 = 0) {
            self.producerId = producerId
            self.firstOffset = firstOffset
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 12
            producerId = try reader.int64()
            firstOffset = try reader.int64()
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 12
            writer.int64(producerId)
            writer.int64(firstOffset)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one partition.
    package struct PartitionData: WireStructure, Equatable {
        package static let minimumWireBytes = 30

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// Offset behind the last record that consumers may see.
        package var highWatermark: Int64 = 0
        /// Offset up to which every transaction has ended, or -1.
        package var lastStableOffset: Int64 = -1
        /// First offset of the partition that can be read, or -1. From version 5.
        package var logStartOffset: Int64 = -1
        /// Where the log of the asker departs from ours. From version 12.
        package var divergingEpoch: EpochEndOffset = .init()
        /// The leader, when the asked broker is not. From version 12.
        package var currentLeader: LeaderIdAndEpoch = .init()
        /// Snapshot to load instead. From version 12.
        package var snapshotId: SnapshotId = .init()
        /// Aborted transactions that overlap the records, by first offset; nil when not asked for.
        package var abortedTransactions: [AbortedTransaction]? = []
        /// Replica to read from instead, or -1. From version 11.
        package var preferredReadReplica: Int32 = -1
        /// Record batches, one after the other.
        package var records: [Bytes] = []

        package init(
            partitionIndex: Int32 = 0, errorCode: ErrorCode = .none, highWatermark: Int64 = 0,
            lastStableOffset: Int64 = -1, logStartOffset: Int64 = -1,
            divergingEpoch: EpochEndOffset = .init(), currentLeader: LeaderIdAndEpoch = .init(),
            snapshotId: SnapshotId = .init(), abortedTransactions: [AbortedTransaction]? = [],
            preferredReadReplica: Int32 = -1, records: [Bytes] = []
        ) {
            self.partitionIndex = partitionIndex
            self.errorCode = errorCode
            self.highWatermark = highWatermark
            self.lastStableOffset = lastStableOffset
            self.logStartOffset = logStartOffset
            self.divergingEpoch = divergingEpoch
            self.currentLeader = currentLeader
            self.snapshotId = snapshotId
            self.abortedTransactions = abortedTransactions
            self.preferredReadReplica = preferredReadReplica
            self.records = records
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 12
            partitionIndex = try reader.int32()
            errorCode = try reader.errorCode()
            highWatermark = try reader.int64()
            lastStableOffset = try reader.int64()
            if version >= 5 { logStartOffset = try reader.int64() }
            abortedTransactions = try reader.nullableArray(version: version, flexible: flexible)
            if version >= 11 { preferredReadReplica = try reader.int32() }
            records = try reader.recordsField(flexible: flexible)
            guard flexible else { return }
            for field in try reader.taggedFields() {
                var content = ByteReader(field.content)
                switch field.tag {
                case 0:
                    divergingEpoch = try EpochEndOffset(from: &content, version: version)
                case 1:
                    currentLeader = try LeaderIdAndEpoch(from: &content, version: version)
                case 2:
                    snapshotId = try SnapshotId(from: &content, version: version)
                default: break
                }
            }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            var splices = RecordSplices(copies: true)
            write(to: &writer, version: version, splices: &splices)
        }

        package func write(
            to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices
        ) {
            let flexible = version >= 12
            writer.int32(partitionIndex)
            writer.errorCode(errorCode)
            writer.int64(highWatermark)
            writer.int64(lastStableOffset)
            if version >= 5 { writer.int64(logStartOffset) }
            writer.nullableArray(abortedTransactions, version: version, flexible: flexible)
            if version >= 11 { writer.int32(preferredReadReplica) }
            splices.records(records, to: &writer, flexible: flexible)
            guard flexible else { return }
            var tags = TaggedFieldWriter()
            if divergingEpoch != EpochEndOffset() {
                var content = ByteWriter()
                divergingEpoch.write(to: &content, version: version)
                tags.add(0, content.finish())
            }
            if currentLeader != LeaderIdAndEpoch() {
                var content = ByteWriter()
                currentLeader.write(to: &content, version: version)
                tags.add(1, content.finish())
            }
            if snapshotId != SnapshotId() {
                var content = ByteWriter()
                snapshotId.write(to: &content, version: version)
                tags.add(2, content.finish())
            }
            writer.taggedFields(tags)
        }
    }

    /// The part for one topic.
    package struct FetchableTopicResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Name of the topic. Up to version 12.
        package var topic: String = ""
        /// Id of the topic; zero when absent. From version 13.
        package var topicId: UUID128 = .zero
        /// One element for each partition.
        package var partitions: [PartitionData] = []

        package init(
            topic: String = "", topicId: UUID128 = .zero, partitions: [PartitionData] = []
        ) {
            self.topic = topic
            self.topicId = topicId
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 12
            if version <= 12 { topic = try reader.stringField(flexible: flexible) }
            if version >= 13 { topicId = try reader.uuid() }
            partitions = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            var splices = RecordSplices(copies: true)
            write(to: &writer, version: version, splices: &splices)
        }

        package func write(
            to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices
        ) {
            let flexible = version >= 12
            if version <= 12 { writer.stringField(topic, flexible: flexible) }
            if version >= 13 { writer.uuid(topicId) }
            writer.arrayCount(partitions.count, flexible: flexible)
            for element in partitions {
                element.write(to: &writer, version: version, splices: &splices)
            }
            if flexible { writer.noTaggedFields() }
        }
    }

    /// Where a broker listens.
    package struct NodeEndpoint: WireStructure, Equatable {
        package static let minimumWireBytes = 11

        /// Number of the broker. From version 16.
        package var nodeId: Int32 = 0
        /// Name or address to connect to. From version 16.
        package var host: String = ""
        /// Port to connect to. From version 16.
        package var port: Int32 = 0
        /// Where the broker stands, if that was configured. From version 16.
        package var rack: String? = nil

        package init(nodeId: Int32 = 0, host: String = "", port: Int32 = 0, rack: String? = nil) {
            self.nodeId = nodeId
            self.host = host
            self.port = port
            self.rack = rack
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            nodeId = try reader.int32()
            host = try reader.stringField(flexible: true)
            port = try reader.int32()
            rack = try reader.nullableStringField(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.int32(nodeId)
            writer.stringField(host, flexible: true)
            writer.int32(port)
            writer.nullableStringField(rack, flexible: true)
            writer.noTaggedFields()
        }
    }
}
