// Records of the metadata: of the internal partition `__cluster_metadata-0` of a node that stands
// alone, of the entries of the quorum's log in a cluster (`MetadataEntry`). Integers are big-endian; text is a
// uint16 length and UTF-8.
//
// Key: what the record is about. A later record with the same key replaces an earlier one, so the
// partition may be compacted: what is left is always the whole state.
//   offset  size  field
//   0       1     type (see below)
//   1       …     identity: nothing (cluster, producer ids, leader epoch), 16 bytes (topic id),
//                 the name as UTF-8 to the end (object), kind (uint8) and name as UTF-8 to the
//                 end (settings), node (int32, broker), topic id and number (int32, partition),
//                 table id and version (int64, slot), table id (first slot), name (feature)
//
// Value: the whole new state; null = the thing is gone.
//   offset  size  field
//   0       1     version of the value, 1 today
//   1       …     by type:
//     1 cluster        cluster id (16 bytes)
//     2 topic          name (text), flags (uint8: bit 0 internal), partitions (int32),
//                      setting count (uint16), each: name (text), value (uint32 length, UTF-8)
//     3 producer ids   the first id that was not reserved yet (int64)
//     4 object         its bytes to the end
//     5 leader epoch   the epoch of all partitions since the last start (int32); of a node alone
//     6 broker         registration, epoch (int64), fenced (uint8)
//     7 partition      replicas, in sync, eligible, leader, leader epoch, partition epoch as in
//                      `ClusterCommandCoding`; a partition without is on the node that stands alone.
//                      While it moves the version is 2, and the replicas that come and those that go follow
//     8 slot           its bytes to the end
//     9 first slot     slots of the table below are gone (int64)
//    10 feature        level (int16)
//     32 settings      setting count (uint16), each as in a topic
//    16 access rule    nothing: the key says it all
//    17 credential     iterations (int32), then salt, stored key, server key, each uint16 length
//                      and bytes
//    18 quotas         count (uint8), each: kind (uint8), value (float64)
//
// Keys of types from 16 on, behind the type:
//    16 access rule    resource type, pattern type, operation, permission (one byte each), then
//                      resource name, principal, host (text)
//    17 credential     mechanism (uint8), user (text)
//    18 quotas         user, then client id, each: 0 absent | 1 default | 2 name (text)

import Base

/// One change of the cluster's metadata.
package enum MetadataRecord: Equatable, Sendable {
    case cluster(UUID128)
    case topic(TopicMetadata)
    case topicRemoved(UUID128)
    case producerIDsReserved(next: Int64)
    case object(name: String, content: Bytes)
    case objectRemoved(name: String)
    case leaderEpoch(LeaderEpoch)
    case acl(AclBinding)
    case aclRemoved(AclBinding)
    case credential(ScramCredentialKey, ScramCredential)
    case credentialRemoved(ScramCredentialKey)
    /// All quotas of one entity; none = they are gone.
    case quotas(QuotaEntity, OrderedMap<QuotaKind, Double>)
    /// All settings of a resource that is not a topic; none = it has none of its own.
    case settings(SettingsOwner, OrderedMap<String, String>)
    case broker(BrokerMetadata)
    case brokerRemoved(NodeID)
    /// Comes before the topic that it is of, or after it.
    case partition(topic: UUID128, Int32, PartitionState)
    case slot(table: UUID128, version: Int64, content: Bytes)
    case slotsTrimmed(table: UUID128, below: Int64)
    case feature(String, level: Int16)
}

/// What settings belong to, when it is not a topic.
package struct SettingsOwner: Hashable, Comparable, Sendable {
    /// The published number of the resource type: 4 a broker, 32 a group.
    package var kind: UInt8
    /// The broker's number, empty for all brokers; the group's name.
    package var name: String

    package init(kind: UInt8, name: String) {
        self.kind = kind
        self.name = name
    }

    /// Whoever has no settings of its own goes by these.
    package static let allBrokers = SettingsOwner(kind: 4, name: "")

    package static func < (left: SettingsOwner, right: SettingsOwner) -> Bool {
        left.kind != right.kind ? left.kind < right.kind : left.name < right.name
    }
}

/// A topic as the cluster agreed on it.
package struct TopicMetadata: Equatable, Sendable {
    package var id: UUID128
    package var name: String
    package var isInternal: Bool
    package var partitionCount: Int32
    /// Only what differs from the defaults, by published name.
    package var settings: OrderedMap<String, String>

    package init(
        id: UUID128, name: String, isInternal: Bool = false, partitionCount: Int32,
        settings: OrderedMap<String, String> = [:]
    ) {
        self.id = id
        self.name = name
        self.isInternal = isInternal
        self.partitionCount = partitionCount
        self.settings = settings
    }

    /// Its partitions, in order.
    package var partitions: [TopicPartition] {
        (0..<partitionCount).map { TopicPartition(topic: name, partition: $0) }
    }
}

