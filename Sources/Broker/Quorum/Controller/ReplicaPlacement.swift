import Base

/// Where the replicas of partitions go: on as many racks as there are, on the brokers that have least, the
/// leaders spread alike.
package struct ReplicaPlacement: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        case invalidReplicationFactor(wanted: Int, brokers: Int)
    }

    /// A broker that may get replicas.
    package struct Candidate: Sendable {
        var id: NodeID
        var isAlive: Bool
        var rack: String
        var replicas = 0
        var leaders = 0

        /// One without a rack is a rack by itself.
        package init(id: NodeID, isAlive: Bool, rack: String?) {
            self.id = id
            self.isAlive = isAlive
            self.rack = rack.map { "r" + $0 } ?? "n\(id.value)"
        }
    }

    var candidates: [Candidate]

    /// Places replicas on these brokers, which have nothing that was not told by `count`.
    package init(_ candidates: [Candidate]) { self.candidates = candidates }

    /// Counts what every broker has already. Those that are fenced or not `isReachable` get replicas only
    /// where the others are too few, and are not the first; cordoned ones get none. The brokers' own topics
    /// are left out: they have many partitions and hold little.
    package init(_ image: MetadataImage, isReachable: (NodeID) -> Bool = { _ in true }) {
        candidates = []
        for (id, broker) in image.brokers where !image.isCordoned(id) {
            candidates.append(
                Candidate(
                    id: id, isAlive: !broker.isFenced && isReachable(id),
                    rack: broker.registration.rack))
        }
        for topic in image.topics.values where !topic.isInternal {
            for partition in 0..<topic.partitionCount {
                count(image.state(of: topic, partition).target)
            }
        }
    }

    /// A partition has these replicas, the first of which leads.
    package mutating func count(_ replicas: [NodeID]) {
        for (place, replica) in replicas.enumerated() {
            guard let index = candidates.firstIndex(where: { $0.id == replica }) else { continue }
            candidates[index].replicas += 1
            if place == 0 { candidates[index].leaders += 1 }
        }
    }

    /// Whether a new replica on the broker has what there is from the beginning.
    package func isAlive(_ id: NodeID) -> Bool {
        candidates.contains { $0.id == id && $0.isAlive }
    }

    /// The replicas of `count` new partitions, of each the first one to lead.
    package mutating func place(
        count: Int, factor: Int
    ) throws(Failure) -> [[NodeID]] {
        guard factor >= 1, factor <= candidates.count, candidates.contains(where: \.isAlive) else {
            throw .invalidReplicationFactor(wanted: factor, brokers: candidates.count)
        }
        var result: [[NodeID]] = []
        result.reserveCapacity(count)
        for _ in 0..<count { result.append(placeOne(factor)) }
        return result
    }

    private mutating func placeOne(_ factor: Int) -> [NodeID] {
        var chosen: [NodeID] = []
        while chosen.count < factor {
            guard let next = best(beside: chosen, isFirst: chosen.isEmpty) else { break }
            candidates[next].replicas += 1
            if chosen.isEmpty { candidates[next].leaders += 1 }
            chosen.append(candidates[next].id)
        }
        return chosen
    }

    /// The candidate for one more replica of a partition that is on `others`.
    func best(beside others: [NodeID], isFirst: Bool) -> Int? {
        let racks = others.compactMap { other in candidates.first { $0.id == other }?.rack }
        return candidates.indices.filter { !others.contains(candidates[$0].id) }.min {
            left, right in
            let (a, b) = (candidates[left], candidates[right])
            if a.isAlive != b.isAlive { return a.isAlive }
            let (aAgain, bAgain) = (racks.count { $0 == a.rack }, racks.count { $0 == b.rack })
            if aAgain != bAgain { return aAgain < bAgain }
            if isFirst, a.leaders != b.leaders { return a.leaders < b.leaders }
            if a.replicas != b.replicas { return a.replicas < b.replicas }
            return a.id < b.id
        }
    }
}

extension MetadataImage {
    /// The broker gets no new replicas (KIP-1066). A broker has one directory: whatever is cordoned is it.
    package func isCordoned(_ id: NodeID) -> Bool {
        let own = settings(of: SettingsOwner(kind: 4, name: "\(id.value)"))
        return !(own["cordoned.log.dirs"] ?? "").isEmpty
    }
}
