import Base

/// A new state of a partition before it has its epochs.
package struct PartitionDecision: Hashable, Sendable {
    package var inSync: [NodeID]
    package var eligible: [NodeID]
    package var leader: NodeID?
    package var raisesEpoch = false

    package init(
        inSync: [NodeID], eligible: [NodeID], leader: NodeID?, raisesEpoch: Bool = false
    ) {
        self.inSync = inSync
        self.eligible = eligible
        self.leader = leader
        self.raisesEpoch = raisesEpoch
    }

    /// Whether anything of `state` would be another.
    func changes(_ state: PartitionState) -> Bool {
        raisesEpoch || inSync != state.inSync || eligible != state.eligible
            || leader != state.leader
    }
}

/// Who is in sync, who is eligible and who leads (the rules of KIP-966).
///
/// The in-sync set and the eligible replicas together have everything that was committed: a leader
/// commits only while the in-sync set is large enough, and then nobody is eligible beside it. Who
/// leaves a set that is large enough without them may miss what is committed next; who leaves one
/// that becomes too small misses nothing, because nothing is committed then.
package struct PartitionElection: Sendable {
    package var state: PartitionState
    /// How many in sync are enough: `min.insync.replicas`, at most the number of replicas.
    package var required: Int

    package init(state: PartitionState, minInSync: Int) {
        self.state = state
        required = max(1, min(minInSync, state.replicas.count))
    }

    /// The state when brokers come and go. `isLive`: registered and not fenced. `mayLead`: not about
    /// to leave. `isLost`: what the replica had is gone, it counts no more.
    package func settle(
        isLive: (NodeID) -> Bool, mayLead: (NodeID) -> Bool = { _ in true },
        isLost: (NodeID) -> Bool = { _ in false }
    ) -> PartitionDecision {
        let stays = state.inSync.filter { isLive($0) && !isLost($0) }
        var decision = PartitionDecision(
            inSync: stays, eligible: eligible(beside: stays, isLost: isLost), leader: nil)
        if let leader = state.leader, stays.contains(leader), mayLead(leader) {
            decision.leader = leader
            return decision
        }
        let candidates = state.replicas.filter { stays.contains($0) }
        if let next = candidates.first(where: mayLead) {
            decision.leader = next
        } else if let leader = state.leader, stays.contains(leader) {
            // It wants to leave, and nobody can take over.
            decision.leader = leader
        } else if let next = candidates.first {
            decision.leader = next
        } else {
            elect(from: &decision, isLive: isLive)
        }
        return decision
    }

    /// Nobody is in sync: one of those that were and have everything is, too, enough to go on.
    private func elect(from decision: inout PartitionDecision, isLive: (NodeID) -> Bool) {
        let candidates = decision.eligible
        guard let next = state.replicas.first(where: { candidates.contains($0) && isLive($0) })
        else { return }
        decision.leader = next
        decision.inSync = [next]
        decision.eligible = required <= 1 ? [] : candidates.filter { $0 != next }
    }

    /// Who is eligible when `inSync` is the new in-sync set, in the order of the replicas.
    private func eligible(
        beside inSync: [NodeID], isLost: (NodeID) -> Bool = { _ in false }
    ) -> [NodeID] {
        guard inSync.count < required else { return [] }
        return state.replicas.filter {
            (state.inSync.contains($0) || state.eligible.contains($0)) && !inSync.contains($0)
                && !isLost($0)
        }
    }

    /// The state with the in-sync set that its leader wants.
    package func withInSync(_ wanted: [NodeID]) -> PartitionDecision {
        PartitionDecision(
            inSync: wanted, eligible: eligible(beside: wanted), leader: state.leader)
    }

    /// The first replica leads again, when it is in sync.
    package func preferred(isLive: (NodeID) -> Bool) -> PartitionDecision? {
        guard let first = state.replicas.first, first != state.leader, isLive(first),
            state.inSync.contains(first)
        else { return nil }
        return PartitionDecision(
            inSync: state.inSync, eligible: state.eligible, leader: first)
    }
}