extension MetadataRecord {
    private static let valueVersion: UInt8 = 1
    /// Of a partition whose replicas come and go.
    private static let movingVersion: UInt8 = 2

    private enum Kind: UInt8 {
        case cluster = 1
        case topic = 2
        case producerIDs = 3
        case object = 4
        case leaderEpoch = 5
        case broker = 6
        case partition = 7
        case slot = 8
        case firstSlot = 9
        case feature = 10
        case settings = 32
        case acl = 16
        case credential = 17
        case quotas = 18
    }

    /// Nodes that know version 1 only read all partitions but those that move.
    private var version: UInt8 {
        if case .partition(_, _, let state) = self, state.isMoving { return Self.movingVersion }
        return Self.valueVersion
    }

    package func encoded() -> (key: Bytes, value: Bytes?) {
        var key = ByteWriter(capacity: 32)
        var value = ByteWriter(capacity: 64)
        value.uint8(version)
        switch self {
        case .cluster(let id):
            key.uint8(Kind.cluster.rawValue)
            value.identifier(id)
        case .topic(let topic):
            key.uint8(Kind.topic.rawValue)
            key.identifier(topic.id)
            value.text(topic.name)
            value.uint8(topic.isInternal ? 1 : 0)
            value.int32(topic.partitionCount)
            value.settings(topic.settings)
        case .topicRemoved(let id):
            key.uint8(Kind.topic.rawValue)
            key.identifier(id)
            return (key.finish(), nil)
        case .producerIDsReserved(let next):
            key.uint8(Kind.producerIDs.rawValue)
            value.int64(next)
        case .object(let name, let content):
            key.uint8(Kind.object.rawValue)
            key.utf8(name)
            value.bytes(content)
        case .objectRemoved(let name):
            key.uint8(Kind.object.rawValue)
            key.utf8(name)
            return (key.finish(), nil)
        case .leaderEpoch(let epoch):
            key.uint8(Kind.leaderEpoch.rawValue)
            value.int32(epoch.value)
        case .settings(let owner, let settings):
            key.uint8(Kind.settings.rawValue)
            key.uint8(owner.kind)
            key.utf8(owner.name)
            if settings.isEmpty { return (key.finish(), nil) }
            value.settings(settings)
        case .broker(let broker):
            key.uint8(Kind.broker.rawValue)
            key.int32(broker.registration.id.value)
            value.registration(broker.registration)
            value.int64(broker.epoch)
            value.uint8(broker.isFenced ? 1 : 0)
        case .brokerRemoved(let id):
            key.uint8(Kind.broker.rawValue)
            key.int32(id.value)
            return (key.finish(), nil)
        case .partition(let topic, let partition, let state):
            key.uint8(Kind.partition.rawValue)
            key.identifier(topic)
            key.int32(partition)
            value.partition(state)
        case .slot(let table, let version, let content):
            key.uint8(Kind.slot.rawValue)
            key.identifier(table)
            key.int64(version)
            value.bytes(content)
        case .slotsTrimmed(let table, let below):
            key.uint8(Kind.firstSlot.rawValue)
            key.identifier(table)
            value.int64(below)
        case .feature(let name, let level):
            key.uint8(Kind.feature.rawValue)
            key.utf8(name)
            value.int16(level)
        case .acl(let binding):
            key.uint8(Kind.acl.rawValue)
            key.binding(binding)
        case .aclRemoved(let binding):
            key.uint8(Kind.acl.rawValue)
            key.binding(binding)
            return (key.finish(), nil)
        case .credential(let name, let credential):
            key.uint8(Kind.credential.rawValue)
            key.credentialKey(name)
            value.credential(credential)
        case .credentialRemoved(let name):
            key.uint8(Kind.credential.rawValue)
            key.credentialKey(name)
            return (key.finish(), nil)
        case .quotas(let entity, let quotas):
            key.uint8(Kind.quotas.rawValue)
            key.quotaPart(entity.user)
            key.quotaPart(entity.clientID)
            if quotas.isEmpty { return (key.finish(), nil) }
            value.uint8(UInt8(quotas.count))
            for (kind, limit) in quotas {
                value.uint8(kind.rawValue)
                value.float64(limit)
            }
        }
        return (key.finish(), value.finish())
    }

