// Changes of settings, as both requests for it make them: each resource succeeds or fails as a
// whole, and all that succeed become durable together.

import Base
import Log
import Quorum
import Security
import WireProtocol

/// What became of the changes of one resource.
enum AlterationOutcome: Sendable {
    case change(MetadataRecord)
    /// Nothing is to be done, and that is fine.
    case none
    case refused(ErrorCode, String)

    var error: ErrorCode {
        if case .refused(let error, _) = self { return error }
        return .none
    }

    var message: String? {
        if case .refused(_, let message) = self { return message }
        return nil
    }
}

/// One change of one setting.
struct SettingAlteration: Sendable {
    enum Operation: Int8, Sendable {
        case set = 0
        case delete = 1
        case append = 2
        case subtract = 3
    }

    var name: String
    /// The operation as the client wrote it.
    var operation: Int8
    var value: String?
}

/// What one resource is to become.
struct ResourceAlteration: Sendable {
    var type: Int8
    var name: String
    var alterations: [SettingAlteration]
}

/// What the client is told of one resource.
struct ResourceAnswer: Sendable {
    var type: Int8
    var name: String
    var error: ErrorCode
    var message: String?
}

extension BrokerNode {
    /// Changes resources and answers, when something was to be changed and is durable. With
    /// `replaces`, what the changes leave out goes back to its default.
    mutating func alter(
        _ resources: [ResourceAlteration], replaces: Bool, validateOnly: Bool,
        _ context: RequestContext, response: ([ResourceAnswer]) -> some WireResponse
    ) {
        var answers: [ResourceAnswer] = []
        var records: [MetadataRecord] = []
        let repeated = Repetitions(resources.lazy.map { "\($0.type) \($0.name)" })
        for resource in resources {
            let outcome =
                repeated.contains("\(resource.type) \(resource.name)")
                ? .refused(.invalidRequest, "the request names the resource twice")
                : alteration(
                    of: resource.type, resource.name, resource.alterations, replaces: replaces,
                    context)
            if case .change(let record) = outcome { records.append(record) }
            answers.append(
                ResourceAnswer(
                    type: resource.type, name: resource.name, error: outcome.error,
                    message: outcome.message))
        }
        if records.isEmpty || validateOnly { return answer(context, response(answers)) }
        let frame = response(answers).frame(
            version: context.version, correlationId: context.correlationId)
        guard let failure = change(records, .answer(context.key, frame: frame)) else { return }
        for place in answers.indices where answers[place].error == .none {
            answers[place].error = error(failure)
            answers[place].message = failure.description
        }
        answer(context, response(answers))
    }

    /// Why the client may not do `operation` with the settings of a resource; nil when it may.
    func configRefusal(
        of type: Int8, _ name: String, _ operation: AclOperation, _ context: RequestContext
    ) -> ErrorCode? {
        switch ConfigResource(rawValue: type) {
        case .topic:
            authorize(context, operation, .topic, name) ? nil : .topicAuthorizationFailed
        case .group:
            authorize(context, operation, .group, name) ? nil : .groupAuthorizationFailed
        default: authorizeCluster(context, operation) ? nil : .clusterAuthorizationFailed
        }
    }

    /// Checks changes of one resource. With `replaces`, what they leave out goes back to its
    /// default.
    func alteration(
        of type: Int8, _ name: String, _ alterations: [SettingAlteration], replaces: Bool,
        _ context: RequestContext
    ) -> AlterationOutcome {
        if let error = configRefusal(of: type, name, .alterConfigs, context) {
            return .refused(error, "\(context.principal.text) may not alter the settings")
        }
        let names = Repetitions(alterations.lazy.map(\.name))
        for alteration in alterations {
            if alteration.name.isEmpty {
                return .refused(.invalidRequest, "a setting without a name")
            }
            if names.contains(alteration.name) {
                return .refused(.invalidRequest, "\(alteration.name) is named twice")
            }
        }
        switch ConfigResource(rawValue: type) {
        case .topic: return topicAlteration(name, alterations, replaces: replaces)
        case .broker: return brokerAlteration(name, alterations, replaces: replaces)
        case .group: return groupAlteration(name, alterations, replaces: replaces)
        case .brokerLogger:
            return .refused(
                .invalidRequest, "how much is logged is set when the broker starts: --verbose")
        case .clientMetrics:
            return .refused(.invalidRequest, "this broker takes no metrics of clients")
        case .unknown, nil:
            return .refused(.invalidRequest, "resources of type \(type) have no settings")
        }
    }

    private func topicAlteration(
        _ name: String, _ alterations: [SettingAlteration], replaces: Bool
    ) -> AlterationOutcome {
        if let complaint = TopicName.complaint(about: name) {
            return .refused(.invalidTopicException, complaint)
        }
        guard var topic = draft.topic(name) else {
            return .refused(.unknownTopicOrPartition, "there is no topic \(name)")
        }
        if topic.isInternal {
            return .refused(.invalidTopicException, "\(name) belongs to the brokers")
        }
        let values = TopicValues(settings: topic.settings, defaults: topicDefaults)
        if replaces { topic.settings = [:] }
        for alteration in alterations {
            guard let definition = TopicSettings.definition(alteration.name) else {
                return .refused(.invalidConfig, TopicSettings.unknown(alteration.name))
            }
            let current = values.value(alteration.name)
            if let refusal = apply(
                alteration, isList: definition.isList, current: current, &topic.settings)
            {
                return refusal
            }
        }
        if let complaint = TopicSettings.complaint(
            about: topic.settings, defaults: topicDefaults)
        {
            return .refused(.invalidConfig, complaint)
        }
        return .change(.topic(topic))
    }

