import Base

/// What a broker tells the controller all the time.
package struct BrokerHeartbeat: Hashable, Sendable {
    package var node: NodeID
    package var epoch: Int64
    /// The place in the metadata up to which the broker knows it.
    package var applied: Int64
    /// It wants to be without leaderships and then to stop.
    package var wantsToLeave: Bool

    package init(node: NodeID, epoch: Int64, applied: Int64, wantsToLeave: Bool = false) {
        self.node = node
        self.epoch = epoch
        self.applied = applied
        self.wantsToLeave = wantsToLeave
    }
}

/// What it is told. Its lease runs from the moment at which it sent the heartbeat, and only if it is
/// neither unknown nor fenced.
package struct HeartbeatAnswer: Hashable, Sendable {
    /// The registration is another one: register again, with a new process.
    package var isStale: Bool
    package var isFenced: Bool
    /// Nothing is led by it any more: it may stop.
    package var mayLeave: Bool

    package init(isStale: Bool, isFenced: Bool, mayLeave: Bool) {
        self.isStale = isStale
        self.isFenced = isFenced
        self.mayLeave = mayLeave
    }
}

/// A leader's or replica's wish about a partition.
package struct PartitionRequest: Hashable, Sendable {
    package struct Joining: Hashable, Sendable {
        package var node: NodeID
        package var epoch: Int64

        package init(node: NodeID, epoch: Int64) {
            self.node = node
            self.epoch = epoch
        }
    }

    package enum Change: Hashable, Sendable {
        /// The in-sync set; of those that join, in which life they caught up.
        case inSync([NodeID], joining: [Joining])
        /// The leader was started again in the epoch in which it leads.
        case raiseEpoch
        /// The asker's replica is damaged.
        case damaged
    }

    package var topic: UUID128
    package var partition: Int32
    package var from: NodeID
    package var brokerEpoch: Int64
    package var leaderEpoch: LeaderEpoch
    package var partitionEpoch: Int32
    package var change: Change

    package init(
        topic: UUID128, partition: Int32, from: NodeID, brokerEpoch: Int64,
        leaderEpoch: LeaderEpoch, partitionEpoch: Int32, change: Change
    ) {
        self.topic = topic
        self.partition = partition
        self.from = from
        self.brokerEpoch = brokerEpoch
        self.leaderEpoch = leaderEpoch
        self.partitionEpoch = partitionEpoch
        self.change = change
    }
}

