import Base
import Log
import Testing

@Suite struct ProducerTests {
    /// Sends `count` records of producer 7 with this epoch and sequence.
    private func send(
        _ fixture: inout Fixture, _ sequence: Int32, count: Int = 1, epoch: Int16 = 0
    ) throws -> AppendResult {
        let records = (0..<count).map { TestRecord("s\(sequence)+\($0)") }
        return try fixture.append(
            try batch(records, producer: 7, epoch: epoch, sequence: sequence))
    }

    @Test func `a repeated batch gets the original offsets and is not stored again`() throws {
        var fixture = try Fixture()
        try fixture.create()
        _ = try fixture.append(try batch("other"))
        let first = try send(&fixture, 0, count: 3)
        for sequence in [Int32(3), 4, 5, 6] { _ = try send(&fixture, sequence) }
        let again = try send(&fixture, 0, count: 3)
        #expect(again.isDuplicate && again.baseOffset == first.baseOffset)
        #expect(again.lastOffset == first.lastOffset)
        #expect(fixture.store.offsets(of: orders)?.logEndOffset == 8)
    }

    @Test func `a duplicate older than five batches is out of order`() throws {
        var fixture = try Fixture()
        try fixture.create()
        for sequence in 0..<6 { _ = try send(&fixture, Int32(sequence)) }
        #expect(throws: AppendFailure.outOfOrderSequence(producerID: 7, expected: 6, found: 0)) {
            try send(&fixture, 0)
        }
        #expect(try send(&fixture, 1).isDuplicate)
    }

    @Test func `a gap in the sequence is refused`() throws {
        var fixture = try Fixture()
        try fixture.create()
        _ = try send(&fixture, 0, count: 2)
        #expect(throws: AppendFailure.outOfOrderSequence(producerID: 7, expected: 2, found: 3)) {
            try send(&fixture, 3)
        }
    }

    @Test func `without state any sequence is accepted`() throws {
        var fixture = try Fixture()
        try fixture.create()
        #expect(try send(&fixture, 500).baseOffset == 0)
    }

    @Test func `an old epoch is fenced and a new one begins at zero`() throws {
        var fixture = try Fixture()
        try fixture.create()
        _ = try send(&fixture, 0, epoch: 2)
        #expect(throws: AppendFailure.invalidProducerEpoch(producerID: 7, current: 2, found: 1)) {
            try send(&fixture, 1, epoch: 1)
        }
        #expect(throws: AppendFailure.outOfOrderSequence(producerID: 7, expected: 0, found: 1)) {
            try send(&fixture, 1, epoch: 3)
        }
        #expect(try send(&fixture, 0, epoch: 3).baseOffset == 1)
    }

    @Test func `sequences wrap to zero`() throws {
        var fixture = try Fixture()
        try fixture.create()
        _ = try send(&fixture, Int32.max - 1, count: 3)
        #expect(try send(&fixture, 1).baseOffset == 3)
        #expect(try send(&fixture, Int32.max - 1, count: 3).isDuplicate)
    }

    @Test func `duplicates are recognised after a crash and after a checkpoint`() throws {
        var fixture = try Fixture()
        try fixture.create()
        _ = try send(&fixture, 0)
        _ = try send(&fixture, 1, count: 2)
        fixture.sync()
        try fixture.reopen()
        #expect(try send(&fixture, 1, count: 2).isDuplicate)
        try fixture.reopen()
        #expect(fixture.report.journalFrames == 0)
        #expect(try send(&fixture, 0).isDuplicate)
        #expect(try send(&fixture, 3).baseOffset == 3)
    }

    @Test func `a producer that was idle for long is forgotten`() throws {
        var configuration = smallConfiguration()
        configuration.producerExpirationMilliseconds = 60_000
        var fixture = try Fixture(configuration: configuration)
        try fixture.create()
        _ = try send(&fixture, 0)
        _ = fixture.store.maintain(now: at(120))
        #expect(try send(&fixture, 9).baseOffset == 1)
    }
}
