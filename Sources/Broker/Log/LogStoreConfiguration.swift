import Base
import Compression

/// How one node keeps its logs: sizes of the journal, what stays in memory, how often work is done.
package struct LogStoreConfiguration: Sendable {
    /// One file of the journal ring. A record batch must fit into one file.
    package var journalFileBytes = 32 << 20
    /// The ring grows up to so many files while segments wait to be made durable.
    package var journalFileCountMax = 8
    /// Appends are refused below this free space, so that recovery, deletes and retention still
    /// find room to work.
    package var reserveBytes: Int64 = 32 << 20
    /// Recently appended batches that all partitions together keep in memory for their readers.
    package var tailCacheBytes = 16 << 20
    /// A batch at least this large is stamped where it lies, if nobody else needs the bytes. Smaller
    /// ones are copied into one piece with their frame, which costs less than three pieces do.
    package var stampInPlaceFromBytes = 64 << 10
    /// A batch at least this large goes to its segment at once, and only a note of it into the
    /// journal: what is loaded in bulk is not written twice. It is durable when both are. Syncing a
    /// segment that grows costs more than syncing the journal: below half a megabyte that outweighs
    /// the second write.
    package var directFromBytes = 512 << 10
    /// Segments are made durable, and the journal before them reusable, at least this often.
    package var checkpointInterval: Duration = .seconds(60)
    package var retentionCheckInterval: Duration = .seconds(300)
    package var cleanerCheckInterval: Duration = .seconds(15)
    /// From the end of one check of all closed segments to the begin of the next.
    package var scrubInterval: Duration = .seconds(86_400)
    /// So much is checked at a time, and then not again for so long: ten megabytes a second.
    package var scrubStepBytes = 1 << 20
    package var scrubStepInterval: Duration = .milliseconds(100)
    /// Apache Kafka's `producer.id.expiration.ms`.
    package var producerExpirationMilliseconds: Int64 = 86_400_000
    /// Keys that one cleaning remembers; about 40 bytes each.
    package var cleanerKeyCountMax = 500_000
    /// Told apart from every other store, so that a journal of another one is not replayed.
    package var storeIdentity: UInt64 = 0
    /// Other nodes have copies of the logs: readers see what `raiseHighWatermark` says, not what is
    /// durable here.
    package var isReplicated = false
    /// A fault for the simulator's own test; `.none` everywhere else.
    package var planted = PlantedBug.none

    package init() {}
}

/// Bugs that can be switched on to prove that the simulator would find them.
package enum PlantedBug: String, CaseIterable, Sendable {
    case none
    /// Reports appends as durable at once.
    case acknowledgeBeforeSync = "acknowledge-before-sync"
    /// Treats a failed sync as a good one.
    case ignoreSyncError = "ignore-sync-error"
    /// Believes every checksum.
    case skipChecksum = "skip-checksum"
    /// Cuts a log at damage although it was durable there.
    case cutBelowDurableEnd = "cut-below-durable-end"
    /// Never makes names in directories durable.
    case forgetDirectorySync = "forget-directory-sync"
}

/// How a topic wants its batches compressed.
package struct StoredCodec: Hashable, Sendable {
    package var codec: Codec
    /// nil = the codec's own default
    package var level: Int?

    package init(_ codec: Codec, level: Int? = nil) {
        self.codec = codec
        self.level = level
    }
}

/// The settings of a topic that its logs obey; the names are those of the published settings.
package struct PartitionSettings: Hashable, Sendable {
    /// `segment.bytes`
    package var segmentBytes: Int64 = 1 << 30
    /// `segment.ms`
    package var segmentMilliseconds: Int64 = 604_800_000
    /// `segment.index.bytes`
    package var segmentIndexBytes = 10 << 20
    /// `index.interval.bytes`
    package var indexIntervalBytes = 4096
    /// `retention.ms`; negative = for ever
    package var retentionMilliseconds: Int64 = 604_800_000
    /// `retention.bytes`; negative = without bound
    package var retentionBytes: Int64 = -1
    /// `max.message.bytes`
    package var maxMessageBytes = Limits.recordBatchBytes
    /// `cleanup.policy` contains `delete`
    package var deletesOldSegments = true
    /// `cleanup.policy` contains `compact`
    package var isCompacted = false
    /// `message.timestamp.type` is `LogAppendTime`
    package var usesLogAppendTime = false
    /// `message.timestamp.before.max.ms`
    package var timestampBeforeMaxMilliseconds = Int64.max
    /// `message.timestamp.after.max.ms`
    package var timestampAfterMaxMilliseconds: Int64 = 3_600_000
    /// `min.cleanable.dirty.ratio` in thousandths
    package var minCleanableDirtyPerMille = 500
    /// `delete.retention.ms`
    package var deleteRetentionMilliseconds: Int64 = 86_400_000
    /// `min.compaction.lag.ms`
    package var minCompactionLagMilliseconds: Int64 = 0
    /// `max.compaction.lag.ms`
    package var maxCompactionLagMilliseconds = Int64.max
    /// `compression.type`; nil = `producer`: as the producer compressed them
    package var storedCodec: StoredCodec?
    /// `relaxed.durability`: records are acknowledged when the system has them, before they are
    /// synced. A power loss takes back what was acknowledged. Readers see synced records only.
    package var acknowledgesBeforeSync = false
    /// `file.delete.delay.ms`
    package var fileDeleteDelayMilliseconds: Int64 = 60_000

    package init() {}
}
