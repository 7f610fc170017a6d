import Base

/// All partition logs and the commit journal of one data directory. One caller at a time changes
/// it (the node's loop); it reaches the world only through the `Disk` it was given.
///
/// An append is visible to readers, and may be acknowledged, when `syncCompleted` says so. The
/// driver's part: after appends call `beginSync`; sync the file it names; hand the outcome to
/// `syncCompleted`; call `beginSync` again. Call `maintain` at `nextDeadline`.
package struct LogStore: Sendable {
    /// Opens the directory, replays the journal, and says what it found. A damaged partition does
    /// not fail this; it answers its own requests with errors. Settings are the defaults until
    /// `configure` is called.
    package static func open(
        disk: any Disk, configuration: LogStoreConfiguration, now: Now
    ) throws(StorageFailure) -> (store: LogStore, report: RecoveryReport) {
        throw .notFound(path: "")
    }

    /// Every partition, in ascending order.
    package var partitions: [TopicPartition] { [] }
    package func topicID(of partition: TopicPartition) -> UUID128? { nil }
    package func offsets(of partition: TopicPartition) -> PartitionOffsets? { nil }
    package func damage(of partition: TopicPartition) -> PartitionDamage? { nil }
    package var statistics: LogStoreStatistics { LogStoreStatistics() }

    /// Creates empty logs, durably, all or (after a crash) none. An existing one is an error.
    package mutating func create(
        _ partitions: [NewPartition], now: Now
    ) throws(StorageFailure) {}

    /// Removes the logs, durably. Unknown ones are ignored.
    package mutating func delete(
        _ partitions: [TopicPartition], now: Now
    ) throws(StorageFailure) {}

    package mutating func configure(
        _ partition: TopicPartition, settings: PartitionSettings
    ) {}

    /// The epoch that following appends carry; it only rises.
    package mutating func raiseLeaderEpoch(
        of partition: TopicPartition, to epoch: LeaderEpoch
    ) {}

    /// Appends one record batch, whose base offset and leader epoch are set here.
    package mutating func append(
        _ batch: Bytes, to partition: TopicPartition, origin: AppendOrigin = .client, now: Now
    ) throws(AppendFailure) -> AppendResult { throw .halted }

    /// What to make durable next; nil when nothing waits or a request is still open.
    package mutating func beginSync() -> SyncRequest? { nil }

    package mutating func syncCompleted(
        _ ticket: SyncTicket, failure: StorageFailure?
    ) -> SyncOutcome { .advanced([]) }

    /// Whole batches from the one that contains `offset` (or the next, where compaction left a
    /// gap) up to the high watermark: at most `maxBytes`, but at least one batch if there is one.
    package mutating func read(
        _ partition: TopicPartition, from offset: Offset, maxBytes: Int,
        isolation: Isolation = .readUncommitted
    ) throws(ReadFailure) -> ReadOutcome { throw .unknownPartition }

    /// The first record, in offset order, whose timestamp is `timestamp` or later; nil when none.
    package mutating func firstOffset(
        in partition: TopicPartition, atOrAfter timestamp: Timestamp
    ) throws(ReadFailure) -> TimestampedOffset? { throw .unknownPartition }

    /// The first record with the largest timestamp; nil when the log is empty.
    package mutating func offsetOfMaxTimestamp(
        in partition: TopicPartition
    ) throws(ReadFailure) -> TimestampedOffset? { throw .unknownPartition }

    /// Where the records of `epoch` end: the largest epoch at or below it and one past its last
    /// offset; nil when the epoch is unknown.
    package func endOffset(
        of partition: TopicPartition, epoch: LeaderEpoch
    ) -> (epoch: LeaderEpoch, endOffset: Offset)? { nil }

    /// Raises the log start, durably, and returns it. -1 stands for the high watermark.
    package mutating func deleteRecords(
        in partition: TopicPartition, before offset: Offset, now: Now
    ) throws(DeleteRecordsFailure) -> Offset { throw .unknownPartition }

    /// Retention, checkpoints, cleaning, removal of old files, in steps of about `budgetBytes`.
    /// A problem returned means halt.
    package mutating func maintain(now: Now, budgetBytes: Int = 4 << 20) -> Problem? { nil }

    /// When `maintain` wants to be called.
    package var nextDeadline: Instant { .distantFuture }

    /// Makes everything durable and leaves a short recovery to the next start.
    package mutating func close(now: Now) throws(StorageFailure) {}

    /// Stops the process when an invariant is broken. Each partition:
    /// `logStartOffset ≤ highWatermark ≤ durableEndOffset ≤ logEndOffset`.
    package func checkInvariants() {}
}
