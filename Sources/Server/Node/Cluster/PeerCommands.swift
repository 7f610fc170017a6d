// Commands of one node that another one works on, as bytes within frames 3.12 and 3.13 (`PeerMessage`).
// Integers big-endian, text as there; bytes: length (int32), -1 for none; list: count (uint32), elements.
//
//   command: kind (uint8) and
//     1 create a topic: name, partitions (int32, -1 as usual), settings (list of two texts)
//     2 delete a topic: name
//     3 change objects: changes, expected (lists of text, bytes)
//     4 read: topic, partition (int32), offset (int64), most bytes (int32)
//     5 write: list of topic, partition (int32), bytes
//     6 describe partitions: partitions
//     7 catch up: nothing
//   answer: kind (uint8) and
//     0 problem: code, message, notes (list of texts), hint (uint8, text)
//     1 done: nothing
//     2 batches: start of the log, last stable offset (int64), batches (list of bytes), aborted transactions
//       (list of producer id, first offset, last offset, last stable offset: int64)
//     3 written: list of int64
//     4 partitions: list of partition (int32), start, high watermark, last stable offset, bytes (int64),
//       known (uint8)

import Base
import Log
import Quorum

extension NodeCommand {
    /// nil: no other node is asked that.
    package func encodedForPeer() -> Bytes? {
        var writer = ByteWriter(capacity: 256)
        switch self {
        case .createTopic(let name, let partitions, let configs):
            writer.uint8(1)
            writer.name(name)
            writer.int32(partitions ?? -1)
            writer.list(configs) { writer, setting in
                writer.name(setting.name)
                writer.name(setting.value)
            }
        case .deleteTopic(let name):
            writer.uint8(2)
            writer.name(name)
        case .changeObjects(let changes, let expected):
            writer.uint8(3)
            for objects in [changes, expected] {
                writer.list(objects) { writer, object in
                    writer.name(object.name)
                    writer.content(object.content)
                }
            }
        case .read(let partition, let offset, let maxBytes):
            writer.uint8(4)
            writer.name(partition.topic)
            writer.int32(partition.partition)
            writer.int64(offset.value)
            writer.int32(Int32(clamping: maxBytes))
        case .write(let batches):
            writer.uint8(5)
            writer.list(batches) { writer, batch in
                writer.name(batch.partition.topic)
                writer.int32(batch.partition.partition)
                writer.content(batch.batch)
            }
        case .describePartitions(let partitions):
            writer.uint8(6)
            writer.partitions(partitions)
        case .catchUp: writer.uint8(7)
        case .append, .describeTopics, .listObjects, .statistics: return nil
        }
        return writer.finish()
    }

    package init(fromPeer bytes: Bytes) throws(DecodeFailure) {
        var reader = ByteReader(bytes)
        switch try reader.uint8() {
        case 1:
            let name = try reader.name()
            let partitions = try reader.int32()
            let configs = try reader.list(minimumBytes: 4) {
                reader throws(DecodeFailure) in
                TopicSetting(try reader.name(), try reader.name())
            }
            self = .createTopic(
                name: name, partitions: partitions < 0 ? nil : partitions, configs: configs)
        case 2: self = .deleteTopic(name: try reader.name())
        case 3: self = .changeObjects(try reader.objects(), expecting: try reader.objects())
        case 4:
            let partition = try reader.topicPartition()
            let offset = Offset(try reader.int64())
            self = .read(partition, from: offset, maxBytes: Int(try reader.int32()))
        case 5:
            self = .write(
                try reader.list(minimumBytes: 10) { reader throws(DecodeFailure) in
                    let partition = try reader.topicPartition()
                    guard let batch = try reader.content() else {
                        throw .malformed("a batch that is none", position: reader.position)
                    }
                    return PartitionBatch(partition: partition, batch: batch)
                })
        case 6: self = .describePartitions(try reader.partitions())
        case 7: self = .catchUp
        case let kind: throw .unsupported("command \(kind) between nodes")
        }
        try reader.requireEnd()
    }
}

