import Coordinator
import WireProtocol

extension BrokerNode {
    mutating func listGroups(_ request: ListGroupsRequest, _ context: RequestContext) {
        var response = ListGroupsResponse()
        let types = request.typesFilter.map { $0.lowercased() }
        for group in coordinator.list(states: request.statesFilter) {
            if !types.isEmpty, !types.contains(group.type) { continue }
            response.groups.append(
                .init(
                    groupId: group.group, protocolType: group.protocolType,
                    groupState: group.state, groupType: group.type))
        }
        answer(context, response)
    }
}
