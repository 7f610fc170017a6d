import Base
import Compression
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
            .choice(["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
            broker: "compression.type",
            "How stored batches are compressed; producer = as they came."),
        SettingDefinition(
            "compression.zstd.level", .int, "3", .whole(-131_072...22),
            broker: "compression.zstd.level", "Level for zstd when the broker compresses."),
        SettingDefinition(
            "delete.retention.ms", .long, "86400000", .whole(notNegative),
            broker: "log.cleaner.delete.retention.ms",
            "How long deletions stay visible in a compacted topic."),
        SettingDefinition(
            "errors.deadletterqueue.group.enable", .boolean, "false", .boolean,
            "Whether groups may put records there that they have given up."),
        SettingDefinition(
            "file.delete.delay.ms", .long, "60000", .whole(notNegative),
            broker: "log.segment.delete.delay.ms",
            "How long files are kept after their records were deleted."),
        SettingDefinition(
            "flush.messages", .long, "9223372036854775807", .whole(1...Int64.max),
            broker: "log.flush.interval.messages", inert: Inert.journal,
            "After how many records segments would be flushed."),
        SettingDefinition(
            "flush.ms", .long, "9223372036854775807", .whole(notNegative),
            broker: "log.flush.interval.ms", inert: Inert.journal,
            "After which time segments would be flushed."),
        SettingDefinition(
            "follower.replication.throttled.replicas", .list, "", .text, inert: Inert.oneBroker,
            "Replicas whose following is throttled."),
        SettingDefinition(
            "index.interval.bytes", .int, "4096", .whole(anyInt),
            broker: "log.index.interval.bytes",
            "How many bytes of records lie between two entries of the offset index."),
        SettingDefinition(
            "leader.replication.throttled.replicas", .list, "", .text, inert: Inert.oneBroker,
            "Replicas whose followers are throttled."),
        SettingDefinition(
            "local.retention.bytes", .long, "-2", .whole(-2...Int64.max),
            broker: "log.local.retention.bytes", inert: Inert.tiers,
            "How many bytes stay on the broker; -2 = as retention.bytes says."),
        SettingDefinition(
            "local.retention.ms", .long, "-2", .whole(-2...Int64.max),
            broker: "log.local.retention.ms", inert: Inert.tiers,
            "How long records stay on the broker; -2 = as retention.ms says."),
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
            inert: "the journal is allocated ahead, segments grow",
            "Whether files get their full size when they are created."),
        SettingDefinition(
            "relaxed.durability", .boolean, "false", .boolean,
            "ACKNOWLEDGES RECORDS BEFORE THEY ARE SYNCED: A POWER LOSS TAKES BACK ACKNOWLEDGED "
                + "RECORDS. For records that can be produced again."),
        SettingDefinition(
            "remote.log.copy.disable", .boolean, "false", .boolean, inert: Inert.tiers,
            "Whether segments stop moving to remote storage."),
        SettingDefinition(
            "remote.log.delete.on.disable", .boolean, "false", .boolean, inert: Inert.tiers,
            "Whether remote segments go when remote storage is switched off."),
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
            inert: "segments roll at their time",
            "How much earlier than segment.ms a segment may roll."),
        SettingDefinition(
            "segment.ms", .long, "604800000", .whole(1...Int64.max), broker: "log.roll.ms",
            "After this time a new segment is begun."),
        SettingDefinition(
            "unclean.leader.election.enable", .boolean, "false", .boolean,
            broker: "unclean.leader.election.enable", inert: Inert.oneBroker,
            "Whether a replica that lacks records may lead."),
    ]

    /// A batch has to fit into a file of the journal with room to spare.
    private static let maxMessageBytesMax: Int64 = 16 << 20

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    static func definition(_ name: String) -> SettingDefinition? { byName[name] }

    /// Why these settings can't be a topic's; nil when they can. What they leave out is as
    /// `defaults` say.
    static func complaint(
        about settings: OrderedMap<String, String>, defaults: TopicDefaults
    ) -> String? {
        for (name, value) in settings {
            guard let definition = definition(name) else { return unknown(name) }
            if let complaint = definition.complaint(about: value) { return complaint }
        }
        let values = TopicValues(settings: settings, defaults: defaults)
        if values.number("min.compaction.lag.ms") > values.number("max.compaction.lag.ms") {
            return "min.compaction.lag.ms is above max.compaction.lag.ms"
        }
        let localTime = values.number("local.retention.ms")
        let time = values.number("retention.ms")
        if localTime != -2, time != -1, localTime == -1 || localTime > time {
            return "local.retention.ms is above retention.ms"
        }
        let localBytes = values.number("local.retention.bytes")
        let bytes = values.number("retention.bytes")
        if localBytes != -2, bytes != -1, localBytes == -1 || localBytes > bytes {
            return "local.retention.bytes is above retention.bytes"
        }
        return nil
    }

    static func unknown(_ name: String) -> String {
        let near = nearestName(to: name, among: all.lazy.map(\.name))
        return "unknown topic setting \"\(name)\"" + (near.map { "; did you mean \($0)?" } ?? "")
    }
}

