import Base
import Glibc
import Node
import Runtime
import Synchronization
import Testing

@Suite struct NodeDriverTests {
    @Test(arguments: ["127.0.0.1", "::1"])
    func `a request is answered on both loopbacks`(host: String) throws {
        let running = try RunningDriver()
        let client = try running.connect(host)
        #expect(try client.call("hello") == "hello")
        #expect(try client.call("") == "")
        #expect(running.stop() == .stopped)
    }

    @Test func `a request that comes byte by byte is put together`() throws {
        let running = try RunningDriver()
        let client = try running.connect()
        for byte: UInt8 in [0, 0, 0, 3, 0x61, 0x62, 0x63, 0, 0, 0, 1, 0x64] {
            try client.send(Bytes([byte]))
        }
        #expect(try client.receiveFrame().text == "abc")
        #expect(try client.receiveFrame().text == "d")
        #expect(running.stop() == .stopped)
    }

    @Test func `a request that is alone is synced on the loop where syncs are quick`() throws {
        let file = FakeFile()
        let running = try RunningDriver(file: file)
        let client = try running.connect()
        for number in 0..<20 { #expect(try client.call("sync \(number)") == "sync \(number)") }
        #expect(running.stop() == .stopped)
        let threads = file.syncThreads.withLock { $0 }
        #expect(threads.count == 20)
        // The first tells how quick they are. A test machine may be busy for a while, not always.
        #expect(threads.contains { $0 != threads[0] })
    }

    @Test func `slow syncs never hold up the loop`() throws {
        let file = FakeFile(syncMicroseconds: 2000)
        let running = try RunningDriver(file: file)
        let client = try running.connect()
        for number in 0..<10 { #expect(try client.call("sync \(number)") == "sync \(number)") }
        #expect(running.stop() == .stopped)
        #expect(Set(file.syncThreads.withLock { $0 }).count == 1)
    }

    @Test func `one slow sync is remembered for a while`() throws {
        var pace = SyncPace()
        #expect(!pace.isQuick, "nothing is known before the first")
        pace.note(.microseconds(100))
        #expect(pace.isQuick)
        pace.note(.milliseconds(10))
        #expect(!pace.isQuick)
        for _ in 0..<40 { pace.note(.microseconds(100)) }
        #expect(pace.isQuick)
    }

    @Test func `pipelined requests are answered in order`() throws {
        let running = try RunningDriver()
        let client = try running.connect()
        var writer = ByteWriter()
        for index in 0..<2000 {
            let text = "request \(index)"
            writer.int32(Int32(text.utf8.count))
            writer.utf8(text)
        }
        try client.send(writer.finish())
        for index in 0..<2000 {
            #expect(try client.receiveFrame().text == "request \(index)")
        }
        #expect(running.stop() == .stopped)
    }

    @Test(arguments: [4095, 4096, 100_000, 262_144, 262_145, 3_000_000])
    func `requests of every size come through whole`(size: Int) throws {
        let running = try RunningDriver()
        let client = try running.connect()
        #expect(try client.call("first") == "first")
        let content = Bytes((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
        try client.sendFrame(content)
        #expect(try client.receiveFrame() == content)
        #expect(try client.call("after") == "after")
        #expect(running.stop() == .stopped)
    }

    @Test(arguments: [
        ([0xFF, 0xFF, 0xFF, 0xFF] as [UInt8], "it announced a request of -1 bytes"),
        ([0x7F, 0xFF, 0xFF, 0xFF], "it announced a request of 2147483647 bytes, the limit is"),
        ([0x00, 0x10, 0x00, 0x01], "it announced a request of 1048577 bytes, the limit is"),
    ])
    func `a length out of bounds closes the connection with one line`(
        length: [UInt8], line: String
    ) throws {
        let running = try RunningDriver()
        let client = try running.connect()
        let other = try running.connect()
        try client.send(Bytes(length))
        #expect(try client.receive().isEmpty)
        #expect(try other.call("still here") == "still here")
        #expect(running.stop() == .stopped)
        #expect(running.log.all.count == 1)
        #expect(running.log.all[0].contains(line))
    }

    /// A node that was called welcomes the caller and goes on at once: both may come together, before
    /// the welcome was looked at.
    @Test func `a large frame right behind the welcome of a node that was called is taken`() throws
    {
        let running = try RunningDriver()
        let other = try Listener(binding: HostPort(host: "127.0.0.1", port: 0))
        let client = try running.connect()
        try client.sendFrame("dial \(other.port)")
        var descriptor: Int32 = -1
        for _ in 0..<1000 where descriptor < 0 {
            descriptor = accept(other.descriptors[0], nil, nil)
            if descriptor < 0 { usleep(5000) }
        }
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var writer = ByteWriter()
        for count in [7, 300_000] {
            writer.int32(Int32(count))
            writer.zeros(count)
        }
        let sent = writer.finish()
        var received = 0
        sent.withUnsafeBytes { _ = send(descriptor, $0.baseAddress, $0.count, 0) }
        var room = [UInt8](repeating: 0, count: 1 << 20)
        while received < sent.count {
            let count = recv(descriptor, &room, room.count, 0)
            if count <= 0 { break }
            received += count
        }
        #expect(received == sent.count)
        #expect(running.log.all == [])
        #expect(running.stop() == .stopped)
    }

    @Test func `after the first request larger ones are allowed, up to the limit`() throws {
        var settings = DriverSettings()
        settings.firstRequestBytes = 10
        settings.requestBytes = 100
        let running = try RunningDriver(settings)
        let client = try running.connect()
        #expect(try client.call("small") == "small")
        try client.sendFrame(Bytes(repeatElement(1, count: 100)))
        #expect(try client.receiveFrame().count == 100)
        try client.sendFrame(Bytes(repeatElement(1, count: 101)))
        #expect(throws: Problem.self) { try client.receiveFrame() }
        #expect(running.stop() == .stopped)
    }

    @Test func `announced lengths alone do not take memory`() throws {
        var settings = DriverSettings()
        settings.partialBytes = 40 << 10
        let running = try RunningDriver(settings)
        let clients = try (0..<3).map { _ in try running.connect() }
        for client in clients { #expect(try client.call("hi") == "hi") }
        // Each holds 16 KiB for its 100 MB; the third finds the budget spent.
        for client in clients.prefix(2) {
            try client.send(Bytes([0x05, 0xF5, 0xE1, 0x00]))
            #expect(try running.connect().call("wait") == "wait")
        }
        try clients[2].send(Bytes([0x05, 0xF5, 0xE1, 0x00]))
        #expect(try clients[2].receive().isEmpty)
        #expect(try running.connect().call("still here") == "still here")
        #expect(running.stop() == .stopped)
        #expect(running.log.all.count == 1)
        #expect(running.log.all[0].contains("no memory is left"))
    }

    @Test func `a reader that never reads is closed, others go on`() throws {
        var settings = DriverSettings()
        settings.outputBytes = 20 << 20
        settings.outputPauseBytes = 64 << 20
        let running = try RunningDriver(settings)
        let slow = try running.connect()
        let other = try running.connect()
        for _ in 0..<40 { try slow.sendFrame("big 1000000") }
        while !running.log.all.contains(where: { $0.contains("does not read its answers") }) {
            #expect(try other.call("ping") == "ping")
        }
        #expect(running.stop() == .stopped)
    }

    @Test func `a slow reader's requests wait until it reads`() throws {
        var settings = DriverSettings()
        settings.outputPauseBytes = 1 << 20
        settings.outputBytes = 40 << 20
        let running = try RunningDriver(settings)
        let slow = try running.connect()
        // 60 MB in all would break the bound if nothing slowed the requests down.
        for _ in 0..<60 {
            try slow.sendFrame("big 1000000")
            _ = try running.driver.port.call(.statistics)
        }
        for _ in 0..<60 { #expect(try slow.receiveFrame().count == 1_000_000) }
        #expect(running.stop() == .stopped)
        #expect(running.log.all.isEmpty)
    }

    @Test func `hundreds of connections are served and forgotten`() throws {
        let running = try RunningDriver()
        var clients = try (0..<200).map { _ in try running.connect() }
        for (index, client) in clients.enumerated() { try client.sendFrame("c\(index)") }
        for (index, client) in clients.enumerated() {
            #expect(try client.receiveFrame().text == "c\(index)")
        }
        clients = []
        #expect(waitForConnections(0, running))
        #expect(running.stop() == .stopped)
    }

    private func waitForConnections(_ count: Int, _ running: RunningDriver) -> Bool {
        let deadline = SystemClock.monotonic + .seconds(5)
        while SystemClock.monotonic < deadline {
            if case .statistics(let statistics) = try? running.driver.port.call(.statistics),
                statistics.connections == count
            {
                return true
            }
        }
        return false
    }

    @Test func `connections above the limit are refused`() throws {
        var settings = DriverSettings()
        settings.connections = 2
        let running = try RunningDriver(settings)
        let first = try running.connect()
        let second = try running.connect()
        #expect(try first.call("1") == "1")
        #expect(try second.call("2") == "2")
        let third = try running.connect()
        #expect(throws: Problem.self) {
            try third.sendFrame("3")
            _ = try third.receive(exactly: 1)
        }
        #expect(running.stop() == .stopped)
        #expect(running.log.all[0].contains("2 connections are open"))
    }

    @Test func `silent and idle connections are closed`() throws {
        var settings = DriverSettings()
        settings.firstRequest = .milliseconds(30)
        settings.idle = .milliseconds(60)
        let running = try RunningDriver(settings)
        let silent = try running.connect()
        let idle = try running.connect()
        #expect(try idle.call("hello") == "hello")
        #expect(try silent.receive().isEmpty)
        #expect(try idle.receive().isEmpty)
        #expect(running.stop() == .stopped)
        #expect(running.log.all.count == 1)
        #expect(running.log.all[0].contains("no request within"))
    }

    @Test func `answers wait for the sync and share it`() throws {
        let file = FakeFile()
        let running = try RunningDriver(file: file)
        let clients = try (0..<8).map { _ in try running.connect() }
        for round in 0..<20 {
            for client in clients { try client.sendFrame("sync \(round)") }
            for client in clients { #expect(try client.receiveFrame().text == "sync \(round)") }
        }
        #expect(running.stop() == .stopped)
        let syncs = file.syncs.load(ordering: .relaxed)
        #expect((20...160).contains(syncs))
        let isClosed = file.isClosed.load(ordering: .relaxed)
        #expect(isClosed)
    }

    @Test func `a failed sync halts without an answer`() throws {
        let failure = StorageFailure.system(operation: "sync", path: "journal", code: 5)
        let running = try RunningDriver(file: FakeFile(failure: failure))
        let client = try running.connect()
        try client.sendFrame("sync x")
        #expect(throws: Problem.self) { try client.receive(exactly: 1) }
        guard case .halted(let problem) = running.end() else {
            Issue.record("the driver must halt")
            return
        }
        #expect(problem.code == "storage.sync")
    }

    @Test func `nothing leaves after a halt`() throws {
        let running = try RunningDriver()
        let client = try running.connect()
        var writer = ByteWriter()
        for text in ["echo", "halt", "echo"] {
            writer.int32(Int32(text.utf8.count))
            writer.utf8(text)
        }
        try client.send(writer.finish())
        #expect(throws: Problem.self) { try client.receive(exactly: 1) }
        #expect(running.end() == .halted(Problem("test.halt", "asked for")))
    }

    @Test func `a wake-up comes when it was asked for`() throws {
        let running = try RunningDriver()
        let client = try running.connect()
        #expect(try client.call("later a") == "later a")
        #expect(try client.call("later b") == "later b")
        #expect(running.stop() == .stopped)
    }

    @Test func `the machine can close a connection after its answers`() throws {
        let running = try RunningDriver()
        let client = try running.connect()
        try client.sendFrame("big 5000000")
        try client.sendFrame("close")
        #expect(try client.receiveFrame().count == 5_000_000)
        #expect(try client.receive().isEmpty)
        #expect(running.stop() == .stopped)
    }

    @Test func `commands from several threads are all answered`() throws {
        let running = try RunningDriver()
        let client = try running.connect()
        #expect(try client.call("one") == "one")
        let answered = Monitor(0)
        let threads = (0..<4).map { index in
            SystemThread(name: "caller-\(index)") {
                for _ in 0..<250 {
                    if case .statistics(let statistics) = try? running.driver.port.call(
                        .statistics), statistics.requests == 1
                    {
                        answered.change { $0 += 1 }
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(answered.withLock { $0 } == 1000)
        #expect(throws: Problem("test.unknown", "only statistics")) {
            try running.driver.port.call(.listObjects(prefix: ""))
        }
        #expect(running.stop() == .stopped)
    }

    @Test func `a stop finishes what was accepted`() throws {
        let running = try RunningDriver()
        let client = try running.connect()
        #expect(try client.call("first") == "first")
        try client.sendFrame("big 9000000")
        try client.sendFrame("sync last")
        while true {
            guard case .statistics(let statistics) = try running.driver.port.call(.statistics)
            else { break }
            if statistics.requests == 3 { break }
        }
        running.driver.stop()
        #expect(try client.receiveFrame().count == 9_000_000)
        #expect(try client.receiveFrame().text == "sync last")
        #expect(try client.receive().isEmpty)
        #expect(running.end() == .stopped)
        #expect(throws: Problem("server.stopping", "the server is stopping")) {
            try running.driver.port.call(.statistics)
        }
        #expect(throws: Problem.self) { try running.connect() }
    }

    @Test func `a port in use is said to be in use`() throws {
        let listener = try Listener(binding: HostPort(host: "127.0.0.1", port: 0))
        do {
            _ = try Listener(binding: HostPort(host: "127.0.0.1", port: listener.port))
            Issue.record("the port is in use")
        } catch {
            #expect(error.code == "network.portInUse")
        }
    }

    @Test(
        arguments: [
            ("localhost:9092", "localhost", 9092), ("[::1]:0", "::1", 0), (":7", "", 7),
            ("::1", "::1", 1), ("host", "host", 1), ("*:65535", "*", 65535),
        ] as [(String, String, UInt16)])
    func `addresses are parsed`(text: String, host: String, port: UInt16) throws {
        #expect(
            try HostPort(parsing: text, defaultPort: 1) == HostPort(host: host, port: port))
    }

    @Test(arguments: ["a:b", "a:70000", "[::1", "[::1]x", "a:-1", "a:"])
    func `malformed addresses are refused`(text: String) {
        #expect(throws: Problem.self) { try HostPort(parsing: text, defaultPort: 1) }
    }
}
