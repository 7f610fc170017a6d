import Base

/// The cluster's metadata as the controller knows it: what applying every committed command, in
/// order, has made. Two nodes at one place of the log have equal images and gave equal outcomes.
package struct ClusterImage: Equatable, Sendable {
    package struct Broker: Hashable, Sendable {
        package var registration: BrokerRegistration
        /// The place of the registration in the log: a later one is a later epoch.
        package var epoch: Int64
        package var isFenced: Bool
    }

    package struct Topic: Hashable, Sendable {
        package var id: UUID128
        package var name: String
        package var partitions: [PartitionState]
    }

    package struct ConfigKey: Hashable, Comparable, Sendable {
        package var kind: UInt8
        package var resource: String
        package var name: String

        package static func < (left: Self, right: Self) -> Bool {
            if left.kind != right.kind { return left.kind < right.kind }
            return left.resource != right.resource
                ? left.resource < right.resource : left.name < right.name
        }
    }

    /// Versions of one table, from `first` on.
    package struct Slots: Hashable, Sendable {
        package var first: Int64 = 0
        package var contents: OrderedMap<Int64, Bytes> = [:]
    }

    /// Slots of one table that are kept at once: a table whose versions do not reach the store
    /// must stop somewhere.
    package static let slotCountMax = 10_000
    package static let slotBytesMax = 64 << 10
    package static let brokerCountMax = 1000
    package static let producerIDsMax: Int32 = 1_000_000

    package internal(set) var applied: LogIndex = 0
    package internal(set) var brokers: OrderedMap<NodeID, Broker> = [:]
    package internal(set) var topics: OrderedMap<UUID128, Topic> = [:]
    package internal(set) var names: OrderedMap<String, UUID128> = [:]
    package internal(set) var configs: OrderedMap<ConfigKey, String> = [:]
    package internal(set) var nextProducerID: Int64 = 0
    package internal(set) var slots: OrderedMap<UUID128, Slots> = [:]
    package internal(set) var features: OrderedMap<String, Int16> = [:]

    package init() {}

    package func topic(named name: String) -> Topic? { names[name].flatMap { topics[$0] } }

    /// Applies an entry of the log; what is not a command only moves the place.
    package mutating func apply(_ entry: RaftEntry) throws(DecodeFailure) -> ClusterOutcome? {
        precondition(entry.index == applied.next, "entries are applied in order, each once")
        guard entry.kind == .command else {
            applied = entry.index
            return nil
        }
        let command = try ClusterCommand(entry.payload)
        applied = entry.index
        return apply(command)
    }

    private mutating func apply(_ command: ClusterCommand) -> ClusterOutcome {
        switch command {
        case .register(let registration): return register(registration)
        case .fence(let id, let epoch): return setFenced(id, epoch, true)
        case .unfence(let id, let epoch): return setFenced(id, epoch, false)
        case .unregister(let id):
            guard brokers.removeValue(forKey: id) != nil else { return .refused(.unknownBroker) }
            return .done
        case .createTopic(let id, let name, let replicas): return create(id, name, replicas)
        case .deleteTopic(let id):
            guard let topic = topics.removeValue(forKey: id) else {
                return .refused(.unknownTopic)
            }
            names[topic.name] = nil
            return .done
        case .addPartitions(let id, let replicas):
            guard let topic = topics[id] else { return .refused(.unknownTopic) }
            guard topic.partitions.count + replicas.count <= Limits.partitionsPerTopic else {
                return .refused(.tooMany)
            }
            guard areValid(replicas) else { return .refused(.invalidReplicas) }
            topics[id]?.partitions += replicas.map(Self.fresh)
            return .done
        case .changePartition(
            let topic, let partition, let expected, let inSync, let eligible, let leader,
            let raisesEpoch):
            return change(topic, partition, expected, inSync, eligible, leader, raisesEpoch)
        case .setConfig(let kind, let resource, let name, let value):
            configs[ConfigKey(kind: kind, resource: resource, name: name)] = value
            return .done
        case .reserveProducerIDs(let id, let epoch, let count):
            if let refusal = staleness(id, epoch) { return .refused(refusal) }
            guard count > 0, count <= Self.producerIDsMax,
                nextProducerID <= Int64.max - Int64(count)
            else { return .refused(.invalid) }
            defer { nextProducerID += Int64(count) }
            return .producerIDs(first: nextProducerID, count: count)
        case .putSlot(let table, let version, let content): return put(table, version, content)
        case .trimSlots(let table, let below): return trim(table, below)
        case .setFeature(let name, let level):
            if let current = features[name], level < current {
                return .refused(.featureLowered(current: current))
            }
            features[name] = level
            return .done
        }
    }

    // MARK: Brokers

    private mutating func register(_ registration: BrokerRegistration) -> ClusterOutcome {
        if let known = brokers[registration.id] {
            // The answer to the same registration may have been lost.
            if known.registration.incarnation == registration.incarnation {
                return .registered(epoch: known.epoch)
            }
            if !known.isFenced, known.registration.directory != registration.directory {
                return .refused(.duplicateBroker)
            }
        } else if brokers.count >= Self.brokerCountMax {
            return .refused(.tooMany)
        }
        brokers[registration.id] = Broker(
            registration: registration, epoch: applied.value, isFenced: true)
        return .registered(epoch: applied.value)
    }

    private func staleness(_ id: NodeID, _ epoch: Int64) -> ClusterRefusal? {
        guard let broker = brokers[id] else { return .unknownBroker }
        return broker.epoch == epoch ? nil : .staleBrokerEpoch(current: broker.epoch)
    }

    private mutating func setFenced(
        _ id: NodeID, _ epoch: Int64, _ isFenced: Bool
    ) -> ClusterOutcome {
        if let refusal = staleness(id, epoch) { return .refused(refusal) }
        brokers[id]?.isFenced = isFenced
        return .done
    }

    // MARK: Topics

    private func areValid(_ lists: [[NodeID]]) -> Bool {
        lists.allSatisfy { list in
            !list.isEmpty && Set(list).count == list.count
                && list.allSatisfy { brokers[$0] != nil }
        }
    }

    private static func fresh(_ replicas: [NodeID]) -> PartitionState {
        PartitionState(
            replicas: replicas, inSync: replicas, eligible: [], leader: replicas.first,
            leaderEpoch: 0, partitionEpoch: 0)
    }

    private mutating func create(
        _ id: UUID128, _ name: String, _ replicas: [[NodeID]]
    ) -> ClusterOutcome {
        guard topics[id] == nil, names[name] == nil else { return .refused(.topicExists) }
        guard !name.isEmpty, name.utf8.count <= Limits.topicNameBytes, !replicas.isEmpty,
            id != .zero
        else { return .refused(.invalid) }
        guard replicas.count <= Limits.partitionsPerTopic else { return .refused(.tooMany) }
        guard areValid(replicas) else { return .refused(.invalidReplicas) }
        topics[id] = Topic(id: id, name: name, partitions: replicas.map(Self.fresh))
        names[name] = id
        return .done
    }

    private mutating func change(
        _ topic: UUID128, _ partition: Int32, _ expected: Int32, _ inSync: [NodeID],
        _ eligible: [NodeID], _ leader: NodeID?, _ raisesEpoch: Bool
    ) -> ClusterOutcome {
        guard let known = topics[topic] else { return .refused(.unknownTopic) }
        let place = Int(partition)
        guard known.partitions.indices.contains(place) else {
            return .refused(.unknownPartition)
        }
        var state = known.partitions[place]
        guard state.partitionEpoch == expected else {
            return .refused(.stalePartitionEpoch(current: state.partitionEpoch))
        }
        let named = inSync + eligible
        // Who leads has everything that was acknowledged: unclean leaders are not made this way.
        let canLead = leader.map { inSync.contains($0) && named.contains($0) } ?? true
        let stood = Set(state.inSync + state.eligible)
        let isClean = leader.map { $0 == state.leader || stood.contains($0) } ?? true
        guard Set(named).count == named.count, canLead, isClean,
            named.allSatisfy({ state.replicas.contains($0) }),
            !named.isEmpty
        else { return .refused(.invalidReplicas) }
        guard state.partitionEpoch < Int32.max, state.leaderEpoch.value < Int32.max else {
            return .refused(.tooMany)
        }
        if leader != state.leader || raisesEpoch {
            state.leaderEpoch = LeaderEpoch(state.leaderEpoch.value + 1)
        }
        state.inSync = inSync
        state.eligible = eligible
        state.leader = leader
        state.partitionEpoch += 1
        topics[topic]?.partitions[place] = state
        return .done
    }

    // MARK: Commit slots

    private mutating func put(
        _ table: UUID128, _ version: Int64, _ content: Bytes
    ) -> ClusterOutcome {
        var known = slots[table] ?? Slots()
        guard version >= 0, content.count <= Self.slotBytesMax else { return .refused(.invalid) }
        guard version >= known.first else { return .refused(.slotTrimmed) }
        if let other = known.contents[version] {
            // The same proposal may come twice, when its first answer was lost.
            return other == content ? .done : .taken(other)
        }
        guard known.contents.count < Self.slotCountMax else { return .refused(.tooMany) }
        known.contents[version] = content
        slots[table] = known
        return .done
    }

    private mutating func trim(_ table: UUID128, _ below: Int64) -> ClusterOutcome {
        var known = slots[table] ?? Slots()
        guard below > known.first else { return .done }
        var kept = Slots()
        kept.first = below
        for (version, content) in known.contents where version >= below {
            kept.contents[version] = content
        }
        known = kept
        slots[table] = known
        return .done
    }

    /// Names and topics agree; a leader is in sync; who is in sync is a replica.
    package func checkInvariants() {
        precondition(names.count == topics.count, "one name for each topic")
        for (id, topic) in topics {
            precondition(names[topic.name] == id, "the name leads to the topic")
            for state in topic.partitions {
                precondition(state.leader.map(state.inSync.contains) ?? true)
                precondition(state.inSync.allSatisfy(state.replicas.contains))
                precondition(state.eligible.allSatisfy(state.replicas.contains))
            }
        }
        for (_, table) in slots {
            precondition(table.contents.keys.first.map { $0 >= table.first } ?? true)
        }
    }
}
