import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// Forgets a broker that is gone for good. In a cluster its node is no member of the quorum any more, so
    /// that one with another disk may take its number; replicas that it has are copied to that disk. The
    /// only broker can't be forgotten while it answers.
    mutating func unregisterBroker(
        _ request: UnregisterBrokerRequest, _ context: RequestContext
    ) {
        let node = NodeID(request.brokerId)
        guard let members = cluster?.replica?.core.configuration else {
            let isOurs = node == configuration.nodeID
            return refuseUnregistering(
                context, isOurs ? .invalidRequest : .brokerIdNotRegistered,
                isOurs
                    ? "broker \(node.value) is the one that answers"
                    : "there is no broker \(node.value), the only one is "
                        + "\(configuration.nodeID.value)")
        }
        let isMember = members.member(node) != nil
        guard isMember || draft.brokers[node] != nil else {
            return refuseUnregistering(
                context, .brokerIdNotRegistered, "there is no broker \(node.value)")
        }
        guard node != configuration.nodeID, cluster?.linkTo[node] == nil, !draft.isAlive(node)
        else {
            return refuseUnregistering(
                context, .invalidRequest,
                "broker \(node.value) is alive: only who is gone for good can be forgotten")
        }
        let frame = UnregisterBrokerResponse().frame(
            version: context.version, correlationId: context.correlationId)
        let completion = PendingChange.Completion.answer(context.key, frame: frame)
        // Its registration stays as long as it has replicas: the new disk takes their place.
        let records = draft.decide(.unregister(node), at: 0).records
        guard isMember else {
            if let failure = change(records, completion) {
                refuseUnregistering(context, error(failure), failure.description)
            }
            return
        }
        if !records.isEmpty { _ = change(records, .none) }
        let token = nextToken()
        cluster?.proposals[token.value] = PendingChange(records: [], completion: completion)
        drive(.change(.remove(node), token))
    }

    private mutating func refuseUnregistering(
        _ context: RequestContext, _ error: ErrorCode, _ message: String
    ) {
        answer(context, UnregisterBrokerResponse(errorCode: error, errorMessage: message))
    }
}
