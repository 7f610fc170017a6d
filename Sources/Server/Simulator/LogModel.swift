import Base

/// What the simulation knows about the batches of one partition, independent of the log.
struct PartitionModel {
    struct Batch {
        var producer: Int
        /// The producer's count of batches, from 0.
        var number: Int
        var checksum: UInt32
        var recordCount: Int
    }

    struct Promise {
        var checksum: UInt32
        var lastOffset: Int64
        /// How many syncs had completed when it was made.
        var sync: Int
    }

    let name: TopicPartition
    /// Every batch that was ever sent, by its checksum.
    var sent: [UInt32: Batch] = [:]
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
    }

    let id: Int
    let partition: Int
    let isIdempotent: Bool
    var nextNumber = 0
    var nextSequence: Int32 = 0
    var inFlight: [InFlight] = []
    var isStopped = false
}
