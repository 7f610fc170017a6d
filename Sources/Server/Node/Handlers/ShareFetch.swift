import Base
import Coordinator
import Log
import Quorum
import Security
import WireProtocol

/// What a member wants of its partitions.
struct SharePlan: Sendable {
    var member: ShareMember
    var targets: [AssignedPartition]
    var minBytes: Int
    var maxBytes: Int
    var maxRecords: Int64
    /// Records that one acquired range should have.
    var batchSize: Int64
    /// `maxRecords` counts more than the ends of batches do.
    var isStrict: Bool
    /// What became of the acknowledgements that came with the request.
    var acknowledged: [AcknowledgeOutcome] = []
}

/// A share fetch that waits for records.
struct ParkedShareFetch: Sendable {
    var context: RequestContext
    var plan: SharePlan
    var deadline: Instant
    var partitions: [TopicPartition]
}

extension BrokerNode {
    /// First what became of records, then new ones, now or when there are some. The answer leaves
    /// when all of it is durable.
    mutating func shareFetch(
        _ request: ShareFetchRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        var plan: SharePlan
        do throws(ShareRefusal) {
            let member = try shareMember(request.groupId, request.memberId, context)
            if waitForSharesTopic(context, frame) { return }
            plan = try self.plan(request, member, context)
        } catch {
            return answer(
                context, ShareFetchResponse(errorCode: error.code, errorMessage: error.message))
        }
        for topic in request.topics {
            for partition in topic.partitions where !partition.acknowledgementBatches.isEmpty {
                let target = AssignedPartition(
                    topicID: topic.topicId, partition: partition.partitionIndex)
                let refusal = acknowledge(
                    partition.acknowledgementBatches, target, plan.member,
                    mayRenew: request.isRenewAck, context)
                plan.acknowledged.append(AcknowledgeOutcome(partition: target, refusal: refusal))
            }
        }
        if request.shareSessionEpoch == -1 {
            closeShareSession(plan.member)
            return finishShareFetch(plan, ShareOutcome(), context)
        }
        // A renewal keeps the member busy with what it has.
        if request.isRenewAck { return finishShareFetch(plan, ShareOutcome(), context) }
        let wait = min(.milliseconds(max(request.maxWaitMs, 0)), configuration.fetchWaitMax)
        serve(plan, context, until: now.monotonic + wait)
    }

    private mutating func plan(
        _ request: ShareFetchRequest, _ member: ShareMember, _ context: RequestContext
    ) throws(ShareRefusal) -> SharePlan {
        guard request.shareSessionEpoch >= -1 else {
            throw ShareRefusal(
                .invalidShareSessionEpoch,
                "there is no share session epoch \(request.shareSessionEpoch)")
        }
        guard (0...1).contains(request.shareAcquireMode) else {
            throw ShareRefusal(
                .invalidRequest, "there is no share acquire mode \(request.shareAcquireMode)")
        }
        let named = request.topics.flatMap { topic in
            topic.partitions.map {
                AssignedPartition(topicID: topic.topicId, partition: $0.partitionIndex)
            }
        }
        var plan = SharePlan(
            member: member, targets: named, minBytes: Int(max(request.minBytes, 0)),
            maxBytes: min(Int(max(request.maxBytes, 0)), configuration.fetchBytesMax),
            maxRecords: Int64(request.maxRecords), batchSize: Int64(request.batchSize),
            isStrict: request.shareAcquireMode == 1)
        let connection = context.key.connection
        let saysSomething = request.topics.contains { topic in
            topic.partitions.contains { !$0.acknowledgementBatches.isEmpty }
        }
        if request.shareSessionEpoch == 0, saysSomething {
            throw ShareRefusal(
                .invalidRequest, "a request that opens a session has nothing to acknowledge")
        }
        do throws(ShareSessions.Failure) {
            switch request.shareSessionEpoch {
            case -1: try shareSessions.check(member, epoch: -1)
            case 0: try shareSessions.open(member, named, on: connection)
            default:
                let forgotten = request.forgottenTopicsData.flatMap { topic in
                    topic.partitions.map {
                        AssignedPartition(topicID: topic.topicId, partition: $0)
                    }
                }
                plan.targets = try shareSessions.update(
                    member, epoch: request.shareSessionEpoch, add: named,
                    forget: Set(forgotten), on: connection)
            }
        } catch {
            throw ShareRefusal(error.code, error.message)
        }
        return plan
    }

    // MARK: Reading

    struct ShareOutcome: Sendable {
        /// One for each target, or none.
        var answers: [ShareFetchResponse.PartitionData] = []
        var bytes = 0
        var records: Int64 = 0
        /// Something is to be told at once, records or not.
        var mustAnswer = false
        /// What is worth waiting for.
        var partitions: [TopicPartition] = []
    }

