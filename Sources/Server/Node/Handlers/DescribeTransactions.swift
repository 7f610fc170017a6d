import Base
import Coordinator
import WireProtocol

extension BrokerNode {
    mutating func describeTransactions(
        _ request: DescribeTransactionsRequest, _ context: RequestContext
    ) {
        var response = DescribeTransactionsResponse()
        var budget = AnswerBudget(entries: configuration.answerEntriesMax)
        for id in request.transactionalIds {
            var result = DescribeTransactionsResponse.TransactionState(
                transactionalId: id, transactionStartTimeMs: -1, producerId: -1, producerEpoch: -1)
            if !authorize(context, .describe, .transactionalId, id) {
                result.errorCode = .transactionalIdAuthorizationFailed
            } else if id.isEmpty {
                result.errorCode = .invalidRequest
            } else if let refusal = refusal(of: .transaction(id)) {
                result.errorCode = refusal
            } else if let found = transactions.describe(id) {
                if budget.take(entries: found.partitions.count + 1) {
                    result.transactionState = found.state.phase.publishedName
                    result.transactionTimeoutMs = found.state.timeoutMilliseconds
                    // Of one that is over the time would look like that of one that hangs (KIP-664).
                    if found.state.isUnderWay {
                        result.transactionStartTimeMs = found.state.startTimestamp
                    }
                    result.producerId = found.state.producerID
                    result.producerEpoch = found.state.producerEpoch
                    for partition in found.partitions
                    where authorize(context, .describe, .topic, partition.topic) {
                        if result.topics.last?.topic != partition.topic {
                            result.topics.append(.init(topic: partition.topic))
                        }
                        result.topics[result.topics.count - 1].partitions.append(
                            partition.partition)
                    }
                } else {
                    result.errorCode = .invalidRequest
                }
            } else {
                result.errorCode = .transactionalIdNotFound
            }
            response.transactionStates.append(result)
        }
        answer(context, response)
    }
}
