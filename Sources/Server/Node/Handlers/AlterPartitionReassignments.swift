import Base
import Quorum
import WireProtocol

extension BrokerNode {
    /// A partition can only be where it is: an assignment to this broker is done at once, any other
    /// is refused, and there is never one to be cancelled.
    mutating func alterPartitionReassignments(
        _ request: AlterPartitionReassignmentsRequest, _ context: RequestContext
    ) {
        var response = AlterPartitionReassignmentsResponse(
            allowReplicationFactorChange: request.allowReplicationFactorChange)
        for topic in request.topics {
            let count = image.topic(topic.name)?.partitionCount ?? 0
            response.responses.append(
                .init(
                    name: topic.name,
                    partitions: topic.partitions.map { partition in
                        let (error, message) = outcome(
                            of: partition, count: count,
                            keepsCount: !request.allowReplicationFactorChange)
                        return .init(
                            partitionIndex: partition.partitionIndex, errorCode: error,
                            errorMessage: message)
                    }))
        }
        answer(context, response)
    }

    private func outcome(
        of wanted: AlterPartitionReassignmentsRequest.ReassignablePartition, count: Int32,
        keepsCount: Bool
    ) -> (ErrorCode, String?) {
        guard wanted.partitionIndex >= 0, wanted.partitionIndex < count else {
            return (.unknownTopicOrPartition, "there is no such partition")
        }
        guard let replicas = wanted.replicas else {
            return (.noReassignmentInProgress, "the partition is not being moved")
        }
        let node = configuration.nodeID.value
        if replicas.isEmpty { return (.invalidReplicaAssignment, "no broker is named") }
        if Set(replicas).count != replicas.count {
            return (.invalidReplicaAssignment, "a broker is named twice")
        }
        if let other = replicas.first(where: { $0 != node }) {
            return (
                .invalidReplicaAssignment, "there is no broker \(other), the only one is \(node)"
            )
        }
        return (.none, nil)
    }
}
