// Carries out what the transaction coordinator wants: answers go to their requests, records to the
// partition of `__transaction_state` that keeps the id, markers to the partitions of a transaction.

import Base
import Coordinator
import Log
import Quorum
import Replica
import WireProtocol

/// A request whose answer the transaction coordinator owes.
enum ParkedTransactionRequest: Sendable {
    case initProducer(RequestContext)
    /// The transaction at this place of the request, and which of its partitions were asked for.
    case addPartitions(RequestKey, place: Int)
    case addOffsets(RequestContext)
    case end(RequestContext)
    /// The partitions that it writes to become part of the transaction first.
    case produce(RequestContext, ProduceRequest)
    case commitOffsets(RequestContext, TxnOffsetCommitRequest)
    /// A node that leads the partitions asks, under this number.
    case question(NodeID, UInt64, TransactionQuestion)
}

/// An AddPartitionsToTxn request with transactions that are not settled.
struct ParkedPartitionAddition: Sendable {
    var context: RequestContext
    var results: [AddPartitionsToTxnResponse.AddPartitionsToTxnResult]
    var open: Int
}

/// Markers of one transaction that are not all durable.
struct ParkedMarkers: Sendable {
    var open: Int
    var failed: [TopicPartition] = []
}

/// Who waits for a marker, and what it ends.
struct MarkerWait: Sendable {
    enum Owner: Sendable {
        case coordinator(MarkerToken)
        /// A place in the answer to an operator.
        case request(RequestKey, marker: Int, topic: Int, partition: Int)
        /// A place in the answer to a coordinator on another node.
        case peer(PeerRequest, place: Int)
    }

    var owner: Owner
    var partition: TopicPartition
    var producerID: Int64
    var isCommit: Bool
}

extension BrokerNode {
    /// The topic that keeps the transactional ids.
    static let transactionsTopic = "__transaction_state"

    mutating func park(_ request: ParkedTransactionRequest) -> ReplyToken {
        lastReplyToken += 1
        let token = ReplyToken(lastReplyToken)
        transactionRequests[token] = request
        return token
    }

    mutating func perform(_ effects: [TransactionEffect]) {
        for effect in effects {
            switch effect {
            case .reply(let token, let reply): finish(token, reply)
            case .append(let token, let id, let key, let value):
                append(key: key, value: value, of: id, token)
            case .writeMarkers(let token, let markers): write(markers, token)
            }
        }
    }

    private mutating func finish(_ token: ReplyToken, _ reply: TransactionReply) {
        guard let request = transactionRequests.removeValue(forKey: token) else { return }
        switch (request, reply) {
        case (.initProducer(let context), .initialized(let producer)):
            answerInitProducer(producer, context)
        case (.addPartitions(let key, let place), .partitionsAdded(let error)):
            partitionsAdded(key, place: place, error)
        case (.addOffsets(let context), .partitionsAdded(let error)):
            answer(
                context,
                AddOffsetsToTxnResponse(
                    errorCode: transactionError(error, version: context.version, abortable: 4)))
        case (.end(let context), .ended(let producer)): answerEnd(producer, context)
        case (.produce(let context, let request), .partitionsAdded(let error)):
            unblock(context)
            appendProduced(request, context, refusal: error)
        case (.commitOffsets(let context, let request), .partitionsAdded(let error)):
            unblock(context)
            commitOffsets(request, context, refusal: error)
        case (.question(let node, let number, let question), .partitionsAdded(let error)):
            self.reply(error, to: question, number, node)
        default: preconditionFailure("the coordinator answers what was asked")
        }
    }

    /// Requests behind this one may be started, although it is not answered.
    mutating func unblock(_ context: RequestContext) {
        let id = context.key.connection
        connections[id]?.unblock(context.key.sequence)
        if connections[id]?.mayStart == true { runnable.append(id) }
    }

    private mutating func append(
        key: Bytes, value: Bytes?, of id: String, _ token: AppendToken
    ) {
        guard let topic = image.topic(Self.transactionsTopic) else {
            return perform(
                transactions.appended(token, failure: .coordinatorNotAvailable, now: now))
        }
        let partition = TopicPartition(
            topic: Self.transactionsTopic,
            partition: groupPartition(of: id, partitionCount: topic.partitionCount))
        var builder = RecordBatchBuilder(capacity: 512)
        builder.append(key: key, value: value, timestamp: now.timestamp)
        do throws(ReplicaRefusal) {
            let appended = try append(finishUncompressed(builder), to: partition, origin: .node)
            whenDurable(partition, appended, .transaction(token))
        } catch {
            diagnostics.report(
                .warning, "transactions", "state of \(id) was refused by the log: \(error)")
            let code: ErrorCode =
                switch error {
                case .append(.messageTooLarge), .append(.recordListTooLarge),
                    .append(.invalidRecord):
                    .unknownServerError
                case .notLeader: .notCoordinator
                default: .coordinatorNotAvailable
                }
            perform(transactions.appended(token, failure: code, now: now))
        }
    }

    // MARK: Markers

