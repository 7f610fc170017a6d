import Base

/// Spreads partitions as evenly as the subscriptions allow and leaves as many as possible where
/// they are.
///
/// Three steps: everyone keeps what it had as far as it still may; what nobody has goes to whoever
/// of its subscribers has least; then single partitions move from full to empty subscribers while
/// that makes the load more even. With equal subscriptions the first
/// step already cuts everyone to its share, and nothing is left for the third.
struct UniformAssignment {
    private let subscribers: [ServerAssignor.Subscriber]
    private let partitionCounts: OrderedMap<UUID128, Int32>
    /// The subscribers of each topic, by place. Looked up only.
    private var takers: [UUID128: [Int]] = [:]
    private var given: [[AssignedPartition]]

    init(
        _ subscribers: [ServerAssignor.Subscriber], _ partitionCounts: OrderedMap<UUID128, Int32>
    ) {
        self.subscribers = subscribers
        self.partitionCounts = partitionCounts
        given = [[AssignedPartition]](repeating: [], count: subscribers.count)
        for (place, subscriber) in subscribers.enumerated() {
            for topic in subscriber.topics { takers[topic, default: []].append(place) }
        }
    }

    func result() -> [PartitionSet] {
        var work = self
        let isUniform = subscribers.dropFirst().allSatisfy { $0.topics == subscribers[0].topics }
        let free = work.keep(upToShare: isUniform)
        work.distribute(free)
        if !isUniform { work.balance() }
        return work.given.map { PartitionSet($0) }
    }

    // MARK: Keeping

    /// Leaves partitions with who had them and returns the others, in order.
    private mutating func keep(upToShare isCut: Bool) -> [AssignedPartition] {
        var total = 0
        for (topic, count) in partitionCounts where takers[topic] != nil { total += Int(count) }
        let (share, extra) =
            isCut && !subscribers.isEmpty
            ? total.quotientAndRemainder(dividingBy: subscribers.count) : (total, 0)
        var extrasLeft = extra
        var kept: Set<AssignedPartition> = []
        for (place, subscriber) in subscribers.enumerated() {
            let wanted = subscriber.current.all.filter { partition in
                guard let count = partitionCounts[partition.topicID] else { return false }
                return partition.partition >= 0 && partition.partition < count
                    && Self.contains(subscriber.topics, partition.topicID)
                    && !kept.contains(partition)
            }
            var limit = share
            if isCut, wanted.count > share, extrasLeft > 0 {
                limit += 1
                extrasLeft -= 1
            }
            given[place] = Array(wanted.prefix(limit))
            kept.formUnion(given[place])
        }
        var free: [AssignedPartition] = []
        for (topic, count) in partitionCounts where takers[topic] != nil {
            for number in 0..<count {
                let partition = AssignedPartition(topicID: topic, partition: number)
                if !kept.contains(partition) { free.append(partition) }
            }
        }
        return free
    }

    private static func contains(_ topics: [UUID128], _ topic: UUID128) -> Bool {
        var low = 0
        var high = topics.count
        while low < high {
            let middle = (low + high) / 2
            if topics[middle] < topic { low = middle + 1 } else { high = middle }
        }
        return low < topics.count && topics[low] == topic
    }

    // MARK: Distributing

    /// Topics with few subscribers come first: they have the least choice.
    private mutating func distribute(_ free: [AssignedPartition]) {
        var byTopic: [(topic: UUID128, partitions: [AssignedPartition])] = []
        for partition in free {
            if byTopic.last?.topic != partition.topicID { byTopic.append((partition.topicID, [])) }
            byTopic[byTopic.count - 1].partitions.append(partition)
        }
        let counts = byTopic.map { takers[$0.topic]?.count ?? 0 }
        let order = byTopic.indices.sorted { left, right in
            counts[left] != counts[right] ? counts[left] < counts[right] : left < right
        }
        for index in order {
            let topic = byTopic[index]
            var heap = LoadHeap(
                (takers[topic.topic] ?? []).map { LoadHeap.Entry(load: given[$0].count, place: $0) }
            )
            for partition in topic.partitions {
                guard let place = heap.takeLeast() else { break }
                given[place].append(partition)
            }
        }
    }

    // MARK: Balancing

    /// Bounds the work for subscriptions that were made to be hard; what is left then is correct,
    /// only less even.
    private static let balancingStepsMax = 4_000_000

    /// Moves partitions, one at a time and if need be along a chain of subscribers, as long as that
    /// brings one who has too much and one who has too little closer together.
    private mutating func balance() {
        var steps = 0
        var canMove = true
        while canMove, steps < Self.balancingStepsMax {
            canMove = false
            let fullestFirst = given.indices.sorted { left, right in
                given[left].count != given[right].count
                    ? given[left].count > given[right].count : left < right
            }
            let least = given.map(\.count).min() ?? 0
            for source in fullestFirst where given[source].count > least + 1 {
                if relieve(source, &steps) {
                    canMove = true
                    break
                }
            }
        }
    }

    /// Finds the emptiest subscriber that a partition of `source` can reach, each step of the way
    /// over a topic that one has and the next one reads.
    private mutating func relieve(_ source: Int, _ steps: inout Int) -> Bool {
        var previous: [(place: Int, topic: UUID128)?] = Array(repeating: nil, count: given.count)
        var seenTopics: Set<UUID128> = []
        var reached = [source]
        var next = 0
        var best = source
        while next < reached.count {
            let place = reached[next]
            next += 1
            for partition in given[place] where seenTopics.insert(partition.topicID).inserted {
                for taker in takers[partition.topicID] ?? []
                where taker != source && previous[taker] == nil {
                    previous[taker] = (place, partition.topicID)
                    reached.append(taker)
                    if given[taker].count < given[best].count { best = taker }
                }
                steps += takers[partition.topicID]?.count ?? 0
            }
            steps += given[place].count
        }
        guard given[best].count + 1 < given[source].count else { return false }
        var place = best
        while let (from, topic) = previous[place] {
            if let index = given[from].lastIndex(where: { $0.topicID == topic }) {
                given[place].append(given[from].remove(at: index))
            }
            place = from
        }
        return true
    }
}

/// Who has least, and of equals who stands first.
private struct LoadHeap {
    struct Entry {
        var load: Int
        var place: Int

        func isBefore(_ other: Entry) -> Bool {
            load != other.load ? load < other.load : place < other.place
        }
    }

    private var entries: [Entry]

    init(_ entries: [Entry]) {
        // A sorted array is a heap.
        self.entries = entries.sorted { $0.isBefore($1) }
    }

    /// The place with the least load, which grows by one.
    mutating func takeLeast() -> Int? {
        guard let first = entries.first else { return nil }
        entries[0].load += 1
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
                if entries[child].isBefore(entries[smallest]) { smallest = child }
            }
            if smallest == parent { return first.place }
            entries.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
