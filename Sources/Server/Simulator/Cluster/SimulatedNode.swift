import Base
import Log
import Node
import Quorum

/// A node of the simulated cluster: its process, its clock, its disk.
struct SimulatedNode {
    var disk: SimulatedDisk
    var clock: DriftingClock
    /// Nil while the process is down.
    var node: BrokerNode?
    /// Counts processes: what was meant for an earlier one is dropped.
    var process = 0
    /// Nothing happens in the process before.
    var frozenUntil: Int64 = 0
    var wake: UInt64 = 0
    var openSyncs: [(ticket: SyncTicket, file: any DiskFile, flush: SimulatedFile.Flush)] = []
}

/// One end of a connection: a node, or a client behind the last node.
struct SimulatedEnd: Hashable {
    var place: Int
    var id: UInt64
}

/// What nodes tell operators, for whoever reads a trace.
final class NarratedDiagnostics: Diagnostics {
    private let tell: @Sendable (String) -> Void

    init(_ tell: @escaping @Sendable (String) -> Void) { self.tell = tell }

    func report(_ severity: Severity, _ component: String, _ message: String) {
        tell("\(component): \(message)")
    }
}
