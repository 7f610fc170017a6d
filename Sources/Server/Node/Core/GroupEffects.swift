// Carries out what the coordinator wants: answers go to their requests, records to the partition
// of `__consumer_offsets` that keeps the group.

import Base
import Coordinator
import Log
import Quorum
import Replica
import WireProtocol

extension BrokerNode {
    mutating func park(_ request: ParkedGroupRequest) -> ReplyToken {
        lastReplyToken += 1
        let token = ReplyToken(lastReplyToken)
        groupRequests[token] = request
        return token
    }

    mutating func perform(_ effects: [GroupEffect]) {
        for effect in effects {
            switch effect {
            case .reply(let token, let reply): finish(token, reply)
            case .append(let token, let group, let records): append(records, of: group, token)
            case .appendInTransaction(let token, let group, let records, let producer):
                append(records, of: group, token, producer)
            }
        }
    }

    private mutating func finish(_ token: ReplyToken, _ reply: GroupReply) {
        guard let request = groupRequests.removeValue(forKey: token) else { return }
        switch (request, reply) {
        case (.join(let context), .join(let join)): answerJoin(join, context)
        case (.sync(let context), .sync(let sync)):
            answer(
                context,
                SyncGroupResponse(
                    errorCode: sync.error, protocolType: sync.protocolType,
                    protocolName: sync.protocolName, assignment: sync.assignment))
        case (.heartbeat(let context), .heartbeat(let error)):
            answer(context, HeartbeatResponse(errorCode: error))
        case (.leave(let context), .leave(let leave)): answerLeave(leave, context)
        case (.commit(let context, let response, let places), .commit(let commit)):
            answerCommit(commit, response, places, context)
        case (.transactionalCommit(let context, let response, let places), .commit(let commit)):
            answerTransactionalCommit(commit, response, places, context)
        case (.delete(let key, let place), .delete(let error)):
            groupDeleted(key, place: place, error)
        case (.consumerHeartbeat(let context), .consumerHeartbeat(let heartbeat)):
            answerHeartbeat(heartbeat, context)
        case (.offsetDelete(let context, let response, let places), .offsetDelete(let deletion)):
            answerOffsetDelete(deletion, response, places, context)
        default: preconditionFailure("the coordinator answers what was asked")
        }
    }

    private mutating func append(
        _ records: [GroupRecord], of group: String, _ token: AppendToken,
        _ producer: GroupProducer? = nil
    ) {
        guard let topic = image.topic(Self.offsetsTopic) else {
            return perform(
                coordinator.appended(token, failure: .coordinatorNotAvailable, now: now))
        }
        let partition = TopicPartition(
            topic: Self.offsetsTopic,
            partition: groupPartition(of: group, partitionCount: topic.partitionCount))
        var builder = RecordBatchBuilder(capacity: 512)
        for record in records {
            builder.append(key: record.key, value: record.value, timestamp: now.timestamp)
        }
        var properties = RecordBatchBuilder.Properties()
        if let producer {
            properties.producerId = producer.producerID
            properties.producerEpoch = producer.producerEpoch
            properties.isTransactional = true
        }
        do throws(ReplicaRefusal) {
            let appended = try append(
                finishUncompressed(builder, properties), to: partition, origin: .node)
            whenDurable(partition, appended, .group(token))
        } catch {
            diagnostics.report(
                .warning, "groups", "state of group \(group) was refused by the log: \(error)")
            perform(coordinator.appended(token, failure: groupError(error), now: now))
        }
    }

    /// What a member is told: whatever may pass is tried again, what is too large never fits.
    private func groupError(_ refusal: ReplicaRefusal) -> ErrorCode {
        switch refusal {
        case .append(.messageTooLarge), .append(.recordListTooLarge), .append(.invalidRecord):
            .unknownServerError
        case .append(.invalidProducerEpoch): .invalidProducerEpoch
        case .notLeader: .notCoordinator
        default: .coordinatorNotAvailable
        }
    }
}
