// What the log answers: results of appends, reads and lookups, and what happened at recovery.

import Base

/// Who appends. A client's batch is checked against every rule for clients; the node's own may
/// use what clients must not.
package enum AppendOrigin: Hashable, Sendable {
    case client
    /// A client whose transaction is known to be open and to include the partition.
    /// `bumpsEpochs`: it takes a new epoch for each transaction.
    case transaction(bumpsEpochs: Bool)
    /// The coordinator, the metadata log: written by this node, structure checked all the same.
    case node

    var isClient: Bool { self != .node }
    var bumpsEpochs: Bool { self == .transaction(bumpsEpochs: true) }
}

/// Where an appended batch went. It is not durable before `durableEndOffset > lastOffset`: answer
/// the producer only then, for duplicates too, because the original may still wait for its sync.
package struct AppendResult: Hashable, Sendable {
    package var baseOffset: Offset
    package var lastOffset: Offset
    /// Set when the topic uses log append time, else `Timestamp.none`, as the response spells it.
    package var logAppendTime: Timestamp
    package var logStartOffset: Offset
    /// The batch was there already; offsets are those of the original.
    package var isDuplicate: Bool
    package var recordCount: Int
    /// False for a partition whose records are acknowledged before they are synced.
    package var needsSync: Bool

    package init(
        baseOffset: Offset, lastOffset: Offset, logAppendTime: Timestamp, logStartOffset: Offset,
        isDuplicate: Bool, recordCount: Int, needsSync: Bool = true
    ) {
        self.baseOffset = baseOffset
        self.lastOffset = lastOffset
        self.logAppendTime = logAppendTime
        self.logStartOffset = logStartOffset
        self.isDuplicate = isDuplicate
        self.recordCount = recordCount
        self.needsSync = needsSync
    }
}

/// One record that made its batch unacceptable.
package struct RecordProblem: Hashable, Sendable {
    /// Place of the record in its batch, from 0.
    package var index: Int
    package var message: String

    package init(index: Int, message: String) {
        self.index = index
        self.message = message
    }
}

/// Why a batch was not appended. Nothing of it is visible, now or after a restart. Each case is one
/// published error code: see `code`.
package enum AppendFailure: Error, Equatable, Sendable {
    case unknownPartition
    case corruptMessage(String)
    case messageTooLarge(bytes: Int, limit: Int)
    case recordListTooLarge(bytes: Int, limit: Int)
    case unsupportedMessageFormat(magic: Int)
    case unsupportedCompression(codec: Int)
    case invalidRecord(String, records: [RecordProblem])
    case invalidTimestamp(String, records: [RecordProblem])
    case outOfOrderSequence(producerID: Int64, expected: Int32, found: Int32)
    case invalidProducerEpoch(producerID: Int64, current: Int16, found: Int16)
    case invalidTransactionState(String)
    /// A transactional batch outside of any transaction.
    case notInTransaction
    /// A marker of a coordinator that was replaced.
    case coordinatorFenced(producerID: Int64, current: Int32, found: Int32)
    /// The disk is nearly full. Retriable: retention or the operator may make room.
    case noSpace
    /// The journal waits for a sync to complete. Retriable.
    case journalFull
    /// The partition is offline on this node because stored bytes are damaged or can't be written.
    case damaged(PartitionDamage)
    case storage(StorageFailure)
    /// The store stopped after a failure that only a restart can heal.
    case halted
    /// A change of the metadata of a cluster, and this node is not its controller. Retriable.
    case notController

    /// The error code of the protocol.
    package var code: Int16 {
        switch self {
        case .unknownPartition: 3
        case .corruptMessage: 2
        case .messageTooLarge: 10
        case .recordListTooLarge: 18
        case .unsupportedMessageFormat: 43
        case .unsupportedCompression: 76
        case .invalidRecord: 87
        case .invalidTimestamp: 32
        case .outOfOrderSequence: 45
        case .invalidProducerEpoch: 47
        case .invalidTransactionState: 48
        case .notInTransaction: 42
        case .coordinatorFenced: 52
        case .notController: 41
        case .noSpace, .journalFull, .damaged, .storage, .halted: 56
        }
    }

    /// The records at fault, for `record_errors`.
    package var records: [RecordProblem] {
        switch self {
        case .invalidRecord(_, let records), .invalidTimestamp(_, let records): records
        default: []
        }
    }
}

extension AppendFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknownPartition: "this node has no such partition"
        case .corruptMessage(let detail): "the record batch is corrupt: \(detail)"
        case .messageTooLarge(let bytes, let limit):
            "the record batch has \(bytes) bytes, max.message.bytes is \(limit)"
        case .recordListTooLarge(let bytes, let limit):
            "the record batch has \(bytes) bytes, a segment holds at most \(limit)"
        case .unsupportedMessageFormat(let magic):
            "message format \(magic) is not stored here, only format 2"
        case .unsupportedCompression(let codec): "unknown compression codec \(codec)"
        case .invalidRecord(let detail, _): detail
        case .invalidTimestamp(let detail, _): detail
        case .outOfOrderSequence(let producer, let expected, let found):
            "producer \(producer) sent sequence \(found), expected \(expected)"
        case .invalidProducerEpoch(let producer, let current, let found):
            "producer \(producer) sent epoch \(found), the current one is \(current)"
        case .invalidTransactionState(let detail): detail
        case .notInTransaction:
            "a transactional batch needs a transactional id in its request"
        case .coordinatorFenced(let producer, let current, let found):
            "a marker for producer \(producer) has coordinator epoch \(found), "
                + "the current one is \(current)"
        case .noSpace: "no space left for more records; reads and deletes go on"
        case .journalFull: "the commit journal is full until its sync completes"
        case .damaged(let damage): damage.description
        case .storage(let failure): failure.description
        case .halted: "the log store has stopped after a storage failure"
        case .notController: "this node is not the controller of the cluster"
        }
    }
}

