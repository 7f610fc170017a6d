import Base
import Coordinator
import WireProtocol

/// The settings of the broker as DescribeConfigs shows them: read-only, because the process is set
/// up when it starts.
enum BrokerSettings {
    struct Entry: Sendable {
        var name: String
        var type: ConfigType
        var value: String?
        var defaultValue: String?
        var documentation: String
    }

    /// In order of their names.
    static func all(of configuration: NodeConfiguration) -> [Entry] {
        let groups = configuration.groups
        func milliseconds(_ duration: Duration) -> String { "\(duration.wholeMilliseconds)" }
        let listener = "PLAINTEXT://\(configuration.advertisedHost):\(configuration.advertisedPort)"
        var entries = [
            Entry(
                name: "advertised.listeners", type: .string, value: listener, defaultValue: nil,
                documentation: "Where clients are told to connect."),
            Entry(
                name: "auto.create.topics.enable", type: .boolean,
                value: "\(configuration.createsTopicsAutomatically)", defaultValue: "true",
                documentation: "Whether a missing topic is created when a client asks for it."),
            Entry(
                name: "broker.id", type: .int, value: "\(configuration.nodeID.value)",
                defaultValue: "-1", documentation: "The number of this broker."),
            Entry(
                name: "broker.rack", type: .string, value: configuration.rack, defaultValue: nil,
                documentation: "Where this broker stands."),
            Entry(
                name: "default.replication.factor", type: .int, value: "1", defaultValue: "1",
                documentation: "Replicas of topics that are created automatically."),
            Entry(
                name: "delete.topic.enable", type: .boolean,
                value: "\(configuration.deletesTopics)", defaultValue: "true",
                documentation: "Whether topics can be deleted."),
            Entry(
                name: "fetch.max.bytes", type: .int, value: "\(configuration.fetchBytesMax)",
                defaultValue: "57671680", documentation: "The largest answer to a fetch."),
            Entry(
                name: "group.initial.rebalance.delay.ms", type: .int,
                value: milliseconds(groups.initialRebalanceDelay), defaultValue: "3000",
                documentation: "How long an empty group waits for more members."),
            Entry(
                name: "group.max.session.timeout.ms", type: .int,
                value: milliseconds(groups.sessionTimeoutMax), defaultValue: "1800000",
                documentation: "The longest session of a member."),
            Entry(
                name: "group.max.size", type: .int, value: "\(groups.membersMax)",
                defaultValue: "2147483647", documentation: "The most members of a group."),
            Entry(
                name: "group.min.session.timeout.ms", type: .int,
                value: milliseconds(groups.sessionTimeoutMin), defaultValue: "6000",
                documentation: "The shortest session of a member."),
            Entry(
                name: "node.id", type: .int, value: "\(configuration.nodeID.value)",
                defaultValue: nil, documentation: "The number of this node."),
            Entry(
                name: "num.partitions", type: .int, value: "\(configuration.partitionsDefault)",
                defaultValue: "1", documentation: "Partitions of topics when nobody says."),
            Entry(
                name: "offset.metadata.max.bytes", type: .int,
                value: "\(groups.offsetMetadataBytesMax)", defaultValue: "4096",
                documentation: "The longest text of a committed offset."),
            Entry(
                name: "offsets.retention.check.interval.ms", type: .long,
                value: milliseconds(groups.offsetsRetentionCheckInterval), defaultValue: "600000",
                documentation: "How often expired offsets are looked for."),
            Entry(
                name: "offsets.retention.minutes", type: .int,
                value: "\(groups.offsetsRetention.wholeMilliseconds / 60_000)",
                defaultValue: "10080",
                documentation: "How long the offsets of an empty group are kept."),
            Entry(
                name: "offsets.topic.num.partitions", type: .int,
                value: "\(configuration.offsetsPartitions)", defaultValue: "50",
                documentation: "Partitions of the topic that keeps the groups."),
            Entry(
                name: "offsets.topic.replication.factor", type: .short, value: "1",
                defaultValue: "3", documentation: "Replicas of the topic that keeps the groups."),
            Entry(
                name: "process.roles", type: .list, value: "broker,controller", defaultValue: "",
                documentation: "What this process does in the cluster."),
            Entry(
                name: "socket.request.max.bytes", type: .int, value: "\(Limits.requestBytes)",
                defaultValue: "104857600", documentation: "The largest request."),
        ]
        for definition in TopicSettings.all {
            guard let name = definition.brokerName,
                !entries.contains(where: { $0.name == name })
            else { continue }
            entries.append(
                Entry(
                    name: name, type: definition.type, value: definition.defaultValue,
                    defaultValue: definition.defaultValue, documentation: definition.documentation))
        }
        return entries.sorted { $0.name < $1.name }
    }
}
