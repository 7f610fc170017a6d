// How transactions end: because the producer says so, because their time is up, or because the
// coordinator was restarted in the middle of it.

import Base
import WireProtocol

extension TransactionCoordinator {
    // MARK: End

    /// Commits or aborts. `producerIDs` must not be empty; an id that is used is taken out.
    package mutating func end(
        _ call: EndTransactionCall, _ token: ReplyToken, producerIDs: inout Range<Int64>, now: Now
    ) -> [TransactionEffect] {
        self.now = now
        do throws(Refusal) {
            if let known = try end(call, token, &producerIDs) {
                effects.append(.reply(token, .ended(known)))
            }
        } catch {
            effects.append(.reply(token, .ended(ProducerAnswer(error: error.code))))
        }
        return takeEffects()
    }

    /// What a request is to the state: from the producer as it is now, or the repetition of the one
    /// whose answer got lost.
    private enum Standing {
        case current
        case retry
    }

    private mutating func end(
        _ call: EndTransactionCall, _ token: ReplyToken, _ producerIDs: inout Range<Int64>
    ) throws(Refusal) -> ProducerAnswer? {
        let id = call.claim.transactionalID
        guard !id.isEmpty else { throw Refusal(.invalidRequest) }
        guard let entry = entries[id] else { throw Refusal(.invalidProducerIdMapping) }
        let standing = try standing(of: call, entry.state)
        if entry.isPending { throw Refusal(.concurrentTransactions) }
        let isNeeded =
            call.bumpsEpochs
            ? try needsPreparing(call, standing, entry.state)
            : try needsPreparing(call, entry.state)
        let following = entry.state.following
        guard isNeeded else {
            return ProducerAnswer(
                error: .none, producerID: following.producerID, producerEpoch: following.epoch)
        }
        transition(id, to: prepared(entry.state, call, &producerIDs), .prepared(token))
        return nil
    }

    private func standing(
        of call: EndTransactionCall, _ state: TransactionState
    ) throws(Refusal) -> Standing {
        let claim = call.claim
        if call.bumpsEpochs, state.lastProducerEpoch >= 0,
            claim.producerEpoch == state.lastProducerEpoch
        {
            let isSame =
                claim.producerID == state.producerID
                && claim.producerEpoch + 1 == state.producerEpoch
            let isBeforeNewID =
                claim.producerID == state.previousProducerID && state.producerEpoch == 0
                && claim.producerEpoch == TransactionState.lastClientEpoch
            if isSame || isBeforeNewID { return .retry }
        }
        guard claim.producerID == state.producerID else {
            throw Refusal(.invalidProducerIdMapping)
        }
        guard claim.producerEpoch == state.producerEpoch else { throw Refusal(.producerFenced) }
        return .current
    }

    /// Producers that keep their epoch. False when the transaction has ended as wanted already.
    private func needsPreparing(
        _ call: EndTransactionCall, _ state: TransactionState
    ) throws(Refusal) -> Bool {
        switch (state.phase, call.isCommit) {
        case (.ongoing, _): return true
        case (.completeCommit, true), (.completeAbort, false): return false
        case (.prepareCommit, true), (.prepareAbort, false):
            throw Refusal(.concurrentTransactions)
        default: throw Refusal(.invalidTxnState)
        }
    }

    /// Producers that take a new epoch for each transaction. They may abort without having begun.
    private func needsPreparing(
        _ call: EndTransactionCall, _ standing: Standing, _ state: TransactionState
    ) throws(Refusal) -> Bool {
        switch (state.phase, standing, call.isCommit) {
        case (.ongoing, .current, _): return true
        case (.ongoing, .retry, _), (.empty, .retry, _): throw Refusal(.producerFenced)
        case (.empty, .current, false), (.completeCommit, .current, false),
            (.completeAbort, .current, false):
            return true
        case (.completeCommit, .retry, true), (.completeAbort, .retry, false): return false
        case (.prepareCommit, .retry, true), (.prepareAbort, .retry, false):
            throw Refusal(.concurrentTransactions)
        case (.prepareCommit, .current, _), (.prepareAbort, .current, _):
            // Nobody was given this epoch yet.
            throw Refusal(.producerFenced)
        default: throw Refusal(.invalidTxnState)
        }
    }

