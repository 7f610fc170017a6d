import Base
import Columns
import Compression
import Streams
import Synchronization
import Testing
import WireProtocol

/// Partitions as lists of batches, in memory.
final class ListedTopic: TopicReader {
    struct Partition {
        var batches: [Bytes] = []
        var nextOffset: Offset = 0
        var logStartOffset: Offset = 0
    }

    private let content: Mutex<OrderedMap<Int32, Partition>>

    init(partitions: Int32) {
        var empty: OrderedMap<Int32, Partition> = [:]
        for number in 0..<partitions { empty[number] = Partition() }
        content = Mutex(empty)
    }

    /// Appends one batch of payloads.
    func append(_ payloads: [String?], to partition: Int32, codec: Codec = .none) throws {
        try content.withLock { content in
            guard var target = content[partition] else { return }
            var builder = RecordBatchBuilder()
            for (index, payload) in payloads.enumerated() {
                builder.append(
                    key: Bytes(utf8: "k"), value: payload.map { Bytes(utf8: $0) }, headers: [],
                    timestamp: Timestamp(milliseconds: 1000 + Int64(index)))
            }
            let batch = try RecordBatchView(try builder.finish(.init(codec: codec)))
            let stamped = batch.stampedCopy(baseOffset: target.nextOffset, leaderEpoch: 0)
            target.batches.append(stamped.bytes)
            target.nextOffset = target.nextOffset + Int64(payloads.count)
            content[partition] = target
        }
    }

    /// Forgets the first batch of a partition, as retention does.
    func removeFirstBatch(of partition: Int32) throws {
        try content.withLock { content in
            guard var target = content[partition] else { return }
            let gone = try RecordBatchView(target.batches.removeFirst())
            target.logStartOffset = gone.header.lastOffset + 1
            content[partition] = target
        }
    }

    func partitions(of topic: String) throws(Problem) -> [Int32] {
        content.withLock { $0.keys }
    }

    func extents(of topics: [String]) throws(Problem) -> OrderedMap<String, TopicExtent> {
        content.withLock { content in
            var extent = TopicExtent()
            for (number, partition) in content {
                extent.partitions[number] = TopicExtent.Range(
                    start: partition.logStartOffset, end: partition.nextOffset)
            }
            var extents: OrderedMap<String, TopicExtent> = [:]
            for topic in topics { extents[topic] = extent }
            return extents
        }
    }

    func read(
        _ partition: TopicPartition, from offset: Offset, maxBytes: Int
    ) throws(Problem) -> TopicSlice {
        guard let found = content.withLock({ $0[partition.partition] }) else {
            throw Problem("topic.unknown", "no such partition")
        }
        var batches: [Bytes] = []
        var bytes = 0
        for batch in found.batches where bytes < maxBytes {
            guard let view = try? RecordBatchView(batch), view.header.lastOffset >= offset else {
                continue
            }
            batches.append(batch)
            bytes += batch.count
        }
        return TopicSlice(
            batches: batches, logStartOffset: found.logStartOffset,
            highWatermark: found.nextOffset)
    }
}

@Suite struct TopicEpochTests {
    let declaration = TopicDeclaration(
        topic: "t", columns: [Field("id", .int64), Field("name", .text)])

    func row(_ epoch: TopicEpoch, _ number: Int) -> [Value] {
        var left = number
        for batch in epoch.batches {
            if left < batch.rowCount { return batch.values(left) }
            left -= batch.rowCount
        }
        return []
    }

