import Base

/// What the simulation knows about the batches of one partition, independent of the log.
struct PartitionModel {
    struct Row {
        var key: String?
        var text: String
    }

    struct Batch {
        var producer: Int
        /// The producer's count of batches, from 0.
        var number: Int
        var rows: [Row]
    }

    struct Promise {
        var checksum: UInt32
        var lastOffset: Int64
        /// How many syncs had completed when it was made.
        var sync: Int
    }

    let name: TopicPartition
    var isCompacted = false
    /// Every batch that was ever sent, by its checksum. Looked up only.
    var sent: [UInt32: Batch] = [:]
    /// The value of every record that was ever sent. Looked up only.
    var sentTexts: Set<String> = []
    /// Batches acknowledged to producers, by base offset.
    var acknowledged: OrderedMap<Int64, Promise> = [:]
    /// Batches that a reader saw, by base offset.
    var served: OrderedMap<Int64, Promise> = [:]
    var deletedBelow: Int64 = 0
    /// A file of the partition was damaged on purpose.
    var wasRotted = false
    var isDamaged = false
    /// Batches promised by this sync may be lost: the journal frame that proves that they were
    /// durable was never written, and the only copy was damaged on purpose.
    var unprovenSync: Int?

    init(name: TopicPartition) { self.name = name }

    mutating func add(_ batch: Batch, checksum: UInt32) {
        sent[checksum] = batch
        for row in batch.rows { sentTexts.insert(row.text) }
    }
}

/// One producer: sends batches in order, retries what was not acknowledged.
struct ProducerModel {
    struct InFlight {
        var number: Int
        var bytes: Bytes
        var checksum: UInt32
        /// Set once the log took it.
        var lastOffset: Int64?
        var baseOffset: Int64?
        /// The request that carries it on the present connection.
        var correlation: Int32?
    }

    let id: Int
    let partition: Int
    let isIdempotent: Bool
    var producerID: Int64 = -1
    var nextNumber = 0
    var nextSequence: Int32 = 0
    var inFlight: [InFlight] = []
    var isStopped = false

    init(id: Int, partition: Int, isIdempotent: Bool) {
        self.id = id
        self.partition = partition
        self.isIdempotent = isIdempotent
    }
}
