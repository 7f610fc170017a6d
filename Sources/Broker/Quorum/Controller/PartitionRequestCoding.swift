// A replica's wish about a partition, as nodes send it to the controller. Integers are big-endian.
//
//   offset size field
//   0      1    version, 1 today
//   1      16   topic id
//   17     4    partition
//   21     4    sender
//   25     8    registration of the sender
//   33     4    leader epoch
//   37     4    partition epoch
//   41     1    change: 1 in-sync set, 2 raise the epoch, 3 damaged
//   42     …    of an in-sync set: the nodes, and of each that joins node (int32) and registration (int64);
//               both are lists: count (uint32), elements

import Base

extension PartitionRequest {
    static let version: UInt8 = 1

    package func encoded() -> Bytes {
        var writer = ByteWriter(capacity: 96)
        writer.uint8(Self.version)
        writer.uuid(topic)
        writer.int32(partition)
        writer.int32(from.value)
        writer.int64(brokerEpoch)
        writer.int32(leaderEpoch.value)
        writer.int32(partitionEpoch)
        switch change {
        case .inSync(let wanted, let joining):
            writer.uint8(1)
            writer.nodes(wanted)
            writer.list(joining) {
                $0.int32($1.node.value)
                $0.int64($1.epoch)
            }
        case .raiseEpoch: writer.uint8(2)
        case .damaged: writer.uint8(3)
        }
        return writer.finish()
    }

    package init(_ bytes: Bytes) throws(DecodeFailure) {
        var reader = ByteReader(bytes)
        let version = try reader.uint8()
        guard version == Self.version else {
            throw .unsupported("wish about a partition of version \(version)")
        }
        topic = try reader.uuid()
        partition = try reader.int32()
        from = try reader.node()
        brokerEpoch = try reader.int64()
        leaderEpoch = LeaderEpoch(try reader.int32())
        partitionEpoch = try reader.int32()
        let type = try reader.uint8()
        switch type {
        case 1:
            let wanted = try reader.nodes()
            let count = try reader.listCount("joining brokers", minimumBytes: 12)
            var joining: [Joining] = []
            joining.reserveCapacity(count)
            for _ in 0..<count {
                joining.append(Joining(node: try reader.node(), epoch: try reader.int64()))
            }
            change = .inSync(wanted, joining: joining)
        case 2: change = .raiseEpoch
        case 3: change = .damaged
        default:
            throw .invalid(what: "wish about a partition", value: Int64(type), position: 41)
        }
        guard reader.isAtEnd else {
            throw .malformed("bytes behind the wish", position: reader.position)
        }
    }
}
