import Base
import Log
import Quorum
import WireProtocol

/// The settings of a topic: every published one, with the published defaults.
enum TopicSettings {
    private static let anyLong = Int64.min...Int64.max
    private static let notNegative = 0...Int64.max
    private static let minusOneUp = -1...Int64.max
    private static let anyInt = 0...Int64(Int32.max)

    /// In order of their names.
    static let all: [SettingDefinition] = [
        SettingDefinition(
            "cleanup.policy", .list, "delete", .list(["compact", "delete"], mayBeEmpty: false),
            broker: "log.cleanup.policy",
            "Whether old records are deleted, compacted by key, or both."),
        SettingDefinition(
            "compression.gzip.level", .int, "-1", .whole(-1...9), broker: "compression.gzip.level",
            "Level for gzip when the broker compresses."),
        SettingDefinition(
            "compression.lz4.level", .int, "9", .whole(1...17), broker: "compression.lz4.level",
            "Level for lz4 when the broker compresses."),
        SettingDefinition(
            "compression.type", .string, "producer",
            .only(["producer"], reason: "batches are stored as the producer compressed them"),
            broker: "compression.type", "How stored batches are compressed."),
        SettingDefinition(
            "compression.zstd.level", .int, "3", .whole(-131_072...22),
            broker: "compression.zstd.level", "Level for zstd when the broker compresses."),
        SettingDefinition(
            "delete.retention.ms", .long, "86400000", .whole(notNegative),
            broker: "log.cleaner.delete.retention.ms",
            "How long deletions stay visible in a compacted topic."),
        SettingDefinition(
            "file.delete.delay.ms", .long, "60000", .whole(notNegative),
            broker: "log.segment.delete.delay.ms",
            "How long files are kept after their records were deleted."),
        SettingDefinition(
            "flush.messages", .long, "9223372036854775807", .whole(1...Int64.max),
            broker: "log.flush.interval.messages",
            "Without effect: every acknowledged record was made durable."),
        SettingDefinition(
            "flush.ms", .long, "9223372036854775807", .whole(notNegative),
            broker: "log.flush.interval.ms",
            "Without effect: every acknowledged record was made durable."),
        SettingDefinition(
            "follower.replication.throttled.replicas", .list, "", .text,
            "Without effect on one node."),
        SettingDefinition(
            "index.interval.bytes", .int, "4096", .whole(anyInt),
            broker: "log.index.interval.bytes",
            "How many bytes of records lie between two entries of the offset index."),
        SettingDefinition(
            "leader.replication.throttled.replicas", .list, "", .text,
            "Without effect on one node."),
        SettingDefinition(
            "local.retention.bytes", .long, "-2", .whole(-2...Int64.max),
            broker: "log.local.retention.bytes", "For tiered storage, which is not used."),
        SettingDefinition(
            "local.retention.ms", .long, "-2", .whole(-2...Int64.max),
            broker: "log.local.retention.ms", "For tiered storage, which is not used."),
        SettingDefinition(
            "max.compaction.lag.ms", .long, "9223372036854775807", .whole(1...Int64.max),
            broker: "log.cleaner.max.compaction.lag.ms",
            "After this time a record is eligible for compaction at the latest."),
        SettingDefinition(
            "max.message.bytes", .int, "1048588", .whole(0...maxMessageBytesMax),
            broker: "message.max.bytes", "The largest record batch, as compressed."),
        SettingDefinition(
            "message.timestamp.after.max.ms", .long, "3600000", .whole(notNegative),
            broker: "log.message.timestamp.after.max.ms",
            "How far in the future the timestamp of a record may be."),
        SettingDefinition(
            "message.timestamp.before.max.ms", .long, "9223372036854775807", .whole(notNegative),
            broker: "log.message.timestamp.before.max.ms",
            "How far in the past the timestamp of a record may be."),
        SettingDefinition(
            "message.timestamp.type", .string, "CreateTime",
            .choice(["CreateTime", "LogAppendTime"]), broker: "log.message.timestamp.type",
            "Whose clock gives a record its timestamp."),
        SettingDefinition(
            "min.cleanable.dirty.ratio", .double, "0.5", .ratio,
            broker: "log.cleaner.min.cleanable.ratio",
            "How much of a log must be uncompacted before it is compacted."),
        SettingDefinition(
            "min.compaction.lag.ms", .long, "0", .whole(notNegative),
            broker: "log.cleaner.min.compaction.lag.ms",
            "How long a record stays uncompacted at least."),
        SettingDefinition(
            "min.insync.replicas", .int, "1", .whole(1...anyInt.upperBound),
            broker: "min.insync.replicas",
            "How many replicas must have a record before acks=all is answered."),
        SettingDefinition(
            "preallocate", .boolean, "false", .boolean, broker: "log.preallocate",
            "Without effect: the journal is allocated ahead, segments grow."),
        SettingDefinition(
            "remote.log.copy.disable", .boolean, "false", .boolean,
            "For tiered storage, which is not used."),
        SettingDefinition(
            "remote.log.delete.on.disable", .boolean, "false", .boolean,
            "For tiered storage, which is not used."),
        SettingDefinition(
            "remote.storage.enable", .boolean, "false",
            .only(["false"], reason: "there is no tiered storage"),
            "Whether segments move to remote storage."),
        SettingDefinition(
            "retention.bytes", .long, "-1", .whole(anyLong), broker: "log.retention.bytes",
            "How many bytes each partition keeps; -1 = no bound."),
        SettingDefinition(
            "retention.ms", .long, "604800000", .whole(minusOneUp), broker: "log.retention.ms",
            "How long records are kept; -1 = for ever."),
        SettingDefinition(
            "segment.bytes", .int, "1073741824", .whole(1024...anyInt.upperBound),
            broker: "log.segment.bytes", "Size of one file of records."),
        SettingDefinition(
            "segment.index.bytes", .int, "10485760", .whole(1024...anyInt.upperBound),
            broker: "log.index.size.max.bytes", "Largest size of a segment's index."),
        SettingDefinition(
            "segment.jitter.ms", .long, "0", .whole(notNegative), broker: "log.roll.jitter.ms",
            "Without effect: segments roll at their time."),
        SettingDefinition(
            "segment.ms", .long, "604800000", .whole(1...Int64.max), broker: "log.roll.ms",
            "After this time a new segment is begun."),
        SettingDefinition(
            "unclean.leader.election.enable", .boolean, "false", .boolean,
            broker: "unclean.leader.election.enable",
            "Without effect: data is given up only by an operator's command."),
    ]

