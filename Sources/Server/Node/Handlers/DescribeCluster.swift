import Base
import Quorum
import WireProtocol

extension BrokerNode {
    mutating func describeCluster(_ request: DescribeClusterRequest, _ context: RequestContext) {
        var response = DescribeClusterResponse()
        response.endpointType = request.endpointType
        guard request.endpointType == 1 else {
            response.errorCode =
                request.endpointType == 2 ? .mismatchedEndpointType : .unsupportedEndpointType
            response.errorMessage = "this listener serves brokers, not controllers"
            return answer(context, response)
        }
        response.clusterId = clusterIDText
        response.controllerId = controllerForClients
        response.brokers = reachableBrokers(
            context, withFenced: request.includeFencedBrokers
        ).map {
            .init(
                brokerId: $0.id, host: $0.host, port: $0.port, rack: $0.rack,
                isFenced: $0.isFenced)
        }
        if request.includeClusterAuthorizedOperations {
            response.clusterAuthorizedOperations = authorizedClusterOperations(context)
        }
        answer(context, response)
    }

    /// The cluster's id as clients see it.
    var clusterIDText: String { publishedText(of: image.clusterID) }
}
