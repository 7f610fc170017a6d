import Base
import WireProtocol

/// Names one request whose answer the coordinator owes; chosen by the caller, never reused.
package struct ReplyToken: Hashable, Comparable, Sendable {
    package var value: UInt64
    package init(_ value: UInt64) { self.value = value }
    package static func < (left: ReplyToken, right: ReplyToken) -> Bool { left.value < right.value }
}

/// Names one append that the coordinator asked for. Tokens rise in the order of the log.
package struct AppendToken: Hashable, Comparable, Sendable {
    package var value: UInt64
    package init(_ value: UInt64) { self.value = value }
    package static func < (left: AppendToken, right: AppendToken) -> Bool {
        left.value < right.value
    }
}

/// A record of `__consumer_offsets`. A nil value is a tombstone.
package struct GroupRecord: Hashable, Sendable {
    package var key: Bytes
    package var value: Bytes?
    package init(key: Bytes, value: Bytes?) {
        self.key = key
        self.value = value
    }
}

/// What the coordinator wants done, in this order.
package enum GroupEffect: Sendable {
    case reply(ReplyToken, GroupReply)
    /// Append `records` as one batch to the group's partition of `__consumer_offsets`, then call
    /// `GroupCoordinator.appended` once: when they are durable, or when they were refused.
    case append(AppendToken, group: String, records: [GroupRecord])
    /// The same, as a batch of the producer's transaction.
    case appendInTransaction(
        AppendToken, group: String, records: [GroupRecord], GroupProducer)
}

/// The answer to a request that may have waited.
package enum GroupReply: Sendable, Equatable {
    case join(JoinAnswer)
    case sync(SyncAnswer)
    case heartbeat(ErrorCode)
    case leave(LeaveAnswer)
    case commit(CommitAnswer)
    case delete(ErrorCode)
    case consumerHeartbeat(ConsumerHeartbeatAnswer)
    case offsetDelete(OffsetDeleteAnswer)

    /// The same answer after the log refused what it rests on.
    func failed(_ code: ErrorCode) -> GroupReply {
        switch self {
        case .join(let answer): .join(JoinAnswer(error: code, memberID: answer.memberID))
        case .sync: .sync(SyncAnswer(error: code))
        case .heartbeat: .heartbeat(code)
        case .leave: .leave(LeaveAnswer(error: code))
        case .commit(let answer): .commit(CommitAnswer(errors: answer.errors.map { _ in code }))
        case .delete: .delete(code)
        case .consumerHeartbeat: .consumerHeartbeat(ConsumerHeartbeatAnswer(error: code))
        case .offsetDelete(let answer):
            .offsetDelete(OffsetDeleteAnswer(error: code, errors: answer.errors))
        }
    }
}
