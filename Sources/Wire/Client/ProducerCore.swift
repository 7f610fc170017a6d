// The work of a producer: one thread that takes batches from the accumulator and sends them, and
// the handling of answers on the connections' reading threads.

import Base
import Compression
import WireProtocol

final class ProducerCore: Sendable {
    private struct State {
        var accumulator: BatchAccumulator
        /// Records of `async` callers for whom there was no room.
        var parked:
            [(record: ProducerRecord, partitionCount: Int32, completion: RecordCompletion)] = []
        /// Batches that have ended and whose callers are being told so.
        var untold: Set<Int64> = []
        var staleTopics: Set<String> = []
        /// A batch was given up after it may have been stored: its numbers can't be continued.
        var mustRenewIdentity = false
        var firstFailure: ClientFailure?
        var statistics = ProducerStatistics()
        var isClosed = false
        var isStopping = false
        var hasStopped = false
        /// Nothing is repeated any more, because the transaction ends in an abort.
        var isAborting = false
    }

    private enum Work {
        case batches([ProducerBatch], expired: [ProducerBatch], staleTopics: [String])
        case stop
    }

    /// Who we are to the brokers, and how far we counted. Used by the sending thread only.
    private struct Identity {
        var producerId: Int64
        var producerEpoch: Int16
        var nextSequences: [PartitionAddress: Int32] = [:]
        /// Which identity of the transactions it is.
        var version = 0
    }

    private let configuration: ProducerConfiguration
    private let cluster: Cluster
    private let state: Monitor<State>
    /// nil for a producer without transactions.
    let transactions: TransactionManager?
    private var isIdempotent: Bool {
        transactions != nil
            || configuration.isIdempotent && configuration.acknowledgements == .all
    }

    init(_ configuration: ProducerConfiguration) {
        var configuration = configuration
        // Transactions are nothing without both.
        if configuration.transactionalId != nil {
            configuration.acknowledgements = .all
            configuration.isIdempotent = true
        }
        self.configuration = configuration
        let cluster = Cluster(configuration.client)
        self.cluster = cluster
        transactions = configuration.transactionalId.map {
            TransactionManager(
                id: $0, timeout: configuration.transactionTimeout, cluster: cluster)
        }
        state = Monitor(
            State(
                accumulator: BatchAccumulator(
                    .init(
                        linger: configuration.linger.wholeNanoseconds,
                        batchBytes: max(1024, configuration.batchBytes),
                        bufferBytes: max(1024, configuration.bufferBytes),
                        deliveryTimeout: configuration.deliveryTimeout.wholeNanoseconds))))
    }

    func start() { Thread { [self] in sendLoop() }.detach() }

    // MARK: From callers

    var statistics: ProducerStatistics { state.withLock { $0.statistics } }

    func knows(_ topic: String) -> Bool { cluster.knownTopic(topic) != nil }

    func learn(_ topic: String) throws(ClientFailure) { _ = try cluster.topic(topic) }

    /// Blocks while there is no room.
    func enqueue(
        _ record: ProducerRecord, completion: RecordCompletion?
    ) throws(ClientFailure) {
        try transactions?.checkMaySend()
        let count = Int32(try cluster.topic(record.topic).partitions.count)
        try check(record, partitionCount: count)
        let bytes = BatchAccumulator.size(of: record)
        let deadline = monotonicNow() + configuration.deliveryTimeout.wholeNanoseconds
        let outcome: Result<Bool, ClientFailure>? = state.wait(until: deadline) { state in
            if state.isClosed { return .failure(.closed) }
            // Those who came before have the right of way.
            guard state.parked.isEmpty, state.accumulator.hasRoom(for: bytes) else { return nil }
            return .success(Self.append(record, count, to: &state, completion))
        }
        switch outcome {
        case .success(let mustWake): if mustWake { state.notify() }
        case .failure(let failure): throw failure
        case nil:
            throw .timedOut(
                "room in the producer's buffer",
                after: configuration.deliveryTimeout.wholeMilliseconds)
        }
    }

