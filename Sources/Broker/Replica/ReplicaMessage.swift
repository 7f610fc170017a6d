import Base

/// What one node sends to another about all partitions that they share.
///
/// A follower *asks* with the end of its log. The leader says that the logs diverge, or that the
/// follower has to begin again, or it *pushes* batches from there on, also before they are durable
/// on its own disk. The follower *reports* what it has received and what of it is durable.
package struct ReplicaMessage: Hashable, Sendable {
    package var from: NodeID
    package var to: NodeID
    /// The registration of the sender.
    package var brokerEpoch: Int64
    /// The registration of the receiver as the sender knows it; -1 = not known.
    package var receiverEpoch: Int64
    /// Counts messages with pushes; 0 = has none.
    package var number: UInt64
    /// The highest number that came from the other side.
    package var received: UInt64
    package var items: [ReplicaItem]

    package init(
        from: NodeID, to: NodeID, brokerEpoch: Int64, receiverEpoch: Int64, number: UInt64,
        received: UInt64, items: [ReplicaItem]
    ) {
        self.from = from
        self.to = to
        self.brokerEpoch = brokerEpoch
        self.receiverEpoch = receiverEpoch
        self.number = number
        self.received = received
        self.items = items
    }
}

/// What a message says about one partition.
package struct ReplicaItem: Hashable, Sendable {
    package enum Body: Hashable, Sendable {
        /// Follower to leader: where its log ends, and how much of it is durable.
        case ask(end: Offset, lastEpoch: LeaderEpoch, durableEnd: Offset)
        /// Leader to follower: of the largest epoch at or below the one asked about, the end here.
        case diverges(epoch: LeaderEpoch, end: Offset)
        /// Leader to follower: the log here begins behind the end there.
        case restart(at: Offset)
        /// Leader to follower: whole batches from `position` on; none = only the offsets.
        case push(position: Offset, highWatermark: Offset, logStart: Offset, batches: [Bytes])
        /// A leader of before to the one of `leaderEpoch`: it answers no client any more.
        case yielded
        /// Follower to leader.
        case report(end: Offset, durableEnd: Offset, highWatermark: Offset)
    }

    package var key: PartitionKey
    package var leaderEpoch: LeaderEpoch
    /// Counts what the follower asked in its life: an answer belongs to one question.
    package var session: UInt32
    package var body: Body

    package init(key: PartitionKey, leaderEpoch: LeaderEpoch, session: UInt32, body: Body) {
        self.key = key
        self.leaderEpoch = leaderEpoch
        self.session = session
        self.body = body
    }

    /// Two pushes of the same bytes are equal, however they are cut into pieces.
    package static func == (left: Self, right: Self) -> Bool {
        guard left.key == right.key, left.leaderEpoch == right.leaderEpoch,
            left.session == right.session
        else { return false }
        guard case .push(let position, let highWatermark, let logStart, let batches) = left.body,
            case .push(let other, let otherMark, let otherStart, let otherBatches) = right.body
        else { return left.body == right.body }
        return position == other && highWatermark == otherMark && logStart == otherStart
            && Bytes.joined(batches) == Bytes.joined(otherBatches)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(key)
        hasher.combine(leaderEpoch)
        hasher.combine(session)
    }
}
