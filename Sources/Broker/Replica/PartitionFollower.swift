import Base

/// A partition that this node copies from its leader.
package struct PartitionFollower: Sendable {
    private enum Phase: Sendable {
        /// The leader was asked and has not answered.
        case asking(since: Instant)
        /// The leader pushes.
        case streaming
    }

    package let leader: NodeID
    package let epoch: LeaderEpoch
    let link: Int
    private var phase: Phase
    /// The question that is open or was answered last. Rises within one life of the node.
    package private(set) var session: UInt32
    /// What the leader has told of its high watermark and log start.
    private(set) var leaderHighWatermark: Offset = 0
    private(set) var leaderLogStart: Offset = 0
    /// Waits for its turn on the link.
    var reportIsQueued = false

    init(leader: NodeID, epoch: LeaderEpoch, link: Int, session: UInt32, now: Instant) {
        self.leader = leader
        self.epoch = epoch
        self.link = link
        self.session = session
        phase = .asking(since: now)
    }

    package var isStreaming: Bool {
        if case .streaming = phase { return true }
        return false
    }

    /// Whether an answer of the leader is to the question that was asked last.
    func expectsAnswer(epoch: LeaderEpoch, session: UInt32) -> Bool {
        epoch == self.epoch && session == self.session
    }

    /// Asks anew: whatever comes for an earlier question is ignored from now on.
    mutating func ask(session: UInt32, now: Instant) {
        self.session = session
        phase = .asking(since: now)
    }

    func shouldAskAgain(after timeout: Duration, now: Instant) -> Bool {
        if case .asking(let since) = phase { return now - since >= timeout }
        return false
    }

    enum Verdict: Hashable, Sendable {
        case append
        case ignore
        /// Something between was lost.
        case gap
    }

    /// What to do with a push, and takes note of the offsets in it.
    mutating func received(
        epoch: LeaderEpoch, session: UInt32, position: Offset, highWatermark: Offset,
        logStart: Offset, logEnd: Offset
    ) -> Verdict {
        guard epoch == self.epoch, session == self.session else { return .ignore }
        if position > logEnd { return isStreaming ? .gap : .ignore }
        phase = .streaming
        leaderHighWatermark = max(leaderHighWatermark, highWatermark)
        leaderLogStart = max(leaderLogStart, logStart)
        return .append
    }

    /// Where to cut the own log when the leader's largest epoch at or below the asked one ends at
    /// `end`. `own`: the same of the own log. Nil = everything goes.
    static func cut(
        epoch: LeaderEpoch, end: Offset, own: (epoch: LeaderEpoch, endOffset: Offset)?
    ) -> Offset? {
        guard let own else { return nil }
        return own.epoch == epoch ? min(end, own.endOffset) : own.endOffset
    }
}
