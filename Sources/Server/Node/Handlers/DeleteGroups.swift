import Base
import Coordinator
import WireProtocol

extension BrokerNode {
    mutating func deleteGroups(_ request: DeleteGroupsRequest, _ context: RequestContext) {
        var response = DeleteGroupsResponse()
        response.results = request.groupsNames.map { .init(groupId: $0) }
        guard !response.results.isEmpty else { return answer(context, response) }
        groupDeletions[context.key] = ParkedGroupDeletion(
            context: context, response: response, open: response.results.count)
        for (place, name) in request.groupsNames.enumerated() {
            guard authorize(context, .delete, .group, name) else {
                groupDeleted(context.key, place: place, .groupAuthorizationFailed)
                continue
            }
            if let refusal = refusal(of: .group(name)) {
                groupDeleted(context.key, place: place, refusal)
                continue
            }
            if shares.contains(name) {
                let token = park(ParkedShareRequest.delete(context.key, place: place))
                perform(shares.delete(name, token, now: now))
                continue
            }
            let token = park(ParkedGroupRequest.delete(context.key, place: place))
            perform(coordinator.delete(name, token, now: now))
        }
    }

    mutating func groupDeleted(_ key: RequestKey, place: Int, _ error: ErrorCode) {
        groupDeletions[key]?.response.results[place].errorCode = error
        groupDeletions[key]?.open -= 1
        guard groupDeletions[key]?.open == 0, let done = groupDeletions.removeValue(forKey: key)
        else { return }
        answer(done.context, done.response)
    }
}
