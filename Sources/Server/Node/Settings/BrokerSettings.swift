import Base
import WireProtocol

/// The settings of the broker: every published one. The tables are in files of their own.
enum BrokerSettings {
    /// In order of their names.
    static let all: [BrokerSetting] = (general + log + groups + replication + security).sorted {
        $0.name < $1.name
    }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    static func definition(_ name: String) -> BrokerSetting? { byName[name] }

    static func unknown(_ name: String) -> String {
        let near = nearestName(to: name, among: all.lazy.map(\.name))
        return "unknown broker setting \"\(name)\"" + (near.map { "; did you mean \($0)?" } ?? "")
    }

    /// Why `name` can't be `value` from the start; nil when it can.
    static func complaint(_ name: String, _ value: String) -> String? {
        guard let setting = definition(name) else { return unknown(name) }
        return setting.rule.complaint(about: value, for: name)
    }

    /// The settings that give topics the default of `name`, the finest unit first, with what turns
    /// their value into the topic's.
    static func namesOfDefault(
        for definition: SettingDefinition
    ) -> [(name: String, factor: Int64)] {
        switch definition.name {
        case "retention.ms":
            [
                ("log.retention.ms", 1), ("log.retention.minutes", 60_000),
                ("log.retention.hours", 3_600_000),
            ]
        case "segment.ms": [("log.roll.ms", 1), ("log.roll.hours", 3_600_000)]
        case "segment.jitter.ms":
            [("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", 3_600_000)]
        case "flush.ms":
            [("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)]
        default: definition.brokerName.map { [($0, Int64(1))] } ?? []
        }
    }
}

extension NodeConfiguration {
    /// What came of a setting that the process is to start with.
    package enum SettingOutcome: Equatable, Sendable {
        case taken
        /// The setting is not known.
        case unknown
        case refused(String)
    }

    /// Takes a published broker setting that has no field of its own.
    package mutating func start(with name: String, _ value: String) -> SettingOutcome {
        guard BrokerSettings.definition(name) != nil else { return .unknown }
        if let complaint = BrokerSettings.complaint(name, value) { return .refused(complaint) }
        startedWith[name] = value
        return .taken
    }

    /// The broker settings that `start(with:_:)` takes, for suggestions.
    package static var settingNames: [String] { BrokerSettings.all.map(\.name) }
}