    package init(key keyBytes: Bytes?, value: Bytes?) throws(DecodeFailure) {
        guard let bytes = keyBytes else {
            throw .malformed("metadata record without a key", position: 0)
        }
        var key = ByteReader(bytes)
        let type = try key.uint8()
        guard let kind = Kind(rawValue: type) else {
            throw .unsupported(
                "metadata record type \(type), written by a newer version of this software")
        }
        guard let value else {
            switch kind {
            case .topic: self = .topicRemoved(try key.identifier())
            case .object: self = .objectRemoved(name: try key.string(key.remaining))
            case .settings: self = .settings(try Self.owner(&key), [:])
            case .acl: self = .aclRemoved(try key.binding())
            case .credential: self = .credentialRemoved(try key.credentialKey())
            case .quotas: self = .quotas(try key.quotaEntity(), [:])
            case .broker: self = .brokerRemoved(try key.node())
            default: throw .malformed("metadata record type \(type) without a value", position: 0)
            }
            return
        }
        var reader = ByteReader(value)
        let version = try reader.uint8()
        let isMoving = kind == .partition && version == Self.movingVersion
        guard version == Self.valueVersion || isMoving else {
            throw .unsupported(
                "version \(version) of metadata record type \(type), "
                    + "written by a newer version of this software")
        }
        switch kind {
        case .cluster: self = .cluster(try reader.identifier())
        case .topic: self = .topic(try Self.topic(id: try key.identifier(), &reader))
        case .producerIDs:
            let next = try reader.int64()
            guard next >= 0 else {
                throw .invalid(what: "producer id", value: next, position: reader.position)
            }
            self = .producerIDsReserved(next: next)
        case .object:
            self = .object(
                name: try key.string(key.remaining), content: reader.rest().compacted())
        case .leaderEpoch: self = .leaderEpoch(LeaderEpoch(try reader.int32()))
        case .settings: self = .settings(try Self.owner(&key), try reader.settings())
        case .acl: self = .acl(try key.binding())
        case .credential:
            let name = try key.credentialKey()
            self = .credential(name, try reader.credential(of: name.mechanism))
        case .quotas: self = .quotas(try key.quotaEntity(), try reader.quotas())
        case .broker:
            let id = try key.node()
            let registration = try reader.registration()
            let epoch = try reader.int64()
            guard registration.id == id else {
                throw .malformed("a broker under another number", position: reader.position)
            }
            self = .broker(
                BrokerMetadata(
                    registration: registration, epoch: epoch,
                    isFenced: try reader.flags(most: 1) == 1))
        case .partition:
            let topic = try key.identifier()
            let number = try key.int32()
            guard number >= 0, Int(number) < Limits.partitionsPerTopic else {
                throw .invalid(what: "partition", value: Int64(number), position: key.position)
            }
            self = .partition(topic: topic, number, try reader.partition(isMoving: isMoving))
        case .slot:
            let table = try key.identifier()
            self = .slot(
                table: table, version: try key.int64(), content: reader.rest().compacted())
        case .firstSlot:
            self = .slotsTrimmed(table: try key.identifier(), below: try reader.int64())
        case .feature:
            self = .feature(try key.string(key.remaining), level: try reader.int16())
        }
        guard key.isAtEnd else {
            throw .malformed("metadata key goes on after its end", position: key.position)
        }
        guard reader.isAtEnd else {
            throw .malformed("metadata value goes on after its end", position: reader.position)
        }
    }

    private static func owner(
        _ key: inout ByteReader
    ) throws(DecodeFailure) -> SettingsOwner {
        SettingsOwner(kind: try key.uint8(), name: try key.string(key.remaining))
    }

    private static func topic(
        id: UUID128, _ reader: inout ByteReader
    ) throws(DecodeFailure) -> TopicMetadata {
        let name = try reader.text()
        let flags = try reader.uint8()
        let partitions = try reader.int32()
        guard partitions > 0, Int(partitions) <= Limits.partitionsPerTopic else {
            throw .invalid(
                what: "partition count", value: Int64(partitions), position: reader.position)
        }
        var topic = TopicMetadata(
            id: id, name: name, isInternal: flags & 1 != 0, partitionCount: partitions)
        topic.settings = try reader.settings()
        return topic
    }
}

extension ByteWriter {
    mutating func identifier(_ id: UUID128) {
        int64(Int64(bitPattern: id.high))
        int64(Int64(bitPattern: id.low))
    }

    fileprivate mutating func settings(_ settings: OrderedMap<String, String>) {
        precondition(settings.count <= Int(UInt16.max), "settings are a known few")
        uint16(UInt16(settings.count))
        for (name, setting) in settings {
            text(name)
            uint32(UInt32(setting.utf8.count))
            utf8(setting)
        }
    }

    mutating func text(_ text: String) {
        let length = text.utf8.count
        precondition(length <= Int(UInt16.max), "names are checked before they get here")
        uint16(UInt16(length))
        utf8(text)
    }
}

extension ByteReader {
    mutating func identifier() throws(DecodeFailure) -> UUID128 {
        let high = UInt64(bitPattern: try int64())
        return UUID128(high: high, low: UInt64(bitPattern: try int64()))
    }

    fileprivate mutating func settings() throws(DecodeFailure) -> OrderedMap<String, String> {
        var settings: OrderedMap<String, String> = [:]
        let count = try checkedCount(
            Int(try uint16()), minimumBytes: 6, what: "setting count")
        for _ in 0..<count {
            let setting = try text()
            settings[setting] = try string(Int(try uint32()))
        }
        return settings
    }

    mutating func text() throws(DecodeFailure) -> String {
        try string(Int(try uint16()))
    }
}
