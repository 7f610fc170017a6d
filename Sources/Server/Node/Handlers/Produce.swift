import Base
import Log
import Quorum
import Replica
import WireProtocol

extension BrokerNode {
    /// Appends the batches and answers when all of them are durable, for acks=1 as for acks=all: on
    /// this broker acknowledged means durable, unless the topic says `relaxed.durability`.
    mutating func produce(_ request: ProduceRequest, _ context: RequestContext) {
        if request.acks == 0 { connections[context.key.connection]?.retract() }
        guard (-1...1).contains(request.acks) else {
            return refuse(request, context, .invalidRequiredAcks)
        }
        if let id = request.transactionalId, !authorize(context, .write, .transactionalId, id) {
            return refuse(request, context, .transactionalIdAuthorizationFailed)
        }
        if joinTransaction(request, context) { return }
        appendProduced(request, context, refusal: .none)
    }

    /// `refusal`: why partitions could not become part of the producer's transaction; `verified`: what a
    /// coordinator elsewhere has said about each.
    mutating func appendProduced(
        _ request: ProduceRequest, _ context: RequestContext, refusal: ErrorCode,
        verified: [TopicPartition: ErrorCode] = [:]
    ) {
        var response = ProduceResponse()
        var waits: [(topic: Int, partition: Int, TopicPartition, AppendedBatch)] = []
        var isRelaxed = false
        response.responses.reserveCapacity(request.topicData.count)
        for (topicPlace, topicData) in request.topicData.enumerated() {
            let topic =
                context.version >= 13
                ? image.topic(id: topicData.topicId) : image.topic(topicData.name)
            var results = ProduceResponse.TopicProduceResponse(
                name: topicData.name, topicId: topicData.topicId)
            results.partitionResponses.reserveCapacity(topicData.partitionData.count)
            let mayWrite = topic.map { authorize(context, .write, .topic, $0.name) }
            for (place, data) in topicData.partitionData.enumerated() {
                var result = ProduceResponse.PartitionProduceResponse(
                    index: data.index, baseOffset: -1)
                // A topic that is not there may not be heard of by who may not write it.
                if !(mayWrite ?? authorize(context, .write, .topic, topicData.name)) {
                    result.errorCode = .topicAuthorizationFailed
                } else if let last = append(
                    data, topic, of: request, refusal: refusal, verified: verified,
                    version: context.version, &result, isRelaxed: &isRelaxed)
                {
                    waits.append((topicPlace, place, last.0, last.1))
                }
                results.partitionResponses.append(result)
            }
            response.responses.append(results)
        }
        response.throttleTimeMs = throttle(.producerByteRate, request.recordBytes, context)
        if request.acks == 0 { return finishUnanswered(response, context) }
        if waits.isEmpty {
            if !isRelaxed { return answer(context, response) }
            return relaxedAnswers.append((context, response))
        }
        park(response, waits, timeoutMilliseconds: request.timeoutMs, context)
    }

    /// Appends one partition's batch. Returns what has to become durable; else `result` has the
    /// error, or the topic does not want to wait.
    private mutating func append(
        _ data: ProduceRequest.PartitionProduceData, _ topic: TopicMetadata?,
        of request: ProduceRequest, refusal: ErrorCode, verified: [TopicPartition: ErrorCode],
        version: Int16,
        _ result: inout ProduceResponse.PartitionProduceResponse, isRelaxed: inout Bool
    ) -> (TopicPartition, AppendedBatch)? {
        guard let topic, data.index >= 0, data.index < topic.partitionCount else {
            result.errorCode =
                topic == nil && version >= 13 ? .unknownTopicId : .unknownTopicOrPartition
            return nil
        }
        if let error = leadershipError(topic, data.index) {
            result.errorCode = error
            result.errorMessage = "another broker leads \(topic.name)-\(data.index)"
            return nil
        }
        if topic.isInternal {
            result.errorCode = .invalidTopicException
            result.errorMessage = "\(topic.name) belongs to the brokers"
            return nil
        }
        if request.acks == -1, cluster == nil,
            TopicValues(settings: topic.settings, defaults: topicDefaults).minInSyncReplicas > 1
        {
            result.errorCode = .notEnoughReplicas
            result.errorMessage = "min.insync.replicas is above 1 and there is one broker"
            return nil
        }
        if version < 7, data.records.contains(where: { usesZstd($0) }) {
            result.errorCode = .unsupportedCompressionType
            result.errorMessage = "zstd needs version 7 of Produce, this is \(version)"
            return nil
        }
        let batch = data.records.count == 1 ? data.records[0] : Bytes.joined(data.records)
        let partition = TopicPartition(topic: topic.name, partition: data.index)
        var origin = AppendOrigin.client
        if let id = request.transactionalId, let claim = Self.transaction(of: batch, id) {
            origin = .transaction(bumpsEpochs: version >= Self.firstBumpingProduce)
            let error = verify(
                claim, partition, refusal: refusal, verified: verified, version: version)
            guard error == .none else {
                result.errorCode = error
                result.errorMessage = "\(partition) is not part of an open transaction of \(id)"
                return nil
            }
        }
        do throws(ReplicaRefusal) {
            // The request is read once: its memory becomes the log's.
            let batchInLog = try append(
                batch, to: partition, request.acks == -1 ? .all : .leader, origin: origin,
                isOwned: true)
            let appended = batchInLog.result
            if !appended.isDuplicate {
                counters.producedBytes += Int64(batch.count)
                counters.producedRecords += Int64(appended.recordCount)
            }
            result.baseOffset = appended.baseOffset.value
            result.logAppendTimeMs = appended.logAppendTime.milliseconds
            result.logStartOffset = appended.logStartOffset.value
            if appended.needsSync || batchInLog.token != nil { return (partition, batchInLog) }
            isRelaxed = true
            return nil
        } catch {
            result.errorCode = self.error(error)
            result.errorMessage = error.description
            if case .append(let failure) = error {
                result.recordErrors = failure.records.map {
                    .init(
                        batchIndex: Int32(clamping: $0.index), batchIndexErrorMessage: $0.message)
                }
            }
            return nil
        }
    }

