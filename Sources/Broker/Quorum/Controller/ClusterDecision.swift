import Base

/// What the controller makes of a command: records for the metadata log, and what it answers when
/// they are committed. A refusal has no records.
package struct ClusterDecision: Sendable {
    package var records: [MetadataRecord]
    package var outcome: ClusterOutcome

    package init(_ records: [MetadataRecord], _ outcome: ClusterOutcome = .done) {
        self.records = records
        self.outcome = outcome
    }

    static func refused(_ reason: ClusterRefusal) -> ClusterDecision {
        ClusterDecision([], .refused(reason))
    }
}

// Decisions of the controller. It decides from an image that has everything it proposed so far, so
// that what is proposed later may rest on it: all of one leadership's proposals are committed in
// their order, or those at the end are not.
extension MetadataImage {
    package static let slotCountMax = 10_000
    package static let slotBytesMax = 64 << 10
    package static let brokerCountMax = 1000
    package static let producerIDsMax: Int32 = 1_000_000

    /// Decides. `index` is the place in the log that the records will have.
    package func decide(_ command: ClusterCommand, at index: Int64) -> ClusterDecision {
        switch command {
        case .register(let registration): return register(registration, at: index)
        case .fence(let id, let epoch):
            if let refusal = staleness(id, epoch) { return .refused(refusal) }
            return ClusterDecision(recordsFencing(id))
        case .unfence(let id, let epoch):
            if let refusal = staleness(id, epoch) { return .refused(refusal) }
            return ClusterDecision(recordsUnfencing(id))
        case .unregister(let id):
            guard brokers[id] != nil else { return .refused(.unknownBroker) }
            guard !hasReplicas(id) else { return .refused(.holdsReplicas) }
            return ClusterDecision([.brokerRemoved(id)])
        case .changePartition(
            let topic, let partition, let expected, let inSync, let eligible, let leader,
            let raisesEpoch):
            return change(topic, partition, expected, inSync, eligible, leader, raisesEpoch)
        case .reserveProducerIDs(let id, let epoch, let count):
            if let refusal = staleness(id, epoch) { return .refused(refusal) }
            guard count > 0, count <= Self.producerIDsMax,
                nextProducerID <= Int64.max - Int64(count)
            else { return .refused(.invalid) }
            return ClusterDecision(
                [.producerIDsReserved(next: nextProducerID + Int64(count))],
                .producerIDs(first: nextProducerID, count: count))
        case .putSlot(let table, let version, let content):
            return put(table, version, content)
        case .trimSlots(let table, let below):
            guard below > slots[table]?.first ?? 0 else { return ClusterDecision([]) }
            return ClusterDecision([.slotsTrimmed(table: table, below: below)])
        case .setFeature(let name, let level):
            if let current = features[name], level < current {
                return .refused(.featureLowered(current: current))
            }
            return ClusterDecision([.feature(name, level: level)])
        case .electUncleanly(let topic, let partition, let expected, let leader):
            return electUncleanly(topic, partition, expected, leader)
        case .reassign(let topic, let partition, let expected, let replicas):
            return reassign(topic, partition, expected, to: replicas)
        }
    }

    // MARK: Brokers

    private func register(
        _ registration: BrokerRegistration, at index: Int64
    ) -> ClusterDecision {
        if let known = brokers[registration.id] {
            // The answer to the same registration may have been lost.
            if known.registration.incarnation == registration.incarnation {
                return ClusterDecision([], .registered(epoch: known.epoch))
            }
            if known.registration.directory != registration.directory {
                if !known.isFenced { return .refused(.duplicateBroker) }
                // What the old disk had must not count any more before the new one comes.
                if counts(registration.id) { return .refused(.foreignDisk) }
            }
        } else if brokers.count >= Self.brokerCountMax {
            return .refused(.tooMany)
        }
        // What was not durable when it stopped may be gone: its leaderships end here, and begin
        // anew with a higher epoch when it is ready.
        let fenced = brokers[registration.id] == nil ? [] : recordsFencing(registration.id)
        let broker = BrokerMetadata(registration: registration, epoch: index, isFenced: true)
        return ClusterDecision(fenced + [.broker(broker)], .registered(epoch: index))
    }