    /// A batch has to fit into a file of the journal with room to spare.
    private static let maxMessageBytesMax: Int64 = 16 << 20

    static func definition(_ name: String) -> SettingDefinition? {
        all.first { $0.name == name }
    }

    /// Why these settings can't be a topic's; nil when they can.
    static func complaint(about settings: OrderedMap<String, String>) -> String? {
        for (name, value) in settings {
            guard let definition = definition(name) else { return unknown(name) }
            if let complaint = definition.complaint(about: value) { return complaint }
        }
        let lag = number("min.compaction.lag.ms", in: settings)
        if lag > number("max.compaction.lag.ms", in: settings) {
            return "min.compaction.lag.ms is above max.compaction.lag.ms"
        }
        return nil
    }

    static func unknown(_ name: String) -> String {
        let near = nearestName(to: name, among: all.lazy.map(\.name))
        return "unknown topic setting \"\(name)\"" + (near.map { "; did you mean \($0)?" } ?? "")
    }

    /// The value of a setting, given or default.
    static func value(_ name: String, in settings: OrderedMap<String, String>) -> String {
        settings[name] ?? definition(name)?.defaultValue ?? ""
    }

    private static func number(_ name: String, in settings: OrderedMap<String, String>) -> Int64 {
        Int64(value(name, in: settings)) ?? 0
    }

    /// What the logs of a topic obey.
    static func partitionSettings(of topic: TopicMetadata) -> PartitionSettings {
        let settings = topic.settings
        let policy = SettingDefinition.words(of: value("cleanup.policy", in: settings))
        var result = PartitionSettings()
        result.segmentBytes = number("segment.bytes", in: settings)
        result.segmentMilliseconds = number("segment.ms", in: settings)
        result.segmentIndexBytes = Int(number("segment.index.bytes", in: settings))
        result.indexIntervalBytes = Int(number("index.interval.bytes", in: settings))
        result.retentionMilliseconds = number("retention.ms", in: settings)
        result.retentionBytes = number("retention.bytes", in: settings)
        result.maxMessageBytes = Int(number("max.message.bytes", in: settings))
        result.deletesOldSegments = policy.contains("delete")
        result.isCompacted = policy.contains("compact")
        result.usesLogAppendTime =
            value("message.timestamp.type", in: settings) == "LogAppendTime"
        result.timestampBeforeMaxMilliseconds = number(
            "message.timestamp.before.max.ms", in: settings)
        result.timestampAfterMaxMilliseconds = number(
            "message.timestamp.after.max.ms", in: settings)
        let ratio = Double(value("min.cleanable.dirty.ratio", in: settings)) ?? 0.5
        result.minCleanableDirtyPerMille = Int(ratio * 1000)
        result.deleteRetentionMilliseconds = number("delete.retention.ms", in: settings)
        result.minCompactionLagMilliseconds = number("min.compaction.lag.ms", in: settings)
        result.maxCompactionLagMilliseconds = number("max.compaction.lag.ms", in: settings)
        result.fileDeleteDelayMilliseconds = number("file.delete.delay.ms", in: settings)
        return result
    }

    /// `min.insync.replicas` of the topic.
    static func minInSyncReplicas(of topic: TopicMetadata) -> Int64 {
        guard !topic.settings.isEmpty else { return 1 }
        return number("min.insync.replicas", in: topic.settings)
    }
}
