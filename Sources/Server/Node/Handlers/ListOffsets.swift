import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    mutating func listOffsets(_ request: ListOffsetsRequest, _ context: RequestContext) {
        var response = ListOffsetsResponse()
        for topic in request.topics {
            var results = ListOffsetsResponse.ListOffsetsTopicResponse(name: topic.name)
            guard authorize(context, .describe, .topic, topic.name) else {
                results.partitions = topic.partitions.map {
                    .init(
                        partitionIndex: $0.partitionIndex, errorCode: .topicAuthorizationFailed)
                }
                response.topics.append(results)
                continue
            }
            for partition in topic.partitions {
                results.partitions.append(
                    offset(
                        partition, topic: topic.name, version: context.version,
                        isCommittedOnly: request.isolationLevel == 1))
            }
            response.topics.append(results)
        }
        answer(context, response)
    }

    private mutating func offset(
        _ wanted: ListOffsetsRequest.ListOffsetsPartition, topic: String, version: Int16,
        isCommittedOnly: Bool
    ) -> ListOffsetsResponse.ListOffsetsPartitionResponse {
        var result = ListOffsetsResponse.ListOffsetsPartitionResponse(
            partitionIndex: wanted.partitionIndex)
        let partition = TopicPartition(topic: topic, partition: wanted.partitionIndex)
        guard let known = image.topic(topic), wanted.partitionIndex >= 0,
            wanted.partitionIndex < known.partitionCount
        else {
            result.errorCode = .unknownTopicOrPartition
            return result
        }
        if let error = leadershipError(
            known, wanted.partitionIndex, clientEpoch: wanted.currentLeaderEpoch)
        {
            result.errorCode = error
            return result
        }
        // Who asks where the log ends wants to know it from somebody who leads for sure.
        if let error = readError(partition, from: Offset(.max)) {
            result.errorCode = error
            return result
        }
        guard let offsets = store.offsets(of: partition) else {
            result.errorCode = .unknownTopicOrPartition
            return result
        }
        if store.damage(of: partition) != nil {
            result.errorCode = .kafkaStorageError
            return result
        }
        guard let first = OffsetQuery.firstVersion(of: wanted.timestamp), first <= version else {
            result.errorCode = .unsupportedVersion
            return result
        }
        let isolation: Isolation = isCommittedOnly ? .readCommitted : .readUncommitted
        switch wanted.timestamp {
        case OffsetQuery.latest:
            let end = isCommittedOnly ? offsets.lastStableOffset : offsets.highWatermark
            result.offset = end.value
            result.leaderEpoch = leaderEpoch(of: partition).value
        case OffsetQuery.earliest, OffsetQuery.earliestLocal:
            result.offset = offsets.logStartOffset.value
        case OffsetQuery.latestTiered, OffsetQuery.earliestPendingUpload:
            // Nothing is stored elsewhere.
            break
        case OffsetQuery.maxTimestamp:
            search(&result) { store throws(ReadFailure) in
                try store.offsetOfMaxTimestamp(in: partition, isolation: isolation)
            }
        case 0...:
            search(&result) { store throws(ReadFailure) in
                try store.firstOffset(
                    in: partition, atOrAfter: Timestamp(milliseconds: wanted.timestamp),
                    isolation: isolation)
            }
        default:
            result.errorCode = .unsupportedVersion
        }
        return result
    }

    private mutating func search(
        _ result: inout ListOffsetsResponse.ListOffsetsPartitionResponse,
        _ find: (inout LogStore) throws(ReadFailure) -> TimestampedOffset?
    ) {
        do throws(ReadFailure) {
            guard let found = try find(&store) else { return }
            result.offset = found.offset.value
            result.timestamp = found.timestamp.milliseconds
            result.leaderEpoch = found.leaderEpoch.value
        } catch {
            result.errorCode = self.error(error)
        }
    }
}
