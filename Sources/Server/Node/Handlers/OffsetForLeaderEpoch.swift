import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// Where the records of a leader epoch end, so that a reader finds out what it read and the log
    /// no longer has.
    mutating func offsetForLeaderEpoch(
        _ request: OffsetForLeaderEpochRequest, _ context: RequestContext
    ) {
        var response = OffsetForLeaderEpochResponse()
        for topic in request.topics {
            guard authorize(context, .describe, .topic, topic.topic) else {
                response.topics.append(
                    .init(
                        topic: topic.topic,
                        partitions: topic.partitions.map {
                            .init(
                                errorCode: .topicAuthorizationFailed, partition: $0.partition)
                        }))
                continue
            }
            response.topics.append(
                .init(
                    topic: topic.topic,
                    partitions: topic.partitions.map { epochEnd($0, topic: topic.topic) }))
        }
        answer(context, response)
    }

    private func epochEnd(
        _ wanted: OffsetForLeaderEpochRequest.OffsetForLeaderPartition, topic: String
    ) -> OffsetForLeaderEpochResponse.EpochEndOffset {
        var result = OffsetForLeaderEpochResponse.EpochEndOffset(partition: wanted.partition)
        let partition = TopicPartition(topic: topic, partition: wanted.partition)
        guard let topic = image.topic(topic), wanted.partition >= 0,
            wanted.partition < topic.partitionCount
        else {
            result.errorCode = .unknownTopicOrPartition
            return result
        }
        if let error = leadershipError(
            topic, wanted.partition, clientEpoch: wanted.currentLeaderEpoch)
        {
            result.errorCode = error
        } else if let error = readError(partition, from: Offset(.max)) {
            result.errorCode = error
        } else if store.offsets(of: partition) == nil {
            result.errorCode = .unknownTopicOrPartition
        } else if let end = epochEnd(of: LeaderEpoch(wanted.leaderEpoch), in: partition) {
            result.leaderEpoch = end.epoch.value
            result.endOffset = end.endOffset.value
        }
        return result
    }

    /// The current epoch ends at the high watermark, and so does an older one after whose begin
    /// nothing was appended. Epochs of the future are unknown.
    func epochEnd(
        of epoch: LeaderEpoch, in partition: TopicPartition
    ) -> (epoch: LeaderEpoch, endOffset: Offset)? {
        let current = leaderEpoch(of: partition)
        guard epoch.value >= 0, epoch <= current else { return nil }
        if epoch < current, let end = store.endOffset(of: partition, epoch: epoch) {
            return end
        }
        return store.offsets(of: partition).map { (epoch, $0.highWatermark) }
    }
}
