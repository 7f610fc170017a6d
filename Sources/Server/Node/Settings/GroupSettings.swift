import Base
import Coordinator
import Quorum
import WireProtocol

/// The settings that a single group may have. Their defaults are the broker's.
enum GroupSettings {
    /// In order of their names. `brokerName` is the broker's setting of the same meaning.
    static let all: [SettingDefinition] = [
        number(
            "consumer.heartbeat.interval.ms", "5000",
            "How often members of the consumer protocol call."),
        number(
            "consumer.session.timeout.ms", "45000",
            "After this silence a member of the consumer protocol is gone."),
        SettingDefinition(
            "errors.deadletterqueue.copy.record.enable", .boolean, "false", .boolean,
            "Whether dead letters have key and value of the record, beside where it is."),
        SettingDefinition(
            "errors.deadletterqueue.topic.name", .string, "", .text,
            "Where records go that a share group has given up; empty = they are dropped."),
        SettingDefinition(
            "share.auto.offset.reset", .string, "latest", .offsetReset,
            "Where a share group begins to read: latest, earliest, or by_duration: and a time."),
        number(
            "share.delivery.count.limit", "5",
            "How often a record is handed out at most."),
        number(
            "share.heartbeat.interval.ms", "5000",
            "How often members of a share group call."),
        SettingDefinition(
            "share.isolation.level", .string, "read_uncommitted",
            .choice(["read_committed", "read_uncommitted"]),
            "Whether a share group sees records of open and aborted transactions."),
        number(
            "share.partition.max.record.locks", "2000",
            "Records of a partition that may be locked."),
        number(
            "share.record.lock.duration.ms", "30000", "How long a record stays locked."),
        SettingDefinition(
            "share.renew.acknowledge.enable", .boolean, "true", .boolean,
            "Whether members of a share group may lock records for longer."),
        number(
            "share.session.timeout.ms", "45000",
            "After this silence a member of a share group is gone."),
        number(
            "streams.heartbeat.interval.ms", "5000",
            "How often members of a streams group call."),
        number(
            "streams.num.standby.replicas", "0", "Standby tasks of a streams group."),
        number(
            "streams.session.timeout.ms", "45000",
            "After this silence a member of a streams group is gone."),
    ]

    private static func number(
        _ name: String, _ value: String, _ documentation: String
    ) -> SettingDefinition {
        SettingDefinition(
            name, .int, value, .whole(0...Int64(Int32.max)), broker: "group.\(name)",
            documentation)
    }

    static func definition(_ name: String) -> SettingDefinition? {
        all.first { $0.name == name }
    }

    /// What the settings of a group mean to its coordinator; nil for nothing.
    static func timing(_ settings: OrderedMap<String, String>) -> GroupTiming? {
        func milliseconds(_ name: String) -> Duration? {
            settings[name].flatMap { Int64($0) }.map { .milliseconds($0) }
        }
        var timing = GroupTiming()
        timing.sessionTimeout = milliseconds("consumer.session.timeout.ms")
        timing.heartbeatInterval = milliseconds("consumer.heartbeat.interval.ms")
        return timing == GroupTiming() ? nil : timing
    }

    /// What the settings of a share group mean to its coordinator; nil for nothing.
    static func shareSettings(_ settings: OrderedMap<String, String>) -> ShareSettings? {
        func number(_ name: String) -> Int64? { settings[name].flatMap { Int64($0) } }
        var own = ShareSettings()
        own.sessionTimeout = number("share.session.timeout.ms").map { .milliseconds($0) }
        own.heartbeatInterval = number("share.heartbeat.interval.ms").map { .milliseconds($0) }
        own.lockDuration = number("share.record.lock.duration.ms").map { .milliseconds($0) }
        own.deliveriesMax = number("share.delivery.count.limit").map { Int16(clamping: $0) }
        own.locksMax = number("share.partition.max.record.locks")
        if let reset = settings["share.auto.offset.reset"].flatMap({ ShareOffsetReset($0) }) {
            own.offsetReset = reset
        }
        own.isCommittedOnly = settings["share.isolation.level"] == "read_committed"
        if let topic = settings["errors.deadletterqueue.topic.name"], !topic.isEmpty {
            own.deadLetterTopic = topic
        }
        own.copiesDeadLetters = settings["errors.deadletterqueue.copy.record.enable"] == "true"
        own.mayRenew = settings["share.renew.acknowledge.enable"] != "false"
        return own == ShareSettings() ? nil : own
    }

    /// Why these settings can't be a group's; nil when they can. Times stay between the bounds
    /// that the broker was started with.
    static func complaint(
        about settings: OrderedMap<String, String>, _ values: BrokerValues
    ) -> String? {
        for (name, value) in settings {
            guard let definition = definition(name) else {
                return "unknown group setting \"\(name)\""
            }
            if let complaint = definition.complaint(about: value) { return complaint }
            if name == "errors.deadletterqueue.topic.name", !value.isEmpty {
                let prefix = values.configuration.deadLetterPrefix
                guard value.hasPrefix(prefix), !value.hasPrefix("__") else {
                    return "\(name) is \"\(value)\", which does not begin with \"\(prefix)\" "
                        + "(errors.deadletterqueue.topic.name.prefix)"
                }
            }
            guard let number = Int64(value), let dot = name.firstIndex(of: ".") else { continue }
            let kind = name[..<dot]
            let rest = name[name.index(after: dot)...]
            for (word, isBelow) in [("min", true), ("max", false)] {
                let bound = "group.\(kind).\(word).\(rest)"
                guard let setting = BrokerSettings.definition(bound),
                    let limit = values.layers(of: setting).first.flatMap({ Int64($0.value) })
                else { continue }
                if isBelow ? number < limit : number > limit {
                    return "\(name) is \(number), \(bound) is \(limit)"
                }
            }
        }
        return nil
    }
}

extension BrokerNode {
    /// Tells the coordinator what is set for a group, now that it is durable.
    mutating func configureGroup(_ owner: SettingsOwner) {
        guard owner.kind == SettingsOwner.group("").kind else { return }
        let settings = image.settings(of: owner)
        coordinator.configure(owner.name, GroupSettings.timing(settings))
        configureShareGroup(owner.name, settings)
    }
}
