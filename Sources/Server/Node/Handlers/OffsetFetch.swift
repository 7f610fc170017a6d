import Base
import Coordinator
import Quorum
import WireProtocol

extension BrokerNode {
    /// What groups committed. An unknown group or partition is a normal beginning: offset -1.
    mutating func offsetFetch(_ request: OffsetFetchRequest, _ context: RequestContext) {
        var response = OffsetFetchResponse()
        var budget = AnswerBudget(entries: configuration.answerEntriesMax)
        if context.version >= 8 {
            for group in request.groups {
                var result = OffsetFetchResponse.OffsetFetchResponseGroup(groupId: group.groupId)
                guard authorize(context, .describe, .group, group.groupId) else {
                    result.errorCode = .groupAuthorizationFailed
                    response.groups.append(result)
                    continue
                }
                if let refusal = refusal(of: .group(group.groupId))
                    ?? coordinator.refusalOfFetch(
                        group: group.groupId, memberID: group.memberId, epoch: group.memberEpoch)
                {
                    result.errorCode = refusal
                    response.groups.append(result)
                    continue
                }
                result.topics =
                    context.version >= 10
                    ? offsetsByID(of: group)
                    : offsets(
                        of: group.groupId,
                        group.topics.map { topics in
                            topics.map { (name: $0.name, partitions: $0.partitionIndexes) }
                        }
                    ).map { entry(name: $0.name, $0.partitions) }
                if request.requireStable {
                    for topic in result.topics.indices {
                        let name = result.topics[topic].name
                        for place in result.topics[topic].partitions.indices
                        where isUnstable(
                            group.groupId, name,
                            result.topics[topic].partitions[place].partitionIndex)
                        {
                            let number = result.topics[topic].partitions[place].partitionIndex
                            result.topics[topic].partitions[place] = .init(
                                partitionIndex: number, committedOffset: -1,
                                committedLeaderEpoch: -1, metadata: "",
                                errorCode: .unstableOffsetCommit)
                        }
                    }
                }
                hideTopics(&result.topics, namesAll: group.topics == nil, context)
                let entries = result.topics.reduce(1) { $0 + $1.partitions.count }
                if !budget.take(entries: entries) {
                    result.topics = []
                    result.errorCode = .invalidRequest
                }
                response.groups.append(result)
            }
            return answer(context, response)
        }
        guard authorize(context, .describe, .group, request.groupId) else {
            return refuseOffsetFetch(request, context, .groupAuthorizationFailed)
        }
        let topics = request.topics.map { topics in
            topics.map { (name: $0.name, partitions: $0.partitionIndexes) }
        }
        response.topics = offsets(of: request.groupId, topics).map { topic in
            .init(
                name: topic.name,
                partitions: topic.partitions.map { partition, offset in
                    if request.requireStable, isUnstable(request.groupId, topic.name, partition) {
                        return .init(
                            partitionIndex: partition, committedOffset: -1,
                            committedLeaderEpoch: -1, metadata: "",
                            errorCode: .unstableOffsetCommit)
                    }
                    return .init(
                        partitionIndex: partition, committedOffset: offset?.offset ?? -1,
                        committedLeaderEpoch: offset?.leaderEpoch ?? -1,
                        metadata: offset?.metadata ?? "")
                })
        }
        if request.topics == nil {
            response.topics.removeAll { !authorize(context, .describe, .topic, $0.name) }
        } else {
            for place in response.topics.indices
            where !authorize(context, .describe, .topic, response.topics[place].name) {
                response.topics[place].partitions = response.topics[place].partitions.map {
                    .init(
                        partitionIndex: $0.partitionIndex, committedOffset: -1,
                        errorCode: .topicAuthorizationFailed)
                }
            }
        }
        answer(context, response)
    }

