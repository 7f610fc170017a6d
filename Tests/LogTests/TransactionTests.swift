import Base
import Log
import Testing
import WireProtocol

/// A batch of a transaction. Records have the value as key, so that compacted topics take them.
private func transactional(
    _ values: [String], producer: Int64, epoch: Int16, sequence: Int32, isTransactional: Bool = true
) throws -> Bytes {
    var builder = RecordBatchBuilder()
    for value in values {
        builder.append(
            key: Bytes(utf8: value), value: Bytes(utf8: value),
            timestamp: Timestamp(milliseconds: wall(0)))
    }
    var properties = RecordBatchBuilder.Properties()
    properties.producerId = producer
    properties.producerEpoch = epoch
    properties.baseSequence = sequence
    properties.isTransactional = isTransactional
    return try builder.finish(properties)
}

extension Fixture {
    @discardableResult
    fileprivate mutating func write(
        _ values: String..., producer: Int64, epoch: Int16 = 0, sequence: Int32,
        bumpsEpochs: Bool = false
    ) throws -> Int64 {
        let result = try store.append(
            transactional(values, producer: producer, epoch: epoch, sequence: sequence),
            to: orders, origin: .transaction(bumpsEpochs: bumpsEpochs), now: at(0))
        store.checkInvariants()
        return result.baseOffset.value
    }

    @discardableResult
    fileprivate mutating func end(
        producer: Int64, epoch: Int16 = 0, commit: Bool, coordinator: Int32 = 1,
        bumpsEpochs: Bool = false
    ) throws -> Int64? {
        let result = try store.appendMarker(
            MarkerAppend(
                producerID: producer, producerEpoch: epoch, coordinatorEpoch: coordinator,
                isCommit: commit, bumpsEpochs: bumpsEpochs), to: orders, now: at(0))
        store.checkInvariants()
        return result?.baseOffset.value
    }

    fileprivate var stable: Int64 { store.offsets(of: orders)?.lastStableOffset.value ?? -1 }

    /// What a reader of committed records sees, by the rules that clients follow.
    fileprivate mutating func committed(from offset: Int64 = 0) throws -> [String] {
        var found: [String] = []
        var next = Offset(offset)
        while true {
            let outcome = try store.read(
                orders, from: next, maxBytes: 200, isolation: .readCommitted)
            guard !outcome.batches.isEmpty else { return found }
            var aborted = outcome.aborted[...]
            #expect(
                outcome.aborted.map(\.firstOffset) == outcome.aborted.map(\.firstOffset).sorted())
            var skipped: Set<Int64> = []
            var batches = RecordBatchSequence(Bytes.joined(outcome.batches))
            while let batch = try batches.next() {
                let header = batch.header
                while let first = aborted.first, first.firstOffset <= header.lastOffset {
                    skipped.insert(first.producerID)
                    aborted.removeFirst()
                }
                var records = try batch.records()
                if header.isControl {
                    if let record = try records.next(),
                        try ControlRecord(record)?.kind == .abort
                    {
                        skipped.remove(header.producerId)
                    }
                } else if !header.isTransactional || !skipped.contains(header.producerId) {
                    while let record = try records.next() {
                        if record.offset >= next { found.append(record.value?.text ?? "") }
                    }
                }
                next = header.nextOffset
            }
        }
    }
}

@Suite struct TransactionTests {
    @Test func `records of a transaction are committed data after its marker is durable`() throws {
        var fixture = try Fixture()
        try fixture.create()
        try fixture.write("a", "b", producer: 7, sequence: 0)
        fixture.sync()
        #expect(fixture.stable == 0)
        #expect(try fixture.committed() == [])
        #expect(try fixture.values().map(\.1) == ["a", "b"])
        try fixture.end(producer: 7, commit: true)
        #expect(fixture.stable == 0, "nobody sees the marker yet")
        fixture.sync()
        #expect(fixture.stable == 3)
        #expect(try fixture.committed() == ["a", "b"])
    }

