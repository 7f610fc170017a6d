import Base
import WireProtocol

extension BrokerSettings {
    /// How brokers follow each other, and tiers of storage.
    static let replication: [BrokerSetting] = [
        .inert(
            "alter.log.dirs.replication.quota.window.num", .int, "11", Inert.oneBroker,
            "Windows that the quota on moves looks back."),
        .inert(
            "alter.log.dirs.replication.quota.window.size.seconds", .int, "1", Inert.oneBroker,
            "Seconds of such a window."),
        .inert(
            "follower.fetch.last.tiered.offset.enable", .boolean, "false", Inert.oneBroker,
            "Whether a new follower begins behind the tiered records."),
        .inert(
            "replica.fetch.backoff.ms", .int, "1000", Inert.oneBroker,
            "How long a follower waits after an error."),
        .inert(
            "replica.fetch.max.bytes", .int, "1048576", Inert.oneBroker,
            "How much of a partition a follower asks for."),
        .inert(
            "replica.fetch.min.bytes", .int, "1", Inert.oneBroker, "What a follower waits for."),
        .inert(
            "replica.fetch.response.max.bytes", .int, "10485760", Inert.oneBroker,
            "The largest answer to a follower."),
        .inert(
            "replica.fetch.wait.max.ms", .int, "500", Inert.oneBroker, "How long it waits."),
        .inert(
            "replica.high.watermark.checkpoint.interval.ms", .long, "5000", Inert.oneBroker,
            "How often high watermarks are written."),
        .inert(
            "replica.lag.time.max.ms", .long, "30000", Inert.oneBroker,
            "After this a follower that lags is out of sync."),
        .inert(
            "replica.selector.class", .class, nil, Inert.classes,
            "A class that chooses the replica of a reader."),
        .inert(
            "replica.socket.receive.buffer.bytes", .int, "65536", Inert.oneBroker,
            "A follower's buffer for receiving."),
        .inert(
            "replica.socket.timeout.ms", .int, "30000", Inert.oneBroker,
            "How long a leader may be silent."),
        .inert(
            "replication.quota.window.num", .int, "11", Inert.oneBroker,
            "Windows that the quota on following looks back."),
        .inert(
            "replication.quota.window.size.seconds", .int, "1", Inert.oneBroker,
            "Seconds of such a window."),
        .inert(
            "remote.fetch.max.wait.ms", .int, "500", Inert.tiers,
            "How long a fetch waits for tiered records.", scope: .cluster),
        .inert(
            "remote.list.offsets.request.timeout.ms", .long, "30000", Inert.tiers,
            "How long a lookup in tiered records may take.", scope: .cluster),
        .inert(
            "remote.log.index.file.cache.total.size.bytes", .long, "1073741824", Inert.tiers,
            "Space for indexes of tiered records.", scope: .cluster),
        .inert(
            "remote.log.manager.copier.thread.pool.size", .int, "10", Inert.tiers,
            "Threads that move segments.", scope: .cluster),
        .inert(
            "remote.log.manager.copy.max.bytes.per.second", .long, "9223372036854775807",
            Inert.tiers, "How fast segments move.", scope: .cluster),
        .inert(
            "remote.log.manager.copy.quota.window.num", .int, "11", Inert.tiers,
            "Windows that this looks back."),
        .inert(
            "remote.log.manager.copy.quota.window.size.seconds", .int, "1", Inert.tiers,
            "Seconds of such a window."),
        .inert(
            "remote.log.manager.expiration.thread.pool.size", .int, "10", Inert.tiers,
            "Threads that delete tiered segments.", scope: .cluster),
        .inert(
            "remote.log.manager.fetch.max.bytes.per.second", .long, "9223372036854775807",
            Inert.tiers, "How fast tiered records are read.", scope: .cluster),
        .inert(
            "remote.log.manager.fetch.quota.window.num", .int, "11", Inert.tiers,
            "Windows that this looks back."),
        .inert(
            "remote.log.manager.fetch.quota.window.size.seconds", .int, "1", Inert.tiers,
            "Seconds of such a window."),
        .inert(
            "remote.log.manager.follower.thread.pool.size", .int, "2", Inert.tiers,
            "Threads for followers of tiered topics.", scope: .cluster),
        .inert(
            "remote.log.manager.task.interval.ms", .long, "30000", Inert.tiers,
            "How often segments are moved."),
        .inert(
            "remote.log.manager.task.retry.backoff.max.ms", .long, "30000", Inert.tiers,
            "The longest wait after an error."),
        .inert(
            "remote.log.manager.task.retry.backoff.ms", .long, "500", Inert.tiers,
            "The first wait after an error."),
        .inert(
            "remote.log.manager.task.retry.jitter", .double, "0.2", Inert.tiers,
            "How much such waits vary."),
        .inert(
            "remote.log.manager.thread.pool.size", .int, "2", Inert.tiers,
            "Threads for tiered topics."),
        .inert(
            "remote.log.metadata.custom.metadata.max.bytes", .int, "128", Inert.tiers,
            "Bytes that a store may remember about a segment."),
        .inert(
            "remote.log.metadata.manager.class.name", .string,
            "org.apache.kafka.server.log.remote.metadata.storage."
                + "TopicBasedRemoteLogMetadataManager",
            Inert.tiers, "A class that remembers tiered segments."),
        .inert(
            "remote.log.metadata.manager.class.path", .string, nil, Inert.tiers,
            "Where that class is."),
        .inert(
            "remote.log.metadata.manager.impl.prefix", .string, "rlmm.config.", Inert.tiers,
            "The begin of its settings."),
        .inert(
            "remote.log.metadata.manager.listener.name", .string, nil, Inert.tiers,
            "The listener that it uses."),
        .inert(
            "remote.log.reader.max.pending.tasks", .int, "100", Inert.tiers,
            "Reads of tiered records that may wait."),
        .inert(
            "remote.log.reader.threads", .int, "10", Inert.tiers,
            "Threads that read tiered records.", scope: .cluster),
        .inert(
            "remote.log.storage.manager.class.name", .string, nil, Inert.tiers,
            "A class that stores segments."),
        .inert(
            "remote.log.storage.manager.class.path", .string, nil, Inert.tiers,
            "Where that class is."),
        .inert(
            "remote.log.storage.manager.impl.prefix", .string, "rsm.config.", Inert.tiers,
            "The begin of its settings."),
        .inert(
            "remote.log.storage.system.enable", .boolean, "false", Inert.tiers,
            "Whether segments move to remote storage."),
    ]
}
