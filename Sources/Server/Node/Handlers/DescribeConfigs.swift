import Base
import Quorum
import WireProtocol

extension BrokerNode {
    /// Every setting of topics and of this broker, with where its value comes from.
    mutating func describeConfigs(_ request: DescribeConfigsRequest, _ context: RequestContext) {
        var response = DescribeConfigsResponse()
        var budget = AnswerBudget(entries: configuration.answerEntriesMax)
        for resource in request.resources {
            var result = DescribeConfigsResponse.DescribeConfigsResult(
                errorMessage: nil, resourceType: resource.resourceType,
                resourceName: resource.resourceName)
            switch ConfigResource(rawValue: resource.resourceType) {
            case .topic: describeTopic(resource, request, &result)
            case .broker: describeBroker(resource, request, &result)
            default:
                result.errorCode = .invalidRequest
                result.errorMessage = "resources of type \(resource.resourceType) have no settings"
            }
            if !budget.take(entries: result.configs.count) {
                result.configs = []
                result.errorCode = .invalidRequest
                result.errorMessage = "the answer would be too large: ask for fewer resources"
            }
            response.results.append(result)
        }
        answer(context, response)
    }

    private func describeTopic(
        _ resource: DescribeConfigsRequest.DescribeConfigsResource,
        _ request: DescribeConfigsRequest,
        _ result: inout DescribeConfigsResponse.DescribeConfigsResult
    ) {
        guard let topic = image.topic(resource.resourceName) else {
            let complaint = TopicName.complaint(about: resource.resourceName)
            result.errorCode = complaint == nil ? .unknownTopicOrPartition : .invalidTopicException
            result.errorMessage = complaint ?? "there is no topic \(resource.resourceName)"
            return
        }
        for definition in TopicSettings.all
        where isWanted(definition.name, by: resource.configurationKeys) {
            let own = topic.settings[definition.name]
            var entry = DescribeConfigsResponse.DescribeConfigsResourceResult(
                name: definition.name, value: own ?? definition.defaultValue,
                configSource: (own == nil ? ConfigSource.defaultValue : .topic).rawValue,
                configType: definition.type.rawValue,
                documentation: request.includeDocumentation ? definition.documentation : nil)
            if request.includeSynonyms {
                if let own {
                    entry.synonyms.append(
                        .init(
                            name: definition.name, value: own, source: ConfigSource.topic.rawValue))
                }
                if let brokerName = definition.brokerName {
                    entry.synonyms.append(
                        .init(
                            name: brokerName, value: definition.defaultValue,
                            source: ConfigSource.defaultValue.rawValue))
                }
            }
            result.configs.append(entry)
        }
    }

    private func describeBroker(
        _ resource: DescribeConfigsRequest.DescribeConfigsResource,
        _ request: DescribeConfigsRequest,
        _ result: inout DescribeConfigsResponse.DescribeConfigsResult
    ) {
        // The empty name stands for the defaults of the whole cluster, of which none is set.
        if resource.resourceName.isEmpty { return }
        guard resource.resourceName == "\(configuration.nodeID.value)" else {
            result.errorCode = .invalidRequest
            result.errorMessage =
                "broker \(resource.resourceName) asked for, this is \(configuration.nodeID.value)"
            return
        }
        for setting in BrokerSettings.all(of: configuration)
        where isWanted(setting.name, by: resource.configurationKeys) {
            let isDefault = setting.value == setting.defaultValue
            let source = isDefault ? ConfigSource.defaultValue : .staticBroker
            var entry = DescribeConfigsResponse.DescribeConfigsResourceResult(
                name: setting.name, value: setting.value, readOnly: true,
                configSource: source.rawValue, configType: setting.type.rawValue,
                documentation: request.includeDocumentation ? setting.documentation : nil)
            if request.includeSynonyms {
                if !isDefault {
                    entry.synonyms.append(
                        .init(
                            name: setting.name, value: setting.value,
                            source: ConfigSource.staticBroker.rawValue))
                }
                if let value = setting.defaultValue {
                    entry.synonyms.append(
                        .init(
                            name: setting.name, value: value,
                            source: ConfigSource.defaultValue.rawValue))
                }
            }
            result.configs.append(entry)
        }
    }

    private func isWanted(_ name: String, by keys: [String]?) -> Bool {
        keys?.contains(name) ?? true
    }
}
