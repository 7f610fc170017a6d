import Base
import FaultyDisks
import Log
import Testing
import WireProtocol

@Suite struct LogStoreTests {
    @Test func `the checkpoint of a topic with a short name is read again`() throws {
        var fixture = try Fixture()
        try fixture.create(TopicPartition(topic: "t", partition: 0))
        try fixture.reopen()
        #expect(!fixture.report.didScanEverything && fixture.report.notes.isEmpty)
        #expect(fixture.store.partitions.map(\.description) == ["t-0"])
    }

    @Test func `without a checkpoint a directory that says nothing is put aside`() throws {
        var fixture = try Fixture()
        try fixture.create()
        try fixture.append(try batch("a"))
        fixture.sync()
        let metadata = try fixture.disk.open("orders-0/partition.metadata")
        try metadata.truncate(to: 0)
        try fixture.disk.remove("log.checkpoint")
        try fixture.reopen()
        #expect(fixture.store.partitions.isEmpty)
        #expect(fixture.disk.exists("unrecognized/orders-0/00000000000000000000.log"))
        #expect(fixture.report.notes.contains { $0.contains("unrecognized/orders-0") })
    }

    @Test func `the records of the node itself find room on a disk that is full for clients`()
        throws
    {
        let disk = RefusingDisk()
        var configuration = smallConfiguration()
        configuration.reserveBytes = 8 << 20
        var fixture = try Fixture(disk: disk, configuration: configuration)
        try fixture.create()
        func isTaken(from origin: AppendOrigin) throws -> Bool {
            fixture.store.forgetSpaceLeft()
            do throws(AppendFailure) {
                _ = try fixture.store.append(
                    try! batch("x"), to: orders, origin: origin, now: at(0))
                return true
            } catch {
                #expect(error == .noSpace)
                return false
            }
        }
        disk.freeBytes = 9 << 20
        #expect(try isTaken(from: .client))
        disk.freeBytes = 7 << 20
        #expect(try !isTaken(from: .client))
        #expect(try isTaken(from: .node))
        disk.freeBytes = 3 << 20
        #expect(
            try !isTaken(from: .node),
            "half of the reserve is for what deletes and checkpoints write")
    }

    @Test func `records are visible once they are durable`() throws {
        var fixture = try Fixture()
        try fixture.create()
        let first = try fixture.append(try batch("a", "b"))
        #expect(first.baseOffset == 0 && first.lastOffset == 1 && first.recordCount == 2)
        #expect(try fixture.texts() == [])
        let advances = fixture.sync()
        #expect(advances.map(\.durableEndOffset) == [2])
        #expect(try fixture.texts() == ["a", "b"])
        try fixture.append(try batch("c"))
        fixture.sync()
        #expect(try fixture.values(from: 1).map(\.0) == [1, 2])
    }

    @Test func `everything is there again after a restart`() throws {
        var fixture = try Fixture()
        try fixture.create()
        try fixture.create(users)
        for index in 0..<20 {
            try fixture.append(try batch("o\(index)"))
            try fixture.append(try batch("u\(index)", "v\(index)"), to: users)
        }
        fixture.sync()
        try fixture.reopen()
        #expect(fixture.report.damaged.isEmpty)
        #expect(fixture.report.journalFrames > 20)
        #expect(try fixture.texts() == (0..<20).map { "o\($0)" })
        #expect(try fixture.values(users).map(\.0) == (0..<40).map { Int64($0) })
        try fixture.reopen()
        #expect(fixture.report.journalFrames == 0, "the first recovery ended with a checkpoint")
        #expect(try fixture.texts(users).count == 40)
        #expect(try fixture.append(try batch("later")).baseOffset == 20)
    }
}
