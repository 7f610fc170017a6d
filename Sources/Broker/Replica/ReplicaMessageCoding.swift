// A message between the replicas of two nodes. Integers are big-endian.
//
//   offset size field
//   0      1    version, 1 today
//   1      4    sender
//   5      4    receiver
//   9      8    registration of the sender
//   17     8    registration of the receiver as the sender knows it, -1 = not known
//   25     8    number of the message among those with pushes, 0 = none
//   33     8    highest number received from the other side
//   41     4    count of items
//   45     …    items
//
// item: 1 type · 16 topic id · 4 partition · 4 leader epoch · 4 session · by type:
//   1 ask       8 log end · 4 epoch of the last record, -1 = none · 8 durable end
//   2 diverges  4 epoch · 8 end
//   3 restart   8 offset
//   4 push      8 position · 8 high watermark · 8 log start · 4 bytes of batches · batches
//   5 report    8 log end · 8 durable end · 8 high watermark
//   6 yielded
//
// Batches are record batches v2 as stored, checked by the log that takes them.

import Base

extension ReplicaMessage {
    static let version: UInt8 = 1
    static let headerBytes = 45
    /// Bounds for what a peer may make us allocate.
    package static let itemCountMax = 16_384
    /// All batches of one message: a turn of several partitions, and one batch of the largest size.
    package static let bytesMax = 32 << 20

    /// The message has no more bytes than this.
    package var encodedBytesMax: Int {
        var result = Self.headerBytes + 64 * items.count
        for item in items {
            if case .push(_, _, _, let batches) = item.body {
                for batch in batches { result += batch.count }
            }
        }
        return result
    }

    package func encoded() -> Bytes {
        var writer = ByteWriter(capacity: encodedBytesMax)
        write(to: &writer)
        return writer.finish()
    }

    package func write(to writer: inout ByteWriter) {
        writer.uint8(Self.version)
        writer.int32(from.value)
        writer.int32(to.value)
        writer.int64(brokerEpoch)
        writer.int64(receiverEpoch)
        writer.int64(Int64(bitPattern: number))
        writer.int64(Int64(bitPattern: received))
        writer.uint32(UInt32(items.count))
        for item in items { Self.write(item, &writer) }
    }

    private static func write(_ item: ReplicaItem, _ writer: inout ByteWriter) {
        func head(_ type: UInt8, _ writer: inout ByteWriter) {
            writer.uint8(type)
            writer.int64(Int64(bitPattern: item.key.topic.high))
            writer.int64(Int64(bitPattern: item.key.topic.low))
            writer.int32(item.key.partition)
            writer.int32(item.leaderEpoch.value)
            writer.uint32(item.session)
        }
        switch item.body {
        case .ask(let end, let lastEpoch, let durableEnd):
            head(1, &writer)
            writer.int64(end.value)
            writer.int32(lastEpoch.value)
            writer.int64(durableEnd.value)
        case .diverges(let epoch, let end):
            head(2, &writer)
            writer.int32(epoch.value)
            writer.int64(end.value)
        case .restart(let offset):
            head(3, &writer)
            writer.int64(offset.value)
        case .push(let position, let highWatermark, let logStart, let batches):
            head(4, &writer)
            writer.int64(position.value)
            writer.int64(highWatermark.value)
            writer.int64(logStart.value)
            writer.uint32(UInt32(batches.reduce(0) { $0 + $1.count }))
            for batch in batches { writer.bytes(batch) }
        case .report(let end, let durableEnd, let highWatermark):
            head(5, &writer)
            writer.int64(end.value)
            writer.int64(durableEnd.value)
            writer.int64(highWatermark.value)
        case .yielded: head(6, &writer)
        }
    }

