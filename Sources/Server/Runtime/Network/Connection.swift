import Base
import CPlatform
import Node

/// One connection of the broker port, as the loop sees it. Belongs to the loop's thread.
final class Connection {
    let id: ConnectionID
    let descriptor: Int32
    let peer: String
    /// The number of the listener it came through.
    let door: Int
    let openedAt: Instant

    /// nil = no encryption.
    let stream: EncryptedStream?
    /// The node knows of it: at once, or when the handshake of TLS is done.
    var isAnnounced = false
    var frames = FrameAssembler()
    var output = OutputQueue()
    /// Requests received whole, and of those the ones that wait for a later round.
    var requests: UInt64 = 0
    var backlog: [Bytes] = []
    /// How many of `backlog` have been handed on.
    var backlogHead = 0
    var isBacklogged = false
    /// When the peer last sent or took something.
    var lastActivity: Instant
    /// Why the connection ends when its output has left; nil while it lives.
    var closing: String?
    /// What epoll watches.
    var interest: UInt32
    /// On the loop's list of connections to flush.
    var isDirty = false
    /// What it sends may be as large as anybody's; until the node says so, it is held short.
    var isTrusted = true
    /// Nothing is read before this moment, because a quota is used up.
    var pausedUntil = Instant.zero
    /// Its reading waits until the peer has taken answers.
    var isReadPaused = false
    /// The node that this end has called; nil for whoever has called us.
    var dialed: NodeID?
    /// It leads to another node, which both have introduced.
    var isLink = false

    /// The oldest request that waits.
    func nextRequest() -> Bytes? {
        guard backlogHead < backlog.count else { return nil }
        defer { backlogHead += 1 }
        return backlog[backlogHead]
    }

    /// Forgets the requests that were handed on, once all are; true when none waits.
    func isBacklogDone() -> Bool {
        guard backlogHead == backlog.count else { return false }
        backlog.removeAll(keepingCapacity: backlog.count <= 64)
        backlogHead = 0
        return true
    }

    /// Something waits to be sent.
    var hasOutput: Bool { !output.isEmpty || stream?.hasOutput == true }

    init(
        id: ConnectionID, descriptor: Int32, peer: String, stream: EncryptedStream?, door: Int,
        now: Instant
    ) {
        self.id = id
        self.descriptor = descriptor
        self.peer = peer
        self.stream = stream
        self.door = door
        openedAt = now
        lastActivity = now
        interest = UInt32(WEIR_EPOLL_IN)
    }
}