    /// Never blocks: without room the record waits its turn.
    func enqueueOrPark(_ record: ProducerRecord, _ completion: @escaping RecordCompletion) {
        let failure: ClientFailure?
        do throws(ClientFailure) {
            try transactions?.checkMaySend()
            guard let topic = cluster.knownTopic(record.topic, evenIfOld: true) else {
                throw ClientFailure(.unknownTopicOrPartition, "topic '\(record.topic)'")
            }
            let count = Int32(topic.partitions.count)
            try check(record, partitionCount: count)
            let bytes = BatchAccumulator.size(of: record)
            let isClosed = state.withLock { state in
                if state.isClosed { return true }
                if state.parked.isEmpty, state.accumulator.hasRoom(for: bytes) {
                    _ = Self.append(record, count, to: &state, completion)
                } else {
                    state.parked.append((record, count, completion))
                }
                return false
            }
            failure = isClosed ? .closed : nil
        } catch {
            failure = error
        }
        if let failure { completion(.failure(failure)) } else { state.notify() }
    }

    private func check(_ record: ProducerRecord, partitionCount: Int32) throws(ClientFailure) {
        if let wish = record.partition, wish < 0 || wish >= partitionCount {
            throw ClientFailure(
                .unknownTopicOrPartition,
                "topic '\(record.topic)' has \(partitionCount) partitions, so there is no "
                    + "partition \(wish)"
            ).final
        }
    }

    private static func append(
        _ record: ProducerRecord, _ partitionCount: Int32, to state: inout State,
        _ completion: RecordCompletion?
    ) -> Bool {
        let partition = state.accumulator.partition(
            of: record, partitionCount: partitionCount)
        return state.accumulator.append(
            record, partition: partition, partitionCount: partitionCount,
            timestamp: record.timestamp ?? wallMilliseconds(), now: monotonicNow(),
            completion: completion)
    }

    func flush() throws(ClientFailure) {
        let end = state.update { state in
            state.accumulator.flush(now: monotonicNow())
            return state.accumulator.nextNumber
        }
        // Every batch ends at its delivery timeout at the latest, so this wait ends too.
        let failure: ClientFailure?? = state.wait { state in
            guard state.parked.isEmpty, !state.accumulator.hasBatches(below: end),
                !state.untold.contains(where: { $0 < end })
            else {
                // Parked records get room one by one and must not wait for their linger.
                state.accumulator.flush(now: monotonicNow())
                return nil
            }
            defer { state.firstFailure = nil }
            return .some(state.firstFailure)
        }
        if let failure = failure ?? nil { throw failure }
    }

    func close() throws(ClientFailure) {
        if state.withLock({ $0.isClosed }) { return }
        var failure: ClientFailure?
        do throws(ClientFailure) { try flush() } catch { failure = error }
        abandon()
        let _: Bool? = state.wait { $0.hasStopped ? true : nil }
        if let failure { throw failure }
    }

    /// Everything that is not on its way fails; returns when nothing is on its way any more. The
    /// transaction that it belongs to is going to be aborted.
    func dropBuffered() {
        let reason = ClientFailure("the transaction was aborted")
        let (left, parked, end) = state.update { state in
            state.isAborting = true
            defer { state.parked = [] }
            return (state.accumulator.takeAll(), state.parked, state.accumulator.nextNumber)
        }
        for batch in left { report(batch, .failure(reason)) }
        for waiter in parked { waiter.completion(.failure(reason)) }
        let _: Bool? = state.wait { $0.accumulator.hasBatches(below: end) ? nil : true }
        state.update { state in
            state.isAborting = false
            state.firstFailure = nil
        }
    }

    /// Ends without sending what is buffered.
    func abandon() {
        state.update { state in
            state.isClosed = true
            state.isStopping = true
        }
    }

