import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    mutating func deleteTopics(_ request: DeleteTopicsRequest, _ context: RequestContext) {
        var response = DeleteTopicsResponse()
        var doomed: [TopicMetadata] = []
        var seen: Set<UUID128> = []
        let wanted =
            context.version >= 6
            ? request.topics : request.topicNames.map { .init(name: $0, topicId: .zero) }
        for topic in wanted {
            var result = DeleteTopicsResponse.DeletableTopicResult(
                name: topic.name, topicId: topic.topicId)
            let found: TopicMetadata?
            if let name = topic.name {
                found = draft.topic(name)
                result.errorCode = found == nil ? .unknownTopicOrPartition : .none
            } else {
                found = draft.topic(id: topic.topicId)
                result.errorCode = found == nil ? .unknownTopicId : .none
            }
            if let name = found?.name ?? topic.name,
                !authorize(context, .delete, .topic, name)
            {
                // Whoever may not know the topic is told no more than was asked.
                result.errorCode = .topicAuthorizationFailed
                if found != nil, authorize(context, .describe, .topic, name) {
                    result.name = name
                }
            } else if topic.name != nil, topic.topicId != .zero {
                result.errorCode = .invalidRequest
                result.errorMessage = "a topic is named by name or by id, not by both"
            } else if let found, found.isInternal {
                result.errorCode = .invalidTopicException
                result.errorMessage = "\(found.name) belongs to the brokers"
            } else if let found, !configuration.deletesTopics {
                result.errorCode = .topicDeletionDisabled
                result.errorMessage = "delete.topic.enable is false; \(found.name) was kept"
            } else if let found, seen.contains(found.id) {
                result.errorCode = .invalidRequest
                result.errorMessage = "the request names the topic twice"
            } else if let found {
                let wait = throttleMutations(
                    Int(found.partitionCount), isStrict: context.version >= 5, context)
                response.throttleTimeMs = max(response.throttleTimeMs, wait)
                if wait > 0, context.version >= 5 {
                    result.errorCode = .throttlingQuotaExceeded
                    result.errorMessage = Self.tooManyChanges
                    response.responses.append(result)
                    continue
                }
                result.name = found.name
                result.topicId = found.id
                doomed.append(found)
                seen.insert(found.id)
            }
            response.responses.append(result)
        }
        if doomed.isEmpty { return answer(context, response) }
        let frame = response.frame(
            version: context.version, correlationId: context.correlationId)
        let failure = change(
            doomed.map { .topicRemoved($0.id) }, .answer(context.key, frame: frame))
        guard let failure else { return }
        for place in response.responses.indices
        where response.responses[place].errorCode == .none {
            response.responses[place].errorCode = error(failure)
            response.responses[place].errorMessage = failure.description
        }
        answer(context, response)
    }
}
