// Groups change their protocol while they are at work: to the newer one when the first member that
// speaks it joins, back when the last such member is gone.

import Base
import WireProtocol

extension ClassicGroup {
    // MARK: To the consumer protocol

    /// What the group is in the consumer protocol: empty when it is empty, else its members keep
    /// what the last assignment gave them. Changes nothing.
    func upgraded(_ context: GroupContext) throws(GroupRefusal) -> ConsumerGroup {
        var group = ConsumerGroup(id: id)
        guard !members.isEmpty else { return group }
        guard context.configuration.migrationPolicy.upgrades,
            protocolType == ConsumerSubscription.protocolType,
            members.count <= context.configuration.consumerMembersMax
        else { throw Self.notAConsumerGroup(id) }
        // A group that never got as far as a generation has no assignment either.
        group.epoch = generation
        group.assignmentEpoch = generation
        var taken = PartitionSet()
        for member in members.all {
            let metadata = member.metadata(for: protocolName ?? selectProtocol())
            guard let subscription = ConsumerSubscription.read(metadata) else {
                throw GroupRefusal(
                    .groupIdNotFound,
                    "member \(member.id) has a subscription that can't be understood")
            }
            var moved = ConsumerMember(id: member.id)
            moved.instanceID = member.instanceID
            moved.rackID = subscription.rackId
            moved.clientID = member.clientID
            moved.clientHost = member.clientHost
            moved.rebalanceTimeoutMilliseconds = Int32(
                clamping: member.rebalanceTimeout.wholeMilliseconds)
            moved.topics = Set(subscription.topics).sorted()
            moved.classic = ConsumerMember.Classic(
                sessionTimeoutMilliseconds: Int32(
                    clamping: member.sessionTimeout.wholeMilliseconds),
                protocols: member.protocols)
            moved.epoch = generation
            moved.previousEpoch = generation
            // A leader may have given one partition to two: then the first keeps it.
            moved.assigned = ConsumerSubscription.assignment(member.assignment, context.topics)
                .subtracting(taken)
            taken = taken.union(moved.assigned)
            moved.deadlines.session = context.now.monotonic + member.sessionTimeout
            group.put(moved)
            group.setTarget(of: moved.id, moved.assigned)
        }
        group.updateSubscribedTopics()
        group.changes.epoch = true
        group.changes.assignmentEpoch = true
        return group
    }

    /// The classic half of the change: whoever waits joins again, and the log forgets the group.
    mutating func leaveClassicProtocol(_ context: inout GroupContext) {
        for position in members.indices {
            answerWaiting(at: position, .rebalanceInProgress, &context)
        }
        if generation > 0 || protocolType != nil {
            unwritten.append(GroupRecord(key: GroupRecordFormat.groupKey(id), value: nil))
        }
        forgetClassicMembers()
    }

    mutating func forgetClassicMembers() {
        phase = .empty
        members = MemberTable()
        expected = [:]
        protocolType = nil
        protocolName = nil
        leader = nil
        subscribedTopics = nil
        generation = 0
        syncDeadline = .distantFuture
        stateTimestamp = nil
    }

    // MARK: To the classic protocol

    /// Whether the group becomes a classic one when this member is gone: some are left, and all of
    /// them speak the classic protocol.
    func canDowngrade(without leaving: String, _ context: GroupContext) -> Bool {
        guard let group = consumer, group.members.count > 1 else { return false }
        return context.configuration.migrationPolicy.downgrades
            && group.members.count <= context.configuration.membersMax
            && group.isAllClassic(except: leaving)
    }

    /// Makes the group a classic one; `leaving` is left out and causes a rebalance.
    mutating func downgrade(without leaving: String?, _ context: inout GroupContext) {
        guard let group = consumer else { return }
        consumer = nil
        unwritten += group.tombstones()
        protocolType = ConsumerSubscription.protocolType
        generation = group.epoch
        members = MemberTable()
        for (id, member) in group.members where id != leaving {
            guard let classic = member.classic else { continue }
            members.append(
                GroupMember(
                    id: id, instanceID: member.instanceID, clientID: member.clientID,
                    clientHost: member.clientHost,
                    sessionTimeout: .milliseconds(max(classic.sessionTimeoutMilliseconds, 0)),
                    rebalanceTimeout: member.rebalanceTimeout, protocols: classic.protocols,
                    assignment: ConsumerSubscription.encode(
                        group.target[id] ?? PartitionSet(), context.topics,
                        like: classic.protocols.first?.metadata ?? .empty),
                    hasSynced: true))
        }
        protocolName = selectProtocol()
        leader = members.all.first?.id
        stateTimestamp = context.now.timestamp
        subscribedTopics = findSubscribedTopics()
        phase = .stable
        unwritten.append(record(assignments: assignments))
        for position in members.indices { refreshSession(at: position, &context) }
        if leaving != nil { rebalance(&context) }
    }
}
