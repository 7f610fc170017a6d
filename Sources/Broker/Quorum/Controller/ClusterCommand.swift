import Base

/// A broker as it registered.
package struct BrokerRegistration: Hashable, Sendable {
    package struct Endpoint: Hashable, Sendable {
        package var listener: String
        package var host: String
        package var port: UInt16

        package init(listener: String, host: String, port: UInt16) {
            self.listener = listener
            self.host = host
            self.port = port
        }
    }

    package var id: NodeID
    /// Made anew with each start of the process.
    package var incarnation: UUID128
    /// Which disk the broker has.
    package var directory: UUID128
    package var rack: String?
    package var endpoints: [Endpoint]

    package init(
        id: NodeID, incarnation: UUID128, directory: UUID128, rack: String?, endpoints: [Endpoint]
    ) {
        self.id = id
        self.incarnation = incarnation
        self.directory = directory
        self.rack = rack
        self.endpoints = endpoints
    }
}

/// Who has a partition, and who of them has all of it.
package struct PartitionState: Hashable, Sendable {
    /// In the order of preference for leadership.
    package var replicas: [NodeID]
    package var inSync: [NodeID]
    /// Replicas that left the in-sync set while it was too small, and have everything still.
    package var eligible: [NodeID]
    package var leader: NodeID?
    package var leaderEpoch: LeaderEpoch
    /// Rises with each change: changes name the one that they were made from.
    package var partitionEpoch: Int32

    package init(
        replicas: [NodeID], inSync: [NodeID], eligible: [NodeID], leader: NodeID?,
        leaderEpoch: LeaderEpoch, partitionEpoch: Int32
    ) {
        self.replicas = replicas
        self.inSync = inSync
        self.eligible = eligible
        self.leader = leader
        self.leaderEpoch = leaderEpoch
        self.partitionEpoch = partitionEpoch
    }
}

/// What the controller proposes: one entry of the quorum's log.
package enum ClusterCommand: Hashable, Sendable {
    /// A broker has started. It is fenced until `unfence`.
    case register(BrokerRegistration)
    case fence(NodeID, epoch: Int64)
    case unfence(NodeID, epoch: Int64)
    case unregister(NodeID)
    /// A topic; of each partition its replicas, the first of which leads.
    case createTopic(UUID128, name: String, replicas: [[NodeID]])
    case deleteTopic(UUID128)
    case addPartitions(UUID128, replicas: [[NodeID]])
    /// A new state of a partition, made from the one with `expected`; the epoch of the leader rises
    /// when the leader is another one or `raisesEpoch`.
    case changePartition(
        topic: UUID128, partition: Int32, expected: Int32, inSync: [NodeID], eligible: [NodeID],
        leader: NodeID?, raisesEpoch: Bool)
    /// A setting of a resource (number of its type as published, name); nil = the default again.
    case setConfig(kind: UInt8, resource: String, name: String, value: String?)
    /// A block of producer ids for a broker.
    case reserveProducerIDs(NodeID, epoch: Int64, count: Int32)
    /// Version `version` of a table belongs to who names it first.
    case putSlot(table: UUID128, version: Int64, content: Bytes)
    /// Slots below are not needed any more: the versions are in the store.
    case trimSlots(table: UUID128, below: Int64)
    case setFeature(String, level: Int16)
}

/// What a command did, the same on every node.
package enum ClusterOutcome: Hashable, Sendable {
    case done
    /// The broker's epoch: everything it asks for names it.
    case registered(epoch: Int64)
    case producerIDs(first: Int64, count: Int32)
    /// The slot is another's.
    case taken(Bytes)
    case refused(ClusterRefusal)
}

/// Why a command did nothing.
package enum ClusterRefusal: Hashable, Sendable {
    case unknownBroker
    /// The broker was started again, or fenced, since.
    case staleBrokerEpoch(current: Int64)
    /// The node's number is that of another disk whose broker is alive.
    case duplicateBroker
    case topicExists
    case unknownTopic
    case unknownPartition
    /// The partition was changed since.
    case stalePartitionEpoch(current: Int32)
    /// Replicas that are unknown, named twice, or not among the replicas.
    case invalidReplicas
    /// The slot is below those that are kept.
    case slotTrimmed
    case tooMany
    case invalid
    /// A feature level does not go back.
    case featureLowered(current: Int16)
}
