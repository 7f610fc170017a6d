import Base

/// What a group may use of its coordinator while it handles one event.
struct GroupContext: Sendable {
    let configuration: GroupConfiguration
    var random: Random
    var now = Now(monotonic: .zero, wallMicroseconds: 0)
    var topics = GroupTopics()
    /// Set for single groups. Looked up only.
    var timings: [String: GroupTiming] = [:]
    var effects: [GroupEffect] = []
    /// When groups want to be looked at; see `ClassicGroup.arm`.
    var deadlines = DeadlineQueue<String>()
    /// What each append that is not durable yet is for.
    private(set) var appends: [AppendToken: PendingAppend] = [:]
    private var lastAppend: UInt64 = 0

    init(configuration: GroupConfiguration, random: Random) {
        self.configuration = configuration
        self.random = random
    }

    mutating func reply(_ token: ReplyToken, _ reply: GroupReply) {
        effects.append(.reply(token, reply))
    }

    /// Answers when the append is durable; at once when there is none on its way.
    mutating func reply(_ token: ReplyToken, _ reply: GroupReply, after append: AppendToken?) {
        guard let append, case .consumer(let changes, var replies) = appends[append]?.purpose else {
            return self.reply(token, reply)
        }
        replies.append((token, reply))
        appends[append]?.purpose = .consumer(changes, replies: replies)
    }

    /// What the members of a group that follows the newer protocol are told about time.
    func timing(of group: String) -> (sessionTimeout: Duration, heartbeatInterval: Duration) {
        let own = timings[group]
        return (
            own?.sessionTimeout ?? configuration.consumerSessionTimeout,
            own?.heartbeatInterval ?? configuration.consumerHeartbeatInterval
        )
    }

    @discardableResult
    mutating func append(
        _ records: [GroupRecord], group: String, purpose: PendingAppend.Purpose,
        producer: GroupProducer? = nil
    ) -> AppendToken {
        let token = AppendToken(nextOrder())
        appends[token] = PendingAppend(group: group, purpose: purpose)
        if let producer {
            effects.append(
                .appendInTransaction(token, group: group, records: records, producer))
        } else {
            effects.append(.append(token, group: group, records: records))
        }
        return token
    }

    /// Rises with each append, and with each record that is replayed.
    mutating func nextOrder() -> UInt64 {
        lastAppend += 1
        return lastAppend
    }

    mutating func finishAppend(_ token: AppendToken) -> PendingAppend? {
        appends.removeValue(forKey: token)
    }

    /// `prefix` and a random id, as the published coordinator makes member ids.
    mutating func newMemberID(prefix: String) -> String { "\(prefix)-\(random.uuid())" }

    mutating func takeEffects() -> [GroupEffect] {
        defer { effects = [] }
        return effects
    }
}

/// An append on its way to the disk.
struct PendingAppend: Sendable {
    enum Purpose: Sendable {
        /// Offsets that become visible, and the errors or successes to answer.
        case commit(ReplyToken, offsets: [(TopicPartition, CommittedOffset)], CommitAnswer)
        /// Offsets that wait for the end of a transaction.
        case transactionalCommit(
            ReplyToken, offsets: [(TopicPartition, CommittedOffset)], CommitAnswer,
            producerID: Int64)
        /// The leader's assignment of a generation.
        case assignment(generation: Int32)
        /// A static member that came back under a new id without a rebalance.
        case staticReplacement(ReplyToken, JoinAnswer)
        case deletion(ReplyToken)
        /// The state of a group of the newer protocol, and who is answered then.
        case consumer(ConsumerGroupChanges, replies: [(ReplyToken, GroupReply)])
        /// Offsets that an administrator wants forgotten.
        case offsetDeletion(ReplyToken, partitions: [TopicPartition], OffsetDeleteAnswer)
        /// Nobody waits: an emptied group, expired offsets.
        case housekeeping
    }

    var group: String
    var purpose: Purpose
}
