// Records of `__consumer_offsets` about groups whose coordinator assigns the partitions, as
// published. Keys are not flexible (strings with an int16 length), values are: lengths are unsigned
// varints + 1 and each structure ends in tagged fields.
//
// Key: int16 version, group string, then by version
//   3   the group's epoch            –
//   4   subscribed topics            –               written by older coordinators, not needed
//   5   a member and its wishes      member string
//   6   epoch of the target          –
//   7   the target of a member       member string
//   8   the place of a member        member string
//   16  what a pattern matched       pattern string
//
// Value: int16 version 0, then by the version of the key
//   3   epoch int32; tag 0: fingerprint of the subscribed topics int64
//   5   instance string?, rack string?, client id string, client host string, topics [string],
//       pattern string?, rebalance timeout int32 ms, assignor string?;
//       tag 0: what a member of the classic protocol adds: int8 1, session timeout int32 ms,
//       protocols [name string, metadata bytes]
//   6   epoch int32
//   7   partitions [topic id uuid, numbers [int32]]
//   8   epoch int32, previous epoch int32, state int8, assigned and then pending revocation:
//       partitions as in 7
//   16  topics [string], version of the topics int64, timestamp int64 ms since 1970

import Base
import WireProtocol

/// What one of these records says; nil contents are tombstones.
package enum ConsumerRecord: Equatable, Sendable {
    case epoch(group: String, Epoch?)
    case member(group: String, id: String, Wishes?)
    case targetEpoch(group: String, Int32?)
    case target(group: String, id: String, PartitionSet?)
    case place(group: String, id: String, Place?)
    case pattern(group: String, text: String, Pattern?)
    /// Kept by older coordinators; ours computes it.
    case topics(group: String)

    var isTombstone: Bool {
        switch self {
        case .epoch(_, nil), .member(_, _, nil), .targetEpoch(_, nil), .target(_, _, nil),
            .place(_, _, nil), .pattern(_, _, nil), .topics:
            true
        default: false
        }
    }

    var group: String {
        switch self {
        case .epoch(let group, _), .member(let group, _, _), .targetEpoch(let group, _),
            .target(let group, _, _), .place(let group, _, _), .pattern(let group, _, _),
            .topics(let group):
            group
        }
    }

    package struct Epoch: Equatable, Sendable {
        package var epoch: Int32
        package var topicFingerprint: Int64
    }

    package struct Wishes: Equatable, Sendable {
        package var instanceID: String?
        package var rackID: String?
        package var clientID: String
        package var clientHost: String
        package var topics: [String]
        package var regex: String?
        package var rebalanceTimeoutMilliseconds: Int32
        package var assignor: String?
        package var classic: Classic?

        package struct Classic: Equatable, Sendable {
            package var sessionTimeoutMilliseconds: Int32
            package var protocols: [MemberProtocol]
        }
    }

    package struct Place: Equatable, Sendable {
        package var epoch: Int32
        package var previousEpoch: Int32
        package var state: Int8
        package var assigned: PartitionSet
        package var pendingRevocation: PartitionSet
    }

    package struct Pattern: Equatable, Sendable {
        package var topics: [String]
        package var timestamp: Timestamp
    }
}

