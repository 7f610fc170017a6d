import Base
import CPlatform
import Glibc

/// SIGINT and SIGTERM as something to wait for. Made by the first thread before all others, so that
/// every thread has the signals blocked and they arrive here.
package final class ProcessSignals: Sendable {
    package enum Event: Equatable, Sendable {
        case signal(Int32)
        case other
    }

    private let descriptor: Int32

    /// `withHangup`: SIGHUP arrives here too; else it ends the process.
    package init(withHangup: Bool = false) throws(Problem) {
        descriptor = weir_signal_descriptor(withHangup ? 1 : 0)
        if descriptor < 0 {
            throw Problem("system.descriptors", "no signal descriptor: \(describe(descriptor))")
        }
    }

    deinit { weir_close(descriptor) }

    /// Waits for a signal, or until `other` can be read; nil = `timeout` has passed.
    package func wait(or other: Int32 = -1, timeout: Duration? = nil) -> Event? {
        let deadline = timeout.map { SystemClock.monotonic + $0 } ?? .distantFuture
        while true {
            let left = max(0, (deadline - SystemClock.monotonic).wholeMilliseconds)
            let wait = timeout == nil ? -1 : Int32(clamping: left)
            let ready = weir_poll(descriptor, Int32(WEIR_EPOLL_IN), other, wait)
            if ready < 0 { return .other }
            if ready & 1 == 1 {
                let number = weir_next_signal(descriptor)
                if number > 0 { return .signal(number) }
            }
            if ready & 2 == 2 { return .other }
            if timeout != nil, SystemClock.monotonic >= deadline { return nil }
        }
    }
}
