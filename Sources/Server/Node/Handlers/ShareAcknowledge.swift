import Base
import Coordinator
import Quorum
import Security
import WireProtocol

/// What became of the acknowledgements of one partition.
struct AcknowledgeOutcome: Sendable {
    var partition: AssignedPartition
    var refusal: ShareRefusal?
}

extension BrokerNode {
    /// Answered when what the member said is durable.
    mutating func shareAcknowledge(
        _ request: ShareAcknowledgeRequest, _ context: RequestContext
    ) {
        let member: ShareMember
        do throws(ShareRefusal) {
            member = try shareMember(request.groupId, request.memberId, context)
            // Only a fetch opens a session.
            if request.shareSessionEpoch == 0 {
                throw ShareRefusal(
                    .invalidShareSessionEpoch, "a share session is opened with ShareFetch")
            }
            try advanceShareSession(
                member, epoch: request.shareSessionEpoch, context)
        } catch {
            return answer(
                context,
                ShareAcknowledgeResponse(errorCode: error.code, errorMessage: error.message))
        }
        var response = ShareAcknowledgeResponse(
            acquisitionLockTimeoutMs: Int32(
                clamping: shares.lockDuration(of: member.group).wholeMilliseconds))
        for topic in request.topics {
            var results = ShareAcknowledgeResponse.ShareAcknowledgeTopicResponse(
                topicId: topic.topicId)
            for partition in topic.partitions {
                let refusal = acknowledge(
                    partition.acknowledgementBatches,
                    AssignedPartition(topicID: topic.topicId, partition: partition.partitionIndex),
                    member, mayRenew: request.isRenewAck, context)
                results.partitions.append(
                    .init(
                        partitionIndex: partition.partitionIndex,
                        errorCode: refusal?.code ?? .none, errorMessage: refusal?.message,
                        currentLeader: .init()))
            }
            response.responses.append(results)
        }
        if request.shareSessionEpoch == -1 { closeShareSession(member) }
        let token = park(.acknowledge(context, response))
        perform(shares.commit(member.group, token, now: now))
    }

    private mutating func advanceShareSession(
        _ member: ShareMember, epoch: Int32, _ context: RequestContext
    ) throws(ShareRefusal) {
        do throws(ShareSessions.Failure) {
            if epoch == -1 { return try shareSessions.check(member, epoch: epoch) }
            _ = try shareSessions.update(
                member, epoch: epoch, add: [], forget: [], on: context.key.connection)
        } catch {
            throw ShareRefusal(error.code, error.message)
        }
    }

    /// Who asks, if it may.
    func shareMember(
        _ group: String?, _ member: String?, _ context: RequestContext
    ) throws(ShareRefusal) -> ShareMember {
        guard let group, let member, !member.isEmpty,
            max(group.utf8.count, member.utf8.count) <= shares.configuration.nameBytesMax
        else {
            throw ShareRefusal(
                .invalidRequest,
                "the group id and the member id have 1 to \(shares.configuration.nameBytesMax) "
                    + "bytes")
        }
        guard authorize(context, .read, .group, group) else {
            throw ShareRefusal(
                .groupAuthorizationFailed, "\(context.principal.text) may not read group \(group)")
        }
        if let refusal = refusalOfShareGroup(group) { throw refusal }
        return ShareMember(group: group, member: member)
    }

    /// The member is done. What it still has is free again, and counts as delivered: a client that
    /// fails on a record each time must not get it for ever.
    mutating func closeShareSession(_ member: ShareMember) {
        shareSessions.close(member)
        shares.release(member.member, of: member.group, now: now)
    }

    /// Takes what a member says about records of one partition.
    mutating func acknowledge(
        _ batches: [AcknowledgementBatch], _ partition: AssignedPartition, _ member: ShareMember,
        mayRenew: Bool, _ context: RequestContext
    ) -> ShareRefusal? {
        if let refusal = refusalOfSharing(partition, context) { return refusal }
        if batches.isEmpty { return nil }
        let mayRenew =
            mayRenew && context.version >= 2 && shares.settings(of: member.group).mayRenew
        return shares.acknowledge(
            batches, partition, of: member.group, by: member.member, mayRenew: mayRenew, now: now)
    }

    /// Why nothing can be done with the partition for this client; nil when it can.
    func refusalOfSharing(
        _ partition: AssignedPartition, _ context: RequestContext
    ) -> ShareRefusal? {
        guard let topic = image.topic(id: partition.topicID) else {
            return ShareRefusal(.unknownTopicId, "there is no topic \(partition.topicID)")
        }
        guard authorize(context, .read, .topic, topic.name) else {
            return ShareRefusal(
                .topicAuthorizationFailed,
                "\(context.principal.text) may not read topic \(topic.name)")
        }
        guard partition.partition >= 0, partition.partition < topic.partitionCount else {
            return ShareRefusal(
                .unknownTopicOrPartition,
                "topic \(topic.name) has \(topic.partitionCount) partitions, not one with number "
                    + "\(partition.partition)")
        }
        return nil
    }
}
