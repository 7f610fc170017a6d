// Requests to the share coordinator and its answers, free of versions of the wire.

import Base
import WireProtocol

package struct ShareHeartbeatCall: Sendable {
    package var group: String
    package var memberID: String
    /// 0 joins, -1 leaves.
    package var memberEpoch: Int32
    package var rackID: String?
    package var clientID: String
    package var clientHost: String
    /// nil: unchanged.
    package var topics: [String]?

    package init(
        group: String, memberID: String, memberEpoch: Int32, rackID: String? = nil,
        clientID: String = "", clientHost: String = "", topics: [String]? = nil
    ) {
        self.group = group
        self.memberID = memberID
        self.memberEpoch = memberEpoch
        self.rackID = rackID
        self.clientID = clientID
        self.clientHost = clientHost
        self.topics = topics
    }

    /// What is wrong with the request by itself.
    func complaint(_ limits: ShareConfiguration) -> GroupRefusal? {
        func refuse(_ text: String) -> GroupRefusal { GroupRefusal(.invalidRequest, text) }
        if group.isEmpty { return refuse("the group id is empty") }
        if memberID.isEmpty { return refuse("the member id is empty") }
        if rackID?.isEmpty == true { return refuse("the rack id is empty") }
        let names = [group, memberID, rackID ?? "", clientID, clientHost]
        if names.contains(where: { $0.utf8.count > limits.nameBytesMax }) {
            return refuse("a name is longer than \(limits.nameBytesMax) bytes")
        }
        if memberEpoch < -1 { return refuse("there is no member epoch \(memberEpoch)") }
        if memberEpoch == 0, topics?.isEmpty != false {
            return refuse("a member that joins has to say what it subscribes to")
        }
        let bytes = (topics ?? []).reduce(0) { $0 + $1.utf8.count + 16 }
        if bytes > limits.subscriptionBytesMax
            || topics?.contains(where: { $0.utf8.count > Limits.topicNameBytes }) == true
        {
            return refuse("the subscription is too large")
        }
        return nil
    }
}

package struct ShareHeartbeatAnswer: Sendable, Equatable {
    package var error: ErrorCode
    package var message: String?
    package var memberID: String?
    package var memberEpoch: Int32 = 0
    package var heartbeatInterval: Duration = .zero
    /// nil: unchanged.
    package var assignment: PartitionSet?

    package init(error: ErrorCode, message: String? = nil, memberID: String? = nil) {
        self.error = error
        self.message = message
        self.memberID = memberID
    }
}

/// What a share group looks like from outside.
package struct ShareGroupDescription: Sendable, Equatable {
    package var group: String
    package var state: String
    package var epoch: Int32
    package var assignmentEpoch: Int32
    package var assignor: String
    package var members: [Member]

    package struct Member: Sendable, Equatable {
        package var id: String
        package var rackID: String?
        package var epoch: Int32
        package var clientID: String
        package var clientHost: String
        package var topics: [String]
        package var assigned: [ConsumerGroupDescription.Topic]
    }
}

/// Why something was refused that a member or an operator wanted of one partition.
package struct ShareRefusal: Error, Equatable, Sendable {
    package var code: ErrorCode
    package var message: String

    package init(_ code: ErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// What the share coordinator wants done, in this order.
package enum ShareEffect: Sendable {
    case reply(ReplyToken, ShareReply)
    /// Append `records` as one batch to the group's partition of `__share_group_state`, then call
    /// `ShareCoordinator.appended` once: when they are durable, or when they were refused.
    case append(AppendToken, group: String, records: [GroupRecord])
    /// Records of the partition became available to the group.
    case available(group: String, AssignedPartition)
    /// Records of the partition wait to be copied to the dead-letter topic.
    case deadLetters(group: String, AssignedPartition)
}

/// The answer to a request that may have waited.
package enum ShareReply: Sendable, Equatable {
    case heartbeat(ShareHeartbeatAnswer)
    /// What was done to partitions of the group is durable, or could not be made so.
    case written(ErrorCode)
    case delete(ErrorCode)

    /// The same answer after the log refused what it rests on.
    func failed(_ code: ErrorCode) -> ShareReply {
        switch self {
        case .heartbeat: .heartbeat(ShareHeartbeatAnswer(error: code))
        case .written: .written(code)
        case .delete: .delete(code)
        }
    }
}
