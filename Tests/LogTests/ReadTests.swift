import Base
import Compression
import Log
import Testing
import WireProtocol

@Suite struct ReadTests {
    private func filled(
        segmentBytes: Int64 = 2048, tail: Int = 0, batches: Int = 60
    ) throws -> Fixture {
        var configuration = smallConfiguration()
        configuration.tailCacheBytes = tail
        var fixture = try Fixture(configuration: configuration)
        var settings = PartitionSettings()
        settings.segmentBytes = segmentBytes
        settings.indexIntervalBytes = 256
        settings.retentionMilliseconds = -1
        try fixture.create(settings: settings)
        for index in 0..<batches {
            try fixture.append(try batch("a\(index)", "b\(index)", "c\(index)"))
            fixture.sync()
        }
        return fixture
    }

    @Test(arguments: [0, 2000, 1 << 20])
    func `a read begins with the batch that contains the offset`(tail: Int) throws {
        var fixture = try filled(tail: tail)
        for offset in 0..<180 {
            let outcome = try fixture.store.read(orders, from: Offset(Int64(offset)), maxBytes: 1)
            #expect(outcome.batches.count == 1)
            let header = try RecordBatchHeader(outcome.batches[0])
            #expect(header.baseOffset.value == Int64(offset / 3 * 3))
        }
        #expect(try fixture.texts().count == 180)
        #expect(try fixture.store.read(orders, from: 180, maxBytes: 1).batches.isEmpty)
        #expect(throws: ReadFailure.self) {
            try fixture.store.read(orders, from: 181, maxBytes: 1)
        }
    }

    @Test func `a read keeps to its limit after the first batch`() throws {
        var fixture = try filled(segmentBytes: 1 << 20)
        let one = try fixture.store.read(orders, from: 0, maxBytes: 1).bytes
        let outcome = try fixture.store.read(orders, from: 0, maxBytes: 5 * one + 1)
        #expect(outcome.bytes <= 5 * one + 1 && outcome.bytes > 4 * one)
    }

    @Test func `a flipped bit below the durable end is found and never served`() throws {
        var fixture = try filled()
        let file = try fixture.disk.open("orders-0/00000000000000000000.log")
        let old = try file.read(at: 700, count: 1)
        try file.write(Bytes([old[0] ^ 4]), at: 700)
        do {
            for offset in 0..<30 {
                _ = try fixture.store.read(orders, from: Offset(Int64(offset)), maxBytes: 1)
            }
            Issue.record("the damage was not noticed")
        } catch {
            #expect(error.code == 56)
        }
        let damage = try #require(fixture.store.damage(of: orders))
        #expect(damage.file.hasSuffix(".log") && damage.position <= 700)
        #expect(throws: AppendFailure.self) { try fixture.append(try batch("more")) }
    }

    @Test func `index files that are lost or damaged are built again`() throws {
        var fixture = try filled()
        try fixture.store.close(now: at(1))
        try fixture.reopen()
        let names = try fixture.disk.list("orders-0").filter { $0.hasSuffix("index") }
        #expect(names.count > 4)
        try fixture.disk.remove("orders-0/" + names[0])
        for name in names.dropFirst() {
            try fixture.disk.open("orders-0/" + name).write(Bytes([255, 255, 255]), at: 5)
        }
        #expect(try fixture.texts(from: 100).count == 80)
        for offset in [0, 50, 99, 179] {
            let found = try fixture.values(from: Int64(offset), maxBytes: 1)
            #expect(found.first?.0 == Int64(offset))
        }
    }

    @Test func `timestamps are looked up exactly, as a simple search would`() throws {
        var random = Random(seed: 5)
        var fixture = try filled(segmentBytes: 700, batches: 0)
        var times: [Int64] = []
        for _ in 0..<120 {
            let records = (0..<random.within(1...4)).map { _ in
                // Not monotone: clients' clocks go back and forth.
                let time = wall(Int64(times.count)) + Int64(random.below(20_000)) - 10_000
                times.append(time)
                return TestRecord("x", timestamp: time)
            }
            try fixture.append(try batch(records, codec: random.chance(1, in: 3) ? .lz4 : .none))
            fixture.sync()
        }
        for round in 0..<2 {
            for _ in 0..<100 {
                let wanted = wall(Int64(random.below(times.count + 20)) - 10)
                let expected = times.firstIndex { $0 >= wanted }
                let found = try fixture.store.firstOffset(
                    in: orders, atOrAfter: Timestamp(milliseconds: wanted))
                #expect(found?.offset.value == expected.map(Int64.init))
                if let expected { #expect(found?.timestamp.milliseconds == times[expected]) }
            }
            let largest = times.max() ?? 0
            let top = try fixture.store.offsetOfMaxTimestamp(in: orders)
            #expect(top?.offset.value == times.firstIndex(of: largest).map(Int64.init))
            if round == 0 { try fixture.reopen() }
        }
    }

    @Test func `leader epochs tell where they end`() throws {
        var fixture = try filled(batches: 1)
        fixture.store.raiseLeaderEpoch(of: orders, to: 4)
        try fixture.append(try batch("x"))
        fixture.sync()
        #expect(fixture.store.endOffset(of: orders, epoch: 0)?.endOffset == 3)
        #expect(fixture.store.endOffset(of: orders, epoch: 2)?.epoch == 0)
        #expect(fixture.store.endOffset(of: orders, epoch: 4)?.endOffset == 4)
        #expect(fixture.store.endOffset(of: orders, epoch: 5) == nil)
        try fixture.reopen()
        #expect(fixture.store.endOffset(of: orders, epoch: 4)?.endOffset == 4)
        #expect(fixture.store.offsets(of: orders)?.leaderEpoch == 4)
    }
}
