import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// Gives partitions other replicas, or takes that back. The answer says that the move has begun:
    /// `ListPartitionReassignments` tells when it is over.
    mutating func alterPartitionReassignments(
        _ request: AlterPartitionReassignmentsRequest, _ context: RequestContext
    ) {
        var response = AlterPartitionReassignmentsResponse(
            allowReplicationFactorChange: request.allowReplicationFactorChange)
        var records: [MetadataRecord] = []
        var seen: Set<TopicPartition> = []
        for topic in request.topics {
            var result = AlterPartitionReassignmentsResponse.ReassignableTopicResponse(
                name: topic.name)
            for wanted in topic.partitions {
                let place = TopicPartition(topic: topic.name, partition: wanted.partitionIndex)
                let move =
                    seen.insert(place).inserted
                    ? reassign(
                        place, to: wanted.replicas,
                        keepsCount: !request.allowReplicationFactorChange)
                    : Move(.invalidRequest, "the partition is named twice")
                records += move.records
                result.partitions.append(
                    .init(
                        partitionIndex: wanted.partitionIndex, errorCode: move.error,
                        errorMessage: move.message))
            }
            response.responses.append(result)
        }
        if records.isEmpty { return answer(context, response) }
        let frame = response.frame(
            version: context.version, correlationId: context.correlationId)
        if let failure = change(records, .answer(context.key, frame: frame)) {
            answer(
                context,
                AlterPartitionReassignmentsResponse(
                    allowReplicationFactorChange: request.allowReplicationFactorChange,
                    errorCode: error(failure), errorMessage: failure.description))
        }
    }

    private struct Move {
        var error = ErrorCode.none
        var message: String?
        var records: [MetadataRecord] = []

        init(_ records: [MetadataRecord]) { self.records = records }

        init(_ error: ErrorCode, _ message: String) {
            self.error = error
            self.message = message
        }
    }

    private func reassign(
        _ place: TopicPartition, to replicas: [Int32]?, keepsCount: Bool
    ) -> Move {
        guard let topic = draft.topic(place.topic), let state = draft.state(of: place) else {
            return Move(.unknownTopicOrPartition, "there is no such partition")
        }
        if let replicas {
            if let complaint = complaint(about: replicas) {
                return Move(.invalidReplicaAssignment, complaint)
            }
            if keepsCount, replicas.count != state.target.count {
                return Move(
                    .invalidReplicationFactor,
                    "the partition has \(state.target.count) replicas, and \(replicas.count) are wanted"
                )
            }
        }
        let decision = draft.decide(
            .reassign(
                topic: topic.id, partition: place.partition, expected: state.partitionEpoch,
                replicas: replicas?.map { NodeID($0) }), at: 0)
        switch decision.outcome {
        case .refused(.notMoving):
            return Move(.noReassignmentInProgress, "the partition is not being moved")
        case .refused(.invalidReplicas):
            return Move(
                .invalidReplicaAssignment,
                "none of these brokers has all of the partition yet, and who has is not among them")
        case .refused(let refusal): return Move(.invalidRequest, refusal.description)
        default: return Move(decision.records)
        }
    }

    /// What is wrong with a list of brokers; nil when each of them can get a replica.
    private func complaint(about replicas: [Int32]) -> String? {
        if replicas.isEmpty { return "no broker is named" }
        if Set(replicas).count != replicas.count { return "a broker is named twice" }
        let known = draft.soleNode.map { [$0] } ?? Array(draft.brokers.keys)
        guard let other = replicas.first(where: { !known.contains(NodeID($0)) }) else { return nil }
        let names = known.map { "\($0.value)" }.joined(separator: ", ")
        return known.count == 1
            ? "there is no broker \(other), the only one is \(names)"
            : "there is no broker \(other), there are \(names)"
    }
}
