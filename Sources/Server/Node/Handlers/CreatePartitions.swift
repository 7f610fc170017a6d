import Base
import Log
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// Topics only grow.
    mutating func createPartitions(
        _ request: CreatePartitionsRequest, _ context: RequestContext
    ) {
        var response = CreatePartitionsResponse()
        var grown: [TopicMetadata] = []
        var budget = configuration.partitionsMax - draft.partitionCount
        let repeated = Repetitions(request.topics.lazy.map(\.name))
        for wanted in request.topics {
            var result = CreatePartitionsResponse.CreatePartitionsTopicResult(name: wanted.name)
            if !authorize(context, .alter, .topic, wanted.name) {
                result.errorCode = .topicAuthorizationFailed
                result.errorMessage = "\(context.principal.text) may not alter \(wanted.name)"
            } else if repeated.contains(wanted.name) {
                result.errorCode = .invalidRequest
                result.errorMessage = "the request names the topic twice"
            } else if let topic = draft.topic(wanted.name) {
                let (error, message) = check(wanted, topic, budget: budget)
                result.errorCode = error
                result.errorMessage = message
                if error == .none, !request.validateOnly {
                    let wait = throttleMutations(
                        Int(wanted.count - topic.partitionCount), isStrict: context.version >= 3,
                        context)
                    response.throttleTimeMs = max(response.throttleTimeMs, wait)
                    if wait > 0, context.version >= 3 {
                        result.errorCode = .throttlingQuotaExceeded
                        result.errorMessage = Self.tooManyChanges
                    }
                }
                if result.errorCode == .none {
                    budget -= Int(wanted.count - topic.partitionCount)
                    var larger = topic
                    larger.partitionCount = wanted.count
                    grown.append(larger)
                }
            } else {
                result.errorCode = .unknownTopicOrPartition
                result.errorMessage = "there is no topic \(wanted.name)"
            }
            response.results.append(result)
        }
        if grown.isEmpty || request.validateOnly { return answer(context, response) }
        let frame = response.frame(
            version: context.version, correlationId: context.correlationId)
        var placement: ReplicaPlacement?
        var records: [MetadataRecord] = []
        for topic in grown {
            let assigned = request.topics.first { $0.name == topic.name }?.assignments ?? []
            guard
                let more = recordsPlacing(
                    topic, from: draft.topic(topic.name)?.partitionCount ?? 0,
                    assigned: assigned.map { $0.brokerIds.map { NodeID($0) } },
                    factor: copies(of: topic), placement: &placement)
            else {
                for place in response.results.indices
                where response.results[place].errorCode == .none {
                    response.results[place].errorCode = .invalidReplicationFactor
                    response.results[place].errorMessage =
                        "too few brokers are there for \(topic.name)"
                }
                return answer(context, response)
            }
            records += more
        }
        let failure = change(records, .answer(context.key, frame: frame))
        guard let failure else { return }
        for place in response.results.indices where response.results[place].errorCode == .none {
            response.results[place].errorCode = error(failure)
            response.results[place].errorMessage = failure.description
        }
        answer(context, response)
    }

    /// New partitions have as many replicas as those before.
    private func copies(of topic: TopicMetadata) -> Int {
        max(1, draft.state(of: topic, 0).replicas.count)
    }

    private func check(
        _ wanted: CreatePartitionsRequest.CreatePartitionsTopic, _ topic: TopicMetadata,
        budget: Int
    ) -> (ErrorCode, String?) {
        if topic.isInternal {
            return (.invalidTopicException, "\(topic.name) belongs to the brokers")
        }
        if wanted.count <= topic.partitionCount {
            return (
                .invalidPartitions,
                "\(topic.name) has \(topic.partitionCount) partitions, "
                    + "it can't be changed to \(wanted.count)"
            )
        }
        let more = wanted.count - topic.partitionCount
        if let assignments = wanted.assignments, !assignments.isEmpty {
            var complaint: String?
            for assignment in assignments where complaint == nil {
                complaint = self.complaint(aboutReplicas: assignment.brokerIds)
            }
            if assignments.count != Int(more) || complaint != nil {
                return (
                    .invalidReplicaAssignment,
                    complaint.map { "\(more) assignments are needed; \($0)" }
                        ?? "\(more) assignments are needed, there are \(assignments.count)"
                )
            }
        } else if let complaint = complaint(aboutFactor: copies(of: topic)) {
            return (.invalidReplicationFactor, complaint)
        }
        if Int(wanted.count) > Limits.partitionsPerTopic || Int(more) > budget {
            return (
                .invalidPartitions,
                "at most \(Limits.partitionsPerTopic) partitions of a topic and "
                    + "\(configuration.partitionsMax) of a node are possible"
            )
        }
        return (.none, nil)
    }
}
