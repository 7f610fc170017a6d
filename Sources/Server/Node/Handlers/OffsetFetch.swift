import Base
import Coordinator
import WireProtocol

extension BrokerNode {
    /// What groups committed. An unknown group or partition is a normal beginning: offset -1.
    mutating func offsetFetch(_ request: OffsetFetchRequest, _ context: RequestContext) {
        var response = OffsetFetchResponse()
        var budget = AnswerBudget(entries: configuration.answerEntriesMax)
        if context.version >= 8 {
            for group in request.groups {
                var result = OffsetFetchResponse.OffsetFetchResponseGroup(groupId: group.groupId)
                let topics = group.topics.map { topics in
                    topics.map { (name: $0.name, partitions: $0.partitionIndexes) }
                }
                result.topics = offsets(of: group.groupId, topics).map { topic in
                    .init(
                        name: topic.name,
                        partitions: topic.partitions.map { partition, offset in
                            .init(
                                partitionIndex: partition, committedOffset: offset?.offset ?? -1,
                                committedLeaderEpoch: offset?.leaderEpoch ?? -1,
                                metadata: offset?.metadata ?? "")
                        })
                }
                let entries = result.topics.reduce(1) { $0 + $1.partitions.count }
                if !budget.take(entries: entries) {
                    result.topics = []
                    result.errorCode = .invalidRequest
                }
                response.groups.append(result)
            }
            return answer(context, response)
        }
        let topics = request.topics.map { topics in
            topics.map { (name: $0.name, partitions: $0.partitionIndexes) }
        }
        response.topics = offsets(of: request.groupId, topics).map { topic in
            .init(
                name: topic.name,
                partitions: topic.partitions.map { partition, offset in
                    .init(
                        partitionIndex: partition, committedOffset: offset?.offset ?? -1,
                        committedLeaderEpoch: offset?.leaderEpoch ?? -1,
                        metadata: offset?.metadata ?? "")
                })
        }
        answer(context, response)
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
