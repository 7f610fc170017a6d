import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// What partitions remember of their producers: how operators find hanging transactions.
    mutating func describeProducers(
        _ request: DescribeProducersRequest, _ context: RequestContext
    ) {
        var response = DescribeProducersResponse()
        var budget = AnswerBudget(entries: configuration.answerEntriesMax)
        for topic in request.topics {
            var results = DescribeProducersResponse.TopicResponse(name: topic.name)
            for number in topic.partitionIndexes {
                var result = DescribeProducersResponse.PartitionResponse(partitionIndex: number)
                let partition = TopicPartition(topic: topic.name, partition: number)
                if !authorize(context, .read, .topic, topic.name) {
                    result.errorCode = .topicAuthorizationFailed
                } else if !exists(partition) {
                    result.errorCode = .unknownTopicOrPartition
                } else if let topic = image.topic(topic.name),
                    let error = leadershipError(topic, number)
                {
                    result.errorCode = error
                } else {
                    let producers = store.producers(of: partition)
                    if budget.take(entries: producers.count + 1) {
                        result.activeProducers = producers.map { producer in
                            .init(
                                producerId: producer.producerID,
                                producerEpoch: Int32(producer.producerEpoch),
                                lastSequence: producer.lastSequence,
                                lastTimestamp: producer.lastTimestamp.milliseconds,
                                coordinatorEpoch: producer.coordinatorEpoch,
                                currentTxnStartOffset: producer.transactionStart.value)
                        }
                    } else {
                        result.errorCode = .invalidRequest
                        result.errorMessage = "the answer would be too large"
                    }
                }
                results.partitions.append(result)
            }
            response.topics.append(results)
        }
        answer(context, response)
    }
}
