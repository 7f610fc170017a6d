import Base
import Quorum
import WireProtocol

extension BrokerNode {
    /// The broker and its topics. A missing topic is created when both sides allow it; the answer
    /// then waits until it exists, so that the client need not ask again.
    mutating func metadata(
        _ request: MetadataRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        if context.version < 12, request.topics?.contains(where: { $0.topicId != .zero }) == true {
            return close(
                context.key.connection, "Metadata asks for topics by id below version 12")
        }
        var missing: [TopicMetadata] = []
        var taken: Set<String> = []
        if request.allowAutoTopicCreation, configuration.createsTopicsAutomatically {
            for topic in request.topics ?? [] {
                guard let name = topic.name, topic.topicId == .zero,
                    authorize(context, .describe, .topic, name), mayCreate(name, context),
                    image.topic(name) == nil, draft.topic(name) == nil,
                    !TopicName.isReserved(name), TopicName.complaint(about: name) == nil,
                    draft.topicColliding(with: name) == nil,
                    taken.insert(MetadataImage.folded(name)).inserted
                else { continue }
                missing.append(
                    TopicMetadata(
                        id: newTopicID(), name: name,
                        partitionCount: configuration.partitionsDefault))
            }
        }
        let partitions = missing.reduce(0) { $0 + Int($1.partitionCount) }
        if !missing.isEmpty, draft.partitionCount + partitions <= configuration.partitionsMax {
            if !isController { return forward(context, frame, to: .controller) }
            if let records = recordsPlacing(missing), change(records, .none) == nil {
                return retryAfterChange(context, frame)
            }
        }
        answer(context, metadataResponse(to: request, context))
    }

    /// Whether the client may create the topic, by a rule for the cluster or for the topic.
    func mayCreate(_ topic: String, _ context: RequestContext) -> Bool {
        authorizeCluster(context, .create) || authorize(context, .create, .topic, topic)
    }

    private func metadataResponse(
        to request: MetadataRequest, _ context: RequestContext
    ) -> MetadataResponse {
        var response = MetadataResponse()
        response.brokers = reachableBrokers(context).map {
            .init(nodeId: $0.id, host: $0.host, port: $0.port, rack: $0.rack)
        }
        response.clusterId = clusterIDText
        response.controllerId = controllerForClients
        if request.includeClusterAuthorizedOperations {
            response.clusterAuthorizedOperations =
                authorizeCluster(context, .describe) ? authorizedClusterOperations(context) : 0
        }
        let wantsAll =
            context.version == 0
            ? request.topics?.isEmpty ?? true : request.topics == nil
        if wantsAll {
            for topic in image.topics.values
            where authorize(context, .describe, .topic, topic.name) {
                response.topics.append(entry(of: topic, request, context))
            }
        } else {
            var names: Set<String> = []
            var ids: Set<UUID128> = []
            for topic in request.topics ?? [] {
                let isNew =
                    topic.topicId == .zero
                    ? names.insert(topic.name ?? "").inserted : ids.insert(topic.topicId).inserted
                if isNew { response.topics.append(entry(for: topic, request, context)) }
            }
        }
        return response
    }

    private func entry(
        for wanted: MetadataRequest.MetadataRequestTopic, _ request: MetadataRequest,
        _ context: RequestContext
    ) -> MetadataResponse.MetadataResponseTopic {
        if wanted.topicId != .zero {
            guard let topic = image.topic(id: wanted.topicId) else {
                return .init(errorCode: .unknownTopicId, name: nil, topicId: wanted.topicId)
            }
            // Ids are no secret, names are.
            guard authorize(context, .describe, .topic, topic.name) else {
                return .init(
                    errorCode: .topicAuthorizationFailed, name: nil, topicId: wanted.topicId)
            }
            return entry(of: topic, request, context)
        }
        let name = wanted.name ?? ""
        guard authorize(context, .describe, .topic, name) else {
            return .init(errorCode: .topicAuthorizationFailed, name: name)
        }
        if let topic = image.topic(name) { return entry(of: topic, request, context) }
        if request.allowAutoTopicCreation, configuration.createsTopicsAutomatically,
            !mayCreate(name, context)
        {
            return .init(errorCode: .topicAuthorizationFailed, name: name)
        }
        let isLegal = TopicName.complaint(about: name) == nil
        return .init(
            errorCode: isLegal ? .unknownTopicOrPartition : .invalidTopicException, name: name)
    }

    private func entry(
        of topic: TopicMetadata, _ request: MetadataRequest, _ context: RequestContext
    ) -> MetadataResponse.MetadataResponseTopic {
        .init(
            name: topic.name, topicId: topic.id, isInternal: topic.isInternal,
            partitions: (0..<topic.partitionCount).map { partition in
                let state = image.state(of: topic, partition)
                return .init(
                    errorCode: state.leader == nil ? .leaderNotAvailable : .none,
                    partitionIndex: partition, leaderId: state.leader?.value ?? -1,
                    leaderEpoch: state.leaderEpoch.value, replicaNodes: state.replicas.map(\.value),
                    isrNodes: state.inSync.map(\.value),
                    offlineReplicas: offline(state.replicas))
            },
            topicAuthorizedOperations: request.includeTopicAuthorizedOperations
                ? authorizedOperations(context, .topic, topic.name) : operationsNotRequested)
    }
}
