import Base
import Coordinator
import Quorum
import WireProtocol

extension BrokerNode {
    /// Offsets of topics that exist; the others get their error here.
    mutating func offsetCommit(
        _ request: OffsetCommitRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        if waitForOffsetsTopic(context, frame) { return }
        var response = OffsetCommitResponse()
        var places: [(topic: Int, partition: Int)] = []
        var entries: [CommitCall.Entry] = []
        for (topicPlace, topic) in request.topics.enumerated() {
            let known = image.topic(topic.name)
            var results = OffsetCommitResponse.OffsetCommitResponseTopic(name: topic.name)
            for (place, partition) in topic.partitions.enumerated() {
                var result = OffsetCommitResponse.OffsetCommitResponsePartition(
                    partitionIndex: partition.partitionIndex)
                if let known, partition.partitionIndex >= 0,
                    partition.partitionIndex < known.partitionCount
                {
                    places.append((topicPlace, place))
                    entries.append(
                        CommitCall.Entry(
                            partition: TopicPartition(
                                topic: topic.name, partition: partition.partitionIndex),
                            offset: partition.committedOffset,
                            leaderEpoch: partition.committedLeaderEpoch,
                            metadata: partition.committedMetadata ?? ""))
                } else {
                    result.errorCode = .unknownTopicOrPartition
                }
                results.partitions.append(result)
            }
            response.topics.append(results)
        }
        guard !entries.isEmpty else { return answer(context, response) }
        let call = CommitCall(
            claim: MemberClaim(
                group: request.groupId, generation: request.generationIdOrMemberEpoch,
                memberID: request.memberId, instanceID: request.groupInstanceId),
            offsets: entries, knowsGroupIDNotFound: context.version >= 9)
        let token = park(.commit(context, response, places: places))
        perform(coordinator.commit(call, token, now: now))
    }

    mutating func answerCommit(
        _ commit: CommitAnswer, _ response: OffsetCommitResponse,
        _ places: [(topic: Int, partition: Int)], _ context: RequestContext
    ) {
        var response = response
        for (place, error) in zip(places, commit.errors) {
            response.topics[place.topic].partitions[place.partition].errorCode = error
        }
        answer(context, response)
    }
}
