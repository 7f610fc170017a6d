import Base
import Compression
import Log
import Testing
import WireProtocol

@Suite struct CleanerTests {
    private func compacted(_ change: (inout PartitionSettings) -> Void = { _ in }) throws -> Fixture
    {
        var configuration = smallConfiguration()
        configuration.tailCacheBytes = 0
        configuration.cleanerCheckInterval = .seconds(1)
        configuration.checkpointInterval = .seconds(1)
        var fixture = try Fixture(configuration: configuration)
        var settings = PartitionSettings()
        settings.segmentBytes = 1500
        settings.isCompacted = true
        settings.deletesOldSegments = false
        settings.minCleanableDirtyPerMille = 1
        change(&settings)
        try fixture.create(settings: settings)
        return fixture
    }

    /// Lets maintenance run for a while from `start` on.
    private func work(_ fixture: inout Fixture, from start: Int64, budget: Int = 1 << 20) {
        for step in 0..<40 {
            _ = fixture.store.maintain(now: at(start + Int64(step)), budgetBytes: budget)
            fixture.sync()
            fixture.store.checkInvariants()
        }
    }

    /// All records as (offset, key, value).
    private func records(_ fixture: inout Fixture) throws -> [(Int64, String, String?)] {
        var found: [(Int64, String, String?)] = []
        var next: Offset = 0
        while true {
            let outcome = try fixture.store.read(orders, from: next, maxBytes: 1 << 20)
            guard !outcome.batches.isEmpty else { return found }
            for bytes in outcome.batches {
                let view = try RecordBatchView(bytes)
                _ = try view.validate(order: .ascending)
                var cursor = try view.records()
                while let record = try cursor.next() {
                    found.append(
                        (record.offset.value, record.key?.text ?? "", record.value?.text))
                }
                next = view.header.nextOffset
            }
        }
    }

    private func latest(_ records: [(Int64, String, String?)]) -> [String: String] {
        var result: [String: String] = [:]
        for (_, key, value) in records { result[key] = value }
        return result
    }

    @Test(arguments: 1...6)
    func `the last value of each key survives at its offset`(seed: UInt64) throws {
        var random = Random(seed: seed)
        var fixture = try compacted()
        var all: [(Int64, String, String?)] = []
        for round in 0..<200 {
            let rows = (0..<random.within(1...4)).map { _ in
                TestRecord(
                    random.chance(1, in: 10)
                        ? nil : "v\(round)" + String(repeating: "z", count: random.below(60)),
                    key: "k\(random.below(12))", timestamp: wall(Int64(round / 10)))
            }
            let codec: Codec = random.chance(1, in: 3) ? .zstd : .none
            let result = try fixture.append(
                try batch(rows, codec: codec), now: at(Int64(round / 10)))
            for (index, row) in rows.enumerated() {
                all.append((result.baseOffset.value + Int64(index), row.key ?? "", row.value))
            }
            fixture.sync()
            if round % 40 == 39 {
                work(&fixture, from: Int64(100 + round), budget: random.within(200...5000))
            }
        }
        let end = fixture.store.offsets(of: orders)?.logEndOffset
        work(&fixture, from: 400)
        #expect(fixture.store.statistics.cleanings > 0)
        for pass in 0..<2 {
            let left = try records(&fixture)
            #expect(left.count < all.count / 2)
            #expect(latest(left) == latest(all))
            for (offset, key, value) in left {
                #expect(all[Int(offset)].1 == key && all[Int(offset)].2 == value)
            }
            #expect(fixture.store.offsets(of: orders)?.logEndOffset == end)
            if pass == 0 { try fixture.reopen(now: at(500)) }
        }
        #expect(fixture.report.damaged.isEmpty)
    }

    @Test func `a delete is kept for its time and then goes`() throws {
        var fixture = try compacted { $0.deleteRetentionMilliseconds = 600_000 }
        try fixture.append(try batch([TestRecord("old", key: "a")]))
        try fixture.append(try batch([TestRecord(nil, key: "a")]))
        for index in 0..<20 {
            let filler = String(repeating: "f", count: 200)
            try fixture.append(try batch([TestRecord(filler, key: "fill\(index % 2)")]))
        }
        fixture.sync()
        work(&fixture, from: 10)
        let early = try records(&fixture).filter { $0.1 == "a" }
        #expect(early.map(\.0) == [1] && early.map(\.2) == [nil])
        for index in 0..<20 {
            let filler = String(repeating: "g", count: 200)
            try fixture.append(try batch([TestRecord(filler, key: "fill\(index % 2)")]))
        }
        fixture.sync()
        work(&fixture, from: 2000)
        #expect(try records(&fixture).filter { $0.1 == "a" }.isEmpty)
    }

    @Test func `a retry is recognised although its records were cleaned away`() throws {
        var fixture = try compacted()
        let sent = try batch([TestRecord("x", key: "p")], producer: 9, epoch: 0, sequence: 0)
        try fixture.append(sent)
        for index in 0..<30 {
            let filler = String(repeating: "f", count: 200)
            try fixture.append(
                try batch([TestRecord(filler, key: index % 2 == 0 ? "p" : "q")]))
        }
        fixture.sync()
        work(&fixture, from: 10)
        #expect(try records(&fixture).first?.0 ?? 0 > 0)
        #expect(try fixture.append(sent).isDuplicate)
        try fixture.reopen(now: at(60))
        #expect(try fixture.append(sent).isDuplicate)
    }

    @Test func `a small map cleans in several rounds`() throws {
        var configuration = smallConfiguration()
        configuration.cleanerKeyCountMax = 5
        configuration.cleanerCheckInterval = .seconds(1)
        configuration.checkpointInterval = .seconds(1)
        var fixture = try Fixture(configuration: configuration)
        var settings = PartitionSettings()
        settings.segmentBytes = 1500
        settings.isCompacted = true
        settings.minCleanableDirtyPerMille = 1
        settings.retentionMilliseconds = -1
        try fixture.create(settings: settings)
        for index in 0..<90 {
            let value = "v\(index)" + String(repeating: "f", count: 60)
            try fixture.append(try batch([TestRecord(value, key: "k\(index % 30)")]))
        }
        fixture.sync()
        let before = latest(try records(&fixture))
        for round in 0..<10 { work(&fixture, from: Int64(10 + 50 * round)) }
        let after = try records(&fixture)
        #expect(latest(after) == before)
        #expect(after.count < 90)
    }

    @Test func `what was cleaned away is gone for readers of recent batches too`() throws {
        var configuration = smallConfiguration()
        configuration.tailCacheBytes = 1 << 20
        configuration.cleanerCheckInterval = .seconds(1)
        configuration.checkpointInterval = .seconds(1)
        var fixture = try Fixture(configuration: configuration)
        var settings = PartitionSettings()
        settings.segmentBytes = 500
        settings.isCompacted = true
        settings.deletesOldSegments = false
        settings.minCleanableDirtyPerMille = 1
        try fixture.create(settings: settings)
        for round in 0..<40 {
            _ = try fixture.append(
                try batch([TestRecord("v\(round)", key: "k\(round % 2)", timestamp: wall(0))]),
                now: at(0))
        }
        fixture.sync()
        #expect(try records(&fixture).count == 40)
        work(&fixture, from: 10)
        let left = try records(&fixture)
        #expect(left.count < 15)
        #expect(latest(left) == ["k0": "v38", "k1": "v39"])
    }
}
