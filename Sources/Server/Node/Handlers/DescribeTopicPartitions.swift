import Base
import Quorum
import WireProtocol

extension BrokerNode {
    /// Topics in the order of their names, so many partitions at a time; the cursor of an answer
    /// says where the next one goes on.
    mutating func describeTopicPartitions(
        _ request: DescribeTopicPartitionsRequest, _ context: RequestContext
    ) {
        var response = DescribeTopicPartitionsResponse()
        let wanted = Set(request.topics.map(\.name))
        var names = wanted.isEmpty ? image.topics.keys : wanted.sorted()
        // Of all topics those are told that the client may know of; named, the others get an error.
        if wanted.isEmpty { names.removeAll { !authorize(context, .describe, .topic, $0) } }
        let cursor = request.cursor
        guard request.responsePartitionLimit > 0, cursor?.partitionIndex ?? 0 >= 0 else {
            response.topics = wanted.sorted().map { .init(errorCode: .invalidRequest, name: $0) }
            return answer(context, response)
        }
        if let cursor { names.removeAll { $0 < cursor.topicName } }
        var left = min(request.responsePartitionLimit, configuration.describedPartitionsMax)
        for name in names {
            guard authorize(context, .describe, .topic, name) else {
                response.topics.append(
                    .init(errorCode: .topicAuthorizationFailed, name: name))
                continue
            }
            guard let topic = image.topic(name) else {
                let isLegal = TopicName.complaint(about: name) == nil
                response.topics.append(
                    .init(
                        errorCode: isLegal ? .unknownTopicOrPartition : .invalidTopicException,
                        name: name))
                continue
            }
            let first = cursor?.topicName == name ? cursor?.partitionIndex ?? 0 : 0
            if left == 0 {
                response.nextCursor = .init(topicName: name, partitionIndex: first)
                break
            }
            let begin = min(first, topic.partitionCount)
            let end = begin + min(left, topic.partitionCount - begin)
            response.topics.append(entry(of: topic, partitions: begin..<end, context))
            left -= end - begin
            if end < topic.partitionCount {
                response.nextCursor = .init(topicName: name, partitionIndex: end)
                break
            }
        }
        answer(context, response)
    }

    private func entry(
        of topic: TopicMetadata, partitions: Range<Int32>, _ context: RequestContext
    ) -> DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponseTopic {
        .init(
            name: topic.name, topicId: topic.id, isInternal: topic.isInternal,
            partitions: partitions.map { partition in
                let state = image.state(of: topic, partition)
                return .init(
                    errorCode: state.leader == nil ? .leaderNotAvailable : .none,
                    partitionIndex: partition, leaderId: state.leader?.value ?? -1,
                    leaderEpoch: state.leaderEpoch.value, replicaNodes: state.replicas.map(\.value),
                    isrNodes: state.inSync.map(\.value),
                    eligibleLeaderReplicas: state.eligible.map(\.value), lastKnownElr: [],
                    offlineReplicas: offline(state.replicas))
            }, topicAuthorizedOperations: authorizedOperations(context, .topic, topic.name))
    }
}
