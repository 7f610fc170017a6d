import Base
import Coordinator
import WireProtocol

extension BrokerNode {
    mutating func syncGroup(_ request: SyncGroupRequest, _ context: RequestContext) {
        let call = SyncCall(
            claim: MemberClaim(
                group: request.groupId, generation: request.generationId,
                memberID: request.memberId, instanceID: request.groupInstanceId),
            protocolType: request.protocolType, protocolName: request.protocolName,
            assignments: request.assignments.map {
                SyncCall.Assignment(memberID: $0.memberId, assignment: $0.assignment)
            })
        let token = park(.sync(context))
        perform(coordinator.sync(call, token, now: now))
    }
}
