// Records of `__consumer_offsets`, as published: integers big-endian, strings with an int16 length
// (-1 = null), bytes with an int32 length (-1 = null); from the versions marked "flexible" on,
// lengths are unsigned varints + 1 and each structure ends in tagged fields.
//
// Key (first field: int16 version)
//   version 0, 1   offset of a partition    group string, topic string, partition int32
//   version 2      group metadata           group string
//
// Value of an offset (first field: int16 version)
//   field            type      versions
//   offset           int64     0+
//   leaderEpoch      int32     3+
//   metadata         string    0+
//   commitTimestamp  int64     0+      ms since 1970
//   expireTimestamp  int64     1 only  ms since 1970
//   topicId          uuid      4+, tag 0; flexible from 4 on
//
// Value of a group (first field: int16 version)
//   field                  type             versions
//   protocolType           string           0+
//   generation             int32            0+
//   protocol               nullable string  0+
//   leader                 nullable string  0+
//   currentStateTimestamp  int64            2+
//   members                array, each:     0+; flexible from 4 on
//     memberId             string           0+
//     groupInstanceId      nullable string  3+
//     clientId             string           0+
//     clientHost           string           0+
//     rebalanceTimeout     int32 ms         1+
//     sessionTimeout       int32 ms         0+
//     subscription         bytes            0+
//     assignment           bytes            0+
//
// Written: offset keys 1, offset values 3 (1 with an expireTimestamp), group values 3. Read: everything above.

import Base

/// What a record of the topic says.
package enum GroupRecordContent: Equatable, Sendable {
    case offset(group: String, partition: TopicPartition, CommittedOffset?)
    case group(String, GroupSnapshot?)
    /// Of a group of the newer protocol; see `ConsumerRecordFormat`.
    case consumer(ConsumerRecord)
    /// A kind of record of newer coordinators that this one does not keep.
    case unknown(keyVersion: Int16)
}

/// The durable part of a group.
package struct GroupSnapshot: Equatable, Sendable {
    package var protocolType: String
    package var generation: Int32
    package var protocolName: String?
    package var leader: String?
    package var stateTimestamp: Timestamp?
    package var members: [Member]

    package init(
        protocolType: String, generation: Int32, protocolName: String?, leader: String?,
        stateTimestamp: Timestamp?, members: [Member]
    ) {
        self.protocolType = protocolType
        self.generation = generation
        self.protocolName = protocolName
        self.leader = leader
        self.stateTimestamp = stateTimestamp
        self.members = members
    }

    package struct Member: Equatable, Sendable {
        package var id: String
        package var instanceID: String?
        package var clientID: String
        package var clientHost: String
        package var rebalanceTimeoutMilliseconds: Int32
        package var sessionTimeoutMilliseconds: Int32
        package var subscription: Bytes
        package var assignment: Bytes

        package init(
            id: String, instanceID: String?, clientID: String, clientHost: String,
            rebalanceTimeoutMilliseconds: Int32, sessionTimeoutMilliseconds: Int32,
            subscription: Bytes, assignment: Bytes
        ) {
            self.id = id
            self.instanceID = instanceID
            self.clientID = clientID
            self.clientHost = clientHost
            self.rebalanceTimeoutMilliseconds = rebalanceTimeoutMilliseconds
            self.sessionTimeoutMilliseconds = sessionTimeoutMilliseconds
            self.subscription = subscription
            self.assignment = assignment
        }
    }
}

