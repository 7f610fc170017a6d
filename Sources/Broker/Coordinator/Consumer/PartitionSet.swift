import Base

/// One partition, as the newer group protocol names it.
package struct AssignedPartition: Hashable, Comparable, Sendable {
    package var topicID: UUID128
    package var partition: Int32

    package init(topicID: UUID128, partition: Int32) {
        self.topicID = topicID
        self.partition = partition
    }

    package static func < (left: AssignedPartition, right: AssignedPartition) -> Bool {
        left.topicID != right.topicID
            ? left.topicID < right.topicID : left.partition < right.partition
    }
}

/// Partitions in ascending order, each once. Set operations are merges: linear in both sides.
package struct PartitionSet: Equatable, Sendable {
    package private(set) var all: [AssignedPartition] = []

    package init() {}

    package init(_ partitions: some Sequence<AssignedPartition>) {
        all = partitions.sorted()
        var kept = 0
        for index in all.indices where index == 0 || all[index] != all[kept - 1] {
            all[kept] = all[index]
            kept += 1
        }
        all.removeSubrange(kept...)
    }

    package var count: Int { all.count }
    package var isEmpty: Bool { all.isEmpty }

    package func contains(_ partition: AssignedPartition) -> Bool {
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if all[middle] < partition { low = middle + 1 } else { high = middle }
        }
        return low < all.count && all[low] == partition
    }

    package func isSubset(of other: PartitionSet) -> Bool {
        count <= other.count && subtracting(other).isEmpty
    }

    package func intersects(_ other: PartitionSet) -> Bool { !intersection(other).isEmpty }

    package func union(_ other: PartitionSet) -> PartitionSet {
        if other.isEmpty { return self }
        return PartitionSet(all + other.all)
    }

    package func intersection(_ other: PartitionSet) -> PartitionSet {
        filtered(against: other) { $0 }
    }

    package func subtracting(_ other: PartitionSet) -> PartitionSet {
        filtered(against: other) { !$0 }
    }

    package func filter(_ isWanted: (AssignedPartition) -> Bool) -> PartitionSet {
        var result = PartitionSet()
        result.all = all.filter(isWanted)
        return result
    }

    private func filtered(
        against other: PartitionSet, keeping keeps: (Bool) -> Bool
    ) -> PartitionSet {
        var result = PartitionSet()
        var index = 0
        for partition in all {
            while index < other.all.count, other.all[index] < partition { index += 1 }
            let isInBoth = index < other.all.count && other.all[index] == partition
            if keeps(isInBoth) { result.all.append(partition) }
        }
        return result
    }

    /// By topic, in the order of their ids.
    package var byTopic: [(topicID: UUID128, partitions: [Int32])] {
        var result: [(topicID: UUID128, partitions: [Int32])] = []
        for partition in all {
            if result.last?.topicID != partition.topicID {
                result.append((partition.topicID, []))
            }
            result[result.count - 1].partitions.append(partition.partition)
        }
        return result
    }
}
