import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    private enum Operation: Int8 {
        case set = 0
        case delete = 1
        case append = 2
        case subtract = 3
    }

    /// Changes single settings of topics. Each resource succeeds or fails as a whole.
    mutating func incrementalAlterConfigs(
        _ request: IncrementalAlterConfigsRequest, _ context: RequestContext
    ) {
        var response = IncrementalAlterConfigsResponse()
        var changed: [TopicMetadata] = []
        let repeated = Repetitions(
            request.resources.lazy.map { "\($0.resourceType) \($0.resourceName)" })
        for resource in request.resources {
            var result = IncrementalAlterConfigsResponse.AlterConfigsResourceResponse(
                errorMessage: nil, resourceType: resource.resourceType,
                resourceName: resource.resourceName)
            if repeated.contains("\(resource.resourceType) \(resource.resourceName)") {
                result.errorCode = .invalidRequest
                result.errorMessage = "the request names the resource twice"
            } else {
                (result.errorCode, result.errorMessage) = alter(resource, &changed)
            }
            response.responses.append(result)
        }
        if changed.isEmpty || request.validateOnly { return answer(context, response) }
        let frame = response.frame(
            version: context.version, correlationId: context.correlationId)
        let failure = change(changed.map { .topic($0) }, .answer(context.key, frame: frame))
        guard let failure else { return }
        for place in response.responses.indices
        where response.responses[place].errorCode == .none {
            response.responses[place].errorCode = error(failure)
            response.responses[place].errorMessage = failure.description
        }
        answer(context, response)
    }

    private func alter(
        _ resource: IncrementalAlterConfigsRequest.AlterConfigsResource,
        _ changed: inout [TopicMetadata]
    ) -> (ErrorCode, String?) {
        switch ConfigResource(rawValue: resource.resourceType) {
        case .topic: break
        case .broker:
            return (
                .invalidRequest,
                "settings of the broker can't be changed while it runs; start it with them"
            )
        default:
            return (
                .invalidRequest, "resources of type \(resource.resourceType) have no settings"
            )
        }
        guard var topic = draft.topic(resource.resourceName) else {
            return (
                .unknownTopicOrPartition, "there is no topic \(resource.resourceName)"
            )
        }
        if topic.isInternal {
            return (.invalidTopicException, "\(topic.name) belongs to the brokers")
        }
        for config in resource.configs {
            guard let definition = TopicSettings.definition(config.name) else {
                return (.invalidConfig, TopicSettings.unknown(config.name))
            }
            if let refusal = apply(config, definition, &topic) { return refusal }
        }
        if let complaint = TopicSettings.complaint(about: topic.settings) {
            return (.invalidConfig, complaint)
        }
        changed.append(topic)
        return (.none, nil)
    }

    private func apply(
        _ config: IncrementalAlterConfigsRequest.AlterableConfig,
        _ definition: SettingDefinition, _ topic: inout TopicMetadata
    ) -> (ErrorCode, String?)? {
        guard let operation = Operation(rawValue: config.configOperation) else {
            return (.invalidRequest, "there is no operation \(config.configOperation)")
        }
        if operation == .delete {
            topic.settings[config.name] = nil
            return nil
        }
        guard let value = config.value else {
            return (.invalidRequest, "\(config.name) has no value")
        }
        if operation == .set {
            topic.settings[config.name] = value
            return nil
        }
        guard definition.isList else {
            return (
                .invalidConfig, "\(config.name) is not a list: it can't be added to or taken from"
            )
        }
        let current = TopicSettings.value(config.name, in: topic.settings)
        var words = SettingDefinition.words(of: current)
        for word in SettingDefinition.words(of: value) {
            if operation == .subtract {
                words.removeAll { $0 == word }
            } else if !words.contains(word) {
                words.append(word)
            }
        }
        topic.settings[config.name] = words.joined(separator: ",")
        return nil
    }
}
