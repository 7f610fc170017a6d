import Base
import Quorum
import WireProtocol

extension BrokerNode {
    /// Each partition has one replica, which leads it: there is never anything to elect.
    mutating func electLeaders(_ request: ElectLeadersRequest, _ context: RequestContext) {
        var response = ElectLeadersResponse()
        guard context.version == 0 || (0...1).contains(request.electionType) else {
            response.errorCode = .invalidRequest
            return answer(context, response)
        }
        // Asked for all partitions, only those are told where something was to be done.
        for topic in request.topicPartitions ?? [] {
            let count = image.topic(topic.topic)?.partitionCount ?? 0
            response.replicaElectionResults.append(
                .init(
                    topic: topic.topic,
                    partitionResult: topic.partitions.map { partition in
                        if partition >= 0, partition < count {
                            return .init(
                                partitionId: partition, errorCode: .electionNotNeeded,
                                errorMessage: "the only replica leads the partition")
                        }
                        return .init(
                            partitionId: partition, errorCode: .unknownTopicOrPartition,
                            errorMessage: "there is no such partition")
                    }))
        }
        answer(context, response)
    }
}