package enum ConsumerRecordFormat {
    private enum KeyVersion {
        static let epoch: Int16 = 3
        static let topics: Int16 = 4
        static let member: Int16 = 5
        static let targetEpoch: Int16 = 6
        static let target: Int16 = 7
        static let place: Int16 = 8
        static let pattern: Int16 = 16
    }

    package static func record(_ content: ConsumerRecord) -> GroupRecord {
        GroupRecord(key: key(content), value: value(content))
    }

    private static func key(_ content: ConsumerRecord) -> Bytes {
        let (version, rest): (Int16, String?) =
            switch content {
            case .epoch: (KeyVersion.epoch, nil)
            case .member(_, let id, _): (KeyVersion.member, id)
            case .targetEpoch: (KeyVersion.targetEpoch, nil)
            case .target(_, let id, _): (KeyVersion.target, id)
            case .place(_, let id, _): (KeyVersion.place, id)
            case .pattern(_, let text, _): (KeyVersion.pattern, text)
            case .topics: (KeyVersion.topics, nil)
            }
        var writer = ByteWriter(capacity: 96)
        writer.int16(version)
        writer.stringField(content.group, flexible: false)
        if let rest { writer.stringField(rest, flexible: false) }
        return writer.finish()
    }

    // MARK: Values

    private static func value(_ content: ConsumerRecord) -> Bytes? {
        var writer = ByteWriter(capacity: 128)
        writer.int16(0)
        switch content {
        case .epoch(_, let value?): write(value, &writer)
        case .member(_, _, let value?): write(value, &writer)
        case .targetEpoch(_, let value?):
            writer.int32(value)
            writer.noTaggedFields()
        case .target(_, _, let value?):
            write(value, &writer)
            writer.noTaggedFields()
        case .place(_, _, let value?):
            writer.int32(value.epoch)
            writer.int32(value.previousEpoch)
            writer.int8(value.state)
            write(value.assigned, &writer)
            write(value.pendingRevocation, &writer)
            writer.noTaggedFields()
        case .pattern(_, _, let value?):
            writer.stringArray(value.topics, flexible: true)
            writer.int64(0)
            writer.int64(value.timestamp.milliseconds)
            writer.noTaggedFields()
        default: return nil
        }
        return writer.finish()
    }

    private static func write(_ value: ConsumerRecord.Epoch, _ writer: inout ByteWriter) {
        writer.int32(value.epoch)
        var tags = TaggedFieldWriter()
        if value.topicFingerprint != 0 {
            var content = ByteWriter(capacity: 8)
            content.int64(value.topicFingerprint)
            tags.add(0, content.finish())
        }
        writer.taggedFields(tags)
    }

    private static func write(_ value: ConsumerRecord.Wishes, _ writer: inout ByteWriter) {
        writer.nullableStringField(value.instanceID, flexible: true)
        writer.nullableStringField(value.rackID, flexible: true)
        writer.stringField(value.clientID, flexible: true)
        writer.stringField(value.clientHost, flexible: true)
        writer.stringArray(value.topics, flexible: true)
        writer.nullableStringField(value.regex, flexible: true)
        writer.int32(value.rebalanceTimeoutMilliseconds)
        writer.nullableStringField(value.assignor, flexible: true)
        var tags = TaggedFieldWriter()
        if let classic = value.classic {
            var content = ByteWriter(capacity: 128)
            content.int8(1)
            content.int32(classic.sessionTimeoutMilliseconds)
            content.arrayCount(classic.protocols.count, flexible: true)
            for offered in classic.protocols {
                content.stringField(offered.name, flexible: true)
                content.bytesField(offered.metadata, flexible: true)
                content.noTaggedFields()
            }
            content.noTaggedFields()
            tags.add(0, content.finish())
        }
        writer.taggedFields(tags)
    }

    private static func write(_ partitions: PartitionSet, _ writer: inout ByteWriter) {
        let topics = partitions.byTopic
        writer.arrayCount(topics.count, flexible: true)
        for topic in topics {
            writer.uuid(topic.topicID)
            writer.int32Array(topic.partitions, flexible: true)
            writer.noTaggedFields()
        }
    }

    // MARK: Reading

    /// nil when the key is of another kind.
    package static func decode(
        key: Bytes, value: Bytes?
    ) throws(DecodeFailure) -> ConsumerRecord? {
        var reader = ByteReader(key)
        let version = try reader.int16()
        switch version {
        case KeyVersion.epoch...KeyVersion.place, KeyVersion.pattern: break
        default: return nil
        }
        let group = try reader.stringField(flexible: false)
        var body = try value.map { bytes throws(DecodeFailure) in try bodyReader(bytes) }
        switch version {
        case KeyVersion.epoch: return .epoch(group: group, try body?.groupEpoch())
        case KeyVersion.member:
            let id = try reader.stringField(flexible: false)
            return .member(group: group, id: id, try body?.wishes())
        case KeyVersion.targetEpoch: return .targetEpoch(group: group, try body?.int32())
        case KeyVersion.target:
            let id = try reader.stringField(flexible: false)
            return .target(group: group, id: id, try body?.partitions())
        case KeyVersion.place:
            let id = try reader.stringField(flexible: false)
            return .place(group: group, id: id, try body?.place())
        case KeyVersion.pattern:
            let text = try reader.stringField(flexible: false)
            return .pattern(group: group, text: text, try body?.pattern())
        default: return .topics(group: group)
        }
    }

    private static func bodyReader(_ value: Bytes) throws(DecodeFailure) -> ByteReader {
        var reader = ByteReader(value)
        let version = try reader.int16()
        guard version == 0 else {
            throw .invalid(what: "value version", value: Int64(version), position: 0)
        }
        return reader
    }
}

