import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// Whole batches as they are stored, now or when enough of them are there.
    mutating func fetch(_ request: FetchRequest, _ context: RequestContext) {
        let plan: FetchPlan
        do throws(FetchSessions.Failure) {
            plan = try self.plan(request, context)
        } catch {
            return answer(context, FetchResponse(errorCode: error.code))
        }
        let outcome = gather(plan, context)
        let wait = min(
            .milliseconds(max(request.maxWaitMs, 0)), configuration.fetchWaitMax)
        if outcome.bytes >= plan.minBytes || outcome.mustAnswer || wait == .zero
            || outcome.interests.isEmpty
        {
            return finishFetch(plan, outcome, context)
        }
        park(
            ParkedFetch(
                context: context, plan: plan, deadline: now.monotonic + wait,
                partitions: outcome.interests, bytes: outcome.bytes))
    }

    /// What the request asks for, all of it: a session knows the partitions that are not named.
    private mutating func plan(
        _ request: FetchRequest, _ context: RequestContext
    ) throws(FetchSessions.Failure) -> FetchPlan {
        let usesTopicIDs = context.version >= 13
        var targets: [FetchTarget] = []
        targets.reserveCapacity(request.topics.reduce(0) { $0 + $1.partitions.count })
        for topic in request.topics {
            for partition in topic.partitions {
                targets.append(
                    FetchTarget(
                        topic: topic.topic, topicID: topic.topicId, partition: partition))
            }
        }
        var plan = FetchPlan(
            targets: targets, session: .none, minBytes: Int(max(request.minBytes, 0)),
            maxBytes: min(Int(max(request.maxBytes, 0)), configuration.fetchBytesMax),
            isCommittedOnly: request.isolationLevel == 1, rack: request.rackId)
        if request.sessionEpoch <= 0 {
            if request.sessionId != 0 { fetchSessions.close(request.sessionId) }
            if request.sessionEpoch == 0, context.version >= 7 { plan.session = .wanted }
            return plan
        }
        var forgotten: Set<FetchTarget.Key> = []
        for topic in request.forgottenTopicsData {
            for partition in topic.partitions {
                forgotten.insert(
                    FetchTarget.Key(
                        topic: topic.topic, topicID: topic.topicId, partition: partition))
            }
        }
        let all = try fetchSessions.update(
            request.sessionId, epoch: request.sessionEpoch, set: targets, forget: forgotten,
            usesTopicIDs: usesTopicIDs, now: now.monotonic)
        plan.targets = all ?? []
        plan.session = all == nil ? .none : .open(request.sessionId)
        return plan
    }

    private struct FetchOutcome {
        /// One for each target.
        var answers: [FetchResponse.PartitionData] = []
        var bytes = 0
        /// Something is to be told at once, records or not.
        var mustAnswer = false
        var interests: [ParkedFetch.Interest] = []
    }

    private mutating func gather(_ plan: FetchPlan, _ context: RequestContext) -> FetchOutcome {
        var outcome = FetchOutcome()
        let count = plan.targets.count
        guard count > 0 else { return outcome }
        outcome.answers = plan.targets.map { .init(partitionIndex: $0.partition.partition) }
        var left = plan.maxBytes
        // The answer may be full before every partition had its turn: it begins behind the last one
        // that had records in the answer before.
        let first = (connections[context.key.connection]?.fetchTurn ?? 0) % count
        var turn = first
        for step in 0..<count {
            let place = (first + step) % count
            let before = outcome.bytes
            outcome.answers[place] = read(
                plan.targets[place], plan, context, left: &left, &outcome)
            if outcome.bytes > before { turn = place + 1 }
        }
        connections[context.key.connection]?.fetchTurn = turn
        return outcome
    }

    private mutating func read(
        _ target: FetchTarget, _ plan: FetchPlan, _ context: RequestContext,
        left: inout Int, _ outcome: inout FetchOutcome
    ) -> FetchResponse.PartitionData {
        let wanted = target.partition
        let version = context.version
        var data = FetchResponse.PartitionData(
            partitionIndex: wanted.partition, highWatermark: -1, abortedTransactions: nil)
        func fail(_ error: ErrorCode) -> FetchResponse.PartitionData {
            outcome.mustAnswer = true
            data.errorCode = error
            return data
        }
        let topic =
            version >= 13 ? image.topic(id: target.topicID) : image.topic(target.topic)
        if let error = fetchRefusal(of: target, topic, context) { return fail(error) }
        guard let topic, wanted.partition >= 0, wanted.partition < topic.partitionCount else {
            return fail(
                topic == nil && version >= 13 ? .unknownTopicId : .unknownTopicOrPartition)
        }
        let partition = TopicPartition(topic: topic.name, partition: wanted.partition)
        if let error = readRefusal(of: wanted, topic, partition, rack: plan.rack) {
            let (leader, epoch) = image.leadership(of: topic, wanted.partition)
            if error == .fencedLeaderEpoch
                || error == .notLeaderOrFollower && leader != configuration.nodeID
            {
                data.currentLeader = .init(
                    leaderId: leader?.value ?? -1, leaderEpoch: epoch.value)
            }
            return fail(error)
        }
        if let diverging = divergence(of: wanted, partition) {
            outcome.mustAnswer = true
            data.divergingEpoch = diverging
            return data
        }
        let limit = min(Int(max(wanted.partitionMaxBytes, 0)), max(left, 0))
        let near = nearestReplica(
            of: partition, rack: plan.rack, from: Offset(wanted.fetchOffset))
        if near != nil || limit == 0 && outcome.bytes > 0,
            let offsets = store.offsets(of: partition),
            offsets.logStartOffset.value <= wanted.fetchOffset,
            wanted.fetchOffset <= offsets.logEndOffset.value
        {
            // The answer is full, or the records are read elsewhere: only the offsets are told.
            if let near {
                outcome.mustAnswer = true
                data.preferredReadReplica = near.value
            }
            data.highWatermark = offsets.highWatermark.value
            data.lastStableOffset = offsets.lastStableOffset.value
            data.logStartOffset = offsets.logStartOffset.value
            if plan.isCommittedOnly { data.abortedTransactions = [] }
            return data
        }
        do throws(ReadFailure) {
            let result = try store.read(
                partition, from: Offset(wanted.fetchOffset), maxBytes: limit,
                isolation: plan.isCommittedOnly ? .readCommitted : .readUncommitted,
                // Old versions are looked into below.
                mayLend: version >= 10)
            if version < 10, result.batches.contains(where: { usesZstd($0) }) {
                return fail(.unsupportedCompressionType)
            }
            data.highWatermark = result.highWatermark.value
            data.lastStableOffset = result.lastStableOffset.value
            data.logStartOffset = result.logStartOffset.value
            if plan.isCommittedOnly {
                data.abortedTransactions = result.aborted.map {
                    .init(producerId: $0.producerID, firstOffset: $0.firstOffset.value)
                }
            }
            // The first batch of the answer may be larger than all limits, so that the reader gets
            // on; what follows may not.
            let fits = result.bytes <= limit || outcome.bytes == 0
            if fits {
                data.records = result.batches
                outcome.bytes += result.bytes
                left -= result.bytes
            }
            outcome.interests.append(
                ParkedFetch.Interest(
                    topicPartition: partition, offset: Offset(wanted.fetchOffset),
                    maxBytes: Int(max(wanted.partitionMaxBytes, 0)),
                    bytes: fits ? result.bytes : 0))
            return data
        } catch {
            return fail(self.error(error))
        }
    }

    /// Why nothing of the topic is given to the client; nil when it may read it. Ids are no
    /// secret, names of topics that are not there could be.
    private func fetchRefusal(
        of target: FetchTarget, _ topic: TopicMetadata?, _ context: RequestContext
    ) -> ErrorCode? {
        guard configuration.authorizer != nil else { return nil }
        guard let name = topic?.name ?? (context.version >= 13 ? nil : target.topic) else {
            return nil
        }
        return authorize(context, .read, .topic, name) ? nil : .topicAuthorizationFailed
    }

    /// Where the reader's log and ours parted, if it says what it read last.
    private func divergence(
        of wanted: FetchRequest.FetchPartition, _ partition: TopicPartition
    ) -> FetchResponse.EpochEndOffset? {
        guard wanted.lastFetchedEpoch >= 0,
            let end = epochEnd(of: LeaderEpoch(wanted.lastFetchedEpoch), in: partition)
        else { return nil }
        if end.epoch.value >= wanted.lastFetchedEpoch, end.endOffset.value >= wanted.fetchOffset {
            return nil
        }
        return .init(epoch: end.epoch.value, endOffset: end.endOffset.value)
    }

    /// Tells a session what is news to it, and everybody else everything.
    private mutating func finishFetch(
        _ plan: FetchPlan, _ outcome: FetchOutcome, _ context: RequestContext
    ) {
        counters.fetchedBytes += Int64(outcome.bytes)
        var response = FetchResponse()
        response.throttleTimeMs = throttle(.consumerByteRate, outcome.bytes, context)
        var news: [Bool]?
        switch plan.session {
        case .none: break
        case .wanted:
            response.sessionId =
                fetchSessions.open(
                    plan.targets, outcome.answers, usesTopicIDs: context.version >= 13,
                    random: &random, now: now.monotonic) ?? 0
        case .open(let id):
            news = fetchSessions.news(id, outcome.answers)
            response.sessionId = news == nil ? 0 : id
        }
        for (place, answer) in outcome.answers.enumerated() {
            if let news, !news[place] { continue }
            let target = plan.targets[place]
            let last = response.responses.count - 1
            if last >= 0, response.responses[last].topicId == target.topicID,
                response.responses[last].topic == target.topic
            {
                response.responses[last].partitions.append(answer)
            } else {
                response.responses.append(
                    .init(topic: target.topic, topicId: target.topicID, partitions: [answer]))
            }
            let leader = answer.currentLeader.leaderId
            if leader >= 0, !response.nodeEndpoints.contains(where: { $0.nodeId == leader }),
                let broker = reachableBrokers(context).first(where: { $0.id == leader })
            {
                response.nodeEndpoints.append(
                    .init(
                        nodeId: broker.id, host: broker.host, port: broker.port,
                        rack: broker.rack))
            }
        }
        self.answer(context, response)
    }

    // MARK: Waiting

    private mutating func park(_ wanted: ParkedFetch) {
        let key = wanted.context.key
        var fetch = wanted
        var seen: Set<TopicPartition> = []
        fetch.partitions.removeAll { !seen.insert($0.topicPartition).inserted }
        fetches[key] = fetch
        connections[key.connection]?.block(on: key.sequence)
        for interest in fetch.partitions {
            fetchesByPartition[interest.topicPartition, default: []].append(key)
        }
        fetchDeadlines.push(fetch.deadline, key)
        if fetchDeadlines.count > 2 * fetches.count + 64 {
            fetchDeadlines.prune { deadline, key in fetches[key]?.deadline == deadline }
        }
    }

    mutating func removeFetch(_ key: RequestKey) {
        guard let fetch = fetches.removeValue(forKey: key) else { return }
        for interest in fetch.partitions {
            fetchesByPartition[interest.topicPartition]?.removeAll { $0 == key }
            if fetchesByPartition[interest.topicPartition]?.isEmpty == true {
                fetchesByPartition[interest.topicPartition] = nil
            }
        }
    }

    /// More records of `partition` are visible: fetches that now have enough are answered.
    mutating func wakeFetches(of partition: TopicPartition) {
        if !shareFetches.isEmpty { wakeShareFetches(of: partition) }
        guard let keys = fetchesByPartition[partition] else { return }
        let offsets = store.offsets(of: partition)
        for key in keys {
            guard let fetch = fetches[key],
                let place = fetch.partitions.firstIndex(where: { $0.topicPartition == partition })
            else { continue }
            let interest = fetch.partitions[place]
            let isCommittedOnly = fetch.plan.isCommittedOnly
            if let offsets {
                let end = isCommittedOnly ? offsets.lastStableOffset : offsets.highWatermark
                if end <= interest.offset { continue }
            }
            if offsets == nil || fetch.plan.minBytes <= 1 {
                completeFetch(key)
                continue
            }
            do throws(ReadFailure) {
                let bytes = try store.read(
                    partition, from: interest.offset, maxBytes: interest.maxBytes,
                    isolation: isCommittedOnly ? .readCommitted : .readUncommitted, mayLend: true
                ).bytes
                let total = fetch.bytes + bytes - interest.bytes
                fetches[key]?.partitions[place].bytes = bytes
                fetches[key]?.bytes = total
                if total >= fetch.plan.minBytes { completeFetch(key) }
            } catch {
                // What is wrong is told by the answer.
                completeFetch(key)
            }
        }
    }

    /// Fetches of a partition that another node leads by now are answered with that.
    mutating func endFetches(of partition: TopicPartition) {
        for key in fetchesByPartition[partition] ?? [] { completeFetch(key) }
    }

    private mutating func completeFetch(_ key: RequestKey) {
        guard let fetch = fetches[key] else { return }
        removeFetch(key)
        finishFetch(fetch.plan, gather(fetch.plan, fetch.context), fetch.context)
    }

    /// Answers fetches that have waited long enough with what there is.
    mutating func expireFetches() {
        while let (deadline, key) = fetchDeadlines.popDue(now.monotonic) {
            if fetches[key]?.deadline == deadline { completeFetch(key) }
        }
    }
}

/// Whether a batch is compressed in a way that clients of old versions don't know.
func usesZstd(_ batch: Bytes) -> Bool {
    // The codec is in the lowest bits of the attributes, whose second byte this is.
    batch.count > 22 && batch[22] & 7 == 4
}
