// Members of the classic protocol in a group of the consumer protocol: their requests are served
// from the group's epochs and targets. A rejoin takes the place of a heartbeat that reports owned
// partitions, the member epoch that of the generation, and nobody is leader.

import Base
import WireProtocol

extension ClassicGroup {
    // MARK: Join

    mutating func joinEmulated(
        _ call: JoinCall, _ token: ReplyToken, _ context: inout GroupContext
    ) {
        do throws(GroupRefusal) {
            let answer = try admitClassic(call, &context)
            write((token, .join(answer)), &context)
        } catch {
            context.reply(token, .join(JoinAnswer(error: error.code, memberID: call.memberID)))
        }
    }

    private mutating func admitClassic(
        _ call: JoinCall, _ context: inout GroupContext
    ) throws(GroupRefusal) -> JoinAnswer {
        guard var group = consumer else {
            throw GroupRefusal(.unknownMemberId, "the group has no members")
        }
        guard group.supports(protocolType: call.protocolType, protocols: call.protocols),
            let chosen = call.protocols.first,
            let subscription = ConsumerSubscription.read(chosen.metadata)
        else {
            throw GroupRefusal(
                .inconsistentGroupProtocol, "the other members support none of its protocols")
        }
        let limits = context.configuration
        let isNew = call.memberID.isEmpty || group.members[call.memberID] == nil
        let owner = call.instanceID.flatMap { group.memberID(ofInstance: $0) }
        if isNew, owner == nil,
            group.members.count >= limits.consumerMembersMax
                || group.metadataBytes + call.metadataBytes > limits.groupMetadataBytesMax
        {
            throw GroupRefusal(.groupMaxSizeReached, "the group is full")
        }
        if call.memberID.isEmpty, call.instanceID == nil, call.mustKnowItsID {
            let id = context.newMemberID(prefix: call.clientID)
            return JoinAnswer(error: .memberIdRequired, memberID: id)
        }
        if call.instanceID != nil, !call.memberID.isEmpty {
            guard let owner else { throw GroupRefusal(.unknownMemberId, "unknown instance") }
            guard owner == call.memberID else {
                throw GroupRefusal(.fencedInstanceId, "the instance was taken over by \(owner)")
            }
        }
        let id =
            call.memberID.isEmpty
            ? context.newMemberID(prefix: call.instanceID ?? call.clientID) : call.memberID
        consumer = nil
        var before = group.members[id] ?? ConsumerMember(id: id)
        var replaced: ConsumerMember?
        if let owner, owner != id, let old = group.members[owner] {
            replaced = old
            before = group.replace(old, with: id)
        }
        var member = before
        member.take(call, subscription)
        let reported = ConsumerSubscription.partitions(
            subscription.ownedPartitions.map { ($0.topic, $0.partitions) }, context.topics)
        member = group.settle(
            member, after: before,
            hasChanged: (isNew && replaced == nil) || !member.wantsTheSame(as: before),
            reported: reported, &context)
        let now = context.now.monotonic
        group.setDeadlines(of: id) {
            $0.session = now + call.sessionTimeout
            $0.rebalance = .distantFuture
            $0.sync = now + call.rebalanceTimeout
        }
        arm(group.members[id]?.deadlines.earliest ?? now, &context)
        consumer = group
        if let replaced, replaced.classic == nil, group.isAllClassic(except: ""),
            limits.migrationPolicy.downgrades
        {
            downgrade(without: nil, &context)
        }
        var answer = JoinAnswer(error: .none, memberID: id)
        answer.generation = member.epoch
        answer.protocolType = ConsumerSubscription.protocolType
        answer.protocolName = chosen.name
        return answer
    }

    // MARK: Sync and heartbeat

    mutating func syncEmulated(
        _ call: SyncCall, _ token: ReplyToken, _ context: inout GroupContext
    ) {
        do throws(GroupRefusal) {
            let (member, classic) = try classicMember(call.claim)
            let name = classic.protocols.first?.name
            if call.protocolType.map({ $0 != ConsumerSubscription.protocolType }) == true
                || call.protocolName.map({ $0 != name }) == true
            {
                throw GroupRefusal(.inconsistentGroupProtocol, "another protocol was chosen")
            }
            // Who has partitions to give back has joined already and gets the rest first.
            if let group = consumer, group.epoch > member.epoch, member.state != .unrevoked {
                expectJoin(of: member, &context)
                throw GroupRefusal(.rebalanceInProgress, "the group has a new epoch")
            }
            showLife(of: member, classic, &context)
            consumer?.setDeadlines(of: member.id) { $0.sync = .distantFuture }
            let answer = SyncAnswer(
                error: .none, protocolType: call.protocolType ?? ConsumerSubscription.protocolType,
                protocolName: call.protocolName ?? name,
                assignment: ConsumerSubscription.encode(
                    member.assigned, context.topics,
                    like: classic.protocols.first?.metadata ?? .empty))
            write((token, .sync(answer)), &context)
        } catch {
            context.reply(token, .sync(SyncAnswer(error: error.code)))
        }
    }

