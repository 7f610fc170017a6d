import Base
import WireProtocol

/// One consumer group of the classic protocol: who is in it, which generation it is in, who owns
/// what, and the offsets it committed.
///
///     empty ──join──▶ preparing ──all joined, or time is up──▶ completing
///       ▲                 ▲ ▲                                     │ leader's assignment durable
///       └──last left──────┘ └──join, leave, lost member── stable ◀┘
///
/// `dead` is a group whose tombstones are on their way to the disk.
struct ClassicGroup: Sendable {
    enum Phase: Sendable {
        case empty
        case preparing(Preparing)
        case completing(Completing)
        case stable
        case dead
    }

    /// Waiting for members to join the next generation.
    struct Preparing: Sendable {
        var deadline: Instant
        /// Set for the first generation of an empty group: how much longer it may be put off.
        var initialDelayLeft: Duration?
        var hasNewcomer = false
    }

    /// Waiting for the leader's assignment to arrive and to be durable.
    struct Completing: Sendable {
        var writing: AppendToken?
    }

    let id: String
    var phase: Phase = .empty
    /// nil until a member joined: such a group only keeps offsets.
    var protocolType: String?
    var protocolName: String?
    var generation: Int32 = 0
    var leader: String?
    var members = MemberTable()
    /// Members that were given an id and asked to come back with it, and until when.
    var expected: OrderedMap<String, Instant> = [:]
    /// Topics that the members of the current generation read, sorted; nil when unknown.
    var subscribedTopics: [String]?
    /// Members that have not asked for their assignment by then are removed.
    var syncDeadline: Instant = .distantFuture
    /// When the group came into its state, for the expiry of offsets.
    var stateTimestamp: Timestamp?
    var offsets: OrderedMap<TopicPartition, CommittedOffset> = [:]
    /// How many commits of each partition are not durable yet. Sorted before it is iterated.
    var commitsInFlight: [TopicPartition: Int] = [:]
    /// The entry of the deadline queue that stands for this group.
    var armedAt: Instant?
    /// Set while the group follows the newer protocol, in which the coordinator assigns. Then
    /// everything of the classic protocol above is empty; offsets are common to both.
    var consumer: ConsumerGroup?
    /// Records of a change of the protocol that are appended with the next ones of the group.
    var unwritten: [GroupRecord] = []

    init(id: String) { self.id = id }

    // MARK: Queries

    var stateName: String {
        if let consumer, !isDead { return consumer.stateName }
        return switch phase {
        case .empty: "Empty"
        case .preparing: "PreparingRebalance"
        case .completing: "CompletingRebalance"
        case .stable: "Stable"
        case .dead: "Dead"
        }
    }

    var isEmpty: Bool { if case .empty = phase { true } else { false } }
    /// Nobody is in it, in either protocol.
    var hasNoMembers: Bool { isEmpty && consumer?.members.isEmpty != false }
    var isStable: Bool { if case .stable = phase { true } else { false } }
    var isDead: Bool { if case .dead = phase { true } else { false } }
    var isPreparing: Bool { if case .preparing = phase { true } else { false } }
    var isCompleting: Bool { if case .completing = phase { true } else { false } }

    /// Nothing about the group was ever written and nobody is on the way: it may be forgotten.
    var isForgettable: Bool {
        isEmpty && generation == 0 && protocolType == nil && offsets.isEmpty
            && commitsInFlight.isEmpty && expected.isEmpty && members.isEmpty && consumer == nil
    }

    func supports(protocolType: String, protocols: [MemberProtocol]) -> Bool {
        if members.isEmpty { return !protocolType.isEmpty && !protocols.isEmpty }
        guard protocolType == self.protocolType else { return false }
        return protocols.contains { offered in isSupportedByAll(offered.name) }
    }

    func isSupportedByAll(_ name: String) -> Bool {
        members.all.allSatisfy { member in member.protocols.contains { $0.name == name } }
    }

    /// The protocol with most votes: each member votes for the first of its list that all support.
    /// Of equals the one wins that the first member likes best.
    func selectProtocol() -> String? {
        var votes: [(name: String, count: Int)] = []
        for member in members.all {
            guard let choice = member.protocols.first(where: { isSupportedByAll($0.name) }) else {
                continue
            }
            if let known = votes.firstIndex(where: { $0.name == choice.name }) {
                votes[known].count += 1
            } else {
                votes.append((choice.name, 1))
            }
        }
        var best: (name: String, count: Int)?
        for vote in votes where vote.count > best?.count ?? 0 { best = vote }
        return best?.name
    }

    var rebalanceTimeout: Duration {
        members.all.reduce(.zero) { max($0, $1.rebalanceTimeout) }
    }

    var haveAllJoined: Bool {
        expected.isEmpty && members.all.allSatisfy(\.isWaitingForJoin)
    }

