import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// The metadata partition, whose only voter and leader is this node.
    mutating func describeQuorum(_ request: DescribeQuorumRequest, _ context: RequestContext) {
        let node = configuration.nodeID.value
        var response = DescribeQuorumResponse()
        for topic in request.topics {
            response.topics.append(
                .init(
                    topicName: topic.topicName,
                    partitions: topic.partitions.map { partition in
                        quorum(topic.topicName, partition.partitionIndex)
                    }))
        }
        response.nodes = [
            .init(
                nodeId: node,
                listeners: configuration.doors.map {
                    .init(
                        name: $0.name, host: $0.advertisedHost,
                        port: UInt16(clamping: $0.advertisedPort))
                })
        ]
        answer(context, response)
    }

    private func quorum(
        _ topic: String, _ partition: Int32
    ) -> DescribeQuorumResponse.PartitionData {
        let name = TopicPartition(topic: topic, partition: partition)
        guard name == Self.metadataPartition, let offsets = store.offsets(of: name) else {
            return .init(
                partitionIndex: partition, errorCode: .unknownTopicOrPartition,
                errorMessage: "the nodes vote on \(Self.metadataPartition) only", leaderId: -1,
                leaderEpoch: -1, highWatermark: -1)
        }
        let time = now.timestamp.milliseconds
        return .init(
            partitionIndex: partition, leaderId: configuration.nodeID.value,
            leaderEpoch: image.leaderEpoch.value, highWatermark: offsets.highWatermark.value,
            currentVoters: [
                .init(
                    replicaId: configuration.nodeID.value,
                    logEndOffset: offsets.logEndOffset.value, lastFetchTimestamp: time,
                    lastCaughtUpTimestamp: time)
            ])
    }
}
