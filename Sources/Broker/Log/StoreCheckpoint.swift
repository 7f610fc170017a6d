// The file `log.checkpoint`: what is durable in segments, and where replay of the journal begins.
// Replaced as a whole (temporary file, sync, rename, directory sync). Big-endian:
//
//   8 magic "WEIRCKPT" · 4 version, 2 · 8 identity of the store · 8 replay from this sequence
//   · 8 next generation · 4 next partition number · 4 count of partitions · partitions
//   · 4 CRC-32C of everything before
//
//   partition: string topic · 4 partition · 16 topic id · 4 number · 8 log start · 8 end
//     · 8 durable end · 8 cleaned up to · 4 leader epoch
//     · 4 count of segments, each: 8 base · 8 bytes · 8 first timestamp · 8 max timestamp
//       · 8 last offset of the batch with the max timestamp · 4 checksum of the indexes
//       · 1 flags (bit 0: may still be named `.swap`, bit 1: the index files are complete,
//       bit 2: the aborted transactions have to be looked for in the batches)
//       · 4 count of aborted transactions in the `.txnindex` file · 4 their checksum
//     · 4 count of leader epochs, each: 4 epoch · 8 start
//     · 4 count of producers, each: 8 id · 2 epoch · 8 time · 4 coordinator epoch
//       · 8 start of the open transaction · 8 offset of the last marker · 1 count of batches,
//       each: 4 base sequence · 4 last sequence · 8 base offset · 8 last offset
//     · 1 damaged? then string file · 8 position · 8 first offset · 8 end offset · string detail
//
//   string: 4 length · UTF-8
//
// This file is the only commit point of everything but appends: partitions created and deleted,
// segments dropped by retention, segments replaced by the cleaner. What a directory holds beyond
// it is a leftover and is removed at the next start.

import Base

struct SegmentSummary: Hashable, Sendable {
    var baseOffset: Int64
    var bytes: Int64
    var firstTimestamp: Int64
    var maxTimestamp: Int64
    var maxTimestampOffset: Int64
    /// Set when the index files are complete.
    var indexChecksum: UInt32?
    /// The segment was written by the cleaner and its last rename may not have happened.
    var isSwap = false
    /// What the file of aborted transactions holds; nil when they have to be looked for.
    var aborted: AbortedIndex.Summary? = .empty
}

/// What is known to be durable of one partition without its journal frames.
struct PartitionCheckpoint: Sendable {
    /// Its fields with an empty name and no segments, leader epochs, producers or damage.
    static let bytesMin = 77

    var topicPartition: TopicPartition
    var topicID: UUID128
    var number: UInt32
    var logStart: Int64 = 0
    var end: Int64 = 0
    var durableEnd: Int64 = 0
    var cleanedUpTo: Int64 = 0
    var leaderEpoch: Int32 = 0
    var segments: [SegmentSummary] = []
    var epochs: [LeaderEpochCache.Entry] = []
    var producers = ProducerTable()
    var damage: PartitionDamage?
}

struct StoreCheckpoint: Sendable {
    static let path = "log.checkpoint"
    private static let magic: UInt64 = 0x5745_4952_434B_5054
    private static let version: Int32 = 2

    var identity: UInt64
    var replayFrom: UInt64 = 1
    var nextGeneration: UInt64 = 1
    var nextNumber: UInt32 = 1
    var partitions: [PartitionCheckpoint] = []

    init(identity: UInt64) { self.identity = identity }

    /// The file around partitions that are encoded already: `partitions` of this value are not
    /// looked at.
    func encoded(around encoded: [Bytes]) -> Bytes {
        var writer = ByteWriter(capacity: 64 + encoded.reduce(0) { $0 + $1.count })
        writer.int64(Int64(bitPattern: Self.magic))
        writer.int32(Self.version)
        writer.int64(Int64(bitPattern: identity))
        writer.int64(Int64(bitPattern: replayFrom))
        writer.int64(Int64(bitPattern: nextGeneration))
        writer.uint32(nextNumber)
        writer.int32(Int32(encoded.count))
        for partition in encoded { writer.bytes(partition) }
        writer.uint32(writer.crc32c(from: 0))
        return writer.finish()
    }

