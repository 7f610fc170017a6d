import Base
import Coordinator
import WireProtocol

extension BrokerNode {
    /// One transaction of a client, or (version 4 and later) several of brokers, each of which may
    /// only be looked at.
    mutating func addPartitionsToTxn(
        _ request: AddPartitionsToTxnRequest, _ context: RequestContext
    ) {
        let transactions =
            context.version >= 4
            ? request.transactions
            : [
                .init(
                    transactionalId: request.transactionalId, producerId: request.producerId,
                    producerEpoch: request.producerEpoch, topics: request.topics)
            ]
        if context.version >= 4, !authorizeCluster(context, .clusterAction) {
            return answer(
                context, AddPartitionsToTxnResponse(errorCode: .clusterAuthorizationFailed))
        }
        partitionAdditions[context.key] = ParkedPartitionAddition(
            context: context,
            results: transactions.map { transaction in
                .init(
                    transactionalId: transaction.transactionalId,
                    topicResults: transaction.topics.map { topic in
                        .init(
                            name: topic.name,
                            resultsByPartition: topic.partitions.map { .init(partitionIndex: $0) })
                    })
            }, open: transactions.count + 1)
        for (place, transaction) in transactions.enumerated() {
            if transaction.verifyOnly {
                verify(transaction, context, place)
            } else {
                add(transaction, context, place)
            }
        }
        closePartitionAddition(context.key)
    }

    private mutating func add(
        _ transaction: AddPartitionsToTxnRequest.AddPartitionsToTxnTransaction,
        _ context: RequestContext, _ place: Int
    ) {
        let id = transaction.transactionalId
        if context.version < 4, !authorize(context, .write, .transactionalId, id) {
            setErrors(.transactionalIdAuthorizationFailed, context.key, place)
            return closePartitionAddition(context.key)
        }
        var partitions: [TopicPartition] = []
        var isComplete = true
        for (topicPlace, topic) in transaction.topics.enumerated() {
            for (index, number) in topic.partitions.enumerated() {
                let partition = TopicPartition(topic: topic.name, partition: number)
                partitions.append(partition)
                let mayWrite =
                    context.version >= 4 || authorize(context, .write, .topic, topic.name)
                if mayWrite, exists(partition) { continue }
                isComplete = false
                setError(
                    mayWrite ? .unknownTopicOrPartition : .topicAuthorizationFailed, context.key,
                    place, topicPlace, index)
            }
        }
        guard isComplete else {
            // All or none: the others were not tried.
            setErrors(.operationNotAttempted, context.key, place)
            return closePartitionAddition(context.key)
        }
        let call = AddPartitionsCall(
            claim: ProducerClaim(
                transactionalID: transaction.transactionalId, producerID: transaction.producerId,
                producerEpoch: transaction.producerEpoch),
            partitions: partitions, bumpsEpochs: false)
        let token = park(.addPartitions(context.key, place: place))
        perform(transactions.addPartitions(call, token, now: now))
    }

    private mutating func verify(
        _ transaction: AddPartitionsToTxnRequest.AddPartitionsToTxnTransaction,
        _ context: RequestContext, _ place: Int
    ) {
        let claim = ProducerClaim(
            transactionalID: transaction.transactionalId, producerID: transaction.producerId,
            producerEpoch: transaction.producerEpoch)
        for (topicPlace, topic) in transaction.topics.enumerated() {
            for (index, number) in topic.partitions.enumerated() {
                let error = transactions.verify(
                    claim, TopicPartition(topic: topic.name, partition: number))
                setError(
                    transactionError(error, version: context.version, abortable: 5), context.key,
                    place, topicPlace, index)
            }
        }
        closePartitionAddition(context.key)
    }

    /// The coordinator has decided about the transaction at `place`.
    mutating func partitionsAdded(_ key: RequestKey, place: Int, _ error: ErrorCode) {
        guard let version = partitionAdditions[key]?.context.version else { return }
        setErrors(transactionError(error, version: version, abortable: 5), key, place)
        closePartitionAddition(key)
    }

    private mutating func setError(
        _ error: ErrorCode, _ key: RequestKey, _ place: Int, _ topic: Int, _ partition: Int
    ) {
        partitionAdditions[key]?.results[place].topicResults[topic]
            .resultsByPartition[partition].partitionErrorCode = error
    }

    /// The error of every partition that has none.
    private mutating func setErrors(_ error: ErrorCode, _ key: RequestKey, _ place: Int) {
        guard error != .none, var result = partitionAdditions[key]?.results[place] else { return }
        for topic in result.topicResults.indices {
            for index in result.topicResults[topic].resultsByPartition.indices
            where result.topicResults[topic].resultsByPartition[index].partitionErrorCode == .none {
                result.topicResults[topic].resultsByPartition[index].partitionErrorCode = error
            }
        }
        partitionAdditions[key]?.results[place] = result
    }

    private mutating func closePartitionAddition(_ key: RequestKey) {
        partitionAdditions[key]?.open -= 1
        guard partitionAdditions[key]?.open == 0,
            let done = partitionAdditions.removeValue(forKey: key)
        else { return }
        var response = AddPartitionsToTxnResponse()
        if done.context.version >= 4 {
            response.resultsByTransaction = done.results
        } else {
            response.resultsByTopic = done.results.first?.topicResults ?? []
        }
        answer(done.context, response)
    }
}
