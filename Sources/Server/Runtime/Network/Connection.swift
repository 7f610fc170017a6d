import Base
import CPlatform
import Node

/// One connection of the broker port, as the loop sees it. Belongs to the loop's thread.
final class Connection {
    let id: ConnectionID
    let descriptor: Int32
    let peer: String
    let openedAt: Instant

    var frames = FrameAssembler()
    var output = OutputQueue()
    /// Requests handed to the node.
    var requests: UInt64 = 0
    /// When the peer last sent or took something.
    var lastActivity: Instant
    /// Why the connection ends when its output has left; nil while it lives.
    var closing: String?
    /// What epoll watches.
    var interest: UInt32
    /// On the loop's list of connections to flush.
    var isDirty = false
    /// Its reading waits until the peer has taken answers.
    var isReadPaused = false

    init(id: ConnectionID, descriptor: Int32, peer: String, now: Instant) {
        self.id = id
        self.descriptor = descriptor
        self.peer = peer
        openedAt = now
        lastActivity = now
        interest = UInt32(WEIR_EPOLL_IN)
    }
}
