// The outcome of a command on the wire. Integers are big-endian.
//
//   version (uint8, 1 today) · type (uint8) · values:
//   1 done · 2 registered: epoch (int64) · 3 producer ids: first (int64), count (int32)
//   4 taken: content · 5 refused: reason (uint8, in the order of `ClusterRefusal`, from 1),
//     its number (int64, 0 when it has none)

import Base

extension ClusterOutcome {
    static let version: UInt8 = 1

    package func encoded() -> Bytes {
        var writer = ByteWriter(capacity: 32)
        writer.uint8(Self.version)
        switch self {
        case .done: writer.uint8(1)
        case .registered(let epoch):
            writer.uint8(2)
            writer.int64(epoch)
        case .producerIDs(let first, let count):
            writer.uint8(3)
            writer.int64(first)
            writer.int32(count)
        case .taken(let content):
            writer.uint8(4)
            writer.content(content)
        case .refused(let refusal):
            writer.uint8(5)
            let (reason, number) = refusal.numbers
            writer.uint8(reason)
            writer.int64(number)
        }
        return writer.finish()
    }

    package init(_ bytes: Bytes) throws(DecodeFailure) {
        var reader = ByteReader(bytes)
        let version = try reader.uint8()
        guard version == Self.version else {
            throw .unsupported("outcome of a controller command of version \(version)")
        }
        let type = try reader.uint8()
        switch type {
        case 1: self = .done
        case 2: self = .registered(epoch: try reader.int64())
        case 3:
            let first = try reader.int64()
            let count = try reader.int32()
            guard first >= 0, count > 0, first <= Int64.max - Int64(count) else {
                throw .invalid(what: "producer ids", value: first, position: 2)
            }
            self = .producerIDs(first: first, count: count)
        case 4: self = .taken(try reader.content())
        case 5:
            let reason = try reader.uint8()
            guard let refusal = ClusterRefusal(reason, try reader.int64()) else {
                throw .invalid(what: "refusal", value: Int64(reason), position: 2)
            }
            self = .refused(refusal)
        default:
            throw .invalid(what: "type of an outcome", value: Int64(type), position: 1)
        }
        guard reader.isAtEnd else {
            throw .malformed("bytes behind the outcome", position: reader.position)
        }
    }
}

extension ClusterRefusal {
    fileprivate var numbers: (reason: UInt8, number: Int64) {
        switch self {
        case .unknownBroker: (1, 0)
        case .staleBrokerEpoch(let current): (2, current)
        case .duplicateBroker: (3, 0)
        case .foreignDisk: (4, 0)
        case .holdsReplicas: (5, 0)
        case .unknownTopic: (6, 0)
        case .unknownPartition: (7, 0)
        case .stalePartitionEpoch(let current): (8, Int64(current))
        case .invalidReplicas: (9, 0)
        case .slotTrimmed: (10, 0)
        case .tooMany: (11, 0)
        case .invalid: (12, 0)
        case .featureLowered(let current): (13, Int64(current))
        case .notController: (14, 0)
        case .uncertain: (15, 0)
        case .notMoving: (16, 0)
        }
    }

    fileprivate init?(_ reason: UInt8, _ number: Int64) {
        switch reason {
        case 1: self = .unknownBroker
        case 2: self = .staleBrokerEpoch(current: number)
        case 3: self = .duplicateBroker
        case 4: self = .foreignDisk
        case 5: self = .holdsReplicas
        case 6: self = .unknownTopic
        case 7: self = .unknownPartition
        case 8: self = .stalePartitionEpoch(current: Int32(truncatingIfNeeded: number))
        case 9: self = .invalidReplicas
        case 10: self = .slotTrimmed
        case 11: self = .tooMany
        case 12: self = .invalid
        case 13: self = .featureLowered(current: Int16(truncatingIfNeeded: number))
        case 14: self = .notController
        case 15: self = .uncertain
        case 16: self = .notMoving
        default: return nil
        }
    }
}

extension ClusterRefusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknownBroker: "the broker is not registered"
        case .staleBrokerEpoch(let current):
            "the broker has registered again since: its epoch is \(current)"
        case .duplicateBroker: "a living broker with another disk has the number"
        case .foreignDisk: "the number belongs to another disk, which has replicas"
        case .holdsReplicas: "the broker has replicas of partitions"
        case .unknownTopic: "there is no such topic"
        case .unknownPartition: "there is no such partition"
        case .stalePartitionEpoch(let current):
            "the partition was changed since: its epoch is \(current)"
        case .invalidReplicas: "the replicas, or who of them leads, are not possible"
        case .slotTrimmed: "the version is in the store already"
        case .tooMany: "there are too many already"
        case .invalid: "the command is not possible"
        case .featureLowered(let current): "the level is \(current) and does not go back"
        case .notController: "the node is not the controller"
        case .uncertain: "the controller changed meanwhile; it may be done, or not"
        case .notMoving: "the partition is not being moved"
        }
    }
}
