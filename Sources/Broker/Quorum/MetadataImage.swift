import Base

/// What the cluster knows about itself, as of one place in the metadata log: the result of applying
/// every record up to there. Two nodes at the same place have equal images.
package struct MetadataImage: Sendable {
    package private(set) var clusterID: UUID128 = .zero
    package private(set) var topics: OrderedMap<String, TopicMetadata> = [:]
    /// The name of each topic by its id: for lookups only.
    private var names: [UUID128: String] = [:]
    /// Positions in `topics` would move; a second index answers requests by name in O(1).
    private var byName: [String: TopicMetadata] = [:]
    /// The topic of each name with `.` read as `_`. Where two old topics collide, one of them.
    private var byFoldedName: [String: String] = [:]
    /// The first producer id that nobody was given a block of.
    package private(set) var nextProducerID: Int64 = 0
    package private(set) var objects: OrderedMap<String, Bytes> = [:]
    /// The epoch of every partition's leadership: rises with each start of the node.
    package private(set) var leaderEpoch: LeaderEpoch = 0
    package private(set) var partitionCount = 0
    /// Settings of brokers and groups, where some were given.
    private var settings: OrderedMap<SettingsOwner, OrderedMap<String, String>> = [:]
    package private(set) var acls = AclSet()
    package private(set) var credentials: OrderedMap<ScramCredentialKey, ScramCredential> = [:]
    package private(set) var quotas: OrderedMap<QuotaEntity, OrderedMap<QuotaKind, Double>> = [:]
    /// Whether any of `quotas` is about the time of requests.
    package private(set) var hasRequestQuotas = false

    package private(set) var brokers: OrderedMap<NodeID, BrokerMetadata> = [:]
    /// States of partitions by topic; for lookups only.
    private var partitionStates: [UUID128: [PartitionState]] = [:]
    package private(set) var slots: OrderedMap<UUID128, MetadataSlots> = [:]
    package private(set) var features: OrderedMap<String, Int16> = [:]
    /// The node that stands alone: partitions that say nothing else are on it. No record says so.
    package var soleNode: NodeID?

    /// Producer ids are handed out from blocks, so that one record serves a thousand producers.
    package static let producerIDBlock: Int64 = 1000

    package init() {}

    /// The topic of this name; O(1).
    package func topic(_ name: String) -> TopicMetadata? { byName[name] }

    /// The topic with this id; O(1).
    package func topic(id: UUID128) -> TopicMetadata? {
        guard let name = names[id] else { return nil }
        return byName[name]
    }

    /// Who has a partition of `topic`; O(1).
    package func state(of topic: TopicMetadata, _ partition: Int32) -> PartitionState {
        if let states = partitionStates[topic.id], partition >= 0, Int(partition) < states.count {
            return states[Int(partition)]
        }
        let replicas = soleNode.map { [$0] } ?? []
        return PartitionState(
            replicas: replicas, inSync: replicas, eligible: [], leader: soleNode,
            leaderEpoch: leaderEpoch, partitionEpoch: 0)
    }

    /// Who leads a partition of `topic`, and since which epoch; O(1), for every request.
    package func leadership(
        of topic: TopicMetadata, _ partition: Int32
    ) -> (leader: NodeID?, epoch: LeaderEpoch) {
        if !partitionStates.isEmpty, let states = partitionStates[topic.id], partition >= 0,
            Int(partition) < states.count
        {
            let state = states[Int(partition)]
            return (state.leader, state.leaderEpoch)
        }
        return (soleNode, leaderEpoch)
    }

    /// The same by name; nil when there is no such partition.
    package func state(of partition: TopicPartition) -> PartitionState? {
        guard let topic = byName[partition.topic], partition.partition >= 0,
            partition.partition < topic.partitionCount
        else { return nil }
        return state(of: topic, partition.partition)
    }

    /// The settings that were given to a broker or group.
    package func settings(of owner: SettingsOwner) -> OrderedMap<String, String> {
        settings[owner] ?? [:]
    }

    /// Brokers and groups that were given settings.
    package var settingsOwnersCount: Int { settings.count }

    /// The names of all brokers or groups that were given settings, in order.
    package func settingsOwners(kind: UInt8) -> [String] {
        settings.keys.filter { $0.kind == kind }.map(\.name)
    }

    package func object(_ name: String) -> Bytes? { objects[name] }

    /// Objects whose name begins with `prefix`, by name.
    package func objects(prefix: String) -> [(name: String, content: Bytes)] {
        var result: [(name: String, content: Bytes)] = []
        var index = objects.lowerBound(prefix)
        while index < objects.count, objects.keys[index].utf8.starts(with: prefix.utf8) {
            result.append((objects.keys[index], objects.values[index]))
            index += 1
        }
        return result
    }

    /// A topic whose name differs from `name` only in `.` and `_`: their metrics would be mixed up,
    /// so such names are refused.
    package func topicColliding(with name: String) -> String? {
        guard let other = byFoldedName[Self.folded(name)], other != name else { return nil }
        return other
    }

    /// Names that are equal after this collide.
    package static func folded(_ name: String) -> String {
        String(
            decoding: name.utf8.map { $0 == UInt8(ascii: ".") ? UInt8(ascii: "_") : $0 },
            as: UTF8.self)
    }

    package mutating func apply(_ record: MetadataRecord) {
        switch record {
        case .cluster(let id): clusterID = id
        case .topic(let topic):
            if let old = byName[topic.name] {
                remove(old)
                if old.id != topic.id { partitionStates[old.id] = nil }
            }
            if let old = self.topic(id: topic.id) { remove(old) }
            topics[topic.name] = topic
            byName[topic.name] = topic
            names[topic.id] = topic.name
            byFoldedName[Self.folded(topic.name)] = topic.name
            partitionCount += Int(topic.partitionCount)
        case .topicRemoved(let id):
            if let topic = topic(id: id) { remove(topic) }
            partitionStates[id] = nil
        case .producerIDsReserved(let next): nextProducerID = max(nextProducerID, next)
        case .object(let name, let content): objects[name] = content
        case .objectRemoved(let name): objects[name] = nil
        case .leaderEpoch(let epoch): leaderEpoch = max(leaderEpoch, epoch)
        case .settings(let owner, let new): settings[owner] = new.isEmpty ? nil : new
        case .acl(let binding): acls.insert(binding)
        case .aclRemoved(let binding): acls.remove(binding)
        case .credential(let key, let credential): credentials[key] = credential
        case .credentialRemoved(let key): credentials[key] = nil
        case .quotas(let entity, let values):
            quotas[entity] = values.isEmpty ? nil : values
            hasRequestQuotas = quotas.contains { $0.value[.requestPercentage] != nil }
        case .broker(let broker): brokers[broker.registration.id] = broker
        case .brokerRemoved(let id): brokers[id] = nil
        case .partition(let topic, let partition, let state):
            set(topic, Int(partition), state)
        case .slot(let table, let version, let content):
            slots[table, default: MetadataSlots()].contents[version] = content
        case .slotsTrimmed(let table, let below):
            slots[table, default: MetadataSlots()].trim(below)
        case .feature(let name, let level): features[name] = level
        }
    }

    private mutating func set(_ topic: UUID128, _ partition: Int, _ state: PartitionState) {
        let known = partitionStates[topic]?.count ?? 0
        if partition < known {
            partitionStates[topic]?[partition] = state
            return
        }
        // Partitions come in order; whoever skips some leaves them without replicas.
        let nobody = PartitionState(
            replicas: [], inSync: [], eligible: [], leader: nil, leaderEpoch: 0, partitionEpoch: 0)
        partitionStates[topic, default: []] +=
            [PartitionState](repeating: nobody, count: partition - known) + [state]
    }

    /// Records that make this image of an empty one: the content of a snapshot.
    package var records: [MetadataRecord] {
        var records: [MetadataRecord] = []
        if clusterID != .zero { records.append(.cluster(clusterID)) }
        if leaderEpoch != 0 { records.append(.leaderEpoch(leaderEpoch)) }
        if nextProducerID != 0 { records.append(.producerIDsReserved(next: nextProducerID)) }
        records += brokers.values.map { .broker($0) }
        for topic in topics.values {
            for (number, state) in (partitionStates[topic.id] ?? []).enumerated() {
                records.append(.partition(topic: topic.id, Int32(number), state))
            }
            records.append(.topic(topic))
        }
        records += objects.map { .object(name: $0.key, content: $0.value) }
        records += settings.map { .settings($0.key, $0.value) }
        records += acls.bindings.map { .acl($0) }
        records += credentials.map { .credential($0.key, $0.value) }
        records += quotas.map { .quotas($0.key, $0.value) }
        for (table, known) in slots {
            if known.first > 0 { records.append(.slotsTrimmed(table: table, below: known.first)) }
            for (version, content) in known.contents {
                records.append(.slot(table: table, version: version, content: content))
            }
        }
        records += features.map { .feature($0.key, level: $0.value) }
        return records
    }

    package init(_ records: [MetadataRecord]) {
        for record in records { apply(record) }
    }

    private mutating func remove(_ topic: TopicMetadata) {
        topics[topic.name] = nil
        byName[topic.name] = nil
        names[topic.id] = nil
        let folded = Self.folded(topic.name)
        if byFoldedName[folded] == topic.name { byFoldedName[folded] = nil }
        partitionCount -= Int(topic.partitionCount)
    }

    /// The indexes agree with the topics; counts are sums.
    package func checkInvariants() {
        precondition(topics.count == byName.count, "one index entry for each name")
        precondition(topics.count == names.count, "one index entry for each id")
        var sum = 0
        for (name, topic) in topics {
            precondition(byName[name] == topic && names[topic.id] == name, "the index agrees")
            sum += Int(topic.partitionCount)
        }
        precondition(sum == partitionCount, "the partition count is the sum")
        for topic in topics.values where partitionStates[topic.id] != nil {
            for partition in 0..<topic.partitionCount {
                let state = state(of: topic, partition)
                precondition(
                    state.leader.map(state.inSync.contains) ?? true, "who leads is in sync")
                precondition(
                    (state.inSync + state.eligible).allSatisfy(state.replicas.contains),
                    "who is in sync is a replica")
                precondition(
                    (state.adding + state.removing).allSatisfy(state.replicas.contains),
                    "who comes or goes is a replica")
            }
        }
        acls.checkInvariants()
    }
}

/// Versions of one table that belong to somebody, from `first` on.
package struct MetadataSlots: Hashable, Sendable {
    package var first: Int64 = 0
    package var contents: OrderedMap<Int64, Bytes> = [:]

    package init() {}

    mutating func trim(_ below: Int64) {
        guard below > first else { return }
        first = below
        var kept: OrderedMap<Int64, Bytes> = [:]
        for (version, content) in contents where version >= below { kept[version] = content }
        contents = kept
    }
}
