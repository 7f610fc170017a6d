import Base
import Coordinator
import Log
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// Where share groups stand. What a group has not begun with is at -1, and so is everything of a
    /// group that does not exist: that is no error.
    mutating func describeShareGroupOffsets(
        _ request: DescribeShareGroupOffsetsRequest, _ context: RequestContext
    ) {
        var response = DescribeShareGroupOffsetsResponse()
        let seen = Repetitions(request.groups.lazy.map(\.groupId))
        for group in request.groups {
            var entry = DescribeShareGroupOffsetsResponse.ResponseGroup(groupId: group.groupId)
            if seen.contains(group.groupId) {
                entry.errorCode = .invalidRequest
                entry.errorMessage = "the request names the group twice"
            } else if !authorize(context, .describe, .group, group.groupId) {
                entry.errorCode = .groupAuthorizationFailed
                entry.errorMessage =
                    "\(context.principal.text) may not describe group \(group.groupId)"
            } else if let refusal = refusalOfShareGroup(group.groupId) {
                entry.errorCode = refusal.code
                entry.errorMessage = refusal.message
            } else if let topics = group.topics {
                entry.topics = topics.map { topic in
                    offsets(of: topic.topicName, topic.partitions, group.groupId, context)
                }
            } else {
                entry.topics = allOffsets(of: group.groupId, context)
            }
            response.groups.append(entry)
        }
        answer(context, response)
    }

    private func allOffsets(
        of group: String, _ context: RequestContext
    ) -> [DescribeShareGroupOffsetsResponse.ResponseTopic] {
        let known = PartitionSet(shares.partitions(of: group))
        return known.byTopic.compactMap { found in
            // Topics that the client may not see are left out of lists.
            guard let topic = image.topic(id: found.topicID),
                authorize(context, .describe, .topic, topic.name)
            else { return nil }
            return offsets(of: topic.name, found.partitions, group, context)
        }
    }

    private func offsets(
        of name: String, _ partitions: [Int32], _ group: String, _ context: RequestContext
    ) -> DescribeShareGroupOffsetsResponse.ResponseTopic {
        let topic = image.topic(name)
        let isAllowed = authorize(context, .describe, .topic, name)
        return .init(
            topicName: name, topicId: isAllowed ? topic?.id ?? .zero : .zero,
            partitions: partitions.map { number in
                var entry = DescribeShareGroupOffsetsResponse.ResponsePartition(
                    partitionIndex: number, startOffset: -1)
                guard isAllowed else {
                    entry.errorCode = .topicAuthorizationFailed
                    entry.errorMessage = "\(context.principal.text) may not describe \(name)"
                    return entry
                }
                guard let topic,
                    let state = shares.partition(
                        AssignedPartition(topicID: topic.id, partition: number), of: group)
                else { return entry }
                entry.startOffset = state.startOffset
                entry.leaderEpoch = image.leaderEpoch.value
                let place = TopicPartition(topic: name, partition: number)
                if let offsets = store.offsets(of: place) {
                    // What was compacted or expired meanwhile has no records, but is counted.
                    let open = offsets.highWatermark.value - state.startOffset - state.doneCount
                    entry.lag = max(open, 0)
                }
                return entry
            })
    }
}
