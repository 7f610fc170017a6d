import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    mutating func deleteRecords(_ request: DeleteRecordsRequest, _ context: RequestContext) {
        var response = DeleteRecordsResponse()
        // Each deletion is made durable: one for each partition is enough.
        var seen: Set<TopicPartition> = []
        for topic in request.topics {
            var results = DeleteRecordsResponse.DeleteRecordsTopicResult(name: topic.name)
            let mayDelete = authorize(context, .delete, .topic, topic.name)
            for wanted in topic.partitions {
                if !mayDelete {
                    results.partitions.append(
                        .init(
                            partitionIndex: wanted.partitionIndex, lowWatermark: -1,
                            errorCode: .topicAuthorizationFailed))
                    continue
                }
                let partition = TopicPartition(
                    topic: topic.name, partition: wanted.partitionIndex)
                guard seen.insert(partition).inserted else {
                    results.partitions.append(
                        .init(
                            partitionIndex: wanted.partitionIndex, lowWatermark: -1,
                            errorCode: .invalidRequest))
                    continue
                }
                results.partitions.append(
                    deleteRecords(in: partition, before: Offset(wanted.offset)))
            }
            response.topics.append(results)
        }
        answer(context, response)
    }

    private mutating func deleteRecords(
        in partition: TopicPartition, before offset: Offset
    ) -> DeleteRecordsResponse.DeleteRecordsPartitionResult {
        var result = DeleteRecordsResponse.DeleteRecordsPartitionResult(
            partitionIndex: partition.partition, lowWatermark: -1)
        guard let topic = image.topic(partition.topic) else {
            result.errorCode = .unknownTopicOrPartition
            return result
        }
        if topic.isInternal {
            result.errorCode = .invalidTopicException
            return result
        }
        if partition.partition >= 0, partition.partition < topic.partitionCount,
            let error = leadershipError(topic, partition.partition)
        {
            result.errorCode = error
            return result
        }
        // What is not known to be committed may come back with another leader.
        if let error = readError(partition, from: Offset(.max)) {
            result.errorCode = error
            return result
        }
        do throws(DeleteRecordsFailure) {
            result.lowWatermark = try store.deleteRecords(
                in: partition, before: offset, now: now
            ).value
        } catch {
            result.errorCode = ErrorCode(number: error.code)
        }
        return result
    }
}
