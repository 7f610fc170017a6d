import Base

/// Plans moves of replicas: off a broker, or so that all brokers have alike. Knows of brokers and partitions
/// what every client can ask for; whoever plans carries the moves out, some at a time.
package struct ReplicaMoves: Sendable {
    /// A partition as the plan has it so far.
    package struct Place: Hashable, Sendable {
        package var topic: String
        package var partition: Int32
        package var replicas: [NodeID]

        package var name: TopicPartition { TopicPartition(topic: topic, partition: partition) }

        package init(topic: String, partition: Int32, replicas: [NodeID]) {
            self.topic = topic
            self.partition = partition
            self.replicas = replicas
        }
    }

    private var placement: ReplicaPlacement
    private var places: [Place]
    /// Partitions that move, by their place among `places`.
    private var moved: Set<Int> = []

    /// `brokers` may get replicas.
    package init(brokers: [ReplicaPlacement.Candidate], places: [Place]) {
        placement = ReplicaPlacement(brokers.filter(\.isAlive))
        self.places = places
        for place in places { placement.count(place.replicas) }
    }

    /// The partitions that move, and all the replicas that each is to have.
    package var moves: [Place] { moved.sorted().map { places[$0] } }

    /// Plans that nothing is on `broker`, which must not be among those that may get replicas. Returns the
    /// partitions that can't leave it: every other broker has a replica of them.
    package mutating func empty(_ broker: NodeID) -> [Place] {
        var stuck: [Place] = []
        for index in places.indices {
            guard let slot = places[index].replicas.firstIndex(of: broker) else { continue }
            if !move(index, slot) { stuck.append(places[index]) }
        }
        return stuck
    }

    /// Plans that partitions have so many replicas, as far as they are among the known ones: more where there
    /// is most room, fewer from the end of their lists. False when there are too few brokers; then nothing is
    /// planned for what follows.
    package mutating func resize(_ wanted: [Place], to count: Int) -> Bool {
        let wanted = Set(wanted)
        for index in places.indices where wanted.contains(places[index]) {
            while places[index].replicas.count > count {
                let last = places[index].replicas.removeLast()
                note(last, isFirst: false, by: -1)
                moved.insert(index)
            }
            while places[index].replicas.count < count {
                let others = places[index].replicas
                guard let next = placement.best(beside: others, isFirst: others.isEmpty) else {
                    return false
                }
                let new = placement.candidates[next].id
                note(new, isFirst: others.isEmpty, by: 1)
                places[index].replicas.append(new)
                moved.insert(index)
            }
        }
        return true
    }

    /// Plans that no broker has two replicas more than another, as far as partitions can move: each broker
    /// has one replica of a partition at most, and no rack is given up.
    package mutating func level() {
        // Each step takes one replica from the fullest broker that can give one: they are as many as there
        // are replicas at most.
        var steps = places.reduce(0) { $0 + $1.replicas.count }
        while steps > 0, levelOnce() { steps -= 1 }
    }

    private mutating func levelOnce() -> Bool {
        let byLoad = placement.candidates.sorted {
            $0.replicas != $1.replicas ? $0.replicas > $1.replicas : $0.id < $1.id
        }
        for full in byLoad {
            for empty in byLoad.reversed() where full.replicas >= empty.replicas + 2 {
                for index in places.indices {
                    let replicas = places[index].replicas
                    guard let slot = replicas.firstIndex(of: full.id),
                        !replicas.contains(empty.id),
                        racks(replicas) <= racks(replicas.map { $0 == full.id ? empty.id : $0 })
                    else { continue }
                    replace(index, slot, with: empty.id)
                    return true
                }
            }
        }
        return false
    }

    /// How many racks have one of these.
    private func racks(_ replicas: [NodeID]) -> Int {
        Set(
            replicas.map { replica in
                placement.candidates.first { $0.id == replica }?.rack ?? "n\(replica.value)"
            }
        ).count
    }

    /// Puts one replica elsewhere.
    private mutating func move(_ index: Int, _ slot: Int) -> Bool {
        let others = places[index].replicas
        guard let next = placement.best(beside: others, isFirst: false) else { return false }
        replace(index, slot, with: placement.candidates[next].id)
        return true
    }

    private mutating func replace(_ index: Int, _ slot: Int, with new: NodeID) {
        let old = places[index].replicas[slot]
        note(old, isFirst: slot == 0, by: -1)
        note(new, isFirst: slot == 0, by: 1)
        places[index].replicas[slot] = new
        moved.insert(index)
    }

    private mutating func note(_ broker: NodeID, isFirst: Bool, by change: Int) {
        guard let index = placement.candidates.firstIndex(where: { $0.id == broker }) else {
            return
        }
        placement.candidates[index].replicas += change
        if isFirst { placement.candidates[index].leaders += change }
    }
}
