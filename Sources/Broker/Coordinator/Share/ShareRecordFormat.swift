// Records of `__share_group_state`, a compacted topic. Integers are big-endian, strings have an
// int16 length; see docs/formats/share-records.md.
//
// Key: int16 version, group string, then by version
//   0  a partition, all of it         topic id uuid, partition int32
//   1  a partition, what changed      topic id uuid, partition int32, slot int32
//   2  a group                        –
//
// Value: int16 version 0, then by the version of the key
//   0, 1  snapshot epoch int32, start offset int64, runs int32 count, each:
//         first offset int64, last offset int64, state int8, delivery count int16
//   2     group epoch int32
//
// States: 0 available or with a member, 2 acknowledged, 3 archiving, 4 archived. A change belongs to
// the snapshot with the same epoch in front of it. Slots are used again after each snapshot, so that
// compaction leaves one record of each; what is left of older epochs counts for nothing.

import Base
import WireProtocol

/// What one of these records says; nil contents are tombstones.
enum ShareRecord: Equatable, Sendable {
    case snapshot(group: String, AssignedPartition, Content?)
    case update(group: String, AssignedPartition, slot: Int32, Content?)
    case group(String, epoch: Int32?)

    struct Content: Equatable, Sendable {
        var snapshotEpoch: Int32
        var startOffset: Int64
        var runs: [SharePartition.Run]
    }
}

enum ShareRecordFormat {
    private enum KeyVersion {
        static let snapshot: Int16 = 0
        static let update: Int16 = 1
        static let group: Int16 = 2
    }

    private static let runBytes = 19

    static func record(_ content: ShareRecord) -> GroupRecord {
        var key = ByteWriter(capacity: 64)
        switch content {
        case .snapshot(let group, let partition, let content):
            key.int16(KeyVersion.snapshot)
            write(group, partition, &key)
            return GroupRecord(key: key.finish(), value: content.map(value))
        case .update(let group, let partition, let slot, let content):
            key.int16(KeyVersion.update)
            write(group, partition, &key)
            key.int32(slot)
            return GroupRecord(key: key.finish(), value: content.map(value))
        case .group(let group, let epoch):
            key.int16(KeyVersion.group)
            key.stringField(group, flexible: false)
            let value = epoch.map { epoch in
                var writer = ByteWriter(capacity: 6)
                writer.int16(0)
                writer.int32(epoch)
                return writer.finish()
            }
            return GroupRecord(key: key.finish(), value: value)
        }
    }

    private static func write(
        _ group: String, _ partition: AssignedPartition, _ writer: inout ByteWriter
    ) {
        writer.stringField(group, flexible: false)
        writer.uuid(partition.topicID)
        writer.int32(partition.partition)
    }

    private static func value(_ content: ShareRecord.Content) -> Bytes {
        var writer = ByteWriter(capacity: 18 + content.runs.count * runBytes)
        writer.int16(0)
        writer.int32(content.snapshotEpoch)
        writer.int64(content.startOffset)
        writer.int32(Int32(clamping: content.runs.count))
        for run in content.runs {
            writer.int64(run.first)
            writer.int64(run.last)
            writer.int8(number(of: run.state))
            writer.int16(run.deliveryCount)
        }
        return writer.finish()
    }

    private static func number(of state: SharePartition.State) -> Int8 {
        switch state {
        case .available, .acquired: 0
        case .acknowledged: 2
        case .archiving: 3
        case .archived: 4
        }
    }

    // MARK: Reading

    /// Reads one record of the topic; nil for keys of newer brokers.
    static func decode(key: Bytes, value: Bytes?) throws(DecodeFailure) -> ShareRecord? {
        var reader = ByteReader(key)
        let version = try reader.int16()
        guard (KeyVersion.snapshot...KeyVersion.group).contains(version) else { return nil }
        let group = try reader.stringField(flexible: false)
        if version == KeyVersion.group {
            return .group(
                group,
                epoch: try value.map { value throws(DecodeFailure) in
                    var reader = ByteReader(value)
                    try checkVersion(&reader)
                    return try reader.int32()
                })
        }
        let partition = AssignedPartition(
            topicID: try reader.uuid(), partition: try reader.int32())
        let content = try value.map { value throws(DecodeFailure) in try self.content(value) }
        if version == KeyVersion.snapshot { return .snapshot(group: group, partition, content) }
        return .update(group: group, partition, slot: try reader.int32(), content)
    }

    private static func content(_ value: Bytes) throws(DecodeFailure) -> ShareRecord.Content {
        var reader = ByteReader(value)
        try checkVersion(&reader)
        let epoch = try reader.int32()
        let start = try reader.int64()
        let count = try reader.arrayCount(flexible: false, minimumBytes: runBytes) ?? 0
        var runs: [SharePartition.Run] = []
        runs.reserveCapacity(count)
        for _ in 0..<count {
            let first = try reader.int64()
            let last = try reader.int64()
            let state = try state(&reader)
            let deliveries = try reader.int16()
            guard deliveries >= 0 else {
                throw .invalid(
                    what: "delivery count", value: Int64(deliveries), position: reader.position)
            }
            runs.append(
                SharePartition.Run(
                    first: first, last: last, state: state, deliveryCount: deliveries))
        }
        return ShareRecord.Content(snapshotEpoch: epoch, startOffset: start, runs: runs)
    }

    private static func state(
        _ reader: inout ByteReader
    ) throws(DecodeFailure) -> SharePartition.State {
        let number = try reader.int8()
        switch number {
        case 0: return .available
        case 2: return .acknowledged
        case 3: return .archiving
        case 4: return .archived
        default:
            throw .invalid(
                what: "delivery state", value: Int64(number), position: reader.position)
        }
    }

    private static func checkVersion(_ reader: inout ByteReader) throws(DecodeFailure) {
        let version = try reader.int16()
        guard version == 0 else {
            throw .invalid(what: "share value version", value: Int64(version), position: 0)
        }
    }
}

/// What the fuzzer runs: reads `bytes` as a key and a value, and writes again what it understands.
package func exerciseShareRecord(_ bytes: Bytes) {
    guard bytes.count > 0, bytes.count > Int(bytes[0]) else { return }
    let length = Int(bytes[0])
    let key = bytes[1..<(1 + length)]
    let value = bytes[(1 + length)..<bytes.count]
    guard let record = try? ShareRecordFormat.decode(key: key, value: value) else { return }
    let again = ShareRecordFormat.record(record)
    precondition(
        (try? ShareRecordFormat.decode(key: again.key, value: again.value)) == record,
        "what was read and written must read the same")
    var coordinator = ShareCoordinator()
    try? coordinator.replay(key: key, value: value)
    coordinator.checkInvariants()
    _ = coordinator.finishReplay(now: Now(monotonic: .zero, wallMicroseconds: 0))
    coordinator.checkInvariants()
}
