import Base
import Coordinator
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// Makes a share group that nobody is in forget topics: it begins anew with them.
    mutating func deleteShareGroupOffsets(
        _ request: DeleteShareGroupOffsetsRequest, _ context: RequestContext
    ) {
        let name = request.groupId
        let refusal: ShareRefusal? =
            authorize(context, .delete, .group, name)
            ? refusalOfShareGroup(name) ?? shares.refusalOfChange(name, creates: false)
            : ShareRefusal(
                .groupAuthorizationFailed,
                "\(context.principal.text) may not delete from group \(name)")
        if let refusal {
            return answer(
                context,
                DeleteShareGroupOffsetsResponse(
                    errorCode: refusal.code, errorMessage: refusal.message))
        }
        var response = DeleteShareGroupOffsetsResponse()
        var forgotten: Set<UUID128> = []
        for topic in request.topics {
            var result = DeleteShareGroupOffsetsResponse.ResponseTopic(topicName: topic.topicName)
            if !authorize(context, .read, .topic, topic.topicName) {
                result.errorCode = .topicAuthorizationFailed
                result.errorMessage =
                    "\(context.principal.text) may not read topic \(topic.topicName)"
            } else if let known = image.topic(topic.topicName) {
                result.topicId = known.id
                forgotten.insert(known.id)
            } else {
                result.errorCode = .unknownTopicOrPartition
                result.errorMessage = "there is no topic \(topic.topicName)"
            }
            response.responses.append(result)
        }
        let keys = shares.partitions(of: name).filter { forgotten.contains($0.topicID) }
        let token = park(.forget(context, response))
        perform(shares.forget(keys, of: name, token, now: now))
    }
}
