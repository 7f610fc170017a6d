import Base
import Quorum
import WireProtocol

extension BrokerNode {
    /// Gives leaderships back to the first replicas, or, where nobody can lead otherwise, to one that may
    /// miss acknowledged records: that is the word of an operator. On a node that stands alone each
    /// partition has one replica, which leads it.
    mutating func electLeaders(_ request: ElectLeadersRequest, _ context: RequestContext) {
        var response = ElectLeadersResponse()
        guard context.version == 0 || (0...1).contains(request.electionType) else {
            response.errorCode = .invalidRequest
            return answer(context, response)
        }
        let isUnclean = context.version > 0 && request.electionType == 1
        var records: [MetadataRecord] = []
        // Asked for all partitions, only those are told where something was to be done.
        let wanted =
            request.topicPartitions?.map { (topic: $0.topic, partitions: $0.partitions) }
            ?? draft.topics.values.map { ($0.name, Array(0..<$0.partitionCount)) }
        for (name, partitions) in wanted {
            var result = ElectLeadersResponse.ReplicaElectionResult(topic: name)
            for partition in partitions {
                let outcome = elect(name, partition, isUnclean: isUnclean)
                records += outcome.records
                if request.topicPartitions == nil, outcome.error == .electionNotNeeded { continue }
                result.partitionResult.append(
                    .init(
                        partitionId: partition, errorCode: outcome.error,
                        errorMessage: outcome.message))
            }
            if request.topicPartitions != nil || !result.partitionResult.isEmpty {
                response.replicaElectionResults.append(result)
            }
        }
        if records.isEmpty { return answer(context, response) }
        let frame = response.frame(
            version: context.version, correlationId: context.correlationId)
        if let failure = change(records, .answer(context.key, frame: frame)) {
            answer(context, ElectLeadersResponse(errorCode: error(failure)))
        }
    }

    private struct Election {
        var error = ErrorCode.none
        var message: String?
        var records: [MetadataRecord] = []
    }

    private func elect(_ name: String, _ partition: Int32, isUnclean: Bool) -> Election {
        guard let topic = draft.topic(name), partition >= 0, partition < topic.partitionCount else {
            return Election(
                error: .unknownTopicOrPartition, message: "there is no such partition")
        }
        let state = draft.state(of: topic, partition)
        let command: ClusterCommand
        if isUnclean {
            if let leader = state.leader {
                return Election(
                    error: .electionNotNeeded, message: "broker \(leader.value) leads the partition"
                )
            }
            guard let next = state.replicas.first(where: draft.isAlive) else {
                return Election(
                    error: .eligibleLeadersNotAvailable,
                    message: "none of its replicas is alive")
            }
            command = .electUncleanly(
                topic: topic.id, partition: partition, expected: state.partitionEpoch,
                leader: next)
        } else {
            guard let first = state.replicas.first, first != state.leader else {
                return Election(
                    error: .electionNotNeeded, message: "its first replica leads the partition")
            }
            let election = PartitionElection(
                state: state, minInSync: draft.minInSync(of: topic, state))
            guard let decision = election.preferred(isLive: draft.isAlive) else {
                return Election(
                    error: .preferredLeaderNotAvailable,
                    message: "broker \(first.value) is not alive or not in sync")
            }
            command = .changePartition(
                topic: topic.id, partition: partition, expected: state.partitionEpoch,
                inSync: decision.inSync, eligible: decision.eligible, leader: decision.leader,
                raisesEpoch: decision.raisesEpoch)
        }
        return Election(records: draft.decide(command, at: 0).records)
    }
}