    // MARK: The sending thread

    private func sendLoop() {
        var identity: Identity?
        while true {
            switch nextWork() {
            case .stop:
                cluster.close()
                let (left, parked) = state.update { state in
                    state.hasStopped = true
                    defer { state.parked = [] }
                    return (state.accumulator.takeAll(), state.parked)
                }
                for batch in left { report(batch, .failure(.closed)) }
                for waiter in parked { waiter.completion(.failure(.closed)) }
                return
            case .batches(let batches, let expired, let staleTopics):
                for batch in expired { giveUp(expired: batch) }
                // A topic that can't be refreshed now fails at its leader and comes back here.
                if !staleTopics.isEmpty { _ = try? cluster.refresh(staleTopics) }
                send(batches, &identity)
            }
        }
    }

    private func nextWork() -> Work {
        state.loop { state in
            if state.isStopping { return .done(.stop) }
            let now = monotonicNow()
            let expired = state.accumulator.takeExpired(now: now)
            for batch in expired { noteUntold(batch, in: &state) }
            let ready = state.accumulator.takeReady(now: now)
            if ready.isEmpty && expired.isEmpty {
                return .wait(until: state.accumulator.nextWake())
            }
            defer { state.staleTopics = [] }
            return .done(
                .batches(ready, expired: expired, staleTopics: state.staleTopics.sorted()))
        }
    }

    private func send(_ batches: [ProducerBatch], _ identity: inout Identity?) {
        if let transactions {
            do throws(ClientFailure) {
                let current = try transactions.identity()
                if identity?.version != current.version {
                    identity = Identity(
                        producerId: current.producerId, producerEpoch: current.producerEpoch,
                        version: current.version)
                }
                try transactions.add(batches.map(\.address))
            } catch {
                for batch in batches { settle(batch, failure: error) }
                return
            }
        } else if isIdempotent {
            let mustRenew = state.withLock { state in
                defer { state.mustRenewIdentity = false }
                return state.mustRenewIdentity
            }
            if mustRenew { identity = nil }
            if identity == nil {
                do throws(ClientFailure) {
                    identity = try newIdentity()
                } catch {
                    for batch in batches { settle(batch, failure: error) }
                    return
                }
            }
        }
        // By leader, in the order of first appearance.
        var groups: [(node: Int32, batches: [ProducerBatch])] = []
        for batch in batches {
            guard let node = leader(of: batch) else { continue }
            if let index = groups.firstIndex(where: { $0.node == node }) {
                groups[index].batches.append(batch)
            } else {
                groups.append((node, [batch]))
            }
        }
        for group in groups { send(group.batches, to: group.node, &identity) }
    }

    /// The leader of the batch's partition; settles the batch when there is none.
    private func leader(of batch: ProducerBatch) -> Int32? {
        if let leader = cluster.leader(of: batch.address) { return leader.node }
        do throws(ClientFailure) {
            let codes = try cluster.refresh([batch.address.topic], createIfMissing: true)
            if let leader = cluster.leader(of: batch.address) { return leader.node }
            let code = codes[batch.address.topic] ?? .unknownTopicOrPartition
            throw ClientFailure(
                code == .none ? .leaderNotAvailable : code, "produce to \(batch.address)")
        } catch {
            settle(batch, failure: error)
            return nil
        }
    }

    private func newIdentity() throws(ClientFailure) -> Identity {
        let request = InitProducerIdRequest(
            transactionalId: nil, transactionTimeoutMs: .max, producerId: -1, producerEpoch: -1)
        let response = try cluster.anyConnection().call(request)
        guard response.errorCode == .none else {
            throw ClientFailure(response.errorCode, "get a producer id")
        }
        return Identity(
            producerId: response.producerId, producerEpoch: response.producerEpoch)
    }