    private func brokerAlteration(
        _ name: String, _ alterations: [SettingAlteration], replaces: Bool
    ) -> AlterationOutcome {
        let node = "\(configuration.nodeID.value)"
        let isOther =
            Int32(name).map { image.brokers[NodeID($0)] != nil && "\($0)" == name } ?? false
        guard name.isEmpty || name == node || isOther else {
            return .refused(
                .invalidRequest, "there is no broker \(name), this is \(node); \"\" = all brokers")
        }
        let owner = SettingsOwner.broker(name)
        var settings = draft.settings(of: owner)
        let before = settings
        let values = BrokerValues(configuration: configuration, image: draft)
        if replaces { settings = [:] }
        for alteration in alterations {
            guard let setting = BrokerSettings.definition(alteration.name) else {
                return .refused(.invalidRequest, BrokerSettings.unknown(alteration.name))
            }
            switch setting.scope {
            case .start:
                return .refused(
                    .invalidRequest, "\(setting.name) can't be changed while the broker runs")
            case .node where name.isEmpty:
                return .refused(
                    .invalidRequest, "\(setting.name) is set for one broker, not for all")
            case .node, .cluster: break
            }
            let current = before[alteration.name] ?? values.layers(of: setting).first?.value
            if let refusal = apply(
                alteration, isList: setting.type == .list, current: current ?? "", &settings)
            {
                return refusal
            }
            if let value = settings[alteration.name],
                let complaint = setting.rule.complaint(about: value, for: alteration.name)
            {
                return .refused(.invalidRequest, complaint)
            }
        }
        return settings == before ? .none : .change(.settings(owner, settings))
    }

    private func groupAlteration(
        _ name: String, _ alterations: [SettingAlteration], replaces: Bool
    ) -> AlterationOutcome {
        if name.isEmpty { return .refused(.invalidRequest, "the group has no name") }
        let owner = SettingsOwner.group(name)
        var settings = draft.settings(of: owner)
        let before = settings
        if replaces { settings = [:] }
        for alteration in alterations {
            guard let definition = GroupSettings.definition(alteration.name) else {
                return .refused(
                    .invalidConfig, "unknown group setting \"\(alteration.name)\"")
            }
            let current = before[alteration.name] ?? definition.defaultValue
            if let refusal = apply(
                alteration, isList: definition.isList, current: current, &settings)
            {
                return refusal
            }
        }
        let values = BrokerValues(configuration: configuration, image: draft)
        if let complaint = GroupSettings.complaint(about: settings, values) {
            return .refused(.invalidConfig, complaint)
        }
        if before.isEmpty, !settings.isEmpty,
            draft.settingsOwnersCount >= Self.settingsOwnersMax
        {
            return .refused(
                .policyViolation, "settings of \(Self.settingsOwnersMax) groups are kept at most")
        }
        return settings == before ? .none : .change(.settings(owner, settings))
    }

    /// Names of groups are made up by clients, and what is kept of each is kept in memory.
    private static let settingsOwnersMax = 10_000

    private func apply(
        _ alteration: SettingAlteration, isList: Bool, current: String,
        _ settings: inout OrderedMap<String, String>
    ) -> AlterationOutcome? {
        guard let operation = SettingAlteration.Operation(rawValue: alteration.operation) else {
            return .refused(.invalidRequest, "there is no operation \(alteration.operation)")
        }
        if operation == .delete {
            settings[alteration.name] = nil
            return nil
        }
        guard let value = alteration.value else {
            return .refused(.invalidRequest, "\(alteration.name) has no value")
        }
        if operation == .set {
            settings[alteration.name] = value
            return nil
        }
        guard isList else {
            return .refused(
                .invalidConfig,
                "\(alteration.name) is not a list: it can't be added to or taken from")
        }
        var words = SettingDefinition.words(of: current)
        for word in SettingDefinition.words(of: value) {
            if operation == .subtract {
                words.removeAll { $0 == word }
            } else if !words.contains(word) {
                words.append(word)
            }
        }
        settings[alteration.name] = words.joined(separator: ",")
        return nil
    }

    /// The broker's settings have changed: topics without values of their own follow.
    mutating func refreshTopicDefaults() {
        let new = BrokerValues(configuration: configuration, image: image).topicDefaults
        guard new != topicDefaults else { return }
        topicDefaults = new
        for topic in image.topics.values {
            let settings = partitionSettings(of: topic)
            for partition in topic.partitions { store.configure(partition, settings: settings) }
        }
    }

    /// What the logs of `topic` obey.
    func partitionSettings(of topic: TopicMetadata) -> PartitionSettings {
        TopicValues(settings: topic.settings, defaults: topicDefaults).partitionSettings
    }
}
