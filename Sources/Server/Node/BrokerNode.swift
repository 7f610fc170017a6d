import Base
import Coordinator
import Crypto
import Log
import Quorum
import Replica
import Security
import WireProtocol

/// One broker: the log store, the metadata, the groups and the connections, as one deterministic
/// machine. Events come in with the time, effects go out.
///
/// A batch of events may be given to `accept` one by one and finished with one `finishRound`: then
/// whatever they appended shares one sync. `handle` does both for a single event.
///
/// Files: this one has the life cycle and the events; `Core/` the mechanics that handlers share;
/// `Handlers/` one file for each request kind; `Settings/` the tables of settings.
package struct BrokerNode: Sendable {
    let configuration: NodeConfiguration
    let diagnostics: any Diagnostics
    let versions: ApiVersionTable
    var random: Random
    var store: LogStore
    var coordinator: GroupCoordinator
    var transactions: TransactionCoordinator
    var shares: ShareCoordinator

    /// What is durable: what requests are answered from.
    var image: MetadataImage
    /// With the changes that are still on their way to the disk: what new changes are checked
    /// against and computed from.
    var draft: MetadataImage
    /// What topics get that say nothing themselves.
    var topicDefaults: TopicDefaults
    /// What a node of a cluster has besides; nil = it stands alone.
    var cluster: ClusterCore?
    /// The replicas of a node of a cluster, from its registration on.
    var replicas: ReplicaManager?
    /// What they want done at the end of the event.
    var replicaEffects: [ReplicaEffect] = []
    var replicaWaits: [UInt64: ReplicaWait] = [:]
    var lastReplicaToken: UInt64 = 0
    /// The partitions of which this node of a cluster knows what they keep, and since which leadership.
    /// Looked up only.
    var coordinated: [TopicPartition: LeaderEpoch] = [:]
    /// A request about the metadata is being decided on: see `answer`.
    var isDeciding = false
    var changes = Queue<PendingChange>()
    /// The last record of the newest of them.
    var lastChangeOffset: Offset = -1

    var connections: [ConnectionID: ClientConnection] = [:]
    var queuedBytes = 0
    /// Connections that may have a request to start.
    var runnable = Queue<ConnectionID>()
    /// Connections whose next request waits for a change of the metadata.
    var waitingForChange: [ConnectionID] = []

    /// By partition, in the order of the offsets.
    var durabilityWaits: [TopicPartition: Queue<DurabilityWait>] = [:]
    var produces: [RequestKey: ParkedProduce] = [:]
    var nextProduceCheck: Instant?
    /// Answers that wait for the write of the journal at the end of the round, not for its sync.
    var relaxedAnswers: [(context: RequestContext, response: ProduceResponse)] = []
    var fetches: [RequestKey: ParkedFetch] = [:]
    var fetchesByPartition: [TopicPartition: [RequestKey]] = [:]
    var fetchDeadlines = DeadlineQueue<RequestKey>()
    var fetchSessions: FetchSessions
    var shareSessions: ShareSessions
    var shareFetches: [RequestKey: ParkedShareFetch] = [:]
    var shareFetchesByPartition: [TopicPartition: [RequestKey]] = [:]
    var shareFetchDeadlines = DeadlineQueue<RequestKey>()
    var shareRequests: [ReplyToken: ParkedShareRequest] = [:]
    /// Where dead letters are being written, or wait to be tried again.
    var deadLetterPlaces: Set<SharePlace> = []
    var deadLetterRetries = DeadlineQueue<SharePlace>()
    var appends: [CommandID: ParkedAppend] = [:]
    var groupRequests: [ReplyToken: ParkedGroupRequest] = [:]
    var groupDeletions: [RequestKey: ParkedGroupDeletion] = [:]
    var transactionRequests: [ReplyToken: ParkedTransactionRequest] = [:]
    var partitionAdditions: [RequestKey: ParkedPartitionAddition] = [:]
    var parkedMarkers: [MarkerToken: ParkedMarkers] = [:]
    var markerRequests: [RequestKey: ParkedMarkerRequest] = [:]
    var lastReplyToken: UInt64 = 0
    /// Producer ids that were reserved durably and not handed out yet.
    var producerIDs: Range<Int64> = 0..<0
    var isReservingProducerIDs = false
    /// Where the next record without a key goes, by topic.
    var roundRobin: [String: Int32] = [:]

    var sasl: SaslTools
    var quotaMeters = QuotaMeters()
    /// Sign-ons that wait for their time.
    var delayedSasl: [RequestKey: DelayedSaslWork] = [:]
    var saslDeadlines = DeadlineQueue<RequestKey>()
    /// When the next password may be hashed.
    var nextDerivation = Instant.zero
    /// By address, for lookups only.
    var authenticationFailures: [String: AuthenticationFailures] = [:]

    var now: Now
    var output: [NodeEffect] = []
    private var announcedWake: Instant?
    private(set) var isHalted = false
    var counters = NodeStatistics()

    /// Opens the data directory: recovers the logs, replays metadata and groups, repairs what a
    /// crash left half done. Reads and writes the disk, and syncs it. Nonces come from
    /// `secureRandom`; without it they are as predictable as `random`.
    package init(
        configuration: NodeConfiguration, disk: any Disk, random: Random,
        secureRandom: SecureRandom? = nil, diagnostics: any Diagnostics, now: Now
    ) throws(Problem) {
        var random = random
        let groupRandom = random.fork()
        let secure = secureRandom ?? SecureRandom(predictable: &random)
        let start = try NodeStart.open(
            configuration: configuration, disk: disk, random: &random, diagnostics: diagnostics,
            now: now)
        versions = ApiVersionTable.served(by: configuration.cluster)
        if let settings = configuration.cluster {
            cluster = try ClusterCore(
                settings, node: configuration.nodeID, wanted: configuration.clusterID,
                disk: disk, random: &random, now: now)
        }
        self.configuration = configuration
        self.diagnostics = diagnostics
        self.random = random
        self.now = now
        sasl = SaslTools(random: secure, tokens: configuration.authentication.tokens)
        store = start.store
        image = start.image
        draft = start.image
        topicDefaults = start.topicDefaults
        fetchSessions = FetchSessions(countMax: configuration.fetchSessionsMax)
        shareSessions = ShareSessions(countMax: configuration.shareSessionsMax)
        coordinator = GroupCoordinator(configuration: configuration.groups, random: groupRandom)
        transactions = TransactionCoordinator(configuration: configuration.transactions)
        shares = ShareCoordinator(configuration: configuration.shares)
        // In a cluster the metadata come from the quorum, and the groups after them.
        if cluster != nil {
            startQuorum()
            return
        }
        try replayGroups()
        try replayTransactions()
        try replayShares()
    }

    // MARK: Events

    /// Takes one event and everything that follows from it.
    package mutating func handle(
        _ event: NodeEvent, now: Now, into effects: inout [NodeEffect]
    ) {
        accept(event, now: now, into: &effects)
        finishRound(now: now, into: &effects)
    }

    /// Takes one event of a round. Effects may come now or at the end of the round.
    package mutating func accept(
        _ event: NodeEvent, now: Now, into effects: inout [NodeEffect]
    ) {
        if isHalted { return }
        self.now = now
        switch event {
        case .connectionOpened(let id, let peer, let listener, _)
        where configuration.cluster?.listener == listener && cluster != nil:
            openLink(id, peer)
        case .connectionOpened(let id, let peer, let listener, let principal):
            open(id, peer: peer, listener: listener, principal: principal)
        case .request(let id, let request):
            if isLink(id) { receive(request, fromLink: id) } else { receive(request, from: id) }
        case .connectionClosed(let id):
            if isLink(id) { linkClosed(id) } else { forget(id) }
        case .dialed(let node, let id, let address): dialed(node, id, address)
        case .dialFailed(let node, let reason): dialFailed(node, reason)
        case .quorumJobDone(let number, let failure):
            drive(.jobDone(number: number, failure: failure))
        case .journalSynced(let ticket, let failure): synced(ticket, failure: failure)
        case .command(let id, let command): run(command, id)
        case .leave: leave()
        case .timer:
            announcedWake = nil
            tick()
        }
        followUp(into: &effects)
    }

    /// What an event has made possible, and what that has.
    private mutating func followUp(into effects: inout [NodeEffect]) {
        startRequests()
        while !replicaEffects.isEmpty, !isHalted {
            performReplicaEffects()
            startRequests()
        }
        if cluster != nil { routeVirtual() }
        effects.append(contentsOf: output)
        output.removeAll(keepingCapacity: true)
    }

    /// Ends a round: asks for one sync of everything that was appended, and for the next timer.
    package mutating func finishRound(now: Now, into effects: inout [NodeEffect]) {
        if isHalted { return }
        self.now = now
        if !relaxedAnswers.isEmpty {
            answerRelaxed()
            followUp(into: &effects)
            if isHalted { return }
        }
        // What the round has appended goes to the other nodes before this one syncs it.
        if replicas != nil {
            replicaEffects += replicas?.flush(store: &store, now: now) ?? []
            followUp(into: &effects)
            if isHalted { return }
        }
        while let request = store.beginSync() {
            switch request.lane {
            case .journal: effects.append(.syncJournal(request.ticket, file: request.file))
            case .segments: effects.append(.syncSegment(request.ticket, file: request.file))
            }
        }
        let next = nextDeadline
        if next < .distantFuture, next != announcedWake {
            announcedWake = next
            effects.append(.wakeAt(next))
        }
    }

    /// Makes everything durable and leaves a short recovery to the next start. The node takes no
    /// events afterwards.
    package mutating func close(now: Now) throws(Problem) {
        if isHalted { return }
        isHalted = true
        do throws(StorageFailure) {
            try store.close(now: now)
        } catch {
            throw Problem("storage.failed", "the logs could not be closed: \(error)")
        }
    }

    private var nextDeadline: Instant {
        var next = store.nextDeadline
        if let groups = coordinator.nextDeadline { next = min(next, groups) }
        if let due = transactions.nextDeadline { next = min(next, due) }
        if let due = shares.nextDeadline { next = min(next, due) }
        if let fetch = fetchDeadlines.next { next = min(next, fetch) }
        if let fetch = shareFetchDeadlines.next { next = min(next, fetch) }
        if let due = deadLetterRetries.next { next = min(next, due) }
        if let produce = nextProduceCheck { next = min(next, produce) }
        if let signOn = saslDeadlines.next { next = min(next, signOn) }
        next = min(next, cluster?.nextDeadline ?? .distantFuture)
        return next
    }

    private mutating func tick() {
        if store.nextDeadline <= now.monotonic, let problem = store.maintain(now: now) {
            return halt(problem)
        }
        perform(coordinator.tick(now: now))
        perform(transactions.tick(now: now))
        perform(shares.tick(now: now))
        expireFetches()
        expireShareFetches()
        retryDeadLetters()
        expireProduces()
        resumeSasl()
        keepHouse()
    }

    mutating func halt(_ problem: Problem) {
        guard !isHalted else { return }
        isHalted = true
        diagnostics.report(.error, "node", problem.description)
        // Answers that were made in this event may rest on what can't be trusted.
        output = [.halt(problem)]
    }

    // MARK: Durability

    private mutating func synced(_ ticket: SyncTicket, failure: StorageFailure?) {
        counters.journalSyncs += 1
        switch store.syncCompleted(ticket, failure: failure) {
        case .halt(let problem): halt(problem)
        case .advanced(let partitions) where replicas != nil:
            replicaEffects += replicas?.durable(partitions, store: &store, now: now) ?? []
            for advance in partitions { followCoordination(of: advance.topicPartition) }
        case .advanced(let partitions):
            for advance in partitions where !isHalted {
                settle(advance.topicPartition, through: advance.durableEndOffset)
            }
            for advance in partitions where !isHalted { wakeFetches(of: advance.topicPartition) }
        }
    }

    /// Calls back when the durable end of `partition` has passed `lastOffset`, at once if it has.
    mutating func whenDurable(
        _ partition: TopicPartition, _ lastOffset: Offset, _ waiter: DurabilityWaiter
    ) {
        if let end = store.durableEnd(of: partition), end > lastOffset {
            return settle(waiter)
        }
        durabilityWaits[partition, default: Queue()].append(
            DurabilityWait(lastOffset: lastOffset, waiter: waiter))
    }

    private mutating func settle(_ partition: TopicPartition, through end: Offset) {
        // Taken out first: what is settled may wait again, also for this partition.
        guard var queue = durabilityWaits.removeValue(forKey: partition) else { return }
        var due: [DurabilityWaiter] = []
        while let wait = queue.first, wait.lastOffset < end {
            _ = queue.popFirst()
            due.append(wait.waiter)
        }
        if !queue.isEmpty { durabilityWaits[partition] = queue }
        for waiter in due where !isHalted { settle(waiter) }
    }

    mutating func settle(_ waiter: DurabilityWaiter) {
        switch waiter {
        case .produce(let key, let topic, let partition):
            finishProduce(key, topic: topic, partition: partition, error: nil)
        case .change: applyChange()
        case .group(let token): perform(coordinator.appended(token, failure: nil, now: now))
        case .share(let token): perform(shares.appended(token, failure: nil, now: now))
        case .deadLetters(let place, let range):
            deadLettersSettled(place, range, isWritten: true)
        case .append(let id): finishAppend(id)
        case .transaction(let token):
            perform(transactions.appended(token, failure: nil, now: now))
        case .marker(let wait): markerSettled(wait, error: nil)
        }
    }

    /// Everything of a deleted partition that somebody waits for will not come.
    mutating func abandon(_ partition: TopicPartition) {
        while let wait = durabilityWaits[partition]?.popFirst() {
            fail(wait.waiter, of: partition, .unknownTopicOrPartition)
        }
        durabilityWaits[partition] = nil
        wakeFetches(of: partition)
    }

    /// What somebody waits for will not come: the partition is gone, or this node does not lead it any
    /// more. In the second case it may be done by its next leader, or not.
    mutating func fail(
        _ waiter: DurabilityWaiter, of partition: TopicPartition, _ error: ErrorCode
    ) {
        let isGone = error == .unknownTopicOrPartition
        switch waiter {
        case .produce(let key, let topic, let place):
            finishProduce(key, topic: topic, partition: place, error: error)
        case .change: break
        case .group(let token):
            perform(
                coordinator.appended(
                    token, failure: isGone ? .coordinatorNotAvailable : .notCoordinator, now: now))
        case .share(let token):
            perform(shares.appended(token, failure: .coordinatorNotAvailable, now: now))
        case .deadLetters(let place, let range):
            deadLettersSettled(place, range, isWritten: false)
        case .append(let id):
            guard appends.removeValue(forKey: id) != nil else { return }
            output.append(
                .commandFinished(
                    id,
                    .failure(
                        isGone
                            ? Self.unknownTopic(partition.topic)
                            : Problem(
                                Self.uncertain,
                                "another node leads \(partition) now: the records may be there, or not",
                                hint: "look whether they are, and try again"))))
        case .transaction(let token):
            perform(
                transactions.appended(
                    token, failure: isGone ? .coordinatorNotAvailable : .notCoordinator, now: now))
        case .marker(let wait): markerSettled(wait, error: error)
        }
    }

    // MARK: Invariants

    /// What the log has done since it was opened.
    package var logStatistics: LogStoreStatistics { store.statistics }

    /// The parts are in order, and nobody waits for a request of a connection that is gone in a
    /// way that would keep memory.
    package func checkInvariants() {
        store.checkInvariants()
        coordinator.checkInvariants()
        transactions.checkInvariants()
        shares.checkInvariants()
        image.checkInvariants()
        draft.checkInvariants()
        replicas?.checkInvariants(store: store)
        fetchSessions.checkInvariants()
        shareSessions.checkInvariants()
        for key in fetches.keys {
            precondition(connections[key.connection] != nil, "a parked fetch has a connection")
        }
        for key in shareFetches.keys {
            precondition(connections[key.connection] != nil, "a parked fetch has a connection")
        }
        precondition(queuedBytes >= 0, "queued bytes are a sum")
        if changes.isEmpty, cluster?.proposals.isEmpty ?? true {
            precondition(image.topics.count == draft.topics.count, "nothing is pending")
        }
    }
}