/// What topics get that say nothing themselves: only what the broker's settings change, by the name
/// of the topic setting.
typealias TopicDefaults = OrderedMap<String, String>

/// The settings of one topic, given or default.
struct TopicValues: Sendable {
    var settings: OrderedMap<String, String>
    var defaults: TopicDefaults

    func value(_ name: String) -> String {
        settings[name] ?? defaults[name] ?? TopicSettings.definition(name)?.defaultValue ?? ""
    }

    func number(_ name: String) -> Int64 { Int64(value(name)) ?? 0 }

    /// What the logs of the topic obey.
    var partitionSettings: PartitionSettings {
        let policy = SettingDefinition.words(of: value("cleanup.policy"))
        var result = PartitionSettings()
        result.segmentBytes = number("segment.bytes")
        result.segmentMilliseconds = number("segment.ms")
        result.segmentIndexBytes = Int(number("segment.index.bytes"))
        result.indexIntervalBytes = Int(number("index.interval.bytes"))
        result.retentionMilliseconds = number("retention.ms")
        result.retentionBytes = number("retention.bytes")
        result.maxMessageBytes = Int(number("max.message.bytes"))
        result.deletesOldSegments = policy.contains("delete")
        result.isCompacted = policy.contains("compact")
        result.usesLogAppendTime = value("message.timestamp.type") == "LogAppendTime"
        result.timestampBeforeMaxMilliseconds = number("message.timestamp.before.max.ms")
        result.timestampAfterMaxMilliseconds = number("message.timestamp.after.max.ms")
        result.minCleanableDirtyPerMille = Int(
            (Double(value("min.cleanable.dirty.ratio")) ?? 0.5) * 1000)
        result.deleteRetentionMilliseconds = number("delete.retention.ms")
        result.minCompactionLagMilliseconds = number("min.compaction.lag.ms")
        result.maxCompactionLagMilliseconds = number("max.compaction.lag.ms")
        result.fileDeleteDelayMilliseconds = number("file.delete.delay.ms")
        result.storedCodec = storedCodec
        result.acknowledgesBeforeSync = value("relaxed.durability") == "true"
        return result
    }

    /// How batches are stored; nil = as the producer compressed them.
    private var storedCodec: StoredCodec? {
        let type = value("compression.type")
        guard let codec = Codec(name: type == "uncompressed" ? "none" : type) else { return nil }
        let level: Int? =
            switch codec {
            case .none, .snappy: nil
            case .gzip: Int(number("compression.gzip.level"))
            case .lz4: Int(number("compression.lz4.level"))
            case .zstd: Int(number("compression.zstd.level"))
            }
        return StoredCodec(codec, level: level == -1 ? nil : level)
    }

    /// `min.insync.replicas` of the topic.
    var minInSyncReplicas: Int64 {
        if settings.isEmpty, defaults.isEmpty { return 1 }
        return number("min.insync.replicas")
    }
}
