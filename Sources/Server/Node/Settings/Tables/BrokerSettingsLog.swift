import Base
import Log
import WireProtocol

extension BrokerSettings {
    /// How logs are kept.
    static let log: [BrokerSetting] = [
        .ofTopics("compression.gzip.level", .int, "-1"),
        .ofTopics("compression.lz4.level", .int, "9"),
        .ofTopics("compression.type", .string, "producer"),
        .ofTopics("compression.zstd.level", .int, "3"),
        .changeable(
            "cordoned.log.dirs", .list, nil,
            "Directories that get no new partitions; a broker has one, `*` is it.", scope: .node),
        .live("log.cleaner.backoff.ms", .long, "15000", "How often compacted topics are looked at.")
        { "\($0.log.cleanerCheckInterval.wholeMilliseconds)" },
        .inert(
            "log.cleaner.dedupe.buffer.size", .long, "134217728", Inert.notYet,
            "Memory of the cleaner for keys.", scope: .cluster),
        .ofTopics("log.cleaner.delete.retention.ms", .long, "86400000"),
        .inert("log.cleaner.enable", .boolean, "true", Inert.notYet, "Whether the cleaner runs."),
        .inert(
            "log.cleaner.io.buffer.load.factor", .double, "0.9", Inert.notYet,
            "How full the cleaner's table of keys may get.", scope: .cluster),
        .inert(
            "log.cleaner.io.buffer.size", .int, "524288", Inert.notYet,
            "Memory of the cleaner for copying.", scope: .cluster),
        .inert(
            "log.cleaner.io.max.bytes.per.second", .double, "1.7976931348623157E308", Inert.notYet,
            "How fast the cleaner may copy.", scope: .cluster),
        .ofTopics("log.cleaner.max.compaction.lag.ms", .long, "9223372036854775807"),
        .ofTopics("log.cleaner.min.cleanable.ratio", .double, "0.5"),
        .ofTopics("log.cleaner.min.compaction.lag.ms", .long, "0"),
        .inert(
            "log.cleaner.threads", .int, "1", Inert.threads, "Threads for this.", scope: .cluster),
        .ofTopics("log.cleanup.policy", .list, "delete"),
        .live("log.dir", .string, "/tmp/kafka-logs", "Where the logs are.") { $0.dataDirectory },
        .live("log.dirs", .string, nil, "Where the logs are.") { $0.dataDirectory },
        .inert(
            "log.dir.failure.timeout.ms", .long, "30000", Inert.oneBroker,
            "How long a failed directory may go untold."),
        .ofTopics("log.flush.interval.messages", .long, "9223372036854775807"),
        .ofTopics("log.flush.interval.ms", .long, nil),
        .inert(
            "log.flush.offset.checkpoint.interval.ms", .int, "60000", Inert.journal,
            "How often recovery points are written."),
        .inert(
            "log.flush.scheduler.interval.ms", .long, "9223372036854775807", Inert.journal,
            "How often logs are looked at for flushing."),
        .inert(
            "log.flush.start.offset.checkpoint.interval.ms", .int, "60000", Inert.journal,
            "How often begins of logs are written."),
        .ofTopics("log.index.interval.bytes", .int, "4096"),
        .ofTopics("log.index.size.max.bytes", .int, "10485760"),
        .inert(
            "log.initial.task.delay.ms", .long, "30000", Inert.notYet,
            "How long after the start logs are looked at first."),
        .ofTopics("log.local.retention.bytes", .long, "-2"),
        .ofTopics("log.local.retention.ms", .long, "-2"),
        .ofTopics("log.message.timestamp.after.max.ms", .long, "3600000"),
        .ofTopics("log.message.timestamp.before.max.ms", .long, "9223372036854775807"),
        .ofTopics("log.message.timestamp.type", .string, "CreateTime"),
        .ofTopics("log.preallocate", .boolean, "false"),
        .ofTopics("log.retention.bytes", .long, "-1"),
        .live(
            "log.retention.check.interval.ms", .long, "300000",
            "How often old segments are looked for."
        ) { "\($0.log.retentionCheckInterval.wholeMilliseconds)" },
        .live(
            "log.retention.hours", .int, "168",
            "How long records are kept, in hours, where finer units say nothing."),
        .live(
            "log.retention.minutes", .int, nil,
            "How long records are kept, in minutes, where milliseconds say nothing."),
        .ofTopics("log.retention.ms", .long, nil),
        .live(
            "log.roll.hours", .int, "168",
            "After this time a new segment is begun, in hours, where log.roll.ms says nothing."),
        .inert(
            "log.roll.jitter.hours", .int, "0", Inert.sockets,
            "How much earlier than log.roll.hours a segment may roll."),
        .ofTopics("log.roll.jitter.ms", .long, nil),
        .ofTopics("log.roll.ms", .long, nil),
        .ofTopics("log.segment.bytes", .int, "1073741824"),
        .ofTopics("log.segment.delete.delay.ms", .long, "60000"),
        .ofTopics("message.max.bytes", .int, "1048588"),
        .ofTopics("min.insync.replicas", .int, "1"),
        .inert(
            "producer.id.expiration.check.interval.ms", .int, "600000", Inert.notYet,
            "How often forgotten producers are looked for."),
        .live(
            "producer.id.expiration.ms", .int, "86400000",
            "After this silence a producer is forgotten."
        ) { "\($0.log.producerExpirationMilliseconds)" },
        .ofTopics("unclean.leader.election.enable", .boolean, "false"),
        .inert(
            "unclean.leader.election.interval.ms", .long, "300000", Inert.oneBroker,
            "How often leaders with losses are looked for."),
    ]
}
