import Base

/// Where the replicas of new partitions go: on as many racks as there are, on the brokers that have
/// least, the leaders spread alike.
package struct ReplicaPlacement: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        case invalidReplicationFactor(wanted: Int, brokers: Int)
    }

    private struct Candidate: Sendable {
        var id: NodeID
        var isAlive: Bool
        var rack: String
        var replicas: Int
        var leaders: Int
    }

    private var candidates: [Candidate] = []

    /// Counts what every broker has already. Those that are fenced or not `isReachable` get replicas only
    /// where the others are too few, and are not the first. The brokers' own topics are left out: they
    /// have many partitions and hold little.
    package init(_ image: MetadataImage, isReachable: (NodeID) -> Bool = { _ in true }) {
        for (id, broker) in image.brokers {
            // A broker without a rack is one for itself.
            let rack = broker.registration.rack.map { "r" + $0 } ?? "n\(id.value)"
            candidates.append(
                Candidate(
                    id: id, isAlive: !broker.isFenced && isReachable(id), rack: rack, replicas: 0,
                    leaders: 0))
        }
        for topic in image.topics.values where !topic.isInternal {
            for partition in 0..<topic.partitionCount {
                let replicas = image.state(of: topic, partition).replicas
                for (place, replica) in replicas.enumerated() {
                    guard let index = candidates.firstIndex(where: { $0.id == replica }) else {
                        continue
                    }
                    candidates[index].replicas += 1
                    if place == 0 { candidates[index].leaders += 1 }
                }
            }
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
        var chosen: [Int] = []
        while chosen.count < factor {
            let isFirst = chosen.isEmpty
            let racks = chosen.map { candidates[$0].rack }
            let next = candidates.indices.filter { !chosen.contains($0) }.min { left, right in
                let (a, b) = (candidates[left], candidates[right])
                if a.isAlive != b.isAlive { return a.isAlive }
                let (aAgain, bAgain) = (
                    racks.count { $0 == a.rack }, racks.count { $0 == b.rack }
                )
                if aAgain != bAgain { return aAgain < bAgain }
                if isFirst, a.leaders != b.leaders { return a.leaders < b.leaders }
                if a.replicas != b.replicas { return a.replicas < b.replicas }
                return a.id < b.id
            }
            guard let next else { break }
            candidates[next].replicas += 1
            if isFirst { candidates[next].leaders += 1 }
            chosen.append(next)
        }
        return chosen.map { candidates[$0].id }
    }
}
