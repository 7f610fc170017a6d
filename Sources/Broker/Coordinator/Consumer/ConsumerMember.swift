import Base

/// One member of a group whose coordinator assigns the partitions.
struct ConsumerMember: Sendable, Equatable {
    /// How far the member is on its way to its target; the published numbers.
    enum State: Int8, Sendable {
        /// It has everything that its target gives it.
        case stable = 0
        /// It still owns partitions that it must give back.
        case unrevoked = 1
        /// It waits for partitions that others have not given back yet.
        case unreleased = 2
    }

    /// What a member that speaks the classic protocol adds.
    struct Classic: Sendable, Equatable {
        var sessionTimeoutMilliseconds: Int32
        var protocols: [MemberProtocol]
    }

    /// The member epoch of a static member that is away for a short time.
    static let awayEpoch: Int32 = -2

    private(set) var id: String
    var instanceID: String?
    var rackID: String?
    var clientID = ""
    var clientHost = ""
    var rebalanceTimeoutMilliseconds: Int32 = -1
    /// Sorted, each once.
    var topics: [String] = []
    /// Empty when it has none.
    var regex = ""
    var assignor: String?
    var classic: Classic?

    var epoch: Int32 = 0
    var previousEpoch: Int32 = 0
    var state = State.stable
    /// What it may read.
    var assigned = PartitionSet()
    /// What it was told to give back, and did not yet.
    var pendingRevocation = PartitionSet()

    var deadlines = Deadlines()
    /// False only during replay, for a member of which the log told its place and not who it is.
    var hasWishes = true

    /// Until when something must have been heard of the member.
    struct Deadlines: Sendable, Equatable {
        var session: Instant = .distantFuture
        /// Partitions given back (newer protocol), or joined again (classic protocol).
        var rebalance: Instant = .distantFuture
        /// The assignment asked for after a join of the classic protocol.
        var sync: Instant = .distantFuture

        var earliest: Instant { min(session, min(rebalance, sync)) }
    }

    init(id: String) { self.id = id }

    /// The same under another id.
    func renamed(_ id: String) -> ConsumerMember {
        var member = self
        member.id = id
        return member
    }

    var rebalanceTimeout: Duration { .milliseconds(max(rebalanceTimeoutMilliseconds, 0)) }

    /// What others can't have.
    var owned: PartitionSet { assigned.union(pendingRevocation) }

    func isReconciled(to targetEpoch: Int32) -> Bool { state == .stable && epoch == targetEpoch }

    mutating func move(to newEpoch: Int32) {
        guard newEpoch != epoch else { return }
        previousEpoch = epoch
        epoch = newEpoch
    }

    /// Memory that the member costs, nearly.
    var metadataBytes: Int {
        let protocols = classic?.protocols ?? []
        return topics.reduce(regex.utf8.count) { $0 + $1.utf8.count + 16 }
            + protocols.reduce(0) { $0 + $1.metadata.count + $1.name.utf8.count }
    }

    /// The same as far as the log keeps it in the record of the member's wishes.
    func hasSameWishes(as other: ConsumerMember) -> Bool {
        instanceID == other.instanceID && rackID == other.rackID && clientID == other.clientID
            && clientHost == other.clientHost
            && rebalanceTimeoutMilliseconds == other.rebalanceTimeoutMilliseconds
            && topics == other.topics && regex == other.regex && assignor == other.assignor
            && classic == other.classic
    }

    func hasSamePlace(as other: ConsumerMember) -> Bool {
        epoch == other.epoch && previousEpoch == other.previousEpoch && state == other.state
            && assigned == other.assigned && pendingRevocation == other.pendingRevocation
    }
}
