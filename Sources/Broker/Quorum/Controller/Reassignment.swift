import Base

// Moves of partitions. While one is under way the partition has its old replicas and the new ones; when all
// that it is to keep are in sync, the others go, in the entry of the log that brings the last of them into
// sync. Nothing that was acknowledged can be lost on the way: who is in sync has all of it.
extension PartitionState {
    /// Replicas come or go.
    package var isMoving: Bool { !adding.isEmpty || !removing.isEmpty }

    /// The replicas after the move.
    package var target: [NodeID] { replicas.filter { !removing.contains($0) } }

    /// The replicas without those that come: whom the partition counts on until they are in sync.
    package var settled: [NodeID] { replicas.filter { !adding.contains($0) } }

    /// Whether a replica that the partition counts on is not in sync.
    package var isUnderReplicated: Bool { !settled.allSatisfy(inSync.contains) }

    /// Goes on with other replicas: those of `target` first, then those that it has until all of them are in
    /// sync. What an earlier move has begun to copy and `target` does not name is given up at once.
    func moving(to target: [NodeID]) -> PartitionState {
        let old = settled
        var new = self
        new.adding = target.filter { !old.contains($0) }
        new.removing = old.filter { !target.contains($0) }
        new.replicas = target + new.removing
        new.keepReplicasOnly()
        new.endMoveIfComplete()
        new.raiseEpochs(above: self)
        return new
    }

    /// The epoch of the partition rises with every change; that of the leader when another one leads, and when
    /// a replica goes. A replica that goes deletes its log and may be given back soon: what it said of the
    /// log that is gone names the epoch before, and no leader takes it for a word about the new one.
    mutating func raiseEpochs(above old: PartitionState, always: Bool = false) {
        partitionEpoch = old.partitionEpoch &+ 1
        if always || leader != old.leader || !old.replicas.allSatisfy(replicas.contains) {
            leaderEpoch = LeaderEpoch(old.leaderEpoch.value &+ 1)
        }
    }

    /// The move is over when everybody who stays is in sync, and so has all that was committed.
    mutating func endMoveIfComplete() {
        guard isMoving, target.allSatisfy(inSync.contains) else { return }
        replicas = target
        adding = []
        removing = []
        keepReplicasOnly()
    }

    /// Whoever is no replica any more does not count, and does not lead.
    private mutating func keepReplicasOnly() {
        inSync = inSync.filter(replicas.contains)
        eligible = eligible.filter(replicas.contains)
        if let old = leader, !inSync.contains(old) {
            leader = replicas.first(where: inSync.contains)
        }
    }
}

extension MetadataImage {
    /// Begins a move, or takes it back.
    func reassign(
        _ topic: UUID128, _ partition: Int32, _ expected: Int32, to replicas: [NodeID]?
    ) -> ClusterDecision {
        let state: PartitionState
        switch changeable(topic, partition, expected) {
        case .success(let found): state = found
        case .failure(let refusal): return .refused(refusal)
        }
        if replicas == nil, !state.isMoving { return .refused(.notMoving) }
        let target = replicas ?? state.settled
        guard !target.isEmpty, Set(target).count == target.count,
            target.allSatisfy({ brokers[$0] != nil || $0 == soleNode })
        else { return .refused(.invalidReplicas) }
        if replicas == state.target { return ClusterDecision([]) }
        let new = state.moving(to: target)
        // Those that have everything are not thrown away for some that have not.
        guard !new.inSync.isEmpty || state.inSync.isEmpty,
            !(new.inSync + new.eligible).isEmpty || (state.inSync + state.eligible).isEmpty
        else { return .refused(.invalidReplicas) }
        return ClusterDecision([.partition(topic: topic, partition, new)])
    }
}