    private mutating func serve(
        _ plan: SharePlan, _ context: RequestContext, until deadline: Instant
    ) {
        let mayWait = now.monotonic < deadline && plan.acknowledged.isEmpty
        // Records that are handed out are locked, so that there must be enough of them before.
        if mayWait, plan.minBytes > 1 {
            let found = gather(plan, context, acquires: false)
            if !found.mustAnswer, found.bytes < plan.minBytes, !found.partitions.isEmpty {
                return park(plan, context, found, until: deadline)
            }
        }
        let outcome = gather(plan, context, acquires: true)
        if mayWait, outcome.bytes == 0, !outcome.mustAnswer, !outcome.partitions.isEmpty {
            // What was passed over need not be read again.
            perform(shares.commit(plan.member.group, nil, now: now))
            return park(plan, context, outcome, until: deadline)
        }
        finishShareFetch(plan, outcome, context)
    }

    private mutating func gather(
        _ plan: SharePlan, _ context: RequestContext, acquires: Bool
    ) -> ShareOutcome {
        var outcome = ShareOutcome()
        let count = plan.targets.count
        guard count > 0 else { return outcome }
        outcome.answers = plan.targets.map { .init(partitionIndex: $0.partition) }
        // As for fetches: the next answer begins behind the last partition with records.
        let first = (connections[context.key.connection]?.fetchTurn ?? 0) % count
        var turn = first
        for step in 0..<count {
            let place = (first + step) % count
            let before = outcome.bytes
            outcome.answers[place] = readShare(
                plan.targets[place], plan, context, acquires: acquires, &outcome)
            if outcome.bytes > before { turn = place + 1 }
        }
        if acquires { connections[context.key.connection]?.fetchTurn = turn }
        return outcome
    }

    private mutating func readShare(
        _ target: AssignedPartition, _ plan: SharePlan, _ context: RequestContext,
        acquires: Bool, _ outcome: inout ShareOutcome
    ) -> ShareFetchResponse.PartitionData {
        var data = ShareFetchResponse.PartitionData(partitionIndex: target.partition)
        func fail(_ error: ErrorCode, _ message: String) -> ShareFetchResponse.PartitionData {
            outcome.mustAnswer = true
            data.errorCode = error
            data.errorMessage = message
            return data
        }
        if let refusal = refusalOfSharing(target, context) {
            return fail(refusal.code, refusal.message)
        }
        guard let topic = image.topic(id: target.topicID) else {
            return fail(.unknownTopicId, "there is no such topic")
        }
        let partition = TopicPartition(topic: topic.name, partition: target.partition)
        do throws(ReadFailure) {
            guard try begin(target, partition, plan.member.group) else {
                return fail(.coordinatorNotAvailable, "there are too many share groups")
            }
            outcome.partitions.append(partition)
            if acquires {
                try acquire(target, partition, plan, &data, &outcome)
            } else {
                try measure(target, partition, plan, &outcome)
            }
            return data
        } catch {
            // Records that were acquired before the damage was seen are still the member's.
            if !data.acquiredRecords.isEmpty { return data }
            return fail(self.error(error), "\(partition) can't be read: \(error)")
        }
    }

    /// Makes sure that the group knows where it begins, and that it is not below the log.
    private mutating func begin(
        _ target: AssignedPartition, _ partition: TopicPartition, _ group: String
    ) throws(ReadFailure) -> Bool {
        guard let offsets = store.offsets(of: partition) else { throw .unknownPartition }
        if shares.partition(target, of: group) == nil {
            let start = try firstOffset(of: partition, shares.settings(of: group).offsetReset)
            guard shares.begin(target, of: group, at: start.value) else { return false }
        }
        shares.moveStart(target, of: group, to: offsets.logStartOffset.value)
        return true
    }

    private mutating func firstOffset(
        of partition: TopicPartition, _ reset: ShareOffsetReset
    ) throws(ReadFailure) -> Offset {
        guard let offsets = store.offsets(of: partition) else { throw .unknownPartition }
        switch reset {
        case .earliest: return offsets.logStartOffset
        case .latest: return offsets.highWatermark
        case .age(let age):
            let since = Timestamp(
                milliseconds: now.timestamp.milliseconds - age.wholeMilliseconds)
            return try store.firstOffset(in: partition, atOrAfter: since)?.offset
                ?? offsets.highWatermark
        }
    }

    /// Batches that are read at once: of one that is needed the next may not be.
    private static let shareReadBytes = 1 << 20

