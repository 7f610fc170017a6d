// The image as the content of a snapshot. Integers are big-endian; text, lists and optionals as in
// commands.
//
//   version (uint8, 1 today) · applied (int64) · next producer id (int64)
//   brokers: registration, epoch (int64), fenced (uint8)
//   topics: id, name, partitions: replicas, in sync, eligible, leader (optional node),
//           leader epoch (int32), partition epoch (int32)
//   configs: kind (uint8), resource, name (text), value (content)
//   slots: table, first (int64), list of version (int64), content
//   features: name, level (int16)

import Base

extension ClusterImage {
    static let version: UInt8 = 1

    package func encoded() -> Bytes {
        var writer = ByteWriter(capacity: 4096)
        writer.uint8(Self.version)
        writer.int64(applied.value)
        writer.int64(nextProducerID)
        writer.list(brokers.values) {
            $0.registration($1.registration)
            $0.int64($1.epoch)
            $0.uint8($1.isFenced ? 1 : 0)
        }
        writer.list(topics.values) {
            $0.uuid($1.id)
            $0.shortText($1.name)
            $0.list($1.partitions) { $0.partition($1) }
        }
        writer.list(Array(configs)) {
            $0.uint8($1.key.kind)
            $0.shortText($1.key.resource)
            $0.shortText($1.key.name)
            $0.content(Bytes(utf8: $1.value))
        }
        writer.list(Array(slots)) {
            $0.uuid($1.key)
            $0.int64($1.value.first)
            $0.list(Array($1.value.contents)) {
                $0.int64($1.key)
                $0.content($1.value)
            }
        }
        writer.list(Array(features)) {
            $0.shortText($1.key)
            $0.int16($1.value)
        }
        return writer.finish()
    }

    package init(_ bytes: Bytes) throws(DecodeFailure) {
        self.init()
        var reader = ByteReader(bytes)
        let version = try reader.uint8()
        guard version == Self.version else {
            throw .unsupported("metadata snapshot of version \(version)")
        }
        applied = LogIndex(try reader.natural("index"))
        nextProducerID = try reader.int64()
        for _ in 0..<(try reader.listCount("brokers", minimumBytes: 50)) {
            let registration = try reader.registration()
            let epoch = try reader.int64()
            brokers[registration.id] = Broker(
                registration: registration, epoch: epoch,
                isFenced: try reader.flags(most: 1) == 1)
        }
        for _ in 0..<(try reader.listCount("topics", minimumBytes: 22)) {
            let id = try reader.uuid()
            let at = reader.position
            let name = try reader.shortText()
            guard names[name] == nil, topics[id] == nil else {
                throw .malformed("topic \(name) stands twice", position: at)
            }
            var partitions: [PartitionState] = []
            for _ in 0..<(try reader.listCount("partitions", minimumBytes: 21)) {
                partitions.append(try reader.partition())
            }
            topics[id] = Topic(id: id, name: name, partitions: partitions)
            names[name] = id
        }
        for _ in 0..<(try reader.listCount("settings", minimumBytes: 9)) {
            let kind = try reader.uint8()
            let resource = try reader.shortText()
            let name = try reader.shortText()
            configs[ConfigKey(kind: kind, resource: resource, name: name)] =
                try reader.string(Int(try reader.uint32()))
        }
        for _ in 0..<(try reader.listCount("tables", minimumBytes: 28)) {
            let table = try reader.uuid()
            var known = Slots()
            known.first = try reader.int64()
            for _ in 0..<(try reader.listCount("slots", minimumBytes: 12)) {
                let at = reader.position
                let version = try reader.int64()
                guard version >= known.first else {
                    throw .invalid(what: "version of a slot", value: version, position: at)
                }
                known.contents[version] = try reader.content()
            }
            slots[table] = known
        }
        for _ in 0..<(try reader.listCount("features", minimumBytes: 4)) {
            let name = try reader.shortText()
            features[name] = try reader.int16()
        }
        guard reader.isAtEnd else {
            throw .malformed("bytes behind the image", position: reader.position)
        }
    }
}

extension ByteWriter {
    mutating func partition(_ state: PartitionState) {
        nodes(state.replicas)
        nodes(state.inSync)
        nodes(state.eligible)
        optional(state.leader) { $0.int32($1.value) }
        int32(state.leaderEpoch.value)
        int32(state.partitionEpoch)
    }
}

extension ByteReader {
    mutating func partition() throws(DecodeFailure) -> PartitionState {
        let at = position
        let replicas = try nodes()
        let inSync = try nodes()
        let eligible = try nodes()
        let leader = try flags(most: 1) == 1 ? try node() : nil
        let state = PartitionState(
            replicas: replicas, inSync: inSync, eligible: eligible, leader: leader,
            leaderEpoch: LeaderEpoch(try int32()), partitionEpoch: try int32())
        guard leader.map(inSync.contains) ?? true,
            (inSync + eligible).allSatisfy(replicas.contains)
        else { throw .malformed("a partition's leader or in-sync set", position: at) }
        return state
    }
}
