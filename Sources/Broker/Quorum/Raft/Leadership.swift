import Base

/// What a leader keeps, for as long as it leads.
struct Leadership: Sendable {
    struct PendingRead: Sendable {
        var token: RequestToken
        /// The state that the read must see at least.
        var index: LogIndex
        /// The round that proves that there was no other leader when the read came; nil = the
        /// next one, which has not begun.
        var round: UInt64?
    }

    struct Transfer: Sendable {
        var target: NodeID
        var token: RequestToken
        var deadline: Instant
        var isAsked = false
    }

    var progress: OrderedMap<NodeID, FollowerProgress> = [:]
    /// The entry that begins the term.
    var beginIndex: LogIndex = 0
    /// Requests that wait for the commit of an entry, in order of their places.
    var proposals: [(index: LogIndex, token: RequestToken)] = []
    var uncommittedBytes = 0
    var reads: [PendingRead] = []
    /// Rounds of messages to everybody, counted, and when the last of them began.
    var round: UInt64 = 0
    var rounds: [(round: UInt64, began: Instant)] = []
    /// After a node was asked to take over it may be elected at any time, however loyal others
    /// are: no read of this term may rest on the lease any more.
    var leaseIsRevoked = false
    var transfer: Transfer?
    var heartbeatDeadline: Instant

    /// Rounds older than this many are of no use for a lease.
    static let roundsKept = 64

    init(began now: Instant) { heartbeatDeadline = now }

    mutating func beginRound(_ now: Instant) {
        round += 1
        rounds.append((round, now))
        if rounds.count > Self.roundsKept { rounds.removeFirst() }
    }

    func began(_ round: UInt64) -> Instant? { rounds.last { $0.round == round }?.began }
}