    private func staleness(_ id: NodeID, _ epoch: Int64) -> ClusterRefusal? {
        guard let broker = brokers[id] else { return .unknownBroker }
        return broker.epoch == epoch ? nil : .staleBrokerEpoch(current: broker.epoch)
    }

    private func hasReplicas(_ id: NodeID) -> Bool {
        containsPartition { $0.replicas.contains(id) }
    }

    /// Whether a broker counts as having everything of some partition.
    private func counts(_ id: NodeID) -> Bool {
        containsPartition { $0.inSync.contains(id) || $0.eligible.contains(id) }
    }

    private func containsPartition(where isMeant: (PartitionState) -> Bool) -> Bool {
        topics.values.contains { topic in
            (0..<topic.partitionCount).contains { isMeant(state(of: topic, $0)) }
        }
    }

    // MARK: Partitions

    /// The state of a partition, when it is the expected one and its epochs can rise.
    func changeable(
        _ topic: UUID128, _ partition: Int32, _ expected: Int32
    ) -> Result<PartitionState, ClusterRefusal> {
        guard let known = self.topic(id: topic) else { return .failure(.unknownTopic) }
        guard partition >= 0, partition < known.partitionCount else {
            return .failure(.unknownPartition)
        }
        let state = state(of: known, partition)
        guard state.partitionEpoch == expected else {
            return .failure(.stalePartitionEpoch(current: state.partitionEpoch))
        }
        guard state.partitionEpoch < Int32.max, state.leaderEpoch.value < Int32.max else {
            return .failure(.tooMany)
        }
        return .success(state)
    }

    private func change(
        _ topic: UUID128, _ partition: Int32, _ expected: Int32, _ inSync: [NodeID],
        _ eligible: [NodeID], _ leader: NodeID?, _ raisesEpoch: Bool
    ) -> ClusterDecision {
        var state: PartitionState
        switch changeable(topic, partition, expected) {
        case .success(let found): state = found
        case .failure(let refusal): return .refused(refusal)
        }
        let named = inSync + eligible
        // Who leads has everything that was acknowledged: unclean leaders are not made this way.
        let canLead = leader.map { inSync.contains($0) } ?? true
        let stood = Set(state.inSync + state.eligible)
        let isClean = leader.map { $0 == state.leader || stood.contains($0) } ?? true
        guard Set(named).count == named.count, canLead, isClean,
            // Nobody is left when the only replica that had everything has lost it.
            named.allSatisfy({ state.replicas.contains($0) })
        else { return .refused(.invalidReplicas) }
        state = state.with(
            PartitionDecision(
                inSync: inSync, eligible: eligible, leader: leader, raisesEpoch: raisesEpoch))
        return ClusterDecision([.partition(topic: topic, partition, state)])
    }

    private func electUncleanly(
        _ topic: UUID128, _ partition: Int32, _ expected: Int32, _ leader: NodeID
    ) -> ClusterDecision {
        var state: PartitionState
        switch changeable(topic, partition, expected) {
        case .success(let found): state = found
        case .failure(let refusal): return .refused(refusal)
        }
        // Who leads has everything: there is nothing to lose records for.
        guard state.leader == nil, state.replicas.contains(leader) else {
            return .refused(.invalidReplicas)
        }
        state = state.with(PartitionDecision(inSync: [leader], eligible: [], leader: leader))
        return ClusterDecision([.partition(topic: topic, partition, state)])
    }

    // MARK: Commit slots

    private func put(
        _ table: UUID128, _ version: Int64, _ content: Bytes
    ) -> ClusterDecision {
        let known = slots[table] ?? MetadataSlots()
        guard version >= 0, content.count <= Self.slotBytesMax else { return .refused(.invalid) }
        guard version >= known.first else { return .refused(.slotTrimmed) }
        if let other = known.contents[version] {
            // The same proposal may come twice, when its first answer was lost.
            return other == content ? ClusterDecision([]) : ClusterDecision([], .taken(other))
        }
        guard known.contents.count < Self.slotCountMax else { return .refused(.tooMany) }
        return ClusterDecision([.slot(table: table, version: version, content: content)])
    }
}
