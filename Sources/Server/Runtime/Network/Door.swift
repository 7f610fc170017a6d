import Base
import CPlatform
import Glibc

/// Lets connections in: the limit, what happens when the process runs out of descriptors, and how
/// many lines strangers may write into the log.
struct Door {
    struct Newcomer {
        var descriptor: Int32
        var peer: String
    }

    struct Outcome {
        var accepted: [Newcomer] = []
        /// Accepting makes no sense for a while: stop watching the listeners.
        var mustPause = false
    }

    private let log: any Diagnostics
    private let pause: Duration
    /// Fewer than configured when the process may not open that many descriptors.
    private let connectionsMax: Int
    /// Held so that one connection can be taken and closed when no other descriptor is left: its
    /// peer then knows, instead of waiting in the queue of the kernel.
    private var reserve: Int32
    private(set) var resumesAt = Instant.distantFuture

    private var linesLeft = Door.linesPerWindow
    private var linesDropped = 0
    private var windowEnds = Instant.zero
    private static let linesPerWindow = 20
    private static let window = Duration.seconds(10)
    /// Files of the log and of tables must open even when every connection is taken.
    private static let descriptorsForFiles: Int64 = 512

    init(settings: DriverSettings, diagnostics: any Diagnostics) {
        log = diagnostics
        pause = settings.acceptPause
        let descriptors = weir_raise_descriptor_limit()
        let room = descriptors < 0 ? 1024 : descriptors
        let forConnections = max(16, min(room - Self.descriptorsForFiles, room / 2))
        connectionsMax = min(settings.connections, Int(forConnections))
        reserve = weir_open_directory("/")
    }

    /// Gives the reserve back, for good.
    mutating func shut() {
        if reserve >= 0 { weir_close(reserve) }
        reserve = -1
    }

    var isPaused: Bool { resumesAt != .distantFuture }

    func isDue(_ now: Instant) -> Bool { isPaused && now >= resumesAt }

    mutating func resume() {
        resumesAt = .distantFuture
        if reserve < 0 { reserve = weir_open_directory("/") }
    }

    /// Accepts what waits at `listener`, at most 64 at a time.
    mutating func accept(from listener: Int32, open: Int, now: Instant) -> Outcome {
        var outcome = Outcome()
        for _ in 0..<64 {
            var address = weir_address()
            let descriptor = weir_accept_from(listener, &address)
            if descriptor >= 0 {
                let peer = text(of: address)
                if open + outcome.accepted.count >= connectionsMax {
                    weir_close(descriptor)
                    complain("refused \(peer): \(connectionsMax) connections are open", now: now)
                } else {
                    outcome.accepted.append(Newcomer(descriptor: descriptor, peer: peer))
                }
                continue
            }
            switch -descriptor {
            case EAGAIN: return outcome
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                complain("can't accept: \(describe(descriptor))", now: now)
                shedOne(listener)
                resumesAt = now + pause
                outcome.mustPause = true
                return outcome
            default:
                // The newcomer failed, not the listener (ECONNABORTED and relatives).
                continue
            }
        }
        return outcome
    }

    private mutating func shedOne(_ listener: Int32) {
        guard reserve >= 0 else { return }
        weir_close(reserve)
        let descriptor = weir_accept(listener)
        if descriptor >= 0 { weir_close(descriptor) }
        reserve = weir_open_directory("/")
    }

    /// Writes a line about a stranger, unless strangers have caused too many lately.
    mutating func complain(_ message: String, now: Instant) {
        if now >= windowEnds {
            if linesDropped > 0 {
                log.report(.warning, "network", "\(linesDropped) more lines like the last ones")
            }
            linesLeft = Self.linesPerWindow
            linesDropped = 0
            windowEnds = now + Self.window
        }
        if linesLeft == 0 {
            linesDropped += 1
            return
        }
        linesLeft -= 1
        log.report(.warning, "network", message)
    }
}

/// `1.2.3.4:5` or `[::1]:5`.
func text(of address: weir_address) -> String {
    var address = address
    var characters = [CChar](repeating: 0, count: WEIR_ADDRESS_TEXT_BYTES)
    weir_address_text(&address, &characters)
    return characters.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "?" }
}
