import Base

/// What a leader knows of one of its followers.
package struct FollowerProgress: Sendable {
    package let node: NodeID
    /// Which of the node's connections it is.
    let link: Int
    /// The life of the follower that asked, and its question: answers belong to this one.
    private(set) var brokerEpoch: Int64 = -1
    private(set) var session: UInt32 = 0
    /// The follower's log is a part of this one. Before, nothing it says counts.
    package private(set) var isMatched = false
    /// What is pushed next.
    var nextOffset: Offset = 0
    /// What it has received.
    private(set) var receivedEnd: Offset = 0
    /// What survives a power loss there.
    package private(set) var durableEnd: Offset = -1
    /// What it knows of the high watermark.
    private(set) var knownHighWatermark: Offset = -1
    /// What it was told last.
    var toldHighWatermark: Offset = -1
    var toldLogStart: Offset = -1
    /// The last moment at which it had everything.
    private(set) var caughtUpAt: Instant
    /// Where the log ended at an earlier moment: who has that was caught up then.
    private var mark: (end: Offset, at: Instant)
    /// It received something, or something was pushed to it after a silence.
    var progressAt: Instant
    /// Waits for its turn on the link.
    var isQueued = false

    init(node: NodeID, link: Int, logEnd: Offset, now: Instant) {
        self.node = node
        self.link = link
        caughtUpAt = now
        mark = (logEnd, now)
        progressAt = now
    }

    /// Whether a question is newer than the one that is being answered. Networks repeat and delay.
    func isNewer(brokerEpoch: Int64, session: UInt32) -> Bool {
        brokerEpoch != self.brokerEpoch ? brokerEpoch > self.brokerEpoch : session > self.session
    }

    /// A new question: nothing that was said before counts.
    mutating func began(brokerEpoch: Int64, session: UInt32) {
        self.brokerEpoch = brokerEpoch
        self.session = session
        isMatched = false
        durableEnd = -1
    }

    /// The logs agree up to `end`.
    mutating func matched(end: Offset, durableEnd: Offset, now: Instant) {
        isMatched = true
        nextOffset = end
        receivedEnd = end
        self.durableEnd = min(durableEnd, end)
        knownHighWatermark = -1
        toldHighWatermark = -1
        toldLogStart = -1
        progressAt = now
    }

    /// Whether everything below `offset` is durable there.
    package func has(_ offset: Offset) -> Bool { isMatched && durableEnd >= offset }

    func answers(brokerEpoch: Int64, session: UInt32) -> Bool {
        isMatched && brokerEpoch == self.brokerEpoch && session == self.session
    }

    /// What the follower says it has. `logEnd`: of the leader, now.
    mutating func reported(
        end: Offset, durableEnd: Offset, highWatermark: Offset, logEnd: Offset, now: Instant
    ) {
        if end > receivedEnd {
            receivedEnd = end
            progressAt = now
        }
        nextOffset = max(nextOffset, receivedEnd)
        self.durableEnd = max(self.durableEnd, min(durableEnd, logEnd))
        knownHighWatermark = max(knownHighWatermark, highWatermark)
        noteCaughtUp(logEnd: logEnd, heardAt: now, now: now)
    }

    /// Takes note of how far it is behind. Who has everything needs to send no more than a sign of
    /// life: `heardAt`.
    mutating func noteCaughtUp(logEnd: Offset, heardAt: Instant, now: Instant) {
        guard isMatched else { return }
        if durableEnd >= logEnd {
            caughtUpAt = max(caughtUpAt, heardAt)
            mark = (logEnd, heardAt)
        } else if durableEnd >= mark.end {
            caughtUpAt = max(caughtUpAt, mark.at)
            mark = (logEnd, now)
        }
    }

    /// What was pushed and not received by now is pushed again; who has not said that it is durable
    /// is pushed nothing, which it answers. Returns whether there is something.
    mutating func rewind(timeout: Duration, now: Instant) -> Bool {
        guard isMatched, nextOffset > receivedEnd || durableEnd < receivedEnd,
            now - progressAt > timeout
        else { return false }
        nextOffset = receivedEnd
        progressAt = now
        return true
    }

    /// Whether it does not know what it was told: after a message was lost.
    var mayHaveMissedHighWatermark: Bool { isMatched && knownHighWatermark < toldHighWatermark }
}
