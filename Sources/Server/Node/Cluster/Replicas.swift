import Base
import Log
import Quorum
import Replica
import WireProtocol

// The replicas of a node of a cluster: what the metadata say goes to `ReplicaManager`, what it wants
// done is done here. Its effects wait in a queue until the event that caused them is through, so that
// whoever appends can say first who waits for the records.
extension BrokerNode {
    // MARK: What the metadata say

    /// The part of the metadata about one partition.
    private func assignment(_ topic: TopicMetadata, _ partition: Int32) -> PartitionAssignment {
        let state = image.state(of: topic, partition)
        return PartitionAssignment(
            key: PartitionKey(topic: topic.id, partition: partition),
            topicPartition: TopicPartition(topic: topic.name, partition: partition),
            replicas: state.replicas, inSync: state.inSync, eligible: state.eligible,
            leader: state.leader, leaderEpoch: state.leaderEpoch,
            partitionEpoch: state.partitionEpoch, minInSync: image.minInSync(of: topic, state))
    }

    private func assignments(of topic: TopicMetadata) -> [PartitionAssignment] {
        (0..<topic.partitionCount).map { assignment(topic, $0) }
    }

    /// The registration is known here, and with it everything that was decided before: the replicas take
    /// their parts.
    mutating func startReplicas(brokerEpoch: Int64) -> Problem? {
        guard let cluster else { return nil }
        replicas = ReplicaManager(node: cluster.node, settings: cluster.configuration.replication)
        tellPeers()
        if let problem = assign(image.topics.values.flatMap { assignments(of: $0) }) {
            return problem
        }
        replicaEffects +=
            replicas?.registered(brokerEpoch: brokerEpoch, store: &store, now: now) ?? []
        return nil
    }

    /// The partitions of the topics that `records` remove, by the image from before.
    func partitionKeys(ofRemoved records: [MetadataRecord]) -> [PartitionKey] {
        guard replicas != nil else { return [] }
        var keys: [PartitionKey] = []
        for case .topicRemoved(let id) in records {
            let count = image.topic(id: id)?.partitionCount ?? 0
            keys += (0..<count).map { PartitionKey(topic: id, partition: $0) }
        }
        return keys
    }

    /// Takes over what the records of one entry, which the image has by now, mean for the replicas.
    mutating func followReplicas(_ records: [MetadataRecord], removed: [PartitionKey]) -> Problem? {
        guard replicas != nil else { return nil }
        var changed = OrderedMap<PartitionKey, PartitionAssignment>()
        func note(_ topic: TopicMetadata) {
            for assignment in assignments(of: topic) { changed[assignment.key] = assignment }
        }
        for record in records {
            switch record {
            case .topic(let topic): image.topic(id: topic.id).map(note)
            case .partition(let id, let number, _):
                guard let topic = image.topic(id: id), number < topic.partitionCount else { break }
                let assignment = assignment(topic, number)
                changed[assignment.key] = assignment
            case .broker, .brokerRemoved: tellPeers()
            // Other defaults of topics, among them how many replicas have to be in sync.
            case .settings(.allBrokers, _): image.topics.values.forEach(note)
            default: break
            }
        }
        if changed.isEmpty, removed.isEmpty { return nil }
        return assign(Array(changed.values), removed: removed)
    }

    /// The whole image is another one.
    mutating func followAllReplicas() -> Problem? {
        guard let keys = replicas?.keys else { return nil }
        tellPeers()
        let removed = keys.filter {
            $0.partition >= image.topic(id: $0.topic)?.partitionCount ?? 0
        }
        return assign(image.topics.values.flatMap { assignments(of: $0) }, removed: removed)
    }

    private mutating func tellPeers() {
        replicas?.setPeers(
            image.brokers.map {
                PeerStatus(node: $0.key, brokerEpoch: $0.value.epoch, isFenced: $0.value.isFenced)
            })
    }

    /// The replicas hear of decisions, which may create logs and delete them.
    private mutating func assign(
        _ assignments: [PartitionAssignment], removed: [PartitionKey] = []
    ) -> Problem? {
        do throws(StorageFailure) {
            replicaEffects +=
                try replicas?.assign(assignments, removed: removed, store: &store, now: now) ?? []
        } catch {
            return Problem(
                "storage.failed", "the logs of partitions could not be made or removed: \(error)",
                notes: ["the next start tries again"])
        }
        var settings: (topic: UUID128, value: PartitionSettings)?
        for assignment in assignments where assignment.replicas.contains(configuration.nodeID) {
            if settings?.topic != assignment.key.topic,
                let topic = image.topic(id: assignment.key.topic)
            {
                settings = (topic.id, partitionSettings(of: topic))
            }
            guard let settings else { continue }
            store.configure(assignment.topicPartition, settings: settings.value)
        }
        for assignment in assignments {
            // Who waits for records hears that another node leads.
            if assignment.leader != configuration.nodeID {
                endFetches(of: assignment.topicPartition)
            }
            followCoordination(of: assignment.topicPartition)
        }
        return nil
    }

    // MARK: Appends