    private func encode(_ batch: ProducerBatch, _ identity: inout Identity?) -> Bytes? {
        var properties = RecordBatchBuilder.Properties(codec: configuration.compression.codec)
        if batch.encoded == nil, let known = identity {
            let sequence = known.nextSequences[batch.address] ?? 0
            properties.producerId = known.producerId
            properties.producerEpoch = known.producerEpoch
            properties.baseSequence = sequence
            properties.isTransactional = transactions != nil
            // Sequences wrap from 2³¹−1 to 0.
            let next = (Int64(sequence) + Int64(batch.recordCount)) & 0x7FFF_FFFF
            identity?.nextSequences[batch.address] = Int32(next)
        }
        do throws(CodecFailure) {
            return try batch.encode(properties)
        } catch {
            settle(batch, failure: ClientFailure("compress a batch: \(error)"))
            return nil
        }
    }

    private func send(
        _ batches: [ProducerBatch], to node: Int32, _ identity: inout Identity?
    ) {
        let connection: BrokerConnection
        let version: Int16
        do throws(ClientFailure) {
            connection = try cluster.connection(to: node)
            // From version 12 on the partition joins the transaction by itself.
            let newest: Int16 = transactions.map { $0.joinsByProducing ? 12 : 11 } ?? 12
            version = try connection.version(of: .produce, atMost: newest)
        } catch {
            for batch in batches { settle(batch, failure: error) }
            return
        }
        var request = ProduceRequest()
        request.transactionalId = transactions?.id
        request.acks = configuration.acknowledgements.rawValue
        request.timeoutMs = Int32(
            clamping: configuration.client.requestTimeout.wholeMilliseconds)
        var sent: [ProducerBatch] = []
        for batch in batches {
            guard let bytes = encode(batch, &identity) else { continue }
            sent.append(batch)
            if request.topicData.last?.name != batch.address.topic {
                request.topicData.append(.init(name: batch.address.topic))
            }
            let last = request.topicData.count - 1
            request.topicData[last].partitionData.append(
                .init(index: batch.address.partition, records: [bytes]))
        }
        guard !sent.isEmpty else { return }
        let expectsAnswer = configuration.acknowledgements != .none
        let batchesOfRequest = sent
        connection.send(request, version: version, expectsAnswer: expectsAnswer) { [self] result in
            handle(result, of: batchesOfRequest, version: version, expectsAnswer: expectsAnswer)
        }
    }

    // MARK: Answers

    private func handle(
        _ result: Result<Bytes, ClientFailure>, of batches: [ProducerBatch], version: Int16,
        expectsAnswer: Bool
    ) {
        do throws(ClientFailure) {
            let body = try result.get()
            guard expectsAnswer else {
                for batch in batches { settle(batch, baseOffset: -1, appendTime: -1) }
                return
            }
            let response = try BrokerConnection.decode(
                ProduceResponse.self, body, version: version)
            for batch in batches {
                let partition = response.responses
                    .first { $0.name == batch.address.topic }?
                    .partitionResponses.first { $0.index == batch.address.partition }
                guard let partition else {
                    settle(batch, failure: ClientFailure("the broker left \(batch.address) out"))
                    continue
                }
                switch partition.errorCode {
                case .none:
                    settle(
                        batch, baseOffset: partition.baseOffset,
                        appendTime: partition.logAppendTimeMs)
                case .duplicateSequenceNumber:
                    // Stored by an earlier attempt whose answer was lost.
                    settle(batch, baseOffset: -1, appendTime: -1)
                default:
                    settle(
                        batch,
                        failure: ClientFailure(
                            partition.errorCode, "produce to \(batch.address)",
                            detail: partition.recordErrors.first?.batchIndexErrorMessage
                                ?? partition.errorMessage))
                }
            }
        } catch {
            for batch in batches { settle(batch, failure: error) }
        }
    }