    @Test(arguments: [Codec.none, .gzip, .snappy, .lz4, .zstd])
    func `rows carry their payload and their place`(codec: Codec) throws {
        let topic = ListedTopic(partitions: 2)
        try topic.append(
            [#"{"id":1,"name":"a name of some length"}"#, #"{"id":2}"#], to: 0, codec: codec)
        try topic.append([#"{"id":3,"name":"c"}"#, nil, "broken"], to: 1, codec: codec)
        let reader = TopicEpochReader(reader: topic, declaration: declaration)
        let epoch = try reader.next(from: [:])
        #expect(epoch.recordCount == 5)
        #expect(epoch.nextOffsets == [0: 2, 1: 3])
        #expect(!epoch.hasMore)
        #expect(
            row(epoch, 0) == [
                .int(1), .text("a name of some length"), .int(0), .int(0),
                .timestampTZ(microseconds: 1_000_000), .text("k"),
                .text(#"{"id":1,"name":"a name of some length"}"#), .null,
            ])
        #expect(row(epoch, 3).prefix(4) == [.null, .null, .int(1), .int(1)])
        #expect(row(epoch, 3)[6] == .null)
        #expect(row(epoch, 4)[6] == .text("broken"))
        #expect(row(epoch, 4)[7] != .null)
        #expect(try reader.next(from: epoch.nextOffsets).isEmpty)
    }

    @Test func `an epoch that begins inside a batch skips what was read before`() throws {
        let topic = ListedTopic(partitions: 1)
        try topic.append([#"{"id":0}"#, #"{"id":1}"#, #"{"id":2}"#], to: 0)
        let reader = TopicEpochReader(reader: topic, declaration: declaration)
        let epoch = try reader.next(from: [0: 2])
        #expect(epoch.recordCount == 1)
        #expect(row(epoch, 0)[0] == .int(2))
    }

    @Test func `an epoch is cut by bytes and the next goes on without a gap`() throws {
        let topic = ListedTopic(partitions: 1)
        for number in 0..<50 { try topic.append([#"{"id":\#(number)}"#], to: 0) }
        let reader = TopicEpochReader(
            reader: topic, declaration: declaration, partitionBytes: 500)
        var next: OrderedMap<Int32, Offset> = [:]
        var seen: [Value] = []
        var epochs = 0
        while true {
            let epoch = try reader.next(from: next)
            if epoch.isEmpty { break }
            for number in 0..<epoch.recordCount { seen.append(row(epoch, number)[0]) }
            next = epoch.nextOffsets
            epochs += 1
        }
        #expect(seen == (0..<50).map { .int($0) })
        #expect(epochs > 3)
    }

    @Test func `records removed by retention are counted and not hidden`() throws {
        let topic = ListedTopic(partitions: 1)
        for number in 0..<3 { try topic.append([#"{"id":\#(number)}"#], to: 0) }
        try topic.removeFirstBatch(of: 0)
        let reader = TopicEpochReader(reader: topic, declaration: declaration)
        #expect(try reader.next(from: [0: 0]).skipped == [0: 1])
        let fresh = try reader.next(from: [:])
        #expect(fresh.skipped.isEmpty)
        #expect(fresh.recordCount == 2)
        #expect(fresh.nextOffsets == [0: 3])
    }

    @Test func `a damaged batch is an error with its place`() throws {
        let topic = ListedTopic(partitions: 1)
        try topic.append([#"{"id":1}"#], to: 0)
        final class Damaged: TopicReader {
            let inner: ListedTopic
            init(_ inner: ListedTopic) { self.inner = inner }
            func partitions(of topic: String) throws(Problem) -> [Int32] { [0] }
            func extents(of topics: [String]) throws(Problem) -> OrderedMap<String, TopicExtent> {
                try inner.extents(of: topics)
            }
            func read(
                _ partition: TopicPartition, from offset: Offset, maxBytes: Int
            ) throws(Problem) -> TopicSlice {
                var slice = try inner.read(partition, from: offset, maxBytes: maxBytes)
                var bytes = slice.batches[0].array
                bytes[70] ^= 1
                slice.batches[0] = Bytes(bytes)
                return slice
            }
        }
        let reader = TopicEpochReader(reader: Damaged(topic), declaration: declaration)
        #expect(throws: Problem.self) { try reader.next(from: [:]) }
    }
}
