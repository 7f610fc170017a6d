import Base
import Coordinator
import Security
import WireProtocol

extension BrokerNode {
    mutating func consumerGroupDescribe(
        _ request: ConsumerGroupDescribeRequest, _ context: RequestContext
    ) {
        var response = ConsumerGroupDescribeResponse()
        var seen: Set<String> = []
        for name in request.groupIds where seen.insert(name).inserted {
            var entry = ConsumerGroupDescribeResponse.DescribedGroup(groupId: name)
            guard authorize(context, .describe, .group, name) else {
                entry.errorCode = .groupAuthorizationFailed
                response.groups.append(entry)
                continue
            }
            if name.isEmpty {
                entry.errorCode = .invalidGroupId
                entry.errorMessage = "the group id is empty"
            } else if let refusal = refusal(of: .group(name)) {
                entry.errorCode = refusal
                entry.errorMessage = "this node does not coordinate group \(name)"
            } else if let group = coordinator.describeConsumerGroup(name) {
                guard maySeeTopics(of: group, context) else {
                    entry.errorCode = .topicAuthorizationFailed
                    entry.errorMessage = "the group reads topics that the client may not describe"
                    response.groups.append(entry)
                    continue
                }
                entry.groupState = group.state
                entry.groupEpoch = group.epoch
                entry.assignmentEpoch = group.assignmentEpoch
                entry.assignorName = group.assignor
                entry.members = group.members.map(member)
            } else {
                entry.errorCode = .groupIdNotFound
                entry.errorMessage = "there is no group \(name) of the consumer protocol"
            }
            if request.includeAuthorizedOperations {
                entry.authorizedOperations = authorizedOperations(context, .group, name)
            }
            response.groups.append(entry)
        }
        answer(context, response)
    }

    private func maySeeTopics(
        of group: ConsumerGroupDescription, _ context: RequestContext
    ) -> Bool {
        guard configuration.authorizer != nil else { return true }
        let topics = group.members.flatMap { $0.assigned + $0.target }.map(\.name)
        return Set(topics).allSatisfy { authorize(context, .describe, .topic, $0) }
    }

    private func member(
        _ member: ConsumerGroupDescription.Member
    ) -> ConsumerGroupDescribeResponse.Member {
        .init(
            memberId: member.id, instanceId: member.instanceID, rackId: member.rackID,
            memberEpoch: member.epoch, clientId: member.clientID, clientHost: member.clientHost,
            subscribedTopicNames: member.topics, subscribedTopicRegex: member.regex,
            assignment: assignment(member.assigned), targetAssignment: assignment(member.target),
            memberType: member.isClassic ? 0 : 1)
    }

    private func assignment(
        _ topics: [ConsumerGroupDescription.Topic]
    ) -> ConsumerGroupDescribeResponse.Assignment {
        .init(
            topicPartitions: topics.map {
                .init(topicId: $0.id, topicName: $0.name, partitions: $0.partitions)
            })
    }
}
