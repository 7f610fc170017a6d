import Base
import Coordinator
import Quorum
import WireProtocol

extension BrokerNode {
    /// Offsets of topics that exist; the others get their error here.
    mutating func offsetCommit(
        _ request: OffsetCommitRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        guard authorize(context, .read, .group, request.groupId) else {
            return answer(context, refusal(of: request, .groupAuthorizationFailed))
        }
        // What a share group has done is not an offset.
        if shares.contains(request.groupId) {
            return answer(context, refusal(of: request, .groupIdNotFound))
        }
        if waitForOffsetsTopic(context, frame) { return }
        var response = OffsetCommitResponse()
        var places: [(topic: Int, partition: Int)] = []
        var entries: [CommitCall.Entry] = []
        for (topicPlace, topic) in request.topics.enumerated() {
            let isByID = context.version >= 10
            let known = isByID ? image.topic(id: topic.topicId) : image.topic(topic.name)
            var results = OffsetCommitResponse.OffsetCommitResponseTopic(
                name: topic.name, topicId: topic.topicId)
            let mayRead =
                isByID && known == nil
                || authorize(context, .read, .topic, known?.name ?? topic.name)
            for (place, partition) in topic.partitions.enumerated() {
                var result = OffsetCommitResponse.OffsetCommitResponsePartition(
                    partitionIndex: partition.partitionIndex)
                if !mayRead {
                    result.errorCode = .topicAuthorizationFailed
                } else if let known, partition.partitionIndex >= 0,
                    partition.partitionIndex < known.partitionCount
                {
                    places.append((topicPlace, place))
                    entries.append(
                        CommitCall.Entry(
                            partition: TopicPartition(
                                topic: known.name, partition: partition.partitionIndex),
                            offset: partition.committedOffset,
                            leaderEpoch: partition.committedLeaderEpoch,
                            metadata: partition.committedMetadata ?? ""))
                } else {
                    result.errorCode =
                        isByID && known == nil ? .unknownTopicId : .unknownTopicOrPartition
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
            offsets: entries, knowsGroupIDNotFound: context.version >= 9,
            retentionMilliseconds: request.retentionTimeMs)
        let token = park(.commit(context, response, places: places))
        perform(coordinator.commit(call, token, now: now))
    }

    func refusal(
        of request: OffsetCommitRequest, _ error: ErrorCode
    ) -> OffsetCommitResponse {
        OffsetCommitResponse(
            topics: request.topics.map { topic in
                .init(
                    name: topic.name, topicId: topic.topicId,
                    partitions: topic.partitions.map {
                        .init(partitionIndex: $0.partitionIndex, errorCode: error)
                    })
            })
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