    /// The member list for the leader's answer.
    func memberList() -> [JoinAnswer.Member] {
        members.all.map { member in
            JoinAnswer.Member(
                id: member.id, instanceID: member.instanceID,
                metadata: member.metadata(for: protocolName))
        }
    }

    func describe() -> GroupDescription {
        GroupDescription(
            error: .none, group: id, state: stateName, protocolType: protocolType ?? "",
            protocolName: isStable ? protocolName ?? "" : "",
            members: members.all.map { member in
                GroupDescription.Member(
                    id: member.id, instanceID: member.instanceID, clientID: member.clientID,
                    clientHost: member.clientHost,
                    metadata: isStable ? member.metadata(for: protocolName) : .empty,
                    assignment: isStable ? member.assignment : .empty)
            })
    }

    /// What the log keeps of the group, with these assignments.
    func snapshot(assignments: [String: Bytes]) -> GroupSnapshot {
        GroupSnapshot(
            protocolType: protocolType ?? "", generation: generation, protocolName: protocolName,
            leader: leader, stateTimestamp: stateTimestamp,
            members: members.all.map { member in
                GroupSnapshot.Member(
                    id: member.id, instanceID: member.instanceID, clientID: member.clientID,
                    clientHost: member.clientHost,
                    rebalanceTimeoutMilliseconds: Int32(
                        clamping: member.rebalanceTimeout.wholeMilliseconds),
                    sessionTimeoutMilliseconds: Int32(
                        clamping: member.sessionTimeout.wholeMilliseconds),
                    subscription: member.metadata(for: protocolName),
                    assignment: assignments[member.id] ?? .empty)
            })
    }

    func record(assignments: [String: Bytes]) -> GroupRecord {
        GroupRecord(
            key: GroupRecordFormat.groupKey(id),
            value: GroupRecordFormat.groupValue(snapshot(assignments: assignments)))
    }

    var assignments: [String: Bytes] {
        var result: [String: Bytes] = [:]
        for member in members.all { result[member.id] = member.assignment }
        return result
    }

    // MARK: Time

    /// Makes sure that the group is looked at no later than `deadline`.
    mutating func arm(_ deadline: Instant, _ context: inout GroupContext) {
        guard deadline < .distantFuture else { return }
        if let armedAt, armedAt <= deadline { return }
        armedAt = deadline
        context.deadlines.push(deadline, id)
    }

    /// A sign of life of the member at `position`.
    mutating func refreshSession(at position: Int, _ context: inout GroupContext) {
        let deadline = context.now.monotonic + members[position].sessionTimeout
        members[position].deadline = deadline
        arm(deadline, &context)
    }

    /// Everything whose time has come: members that fell silent, those who never came back with
    /// their id, and the phases that wait no longer.
    mutating func expire(_ context: inout GroupContext) {
        let now = context.now.monotonic
        armedAt = nil
        if consumer != nil { return expireConsumers(&context) }
        for (name, deadline) in expected where deadline <= now { expected[name] = nil }
        var position = 0
        var removed = false
        while position < members.count {
            guard members[position].deadline <= now else {
                position += 1
                continue
            }
            removeMember(at: position, &context)
            removed = true
        }
        if syncDeadline <= now {
            syncDeadline = .distantFuture
            removed = removeMembersWithoutSync(&context) || removed
        }
        if removed {
            afterRemoval(&context)
        } else if isPreparing {
            completeJoinIfReady(&context)
        }
        if case .preparing(let preparing) = phase, preparing.deadline <= now {
            joinTimeIsUp(preparing, &context)
        }
        arm(earliestDeadline, &context)
    }

    private var earliestDeadline: Instant {
        var earliest = syncDeadline
        for deadline in expected.values { earliest = min(earliest, deadline) }
        for member in members.all { earliest = min(earliest, member.deadline) }
        if case .preparing(let preparing) = phase { earliest = min(earliest, preparing.deadline) }
        return earliest
    }

    // MARK: Invariants

    /// generation ≥ 0; members = ∅ in empty and dead; leader ∈ members when completing or stable;
    /// whoever waits for a join does so while preparing, whoever waits for a sync while completing.
    func checkInvariants() {
        members.checkInvariants()
        if let consumer {
            consumer.checkInvariants()
            precondition(members.isEmpty && expected.isEmpty, "one protocol at a time")
        }
        precondition(generation >= 0, "generations count from zero")
        switch phase {
        case .empty, .dead:
            precondition(members.isEmpty, "an empty group has no members")
        case .preparing:
            precondition(!members.all.contains { $0.waiting.isSync }, "nobody syncs while joining")
        case .completing, .stable:
            precondition(
                leader.flatMap(members.position(of:)) != nil, "the leader is a member")
            precondition(!members.all.contains(where: \.isWaitingForJoin), "joins are answered")
        }
        for member in members.all where member.waiting.isSync {
            precondition(isCompleting, "syncs wait only for the assignment")
        }
    }
}

extension GroupMember.Waiting {
    fileprivate var isSync: Bool { if case .sync = self { true } else { false } }
}
