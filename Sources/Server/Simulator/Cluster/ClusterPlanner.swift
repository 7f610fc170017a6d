import Base
import Node
import WireProtocol

/// An operator who gives partitions other replicas while everything goes on, those of the coordinators among
/// them.
extension ClusterSimulation {
    mutating func plan(_ client: Int) {
        if isHealed { return }
        var place = checker.partitions[load.below(checker.partitions.count)].name
        if load.chance(1, in: 4) {
            place = TopicPartition(
                topic: load.chance(1, in: 2) ? "__consumer_offsets" : "__transaction_state",
                partition: Int32(load.below(2)))
        }
        var wanted: [Int32]?
        if !load.chance(1, in: 5) {
            var left = (1...Int32(nodes.count)).map { $0 }
            var chosen: [Int32] = []
            for _ in 0..<load.within(1...min(3, nodes.count)) {
                chosen.append(left.remove(at: load.below(left.count)))
            }
            wanted = chosen
        }
        narrate("\(place) is to be on \(wanted.map { "\($0)" } ?? "what it was on")")
        ask(
            client,
            AlterPartitionReassignmentsRequest(topics: [
                .init(
                    name: place.topic,
                    partitions: [.init(partitionIndex: place.partition, replicas: wanted)])
            ]), version: 0, to: load.below(nodes.count))
    }

    mutating func takePlanned(_ client: Int, _ frame: Bytes) throws(DecodeFailure) {
        let response = try decode(AlterPartitionReassignmentsResponse.self, frame, client)
        let answer = response.responses.first?.partitions.first
        switch answer?.errorCode ?? response.errorCode {
        case .none, .noReassignmentInProgress, .unknownTopicOrPartition:
            break
        // A move back to where nobody has everything.
        case .invalidReplicaAssignment: break
        case let error where error.isRetriable: break
        case let error:
            checker.fail("a move is refused: \(error) \(answer?.errorMessage ?? "")")
        }
    }

    /// After healing every move comes to its end.
    func movingPartitions() -> [TopicPartition] {
        nodes.first?.node?.movingPartitions ?? []
    }
}
