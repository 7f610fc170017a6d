import Base
import Quorum
import WireProtocol

extension BrokerNode {
    /// Names what DescribeConfigs can be asked about. Before version 1 that are the subscriptions
    /// to client metrics only, of which there are none.
    mutating func listConfigResources(
        _ request: ListConfigResourcesRequest, _ context: RequestContext
    ) {
        var response = ListConfigResourcesResponse()
        guard context.version >= 1 else { return answer(context, response) }
        let all: [ConfigResource] = [.topic, .broker, .brokerLogger, .clientMetrics, .group]
        var wanted: Set<ConfigResource> = []
        for type in request.resourceTypes {
            guard let kind = ConfigResource(rawValue: type), kind != .unknown else {
                response.errorCode = .unsupportedVersion
                return answer(context, response)
            }
            wanted.insert(kind)
        }
        for kind in all where wanted.isEmpty || wanted.contains(kind) {
            response.configResources += names(of: kind).map {
                .init(resourceName: $0, resourceType: kind.rawValue)
            }
        }
        answer(context, response)
    }

    private func names(of kind: ConfigResource) -> [String] {
        switch kind {
        case .topic: image.topics.keys
        case .broker:
            cluster == nil
                ? ["\(configuration.nodeID.value)"] : image.brokers.keys.map { "\($0.value)" }
        case .group: image.settingsOwners(kind: UInt8(ConfigResource.group.rawValue))
        case .brokerLogger, .clientMetrics, .unknown: []
        }
    }
}
