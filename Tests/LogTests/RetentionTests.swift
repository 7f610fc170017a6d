import Base
import Log
import Testing

@Suite struct RetentionTests {
    private func filled(_ change: (inout PartitionSettings) -> Void) throws -> Fixture {
        var fixture = try Fixture()
        var settings = PartitionSettings()
        settings.segmentBytes = 1000
        settings.retentionMilliseconds = -1
        settings.fileDeleteDelayMilliseconds = 1000
        change(&settings)
        try fixture.create(settings: settings)
        for index in 0..<50 {
            let value = String(repeating: "v", count: 100)
            try fixture.append(
                try batch([TestRecord(value, timestamp: wall(Int64(index)))]),
                now: at(Int64(index)))
            fixture.sync()
        }
        return fixture
    }

    private func start(_ fixture: Fixture) -> Int64? {
        fixture.store.offsets(of: orders)?.logStartOffset.value
    }

    @Test func `size retention removes whole segments and keeps enough`() throws {
        var fixture = try filled { $0.retentionBytes = 3000 }
        _ = fixture.store.maintain(now: at(1000))
        let bytes = try #require(fixture.store.bytes(of: orders))
        #expect(bytes >= 3000 && bytes < 4200)
        let first = try #require(start(fixture))
        #expect(first > 0)
        #expect(try fixture.values(from: first).first?.0 == first)
        #expect(throws: ReadFailure.self) {
            try fixture.store.read(orders, from: 0, maxBytes: 1)
        }
    }

    @Test func `files disappear after the delay and stay away after a restart`() throws {
        var fixture = try filled { $0.retentionBytes = 3000 }
        _ = fixture.store.maintain(now: at(1000))
        let retired = try fixture.disk.list("orders-0").filter { $0.hasSuffix(".deleted") }
        #expect(!retired.isEmpty)
        for second in 1002..<1010 { _ = fixture.store.maintain(now: at(Int64(second))) }
        #expect(try fixture.disk.list("orders-0").filter { $0.hasSuffix(".deleted") }.isEmpty)
        let first = start(fixture)
        try fixture.reopen()
        #expect(start(fixture) == first)
        #expect(fixture.report.damaged.isEmpty)
    }

    @Test func `time retention goes by the newest record of a segment`() throws {
        var fixture = try filled { $0.retentionMilliseconds = 500_000 }
        _ = fixture.store.maintain(now: at(500 + 25))
        let first = try #require(start(fixture))
        #expect(first > 10 && first <= 25)
    }

    @Test func `when everything has expired the log is empty and goes on`() throws {
        var fixture = try filled { $0.retentionMilliseconds = 500_000 }
        _ = fixture.store.maintain(now: at(9000))
        #expect(start(fixture) == 50)
        #expect(try fixture.values(from: 50).isEmpty)
        try fixture.reopen(now: at(9000))
        #expect(start(fixture) == 50)
        let late = try batch([TestRecord("new", timestamp: wall(9000))])
        #expect(try fixture.append(late, now: at(9000)).baseOffset == 50)
        fixture.sync()
        try fixture.reopen(now: at(9000))
        #expect(try fixture.texts(from: 50) == ["new"])
    }

    @Test func `deleted records stay deleted`() throws {
        var fixture = try filled { _ in }
        #expect(try fixture.store.deleteRecords(in: orders, before: 7, now: at(60)) == 7)
        #expect(try fixture.store.deleteRecords(in: orders, before: 3, now: at(60)) == 7)
        #expect(throws: DeleteRecordsFailure.offsetOutOfRange) {
            try fixture.store.deleteRecords(in: orders, before: 51, now: at(60))
        }
        #expect(try fixture.values(from: 7).first?.0 == 7)
        try fixture.reopen()
        #expect(start(fixture) == 7)
        #expect(try fixture.store.deleteRecords(in: orders, before: -1, now: at(60)) == 50)
    }

    @Test func `a compacted topic does not delete by command`() throws {
        var fixture = try Fixture()
        var settings = PartitionSettings()
        settings.isCompacted = true
        settings.deletesOldSegments = false
        try fixture.create(settings: settings)
        #expect(throws: DeleteRecordsFailure.policyViolation) {
            try fixture.store.deleteRecords(in: orders, before: 0, now: at(0))
        }
    }

    @Test func `segments roll by size and by time`() throws {
        let fixture = try filled { $0.segmentMilliseconds = 3000 }
        let logs = try fixture.disk.list("orders-0").filter { $0.hasSuffix(".log") }
        // Four seconds' worth each: 0–3, 4–7, …
        #expect(logs.count == 13)
        #expect(logs[1] == "00000000000000000004.log")
    }

    @Test func `a log can be cut back and goes on from there`() throws {
        var fixture = try filled { _ in }
        try fixture.store.truncate(orders, to: 21, now: at(60))
        fixture.store.checkInvariants()
        #expect(fixture.store.offsets(of: orders)?.logEndOffset == 21)
        try fixture.append(try batch("again"))
        fixture.sync()
        try fixture.reopen()
        #expect(try fixture.texts(from: 20).last == "again")
        #expect(fixture.store.offsets(of: orders)?.logEndOffset == 22)
    }

    @Test func `a deleted partition is gone, its name can be used again`() throws {
        var fixture = try filled { _ in }
        try fixture.store.delete([orders, users], now: at(60))
        #expect(fixture.store.partitions.isEmpty)
        try fixture.reopen()
        #expect(fixture.store.partitions.isEmpty)
        #expect(!fixture.disk.exists("orders-0") && !fixture.disk.exists("deleted"))
        try fixture.create()
        #expect(try fixture.append(try batch("x")).baseOffset == 0)
        #expect(throws: StorageFailure.alreadyExists(path: "orders-0")) { try fixture.create() }
    }
}
