import Base
import Quorum
import WireProtocol

extension BrokerNode {
    /// Which requests this broker serves and which features are switched on. A client that says
    /// which broker it means learns here when it has reached another one.
    mutating func apiVersions(_ request: ApiVersionsRequest, _ context: RequestContext) {
        if context.version >= 3, !request.isWellFormed {
            return answer(context, ApiVersionsResponse(errorCode: .invalidRequest))
        }
        let isMisled =
            (request.clusterId.map { $0 != clusterIDText } ?? false)
            || (request.nodeId != -1 && request.nodeId != configuration.nodeID.value)
        if context.version >= 5, isMisled {
            return answer(context, ApiVersionsResponse(errorCode: .rebootstrapRequired))
        }
        var response = versions.response(version: context.version)
        // Levels change with the version of the software, and a new one begins with a start.
        response.add(
            ClusterFeature.all, epoch: Int64(image.leaderEpoch.value), version: context.version)
        answer(context, response)
    }
}
