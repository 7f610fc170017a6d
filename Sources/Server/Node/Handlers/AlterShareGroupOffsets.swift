import Base
import Coordinator
import Log
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// Moves a share group that nobody is in to other places; makes the group if it is new.
    mutating func alterShareGroupOffsets(
        _ request: AlterShareGroupOffsetsRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        let name = request.groupId
        var refusal: ShareRefusal?
        if !authorize(context, .read, .group, name) {
            refusal = ShareRefusal(
                .groupAuthorizationFailed, "\(context.principal.text) may not read group \(name)")
        } else if name.utf8.count > shares.configuration.nameBytesMax {
            refusal = ShareRefusal(.invalidGroupId, "the group id is too long")
        } else {
            refusal =
                refusalOfShareGroup(name) ?? shares.refusalOfChange(name, creates: true)
        }
        if let refusal {
            return answer(
                context,
                AlterShareGroupOffsetsResponse(
                    errorCode: refusal.code, errorMessage: refusal.message))
        }
        if waitForSharesTopic(context, frame) { return }
        var response = AlterShareGroupOffsetsResponse()
        for topic in request.topics {
            let known = image.topic(topic.topicName)
            let isAllowed = authorize(context, .read, .topic, topic.topicName)
            var results = AlterShareGroupOffsetsResponse.ResponseTopic(
                topicName: topic.topicName, topicId: isAllowed ? known?.id ?? .zero : .zero)
            for partition in topic.partitions {
                var result = AlterShareGroupOffsetsResponse.ResponsePartition(
                    partitionIndex: partition.partitionIndex)
                let refusal =
                    isAllowed
                    ? move(name, known, partition)
                    : ShareRefusal(
                        .topicAuthorizationFailed,
                        "\(context.principal.text) may not read topic \(topic.topicName)")
                result.errorCode = refusal?.code ?? .none
                result.errorMessage = refusal?.message
                results.partitions.append(result)
            }
            response.responses.append(results)
        }
        let token = park(.alter(context, response))
        perform(shares.commit(name, token, now: now))
    }

    private mutating func move(
        _ group: String, _ topic: TopicMetadata?,
        _ wanted: AlterShareGroupOffsetsRequest.RequestPartition
    ) -> ShareRefusal? {
        guard let topic, wanted.partitionIndex >= 0,
            wanted.partitionIndex < topic.partitionCount,
            let offsets = store.offsets(
                of: TopicPartition(topic: topic.name, partition: wanted.partitionIndex))
        else { return ShareRefusal(.unknownTopicOrPartition, "there is no such partition") }
        let first = offsets.logStartOffset.value
        let end = offsets.highWatermark.value
        guard wanted.startOffset >= 0, wanted.startOffset <= end else {
            return ShareRefusal(
                .offsetOutOfRange,
                "offset \(wanted.startOffset) is not in the log, which has \(first) to \(end)")
        }
        let key = AssignedPartition(topicID: topic.id, partition: wanted.partitionIndex)
        if shares.reset(key, of: group, to: wanted.startOffset) { return nil }
        return ShareRefusal(.coordinatorNotAvailable, "there are too many share groups")
    }
}