    private mutating func acquire(
        _ target: AssignedPartition, _ partition: TopicPartition, _ plan: SharePlan,
        _ data: inout ShareFetchResponse.PartitionData, _ outcome: inout ShareOutcome
    ) throws(ReadFailure) {
        let group = plan.member.group
        let isolation: Isolation =
            shares.settings(of: group).isCommittedOnly ? .readCommitted : .readUncommitted
        var position: Int64 = 0
        while outcome.records < plan.maxRecords {
            let left = plan.maxBytes - outcome.bytes
            guard left > 0 || outcome.bytes == 0 && plan.maxBytes > 0,
                let next = shares.nextAcquirable(target, of: group, from: position)
            else { return }
            guard let end = visibleEnd(of: partition, isolation), next < end else { return }
            let read = try store.read(
                partition, from: Offset(next), maxBytes: min(max(left, 0), Self.shareReadBytes),
                isolation: isolation)
            guard !read.batches.isEmpty else { return }
            position = next
            for piece in read.batches {
                var sequence = RecordBatchSequence(piece)
                while let batch = batch(&sequence, partition) {
                    let range = batch.header.baseOffset.value...batch.header.lastOffset.value
                    position = range.upperBound + 1
                    if isSkipped(batch.header, read.aborted) {
                        shares.skip(range, target, of: group)
                        continue
                    }
                    let bytes = batch.bytes.count
                    guard bytes <= plan.maxBytes - outcome.bytes || outcome.bytes == 0,
                        outcome.records < plan.maxRecords
                    else { return }
                    let acquired = shares.acquire(
                        range, target, of: group, for: plan.member.member,
                        recordsMax: plan.isStrict ? plan.maxRecords - outcome.records : .max,
                        now: now)
                    guard !acquired.isEmpty else { continue }
                    data.records.append(batch.bytes)
                    outcome.bytes += bytes
                    for range in acquired {
                        outcome.records += range.last - range.first + 1
                        data.acquiredRecords.add(range, batchSize: plan.batchSize)
                    }
                }
            }
        }
    }

    /// How much there would be, without locking any of it.
    private mutating func measure(
        _ target: AssignedPartition, _ partition: TopicPartition, _ plan: SharePlan,
        _ outcome: inout ShareOutcome
    ) throws(ReadFailure) {
        let group = plan.member.group
        let isolation: Isolation =
            shares.settings(of: group).isCommittedOnly ? .readCommitted : .readUncommitted
        var position: Int64 = 0
        while outcome.bytes < plan.minBytes,
            let next = shares.nextAcquirable(target, of: group, from: position),
            let end = visibleEnd(of: partition, isolation), next < end
        {
            let read = try store.read(
                partition, from: Offset(next), maxBytes: Self.shareReadBytes,
                isolation: isolation)
            guard !read.batches.isEmpty else { return }
            position = next
            for piece in read.batches {
                var sequence = RecordBatchSequence(piece)
                while let batch = batch(&sequence, partition) {
                    position = batch.header.lastOffset.value + 1
                    if !isSkipped(batch.header, read.aborted) {
                        outcome.bytes += batch.bytes.count
                    }
                }
            }
        }
    }

    private func visibleEnd(of partition: TopicPartition, _ isolation: Isolation) -> Int64? {
        guard let offsets = store.offsets(of: partition) else { return nil }
        return isolation == .readCommitted
            ? offsets.lastStableOffset.value : offsets.highWatermark.value
    }

    /// The next batch of what the log has checked.
    private func batch(
        _ sequence: inout RecordBatchSequence, _ partition: TopicPartition
    ) -> RecordBatchView? {
        do throws(DecodeFailure) {
            return try sequence.next()
        } catch {
            diagnostics.report(
                .error, "shares", "a batch of \(partition) can't be understood: \(error)")
            return nil
        }
    }

    /// Whether members get nothing of the batch.
    private func isSkipped(_ header: RecordBatchHeader, _ aborted: [AbortedTransaction]) -> Bool {
        if header.isControl || header.recordCount == 0 { return true }
        guard header.isTransactional else { return false }
        return aborted.contains {
            $0.producerID == header.producerId && $0.firstOffset <= header.baseOffset
                && header.baseOffset <= $0.lastOffset
        }
    }

    // MARK: Answering

