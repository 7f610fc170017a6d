import Base
import CPlatform
import Glibc
import Runtime

/// One node of the demo's cluster: `weir serve` as a process of its own, which ends with this one.
///
/// Used by the main thread alone: a child is killed when the thread that started it ends.
final class ChildServer {
    enum State: Hashable {
        case up, killed, stopped, frozen
        /// It ended, and nobody had asked it to.
        case ended(Int32)

        var text: String {
            switch self {
            case .up: "up"
            case .killed: "killed"
            case .stopped: "stopped"
            case .frozen: "frozen"
            case .ended(let outcome):
                outcome < 0 ? "ended by signal \(-outcome)" : "ended with \(outcome)"
            }
        }
    }

    let number: Int32
    let kafka: HostPort
    private(set) var state = State.stopped
    private let arguments: [String]
    private let logPath: String
    private var process: Int32?

    init(_ number: Int32, of members: [HostPort], kafka: HostPort, folder: String) {
        self.number = number
        self.kafka = kafka
        logPath = "\(folder)/node\(number).log"
        arguments = [
            "weir", "serve", "--node", "\(number)",
            "--cluster", members.map(\.text).joined(separator: ","), "--kafka", kafka.text,
            "--http", "127.0.0.1:0", "--data", "\(folder)/node\(number)",
            "-X", "broker.session.timeout.ms=\(Self.sessionMilliseconds)",
        ]
    }

    /// A node that is silent for so long is fenced; long enough for busy machines, short enough to
    /// watch.
    static let sessionMilliseconds = 2000

    var isRunning: Bool { process != nil }

    func start() throws(Problem) {
        let log = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard log >= 0 else {
            throw Problem(
                "file.open", "can't write \(logPath): \(String(cString: strerror(errno)))")
        }
        defer { weir_close(log) }
        let child = withCStrings(arguments) { arguments in
            // Settings of this process are not those of a node.
            withCStrings(Self.variables) { weir_child_start(arguments, $0, log) }
        }
        guard child > 0 else {
            throw Problem(
                "demo.node",
                "node \(number) can't be started: \(String(cString: weir_error_text(-child)))")
        }
        process = child
        state = .up
    }

    private static var variables: [String] {
        var variables: [String] = ["SWIFT_BACKTRACE=enable=no"]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if !text.hasPrefix("WEIR_"), !text.hasPrefix("SWIFT_BACKTRACE=") {
                variables.append(text)
            }
            next += 1
        }
        return variables
    }

    /// `kill -9`: nothing is flushed and nobody is told.
    func kill() {
        guard let process else { return }
        _ = weir_child_signal(process, SIGKILL)
        _ = end(of: process, waiting: true)
        self.process = nil
        state = .killed
    }

    /// Asks it to end; `look` notes when it has.
    func stop() {
        if let process { _ = weir_child_signal(process, SIGTERM) }
        state = .stopped
    }

    func freeze() {
        if let process { _ = weir_child_signal(process, SIGSTOP) }
        state = .frozen
    }

    func thaw() {
        if let process { _ = weir_child_signal(process, SIGCONT) }
        state = .up
    }

    /// Notes when the process has ended.
    func look() {
        guard let process, let outcome = end(of: process, waiting: false) else { return }
        self.process = nil
        if state != .stopped || outcome != 0 { state = .ended(outcome) }
    }

    private func end(of process: Int32, waiting: Bool) -> Int32? {
        var outcome: Int32 = 0
        return weir_child_end(process, waiting ? 1 : 0, &outcome) == 1 ? outcome : nil
    }

    /// What it wrote last.
    var lastWords: [String] {
        guard let log = try? readFile(logPath, limit: 64 << 20) else { return [] }
        return log.text.split(separator: "\n").suffix(5).map { "node \(number): \($0)" }
    }
}

/// Calls `body` with the texts as C wants lists of them.
private func withCStrings<Outcome>(
    _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Outcome
) -> Outcome {
    let copies: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies + [nil])
}

/// Ports of this machine that nobody listens on now, below those that the system gives to clients.
func freePorts(_ count: Int, _ random: inout Random) throws(Problem) -> [UInt16] {
    var ports: [UInt16] = []
    for _ in 0..<10_000 where ports.count < count {
        let port = UInt16(15_000 + random.below(17_000))
        if !ports.contains(port), isFree(port) { ports.append(port) }
    }
    guard ports.count == count else {
        throw Problem("demo.ports", "there are no \(count) free ports on 127.0.0.1")
    }
    return ports
}

private func isFree(_ port: UInt16) -> Bool {
    let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { return false }
    defer { weir_close(probe) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(probe, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}
