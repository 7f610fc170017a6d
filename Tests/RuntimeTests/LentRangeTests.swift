import Base
import Runtime
import Testing

@Suite struct LentRangeTests {
    @Test func `a lent part of a file is its bytes, also when the file was closed and removed`()
        throws
    {
        let directory = try TemporaryDirectory()
        let disk = try FileDisk(root: directory.path + "/data")
        let content = Bytes((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) })
        let file = try disk.create("a")
        try file.write(content, at: 0)
        for (position, count) in [(0, 100_000), (1, 50_000), (4097, 20_000), (99_000, 1000)] {
            let lent = try file.lend(at: Int64(position), count: count)
            #expect(lent == content[position..<(position + count)])
        }
        let lent = try file.lend(at: 5000, count: 90_000)
        #expect(lent.storage.source != nil)
        file.close()
        try disk.remove("a")
        #expect(lent == content[5000..<95_000])
        // More than there is: what there is, as `read` gives it.
        let short = try disk.create("b")
        try short.write(content[0..<20_000], at: 0)
        #expect(try short.lend(at: 0, count: 40_000) == content[0..<20_000])
    }

    @Test func `lent parts are sent between others, to slow readers too`() throws {
        let directory = try TemporaryDirectory()
        let disk = try FileDisk(root: directory.path + "/data")
        let content = Bytes((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
        let file = try disk.create("a")
        try file.write(content, at: 0)
        let running = try RunningDriver(lending: file)
        let client = try running.connect()
        for _ in 0..<3 { try client.sendFrame(Bytes(utf8: "lend")) }
        for _ in 0..<3 {
            let answer = try client.receiveFrame()
            #expect(answer.count == content.count + 2)
            #expect(answer[1..<(answer.count - 1)] == content)
        }
        #expect(running.stop() == .stopped)
    }
}
