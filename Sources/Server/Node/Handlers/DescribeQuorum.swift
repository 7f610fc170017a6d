import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// The metadata partition: of a node that stands alone its only voter and leader, in a cluster
    /// the members of the quorum, as far as the node that answers knows.
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
        response.nodes =
            cluster.map { cluster in
                cluster.replica?.core.configuration.members.compactMap { member in
                    cluster.configuration.address(of: member.id).map {
                        .init(
                            nodeId: member.id.value,
                            listeners: [.init(name: "NODES", host: $0.host, port: $0.port)])
                    }
                } ?? []
            } ?? [
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
        if name == Self.metadataPartition, let core = cluster?.replica?.core {
            return quorum(core, partition)
        }
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

    private func quorum(
        _ core: RaftCore, _ partition: Int32
    ) -> DescribeQuorumResponse.PartitionData {
        let time = now.timestamp.milliseconds
        func states(voters: Bool) -> [DescribeQuorumResponse.ReplicaState] {
            core.configuration.members.filter { $0.isVoter == voters }.map { member in
                let isOwn = member.id == core.id
                let end = isOwn ? core.log.lastIndex : core.match(of: member.id)
                return .init(
                    replicaId: member.id.value, replicaDirectoryId: member.directory,
                    logEndOffset: end.map { $0.value + 1 } ?? -1,
                    lastFetchTimestamp: isOwn ? time : -1,
                    lastCaughtUpTimestamp: end == core.log.lastIndex ? time : -1)
            }
        }
        return .init(
            partitionIndex: partition, leaderId: controllerID,
            leaderEpoch: Int32(clamping: core.term.value),
            highWatermark: core.commitIndex.value + 1, currentVoters: states(voters: true),
            observers: states(voters: false))
    }
}
