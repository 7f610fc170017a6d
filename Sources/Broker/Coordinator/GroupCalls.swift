// Requests to the group coordinator and its answers, free of protocol versions: what a version
// changes about the meaning of a request is a field here.

import Base
import WireProtocol

/// One way to distribute partitions that a member offers, best first.
package struct MemberProtocol: Hashable, Sendable {
    package var name: String
    package var metadata: Bytes
    package init(name: String, metadata: Bytes) {
        self.name = name
        self.metadata = metadata
    }
}

package struct JoinCall: Sendable {
    package var group: String
    /// Empty when the member has none yet.
    package var memberID: String
    package var instanceID: String?
    package var clientID: String
    package var clientHost: String
    package var sessionTimeout: Duration
    package var rebalanceTimeout: Duration
    package var protocolType: String
    package var protocols: [MemberProtocol]
    /// Version 4 and later: a dynamic member must come back with the id it was given.
    package var mustKnowItsID: Bool
    /// Version 9 and later: a returning static leader can be told not to assign again.
    package var canSkipAssignment: Bool

    package init(
        group: String, memberID: String = "", instanceID: String? = nil, clientID: String = "",
        clientHost: String = "", sessionTimeout: Duration, rebalanceTimeout: Duration,
        protocolType: String, protocols: [MemberProtocol], mustKnowItsID: Bool = true,
        canSkipAssignment: Bool = true
    ) {
        self.group = group
        self.memberID = memberID
        self.instanceID = instanceID
        self.clientID = clientID
        self.clientHost = clientHost
        self.sessionTimeout = sessionTimeout
        self.rebalanceTimeout = rebalanceTimeout
        self.protocolType = protocolType
        self.protocols = protocols
        self.mustKnowItsID = mustKnowItsID
        self.canSkipAssignment = canSkipAssignment
    }

    var metadataBytes: Int { protocols.reduce(0) { $0 + $1.metadata.count + $1.name.utf8.count } }
}

package struct JoinAnswer: Sendable, Equatable {
    package var error: ErrorCode
    package var generation: Int32 = -1
    package var protocolType: String?
    package var protocolName: String?
    package var leader = ""
    package var skipAssignment = false
    package var memberID: String
    /// Only the leader is told who is in the group.
    package var members: [Member] = []

    package struct Member: Sendable, Equatable {
        package var id: String
        package var instanceID: String?
        package var metadata: Bytes
    }

    package init(error: ErrorCode, memberID: String) {
        self.error = error
        self.memberID = memberID
    }
}

/// Who a request claims to be. Shared by everything a member sends after it joined.
package struct MemberClaim: Sendable {
    package var group: String
    package var generation: Int32
    package var memberID: String
    package var instanceID: String?

    package init(group: String, generation: Int32, memberID: String, instanceID: String? = nil) {
        self.group = group
        self.generation = generation
        self.memberID = memberID
        self.instanceID = instanceID
    }
}

package struct SyncCall: Sendable {
    package var claim: MemberClaim
    /// Version 5 and later; nil is not checked.
    package var protocolType: String?
    package var protocolName: String?
    /// Only from the leader.
    package var assignments: [Assignment]

    package struct Assignment: Sendable {
        package var memberID: String
        package var assignment: Bytes
        package init(memberID: String, assignment: Bytes) {
            self.memberID = memberID
            self.assignment = assignment
        }
    }

    package init(
        claim: MemberClaim, protocolType: String? = nil, protocolName: String? = nil,
        assignments: [Assignment] = []
    ) {
        self.claim = claim
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.assignments = assignments
    }
}

package struct SyncAnswer: Sendable, Equatable {
    package var error: ErrorCode
    package var protocolType: String?
    package var protocolName: String?
    package var assignment: Bytes

    package init(
        error: ErrorCode, protocolType: String? = nil, protocolName: String? = nil,
        assignment: Bytes = .empty
    ) {
        self.error = error
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.assignment = assignment
    }
}

