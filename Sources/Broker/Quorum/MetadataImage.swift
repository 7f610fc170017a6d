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
            if let old = byName[topic.name] { remove(old) }
            if let old = self.topic(id: topic.id) { remove(old) }
            topics[topic.name] = topic
            byName[topic.name] = topic
            names[topic.id] = topic.name
            byFoldedName[Self.folded(topic.name)] = topic.name
            partitionCount += Int(topic.partitionCount)
        case .topicRemoved(let id):
            if let topic = topic(id: id) { remove(topic) }
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
        }
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
        acls.checkInvariants()
    }
}
