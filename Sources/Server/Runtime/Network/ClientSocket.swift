import Base
import CPlatform
import Glibc

/// A blocking connection to a server, with time limits: for the command line and for tests.
package final class ClientSocket {
    private let descriptor: Int32
    private let peer: String

    /// Connects to the first address of `target` that answers, within ten seconds at most;
    /// `timeout` bounds each later wait.
    package init(to target: HostPort, timeout: Duration = .seconds(10)) throws(Problem) {
        let addresses = resolve(target.host.isEmpty ? "localhost" : target.host, target.port)
        var connected: Int32 = -1
        var refusals: [String] = []
        for var address in addresses {
            connected = weir_connect(
                &address, Int32(clamping: max(1, min(10_000, timeout.wholeMilliseconds))))
            if connected >= 0 { break }
            refusals.append("\(text(of: address)): \(describe(connected))")
        }
        guard connected >= 0 else {
            throw Problem(
                "network.unreachable", "can't reach \(target.text)",
                notes: addresses.isEmpty ? ["no address is known for this host"] : refusals)
        }
        weir_set_timeouts(connected, Int32(clamping: max(1, timeout.wholeMilliseconds)))
        descriptor = connected
        peer = target.text
    }

    deinit { weir_close(descriptor) }

    /// Sends all of `bytes`.
    package func send(_ bytes: Bytes) throws(Problem) {
        var done = 0
        while done < bytes.count {
            let sent = bytes.withUnsafeBytes { buffer in
                weir_send(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
            }
            if sent < 0 { throw problem(sent) }
            done += Int(sent)
        }
    }

    /// What has arrived, at most `count` bytes, waiting for at least one; empty = the peer closed.
    package func receive(atMost count: Int = 64 << 10) throws(Problem) -> Bytes {
        let storage = ByteStorage(count: count)
        let received = weir_receive(descriptor, storage.base, count)
        if received < 0 { throw problem(received) }
        return Bytes(storage: storage, start: 0, count: Int(received))
    }

    /// Exactly `count` bytes.
    package func receive(exactly count: Int) throws(Problem) -> Bytes {
        let storage = ByteStorage(count: count)
        var filled = 0
        while filled < count {
            let received = weir_receive(descriptor, storage.base + filled, count - filled)
            if received < 0 { throw problem(received) }
            if received == 0 {
                throw Problem("network.closed", "\(peer) closed the connection")
            }
            filled += Int(received)
        }
        return Bytes(storage: storage, start: 0, count: count)
    }

    /// Tells the peer that nothing more will be sent.
    package func finishSending() { weir_shutdown_writes(descriptor) }

    private func problem(_ result: Int64) -> Problem {
        if result == -Int64(EAGAIN) {
            return Problem("network.timeout", "\(peer) gave no answer in time")
        }
        return Problem(
            "network.broken", "the connection to \(peer) broke: \(describe(Int32(result)))")
    }
}
