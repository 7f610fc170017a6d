import Base
import Log

/// What the process itself asks of the node: the gateway, SQL statements, streaming tables.
package enum NodeCommand: Sendable {
    /// Appends records, partitioned by key as the Java client does (round-robin without a key).
    /// Answered by `appended` when all of them are durable.
    case append(topic: String, records: [NewRecord])
    /// Appends nothing if the topic exists. nil = the broker's default.
    case createTopic(name: String, partitions: Int32?, configs: [TopicSetting])
    case deleteTopic(name: String)
    /// All topics when nil.
    case describeTopics([String]?)
    /// Whole record batches from the one that contains `from` up to the last stable offset, at most
    /// about `maxBytes`, at least one if there is one; none below the log's start.
    case read(TopicPartition, from: Offset, maxBytes: Int)
    /// Stores named objects (catalog entries) durably in the cluster metadata, or deletes them: all or
    /// none, and only if those of `expecting` are as it says.
    case changeObjects([ObjectChange], expecting: [ObjectChange] = [])
    /// All stored objects whose name begins with `prefix`.
    case listObjects(prefix: String)
    /// Answered when this node has all metadata that the controller of its cluster had when it was asked: what
    /// was done through another node is known here then. Nobody waits longer than two seconds.
    case catchUp
    /// Broker figures for `/metrics`, `/health` and the demo.
    case statistics

    // What nodes ask of each other: whoever gets it has to lead the partitions.

    /// Batches for partitions, each answered with its first offset by `written`.
    case write([PartitionBatch])
    /// Where partitions begin and end, answered by `partitions` in the same order.
    case describePartitions([TopicPartition])
}

/// A named object as it is to be, or as it is expected to be.
package struct ObjectChange: Hashable, Sendable {
    package var name: String
    /// nil: there is none.
    package var content: Bytes?

    package init(_ name: String, _ content: Bytes?) {
        self.name = name
        self.content = content
    }
}

/// A record batch, ready but for its offset.
package struct PartitionBatch: Hashable, Sendable {
    package var partition: TopicPartition
    package var batch: Bytes

    package init(partition: TopicPartition, batch: Bytes) {
        self.partition = partition
        self.batch = batch
    }
}

package struct NewRecord: Sendable {
    package var key: Bytes?
    package var value: Bytes?
    package var headers: [RecordHeader]
    /// Milliseconds; nil = now.
    package var timestamp: Timestamp?

    package init(
        key: Bytes? = nil, value: Bytes?, headers: [RecordHeader] = [], timestamp: Timestamp? = nil
    ) {
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }

    package struct RecordHeader: Sendable {
        package var key: String
        package var value: Bytes?
        package init(key: String, value: Bytes?) {
            self.key = key
            self.value = value
        }
    }
}

/// A topic setting by its published name, for example `retention.ms`.
package struct TopicSetting: Hashable, Sendable {
    package var name: String
    package var value: String
    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

package enum NodeAnswer: Sendable {
    /// Where each record of the command went, in its order.
    case appended([AppendedRecord])
    case topics([TopicDescription])
    case batches(ReadResult)
    case objects([StoredObject])
    case statistics(NodeStatistics)
    case written([Offset])
    case partitions([TopicDescription.PartitionDescription])
    case done
}

package struct AppendedRecord: Hashable, Sendable {
    package var partition: Int32
    package var offset: Offset
    package init(partition: Int32, offset: Offset) {
        self.partition = partition
        self.offset = offset
    }
}

package struct TopicDescription: Sendable {
    package var name: String
    package var id: UUID128
    package var isInternal: Bool
    package var settings: [TopicSetting]
    package var partitions: [PartitionDescription]

    package init(
        name: String, id: UUID128, isInternal: Bool, settings: [TopicSetting],
        partitions: [PartitionDescription]
    ) {
        self.name = name
        self.id = id
        self.isInternal = isInternal
        self.settings = settings
        self.partitions = partitions
    }

    package struct PartitionDescription: Hashable, Sendable {
        package var partition: Int32
        package var logStartOffset: Offset
        package var highWatermark: Offset
        /// One past the last offset that `read` gives: no transaction is open below.
        package var lastStableOffset: Offset
        package var bytes: Int64
        /// False: no leader of it could be asked, and the figures above are -1. They are, too, while a
        /// partition is being made.
        package var isKnown = true

        package init(
            partition: Int32, logStartOffset: Offset, highWatermark: Offset,
            lastStableOffset: Offset, bytes: Int64
        ) {
            self.partition = partition
            self.logStartOffset = logStartOffset
            self.highWatermark = highWatermark
            self.lastStableOffset = lastStableOffset
            self.bytes = bytes
        }
    }
}

package struct ReadResult: Sendable {
    /// Record batches v2 as stored.
    package var batches: [Bytes]
    package var logStartOffset: Offset
    /// One past the last offset that can be read: no transaction is open below.
    package var lastStableOffset: Offset
    /// Transactions whose records in these batches are to be skipped, by first offset.
    package var aborted: [AbortedTransaction]

    package init(
        batches: [Bytes], logStartOffset: Offset, lastStableOffset: Offset,
        aborted: [AbortedTransaction]
    ) {
        self.batches = batches
        self.logStartOffset = logStartOffset
        self.lastStableOffset = lastStableOffset
        self.aborted = aborted
    }
}

package struct StoredObject: Sendable {
    package var name: String
    package var content: Bytes
    package init(name: String, content: Bytes) {
        self.name = name
        self.content = content
    }
}

package struct NodeStatistics: Sendable {
    package var connections = 0
    package var requests: Int64 = 0
    package var producedBytes: Int64 = 0
    package var producedRecords: Int64 = 0
    package var fetchedBytes: Int64 = 0
    package var journalSyncs: Int64 = 0
    package var failedAuthentications: Int64 = 0
    package var throttledRequests: Int64 = 0
    package var topics = 0
    package var partitions = 0
    package var logBytes: Int64 = 0
    package var groups = 0
    package var damagedPartitions = 0
    package var scrubbedBytes: Int64 = 0
    package var scrubRounds: Int64 = 0
    /// nil = the node stands alone.
    package var cluster: ClusterStatistics?
    package init() {}
}

/// The cluster as one of its nodes sees it.
package struct ClusterStatistics: Sendable {
    /// The node is registered and serves clients.
    package var isServing = false
    package var isController = false
    /// -1 = none is known.
    package var controller: Int32 = -1
    package var term: Int64 = 0
    /// Entries of the metadata log that are applied here.
    package var applied: Int64 = 0
    /// This node, and all that the controller counts as alive.
    package var node: Int32 = 0
    package var alive: [Int32] = []
    /// Other nodes that there is a link to.
    package var links = 0
    package var brokersAlive = 0
    package var brokersFenced = 0
    package var partitionsWithoutLeader = 0
    /// Not all of their replicas are in sync; those that a move adds don't count before.
    package var partitionsUnderReplicated = 0
    /// Their replicas come and go.
    package var partitionsMoving = 0
    /// Fewer replicas are in sync than have to be, so that nothing is acknowledged to all.
    package var partitionsBelowMinimum = 0

    package init() {}
}
