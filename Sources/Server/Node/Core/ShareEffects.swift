// Carries out what the share coordinator wants: answers go to their requests, records to the
// partition of `__share_group_state` that keeps the group, and fetches that wait for records of a
// group look again.

import Base
import Coordinator
import Log
import Quorum
import WireProtocol

/// A request whose answer the share coordinator owes.
enum ParkedShareRequest: Sendable {
    case heartbeat(RequestContext)
    case fetch(RequestContext, ShareFetchResponse)
    case acknowledge(RequestContext, ShareAcknowledgeResponse)
    case delete(RequestKey, place: Int)
    case alter(RequestContext, AlterShareGroupOffsetsResponse)
    case forget(RequestContext, DeleteShareGroupOffsetsResponse)
}

extension BrokerNode {
    /// The topic that keeps the share groups.
    static let sharesTopic = "__share_group_state"

    mutating func park(_ request: ParkedShareRequest) -> ReplyToken {
        lastReplyToken += 1
        let token = ReplyToken(lastReplyToken)
        shareRequests[token] = request
        return token
    }

    mutating func perform(_ effects: [ShareEffect]) {
        for effect in effects {
            switch effect {
            case .reply(let token, let reply): finish(token, reply)
            case .append(let token, let group, let records):
                append(records, ofShareGroup: group, token)
            case .available(let group, let partition): wakeShareFetches(partition, of: group)
            case .deadLetters(let group, let partition):
                writeDeadLetters(SharePlace(group: group, partition: partition))
            }
        }
    }

    private mutating func finish(_ token: ReplyToken, _ reply: ShareReply) {
        guard let request = shareRequests.removeValue(forKey: token) else { return }
        switch (request, reply) {
        case (.heartbeat(let context), .heartbeat(let heartbeat)):
            answerHeartbeat(heartbeat, context)
        case (.fetch(let context, let response), .written(let error)):
            // What was acquired for it comes back when its locks run out.
            answer(
                context, error == .none ? response : ShareFetchResponse(errorCode: error))
        case (.acknowledge(let context, let response), .written(let error)):
            answer(
                context, error == .none ? response : ShareAcknowledgeResponse(errorCode: error))
        case (.delete(let key, let place), .delete(let error)):
            groupDeleted(key, place: place, error)
        case (.alter(let context, let response), .written(let error)):
            answer(
                context,
                error == .none ? response : AlterShareGroupOffsetsResponse(errorCode: error))
        case (.forget(let context, let response), .written(let error)):
            answer(
                context,
                error == .none ? response : DeleteShareGroupOffsetsResponse(errorCode: error))
        default: preconditionFailure("the coordinator answers what was asked")
        }
    }

    private mutating func append(
        _ records: [GroupRecord], ofShareGroup group: String, _ token: AppendToken
    ) {
        guard let topic = image.topic(Self.sharesTopic) else {
            return perform(shares.appended(token, failure: .coordinatorNotAvailable, now: now))
        }
        let partition = TopicPartition(
            topic: Self.sharesTopic,
            partition: groupPartition(of: group, partitionCount: topic.partitionCount))
        var builder = RecordBatchBuilder(capacity: 256)
        for record in records {
            builder.append(key: record.key, value: record.value, timestamp: now.timestamp)
        }
        do throws(AppendFailure) {
            let result = try store.append(
                finishUncompressed(builder), to: partition, origin: .node, now: now)
            whenDurable(partition, result.lastOffset, .share(token))
        } catch {
            diagnostics.report(
                .warning, "shares", "state of group \(group) was refused by the log: \(error)")
            let code: ErrorCode =
                switch error {
                case .messageTooLarge, .recordListTooLarge, .invalidRecord: .unknownServerError
                default: .coordinatorNotAvailable
                }
            perform(shares.appended(token, failure: code, now: now))
        }
    }

    /// Makes sure that the topic of the share groups is there. True when the request has to wait
    /// for it.
    mutating func waitForSharesTopic(_ context: RequestContext, _ frame: Bytes) -> Bool {
        waitForInternalTopic(
            Self.sharesTopic, partitionCount: configuration.sharePartitions, context, frame)
    }

    /// The sessions of a connection end with it: what their members had is free.
    mutating func closeShareSessions(of connection: ConnectionID) {
        for session in shareSessions.closeAll(of: connection) {
            shares.release(session.member, of: session.group, now: now)
            perform(shares.commit(session.group, nil, now: now))
        }
    }

    /// Why the name can't be that of a share group; nil when it can. A name is one kind of group.
    func refusalOfShareGroup(_ name: String) -> ShareRefusal? {
        if name.isEmpty { return ShareRefusal(.invalidGroupId, "the group id is empty") }
        guard coordinator.contains(name) else { return nil }
        return ShareRefusal(.groupIdNotFound, "group \(name) is not a share group")
    }

    /// Tells the coordinator what is set for a group.
    mutating func configureShareGroup(_ name: String, _ settings: OrderedMap<String, String>) {
        shares.configure(name, GroupSettings.shareSettings(settings))
        resumeDeadLetters(of: name)
    }

    /// Replays the topic of the share groups. A record that can't be read is reported and left out:
    /// one group's state must not keep all others from starting.
    mutating func replayShares() throws(Problem) {
        let diagnostics = diagnostics
        var coordinator = shares
        for partition in image.topic(Self.sharesTopic)?.partitions ?? [] {
            if let damage = store.damage(of: partition) {
                diagnostics.report(.error, "shares", damage.description)
                continue
            }
            do throws(Problem) {
                try store.replay(partition) { record in
                    guard let key = record.key else { return }
                    do throws(DecodeFailure) {
                        try coordinator.replay(key: key, value: record.value)
                    } catch {
                        diagnostics.report(
                            .error, "shares",
                            "offset \(record.offset) of \(partition) was left out: \(error)")
                    }
                }
            } catch {
                diagnostics.report(.error, "shares", error.description)
            }
        }
        shares = coordinator
        perform(shares.finishReplay(now: now))
    }
}
