import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// Whole batches as they are stored, now or when enough of them are there. Sessions are never
    /// granted, which every client accepts: each fetch names all its partitions.
    mutating func fetch(_ request: FetchRequest, _ context: RequestContext) {
        if request.sessionId != 0, request.sessionEpoch > 0 {
            return answer(context, FetchResponse(errorCode: .fetchSessionIdNotFound))
        }
        var outcome = gather(request, context)
        let wait = min(
            .milliseconds(max(request.maxWaitMs, 0)), configuration.fetchWaitMax)
        if outcome.bytes >= Int(max(request.minBytes, 0)) || outcome.mustAnswer || wait == .zero
            || outcome.interests.isEmpty
        {
            return finishFetch(outcome.response, outcome.bytes, context)
        }
        outcome.response = FetchResponse()
        park(
            ParkedFetch(
                context: context, request: request, deadline: now.monotonic + wait,
                partitions: outcome.interests, bytes: outcome.bytes))
    }

    private struct FetchOutcome {
        var response = FetchResponse()
        var bytes = 0
        /// Something is to be told at once, records or not.
        var mustAnswer = false
        var interests: [ParkedFetch.Interest] = []
    }

    private mutating func gather(
        _ request: FetchRequest, _ context: RequestContext
    ) -> FetchOutcome {
        var outcome = FetchOutcome()
        outcome.response.responses = request.topics.map { topic in
            .init(
                topic: topic.topic, topicId: topic.topicId,
                partitions: topic.partitions.map { .init(partitionIndex: $0.partition) })
        }
        var places: [(topic: Int, partition: Int)] = []
        for (topic, wanted) in request.topics.enumerated() {
            for partition in wanted.partitions.indices { places.append((topic, partition)) }
        }
        guard !places.isEmpty else { return outcome }
        let rotation = connections[context.key.connection]?.fetchRotation ?? 0
        connections[context.key.connection]?.fetchRotation = rotation &+ 1
        var left = min(Int(max(request.maxBytes, 0)), configuration.fetchBytesMax)
        let first = Int(UInt(bitPattern: rotation) % UInt(places.count))
        for step in places.indices {
            let (topicPlace, place) = places[(first + step) % places.count]
            let wantedTopic = request.topics[topicPlace]
            let topic =
                context.version >= 13
                ? image.topic(id: wantedTopic.topicId) : image.topic(wantedTopic.topic)
            if let error = fetchRefusal(of: wantedTopic, topic, context) {
                outcome.mustAnswer = true
                outcome.response.responses[topicPlace].partitions[place] = .init(
                    partitionIndex: wantedTopic.partitions[place].partition, errorCode: error,
                    highWatermark: -1, abortedTransactions: nil)
                continue
            }
            let data = read(
                wantedTopic.partitions[place], of: topic, request, version: context.version,
                left: &left, &outcome)
            outcome.response.responses[topicPlace].partitions[place] = data
        }
        return outcome
    }

    /// Why nothing of the topic is given to the client; nil when it may read it. Ids are no
    /// secret, names of topics that are not there could be.
    private func fetchRefusal(
        of wanted: FetchRequest.FetchTopic, _ topic: TopicMetadata?, _ context: RequestContext
    ) -> ErrorCode? {
        guard configuration.authorizer != nil else { return nil }
        guard let name = topic?.name ?? (context.version >= 13 ? nil : wanted.topic) else {
            return nil
        }
        return authorize(context, .read, .topic, name) ? nil : .topicAuthorizationFailed
    }

    private mutating func read(
        _ wanted: FetchRequest.FetchPartition, of topic: TopicMetadata?, _ request: FetchRequest,
        version: Int16, left: inout Int, _ outcome: inout FetchOutcome
    ) -> FetchResponse.PartitionData {
        var data = FetchResponse.PartitionData(
            partitionIndex: wanted.partition, highWatermark: -1, abortedTransactions: nil)
        func fail(_ error: ErrorCode) -> FetchResponse.PartitionData {
            outcome.mustAnswer = true
            data.errorCode = error
            return data
        }
        guard let topic, wanted.partition >= 0, wanted.partition < topic.partitionCount else {
            return fail(
                topic == nil && version >= 13 ? .unknownTopicId : .unknownTopicOrPartition)
        }
        if let error = epochError(wanted.currentLeaderEpoch) { return fail(error) }
        let partition = TopicPartition(topic: topic.name, partition: wanted.partition)
        if let diverging = divergence(of: wanted, partition) {
            outcome.mustAnswer = true
            data.divergingEpoch = diverging
            return data
        }
        let isCommittedOnly = request.isolationLevel == 1
        let limit = min(Int(max(wanted.partitionMaxBytes, 0)), max(left, 0))
        if limit == 0, outcome.bytes > 0, let offsets = store.offsets(of: partition),
            offsets.logStartOffset.value <= wanted.fetchOffset,
            wanted.fetchOffset <= offsets.logEndOffset.value
        {
            // The answer is full: only the offsets are told.
            data.highWatermark = offsets.highWatermark.value
            data.lastStableOffset = offsets.lastStableOffset.value
            data.logStartOffset = offsets.logStartOffset.value
            if isCommittedOnly { data.abortedTransactions = [] }
            return data
        }
        do throws(ReadFailure) {
            let result = try store.read(
                partition, from: Offset(wanted.fetchOffset), maxBytes: limit,
                isolation: isCommittedOnly ? .readCommitted : .readUncommitted)
            data.highWatermark = result.highWatermark.value
            data.lastStableOffset = result.lastStableOffset.value
            data.logStartOffset = result.logStartOffset.value
            if isCommittedOnly { data.abortedTransactions = [] }
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

    /// Whether the client's idea of the leadership is older or newer than ours.
    func epochError(_ clientEpoch: Int32) -> ErrorCode? {
        if clientEpoch < 0 || clientEpoch == image.leaderEpoch.value { return nil }
        return clientEpoch < image.leaderEpoch.value ? .fencedLeaderEpoch : .unknownLeaderEpoch
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

    private mutating func finishFetch(
        _ response: FetchResponse, _ bytes: Int, _ context: RequestContext
    ) {
        counters.fetchedBytes += Int64(bytes)
        var response = response
        response.throttleTimeMs = throttle(.consumerByteRate, bytes, context)
        answer(context, response)
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
        guard let keys = fetchesByPartition[partition] else { return }
        let highWatermark = store.offsets(of: partition)?.highWatermark
        for key in keys {
            guard let fetch = fetches[key],
                let place = fetch.partitions.firstIndex(where: { $0.topicPartition == partition })
            else { continue }
            let interest = fetch.partitions[place]
            if let highWatermark, highWatermark <= interest.offset { continue }
            if highWatermark == nil || fetch.request.minBytes <= 1 {
                completeFetch(key)
                continue
            }
            do throws(ReadFailure) {
                let isCommittedOnly = fetch.request.isolationLevel == 1
                let bytes = try store.read(
                    partition, from: interest.offset, maxBytes: interest.maxBytes,
                    isolation: isCommittedOnly ? .readCommitted : .readUncommitted
                ).bytes
                let total = fetch.bytes + bytes - interest.bytes
                fetches[key]?.partitions[place].bytes = bytes
                fetches[key]?.bytes = total
                if total >= Int(fetch.request.minBytes) { completeFetch(key) }
            } catch {
                // What is wrong is told by the answer.
                completeFetch(key)
            }
        }
    }

    private mutating func completeFetch(_ key: RequestKey) {
        guard let fetch = fetches[key] else { return }
        removeFetch(key)
        let outcome = gather(fetch.request, fetch.context)
        finishFetch(outcome.response, outcome.bytes, fetch.context)
    }

    /// Answers fetches that have waited long enough with what there is.
    mutating func expireFetches() {
        while let (deadline, key) = fetchDeadlines.popDue(now.monotonic) {
            if fetches[key]?.deadline == deadline { completeFetch(key) }
        }
    }
}