    /// Appends a batch to a partition that this node leads. Nothing has happened when an error is thrown;
    /// else say with `whenDurable` who waits.
    mutating func append(
        _ batch: Bytes, to partition: TopicPartition, _ acknowledgement: Acknowledgement = .all,
        origin: AppendOrigin = .client, isOwned: Bool = false
    ) throws(ReplicaRefusal) -> AppendedBatch {
        guard replicas != nil else {
            // A node of a cluster leads nothing before it is registered, whatever its copy of the metadata
            // says of its last life: what came over the process's own commands would have no copies.
            if cluster != nil { throw .notLeader }
            do throws(AppendFailure) {
                return AppendedBatch(
                    result: try store.append(
                        batch, to: partition, origin: origin, isOwned: isOwned, now: now))
            } catch {
                throw .append(error)
            }
        }
        lastReplicaToken += 1
        let token = lastReplicaToken
        let appended = try replicas!.append(
            batch, to: partition, acknowledgement, token: token, origin: origin, isOwned: isOwned,
            store: &store, now: now)
        replicaEffects += appended.effects
        return AppendedBatch(result: appended.result, token: token)
    }

    /// Calls back when a batch is as durable as was asked for.
    mutating func whenDurable(
        _ partition: TopicPartition, _ appended: AppendedBatch, _ waiter: DurabilityWaiter
    ) {
        guard let token = appended.token else {
            return whenDurable(partition, appended.result.lastOffset, waiter)
        }
        replicaWaits[token] = ReplicaWait(partition: partition, waiter: waiter)
    }

    // MARK: Reads

    /// Why this node does not let a client read from `offset` on; nil when it does. Beyond the role of a
    /// leader that takes its knowledge of what is committed.
    func readError(_ partition: TopicPartition, from offset: Offset) -> ErrorCode? {
        if replicas == nil { return cluster == nil ? nil : .notLeaderOrFollower }
        do throws(ReplicaRefusal) {
            _ = try replicas?.readLimit(partition, from: offset, epoch: nil, now: now)
            return nil
        } catch {
            return ErrorCode(number: error.code)
        }
    }

    // MARK: Effects

    /// Does what the replicas want done; what that causes, too.
    mutating func performReplicaEffects() {
        while !replicaEffects.isEmpty, !isHalted {
            let effects = replicaEffects
            replicaEffects = []
            for effect in effects where !isHalted { perform(effect) }
        }
    }

    private mutating func perform(_ effect: ReplicaEffect) {
        switch effect {
        case .send(let message): send(.replicas(message), to: message.to)
        case .propose(let proposal): propose(proposal)
        case .acknowledge(let token):
            if let wait = replicaWaits.removeValue(forKey: token) { settle(wait.waiter) }
        case .fail(let token, let refusal):
            guard let wait = replicaWaits.removeValue(forKey: token) else { return }
            fail(wait.waiter, of: wait.partition, ErrorCode(number: refusal.code))
        case .advance(let partition, _):
            followCoordination(of: partition)
            wakeFetches(of: partition)
        case .report(let text): diagnostics.report(.warning, "replicas", text)
        }
    }

    // MARK: Peers

    mutating func receive(_ message: ReplicaMessage, from peer: NodeID) {
        guard message.from == peer else { return }
        replicaEffects += replicas?.receive(message, store: &store, now: now) ?? []
    }

    /// There is a new link to a node: what was sent over the old one may be lost.
    mutating func resumeReplicas(with node: NodeID) {
        replicaEffects += replicas?.linked(node, store: &store, now: now) ?? []
    }

    mutating func tickReplicas() {
        replicaEffects += replicas?.tick(store: &store, now: now) ?? []
    }

    // MARK: Wishes

    private mutating func propose(_ proposal: PartitionProposal) {
        guard let epoch = replicas?.brokerEpoch, let leader = cluster?.leader else { return }
        let node = configuration.nodeID
        let change: PartitionRequest.Change =
            switch proposal.change {
            case .damaged: .damaged
            case .raiseEpoch: .raiseEpoch
            case .inSync(let wanted, let joining):
                .inSync(
                    wanted, joining: joining.map { .init(node: $0.node, epoch: $0.brokerEpoch) })
            }
        let request = PartitionRequest(
            topic: proposal.key.topic, partition: proposal.key.partition, from: node,
            brokerEpoch: epoch, leaderEpoch: proposal.leaderEpoch,
            partitionEpoch: proposal.partitionEpoch, change: change)
        // 0 is the registration's. A wish without an answer is forgotten with the link, and made again.
        let number = nextNumber()
        cluster?.wishes[number] = proposal
        if leader == node { return decide(request, .wish(number), from: node) }
        if !send(.partition(number, request), to: leader) { cluster?.wishes[number] = nil }
    }

    /// The number of a message that will be answered.
    mutating func nextNumber() -> UInt64 {
        cluster?.lastNumber += 1
        return cluster?.lastNumber ?? 0
    }

    mutating func wishAnswered(_ number: UInt64, _ outcome: ClusterOutcome) {
        guard let proposal = cluster?.wishes.removeValue(forKey: number) else { return }
        // Whoever does not know makes the wish again, which settles the question.
        if case .refused(.uncertain) = outcome { return }
        replicas?.proposalAnswered(
            proposal.key, leaderEpoch: proposal.leaderEpoch, attempt: proposal.attempt,
            isAccepted: outcome == .done, now: now)
    }
}

/// A batch in the log that is not durable yet.
struct AppendedBatch: Sendable {
    var result: AppendResult
    /// Under which the replicas tell what becomes of it; nil on a node that stands alone.
    var token: UInt64?
}

/// Who waits for a batch that has copies.
struct ReplicaWait: Sendable {
    var partition: TopicPartition
    var waiter: DurabilityWaiter
}