    private static func write(_ text: String, _ writer: inout ByteWriter) {
        writer.int32(Int32(text.utf8.count))
        writer.utf8(text)
    }

    /// One partition as it stands in the file.
    static func encoded(_ partition: PartitionCheckpoint) -> Bytes {
        var writer = ByteWriter(capacity: 192)
        write(partition, &writer)
        return writer.finish()
    }

    private static func write(_ partition: PartitionCheckpoint, _ writer: inout ByteWriter) {
        write(partition.topicPartition.topic, &writer)
        writer.int32(partition.topicPartition.partition)
        writer.int64(Int64(bitPattern: partition.topicID.high))
        writer.int64(Int64(bitPattern: partition.topicID.low))
        writer.uint32(partition.number)
        writer.int64(partition.logStart)
        writer.int64(partition.end)
        writer.int64(partition.durableEnd)
        writer.int64(partition.cleanedUpTo)
        writer.int32(partition.leaderEpoch)
        writer.int32(Int32(partition.segments.count))
        for segment in partition.segments {
            writer.int64(segment.baseOffset)
            writer.int64(segment.bytes)
            writer.int64(segment.firstTimestamp)
            writer.int64(segment.maxTimestamp)
            writer.int64(segment.maxTimestampOffset)
            writer.uint32(segment.indexChecksum ?? 0)
            writer.uint8(
                (segment.isSwap ? 1 : 0) | (segment.indexChecksum != nil ? 2 : 0)
                    | (segment.aborted == nil ? 4 : 0))
            writer.int32(Int32(segment.aborted?.count ?? 0))
            writer.uint32(segment.aborted?.checksum ?? 0)
        }
        writer.int32(Int32(partition.epochs.count))
        for entry in partition.epochs {
            writer.int32(entry.epoch)
            writer.int64(entry.start)
        }
        writeProducers(partition.producers, &writer)
        guard let damage = partition.damage else { return writer.uint8(0) }
        writer.uint8(1)
        write(damage.file, &writer)
        writer.int64(damage.position)
        writer.int64(damage.firstOffset.value)
        writer.int64(damage.endOffset.value)
        write(damage.detail, &writer)
    }

    private static func writeProducers(_ producers: ProducerTable, _ writer: inout ByteWriter) {
        writer.int32(Int32(producers.count))
        for (id, entry) in producers.sorted {
            writer.int64(id)
            writer.int16(entry.epoch)
            writer.int64(entry.lastTimestamp)
            writer.int32(entry.coordinatorEpoch)
            writer.int64(entry.transactionStart)
            writer.int64(entry.markerOffset)
            writer.uint8(UInt8(entry.batchCount))
            for index in 0..<entry.batchCount {
                let batch = entry.batch(index)
                writer.int32(batch.baseSequence)
                writer.int32(batch.lastSequence)
                writer.int64(batch.baseOffset)
                writer.int64(batch.lastOffset)
            }
        }
    }

    init(decoding content: Bytes) throws(DecodeFailure) {
        guard content.count >= 48 else {
            throw .truncated(needed: 48, available: content.count, position: 0)
        }
        let body = content[0..<(content.count - 4)]
        var trailer = ByteReader(content[(content.count - 4)..<content.count])
        let expected = try trailer.uint32()
        let found = crc32c(body)
        guard expected == found else {
            throw .checksum(what: "checkpoint", expected: expected, found: found)
        }
        var reader = ByteReader(body)
        guard UInt64(bitPattern: try reader.int64()) == Self.magic else {
            throw .malformed("not a checkpoint", position: 0)
        }
        let version = try reader.int32()
        guard version == Self.version else {
            throw .unsupported("checkpoint version \(version)")
        }
        identity = UInt64(bitPattern: try reader.int64())
        replayFrom = UInt64(bitPattern: try reader.int64())
        nextGeneration = UInt64(bitPattern: try reader.int64())
        nextNumber = try reader.uint32()
        let count = try reader.checkedCount(
            Int(try reader.int32()), minimumBytes: PartitionCheckpoint.bytesMin, what: "partitions")
        partitions.reserveCapacity(count)
        for _ in 0..<count { partitions.append(try Self.partition(&reader)) }
    }

