import Base
import Quorum
import WireProtocol

/// What the settings of this broker are, and why: changed while it runs, for this broker or for
/// all; given when it started; or default. The first that says something counts.
struct BrokerValues: Sendable {
    /// One value, and who gave it under which name.
    struct Layer: Sendable {
        var name: String
        var value: String
        var source: ConfigSource
    }

    let configuration: NodeConfiguration
    let node: OrderedMap<String, String>
    let cluster: OrderedMap<String, String>

    init(configuration: NodeConfiguration, image: MetadataImage) {
        self.configuration = configuration
        node = image.settings(of: .broker("\(configuration.nodeID.value)"))
        cluster = image.settings(of: .allBrokers)
    }

    /// Everything that says something about `setting`, the first to count first.
    func layers(of setting: BrokerSetting) -> [Layer] {
        var layers: [Layer] = []
        func add(_ value: String?, _ source: ConfigSource) {
            if let value {
                layers.append(Layer(name: setting.name, value: value, source: source))
            }
        }
        add(node[setting.name], .dynamicBroker)
        add(cluster[setting.name], .dynamicDefaultBroker)
        let current = setting.current?(configuration)
        let given = configuration.startedWith[setting.name]
        if given != nil || current != setting.defaultValue {
            add(current ?? given, .staticBroker)
        }
        add(setting.defaultValue, .defaultValue)
        return layers
    }

    /// The same for a topic that has no value of its own.
    func layers(of definition: SettingDefinition) -> [Layer] {
        BrokerSettings.namesOfDefault(for: definition).flatMap { name, _ in
            BrokerSettings.definition(name).map { layers(of: $0) } ?? []
        }
    }

    /// What the broker's settings change about the defaults of topics.
    var topicDefaults: TopicDefaults {
        var defaults: TopicDefaults = [:]
        for definition in TopicSettings.all {
            if let value = topicDefault(of: definition), value != definition.defaultValue {
                defaults[definition.name] = value
            }
        }
        return defaults
    }

    private func topicDefault(of definition: SettingDefinition) -> String? {
        for (name, factor) in BrokerSettings.namesOfDefault(for: definition) {
            guard let setting = BrokerSettings.definition(name),
                let value = layers(of: setting).first?.value
            else { continue }
            if factor == 1 { return value }
            guard let number = Int64(value) else { return nil }
            if number < 0 { return "-1" }
            let product = number.multipliedReportingOverflow(by: factor)
            return "\(product.overflow ? Int64.max : product.partialValue)"
        }
        return nil
    }
}

extension SettingsOwner {
    static func broker(_ name: String) -> SettingsOwner {
        SettingsOwner(kind: UInt8(ConfigResource.broker.rawValue), name: name)
    }

    static func group(_ name: String) -> SettingsOwner {
        SettingsOwner(kind: UInt8(ConfigResource.group.rawValue), name: name)
    }
}
