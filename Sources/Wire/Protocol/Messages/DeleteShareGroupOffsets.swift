// Makes a share group without members forget topics.

import Base

/// The request, version 0. Flexible.
package struct DeleteShareGroupOffsetsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.deleteShareGroupOffsets
    package typealias Response = DeleteShareGroupOffsetsResponse
    package static let minimumWireBytes = 3

    /// Name of the group.
    package var groupId: String = ""
    /// One element for each topic.
    package var topics: [RequestTopic] = []

    package init(groupId: String = "", topics: [RequestTopic] = []) {
        self.groupId = groupId
        self.topics = topics
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        groupId = try reader.stringField(flexible: true)
        topics = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.stringField(groupId, flexible: true)
        writer.array(topics, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one topic.
    package struct RequestTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// Name of the topic.
        package var topicName: String = ""

        package init(topicName: String = "") {
            self.topicName = topicName
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicName = try reader.stringField(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(topicName, flexible: true)
            writer.noTaggedFields()
        }
    }
}

/// The answer, version 0. Flexible.
package struct DeleteShareGroupOffsetsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.deleteShareGroupOffsets
    package static let minimumWireBytes = 9

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// One element for each topic.
    package var responses: [ResponseTopic] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
        responses: [ResponseTopic] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.responses = responses
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: true)
        responses = try reader.array(version: version, flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: true)
        writer.array(responses, version: version, flexible: true)
        writer.noTaggedFields()
    }

    /// The part for one topic.
    package struct ResponseTopic: WireStructure, Equatable {
        package static let minimumWireBytes = 21

        /// Name of the topic.
        package var topicName: String = ""
        /// Id of the topic.
        package var topicId: UUID128 = .zero
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil

        package init(
            topicName: String = "", topicId: UUID128 = .zero, errorCode: ErrorCode = .none,
            errorMessage: String? = nil
        ) {
            self.topicName = topicName
            self.topicId = topicId
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topicName = try reader.stringField(flexible: true)
            topicId = try reader.uuid()
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: true)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(topicName, flexible: true)
            writer.uuid(topicId)
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: true)
            writer.noTaggedFields()
        }
    }
}