    /// A message from the wire, every number in its range. Batches are shared with `bytes`.
    package init(_ bytes: Bytes) throws(DecodeFailure) {
        guard bytes.count <= Self.bytesMax else {
            throw .tooLarge(
                what: "message of a replica", value: Int64(bytes.count),
                limit: Int64(Self.bytesMax))
        }
        var reader = ByteReader(bytes)
        let version = try reader.uint8()
        guard version == Self.version else {
            throw .unsupported("replica message of version \(version)")
        }
        from = NodeID(try reader.int32())
        to = NodeID(try reader.int32())
        brokerEpoch = try reader.int64()
        receiverEpoch = try reader.int64()
        number = UInt64(bitPattern: try reader.int64())
        received = UInt64(bitPattern: try reader.int64())
        let count = try reader.checkedCount(
            Int(try reader.uint32()), minimumBytes: 37, what: "items of a replica message")
        guard count <= Self.itemCountMax else {
            throw .tooLarge(
                what: "number of items", value: Int64(count), limit: Int64(Self.itemCountMax))
        }
        items = []
        items.reserveCapacity(count)
        for _ in 0..<count { items.append(try Self.item(&reader)) }
        guard reader.isAtEnd else {
            throw .malformed("bytes behind the message", position: reader.position)
        }
    }

    private static func item(_ reader: inout ByteReader) throws(DecodeFailure) -> ReplicaItem {
        let at = reader.position
        let type = try reader.uint8()
        let high = UInt64(bitPattern: try reader.int64())
        let topic = UUID128(high: high, low: UInt64(bitPattern: try reader.int64()))
        let partition = try natural32("partition", &reader)
        let epoch = LeaderEpoch(try natural32("leader epoch", &reader))
        let session = try reader.uint32()
        let body: ReplicaItem.Body
        switch type {
        case 1:
            let end = try offset("log end", &reader)
            let lastEpoch = try reader.int32()
            guard lastEpoch >= -1 else {
                throw .invalid(
                    what: "epoch of the last record", value: Int64(lastEpoch),
                    position: reader.position - 4)
            }
            let durableEnd = try offset("durable end", &reader)
            guard durableEnd <= end else {
                throw .malformed("more is durable than there is", position: at)
            }
            body = .ask(end: end, lastEpoch: LeaderEpoch(lastEpoch), durableEnd: durableEnd)
        case 2:
            let diverging = LeaderEpoch(try natural32("leader epoch", &reader))
            body = .diverges(epoch: diverging, end: try offset("end of an epoch", &reader))
        case 3: body = .restart(at: try offset("log start", &reader))
        case 4:
            let position = try offset("position", &reader)
            let highWatermark = try offset("high watermark", &reader)
            let logStart = try offset("log start", &reader)
            let bytes = try reader.slice(Int(try reader.uint32()))
            body = .push(
                position: position, highWatermark: highWatermark, logStart: logStart,
                batches: bytes.isEmpty ? [] : [bytes])
        case 5:
            let end = try offset("log end", &reader)
            let durableEnd = try offset("durable end", &reader)
            guard durableEnd <= end else {
                throw .malformed("more is durable than there is", position: at)
            }
            body = .report(
                end: end, durableEnd: durableEnd,
                highWatermark: try offset("high watermark", &reader))
        case 6: body = .yielded
        default: throw .invalid(what: "type of an item", value: Int64(type), position: at)
        }
        return ReplicaItem(
            key: PartitionKey(topic: topic, partition: partition), leaderEpoch: epoch,
            session: session, body: body)
    }

    private static func offset(
        _ what: String, _ reader: inout ByteReader
    ) throws(DecodeFailure) -> Offset {
        let value = try reader.int64()
        guard value >= 0 else {
            throw .invalid(what: what, value: value, position: reader.position - 8)
        }
        return Offset(value)
    }

    private static func natural32(
        _ what: String, _ reader: inout ByteReader
    ) throws(DecodeFailure) -> Int32 {
        let value = try reader.int32()
        guard value >= 0 else {
            throw .invalid(what: what, value: Int64(value), position: reader.position - 4)
        }
        return value
    }
}
