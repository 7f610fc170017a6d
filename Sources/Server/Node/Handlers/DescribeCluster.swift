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
        response.controllerId = configuration.nodeID.value
        response.brokers = [
            .init(
                brokerId: configuration.nodeID.value, host: configuration.advertisedHost,
                port: configuration.advertisedPort, rack: configuration.rack)
        ]
        if request.includeClusterAuthorizedOperations {
            response.clusterAuthorizedOperations = Operations.cluster
        }
        answer(context, response)
    }

    /// The cluster's id as clients see it.
    var clusterIDText: String { publishedText(of: image.clusterID) }
}

/// What a client may do, as bit sets of the published operation numbers. There is no access control
/// yet, so it is everything that makes sense for the resource.
enum Operations {
    private static let read = 3
    private static let write = 4
    private static let create = 5
    private static let delete = 6
    private static let alter = 7
    private static let describe = 8
    private static let clusterAction = 9
    private static let describeConfigs = 10
    private static let alterConfigs = 11
    private static let idempotentWrite = 12

    static let topic = bits([
        read, write, create, delete, alter, describe, describeConfigs, alterConfigs,
    ])
    static let group = bits([read, delete, describe])
    static let cluster = bits([
        create, alter, describe, clusterAction, describeConfigs, alterConfigs, idempotentWrite,
    ])

    private static func bits(_ operations: [Int]) -> Int32 {
        operations.reduce(0) { $0 | 1 << Int32($1) }
    }
}
