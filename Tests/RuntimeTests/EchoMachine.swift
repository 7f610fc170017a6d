import Base
import Glibc
import Log
import Node
import Runtime
import Synchronization

/// A machine for the driver's tests. Its requests are words:
/// `sync …` answers after a journal sync, `later …` after a timer, `big N` with N bytes, `lend` with
/// a file; `dial PORT` calls another node; `close` and `halt` do what they say; everything else comes back as it is.
struct EchoMachine: EventMachine {
    let file: FakeFile
    var waitingForSync: [(ConnectionID, Bytes)] = []
    var syncing: [(ConnectionID, Bytes)]?
    var waitingForTimer: [(ConnectionID, Bytes)] = []
    var ticket: UInt64 = 0
    var statistics = NodeStatistics()

    /// What `lend` answers with, between two other bytes.
    let lending: (any DiskFile)?

    init(file: FakeFile = FakeFile(), lending: (any DiskFile)? = nil) {
        self.file = file
        self.lending = lending
    }

    mutating func accept(_ event: NodeEvent, now: Now, into effects: inout [NodeEffect]) {
        switch event {
        case .connectionOpened: statistics.connections += 1
        case .connectionClosed: statistics.connections -= 1
        case .request(let connection, let bytes):
            statistics.requests += 1
            request(connection, bytes, now: now, into: &effects)
        case .journalSynced(_, let failure):
            if let failure {
                effects.append(.halt(Problem("storage.sync", "\(failure)")))
                return
            }
            for (connection, bytes) in syncing ?? [] { answer(connection, bytes, &effects) }
            syncing = nil
            statistics.journalSyncs += 1
        case .timer:
            for (connection, bytes) in waitingForTimer { answer(connection, bytes, &effects) }
            waitingForTimer = []
        case .command(let id, .statistics):
            effects.append(.commandFinished(id, .success(.statistics(statistics))))
        case .command(let id, _):
            effects.append(
                .commandFinished(id, .failure(Problem("test.unknown", "only statistics"))))
        case .leave: effects.append(.mayStop)
        case .dialed, .dialFailed, .quorumJobDone: break
        }
    }

    private mutating func request(
        _ connection: ConnectionID, _ bytes: Bytes, now: Now, into effects: inout [NodeEffect]
    ) {
        let words = bytes.count > 100 ? [] : bytes.text.split(separator: " ")
        switch words.first {
        case "sync":
            waitingForSync.append((connection, bytes))
        case "later":
            waitingForTimer.append((connection, bytes))
            effects.append(.wakeAt(now.monotonic + .milliseconds(5)))
        case "big":
            let count = Int(words[1]) ?? 0
            var zeros = ByteWriter(capacity: count)
            zeros.zeros(count)
            answer(connection, zeros.finish(), &effects)
        case "lend":
            guard let lending, let lent = try? lending.lend(at: 0, count: Int(lending.size)) else {
                return effects.append(.close(connection, reason: "nothing to lend"))
            }
            var prefix = ByteWriter(capacity: 5)
            prefix.int32(Int32(lent.count + 2))
            prefix.uint8(0x3C)
            effects.append(.send(connection, [prefix.finish(), lent, Bytes(utf8: ">")]))
        case "dial":
            effects.append(
                .dial(NodeID(2), host: "127.0.0.1", port: words.last.flatMap { UInt16($0) } ?? 0))
        case "close": effects.append(.close(connection, reason: "asked for"))
        case "halt": effects.append(.halt(Problem("test.halt", "asked for")))
        default: answer(connection, bytes, &effects)
        }
    }

    mutating func close(now: Now) throws(Problem) { file.close() }

    mutating func finishRound(now: Now, into effects: inout [NodeEffect]) {
        guard syncing == nil, !waitingForSync.isEmpty else { return }
        syncing = waitingForSync
        waitingForSync = []
        ticket += 1
        effects.append(.syncJournal(SyncTicket(ticket), file: file))
    }

    private func answer(
        _ connection: ConnectionID, _ bytes: Bytes, _ effects: inout [NodeEffect]
    ) {
        var prefix = ByteWriter(capacity: 4)
        prefix.int32(Int32(bytes.count))
        effects.append(.send(connection, [prefix.finish(), bytes]))
    }
}

/// A file that counts its syncs, or fails them.
final class FakeFile: DiskFile {
    let syncs = Atomic<Int>(0)
    let failure: StorageFailure?
    let syncMicroseconds: UInt32
    /// The threads on which it was synced, in order.
    let syncThreads = Mutex<[pthread_t]>([])

    init(failure: StorageFailure? = nil, syncMicroseconds: UInt32 = 0) {
        self.failure = failure
        self.syncMicroseconds = syncMicroseconds
    }

    var size: Int64 { 0 }
    func read(at position: Int64, count: Int) throws(StorageFailure) -> Bytes { .empty }
    func write(_ pieces: [Bytes], at position: Int64) throws(StorageFailure) {}
    func truncate(to size: Int64) throws(StorageFailure) {}
    func sync() throws(StorageFailure) {
        syncs.add(1, ordering: .relaxed)
        syncThreads.withLock { $0.append(pthread_self()) }
        if syncMicroseconds > 0 { usleep(syncMicroseconds) }
        if let failure { throw failure }
    }
    func close() { isClosed.store(true, ordering: .relaxed) }
    let isClosed = Atomic<Bool>(false)
}

/// Keeps what was reported.
final class CollectedDiagnostics: Diagnostics {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func report(_ severity: Severity, _ component: String, _ message: String) {
        lines.withLock { $0.append("\(severity) \(component) \(message)") }
    }
}

/// A driver on a thread of its own, on a port that the system chose.
final class RunningDriver: Sendable {
    let driver: NodeDriver<EchoMachine>
    let port: UInt16
    let log = CollectedDiagnostics()
    private let exit = Monitor<DriverExit?>(nil)
    private let thread: SystemThread

    init(
        _ settings: DriverSettings = .init(), file: FakeFile = FakeFile(),
        lending: (any DiskFile)? = nil
    ) throws {
        let listener = try Listener(binding: HostPort(host: "localhost", port: 0))
        port = listener.port
        driver = try NodeDriver(
            machine: EchoMachine(file: file, lending: lending), listeners: [listener],
            settings: settings,
            diagnostics: log)
        thread = SystemThread(name: "test-loop") { [driver, exit] in
            let outcome = driver.run()
            exit.change { $0 = outcome }
        }
    }

    func connect(_ host: String = "127.0.0.1") throws -> ClientSocket {
        try ClientSocket(to: HostPort(host: host, port: port))
    }

    func end() -> DriverExit? {
        let outcome = exit.wait(until: SystemClock.monotonic + .seconds(10)) { $0 }
        if outcome != nil { thread.join() }
        return outcome
    }

    func stop() -> DriverExit? {
        driver.stop()
        return end()
    }
}

extension ClientSocket {
    func sendFrame(_ bytes: Bytes) throws {
        var writer = ByteWriter()
        writer.int32(Int32(bytes.count))
        writer.bytes(bytes)
        try send(writer.finish())
    }

    func sendFrame(_ text: String) throws { try sendFrame(Bytes(utf8: text)) }

    func receiveFrame() throws -> Bytes {
        var reader = ByteReader(try receive(exactly: 4))
        return try receive(exactly: Int(try reader.int32()))
    }

    func call(_ text: String) throws -> String {
        try sendFrame(text)
        return try receiveFrame().text
    }
}
