import Base

/// Gives each subscriber of a topic neighbours of its partitions. Subscribers stand in one order
/// for all topics (static ones first, by their name), so topics with equally many partitions and
/// subscribers are cut at the same places.
struct RangeAssignment {
    private let subscribers: [ServerAssignor.Subscriber]
    private let partitionCounts: OrderedMap<UUID128, Int32>

    init(
        _ subscribers: [ServerAssignor.Subscriber], _ partitionCounts: OrderedMap<UUID128, Int32>
    ) {
        self.subscribers = subscribers
        self.partitionCounts = partitionCounts
    }

    func result() -> [PartitionSet] {
        var places: [UUID128: [Int]] = [:]
        for place in subscribers.indices.sorted(by: isBefore) {
            for topic in subscribers[place].topics { places[topic, default: []].append(place) }
        }
        var given = [[AssignedPartition]](repeating: [], count: subscribers.count)
        for (topic, count) in partitionCounts {
            guard let takers = places[topic] else { continue }
            let (share, extra) = Int(count).quotientAndRemainder(dividingBy: takers.count)
            var next = 0
            for (rank, place) in takers.enumerated() {
                let end = next + share + (rank < extra ? 1 : 0)
                for partition in next..<end {
                    given[place].append(
                        AssignedPartition(topicID: topic, partition: Int32(partition)))
                }
                next = end
            }
        }
        return given.map { PartitionSet($0) }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        switch (subscribers[left].instanceID, subscribers[right].instanceID) {
        case (let one?, let other?): one < other
        case (.some, nil): true
        case (nil, .some): false
        case (nil, nil): subscribers[left].id < subscribers[right].id
        }
    }
}
