// What consumers put into the opaque bytes of JoinGroup and SyncGroup. Both begin with an int16
// version; newer versions than ours only append fields, so readers take what they know.

import Base

/// What a member wants, versions 0 to 3, without the leading version.
package struct ConsumerProtocolSubscription: WireStructure, Equatable {
    package static let minimumWireBytes = 8

    /// One element for each topic.
    package var topics: [String] = []
    /// Bytes of the assignment strategy.
    package var userData: Bytes? = nil
    /// Partitions that the member had before. From version 1.
    package var ownedPartitions: [TopicPartition] = []
    /// Number of the membership, rising with each rebalance. From version 2.
    package var generationId: Int32 = -1
    /// Where the client stands. From version 3.
    package var rackId: String? = nil

    package init(
        topics: [String] = [], userData: Bytes? = nil, ownedPartitions: [TopicPartition] = [],
        generationId: Int32 = -1, rackId: String? = nil
    ) {
        self.topics = topics
        self.userData = userData
        self.ownedPartitions = ownedPartitions
        self.generationId = generationId
        self.rackId = rackId
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        topics = try reader.stringArray(flexible: false)
        userData = try reader.nullableBytesField(flexible: false)
        if version >= 1 { ownedPartitions = try reader.array(version: version, flexible: false) }
        if version >= 2 { generationId = try reader.int32() }
        if version >= 3 { rackId = try reader.nullableStringField(flexible: false) }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.stringArray(topics, flexible: false)
        writer.nullableBytesField(userData, flexible: false)
        if version >= 1 { writer.array(ownedPartitions, version: version, flexible: false) }
        if version >= 2 { writer.int32(generationId) }
        if version >= 3 { writer.nullableStringField(rackId, flexible: false) }
    }

    /// Partitions of one topic.
    package struct TopicPartition: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Name of the topic. From version 1.
        package var topic: String = ""
        /// One element for each partition. From version 1.
        package var partitions: [Int32] = []

        package init(topic: String = "", partitions: [Int32] = []) {
            self.topic = topic
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topic = try reader.stringField(flexible: false)
            partitions = try reader.int32Array(flexible: false)
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(topic, flexible: false)
            writer.int32Array(partitions, flexible: false)
        }
    }
}

/// What a member gets, versions 0 to 3, without the leading version.
package struct ConsumerProtocolAssignment: WireStructure, Equatable {
    package static let minimumWireBytes = 8

    /// Partitions that the member gets.
    package var assignedPartitions: [TopicPartition] = []
    /// Bytes of the assignment strategy.
    package var userData: Bytes? = nil

    package init(assignedPartitions: [TopicPartition] = [], userData: Bytes? = nil) {
        self.assignedPartitions = assignedPartitions
        self.userData = userData
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        assignedPartitions = try reader.array(version: version, flexible: false)
        userData = try reader.nullableBytesField(flexible: false)
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.array(assignedPartitions, version: version, flexible: false)
        writer.nullableBytesField(userData, flexible: false)
    }

    /// Partitions of one topic.
    package struct TopicPartition: WireStructure, Equatable {
        package static let minimumWireBytes = 6

        /// Name of the topic.
        package var topic: String = ""
        /// One element for each partition.
        package var partitions: [Int32] = []

        package init(topic: String = "", partitions: [Int32] = []) {
            self.topic = topic
            self.partitions = partitions
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            topic = try reader.stringField(flexible: false)
            partitions = try reader.int32Array(flexible: false)
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            writer.stringField(topic, flexible: false)
            writer.int32Array(partitions, flexible: false)
        }
    }
}
