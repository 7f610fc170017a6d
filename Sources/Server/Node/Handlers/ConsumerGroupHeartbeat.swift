import Base
import Coordinator
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    mutating func consumerGroupHeartbeat(
        _ request: ConsumerGroupHeartbeatRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        guard authorize(context, .read, .group, request.groupId) else {
            return answer(
                context, ConsumerGroupHeartbeatResponse(errorCode: .groupAuthorizationFailed))
        }
        let isAllowed = (request.subscribedTopicNames ?? []).allSatisfy {
            authorize(context, .describe, .topic, $0)
        }
        guard isAllowed else {
            return answer(
                context, ConsumerGroupHeartbeatResponse(errorCode: .topicAuthorizationFailed))
        }
        if shares.contains(request.groupId) {
            return answer(
                context,
                ConsumerGroupHeartbeatResponse(
                    errorCode: .groupIdNotFound,
                    errorMessage: "\(request.groupId) is a share group"))
        }
        if request.memberEpoch == 0, waitForOffsetsTopic(context, frame) { return }
        let call = ConsumerHeartbeatCall(
            group: request.groupId, memberID: request.memberId, memberEpoch: request.memberEpoch,
            instanceID: request.instanceId, rackID: request.rackId, clientID: context.clientID,
            clientHost: connections[context.key.connection]?.clientHost ?? "",
            rebalanceTimeoutMilliseconds: request.rebalanceTimeoutMs,
            topics: request.subscribedTopicNames, regex: request.subscribedTopicRegex,
            assignor: request.serverAssignor,
            owned: request.topicPartitions.map { topics in
                topics.flatMap { topic in
                    topic.partitions.map {
                        AssignedPartition(topicID: topic.topicId, partition: $0)
                    }
                }
            }, bringsItsID: context.version >= 1, mayDescribe: topicVisibility(context))
        let token = park(.consumerHeartbeat(context))
        perform(coordinator.heartbeat(call, token, now: now))
    }

    /// Which topics the client may know of, as things are now; nil for all.
    private func topicVisibility(_ context: RequestContext) -> (@Sendable (String) -> Bool)? {
        guard let authorizer = configuration.authorizer else { return nil }
        let rules = image.acls
        return { name in
            authorizer.allows(
                context.principal, at: context.host, .describe, .topic, name, by: rules)
        }
    }

    mutating func answerHeartbeat(_ heartbeat: ConsumerHeartbeatAnswer, _ context: RequestContext) {
        var response = ConsumerGroupHeartbeatResponse(
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
