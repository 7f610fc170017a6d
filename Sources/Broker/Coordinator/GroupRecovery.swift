import Base
import WireProtocol

extension ClassicGroup {
    /// Takes the state that a record of the log describes.
    mutating func restore(_ snapshot: GroupSnapshot) {
        consumer = nil
        protocolType = snapshot.protocolType.isEmpty ? nil : snapshot.protocolType
        generation = max(snapshot.generation, 0)
        protocolName = snapshot.protocolName
        leader = snapshot.leader
        stateTimestamp = snapshot.stateTimestamp
        members = MemberTable()
        for member in snapshot.members where members.position(of: member.id) == nil {
            if let instance = member.instanceID, members.memberID(ofInstance: instance) != nil {
                continue
            }
            members.append(
                GroupMember(
                    id: member.id, instanceID: member.instanceID, clientID: member.clientID,
                    clientHost: member.clientHost,
                    sessionTimeout: .milliseconds(max(member.sessionTimeoutMilliseconds, 0)),
                    rebalanceTimeout: .milliseconds(max(member.rebalanceTimeoutMilliseconds, 0)),
                    protocols: [
                        MemberProtocol(
                            name: snapshot.protocolName ?? "", metadata: member.subscription)
                    ], assignment: member.assignment, hasSynced: true))
        }
        phase = members.isEmpty ? .empty : .stable
        if leader.flatMap(members.position(of:)) == nil { leader = members.all.first?.id }
        subscribedTopics = members.isEmpty ? nil : findSubscribedTopics()
    }

    /// Tells the members that wait that the group is coordinated elsewhere.
    mutating func dismiss(_ context: inout GroupContext) {
        for position in members.indices {
            switch members[position].waiting {
            case .nothing: break
            case .join(let token):
                context.reply(
                    token,
                    .join(JoinAnswer(error: .notCoordinator, memberID: members[position].id)))
            case .sync(let token):
                context.reply(token, .sync(SyncAnswer(error: .notCoordinator)))
            }
            members[position].waiting = .nothing
        }
    }

    /// Starts the clocks of a restored group.
    mutating func resume(_ context: inout GroupContext) {
        resumeConsumers(&context)
        for position in members.indices { refreshSession(at: position, &context) }
    }

    /// Takes what a record of the newer protocol says.
    mutating func replay(_ record: ConsumerRecord) {
        if case .epoch(_, nil) = record {
            consumer = nil
            return
        }
        if consumer == nil {
            guard !record.isTombstone else { return }
            forgetClassicMembers()
            consumer = ConsumerGroup(id: id)
        }
        consumer?.replay(record)
    }

    private mutating func resumeConsumers(_ context: inout GroupContext) {
        consumer?.finishRestore()
        if consumer?.epoch == 0, consumer?.members.isEmpty == true { consumer = nil }
        guard let group = consumer else { return }
        let now = context.now.monotonic
        let session = context.timing(of: id).sessionTimeout
        for member in group.members.values {
            let own = member.classic.map {
                Duration.milliseconds(max($0.sessionTimeoutMilliseconds, 0))
            }
            consumer?.setDeadlines(of: member.id) {
                $0.session = now + (own ?? session)
                if member.state == .unrevoked, member.classic == nil {
                    $0.rebalance = now + member.rebalanceTimeout
                }
            }
        }
        if let group = consumer { arm(group.earliestDeadline, &context) }
    }
}