    mutating func heartbeatEmulated(
        _ claim: MemberClaim, _ context: inout GroupContext
    ) -> ErrorCode {
        do throws(GroupRefusal) {
            let (member, classic) = try classicMember(claim)
            showLife(of: member, classic, &context)
            guard let group = consumer else { return .unknownMemberId }
            // It rejoins for a new epoch, to report what it gave back, or for what became free.
            let mustJoin =
                member.epoch < group.epoch || member.state == .unrevoked
                || (member.state == .unreleased && !group.isWaitingForOthers(member))
            guard mustJoin else { return .none }
            expectJoin(of: member, &context)
            return .rebalanceInProgress
        } catch {
            return error.code
        }
    }

    /// The member that a classic request speaks of, if it is in its generation.
    private func classicMember(
        _ claim: MemberClaim
    ) throws(GroupRefusal) -> (ConsumerMember, ConsumerMember.Classic) {
        if let instance = claim.instanceID {
            guard let owner = consumer?.memberID(ofInstance: instance) else {
                throw GroupRefusal(.unknownMemberId, "unknown instance")
            }
            if owner != claim.memberID {
                throw GroupRefusal(.fencedInstanceId, "the instance was taken over by \(owner)")
            }
        }
        guard let member = consumer?.members[claim.memberID], let classic = member.classic else {
            throw GroupRefusal(.unknownMemberId, "no such member of the classic protocol")
        }
        guard member.epoch == claim.generation else {
            throw GroupRefusal(.illegalGeneration, "the member is in epoch \(member.epoch)")
        }
        return (member, classic)
    }

    /// A sign of life of a member of the classic protocol.
    mutating func showLife(
        of member: ConsumerMember, _ classic: ConsumerMember.Classic, _ context: inout GroupContext
    ) {
        let deadline =
            context.now.monotonic
            + .milliseconds(max(classic.sessionTimeoutMilliseconds, 0))
        consumer?.setDeadlines(of: member.id) { $0.session = deadline }
        arm(deadline, &context)
    }

    private mutating func expectJoin(of member: ConsumerMember, _ context: inout GroupContext) {
        guard member.deadlines.rebalance == .distantFuture else { return }
        let deadline = context.now.monotonic + member.rebalanceTimeout
        consumer?.setDeadlines(of: member.id) { $0.rebalance = deadline }
        arm(deadline, &context)
    }

    // MARK: Leave

    mutating func leaveEmulated(
        _ call: LeaveCall, _ token: ReplyToken, _ context: inout GroupContext
    ) {
        var answer = LeaveAnswer(error: .none)
        var leaving: [String] = []
        for wanted in call.members {
            var error = ErrorCode.none
            var id = wanted.memberID
            if let instance = wanted.instanceID {
                if let owner = consumer?.memberID(ofInstance: instance) {
                    if id.isEmpty { id = owner }
                    if id != owner { error = .fencedInstanceId }
                } else {
                    error = .unknownMemberId
                }
            }
            if error == .none {
                let isThere = consumer?.members[id]?.classic != nil && !leaving.contains(id)
                if isThere { leaving.append(id) } else { error = .unknownMemberId }
            }
            answer.members.append(
                LeaveAnswer.Member(
                    memberID: wanted.memberID, instanceID: wanted.instanceID, error: error))
        }
        if !leaving.isEmpty { dropConsumers(leaving, &context) }
        write((token, .leave(answer)), &context)
    }
}

extension ConsumerMember {
    fileprivate mutating func take(
        _ call: JoinCall, _ subscription: ConsumerProtocolSubscription
    ) {
        if let instance = call.instanceID { instanceID = instance }
        if let rack = subscription.rackId { rackID = rack }
        clientID = call.clientID
        clientHost = call.clientHost
        rebalanceTimeoutMilliseconds = Int32(clamping: call.rebalanceTimeout.wholeMilliseconds)
        topics = Set(subscription.topics).sorted()
        regex = ""
        assignor = nil
        classic = Classic(
            sessionTimeoutMilliseconds: Int32(clamping: call.sessionTimeout.wholeMilliseconds),
            protocols: call.protocols)
    }
}