    /// Refuses all partitions alike.
    private mutating func refuse(
        _ request: ProduceRequest, _ context: RequestContext, _ error: ErrorCode
    ) {
        var response = ProduceResponse()
        response.responses = request.topicData.map { topic in
            .init(
                name: topic.name, topicId: topic.topicId,
                partitionResponses: topic.partitionData.map {
                    .init(index: $0.index, errorCode: error, baseOffset: -1)
                })
        }
        if request.acks == 0 { return finishUnanswered(response, context) }
        answer(context, response)
    }

    /// acks=0: nobody waits for an answer, so an error can only be told by hanging up, which makes
    /// the client look for what has changed.
    private mutating func finishUnanswered(
        _ response: ProduceResponse, _ context: RequestContext
    ) {
        for topic in response.responses {
            for partition in topic.partitionResponses where partition.errorCode != .none {
                return close(
                    context.key.connection,
                    "a produce without answers failed: \(partition.errorCode.publishedName)")
            }
        }
    }

    // MARK: Waiting

    /// The records of topics with `relaxed.durability` go to the system's cache and are
    /// acknowledged: they survive the end of this process, not a power loss.
    mutating func answerRelaxed() {
        if let problem = store.writeJournal() { return halt(problem) }
        let ready = relaxedAnswers
        relaxedAnswers.removeAll(keepingCapacity: true)
        for (context, response) in ready { answer(context, response) }
    }

    private mutating func park(
        _ response: ProduceResponse,
        _ waits: [(topic: Int, partition: Int, TopicPartition, AppendedBatch)],
        timeoutMilliseconds: Int32, _ context: RequestContext
    ) {
        var isOpen: [[Bool]] = []
        if response.responses.count != 1 || response.responses[0].partitionResponses.count != 1 {
            isOpen = response.responses.map {
                [Bool](repeating: false, count: $0.partitionResponses.count)
            }
            for wait in waits { isOpen[wait.topic][wait.partition] = true }
        }
        let timeout = Duration.milliseconds(max(timeoutMilliseconds, 0))
        produces[context.key] = ParkedProduce(
            context: context, response: response, open: waits.count, isOpen: isOpen,
            deadline: now.monotonic + timeout)
        if nextProduceCheck == nil { nextProduceCheck = now.monotonic + Self.produceCheckInterval }
        for (topic, partition, topicPartition, appended) in waits {
            whenDurable(
                topicPartition, appended,
                .produce(context.key, topic: topic, partition: partition))
        }
    }

    /// One partition is settled, well or with an error.
    mutating func finishProduce(
        _ key: RequestKey, topic: Int, partition: Int, error: ErrorCode?
    ) {
        guard var parked = produces.removeValue(forKey: key) else { return }
        if !parked.isOpen.isEmpty {
            guard parked.isOpen[topic][partition] else {
                produces[key] = parked
                return
            }
            parked.isOpen[topic][partition] = false
        }
        if let error {
            parked.response.responses[topic].partitionResponses[partition].errorCode = error
            parked.response.responses[topic].partitionResponses[partition].baseOffset = -1
        }
        parked.open -= 1
        if parked.open > 0 {
            produces[key] = parked
            return
        }
        if produces.isEmpty { nextProduceCheck = nil }
        answer(parked.context, parked.response)
    }

    /// Answers produces that waited longer than their clients wanted. The records stay and become
    /// durable; only nobody hears of it.
    mutating func expireProduces() {
        guard let check = nextProduceCheck, check <= now.monotonic else { return }
        let late = produces.values.filter { $0.deadline <= now.monotonic }.map(\.context.key)
        for key in late.sorted() {
            guard var isOpen = produces[key]?.isOpen else { continue }
            if isOpen.isEmpty { isOpen = [[true]] }
            for (topic, partitions) in isOpen.enumerated() {
                for (partition, isOpen) in partitions.enumerated() where isOpen {
                    finishProduce(
                        key, topic: topic, partition: partition, error: .requestTimedOut)
                }
            }
        }
        nextProduceCheck =
            produces.isEmpty ? nil : now.monotonic + Self.produceCheckInterval
    }

    /// Syncs take milliseconds: time limits of seconds need no timer of their own each.
    private static let produceCheckInterval: Duration = .seconds(1)
}

extension ProduceRequest {
    /// The bytes of all batches.
    fileprivate var recordBytes: Int {
        var sum = 0
        for topic in topicData {
            for partition in topic.partitionData {
                for piece in partition.records { sum += piece.count }
            }
        }
        return sum
    }
}