    /// Before version 2 the error stands with each partition, from then on before all of them.
    mutating func refuseOffsetFetch(
        _ request: OffsetFetchRequest, _ context: RequestContext, _ denied: ErrorCode
    ) {
        var response = OffsetFetchResponse(errorCode: denied)
        if context.version < 2 {
            response.topics = (request.topics ?? []).map { topic in
                .init(
                    name: topic.name,
                    partitions: topic.partitionIndexes.map {
                        .init(partitionIndex: $0, committedOffset: -1, errorCode: denied)
                    })
            }
        }
        answer(context, response)
    }

    /// Leaves out topics that the client may not know of, or says so where it named them.
    private func hideTopics(
        _ topics: inout [OffsetFetchResponse.OffsetFetchResponseTopics], namesAll: Bool,
        _ context: RequestContext
    ) {
        guard configuration.authorizer != nil else { return }
        func isHidden(_ topic: OffsetFetchResponse.OffsetFetchResponseTopics) -> Bool {
            // An id that is not known was answered already.
            !topic.name.isEmpty && !authorize(context, .describe, .topic, topic.name)
        }
        if namesAll { return topics.removeAll(where: isHidden) }
        for place in topics.indices where isHidden(topics[place]) {
            topics[place].partitions = topics[place].partitions.map {
                .init(
                    partitionIndex: $0.partitionIndex, committedOffset: -1,
                    errorCode: .topicAuthorizationFailed)
            }
        }
    }

    /// Whether a transaction that has not ended may change the offset: the client asks again.
    private func isUnstable(_ group: String, _ topic: String, _ partition: Int32) -> Bool {
        coordinator.isUnstable(
            group: group, partition: TopicPartition(topic: topic, partition: partition))
    }

    private func entry(
        name: String, id: UUID128 = .zero, _ partitions: [(Int32, CommittedOffset?)]
    ) -> OffsetFetchResponse.OffsetFetchResponseTopics {
        .init(
            name: name, topicId: id,
            partitions: partitions.map { partition, offset in
                .init(
                    partitionIndex: partition, committedOffset: offset?.offset ?? -1,
                    committedLeaderEpoch: offset?.leaderEpoch ?? -1,
                    metadata: offset?.metadata ?? "")
            })
    }

    /// From version 10 on topics have ids. One that is gone has none: named, it gets an error; of
    /// everything, it is left out.
    private func offsetsByID(
        of group: OffsetFetchRequest.OffsetFetchRequestGroup
    ) -> [OffsetFetchResponse.OffsetFetchResponseTopics] {
        guard let wanted = group.topics else {
            return offsets(of: group.groupId, nil).compactMap { topic in
                image.topic(topic.name).map {
                    entry(name: topic.name, id: $0.id, topic.partitions)
                }
            }
        }
        return wanted.map { topic in
            guard let known = image.topic(id: topic.topicId) else {
                return .init(
                    topicId: topic.topicId,
                    partitions: topic.partitionIndexes.map {
                        .init(
                            partitionIndex: $0, committedOffset: -1,
                            errorCode: .unknownTopicId)
                    })
            }
            let found = offsets(
                of: group.groupId, [(name: known.name, partitions: topic.partitionIndexes)])
            return entry(name: known.name, id: known.id, found[0].partitions)
        }
    }

    /// By topic, in the order of the request; everything that was committed when it names nothing.
    private func offsets(
        of group: String, _ wanted: [(name: String, partitions: [Int32])]?
    ) -> [(name: String, partitions: [(Int32, CommittedOffset?)])] {
        guard let wanted else {
            var result: [(name: String, partitions: [(Int32, CommittedOffset?)])] = []
            for (partition, offset) in coordinator.committedOffsets(group: group) {
                if result.last?.name != partition.topic { result.append((partition.topic, [])) }
                result[result.count - 1].partitions.append((partition.partition, offset))
            }
            return result
        }
        return wanted.map { topic in
            let partitions = topic.partitions.map { partition in
                (
                    partition,
                    coordinator.committedOffset(
                        group: group,
                        partition: TopicPartition(topic: topic.name, partition: partition))
                )
            }
            return (topic.name, partitions)
        }
    }
}
