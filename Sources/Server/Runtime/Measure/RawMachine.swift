// What this machine does without us, measured in the same minute as our own figures, so that these
// can be given as ratios that survive a change of machine and a busy neighbour.

import Base
import CPlatform
import Glibc

/// The raw speed of memory, checksums, loopback TCP and the disk under one directory.
package struct RawMachine: Sendable {
    /// Bytes copied each second from memory to memory, 64 MiB at a time.
    package var copyBytesPerSecond = 0.0
    /// Bytes checked by CRC-32C each second, 1 MiB at a time, in the cache.
    package var checksumBytesPerSecond = 0.0
    /// Bytes each second over one TCP connection on this machine, 256 KiB a call.
    package var loopbackBytesPerSecond = 0.0
    /// CPU seconds of both ends for a GB over that connection.
    package var loopbackCPUSecondsPerGB = 0.0
    /// Bytes written each second to a new file, 1 MiB a call, one fdatasync at the end.
    package var writeBytesPerSecond = 0.0
    package var writeCPUSecondsPerGB = 0.0
    /// Nanoseconds of fdatasync after 4 KiB were written over a file of zeros.
    package var syncs = LatencyHistogram()

    package init() {}

    /// Measures all of it within about two seconds; files are made in `directory` and removed.
    package static func measure(directory: String) throws(Problem) -> RawMachine {
        var raw = RawMachine()
        raw.copyBytesPerSecond = copyRate()
        raw.checksumBytesPerSecond = checksumRate()
        try raw.measureLoopback(bytes: 512 << 20)
        try raw.measureWrites(directory, bytes: 256 << 20)
        try raw.measureSyncs(directory, count: 400)
        return raw
    }

    private static func rate(bytes: Int, since start: Int64) -> Double {
        Double(bytes) * 1e9 / Double(max(1, weir_monotonic_nanoseconds() - start))
    }

    /// The best of five: what disturbs makes it slower, nothing makes it faster than it is.
    private static func copyRate() -> Double {
        let size = 64 << 20
        let source = ByteStorage(count: size)
        let target = ByteStorage(count: size)
        // Touches every page, so that none is made while the clock runs.
        memset(source.base, 1, size)
        memset(target.base, 2, size)
        var best = 0.0
        for _ in 0..<5 {
            let start = weir_monotonic_nanoseconds()
            target.base.copyMemory(from: source.base, byteCount: size)
            best = max(best, rate(bytes: size, since: start))
        }
        return best
    }

    private static func checksumRate() -> Double {
        let size = 1 << 20
        let source = ByteStorage(count: size)
        memset(source.base, 3, size)
        var best = 0.0
        var sum: UInt32 = 0
        for _ in 0..<64 {
            let start = weir_monotonic_nanoseconds()
            sum = weir_crc32c(sum, source.base, size)
            best = max(best, rate(bytes: size, since: start))
        }
        // A result that is used can't be optimised away.
        return sum == 0x1234_5678 ? best.nextDown : best
    }

    // MARK: Loopback

    private mutating func measureLoopback(bytes: Int) throws(Problem) {
        guard var address = resolve("127.0.0.1", 0).first else {
            throw Problem("system.network", "127.0.0.1 is no address here")
        }
        let listener = weir_listen(&address, 1)
        guard listener >= 0 else { throw Self.failure("listen on 127.0.0.1", Int64(listener)) }
        defer { weir_close(listener) }
        let named = weir_local_address(listener, &address)
        guard named >= 0 else { throw Self.failure("name a socket", Int64(named)) }
        let sender = weir_connect(&address, 5000)
        guard sender >= 0 else { throw Self.failure("connect to 127.0.0.1", Int64(sender)) }
        defer { weir_close(sender) }
        var peer = weir_address()
        _ = weir_poll(listener, Int32(WEIR_EPOLL_IN), -1, 5000)
        let receiver = weir_accept_from(listener, &peer)
        guard receiver >= 0 else { throw Self.failure("accept", Int64(receiver)) }
        defer { weir_close(receiver) }
        let piece = 256 << 10
        let cpu = weir_cpu_nanoseconds()
        let start = weir_monotonic_nanoseconds()
        let thread = SystemThread(name: "weir-loopback") {
            let block = ByteStorage(count: piece)
            memset(block.base, 4, piece)
            var left = bytes
            while left > 0 {
                let sent = weir_send(sender, block.base, min(piece, left))
                if sent <= 0 { break }
                left -= Int(sent)
            }
            weir_shutdown_writes(sender)
        }
        let block = ByteStorage(count: piece)
        var received = 0
        while true {
            let count = weir_receive(receiver, block.base, piece)
            if count == -Int64(EAGAIN) {
                if weir_poll(receiver, Int32(WEIR_EPOLL_IN), -1, 5000) <= 0 { break }
                continue
            }
            if count <= 0 { break }
            received += Int(count)
        }
        loopbackBytesPerSecond = Self.rate(bytes: received, since: start)
        thread.join()
        loopbackCPUSecondsPerGB =
            Double(weir_cpu_nanoseconds() - cpu) / Double(max(1, received))
    }

    // MARK: Disk

    private mutating func measureWrites(_ directory: String, bytes: Int) throws(Problem) {
        let file = try TemporaryFile(in: directory)
        let piece = 1 << 20
        let block = ByteStorage(count: piece)
        memset(block.base, 5, piece)
        let cpu = weir_cpu_nanoseconds()
        let start = weir_monotonic_nanoseconds()
        for position in stride(from: 0, to: bytes, by: piece) {
            try file.write(block.base, piece, at: position)
        }
        try file.sync()
        writeBytesPerSecond = Self.rate(bytes: bytes, since: start)
        writeCPUSecondsPerGB = Double(weir_cpu_nanoseconds() - cpu) / Double(bytes)
    }

    private mutating func measureSyncs(_ directory: String, count: Int) throws(Problem) {
        let file = try TemporaryFile(in: directory)
        let zeros = ByteStorage(count: 1 << 20)
        memset(zeros.base, 0, zeros.count)
        for position in 0..<4 { try file.write(zeros.base, zeros.count, at: position << 20) }
        try file.sync()
        let block = ByteStorage(count: 4096)
        memset(block.base, 6, block.count)
        for index in 0..<count {
            try file.write(block.base, block.count, at: index % 1024 * 4096)
            let start = weir_monotonic_nanoseconds()
            try file.sync()
            syncs.record(weir_monotonic_nanoseconds() - start)
        }
    }

    static func failure(_ what: String, _ result: Int64) -> Problem {
        Problem("system.measure", "can't \(what): \(describe(Int32(clamping: result)))")
    }
}

/// A file without a name, gone when it is closed.
private struct TemporaryFile: ~Copyable {
    private let descriptor: Int32

    init(in directory: String) throws(Problem) {
        let path = "\(directory)/weir-bench-\(getpid()).tmp"
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw RawMachine.failure("make a file in \(directory)", Int64(-errno))
        }
        unlink(path)
    }

    deinit { weir_close(descriptor) }

    func write(_ bytes: UnsafeRawPointer, _ count: Int, at position: Int) throws(Problem) {
        var done = 0
        while done < count {
            let written = pwrite(descriptor, bytes + done, count - done, off_t(position + done))
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                throw RawMachine.failure("write a file to measure the disk", Int64(-errno))
            }
            done += written
        }
    }

    func sync() throws(Problem) {
        let code = weir_fdatasync(descriptor)
        guard code >= 0 else { throw RawMachine.failure("sync a file", Int64(code)) }
    }
}