    private static func text(_ reader: inout ByteReader) throws(DecodeFailure) -> String {
        try reader.string(Int(try reader.int32()))
    }

    private static func partition(
        _ reader: inout ByteReader
    ) throws(DecodeFailure) -> PartitionCheckpoint {
        let name = TopicPartition(topic: try text(&reader), partition: try reader.int32())
        let high = UInt64(bitPattern: try reader.int64())
        let low = UInt64(bitPattern: try reader.int64())
        var partition = PartitionCheckpoint(
            topicPartition: name, topicID: UUID128(high: high, low: low),
            number: try reader.uint32())
        partition.logStart = try reader.int64()
        partition.end = try reader.int64()
        partition.durableEnd = try reader.int64()
        partition.cleanedUpTo = try reader.int64()
        partition.leaderEpoch = try reader.int32()
        let segments = try reader.checkedCount(
            Int(try reader.int32()), minimumBytes: 53, what: "segments")
        for _ in 0..<segments {
            var segment = SegmentSummary(
                baseOffset: try reader.int64(), bytes: try reader.int64(),
                firstTimestamp: try reader.int64(), maxTimestamp: try reader.int64(),
                maxTimestampOffset: try reader.int64(), indexChecksum: try reader.uint32())
            let flags = try reader.uint8()
            segment.isSwap = flags & 1 != 0
            if flags & 2 == 0 { segment.indexChecksum = nil }
            let count = try reader.int32()
            let checksum = try reader.uint32()
            guard count >= 0 else {
                throw .invalid(
                    what: "count of aborted transactions", value: Int64(count),
                    position: reader.position)
            }
            segment.aborted =
                flags & 4 == 0 ? AbortedIndex.Summary(count: Int(count), checksum: checksum) : nil
            partition.segments.append(segment)
        }
        let epochs = try reader.checkedCount(
            Int(try reader.int32()), minimumBytes: 12, what: "leader epochs")
        for _ in 0..<epochs {
            partition.epochs.append(
                LeaderEpochCache.Entry(epoch: try reader.int32(), start: try reader.int64()))
        }
        try readProducers(&reader, into: &partition.producers)
        if try reader.uint8() != 0 {
            partition.damage = PartitionDamage(
                topicPartition: name, file: try text(&reader), position: try reader.int64(),
                firstOffset: Offset(try reader.int64()), endOffset: Offset(try reader.int64()),
                detail: try text(&reader))
        }
        return partition
    }

    private static func readProducers(
        _ reader: inout ByteReader, into table: inout ProducerTable
    ) throws(DecodeFailure) {
        let count = try reader.checkedCount(
            Int(try reader.int32()), minimumBytes: 39, what: "producers")
        for _ in 0..<count {
            let id = try reader.int64()
            var entry = ProducerEntry(epoch: try reader.int16(), lastTimestamp: try reader.int64())
            entry.coordinatorEpoch = try reader.int32()
            entry.transactionStart = try reader.int64()
            entry.markerOffset = try reader.int64()
            for _ in 0..<(try reader.uint8()) {
                entry.add(
                    ProducerEntry.Batch(
                        baseSequence: try reader.int32(), lastSequence: try reader.int32(),
                        baseOffset: try reader.int64(), lastOffset: try reader.int64()))
            }
            table.restore(id, entry)
        }
    }
}
