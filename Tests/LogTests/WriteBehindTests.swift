import Base
import Log
import Testing
import WireProtocol

@Suite struct WriteBehindTests {
    private let segment = "orders-0/00000000000000000000.log"

    private func fixture(tailBytes: Int) throws -> Fixture {
        var configuration = smallConfiguration()
        configuration.tailCacheBytes = tailBytes
        configuration.journalFileBytes = 1 << 20
        configuration.checkpointInterval = .seconds(10)
        var fixture = try Fixture(configuration: configuration)
        try fixture.create()
        return fixture
    }

    private func size(_ fixture: Fixture) throws -> Int64 {
        try fixture.disk.open(segment).size
    }

    @Test func `an acknowledged record is in the journal, not in a segment`() throws {
        var fixture = try fixture(tailBytes: 1 << 20)
        try fixture.append(try batch("a", "b"))
        #expect(fixture.sync().map(\.durableEndOffset) == [2])
        #expect(try size(fixture) == 0)
        #expect(try fixture.texts() == ["a", "b"])
        try fixture.reopen()
        #expect(try fixture.texts() == ["a", "b"])
        #expect(try size(fixture) > 0)
    }

    @Test func `what memory has no room for is written first`() throws {
        var fixture = try fixture(tailBytes: 1000)
        for number in 0..<200 {
            try fixture.append(try batch("value \(number)"))
            if number % 7 == 0 { fixture.sync() }
        }
        fixture.sync()
        let bytes = try #require(fixture.store.bytes(of: orders))
        #expect(try size(fixture) > bytes - 2000)
        #expect(try fixture.texts() == (0..<200).map { "value \($0)" })
        #expect(try fixture.texts(from: 150) == (150..<200).map { "value \($0)" })
    }

    @Test func `a checkpoint writes what waits`() throws {
        var fixture = try fixture(tailBytes: 1 << 20)
        for number in 0..<20 { try fixture.append(try batch("value \(number)")) }
        fixture.sync()
        #expect(try size(fixture) == 0)
        for second in 11..<16 {
            #expect(fixture.store.maintain(now: at(Int64(second))) == nil)
            fixture.sync()
            fixture.store.checkInvariants()
        }
        #expect(try size(fixture) == fixture.store.bytes(of: orders))
        #expect(fixture.store.statistics.checkpoints > 0)
    }

    @Test func `rolled segments keep what waits in order`() throws {
        var settings = PartitionSettings()
        settings.segmentBytes = 400
        var configuration = smallConfiguration()
        configuration.tailCacheBytes = 1 << 20
        var fixture = try Fixture(configuration: configuration)
        try fixture.create(settings: settings)
        for number in 0..<50 { try fixture.append(try batch("value \(number)")) }
        fixture.sync()
        #expect(try fixture.texts() == (0..<50).map { "value \($0)" })
        try fixture.reopen()
        #expect(try fixture.texts() == (0..<50).map { "value \($0)" })
    }

    @Test func `a large batch that belongs to the log is not copied and survives`() throws {
        var fixture = try fixture(tailBytes: 4 << 20)
        let texts = (0..<100).map { String(repeating: "x", count: 1500) + "\($0)" }
        try fixture.append(try batch("before"))
        let large = try batch(texts.map { TestRecord($0) })
        let copy = Bytes(large.array)
        let result = try fixture.store.append(large, to: orders, isOwned: true, now: at(0))
        #expect(result.baseOffset == 1)
        // Stamped where it lay; without the promise the bytes stay what they were.
        #expect(large != copy)
        _ = try fixture.store.append(copy, to: orders, now: at(0))
        #expect(copy[7] == 0)
        fixture.sync()
        #expect(try fixture.texts() == ["before"] + texts + texts)
        try fixture.reopen()
        #expect(fixture.report.damaged.isEmpty)
        #expect(try fixture.texts() == ["before"] + texts + texts)
    }

    @Test func `a direct batch is durable when the journal and its segment are`() throws {
        var configuration = smallConfiguration()
        configuration.directFromBytes = 2000
        configuration.tailCacheBytes = 1 << 20
        var fixture = try Fixture(configuration: configuration)
        try fixture.create()
        let large = (0..<30).map { String(repeating: "y", count: 100) + "\($0)" }
        try fixture.append(try batch("before"))
        try fixture.append(try batch(large.map { TestRecord($0) }))
        try fixture.append(try batch("after"))
        // The small batch before it went along, in order.
        #expect(try size(fixture) > 3000)
        var requests: [SyncRequest] = []
        while let request = fixture.store.beginSync() { requests.append(request) }
        try #require(requests.map(\.lane) == [.journal, .segments])
        let (journal, file) = (requests[0], requests[1])
        guard
            case .advanced(let first) = fixture.store.syncCompleted(journal.ticket, failure: nil),
            case .advanced(let second) = fixture.store.syncCompleted(file.ticket, failure: nil)
        else {
            Issue.record("no sync failed")
            return
        }
        #expect(first.map(\.durableEndOffset) == [1])
        #expect(second.map(\.durableEndOffset) == [32])
        #expect(try fixture.texts() == ["before"] + large + ["after"])
        try fixture.reopen()
        #expect(fixture.report.damaged.isEmpty)
        #expect(try fixture.texts() == ["before"] + large + ["after"])
    }

