// What the newer protocol says about committed offsets.

import Base
import WireProtocol

extension ConsumerGroup {
    /// Why a member's commit can't be accepted. Members of this protocol use versions of the
    /// request that know their errors.
    func refusal(ofCommit claim: MemberClaim, _ knowsMemberEpochs: Bool) -> ErrorCode? {
        if claim.generation < 0, members.isEmpty { return nil }
        guard let member = members[claim.memberID] else { return .unknownMemberId }
        if member.classic == nil, !knowsMemberEpochs { return .unsupportedVersion }
        return refusal(of: member, in: claim.generation)
    }

    /// Why a member may not read the group's offsets. Whoever names no member may.
    func refusal(ofFetch memberID: String?, epoch: Int32) -> ErrorCode? {
        if memberID == nil, epoch < 0 { return nil }
        guard let memberID, let member = members[memberID] else { return .unknownMemberId }
        return refusal(of: member, in: epoch)
    }

    private func refusal(of member: ConsumerMember, in epoch: Int32) -> ErrorCode? {
        if member.epoch == epoch { return nil }
        return member.classic == nil ? .staleMemberEpoch : .illegalGeneration
    }
}
