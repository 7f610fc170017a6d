// What goes into the node and what comes out. The node is deterministic: the Runtime drives it with
// real sockets and disks, the Simulator with virtual ones, and neither knows what it decides.

import Base
import Log
import Quorum

/// A connection of the broker port, numbered by the driver and never reused.
package struct ConnectionID: Hashable, Comparable, Sendable {
    package var value: UInt64
    package init(_ value: UInt64) { self.value = value }
    package static func < (left: ConnectionID, right: ConnectionID) -> Bool {
        left.value < right.value
    }
}

/// A request that did not come over the broker port (HTTP gateway, SQL statement, command of the
/// process itself), numbered by the driver.
package struct CommandID: Hashable, Comparable, Sendable {
    package var value: UInt64
    package init(_ value: UInt64) { self.value = value }
    package static func < (left: CommandID, right: CommandID) -> Bool { left.value < right.value }
}

package enum NodeEvent: Sendable {
    /// A client came through the listener with this number, counted from 0 in the order of
    /// `NodeConfiguration.listeners`; `principal` is who its certificate says it is.
    case connectionOpened(
        ConnectionID, peer: String, listener: Int = 0, principal: String? = nil)
    /// One whole request without its length prefix, in the order of its connection. The driver
    /// may send the next before the last was answered; answers leave in request order.
    case request(ConnectionID, Bytes)
    case connectionClosed(ConnectionID)
    /// The journal bytes of `ticket` are durable, or can't be made so.
    case journalSynced(SyncTicket, failure: StorageFailure?)
    case command(CommandID, NodeCommand)
    /// A call of another node got through: the connection is a link. `address` is where it leads.
    case dialed(NodeID, ConnectionID, address: String)
    case dialFailed(NodeID, String)
    /// A job of the quorum has ended, well or not.
    case quorumJobDone(number: UInt64, failure: StorageFailure?)
    /// The process is asked to stop: `mayStop` follows when other nodes lead what this one led, or when
    /// there are none. Whoever can't wait closes the node.
    case leave
    /// The time asked for by `wakeAt` came. Send it once after the start, too: it brings the first
    /// `wakeAt`.
    case timer
}

package enum NodeEffect: Sendable {
    /// Bytes for the connection, length prefix included, to be sent in this order.
    case send(ConnectionID, [Bytes])
    /// Send what was queued before, then close. The node has forgotten the connection.
    case close(ConnectionID, reason: String)
    /// The client has proved who it is: its requests may be as large as those of anybody.
    case authenticated(ConnectionID)
    /// The connection is a link to another node: its frames may be large, and it is read also while
    /// its other side does not read.
    case linked(ConnectionID)
    /// Read no more requests of the connection before this moment: its quota is used up.
    case pause(ConnectionID, until: Instant)
    /// Sync the journal file off the loop, then answer with `journalSynced`. At most one is open.
    case syncJournal(SyncTicket, file: any DiskFile)
    /// The same for a segment file, for which nobody waits: it must not delay the journal. At most
    /// one is open.
    case syncSegment(SyncTicket, file: any DiskFile)
    /// Call another node; answered by `dialed` or `dialFailed`.
    case dial(NodeID, host: String, port: UInt16)
    /// Do work of the metadata quorum on the disk off the loop, then answer with `quorumJobDone`.
    case runQuorumJob(QuorumJob)
    /// Send `timer` at this moment; replaces an earlier wish.
    case wakeAt(Instant)
    case commandFinished(CommandID, Result<NodeAnswer, Problem>)
    /// The answer to `leave`.
    case mayStop
    /// Storage can't be trusted any more: stop the process, restart from disk.
    case halt(Problem)
}