    @Test func `a direct batch becomes durable also when another partition is cut meanwhile`()
        throws
    {
        var configuration = smallConfiguration()
        configuration.directFromBytes = 2000
        configuration.isReplicated = true
        var fixture = try Fixture(configuration: configuration)
        try fixture.create()
        let other = TopicPartition(topic: "orders", partition: 1)
        try fixture.create(other)
        try fixture.append(try batch("a", "b"), to: other)
        fixture.sync()
        let large = (0..<30).map { TestRecord(String(repeating: "y", count: 100) + "\($0)") }
        try fixture.append(try batch(large))
        var requests: [SyncRequest] = []
        while let request = fixture.store.beginSync() { requests.append(request) }
        try #require(requests.map(\.lane) == [.journal, .segments])
        try fixture.store.truncate(other, to: 1, now: at(0))
        for request in requests {
            _ = fixture.store.syncCompleted(request.ticket, failure: nil)
        }
        #expect(fixture.store.durableEnd(of: orders) == 30)
    }

    /// A sync of a segment waits for its turn on another thread; what closes the file meanwhile
    /// makes it fail with EBADF, and the disk is not to blame.
    @Test(arguments: ["delete", "truncate", "nothing"])
    func `a sync of a file that was closed meanwhile halts nobody`(change: String) throws {
        var configuration = smallConfiguration()
        configuration.directFromBytes = 2000
        var fixture = try Fixture(configuration: configuration)
        var settings = PartitionSettings()
        settings.segmentBytes = 3400
        try fixture.create(settings: settings)
        try fixture.create(users)
        let large = (0..<30).map { TestRecord(String(repeating: "y", count: 100) + "\($0)") }
        try fixture.append(try batch("first"))
        fixture.sync()
        try fixture.append(try batch(large))
        var requests: [SyncRequest] = []
        while let request = fixture.store.beginSync() { requests.append(request) }
        let file = try #require(requests.first { $0.lane == .segments })
        switch change {
        case "delete": try fixture.store.delete([orders], now: at(1))
        case "truncate": try fixture.store.truncate(orders, to: 1, now: at(1))
        default: break
        }
        let outcome = fixture.store.syncCompleted(
            file.ticket, failure: .system(operation: "sync", path: "closed", code: 9))
        if change == "nothing" {
            guard case .halt = outcome else {
                Issue.record("a failed sync of a file of the log is final")
                return
            }
            return
        }
        guard case .advanced(let advances) = outcome else {
            Issue.record("the store halted")
            return
        }
        #expect(advances.isEmpty)
        for request in requests where request.lane == .journal {
            _ = fixture.store.syncCompleted(request.ticket, failure: nil)
        }
        try fixture.append(try batch("still served"), to: users)
        fixture.sync()
        #expect(try fixture.texts(users) == ["still served"])
    }

    @Test func `a direct batch that was durable and is gone is damage, not a torn tail`() throws {
        var configuration = smallConfiguration()
        configuration.directFromBytes = 1000
        var fixture = try Fixture(configuration: configuration)
        try fixture.create()
        try fixture.append(try batch([TestRecord(String(repeating: "z", count: 2000))]))
        fixture.sync()
        // With this frame the journal tells that the first was durable.
        try fixture.append(try batch("after"))
        fixture.sync()
        let file = try fixture.disk.open(segment)
        try file.write(Bytes([0xFF]), at: 900)
        try fixture.reopen()
        #expect(fixture.report.damaged.map(\.firstOffset) == [0])
    }

    /// Reads everything as a fetch does and returns the values.
    private func fetched(_ fixture: inout Fixture, maxBytes: Int) throws -> [String?] {
        var found: [String?] = []
        var next: Offset = 0
        while true {
            let outcome = try fixture.store.read(
                orders, from: next, maxBytes: maxBytes, mayLend: true)
            guard !outcome.batches.isEmpty else { return found }
            let joined = Bytes.joined(outcome.batches)
            var position = 0
            var count = 0
            while position < joined.count {
                let length = Int(
                    joined[(position + 8)..<(position + 12)].array.reduce(0) {
                        $0 << 8 | Int32($1)
                    })
                let view = try RecordBatchView(joined[position..<(position + 12 + length)])
                try view.checkChecksum()
                #expect(view.header.nextOffset > next)
                var cursor = try view.records()
                while let record = try cursor.next() { found.append(record.value?.text) }
                next = view.header.nextOffset
                position += 12 + length
                count += 1
            }
            #expect(joined.count <= maxBytes || count == 1)
        }
    }

    @Test(arguments: [1, 300, 1000, 5000, 100_000])
    func `what is lent is what was stored`(maxBytes: Int) throws {
        var configuration = smallConfiguration()
        configuration.tailCacheBytes = 500
        var fixture = try Fixture(configuration: configuration)
        var settings = PartitionSettings()
        settings.segmentBytes = 9000
        settings.indexIntervalBytes = 700
        try fixture.create(settings: settings)
        let texts = (0..<400).map { "value \($0)" }
        for text in texts { try fixture.append(try batch(text)) }
        fixture.sync()
        #expect(try fetched(&fixture, maxBytes: maxBytes) == texts)
        try fixture.reopen()
        // Once to check what is read, once more to lend it.
        #expect(try fetched(&fixture, maxBytes: maxBytes) == texts)
        #expect(try fetched(&fixture, maxBytes: maxBytes) == texts)
    }
}
