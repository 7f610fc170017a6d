import Base
import Coordinator
import Security
import WireProtocol

extension BrokerNode {
    mutating func shareGroupHeartbeat(
        _ request: ShareGroupHeartbeatRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        guard authorize(context, .read, .group, request.groupId) else {
            return answer(
                context, ShareGroupHeartbeatResponse(errorCode: .groupAuthorizationFailed))
        }
        let isAllowed = (request.subscribedTopicNames ?? []).allSatisfy {
            authorize(context, .describe, .topic, $0)
        }
        guard isAllowed else {
            return answer(
                context, ShareGroupHeartbeatResponse(errorCode: .topicAuthorizationFailed))
        }
        if let refusal = refusalOfShareGroup(request.groupId) {
            return answer(
                context,
                ShareGroupHeartbeatResponse(
                    errorCode: refusal.code, errorMessage: refusal.message))
        }
        if request.memberEpoch == 0, waitForSharesTopic(context, frame) { return }
        let call = ShareHeartbeatCall(
            group: request.groupId, memberID: request.memberId, memberEpoch: request.memberEpoch,
            rackID: request.rackId, clientID: context.clientID,
            clientHost: connections[context.key.connection]?.clientHost ?? "",
            topics: request.subscribedTopicNames)
        let token = park(ParkedShareRequest.heartbeat(context))
        perform(shares.heartbeat(call, token, now: now))
        let member = ShareMember(group: request.groupId, member: request.memberId)
        if request.memberEpoch == -1, !shareSessions.contains(member) {
            // Nothing more will be heard of what it had.
            shares.release(member.member, of: member.group, now: now)
            perform(shares.commit(member.group, nil, now: now))
        }
    }

    mutating func answerHeartbeat(_ heartbeat: ShareHeartbeatAnswer, _ context: RequestContext) {
        var response = ShareGroupHeartbeatResponse(
            errorCode: heartbeat.error, errorMessage: heartbeat.message,
            memberId: heartbeat.memberID, memberEpoch: heartbeat.memberEpoch,
            heartbeatIntervalMs: Int32(clamping: heartbeat.heartbeatInterval.wholeMilliseconds))
        if let assignment = heartbeat.assignment {
            response.assignment = .init(
                topicPartitions: assignment.byTopic.map {
                    .init(topicId: $0.topicID, partitions: $0.partitions)
                })
        }
        answer(context, response)
    }
}
