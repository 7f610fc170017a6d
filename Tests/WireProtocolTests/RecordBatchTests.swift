import Base
import Compression
import Testing
import WireProtocol

@Suite struct RecordBatchTests {
    private static func golden(_ name: String) throws -> Bytes {
        try #require(try goldenSamples("record-batches/kafka-python.hex")[name])
    }

    private static func allRecords(_ batch: RecordBatchView) throws -> [Record] {
        var cursor = try batch.records()
        var records: [Record] = []
        while let record = try cursor.next() { records.append(record) }
        return records
    }

    private static func fourRecords(_ builder: inout RecordBatchBuilder) {
        func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }
        builder.append(
            key: Bytes(utf8: "k1"), value: Bytes(utf8: "first"), timestamp: at(1_700_000_000_000))
        builder.append(
            key: nil, value: Bytes(utf8: "no key"),
            headers: [
                RecordHeader(key: "trace", value: Bytes(utf8: "abc")),
                RecordHeader(key: "empty", value: .empty), RecordHeader(key: "none", value: nil),
            ], timestamp: at(1_700_000_000_005))
        builder.append(key: Bytes(utf8: "k2"), value: nil, timestamp: at(1_699_999_999_990))
        builder.append(key: .empty, value: .empty, timestamp: at(1_700_000_000_001))
    }

    @Test func `a foreign batch is read to the last header`() throws {
        let batch = try RecordBatchView(try Self.golden("plain"))
        let facts = try batch.validate()
        #expect(facts.maxTimestamp == Timestamp(milliseconds: 1_700_000_000_005))
        #expect(facts.indexOfMaxTimestamp == 1)
        #expect(facts.minTimestamp == Timestamp(milliseconds: 1_699_999_999_990))
        #expect(facts.firstKeyless == 1)
        let records = try Self.allRecords(batch)
        #expect(records.map(\.offset) == [0, 1, 2, 3])
        #expect(records.map { $0.key?.text } == ["k1", nil, "k2", ""])
        #expect(records.map { $0.value?.text } == ["first", "no key", nil, ""])
        #expect(records[2].timestamp == Timestamp(milliseconds: 1_699_999_999_990))
        #expect(
            try records[1].headers() == [
                RecordHeader(key: "trace", value: Bytes(utf8: "abc")),
                RecordHeader(key: "empty", value: .empty), RecordHeader(key: "none", value: nil),
            ])
    }

    @Test func `a batch that we build equals the foreign one byte for byte`() throws {
        var builder = RecordBatchBuilder()
        Self.fourRecords(&builder)
        #expect(builder.recordCount == 4)
        var properties = RecordBatchBuilder.Properties()
        properties.leaderEpoch = 0
        #expect(try builder.finish(properties) == (try Self.golden("plain")))

        builder = RecordBatchBuilder()
        Self.fourRecords(&builder)
        properties.producerId = 4711
        properties.producerEpoch = 3
        properties.baseSequence = 2_147_483_646
        let idempotent = try builder.finish(properties)
        #expect(idempotent == (try Self.golden("idempotent")))
        let header = try RecordBatchHeader(idempotent)
        #expect(header.isIdempotent)
        #expect(header.lastSequence == 1)

        builder = RecordBatchBuilder()
        Self.fourRecords(&builder)
        properties.producerId = 9
        properties.producerEpoch = 0
        properties.baseSequence = 0
        properties.isTransactional = true
        #expect(try builder.finish(properties) == (try Self.golden("transactional")))
    }

    @Test(arguments: ["gzip", "snappy", "lz4", "zstd"])
    func `foreign compressed batches are read`(codec: String) throws {
        let batch = try RecordBatchView(try Self.golden(codec))
        #expect(batch.header.codec?.name == codec)
        _ = try batch.validate()
        let records = try Self.allRecords(batch)
        #expect(records.count == 50)
        #expect(records[49].value?.text == #"{"seq":49,"city":"Hanoi","amount":147.50}"#)
        #expect(records[49].key?.text == "user-0")
        #expect(throws: DecodeFailure.self) { try batch.validate(limit: 1000) }
    }

    @Test(arguments: Codec.allCases)
    func `batches of every codec come back`(codec: Codec) throws {
        var builder = RecordBatchBuilder()
        for index in 0..<200 {
            builder.append(
                key: Bytes(utf8: "key-\(index % 3)"), value: Bytes(utf8: "value \(index) Hanoi"),
                timestamp: Timestamp(milliseconds: Int64(1_000_000 - index)))
        }
        let plainBytes = builder.byteCount
        let bytes = try builder.finish(.init(codec: codec))
        #expect(codec == .none ? bytes.count == plainBytes : bytes.count < plainBytes)
        let batch = try RecordBatchView(bytes)
        #expect(try batch.validate().maxTimestamp == Timestamp(milliseconds: 1_000_000))
        #expect(batch.header.maxTimestamp == Timestamp(milliseconds: 1_000_000))
        let records = try Self.allRecords(batch)
        #expect(records.count == 200)
        #expect(records[150].value?.text == "value 150 Hanoi")
        #expect(records[150].timestamp == Timestamp(milliseconds: 999_850))
    }

    @Test func `records that do not shrink stay uncompressed`() throws {
        var builder = RecordBatchBuilder()
        builder.append(key: nil, value: Bytes([7]), timestamp: Timestamp(milliseconds: 1))
        let header = try RecordBatchHeader(try builder.finish(.init(codec: .gzip)))
        #expect(header.codec == Codec.none)
    }

    @Test func `stamping changes the offset and leaves the records where they are`() throws {
        let batch = try RecordBatchView(try Self.golden("zstd"))
        let pieces = batch.stamped(baseOffset: 1000, leaderEpoch: 7)
        #expect(pieces[0].count == 61)
        #expect(pieces[1].storage === batch.bytes.storage)
        let stamped = try RecordBatchView(Bytes.joined(pieces))
        _ = try stamped.validate()
        #expect(stamped.header.baseOffset == 1000)
        #expect(stamped.header.partitionLeaderEpoch == 7)
        #expect(stamped.header.lastOffset == 1049)
        #expect(try Self.allRecords(stamped)[3].offset == 1003)
    }

    @Test func `log append time replaces the time of every record`() throws {
        let now = Timestamp(milliseconds: 1_800_000_000_000)
        let batch = try RecordBatchView(try Self.golden("plain"))
        let stamped = batch.stampedCopy(baseOffset: 5, leaderEpoch: 0, appendTime: now)
        try stamped.checkChecksum()
        #expect(stamped.header.usesLogAppendTime)
        #expect(try Self.allRecords(stamped).map(\.timestamp) == [now, now, now, now])
    }

    @Test func `a single changed byte is found`() throws {
        let bytes = try Self.golden("plain")
        for position in RecordBatchHeader.checksummedFrom..<bytes.count {
            var damaged = bytes.array
            damaged[position] ^= 0x40
            #expect(throws: DecodeFailure.self) {
                try RecordBatchView(Bytes(damaged)).validate()
            }
        }
    }

    @Test func `offsets with gaps pass only as the cleaner's work`() throws {
        var builder = RecordBatchBuilder()
        builder.append(
            key: Bytes([1]), value: nil, timestamp: Timestamp(milliseconds: 1), offsetDelta: 3)
        builder.append(
            key: Bytes([2]), value: nil, timestamp: Timestamp(milliseconds: 1), offsetDelta: 9)
        let batch = try RecordBatchView(try builder.finish())
        #expect(batch.header.lastOffset == 9)
        _ = try batch.validate(order: .ascending)
        #expect(throws: DecodeFailure.self) { try batch.validate() }
    }

    @Test func `an empty batch is legal on disk and not in a request`() throws {
        var header = RecordBatchHeader(baseOffset: 10, lastOffsetDelta: 4)
        header.crc = header.checksum(records: .empty)
        let batch = try RecordBatchView(header.bytes)
        _ = try batch.validate(order: .ascending)
        #expect(batch.header.nextOffset == 15)
        #expect(try Self.allRecords(batch).isEmpty)
        #expect(throws: DecodeFailure.self) { try batch.validate() }
    }

    @Test func `batches in a row are read up to a part of one`() throws {
        let one = try Self.golden("plain")
        let two = try Self.golden("gzip")
        var sequence = RecordBatchSequence(Bytes.joined([one, two, one[0..<50]]))
        #expect(try sequence.next()?.bytes == one)
        #expect(try sequence.next()?.bytes == two)
        #expect(try sequence.next() == nil)
        #expect(sequence.hasPartialBatch)
        var old = RecordBatchSequence(Bytes([UInt8](repeating: 0, count: 80)))
        #expect(throws: DecodeFailure.self) { try old.next() }
    }

    @Test func `a control batch tells how a transaction ended`() throws {
        let bytes = ControlRecord(kind: .commit, coordinatorEpoch: 12).batch(
            producerId: 5, producerEpoch: 1, timestamp: Timestamp(milliseconds: 1))
        let batch = try RecordBatchView(bytes)
        _ = try batch.validate()
        #expect(batch.header.isControl && batch.header.isTransactional)
        let record = try #require(try Self.allRecords(batch).first)
        #expect(try ControlRecord(record) == ControlRecord(kind: .commit, coordinatorEpoch: 12))
    }

    @Test func `keys go where the Java client puts them`() {
        let published: [(String, Int32)] = [
            ("21", -973_932_308), ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ]
        for (key, hash) in published {
            #expect(murmur2(Bytes(utf8: key)) == hash)
            let expected = Int32(hash & 0x7FFF_FFFF) % 6
            #expect(partition(forKey: Bytes(utf8: key), partitionCount: 6) == expected)
        }
    }
}
