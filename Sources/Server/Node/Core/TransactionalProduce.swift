// What a produce request with a transactional id needs before its batches may be appended.

import Base
import Coordinator
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// The version of Produce from which on partitions become part of the transaction by being
    /// written to, and each transaction has its own epoch.
    static let firstBumpingProduce: Int16 = 12

    /// How long such a request waits for the end of the transaction before. It lies within the
    /// time that the partitions of that one need for their markers.
    static let transactionWaitMax: Duration = .milliseconds(100)

    /// Makes the partitions of the request part of the producer's transaction. True when the
    /// request goes on later.
    mutating func joinTransaction(
        _ request: ProduceRequest, _ context: RequestContext
    ) -> Bool {
        let bumpsEpochs = context.version >= Self.firstBumpingProduce
        // In a cluster the coordinator is elsewhere, and has to be asked in any case.
        guard let id = request.transactionalId, bumpsEpochs || cluster != nil, request.acks != 0
        else { return false }
        var claim: ProducerClaim?
        var missing: [TopicPartition] = []
        for topic in request.topicData {
            let name =
                context.version >= 13 ? image.topic(id: topic.topicId)?.name : topic.name
            guard let name, authorize(context, .write, .topic, name) else { continue }
            for data in topic.partitionData {
                let partition = TopicPartition(topic: name, partition: data.index)
                let batch = data.records.first ?? .empty
                guard exists(partition), image.topic(name)?.isInternal == false,
                    let found = Self.transaction(of: batch, id)
                else { continue }
                // One request has the batches of one producer; another one's are refused when they
                // are appended.
                if let claim, claim != found { continue }
                claim = found
                if !isPart(partition, of: found) { missing.append(partition) }
            }
        }
        guard let claim, !missing.isEmpty else { return false }
        if cluster != nil {
            connections[context.key.connection]?.block(on: context.key.sequence)
            ask(
                TransactionQuestion(
                    claim: claim, partitions: missing, adds: bumpsEpochs, bumpsEpochs: bumpsEpochs),
                .produce(context, request))
            return true
        }
        let call = AddPartitionsCall(claim: claim, partitions: missing, bumpsEpochs: true)
        let token = park(.produce(context, request))
        connections[context.key.connection]?.block(on: context.key.sequence)
        perform(
            transactions.addPartitions(
                call, token, waitUntil: now.monotonic + Self.transactionWaitMax, now: now))
        return true
    }

    /// Whether a partition is known to be part of the producer's open transaction. Where the coordinator
    /// is elsewhere, what the producer has written in it tells.
    func isPart(_ partition: TopicPartition, of claim: ProducerClaim) -> Bool {
        if cluster == nil { return transactions.verify(claim, partition) == .none }
        return store.isInTransaction(
            partition, producerID: claim.producerID, producerEpoch: claim.producerEpoch)
    }

    /// Who writes the batch, when it belongs to a transaction. Batches that can't be read are
    /// refused by the log.
    static func transaction(of batch: Bytes, _ id: String) -> ProducerClaim? {
        do throws(DecodeFailure) {
            let header = try RecordBatchHeader(batch)
            guard header.isTransactional else { return nil }
            return ProducerClaim(
                transactionalID: id, producerID: header.producerId,
                producerEpoch: header.producerEpoch)
        } catch {
            return nil
        }
    }

    /// Whether the partition is part of the producer's open transaction, at this moment: nothing
    /// comes between this and the append.
    /// `verified`: what the coordinator has just said, where it is elsewhere.
    func verify(
        _ claim: ProducerClaim, _ partition: TopicPartition, refusal: ErrorCode,
        verified: [TopicPartition: ErrorCode], version: Int16
    ) -> ErrorCode {
        var error =
            cluster == nil
            ? transactions.verify(claim, partition)
            : isPart(partition, of: claim) ? .none : verified[partition] ?? .transactionAbortable
        if error == .transactionAbortable, refusal != .none { error = refusal }
        return switch error {
        case .producerFenced: .invalidProducerEpoch
        case .transactionAbortable where version < 11: .invalidTxnState
        // What every producer tries again.
        case .concurrentTransactions, .coordinatorNotAvailable, .coordinatorLoadInProgress,
            .notCoordinator:
            .notEnoughReplicas
        default: error
        }
    }
}