/// Stored bytes that were durable and are not what they were. Never repaired by cutting.
package struct PartitionDamage: Error, Hashable, Sendable {
    package var topicPartition: TopicPartition
    package var file: String
    package var position: Int64
    /// The first offset that can't be read.
    package var firstOffset: Offset
    /// One past the last offset known to have been durable.
    package var endOffset: Offset
    package var detail: String

    package init(
        topicPartition: TopicPartition, file: String, position: Int64, firstOffset: Offset,
        endOffset: Offset, detail: String
    ) {
        self.topicPartition = topicPartition
        self.file = file
        self.position = position
        self.firstOffset = firstOffset
        self.endOffset = endOffset
        self.detail = detail
    }
}

extension PartitionDamage: CustomStringConvertible {
    package var description: String {
        "\(topicPartition) is damaged in \(file) at position \(position): offsets \(firstOffset) "
            + "to \(Offset(endOffset.value - 1)) were durable and can't be read (\(detail))"
    }
}

/// Which records a reader may see.
package enum Isolation: Sendable {
    case readUncommitted
    case readCommitted
}

package enum ReadFailure: Error, Equatable, Sendable {
    case unknownPartition
    case offsetOutOfRange(requested: Offset, logStartOffset: Offset, logEndOffset: Offset)
    case damaged(PartitionDamage)
    case storage(StorageFailure)

    /// The error code of the protocol.
    package var code: Int16 {
        switch self {
        case .unknownPartition: 3
        case .offsetOutOfRange: 1
        case .damaged, .storage: 56
        }
    }
}

/// Whole batches, and the offsets that a fetch answers with.
package struct ReadOutcome: Sendable {
    /// One element is one or more whole record batches, as stored; in offset order.
    package var batches: [Bytes]
    package var bytes: Int
    package var logStartOffset: Offset
    package var highWatermark: Offset
    package var lastStableOffset: Offset
    /// Only for readers of committed records: transactions whose records in these batches they must
    /// skip, by first offset.
    package var aborted: [AbortedTransaction] = []
}

/// The answer to "which record is the first at or after this time".
package struct TimestampedOffset: Hashable, Sendable {
    package var offset: Offset
    package var timestamp: Timestamp
    package var leaderEpoch: LeaderEpoch
}

package struct PartitionOffsets: Hashable, Sendable {
    package var logStartOffset: Offset
    /// Readers see records below.
    package var highWatermark: Offset
    package var lastStableOffset: Offset
    /// Records below survive a power loss.
    package var durableEndOffset: Offset
    package var logEndOffset: Offset
    package var leaderEpoch: LeaderEpoch
}

package enum DeleteRecordsFailure: Error, Equatable, Sendable {
    case unknownPartition
    case offsetOutOfRange
    /// The topic is compacted only.
    case policyViolation
    case storage(StorageFailure)

    package var code: Int16 {
        switch self {
        case .unknownPartition: 3
        case .offsetOutOfRange: 1
        case .policyViolation: 44
        case .storage: 56
        }
    }
}

/// Syncs of different lanes may run at the same time; of each lane one is open at most.
package enum SyncLane: Sendable {
    /// Acknowledgements wait for it.
    case journal
    /// Nobody waits for it.
    case segments
}

/// What the driver must make durable off the loop.
package struct SyncRequest: Sendable {
    package var ticket: SyncTicket
    package var lane: SyncLane
    package var file: any DiskFile
}

/// A partition whose durable end moved, so that producers can be answered and fetches woken.
package struct DurableAdvance: Hashable, Sendable {
    package var topicPartition: TopicPartition
    package var durableEndOffset: Offset
    package var highWatermark: Offset
    /// The leader epoch whose begin is durable.
    package var durableLeaderEpoch: LeaderEpoch
}

package enum SyncOutcome: Sendable {
    /// In ascending order of partition.
    case advanced([DurableAdvance])
    /// Stop the process: what was written can't be trusted before it was read again from disk.
    case halt(Problem)
}

/// What was found when the store was opened.
package struct RecoveryReport: Sendable {
    package var partitions = 0
    package var journalFrames = 0
    package var journalBytes: Int64 = 0
    /// Batches that only the journal held and that were written to their segments again.
    package var rewrittenBatches = 0
    /// Batches or fragments that were never durable and were cut.
    package var cutBytes: Int64 = 0
    package var damaged: [PartitionDamage] = []
    /// The checkpoint could not be read: every segment was verified instead.
    package var didScanEverything = false
    /// What the operator should know, one sentence each.
    package var notes: [String] = []

    package init() {}
}

/// A partition to create.
package struct NewPartition: Sendable {
    package var topicPartition: TopicPartition
    package var topicID: UUID128
    package var settings: PartitionSettings

    package init(
        topicPartition: TopicPartition, topicID: UUID128,
        settings: PartitionSettings = PartitionSettings()
    ) {
        self.topicPartition = topicPartition
        self.topicID = topicID
        self.settings = settings
    }
}

package struct LogStoreStatistics: Hashable, Sendable {
    package var partitions = 0
    package var damagedPartitions = 0
    package var logBytes: Int64 = 0
    package var appendedBytes: Int64 = 0
    package var appendedRecords: Int64 = 0
    package var journalSyncs: Int64 = 0
    package var checkpoints: Int64 = 0
    package var cleanings: Int64 = 0
    /// Bytes of closed segments that were read again and checked.
    package var scrubbedBytes: Int64 = 0
    /// How often everything was checked.
    package var scrubRounds: Int64 = 0
    /// Partitions in which that found damage.
    package var scrubDamages: Int64 = 0
    package init() {}
}
