import Base
import Quorum
import WireProtocol

extension BrokerNode {
    /// The partitions whose replicas come and go at the moment.
    mutating func listPartitionReassignments(
        _ request: ListPartitionReassignmentsRequest, _ context: RequestContext
    ) {
        var response = ListPartitionReassignmentsResponse()
        // Partitions that are unknown, or stay where they are, are not mentioned.
        let wanted =
            request.topics?.map { (topic: image.topic($0.name), partitions: $0.partitionIndexes) }
            ?? image.topics.values.map { ($0, Array(0..<$0.partitionCount)) }
        for (topic, partitions) in wanted {
            guard let topic else { continue }
            var moving: [ListPartitionReassignmentsResponse.OngoingPartitionReassignment] = []
            for partition in partitions where (0..<topic.partitionCount).contains(partition) {
                let state = image.state(of: topic, partition)
                guard state.isMoving else { continue }
                moving.append(
                    .init(
                        partitionIndex: partition, replicas: state.replicas.map(\.value),
                        addingReplicas: state.adding.map(\.value),
                        removingReplicas: state.removing.map(\.value)))
            }
            if !moving.isEmpty {
                response.topics.append(.init(name: topic.name, partitions: moving))
            }
        }
        answer(context, response)
    }
}