    private func settle(_ batch: ProducerBatch, baseOffset: Int64, appendTime: Int64) {
        state.update { state in
            state.accumulator.finish(batch)
            noteUntold(batch, in: &state)
            state.statistics.acknowledgedBatches += 1
            state.statistics.acknowledgedRecords += Int64(batch.recordCount)
            state.statistics.acknowledgedBytes += Int64(batch.encoded?.count ?? 0)
            unpark(&state)
        }
        report(
            batch,
            .success(
                RecordMetadata(
                    partition: batch.address, offset: baseOffset, appendTime: appendTime)))
    }

    private func settle(_ batch: ProducerBatch, failure: ClientFailure) {
        let isFinal = state.update { state in
            switch batch.retry.decide(after: failure, now: monotonicNow()) {
            case .retry(let time) where !state.isAborting:
                batch.lastFailure = failure
                state.accumulator.putBack(batch, notBefore: time)
                state.statistics.repeatedBatches += 1
                // A broken connection may mean that the leader moved.
                if failure.errorCode?.asksForMetadata ?? true {
                    state.staleTopics.insert(batch.address.topic)
                }
                return false
            case .giveUp, .retry:
                state.accumulator.finish(batch)
                noteUntold(batch, in: &state)
                note(failure, of: batch, in: &state)
                return true
            }
        }
        if isFinal {
            transactions?.mustAbort(failure)
            report(batch, .failure(failure))
        }
    }

    private func giveUp(expired batch: ProducerBatch) {
        let failure =
            batch.lastFailure
            ?? .timedOut(
                "produce to \(batch.address)",
                after: configuration.deliveryTimeout.wholeMilliseconds)
        state.update { state in note(failure, of: batch, in: &state) }
        transactions?.mustAbort(failure)
        report(batch, .failure(failure))
    }

    private func note(_ failure: ClientFailure, of batch: ProducerBatch, in state: inout State) {
        state.statistics.failedRecords += Int64(batch.recordCount)
        if batch.completions.count < batch.recordCount, state.firstFailure == nil {
            state.firstFailure = failure
        }
        if batch.producerId >= 0 { state.mustRenewIdentity = true }
        unpark(&state)
    }

    /// Gives room that became free to those who wait for it.
    private func unpark(_ state: inout State) {
        var taken = 0
        for (record, count, completion) in state.parked {
            guard state.accumulator.hasRoom(for: BatchAccumulator.size(of: record)) else { break }
            _ = Self.append(record, count, to: &state, completion)
            taken += 1
        }
        state.parked.removeFirst(taken)
    }

    private func isAwaited(_ batch: ProducerBatch) -> Bool {
        !batch.completions.isEmpty || configuration.onDelivery != nil
    }

    /// Whoever flushes waits until `report` has told everybody.
    private func noteUntold(_ batch: ProducerBatch, in state: inout State) {
        if isAwaited(batch) { state.untold.insert(batch.number) }
    }

    /// Tells everybody, outside of the lock.
    private func report(_ batch: ProducerBatch, _ result: Result<RecordMetadata, ClientFailure>) {
        guard isAwaited(batch) else { return }
        defer { state.update { state in _ = state.untold.remove(batch.number) } }
        for (index, completion) in batch.completions {
            completion(
                result.map { metadata in
                    var own = metadata
                    if own.offset >= 0 { own.offset += Int64(index) }
                    return own
                })
        }
        guard let onDelivery = configuration.onDelivery else { return }
        switch result {
        case .success(let metadata):
            onDelivery(
                BatchDelivery(
                    partition: batch.address, baseOffset: metadata.offset,
                    recordCount: batch.recordCount, failure: nil))
        case .failure(let failure):
            onDelivery(
                BatchDelivery(
                    partition: batch.address, baseOffset: -1, recordCount: batch.recordCount,
                    failure: failure))
        }
    }
}

extension ClientFailure {
    /// The same failure as one that another try can't cure.
    var final: ClientFailure {
        var copy = self
        copy.isRetriable = false
        return copy
    }
}
