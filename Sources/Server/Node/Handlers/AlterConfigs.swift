import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// Replaces all settings of resources. Each succeeds or fails as a whole.
    mutating func alterConfigs(_ request: AlterConfigsRequest, _ context: RequestContext) {
        var response = AlterConfigsResponse()
        var records: [MetadataRecord] = []
        let repeated = Repetitions(
            request.resources.lazy.map { "\($0.resourceType) \($0.resourceName)" })
        for resource in request.resources {
            let isRepeated = repeated.contains(
                "\(resource.resourceType) \(resource.resourceName)")
            let outcome =
                isRepeated
                ? .refused(.invalidRequest, "the request names the resource twice")
                : alteration(
                    of: resource.resourceType, resource.resourceName,
                    resource.configs.map {
                        SettingAlteration(
                            name: $0.name, operation: SettingAlteration.Operation.set.rawValue,
                            value: $0.value)
                    }, replaces: true, context)
            if case .change(let record) = outcome { records.append(record) }
            response.responses.append(
                .init(
                    errorCode: outcome.error, errorMessage: outcome.message,
                    resourceType: resource.resourceType, resourceName: resource.resourceName))
        }
        if records.isEmpty || request.validateOnly { return answer(context, response) }
        let frame = response.frame(
            version: context.version, correlationId: context.correlationId)
        guard let failure = change(records, .answer(context.key, frame: frame)) else { return }
        for place in response.responses.indices
        where response.responses[place].errorCode == .none {
            response.responses[place].errorCode = error(failure)
            response.responses[place].errorMessage = failure.description
        }
        answer(context, response)
    }
}
