import Base
import CPlatform
import Glibc
import Node

extension BrokerNode: EventMachine {}

extension CommandPort: NodePort {}

/// A running broker in this process: data directory, node, loop and its thread. Whoever starts it
/// stops it.
package final class BrokerService: Sendable {
    package let disk: FileDisk
    /// The way to give the node commands from any thread.
    package let port: CommandPort
    /// The broker port, also when it was left to the system.
    package let brokerPort: UInt16
    /// Readable when the loop has ended.
    package let endDescriptor: Int32

    private let driver: NodeDriver<BrokerNode>
    private let thread: SystemThread
    private let exit = Monitor<DriverExit?>(nil)

    /// Opens the data directory, recovers it, and serves the broker port.
    package init(
        data path: String, listening address: HostPort, settings: ServerSettings,
        diagnostics: any Diagnostics
    ) throws(Problem) {
        do {
            disk = try FileDisk(root: path)
        } catch {
            throw Self.problem(error, path)
        }
        // The port first: that it is taken shows at once, recovery may take a while.
        let listener = try Listener(binding: address)
        brokerPort = listener.port
        var configuration = settings.node
        configuration.dataDirectory = disk.absolutePath
        configuration.advertisedHost = settings.advertised?.host ?? Self.reachable(address.host)
        configuration.advertisedPort = Int32(settings.advertised?.port ?? listener.port)
        let node = try BrokerNode(
            configuration: configuration, disk: disk, random: systemRandom(),
            diagnostics: diagnostics, now: SystemClock.now)
        let driver = try NodeDriver(
            machine: node, listeners: [listener], settings: settings.driver,
            diagnostics: diagnostics)
        self.driver = driver
        port = driver.port
        endDescriptor = weir_eventfd_create()
        thread = SystemThread(name: "weir-loop") { [exit, endDescriptor] in
            let outcome = driver.run()
            exit.change { $0 = outcome }
            weir_eventfd_signal(endDescriptor)
        }
    }

    deinit { if endDescriptor >= 0 { weir_close(endDescriptor) } }

    /// Finishes answers, makes everything durable and ends the loop. Call it once.
    package func stop() -> DriverExit {
        driver.stop()
        guard let outcome = exit.wait(for: { $0 }) else {
            preconditionFailure("a wait without a deadline has an outcome")
        }
        thread.join()
        disk.unlock()
        return outcome
    }

    /// What clients can use when the server listens on every address: the name of this machine, if
    /// it can be resolved.
    private static func reachable(_ host: String) -> String {
        guard ["", "*", "0.0.0.0", "::"].contains(host) else { return host }
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, 255) == 0 else { return "localhost" }
        let text = name.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } }
        guard let text, !resolve(text, 1).isEmpty else { return "localhost" }
        return text
    }

    private static func problem(_ failure: StorageFailure, _ path: String) -> Problem {
        switch failure {
        case .locked:
            Problem(
                "storage.locked", "the data directory \(path) is in use by another process",
                hint: "stop the other server, or choose another directory with --data")
        case .noSpace: Problem("storage.full", "no space left for the data directory \(path)")
        default: Problem("storage.open", "can't open the data directory: \(failure)")
        }
    }
}