/// Decides over brokers and partitions while its node leads the quorum. It looks at the image and
/// returns commands to propose; the quorum's log puts them in order, and each names the state it was
/// made from, so that one that comes too late does nothing.
///
/// The driver answers a heartbeat only while it is sure to lead the quorum (a read of it is
/// confirmed, or its lease holds): leases of brokers rest on it. `review` is to be called when the
/// image has changed and with every tick, but not before what it returned last is applied.
package struct Controller: Sendable {
    package struct Settings: Sendable {
        /// A broker that is silent for so long is fenced. Longer than the lease of brokers by more
        /// than clocks drift.
        package var sessionTimeout: Duration = .seconds(9)
        /// The same for one that can't be reached, most likely because its process has ended: not
        /// before its lease has ended, too.
        package var unreachableTimeout: Duration = .seconds(9)
        /// Leaderships go back to the first replicas at least so often.
        package var balanceInterval: Duration = .seconds(300)
        /// … of brokers that lead less than they should by more than so much.
        package var imbalancePercent = 10
        /// Commands of one review.
        package var commandCountMax = 2000

        package init() {}
    }

    package let settings: Settings
    private var sessions = BrokerSessions()
    /// Brokers that want to stop. Looked up only.
    private var leaving: Set<NodeID> = []
    /// Registrations that are to be fenced and are not yet: they get no lease any more.
    private var fencing: OrderedMap<NodeID, Int64> = [:]
    private var balancedAt: Instant?

    package init(settings: Settings = Settings()) { self.settings = settings }

    /// The node leads the quorum now. `heardAt`: of brokers that can't be reached, when they may have been
    /// heard last; of all others, now.
    package mutating func begin(
        _ image: MetadataImage, now: Instant, heardAt: [NodeID: Instant] = [:]
    ) {
        sessions.begin(image) { heardAt[$0] ?? now }
        leaving = []
        fencing = [:]
        balancedAt = now
    }

    // MARK: Brokers

    /// The commands that make a registration true. A broker that comes with another disk does not
    /// have what its old one had: first it stops counting anywhere, then it is registered. Nil =
    /// that has to be applied first, ask again.
    package mutating func register(
        _ registration: BrokerRegistration, _ image: MetadataImage, now: Instant
    ) -> (commands: [ClusterCommand], isComplete: Bool) {
        let id = registration.id
        guard let known = image.brokers[id],
            known.registration.directory != registration.directory
        else { return ([.register(registration)], true) }
        // Alive by its heartbeats, as far as is known: two brokers with one number.
        guard known.isFenced else { return ([], false) }
        var commands: [ClusterCommand] = []
        forEachPartition(image) { topic, partition, state in
            guard state.inSync.contains(id) || state.eligible.contains(id) else { return }
            let decision = election(topic, state, image).settle(
                isLive: { image.isAlive($0) }, isLost: { $0 == id })
            commands.append(command(topic, partition, state, decision))
        }
        return commands.isEmpty ? ([.register(registration)], true) : (commands, false)
    }

    /// A sign of life.
    package mutating func heartbeat(
        _ heartbeat: BrokerHeartbeat, _ image: MetadataImage, now: Instant
    ) -> (answer: HeartbeatAnswer, commands: [ClusterCommand]) {
        guard let broker = image.brokers[heartbeat.node], broker.epoch == heartbeat.epoch else {
            return (HeartbeatAnswer(isStale: true, isFenced: true, mayLeave: false), [])
        }
        if heartbeat.wantsToLeave {
            leaving.insert(heartbeat.node)
        } else {
            leaving.remove(heartbeat.node)
        }
        guard !broker.isFenced else {
            fencing[heartbeat.node] = nil
            // It leads and follows by what it knows: not before it knows at least itself.
            let isReady = heartbeat.applied >= broker.epoch && !heartbeat.wantsToLeave
            if isReady { sessions.heard(heartbeat.node, epoch: heartbeat.epoch, now: now) }
            return (
                HeartbeatAnswer(
                    isStale: false, isFenced: true, mayLeave: heartbeat.wantsToLeave),
                isReady ? [.unfence(heartbeat.node, epoch: heartbeat.epoch)] : []
            )
        }
        // A lease given now would outlive the fence that is on its way.
        guard fencing[heartbeat.node] != heartbeat.epoch else {
            return (
                HeartbeatAnswer(
                    isStale: false, isFenced: true, mayLeave: heartbeat.wantsToLeave), []
            )
        }
        sessions.heard(heartbeat.node, epoch: heartbeat.epoch, now: now)
        var mayLeave = heartbeat.wantsToLeave
        if mayLeave {
            forEachPartition(image) { _, _, state in
                if state.leader == heartbeat.node, state.inSync.count > 1 { mayLeave = false }
            }
        }
        guard mayLeave else {
            return (HeartbeatAnswer(isStale: false, isFenced: false, mayLeave: false), [])
        }
        fencing[heartbeat.node] = heartbeat.epoch
        return (
            HeartbeatAnswer(isStale: false, isFenced: true, mayLeave: true),
            [.fence(heartbeat.node, epoch: heartbeat.epoch)]
        )
    }

    // MARK: Partitions

    /// The command that a wish about a partition leads to.
    package func decide(
        _ request: PartitionRequest, _ image: MetadataImage
    ) -> Result<ClusterCommand, ClusterRefusal> {
        guard let broker = image.brokers[request.from] else { return .failure(.unknownBroker) }
        guard broker.epoch == request.brokerEpoch else {
            return .failure(.staleBrokerEpoch(current: broker.epoch))
        }
        guard let topic = image.topic(id: request.topic) else { return .failure(.unknownTopic) }
        guard request.partition >= 0, request.partition < topic.partitionCount else {
            return .failure(.unknownPartition)
        }
        let state = image.state(of: topic, request.partition)
        guard state.partitionEpoch == request.partitionEpoch else {
            return .failure(.stalePartitionEpoch(current: state.partitionEpoch))
        }
        let election = election(topic, state, image)
        let decision: PartitionDecision
        switch request.change {
        case .damaged:
            decision = election.settle(
                isLive: { image.isAlive($0) }, isLost: { $0 == request.from })
        case .raiseEpoch:
            guard state.leader == request.from, state.leaderEpoch == request.leaderEpoch else {
                return .failure(.stalePartitionEpoch(current: state.partitionEpoch))
            }
            decision = PartitionDecision(
                inSync: state.inSync, eligible: state.eligible, leader: state.leader,
                raisesEpoch: true)
        case .inSync(let wanted, let joining):
            guard state.leader == request.from, state.leaderEpoch == request.leaderEpoch,
                !broker.isFenced
            else { return .failure(.stalePartitionEpoch(current: state.partitionEpoch)) }
            guard wanted.contains(request.from),
                areFit(wanted, joining: joining, state: state, image)
            else { return .failure(.invalidReplicas) }
            decision = election.withInSync(wanted)
        }
        return .success(command(topic, request.partition, state, decision))
    }

    /// Who joins is alive in the life in which it caught up, and does not want to leave.
    private func areFit(
        _ wanted: [NodeID], joining: [PartitionRequest.Joining], state: PartitionState,
        _ image: MetadataImage
    ) -> Bool {
        wanted.filter { !state.inSync.contains($0) }.allSatisfy { node in
            guard let broker = image.brokers[node], !broker.isFenced, !leaving.contains(node),
                let joins = joining.first(where: { $0.node == node })
            else { return false }
            return joins.epoch == broker.epoch
        }
    }

    /// Everything that the controller does by itself: silent brokers are fenced, partitions get
    /// leaders, leaderships go back.
    package mutating func review(_ image: MetadataImage, now: Instant) -> [ClusterCommand] {
        let commands = expire(image, now: now)
        // First the image has to know that they are gone.
        return commands.isEmpty ? settle(image, now: now) : commands
    }

    /// Fences silent brokers. `isReachable`: there is a connection to the broker.
    package mutating func expire(
        _ image: MetadataImage, now: Instant, isReachable: (NodeID) -> Bool = { _ in true }
    ) -> [ClusterCommand] {
        let expired = sessions.expired(image, now: now) {
            isReachable($0) ? settings.sessionTimeout : settings.unreachableTimeout
        }
        for (id, epoch) in expired { fencing[id] = epoch }
        return expired.map { .fence($0.id, epoch: $0.epoch) }
    }

    /// Time in which this process stood still says nothing about the brokers.
    package mutating func extendSessions(by duration: Duration) {
        sessions.extend(by: duration)
    }

    /// Gives partitions leaders, and leaderships back. Looks at every partition: for when the image has
    /// changed, or `isBalanceDue`.
    package mutating func settle(_ image: MetadataImage, now: Instant) -> [ClusterCommand] {
        var commands: [ClusterCommand] = []
        forEachPartition(image) { topic, partition, state in
            guard commands.count < settings.commandCountMax else { return }
            let decision = election(topic, state, image).settle(
                isLive: { image.isAlive($0) }, mayLead: { !leaving.contains($0) })
            if decision.changes(state) {
                commands.append(command(topic, partition, state, decision))
            }
        }
        if commands.isEmpty, isBalanceDue(now) {
            balancedAt = now
            commands = balance(image)
        }
        return commands
    }

    /// Whether leaderships should go back by now.
    package func isBalanceDue(_ now: Instant) -> Bool {
        balancedAt.map { now - $0 >= settings.balanceInterval } ?? true
    }

    /// Gives leaderships back to the first replicas of brokers that lead too little.
    package func balance(_ image: MetadataImage) -> [ClusterCommand] {
        var wanted: OrderedMap<NodeID, Int> = [:]
        var missing: OrderedMap<NodeID, Int> = [:]
        forEachPartition(image) { _, _, state in
            guard let first = state.replicas.first else { return }
            wanted[first, default: 0] += 1
            if state.leader != first { missing[first, default: 0] += 1 }
        }
        var commands: [ClusterCommand] = []
        forEachPartition(image) { topic, partition, state in
            guard let first = state.replicas.first, commands.count < settings.commandCountMax,
                (missing[first] ?? 0) * 100 > (wanted[first] ?? 0) * settings.imbalancePercent,
                !leaving.contains(first),
                let decision = election(topic, state, image).preferred(
                    isLive: { image.isAlive($0) })
            else { return }
            commands.append(command(topic, partition, state, decision))
        }
        return commands
    }

    private func forEachPartition(
        _ image: MetadataImage, _ body: (TopicMetadata, Int32, PartitionState) -> Void
    ) {
        for topic in image.topics.values {
            for partition in 0..<topic.partitionCount {
                body(topic, partition, image.state(of: topic, partition))
            }
        }
    }

    private func election(
        _ topic: TopicMetadata, _ state: PartitionState, _ image: MetadataImage
    ) -> PartitionElection {
        PartitionElection(state: state, minInSync: image.minInSync(of: topic, state))
    }

    private func command(
        _ topic: TopicMetadata, _ partition: Int32, _ state: PartitionState,
        _ decision: PartitionDecision
    ) -> ClusterCommand {
        .changePartition(
            topic: topic.id, partition: partition, expected: state.partitionEpoch,
            inSync: decision.inSync, eligible: decision.eligible, leader: decision.leader,
            raisesEpoch: decision.raisesEpoch)
    }
}

extension ClusterRefusal: Error {}