    private mutating func write(_ markers: TransactionMarkers, _ token: MarkerToken) {
        // One more than there are partitions, until all of them were looked at.
        parkedMarkers[token] = ParkedMarkers(open: 1)
        let marker = MarkerAppend(
            producerID: markers.producerID, producerEpoch: markers.producerEpoch,
            coordinatorEpoch: coordinatorEpoch(of: .transaction(markers.transactionalID)),
            isCommit: markers.isCommit, bumpsEpochs: markers.bumpsEpochs)
        var elsewhere = OrderedMap<NodeID, [TopicPartition]>()
        for partition in markers.partitions {
            // What was deleted has no transaction any more.
            guard let topic = image.topic(partition.topic) else { continue }
            parkedMarkers[token]?.open += 1
            if cluster != nil {
                let leader = image.leadership(of: topic, partition.partition).leader
                guard let leader else {
                    closeMarker(token, failed: partition)
                    continue
                }
                if leader != configuration.nodeID {
                    elsewhere[leader, default: []].append(partition)
                    continue
                }
            }
            let wait = MarkerWait(
                owner: .coordinator(token), partition: partition, producerID: marker.producerID,
                isCommit: marker.isCommit)
            do throws(ReplicaRefusal) {
                try append(marker, wait)
            } catch {
                closeMarker(
                    token, failed: isMarkerDue(self.error(error), partition) ? partition : nil)
            }
        }
        delegate(marker, elsewhere, token)
        closeMarker(token, failed: nil)
    }

    /// Whether a marker that could not be written must be tried again.
    func isMarkerDue(_ error: ErrorCode, _ partition: TopicPartition) -> Bool {
        switch error {
        case .none, .unknownTopicOrPartition: return false
        case .invalidProducerEpoch, .transactionCoordinatorFenced:
            // Somebody has ended the transaction here with a newer epoch.
            diagnostics.report(
                .warning, "transactions",
                "\(partition) needs no marker: \(error.publishedName)")
            return false
        default:
            diagnostics.report(
                .warning, "transactions",
                "\(partition) can't take a marker now, it is tried again: \(error.publishedName)")
            return true
        }
    }

    /// Appends a marker; `wait` is settled when it is durable.
    mutating func append(_ marker: MarkerAppend, _ wait: MarkerWait) throws(ReplicaRefusal) {
        guard replicas == nil else {
            lastReplicaToken += 1
            let token = lastReplicaToken
            replicaEffects += try replicas!.append(
                marker, to: wait.partition, token: token, store: &store, now: now)
            replicaWaits[token] = ReplicaWait(partition: wait.partition, waiter: .marker(wait))
            return overruleQuestions(marker.producerID, wait.partition)
        }
        if cluster != nil { throw .notLeader }
        let result: AppendResult?
        do throws(AppendFailure) {
            result = try store.appendMarker(marker, to: wait.partition, now: now)
        } catch {
            throw .append(error)
        }
        // One that is there already may still be on its way to the disk.
        let end = store.offsets(of: wait.partition)?.logEndOffset ?? 0
        whenDurable(wait.partition, result?.lastOffset ?? Offset(end.value - 1), .marker(wait))
    }

    /// The marker is durable, or its partition is gone.
    mutating func markerSettled(_ wait: MarkerWait, error: ErrorCode?) {
        if error == nil, wait.partition.topic == Self.offsetsTopic,
            let topic = image.topic(Self.offsetsTopic)
        {
            coordinator.transactionEnded(
                producerID: wait.producerID, isCommit: wait.isCommit,
                partition: wait.partition.partition, partitionCount: topic.partitionCount)
        }
        switch wait.owner {
        case .coordinator(let token):
            closeMarker(
                token, failed: isMarkerDue(error ?? .none, wait.partition) ? wait.partition : nil)
        case .peer(let request, let place): peerMarkerWritten(request, place: place, error ?? .none)
        case .request(let key, let marker, let topic, let partition):
            markerWritten(
                key, marker: marker, topic: topic, partition: partition, error ?? .none)
        }
    }

    mutating func closeMarker(_ token: MarkerToken, failed: TopicPartition?) {
        if let failed { parkedMarkers[token]?.failed.append(failed) }
        parkedMarkers[token]?.open -= 1
        guard parkedMarkers[token]?.open == 0,
            let done = parkedMarkers.removeValue(forKey: token)
        else { return }
        perform(transactions.markersWritten(token, failed: done.failed, now: now))
    }

    // MARK: Errors and topics

    /// Errors that older clients do not know are told as what they understand.
    /// - Parameter abortable: the first version that knows TRANSACTION_ABORTABLE.
    func transactionError(
        _ error: ErrorCode, version: Int16, abortable: Int16, fenced: Int16 = 2
    ) -> ErrorCode {
        switch error {
        case .producerFenced where version < fenced: .invalidProducerEpoch
        case .transactionAbortable where version < abortable: .invalidTxnState
        default: error
        }
    }

    /// Makes sure that the topic of the transactional ids is there. True when the request has to
    /// wait for it.
    mutating func waitForTransactionsTopic(_ context: RequestContext, _ frame: Bytes) -> Bool {
        waitForInternalTopic(
            Self.transactionsTopic, partitionCount: configuration.transactionsPartitions, context,
            frame)
    }

    /// Whether there is such a partition.
    func exists(_ partition: TopicPartition) -> Bool {
        guard let topic = image.topic(partition.topic) else { return false }
        return partition.partition >= 0 && partition.partition < topic.partitionCount
    }
}
