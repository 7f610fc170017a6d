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
            } else if let group = coordinator.describeConsumerGroup(name) {
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
