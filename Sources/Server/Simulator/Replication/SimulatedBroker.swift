import Base
import Log
import Quorum
import Replica

/// A broker of the simulated cluster: its process, its clock, its disk.
struct SimulatedBroker {
    enum Event {
        case message(ReplicaMessage)
        case tick
        case maintain
        case heartbeat
        case syncDone(SyncTicket)
        /// The metadata as of a place in its log.
        case metadata(MetadataImage, applied: Int64)
        case heartbeatAnswer(sentAt: Instant, HeartbeatAnswer)
        case proposalAnswer(PartitionProposal, isAccepted: Bool)
        case produce(SimulatedProduce)
        case fetch(SimulatedFetch)
        case deleteRecords(Int, before: Int64)
    }

    let id: NodeID
    var disk: SimulatedDisk
    var directory: UUID128
    var clock: DriftingClock
    /// Nil while the process is down.
    var store: LogStore?
    var manager: ReplicaManager?
    /// The metadata as far as the process knows it.
    var image = MetadataImage()
    var applied: Int64 = 0
    var incarnation = UUID128.zero
    /// Counts processes: what was meant for an earlier one is dropped.
    var process = 0
    var isPaused = false
    var wantsToLeave = false
    /// What came while the process was paused.
    var backlog: [Event] = []
    var openSyncs: [(request: SyncRequest, flush: SimulatedFile.Flush)] = []
    /// Its disk was replaced, or bytes on it were damaged, and not everything is there again.
    var isDamaged = false
    /// Damage that was done on purpose may not have been noticed: that it is gone is never sure.
    var isRotten = false

    init(id: NodeID, disk: SimulatedDisk, directory: UUID128, clock: DriftingClock) {
        self.id = id
        self.disk = disk
        self.directory = directory
        self.clock = clock
    }
}

/// Batches of one producer, to be appended in order.
struct SimulatedProduce {
    var producer: Int
    var attempt: Int
    var partition: Int
    var acknowledgement: Acknowledgement
    var entries: [ProducerModel.InFlight]
}

struct SimulatedFetch {
    var consumer: Int
    var attempt: Int
    var partition: Int
    var offset: Int64
    /// The leader epoch that the consumer knows.
    var epoch: LeaderEpoch
}

/// What a consumer is answered; nil = an error, try elsewhere.
struct SimulatedFetchAnswer {
    var next: Int64
    var highWatermark: Int64
    var epoch: LeaderEpoch
    /// The leader may not know all that is committed, and says so.
    var isBelowMinimum: Bool
}
