// Appends record batches to partitions.

import Base

/// The request, versions 3 to 13. Flexible from version 9.
package struct ProduceRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.produce
    package typealias Response = ProduceResponse
    package static let minimumWireBytes = 9

    /// The transactional id, or nil outside of transactions.
    package var transactionalId: String? = nil
    /// 0: do not answer; 1: the leader has it; -1: all in-sync replicas have it.
    package var acks: Int16 = 0
    /// How long the broker may take, in milliseconds.
    package var timeoutMs: Int32 = 0
    /// One element for each topic.
    package var topicData: [TopicProduceData] = []

    package init(
        transactionalId: String? = nil, acks: Int16 = 0, timeoutMs: Int32 = 0,
        topicData: [TopicProduceData] = []
    ) {
        self.transactionalId = transactionalId
        self.acks = acks
        self.timeoutMs = timeoutMs
        self.topicData = topicData
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 9
        transactionalId = try reader.nullableStringField(flexible: flexible)
        acks = try reader.int16()
        timeoutMs = try reader.int32()
        topicData = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        var splices = RecordSplices(copies: true)
        write(to: &writer, version: version, splices: &splices)
    }

    package func write(
        to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices
    ) {
        let flexible = version >= 9
        writer.nullableStringField(transactionalId, flexible: flexible)
        writer.int16(acks)
        writer.int32(timeoutMs)
        writer.arrayCount(topicData.count, flexible: flexible)
        for element in topicData {
            element.write(to: &writer, version: version, splices: &splices)
        }
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one partition.
    package struct PartitionProduceData: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Number of the partition.
        package var index: Int32 = 0
        /// Record batches, one after the other.
        package var records: [Bytes] = []

        package init(index: Int32 = 0, records: [Bytes] = []) {
            self.index = index
            self.records = records
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 9
            index = try reader.int32()
            records = try reader.recordsField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            var splices = RecordSplices(copies: true)
            write(to: &writer, version: version, splices: &splices)
        }

        package func write(
            to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices
        ) {
            let flexible = version >= 9
            writer.int32(index)
            splices.records(records, to: &writer, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct TopicProduceData: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name. Up to version 12.
        package var name: String = ""
        /// Id of the topic; zero when absent. From version 13.
        package var topicId: UUID128 = .zero
        /// One element for each partition.
        package var partitionData: [PartitionProduceData] = []

        package init(
            name: String = "", topicId: UUID128 = .zero, partitionData: [PartitionProduceData] = []
        ) {
            self.name = name
            self.topicId = topicId
            self.partitionData = partitionData
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 9
            if version <= 12 { name = try reader.stringField(flexible: flexible) }
            if version >= 13 { topicId = try reader.uuid() }
            partitionData = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            var splices = RecordSplices(copies: true)
            write(to: &writer, version: version, splices: &splices)
        }

        package func write(
            to writer: inout ByteWriter, version: Int16, splices: inout RecordSplices
        ) {
            let flexible = version >= 9
            if version <= 12 { writer.stringField(name, flexible: flexible) }
            if version >= 13 { writer.uuid(topicId) }
            writer.arrayCount(partitionData.count, flexible: flexible)
            for element in partitionData {
                element.write(to: &writer, version: version, splices: &splices)
            }
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 3 to 13. Flexible from version 9.
package struct ProduceResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.produce
    package static let minimumWireBytes = 6

    /// One element for each topic.
    package var responses: [TopicProduceResponse] = []
    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// Addresses of the leaders that are named in this answer. From version 10.
    package var nodeEndpoints: [NodeEndpoint] = []

    package init(
        responses: [TopicProduceResponse] = [], throttleTimeMs: Int32 = 0,
        nodeEndpoints: [NodeEndpoint] = []
    ) {
        self.responses = responses
        self.throttleTimeMs = throttleTimeMs
        self.nodeEndpoints = nodeEndpoints
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 9
        responses = try reader.array(version: version, flexible: flexible)
        throttleTimeMs = try reader.int32()
        guard flexible else { return }
        for field in try reader.taggedFields() {
            var content = ByteReader(field.content)
            switch field.tag {
            case 0 where version >= 10:
                nodeEndpoints = try content.array(version: version, flexible: true)
            default: break
            }
        }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 9
        writer.array(responses, version: version, flexible: flexible)
        writer.int32(throttleTimeMs)
        guard flexible else { return }
        var tags = TaggedFieldWriter()
        if version >= 10, !nodeEndpoints.isEmpty {
            var content = ByteWriter()
            content.array(nodeEndpoints, version: version, flexible: true)
            tags.add(0, content.finish())
        }
        writer.taggedFields(tags)
    }

    /// One refused record.
    package struct BatchIndexAndErrorMessage: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Index of the record in its batch. From version 8.
        package var batchIndex: Int32 = 0
        /// What is wrong with the record. From version 8.
        package var batchIndexErrorMessage: String? = nil

        package init(batchIndex: Int32 = 0, batchIndexErrorMessage: String? = nil) {
            self.batchIndex = batchIndex
            self.batchIndexErrorMessage = batchIndexErrorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 9
            batchIndex = try reader.int32()
            batchIndexErrorMessage = try reader.nullableStringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 9
            writer.int32(batchIndex)
            writer.nullableStringField(batchIndexErrorMessage, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// Who leads a partition, or -1.
    package struct LeaderIdAndEpoch: WireStructure, Equatable {
        package static let minimumWireBytes = 9

        /// Number of the leading broker, or -1. From version 10.
        package var leaderId: Int32 = -1
        /// Epoch of the leadership, or -1. From version 10.
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

    /// The part for one partition.
    package struct PartitionProduceResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 22

        /// Number of the partition.
        package var index: Int32 = 0
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// Offset of the first record.
        package var baseOffset: Int64 = 0
        /// When the broker appended, or -1 if records keep the time of their creation.
        package var logAppendTimeMs: Int64 = -1
        /// First offset of the partition that can be read, or -1. From version 5.
        package var logStartOffset: Int64 = -1
        /// Records that caused the whole batch to be refused. From version 8.
        package var recordErrors: [BatchIndexAndErrorMessage] = []
        /// What went wrong, for people. From version 8.
        package var errorMessage: String? = nil
        /// The leader, when the asked broker is not. From version 10.
        package var currentLeader: LeaderIdAndEpoch = .init()

        package init(
            index: Int32 = 0, errorCode: ErrorCode = .none, baseOffset: Int64 = 0,
            logAppendTimeMs: Int64 = -1, logStartOffset: Int64 = -1,
            recordErrors: [BatchIndexAndErrorMessage] = [], errorMessage: String? = nil,
            currentLeader: LeaderIdAndEpoch = .init()
        ) {
            self.index = index
            self.errorCode = errorCode
            self.baseOffset = baseOffset
            self.logAppendTimeMs = logAppendTimeMs
            self.logStartOffset = logStartOffset
            self.recordErrors = recordErrors
            self.errorMessage = errorMessage
            self.currentLeader = currentLeader
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 9
            index = try reader.int32()
            errorCode = try reader.errorCode()
            baseOffset = try reader.int64()
            logAppendTimeMs = try reader.int64()
            if version >= 5 { logStartOffset = try reader.int64() }
            if version >= 8 {
                recordErrors = try reader.array(version: version, flexible: flexible)
                errorMessage = try reader.nullableStringField(flexible: flexible)
            }
            guard flexible else { return }
            for field in try reader.taggedFields() {
                var content = ByteReader(field.content)
                switch field.tag {
                case 0 where version >= 10:
                    currentLeader = try LeaderIdAndEpoch(from: &content, version: version)
                default: break
                }
            }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 9
            writer.int32(index)
            writer.errorCode(errorCode)
            writer.int64(baseOffset)
            writer.int64(logAppendTimeMs)
            if version >= 5 { writer.int64(logStartOffset) }
            if version >= 8 {
                writer.array(recordErrors, version: version, flexible: flexible)
                writer.nullableStringField(errorMessage, flexible: flexible)
            }
            guard flexible else { return }
            var tags = TaggedFieldWriter()
            if version >= 10, currentLeader != LeaderIdAndEpoch() {
                var content = ByteWriter()
                currentLeader.write(to: &content, version: version)
                tags.add(0, content.finish())
            }
            writer.taggedFields(tags)
        }
    }

    /// The part for one topic.
    package struct TopicProduceResponse: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name. Up to version 12.
        package var name: String = ""
        /// Id of the topic; zero when absent. From version 13.
        package var topicId: UUID128 = .zero
        /// One element for each partition.
        package var partitionResponses: [PartitionProduceResponse] = []

        package init(
            name: String = "", topicId: UUID128 = .zero,
            partitionResponses: [PartitionProduceResponse] = []
        ) {
            self.name = name
            self.topicId = topicId
            self.partitionResponses = partitionResponses
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 9
            if version <= 12 { name = try reader.stringField(flexible: flexible) }
            if version >= 13 { topicId = try reader.uuid() }
            partitionResponses = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 9
            if version <= 12 { writer.stringField(name, flexible: flexible) }
            if version >= 13 { writer.uuid(topicId) }
            writer.array(partitionResponses, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// Where a broker listens.
    package struct NodeEndpoint: WireStructure, Equatable {
        package static let minimumWireBytes = 11

        /// Number of the broker. From version 10.
        package var nodeId: Int32 = 0
        /// Name or address to connect to. From version 10.
        package var host: String = ""
        /// Port to connect to. From version 10.
        package var port: Int32 = 0
        /// Where the broker stands, if that was configured. From version 10.
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
