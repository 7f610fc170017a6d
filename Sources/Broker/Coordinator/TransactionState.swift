import Base

/// What is durable about one transactional id.
package struct TransactionState: Hashable, Sendable {
    /// With the published numbers.
    package enum Phase: Int8, CaseIterable, Sendable {
        case empty = 0
        case ongoing = 1
        case prepareCommit = 2
        case prepareAbort = 3
        case completeCommit = 4
        case completeAbort = 5

        package var publishedName: String {
            let name = "\(self)"
            return name.prefix(1).uppercased() + name.dropFirst()
        }
    }

    /// A producer gives up an epoch at this number: one more is kept for fencing it.
    package static let lastClientEpoch = Int16.max - 1

    package var producerID: Int64
    /// The id before the last change of ids; -1 when there was none.
    package var previousProducerID: Int64 = -1
    /// The id that follows when the transaction has ended, because the epochs are used up; else -1.
    package var nextProducerID: Int64 = -1
    /// -1 before the first producer came.
    package var producerEpoch: Int16
    /// The epoch before, when whoever had it may ask again for what it was answered; else -1.
    package var lastProducerEpoch: Int16 = -1
    package var timeoutMilliseconds: Int32
    package var phase = Phase.empty
    /// Looked up, or sorted before it is iterated.
    package var partitions: Set<TopicPartition> = []
    /// When the transaction began, -1 when none ever did; milliseconds since 1970.
    package var startTimestamp: Int64 = -1
    package var updateTimestamp: Int64
    /// The producer takes a new epoch for each transaction.
    package var bumpsEpochs = false

    package init(
        producerID: Int64, producerEpoch: Int16, timeoutMilliseconds: Int32, updateTimestamp: Int64
    ) {
        self.producerID = producerID
        self.producerEpoch = producerEpoch
        self.timeoutMilliseconds = timeoutMilliseconds
        self.updateTimestamp = updateTimestamp
    }

    /// A transaction has begun, and not all of its markers are written.
    package var isUnderWay: Bool { phase == .ongoing || isPrepared }
    package var isPrepared: Bool { phase == .prepareCommit || phase == .prepareAbort }
    var isExhausted: Bool { producerEpoch >= Self.lastClientEpoch }

    /// What a client that ended a transaction uses for the next one.
    var following: (producerID: Int64, epoch: Int16) {
        nextProducerID >= 0 ? (nextProducerID, 0) : (producerID, producerEpoch)
    }

    /// The state after all markers of a prepared transaction were written.
    func completed(at now: Int64) -> TransactionState {
        var next = self
        next.phase = phase == .prepareCommit ? .completeCommit : .completeAbort
        next.partitions = []
        next.updateTimestamp = now
        if nextProducerID >= 0 {
            next.previousProducerID = producerID
            next.producerID = nextProducerID
            next.producerEpoch = 0
            next.nextProducerID = -1
        }
        return next
    }

    /// The state that fences whoever has the present epoch, and aborts its transaction.
    func fenced(at now: Int64) -> TransactionState {
        var next = self
        next.phase = .prepareAbort
        next.producerEpoch = producerEpoch == .max ? .max : producerEpoch + 1
        next.lastProducerEpoch = -1
        next.updateTimestamp = now
        return next
    }
}

/// What a coordinator knows about one transactional id.
struct TransactionEntry: Sendable {
    /// A request that waits for a transition to be over.
    struct Waiting: Sendable {
        var call: AddPartitionsCall
        var token: ReplyToken
        var deadline: Instant
    }

    var state: TransactionState
    /// A change is on its way to the disk; every request that needs a change has to wait.
    var isPending = false
    /// The first record of the id is not durable.
    var isNew = false
    /// The markers that are being written.
    var markers: MarkerToken?
    /// Where markers could not be written and what is to be tried again at `retryAt`; empty when
    /// it is the record of the end itself.
    var retry: [TopicPartition] = []
    var retryAt: Instant?
    /// When the open transaction has lasted too long.
    var timeout: Instant?
    var waiting: [Waiting] = []

    /// No request may change anything now.
    var isBusy: Bool { isPending || state.isPrepared }
}
