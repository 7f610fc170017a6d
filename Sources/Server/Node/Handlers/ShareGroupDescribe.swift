import Base
import Coordinator
import Security
import WireProtocol

extension BrokerNode {
    mutating func shareGroupDescribe(
        _ request: ShareGroupDescribeRequest, _ context: RequestContext
    ) {
        var response = ShareGroupDescribeResponse()
        var seen: Set<String> = []
        for name in request.groupIds where seen.insert(name).inserted {
            var entry = ShareGroupDescribeResponse.DescribedGroup(groupId: name)
            guard authorize(context, .describe, .group, name) else {
                entry.errorCode = .groupAuthorizationFailed
                response.groups.append(entry)
                continue
            }
            if name.isEmpty {
                entry.errorCode = .invalidGroupId
                entry.errorMessage = "the group id is empty"
            } else if let group = shares.describe(name) {
                entry.groupState = group.state
                entry.groupEpoch = group.epoch
                entry.assignmentEpoch = group.assignmentEpoch
                entry.assignorName = group.assignor
                entry.members = group.members.map { member in
                    .init(
                        memberId: member.id, rackId: member.rackID, memberEpoch: member.epoch,
                        clientId: member.clientID, clientHost: member.clientHost,
                        subscribedTopicNames: member.topics,
                        assignment: .init(
                            topicPartitions: member.assigned.map {
                                .init(
                                    topicId: $0.id, topicName: $0.name, partitions: $0.partitions)
                            }))
                }
            } else {
                entry.errorCode = .groupIdNotFound
                entry.errorMessage = "there is no share group \(name)"
            }
            if request.includeAuthorizedOperations {
                entry.authorizedOperations = authorizedOperations(context, .group, name)
            }
            response.groups.append(entry)
        }
        answer(context, response)
    }
}
