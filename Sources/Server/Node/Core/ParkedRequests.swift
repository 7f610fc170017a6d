// Requests that can't be answered yet, and what they wait for.

import Base
import Coordinator
import Quorum
import WireProtocol

/// Who waits for the durable end of a partition to pass an offset.
enum DurabilityWaiter: Sendable {
    /// One partition of a produce request.
    case produce(RequestKey, topic: Int, partition: Int)
    /// A change of the metadata.
    case change
    /// Records of a group.
    case group(AppendToken)
    /// Records of a share group.
    case share(AppendToken)
    /// Copies of records that a share group has given up.
    case deadLetters(SharePlace, ClosedRange<Int64>)
    /// One batch of an append command.
    case append(CommandID)
    /// A record of a transactional id.
    case transaction(AppendToken)
    case marker(MarkerWait)
}

struct DurabilityWait: Sendable {
    var lastOffset: Offset
    var waiter: DurabilityWaiter
}

/// A produce request with partitions that are not durable yet.
struct ParkedProduce: Sendable {
    var context: RequestContext
    var response: ProduceResponse
    /// Places in the response that are not settled.
    var open: Int
    /// By topic and partition; empty when there is only one place.
    var isOpen: [[Bool]]
    var deadline: Instant
}

/// What a fetch reads, and how much of it.
struct FetchPlan: Sendable {
    enum Session: Sendable {
        case none
        /// One is to be opened with the answer.
        case wanted
        case open(Int32)
    }

    var targets: [FetchTarget]
    var session: Session
    var minBytes: Int
    var maxBytes: Int
    /// Only records of transactions that were committed are wanted.
    var isCommittedOnly: Bool
    /// Where the client is, so that it can read from a replica there; empty when it does not say.
    var rack: String
}

/// A fetch that waits for records.
struct ParkedFetch: Sendable {
    var context: RequestContext
    var plan: FetchPlan
    var deadline: Instant
    /// The partitions it reads, with the place in the request, and the bytes that each had for it
    /// when it was last looked at.
    var partitions: [Interest]
    var bytes: Int

    struct Interest: Sendable {
        var topicPartition: TopicPartition
        var offset: Offset
        var maxBytes: Int
        var bytes: Int
    }
}

/// A change of the metadata on its way to the disk.
struct PendingChange: Sendable {
    var records: [MetadataRecord]
    var completion: Completion

    enum Completion: Sendable {
        /// The answer is ready and only waits for the change.
        case answer(RequestKey, frame: [Bytes])
        case command(CommandID, NodeAnswer)
        /// A command that is refused for what the changes before it have made.
        case refusal(CommandID, Problem)
        case producerIDs
        /// The outcome of a command to the controller.
        case outcome(CommandReply, ClusterOutcome)
        /// Nobody in particular; connections that wait for any change look again.
        case none
    }
}

/// Records of a command in batches.
struct CutRecords: Sendable {
    var batches: [PartitionBatch] = []
    /// Of each record its batch, and its place in it.
    var places: [(batch: Int, place: Int64)]

    init(count: Int) { places = Array(repeating: (0, 0), count: count) }

    /// Where the records are when the batches begin at `offsets`.
    func appended(at offsets: [Offset]) -> [AppendedRecord] {
        places.map { place in
            AppendedRecord(
                partition: batches[place.batch].partition.partition,
                offset: offsets[place.batch] + place.place)
        }
    }
}

/// An append command whose batches are not all durable.
struct ParkedAppend: Sendable {
    /// The first of each batch.
    var offsets: [Offset]
    /// nil: who asks has batches, not records.
    var cut: CutRecords?
    var open: Int

    var answer: NodeAnswer {
        cut.map { .appended($0.appended(at: offsets)) } ?? .written(offsets)
    }
}

/// A group request whose answer the coordinator owes.
enum ParkedGroupRequest: Sendable {
    case join(RequestContext)
    case sync(RequestContext)
    case heartbeat(RequestContext)
    case leave(RequestContext)
    /// The answer, and where in it each entry given to the coordinator belongs.
    case commit(RequestContext, OffsetCommitResponse, places: [(topic: Int, partition: Int)])
    case transactionalCommit(
        RequestContext, TxnOffsetCommitResponse, places: [(topic: Int, partition: Int)])
    case delete(RequestKey, place: Int)
    case consumerHeartbeat(RequestContext)
    /// As for commits.
    case offsetDelete(RequestContext, OffsetDeleteResponse, places: [(topic: Int, partition: Int)])
}

/// A DeleteGroups request with groups that are not deleted yet.
struct ParkedGroupDeletion: Sendable {
    var context: RequestContext
    var response: DeleteGroupsResponse
    var open: Int
}
