import Base
import Log

/// A partition as nodes name it to each other: a topic that is deleted and created again is another.
package struct PartitionKey: Hashable, Comparable, Sendable {
    package var topic: UUID128
    package var partition: Int32

    package init(topic: UUID128, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    package static func < (left: Self, right: Self) -> Bool {
        left.topic != right.topic ? left.topic < right.topic : left.partition < right.partition
    }
}

/// What the controller has decided about a partition, as one node is told.
package struct PartitionAssignment: Hashable, Sendable {
    package var key: PartitionKey
    /// The name of its log.
    package var topicPartition: TopicPartition
    /// In the order of preference for leadership.
    package var replicas: [NodeID]
    package var inSync: [NodeID]
    /// Left the in-sync set while it was too small, and have everything that was acknowledged.
    package var eligible: [NodeID]
    package var leader: NodeID?
    package var leaderEpoch: LeaderEpoch
    /// Rises with each change of any of this.
    package var partitionEpoch: Int32
    /// `min.insync.replicas`
    package var minInSync: Int

    package init(
        key: PartitionKey, topicPartition: TopicPartition, replicas: [NodeID], inSync: [NodeID],
        eligible: [NodeID], leader: NodeID?, leaderEpoch: LeaderEpoch, partitionEpoch: Int32,
        minInSync: Int
    ) {
        self.key = key
        self.topicPartition = topicPartition
        self.replicas = replicas
        self.inSync = inSync
        self.eligible = eligible
        self.leader = leader
        self.leaderEpoch = leaderEpoch
        self.partitionEpoch = partitionEpoch
        self.minInSync = minInSync
    }

    /// Records are committed while so many replicas are in sync.
    var required: Int { max(1, min(minInSync, replicas.count)) }

    /// Whether the node may have the only copy of something that was acknowledged.
    func counts(on node: NodeID) -> Bool { inSync.contains(node) || eligible.contains(node) }
}

/// A broker as the metadata has it.
package struct PeerStatus: Hashable, Sendable {
    package var node: NodeID
    /// Given anew with each registration.
    package var brokerEpoch: Int64
    package var isFenced: Bool

    package init(node: NodeID, brokerEpoch: Int64, isFenced: Bool) {
        self.node = node
        self.brokerEpoch = brokerEpoch
        self.isFenced = isFenced
    }
}

/// What a leader asks the controller for: compare-and-set on the partition's epoch.
package struct PartitionProposal: Hashable, Sendable {
    package enum Change: Hashable, Sendable {
        /// The in-sync set shall be these; of those that join, in which life they caught up.
        case inSync([NodeID], joining: [PeerStatus])
        /// The leader has restarted and may have lost what followers got from it: a new epoch.
        case raiseEpoch
        /// The replica of this node is damaged: it shall not count any more.
        case damaged
    }

    package var key: PartitionKey
    package var leaderEpoch: LeaderEpoch
    package var partitionEpoch: Int32
    /// Told back with the answer.
    package var attempt: UInt32
    package var change: Change

    package init(
        key: PartitionKey, leaderEpoch: LeaderEpoch, partitionEpoch: Int32, attempt: UInt32,
        change: Change
    ) {
        self.key = key
        self.leaderEpoch = leaderEpoch
        self.partitionEpoch = partitionEpoch
        self.attempt = attempt
        self.change = change
    }
}

/// When a producer is answered.
package enum Acknowledgement: Hashable, Sendable {
    /// When the records are durable here.
    case leader
    /// When they are durable on every replica in sync, of which there are enough.
    case all
}

/// Why a leader does not do what a client asks.
package enum ReplicaRefusal: Error, Equatable, CustomStringConvertible, Sendable {
    /// Another node leads, or this one does not know any more that it does, or has lost the partition. Retriable.
    case notLeader
    /// Too few replicas are in sync. Retriable.
    case notEnoughReplicas
    /// The new leader does not know yet how far its predecessor had committed. Retriable.
    case offsetNotAvailable
    /// The client knows an older leader than this one. Retriable, with new metadata.
    case fencedLeaderEpoch
    /// The client knows a newer leader than this one. Retriable.
    case unknownLeaderEpoch
    case append(AppendFailure)

    package var description: String {
        switch self {
        case .notLeader: "this node does not lead the partition"
        case .notEnoughReplicas: "too few replicas are in sync"
        case .offsetNotAvailable: "the new leader does not know yet what is committed"
        case .fencedLeaderEpoch: "the leader is a newer one"
        case .unknownLeaderEpoch: "the leader is not known here yet"
        case .append(let failure): failure.description
        }
    }

    /// The error code of the protocol.
    package var code: Int16 {
        switch self {
        case .notLeader: 6
        case .notEnoughReplicas: 19
        case .offsetNotAvailable: 78
        case .fencedLeaderEpoch: 74
        case .unknownLeaderEpoch: 75
        case .append(let failure): failure.code
        }
    }
}

/// What the driver does for the replicas of its node.
package enum ReplicaEffect: Sendable {
    case send(ReplicaMessage)
    /// To the controller; the answer goes to `proposalAnswered`.
    case propose(PartitionProposal)
    /// The append with this token is as durable as its producer wanted.
    case acknowledge(token: UInt64)
    /// The append with this token may or may not survive.
    case fail(token: UInt64, ReplicaRefusal)
    /// Readers see more.
    case advance(TopicPartition, highWatermark: Offset)
    /// For people.
    case report(String)
}

/// How replicas deal with each other.
package struct ReplicaSettings: Sendable {
    /// A follower that was not at the end of the log for so long leaves the in-sync set.
    package var lagMax: Duration = .seconds(10)
    /// A follower asks again when its leader does not answer.
    package var askTimeout: Duration = .milliseconds(300)
    /// What was pushed and is not reported as received is pushed again.
    package var resendTimeout: Duration = .milliseconds(1000)
    /// A proposal without an answer is made again.
    package var proposalTimeout: Duration = .milliseconds(2000)
    /// Peers hear from each other at least so often; high watermarks without records travel so.
    package var heartbeatInterval: Duration = .milliseconds(100)
    /// Pushed bytes of one node pair that the other side has not reported as received.
    package var inFlightBytesMax = 8 << 20
    /// Batches in one message, about; one batch may be larger.
    package var messageBytesMax = 1 << 20
    /// Of one partition before another one has its turn.
    package var turnBytesMax = 256 << 10
    /// Bytes a second to one follower node of partitions in which it is not in sync; nil = no bound.
    package var catchUpBytesPerSecond: Int?
    /// From the sending of a heartbeat that the controller answered; shorter than the time after
    /// which it fences a broker, by more than clocks drift.
    package var lease: Duration = .seconds(6)

    package init() {}
}
