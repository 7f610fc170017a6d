import Base

/// A partition that this node leads: which of its records are committed, who is in sync, which
/// producers wait.
///
/// Everything counts by durable log ends, the leader's own included. The high watermark is the
/// smallest durable end of everybody who is in the in-sync set or may be (a proposal whose outcome is
/// not known), and moves only while enough are surely in it. Then whoever the controller can elect
/// has every committed record.
package struct PartitionLeader: Sendable {
    package let node: NodeID
    package let epoch: LeaderEpoch
    /// The end of the log when the epoch began: what lies below is not this leader's.
    package let epochStart: Offset
    /// The begin of the epoch is durable, and so is everything before it: others may follow.
    package private(set) var isEstablished = false
    /// The leader of before may not have heard of this one yet, and answers clients until then.
    package private(set) var predecessorUntil: Instant?
    /// Clients are answered, by this leader alone.
    package var isServing: Bool { isEstablished && predecessorUntil == nil }
    package private(set) var partitionEpoch: Int32
    /// As the controller has decided, as far as it is known here.
    package private(set) var inSync: [NodeID]
    /// Who was proposed since then and may be in sync by now.
    package private(set) var doubtful: [NodeID] = []
    private var required: Int
    private var hasEligible: Bool
    package private(set) var logEnd: Offset
    package private(set) var durableEnd: Offset
    package private(set) var highWatermark: Offset
    package internal(set) var followers: [FollowerProgress]
    private var attempt: (number: UInt32, at: Instant)?
    private var lastAttempt: UInt32 = 0
    private var retryAt = Instant(nanoseconds: .min)
    private var waitingForAll = WaitingAppends()
    private var waitingForLeader = WaitingAppends()

    init(
        node: NodeID, assignment: PartitionAssignment, epochStart: Offset, durableEnd: Offset,
        highWatermark: Offset, followers: [FollowerProgress], predecessorUntil: Instant? = nil
    ) {
        self.predecessorUntil = predecessorUntil
        self.node = node
        epoch = assignment.leaderEpoch
        self.epochStart = epochStart
        partitionEpoch = assignment.partitionEpoch
        inSync = assignment.inSync
        required = assignment.required
        hasEligible = !assignment.eligible.isEmpty
        logEnd = epochStart
        self.durableEnd = durableEnd
        self.highWatermark = highWatermark
        self.followers = followers
    }

    /// Enough replicas are in sync for records to be committed. While the controller still counts
    /// others as eligible it may elect one of them: then nothing may be committed without them,
    /// also when the required number has just been lowered.
    package var hasEnough: Bool { inSync.count >= required && !hasEligible }

    /// What the predecessors had committed is known to be committed.
    package var knowsCommitted: Bool { highWatermark >= epochStart }

    // MARK: The controller

    /// A newer decision about the partition with the same leader epoch.
    mutating func update(_ assignment: PartitionAssignment, links: (NodeID) -> Int, now: Instant) {
        guard assignment.partitionEpoch >= partitionEpoch else { return }
        required = assignment.required
        guard assignment.partitionEpoch > partitionEpoch else { return }
        partitionEpoch = assignment.partitionEpoch
        inSync = assignment.inSync
        hasEligible = !assignment.eligible.isEmpty
        // What was proposed from an older state is refused from now on.
        doubtful = []
        attempt = nil
        followers.removeAll { !assignment.replicas.contains($0.node) }
        for other in assignment.replicas
        where other != node && !followers.contains(where: { $0.node == other }) {
            followers.append(
                FollowerProgress(node: other, link: links(other), logEnd: logEnd, now: now))
        }
    }

    /// The change of the in-sync set that should be made now, if there is one. It counts as made
    /// from now on as far as it adds somebody. `heardAt`: when a node gave its last sign of life,
    /// nil for one that is fenced or in another life than the one it asked in.
    mutating func propose(
        settings: ReplicaSettings, now: Instant, heardAt: (FollowerProgress) -> Instant?
    ) -> (attempt: UInt32, inSync: [NodeID], joining: [PeerStatus])? {
        guard isEstablished, now >= retryAt else { return nil }
        if let attempt {
            guard now - attempt.at > settings.proposalTimeout else { return nil }
            self.attempt = nil
        }
        var wanted = inSync
        var joining: [PeerStatus] = []
        for index in followers.indices {
            let heard = heardAt(followers[index])
            if let heard { followers[index].noteCaughtUp(logEnd: logEnd, heardAt: heard, now: now) }
            let follower = followers[index]
            if inSync.contains(follower.node) {
                if now - follower.caughtUpAt > settings.lagMax {
                    wanted.removeAll { $0 == follower.node }
                }
            } else if heard != nil, follower.isMatched,
                follower.durableEnd >= max(highWatermark, epochStart)
            {
                wanted.append(follower.node)
                joining.append(
                    PeerStatus(
                        node: follower.node, brokerEpoch: follower.brokerEpoch, isFenced: false))
            }
        }
        // An outcome that is not known is settled by any change: the others are refused then.
        guard wanted != inSync || !doubtful.isEmpty else { return nil }
        for status in joining where !doubtful.contains(status.node) { doubtful.append(status.node) }
        lastAttempt += 1
        attempt = (lastAttempt, now)
        return (lastAttempt, wanted, joining)
    }

    /// The controller has answered. What it accepted is known when its decision arrives.
    mutating func answered(attempt number: UInt32, isAccepted: Bool, now: Instant) {
        guard let attempt, attempt.number == number, !isAccepted else { return }
        self.attempt = nil
        retryAt = now + .milliseconds(500)
    }

    // MARK: The log

    mutating func appended(end: Offset) { logEnd = max(logEnd, end) }

    /// The own log is durable up to `end`, and the begin of `epoch` is. Returns whether others may follow
    /// from now on.
    mutating func becameDurable(end: Offset, epoch durableEpoch: LeaderEpoch) -> Bool {
        durableEnd = max(durableEnd, end)
        guard !isEstablished, durableEpoch >= epoch, durableEnd >= epochStart else { return false }
        isEstablished = true
        return true
    }

    /// The leader of before answers nobody any more.
    mutating func predecessorEnded() { predecessorUntil = nil }

    // MARK: Followers

    enum Verdict: Hashable, Sendable {
        case push
        case diverges(epoch: LeaderEpoch, end: Offset)
        case restart(at: Offset)
        /// The question makes no sense to this leader; the follower will ask again.
        case ignore
    }

    /// What to answer to a follower whose log ends at `end` with a record of `lastEpoch`. `known`:
    /// the largest epoch at or below that one in the leader's log, and its end.
    func judge(
        end: Offset, lastEpoch: LeaderEpoch, known: (epoch: LeaderEpoch, endOffset: Offset)?,
        logStart: Offset
    ) -> Verdict {
        if end < logStart { return .restart(at: logStart) }
        if lastEpoch.value < 0 { return end <= logEnd ? .push : .restart(at: logStart) }
        guard let known else { return .ignore }
        if known.epoch < lastEpoch || known.endOffset < end {
            return .diverges(epoch: known.epoch, end: known.endOffset)
        }
        return .push
    }

    /// Moves the high watermark; true when it did.
    mutating func advance() -> Bool {
        guard isEstablished, hasEnough else { return false }
        var committed = durableEnd
        for follower in followers
        where inSync.contains(follower.node) || doubtful.contains(follower.node) {
            guard follower.isMatched else { return false }
            committed = min(committed, follower.durableEnd)
        }
        guard committed > highWatermark else { return false }
        highWatermark = committed
        return true
    }

    // MARK: Producers

    mutating func wait(
        _ acknowledgement: Acknowledgement, until end: Offset, token: UInt64
    ) {
        switch acknowledgement {
        case .all: waitingForAll.add(end: end, token: token)
        case .leader: waitingForLeader.add(end: end, token: token)
        }
    }

    /// The same process has led the epoch before this one, and nobody between: its log has what the producers
    /// wait for, and they wait on.
    mutating func inherit(_ before: PartitionLeader) {
        waitingForAll = before.waitingForAll
        waitingForLeader = before.waitingForLeader
    }

    /// Who can be answered now.
    mutating func takeAnswerable() -> [UInt64] {
        guard isServing else { return [] }
        return waitingForLeader.take(upTo: durableEnd) + waitingForAll.take(upTo: highWatermark)
    }

    /// Everybody who still waits: the leadership is over.
    mutating func takeAll() -> [UInt64] {
        waitingForLeader.take(upTo: Offset(.max)) + waitingForAll.take(upTo: Offset(.max))
    }

    // MARK: Invariants

    /// `highWatermark ≤ durableEnd ≤ logEnd`; nobody in sync is behind the high watermark.
    package func checkInvariants() {
        precondition(durableEnd <= logEnd, "what is durable was appended")
        precondition(highWatermark <= durableEnd, "what is committed is durable here")
        precondition(!isEstablished || epochStart <= durableEnd, "what came before is durable")
    }
}

/// Appends whose producers wait, in the order of what they wait for (nearly: a repeated batch waits
/// for less than those before it).
struct WaitingAppends: Sendable {
    private var entries: [(end: Offset, token: UInt64)] = []
    private var head = 0

    mutating func add(end: Offset, token: UInt64) { entries.append((end, token)) }

    /// Those that end at or below `offset`, from the oldest on.
    mutating func take(upTo offset: Offset) -> [UInt64] {
        var taken: [UInt64] = []
        while head < entries.count, entries[head].end <= offset {
            taken.append(entries[head].token)
            head += 1
        }
        if head == entries.count {
            entries.removeAll(keepingCapacity: entries.capacity <= 64)
            head = 0
        } else if head > 64, head * 2 > entries.count {
            entries.removeFirst(head)
            head = 0
        }
        return taken
    }
}
