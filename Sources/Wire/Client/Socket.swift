import Base
import Glibc

/// A TCP connection whose calls block, with deadlines.
///
/// One thread may read while another writes: the kernel keeps both directions apart.
final class Socket: Sendable {
    let descriptor: Int32
    let peer: String

    /// Connects to the first address of `host` that answers.
    init(host: String, port: Int32, timeout: Duration) throws(ClientFailure) {
        peer = "\(host):\(port)"
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &list)
        guard status == 0, let first = list else {
            throw ClientFailure(
                "can't find the address of \(host): \(String(cString: gai_strerror(status)))",
                isRetriable: true)
        }
        defer { freeaddrinfo(first) }
        let deadline = monotonicNow() + timeout.wholeNanoseconds
        var lastError: Int32 = 0
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let address = next {
            let candidate = Self.connect(address.pointee, deadline: deadline)
            if candidate >= 0 {
                descriptor = candidate
                return
            }
            lastError = -candidate
            next = address.pointee.ai_next
        }
        throw ClientFailure(
            "can't connect to \(host):\(port): \(String(cString: strerror(lastError)))",
            isRetriable: true)
    }

    deinit { Glibc.close(descriptor) }

    private static func connect(_ address: addrinfo, deadline: Int64) -> Int32 {
        let type = address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.ai_family, type, address.ai_protocol)
        if descriptor < 0 { return -errno }
        var status = Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen)
        if status < 0 && errno == EINPROGRESS {
            guard wait(descriptor, POLLOUT, until: deadline) else {
                Glibc.close(descriptor)
                return -ETIMEDOUT
            }
            var failure: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size)
            errno = failure
            status = failure == 0 ? 0 : -1
        }
        if status < 0 {
            let failure = errno
            Glibc.close(descriptor)
            return -failure
        }
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, size)
        return descriptor
    }

    /// Waits until the descriptor is ready; false when the deadline passed first.
    private static func wait(_ descriptor: Int32, _ events: Int32, until deadline: Int64) -> Bool {
        while true {
            let left = deadline - monotonicNow()
            if left <= 0 { return false }
            var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            let milliseconds = min(left / 1_000_000 + 1, 60_000)
            let ready = poll(&request, 1, Int32(milliseconds))
            if ready > 0 { return true }
            if ready < 0 && errno != EINTR { return true }
        }
    }

    /// Whether bytes (or the end of the connection) can be read before the deadline.
    func waitForInput(until deadline: Int64) -> Bool {
        Self.wait(descriptor, POLLIN, until: deadline)
    }

    /// Fills `buffer`. `deadline` counts from the begin of each wait, so a large answer may take
    /// longer as long as it keeps coming.
    func read(
        into buffer: UnsafeMutableRawBufferPointer, stallTimeout: Duration
    ) throws(ClientFailure) {
        var position = 0
        while position < buffer.count {
            guard let base = buffer.baseAddress else { return }
            let count = recv(descriptor, base + position, buffer.count - position, 0)
            if count > 0 {
                position += count
            } else if count == 0 {
                throw ClientFailure("\(peer) closed the connection", isRetriable: true)
            } else if errno == EAGAIN {
                let deadline = monotonicNow() + stallTimeout.wholeNanoseconds
                guard waitForInput(until: deadline) else {
                    throw .timedOut("read from \(peer)", after: stallTimeout.wholeMilliseconds)
                }
            } else if errno != EINTR {
                throw failure("read from")
            }
        }
    }

    /// What is there, at least one byte; waits a moment when nothing is.
    func readSome(into buffer: UnsafeMutableRawBufferPointer) throws(ClientFailure) -> Int {
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return count }
            if count == 0 {
                throw ClientFailure("\(peer) closed the connection", isRetriable: true)
            }
            if errno == EAGAIN {
                _ = waitForInput(until: monotonicNow() + 1_000_000_000)
            } else if errno != EINTR {
                throw failure("read from")
            }
        }
    }

    /// MSG_MORE of <sys/socket.h>, whose Swift type differs between versions of the C library.
    private static let moreFollows: Int32 = 0x8000

    /// Sends all of `pieces`.
    func write(_ pieces: [Bytes], timeout: Duration) throws(ClientFailure) {
        let deadline = monotonicNow() + timeout.wholeNanoseconds
        for (index, piece) in pieces.enumerated() {
            // The kernel holds back a short packet while more is announced.
            let flags = Int32(MSG_NOSIGNAL) | (index < pieces.count - 1 ? Self.moreFollows : 0)
            try piece.withUnsafeBytes { (buffer) throws(ClientFailure) in
                try write(buffer, flags: flags, deadline: deadline)
            }
        }
    }

    private func write(
        _ buffer: UnsafeRawBufferPointer, flags: Int32, deadline: Int64
    ) throws(ClientFailure) {
        var position = 0
        while position < buffer.count {
            guard let base = buffer.baseAddress else { return }
            let count = send(descriptor, base + position, buffer.count - position, flags)
            if count >= 0 {
                position += count
            } else if errno == EAGAIN {
                guard Self.wait(descriptor, POLLOUT, until: deadline) else {
                    throw ClientFailure("\(peer) does not take our request", isRetriable: true)
                }
            } else if errno != EINTR {
                throw failure("write to")
            }
        }
    }

    /// Ends both directions, so that a thread which waits for input wakes up.
    func shutDown() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private func failure(_ what: String) -> ClientFailure {
        let reason = String(cString: strerror(errno))
        return ClientFailure("can't \(what) \(peer): \(reason)", isRetriable: true)
    }
}
