// What a member of a group hears when partitions change hands.

import Base
import WireProtocol

/// Partitions come or go.
public enum RebalanceEvent: Hashable, Sendable {
    /// These partitions are read from now on, beginning at the offsets that the group has stored.
    case assigned([PartitionAddress])
    /// These partitions go to another member: the last moment to store their offsets.
    case revoked([PartitionAddress])
    /// These partitions are gone already, and others may have read them: nothing can be stored.
    case lost([PartitionAddress])
}

/// What a rebalance callback may do. It must not be kept: it means the consumer at the moment of
/// the callback. The methods of `Consumer` itself would wait for the callback to end.
public struct RebalanceContext {
    let core: ConsumerCore

    /// Stores the positions of all partitions, or the given offsets.
    public func commit(
        _ offsets: [PartitionAddress: CommittedOffset]? = nil
    ) throws(ClientFailure) {
        try core.commit(offsets, retryFor: .seconds(5))
    }

    /// Offset of the record that `poll` returns next from this partition.
    public func position(_ partition: PartitionAddress) throws(ClientFailure) -> Int64 {
        try core.position(partition)
    }

    /// Goes on at this offset instead of the stored one: for programs that keep offsets themselves.
    public func seek(_ partition: PartitionAddress, to offset: Int64) throws(ClientFailure) {
        try core.seek(partition, to: offset)
    }

    /// Leaves partitions alone until they are resumed.
    public func pause(_ partitions: [PartitionAddress]) throws(ClientFailure) {
        try core.pause(partitions, true)
    }
}

/// A member of a group, as a producer names it when it stores offsets within a transaction.
public struct ConsumerGroupMetadata: Hashable, Sendable {
    public var groupId: String
    /// Empty for a consumer that reads assigned partitions alone.
    public var memberId: String
    /// -1 outside of a group.
    public var generation: Int32
    public var instanceId: String?

    public init(
        groupId: String, memberId: String = "", generation: Int32 = -1, instanceId: String? = nil
    ) {
        self.groupId = groupId
        self.memberId = memberId
        self.generation = generation
        self.instanceId = instanceId
    }
}
