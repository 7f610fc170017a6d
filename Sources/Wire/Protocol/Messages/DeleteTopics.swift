// Deletes topics with all their records.

import Base

/// The request, versions 1 to 6. Flexible from version 4.
package struct DeleteTopicsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.deleteTopics
    package typealias Response = DeleteTopicsResponse
    package static let minimumWireBytes = 6

    /// One element for each topic. From version 6.
    package var topics: [DeleteTopicState] = []
    /// Names of the topics. Up to version 5.
    package var topicNames: [String] = []
    /// How long the broker may take, in milliseconds.
    package var timeoutMs: Int32 = 0

    package init(topics: [DeleteTopicState] = [], topicNames: [String] = [], timeoutMs: Int32 = 0) {
        self.topics = topics
        self.topicNames = topicNames
        self.timeoutMs = timeoutMs
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 4
        if version >= 6 { topics = try reader.array(version: version, flexible: flexible) }
        if version <= 5 { topicNames = try reader.stringArray(flexible: flexible) }
        timeoutMs = try reader.int32()
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 4
        if version >= 6 { writer.array(topics, version: version, flexible: flexible) }
        if version <= 5 { writer.stringArray(topicNames, flexible: flexible) }
        writer.int32(timeoutMs)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one topic.
    package struct DeleteTopicState: WireStructure, Equatable {
        package static let minimumWireBytes = 18

        /// Its name. From version 6.
        package var name: String? = nil
        /// Id of the topic; zero when absent. From version 6.
        package var topicId: UUID128 = .zero

        package init(name: String? = nil, topicId: UUID128 = .zero) {
            self.name = name
            self.topicId = topicId
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            name = try reader.nullableStringField(flexible: true)
            topicId = try reader.uuid()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.nullableStringField(name, flexible: true)
            writer.uuid(topicId)
            writer.noTaggedFields()
        }
    }
}

/// The answer, versions 1 to 6. Flexible from version 4.
package struct DeleteTopicsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.deleteTopics
    package static let minimumWireBytes = 6

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each topic.
    package var responses: [DeletableTopicResult] = []

    package init(throttleTimeMs: Int32 = 0, responses: [DeletableTopicResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.responses = responses
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 4
        throttleTimeMs = try reader.int32()
        responses = try reader.array(version: version, flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 4
        writer.int32(throttleTimeMs)
        writer.array(responses, version: version, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }

    /// The part for one topic.
    package struct DeletableTopicResult: WireStructure, Equatable {
        package static let minimumWireBytes = 4

        /// Its name.
        package var name: String? = ""
        /// Id of the topic; zero when absent. From version 6.
        package var topicId: UUID128 = .zero
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people. From version 5.
        package var errorMessage: String? = nil

        package init(
            name: String? = "", topicId: UUID128 = .zero, errorCode: ErrorCode = .none,
            errorMessage: String? = nil
        ) {
            self.name = name
            self.topicId = topicId
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = version >= 4
            name =
                version >= 6
                ? try reader.nullableStringField(flexible: flexible)
                : try reader.stringField(flexible: flexible)
            if version >= 6 { topicId = try reader.uuid() }
            errorCode = try reader.errorCode()
            if version >= 5 { errorMessage = try reader.nullableStringField(flexible: flexible) }
            if flexible { try reader.skipTaggedFields() }
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = version >= 4
            writer.nullableStringField(name ?? (version >= 6 ? nil : ""), flexible: flexible)
            if version >= 6 { writer.uuid(topicId) }
            writer.errorCode(errorCode)
            if version >= 5 { writer.nullableStringField(errorMessage, flexible: flexible) }
            if flexible { writer.noTaggedFields() }
        }
    }
}
