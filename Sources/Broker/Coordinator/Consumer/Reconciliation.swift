import Base

/// The next step of one member from what it has to what it shall have: first it gives back, then
/// it moves to the epoch of the target, then it gets what is free.
struct Reconciliation {
    var targetEpoch: Int32
    var target: PartitionSet
    /// What the member says it owns; nil when it did not say.
    var reported: PartitionSet?

    /// `isTaken` says whether another member still has a partition.
    func step(
        _ member: ConsumerMember, isTaken: (AssignedPartition) -> Bool
    ) -> ConsumerMember {
        switch member.state {
        case .stable where member.epoch == targetEpoch:
            return member
        case .unrevoked where isStillOwned(member.pendingRevocation):
            // It stays in its epoch until it reports a list without them.
            return member
        case .stable, .unrevoked, .unreleased:
            return next(member, isTaken)
        }
    }

    private func isStillOwned(_ partitions: PartitionSet) -> Bool {
        guard let reported else { return true }
        return reported.intersects(partitions)
    }

    private func next(
        _ member: ConsumerMember, _ isTaken: (AssignedPartition) -> Bool
    ) -> ConsumerMember {
        var member = member
        let kept = member.assigned.intersection(target)
        let revoked = member.assigned.subtracting(kept)
        if !revoked.isEmpty, isStillOwned(revoked) {
            member.state = .unrevoked
            member.assigned = kept
            member.pendingRevocation = revoked
            return member
        }
        let wanted = target.subtracting(kept)
        let free = wanted.filter { !isTaken($0) }
        member.state = free.count < wanted.count ? .unreleased : .stable
        member.move(to: targetEpoch)
        member.assigned = kept.union(free)
        member.pendingRevocation = PartitionSet()
        return member
    }
}