package enum GroupRecordFormat {
    package static func offsetKey(group: String, partition: TopicPartition) -> Bytes {
        var writer = ByteWriter(capacity: 64)
        writer.int16(1)
        writer.shortString(group)
        writer.shortString(partition.topic)
        writer.int32(partition.partition)
        return writer.finish()
    }

    package static func offsetValue(_ offset: CommittedOffset) -> Bytes {
        var writer = ByteWriter(capacity: 48)
        // Only version 1 has an end; those who set one don't know leader epochs.
        writer.int16(offset.expireTimestamp == nil ? 3 : 1)
        writer.int64(offset.offset)
        if offset.expireTimestamp == nil { writer.int32(offset.leaderEpoch) }
        writer.shortString(offset.metadata)
        writer.int64(offset.commitTimestamp.milliseconds)
        if let end = offset.expireTimestamp { writer.int64(end.milliseconds) }
        return writer.finish()
    }

    package static func groupKey(_ group: String) -> Bytes {
        var writer = ByteWriter(capacity: 64)
        writer.int16(2)
        writer.shortString(group)
        return writer.finish()
    }

    package static func groupValue(_ group: GroupSnapshot) -> Bytes {
        var writer = ByteWriter(capacity: 256)
        writer.int16(3)
        writer.shortString(group.protocolType)
        writer.int32(group.generation)
        writer.shortString(group.protocolName)
        writer.shortString(group.leader)
        writer.int64(group.stateTimestamp?.milliseconds ?? -1)
        writer.int32(Int32(clamping: group.members.count))
        for member in group.members {
            writer.shortString(member.id)
            writer.shortString(member.instanceID)
            writer.shortString(member.clientID)
            writer.shortString(member.clientHost)
            writer.int32(member.rebalanceTimeoutMilliseconds)
            writer.int32(member.sessionTimeoutMilliseconds)
            writer.int32(Int32(clamping: member.subscription.count))
            writer.bytes(member.subscription)
            writer.int32(Int32(clamping: member.assignment.count))
            writer.bytes(member.assignment)
        }
        return writer.finish()
    }

    /// Reads one record of the topic.
    package static func decode(
        key: Bytes, value: Bytes?
    ) throws(DecodeFailure) -> GroupRecordContent {
        var reader = RecordReader(key)
        let version = try reader.bytes.int16()
        switch version {
        case 0, 1:
            let group = try reader.string()
            let topic = try reader.string()
            let partition = try reader.bytes.int32()
            let content = try value.map { value throws(DecodeFailure) in try offset(value) }
            return .offset(
                group: group, partition: TopicPartition(topic: topic, partition: partition), content
            )
        case 2:
            let name = try reader.string()
            let content = try value.map { value throws(DecodeFailure) in try group(value) }
            return .group(name, content)
        default:
            if let record = try ConsumerRecordFormat.decode(key: key, value: value) {
                return .consumer(record)
            }
            return .unknown(keyVersion: version)
        }
    }

    private static func offset(_ value: Bytes) throws(DecodeFailure) -> CommittedOffset {
        var reader = RecordReader(value)
        let version = try reader.version(0...4, what: "offset value version")
        reader.isFlexible = version >= 4
        let offset = try reader.bytes.int64()
        let leaderEpoch = version >= 3 ? try reader.bytes.int32() : -1
        let metadata = try reader.string()
        let committed = try reader.bytes.int64()
        let expires = version == 1 ? try reader.bytes.int64() : -1
        return CommittedOffset(
            offset: offset, leaderEpoch: leaderEpoch, metadata: metadata,
            commitTimestamp: Timestamp(milliseconds: committed),
            expireTimestamp: expires < 0 ? nil : Timestamp(milliseconds: expires))
    }

    private static func group(_ value: Bytes) throws(DecodeFailure) -> GroupSnapshot {
        var reader = RecordReader(value)
        let version = try reader.version(0...4, what: "group value version")
        reader.isFlexible = version >= 4
        let protocolType = try reader.string()
        let generation = try reader.bytes.int32()
        let protocolName = try reader.nullableString()
        let leader = try reader.nullableString()
        let timestamp = version >= 2 ? try reader.bytes.int64() : -1
        var snapshot = GroupSnapshot(
            protocolType: protocolType, generation: generation, protocolName: protocolName,
            leader: leader,
            stateTimestamp: timestamp < 0 ? nil : Timestamp(milliseconds: timestamp), members: [])
        let count = try reader.count(minimumBytes: 8, what: "member count")
        snapshot.members.reserveCapacity(count)
        for _ in 0..<count {
            snapshot.members.append(try member(&reader, version: version))
        }
        return snapshot
    }

    private static func member(
        _ reader: inout RecordReader, version: Int16
    ) throws(DecodeFailure) -> GroupSnapshot.Member {
        let id = try reader.string()
        let instance = version >= 3 ? try reader.nullableString() : nil
        let client = try reader.string()
        let host = try reader.string()
        let rebalance = version >= 1 ? try reader.bytes.int32() : nil
        let session = try reader.bytes.int32()
        let subscription = try reader.data()
        let assignment = try reader.data()
        if reader.isFlexible { try reader.skipTags() }
        return GroupSnapshot.Member(
            id: id, instanceID: instance, clientID: client, clientHost: host,
            rebalanceTimeoutMilliseconds: rebalance ?? session,
            sessionTimeoutMilliseconds: session, subscription: subscription,
            assignment: assignment)
    }
}

extension ByteWriter {
    /// A string of the protocol is at most 32,767 bytes; ours came in through one.
    fileprivate mutating func shortString(_ text: String?) {
        guard let text else { return int16(-1) }
        let length = text.utf8.count
        precondition(length <= Int(Int16.max), "a protocol string is at most 32767 bytes")
        int16(Int16(length))
        utf8(text)
    }
}

/// Reads strings, bytes and counts in the old or the flexible encoding.
private struct RecordReader {
    var bytes: ByteReader
    var isFlexible = false

    init(_ bytes: Bytes) { self.bytes = ByteReader(bytes) }

    mutating func version(
        _ range: ClosedRange<Int16>, what: String
    ) throws(DecodeFailure) -> Int16 {
        let version = try bytes.int16()
        guard range.contains(version) else {
            throw .invalid(what: what, value: Int64(version), position: 0)
        }
        return version
    }

    mutating func nullableString() throws(DecodeFailure) -> String? {
        if isFlexible {
            let length = try bytes.unsignedVarint()
            return length == 0 ? nil : try bytes.string(Int(length) - 1)
        }
        let length = try bytes.int16()
        return length < 0 ? nil : try bytes.string(Int(length))
    }

    mutating func string() throws(DecodeFailure) -> String {
        let position = bytes.position
        guard let text = try nullableString() else {
            throw .malformed("null where text is required", position: position)
        }
        return text
    }

    mutating func data() throws(DecodeFailure) -> Bytes {
        if isFlexible {
            let length = try bytes.unsignedVarint()
            return length == 0 ? .empty : try bytes.slice(Int(length) - 1).compacted()
        }
        let length = try bytes.int32()
        return length < 0 ? .empty : try bytes.slice(Int(length)).compacted()
    }

    mutating func count(minimumBytes: Int, what: String) throws(DecodeFailure) -> Int {
        let raw = isFlexible ? Int(try bytes.unsignedVarint()) - 1 : Int(try bytes.int32())
        return try bytes.checkedCount(max(raw, 0), minimumBytes: minimumBytes, what: what)
    }

    mutating func skipTags() throws(DecodeFailure) {
        let count = try bytes.unsignedVarint()
        for _ in 0..<(try bytes.checkedCount(Int(count), minimumBytes: 2, what: "tag count")) {
            _ = try bytes.unsignedVarint()
            try bytes.skip(Int(try bytes.unsignedVarint()))
        }
    }
}
