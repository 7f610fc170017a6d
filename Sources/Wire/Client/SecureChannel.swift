import Base
import TLS

/// TLS over a blocking socket. As with the socket, one thread may read while another writes.
///
/// `@unchecked Sendable` is sound because the session is only reached while its lock is held, and
/// `plaintext` only by the one thread that reads.
final class SecureChannel: @unchecked Sendable {
    private let socket: Socket
    private let session: Monitor<TLSSession>
    /// Decrypted and not yet read.
    private var plaintext = Bytes.empty
    private let ciphertext = ByteStorage(count: 64 << 10)
    private let room = ByteStorage(count: 64 << 10)

    /// Does the handshake; `host` is what the certificate has to be for.
    init(
        over socket: Socket, _ context: TLSContext, host: String, timeout: Duration
    ) throws(ClientFailure) {
        guard let session = TLSSession(context, host: host) else {
            throw ClientFailure("no memory for a session with \(socket.peer)")
        }
        self.socket = socket
        self.session = Monitor(session)
        let deadline = monotonicNow() + timeout.wholeNanoseconds
        while true {
            let progress = self.session.withLock { $0.handshake() }
            try sendPending(timeout: timeout)
            switch progress {
            case .done: return
            case .closed: throw ClientFailure("\(socket.peer) ended the TLS handshake")
            case .failed(let reason): throw ClientFailure("TLS with \(socket.peer): \(reason)")
            case .wantsMore: break
            }
            guard socket.waitForInput(until: deadline) else {
                throw .timedOut("TLS with \(socket.peer)", after: timeout.wholeMilliseconds)
            }
            try feed()
        }
    }

    /// Whether bytes can be read before the deadline. The end of the connection counts as well: the
    /// next read tells of it.
    func waitForInput(until deadline: Int64) -> Bool {
        while true {
            if !plaintext.isEmpty { return true }
            guard socket.waitForInput(until: deadline) else { return false }
            do throws(ClientFailure) {
                try receive()
            } catch {
                return true
            }
        }
    }

    func read(
        into buffer: UnsafeMutableRawBufferPointer, stallTimeout: Duration
    ) throws(ClientFailure) {
        var position = 0
        while position < buffer.count {
            if plaintext.isEmpty {
                let deadline = monotonicNow() + stallTimeout.wholeNanoseconds
                guard socket.waitForInput(until: deadline) else {
                    throw .timedOut(
                        "read from \(socket.peer)", after: stallTimeout.wholeMilliseconds)
                }
                try receive()
                continue
            }
            let count = min(plaintext.count, buffer.count - position)
            plaintext[0..<count].withUnsafeBytes { part in
                if let from = part.baseAddress, let base = buffer.baseAddress {
                    (base + position).copyMemory(from: from, byteCount: count)
                }
            }
            plaintext = plaintext[count..<plaintext.count]
            position += count
        }
    }

    func write(_ pieces: [Bytes], timeout: Duration) throws(ClientFailure) {
        for piece in pieces {
            var position = 0
            while position < piece.count {
                let end = min(position + (64 << 10), piece.count)
                let part = piece[position..<end]
                let isEncrypted = session.withLock { session in
                    part.withUnsafeBytes { session.write($0) }
                }
                guard isEncrypted else {
                    throw ClientFailure("can't encrypt for \(socket.peer)", isRetriable: true)
                }
                try sendPending(timeout: timeout)
                position = end
            }
        }
    }

    /// Takes what the socket has, without waiting, and decrypts all of it.
    private func receive() throws(ClientFailure) {
        try feed()
        var decrypted = ByteWriter(capacity: 4096)
        if !plaintext.isEmpty { decrypted.bytes(plaintext) }
        while true {
            let target = UnsafeMutableRawBufferPointer(start: room.base, count: room.count)
            let (count, progress) = session.withLock { $0.read(into: target) }
            switch progress {
            case .done:
                decrypted.bytes(UnsafeRawBufferPointer(start: room.base, count: count))
                continue
            case .wantsMore: break
            case .closed:
                if decrypted.count == 0 {
                    throw ClientFailure("\(socket.peer) closed the connection", isRetriable: true)
                }
            case .failed(let reason):
                throw ClientFailure("TLS with \(socket.peer): \(reason)", isRetriable: true)
            }
            break
        }
        plaintext = decrypted.finish()
        // Answers of the session itself.
        try sendPending(timeout: .seconds(10))
    }

    private func feed() throws(ClientFailure) {
        let target = UnsafeMutableRawBufferPointer(start: ciphertext.base, count: ciphertext.count)
        let count = try socket.readSome(into: target)
        let isFed = session.withLock {
            $0.feed(UnsafeRawBufferPointer(start: ciphertext.base, count: count))
        }
        if !isFed { throw ClientFailure("no memory for what \(socket.peer) sent") }
    }

    /// Sends the ciphertext that waits. Under the lock, so that parts leave in their order.
    private func sendPending(timeout: Duration) throws(ClientFailure) {
        try session.withLock { session throws(ClientFailure) in
            let count = session.pending
            if count == 0 { return }
            let bytes = Bytes(count: count) { _ = session.take(into: $0) }
            try socket.write([bytes], timeout: timeout)
        }
    }
}
