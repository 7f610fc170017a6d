import Base

/// A checkpoint under way: what segments still have in memory is written, they are synced one by
/// one, then directories, then the checkpoint file replaces the old one, and the journal before
/// `replayFrom` may be used again.
struct CheckpointRun: Sendable {
    struct SegmentSync: Hashable, Sendable {
        var number: UInt32
        var baseOffset: Int64
        /// The bytes that the sync covers.
        var bytes: Int64
    }

    /// Frames below are in the segments that this run syncs.
    var replayFrom: UInt64
    /// Partitions with batches that are not in their segment files yet.
    private var writes: [UInt32]
    private var segments: [SegmentSync]
    private var segmentsDone = 0
    private var directories: [UInt32]
    private var directoriesDone = 0

    init(
        replayFrom: UInt64, writes: [UInt32], segments: [SegmentSync], directories: [UInt32]
    ) {
        self.replayFrom = replayFrom
        self.writes = writes
        self.segments = segments
        self.directories = directories
    }

    /// The partition to write next; syncs begin when all are written.
    var nextWrite: UInt32? { writes.last }

    mutating func writeIsDone() { writes.removeLast() }

    /// The segment to sync next; nil when all are durable.
    var nextSegment: SegmentSync? {
        segmentsDone < segments.count ? segments[segmentsDone] : nil
    }

    mutating func segmentIsDone() { segmentsDone += 1 }

    var nextDirectory: UInt32? {
        directoriesDone < directories.count ? directories[directoriesDone] : nil
    }

    mutating func directoryIsDone() { directoriesDone += 1 }
}

/// A file or tree that the checkpoint does not know any more.
struct DoomedFile: Sendable {
    /// Where the directories of deleted partitions wait.
    static let directory = "deleted"

    var path: String
    var isTree: Bool
    var deadline: Instant
}

/// When which maintenance is due.
struct MaintenanceSchedule: Sendable {
    var nextCheckpoint: Instant
    var nextRetention: Instant
    var nextCleaning: Instant
    var nextScrub: Instant
    /// After the disk was full: no growth of the journal before this moment.
    var growthBlockedUntil = Instant(nanoseconds: .min)
    /// After a segment could not be written because the disk was full.
    var writesBlockedUntil = Instant(nanoseconds: .min)
    /// After a checkpoint could not be written because the disk was full.
    var checkpointBlockedUntil = Instant(nanoseconds: .min)

    init(configuration: LogStoreConfiguration, now: Instant) {
        nextCheckpoint = now + configuration.checkpointInterval
        nextRetention = now + configuration.retentionCheckInterval
        nextCleaning = now + configuration.cleanerCheckInterval
        // The first round soon: a crash of the machine is when damage happens.
        nextScrub = now + min(configuration.scrubInterval, .seconds(300))
    }
}

/// A sync of a segment that was asked for and has not ended.
struct OpenSegmentSync: Sendable {
    var ticket: SyncTicket
    var segment: CheckpointRun.SegmentSync
    /// The file that is synced; nil when its outcome says nothing any more.
    var file: (any DiskFile)?
}
