import Coordinator
import WireProtocol

extension BrokerNode {
    mutating func leaveGroup(_ request: LeaveGroupRequest, _ context: RequestContext) {
        let members =
            context.version >= 3
            ? request.members.map {
                LeaveCall.Member(memberID: $0.memberId, instanceID: $0.groupInstanceId)
            } : [LeaveCall.Member(memberID: request.memberId)]
        let token = park(.leave(context))
        perform(
            coordinator.leave(
                LeaveCall(group: request.groupId, members: members), token, now: now))
    }

    mutating func answerLeave(_ leave: LeaveAnswer, _ context: RequestContext) {
        var response = LeaveGroupResponse(errorCode: leave.error)
        if context.version >= 3 {
            response.members = leave.members.map {
                .init(
                    memberId: $0.memberID, groupInstanceId: $0.instanceID, errorCode: $0.error)
            }
        } else if leave.error == .none, let only = leave.members.first {
            response.errorCode = only.error
        }
        answer(context, response)
    }
}
