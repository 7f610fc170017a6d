import Base

/// Offsets that were committed with transactions which have not ended: invisible until the marker
/// says what becomes of them.
struct PendingOffsets: Sendable {
    private struct Entry: Sendable {
        var offset: CommittedOffset
        /// Place among all commits of the group, in the order of the log.
        var order: UInt64
    }

    /// By group, partition and producer. Looked up, or sorted before they are iterated.
    private var groups: [String: [TopicPartition: [Int64: Entry]]] = [:]
    private var groupsOfProducer: [Int64: Set<String>] = [:]

    var isEmpty: Bool { groups.isEmpty }

    func contains(group: String) -> Bool { groups[group] != nil }

    func contains(group: String, partition: TopicPartition) -> Bool {
        groups[group]?[partition] != nil
    }

    /// In ascending order.
    func partitions(of group: String, topic: String) -> [TopicPartition] {
        groups[group]?.keys.filter { $0.topic == topic }.sorted() ?? []
    }

    /// The groups with pending offsets, in ascending order.
    var groupNames: [String] { groups.keys.sorted() }

    mutating func add(
        _ offsets: [(TopicPartition, CommittedOffset)], group: String, producerID: Int64,
        order: UInt64
    ) {
        for (partition, offset) in offsets {
            groups[group, default: [:]][partition, default: [:]][producerID] = Entry(
                offset: offset, order: order)
        }
        if !offsets.isEmpty { groupsOfProducer[producerID, default: []].insert(group) }
    }

    /// A commit that came later in the log decides, whenever the transactions before it end. They
    /// stay pending, but will change nothing.
    mutating func supersede(_ partition: TopicPartition, group: String, before order: UInt64) {
        guard let producers = groups[group]?[partition] else { return }
        for (producerID, entry) in producers where entry.order < order {
            groups[group]?[partition]?[producerID]?.order = 0
        }
    }

    /// Takes out what the producer committed to the groups that `isAffected`: by group and
    /// partition, without what was superseded.
    mutating func take(
        producerID: Int64, where isAffected: (String) -> Bool
    ) -> [(group: String, partition: TopicPartition, offset: CommittedOffset, order: UInt64)] {
        guard let names = groupsOfProducer[producerID]?.filter(isAffected).sorted() else {
            return []
        }
        var taken:
            [(group: String, partition: TopicPartition, offset: CommittedOffset, order: UInt64)] =
                []
        for group in names {
            groupsOfProducer[producerID]?.remove(group)
            for partition in (groups[group] ?? [:]).keys.sorted() {
                guard let entry = groups[group]?[partition]?.removeValue(forKey: producerID) else {
                    continue
                }
                if groups[group]?[partition]?.isEmpty == true {
                    groups[group]?[partition] = nil
                }
                if entry.order > 0 { taken.append((group, partition, entry.offset, entry.order)) }
            }
            if groups[group]?.isEmpty == true { groups[group] = nil }
        }
        if groupsOfProducer[producerID]?.isEmpty == true { groupsOfProducer[producerID] = nil }
        return taken
    }

    /// Forgets a partition of a group, or all of them.
    mutating func remove(group: String, partition: TopicPartition? = nil) {
        if let partition { groups[group]?[partition] = nil } else { groups[group] = nil }
        if groups[group]?.isEmpty == true { groups[group] = nil }
    }
}
