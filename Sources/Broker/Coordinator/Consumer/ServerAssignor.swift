import Base

/// How the coordinator distributes partitions; the published names.
package enum ServerAssignor: String, CaseIterable, Sendable {
    /// As even as the subscriptions allow, moving as little as possible. The default.
    case uniform
    /// Of each topic a run of neighbours, so that equal numbers of several topics stay together.
    case range

    /// Who wants what, and what it had.
    struct Subscriber {
        var id: String
        var instanceID: String?
        /// Ids of existing topics, sorted, each once.
        var topics: [UUID128]
        var current: PartitionSet
    }

    /// The new target of each subscriber, in their order. `partitionCounts` has every topic that
    /// somebody wants.
    func assign(
        _ subscribers: [Subscriber], partitionCounts: OrderedMap<UUID128, Int32>
    ) -> [PartitionSet] {
        switch self {
        case .uniform:
            UniformAssignment(subscribers, partitionCounts).result()
        case .range:
            RangeAssignment(subscribers, partitionCounts).result()
        }
    }
}
