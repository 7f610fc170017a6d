import Base
import Compression
import Log
import Testing
import WireProtocol

@Suite struct ValidationTests {
    private func fixture(
        _ change: (inout PartitionSettings) -> Void = { _ in }
    ) throws -> Fixture {
        var fixture = try Fixture()
        var settings = PartitionSettings()
        change(&settings)
        try fixture.create(settings: settings)
        return fixture
    }

    /// The error code of the refusal; 0 when the batch was accepted.
    private func code(_ bytes: Bytes, _ fixture: inout Fixture) -> Int16 {
        do throws(AppendFailure) {
            _ = try fixture.store.append(bytes, to: orders, now: at(0))
            return 0
        } catch {
            return error.code
        }
    }

    private func patched(_ bytes: Bytes, _ position: Int, _ values: [UInt8]) -> Bytes {
        var array = bytes.array
        array.replaceSubrange(position..<(position + values.count), with: values)
        return Bytes(array)
    }

    /// The batch with a header field changed and the checksum made right again.
    private func resealed(_ bytes: Bytes, _ position: Int, _ values: [UInt8]) -> Bytes {
        let changed = patched(bytes, position, values)
        let checksum = crc32c(changed[21..<changed.count])
        return patched(
            changed, 17, (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (24 - 8 * $0)) })
    }

    @Test func `each broken rule has its published code`() throws {
        var fixture = try fixture()
        let good = try batch("a", "b", "c")
        #expect(code(patched(good, 70, [good[70] ^ 1]), &fixture) == 2)
        #expect(code(good[0..<40], &fixture) == 2)
        #expect(code(good[0..<(good.count - 1)], &fixture) == 2)
        #expect(code(patched(good, 16, [1]), &fixture) == 43)
        #expect(code(Bytes.joined([good, good]), &fixture) == 87)
        #expect(code(patched(good, 0, [0, 0, 0, 0, 0, 0, 0, 5]), &fixture) == 87)
        #expect(code(resealed(good, 57, [0, 0, 0, 2]), &fixture) == 87)
        #expect(code(resealed(good, 21, [0, 0x20]), &fixture) == 87)
        #expect(code(resealed(good, 21, [0, 0x10]), &fixture) == 42)
        #expect(code(resealed(good, 21, [0, 0x08]), &fixture) == 32)
        #expect(code(resealed(good, 21, [0, 0x07]), &fixture) == 76)
        #expect(code(resealed(good, 61, [0x7F]), &fixture) == 87)
        #expect(fixture.store.offsets(of: orders)?.logEndOffset == 0)
        #expect(code(good, &fixture) == 0)
    }

    @Test func `sizes are limited`() throws {
        var fixture = try fixture { $0.maxMessageBytes = 200 }
        #expect(code(try batch(String(repeating: "x", count: 300)), &fixture) == 10)
        fixture = try self.fixture { $0.segmentBytes = 200 }
        #expect(code(try batch(String(repeating: "x", count: 300)), &fixture) == 18)
        fixture = try self.fixture()
        #expect(code(try batch(String(repeating: "x", count: 70_000)), &fixture) == 18)
    }

    @Test func `timestamps too far in the future name their records`() throws {
        var fixture = try fixture()
        let records = [TestRecord("now"), TestRecord("later", timestamp: wall(7200))]
        let bytes = try batch(records)
        do {
            _ = try fixture.store.append(bytes, to: orders, now: at(0))
            Issue.record("accepted")
        } catch {
            #expect(error.code == 32)
            #expect(error.records.map(\.index) == [1])
        }
        #expect(code(try batch([TestRecord("none", timestamp: -1)]), &fixture) == 0)
    }

    @Test func `a compacted topic demands keys`() throws {
        var fixture = try fixture { $0.isCompacted = true }
        let bytes = try batch([TestRecord("v", key: "k"), TestRecord("v")])
        do {
            _ = try fixture.store.append(bytes, to: orders, now: at(0))
            Issue.record("accepted")
        } catch {
            #expect(error.code == 87)
            #expect(error.records.map(\.index) == [1])
        }
    }

    @Test func `log append time replaces the producer's`() throws {
        var fixture = try fixture { $0.usesLogAppendTime = true }
        let result = try fixture.append(
            try batch([TestRecord("a", timestamp: wall(-50))]), now: at(10))
        #expect(result.logAppendTime.milliseconds == wall(10))
        fixture.sync()
        let outcome = try fixture.store.read(orders, from: 0, maxBytes: 1000)
        let view = try RecordBatchView(outcome.batches[0])
        try view.checkChecksum()
        var cursor = try view.records()
        #expect(try cursor.next()?.timestamp.milliseconds == wall(10))
    }

    @Test func `a wrong largest timestamp in the header is corrected`() throws {
        var fixture = try fixture()
        let lying = resealed(try batch("a"), 35, [0, 0, 0, 0, 0, 0, 0, 1])
        #expect(code(lying, &fixture) == 0)
        fixture.sync()
        let found = try fixture.store.firstOffset(
            in: orders, atOrAfter: Timestamp(milliseconds: wall(0)))
        #expect(found?.offset == 0)
    }

    @Test func `compressed batches are stored as they came`() throws {
        for codec in [Codec.gzip, .snappy, .lz4, .zstd] {
            var fixture = try fixture()
            let text = String(repeating: "abc", count: 500)
            let bytes = try batch([TestRecord(text), TestRecord(text)], codec: codec)
            try fixture.append(bytes)
            fixture.sync()
            #expect(try fixture.texts() == [text, text])
            let outcome = try fixture.store.read(orders, from: 0, maxBytes: 1)
            #expect(outcome.batches[0].count == bytes.count)
        }
    }

    @Test func `an unknown partition and a halted store say so`() throws {
        var fixture = try Fixture()
        #expect(code(try batch("a"), &fixture) == 3)
        #expect(throws: ReadFailure.unknownPartition) {
            try fixture.store.read(orders, from: 0, maxBytes: 1)
        }
    }
}