    private mutating func finishShareFetch(
        _ plan: SharePlan, _ outcome: ShareOutcome, _ context: RequestContext
    ) {
        counters.fetchedBytes += Int64(outcome.bytes)
        var response = ShareFetchResponse()
        response.throttleTimeMs = throttle(.consumerByteRate, outcome.bytes, context)
        response.acquisitionLockTimeoutMs = Int32(
            clamping: shares.lockDuration(of: plan.member.group).wholeMilliseconds)
        var acknowledged: [AssignedPartition: AcknowledgeOutcome] = [:]
        for result in plan.acknowledged { acknowledged[result.partition] = result }
        for (target, found) in zip(plan.targets, outcome.answers) {
            var data = found
            let result = acknowledged.removeValue(forKey: target)
            // A session is told what is new.
            guard result != nil || data.errorCode != .none || !data.records.isEmpty else {
                continue
            }
            data.tell(result?.refusal)
            response.add(data, of: target.topicID)
        }
        // Partitions that are not read any more.
        for result in plan.acknowledged where acknowledged[result.partition] != nil {
            var data = ShareFetchResponse.PartitionData(
                partitionIndex: result.partition.partition)
            data.tell(result.refusal)
            response.add(data, of: result.partition.topicID)
        }
        let token = park(.fetch(context, response))
        perform(shares.commit(plan.member.group, token, now: now))
    }

    // MARK: Waiting

    private mutating func park(
        _ plan: SharePlan, _ context: RequestContext, _ outcome: ShareOutcome,
        until deadline: Instant
    ) {
        let key = context.key
        guard connections[key.connection] != nil else { return }
        var seen: Set<TopicPartition> = []
        let partitions = outcome.partitions.filter { seen.insert($0).inserted }
        shareFetches[key] = ParkedShareFetch(
            context: context, plan: plan, deadline: deadline, partitions: partitions)
        connections[key.connection]?.block(on: key.sequence)
        for partition in partitions {
            shareFetchesByPartition[partition, default: []].append(key)
        }
        shareFetchDeadlines.push(deadline, key)
        if shareFetchDeadlines.count > 2 * shareFetches.count + 64 {
            shareFetchDeadlines.prune { deadline, key in
                shareFetches[key]?.deadline == deadline
            }
        }
    }

    mutating func removeShareFetch(_ key: RequestKey) {
        guard let fetch = shareFetches.removeValue(forKey: key) else { return }
        for partition in fetch.partitions {
            shareFetchesByPartition[partition]?.removeAll { $0 == key }
            if shareFetchesByPartition[partition]?.isEmpty == true {
                shareFetchesByPartition[partition] = nil
            }
        }
    }

    /// Records of the partition became free for the group.
    mutating func wakeShareFetches(_ partition: AssignedPartition, of group: String) {
        guard !shareFetches.isEmpty, let topic = image.topic(id: partition.topicID) else { return }
        let place = TopicPartition(topic: topic.name, partition: partition.partition)
        for key in shareFetchesByPartition[place] ?? []
        where shareFetches[key]?.plan.member.group == group {
            resumeShareFetch(key)
        }
    }

    /// More records of `partition` are visible, or it is gone.
    mutating func wakeShareFetches(of partition: TopicPartition) {
        for key in shareFetchesByPartition[partition] ?? [] { resumeShareFetch(key) }
    }

    private mutating func resumeShareFetch(_ key: RequestKey) {
        guard let fetch = shareFetches[key] else { return }
        removeShareFetch(key)
        // Nothing is locked for a member that has said goodbye meanwhile.
        guard shareSessions.contains(fetch.plan.member) else {
            let failure = ShareSessions.Failure.notFound
            return answer(
                fetch.context,
                ShareFetchResponse(errorCode: failure.code, errorMessage: failure.message))
        }
        serve(fetch.plan, fetch.context, until: fetch.deadline)
    }

    /// Answers share fetches that have waited long enough with what there is.
    mutating func expireShareFetches() {
        while let (deadline, key) = shareFetchDeadlines.popDue(now.monotonic) {
            if shareFetches[key]?.deadline == deadline { resumeShareFetch(key) }
        }
    }
}

extension [ShareFetchResponse.AcquiredRecords] {
    /// Adds a range to the last one as long as that is small, but never a part of a batch.
    fileprivate mutating func add(_ range: SharePartition.Acquired, batchSize: Int64) {
        if let last, last.lastOffset + 1 == range.first,
            last.deliveryCount == range.deliveryCount,
            last.lastOffset - last.firstOffset + 1 < batchSize
        {
            self[count - 1].lastOffset = range.last
        } else {
            append(
                .init(
                    firstOffset: range.first, lastOffset: range.last,
                    deliveryCount: range.deliveryCount))
        }
    }
}

extension ShareFetchResponse.PartitionData {
    fileprivate mutating func tell(_ refusal: ShareRefusal?) {
        acknowledgeErrorCode = refusal?.code ?? .none
        acknowledgeErrorMessage = refusal?.message
    }
}

extension ShareFetchResponse {
    fileprivate mutating func add(_ data: PartitionData, of topicID: UUID128) {
        if responses.last?.topicId == topicID {
            responses[responses.count - 1].partitions.append(data)
        } else {
            responses.append(.init(topicId: topicID, partitions: [data]))
        }
    }
}