    private func prepared(
        _ state: TransactionState, _ call: EndTransactionCall, _ producerIDs: inout Range<Int64>
    ) -> TransactionState {
        var next = state
        next.phase = call.isCommit ? .prepareCommit : .prepareAbort
        next.updateTimestamp = wall
        if state.phase != .ongoing { next.startTimestamp = wall }
        next.bumpsEpochs = call.bumpsEpochs
        guard call.bumpsEpochs else { return next }
        if state.isExhausted { next.nextProducerID = Self.take(&producerIDs) }
        next.lastProducerEpoch = state.producerEpoch
        next.producerEpoch = state.producerEpoch == .max ? .max : state.producerEpoch + 1
        return next
    }

    // MARK: Markers

    /// The prepared state is durable: every partition is told.
    mutating func sendMarkers(_ id: String) {
        guard let state = entries[id]?.state else { return }
        entries[id]?.timeout = nil
        sendMarkers(id, to: state.partitions.sorted())
    }

    private mutating func sendMarkers(_ id: String, to partitions: [TopicPartition]) {
        guard let state = entries[id]?.state else { return }
        if partitions.isEmpty {
            return transition(id, to: state.completed(at: wall), .completed)
        }
        lastMarkers += 1
        let token = MarkerToken(lastMarkers)
        entries[id]?.markers = token
        markerOwners[token] = id
        effects.append(
            .writeMarkers(
                token,
                TransactionMarkers(
                    transactionalID: id, producerID: state.producerID,
                    producerEpoch: state.producerEpoch,
                    isCommit: state.phase == .prepareCommit, bumpsEpochs: state.bumpsEpochs,
                    partitions: partitions)))
    }

    /// All markers of `token` are durable, apart from those of the partitions in `failed`.
    package mutating func markersWritten(
        _ token: MarkerToken, failed: [TopicPartition], now: Now
    ) -> [TransactionEffect] {
        self.now = now
        guard let id = markerOwners.removeValue(forKey: token), entries[id]?.markers == token,
            let state = entries[id]?.state
        else { return [] }
        entries[id]?.markers = nil
        if failed.isEmpty {
            transition(id, to: state.completed(at: wall), .completed)
        } else {
            retryLater(id, failed)
        }
        return takeEffects()
    }

    mutating func retryLater(_ id: String, _ partitions: [TopicPartition]) {
        let deadline = now.monotonic + configuration.retryInterval
        entries[id]?.retry = partitions
        entries[id]?.retryAt = deadline
        deadlines.push(deadline, id)
    }

    // MARK: Time

    /// When `tick` should be called next.
    package var nextDeadline: Instant? {
        var next = deadlines.next
        for check in [nextTimeoutCheck, nextExpiryCheck] {
            if let check { next = min(check, next ?? check) }
        }
        return next
    }

    package mutating func tick(now: Now) -> [TransactionEffect] {
        self.now = now
        while let (_, id) = deadlines.popDue(now.monotonic) { lookAt(id) }
        if nextTimeoutCheck.map({ $0 <= now.monotonic }) ?? true {
            nextTimeoutCheck = now.monotonic + configuration.timeoutCheckInterval
            abortOverdue()
        }
        if nextExpiryCheck.map({ $0 <= now.monotonic }) ?? true {
            let isMore = nextExpiryCheck == nil ? false : expireIDs()
            nextExpiryCheck =
                now.monotonic + (isMore ? .seconds(1) : configuration.idExpirationCheckInterval)
        }
        return takeEffects()
    }

    private mutating func lookAt(_ id: String) {
        guard let entry = entries[id] else { return }
        for wait in entry.waiting where wait.deadline <= now.monotonic {
            effects.append(.reply(wait.token, .partitionsAdded(.concurrentTransactions)))
        }
        entries[id]?.waiting.removeAll { $0.deadline <= now.monotonic }
        if let retryAt = entry.retryAt, retryAt <= now.monotonic {
            entries[id]?.retryAt = nil
            sendMarkers(id, to: entry.retry)
        }
    }

