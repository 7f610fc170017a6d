import Base
import Coordinator
import WireProtocol

extension BrokerNode {
    mutating func joinGroup(
        _ request: JoinGroupRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        if shares.contains(request.groupId) {
            return answer(
                context,
                JoinGroupResponse(
                    errorCode: .inconsistentGroupProtocol,
                    protocolName: context.version >= 7 ? nil : "", memberId: request.memberId))
        }
        if waitForOffsetsTopic(context, frame) { return }
        // Version 0 knows one time limit for both.
        let rebalance =
            request.rebalanceTimeoutMs >= 0 ? request.rebalanceTimeoutMs : request.sessionTimeoutMs
        let call = JoinCall(
            group: request.groupId, memberID: request.memberId, instanceID: request.groupInstanceId,
            clientID: context.clientID,
            clientHost: connections[context.key.connection]?.clientHost ?? "",
            sessionTimeout: .milliseconds(request.sessionTimeoutMs),
            rebalanceTimeout: .milliseconds(max(rebalance, 0)),
            protocolType: request.protocolType,
            protocols: request.protocols.map {
                // Kept as long as the member is: memory of its own.
                MemberProtocol(name: $0.name, metadata: $0.metadata.compacted())
            },
            mustKnowItsID: context.version >= 4, canSkipAssignment: context.version >= 9)
        let token = park(.join(context))
        perform(coordinator.join(call, token, now: now))
    }

    mutating func answerJoin(_ join: JoinAnswer, _ context: RequestContext) {
        var response = JoinGroupResponse()
        response.errorCode = join.error
        response.generationId = join.generation
        response.protocolType = join.protocolType
        // Null only where the layout has it.
        response.protocolName = join.protocolName ?? (context.version >= 7 ? nil : "")
        response.leader = join.leader
        response.skipAssignment = join.skipAssignment
        response.memberId = join.memberID
        response.members = join.members.map {
            .init(memberId: $0.id, groupInstanceId: $0.instanceID, metadata: $0.metadata)
        }
        answer(context, response)
    }
}
