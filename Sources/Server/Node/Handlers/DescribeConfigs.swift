import Base
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    private typealias Result = DescribeConfigsResponse.DescribeConfigsResult
    private typealias Entry = DescribeConfigsResponse.DescribeConfigsResourceResult
    private typealias Resource = DescribeConfigsRequest.DescribeConfigsResource

    /// Every setting of topics, brokers and groups, with where its value comes from.
    mutating func describeConfigs(_ request: DescribeConfigsRequest, _ context: RequestContext) {
        var response = DescribeConfigsResponse()
        var budget = AnswerBudget(entries: configuration.answerEntriesMax)
        let values = BrokerValues(configuration: configuration, image: image)
        for resource in request.resources {
            var result = Result(
                errorMessage: nil, resourceType: resource.resourceType,
                resourceName: resource.resourceName)
            if let error = configRefusal(
                of: resource.resourceType, resource.resourceName, .describeConfigs, context)
            {
                result.errorCode = error
                result.errorMessage = "\(context.principal.text) may not describe the settings"
                response.results.append(result)
                continue
            }
            switch ConfigResource(rawValue: resource.resourceType) {
            case .topic: describeTopic(resource, request, values, &result)
            case .broker: describeBroker(resource, request, values, &result)
            case .group: describeGroup(resource, request, values, &result)
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
        _ resource: Resource, _ request: DescribeConfigsRequest, _ values: BrokerValues,
        _ result: inout Result
    ) {
        guard let topic = image.topic(resource.resourceName) else {
            let complaint = TopicName.complaint(about: resource.resourceName)
            result.errorCode = complaint == nil ? .unknownTopicOrPartition : .invalidTopicException
            result.errorMessage = complaint ?? "there is no topic \(resource.resourceName)"
            return
        }
        for definition in TopicSettings.all
        where isWanted(definition.name, by: resource.configurationKeys) {
            result.configs.append(
                entry(
                    of: definition, own: topic.settings[definition.name], .topic,
                    effective: topicDefaults[definition.name], values.layers(of: definition),
                    request))
        }
    }

    private func describeGroup(
        _ resource: Resource, _ request: DescribeConfigsRequest, _ values: BrokerValues,
        _ result: inout Result
    ) {
        guard !resource.resourceName.isEmpty else {
            result.errorCode = .invalidRequest
            result.errorMessage = "the group has no name"
            return
        }
        let settings = image.settings(of: .group(resource.resourceName))
        for definition in GroupSettings.all
        where isWanted(definition.name, by: resource.configurationKeys) {
            let layers = definition.brokerName.flatMap { BrokerSettings.definition($0) }
                .map { values.layers(of: $0) }
            result.configs.append(
                entry(
                    of: definition, own: settings[definition.name], .group,
                    effective: layers?.first?.value, layers ?? [], request))
        }
    }

    /// A setting of a topic or group: its own value or what the broker's settings make it.
    private func entry(
        of definition: SettingDefinition, own: String?, _ ownSource: ConfigSource,
        effective: String?, _ layers: [BrokerValues.Layer], _ request: DescribeConfigsRequest
    ) -> Entry {
        let inherited = layers.first?.source ?? .defaultValue
        var entry = Entry(
            name: definition.name, value: own ?? effective ?? definition.defaultValue,
            configSource: (own == nil ? inherited : ownSource).rawValue,
            configType: definition.type.rawValue,
            documentation: request.includeDocumentation ? definition.documentation : nil)
        guard request.includeSynonyms else { return entry }
        if let own {
            entry.synonyms.append(
                .init(name: definition.name, value: own, source: ownSource.rawValue))
        }
        entry.synonyms += layers.map {
            .init(name: $0.name, value: $0.value, source: $0.source.rawValue)
        }
        return entry
    }

    private func describeBroker(
        _ resource: Resource, _ request: DescribeConfigsRequest, _ values: BrokerValues,
        _ result: inout Result
    ) {
        let node = "\(configuration.nodeID.value)"
        guard resource.resourceName.isEmpty || resource.resourceName == node else {
            result.errorCode = .invalidRequest
            result.errorMessage = "broker \(resource.resourceName) asked for, this is \(node)"
            return
        }
        // The empty name stands for what was set for all brokers, and for nothing else.
        let isForAll = resource.resourceName.isEmpty
        for setting in BrokerSettings.all
        where isWanted(setting.name, by: resource.configurationKeys) {
            var layers = values.layers(of: setting)
            if isForAll {
                layers.removeAll { $0.source != .dynamicDefaultBroker }
                if layers.isEmpty { continue }
            }
            let hidden = setting.isSensitive
            var entry = Entry(
                name: setting.name, value: hidden ? nil : layers.first?.value,
                readOnly: setting.scope == .start,
                configSource: (layers.first?.source ?? .defaultValue).rawValue,
                isSensitive: hidden, configType: setting.type.rawValue,
                documentation: request.includeDocumentation ? setting.documentation : nil)
            if request.includeSynonyms {
                entry.synonyms = layers.map {
                    .init(
                        name: $0.name, value: hidden ? nil : $0.value,
                        source: $0.source.rawValue)
                }
            }
            result.configs.append(entry)
        }
    }

    private func isWanted(_ name: String, by keys: [String]?) -> Bool {
        keys?.contains(name) ?? true
    }
}
