// Carries out what the transaction coordinator wants: answers go to their requests, records to the
// partition of `__transaction_state` that keeps the id, markers to the partitions of a transaction.

import Base
import Coordinator
import Log
import Quorum
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
        default: preconditionFailure("the coordinator answers what was asked")
        }
    }

    /// Requests behind this one may be started, although it is not answered.
    private mutating func unblock(_ context: RequestContext) {
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
        do throws(AppendFailure) {
            let result = try store.append(
                finishUncompressed(builder), to: partition, origin: .node, now: now)
            whenDurable(partition, result.lastOffset, .transaction(token))
        } catch {
            diagnostics.report(
                .warning, "transactions", "state of \(id) was refused by the log: \(error)")
            let code: ErrorCode =
                switch error {
                case .messageTooLarge, .recordListTooLarge, .invalidRecord: .unknownServerError
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
            coordinatorEpoch: image.leaderEpoch.value, isCommit: markers.isCommit,
            bumpsEpochs: markers.bumpsEpochs)
        for partition in markers.partitions {
            // What was deleted has no transaction any more.
            guard image.topic(partition.topic) != nil else { continue }
            parkedMarkers[token]?.open += 1
            let wait = MarkerWait(
                owner: .coordinator(token), partition: partition, producerID: marker.producerID,
                isCommit: marker.isCommit)
            do throws(AppendFailure) {
                try append(marker, wait)
            } catch {
                closeMarker(token, failed: markerIsDue(error, partition) ? partition : nil)
            }
        }
        closeMarker(token, failed: nil)
    }

    /// Whether a marker that could not be written must be tried again.
    private func markerIsDue(_ failure: AppendFailure, _ partition: TopicPartition) -> Bool {
        switch failure {
        case .unknownPartition: return false
        case .invalidProducerEpoch, .coordinatorFenced:
            // Somebody has ended the transaction here with a newer epoch.
            diagnostics.report(
                .warning, "transactions", "\(partition) needs no marker: \(failure)")
            return false
        default:
            diagnostics.report(
                .warning, "transactions",
                "\(partition) can't take a marker now, it is tried again: \(failure)")
            return true
        }
    }

    /// Appends a marker; `wait` is settled when it is durable.
    mutating func append(_ marker: MarkerAppend, _ wait: MarkerWait) throws(AppendFailure) {
        let result = try store.appendMarker(marker, to: wait.partition, now: now)
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
        case .coordinator(let token): closeMarker(token, failed: nil)
        case .request(let key, let marker, let topic, let partition):
            markerWritten(
                key, marker: marker, topic: topic, partition: partition, error ?? .none)
        }
    }

    private mutating func closeMarker(_ token: MarkerToken, failed: TopicPartition?) {
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