    @Test func `an aborted transaction is listed for every part of it that is read`() throws {
        var fixture = try Fixture()
        try fixture.create()
        try fixture.write("a", producer: 7, sequence: 0)
        try fixture.append(batch([TestRecord("plain")]))
        try fixture.write("b", producer: 7, sequence: 1)
        try fixture.write("c", producer: 8, sequence: 0)
        try fixture.end(producer: 7, commit: false)
        fixture.sync()
        #expect(fixture.stable == 3, "producer 8 is still open")
        #expect(try fixture.committed() == ["plain"])
        try fixture.end(producer: 8, commit: true)
        fixture.sync()
        #expect(try fixture.committed() == ["plain", "c"])
        #expect(try fixture.committed(from: 2) == ["c"])
        #expect(try fixture.committed(from: 4) == [])
    }

    @Test func `open and aborted transactions survive restarts with and without a checkpoint`()
        throws
    {
        var fixture = try Fixture()
        var settings = PartitionSettings()
        settings.segmentBytes = 300
        try fixture.create(settings: settings)
        var sequence: Int32 = 0
        for round in 0..<6 {
            try fixture.write("x\(round)", producer: 7, sequence: sequence)
            try fixture.write("y\(round)", producer: 8, sequence: Int32(round))
            sequence += 1
            try fixture.end(producer: 7, commit: round % 2 == 0)
            if round % 3 == 2 { try fixture.end(producer: 8, commit: false) }
            fixture.sync()
        }
        try fixture.write("open", producer: 9, sequence: 0)
        fixture.sync()
        let expected = ["x0", "x2", "x4"]
        let stable = fixture.stable
        #expect(try fixture.committed() == expected)
        try fixture.reopen()
        #expect(try fixture.committed() == expected)
        #expect(fixture.stable == stable)
        try fixture.reopen()
        #expect(try fixture.committed() == expected)
        // The files of aborted transactions are derived: without them the batches are read.
        let folder = orders.description
        var removed = 0
        for name in try fixture.disk.list(folder) where name.hasSuffix(".txnindex") {
            try fixture.disk.remove(folder + "/" + name)
            removed += 1
        }
        #expect(removed > 1)
        try fixture.reopen()
        #expect(try fixture.committed() == expected)
        try fixture.disk.remove("log.checkpoint")
        try fixture.reopen()
        #expect(fixture.report.didScanEverything)
        #expect(try fixture.committed() == expected)
        #expect(fixture.stable == stable)
        // The open transaction ends as if nothing had happened.
        try fixture.end(producer: 9, commit: true)
        fixture.sync()
        #expect(try fixture.committed() == expected + ["open"])
        #expect(fixture.stable == fixture.store.offsets(of: orders)?.highWatermark.value)
    }

    @Test func `a damaged file of aborted transactions is not believed`() throws {
        var fixture = try Fixture()
        try fixture.create()
        try fixture.write("a", producer: 7, sequence: 0)
        try fixture.end(producer: 7, commit: false)
        fixture.sync()
        try fixture.reopen()
        let path = orders.description + "/00000000000000000000.txnindex"
        let file = try fixture.disk.open(path)
        try file.write([Bytes(utf8: "x")], at: 5)
        file.close()
        try fixture.reopen()
        #expect(try fixture.committed() == [])
    }

    @Test func `what was aborted since is known when a damaged file is not believed`() throws {
        var configuration = smallConfiguration()
        configuration.tailCacheBytes = 1 << 20
        var fixture = try Fixture(configuration: configuration)
        try fixture.create()
        try fixture.write("a", producer: 7, sequence: 0)
        try fixture.end(producer: 7, commit: false)
        fixture.sync()
        try fixture.reopen()
        let file = try fixture.disk.open(orders.description + "/00000000000000000000.txnindex")
        try file.write([Bytes(utf8: "x")], at: 5)
        file.close()
        try fixture.reopen()
        // These wait in memory to be written to the segment.
        try fixture.write("b", producer: 8, sequence: 0)
        try fixture.end(producer: 8, commit: false)
        fixture.sync()
        #expect(try fixture.committed() == [])
        try fixture.write("c", producer: 8, sequence: 1)
        try fixture.end(producer: 8, commit: false)
        fixture.sync()
        #expect(try fixture.committed() == [])
    }

