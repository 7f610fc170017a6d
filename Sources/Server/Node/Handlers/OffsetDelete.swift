import Base
import Coordinator
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// Forgets how far a group has read partitions.
    mutating func offsetDelete(_ request: OffsetDeleteRequest, _ context: RequestContext) {
        guard authorize(context, .delete, .group, request.groupId) else {
            return answer(context, OffsetDeleteResponse(errorCode: .groupAuthorizationFailed))
        }
        var response = OffsetDeleteResponse()
        var places: [(topic: Int, partition: Int)] = []
        var partitions: [TopicPartition] = []
        for (topicPlace, topic) in request.topics.enumerated() {
            var results = OffsetDeleteResponse.OffsetDeleteResponseTopic(name: topic.name)
            let isAllowed = authorize(context, .read, .topic, topic.name)
            let isKnown = image.topic(topic.name) != nil
            for (place, partition) in topic.partitions.enumerated() {
                let index = partition.partitionIndex
                var result = OffsetDeleteResponse.OffsetDeleteResponsePartition(
                    partitionIndex: index)
                if !isAllowed {
                    result.errorCode = .topicAuthorizationFailed
                } else if isKnown {
                    places.append((topicPlace, place))
                    partitions.append(TopicPartition(topic: topic.name, partition: index))
                } else {
                    result.errorCode = .unknownTopicOrPartition
                }
                results.partitions.append(result)
            }
            response.topics.append(results)
        }
        let token = park(.offsetDelete(context, response, places: places))
        perform(
            coordinator.deleteOffsets(group: request.groupId, partitions, token, now: now))
    }

    mutating func answerOffsetDelete(
        _ deletion: OffsetDeleteAnswer, _ response: OffsetDeleteResponse,
        _ places: [(topic: Int, partition: Int)], _ context: RequestContext
    ) {
        var response = response
        guard deletion.error == .none else {
            return answer(context, OffsetDeleteResponse(errorCode: deletion.error))
        }
        for (place, error) in zip(places, deletion.errors) {
            response.topics[place.topic].partitions[place.partition].errorCode = error
        }
        answer(context, response)
    }
}