extension ByteReader {
    fileprivate mutating func groupEpoch() throws(DecodeFailure) -> ConsumerRecord.Epoch {
        var result = ConsumerRecord.Epoch(epoch: try int32(), topicFingerprint: 0)
        for field in try taggedFields() where field.tag == 0 {
            var content = ByteReader(field.content)
            result.topicFingerprint = try content.int64()
        }
        return result
    }

    fileprivate mutating func wishes() throws(DecodeFailure) -> ConsumerRecord.Wishes {
        let instance = try nullableStringField(flexible: true)
        let rack = try nullableStringField(flexible: true)
        let client = try stringField(flexible: true)
        let host = try stringField(flexible: true)
        let topics = try stringArray(flexible: true)
        let regex = try nullableStringField(flexible: true)
        let rebalance = try int32()
        let assignor = try nullableStringField(flexible: true)
        var result = ConsumerRecord.Wishes(
            instanceID: instance, rackID: rack, clientID: client, clientHost: host,
            topics: topics, regex: regex, rebalanceTimeoutMilliseconds: rebalance,
            assignor: assignor)
        for field in try taggedFields() where field.tag == 0 {
            var content = ByteReader(field.content)
            guard try content.int8() >= 0 else { continue }
            result.classic = try content.classicPart()
        }
        return result
    }

    fileprivate mutating func classicPart() throws(DecodeFailure) -> ConsumerRecord.Wishes.Classic {
        var result = ConsumerRecord.Wishes.Classic(
            sessionTimeoutMilliseconds: try int32(), protocols: [])
        let count = try arrayCount(flexible: true, minimumBytes: 3) ?? 0
        for _ in 0..<count {
            let name = try stringField(flexible: true)
            let metadata = try bytesField(flexible: true).compacted()
            try skipTaggedFields()
            result.protocols.append(MemberProtocol(name: name, metadata: metadata))
        }
        return result
    }

    fileprivate mutating func partitions() throws(DecodeFailure) -> PartitionSet {
        var result: [AssignedPartition] = []
        let count = try arrayCount(flexible: true, minimumBytes: 18) ?? 0
        for _ in 0..<count {
            let topic = try uuid()
            for number in try int32Array(flexible: true) {
                result.append(AssignedPartition(topicID: topic, partition: number))
            }
            try skipTaggedFields()
        }
        return PartitionSet(result)
    }

    fileprivate mutating func place() throws(DecodeFailure) -> ConsumerRecord.Place {
        let epoch = try int32()
        let previous = try int32()
        let state = try int8()
        let assigned = try partitions()
        return ConsumerRecord.Place(
            epoch: epoch, previousEpoch: previous, state: state, assigned: assigned,
            pendingRevocation: try partitions())
    }

    fileprivate mutating func pattern() throws(DecodeFailure) -> ConsumerRecord.Pattern {
        let topics = try stringArray(flexible: true)
        _ = try int64()
        return ConsumerRecord.Pattern(
            topics: topics, timestamp: Timestamp(milliseconds: try int64()))
    }
}
