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
    /// What clients are told to connect to, one for each listener.
    package let listeners: [String]
    /// Readable when the loop has ended.
    package let endDescriptor: Int32

    private let driver: NodeDriver<BrokerNode>
    private let setup: SecuritySetup
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
        setup = SecuritySetup(settings.security, plain: address)
        var (doors, listeners) = try setup.doors(diagnostics: diagnostics)
        brokerPort = doors[0].listener.port
        self.listeners = listeners.map(\.advertisedText)
        var random = systemSecureRandom()
        var configuration = settings.node
        configuration.dataDirectory = disk.absolutePath
        configuration.listeners = listeners
        var driverSettings = settings.driver
        if let cluster = settings.node.cluster {
            let (door, calls) = try setup.clusterDoor(
                cluster, node: settings.node.nodeID, diagnostics: diagnostics)
            configuration.cluster?.listener = doors.count
            doors.append(door)
            driverSettings.dialTLS = calls
            driverSettings.disk = disk
            driverSettings.leaving = .seconds(10)
        }
        try setup.configure(&configuration, random: &random)
        let node = try BrokerNode(
            configuration: configuration, disk: disk, random: systemRandom(),
            secureRandom: random, diagnostics: diagnostics, now: SystemClock.now)
        let driver = try NodeDriver(
            machine: node, doors: doors, settings: driverSettings, diagnostics: diagnostics)
        self.driver = driver
        port = driver.port
        endDescriptor = weir_eventfd_create()
        thread = SystemThread(
            name: "weir-loop", reserve: settings.driver.reserve, side: .reserved
        ) { [exit, endDescriptor] in
            let outcome = driver.run()
            exit.change { $0 = outcome }
            weir_eventfd_signal(endDescriptor)
        }
    }

    deinit { if endDescriptor >= 0 { weir_close(endDescriptor) } }

    /// Reads certificates and keys again, for the sessions that begin from now on. False when no
    /// listener uses them.
    package func reloadCertificates() throws(Problem) -> Bool {
        guard let context = try setup.tlsContext() else { return false }
        driver.replaceTLS(context)
        return true
    }

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
