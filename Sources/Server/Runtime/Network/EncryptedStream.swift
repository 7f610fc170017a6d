import Base
import CPlatform
import Glibc
import TLS

/// The TLS side of one connection: what goes through its socket is ciphertext. Nothing blocks, and
/// no more is encrypted ahead of the socket than about `ahead` bytes.
final class EncryptedStream {
    private static let ahead = 64 << 10

    let session: TLSSession
    private(set) var isEstablished = false
    /// Ciphertext on its way out.
    private var outgoing = Bytes.empty
    /// Bytes that the socket took in all.
    private(set) var sentBytes: UInt64 = 0

    init(_ session: TLSSession) { self.session = session }

    var hasOutput: Bool { !outgoing.isEmpty || session.pending > 0 }

    /// Goes on with the handshake.
    func handshake() -> TLSSession.Progress {
        let progress = session.handshake()
        if progress == .done { isEstablished = true }
        return progress
    }

    /// Encrypts and sends until everything is gone or the socket is full.
    func flush(_ queue: inout OutputQueue, to descriptor: Int32) -> OutputQueue.Flush {
        while true {
            while !outgoing.isEmpty {
                let sent = outgoing.withUnsafeBytes {
                    weir_send(descriptor, $0.baseAddress, $0.count)
                }
                if sent < 0 {
                    return sent == -Int64(EAGAIN) ? .blocked : .failed(Int32(-sent))
                }
                sentBytes += UInt64(sent)
                outgoing = outgoing[Int(sent)..<outgoing.count]
            }
            outgoing = .empty
            if session.pending == 0 {
                if queue.isEmpty || !isEstablished { return .drained }
                let isEncrypted = queue.take(upTo: Self.ahead) { session.write($0) }
                if !isEncrypted { return .failed(EPROTO) }
            }
            let count = session.pending
            if count > 0 { outgoing = Bytes(count: count) { _ = session.take(into: $0) } }
        }
    }

    /// Tells the peer that nothing follows, as far as the socket takes it at once.
    func end(to descriptor: Int32) {
        if isEstablished { session.close() }
        var nothing = OutputQueue()
        _ = flush(&nothing, to: descriptor)
    }
}
