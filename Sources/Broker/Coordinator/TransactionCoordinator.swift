import Base
import WireProtocol

/// The transactional ids of this broker: a deterministic state machine. Requests come in with the
/// time; answers, records for `__transaction_state` and markers for partitions come out.
///
///     empty ──partitions──▶ ongoing ──end──▶ prepareCommit ──markers──▶ completeCommit
///       ▲                    ▲  │ timeout, newer producer                   │
///       │                    │  └──────────▶ prepareAbort ──markers──▶ completeAbort
///       └── (id expires)     └──────────── partitions ◀─────────────────────┘
///
/// Every step is durable before it is taken: the record goes out, the id is pending meanwhile, and
/// whoever wants something else of it is told to come back. Once a prepared state is durable the
/// transaction ends that way whatever happens; markers are sent until every partition has its own.
package struct TransactionCoordinator: Sendable {
    let configuration: TransactionConfiguration
    /// Looked up by id; iterated sorted.
    var entries: [String: TransactionEntry] = [:]
    var now = Now(monotonic: .zero, wallMicroseconds: 0)
    var effects: [TransactionEffect] = []
    /// What each append that is not durable yet is for. Looked up only.
    var appends: [AppendToken: PendingTransition] = [:]
    /// Whose markers are being written. Looked up only.
    var markerOwners: [MarkerToken: String] = [:]
    private var lastAppend: UInt64 = 0
    var lastMarkers: UInt64 = 0
    /// Ids that want to be looked at: requests that waited long enough, markers to try again.
    var deadlines = DeadlineQueue<String>()
    /// When open transactions have lasted too long; looked at every now and then.
    var timeouts = DeadlineQueue<String>()
    var nextTimeoutCheck: Instant?
    var nextExpiryCheck: Instant?

    package init(configuration: TransactionConfiguration = TransactionConfiguration()) {
        self.configuration = configuration
    }

    package var idCount: Int { entries.count }

    // MARK: Producers

    /// Gives a producer its identity and fences all earlier ones with the same id. `producerIDs`
    /// must not be empty; an id that is used is taken out.
    package mutating func initProducer(
        _ call: InitProducerCall, _ token: ReplyToken, producerIDs: inout Range<Int64>, now: Now
    ) -> [TransactionEffect] {
        self.now = now
        do throws(Refusal) {
            try initProducer(call, token, &producerIDs)
        } catch {
            effects.append(.reply(token, .initialized(ProducerAnswer(error: error.code))))
        }
        return takeEffects()
    }

    private mutating func initProducer(
        _ call: InitProducerCall, _ token: ReplyToken, _ producerIDs: inout Range<Int64>
    ) throws(Refusal) {
        let id = call.transactionalID
        guard !id.isEmpty, id.utf8.count <= configuration.idBytesMax else {
            throw Refusal(.invalidRequest)
        }
        guard call.timeoutMilliseconds > 0,
            Int64(call.timeoutMilliseconds) <= configuration.timeoutMax.wholeMilliseconds
        else { throw Refusal(.invalidTransactionTimeout) }
        guard let entry = entries[id] else {
            guard entries.count < configuration.idsMax else {
                throw Refusal(.coordinatorNotAvailable)
            }
            var state = TransactionState(
                producerID: Self.take(&producerIDs), producerEpoch: -1,
                timeoutMilliseconds: call.timeoutMilliseconds, updateTimestamp: wall)
            var entry = TransactionEntry(state: state)
            entry.isNew = true
            entries[id] = entry
            state.producerEpoch = 0
            return transition(id, to: state, .initialized(token))
        }
        if entry.isPending { throw Refusal(.concurrentTransactions) }
        let state = entry.state
        if call.producerID >= 0 {
            let isKnown =
                call.producerID == state.producerID
                || call.producerID == state.previousProducerID
                    && call.producerEpoch >= TransactionState.lastClientEpoch
            guard isKnown else { throw Refusal(.producerFenced) }
        }
        switch state.phase {
        case .prepareCommit, .prepareAbort: throw Refusal(.concurrentTransactions)
        case .ongoing:
            if call.producerID >= 0, call.producerEpoch != state.producerEpoch {
                throw Refusal(.producerFenced)
            }
            transition(id, to: state.fenced(at: wall), .fenced(token))
        case .empty, .completeCommit, .completeAbort:
            let next = try renewed(state, call, &producerIDs)
            transition(id, to: next, .initialized(token))
        }
    }

    /// The state with the identity that the producer gets.
    private func renewed(
        _ state: TransactionState, _ call: InitProducerCall, _ producerIDs: inout Range<Int64>
    ) throws(Refusal) -> TransactionState {
        var next = state
        next.timeoutMilliseconds = call.timeoutMilliseconds
        next.updateTimestamp = wall
        next.phase = .empty
        next.startTimestamp = -1
        let names = call.producerID >= 0
        if names, call.producerEpoch != state.producerEpoch {
            // Someone who did not hear the answer gets it again; everyone else was replaced.
            guard call.producerEpoch >= 0, call.producerEpoch == state.lastProducerEpoch else {
                throw Refusal(.producerFenced)
            }
            return next
        }
        next.lastProducerEpoch = names ? state.producerEpoch : -1
        if state.isExhausted {
            next.previousProducerID = state.producerID
            next.producerID = Self.take(&producerIDs)
            next.producerEpoch = 0
        } else {
            next.producerEpoch = state.producerEpoch + 1
        }
        return next
    }

    static func take(_ producerIDs: inout Range<Int64>) -> Int64 {
        precondition(!producerIDs.isEmpty, "the caller has producer ids at hand")
        defer { producerIDs = (producerIDs.lowerBound + 1)..<producerIDs.upperBound }
        return producerIDs.lowerBound
    }

    // MARK: Partitions

    /// Makes partitions part of the producer's transaction, and begins one if there is none. While
    /// another change is under way the call waits until `waitUntil`; nil = it is refused at once.
    package mutating func addPartitions(
        _ call: AddPartitionsCall, _ token: ReplyToken, waitUntil: Instant? = nil, now: Now
    ) -> [TransactionEffect] {
        self.now = now
        add(call, token, waitUntil: waitUntil)
        return takeEffects()
    }

    mutating func add(_ call: AddPartitionsCall, _ token: ReplyToken, waitUntil: Instant?) {
        do throws(Refusal) {
            try addIfPossible(call, token)
        } catch {
            let id = call.claim.transactionalID
            if error.code == .concurrentTransactions, let waitUntil, waitUntil > now.monotonic {
                entries[id]?.waiting.append(
                    TransactionEntry.Waiting(call: call, token: token, deadline: waitUntil))
                deadlines.push(waitUntil, id)
                return
            }
            effects.append(.reply(token, .partitionsAdded(error.code)))
        }
    }

    private mutating func addIfPossible(
        _ call: AddPartitionsCall, _ token: ReplyToken
    ) throws(Refusal) {
        let id = call.claim.transactionalID
        guard !id.isEmpty else { throw Refusal(.invalidRequest) }
        guard let entry = entries[id] else { throw Refusal(.invalidProducerIdMapping) }
        let state = entry.state
        if state.phase == .ongoing, matches(call.claim, state),
            call.partitions.allSatisfy(state.partitions.contains), !entry.isPending
        {
            effects.append(.reply(token, .partitionsAdded(.none)))
            return
        }
        // First, because the change under way may be that of the epoch.
        if entry.isPending { throw Refusal(.concurrentTransactions) }
        guard call.claim.producerID == state.producerID else {
            throw Refusal(.invalidProducerIdMapping)
        }
        guard call.claim.producerEpoch == state.producerEpoch else {
            throw Refusal(.producerFenced)
        }
        if state.isPrepared { throw Refusal(.concurrentTransactions) }
        var next = state
        next.phase = .ongoing
        next.partitions.formUnion(call.partitions)
        if state.phase != .ongoing { next.startTimestamp = wall }
        next.updateTimestamp = wall
        next.bumpsEpochs = call.bumpsEpochs
        transition(id, to: next, .partitionsAdded(token))
    }

    private func matches(_ claim: ProducerClaim, _ state: TransactionState) -> Bool {
        claim.producerID == state.producerID && claim.producerEpoch == state.producerEpoch
    }

    /// Whether a partition is part of the producer's open transaction.
    package func verify(_ claim: ProducerClaim, _ partition: TopicPartition) -> ErrorCode {
        guard !claim.transactionalID.isEmpty else { return .invalidRequest }
        guard let state = entries[claim.transactionalID]?.state,
            claim.producerID == state.producerID
        else { return .invalidProducerIdMapping }
        guard claim.producerEpoch == state.producerEpoch else { return .producerFenced }
        if state.isPrepared { return .concurrentTransactions }
        return state.phase == .ongoing && state.partitions.contains(partition)
            ? .none : .transactionAbortable
    }

    // MARK: Transitions

    /// What a record on its way to the disk will have done.
    struct PendingTransition: Sendable {
        enum Purpose: Sendable {
            case initialized(ReplyToken)
            case partitionsAdded(ReplyToken)
            /// The end of a transaction that its producer asked for.
            case prepared(ReplyToken)
            /// The end that another producer brought about; it has to come back.
            case fenced(ReplyToken)
            case timedOut
            case completed
            case expired
        }

        var id: String
        /// nil removes the id.
        var state: TransactionState?
        var purpose: Purpose
    }

    mutating func transition(
        _ id: String, to state: TransactionState?, _ purpose: PendingTransition.Purpose
    ) {
        precondition(entries[id]?.isPending == false, "one change at a time")
        entries[id]?.isPending = true
        lastAppend += 1
        let token = AppendToken(lastAppend)
        appends[token] = PendingTransition(id: id, state: state, purpose: purpose)
        effects.append(
            .append(
                token, transactionalID: id, key: TransactionRecordFormat.key(id),
                value: state.map(TransactionRecordFormat.value)))
    }

    /// The record of `token` is durable, or the log refused it. Called once for each token.
    package mutating func appended(
        _ token: AppendToken, failure: ErrorCode?, now: Now
    ) -> [TransactionEffect] {
        self.now = now
        guard let pending = appends.removeValue(forKey: token) else { return [] }
        entries[pending.id]?.isPending = false
        let waiting = entries[pending.id]?.waiting ?? []
        if let failure {
            refused(pending, failure)
        } else {
            applied(pending)
        }
        if entries[pending.id] == nil {
            for wait in waiting { add(wait.call, wait.token, waitUntil: nil) }
        } else {
            runWaiting(pending.id)
        }
        return takeEffects()
    }

    private mutating func applied(_ pending: PendingTransition) {
        let id = pending.id
        guard let state = pending.state else {
            entries[id] = nil
            return
        }
        entries[id]?.state = state
        entries[id]?.isNew = false
        switch pending.purpose {
        case .initialized(let token):
            effects.append(
                .reply(
                    token,
                    .initialized(
                        ProducerAnswer(
                            error: .none, producerID: state.producerID,
                            producerEpoch: state.producerEpoch))))
        case .partitionsAdded(let token):
            armTimeout(id, startedAgo: .zero)
            effects.append(.reply(token, .partitionsAdded(.none)))
        case .prepared(let token):
            let next = state.following
            effects.append(
                .reply(
                    token,
                    .ended(
                        ProducerAnswer(
                            error: .none, producerID: next.producerID, producerEpoch: next.epoch))))
            sendMarkers(id)
        case .fenced(let token):
            effects.append(
                .reply(token, .initialized(ProducerAnswer(error: .concurrentTransactions))))
            sendMarkers(id)
        case .timedOut: sendMarkers(id)
        case .completed, .expired: break
        }
    }

    mutating func refused(_ pending: PendingTransition, _ failure: ErrorCode) {
        let id = pending.id
        switch pending.purpose {
        case .initialized(let token), .fenced(let token):
            effects.append(.reply(token, .initialized(ProducerAnswer(error: failure))))
        case .partitionsAdded(let token):
            effects.append(.reply(token, .partitionsAdded(failure)))
        case .prepared(let token):
            effects.append(.reply(token, .ended(ProducerAnswer(error: failure))))
        case .timedOut:
            // Looked at again at the next check.
            if let timeout = entries[id]?.timeout { timeouts.push(timeout, id) }
        case .completed: retryLater(id, [])
        case .expired: break
        }
        if entries[id]?.isNew == true { entries[id] = nil }
    }

    /// Those who waited for the change that is over try again, in their order.
    mutating func runWaiting(_ id: String) {
        guard let entry = entries[id], !entry.waiting.isEmpty, !entry.isBusy else { return }
        entries[id]?.waiting = []
        for wait in entry.waiting { add(wait.call, wait.token, waitUntil: wait.deadline) }
    }

    var wall: Int64 { now.timestamp.milliseconds }

    mutating func takeEffects() -> [TransactionEffect] {
        defer { effects = [] }
        return effects
    }

    /// Why a request is not carried out.
    struct Refusal: Error {
        var code: ErrorCode
        init(_ code: ErrorCode) { self.code = code }
    }

    // MARK: Invariants

    /// A prepared transaction is being ended; whoever waits does so for a change; epochs are not
    /// negative once they are durable.
    package func checkInvariants() {
        for id in entries.keys.sorted() {
            guard let entry = entries[id] else { continue }
            precondition(
                entry.waiting.isEmpty || entry.isBusy, "requests wait only for a change")
            precondition(entry.isNew || entry.state.producerEpoch >= 0, "an epoch is known")
            let isEnding = entry.markers != nil || entry.retryAt != nil || entry.isPending
            precondition(!entry.state.isPrepared || isEnding, "what is prepared comes to its end")
            precondition(
                entry.state.isUnderWay || entry.state.partitions.isEmpty,
                "partitions belong to a transaction")
        }
    }
}
