// Requests of the newer group protocol and its answers, free of versions of the wire.

import Base
import WireProtocol

/// Why a request was refused, for the client and for people.
struct GroupRefusal: Error, Sendable {
    var code: ErrorCode
    var message: String

    init(_ code: ErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

package struct ConsumerHeartbeatCall: Sendable {
    package var group: String
    /// Empty when the member has none yet and may be given one.
    package var memberID: String
    /// 0 joins, -1 leaves, -2 leaves for a short time.
    package var memberEpoch: Int32
    package var instanceID: String?
    package var rackID: String?
    package var clientID: String
    package var clientHost: String
    /// -1: unchanged.
    package var rebalanceTimeoutMilliseconds: Int32
    /// nil: unchanged, here and below.
    package var topics: [String]?
    package var regex: String?
    package var assignor: String?
    package var owned: [AssignedPartition]?
    /// Version 1 and later: the member makes its id.
    package var bringsItsID: Bool
    /// Which topics the sender may know of, for patterns; nil: all.
    package var mayDescribe: (@Sendable (String) -> Bool)?

    package init(
        group: String, memberID: String, memberEpoch: Int32, instanceID: String? = nil,
        rackID: String? = nil, clientID: String = "", clientHost: String = "",
        rebalanceTimeoutMilliseconds: Int32 = -1, topics: [String]? = nil, regex: String? = nil,
        assignor: String? = nil, owned: [AssignedPartition]? = nil, bringsItsID: Bool = true,
        mayDescribe: (@Sendable (String) -> Bool)? = nil
    ) {
        self.group = group
        self.memberID = memberID
        self.memberEpoch = memberEpoch
        self.instanceID = instanceID
        self.rackID = rackID
        self.clientID = clientID
        self.clientHost = clientHost
        self.rebalanceTimeoutMilliseconds = rebalanceTimeoutMilliseconds
        self.topics = topics
        self.regex = regex
        self.assignor = assignor
        self.owned = owned
        self.bringsItsID = bringsItsID
        self.mayDescribe = mayDescribe
    }

    /// The topics that `pattern` finds for the sender.
    func names(matching pattern: RegularExpression, in topics: GroupTopics) -> [String] {
        let names = topics.names(matching: pattern)
        guard let mayDescribe else { return names }
        return names.filter(mayDescribe)
    }

    /// A member sends everything when it joins and after an error, else only what changed.
    var isComplete: Bool {
        memberEpoch == 0
            || (rebalanceTimeoutMilliseconds != -1 && topics != nil && owned != nil)
    }

    /// What is wrong with the request by itself.
    func complaint(_ limits: GroupConfiguration) -> GroupRefusal? {
        func refuse(_ text: String) -> GroupRefusal { GroupRefusal(.invalidRequest, text) }
        if group.isEmpty { return refuse("the group id is empty") }
        let names = [group, memberID, instanceID ?? "", rackID ?? "", clientID, clientHost]
        if names.contains(where: { $0.utf8.count > limits.nameBytesMax }) {
            return refuse("a name is longer than \(limits.nameBytesMax) bytes")
        }
        if instanceID?.isEmpty == true { return refuse("the instance id is empty") }
        if rackID?.isEmpty == true { return refuse("the rack id is empty") }
        if memberID.isEmpty, bringsItsID || memberEpoch != 0 {
            return refuse("the member id is empty")
        }
        switch memberEpoch {
        case ..<ConsumerMember.awayEpoch: return refuse("there is no member epoch \(memberEpoch)")
        case ConsumerMember.awayEpoch where instanceID == nil:
            return refuse("only a member with an instance id can leave for a short time")
        case 0:
            if rebalanceTimeoutMilliseconds < 0 {
                return refuse("a member that joins has to name its rebalance timeout")
            }
            if owned?.isEmpty != true {
                return refuse("a member that joins owns no partitions and has to say so")
            }
            if topics == nil, regex == nil {
                return refuse("a member that joins has to say what it subscribes to")
            }
        default: break
        }
        if let assignor, ServerAssignor(rawValue: assignor) == nil {
            let known = ServerAssignor.allCases.map(\.rawValue).joined(separator: ", ")
            return GroupRefusal(
                .unsupportedAssignor, "there is no assignor \(assignor), only \(known)")
        }
        let bytes = (topics ?? []).reduce(regex?.utf8.count ?? 0) { $0 + $1.utf8.count + 16 }
        if bytes > limits.memberMetadataBytesMax
            || topics?.contains(where: { $0.utf8.count > Limits.topicNameBytes }) == true
        {
            return refuse("the subscription is too large")
        }
        return nil
    }
}

package struct ConsumerHeartbeatAnswer: Sendable, Equatable {
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

/// What a group of the newer protocol looks like from outside.
package struct ConsumerGroupDescription: Sendable, Equatable {
    package var group: String
    package var state: String
    package var epoch: Int32
    package var assignmentEpoch: Int32
    package var assignor: String
    package var members: [Member]

    package struct Member: Sendable, Equatable {
        package var id: String
        package var instanceID: String?
        package var rackID: String?
        package var epoch: Int32
        package var clientID: String
        package var clientHost: String
        package var topics: [String]
        package var regex: String?
        package var isClassic: Bool
        package var assigned: [Topic]
        package var target: [Topic]
    }

    package struct Topic: Sendable, Equatable {
        package var id: UUID128
        package var name: String
        package var partitions: [Int32]
    }
}

/// Which of a group's offsets to forget.
package struct OffsetDeleteAnswer: Sendable, Equatable {
    package var error: ErrorCode
    /// One for each partition of the call, in its order.
    package var errors: [ErrorCode]
}
