import Base
import Coordinator
import WireProtocol

extension BrokerNode {
    mutating func listGroups(_ request: ListGroupsRequest, _ context: RequestContext) {
        var response = ListGroupsResponse()
        let types = request.typesFilter.map { $0.lowercased() }
        let seesAll = authorizeCluster(context, .describe)
        // A name is one kind of group, so that no two of these are equal.
        let all =
            (coordinator.list(states: request.statesFilter)
            + shares.list(states: request.statesFilter)).sorted { $0.group < $1.group }
        for group in all {
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