    // MARK: Rules

    @Test func `a marker needs an epoch and a coordinator that are not older`() throws {
        var fixture = try Fixture()
        try fixture.create()
        try fixture.write("a", producer: 7, epoch: 3, sequence: 0)
        #expect(throws: AppendFailure.invalidProducerEpoch(producerID: 7, current: 3, found: 2)) {
            try fixture.end(producer: 7, epoch: 2, commit: true)
        }
        #expect(throws: AppendFailure.invalidProducerEpoch(producerID: 7, current: 3, found: 3)) {
            try fixture.end(producer: 7, epoch: 3, commit: true, bumpsEpochs: true)
        }
        #expect(
            try fixture.end(producer: 7, epoch: 4, commit: true, coordinator: 5, bumpsEpochs: true)
                == 1)
        #expect(
            try fixture.end(producer: 7, epoch: 4, commit: true, coordinator: 6, bumpsEpochs: true)
                == nil, "a coordinator that came back asks again")
        #expect(throws: AppendFailure.coordinatorFenced(producerID: 7, current: 5, found: 4)) {
            try fixture.end(producer: 7, epoch: 5, commit: true, coordinator: 4)
        }
    }

    @Test func `a marker with a new epoch fences the producer and begins its sequences anew`()
        throws
    {
        var fixture = try Fixture()
        try fixture.create()
        try fixture.write("a", producer: 7, epoch: 0, sequence: 0)
        try fixture.end(producer: 7, epoch: 1, commit: true, bumpsEpochs: true)
        #expect(throws: AppendFailure.invalidProducerEpoch(producerID: 7, current: 1, found: 0)) {
            try fixture.write("b", producer: 7, epoch: 0, sequence: 1)
        }
        #expect(
            throws: AppendFailure.outOfOrderSequence(producerID: 7, expected: 0, found: 1)
        ) {
            try fixture.write("b", producer: 7, epoch: 1, sequence: 1)
        }
        #expect(try fixture.write("b", producer: 7, epoch: 1, sequence: 0) == 2)
        // With one epoch for all transactions the sequences go on.
        try fixture.end(producer: 7, epoch: 1, commit: true)
        #expect(try fixture.write("c", producer: 7, epoch: 1, sequence: 1) == 4)
    }

    @Test func `what no partition knows begins at sequence zero for epochs per transaction`() throws
    {
        var fixture = try Fixture()
        try fixture.create()
        #expect(
            throws: AppendFailure.outOfOrderSequence(producerID: 7, expected: 0, found: 4)
        ) {
            try fixture.write("a", producer: 7, sequence: 4, bumpsEpochs: true)
        }
        #expect(try fixture.write("a", producer: 7, sequence: 4) == 0)
    }

    @Test func `other batches of a producer have to wait for the end of its transaction`() throws {
        var fixture = try Fixture()
        try fixture.create()
        try fixture.write("a", producer: 7, sequence: 0)
        let plain = try transactional(
            ["b"], producer: 7, epoch: 0, sequence: 1, isTransactional: false)
        #expect {
            try fixture.append(plain)
        } throws: {
            ($0 as? AppendFailure)?.code == 48
        }
        #expect(throws: AppendFailure.notInTransaction) {
            try fixture.append(transactional(["c"], producer: 9, epoch: 0, sequence: 0))
        }
    }

    @Test func `a producer stays known while its transaction is open`() throws {
        var configuration = smallConfiguration()
        configuration.producerExpirationMilliseconds = 1000
        var fixture = try Fixture(configuration: configuration)
        try fixture.create()
        try fixture.write("a", producer: 7, sequence: 0)
        try fixture.write("b", producer: 8, sequence: 0)
        try fixture.end(producer: 8, commit: true)
        fixture.sync()
        try fixture.reopen(now: at(0))
        try fixture.reopen(now: at(100))
        #expect(fixture.store.producers(of: orders).map(\.producerID) == [7])
        #expect(fixture.store.producers(of: orders).map(\.transactionStart) == [0])
    }

    // MARK: Cleaning

    private func compacted() -> PartitionSettings {
        var settings = PartitionSettings()
        settings.isCompacted = true
        settings.deletesOldSegments = false
        settings.segmentBytes = 400
        settings.minCleanableDirtyPerMille = 0
        settings.deleteRetentionMilliseconds = 1000
        return settings
    }

    private func withoutTail() -> LogStoreConfiguration {
        var configuration = smallConfiguration()
        configuration.tailCacheBytes = 0
        return configuration
    }

    private func clean(_ fixture: inout Fixture, at seconds: Int64) {
        for _ in 0..<200 {
            _ = fixture.store.maintain(now: at(seconds))
            fixture.sync()
        }
    }

    private func controlBatches(_ fixture: inout Fixture) throws -> [Int64] {
        var found: [Int64] = []
        var next: Offset = 0
        while true {
            let outcome = try fixture.store.read(orders, from: next, maxBytes: 1 << 20)
            guard !outcome.batches.isEmpty else { return found }
            var batches = RecordBatchSequence(Bytes.joined(outcome.batches))
            while let batch = try batches.next() {
                if batch.header.isControl { found.append(batch.header.baseOffset.value) }
                next = batch.header.nextOffset
            }
        }
    }

    @Test func `cleaning drops aborted records at once and markers after their time`() throws {
        var fixture = try Fixture(configuration: withoutTail())
        try fixture.create(settings: compacted())
        try fixture.write("keep", producer: 7, sequence: 0)
        try fixture.end(producer: 7, commit: true)
        try fixture.write("keep", producer: 7, sequence: 1)
        try fixture.end(producer: 7, commit: false)
        // Without this the aborted batch would tell the sequence of its producer, and stay empty.
        try fixture.write("later", producer: 7, sequence: 2)
        try fixture.end(producer: 7, commit: true)
        for index in 0..<6 {
            try fixture.append(batch([TestRecord("filler", key: "f\(index)")]))
        }
        fixture.sync()
        #expect(try fixture.committed().first == "keep")
        clean(&fixture, at: 100)
        #expect(fixture.store.statistics.cleanings > 0)
        #expect(try fixture.values().contains { $0.0 == 2 } == false, "the aborted record went")
        #expect(try fixture.committed().first == "keep", "and did not replace the committed one")
        #expect(try controlBatches(&fixture).prefix(2) == [1, 3])
        let stable = fixture.stable
        // The second cleaning stamps markers without records, a later one drops them.
        for round in Int64(2)..<6 {
            for index in 0..<8 {
                try fixture.append(batch([TestRecord("filler", key: "f\(index)")]))
            }
            fixture.sync()
            clean(&fixture, at: 100 * round)
        }
        #expect(
            try controlBatches(&fixture) == [1, 5], "the record before the first marker is there")
        #expect(fixture.stable > stable)
        #expect(try fixture.committed().first == "keep")
        try fixture.reopen(now: at(600))
        #expect(try fixture.committed().first == "keep")
    }

    @Test func `an open transaction is not cleaned`() throws {
        var fixture = try Fixture(configuration: withoutTail())
        try fixture.create(settings: compacted())
        try fixture.write("a", producer: 7, sequence: 0)
        for _ in 0..<12 { try fixture.append(batch([TestRecord("new", key: "a")])) }
        fixture.sync()
        clean(&fixture, at: 100)
        #expect(try fixture.values().count == 13)
        try fixture.end(producer: 7, commit: true)
        fixture.sync()
        clean(&fixture, at: 200)
        #expect(try fixture.values().count < 10)
    }
}
