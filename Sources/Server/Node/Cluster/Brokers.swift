import Base
import Quorum
import WireProtocol

// The brokers as clients are told of them: of a node that stands alone, itself; of a cluster, those
// that have registered.
extension BrokerNode {
    /// Replicas whose brokers are not alive. A node alone is alive while it answers.
    func offline(_ replicas: [NodeID]) -> [Int32] {
        if image.soleNode != nil { return [] }
        return replicas.filter { !image.isAlive($0) }.map(\.value)
    }

    /// Why this node does not serve a partition to a client that knows its leadership by
    /// `clientEpoch`, -1 for none: another node leads, or the client's idea of the leadership is
    /// older or newer than ours.
    func leadershipError(
        _ topic: TopicMetadata, _ partition: Int32, clientEpoch: Int32 = -1
    ) -> ErrorCode? {
        let (leader, epoch) = image.leadership(of: topic, partition)
        if clientEpoch >= 0, clientEpoch != epoch.value {
            return clientEpoch < epoch.value ? .fencedLeaderEpoch : .unknownLeaderEpoch
        }
        return leader == configuration.nodeID ? nil : .notLeaderOrFollower
    }

    /// The epoch of the leadership of a partition.
    func leaderEpoch(of partition: TopicPartition) -> LeaderEpoch {
        guard let topic = image.topic(partition.topic) else { return image.leaderEpoch }
        return image.leadership(of: topic, partition.partition).epoch
    }
}

/// A broker as a client gets to it.
struct ReachableBroker: Sendable {
    var id: Int32
    var host: String
    var port: Int32
    var rack: String?
    var isFenced = false
}

extension BrokerNode {
    /// The brokers by the listener that a client came through: those that are alive, or all.
    func reachableBrokers(
        _ context: RequestContext, withFenced: Bool = false
    ) -> [ReachableBroker] {
        let listener = listener(of: context)
        guard cluster != nil else {
            return [
                ReachableBroker(
                    id: configuration.nodeID.value, host: listener.advertisedHost,
                    port: listener.advertisedPort, rack: configuration.rack)
            ]
        }
        return image.brokers.values.compactMap { broker in
            if broker.isFenced, !withFenced { return nil }
            let registration = broker.registration
            guard
                let endpoint = registration.endpoints.first(where: { $0.listener == listener.name })
            else { return nil }
            return ReachableBroker(
                id: registration.id.value, host: endpoint.host, port: Int32(endpoint.port),
                rack: registration.rack, isFenced: broker.isFenced)
        }
    }

    /// Who leads a partition, as far as this node knows: what a client that asks for metadata is told.
    package func knownLeader(of partition: TopicPartition) -> NodeID? {
        image.state(of: partition)?.leader
    }

    /// The partitions whose replicas come and go, as far as this node knows.
    package var movingPartitions: [TopicPartition] {
        image.topics.values.flatMap { topic in
            topic.partitions.filter { image.state(of: topic, $0.partition).isMoving }
        }
    }

    /// An object as far as this node knows.
    package func storedObject(_ name: String) -> Bytes? { image.object(name) }

    /// The number of the controller, -1 while there is none.
    var controllerID: Int32 {
        guard let cluster else { return configuration.nodeID.value }
        return cluster.leader?.value ?? -1
    }

    /// The broker that clients are to bring changes to: the controller or, while none can be reached,
    /// this one, which passes them on as soon as there is one. Clients that were told of nobody, or of
    /// one that is gone, would not ask again for long.
    var controllerForClients: Int32 {
        guard let cluster, let leader = cluster.leader,
            leader == cluster.node || cluster.linkTo[leader] != nil, image.isAlive(leader)
        else { return configuration.nodeID.value }
        return leader.value
    }

    // MARK: New partitions