package struct LeaveCall: Sendable {
    package var group: String
    package var members: [Member]

    package struct Member: Sendable, Equatable {
        package var memberID: String
        package var instanceID: String?
        package init(memberID: String, instanceID: String? = nil) {
            self.memberID = memberID
            self.instanceID = instanceID
        }
    }

    package init(group: String, members: [Member]) {
        self.group = group
        self.members = members
    }
}

package struct LeaveAnswer: Sendable, Equatable {
    package var error: ErrorCode
    /// One for each member of the call, in its order.
    package var members: [Member]

    package struct Member: Sendable, Equatable {
        package var memberID: String
        package var instanceID: String?
        package var error: ErrorCode
    }

    package init(error: ErrorCode, members: [Member] = []) {
        self.error = error
        self.members = members
    }
}

/// A place in a partition that a group wants remembered.
package struct CommittedOffset: Hashable, Sendable {
    package var offset: Int64
    package var leaderEpoch: Int32
    /// Free text of the client; comes back as it was.
    package var metadata: String
    package var commitTimestamp: Timestamp
    /// When it may be forgotten, set by commits that say how long they want to be kept.
    package var expireTimestamp: Timestamp?

    package init(
        offset: Int64, leaderEpoch: Int32 = -1, metadata: String = "", commitTimestamp: Timestamp,
        expireTimestamp: Timestamp? = nil
    ) {
        self.offset = offset
        self.leaderEpoch = leaderEpoch
        self.metadata = metadata
        self.commitTimestamp = commitTimestamp
        self.expireTimestamp = expireTimestamp
    }
}

package struct CommitCall: Sendable {
    package var claim: MemberClaim
    /// Version 9 and later tell an unknown group by a code of its own.
    package var knowsGroupIDNotFound: Bool
    /// How long the offsets are kept, in milliseconds, as versions 2 to 4 say it; -1 = as long as
    /// those of everybody else.
    package var retentionMilliseconds: Int64
    package var offsets: [Entry]

    package struct Entry: Sendable {
        package var partition: TopicPartition
        package var offset: Int64
        package var leaderEpoch: Int32
        package var metadata: String
        package init(
            partition: TopicPartition, offset: Int64, leaderEpoch: Int32 = -1, metadata: String = ""
        ) {
            self.partition = partition
            self.offset = offset
            self.leaderEpoch = leaderEpoch
            self.metadata = metadata
        }
    }

    package init(
        claim: MemberClaim, offsets: [Entry], knowsGroupIDNotFound: Bool = true,
        retentionMilliseconds: Int64 = -1
    ) {
        self.claim = claim
        self.offsets = offsets
        self.knowsGroupIDNotFound = knowsGroupIDNotFound
        self.retentionMilliseconds = retentionMilliseconds
    }

    /// When offsets that are committed at `now` may be forgotten; nil when nothing is said.
    func expiry(now: Timestamp) -> Timestamp? {
        guard retentionMilliseconds != -1 else { return nil }
        let (end, overflows) = now.milliseconds.addingReportingOverflow(retentionMilliseconds)
        // Records can't hold times before 1970.
        return Timestamp(milliseconds: overflows ? .max : max(0, end))
    }
}

package struct CommitAnswer: Sendable, Equatable {
    /// One for each entry of the call, in its order.
    package var errors: [ErrorCode]
    package init(errors: [ErrorCode]) { self.errors = errors }
}

/// What a group looks like from outside.
package struct GroupDescription: Sendable, Equatable {
    package var error: ErrorCode
    package var group: String
    package var state: String
    package var protocolType: String
    package var protocolName: String
    package var members: [Member]

    package struct Member: Sendable, Equatable {
        package var id: String
        package var instanceID: String?
        package var clientID: String
        package var clientHost: String
        package var metadata: Bytes
        package var assignment: Bytes
    }
}

/// A line of the list of groups.
package struct GroupListing: Sendable, Equatable {
    package var group: String
    package var protocolType: String
    package var state: String
    package var type: String
}
