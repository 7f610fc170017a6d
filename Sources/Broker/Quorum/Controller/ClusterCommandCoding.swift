// A command to the controller, as nodes send it to each other, and its outcome. Integers are
// big-endian.
//
//   offset size field
//   0      1    version, 1 today
//   1      1    type, in the order of `ClusterCommand`, from 1
//   2      …    its values in the order of the declaration
//
// text: length (uint16), UTF-8 · optional: 0, or 1 and the value (uint8) · list: count (uint32),
// elements · node: int32 · id: 16 bytes · content: length (uint32), bytes

import Base

extension ClusterCommand {
    static let version: UInt8 = 1

    package func encoded() -> Bytes {
        var writer = ByteWriter(capacity: 128)
        writer.uint8(Self.version)
        switch self {
        case .register(let registration):
            writer.uint8(1)
            writer.registration(registration)
        case .fence(let id, let epoch), .unfence(let id, let epoch):
            if case .fence = self { writer.uint8(2) } else { writer.uint8(3) }
            writer.int32(id.value)
            writer.int64(epoch)
        case .unregister(let id):
            writer.uint8(4)
            writer.int32(id.value)
        case .changePartition(
            let topic, let partition, let expected, let inSync, let eligible, let leader,
            let raisesEpoch):
            writer.uint8(5)
            writer.uuid(topic)
            writer.int32(partition)
            writer.int32(expected)
            writer.nodes(inSync)
            writer.nodes(eligible)
            writer.optional(leader) { $0.int32($1.value) }
            writer.uint8(raisesEpoch ? 1 : 0)
        case .reserveProducerIDs(let id, let epoch, let count):
            writer.uint8(6)
            writer.int32(id.value)
            writer.int64(epoch)
            writer.int32(count)
        case .putSlot(let table, let version, let content):
            writer.uint8(7)
            writer.uuid(table)
            writer.int64(version)
            writer.content(content)
        case .trimSlots(let table, let below):
            writer.uint8(8)
            writer.uuid(table)
            writer.int64(below)
        case .setFeature(let name, let level):
            writer.uint8(9)
            writer.shortText(name)
            writer.int16(level)
        case .electUncleanly(let topic, let partition, let expected, let leader):
            writer.uint8(10)
            writer.uuid(topic)
            writer.int32(partition)
            writer.int32(expected)
            writer.int32(leader.value)
        case .reassign(let topic, let partition, let expected, let replicas):
            writer.uint8(11)
            writer.uuid(topic)
            writer.int32(partition)
            writer.int32(expected)
            writer.optional(replicas) { $0.nodes($1) }
        }
        return writer.finish()
    }

    package init(_ bytes: Bytes) throws(DecodeFailure) {
        var reader = ByteReader(bytes)
        let version = try reader.uint8()
        guard version == Self.version else {
            throw .unsupported("controller command of version \(version)")
        }
        let type = try reader.uint8()
        switch type {
        case 1: self = .register(try reader.registration())
        case 2: self = .fence(try reader.node(), epoch: try reader.int64())
        case 3: self = .unfence(try reader.node(), epoch: try reader.int64())
        case 4: self = .unregister(try reader.node())
        case 5:
            let topic = try reader.uuid()
            let partition = try reader.int32()
            let expected = try reader.int32()
            let inSync = try reader.nodes()
            let eligible = try reader.nodes()
            let leader = try reader.flags(most: 1) == 1 ? try reader.node() : nil
            self = .changePartition(
                topic: topic, partition: partition, expected: expected, inSync: inSync,
                eligible: eligible, leader: leader, raisesEpoch: try reader.flags(most: 1) == 1)
        case 6:
            let id = try reader.node()
            let epoch = try reader.int64()
            self = .reserveProducerIDs(id, epoch: epoch, count: try reader.int32())
        case 7:
            let table = try reader.uuid()
            let version = try reader.int64()
            self = .putSlot(table: table, version: version, content: try reader.content())
        case 8: self = .trimSlots(table: try reader.uuid(), below: try reader.int64())
        case 9: self = .setFeature(try reader.shortText(), level: try reader.int16())
        case 10:
            let topic = try reader.uuid()
            let partition = try reader.int32()
            let expected = try reader.int32()
            self = .electUncleanly(
                topic: topic, partition: partition, expected: expected,
                leader: try reader.node())
        case 11:
            let topic = try reader.uuid()
            let partition = try reader.int32()
            let expected = try reader.int32()
            self = .reassign(
                topic: topic, partition: partition, expected: expected,
                replicas: try reader.flags(most: 1) == 1 ? try reader.nodes() : nil)
        default:
            throw .invalid(what: "type of a controller command", value: Int64(type), position: 1)
        }
        guard reader.isAtEnd else {
            throw .malformed("bytes behind the command", position: reader.position)
        }
    }
}

