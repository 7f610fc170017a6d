import Base

/// The one way in which partitions are given to the members of a share group: every member gets
/// some, every partition goes to somebody, both as evenly as they can.
///
/// Nothing has to stay where it was: a partition that moves takes no state with it, and what a
/// member has acquired of it stays with that member until it says what became of it.
enum SimpleAssignment {
    struct Subscriber: Sendable {
        var id: String
        /// Sorted ids of topics that exist.
        var topics: [UUID128]
    }

    static let name = "simple"

    /// One set for each subscriber, in their order.
    static func assign(
        _ subscribers: [Subscriber], partitionCounts: OrderedMap<UUID128, Int32>
    ) -> [PartitionSet] {
        var shares = [[AssignedPartition]](repeating: [], count: subscribers.count)
        guard let first = subscribers.first else { return [] }
        if subscribers.allSatisfy({ $0.topics == first.topics }) {
            // All partitions as one list: members of a group with many small topics need not read
            // all of them.
            let all = first.topics.flatMap { partitions(of: $0, partitionCounts) }
            deal(all, to: Array(subscribers.indices), from: 0, &shares)
            return shares.map { PartitionSet($0) }
        }
        var turn = 0
        for topic in partitionCounts.keys {
            let readers = subscribers.indices.filter { subscribers[$0].topics.contains(topic) }
            let all = partitions(of: topic, partitionCounts)
            deal(all, to: readers, from: turn, &shares)
            // The next topic begins where this one ended, so that the first members do not get all.
            turn += all.count
        }
        return shares.map { PartitionSet($0) }
    }

    private static func partitions(
        of topic: UUID128, _ counts: OrderedMap<UUID128, Int32>
    ) -> [AssignedPartition] {
        (0..<(counts[topic] ?? 0)).map { AssignedPartition(topicID: topic, partition: $0) }
    }

    private static func deal(
        _ partitions: [AssignedPartition], to readers: [Int], from turn: Int,
        _ shares: inout [[AssignedPartition]]
    ) {
        guard !partitions.isEmpty, !readers.isEmpty else { return }
        for step in 0..<max(partitions.count, readers.count) {
            let reader = readers[(turn + step) % readers.count]
            shares[reader].append(partitions[step % partitions.count])
        }
    }
}
