import Base
import Coordinator
import WireProtocol

extension BrokerNode {
    mutating func describeGroups(_ request: DescribeGroupsRequest, _ context: RequestContext) {
        var response = DescribeGroupsResponse()
        var seen: Set<String> = []
        for name in request.groups where seen.insert(name).inserted {
            var entry = DescribeGroupsResponse.DescribedGroup(groupId: name)
            if !authorize(context, .describe, .group, name) {
                entry.errorCode = .groupAuthorizationFailed
                response.groups.append(entry)
                continue
            }
            if let refusal = refusal(of: .group(name)) {
                entry.errorCode = refusal
            } else if let group = coordinator.describe(name) {
                entry.groupState = group.state
                entry.protocolType = group.protocolType
                entry.protocolData = group.protocolName
                entry.members = group.members.map {
                    .init(
                        memberId: $0.id, groupInstanceId: $0.instanceID, clientId: $0.clientID,
                        clientHost: $0.clientHost, memberMetadata: $0.metadata,
                        memberAssignment: $0.assignment)
                }
            } else {
                entry.groupState = "Dead"
                if context.version >= 6 {
                    entry.errorCode = .groupIdNotFound
                    entry.errorMessage =
                        shares.contains(name)
                        ? "\(name) is a share group: describe it as one"
                        : "there is no group \(name) of the classic protocol"
                }
            }
            if request.includeAuthorizedOperations {
                entry.authorizedOperations = authorizedOperations(context, .group, name)
            }
            response.groups.append(entry)
        }
        answer(context, response)
    }
}
