// Creates topics.

import Base

/// The request, versions 2 to 7. Flexible from version 5.
package struct CreateTopicsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.createTopics
    package typealias Response = CreateTopicsResponse
    package static let minimumWireBytes = 7

    /// One element for each topic.
    package var topics: [CreatableTopic] = []
    /// How long the broker may take, in milliseconds.
    package var timeoutMs: Int32 = 60000
    /// Whether to check only and change nothing.
    package var validateOnly: Bool = false

    package init(
        topics: [CreatableTopic] = [], timeoutMs: Int32 = 60000, validateOnly: Bool = false
    ) {
        self.topics = topics
        self.timeoutMs = timeoutMs
        self.validateOnly = validateOnly
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 5
        topics = try reader.array(version: version, flexible: flexible)
        timeoutMs = try reader.int32()
        validateOnly = try reader.bool()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 5
        writer.array(topics, version: version, flexible: flexible)
        writer.int32(timeoutMs)
        writer.bool(validateOnly)
        if flexible { writer.noTaggedFields() }
    }

    /// One assignment.
    package struct CreatableReplicaAssignment: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Number of the partition.
        package var partitionIndex: Int32 = 0
        /// Numbers of the brokers.
        package var brokerIds: [Int32] = []

        package init(partitionIndex: Int32 = 0, brokerIds: [Int32] = []) {
            self.partitionIndex = partitionIndex
            self.brokerIds = brokerIds
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 5
            partitionIndex = try reader.int32()
            brokerIds = try reader.int32Array(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 5
            writer.int32(partitionIndex)
            writer.int32Array(brokerIds, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// One setting.
    package struct CreatableTopicConfig: WireStructure, Equatable {
        package static let minimumWireBytes = 3

        /// Its name.
        package var name: String = ""
        /// Value of the setting.
        package var value: String? = ""

        package init(name: String = "", value: String? = "") {
            self.name = name
            self.value = value
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 5
            name = try reader.stringField(flexible: flexible)
            value = try reader.nullableStringField(flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 5
            writer.stringField(name, flexible: flexible)
            writer.nullableStringField(value, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }

    /// The part for one topic.
    package struct CreatableTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 10

        /// Its name.
        package var name: String = ""
        /// Number of partitions, or -1 for the default.
        package var numPartitions: Int32 = 0
        /// Number of replicas, or -1 for the default.
        package var replicationFactor: Int16 = 0
        /// One element for each member or partition.
        package var assignments: [CreatableReplicaAssignment] = []
        /// Settings.
        package var configs: [CreatableTopicConfig] = []

        package init(
            name: String = "", numPartitions: Int32 = 0, replicationFactor: Int16 = 0,
            assignments: [CreatableReplicaAssignment] = [], configs: [CreatableTopicConfig] = []
        ) {
            self.name = name
            self.numPartitions = numPartitions
            self.replicationFactor = replicationFactor
            self.assignments = assignments
            self.configs = configs
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 5
            name = try reader.stringField(flexible: flexible)
            numPartitions = try reader.int32()
            replicationFactor = try reader.int16()
            assignments = try reader.array(version: version, flexible: flexible)
            configs = try reader.array(version: version, flexible: flexible)
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 5
            writer.stringField(name, flexible: flexible)
            writer.int32(numPartitions)
            writer.int16(replicationFactor)
            writer.array(assignments, version: version, flexible: flexible)
            writer.array(configs, version: version, flexible: flexible)
            if flexible { writer.noTaggedFields() }
        }
    }
}

/// The answer, versions 2 to 7. Flexible from version 5.
package struct CreateTopicsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.createTopics
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each topic.
    package var topics: [CreatableTopicResult] = []

    package init(throttleTimeMs: Int32 = 0, topics: [CreatableTopicResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 5
        throttleTimeMs = try reader.int32()
        topics = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 5
        writer.int32(throttleTimeMs)
        writer.array(topics, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// One setting.
    package struct CreatableTopicConfigs: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Its name. From version 5.
        package var name: String = ""
        /// Value of the setting. From version 5.
        package var value: String? = ""
        /// Whether it cannot be changed. From version 5.
        package var readOnly: Bool = false
        /// Where the value comes from: see `ConfigSource`. From version 5.
        package var configSource: Int8 = -1
        /// Whether the value is hidden. From version 5.
        package var isSensitive: Bool = false

        package init(
            name: String = "", value: String? = "", readOnly: Bool = false, configSource: Int8 = -1,
            isSensitive: Bool = false
        ) {
            self.name = name
            self.value = value
            self.readOnly = readOnly
            self.configSource = configSource
            self.isSensitive = isSensitive
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            name = try reader.stringField(flexible: true)
            value = try reader.nullableStringField(flexible: true)
            readOnly = try reader.bool()
            configSource = try reader.int8()
            isSensitive = try reader.bool()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(name, flexible: true)
            writer.nullableStringField(value, flexible: true)
            writer.bool(readOnly)
            writer.int8(configSource)
            writer.bool(isSensitive)
            writer.noTaggedFields()
        }
    }

    /// The part for one topic.
    package struct CreatableTopicResult: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Its name.
        package var name: String = ""
        /// Id of the topic; zero when absent. From version 7.
        package var topicId: UUID128 = .zero
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = ""
        /// Why settings are missing from the answer. From version 5.
        package var topicConfigErrorCode: ErrorCode = .none
        /// Number of partitions, or -1 for the default. From version 5.
        package var numPartitions: Int32 = -1
        /// Number of replicas, or -1 for the default. From version 5.
        package var replicationFactor: Int16 = -1
        /// Settings. From version 5.
        package var configs: [CreatableTopicConfigs]? = []

        package init(
            name: String = "", topicId: UUID128 = .zero, errorCode: ErrorCode = .none,
            errorMessage: String? = "", topicConfigErrorCode: ErrorCode = .none,
            numPartitions: Int32 = -1, replicationFactor: Int16 = -1,
            configs: [CreatableTopicConfigs]? = []
        ) {
            self.name = name
            self.topicId = topicId
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.topicConfigErrorCode = topicConfigErrorCode
            self.numPartitions = numPartitions
            self.replicationFactor = replicationFactor
            self.configs = configs
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 5
            name = try reader.stringField(flexible: flexible)
            if version >= 7 { topicId = try reader.uuid() }
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: flexible)
            if version >= 5 {
                numPartitions = try reader.int32()
                replicationFactor = try reader.int16()
                configs = try reader.nullableArray(version: version, flexible: flexible)
            }
            guard flexible else { return }
            for field in try reader.taggedFields() {
                var content = ByteReader(field.content)
                switch field.tag {
                case 0:
                    topicConfigErrorCode = try content.errorCode()
                default: break
                }
            }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 5
            writer.stringField(name, flexible: flexible)
            if version >= 7 { writer.uuid(topicId) }
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: flexible)
            if version >= 5 {
                writer.int32(numPartitions)
                writer.int16(replicationFactor)
                writer.nullableArray(configs, version: version, flexible: flexible)
            }
            guard flexible else { return }
            var tags = TaggedFieldWriter()
            if topicConfigErrorCode != .none {
                var content = ByteWriter()
                content.errorCode(topicConfigErrorCode)
                tags.add(0, content.finish())
            }
            writer.taggedFields(tags)
        }
    }
}
