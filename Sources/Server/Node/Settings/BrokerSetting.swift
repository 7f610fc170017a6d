import Base
import WireProtocol

/// One setting of the broker with its published name.
struct BrokerSetting: Sendable {
    /// Whether and for whom it can be changed while the broker runs.
    enum Scope: Sendable {
        /// Only when the process starts.
        case start
        /// For one broker.
        case node
        /// For one broker, or as the default of all.
        case cluster
    }

    let name: String
    let type: ConfigType
    /// nil = there is no value unless one is given.
    let defaultValue: String?
    let rule: SettingRule
    let scope: Scope
    /// Passwords and keys: clients are never told the value.
    var isSensitive: Bool { type == .password }
    /// Why the setting changes nothing; nil when it does.
    let inertBecause: String?
    let documentation: String
    /// What the process runs with, where that is not a matter of this table.
    let current: (@Sendable (NodeConfiguration) -> String?)?

    /// A setting that does something: `current` tells what the process was started with.
    static func live(
        _ name: String, _ type: ConfigType, _ defaultValue: String?, _ documentation: String,
        _ current: (@Sendable (NodeConfiguration) -> String?)? = nil
    ) -> BrokerSetting {
        BrokerSetting(
            name: name, type: type, defaultValue: defaultValue, rule: .of(type),
            scope: .start, inertBecause: nil, documentation: documentation, current: current)
    }

    /// A setting that does something as soon as it is changed: whoever needs it reads it from the metadata.
    static func changeable(
        _ name: String, _ type: ConfigType, _ defaultValue: String?, _ documentation: String,
        scope: Scope
    ) -> BrokerSetting {
        BrokerSetting(
            name: name, type: type, defaultValue: defaultValue, rule: .of(type), scope: scope,
            inertBecause: nil, documentation: documentation, current: nil)
    }

    /// A setting that is known, kept and shown, and changes nothing.
    static func inert(
        _ name: String, _ type: ConfigType, _ defaultValue: String?, _ reason: String,
        _ documentation: String, scope: Scope = .start
    ) -> BrokerSetting {
        BrokerSetting(
            name: name, type: type, defaultValue: defaultValue, rule: .of(type), scope: scope,
            inertBecause: reason, documentation: documentation, current: nil)
    }

    /// What topics get that say nothing themselves: its meaning is that of the topic's setting.
    static func ofTopics(
        _ name: String, _ type: ConfigType, _ defaultValue: String?
    ) -> BrokerSetting {
        guard let topic = TopicSettings.all.first(where: { $0.brokerName == name }) else {
            preconditionFailure("\(name) is no default of a topic setting")
        }
        return BrokerSetting(
            name: name, type: type, defaultValue: defaultValue, rule: topic.rule,
            scope: .cluster, inertBecause: topic.inertBecause,
            documentation: topic.documentation, current: nil)
    }
}

/// Why settings of other brokers change nothing here.
enum Inert {
    static let oneBroker = "there is one broker"
    static let threads = "the process needs no pools of threads"
    static let tiers = "there is no tiered storage"
    static let journal = "acknowledged records are durable in the journal"
    static let classes = "there is no Java to load classes into"
    static let sockets = "the system chooses"
    static let metrics = "metrics are at /metrics"
    static let builtIn = "both are always there, and no others"
    static let byHand = "operators make these topics and allow their use"
    static let compaction = "compaction keeps the topic small"
    static let notYet = "not implemented in this version"
}
