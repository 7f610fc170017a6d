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
        if !missing.isEmpty, draft.partitionCount + partitions <= configuration.partitionsMax,
            change(missing.map { .topic($0) }, .none) == nil
        {
            return retryAfterChange(context, frame)
        }
        answer(context, metadataResponse(to: request, version: context.version))
    }

    private func metadataResponse(
        to request: MetadataRequest, version: Int16
    ) -> MetadataResponse {
        var response = MetadataResponse()
        response.brokers = [
            .init(
                nodeId: configuration.nodeID.value, host: configuration.advertisedHost,
                port: configuration.advertisedPort, rack: configuration.rack)
        ]
        response.clusterId = clusterIDText
        response.controllerId = configuration.nodeID.value
        if request.includeClusterAuthorizedOperations {
            response.clusterAuthorizedOperations = Operations.cluster
        }
        let shows = request.includeTopicAuthorizedOperations
        let wantsAll = version == 0 ? request.topics?.isEmpty ?? true : request.topics == nil
        if wantsAll {
            response.topics = image.topics.values.map { entry(of: $0, showsOperations: shows) }
        } else {
            var names: Set<String> = []
            var ids: Set<UUID128> = []
            for topic in request.topics ?? [] {
                let isNew =
                    topic.topicId == .zero
                    ? names.insert(topic.name ?? "").inserted : ids.insert(topic.topicId).inserted
                if isNew { response.topics.append(entry(for: topic, showsOperations: shows)) }
            }
        }
        return response
    }

    private func entry(
        for wanted: MetadataRequest.MetadataRequestTopic, showsOperations: Bool
    ) -> MetadataResponse.MetadataResponseTopic {
        if wanted.topicId != .zero {
            guard let topic = image.topic(id: wanted.topicId) else {
                return .init(errorCode: .unknownTopicId, name: nil, topicId: wanted.topicId)
            }
            return entry(of: topic, showsOperations: showsOperations)
        }
        let name = wanted.name ?? ""
        if let topic = image.topic(name) {
            return entry(of: topic, showsOperations: showsOperations)
        }
        let isLegal = TopicName.complaint(about: name) == nil
        return .init(
            errorCode: isLegal ? .unknownTopicOrPartition : .invalidTopicException, name: name)
    }

    private func entry(
        of topic: TopicMetadata, showsOperations: Bool
    ) -> MetadataResponse.MetadataResponseTopic {
        let node = configuration.nodeID.value
        return .init(
            name: topic.name, topicId: topic.id, isInternal: topic.isInternal,
            partitions: (0..<topic.partitionCount).map { partition in
                .init(
                    partitionIndex: partition, leaderId: node,
                    leaderEpoch: image.leaderEpoch.value, replicaNodes: [node], isrNodes: [node])
            },
            topicAuthorizedOperations: showsOperations
                ? Operations.topic : operationsNotRequested)
    }
}
