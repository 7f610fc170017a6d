import Coordinator
import WireProtocol

extension BrokerNode {
    mutating func heartbeat(_ request: HeartbeatRequest, _ context: RequestContext) {
        let claim = MemberClaim(
            group: request.groupId, generation: request.generationId, memberID: request.memberId,
            instanceID: request.groupInstanceId)
        let token = park(ParkedGroupRequest.heartbeat(context))
        perform(coordinator.heartbeat(claim, token, now: now))
    }
}
