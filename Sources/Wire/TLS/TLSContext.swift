import Base
import CTLS

/// Whether the other side has to show a certificate.
package enum PeerCertificate: Int32, Sendable {
    case notAsked = 0
    /// Wanted; none is fine, a wrong one is not.
    case asked = 1
    case required = 2
}

/// The files of one side of TLS, in PEM.
package struct TLSFiles: Sendable {
    /// The certificate, followed by those of the authorities in between.
    package var certificate: String?
    package var key: String?
    package var keyPassword: Secret?
    /// Whom to believe about the other side.
    package var authorities: String?

    package init(
        certificate: String? = nil, key: String? = nil, keyPassword: Secret? = nil,
        authorities: String? = nil
    ) {
        self.certificate = certificate
        self.key = key
        self.keyPassword = keyPassword
        self.authorities = authorities
    }
}

/// What all sessions of a listener or a client share.
///
/// `@unchecked Sendable` is sound because OpenSSL's contexts may be read by several threads, and
/// nothing changes one after it was made.
package final class TLSContext: @unchecked Sendable {
    fileprivate let context: OpaquePointer

    /// For the side that accepts connections.
    package convenience init(
        server files: TLSFiles, peer: PeerCertificate
    ) throws(Problem) {
        try self.init(files, isServer: true, peer: peer)
    }

    /// For the side that connects. `verifies`: whether the server's certificate has to be valid.
    package convenience init(
        client files: TLSFiles, verifies: Bool = true
    ) throws(Problem) {
        try self.init(files, isServer: false, peer: verifies ? .required : .notAsked)
    }

    private init(_ files: TLSFiles, isServer: Bool, peer: PeerCertificate) throws(Problem) {
        var error = [CChar](repeating: 0, count: 256)
        let password = files.keyPassword.map { $0.exposed.array.map(CChar.init(bitPattern:)) + [0] }
        let made = weir_tls_context_create(
            isServer ? 1 : 0, files.certificate, files.key, password, files.authorities,
            peer.rawValue, &error, error.count)
        guard let made else {
            throw Problem(
                "tls.files", "TLS can't be set up: \(text(of: error))",
                notes: [
                    ("certificate", files.certificate), ("key", files.key),
                    ("authorities", files.authorities),
                ].compactMap { name, path in path.map { "\(name): \($0)" } },
                hint: "the files have to be PEM and readable by this user")
        }
        context = made
    }

    deinit { weir_tls_context_free(context) }
}

/// One session over memory: ciphertext goes in and comes out as bytes. Belongs to one thread.
package final class TLSSession {
    package enum Progress: Equatable {
        case done
        /// More of the peer's bytes are needed.
        case wantsMore
        case closed
        case failed(String)
    }

    private let session: OpaquePointer
    /// Keeps the context alive.
    private let context: TLSContext

    /// Begins a session. A client names the host that the certificate has to be for.
    package init?(_ context: TLSContext, host: String? = nil) {
        guard let made = weir_tls_create(context.context, host) else { return nil }
        session = made
        self.context = context
    }

    deinit { weir_tls_free(session) }

    /// Takes received bytes.
    package func feed(_ bytes: UnsafeRawBufferPointer) -> Bool {
        weir_tls_feed(session, bytes.baseAddress, bytes.count) == 0
    }

    package func handshake() -> Progress {
        let code = weir_tls_handshake(session)
        return code == 1 ? .done : progress(Int64(code))
    }

    /// Plaintext into `room`: how much came, 0 for none, and whether more may follow.
    package func read(into room: UnsafeMutableRawBufferPointer) -> (count: Int, Progress) {
        let count = weir_tls_read(session, room.baseAddress, room.count)
        return count > 0 ? (Int(count), .done) : (0, progress(count))
    }

    /// Encrypts `bytes`; the result waits in `pending`.
    package func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        weir_tls_write(session, bytes.baseAddress, bytes.count) == 0
    }

    /// Tells the peer that nothing more follows.
    package func close() { weir_tls_close(session) }

    /// Bytes that wait to be sent.
    package var pending: Int { weir_tls_pending(session) }

    /// Takes bytes to be sent.
    package func take(into room: UnsafeMutableRawBufferPointer) -> Int {
        weir_tls_take(session, room.baseAddress, room.count)
    }

    /// Who the peer's valid certificate says it is (RFC 2253); nil without one. Names beyond 4 KiB
    /// are as good as none.
    package var peerName: String? {
        var name = [UInt8](repeating: 0, count: 4096)
        let count = name.withUnsafeMutableBytes {
            weir_tls_peer_name(
                session, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
        }
        guard count > 0 else { return nil }
        return String(validating: name[0..<Int(count)], as: UTF8.self)
    }

    private func progress(_ code: Int64) -> Progress {
        switch code {
        case Int64(WEIR_TLS_WANTS_MORE): return .wantsMore
        case Int64(WEIR_TLS_CLOSED): return .closed
        default:
            var error = [CChar](repeating: 0, count: 256)
            weir_tls_error(session, &error, error.count)
            return .failed(text(of: error))
        }
    }
}

private func text(of characters: [CChar]) -> String {
    String(
        decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