    mutating func armTimeout(_ id: String, startedAgo: Duration) {
        guard let entry = entries[id], entry.state.phase == .ongoing, entry.timeout == nil else {
            return
        }
        let left = Duration.milliseconds(Int64(entry.state.timeoutMilliseconds)) - startedAgo
        let deadline = now.monotonic + max(.zero, left)
        entries[id]?.timeout = deadline
        timeouts.push(deadline, id)
        if timeouts.count > 2 * entries.count + 64 {
            let entries = entries
            timeouts.prune { deadline, id in entries[id]?.timeout == deadline }
        }
    }

    /// Transactions that lasted longer than their producers wanted are aborted by fencing these.
    private mutating func abortOverdue() {
        var later: [(Instant, String)] = []
        while let (deadline, id) = timeouts.popDue(now.monotonic) {
            guard let entry = entries[id], entry.timeout == deadline else { continue }
            guard entry.state.phase == .ongoing else { continue }
            if entry.isPending {
                later.append((deadline, id))
            } else {
                transition(id, to: entry.state.fenced(at: wall), .timedOut)
            }
        }
        for (deadline, id) in later { timeouts.push(deadline, id) }
    }

    /// True when more are left than one step takes.
    private mutating func expireIDs() -> Bool {
        let limit = wall &- configuration.idExpiration.wholeMilliseconds
        var count = 0
        for id in entries.keys.sorted() {
            guard let entry = entries[id], !entry.isBusy, entry.state.phase != .ongoing,
                entry.state.updateTimestamp <= limit
            else { continue }
            if count == Self.expirationsPerStep { return true }
            count += 1
            transition(id, to: nil, .expired)
        }
        return false
    }

    private static let expirationsPerStep = 1000

    // MARK: Operators

    package func describe(_ id: String) -> TransactionDescription? {
        guard let entry = entries[id], !entry.isNew else { return nil }
        return TransactionDescription(
            transactionalID: id, state: entry.state, partitions: entry.state.partitions.sorted())
    }

    /// By id, for those that `isWanted` of.
    package func list(
        where isWanted: (TransactionState) -> Bool
    ) -> [(transactionalID: String, state: TransactionState)] {
        entries.keys.sorted().compactMap { id in
            guard let entry = entries[id], !entry.isNew, isWanted(entry.state) else { return nil }
            return (id, entry.state)
        }
    }

    // MARK: Recovery

    /// Applies one record of `__transaction_state`, in the order of its partition.
    package mutating func replay(key: Bytes, value: Bytes?) throws(DecodeFailure) {
        guard let (id, state) = try TransactionRecordFormat.decode(key: key, value: value) else {
            return
        }
        entries[id] = state.map { TransactionEntry(state: $0) }
    }

    /// Another broker coordinates the ids that `isMeant`: whoever waits for one is told so, and nothing
    /// of them stays. What is prepared is ended by the other one.
    package mutating func forget(where isMeant: (String) -> Bool, now: Now) -> [TransactionEffect] {
        self.now = now
        for token in appends.keys.sorted() {
            guard let pending = appends[token], isMeant(pending.id) else { continue }
            appends[token] = nil
            entries[pending.id]?.isPending = false
            refused(pending, .notCoordinator)
        }
        for id in entries.keys.sorted() where isMeant(id) {
            for wait in entries[id]?.waiting ?? [] {
                effects.append(.reply(wait.token, .partitionsAdded(.notCoordinator)))
            }
            if let token = entries[id]?.markers { markerOwners[token] = nil }
            entries[id] = nil
        }
        return takeEffects()
    }

    /// All partitions that keep the ids that `isMeant` were replayed: what was prepared comes to its
    /// end, open transactions have the rest of their time.
    package mutating func finishReplay(
        where isMeant: (String) -> Bool = { _ in true }, now: Now
    ) -> [TransactionEffect] {
        self.now = now
        for id in entries.keys.sorted() where isMeant(id) {
            guard let state = entries[id]?.state else { continue }
            if state.isPrepared {
                sendMarkers(id)
            } else if state.phase == .ongoing {
                let ago = max(0, wall &- state.startTimestamp)
                armTimeout(id, startedAgo: .milliseconds(min(ago, Int64(Int32.max))))
            }
        }
        nextTimeoutCheck = now.monotonic + configuration.timeoutCheckInterval
        nextExpiryCheck = now.monotonic + configuration.idExpirationCheckInterval
        return takeEffects()
    }
}
