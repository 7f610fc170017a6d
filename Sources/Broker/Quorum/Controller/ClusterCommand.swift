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

/// A broker as the cluster knows it.
package struct BrokerMetadata: Hashable, Sendable {
    package var registration: BrokerRegistration
    /// Rises with each registration of any broker: the place of the registration in the log.
    package var epoch: Int64
    /// Not alive, or not ready: it leads nothing.
    package var isFenced: Bool

    package init(registration: BrokerRegistration, epoch: Int64, isFenced: Bool) {
        self.registration = registration
        self.epoch = epoch
        self.isFenced = isFenced
    }
}

/// Who has a partition, and who of them has all of it.
package struct PartitionState: Hashable, Sendable {
    /// In the order of preference for leadership. While the partition moves: those that it is to have, then
    /// those that it is to lose.
    package var replicas: [NodeID]
    package var inSync: [NodeID]
    /// Replicas that left the in-sync set while it was too small, and have everything still.
    package var eligible: [NodeID]
    package var leader: NodeID?
    package var leaderEpoch: LeaderEpoch
    /// Rises with each change: changes name the one that they were made from.
    package var partitionEpoch: Int32
    /// Replicas that the partition did not have before its move, and is to have.
    package var adding: [NodeID]
    /// Replicas that it has no more once all the others are in sync.
    package var removing: [NodeID]

    package init(
        replicas: [NodeID], inSync: [NodeID], eligible: [NodeID], leader: NodeID?,
        leaderEpoch: LeaderEpoch, partitionEpoch: Int32, adding: [NodeID] = [],
        removing: [NodeID] = []
    ) {
        self.replicas = replicas
        self.inSync = inSync
        self.eligible = eligible
        self.leader = leader
        self.leaderEpoch = leaderEpoch
        self.partitionEpoch = partitionEpoch
        self.adding = adding
        self.removing = removing
    }

    /// A new partition: all replicas are in sync, the first leads.
    package init(new replicas: [NodeID]) {
        self.init(
            replicas: replicas, inSync: replicas, eligible: [], leader: replicas.first,
            leaderEpoch: 0, partitionEpoch: 0)
    }
}

/// What a broker or an operator asks of the controller. The controller decides by its image of the
/// metadata (`MetadataImage.decide`); what it decides are records.
package enum ClusterCommand: Hashable, Sendable {
    /// A broker has started. It is fenced until `unfence`.
    case register(BrokerRegistration)
    case fence(NodeID, epoch: Int64)
    case unfence(NodeID, epoch: Int64)
    case unregister(NodeID)
    /// A new state of a partition, made from the one with `expected`; the epoch of the leader rises
    /// when the leader is another one or `raisesEpoch`.
    case changePartition(
        topic: UUID128, partition: Int32, expected: Int32, inSync: [NodeID], eligible: [NodeID],
        leader: NodeID?, raisesEpoch: Bool)
    /// A block of producer ids for a broker.
    case reserveProducerIDs(NodeID, epoch: Int64, count: Int32)
    /// Version `version` of a table belongs to who names it first.
    case putSlot(table: UUID128, version: Int64, content: Bytes)
    /// Slots below are not needed any more: the versions are in the store.
    case trimSlots(table: UUID128, below: Int64)
    case setFeature(String, level: Int16)
    /// The word of an operator: a replica that may miss committed records leads a partition that
    /// nobody can lead otherwise.
    case electUncleanly(topic: UUID128, partition: Int32, expected: Int32, leader: NodeID)
    /// The partition shall have these replicas, in this order of preference; nil = it stays where it was
    /// before the move that is under way.
    case reassign(topic: UUID128, partition: Int32, expected: Int32, replicas: [NodeID]?)
}

/// What became of a command.
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
    /// The node's number is that of another disk, which has replicas.
    case foreignDisk
    /// Replicas are on the broker.
    case holdsReplicas
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
    /// The node is not the controller, or not any more; nothing was done, as far as it knows.
    case notController
    /// Leadership ended before it was known: it may have been done, or not.
    case uncertain
    /// There is no move to be cancelled.
    case notMoving
}
