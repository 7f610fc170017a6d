import Base
import Coordinator
import WireProtocol

extension BrokerSettings {
    /// How groups and transactions are kept.
    static let groups: [BrokerSetting] = [
        .inert(
            "errors.deadletterqueue.auto.create.topics.enable", .boolean, "false", Inert.byHand,
            "Whether topics for dead letters are made when they are missing."),
        .live(
            "errors.deadletterqueue.topic.name.prefix", .string, "dlq.",
            "What names of topics for dead letters begin with."
        ) { $0.deadLetterPrefix },
        .inert(
            "group.consumer.assignors", .list, "uniform,range", Inert.builtIn,
            "Assignors of the consumer protocol."),
        .live(
            "group.consumer.heartbeat.interval.ms", .int, "5000",
            "How often members of the consumer protocol call."
        ) {
            "\($0.groups.consumerHeartbeatInterval.wholeMilliseconds)"
        },
        .live(
            "group.consumer.max.heartbeat.interval.ms", .int, "15000",
            "The longest such interval of a group."
        ) {
            "\($0.groups.consumerHeartbeatIntervalMax.wholeMilliseconds)"
        },
        .live(
            "group.consumer.max.session.timeout.ms", .int, "60000",
            "The longest session of the consumer protocol."
        ) {
            "\($0.groups.consumerSessionTimeoutMax.wholeMilliseconds)"
        },
        .live("group.consumer.max.size", .int, "2147483647", "The most members it has.") {
            "\($0.groups.consumerMembersMax)"
        },
        .live(
            "group.consumer.migration.policy", .string, "bidirectional",
            "Which ways groups may change their protocol."
        ) {
            "\($0.groups.migrationPolicy.rawValue)"
        },
        .live(
            "group.consumer.min.heartbeat.interval.ms", .int, "5000",
            "The shortest such interval of a group."
        ) {
            "\($0.groups.consumerHeartbeatIntervalMin.wholeMilliseconds)"
        },
        .live(
            "group.consumer.min.session.timeout.ms", .int, "45000",
            "The shortest session of the consumer protocol."
        ) {
            "\($0.groups.consumerSessionTimeoutMin.wholeMilliseconds)"
        },
        .live(
            "group.consumer.regex.refresh.interval.ms", .int, "600000",
            "How often subscribed patterns are looked up again."
        ) {
            "\($0.groups.patternRefreshInterval.wholeMilliseconds)"
        },
        .live(
            "group.consumer.session.timeout.ms", .int, "45000",
            "After this silence such a member is gone."
        ) {
            "\($0.groups.consumerSessionTimeout.wholeMilliseconds)"
        },
        .inert(
            "group.coordinator.append.linger.ms", .int, "5", Inert.journal,
            "How long records of groups wait for company."),
        .inert(
            "group.coordinator.rebalance.protocols", .list, "classic,consumer,streams",
            Inert.notYet, "The protocols that groups may use."),
        .inert("group.coordinator.threads", .int, "4", Inert.threads, "Threads for groups."),
        .live(
            "group.initial.rebalance.delay.ms", .int, "3000",
            "How long an empty group waits for more members."
        ) { "\($0.groups.initialRebalanceDelay.wholeMilliseconds)" },
        .live("group.max.session.timeout.ms", .int, "1800000", "The longest session of a member.") {
            "\($0.groups.sessionTimeoutMax.wholeMilliseconds)"
        },
        .live("group.max.size", .int, "2147483647", "The most members of a group.") {
            "\($0.groups.membersMax)"
        },
        .live("group.min.session.timeout.ms", .int, "6000", "The shortest session of a member.") {
            "\($0.groups.sessionTimeoutMin.wholeMilliseconds)"
        },
        .live(
            "group.share.delivery.count.limit", .int, "5",
            "How often a record is handed out at most."
        ) { "\($0.shares.deliveriesMax)" },
        .live(
            "group.share.heartbeat.interval.ms", .int, "5000",
            "How often members of share groups call."
        ) { "\($0.shares.heartbeatInterval.wholeMilliseconds)" },
        .live(
            "group.share.max.delivery.count.limit", .int, "10",
            "The highest such number of a group."),
        .live(
            "group.share.max.heartbeat.interval.ms", .int, "15000",
            "The longest such interval of a group."),
        .live(
            "group.share.max.partition.max.record.locks", .int, "4000",
            "The highest bound of locked records of a group."),
        .live(
            "group.share.max.record.lock.duration.ms", .int, "60000",
            "The longest lock of a group."),
        .live(
            "group.share.max.session.timeout.ms", .int, "60000",
            "The longest session of share groups."),
        .live(
            "group.share.max.share.sessions", .int, "2000",
            "Share sessions at the same time."
        ) { "\($0.shareSessionsMax)" },
        .live(
            "group.share.max.size", .int, "200",
            "The most members it has."
        ) { "\($0.shares.membersMax)" },
        .live(
            "group.share.min.delivery.count.limit", .int, "2",
            "The lowest such number of a group."),
        .live(
            "group.share.min.heartbeat.interval.ms", .int, "5000",
            "The shortest such interval of a group."),
        .live(
            "group.share.min.partition.max.record.locks", .int, "100",
            "The lowest bound of locked records of a group."),
        .live(
            "group.share.min.record.lock.duration.ms", .int, "15000",
            "The shortest lock of a group."),
        .live(
            "group.share.min.session.timeout.ms", .int, "45000",
            "The shortest session of share groups."),
        .live(
            "group.share.partition.max.record.locks", .int, "2000",
            "Records of a partition that may be locked."
        ) { "\($0.shares.locksMax)" },
        .live(
            "group.share.record.lock.duration.ms", .int, "30000",
            "How long a record stays locked."
        ) { "\($0.shares.lockDuration.wholeMilliseconds)" },
        .live(
            "group.share.session.timeout.ms", .int, "45000",
            "After this silence such a member is gone."
        ) { "\($0.shares.sessionTimeout.wholeMilliseconds)" },
        .inert(
            "group.streams.heartbeat.interval.ms", .int, "5000", Inert.notYet,
            "How often members of streams groups call."),
        .inert(
            "group.streams.max.heartbeat.interval.ms", .int, "15000", Inert.notYet,
            "The longest such interval of a group."),
        .inert(
            "group.streams.max.session.timeout.ms", .int, "60000", Inert.notYet,
            "The longest session of streams groups."),
        .inert(
            "group.streams.max.size", .int, "2147483647", Inert.notYet,
            "The most members of a streams group."),
        .inert(
            "group.streams.max.standby.replicas", .int, "2", Inert.notYet,
            "The most standby tasks of a group."),
        .inert(
            "group.streams.min.heartbeat.interval.ms", .int, "5000", Inert.notYet,
            "The shortest such interval of a group."),
        .inert(
            "group.streams.min.session.timeout.ms", .int, "45000", Inert.notYet,
            "The shortest session of streams groups."),
        .inert(
            "group.streams.num.standby.replicas", .int, "0", Inert.notYet,
            "Standby tasks of a group."),
        .inert(
            "group.streams.session.timeout.ms", .int, "45000", Inert.notYet,
            "After this silence such a member is gone."),
        .live("offset.metadata.max.bytes", .int, "4096", "The longest text of a committed offset.")
        { "\($0.groups.offsetMetadataBytesMax)" },
        .inert(
            "offsets.commit.timeout.ms", .int, "5000", Inert.journal,
            "How long a commit waits for replicas."),
        .inert(
            "offsets.load.buffer.size", .int, "5242880", Inert.journal,
            "Bytes read at once when groups are loaded."),
        .live(
            "offsets.retention.check.interval.ms", .long, "600000",
            "How often expired offsets are looked for."
        ) { "\($0.groups.offsetsRetentionCheckInterval.wholeMilliseconds)" },
        .live(
            "offsets.retention.minutes", .int, "10080",
            "How long the offsets of an empty group are kept."
        ) { "\($0.groups.offsetsRetention.wholeMilliseconds / 60_000)" },
        .inert(
            "offsets.topic.compression.codec", .int, "0", Inert.notYet,
            "Compression of the topic that keeps the groups."),
        .live(
            "offsets.topic.num.partitions", .int, "50",
            "Partitions of the topic that keeps the groups."
        ) { "\($0.offsetsPartitions)" },
        .live(
            "offsets.topic.replication.factor", .short, "3",
            "Replicas of the topic that keeps the groups."
        ) { "\($0.offsetsReplicationFactor)" },
        .inert(
            "offsets.topic.segment.bytes", .int, "104857600", Inert.notYet,
            "Size of a file of the topic that keeps the groups."),
        .inert(
            "share.coordinator.append.linger.ms", .int, "5", Inert.journal,
            "How long states of shares wait for company."),
        .inert(
            "share.coordinator.cold.partition.snapshot.interval.ms", .int, "300000",
            Inert.compaction,
            "How often quiet states are summed up."),
        .inert(
            "share.coordinator.load.buffer.size", .int, "5242880", Inert.journal,
            "Bytes read at once when states are loaded."),
        .live(
            "share.coordinator.snapshot.update.records.per.snapshot", .int, "500",
            "Changes of a state before it is summed up."
        ) { "\($0.shares.updatesPerSnapshot)" },
        .inert(
            "share.coordinator.state.topic.compression.codec", .int, "0", Inert.notYet,
            "Compression of the topic that keeps shares."),
        .inert(
            "share.coordinator.state.topic.min.isr", .short, "2", Inert.oneBroker,
            "Replicas that must have a record of that topic."),
        .live(
            "share.coordinator.state.topic.num.partitions", .int, "50",
            "Partitions of the topic that keeps shares."
        ) { "\($0.sharePartitions)" },
        .inert(
            "share.coordinator.state.topic.prune.interval.ms", .int, "300000", Inert.compaction,
            "How often old states are looked for."),
        .inert(
            "share.coordinator.state.topic.replication.factor", .short, "3", Inert.oneBroker,
            "Replicas of the topic that keeps shares."),
        .inert(
            "share.coordinator.state.topic.segment.bytes", .int, "104857600", Inert.notYet,
            "Size of a file of the topic that keeps shares."),
        .inert(
            "share.coordinator.threads", .int, "1", Inert.threads, "Threads for states of shares."),
        .inert(
            "share.coordinator.write.timeout.ms", .int, "5000", Inert.journal,
            "How long a state waits for replicas."),
        .live(
            "transaction.abort.timed.out.transaction.cleanup.interval.ms", .int, "10000",
            "How often late transactions are looked for."
        ) { "\($0.transactions.timeoutCheckInterval.wholeMilliseconds)" },
        .live(
            "transaction.max.timeout.ms", .int, "900000",
            "The longest time that a transaction may ask for."
        ) { "\($0.transactions.timeoutMax.wholeMilliseconds)" },
        .live(
            "transaction.partition.verification.enable", .boolean, "true",
            "Whether appends are checked with the coordinator: they always are."
        ) { _ in "true" },
        .live(
            "transaction.remove.expired.transaction.cleanup.interval.ms", .int, "3600000",
            "How often idle transactional ids are looked for."
        ) { "\($0.transactions.idExpirationCheckInterval.wholeMilliseconds)" },
        .inert(
            "transaction.state.log.load.buffer.size", .int, "5242880", Inert.journal,
            "Bytes read at once when transactions are loaded."),
        .inert(
            "transaction.state.log.min.isr", .int, "2", Inert.oneBroker,
            "Replicas that must have a record of that topic."),
        .live(
            "transaction.state.log.num.partitions", .int, "50",
            "Partitions of the topic that keeps transactions."
        ) { "\($0.transactionsPartitions)" },
        .live(
            "transaction.state.log.replication.factor", .short, "3",
            "Replicas of the topic that keeps transactions."
        ) { "\($0.transactionsReplicationFactor)" },
        .inert(
            "transaction.state.log.segment.bytes", .int, "104857600", Inert.notYet,
            "Size of a file of the topic that keeps transactions."),
        .inert(
            "transaction.two.phase.commit.enable", .boolean, "false", Inert.notYet,
            "Whether transactions may outlive their time."),
        .live(
            "transactional.id.expiration.ms", .int, "604800000",
            "After this a silent transactional id is forgotten."
        ) { "\($0.transactions.idExpiration.wholeMilliseconds)" },
    ]
}
