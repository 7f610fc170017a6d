// Records of `__transaction_state`, as published: integers big-endian, in version 1 lengths are
// unsigned varints + 1 and each structure ends in tagged fields.
//
// Key: int16 version 0, transactional id as string with an int16 length
//
// Value (first field: int16 version)
//   field              type             versions
//   producerId         int64            0+
//   producerEpoch      int16            0+
//   timeout            int32 ms         0+
//   status             int8             0+    see TransactionState.Phase
//   partitions         nullable array   0+
//     topic            string
//     partitionIds     array of int32
//   lastUpdate         int64            0+    ms since 1970
//   start              int64            0+    ms since 1970
//   previousProducerId int64            1+    tag 0, -1 when missing
//   nextProducerId     int64            1+    tag 1, -1 when missing
//   clientVersion      int16            1+    tag 2, 0 when missing; 2 = an epoch per transaction
//   lastProducerEpoch  int16            1+    tag 1000, -1 when missing; ours: a retry after a
//                                             restart is recognised by it
//
// Written: version 1. Read: both.

import Base
import WireProtocol

package enum TransactionRecordFormat {
    private static let lastEpochTag: UInt32 = 1000

    package static func key(_ transactionalID: String) -> Bytes {
        var writer = ByteWriter(capacity: 64)
        writer.int16(0)
        writer.stringField(transactionalID, flexible: false)
        return writer.finish()
    }

    package static func value(_ state: TransactionState) -> Bytes {
        var writer = ByteWriter(capacity: 128)
        writer.int16(1)
        writer.int64(state.producerID)
        writer.int16(state.producerEpoch)
        writer.int32(state.timeoutMilliseconds)
        writer.int8(state.phase.rawValue)
        let topics = byTopic(state.partitions)
        writer.arrayCount(topics.count, flexible: true)
        for (topic, partitions) in topics {
            writer.stringField(topic, flexible: true)
            writer.int32Array(partitions, flexible: true)
            writer.noTaggedFields()
        }
        writer.int64(state.updateTimestamp)
        writer.int64(state.startTimestamp)
        var tags = TaggedFieldWriter()
        if state.previousProducerID >= 0 { tags.add(0, bytes(state.previousProducerID)) }
        if state.nextProducerID >= 0 { tags.add(1, bytes(state.nextProducerID)) }
        if state.bumpsEpochs { tags.add(2, bytes(Int16(2))) }
        if state.lastProducerEpoch >= 0 { tags.add(lastEpochTag, bytes(state.lastProducerEpoch)) }
        writer.taggedFields(tags)
        return writer.finish()
    }

    private static func byTopic(
        _ partitions: Set<TopicPartition>
    ) -> [(topic: String, partitions: [Int32])] {
        var result: [(topic: String, partitions: [Int32])] = []
        for partition in partitions.sorted() {
            if result.last?.topic != partition.topic { result.append((partition.topic, [])) }
            result[result.count - 1].partitions.append(partition.partition)
        }
        return result
    }

    private static func bytes(_ value: Int64) -> Bytes {
        var writer = ByteWriter(capacity: 8)
        writer.int64(value)
        return writer.finish()
    }

    private static func bytes(_ value: Int16) -> Bytes {
        var writer = ByteWriter(capacity: 2)
        writer.int16(value)
        return writer.finish()
    }

    /// Reads one record of the topic; nil for keys of newer coordinators.
    package static func decode(
        key: Bytes, value: Bytes?
    ) throws(DecodeFailure) -> (transactionalID: String, state: TransactionState?)? {
        var reader = ByteReader(key)
        guard try reader.int16() == 0 else { return nil }
        let id = try reader.stringField(flexible: false)
        guard let value else { return (id, nil) }
        return (id, try state(value))
    }

    private static func state(_ value: Bytes) throws(DecodeFailure) -> TransactionState {
        var reader = ByteReader(value)
        let version = try reader.int16()
        guard (0...1).contains(version) else {
            throw .invalid(
                what: "transaction value version", value: Int64(version), position: 0)
        }
        let isFlexible = version == 1
        let producerID = try reader.int64()
        let epoch = try reader.int16()
        let timeout = try reader.int32()
        let status = try reader.int8()
        guard let phase = TransactionState.Phase(rawValue: status) else {
            throw .invalid(
                what: "transaction status", value: Int64(status), position: reader.position)
        }
        var state = TransactionState(
            producerID: producerID, producerEpoch: epoch, timeoutMilliseconds: timeout,
            updateTimestamp: -1)
        state.phase = phase
        let count = try reader.arrayCount(flexible: isFlexible, minimumBytes: 3) ?? 0
        for _ in 0..<count {
            let topic = try reader.stringField(flexible: isFlexible)
            for partition in try reader.int32Array(flexible: isFlexible) {
                state.partitions.insert(TopicPartition(topic: topic, partition: partition))
            }
            if isFlexible { try reader.skipTaggedFields() }
        }
        state.updateTimestamp = try reader.int64()
        state.startTimestamp = try reader.int64()
        guard isFlexible else { return state }
        for field in try reader.taggedFields() {
            var content = ByteReader(field.content)
            switch field.tag {
            case 0: state.previousProducerID = try content.int64()
            case 1: state.nextProducerID = try content.int64()
            case 2: state.bumpsEpochs = try content.int16() >= 2
            case lastEpochTag: state.lastProducerEpoch = try content.int16()
            default: break
            }
        }
        return state
    }
}
