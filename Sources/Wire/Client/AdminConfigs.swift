// Settings of topics, brokers and groups.

import Base
import WireProtocol

/// What has settings.
public enum ConfigOwner: Hashable, Sendable {
    case topic(String)
    /// One broker, by its number.
    case broker(Int32)
    /// What holds for every broker that has no setting of its own.
    case everyBroker
    case group(String)

    var kind: ConfigResource {
        switch self {
        case .topic: .topic
        case .broker, .everyBroker: .broker
        case .group: .group
        }
    }

    var name: String {
        switch self {
        case .topic(let name), .group(let name): name
        case .broker(let id): String(id)
        case .everyBroker: ""
        }
    }
}

extension ConfigOwner: CustomStringConvertible {
    public var description: String {
        switch self {
        case .topic(let name): "topic '\(name)'"
        case .broker(let id): "broker \(id)"
        case .everyBroker: "all brokers"
        case .group(let name): "group '\(name)'"
        }
    }
}

/// A setting of a topic, broker or group.
public struct ConfigEntry: Hashable, Sendable {
    /// Where a value comes from.
    public enum Source: String, Hashable, Sendable {
        case topic, group, broker, everyBroker, configuration, standard, unknown
    }

    /// Another place that has a value for the setting; the first of a list wins.
    public struct Synonym: Hashable, Sendable {
        public var name: String
        public var value: String?
        public var source: Source
    }

    public var name: String
    /// nil for values that the broker hides.
    public var value: String?
    public var isReadOnly: Bool
    public var isSensitive: Bool
    /// Whether nobody has changed it for this topic, broker or group.
    public var isDefault: Bool
    public var source: Source
    /// `boolean`, `int`, `long`, `string`, `list` …; empty when the broker doesn't tell.
    public var type: String
    public var documentation: String?
    public var synonyms: [Synonym]
}

/// A change of one setting.
public enum ConfigChange: Hashable, Sendable {
    case set(String)
    /// Back to the default.
    case unset
    /// Adds elements to a list.
    case append(String)
    /// Takes elements out of a list.
    case subtract(String)

    var operation: Int8 {
        switch self {
        case .set: 0
        case .unset: 1
        case .append: 2
        case .subtract: 3
        }
    }

    var value: String? {
        switch self {
        case .set(let value), .append(let value), .subtract(let value): value
        case .unset: nil
        }
    }
}

extension Admin {
    /// The settings of `owner`, by name. `names` nil = all. With `explains`, each has its
    /// documentation and the other places that have a value for it.
    public func describeConfigs(
        of owner: ConfigOwner, names: [String]? = nil, explains: Bool = false
    ) throws(ClientFailure) -> [ConfigEntry] {
        let request = DescribeConfigsRequest(
            resources: [
                .init(
                    resourceType: owner.kind.rawValue, resourceName: owner.name,
                    configurationKeys: names)
            ], includeSynonyms: explains, includeDocumentation: explains)
        return try patiently { () throws(ClientFailure) in
            let response = try connection(for: owner).call(request)
            guard let result = response.results.first else {
                throw ClientFailure("the broker left \(owner) out")
            }
            guard result.errorCode == .none else {
                let failure = ClientFailure(
                    result.errorCode, "describe the settings of \(owner)",
                    detail: result.errorMessage)
                throw result.errorCode == .unknownTopicOrPartition ? failure.final : failure
            }
            return result.configs.map { ConfigEntry($0, of: owner) }.sorted { $0.name < $1.name }
        }
    }

    /// Changes settings of `owner`: all of them, or none when one is refused.
    public func alterConfigs(
        of owner: ConfigOwner, _ changes: [String: ConfigChange], validateOnly: Bool = false
    ) throws(ClientFailure) {
        var resource = IncrementalAlterConfigsRequest.AlterConfigsResource(
            resourceType: owner.kind.rawValue, resourceName: owner.name)
        for (name, change) in changes.sorted(by: { $0.key < $1.key }) {
            resource.configs.append(
                .init(name: name, configOperation: change.operation, value: change.value))
        }
        let request = IncrementalAlterConfigsRequest(
            resources: [resource], validateOnly: validateOnly)
        try patiently { () throws(ClientFailure) in
            // Also those of a broker that is not there: they belong to the metadata.
            let response = try cluster.controllerConnection().call(request)
            for result in response.responses where result.errorCode != .none {
                let failure = ClientFailure(
                    result.errorCode, "change the settings of \(owner)",
                    detail: result.errorMessage)
                throw result.errorCode == .unknownTopicOrPartition ? failure.final : failure
            }
        }
    }

    /// A broker answers for itself; everything else is the controller's.
    private func connection(for owner: ConfigOwner) throws(ClientFailure) -> BrokerConnection {
        guard case .broker(let id) = owner else { return try cluster.controllerConnection() }
        let known = try cluster.metadata([]).brokers.map(\.nodeId)
        guard known.contains(id) else {
            let list = known.sorted().map { "\($0)" }.joined(separator: ", ")
            throw ClientFailure(
                .brokerNotAvailable, "there is no broker \(id)", detail: "known: \(list)"
            ).final
        }
        return try cluster.connection(to: id)
    }

    /// The settings of a topic, by name.
    public func describeTopicConfigs(_ topic: String) throws(ClientFailure) -> [ConfigEntry] {
        try describeConfigs(of: .topic(topic))
    }

    /// Sets settings of a topic; nil goes back to the default.
    public func setTopicConfigs(
        _ topic: String, _ changes: [String: String?]
    ) throws(ClientFailure) {
        try alterConfigs(
            of: .topic(topic), changes.mapValues { $0.map { .set($0) } ?? .unset })
    }
}

extension ConfigEntry {
    fileprivate init(
        _ result: DescribeConfigsResponse.DescribeConfigsResourceResult, of owner: ConfigOwner
    ) {
        let source = Source(number: result.configSource)
        let own: Source =
            switch owner {
            case .topic: .topic
            case .group: .group
            case .broker: .broker
            case .everyBroker: .everyBroker
            }
        self.init(
            name: result.name, value: result.value, isReadOnly: result.readOnly,
            isSensitive: result.isSensitive,
            // What the broker was started with is not its default either.
            isDefault: source != own && !(own == .broker && source != .standard),
            source: source,
            type: ConfigType(rawValue: result.configType).map {
                $0 == .unknown ? "" : "\($0)"
            } ?? "",
            documentation: result.documentation,
            synonyms: result.synonyms.map {
                Synonym(name: $0.name, value: $0.value, source: Source(number: $0.source))
            })
    }
}

extension ConfigEntry.Source {
    fileprivate init(number: Int8) {
        self =
            switch ConfigSource(rawValue: number) {
            case .topic: .topic
            case .dynamicBroker, .dynamicBrokerLogger: .broker
            case .dynamicDefaultBroker: .everyBroker
            case .staticBroker: .configuration
            case .defaultValue: .standard
            case .group: .group
            case .clientMetrics, .unknown, nil: .unknown
            }
    }
}
