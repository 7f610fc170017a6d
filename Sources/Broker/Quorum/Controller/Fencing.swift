import Base

// What follows when brokers come and go, in the same entry of the log: nobody ever sees a broker that is
// fenced and leads. Who is in sync and who leads is for `PartitionElection` to say.
extension MetadataImage {
    /// The records that fence a broker: it leads nothing any more and is in no in-sync set.
    func recordsFencing(_ id: NodeID) -> [MetadataRecord] {
        guard var broker = brokers[id] else { return [] }
        var records: [MetadataRecord] = []
        if !broker.isFenced {
            broker.isFenced = true
            records.append(.broker(broker))
        }
        return records + recordsSettling(id) { $0 != id && isAlive($0) }
    }

    /// The records that let a broker lead: partitions without a leader get one.
    func recordsUnfencing(_ id: NodeID) -> [MetadataRecord] {
        guard var broker = brokers[id], broker.isFenced else { return [] }
        broker.isFenced = false
        return [.broker(broker)] + recordsSettling(id) { $0 == id || isAlive($0) }
    }

    /// Registered and not fenced.
    package func isAlive(_ id: NodeID) -> Bool { brokers[id]?.isFenced == false }

    /// The new states of the partitions that have a replica on the broker.
    private func recordsSettling(
        _ id: NodeID, isLive: (NodeID) -> Bool
    ) -> [MetadataRecord] {
        var records: [MetadataRecord] = []
        for topic in topics.values {
            for partition in 0..<topic.partitionCount {
                let old = state(of: topic, partition)
                guard old.replicas.contains(id) else { continue }
                let decision = PartitionElection(
                    state: old, minInSync: minInSync(of: topic, old)
                ).settle(isLive: isLive)
                guard decision.changes(old) else { continue }
                records.append(.partition(topic: topic.id, partition, old.with(decision)))
            }
        }
        return records
    }

    /// How many replicas have to have what is acknowledged: what the topic says, else what all topics are
    /// told, else one less than it has. While a partition moves its new replicas don't count, so that nobody
    /// waits for them.
    package func minInSync(of topic: TopicMetadata, _ state: PartitionState) -> Int {
        let name = "min.insync.replicas"
        let wanted = topic.settings[name] ?? settings(of: .allBrokers)[name]
        let count = state.replicas.count - state.adding.count
        return max(1, min(wanted.flatMap(Int.init) ?? count - 1, count))
    }
}

extension PartitionState {
    /// The state after a decision, with epochs of its own. A move that has come to its end with it is over.
    func with(_ decision: PartitionDecision) -> PartitionState {
        var new = self
        new.inSync = decision.inSync
        new.eligible = decision.eligible
        new.leader = decision.leader
        new.endMoveIfComplete()
        new.raiseEpochs(above: self, always: decision.raisesEpoch)
        return new
    }
}
