import Base
import WireProtocol

extension BrokerNode {
    /// The only broker can't be forgotten while it answers.
    mutating func unregisterBroker(
        _ request: UnregisterBrokerRequest, _ context: RequestContext
    ) {
        let node = configuration.nodeID.value
        let isOurs = request.brokerId == node
        answer(
            context,
            UnregisterBrokerResponse(
                errorCode: isOurs ? .invalidRequest : .brokerIdNotRegistered,
                errorMessage: isOurs
                    ? "broker \(node) is the one that answers"
                    : "there is no broker \(request.brokerId), the only one is \(node)"))
    }
}
