import Base
import Log

/// All replicas of one node: what it leads, what it follows, and one stream to each other node.
///
/// The driver's part, everything on the thread of the log store:
/// - `registered` and `assign` when the controller's decisions arrive, `renewLease` when it
///   answered a heartbeat;
/// - `receive` for each message of a peer, `durable` for each advance that `LogStore.syncCompleted`
///   reports, `tick` every `ReplicaSettings.heartbeatInterval` or sooner;
/// - `append` and, after one or several, `flush`, and `readLimit` for clients;
/// - it carries out the effects and runs the syncs of the store (`beginSync`) after each call.
package struct ReplicaManager: Sendable {
    struct Partition: Sendable {
        var assignment: PartitionAssignment
        var leader: PartitionLeader?
        var follower: PartitionFollower?
        /// What was asked as a follower in this life, of any leader.
        var lastSession: UInt32 = 0
        /// Who led before the present leader, as far as this node has followed what was decided.
        var predecessor: NodeID?
        /// The newest epoch of which the leader of before has said that it knows.
        var yielded = LeaderEpoch(-1)
        /// Neither leads nor follows: its bytes are damaged, or an epoch has to be raised.
        var trouble: Trouble?
    }

    enum Trouble: Hashable, Sendable {
        case damaged
        /// This node has begun the epoch in an earlier life.
        case staleEpoch
    }

    package let node: NodeID
    package let settings: ReplicaSettings
    /// The registration of this life; nil before.
    package private(set) var brokerEpoch: Int64?
    var leaseUntil = Instant(nanoseconds: .min)
    /// In no particular order.
    var partitions: [Partition] = []
    /// Of partitions that the node has no more.
    private var freeSlots: [Int] = []
    /// Looked up only, never iterated.
    var slots: [PartitionKey: Int] = [:]
    var slotsByName: [TopicPartition: Int] = [:]
    var links: [PeerLink] = []
    /// As the metadata has them, in ascending order.
    var peers: [PeerStatus] = []
    var effects: [ReplicaEffect] = []
    private var tickedAt: Instant?
    private var troubleAt = Instant(nanoseconds: .min)
    private var troubleAttempts: UInt32 = 0

    package init(node: NodeID, settings: ReplicaSettings) {
        self.node = node
        self.settings = settings
    }

    // MARK: Queries

    package func leader(of name: TopicPartition) -> PartitionLeader? {
        slotsByName[name].flatMap { partitions[$0].leader }
    }

    package func follower(of name: TopicPartition) -> PartitionFollower? {
        slotsByName[name].flatMap { partitions[$0].follower }
    }

    package func assignment(of name: TopicPartition) -> PartitionAssignment? {
        slotsByName[name].map { partitions[$0].assignment }
    }

    /// Whether the controller has not given this node's partitions to others, by this node's clock.
    package func hasLease(_ now: Now) -> Bool { now.monotonic < leaseUntil }

    /// The partitions that this node was told of and has not lost since, in no particular order.
    package var keys: [PartitionKey] {
        partitions.indices.compactMap { slot in
            let key = partitions[slot].assignment.key
            return slots[key] == slot ? key : nil
        }
    }

    // MARK: The controller

    /// The controller has answered the heartbeat that was sent at `sentAt`.
    package mutating func renewLease(
        sentAt: Instant, store: inout LogStore, now: Now
    ) -> [ReplicaEffect] {
        leaseUntil = max(leaseUntil, sentAt + settings.lease)
        if hasLease(now) { for slot in partitions.indices { answerProducers(slot, now) } }
        return finish(&store, now)
    }

    /// This process is known to the controller: it takes the parts that it was given.
    package mutating func registered(
        brokerEpoch: Int64, store: inout LogStore, now: Now
    ) -> [ReplicaEffect] {
        guard self.brokerEpoch == nil else { return [] }
        self.brokerEpoch = brokerEpoch
        for slot in partitions.indices { takePart(slot, &store, now) }
        return finish(&store, now)
    }

    /// All brokers of the cluster, in ascending order.
    package mutating func setPeers(_ peers: [PeerStatus]) { self.peers = peers }

    /// Decisions of the controller, and partitions that this node has no more (or of topics that
    /// are no more). Older ones than are known change nothing.
    package mutating func assign(
        _ assignments: [PartitionAssignment], removed: [PartitionKey] = [],
        store: inout LogStore, now: Now
    ) throws(StorageFailure) -> [ReplicaEffect] {
        var gone = removed
        var created: [NewPartition] = []
        for assignment in assignments {
            if let slot = slots[assignment.key] {
                guard assignment.partitionEpoch > partitions[slot].assignment.partitionEpoch
                else { continue }
            }
            guard assignment.replicas.contains(node) else {
                if let slot = slots[assignment.key] { yield(slot, to: assignment) }
                gone.append(assignment.key)
                continue
            }
            let known = store.topicID(of: assignment.topicPartition)
            if known == nil {
                created.append(
                    NewPartition(
                        topicPartition: assignment.topicPartition, topicID: assignment.key.topic))
            } else if known != assignment.key.topic {
                try store.delete([assignment.topicPartition], now: now)
                created.append(
                    NewPartition(
                        topicPartition: assignment.topicPartition, topicID: assignment.key.topic))
            }
        }
        if !created.isEmpty { try store.create(created, now: now) }
        for assignment in assignments where assignment.replicas.contains(node) {
            let slot = add(assignment)
            guard assignment.partitionEpoch >= partitions[slot].assignment.partitionEpoch else {
                continue
            }
            let before = partitions[slot].assignment.leader
            if before != assignment.leader { partitions[slot].predecessor = before }
            yield(slot, to: assignment)
            partitions[slot].assignment = assignment
            takePart(slot, &store, now)
        }
        try remove(gone, &store, now)
        return finish(&store, now)
    }

    /// Who leads a partition and hears that another node does says so to that one, which answers clients
    /// only then, or when this node's lease is surely over.
    private mutating func yield(_ slot: Int, to assignment: PartitionAssignment) {
        guard let own = partitions[slot].leader, let leader = assignment.leader, leader != node,
            own.epoch < assignment.leaderEpoch
        else { return }
        stop(slot, .notLeader)
        links[link(to: leader)].answers.append(
            ReplicaItem(
                key: assignment.key, leaderEpoch: assignment.leaderEpoch, session: 0, body: .yielded
            ))
    }

    private mutating func add(_ assignment: PartitionAssignment) -> Int {
        if let slot = slots[assignment.key] { return slot }
        let slot = freeSlots.popLast() ?? partitions.count
        if slot == partitions.count {
            partitions.append(Partition(assignment: assignment))
        } else {
            partitions[slot] = Partition(assignment: assignment)
        }
        slots[assignment.key] = slot
        slotsByName[assignment.topicPartition] = slot
        return slot
    }

    private mutating func remove(
        _ keys: [PartitionKey], _ store: inout LogStore, _ now: Now
    ) throws(StorageFailure) {
        var names: [TopicPartition] = []
        for key in keys {
            guard let slot = slots[key] else { continue }
            let name = partitions[slot].assignment.topicPartition
            stop(slot, .notLeader)
            partitions[slot].trouble = nil
            slots[key] = nil
            // Queues may name the slot still; then the next partition there has a turn too many.
            freeSlots.append(slot)
            if slotsByName[name] == slot { slotsByName[name] = nil }
            if store.topicID(of: name) == key.topic { names.append(name) }
        }
        if !names.isEmpty { try store.delete(names, now: now) }
    }

    /// The answer to a proposal; what was accepted is known when the decision itself arrives.
    package mutating func proposalAnswered(
        _ key: PartitionKey, leaderEpoch: LeaderEpoch, attempt: UInt32, isAccepted: Bool, now: Now
    ) {
        guard let slot = slots[key], partitions[slot].leader?.epoch == leaderEpoch else { return }
        partitions[slot].leader?.answered(
            attempt: attempt, isAccepted: isAccepted, now: now.monotonic)
    }

    // MARK: Parts

    /// Leads or follows as the assignment says.
    mutating func takePart(_ slot: Int, _ store: inout LogStore, _ now: Now) {
        let assignment = partitions[slot].assignment
        guard brokerEpoch != nil, slots[assignment.key] == slot else { return }
        if store.damage(of: assignment.topicPartition) != nil {
            guard refetch(slot, &store, now) else { return }
        }
        partitions[slot].trouble = nil
        if assignment.leader == node {
            lead(slot, &store, now)
        } else if let leader = assignment.leader {
            follow(slot, leader, &store, now)
        } else {
            stop(slot, .notLeader)
        }
    }

    private mutating func lead(_ slot: Int, _ store: inout LogStore, _ now: Now) {
        let assignment = partitions[slot].assignment
        if partitions[slot].leader?.epoch == assignment.leaderEpoch {
            update(slot, assignment, &store, now)
            return
        }
        let before = partitions[slot].leader
        var leader = beginLeading(slot, &store, now)
        if let before, leader?.epoch.value == before.epoch.value &+ 1 {
            leader?.inherit(before)
        } else {
            stop(slot, .notLeader)
        }
        partitions[slot].follower = nil
        partitions[slot].leader = leader
    }

    /// The leader that begins its epoch in the log; nil when it can't.
    private mutating func beginLeading(
        _ slot: Int, _ store: inout LogStore, _ now: Now
    ) -> PartitionLeader? {
        let assignment = partitions[slot].assignment
        let name = assignment.topicPartition
        guard let known = store.leaderEpoch(of: name) else { return nil }
        // An earlier process has led in this epoch: followers may have records of it that this log
        // has lost. With one number for both, nobody could tell them apart.
        guard known < assignment.leaderEpoch else {
            partitions[slot].trouble = .staleEpoch
            troubleAt = Instant(nanoseconds: .min)
            return nil
        }
        do throws(AppendFailure) {
            let start = try store.beginLeaderEpoch(of: name, assignment.leaderEpoch, now: now)
            guard let offsets = store.offsets(of: name) else { return nil }
            var followers: [FollowerProgress] = []
            for other in assignment.replicas where other != node {
                followers.append(
                    FollowerProgress(
                        node: other, link: link(to: other), logEnd: start, now: now.monotonic))
            }
            return PartitionLeader(
                node: node, assignment: assignment, epochStart: start,
                durableEnd: offsets.durableEndOffset, highWatermark: offsets.highWatermark,
                followers: followers, predecessorUntil: predecessorUntil(slot, now))
        } catch {
            switch error {
            case .damaged: partitions[slot].trouble = .damaged
            default:
                // No room in the journal for the moment: tried again with the next tick.
                partitions[slot].trouble = nil
                effects.append(.report("\(name) can't be led: \(error)"))
            }
            return nil
        }
    }

    /// How long the leader of before may answer clients; nil when it is gone, or knows already.
    private func predecessorUntil(_ slot: Int, _ now: Now) -> Instant? {
        let partition = partitions[slot]
        guard let before = partition.predecessor, before != node,
            partition.yielded < partition.assignment.leaderEpoch,
            peers.contains(where: { $0.node == before && !$0.isFenced })
        else { return nil }
        return now.monotonic + settings.lease + settings.lease / 10
    }

    private mutating func update(
        _ slot: Int, _ assignment: PartitionAssignment, _ store: inout LogStore, _ now: Now
    ) {
        var places: [(NodeID, Int)] = []
        for other in assignment.replicas where other != node {
            places.append((other, link(to: other)))
        }
        partitions[slot].leader?.update(
            assignment, links: { other in places.first { $0.0 == other }?.1 ?? 0 },
            now: now.monotonic)
        advance(slot, &store, now)
    }

    private mutating func follow(
        _ slot: Int, _ leader: NodeID, _ store: inout LogStore, _ now: Now
    ) {
        let epoch = partitions[slot].assignment.leaderEpoch
        if let follower = partitions[slot].follower, follower.epoch == epoch { return }
        stop(slot, .notLeader)
        partitions[slot].follower = PartitionFollower(
            leader: leader, epoch: epoch, link: link(to: leader), session: 0, now: now.monotonic)
        ask(slot, now)
    }

    /// Neither leads nor follows any more.
    mutating func stop(_ slot: Int, _ refusal: ReplicaRefusal) {
        for token in partitions[slot].leader?.takeAll() ?? [] {
            effects.append(.fail(token: token, refusal))
        }
        partitions[slot].leader = nil
        partitions[slot].follower = nil
    }

    /// A damaged copy is thrown away once it is known that others have everything. Returns whether
    /// it was.
    private mutating func refetch(_ slot: Int, _ store: inout LogStore, _ now: Now) -> Bool {
        let assignment = partitions[slot].assignment
        stop(slot, .notLeader)
        if let leader = assignment.leader, leader != node, !assignment.counts(on: node) {
            do throws(StorageFailure) {
                try store.restart(assignment.topicPartition, at: 0, now: now)
                effects.append(
                    .report("\(assignment.topicPartition) was damaged and is fetched anew"))
                return true
            } catch {
                return false
            }
        }
        if partitions[slot].trouble != .damaged {
            partitions[slot].trouble = .damaged
            troubleAt = Instant(nanoseconds: .min)
        }
        return false
    }

    /// Bytes of the partition turned out to be damaged.
    mutating func noteDamage(_ slot: Int, _ store: inout LogStore, _ now: Now) {
        stop(slot, .notLeader)
        takePart(slot, &store, now)
    }

    mutating func link(to other: NodeID) -> Int {
        if let index = links.firstIndex(where: { $0.node == other }) { return index }
        links.append(PeerLink(node: other))
        return links.count - 1
    }

    mutating func ask(_ slot: Int, _ now: Now) {
        let session = partitions[slot].lastSession + 1
        partitions[slot].lastSession = session
        partitions[slot].follower?.ask(session: session, now: now.monotonic)
        guard let link = partitions[slot].follower?.link else { return }
        links[link].asks.append(slot)
    }

    /// The connection to a node is a new one: what was sent over the old one and is not confirmed may be
    /// lost. Whoever follows asks anew, and is pushed everything from there on.
    package mutating func linked(
        _ node: NodeID, store: inout LogStore, now: Now
    ) -> [ReplicaEffect] {
        let link = link(to: node)
        links[link].forgetInFlight()
        for slot in partitions.indices where partitions[slot].follower?.link == link {
            ask(slot, now)
        }
        return finish(&store, now)
    }

    // MARK: Time

    package mutating func tick(store: inout LogStore, now: Now) -> [ReplicaEffect] {
        let elapsed = tickedAt.map { now.monotonic - $0 } ?? .zero
        tickedAt = now.monotonic
        for index in links.indices {
            links[index].forgetLost(after: settings.resendTimeout, now: now.monotonic)
            if let rate = settings.catchUpBytesPerSecond {
                let share = Int(elapsed.wholeNanoseconds / 1000) * rate / 1_000_000
                links[index].refill(share, most: rate)
            }
        }
        for slot in partitions.indices {
            if partitions[slot].leader != nil {
                tickLeader(slot, &store, now)
            } else if let follower = partitions[slot].follower {
                if follower.shouldAskAgain(after: settings.askTimeout, now: now.monotonic) {
                    ask(slot, now)
                }
            } else if partitions[slot].trouble == nil, partitions[slot].assignment.leader == node {
                takePart(slot, &store, now)
            }
        }
        tickTroubles(&store, now)
        return finish(&store, now)
    }

    private mutating func tickLeader(_ slot: Int, _ store: inout LogStore, _ now: Now) {
        let name = partitions[slot].assignment.topicPartition
        if store.damage(of: name) != nil { return noteDamage(slot, &store, now) }
        if let until = partitions[slot].leader?.predecessorUntil, until <= now.monotonic {
            endPredecessor(slot, &store, now)
        }
        let (links, peers) = (links, peers)
        let proposal = partitions[slot].leader?.propose(
            settings: settings, now: now.monotonic
        ) { follower in
            guard let peer = peers.first(where: { $0.node == follower.node }), !peer.isFenced,
                peer.brokerEpoch == follower.brokerEpoch,
                peer.brokerEpoch == links[follower.link].brokerEpoch
            else { return nil }
            return links[follower.link].heardAt
        }
        if let proposal, let leader = partitions[slot].leader {
            effects.append(
                .propose(
                    PartitionProposal(
                        key: partitions[slot].assignment.key, leaderEpoch: leader.epoch,
                        partitionEpoch: leader.partitionEpoch, attempt: proposal.attempt,
                        change: .inSync(proposal.inSync, joining: proposal.joining))))
        }
        let offsets = store.offsets(of: name)
        let count = partitions[slot].leader?.followers.count ?? 0
        for place in 0..<count {
            let mustSend = partitions[slot].leader.map { leader in
                let follower = leader.followers[place]
                return follower.isMatched
                    && (follower.toldHighWatermark < leader.highWatermark
                        || follower.mayHaveMissedHighWatermark
                        || follower.toldLogStart < offsets?.logStartOffset ?? 0)
            }
            let rewound =
                partitions[slot].leader?.followers[place].rewind(
                    timeout: settings.resendTimeout, now: now.monotonic) ?? false
            if mustSend == true || rewound {
                queuePush(slot, place)
            }
        }
    }

    /// Tells the controller, again and again, what only it can mend.
    private mutating func tickTroubles(_ store: inout LogStore, _ now: Now) {
        guard now.monotonic >= troubleAt else { return }
        troubleAt = now.monotonic + settings.proposalTimeout
        for slot in partitions.indices {
            guard let trouble = partitions[slot].trouble else { continue }
            let assignment = partitions[slot].assignment
            let change: PartitionProposal.Change
            switch trouble {
            case .damaged where assignment.counts(on: node): change = .damaged
            case .staleEpoch where assignment.leader == node: change = .raiseEpoch
            default: continue
            }
            troubleAttempts += 1
            effects.append(
                .propose(
                    PartitionProposal(
                        key: assignment.key, leaderEpoch: assignment.leaderEpoch,
                        partitionEpoch: assignment.partitionEpoch, attempt: troubleAttempts,
                        change: change)))
        }
    }

    /// Sends what appends have made due: together, when there were several.
    package mutating func flush(store: inout LogStore, now: Now) -> [ReplicaEffect] {
        finish(&store, now)
    }

    /// What the call wants done besides.
    mutating func takeEffects() -> [ReplicaEffect] {
        defer { effects = [] }
        return effects
    }

    /// Sends what the call has made due.
    mutating func finish(_ store: inout LogStore, _ now: Now) -> [ReplicaEffect] {
        for index in links.indices { flush(index, &store, now) }
        defer { effects = [] }
        return effects
    }

    package func checkInvariants(store: LogStore) {
        for partition in partitions {
            precondition(
                partition.leader == nil || partition.follower == nil, "one part at a time")
            guard let leader = partition.leader else { continue }
            leader.checkInvariants()
            guard let offsets = store.offsets(of: partition.assignment.topicPartition) else {
                continue
            }
            precondition(leader.logEnd == offsets.logEndOffset, "the leader knows its log")
            precondition(
                leader.highWatermark == offsets.highWatermark, "readers see what is committed")
        }
    }
}
