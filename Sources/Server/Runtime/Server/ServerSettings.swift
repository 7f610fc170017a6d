import Base
import Coordinator
import Log
import Node
import ObjectStores

/// Everything that can be set when a server starts, under its published name where Apache Kafka has
/// one. One table gives parsing, checking and the list in the documentation.
package struct ServerSettings: Sendable {
    package var node = NodeConfiguration()
    package var driver = DriverSettings()
    package var security = SecuritySettings()
    /// How a bucket is reached, when tables are in one.
    package var objects = S3Settings()
    /// How often a broker calls the controller of its cluster, and when silence means that it is gone.
    package var heartbeatInterval = Duration.milliseconds(150)
    package var sessionTimeout = Duration.seconds(6)
    package var lease = Duration.milliseconds(500)
    /// Threads for queries and tables.
    package var workers = SystemThread.processorCount

    package init() {}

    /// Sets `name`, as `-X name=value` does.
    package mutating func set(_ name: String, _ value: String) throws(Problem) {
        if let expected = security.setOfListener(name, value) {
            if expected.isEmpty { return }
            throw Problem(
                "config.value", "\"\(value)\" is not a value for \(name)",
                notes: ["expected \(expected)"])
        }
        if let setting = SecuritySettings.all.first(where: { $0.name == name }) {
            if let expected = setting.apply(value, &security) {
                throw Problem(
                    "config.value", "that is not a value for \(name)",
                    notes: ["expected \(expected)"])
            }
            // Passwords are not kept where settings are shown.
            if NodeConfiguration.settingNames.contains(name), name != "ssl.key.password" {
                node.startedWith[name] = value
            }
            return
        }
        guard let setting = Self.all.first(where: { $0.name == name }) else {
            switch node.start(with: name, value) {
            case .taken: return
            case .refused(let complaint):
                throw Problem(
                    "config.value", "\"\(value)\" is not a value for \(name)",
                    notes: [complaint])
            case .unknown: break
            }
            var notes: [String] = []
            if let near = nearestName(
                to: name,
                among: Self.all.map(\.name) + SecuritySettings.all.map(\.name)
                    + NodeConfiguration.settingNames)
            {
                notes.append("did you mean \"\(near)\"?")
            }
            throw Problem(
                "config.unknown", "\"\(name)\" is not a setting of the server", notes: notes,
                hint: "weir help serve")
        }
        if let expected = setting.apply(value, &self) {
            throw Problem(
                "config.value", "\"\(value)\" is not a value for \(name)",
                notes: ["expected \(expected)"])
        }
        if NodeConfiguration.settingNames.contains(name) { node.startedWith[name] = value }
    }

    /// The names and what they do, for help.
    package static var documentation: [(name: String, text: String)] {
        (all.map { ($0.name, $0.text) } + SecuritySettings.all.map { ($0.name, $0.text) })
            .sorted { $0.0 < $1.0 }
    }

    private struct Setting: Sendable {
        var name: String
        var text: String
        /// What was expected, when the value does not fit.
        var apply: @Sendable (String, inout ServerSettings) -> String?
    }

    private static func whole(
        _ name: String, _ range: ClosedRange<Int64>, _ text: String,
        _ apply: @escaping @Sendable (Int64, inout ServerSettings) -> Void
    ) -> Setting {
        Setting(name: name, text: text) { value, settings in
            guard let number = Int64(value), range.contains(number) else {
                return "a whole number from \(range.lowerBound) to \(range.upperBound)"
            }
            apply(number, &settings)
            return nil
        }
    }

    private static func flag(
        _ name: String, _ text: String,
        _ apply: @escaping @Sendable (Bool, inout ServerSettings) -> Void
    ) -> Setting {
        Setting(name: name, text: text) { value, settings in
            guard value == "true" || value == "false" else { return "true or false" }
            apply(value == "true", &settings)
            return nil
        }
    }

    /// Times in milliseconds, from 1 ms to 100 years.
    private static func milliseconds(
        _ name: String, _ text: String,
        _ apply: @escaping @Sendable (Duration, inout ServerSettings) -> Void
    ) -> Setting {
        whole(name, 1...3_155_760_000_000, text) { apply(.milliseconds($0), &$1) }
    }

    private static let all: [Setting] = [
        Setting(
            name: "advertised.listeners",
            text: "where clients are told to connect: NAME://host:port,… or host:port"
        ) { value, settings in
            if let doors = SecuritySettings.doors(value) {
                if doors.contains(where: { $0.address.host.isEmpty }) {
                    return "a host that exists"
                }
                settings.security.advertised = doors
                return nil
            }
            guard let parsed = try? HostPort(parsing: value, defaultPort: 9092),
                !parsed.host.isEmpty
            else { return "NAME://host:port,… or host:port" }
            settings.security.advertised = [.init(name: "PLAINTEXT", address: parsed)]
            return nil
        },
        flag("auto.create.topics.enable", "create a missing topic when a client asks for it") {
            $1.node.createsTopicsAutomatically = $0
        },
        whole(
            "broker.heartbeat.interval.ms", 20...60_000,
            "how often a broker of a cluster calls the controller"
        ) { $1.heartbeatInterval = .milliseconds($0) },
        whole(
            "broker.lease.ms", 100...60_000,
            "so long after a heartbeat a broker acts as a leader; later it waits for the next one"
        ) { $1.lease = .milliseconds($0) },
        whole(
            "broker.session.timeout.ms", 500...600_000,
            "a broker of a cluster that is silent for so long leads nothing any more"
        ) { $1.sessionTimeout = .milliseconds($0) },
        Setting(name: "broker.rack", text: "where this broker stands") { value, settings in
            settings.node.rack = value.isEmpty ? nil : value
            return nil
        },
        milliseconds("checkpoint.interval.ms", "how often segments are made durable") {
            $1.node.log.checkpointInterval = $0
        },
        milliseconds("connections.max.idle.ms", "a silent connection is closed after this") {
            $1.driver.idle = $0
        },
        whole(
            "default.replication.factor", 1...64,
            "replicas of topics of a cluster when nobody says (default 3, or as many as nodes)"
        ) { $1.node.replicationDefault = Int($0) },
        flag("delete.topic.enable", "topics may be deleted") { $1.node.deletesTopics = $0 },
        Setting(
            name: "errors.deadletterqueue.topic.name.prefix",
            text: "what names of topics for dead letters begin with"
        ) { value, settings in
            settings.node.deadLetterPrefix = value
            return nil
        },
        whole("fetch.max.bytes", 1024...1_073_741_824, "the largest answer to a fetch") {
            $1.node.fetchBytesMax = Int($0)
        },
        milliseconds(
            "group.consumer.heartbeat.interval.ms", "how often members of the new protocol call"
        ) { $1.node.groups.consumerHeartbeatInterval = $0 },
        milliseconds(
            "group.consumer.max.heartbeat.interval.ms", "the longest such interval of a group"
        ) { $1.node.groups.consumerHeartbeatIntervalMax = $0 },
        milliseconds(
            "group.consumer.max.session.timeout.ms", "the longest session that a group may set"
        ) { $1.node.groups.consumerSessionTimeoutMax = $0 },
        whole("group.consumer.max.size", 1...1_000_000, "the most members in the new protocol") {
            $1.node.groups.consumerMembersMax = Int($0)
        },
        Setting(
            name: "group.consumer.migration.policy",
            text: "which ways groups with members may change their protocol"
        ) { value, settings in
            guard let policy = GroupConfiguration.MigrationPolicy(rawValue: value.lowercased())
            else {
                let names = GroupConfiguration.MigrationPolicy.allCases.map(\.rawValue)
                return names.joined(separator: ", ")
            }
            settings.node.groups.migrationPolicy = policy
            return nil
        },
        milliseconds(
            "group.consumer.min.heartbeat.interval.ms", "the shortest such interval of a group"
        ) { $1.node.groups.consumerHeartbeatIntervalMin = $0 },
        milliseconds(
            "group.consumer.min.session.timeout.ms", "the shortest session that a group may set"
        ) { $1.node.groups.consumerSessionTimeoutMin = $0 },
        whole(
            "group.consumer.regex.refresh.interval.ms", 10_000...2_147_483_647,
            "how often subscribed patterns are matched anew"
        ) { $1.node.groups.patternRefreshInterval = .milliseconds($0) },
        milliseconds(
            "group.consumer.session.timeout.ms", "a silent member of the new protocol is gone"
        ) { $1.node.groups.consumerSessionTimeout = $0 },
        whole(
            "group.initial.rebalance.delay.ms", 0...3_600_000,
            "how long an empty group waits for more members"
        ) { $1.node.groups.initialRebalanceDelay = .milliseconds($0) },
        milliseconds("group.max.session.timeout.ms", "the longest session of a member") {
            $1.node.groups.sessionTimeoutMax = $0
        },
        whole("group.max.size", 1...1_000_000, "the most members of a group") {
            $1.node.groups.membersMax = Int($0)
        },
        milliseconds("group.min.session.timeout.ms", "the shortest session of a member") {
            $1.node.groups.sessionTimeoutMin = $0
        },
        whole(
            "group.share.delivery.count.limit", 2...100, "how often a record is handed out at most"
        ) { $1.node.shares.deliveriesMax = Int16($0) },
        milliseconds(
            "group.share.heartbeat.interval.ms", "how often members of share groups call"
        ) { $1.node.shares.heartbeatInterval = $0 },
        whole("group.share.max.share.sessions", 0...100_000, "share sessions at the same time") {
            $1.node.shareSessionsMax = Int($0)
        },
        whole("group.share.max.size", 1...10_000, "the most members of a share group") {
            $1.node.shares.membersMax = Int($0)
        },
        whole(
            "group.share.partition.max.record.locks", 1...100_000,
            "records of a partition that may be locked"
        ) { $1.node.shares.locksMax = $0 },
        milliseconds("group.share.record.lock.duration.ms", "how long a record stays locked") {
            $1.node.shares.lockDuration = $0
        },
        milliseconds(
            "group.share.session.timeout.ms", "a silent member of a share group is gone"
        ) { $1.node.shares.sessionTimeout = $0 },
        whole(
            "journal.direct.batch.bytes", 0...9_223_372_036_854_775_807,
            "batches at least this large go straight to their segment"
        ) { $1.node.log.directFromBytes = Int($0) },
        whole("journal.file.bytes", 1_048_576...1_073_741_824, "size of a journal file") {
            $1.node.log.journalFileBytes = Int($0)
        },
        whole("journal.files", 2...1024, "the most journal files") {
            $1.node.log.journalFileCountMax = Int($0)
        },
        milliseconds("log.cleaner.backoff.ms", "how often compacted topics are looked at") {
            $1.node.log.cleanerCheckInterval = $0
        },
        milliseconds("log.retention.check.interval.ms", "how often old segments are looked for") {
            $1.node.log.retentionCheckInterval = $0
        },
        milliseconds("log.scrub.interval.ms", "how often all closed segments are checked") {
            $1.node.log.scrubInterval = $0
        },
        whole("max.connections", 1...1_000_000, "connections at the same time") {
            $1.driver.connections = Int($0)
        },
        whole("max.incremental.fetch.session.cache.slots", 0...100_000, "fetch sessions") {
            $1.node.fetchSessionsMax = Int($0)
        },
        whole("max.request.partition.size.limit", 1...100_000, "partitions of one description") {
            $1.node.describedPartitionsMax = Int32($0)
        },
        whole("node.id", 0...2_147_483_647, "the number of this node") {
            $1.node.nodeID = NodeID(Int32($0))
        },
        whole("num.partitions", 1...10_000, "partitions of topics when nobody says") {
            $1.node.partitionsDefault = Int32($0)
        },
        whole(
            "offsets.topic.replication.factor", 1...64,
            "replicas of the topic that keeps the groups of a cluster"
        ) { $1.node.offsetsReplication = Int($0) },
        whole("offset.metadata.max.bytes", 0...32_767, "the longest text of a committed offset") {
            $1.node.groups.offsetMetadataBytesMax = Int($0)
        },
        whole("offsets.retention.minutes", 1...5_256_000, "how long offsets of idle groups stay") {
            $1.node.groups.offsetsRetention = .seconds($0 * 60)
        },
        whole("offsets.topic.num.partitions", 1...1000, "partitions of the topic of the groups") {
            $1.node.offsetsPartitions = Int32($0)
        },
        whole(
            "transaction.abort.timed.out.transaction.cleanup.interval.ms", 1...86_400_000,
            "how often late transactions are looked for"
        ) { $1.node.transactions.timeoutCheckInterval = .milliseconds($0) },
        whole(
            "transaction.max.timeout.ms", 1...Int64(Int32.max),
            "the longest time that a transaction may ask for"
        ) { $1.node.transactions.timeoutMax = .milliseconds($0) },
        whole(
            "transaction.remove.expired.transaction.cleanup.interval.ms", 1...86_400_000,
            "how often idle transactional ids are looked for"
        ) { $1.node.transactions.idExpirationCheckInterval = .milliseconds($0) },
        whole(
            "transaction.state.log.replication.factor", 1...64,
            "replicas of the topic that keeps the transactions of a cluster"
        ) { $1.node.transactionsReplication = Int($0) },
        whole(
            "transaction.state.log.num.partitions", 1...1000,
            "partitions of the topic of the transactions"
        ) { $1.node.transactionsPartitions = Int32($0) },
        whole(
            "transactional.id.expiration.ms", 1...31_536_000_000,
            "how long a silent transactional id is remembered"
        ) { $1.node.transactions.idExpiration = .milliseconds($0) },
        Setting(
            name: "s3.ca.location",
            text: "a PEM file of authorities that the bucket's service may have"
        ) { value, settings in
            settings.objects.authorities = value.isEmpty ? nil : value
            return nil
        },
        Setting(
            name: "s3.endpoint.url", text: "the service that has the bucket, if it is not Amazon's"
        ) { value, settings in
            guard value.hasPrefix("http://") || value.hasPrefix("https://") else {
                return "http://host:port or https://host:port"
            }
            settings.objects.endpoint = value
            return nil
        },
        flag("s3.path.style.access", "the bucket is in the path and not in the host's name") {
            $1.objects.usesPathStyle = $0
        },
        Setting(name: "s3.region", text: "the region that requests are signed for") {
            value, settings in
            let isName =
                !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2F }
            guard isName else { return "the name of a region, for example eu-central-1" }
            settings.objects.region = value
            return nil
        },
        whole("socket.request.max.bytes", 1024...1_073_741_824, "the largest request") {
            $1.driver.requestBytes = Int($0)
        },
        whole("storage.reserve.bytes", 0...1_099_511_627_776, "free space that appends leave") {
            $1.node.log.reserveBytes = $0
        },
        whole("tail.cache.bytes", 0...68_719_476_736, "recent batches kept in memory") {
            $1.node.log.tailCacheBytes = Int($0)
        },
        whole(
            "share.coordinator.snapshot.update.records.per.snapshot", 0...100_000,
            "changes of a share state before it is summed up"
        ) { $1.node.shares.updatesPerSnapshot = Int32($0) },
        whole(
            "share.coordinator.state.topic.num.partitions", 1...1000,
            "partitions of the topic of the share groups"
        ) { $1.node.sharePartitions = Int32($0) },
        whole("workers", 1...1024, "threads for queries and tables") { $1.workers = Int($0) },
    ]
}