/// What came of a command.
package struct PeerCommandAnswer: Sendable {
    package var result: Result<NodeAnswer, Problem>

    package init(_ result: Result<NodeAnswer, Problem>) { self.result = result }

    /// nil: no other node is answered that.
    package func encoded() -> Bytes? {
        var writer = ByteWriter(capacity: 256)
        switch result {
        case .failure(let problem):
            writer.uint8(0)
            writer.name(problem.code)
            writer.name(problem.message)
            writer.list(problem.notes) { writer, note in writer.name(note) }
            writer.uint8(problem.hint == nil ? 0 : 1)
            writer.name(problem.hint ?? "")
        case .success(.done): writer.uint8(1)
        case .success(.batches(let found)):
            writer.uint8(2)
            writer.int64(found.logStartOffset.value)
            writer.int64(found.lastStableOffset.value)
            writer.list(found.batches) { writer, batch in writer.content(batch) }
            writer.list(found.aborted) { writer, transaction in
                writer.int64(transaction.producerID)
                writer.int64(transaction.firstOffset.value)
                writer.int64(transaction.lastOffset.value)
                writer.int64(transaction.lastStableOffset.value)
            }
        case .success(.written(let offsets)):
            writer.uint8(3)
            writer.list(offsets) { writer, offset in writer.int64(offset.value) }
        case .success(.partitions(let found)):
            writer.uint8(4)
            writer.list(found) { writer, partition in
                writer.int32(partition.partition)
                writer.int64(partition.logStartOffset.value)
                writer.int64(partition.highWatermark.value)
                writer.int64(partition.lastStableOffset.value)
                writer.int64(partition.bytes)
                writer.uint8(partition.isKnown ? 1 : 0)
            }
        case .success(.appended), .success(.topics), .success(.objects), .success(.statistics):
            return nil
        }
        return writer.finish()
    }

    package init(_ bytes: Bytes) throws(DecodeFailure) {
        var reader = ByteReader(bytes)
        switch try reader.uint8() {
        case 0:
            var problem = Problem(try reader.name(), try reader.name())
            problem.notes = try reader.list(minimumBytes: 2) {
                reader throws(DecodeFailure) in try reader.name()
            }
            let hasHint = try reader.flags(most: 1) == 1
            let hint = try reader.name()
            problem.hint = hasHint ? hint : nil
            result = .failure(problem)
        case 1: result = .success(.done)
        case 2:
            let start = Offset(try reader.int64())
            let end = Offset(try reader.int64())
            let batches = try reader.list(minimumBytes: 4) {
                reader throws(DecodeFailure) in try reader.content() ?? .empty
            }
            let aborted = try reader.list(minimumBytes: 32) {
                reader throws(DecodeFailure) in
                AbortedTransaction(
                    producerID: try reader.int64(), firstOffset: Offset(try reader.int64()),
                    lastOffset: Offset(try reader.int64()),
                    lastStableOffset: Offset(try reader.int64()))
            }
            result = .success(
                .batches(
                    ReadResult(
                        batches: batches, logStartOffset: start, lastStableOffset: end,
                        aborted: aborted)))
        case 3:
            result = .success(
                .written(
                    try reader.list(minimumBytes: 8) {
                        reader throws(DecodeFailure) in Offset(try reader.int64())
                    }))
        case 4:
            result = .success(
                .partitions(
                    try reader.list(minimumBytes: 37) { reader throws(DecodeFailure) in
                        var found = TopicDescription.PartitionDescription(
                            partition: try reader.int32(),
                            logStartOffset: Offset(try reader.int64()),
                            highWatermark: Offset(try reader.int64()),
                            lastStableOffset: Offset(try reader.int64()),
                            bytes: try reader.int64())
                        found.isKnown = try reader.flags(most: 1) == 1
                        return found
                    }))
        case let kind: throw .unsupported("answer \(kind) between nodes")
        }
        try reader.requireEnd()
    }
}

extension ByteWriter {
    fileprivate mutating func list<Element>(
        _ elements: [Element], _ write: (inout ByteWriter, Element) -> Void
    ) {
        uint32(UInt32(elements.count))
        for element in elements { write(&self, element) }
    }

    fileprivate mutating func content(_ content: Bytes?) {
        guard let content else { return int32(-1) }
        int32(Int32(content.count))
        bytes(content)
    }
}

extension ByteReader {
    fileprivate mutating func list<Element>(
        minimumBytes: Int, _ read: (inout ByteReader) throws(DecodeFailure) -> Element
    ) throws(DecodeFailure) -> [Element] {
        let count = try checkedCount(
            Int(try uint32()), minimumBytes: minimumBytes, what: "elements")
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    fileprivate mutating func content() throws(DecodeFailure) -> Bytes? {
        let count = try int32()
        guard count >= -1 else { throw .malformed("a length of \(count)", position: position) }
        return count < 0 ? nil : try slice(Int(count))
    }

    fileprivate mutating func topicPartition() throws(DecodeFailure) -> TopicPartition {
        TopicPartition(topic: try name(), partition: try int32())
    }

    fileprivate mutating func objects() throws(DecodeFailure) -> [ObjectChange] {
        try list(minimumBytes: 6) { reader throws(DecodeFailure) in
            ObjectChange(try reader.name(), try reader.content())
        }
    }

    fileprivate func requireEnd() throws(DecodeFailure) {
        guard isAtEnd else {
            throw .malformed("bytes behind a command between nodes", position: position)
        }
    }
}
