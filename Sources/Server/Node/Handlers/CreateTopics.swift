import Base
import Log
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// Checks each topic on its own; those that pass are created together.
    mutating func createTopics(_ request: CreateTopicsRequest, _ context: RequestContext) {
        var response = CreateTopicsResponse()
        var accepted: [TopicMetadata] = []
        var places: [Int] = []
        var budget = configuration.partitionsMax - draft.partitionCount
        let repeated = Repetitions(request.topics.lazy.map(\.name))
        /// The accepted names as they collide.
        var taken: [String: String] = [:]
        let mayCreateAny = authorizeCluster(context, .create)
        for topic in request.topics {
            if !mayCreateAny, !authorize(context, .create, .topic, topic.name) {
                response.topics.append(
                    .init(
                        name: topic.name, errorCode: .topicAuthorizationFailed,
                        errorMessage: "\(context.principal.text) may not create \(topic.name)",
                        configs: nil))
                continue
            }
            let outcome = check(
                topic, isRepeated: repeated.contains(topic.name), budget: budget,
                colliding: taken[MetadataImage.folded(topic.name)])
            switch outcome {
            case .success(let metadata):
                let wait =
                    request.validateOnly
                    ? 0
                    : throttleMutations(
                        Int(metadata.partitionCount), isStrict: context.version >= 6, context)
                response.throttleTimeMs = max(response.throttleTimeMs, wait)
                if wait > 0, context.version >= 6 {
                    response.topics.append(
                        .init(
                            name: topic.name, errorCode: .throttlingQuotaExceeded,
                            errorMessage: Self.tooManyChanges, configs: nil))
                    continue
                }
                places.append(response.topics.count)
                accepted.append(metadata)
                taken[MetadataImage.folded(topic.name)] = topic.name
                budget -= Int(metadata.partitionCount)
                var created = result(
                    for: metadata, copies: copies(of: topic),
                    isOnlyValidated: request.validateOnly)
                if !authorize(context, .describeConfigs, .topic, topic.name) {
                    created.numPartitions = -1
                    created.replicationFactor = -1
                    created.configs = nil
                    created.topicConfigErrorCode = .topicAuthorizationFailed
                }
                response.topics.append(created)
            case .failure(let refusal):
                response.topics.append(
                    .init(
                        name: topic.name, errorCode: refusal.error, errorMessage: refusal.message,
                        configs: nil))
            }
        }
        if accepted.isEmpty || request.validateOnly { return answer(context, response) }
        let frame = response.frame(
            version: context.version, correlationId: context.correlationId)
        var placement: ReplicaPlacement?
        var records: [MetadataRecord] = []
        for topic in accepted {
            let wanted = request.topics.first { $0.name == topic.name }
            guard
                let more = recordsPlacing(
                    topic, assigned: wanted.map(Self.replicas) ?? [],
                    factor: wanted.flatMap { factor(of: $0) }, placement: &placement)
            else {
                for place in places {
                    response.topics[place] = .init(
                        name: response.topics[place].name, errorCode: .invalidReplicationFactor,
                        errorMessage: "too few brokers are there for \(topic.name)", configs: nil)
                }
                return answer(context, response)
            }
            records += more
        }
        let failure = change(records, .answer(context.key, frame: frame))
        guard let failure else { return }
        for place in places {
            response.topics[place] = .init(
                name: response.topics[place].name, errorCode: error(failure),
                errorMessage: failure.description, configs: nil)
        }
        answer(context, response)
    }

    /// The assigned replicas, by partition.
    private static func replicas(
        of topic: CreateTopicsRequest.CreatableTopic
    ) -> [[NodeID]] {
        topic.assignments.sorted { $0.partitionIndex < $1.partitionIndex }
            .map { $0.brokerIds.map { NodeID($0) } }
    }

    /// The number of replicas that a request wants, where it says so without naming them.
    private func factor(of topic: CreateTopicsRequest.CreatableTopic) -> Int? {
        topic.replicationFactor == -1 ? nil : Int(topic.replicationFactor)
    }

    private func copies(of topic: CreateTopicsRequest.CreatableTopic) -> Int {
        topic.assignments.first?.brokerIds.count ?? factor(of: topic)
            ?? configuration.replicationFactor
    }

    private func result(
        for topic: TopicMetadata, copies: Int, isOnlyValidated: Bool
    ) -> CreateTopicsResponse.CreatableTopicResult {
        let values = BrokerValues(configuration: configuration, image: image)
        return .init(
            name: topic.name, topicId: isOnlyValidated ? .zero : topic.id, errorMessage: nil,
            numPartitions: topic.partitionCount, replicationFactor: Int16(clamping: copies),
            configs: TopicSettings.all.map { definition in
                let own = topic.settings[definition.name]
                let inherited = values.layers(of: definition).first?.source ?? .defaultValue
                return .init(
                    name: definition.name,
                    value: own ?? topicDefaults[definition.name] ?? definition.defaultValue,
                    configSource: (own == nil ? inherited : .topic).rawValue)
            })
    }

    private struct Refusal: Error {
        var error: ErrorCode
        var message: String
    }

    private mutating func check(
        _ topic: CreateTopicsRequest.CreatableTopic, isRepeated: Bool, budget: Int,
        colliding: String?
    ) -> Result<TopicMetadata, Refusal> {
        func refuse(_ error: ErrorCode, _ message: String) -> Result<TopicMetadata, Refusal> {
            .failure(Refusal(error: error, message: message))
        }
        if isRepeated { return refuse(.invalidRequest, "the request names the topic twice") }
        if let refusal = checkName(topic.name, colliding: colliding) { return .failure(refusal) }
        var partitions = topic.numPartitions
        if !topic.assignments.isEmpty {
            if topic.numPartitions != -1 || topic.replicationFactor != -1 {
                return refuse(
                    .invalidRequest, "replicas are assigned, so the counts have to be -1")
            }
            if let message = complaint(about: topic.assignments) {
                return refuse(.invalidReplicaAssignment, message)
            }
            partitions = Int32(topic.assignments.count)
        } else if let message = complaint(aboutFactor: copies(of: topic)) {
            return refuse(.invalidReplicationFactor, message)
        }
        if partitions == -1 { partitions = configuration.partitionsDefault }
        if let message = complaint(aboutCount: partitions, budget: budget) {
            return refuse(.invalidPartitions, message)
        }
        var settings: OrderedMap<String, String> = [:]
        for config in topic.configs {
            guard let value = config.value else {
                return refuse(.invalidConfig, "\(config.name) has no value")
            }
            settings[config.name] = value
        }
        if let message = TopicSettings.complaint(about: settings, defaults: topicDefaults) {
            return refuse(.invalidConfig, message)
        }
        return .success(
            TopicMetadata(
                id: newTopicID(), name: topic.name, partitionCount: partitions,
                settings: settings))
    }

    private func checkName(_ name: String, colliding: String?) -> Refusal? {
        if let message = TopicName.complaint(about: name) {
            return Refusal(error: .invalidTopicException, message: message)
        }
        if TopicName.isReserved(name), draft.topic(name) == nil {
            return Refusal(
                error: .invalidTopicException, message: "\(name) belongs to the brokers")
        }
        if draft.topic(name) != nil {
            return Refusal(error: .topicAlreadyExists, message: "topic \(name) exists already")
        }
        if let colliding = draft.topicColliding(with: name) ?? colliding {
            return Refusal(
                error: .invalidTopicException,
                message: "\(name) and \(colliding) differ only in \".\" and \"_\"")
        }
        return nil
    }

    /// What is wrong with a partition count; nil when it is fine.
    func complaint(aboutCount partitions: Int32, budget: Int) -> String? {
        if partitions < 1 { return "a topic has at least 1 partition, not \(partitions)" }
        if Int(partitions) > Limits.partitionsPerTopic {
            return "a topic has at most \(Limits.partitionsPerTopic) partitions"
        }
        if Int(partitions) > budget {
            return "this node holds at most \(configuration.partitionsMax) partitions"
        }
        return nil
    }

    /// What is wrong with a number of replicas; nil when nothing is.
    func complaint(aboutFactor factor: Int) -> String? {
        let brokers = cluster == nil ? 1 : draft.brokers.count
        guard factor >= 1, factor <= brokers else {
            return "replication factor \(factor) asked for, "
                + (brokers == 1 ? "there is 1 broker" : "there are \(brokers) brokers")
        }
        if cluster != nil, !draft.brokers.values.contains(where: { !$0.isFenced }) {
            return "no broker is alive"
        }
        return nil
    }

    private func complaint(
        about assignments: [CreateTopicsRequest.CreatableReplicaAssignment]
    ) -> String? {
        let counts = Set(assignments.map(\.brokerIds.count))
        if counts.count > 1 { return "all partitions have to have as many replicas" }

        let numbers = assignments.map(\.partitionIndex).sorted()
        for (expected, number) in numbers.enumerated() where Int(number) != expected {
            return "assigned partitions are numbered from 0 without gaps"
        }
        for assignment in assignments {
            if let complaint = complaint(aboutReplicas: assignment.brokerIds) { return complaint }
        }
        return nil
    }

    /// What is wrong with assigned replicas of a partition; nil when nothing is.
    func complaint(aboutReplicas ids: [Int32]) -> String? {
        if cluster == nil {
            return ids == [configuration.nodeID.value]
                ? nil : "the only broker is \(configuration.nodeID.value)"
        }
        guard !ids.isEmpty else { return "a partition has at least one replica" }
        guard Set(ids).count == ids.count else { return "a partition names a broker twice" }
        for id in ids where draft.brokers[NodeID(id)] == nil {
            return "there is no broker \(id)"
        }
        return ids.contains { draft.isAlive(NodeID($0)) }
            ? nil : "of the brokers \(ids.map { "\($0)" }.joined(separator: ", ")) none is alive"
    }
}
