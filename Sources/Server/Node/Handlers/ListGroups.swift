import Base
import Coordinator
import WireProtocol

extension BrokerNode {
    mutating func listGroups(_ request: ListGroupsRequest, _ context: RequestContext) {
        var response = ListGroupsResponse()
        let types = request.typesFilter.map { $0.lowercased() }
        let seesAll = authorizeCluster(context, .describe)
        for group in coordinator.list(states: request.statesFilter) {
            if !seesAll, !authorize(context, .describe, .group, group.group) { continue }
            if !types.isEmpty, !types.contains(group.type) { continue }
            response.groups.append(
                .init(
                    groupId: group.group, protocolType: group.protocolType,
                    groupState: group.state, groupType: group.type))
        }
        answer(context, response)
    }
}