extension ByteWriter {
    /// At most 65,535 bytes of UTF-8, which whoever makes a command checks.
    mutating func shortText(_ text: String) {
        precondition(text.utf8.count <= Int(UInt16.max), "a name is short")
        uint16(UInt16(text.utf8.count))
        utf8(text)
    }

    mutating func content(_ value: Bytes) {
        uint32(UInt32(value.count))
        bytes(value)
    }

    mutating func list<Element>(
        _ elements: [Element], _ write: (inout ByteWriter, Element) -> Void
    ) {
        uint32(UInt32(elements.count))
        for element in elements { write(&self, element) }
    }

    mutating func optional<Value>(_ value: Value?, _ write: (inout ByteWriter, Value) -> Void) {
        uint8(value == nil ? 0 : 1)
        if let value { write(&self, value) }
    }

    mutating func nodes(_ nodes: [NodeID]) {
        list(nodes) { $0.int32($1.value) }
    }

    mutating func registration(_ value: BrokerRegistration) {
        int32(value.id.value)
        uuid(value.incarnation)
        uuid(value.directory)
        optional(value.rack) { $0.shortText($1) }
        list(value.endpoints) {
            $0.shortText($1.listener)
            $0.shortText($1.host)
            $0.uint16($1.port)
        }
    }
}

extension ByteReader {
    mutating func node() throws(DecodeFailure) -> NodeID { NodeID(try int32()) }

    mutating func shortText() throws(DecodeFailure) -> String { try string(Int(try uint16())) }

    mutating func content() throws(DecodeFailure) -> Bytes {
        try slice(Int(try uint32())).compacted()
    }

    mutating func listCount(_ what: String, minimumBytes: Int) throws(DecodeFailure) -> Int {
        try checkedCount(Int(try uint32()), minimumBytes: minimumBytes, what: what)
    }

    mutating func nodes() throws(DecodeFailure) -> [NodeID] {
        let count = try listCount("nodes", minimumBytes: 4)
        var result: [NodeID] = []
        result.reserveCapacity(count)
        for _ in 0..<count { result.append(try node()) }
        return result
    }

    mutating func registration() throws(DecodeFailure) -> BrokerRegistration {
        let id = try node()
        let incarnation = try uuid()
        let directory = try uuid()
        let rack = try flags(most: 1) == 1 ? try shortText() : nil
        let count = try listCount("endpoints", minimumBytes: 6)
        var endpoints: [BrokerRegistration.Endpoint] = []
        for _ in 0..<count {
            let listener = try shortText()
            let host = try shortText()
            endpoints.append(.init(listener: listener, host: host, port: try uint16()))
        }
        return BrokerRegistration(
            id: id, incarnation: incarnation, directory: directory, rack: rack,
            endpoints: endpoints)
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
        if state.isMoving {
            nodes(state.adding)
            nodes(state.removing)
        }
    }
}

extension ByteReader {
    /// `isMoving`: behind what every partition has stand the replicas that come and go.
    mutating func partition(isMoving: Bool) throws(DecodeFailure) -> PartitionState {
        let at = position
        let replicas = try nodes()
        let inSync = try nodes()
        let eligible = try nodes()
        let leader = try flags(most: 1) == 1 ? try node() : nil
        var state = PartitionState(
            replicas: replicas, inSync: inSync, eligible: eligible, leader: leader,
            leaderEpoch: LeaderEpoch(try int32()), partitionEpoch: try int32())
        if isMoving {
            state.adding = try nodes()
            state.removing = try nodes()
        }
        guard leader.map(inSync.contains) ?? true,
            (inSync + eligible + state.adding + state.removing).allSatisfy(replicas.contains)
        else { throw .malformed("a partition's leader or in-sync set", position: at) }
        return state
    }
}