    /// The records that make a topic, or a larger one: in a cluster its new partitions get places.
    /// `factor`: replicas of each, nil = as many as usual. `placement` has what was placed before in the
    /// same change. nil when there are too few brokers.
    func recordsPlacing(
        _ topic: TopicMetadata, from known: Int32 = 0, assigned: [[NodeID]] = [],
        factor: Int? = nil, placement: inout ReplicaPlacement?
    ) -> [MetadataRecord]? {
        guard cluster != nil else { return [.topic(topic)] }
        var current = placement ?? reachablePlacement
        defer { placement = current }
        var places = assigned
        if places.isEmpty {
            guard
                let chosen = try? current.place(
                    count: Int(topic.partitionCount - known),
                    factor: factor ?? configuration.replicationFactor)
            else { return nil }
            places = chosen
        }
        var records: [MetadataRecord] = []
        for (place, replicas) in places.enumerated() {
            // Who is not there gets everything when it comes.
            var state = PartitionState(new: replicas)
            state.inSync = replicas.filter { current.isAlive($0) }
            state.leader = state.inSync.first
            records.append(.partition(topic: topic.id, known + Int32(place), state))
        }
        return records + [.topic(known == 0 ? safe(topic, copies: places[0].count) : topic)]
    }

    /// With three and more replicas one of them may be lost and everything acknowledged is there, unless
    /// somebody says otherwise. Written into the topic, so that everybody sees it.
    private func safe(_ topic: TopicMetadata, copies: Int) -> TopicMetadata {
        let name = "min.insync.replicas"
        guard topic.settings[name] == nil, draft.settings(of: .allBrokers)[name] == nil,
            let value = topicDefaults[name] ?? (copies > 2 ? "\(copies - 1)" : nil)
        else { return topic }
        var topic = topic
        topic.settings[name] = value
        return topic
    }

    /// A broker that this controller has no link to is alive to the metadata until its session ends; new
    /// partitions go elsewhere at once.
    private var reachablePlacement: ReplicaPlacement {
        ReplicaPlacement(draft) { $0 == configuration.nodeID || cluster?.linkTo[$0] != nil }
    }

    /// The same for several topics.
    func recordsPlacing(_ topics: [TopicMetadata], factor: Int? = nil) -> [MetadataRecord]? {
        var placement: ReplicaPlacement?
        var records: [MetadataRecord] = []
        for topic in topics {
            guard let more = recordsPlacing(topic, factor: factor, placement: &placement) else {
                return nil
            }
            records += more
        }
        return records
    }
}

extension ApiVersionTable {
    /// What is served. In a cluster that is less yet: what would answer for one node only, or not
    /// be true for the others, is left out, so that clients say that it is not supported.
    static func served(by cluster: ClusterConfiguration?) -> ApiVersionTable {
        if cluster == nil { return .all }
        let missing: Set<ApiKey> = [
            .alterReplicaLogDirs, .shareGroupHeartbeat, .shareGroupDescribe,
            .shareFetch, .shareAcknowledge, .describeShareGroupOffsets, .alterShareGroupOffsets,
            .deleteShareGroupOffsets,
        ]
        return all.restricted(to: Set(all.entries.map(\.apiKey)).subtracting(missing))
    }
}

extension BrokerNode {
    /// For `/readyz`, `/health` and `/metrics`; nil when the node stands alone.
    var clusterStatistics: ClusterStatistics? {
        guard let cluster else { return nil }
        var result = ClusterStatistics()
        result.isServing = cluster.isReady
        result.isController = cluster.isController
        result.controller = controllerID
        result.term = cluster.replica?.core.term.value ?? 0
        result.applied = cluster.applied.value
        result.node = cluster.node.value
        result.alive = image.brokers.compactMap { $0.value.isFenced ? nil : $0.key.value }
        result.links = cluster.linkTo.count
        result.brokersFenced = image.brokers.count { $0.value.isFenced }
        result.brokersAlive = image.brokers.count - result.brokersFenced
        for topic in image.topics.values {
            for partition in 0..<topic.partitionCount {
                let state = image.state(of: topic, partition)
                if state.leader == nil { result.partitionsWithoutLeader += 1 }
                if state.isUnderReplicated { result.partitionsUnderReplicated += 1 }
                if state.isMoving { result.partitionsMoving += 1 }
                if state.inSync.count < image.minInSync(of: topic, state) {
                    result.partitionsBelowMinimum += 1
                }
            }
        }
        return result
    }
}
